/*
 * concurrent.c: a future that threads wait for: an outcome under a lock, a condition for those who
 * wait for it, watches of those who wait for several, and callbacks.
 */
#include "concurrent.h"

#include "deadline.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum state { PENDING, RUNNING, CANCELLED, FINISHED };

struct cora_concurrent_future {
    atomic_uint refs;
    pthread_mutex_t lock;
    pthread_cond_t completed;
    enum state state;
    int outcome;
    void *value;
    struct cora__concurrent_callback *callbacks, **last; /* until it is done */
    struct cora__link *watches;
};

/* ---- life ---------------------------------------------------------------------------- */

cora_concurrent_future *cora_concurrent_future_create(void)
{
    struct cora_concurrent_future *future = calloc(1, sizeof *future);

    if (future == NULL)
        return NULL;
    atomic_init(&future->refs, 1);
    pthread_mutex_init(&future->lock, NULL);
    cora__cond_init(&future->completed);
    future->last = &future->callbacks;
    return future;
}

cora_concurrent_future *cora_concurrent_future_ref(cora_concurrent_future *future)
{
    if (future != NULL)
        atomic_fetch_add_explicit(&future->refs, 1, memory_order_relaxed);
    return future;
}

void cora_concurrent_future_unref(cora_concurrent_future *future)
{
    struct cora__concurrent_callback *callback, *next;

    if (future == NULL || atomic_fetch_sub_explicit(&future->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (callback = future->callbacks; callback != NULL; callback = next) {
        next = callback->next;
        callback->drop(callback);
    }
    pthread_cond_destroy(&future->completed);
    pthread_mutex_destroy(&future->lock);
    free(future);
}

static bool is_done(const struct cora_concurrent_future *future)
{
    return future->state == CANCELLED || future->state == FINISHED;
}

static enum state state_of(struct cora_concurrent_future *future)
{
    enum state state;

    pthread_mutex_lock(&future->lock);
    state = future->state;
    pthread_mutex_unlock(&future->lock);
    return state;
}

bool cora_concurrent_future_cancelled(cora_concurrent_future *future)
{
    return future != NULL && state_of(future) == CANCELLED;
}

bool cora_concurrent_future_running(cora_concurrent_future *future)
{
    return future != NULL && state_of(future) == RUNNING;
}

bool cora_concurrent_future_done(cora_concurrent_future *future)
{
    return future != NULL && state_of(future) >= CANCELLED;
}

void *cora_concurrent_future_value(cora_concurrent_future *future)
{
    void *value;

    if (future == NULL)
        return NULL;
    pthread_mutex_lock(&future->lock);
    value = future->value;
    pthread_mutex_unlock(&future->lock);
    return value;
}

int cora_concurrent_future_result(cora_concurrent_future *future, double timeout)
{
    double deadline;
    int outcome, rc = 0;

    if (future == NULL)
        return -ENOMEM;
    if (isnan(timeout))
        return -EINVAL;
    deadline = cora__deadline(timeout);
    pthread_mutex_lock(&future->lock);
    while (!is_done(future) && rc == 0)
        rc = cora__cond_wait(&future->completed, &future->lock, deadline);
    outcome = is_done(future) ? future->outcome : -ETIMEDOUT;
    pthread_mutex_unlock(&future->lock);
    return outcome;
}

int cora_concurrent_future_exception(cora_concurrent_future *future, double timeout)
{
    int outcome = cora_concurrent_future_result(future, timeout);

    return outcome < 0 ? outcome : 0;
}

/* The lock is held and the future is done. */
static void tell(const struct cora_concurrent_future *future, struct cora__concurrent_watch *watch)
{
    watch->done(watch, future->state == FINISHED && future->outcome < 0);
}

/* The lock is held and the future is not done; it is, and the lock open, when this returns. */
static void settle(struct cora_concurrent_future *future, enum state state, int outcome,
                   void *value)
{
    struct cora__concurrent_callback *callback = future->callbacks, *next;

    future->state = state;
    future->outcome = outcome;
    future->value = value;
    future->callbacks = NULL;
    pthread_cond_broadcast(&future->completed);
    for (struct cora__link *link = future->watches; link != NULL; link = link->next)
        tell(future, link->object);
    pthread_mutex_unlock(&future->lock);
    for (; callback != NULL; callback = next) {
        next = callback->next;
        callback->run(callback, future);
    }
}

static bool settle_unless_done(struct cora_concurrent_future *future, enum state state, int outcome,
                               void *value)
{
    pthread_mutex_lock(&future->lock);
    if (is_done(future)) {
        pthread_mutex_unlock(&future->lock);
        return false;
    }
    settle(future, state, outcome, value);
    return true;
}

bool cora_concurrent_future_cancel(cora_concurrent_future *future)
{
    enum state state;

    if (future == NULL)
        return false;
    pthread_mutex_lock(&future->lock);
    state = future->state;
    if (state == PENDING)
        settle(future, CANCELLED, -ECANCELED, NULL);
    else
        pthread_mutex_unlock(&future->lock);
    return state == PENDING || state == CANCELLED;
}

int cora_concurrent_future_set_running_or_notify_cancel(cora_concurrent_future *future)
{
    enum state state;

    if (future == NULL)
        return -ENOMEM;
    pthread_mutex_lock(&future->lock);
    state = future->state;
    if (state == PENDING)
        future->state = RUNNING;
    pthread_mutex_unlock(&future->lock);
    if (state == CANCELLED)
        return -ECANCELED;
    return state == PENDING ? 0 : -CORA_EINVALIDSTATE;
}

int cora_concurrent_future_set_result(cora_concurrent_future *future, int result, void *value)
{
    if (future == NULL)
        return -ENOMEM;
    if (result < 0)
        return -EINVAL;
    return settle_unless_done(future, FINISHED, result, value) ? 0 : -CORA_EINVALIDSTATE;
}

int cora_concurrent_future_set_exception(cora_concurrent_future *future, int error)
{
    if (future == NULL)
        return -ENOMEM;
    if (error >= 0)
        return -EINVAL;
    return settle_unless_done(future, FINISHED, error, NULL) ? 0 : -CORA_EINVALIDSTATE;
}

/* ---- watches ------------------------------------------------------------------------------- */

static bool is_watched_by(const struct cora_concurrent_future *future, const void *waiter)
{
    for (const struct cora__link *link = future->watches; link != NULL; link = link->next)
        if (((const struct cora__concurrent_watch *)link->object)->waiter == waiter)
            return true;
    return false;
}

bool cora__concurrent_future_add_watch(cora_concurrent_future *future,
                                       struct cora__concurrent_watch *watch)
{
    bool added;

    pthread_mutex_lock(&future->lock);
    added = !is_watched_by(future, watch->waiter);
    if (added) {
        cora__link_add(&future->watches, &watch->link, watch);
        if (is_done(future))
            tell(future, watch);
    }
    pthread_mutex_unlock(&future->lock);
    return added;
}

void cora__concurrent_future_remove_watch(cora_concurrent_future *future,
                                          struct cora__concurrent_watch *watch)
{
    pthread_mutex_lock(&future->lock);
    cora__link_remove(&watch->link);
    pthread_mutex_unlock(&future->lock);
}

/* ---- callbacks ----------------------------------------------------------------------------- */

void cora__concurrent_future_add_callback(cora_concurrent_future *future,
                                          struct cora__concurrent_callback *callback)
{
    callback->next = NULL;
    pthread_mutex_lock(&future->lock);
    if (is_done(future)) {
        pthread_mutex_unlock(&future->lock);
        callback->run(callback, future);
        return;
    }
    *future->last = callback;
    future->last = &callback->next;
    pthread_mutex_unlock(&future->lock);
}

struct user_callback {
    struct cora__concurrent_callback callback;
    cora_concurrent_callback *fn;
    void *arg;
};

static void run_user_callback(struct cora__concurrent_callback *callback,
                              cora_concurrent_future *future)
{
    struct user_callback *mine = (struct user_callback *)callback;

    mine->fn(future, mine->arg);
    free(mine);
}

static void drop_user_callback(struct cora__concurrent_callback *callback)
{
    free(callback);
}

int cora_concurrent_future_add_done_callback(cora_concurrent_future *future,
                                             cora_concurrent_callback *fn, void *arg)
{
    struct user_callback *callback = future != NULL ? malloc(sizeof *callback) : NULL;

    if (callback == NULL)
        return -ENOMEM;
    callback->callback.run = run_user_callback;
    callback->callback.drop = drop_user_callback;
    callback->fn = fn;
    callback->arg = arg;
    cora__concurrent_future_add_callback(future, &callback->callback);
    return 0;
}
