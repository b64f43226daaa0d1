/*
 * concurrent.h: what a concurrent future does for those who must hear of its end either way.
 */
#ifndef CORA_STDLIB_CONCURRENT_H
#define CORA_STDLIB_CONCURRENT_H

#include <cora/concurrent.h>

/* In storage of the user's, who may free it in either function. */
struct cora__concurrent_callback {
    struct cora__concurrent_callback *next;
    /* The future is done; in the thread that has completed it, or the one that adds this. */
    void (*run)(struct cora__concurrent_callback *callback, cora_concurrent_future *future);
    /* The future went without having been completed. */
    void (*drop)(struct cora__concurrent_callback *callback);
};

/* Adds it, or runs it at once where the future is done. */
void cora__concurrent_future_add_callback(cora_concurrent_future *future,
                                          struct cora__concurrent_callback *callback);

#endif
