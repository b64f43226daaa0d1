/*
 * concurrent.h: what a concurrent future does for those who must hear of its end either way.
 */
#ifndef CORA_STDLIB_CONCURRENT_H
#define CORA_STDLIB_CONCURRENT_H

#include <cora/concurrent.h>

#include "link.h"

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

/*
 * For who waits for several futures and may go before they are done: he is told under the future's
 * lock, so that once he has been removed nobody is about to tell him. He holds a reference.
 */
struct cora__concurrent_watch {
    struct cora__link link; /* in the future's list, before its end and after */
    void *waiter;           /* whose it is: each is in a future's list once */
    /* The future is done; `failed`: with an error, and not because it was cancelled. */
    void (*done)(struct cora__concurrent_watch *watch, bool failed);
};

/* Whether it was added: its waiter was not there before. Tells it at once where the future is done.
 */
bool cora__concurrent_future_add_watch(cora_concurrent_future *future,
                                       struct cora__concurrent_watch *watch);

void cora__concurrent_future_remove_watch(cora_concurrent_future *future,
                                          struct cora__concurrent_watch *watch);

#endif
