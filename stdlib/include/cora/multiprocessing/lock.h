/*
 * lock.h: one process at a time, or one thread of any (multiprocessing.Lock, RLock).
 *
 *     struct shared { cora_multiprocessing_lock lock; int count; } *shared = memory.buf;
 *
 *     rc = cora_multiprocessing_lock_init(&shared->lock);
 *     ...
 *     rc = cora_multiprocessing_lock_acquire(&shared->lock, INFINITY);
 *     if (rc == -EOWNERDEAD)
 *         mend(shared);                                   // it is ours, but was not released
 *     else if (rc < 0)
 *         return rc;
 *     shared->count++;
 *     cora_multiprocessing_lock_release(&shared->lock);
 *
 * It lies in memory that the processes share (<cora/multiprocessing/shared_memory.h>), and needs
 * nothing beside that: nothing is to be destroyed. It belongs to the thread that has acquired it,
 * and only that may release it; in Python anybody may. In return it is not lost with a process that
 * is killed: the next one gets it, and is told.
 */
#ifndef CORA_MULTIPROCESSING_LOCK_H
#define CORA_MULTIPROCESSING_LOCK_H

#include <cora/base.h>

#include <math.h>
#include <pthread.h>

CORA_BEGIN_DECLS

/* Storage of the caller's, in shared memory. Its members are private. */
typedef struct cora_multiprocessing_lock {
    pthread_mutex_t mutex_;
} cora_multiprocessing_lock;

/* A free lock. 0; -ENOMEM. */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_lock_init(cora_multiprocessing_lock *lock);

/* RLock(): its owner may acquire it again, and releases it as often. */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_rlock_init(cora_multiprocessing_lock *lock);

/*
 * Blocks until the lock is free, for at most `timeout` seconds (INFINITY: for any time; 0 or less:
 * not at all), and takes it.
 *
 * 0: it is the caller's. -EOWNERDEAD: IT IS THE CALLER'S TOO, but its owner has ended without
 * releasing it, in the midst, perhaps, of changing what it protects. -ETIMEDOUT; -EDEADLK where the
 * caller has it, and it is no RLock; -EINVAL for NaN: it is not taken.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_lock_acquire(cora_multiprocessing_lock *lock,
                                                               double timeout);

/* 0; -EPERM where the calling thread does not have it. */
CORA_API int cora_multiprocessing_lock_release(cora_multiprocessing_lock *lock);

CORA_END_DECLS

#endif
