/*
 * threadsafe.c: handles on their way from other threads. They wait in a list under a lock; the
 * first to come wakes the loop, for all that come until it collects them.
 */
#include "loop/poll.h"

#include <errno.h>
#include <sched.h>

/*
 * In a forked child, before anything else: the threads that were handing over are the parent's, and
 * what one that held the lock has made of the list is unknown.
 */
static void renew(struct cora_loop *loop)
{
    if (pthread_mutex_trylock(&loop->foreign_lock) == 0) {
        pthread_mutex_unlock(&loop->foreign_lock);
    } else {
        pthread_mutex_init(&loop->foreign_lock, NULL);
        cora__list_init(&loop->foreign);
    }
    atomic_store(&loop->wakers, 0);
    loop->foreign_forks = cora__poller_forks();
}

static void lock(struct cora_loop *loop)
{
    if (loop->foreign_forks != cora__poller_forks())
        renew(loop);
    pthread_mutex_lock(&loop->foreign_lock);
}

/*
 * Appends the handle and says whether it is the first, whose thread is now among the wakers. They
 * wake outside the lock: the loop, once awake, wants it, and on the same processor would only go
 * back to sleep until the waker has let go.
 */
static int append(struct cora_loop *loop, struct cora__handle *handle, bool *ret_first)
{
    int rc = 0;

    lock(loop);
    if (loop->foreign_closed) {
        rc = -CORA_ECLOSED;
    } else {
        *ret_first = cora__list_empty(&loop->foreign);
        cora__list_append(&loop->foreign, &handle->link);
        if (*ret_first)
            atomic_fetch_add(&loop->wakers, 1);
    }
    pthread_mutex_unlock(&loop->foreign_lock);
    return rc;
}

/* Where it is the first, the loop is to be woken. */
static int queue(struct cora_loop *loop, struct cora__handle *handle, bool *ret_first)
{
    if (loop != cora__loop_running)
        return append(loop, handle, ret_first);
    cora__loop_push(loop, handle); /* of this thread: in order with what it queues otherwise */
    return 0;
}

void cora_loop_wake(cora_loop *loop)
{
    cora__poller_wake(loop);
    atomic_fetch_sub(&loop->wakers, 1); /* the last that is done with the loop from here */
}

int cora__loop_push_threadsafe(struct cora_loop *loop, struct cora__handle *handle)
{
    bool first = false;
    int rc = queue(loop, handle, &first);

    if (first)
        cora_loop_wake(loop);
    return rc;
}

/* ---- triggers ------------------------------------------------------------------------------ */

struct trigger {
    struct cora__handle handle;
    struct cora_loop *loop;
    cora_callback *drop;
};

_Static_assert(sizeof(struct trigger) <= sizeof(cora_trigger), "cora_trigger is too small");

static void drop_trigger(struct cora__handle *handle)
{
    struct trigger *trigger = cora__container_of(handle, struct trigger, handle);

    if (trigger->drop != NULL)
        trigger->drop(handle->arg);
}

static const struct cora__handle_kind trigger_kind = {.drop = drop_trigger};

void cora_trigger_init(cora_trigger *self, cora_loop *loop, cora_callback *fn, cora_callback *drop,
                       void *arg)
{
    struct trigger *trigger = (struct trigger *)self;

    cora__handle_init(&trigger->handle, fn, arg);
    trigger->handle.kind = &trigger_kind;
    trigger->loop = loop;
    trigger->drop = drop;
}

void cora_trigger_set_context(cora_trigger *self, cora_context *context)
{
    ((struct trigger *)self)->handle.context = context;
}

int cora_trigger_fire(cora_trigger *self)
{
    struct trigger *trigger = (struct trigger *)self;

    return cora__loop_push_threadsafe(trigger->loop, &trigger->handle);
}

int cora_trigger_queue(cora_trigger *self, cora_loop **ret_asleep)
{
    struct trigger *trigger = (struct trigger *)self;
    struct cora_loop *loop = trigger->loop; /* the trigger may be gone as soon as it is queued */
    bool first = false;
    int rc = queue(loop, &trigger->handle, &first);

    if (rc == 0)
        *ret_asleep = first ? loop : NULL;
    return rc;
}

/* Wherever it waits: what is in no list points to itself. */
bool cora_trigger_cancel(cora_trigger *self)
{
    struct trigger *trigger = (struct trigger *)self;
    bool queued;

    lock(trigger->loop);
    queued = !cora__list_empty(&trigger->handle.link);
    cora__list_remove(&trigger->handle.link);
    pthread_mutex_unlock(&trigger->loop->foreign_lock);
    return queued;
}

/* ---- holds --------------------------------------------------------------------------------- */

void cora_loop_hold(cora_loop *loop)
{
    lock(loop);
    loop->holds++;
    pthread_mutex_unlock(&loop->foreign_lock);
}

/* A hold keeps the loop's memory, so that this may come after the loop's end. */
void cora_loop_release(cora_loop *loop)
{
    bool last;

    lock(loop);
    loop->holds--;
    last = loop->holds == 0 && loop->abandoned;
    if (loop != cora__loop_running && !loop->foreign_closed)
        cora__poller_wake(loop); /* it may have been the last that was waited for */
    pthread_mutex_unlock(&loop->foreign_lock);
    if (last)
        cora__loop_destroy(loop);
}

/* ---- the loop's side ----------------------------------------------------------------------- */

bool cora__foreign_waits(struct cora_loop *loop)
{
    lock(loop);

    bool waits = !cora__list_empty(&loop->foreign);

    pthread_mutex_unlock(&loop->foreign_lock);
    return waits;
}

void cora__foreign_collect(struct cora_loop *loop)
{
    lock(loop);
    cora__loop_push_all(loop, &loop->foreign);
    pthread_mutex_unlock(&loop->foreign_lock);
}

void cora__foreign_close(struct cora_loop *loop)
{
    lock(loop);
    loop->foreign_closed = true;
    cora__loop_push_all(loop, &loop->foreign);
    pthread_mutex_unlock(&loop->foreign_lock);
    while (atomic_load(&loop->wakers) > 0) /* the poller must not go before */
        sched_yield();
}
