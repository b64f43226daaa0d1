/*
 * trace_file.h: reading back what a trace has written.
 */
#ifndef CORA_TEST_TRACE_FILE_H
#define CORA_TEST_TRACE_FILE_H

#include <stdbool.h>
#include <stddef.h>

struct trace_event {
    char phase; /* 'X', 'i', 'b', 'e', 'M' */
    unsigned tid;
    double begin, duration; /* microseconds */
    char category[16];
    char name[256];   /* with its escapes */
    char object[32];  /* of args; "" for none */
    char called[256]; /* of a row's name: what it is called */
};

struct trace_file {
    char *text;
    struct trace_event *events;
    size_t count;
    struct trace_file *next;
    const char **rows; /* what they are called, by tid */
};

/* A file in a folder of the test's own, which is removed at its end; none is there so far. */
const char *trace_path(void);

/* What is in the file; to be freed. */
char *trace_read(const char *path);

/* The events of a whole trace, which stay. It is asserted that the text is JSON, that the slices of
 * each row lie one in the other or apart, and that marks begin and end in pairs. */
const struct trace_file *trace_load(const char *path);

/* How many events there are of that phase in rows that are called so (NULL: in all), with this
 * category and name (NULL: any). */
size_t trace_count(const struct trace_file *file, char phase, const char *row, const char *category,
                   const char *name);

/* The first one; it is asserted that there is one. */
const struct trace_event *trace_find(const struct trace_file *file, char phase, const char *row,
                                     const char *category, const char *name);

#endif
