/*
 * threading/semaphore.h: at most so many threads and tasks at a time (threading.Semaphore).
 *
 *     cora_threading_semaphore limit = CORA_THREADING_SEMAPHORE_INIT(20);
 *
 *     rc = cora_threading_semaphore_acquire(&limit, INFINITY);     // blocks this thread
 *     rc = cora_threading_semaphore_async_acquire(&limit);         // suspends this task
 *     ...
 *     rc = cora_threading_semaphore_release(&limit, 1);
 *
 * Any number of threads, and of tasks of any loops, may use one semaphore. First come, first
 * served, whoever is a thread and whoever a task. A permit that is released while somebody waits is
 * his at once; where he is a task that is cancelled before it gets to run, or whose loop is closed,
 * it goes to the next one: none is lost. A thread whose time is up just then has it.
 *
 * While a task waits its loop is held (cora_loop_hold): there is somebody, it is assumed, to
 * release. After a fork the child must not use a semaphore that others used at that moment.
 */
#ifndef CORA_THREADING_SEMAPHORE_H
#define CORA_THREADING_SEMAPHORE_H

#include <cora/base.h>
#include <cora/error.h>

#include <math.h>
#include <pthread.h>

CORA_BEGIN_DECLS

/* Storage of the caller's; must stay where it is while somebody uses it. Its members are private.
 */
typedef struct cora_threading_semaphore {
    pthread_mutex_t lock_;
    void *waiters_[2];
    int value_;
} cora_threading_semaphore;

/* A semaphore with so many permits, 0 or more. */
#define CORA_THREADING_SEMAPHORE_INIT(value)                                                       \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, {NULL, NULL}, (value)                                           \
    }

/* The same at run time: 0, or -EINVAL for a negative number. */
CORA_API CORA_MUST_CHECK int cora_threading_semaphore_init(cora_threading_semaphore *semaphore,
                                                           int value);

/* Before its storage goes. Nobody may be using it. */
CORA_API void cora_threading_semaphore_destroy(cora_threading_semaphore *semaphore);

/*
 * Takes a permit; blocks the thread until there is one, for at most `timeout` seconds (INFINITY:
 * for any time; 0 or less: not at all). 0; -ETIMEDOUT; -EINVAL for NaN.
 */
CORA_API CORA_MUST_CHECK int cora_threading_semaphore_acquire(cora_threading_semaphore *semaphore,
                                                              double timeout);

/*
 * Takes a permit; suspends the task until there is one. 0; -ECANCELED: none was taken; -ENOMEM,
 * only where the loop has had no task that waited so; -CORA_ENOTASK where it would have to suspend
 * outside a task.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_threading_semaphore_async_acquire(
    cora_threading_semaphore *semaphore);

/*
 * Gives n permits back, and to the first who wait. 0; -EINVAL for n below 1; -EOVERFLOW, and
 * nothing is done, where there would be more than INT_MAX.
 */
CORA_API int cora_threading_semaphore_release(cora_threading_semaphore *semaphore, int n);

/* threading.BoundedSemaphore: never has more permits than at first. Its members are private. */
typedef struct cora_threading_bounded_semaphore {
    cora_threading_semaphore semaphore_;
    int bound_;
} cora_threading_bounded_semaphore;

#define CORA_THREADING_BOUNDED_SEMAPHORE_INIT(value)                                               \
    {                                                                                              \
        CORA_THREADING_SEMAPHORE_INIT(value), (value)                                              \
    }

/* As the semaphore's. */
CORA_API CORA_MUST_CHECK int cora_threading_bounded_semaphore_init(
    cora_threading_bounded_semaphore *semaphore, int value);
CORA_API void cora_threading_bounded_semaphore_destroy(cora_threading_bounded_semaphore *semaphore);
CORA_API CORA_MUST_CHECK int cora_threading_bounded_semaphore_acquire(
    cora_threading_bounded_semaphore *semaphore, double timeout);
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_threading_bounded_semaphore_async_acquire(
    cora_threading_bounded_semaphore *semaphore);

/* As the semaphore's; -CORA_EINVALIDSTATE, and nothing is done, where fewer than n are out. */
CORA_API int cora_threading_bounded_semaphore_release(cora_threading_bounded_semaphore *semaphore,
                                                      int n);

CORA_END_DECLS

#endif
