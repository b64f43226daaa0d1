/*
 * threadsafe.c: handles on their way from other threads. They wait in a list under a lock; one
 * wake-up serves all that have come until the loop collects them.
 */
#include "loop/poll.h"

#include <errno.h>

int cora__loop_push_threadsafe(struct cora_loop *loop, struct cora__handle *handle)
{
    int rc = 0;

    if (loop == cora__loop_running) { /* of this thread: in order with what it queues otherwise */
        cora__loop_push(loop, handle);
        return 0;
    }
    pthread_mutex_lock(&loop->foreign_lock);
    if (loop->foreign_closed) {
        rc = -CORA_ECLOSED;
    } else {
        cora__list_append(&loop->foreign, &handle->link);
        /* Inside the lock: once it is open the loop may be closed, and the poller gone. */
        cora__poller_wake(loop);
    }
    pthread_mutex_unlock(&loop->foreign_lock);
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

int cora_trigger_fire(cora_trigger *self)
{
    struct trigger *trigger = (struct trigger *)self;

    return cora__loop_push_threadsafe(trigger->loop, &trigger->handle);
}

/* ---- holds --------------------------------------------------------------------------------- */

void cora_loop_hold(cora_loop *loop)
{
    pthread_mutex_lock(&loop->foreign_lock);
    loop->holds++;
    pthread_mutex_unlock(&loop->foreign_lock);
}

/* A hold keeps the loop's memory, so that this may come after the loop's end. */
void cora_loop_release(cora_loop *loop)
{
    bool last;

    pthread_mutex_lock(&loop->foreign_lock);
    loop->holds--;
    last = loop->holds == 0 && loop->abandoned;
    if (!loop->foreign_closed)
        cora__poller_wake(loop); /* it may have been the last that was waited for */
    pthread_mutex_unlock(&loop->foreign_lock);
    if (last)
        cora__loop_destroy(loop);
}

/* ---- the loop's side ----------------------------------------------------------------------- */

bool cora__foreign_waits(struct cora_loop *loop)
{
    pthread_mutex_lock(&loop->foreign_lock);

    bool waits = !cora__list_empty(&loop->foreign);

    pthread_mutex_unlock(&loop->foreign_lock);
    return waits;
}

void cora__foreign_collect(struct cora_loop *loop)
{
    pthread_mutex_lock(&loop->foreign_lock);
    cora__loop_push_all(loop, &loop->foreign);
    pthread_mutex_unlock(&loop->foreign_lock);
}

void cora__foreign_close(struct cora_loop *loop)
{
    pthread_mutex_lock(&loop->foreign_lock);
    loop->foreign_closed = true;
    cora__loop_push_all(loop, &loop->foreign);
    pthread_mutex_unlock(&loop->foreign_lock);
}

void cora__foreign_remove(struct cora_loop *loop, struct cora__handle *handle)
{
    pthread_mutex_lock(&loop->foreign_lock);
    cora__list_remove(&handle->link);
    pthread_mutex_unlock(&loop->foreign_lock);
}
