/*
 * lock.h: one at a time (asyncio.Lock).
 *
 *     cora_lock lock = CORA_LOCK_INIT;
 *
 *     rc = cora_lock_acquire(&lock);
 *     if (rc < 0)
 *         return rc;
 *     ...                                  // may suspend: the lock is held meanwhile
 *     rc = cora_lock_release(&lock);
 *
 * First come, first served, also for one who has just released it. A lock belongs to nobody in
 * particular: any task may release it.
 */
#ifndef CORA_LOCK_H
#define CORA_LOCK_H

#include <cora/base.h>
#include <cora/waiter.h>

CORA_BEGIN_DECLS

/* Storage of the caller's; must stay where it is while somebody waits. Its members are private. */
typedef struct cora_lock {
    cora_wait_queue waiters_;
    bool locked_;
} cora_lock;

/* An open lock. Nothing is to be freed. */
#define CORA_LOCK_INIT                                                                             \
    {                                                                                              \
        {{NULL, NULL, NULL, NULL}}, false                                                          \
    }
CORA_API void cora_lock_init(cora_lock *lock);

/* Suspends until the lock is free, and takes it. 0; -ECANCELED: it is not taken; -CORA_ENOTASK. */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_lock_acquire(cora_lock *lock);

/* Frees the lock and wakes the first who waits. 0; -CORA_EINVALIDSTATE where it is not locked. */
CORA_API int cora_lock_release(cora_lock *lock);

CORA_API bool cora_lock_locked(const cora_lock *lock);

CORA_END_DECLS

#endif
