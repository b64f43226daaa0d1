/*
 * queue.h: items from processes to processes (multiprocessing.Queue, JoinableQueue).
 *
 *     cora_multiprocessing_queue *queue;
 *
 *     rc = cora_multiprocessing_queue_create(10, 0, &queue);   // before its users are started
 *     rc = cora_multiprocessing_queue_put(queue, "job", 3, INFINITY);
 *     ...
 *     size = cora_multiprocessing_queue_get(queue, &item, INFINITY);
 *     free(item);
 *
 * Items are bytes, any number of them, and are copied. First in, first out, for any number of
 * processes and threads on both sides. A process that is killed, at whatever moment, holds up
 * nobody: what it was putting is in whole or not at all, and what it was getting is still there or
 * was its own.
 *
 * Calls block the thread, not only the task.
 */
#ifndef CORA_MULTIPROCESSING_QUEUE_H
#define CORA_MULTIPROCESSING_QUEUE_H

#include <cora/base.h>

#include <math.h>
#include <sys/types.h>

CORA_BEGIN_DECLS

typedef struct cora_multiprocessing_queue cora_multiprocessing_queue;

/*
 * At most `maxsize` items (0: any number), and `memory` bytes (0: 64 MiB), of which each item takes
 * 16 beside its own; only what was in use at once takes memory. *ret is this process's, and that of
 * children that are started from now on. 0; -ENOMEM.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_queue_create(size_t maxsize, size_t memory,
                                                               cora_multiprocessing_queue **ret);

/* The queue is no longer this process's; others go on. NULL is accepted. */
CORA_API void cora_multiprocessing_queue_free(cora_multiprocessing_queue *queue);

/*
 * Puts a copy of an item in; blocks while there is no room, for at most `timeout` seconds
 * (INFINITY: for any time; 0 or less: not at all). 0; -CORA_EQUEUEFULL; -EMSGSIZE for what the
 * queue could never hold; -EINVAL for NaN.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_queue_put(cora_multiprocessing_queue *queue,
                                                            const void *data, size_t size,
                                                            double timeout);

/*
 * Takes an item out; blocks while there is none, as above. Its length; *ret_data is the caller's,
 * for free(3). -CORA_EQUEUEEMPTY; -EINVAL for NaN; -ENOMEM: it is still there.
 */
CORA_API CORA_MUST_CHECK ssize_t cora_multiprocessing_queue_get(cora_multiprocessing_queue *queue,
                                                                void **ret_data, double timeout);

/* The same into the caller's buffer. -EMSGSIZE where it does not fit: it is still there. */
CORA_API CORA_MUST_CHECK ssize_t cora_multiprocessing_queue_get_into(
    cora_multiprocessing_queue *queue, void *buffer, size_t size, double timeout);

/*
 * How many items there are just now, and whether there is none, or no room for one more. Where one
 * was killed at it, that one item may be counted wrongly until somebody puts or gets again.
 */
CORA_API size_t cora_multiprocessing_queue_qsize(const cora_multiprocessing_queue *queue);
CORA_API bool cora_multiprocessing_queue_empty(const cora_multiprocessing_queue *queue);
CORA_API bool cora_multiprocessing_queue_full(const cora_multiprocessing_queue *queue);

/* The work on an item that was got is done. 0; -CORA_EINVALIDSTATE when more often than items. */
CORA_API int cora_multiprocessing_queue_task_done(cora_multiprocessing_queue *queue);

/* Blocks until the work on every item that was put is done, as above. 0; -ETIMEDOUT; -EINVAL. */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_queue_join(cora_multiprocessing_queue *queue,
                                                             double timeout);

CORA_END_DECLS

#endif
