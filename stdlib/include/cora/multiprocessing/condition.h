/*
 * condition.h: processes that wait until others have changed something (multiprocessing.Condition).
 *
 *     rc = cora_multiprocessing_condition_acquire(&shared->changed, INFINITY);
 *     while (rc == 0 && shared->count == 0)
 *         rc = cora_multiprocessing_condition_wait(&shared->changed, INFINITY);
 *
 * It has a lock of its own, as of <cora/multiprocessing/lock.h>, and lies in shared memory, too.
 * Whoever is killed while he waits leaves nothing behind; of POSIX's condition variables that
 * cannot be said.
 */
#ifndef CORA_MULTIPROCESSING_CONDITION_H
#define CORA_MULTIPROCESSING_CONDITION_H

#include <cora/base.h>
#include <cora/multiprocessing/lock.h>

CORA_BEGIN_DECLS

/* Those who wait for something. Its members are private. */
typedef struct cora_multiprocessing_waiting {
    unsigned changes_, waiting_;
} cora_multiprocessing_waiting;

/* Storage of the caller's, in shared memory. Its members are private. */
typedef struct cora_multiprocessing_condition {
    cora_multiprocessing_lock lock_;
    cora_multiprocessing_waiting waiting_;
} cora_multiprocessing_condition;

/* 0; -ENOMEM. */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_condition_init(
    cora_multiprocessing_condition *condition);

/* Its lock: results as of cora_multiprocessing_lock_acquire and _release. */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_condition_acquire(
    cora_multiprocessing_condition *condition, double timeout);
CORA_API int cora_multiprocessing_condition_release(cora_multiprocessing_condition *condition);

/*
 * Releases the lock, blocks until a notify, for at most `timeout` seconds, and acquires it again,
 * however long that takes. 0, also for nothing: look again. -ETIMEDOUT; -EOWNERDEAD as of acquire.
 * In all these cases the caller has the lock. -EPERM where he had not; -EINVAL for NaN.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_condition_wait(
    cora_multiprocessing_condition *condition, double timeout);

/*
 * Wakes all who wait; they look when the lock is released. With the lock held, and before the
 * change that they wait for: who is killed in between has woken them, and they find what there is.
 */
CORA_API void cora_multiprocessing_condition_notify_all(cora_multiprocessing_condition *condition);

CORA_END_DECLS

#endif
