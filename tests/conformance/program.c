#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the arena: a scenario may drop tasks where they stand, with all they hold ----------------
 */

static struct chunk {
    struct chunk *next;
    char bytes[] __attribute__((aligned(16)));
} * chunks;

void *arena_alloc(size_t size)
{
    struct chunk *chunk = calloc(1, sizeof *chunk + size);

    if (chunk == NULL) {
        fprintf(stderr, "scenario: out of memory\n");
        exit(2);
    }
    chunk->next = chunks;
    chunks = chunk;
    return chunk->bytes;
}

void arena_reset(void)
{
    while (chunks != NULL) {
        struct chunk *next = chunks->next;

        free(chunks);
        chunks = next;
    }
}

/* ---- lines and words ------------------------------------------------------------------------- */

static struct statement *read_line(char **text)
{
    while (**text != '\0') {
        struct statement *statement = arena_alloc(sizeof *statement);
        char *line = strsep(text, "\n");
        char *save = NULL;

        for (char *word = strtok_r(line, " \t\r", &save);
             word != NULL && statement->count < MOST_WORDS; word = strtok_r(NULL, " \t\r", &save))
            statement->words[statement->count++] = word;
        if (statement->count > 0 && statement->words[0][0] != '#')
            return statement;
        if (*text == NULL)
            break;
    }
    return NULL;
}

static int is_one_of(const char *word, const char *const words[])
{
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(word, words[i]) == 0)
            return 1;
    return 0;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static const char *const BLOCKS[] = {"try",        "guard", "always", "timeout",
                                     "timeout_at", "group", "repeat", NULL};
static const char *const MIDDLES[] = {"handle", "finally", NULL};

/* Reads up to the `end`, `handle` or `finally` that closes the block; which one is in *closer. */
static struct statement *read_block(char **text, const char **closer)
{
    struct statement *first = NULL;
    struct statement **last = &first;
    struct statement *statement;

    while ((statement = read_line(text)) != NULL) {
        const char *word = statement->words[0];

        if (strcmp(word, "end") == 0 || is_one_of(word, MIDDLES)) {
            *closer = word;
            return first;
        }
        if (is_one_of(word, BLOCKS)) {
            const char *inner;

            statement->body = read_block(text, &inner);
            if (is_one_of(inner, MIDDLES))
                statement->rest = read_block(text, &inner);
        }
        *last = statement;
        last = &statement->next;
    }
    fprintf(stderr, "scenario: a block has no end\n");
    exit(2);
}

struct program *program_parse(char *text)
{
    struct program *program = arena_alloc(sizeof *program);
    struct statement **last = &program->resources;
    struct statement *statement;

    while (text != NULL && (statement = read_line(&text)) != NULL) {
        if (strcmp(statement->words[0], "coro") == 0) {
            struct coro *coro = arena_alloc(sizeof *coro);
            const char *closer;

            coro->name = statement->words[1];
            coro->body = read_block(&text, &closer);
            coro->next = program->coros;
            program->coros = coro;
        } else {
            *last = statement;
            last = &statement->next;
        }
    }
    return program;
}

const struct coro *program_find(const struct program *program, const char *name)
{
    for (const struct coro *coro = program->coros; coro != NULL; coro = coro->next)
        if (strcmp(coro->name, name) == 0)
            return coro;
    fprintf(stderr, "scenario: there is no coroutine '%s'\n", name);
    exit(2);
}
