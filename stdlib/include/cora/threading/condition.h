/*
 * condition.h: threads wait, under a lock, until something becomes true (threading.Condition).
 *
 *     rc = cora_threading_condition_acquire(&condition, INFINITY);
 *     while (rc == 0 && !there_is_work(queue))
 *         rc = cora_threading_condition_wait(&condition, INFINITY);
 *     ...
 *     cora_threading_condition_release(&condition);
 *
 * Who has waited longest is notified first.
 */
#ifndef CORA_THREADING_CONDITION_H
#define CORA_THREADING_CONDITION_H

#include <cora/base.h>
#include <cora/threading/lock.h>
#include <cora/threading/rlock.h>

CORA_BEGIN_DECLS

/* Storage of the caller's, which must stay where it is. Its members are private. */
typedef struct cora_threading_condition {
    cora_threading_rlock own_;
    cora_threading_lock *lock_;   /* or */
    cora_threading_rlock *rlock_; /* both NULL: its own */
    pthread_mutex_t mutex_;
    void *waiters_[2];
} cora_threading_condition;

/* A condition with a lock of its own, which is recursive; or on one of the caller's. */
#define CORA_THREADING_CONDITION_INIT                                                              \
    {                                                                                              \
        CORA_THREADING_RLOCK_INIT, NULL, NULL, PTHREAD_MUTEX_INITIALIZER,                          \
        {                                                                                          \
            NULL, NULL                                                                             \
        }                                                                                          \
    }
CORA_API void cora_threading_condition_init(cora_threading_condition *condition);
CORA_API void cora_threading_condition_init_lock(cora_threading_condition *condition,
                                                 cora_threading_lock *lock);
CORA_API void cora_threading_condition_init_rlock(cora_threading_condition *condition,
                                                  cora_threading_rlock *lock);

/* Nobody uses it any more; a lock that is not its own stays. */
CORA_API void cora_threading_condition_destroy(cora_threading_condition *condition);

/* The lock's, see <cora/threading/rlock.h> and <cora/threading/lock.h>. */
CORA_API CORA_MUST_CHECK int cora_threading_condition_acquire(cora_threading_condition *condition,
                                                              double timeout);
CORA_API CORA_MUST_CHECK int cora_threading_condition_acquire_at(
    cora_threading_condition *condition, double timeout, cora_frame place);
CORA_API int cora_threading_condition_release(cora_threading_condition *condition);
CORA_API bool cora_threading_condition_locked(cora_threading_condition *condition);

/*
 * Releases the lock, however often it was taken, blocks until notified, for at most `timeout`
 * seconds (INFINITY: for any time; 0 or less: not at all), and takes the lock again as often: in
 * every outcome it is held when this returns. 0: notified; -ETIMEDOUT; -EINVAL for NaN; -EPERM
 * where the thread does not hold the lock, as far as a lock tells: a cora_threading_lock is its
 * that is locked.
 */
CORA_API CORA_MUST_CHECK int cora_threading_condition_wait(cora_threading_condition *condition,
                                                           double timeout);

/*
 * Waits until predicate(arg) is true, which is first asked before any waiting and always with the
 * lock held. 0; -ETIMEDOUT: it was still false when the time was over; else as wait.
 */
CORA_API CORA_MUST_CHECK int cora_threading_condition_wait_for(cora_threading_condition *condition,
                                                               bool (*predicate)(void *arg),
                                                               void *arg, double timeout);

/* Wakes up to `count` who wait, or all; they go on once the lock is free. 0; -EPERM as wait. */
CORA_API int cora_threading_condition_notify(cora_threading_condition *condition, size_t count);
CORA_API int cora_threading_condition_notify_all(cora_threading_condition *condition);

#if defined CORA_DEBUG && !defined __cplusplus
#define cora_threading_condition_acquire(condition, timeout)                                       \
    cora_threading_condition_acquire_at((condition), (timeout),                                    \
                                        (cora_frame){__func__, __FILE__, __LINE__})
#endif

CORA_END_DECLS

#endif
