/*
 * work.h: what a job does, wherever it is done.
 */
#ifndef CORA_STDLIB_WORK_H
#define CORA_STDLIB_WORK_H

#include <cora/executor.h>

/* Either fn of each of `count` items that lie in a row; or bytes_fn, from bytes to bytes. */
struct cora__work {
    cora_job *fn; /* NULL: it is bytes_fn */
    char *items;
    size_t size, count; /* of an item; of one alone it need not be known */
    int *results;       /* what each has returned; NULL: the outcome is enough */
    cora_bytes_job *bytes_fn;
    const void *in;
    size_t in_size;
    cora_bytes *out; /* untouched where bytes_fn fails */
};

/* The outcome: of items the first error in their order, or what the last has returned. */
int cora__work_run(const struct cora__work *work);

/* It was not done, or not to its end. */
void cora__work_fail(const struct cora__work *work, int error);

#endif
