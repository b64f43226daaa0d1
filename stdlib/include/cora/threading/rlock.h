/*
 * rlock.h: one thread at a time, which may take it again while it holds it (threading.RLock). It is
 * free once the thread has released it as often as it took it.
 *
 * It blocks the calling thread, and belongs to it: two tasks of one loop do not exclude each other.
 */
#ifndef CORA_THREADING_RLOCK_H
#define CORA_THREADING_RLOCK_H

#include <cora/base.h>
#include <cora/threading/lock.h>

CORA_BEGIN_DECLS

/* Storage of the caller's, which must stay where it is. Its members are private. */
typedef struct cora_threading_rlock {
    cora_threading_lock lock_;
    const void *owner_; /* what is the owning thread's alone; NULL: it is free */
    size_t count_;
} cora_threading_rlock;

/* A free lock. */
#define CORA_THREADING_RLOCK_INIT                                                                  \
    {                                                                                              \
        CORA_THREADING_LOCK_INIT, NULL, 0                                                          \
    }
CORA_API void cora_threading_rlock_init(cora_threading_rlock *lock);

/* Nobody uses it any more; it may be locked. */
CORA_API void cora_threading_rlock_destroy(cora_threading_rlock *lock);

/*
 * Blocks until the lock is free or the calling thread's, for at most `timeout` seconds (INFINITY:
 * for any time; 0 or less: not at all), and takes it. 0; -ETIMEDOUT: it is not taken; -EINVAL for
 * NaN.
 */
CORA_API CORA_MUST_CHECK int cora_threading_rlock_acquire(cora_threading_rlock *lock,
                                                          double timeout);

/* The same, called at this place of the program. */
CORA_API CORA_MUST_CHECK int cora_threading_rlock_acquire_at(cora_threading_rlock *lock,
                                                             double timeout, cora_frame place);

/* 0; -EPERM where the calling thread does not hold it. */
CORA_API int cora_threading_rlock_release(cora_threading_rlock *lock);

/* Whether any thread holds it. */
CORA_API bool cora_threading_rlock_locked(cora_threading_rlock *lock);

/* Whether the calling thread holds it, and how often it has taken it. */
CORA_API bool cora_threading_rlock_is_owned(const cora_threading_rlock *lock);
CORA_API size_t cora_threading_rlock_recursion_count(const cora_threading_rlock *lock);

#if defined CORA_DEBUG && !defined __cplusplus
#define cora_threading_rlock_acquire(lock, timeout)                                                \
    cora_threading_rlock_acquire_at((lock), (timeout), (cora_frame){__func__, __FILE__, __LINE__})
#endif

CORA_END_DECLS

#endif
