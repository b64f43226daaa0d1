#include <cora/waiter.h>

#include "task/task.h"

/* A link in its queue and a future that is completed to wake it. */
struct waiter {
    struct cora__list link;
    struct cora_future future;
};

_Static_assert(sizeof(struct waiter) <= sizeof(cora_waiter), "cora_waiter is too small");
_Static_assert(sizeof(struct cora__list) == sizeof(cora_wait_queue), "cora_wait_queue has no room");

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

/* A queue that is all NULL has not been used yet. */
static struct cora__list *list_of(const cora_wait_queue *queue)
{
    struct cora__list *list = (struct cora__list *)(uintptr_t)queue;

    if (list->next == NULL)
        cora__list_init(list);
    return list;
}

void cora_wait_queue_append(cora_wait_queue *queue, cora_waiter *waiter)
{
    cora__list_append(list_of(queue), &inside(waiter)->link);
}

void cora_wait_queue_remove(cora_wait_queue *queue, cora_waiter *waiter)
{
    (void)queue;
    cora__list_remove(&inside(waiter)->link);
}

static cora_waiter *at(const cora_wait_queue *queue, struct cora__list *link)
{
    if (link == list_of(queue))
        return NULL;
    return (cora_waiter *)cora__container_of(link, struct waiter, link);
}

cora_waiter *cora_wait_queue_first(const cora_wait_queue *queue)
{
    return at(queue, list_of(queue)->next);
}

cora_waiter *cora_wait_queue_next(const cora_wait_queue *queue, const cora_waiter *waiter)
{
    return at(queue, inside(waiter)->link.next);
}

bool cora_wait_queue_wake_first(cora_wait_queue *queue)
{
    cora_waiter *waiter = cora_wait_queue_first(queue);

    while (waiter != NULL && !cora_waiter_pending(waiter))
        waiter = cora_wait_queue_next(queue, waiter);
    if (waiter != NULL)
        cora_waiter_wake(waiter);
    return waiter != NULL;
}
