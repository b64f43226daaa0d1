/*
 * check.c: whether a scenario can run, so that the rest need not ask.
 */
#include "program.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- words ----------------------------------------------------------------------------------- */

static bool is_integer(const char *word, long least)
{
    char *end;
    long number;

    errno = 0;
    number = strtol(word, &end, 10);
    return errno == 0 && end != word && *end == '\0' && number >= least && number <= INT_MAX;
}

/* Digits and a point, as both languages read them; "none" for no limit. */
static bool is_ms(const char *word, bool may_be_none)
{
    const char *digits = word + (word[0] == '-');

    if (strcmp(word, "none") == 0)
        return may_be_none;
    return digits[0] >= '0' && digits[0] <= '9' && digits[strspn(digits, "0123456789.")] == '\0';
}

static bool is_error(const char *word)
{
    return word[0] == 'E' && strlen(word) <= 4 && is_integer(word + 1, 1);
}

static bool has_kind(const struct program *program, const char *name, const char *kinds)
{
    const struct statement *resource = program_find_resource(program, name);
    size_t length = resource != NULL ? strlen(resource->words[0]) : 0;

    for (const char *at = kinds; resource != NULL && *at != '\0'; at += strcspn(at, "|")) {
        at += *at == '|';
        if (strncmp(at, resource->words[0], length) == 0 && strchr("|", at[length]) != NULL)
            return true;
    }
    return false;
}

/*
 * Whether a word is what the statement takes there: a slot's name, another free word, a coroutine,
 * ms, a number, an error, or the name of a resource of the kinds that are listed, as in lock|cond.
 */
static bool fits(const struct program *program, const char *takes, const char *word)
{
    if (strcmp(takes, "coro") == 0)
        return program_find(program, word) != NULL;
    if (strcmp(takes, "ms") == 0)
        return is_ms(word, false);
    if (strcmp(takes, "ms|none") == 0)
        return is_ms(word, true);
    if (strcmp(takes, "number") == 0)
        return is_integer(word, 0);
    if (strcmp(takes, "count") == 0)
        return is_integer(word, 1);
    if (strcmp(takes, "error") == 0)
        return is_error(word);
    if (strcmp(takes, "slot") == 0)
        return program_find_resource(program, word) == NULL;
    if (strcmp(takes, "name") == 0 || strcmp(takes, "word") == 0)
        return true;
    if (strcmp(takes, "slot|future") == 0 && program_find_resource(program, word) == NULL)
        return true;
    return has_kind(program, word, takes);
}

/* The words of a line against what its first one takes. */
static void check_words(const struct program *program, const struct statement *line,
                        const char *takes)
{
    char text[96];
    char *wanted[MOST_WORDS] = {NULL};
    char *save = NULL;
    bool more = takes[0] != '\0' && takes[strlen(takes) - 1] == '+';
    int given = line->count - 1;
    int count = 0;

    snprintf(text, sizeof text, "%.*s", (int)(strlen(takes) - more), takes);
    for (char *word = strtok_r(text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save))
        wanted[count++] = word;
    if (given < count || (given > count && !more))
        mistake(program->path, line->line, "'%s' takes: %s; here it has %d", line->words[0],
                count > 0 ? takes : "nothing", given);
    for (int i = 0; i < given; i++) {
        const char *what = wanted[i < count ? i : count - 1];

        if (!fits(program, what, line->words[i + 1]))
            mistake(program->path, line->line, "'%s' takes: %s; '%s' is no %s", line->words[0],
                    takes, line->words[i + 1], what);
    }
}

/* ---- resources ------------------------------------------------------------------------------- */

static const char *resource_takes(const struct statement *line)
{
    static const struct {
        const char *kind, *takes;
    } kinds[] = {
        {"lock", "name"},        {"event", "name"},       {"cond", "name"},
        {"sem", "name number"},  {"bsem", "name number"}, {"queue", "name number"},
        {"lifo", "name number"}, {"prio", "name number"}, {"barrier", "name count"},
        {"future", "name"},      {"var", "name"},         {"handler", "name"},
    };

    if (strcmp(line->words[0], "cond") == 0 && line->count > 2)
        return "name lock";
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(line->words[0], kinds[i].kind) == 0)
            return kinds[i].takes;
    return NULL;
}

static void check_resource(const struct program *program, const struct statement *line)
{
    const char *takes = resource_takes(line);

    if (takes == NULL)
        mistake(program->path, line->line,
                "there is no resource '%s', and statements stand between 'coro' and 'end'",
                line->words[0]);
    if (line->count < 2)
        mistake(program->path, line->line, "'%s' takes: %s", line->words[0], takes);
    if (program_find_resource(program, line->words[1]) != line)
        mistake(program->path, line->line, "there is a '%s' already", line->words[1]);
    check_words(program, line, takes);
}

/* ---- statements ------------------------------------------------------------------------------ */

/* As statement_takes, of what is not in its table. */
static const char *control_takes(const char *name)
{
    static const struct {
        const char *name, *takes;
    } controls[] = {
        {"try", ""},          {"guard", ""},          {"always", ""},
        {"group", ""},        {"timeout", "ms|none"}, {"timeout_at", "ms|none"},
        {"repeat", "number"}, {"return", "number"},   {"raise", "error"},
    };

    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++)
        if (strcmp(name, controls[i].name) == 0)
            return controls[i].takes;
    return NULL;
}

static void check_block(const struct program *program, const struct statement *line)
{
    for (; line != NULL; line = line->next) {
        const char *takes = control_takes(line->words[0]);

        if (takes == NULL)
            takes = statement_takes(line->words[0]);
        if (takes == NULL)
            mistake(program->path, line->line, "there is no statement '%s'", line->words[0]);
        check_words(program, line, takes);
        check_block(program, line->body);
        check_block(program, line->rest);
    }
}

void program_check(const struct program *program)
{
    for (const struct statement *line = program->resources; line != NULL; line = line->next)
        check_resource(program, line);
    for (const struct coro *coro = program->coros; coro != NULL; coro = coro->next)
        check_block(program, coro->body);
    if (program_find(program, "main") == NULL)
        mistake(program->path, 0, "there is no 'coro main ... end', which is what is run");
}
