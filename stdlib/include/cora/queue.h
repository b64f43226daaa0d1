/*
 * queue.h: items from producers to consumers (asyncio.Queue, LifoQueue, PriorityQueue).
 *
 *     cora_queue queue;
 *
 *     cora_queue_init(&queue, 10);             // at most 10 items; 0: any number
 *     rc = cora_queue_put(&queue, item);       // suspends while it is full
 *     rc = cora_queue_get(&queue, &item);      // suspends while it is empty
 *     cora_queue_destroy(&queue);
 *
 * Items are pointers and stay the caller's. put and get suspend only where they must, and wake the
 * other side for the next iteration; a task that is not waiting may be quicker and take what it was
 * woken for, and the woken one then waits again, at the end of the line.
 */
#ifndef CORA_QUEUE_H
#define CORA_QUEUE_H

#include <cora/base.h>
#include <cora/event.h>
#include <cora/waiter.h>

CORA_BEGIN_DECLS

/* Which of two items comes first: negative, 0 or positive, as for qsort. */
typedef int cora_queue_compare(const void *a, const void *b);

/* What a queue holds, this one's or <cora/threading/queue.h>'s. Its members are private. */
typedef struct cora_queue_items {
    void **items_;
    size_t room_, first_, count_;
    cora_queue_compare *compare_;
    bool lifo_;
} cora_queue_items;

/* Storage of the caller's; must stay where it is while somebody waits. Its members are private. */
typedef struct cora_queue {
    cora_wait_queue getters_, putters_;
    cora_event finished_;
    cora_queue_items items_;
    size_t maxsize_, unfinished_;
    bool shutdown_;
} cora_queue;

/* First in, first out; at most `maxsize` items (0: any number). Allocates nothing. */
CORA_API void cora_queue_init(cora_queue *queue, size_t maxsize);

/* Last in, first out. */
CORA_API void cora_lifo_queue_init(cora_queue *queue, size_t maxsize);

/* The least item first; of equal ones any. */
CORA_API void cora_priority_queue_init(cora_queue *queue, size_t maxsize,
                                       cora_queue_compare *compare);

/* Frees the queue's memory; the items are the caller's. Nobody may wait for it. */
CORA_API void cora_queue_destroy(cora_queue *queue);

/*
 * Puts an item in, suspending while the queue is full. 0; -ECANCELED: it is not in;
 * -CORA_EQUEUESHUTDOWN; -ENOMEM; -CORA_ENOTASK.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_queue_put(cora_queue *queue, void *item);

/* The same without suspending: -CORA_EQUEUEFULL. */
CORA_API CORA_MUST_CHECK int cora_queue_put_nowait(cora_queue *queue, void *item);

/*
 * Takes an item out, suspending while there is none. 0; -ECANCELED: none was taken;
 * -CORA_EQUEUESHUTDOWN once it is shut down and empty; -CORA_ENOTASK.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_queue_get(cora_queue *queue, void **ret_item);

/* The same without suspending: -CORA_EQUEUEEMPTY. */
CORA_API CORA_MUST_CHECK int cora_queue_get_nowait(cora_queue *queue, void **ret_item);

/* The work on an item that was got is done. 0; -CORA_EINVALIDSTATE when more often than items. */
CORA_API CORA_MUST_CHECK int cora_queue_task_done(cora_queue *queue);

/* Suspends until the work on every item that was put is done. 0; -ECANCELED; -CORA_ENOTASK. */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_queue_join(cora_queue *queue);

/*
 * Ends the queue: no more puts; gets go on until it is empty, unless `immediate`, which drops the
 * items and counts them as done. All who wait are woken.
 */
CORA_API void cora_queue_shutdown(cora_queue *queue, bool immediate);

CORA_API size_t cora_queue_qsize(const cora_queue *queue);
CORA_API size_t cora_queue_maxsize(const cora_queue *queue);
CORA_API bool cora_queue_empty(const cora_queue *queue);
CORA_API bool cora_queue_full(const cora_queue *queue);

CORA_END_DECLS

#endif
