/*
 * semaphore.h: at most so many at a time (asyncio.Semaphore).
 *
 *     cora_semaphore limit = CORA_SEMAPHORE_INIT(20);
 *
 *     rc = cora_semaphore_acquire(&limit);
 *     if (rc < 0)
 *         return rc;
 *     ...
 *     cora_semaphore_release(&limit);
 *
 * First come, first served. A permit that is released while somebody waits is his at once; where he
 * is cancelled before he gets to run, it goes to the next one: none is lost.
 */
#ifndef CORA_SEMAPHORE_H
#define CORA_SEMAPHORE_H

#include <cora/base.h>
#include <cora/task.h>

CORA_BEGIN_DECLS

/* Storage of the caller's; must stay where it is while somebody waits. Its members are private. */
typedef struct cora_semaphore {
    void *waiters_[4];
    int value_;
} cora_semaphore;

/* A semaphore with so many permits; of a negative number, as many are missing. Nothing to free. */
#define CORA_SEMAPHORE_INIT(value)                                                                 \
    {                                                                                              \
        {NULL, NULL, NULL, NULL}, (value)                                                          \
    }
CORA_API void cora_semaphore_init(cora_semaphore *semaphore, int value);

/*
 * Takes a permit; suspends until there is one. 0; -ECANCELED: none was taken; -CORA_ENOTASK where
 * it would have to suspend outside a task.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_semaphore_acquire(cora_semaphore *semaphore);

/* Gives a permit back, and to the first who waits. Never suspends and never fails. */
CORA_API void cora_semaphore_release(cora_semaphore *semaphore);

/* Whether an acquire would have to wait. */
CORA_API bool cora_semaphore_locked(const cora_semaphore *semaphore);

/* asyncio.BoundedSemaphore: never has more permits than at first. Its members are private. */
typedef struct cora_bounded_semaphore {
    cora_semaphore semaphore_;
    int bound_;
} cora_bounded_semaphore;

#define CORA_BOUNDED_SEMAPHORE_INIT(value)                                                         \
    {                                                                                              \
        CORA_SEMAPHORE_INIT(value), (value)                                                        \
    }
CORA_API void cora_bounded_semaphore_init(cora_bounded_semaphore *semaphore, int value);

/* As the semaphore's. */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_bounded_semaphore_acquire(
    cora_bounded_semaphore *semaphore);
CORA_API bool cora_bounded_semaphore_locked(const cora_bounded_semaphore *semaphore);

/* As the semaphore's; -CORA_EINVALIDSTATE, and nothing is done, where all permits are back. */
CORA_API int cora_bounded_semaphore_release(cora_bounded_semaphore *semaphore);

CORA_END_DECLS

#endif
