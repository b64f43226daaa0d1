/*
 * program.h: the text of a scenario, parsed.
 */
#ifndef CORA_CONFORMANCE_PROGRAM_H
#define CORA_CONFORMANCE_PROGRAM_H

#include <stddef.h>

enum { MOST_WORDS = 64 };

/* One statement: its words, and of a block its body and what follows `handle` or `finally`. */
struct statement {
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
    struct statement *resources;
    struct coro *coros;
};

/* Parses the text, which it changes and which must stay. A mistake ends the process with a word. */
struct program *program_parse(char *text);

const struct coro *program_find(const struct program *program, const char *name);

/* Memory that lives as long as the process's current scenario: see arena_reset. */
void *arena_alloc(size_t size);
void arena_reset(void);

#endif
