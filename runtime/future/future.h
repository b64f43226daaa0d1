/*
 * future.h: the inside of futures, for tasks and for all that makes its own kind of future.
 */
#ifndef CORA_FUTURE_INTERNAL_H
#define CORA_FUTURE_INTERNAL_H

#include <cora/future.h>

#include "loop/loop.h"

enum cora__future_state { CORA__PENDING, CORA__CANCELLED, CORA__FINISHED };

/* What a kind of future does otherwise than a plain one; NULL: as a plain one. */
struct cora__future_kind {
    bool (*cancel)(struct cora_future *future, const char *message);
    void (*destroy)(struct cora_future *future); /* frees it; the last reference is gone */
    const char *(*describe)(struct cora_future *future, char *text, size_t size);
    void (*report_lost)(struct cora_future *future); /* its error was never asked for */
    void (*abandon)(struct cora_future *future); /* it is about to vanish with its waiter's stack */
};

struct cora_future {
    struct cora__list callbacks; /* handles, queued when it is done */
    struct cora_loop *loop;
    const struct cora__future_kind *kind;
    void *value;
    const char *cancel_message;
    const char *what; /* is waited for: "sleep", "semaphore"; for reports. See source.c, too */
    int outcome;
    unsigned refs;
    uint8_t state;      /* enum cora__future_state */
    bool error_unasked; /* an error is in it that nobody has asked for */
    bool has_user_callbacks;
    bool has_source; /* it is remembered where it was created */
};

/*
 * A future in storage of the caller's, on a waiting task's stack as a rule: no references, nothing
 * to release. Whoever may complete it must be done with it when its waiter returns.
 */
static inline void cora__future_init(struct cora_future *future, struct cora_loop *loop,
                                     const struct cora__future_kind *kind, const char *what)
{
    cora__list_init(&future->callbacks);
    future->loop = loop;
    future->kind = kind;
    future->value = NULL;
    future->cancel_message = NULL;
    future->what = what;
    future->outcome = 0;
    future->refs = 1;
    future->state = CORA__PENDING;
    future->error_unasked = false;
    future->has_user_callbacks = false;
    future->has_source = false;
}

static inline bool cora__future_done(const struct cora_future *future)
{
    return future->state != CORA__PENDING;
}

/* Who waits for it will never be called. */
void cora__future_drop_callbacks(struct cora_future *future);

/* The outcome is there: queues whoever waits for it. */
static inline void cora__future_settle(struct cora_future *future, enum cora__future_state state,
                                       int outcome)
{
    future->state = (uint8_t)state;
    future->outcome = outcome;
    future->error_unasked = state == CORA__FINISHED && outcome < 0;
    cora__loop_push_all(future->loop, &future->callbacks);
}

/* The same where a callback is a user's, or the loop is closed. */
void cora__future_settle_with_care(struct cora_future *future, enum cora__future_state state,
                                   int outcome);

/* Completes a pending future. (One call or the other, and nothing behind: a function that goes on
 * after a call saves registers whether or not it makes it.) */
static inline void cora__future_complete(struct cora_future *future, enum cora__future_state state,
                                         int outcome)
{
    if (future->has_user_callbacks || future->loop->closed)
        cora__future_settle_with_care(future, state, outcome);
    else
        cora__future_settle(future, state, outcome);
}

/* set_result(0), unless it is done, cancelled for instance, already. */
static inline void cora__future_wake(struct cora_future *future)
{
    if (!cora__future_done(future))
        cora__future_complete(future, CORA__FINISHED, 0);
}

/* The same as a callback, and the kind of its handle. */
void cora__future_wake_callback(void *future);
extern const struct cora__handle_kind cora__future_wake_kind;

/* Queues the handle once the future is done; in the next iteration, if it is. */
static inline void cora__future_watch(struct cora_future *future, struct cora__handle *handle)
{
    if (cora__future_done(future))
        cora__loop_push(future->loop, handle);
    else
        cora__list_append(&future->callbacks, &handle->link);
}

/* Takes the last of those who wait out, if it is this callback of a user's. Whether it was. */
bool cora__future_remove_last(struct cora_future *future, cora_done_callback *fn, void *arg);

/* Before the last reference goes: reports an error that nobody has asked for. The handler that is
 * told may take a reference of its own. */
void cora__future_report_unasked(struct cora_future *future);
static inline void cora__future_report_lost(struct cora_future *future)
{
    if (future->error_unasked)
        cora__future_report_unasked(future);
}

/* Gives a reference back. */
void cora__future_release_last(struct cora_future *future);
static inline void cora__future_release(struct cora_future *future)
{
    if (future->refs > 1)
        future->refs--;
    else
        cora__future_release_last(future);
}

/* cancel() of a plain future, for kinds that do something before. */
bool cora__future_cancel_plain(struct cora_future *future, const char *message);

/* The outcome of a future that is done; counts as having asked for an error. */
static inline int cora__future_retrieve(struct cora_future *future)
{
    future->error_unasked = false;
    return future->outcome;
}

#endif
