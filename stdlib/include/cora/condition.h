/*
 * condition.h: waiting, under a lock, until something becomes true (asyncio.Condition).
 *
 *     rc = cora_condition_acquire(&condition);
 *     while (rc == 0 && !there_is_work(queue))
 *         rc = cora_condition_wait(&condition);
 *     ...
 *     cora_condition_release(&condition);      // also after a wait that was cancelled
 */
#ifndef CORA_CONDITION_H
#define CORA_CONDITION_H

#include <cora/base.h>
#include <cora/lock.h>

CORA_BEGIN_DECLS

/* Storage of the caller's; must stay where it is while somebody waits. Its members are private. */
typedef struct cora_condition {
    cora_lock own_;
    cora_lock *lock_; /* NULL: its own */
    cora_wait_queue waiters_;
} cora_condition;

/* A condition with a lock of its own, or on a lock of the caller's. Nothing is to be freed. */
#define CORA_CONDITION_INIT                                                                        \
    {                                                                                              \
        CORA_LOCK_INIT, NULL,                                                                      \
        {                                                                                          \
            {                                                                                      \
                NULL, NULL, NULL, NULL                                                             \
            }                                                                                      \
        }                                                                                          \
    }
CORA_API void cora_condition_init(cora_condition *condition, cora_lock *lock);

/* The lock's, see <cora/lock.h>. */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_condition_acquire(cora_condition *condition);
CORA_API int cora_condition_release(cora_condition *condition);
CORA_API bool cora_condition_locked(const cora_condition *condition);

/*
 * Releases the lock, suspends until notified, and takes the lock again: in every outcome it is held
 * when this returns. 0: notified, or woken for nothing, so look again; -ECANCELED;
 * -CORA_EINVALIDSTATE where the lock is not held; -CORA_ENOTASK.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_condition_wait(cora_condition *condition);

/* Waits until predicate(arg) is true; it is first asked before any waiting. Results as wait. */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_condition_wait_for(cora_condition *condition,
                                                                   bool (*predicate)(void *arg),
                                                                   void *arg);

/* Wakes `count` who wait, or all; they go on once the lock is released. 0, or
 * -CORA_EINVALIDSTATE where the lock is not held. */
CORA_API int cora_condition_notify(cora_condition *condition, int count);
CORA_API int cora_condition_notify_all(cora_condition *condition);

CORA_END_DECLS

#endif
