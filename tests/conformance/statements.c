/*
 * statements.c: the simple statements by their names, and what they share.
 */
#include "statements.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int say(struct answer *answer, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(answer->text, sizeof answer->text, format, args);
    va_end(args);
    answer->has_value = true;
    return 0;
}

void append(struct answer *answer, const char *word)
{
    size_t length = strlen(answer->text);

    snprintf(answer->text + length, sizeof answer->text - length, "%s", word);
}

int say_result(struct answer *answer, int rc)
{
    return rc < 0 ? rc : say(answer, "%d", rc);
}

int skip(struct answer *answer, const char *why)
{
    answer->skip = why;
    return 0;
}

double seconds(const char *ms)
{
    return strcmp(ms, "none") == 0 ? INFINITY : atof(ms) / 1000;
}

struct actor *actor_in(const char *slot, const struct actor *younger, struct answer *answer)
{
    struct actor *actor = find_or_make(&scenario.slots, slot)->actor;

    if (actor == NULL)
        skip(answer, "unbound");
    else if (younger != NULL && actor->serial <= younger->serial)
        skip(answer, "older");
    return answer->skip == NULL ? actor : NULL;
}

/* ---- by name --------------------------------------------------------------------------------- */

static const struct {
    const char *name, *takes;
    operation *fn;
} statements[] = {
#define ENTRY(name, takes) {#name, takes, op_##name},
    STATEMENTS(ENTRY)
#undef ENTRY
};

enum { COUNT = sizeof statements / sizeof statements[0] };

static size_t index_of(const char *name)
{
    size_t i = 0;

    while (i < COUNT && strcmp(statements[i].name, name) != 0)
        i++;
    return i;
}

const char *statement_takes(const char *name)
{
    size_t i = index_of(name);

    return i < COUNT ? statements[i].takes : NULL;
}

int run_statement(struct actor *actor, const struct statement *statement, struct answer *answer)
{
    return statements[index_of(statement->words[0])].fn(actor, statement, answer);
}
