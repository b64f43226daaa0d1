/*
 * futures.h: what all that takes several futures does with them.
 */
#ifndef CORA_COMBINE_FUTURES_H
#define CORA_COMBINE_FUTURES_H

#include "future/future.h"

/*
 * They must all be of one loop, which is told in *ret; of none, the running one. 0; -ENOMEM where
 * one is NULL; -CORA_EWRONGLOOP; -CORA_ENOLOOP.
 */
int cora__futures_check(cora_future *const futures[], size_t count, struct cora_loop **ret);

/*
 * Who watches the futures of an array, by one handle each, must see whether one stands in it twice.
 * So he appends each handle to the future's callbacks, even if it is done, and asks before whether
 * the last one there is his own already; when all are known, those in done futures are taken out.
 */

/* The argument of the last of the future's callbacks, if that is of the kind; else NULL. */
static inline void *cora__future_last_watch(const struct cora_future *future,
                                            const struct cora__handle_kind *kind)
{
    struct cora__handle *last = cora__handle_of_link(future->callbacks.prev);

    if (cora__list_empty(&future->callbacks) || last->kind != kind)
        return NULL;
    return last->arg;
}

/* Takes the handle out of a future that is done, and queues it instead. */
static inline void cora__future_settle_watch(struct cora_future *future,
                                             struct cora__handle *handle)
{
    if (!cora__future_done(future))
        return;
    cora__list_remove(&handle->link);
    cora__loop_push(future->loop, handle);
}

#endif
