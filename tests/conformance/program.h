/*
 * program.h: the text of a scenario, parsed.
 */
#ifndef CORA_CONFORMANCE_PROGRAM_H
#define CORA_CONFORMANCE_PROGRAM_H

#include <stddef.h>

enum { MOST_WORDS = 64 };

/* One statement: its words, and of a block its body and what follows `handle` or `finally`. */
struct statement {
    int line; /* of the file, from 1 */
    int count;
    char *words[MOST_WORDS];
    struct statement *body, *rest;
    struct statement *next;
};

struct coro {
    const char *name;
    struct statement *body;
    struct coro *next;
};

struct program {
    const char *path;
    struct statement *resources;
    struct coro *coros;
};

/*
 * Parses the text, which it changes and which must stay, and sees to it that it can run: every
 * statement is known and has what it needs. A mistake ends the process with a word about it.
 */
struct program *program_parse(const char *path, char *text);

/* NULL where there is none. */
const struct coro *program_find(const struct program *program, const char *name);
const struct statement *program_find_resource(const struct program *program, const char *name);

/* Ends the process, with "PATH:LINE: MESSAGE" on stderr; without a line where that is 0. */
void mistake(const char *path, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4), noreturn));

/* check.c: ends the process where the program cannot run. */
void program_check(const struct program *program);

/*
 * What a simple statement takes, a word each, as check.c explains; "+" after the last: one or more
 * of it. NULL: there is no such statement.
 */
const char *statement_takes(const char *name);

/* Memory that lives as long as the process's current scenario: see arena_reset. */
void *arena_alloc(size_t size);
void arena_reset(void);

#endif
