/*
 * queue.c: a queue between threads and tasks.
 *
 * What is handed over is not the item but the turn to look for one: an item stays in the queue
 * until somebody who runs takes it, so that nobody can be gone with it. There are never more items
 * than getters that have been called while one still waits in the line: each put calls one, and who
 * is called and leaves without looking calls the next. The same holds for free places and putters.
 */
#include <cora/threading/queue.h>

#include "deadline.h"
#include "parking.h"
#include "queue_items.h"

#include <string.h>

static struct cora__line *getters(cora_threading_queue *queue)
{
    return (struct cora__line *)queue->getters_;
}

static struct cora__line *putters(cora_threading_queue *queue)
{
    return (struct cora__line *)queue->putters_;
}

static struct cora__line *joiners(cora_threading_queue *queue)
{
    return (struct cora__line *)queue->joiners_;
}

/* ---- life ---------------------------------------------------------------------------------- */

void cora_threading_queue_init(cora_threading_queue *queue, size_t maxsize)
{
    memset(queue, 0, sizeof *queue);
    pthread_mutex_init(&queue->lock_, NULL);
    queue->maxsize_ = maxsize;
}

void cora_threading_lifo_queue_init(cora_threading_queue *queue, size_t maxsize)
{
    cora_threading_queue_init(queue, maxsize);
    queue->items_.lifo_ = true;
}

void cora_threading_priority_queue_init(cora_threading_queue *queue, size_t maxsize,
                                        cora_queue_compare *compare)
{
    cora_threading_queue_init(queue, maxsize);
    queue->items_.compare_ = compare;
}

void cora_threading_queue_destroy(cora_threading_queue *queue)
{
    cora__queue_items_free(&queue->items_);
    pthread_mutex_destroy(&queue->lock_);
}

/* ---- waiting ------------------------------------------------------------------------------- */

static bool is_empty(const cora_threading_queue *queue)
{
    return queue->items_.count_ == 0;
}

static bool is_full(const cora_threading_queue *queue)
{
    return queue->maxsize_ > 0 && queue->items_.count_ >= queue->maxsize_;
}

static void pass_item_on(struct cora__section *section, void *arg)
{
    cora_threading_queue *queue = arg;

    if (!is_empty(queue))
        cora__call_first(section, getters(queue));
}

static void pass_room_on(struct cora__section *section, void *arg)
{
    cora_threading_queue *queue = arg;

    if (!is_full(queue))
        cora__call_first(section, putters(queue));
}

static const struct cora__wanted an_item = {"an item in queue", pass_item_on};
static const struct cora__wanted room = {"room in queue", pass_room_on};
static const struct cora__wanted the_end = {"the end of work on queue", NULL};

static const struct cora__how as_a_task = {.suspends = true};
static const struct cora__how not_at_all = {.deadline = -INFINITY};

static struct cora__how for_at_most(double timeout)
{
    return (struct cora__how){.deadline = cora__deadline(timeout)};
}

/* ---- put ----------------------------------------------------------------------------------- */

static int add(struct cora__section *section, cora_threading_queue *queue, void *item)
{
    int rc = cora__queue_items_add(&queue->items_, item);

    if (rc < 0)
        return rc;
    queue->unfinished_++;
    cora__call_first(section, getters(queue));
    return 0;
}

static int put(cora_threading_queue *queue, void *item, struct cora__how how)
{
    struct cora__section section;
    int rc = 0;

    cora__enter(&section, &queue->lock_);
    while (rc == 0 && is_full(queue) && !queue->shutdown_)
        rc = cora__park(&section, putters(queue), how, &room, queue);
    if (rc == 0)
        rc = queue->shutdown_ ? -CORA_EQUEUESHUTDOWN : add(&section, queue, item);
    cora__leave(&section);
    return rc != -ETIMEDOUT ? rc : -CORA_EQUEUEFULL;
}

int cora_threading_queue_put(cora_threading_queue *queue, void *item, double timeout)
{
    return isnan(timeout) ? -EINVAL : put(queue, item, for_at_most(timeout));
}

int cora_threading_queue_put_nowait(cora_threading_queue *queue, void *item)
{
    return put(queue, item, not_at_all);
}

int cora_threading_queue_async_put(cora_threading_queue *queue, void *item)
{
    return put(queue, item, as_a_task);
}

/* ---- get ----------------------------------------------------------------------------------- */

static int get(cora_threading_queue *queue, void **ret_item, struct cora__how how)
{
    struct cora__section section;
    int rc = 0;

    cora__enter(&section, &queue->lock_);
    while (rc == 0 && is_empty(queue))
        rc = queue->shutdown_ ? -CORA_EQUEUESHUTDOWN
                              : cora__park(&section, getters(queue), how, &an_item, queue);
    if (rc == 0) {
        *ret_item = cora__queue_items_take(&queue->items_);
        cora__call_first(&section, putters(queue));
    }
    cora__leave(&section);
    return rc != -ETIMEDOUT ? rc : -CORA_EQUEUEEMPTY;
}

int cora_threading_queue_get(cora_threading_queue *queue, void **ret_item, double timeout)
{
    return isnan(timeout) ? -EINVAL : get(queue, ret_item, for_at_most(timeout));
}

int cora_threading_queue_get_nowait(cora_threading_queue *queue, void **ret_item)
{
    return get(queue, ret_item, not_at_all);
}

int cora_threading_queue_async_get(cora_threading_queue *queue, void **ret_item)
{
    return get(queue, ret_item, as_a_task);
}

/* ---- the work on the items ----------------------------------------------------------------- */

static void finish(struct cora__section *section, cora_threading_queue *queue, size_t count)
{
    queue->unfinished_ -= count;
    if (queue->unfinished_ == 0)
        cora__call_all(section, joiners(queue));
}

int cora_threading_queue_task_done(cora_threading_queue *queue)
{
    struct cora__section section;
    int rc = -CORA_EINVALIDSTATE;

    cora__enter(&section, &queue->lock_);
    if (queue->unfinished_ > 0) {
        finish(&section, queue, 1);
        rc = 0;
    }
    cora__leave(&section);
    return rc;
}

static int join(cora_threading_queue *queue, struct cora__how how)
{
    struct cora__section section;
    int rc = 0;

    cora__enter(&section, &queue->lock_);
    if (queue->unfinished_ > 0)
        rc = cora__park(&section, joiners(queue), how, &the_end, queue);
    cora__leave(&section);
    return rc;
}

void cora_threading_queue_join(cora_threading_queue *queue)
{
    (void)!join(queue, for_at_most(INFINITY)); /* a thread without a deadline waits until called */
}

int cora_threading_queue_async_join(cora_threading_queue *queue)
{
    return join(queue, as_a_task);
}

void cora_threading_queue_shutdown(cora_threading_queue *queue, bool immediate)
{
    struct cora__section section;

    cora__enter(&section, &queue->lock_);
    queue->shutdown_ = true;
    if (immediate) {
        size_t count = queue->items_.count_;

        cora__queue_items_clear(&queue->items_);
        finish(&section, queue, count < queue->unfinished_ ? count : queue->unfinished_);
    }
    cora__call_all(&section, getters(queue));
    cora__call_all(&section, putters(queue));
    cora__leave(&section);
}

/* ---- questions ----------------------------------------------------------------------------- */

bool cora_threading_queue_is_shutdown(cora_threading_queue *queue)
{
    bool shutdown;

    pthread_mutex_lock(&queue->lock_);
    shutdown = queue->shutdown_;
    pthread_mutex_unlock(&queue->lock_);
    return shutdown;
}

size_t cora_threading_queue_qsize(cora_threading_queue *queue)
{
    size_t count;

    pthread_mutex_lock(&queue->lock_);
    count = queue->items_.count_;
    pthread_mutex_unlock(&queue->lock_);
    return count;
}

bool cora_threading_queue_empty(cora_threading_queue *queue)
{
    return cora_threading_queue_qsize(queue) == 0;
}

bool cora_threading_queue_full(cora_threading_queue *queue)
{
    return queue->maxsize_ > 0 && cora_threading_queue_qsize(queue) >= queue->maxsize_;
}

size_t cora_threading_queue_maxsize(const cora_threading_queue *queue)
{
    return queue->maxsize_;
}
