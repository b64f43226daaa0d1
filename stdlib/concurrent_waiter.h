/*
 * concurrent_waiter.h: a thread that waits for some of several concurrent futures.
 *
 * It hears of each future's end once, however often that was given, and keeps them in the order in
 * which they came; those that were done before come first, in the order in which they were given.
 * The thread sleeps until as many have come as it asks for, and not at each of them. One thread at
 * a time.
 */
#ifndef CORA_STDLIB_CONCURRENT_WAITER_H
#define CORA_STDLIB_CONCURRENT_WAITER_H

#include "concurrent.h"

struct cora__concurrent_waiter;

/* Holds a reference to each future. 0; -ENOMEM, also where a future is NULL. */
int cora__concurrent_waiter_create(cora_concurrent_future *const futures[], size_t count,
                                   struct cora__concurrent_waiter **ret);

/* How many different futures they are. */
size_t cora__concurrent_waiter_count(const struct cora__concurrent_waiter *waiter);

/*
 * Blocks until `wanted` of them are done, or, `or_failed`, one of them has failed, at most until
 * the deadline. Returns how many are done.
 */
size_t cora__concurrent_waiter_wait(struct cora__concurrent_waiter *waiter, size_t wanted,
                                    bool or_failed, double deadline);

/* The next of those that are done, borrowed until the waiter goes. There must be one. */
cora_concurrent_future *cora__concurrent_waiter_take(struct cora__concurrent_waiter *waiter);

/* Nobody tells it any more. NULL is accepted. */
void cora__concurrent_waiter_free(struct cora__concurrent_waiter *waiter);

#endif
