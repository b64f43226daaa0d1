#include "program.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Blocks in blocks: what a task's stack has room for. */
enum { MOST_DEPTH = 16 };

void mistake(const char *path, int line, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "%s:", path);
    if (line > 0)
        fprintf(stderr, "%d:", line);
    fputc(' ', stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}

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

struct reader {
    const char *path;
    char *text; /* what is left of it; NULL at the end */
    int line;
};

static void split(struct reader *reader, struct statement *statement, char *line)
{
    char *save = NULL;

    for (char *word = strtok_r(line, " \t\r", &save); word != NULL;
         word = strtok_r(NULL, " \t\r", &save)) {
        if (statement->count == MOST_WORDS)
            mistake(reader->path, reader->line, "more than %d words", MOST_WORDS);
        statement->words[statement->count++] = word;
    }
}

/* The next line that is neither empty nor a comment; NULL at the end. */
static struct statement *read_line(struct reader *reader)
{
    struct statement *statement = arena_alloc(sizeof *statement);

    do {
        if (reader->text == NULL)
            return NULL;
        statement->line = ++reader->line;
        statement->count = 0;
        split(reader, statement, strsep(&reader->text, "\n"));
    } while (statement->count == 0 || statement->words[0][0] == '#');
    return statement;
}

static bool is_one_of(const char *word, const char *const words[])
{
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static const char *const BLOCKS[] = {"try",        "guard", "always", "timeout",
                                     "timeout_at", "group", "repeat", NULL};
static const char *const MIDDLES[] = {"handle", "finally", NULL};

static bool is_block(const char *word)
{
    return is_one_of(word, BLOCKS);
}

/* What the block's body may end with, instead of `end`. */
static const char *middle_of(const char *block)
{
    if (strcmp(block, "always") == 0)
        return "finally";
    return strcmp(block, "try") == 0 || strcmp(block, "guard") == 0 ? "handle" : "";
}

static struct statement *read_block(struct reader *reader, const struct statement *head,
                                    const char *middle, bool *met_middle, int depth);

static void read_parts(struct reader *reader, struct statement *block, int depth)
{
    const char *middle = middle_of(block->words[0]);
    bool met_middle;

    block->body = read_block(reader, block, middle, &met_middle, depth);
    if (met_middle)
        block->rest = read_block(reader, block, "", &met_middle, depth);
}

/* Reads up to the `end` that closes the block, or to `middle`. */
static struct statement *read_block(struct reader *reader, const struct statement *head,
                                    const char *middle, bool *met_middle, int depth)
{
    struct statement *first = NULL;
    struct statement **last = &first;
    struct statement *statement;

    if (depth > MOST_DEPTH)
        mistake(reader->path, head->line, "more than %d blocks in one another", MOST_DEPTH);
    while ((statement = read_line(reader)) != NULL) {
        const char *word = statement->words[0];

        *met_middle = strcmp(word, middle) == 0;
        if (*met_middle || strcmp(word, "end") == 0)
            return first;
        if (is_one_of(word, MIDDLES) || strcmp(word, "coro") == 0)
            mistake(reader->path, statement->line,
                    "'%s' inside '%s' of line %d: an 'end' is missing", word, head->words[0],
                    head->line);
        if (is_block(word))
            read_parts(reader, statement, depth + 1);
        *last = statement;
        last = &statement->next;
    }
    mistake(reader->path, head->line, "'%s' has no 'end'", head->words[0]);
}

static void add_coro(struct program *program, struct reader *reader, const struct statement *head)
{
    struct coro *coro = arena_alloc(sizeof *coro);
    bool met_middle;

    if (head->count != 2)
        mistake(reader->path, head->line, "'coro' takes a name");
    if (program_find(program, head->words[1]) != NULL)
        mistake(reader->path, head->line, "there is a coroutine '%s' already", head->words[1]);
    coro->name = head->words[1];
    coro->body = read_block(reader, head, "", &met_middle, 0);
    coro->next = program->coros;
    program->coros = coro;
}

struct program *program_parse(const char *path, char *text)
{
    struct reader reader = {.path = path, .text = text};
    struct program *program = arena_alloc(sizeof *program);
    struct statement **last = &program->resources;
    struct statement *statement;

    program->path = path;
    while ((statement = read_line(&reader)) != NULL) {
        if (strcmp(statement->words[0], "coro") == 0) {
            add_coro(program, &reader, statement);
        } else {
            *last = statement;
            last = &statement->next;
        }
    }
    program_check(program);
    return program;
}

const struct coro *program_find(const struct program *program, const char *name)
{
    for (const struct coro *coro = program->coros; coro != NULL; coro = coro->next)
        if (strcmp(coro->name, name) == 0)
            return coro;
    return NULL;
}

const struct statement *program_find_resource(const struct program *program, const char *name)
{
    for (const struct statement *line = program->resources; line != NULL; line = line->next)
        if (strcmp(line->words[1], name) == 0)
            return line;
    return NULL;
}
