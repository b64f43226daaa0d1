/*
 * threading/queue.h: items from producers to consumers, threads and tasks on either side
 * (queue.Queue, LifoQueue, PriorityQueue).
 *
 *     cora_threading_queue queue;
 *
 *     cora_threading_queue_init(&queue, 10);                      // at most 10; 0: any number
 *     rc = cora_threading_queue_put(&queue, item, INFINITY);      // blocks this thread while full
 *     rc = cora_threading_queue_async_get(&queue, &item);         // suspends this task while empty
 *     cora_threading_queue_destroy(&queue);
 *
 * Any number of threads, and of tasks of any loops, may use one queue. Items are pointers and stay
 * the caller's; what one producer puts, one behind the other, comes out in that order. With any
 * number of items it is queue.SimpleQueue as well: such a put neither blocks nor suspends.
 *
 * Who waits is woken in the order of coming. As in <cora/queue.h> somebody who is not waiting may
 * be quicker and take what another was woken for; that one then waits again, at the end of the
 * line. No item is lost: it lies in the queue until it is taken, and where a task is woken and then
 * cancelled, or its loop closed, the next in line is woken instead.
 *
 * While a task waits its loop is held (cora_loop_hold): there is somebody, it is assumed, on the
 * other side. After a fork the child must not use a queue that others used at that moment.
 */
#ifndef CORA_THREADING_QUEUE_H
#define CORA_THREADING_QUEUE_H

#include <cora/base.h>
#include <cora/error.h>
#include <cora/queue.h>

#include <math.h>
#include <pthread.h>

CORA_BEGIN_DECLS

/* Storage of the caller's; must stay where it is while somebody uses it. Its members are private.
 */
typedef struct cora_threading_queue {
    pthread_mutex_t lock_;
    void *getters_[2], *putters_[2], *joiners_[2];
    cora_queue_items items_;
    size_t maxsize_, unfinished_;
    bool shutdown_;
} cora_threading_queue;

/* First in, first out; at most `maxsize` items (0: any number). Allocates nothing. */
CORA_API void cora_threading_queue_init(cora_threading_queue *queue, size_t maxsize);

/* Last in, first out. */
CORA_API void cora_threading_lifo_queue_init(cora_threading_queue *queue, size_t maxsize);

/* The least item first; of equal ones any. `compare` is called with the queue's lock held. */
CORA_API void cora_threading_priority_queue_init(cora_threading_queue *queue, size_t maxsize,
                                                 cora_queue_compare *compare);

/* Frees the queue's memory; the items are the caller's. Nobody may be using it. */
CORA_API void cora_threading_queue_destroy(cora_threading_queue *queue);

/* ---- for threads --------------------------------------------------------------------------- */

/*
 * Puts an item in; blocks the thread while the queue is full, for at most `timeout` seconds
 * (INFINITY: for any time; 0 or less: not at all). 0; -CORA_EQUEUEFULL; -CORA_EQUEUESHUTDOWN;
 * -ENOMEM; -EINVAL for NaN.
 */
CORA_API CORA_MUST_CHECK int cora_threading_queue_put(cora_threading_queue *queue, void *item,
                                                      double timeout);
CORA_API CORA_MUST_CHECK int cora_threading_queue_put_nowait(cora_threading_queue *queue,
                                                             void *item);

/*
 * Takes an item out; blocks the thread while there is none, for at most `timeout` seconds, as put.
 * 0; -CORA_EQUEUEEMPTY; -CORA_EQUEUESHUTDOWN once it is shut down and empty; -EINVAL for NaN.
 */
CORA_API CORA_MUST_CHECK int cora_threading_queue_get(cora_threading_queue *queue, void **ret_item,
                                                      double timeout);
CORA_API CORA_MUST_CHECK int cora_threading_queue_get_nowait(cora_threading_queue *queue,
                                                             void **ret_item);

/* Blocks the thread until the work on every item that was put is done. */
CORA_API void cora_threading_queue_join(cora_threading_queue *queue);

/* ---- for tasks ----------------------------------------------------------------------------- */

/*
 * Puts an item in; suspends the task while the queue is full. 0; -ECANCELED: it is not in;
 * -CORA_EQUEUESHUTDOWN; -ENOMEM; -CORA_ENOTASK where it would have to suspend outside a task.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_threading_queue_async_put(
    cora_threading_queue *queue, void *item);

/*
 * Takes an item out; suspends the task while there is none. 0; -ECANCELED: none was taken;
 * -CORA_EQUEUESHUTDOWN once it is shut down and empty; -ENOMEM, only where the loop has had no task
 * that waited so; -CORA_ENOTASK.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_threading_queue_async_get(
    cora_threading_queue *queue, void **ret_item);

/* Suspends the task until the work on every item that was put is done. As get. */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_threading_queue_async_join(
    cora_threading_queue *queue);

/* ---- for both ------------------------------------------------------------------------------ */

/* The work on an item that was got is done. 0; -CORA_EINVALIDSTATE when more often than items. */
CORA_API CORA_MUST_CHECK int cora_threading_queue_task_done(cora_threading_queue *queue);

/*
 * Ends the queue: no more puts; gets go on until it is empty, unless `immediate`, which drops the
 * items and counts them as done. All who wait to put or get are woken.
 */
CORA_API void cora_threading_queue_shutdown(cora_threading_queue *queue, bool immediate);
CORA_API bool cora_threading_queue_is_shutdown(cora_threading_queue *queue);

/* As it was a moment ago: others put and get meanwhile. */
CORA_API size_t cora_threading_queue_qsize(cora_threading_queue *queue);
CORA_API bool cora_threading_queue_empty(cora_threading_queue *queue);
CORA_API bool cora_threading_queue_full(cora_threading_queue *queue);

CORA_API size_t cora_threading_queue_maxsize(const cora_threading_queue *queue);

CORA_END_DECLS

#endif
