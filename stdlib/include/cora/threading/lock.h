/*
 * lock.h: one thread at a time (threading.Lock).
 *
 *     static cora_threading_lock lock = CORA_THREADING_LOCK_INIT;
 *
 *     rc = cora_threading_lock_acquire(&lock, INFINITY);
 *     ...
 *     cora_threading_lock_release(&lock);
 *
 * It blocks the calling thread, and with it a loop that runs there: tasks of one loop exclude each
 * other by <cora/lock.h>. A lock belongs to nobody in particular: any thread may release it.
 * Whoever comes while it is free takes it, though others have waited longer; among those who wait
 * the first is the first. After a fork the child finds it as it was: where a thread that is no more
 * there held it, init makes it anew.
 *
 * A build with CORA_DEBUG watches the order in which locks are taken: see
 * <cora/threading/lock_order.h>.
 */
#ifndef CORA_THREADING_LOCK_H
#define CORA_THREADING_LOCK_H

#include <cora/base.h>
#include <cora/frame.h>

#include <math.h>
#include <pthread.h>

CORA_BEGIN_DECLS

/* Storage of the caller's, which must stay where it is. Its members are private. */
typedef struct cora_threading_lock {
    pthread_mutex_t mutex_;
    void *waiters_[2];
    bool locked_;
} cora_threading_lock;

/* A free lock. */
#define CORA_THREADING_LOCK_INIT                                                                   \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, {NULL, NULL}, false                                             \
    }
CORA_API void cora_threading_lock_init(cora_threading_lock *lock);

/* Nobody uses it any more; it may be locked. */
CORA_API void cora_threading_lock_destroy(cora_threading_lock *lock);

/*
 * Blocks until the lock is free, for at most `timeout` seconds (INFINITY: for any time; 0 or less:
 * not at all), and takes it. 0; -ETIMEDOUT: it is not taken; -EINVAL for NaN.
 */
CORA_API CORA_MUST_CHECK int cora_threading_lock_acquire(cora_threading_lock *lock, double timeout);

/* The same, called at this place of the program. */
CORA_API CORA_MUST_CHECK int cora_threading_lock_acquire_at(cora_threading_lock *lock,
                                                            double timeout, cora_frame place);

/* Frees the lock and wakes the first who waits. 0; -CORA_EINVALIDSTATE where it is not locked. */
CORA_API int cora_threading_lock_release(cora_threading_lock *lock);

CORA_API bool cora_threading_lock_locked(cora_threading_lock *lock);

#if defined CORA_DEBUG && !defined __cplusplus
#define cora_threading_lock_acquire(lock, timeout)                                                 \
    cora_threading_lock_acquire_at((lock), (timeout), (cora_frame){__func__, __FILE__, __LINE__})
#endif

CORA_END_DECLS

#endif
