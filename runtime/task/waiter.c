#include <cora/waiter.h>

#include "task/task.h"

/* A link in its queue and a future that is completed to wake it. */
struct waiter {
    struct cora__list link;
    struct cora_future future;
};

/*
 * Two lists, one behind the other, of all who have come and not been removed: those that whoever
 * looked for one to wake has passed, for they were woken or cancelled, and the rest. So nobody is
 * looked at twice, however many are woken before the first of them runs.
 */
struct queue {
    struct cora__list passed;
    struct cora__list rest;
};

_Static_assert(sizeof(struct waiter) <= sizeof(cora_waiter), "cora_waiter is too small");
_Static_assert(sizeof(struct queue) == sizeof(cora_wait_queue), "cora_wait_queue has no room");

/* The task is dropped with its loop; the queue may live on. */
static void abandon(struct cora_future *future)
{
    cora__list_remove(&cora__container_of(future, struct waiter, future)->link);
}

static const struct cora__future_kind waiter_kind = {.abandon = abandon};

static struct waiter *inside(const cora_waiter *waiter)
{
    return (struct waiter *)(uintptr_t)waiter;
}

void cora_waiter_init(cora_waiter *self, const char *what, const void *object)
{
    struct waiter *waiter = inside(self);

    cora__list_init(&waiter->link);
    cora__future_init(&waiter->future, cora__loop_running, &waiter_kind, what);
    waiter->future.value = (void *)(uintptr_t)object;
}

int cora_waiter_wait(cora_waiter *waiter)
{
    return cora_await(&inside(waiter)->future);
}

void cora_waiter_wake(cora_waiter *waiter)
{
    cora__future_wake(&inside(waiter)->future);
}

bool cora_waiter_woken(const cora_waiter *waiter)
{
    return inside(waiter)->future.state == CORA__FINISHED;
}

bool cora_waiter_pending(const cora_waiter *waiter)
{
    return inside(waiter)->future.state == CORA__PENDING;
}

/* ---- queues -------------------------------------------------------------------------------- */

/* One that is all NULL has not been used yet. */
static struct queue *queue_of(const cora_wait_queue *self)
{
    struct queue *queue = (struct queue *)(uintptr_t)self;

    if (queue->passed.next == NULL) {
        cora__list_init(&queue->passed);
        cora__list_init(&queue->rest);
    }
    return queue;
}

static struct waiter *waiter_of(struct cora__list *link)
{
    return cora__container_of(link, struct waiter, link);
}

void cora_wait_queue_append(cora_wait_queue *queue, cora_waiter *waiter)
{
    cora__list_append(&queue_of(queue)->rest, &inside(waiter)->link);
}

void cora_wait_queue_remove(cora_wait_queue *queue, cora_waiter *waiter)
{
    (void)queue;
    cora__list_remove(&inside(waiter)->link);
}

int cora_wait_queue_wait(cora_wait_queue *queue, cora_waiter *waiter, const char *what,
                         const void *object)
{
    int rc;

    cora_waiter_init(waiter, what, object);
    cora_wait_queue_append(queue, waiter);
    rc = cora_waiter_wait(waiter);
    cora_wait_queue_remove(queue, waiter);
    return rc;
}

/* The waiter that the link is of; behind those passed comes the rest, and behind that nobody. */
static cora_waiter *at(struct queue *queue, struct cora__list *link)
{
    if (link == &queue->passed)
        link = queue->rest.next;
    return link != &queue->rest ? (cora_waiter *)waiter_of(link) : NULL;
}

cora_waiter *cora_wait_queue_first(const cora_wait_queue *self)
{
    struct queue *queue = queue_of(self);

    return at(queue, queue->passed.next);
}

cora_waiter *cora_wait_queue_next(const cora_wait_queue *self, const cora_waiter *waiter)
{
    return at(queue_of(self), inside(waiter)->link.next);
}

static void pass(struct queue *queue, struct waiter *first)
{
    cora__list_unlink(&first->link);
    cora__list_append(&queue->passed, &first->link);
}

static struct waiter *first_pending(struct queue *queue)
{
    while (!cora__list_empty(&queue->rest)) {
        struct waiter *first = waiter_of(queue->rest.next);

        if (!cora__future_done(&first->future))
            return first;
        pass(queue, first);
    }
    return NULL;
}

cora_waiter *cora_wait_queue_first_pending(cora_wait_queue *queue)
{
    return (cora_waiter *)first_pending(queue_of(queue));
}

bool cora_wait_queue_wake_first(cora_wait_queue *self)
{
    struct queue *queue = queue_of(self);
    struct waiter *first = first_pending(queue);

    if (first == NULL)
        return false;
    pass(queue, first);
    cora__future_wake(&first->future);
    return true;
}
