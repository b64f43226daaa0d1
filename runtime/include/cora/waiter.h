/*
 * waiter.h: the one way to suspend, for whoever writes a primitive of his own. Locks, semaphores,
 * events and queues are built on it, and on nothing else of the runtime.
 *
 * A waiter lies on the stack of the task that waits; a wait queue links the waiters of one object,
 * first come, first served. The pattern, as in asyncio's locks:
 *
 *     cora_waiter waiter;
 *
 *     rc = cora_wait_queue_wait(&semaphore->waiters, &waiter, "semaphore", semaphore);
 *     if (rc < 0 && cora_waiter_woken(&waiter))
 *         ...                                   // woken, then cancelled: pass it on to the next
 *
 * Nothing is allocated.
 */
#ifndef CORA_WAITER_H
#define CORA_WAITER_H

#include <cora/base.h>
#include <cora/error.h>
#include <cora/loop.h>

CORA_BEGIN_DECLS

/* Its members are private. */
typedef struct cora_waiter {
    void *private_[16];
} cora_waiter;

/* All NULL is an empty queue. Its members are private. */
typedef struct cora_wait_queue {
    void *private_[4];
} cora_wait_queue;

/* A waiter of the current task. `what` ("semaphore") and `object` go into deadlock
 * reports and traces. */
CORA_API void cora_waiter_init(cora_waiter *waiter, const char *what, const void *object);

/*
 * Suspends the current task until the waiter is woken; at once if it has been. 0; -ECANCELED;
 * -CORA_ENOTASK. It waits only once; afterwards it belongs to no queue any more if it was removed.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_waiter_wait(cora_waiter *waiter);

/* Lets the waiter's task go on in the next iteration; nothing if it was woken or cancelled. */
CORA_API void cora_waiter_wake(cora_waiter *waiter);

/* Whether it was woken; its task may have been cancelled since. */
CORA_API bool cora_waiter_woken(const cora_waiter *waiter);

/* Whether it still waits: neither woken nor cancelled. */
CORA_API bool cora_waiter_pending(const cora_waiter *waiter);

/* The queue, in order: append, remove, and for (w = first(q); w != NULL; w = next(q, w)). */
CORA_API void cora_wait_queue_append(cora_wait_queue *queue, cora_waiter *waiter);
CORA_API void cora_wait_queue_remove(cora_wait_queue *queue, cora_waiter *waiter);
CORA_API cora_waiter *cora_wait_queue_first(const cora_wait_queue *queue);
CORA_API cora_waiter *cora_wait_queue_next(const cora_wait_queue *queue, const cora_waiter *waiter);

/*
 * Initializes the waiter, appends it, waits, and removes it. 0; -ECANCELED: whether it was woken
 * before the waiter tells; -CORA_ENOTASK.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_wait_queue_wait(cora_wait_queue *queue,
                                                                cora_waiter *waiter,
                                                                const char *what,
                                                                const void *object);

/* Whether nobody is in it, woken or not. Inline, for it is asked far more often than not in vain.
 */
static inline bool cora_wait_queue_empty(const cora_wait_queue *queue)
{
    void *const *links = queue->private_;

    return links[0] == NULL || (links[0] == (void *)links && links[2] == (void *)(links + 2));
}

/*
 * The first that is still pending; NULL: nobody is. However many have been woken or cancelled and
 * not removed, none of them is looked at more than once.
 */
CORA_API cora_waiter *cora_wait_queue_first_pending(cora_wait_queue *queue);

/* Wakes the first that is still pending. Whether there was one. */
CORA_API bool cora_wait_queue_wake_first(cora_wait_queue *queue);

/* ---- descriptors --------------------------------------------------------------------------- */

/*
 * Suspends until `fd` is readable (writable). 0; -ECANCELED; -EBUSY while another task waits for
 * the same; -EBADF where it is not open or was closed by cora_close_fd meanwhile; -EPERM for what
 * cannot be polled; -ENOMEM; -CORA_ENOTASK.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_wait_readable(int fd);
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_wait_writable(int fd);

/*
 * Tells the running loop that a descriptor was just opened: its number may have been another one's
 * before. Needed only where that one was closed by other means than cora_close_fd.
 */
CORA_API void cora_fd_opened(int fd);

/*
 * After a read that returned less than was asked for, the descriptor is empty: a task that says so
 * here and asks before its next read saves the read that would find nothing.
 */
CORA_API void cora_fd_set_drained(int fd);
CORA_API bool cora_fd_is_drained(int fd);

/* Closes the descriptor; a task that waits for it gets -EBADF. 0 or the negative errno of close. */
CORA_API int cora_close_fd(int fd);

CORA_END_DECLS

#endif
