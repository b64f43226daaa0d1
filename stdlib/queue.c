#include <cora/queue.h>

#include "queue_items.h"

#include <string.h>

/* ---- life ---------------------------------------------------------------------------------- */

void cora_queue_init(cora_queue *queue, size_t maxsize)
{
    memset(queue, 0, sizeof *queue);
    queue->maxsize_ = maxsize;
    cora_event_set(&queue->finished_);
}

void cora_lifo_queue_init(cora_queue *queue, size_t maxsize)
{
    cora_queue_init(queue, maxsize);
    queue->items_.lifo_ = true;
}

void cora_priority_queue_init(cora_queue *queue, size_t maxsize, cora_queue_compare *compare)
{
    cora_queue_init(queue, maxsize);
    queue->items_.compare_ = compare;
}

void cora_queue_destroy(cora_queue *queue)
{
    cora__queue_items_free(&queue->items_);
}

/* ---- waiting ------------------------------------------------------------------------------- */

static void wake_first(cora_wait_queue *waiters)
{
    if (!cora_wait_queue_empty(waiters))
        cora_wait_queue_wake_first(waiters);
}

static int wait_in(cora_queue *queue, cora_wait_queue *waiters, const char *what)
{
    cora_waiter waiter;
    int rc;

    rc = cora_wait_queue_wait(waiters, &waiter, what, queue);
    if (rc == 0)
        return 0;
    /* Woken, and cancelled before it could use that: the next in line may. */
    if (cora_waiter_woken(&waiter) &&
        !(waiters == &queue->putters_ ? cora_queue_full(queue) : cora_queue_empty(queue)))
        wake_first(waiters);
    return rc;
}

/* ---- put and get --------------------------------------------------------------------------- */

int cora_queue_put_nowait(cora_queue *queue, void *item)
{
    int rc;

    if (queue->shutdown_)
        return -CORA_EQUEUESHUTDOWN;
    if (cora_queue_full(queue))
        return -CORA_EQUEUEFULL;
    rc = cora__queue_items_add(&queue->items_, item);
    if (rc < 0)
        return rc;
    if (queue->unfinished_++ == 0)
        cora_event_clear(&queue->finished_);
    wake_first(&queue->getters_);
    return 0;
}

int cora_queue_put(cora_queue *queue, void *item)
{
    int rc = 0;

    while (rc == 0 && cora_queue_full(queue))
        rc = queue->shutdown_ ? -CORA_EQUEUESHUTDOWN
                              : wait_in(queue, &queue->putters_, "room in queue");
    return rc == 0 ? cora_queue_put_nowait(queue, item) : rc;
}

int cora_queue_get_nowait(cora_queue *queue, void **ret_item)
{
    if (cora_queue_empty(queue))
        return queue->shutdown_ ? -CORA_EQUEUESHUTDOWN : -CORA_EQUEUEEMPTY;
    *ret_item = cora__queue_items_take(&queue->items_);
    wake_first(&queue->putters_);
    return 0;
}

int cora_queue_get(cora_queue *queue, void **ret_item)
{
    int rc = 0;

    while (rc == 0 && cora_queue_empty(queue))
        rc = queue->shutdown_ ? -CORA_EQUEUESHUTDOWN
                              : wait_in(queue, &queue->getters_, "an item in queue");
    return rc == 0 ? cora_queue_get_nowait(queue, ret_item) : rc;
}

/* ---- the work on the items ----------------------------------------------------------------- */

static void finish(cora_queue *queue, size_t count)
{
    if (count == 0)
        return;
    queue->unfinished_ -= count;
    if (queue->unfinished_ == 0)
        cora_event_set(&queue->finished_);
}

int cora_queue_task_done(cora_queue *queue)
{
    if (queue->unfinished_ == 0)
        return -CORA_EINVALIDSTATE;
    finish(queue, 1);
    return 0;
}

int cora_queue_join(cora_queue *queue)
{
    return queue->unfinished_ > 0 ? cora_event_wait(&queue->finished_) : 0;
}

static void wake_all(cora_wait_queue *waiters)
{
    while (cora_wait_queue_wake_first(waiters))
        continue;
}

void cora_queue_shutdown(cora_queue *queue, bool immediate)
{
    queue->shutdown_ = true;
    if (immediate) {
        size_t count = cora_queue_qsize(queue);

        cora__queue_items_clear(&queue->items_);
        finish(queue, count < queue->unfinished_ ? count : queue->unfinished_);
    }
    wake_all(&queue->getters_);
    wake_all(&queue->putters_);
}

/* ---- questions ----------------------------------------------------------------------------- */

size_t cora_queue_qsize(const cora_queue *queue)
{
    return queue->items_.count_;
}

size_t cora_queue_maxsize(const cora_queue *queue)
{
    return queue->maxsize_;
}

bool cora_queue_empty(const cora_queue *queue)
{
    return queue->items_.count_ == 0;
}

bool cora_queue_full(const cora_queue *queue)
{
    return queue->maxsize_ > 0 && queue->items_.count_ >= queue->maxsize_;
}
