#include "concurrent_waiter.h"

#include "deadline.h"

#include <errno.h>
#include <stdlib.h>

/* The futures' locks come before its own: they are held when it is told. */
struct cora__concurrent_waiter {
    pthread_mutex_t lock;
    pthread_cond_t enough;
    size_t different; /* futures; constant once it is made */
    size_t done;
    bool failed;
    /* What its thread waits for. */
    size_t wanted;
    bool or_failed;

    struct watch {
        struct cora__concurrent_watch watch;
        cora_concurrent_future *future;
        struct watch *next; /* in the queue */
    } * first, **last;      /* a queue of those that are done, and were not taken */
    struct watch watches[];
};

static bool is_enough(const struct cora__concurrent_waiter *waiter)
{
    return waiter->done >= waiter->wanted || (waiter->or_failed && waiter->failed);
}

static void on_done(struct cora__concurrent_watch *arg, bool failed)
{
    struct watch *watch = (struct watch *)arg;
    struct cora__concurrent_waiter *waiter = watch->watch.waiter;
    bool enough;

    pthread_mutex_lock(&waiter->lock);
    waiter->done++;
    waiter->failed |= failed;
    *waiter->last = watch;
    waiter->last = &watch->next;
    enough = is_enough(waiter);
    pthread_mutex_unlock(&waiter->lock);
    if (enough) /* the waiter is still there: to go it needs the lock of this future */
        pthread_cond_signal(&waiter->enough);
}

static void watch_all(struct cora__concurrent_waiter *waiter,
                      cora_concurrent_future *const futures[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct watch *watch = &waiter->watches[waiter->different];

        watch->watch.waiter = waiter;
        watch->watch.done = on_done;
        watch->future = cora_concurrent_future_ref(futures[i]);
        if (cora__concurrent_future_add_watch(futures[i], &watch->watch))
            waiter->different++;
        else
            cora_concurrent_future_unref(futures[i]);
    }
}

int cora__concurrent_waiter_create(cora_concurrent_future *const futures[], size_t count,
                                   struct cora__concurrent_waiter **ret)
{
    struct cora__concurrent_waiter *waiter;

    for (size_t i = 0; i < count; i++)
        if (futures[i] == NULL)
            return -ENOMEM;
    waiter = calloc(1, sizeof *waiter + count * sizeof waiter->watches[0]);
    if (waiter == NULL)
        return -ENOMEM;
    pthread_mutex_init(&waiter->lock, NULL);
    cora__cond_init(&waiter->enough);
    waiter->last = &waiter->first;
    watch_all(waiter, futures, count);
    *ret = waiter;
    return 0;
}

size_t cora__concurrent_waiter_count(const struct cora__concurrent_waiter *waiter)
{
    return waiter->different;
}

size_t cora__concurrent_waiter_wait(struct cora__concurrent_waiter *waiter, size_t wanted,
                                    bool or_failed, double deadline)
{
    size_t done;
    int rc = 0;

    pthread_mutex_lock(&waiter->lock);
    waiter->wanted = wanted;
    waiter->or_failed = or_failed;
    while (!is_enough(waiter) && rc == 0)
        rc = cora__cond_wait(&waiter->enough, &waiter->lock, deadline);
    done = waiter->done;
    pthread_mutex_unlock(&waiter->lock);
    return done;
}

cora_concurrent_future *cora__concurrent_waiter_take(struct cora__concurrent_waiter *waiter)
{
    struct watch *watch;

    pthread_mutex_lock(&waiter->lock);
    watch = waiter->first;
    waiter->first = watch->next;
    if (waiter->first == NULL)
        waiter->last = &waiter->first;
    pthread_mutex_unlock(&waiter->lock);
    return watch->future;
}

void cora__concurrent_waiter_free(struct cora__concurrent_waiter *waiter)
{
    if (waiter == NULL)
        return;
    for (size_t i = 0; i < waiter->different; i++) {
        cora__concurrent_future_remove_watch(waiter->watches[i].future, &waiter->watches[i].watch);
        cora_concurrent_future_unref(waiter->watches[i].future);
    }
    pthread_cond_destroy(&waiter->enough);
    pthread_mutex_destroy(&waiter->lock);
    free(waiter);
}
