#include <cora/queue.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 8 };

/* ---- the items: a ring, a stack, or a heap, all in one array -------------------------------- */

/* The room is a power of two. */
static size_t place_of(const cora_queue *queue, size_t index)
{
    return (queue->first_ + index) & (queue->room_ - 1);
}

static void **at(const cora_queue *queue, size_t index)
{
    return &queue->items_[place_of(queue, index)];
}

/* What happens seldom is not inlined: it would have all registers saved, each time. */
static __attribute__((noinline)) int make_room(cora_queue *queue)
{
    size_t room = queue->room_ > 0 ? queue->room_ * 2 : FIRST_ROOM;
    void **items;

    items = malloc(room * sizeof items[0]);
    if (items == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < queue->count_; i++)
        items[i] = *at(queue, i);
    free(queue->items_);
    queue->items_ = items;
    queue->room_ = room;
    queue->first_ = 0;
    return 0;
}

static __attribute__((noinline)) void move_up(cora_queue *queue, size_t place, void *item)
{
    while (place > 0 && queue->compare_(item, *at(queue, (place - 1) / 2)) < 0) {
        *at(queue, place) = *at(queue, (place - 1) / 2);
        place = (place - 1) / 2;
    }
    *at(queue, place) = item;
}

static __attribute__((noinline)) void move_down(cora_queue *queue, void *item)
{
    size_t place = 0;
    size_t child;

    while ((child = place * 2 + 1) < queue->count_) {
        if (child + 1 < queue->count_ &&
            queue->compare_(*at(queue, child + 1), *at(queue, child)) < 0)
            child++;
        if (queue->compare_(*at(queue, child), item) >= 0)
            break;
        *at(queue, place) = *at(queue, child);
        place = child;
    }
    *at(queue, place) = item;
}

static void add(cora_queue *queue, void *item)
{
    size_t place = queue->count_++;

    if (queue->compare_ != NULL)
        move_up(queue, place, item);
    else
        *at(queue, place) = item;
}

static void *take(cora_queue *queue)
{
    void *item;

    queue->count_--;
    if (queue->lifo_)
        return *at(queue, queue->count_);
    item = *at(queue, 0);
    if (queue->compare_ == NULL)
        queue->first_ = place_of(queue, 1);
    else if (queue->count_ > 0)
        move_down(queue, *at(queue, queue->count_));
    return item;
}

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
    queue->lifo_ = true;
}

void cora_priority_queue_init(cora_queue *queue, size_t maxsize, cora_queue_compare *compare)
{
    cora_queue_init(queue, maxsize);
    queue->compare_ = compare;
}

void cora_queue_destroy(cora_queue *queue)
{
    free(queue->items_);
    queue->items_ = NULL;
    queue->room_ = queue->count_ = 0;
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
    if (queue->shutdown_)
        return -CORA_EQUEUESHUTDOWN;
    if (cora_queue_full(queue))
        return -CORA_EQUEUEFULL;
    if (queue->count_ == queue->room_) {
        int rc = make_room(queue);

        if (rc < 0)
            return rc;
    }
    add(queue, item);
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
    *ret_item = take(queue);
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
        size_t dropped = queue->count_ < queue->unfinished_ ? queue->count_ : queue->unfinished_;

        queue->count_ = queue->first_ = 0;
        finish(queue, dropped);
    }
    wake_all(&queue->getters_);
    wake_all(&queue->putters_);
}

/* ---- questions ----------------------------------------------------------------------------- */

size_t cora_queue_qsize(const cora_queue *queue)
{
    return queue->count_;
}

size_t cora_queue_maxsize(const cora_queue *queue)
{
    return queue->maxsize_;
}

bool cora_queue_empty(const cora_queue *queue)
{
    return queue->count_ == 0;
}

bool cora_queue_full(const cora_queue *queue)
{
    return queue->maxsize_ > 0 && queue->count_ >= queue->maxsize_;
}
