/*
 * rlock.c: a lock, and who has it. What `owner_` is set to by another thread can never be what this
 * one compares it with, so it is read without the lock.
 */
#include <cora/error.h>
#include <cora/threading/rlock.h>

#include "lock_order.h"

/* Its address is the thread. */
static _Thread_local char self;

static void set_owner(cora_threading_rlock *lock, const void *owner)
{
    __atomic_store_n(&lock->owner_, owner, __ATOMIC_RELAXED);
}

bool cora_threading_rlock_is_owned(const cora_threading_rlock *lock)
{
    return __atomic_load_n(&lock->owner_, __ATOMIC_RELAXED) == &self;
}

size_t cora_threading_rlock_recursion_count(const cora_threading_rlock *lock)
{
    return cora_threading_rlock_is_owned(lock) ? lock->count_ : 0;
}

void cora_threading_rlock_init(cora_threading_rlock *lock)
{
    cora_threading_lock_init(&lock->lock_);
    set_owner(lock, NULL);
    lock->count_ = 0;
}

void cora_threading_rlock_destroy(cora_threading_rlock *lock)
{
    cora_threading_lock_destroy(&lock->lock_);
}

int(cora_threading_rlock_acquire)(cora_threading_rlock *lock, double timeout)
{
    return cora_threading_rlock_acquire_at(lock, timeout, cora__nowhere(NULL));
}

int cora_threading_rlock_acquire_at(cora_threading_rlock *lock, double timeout, cora_frame place)
{
    int rc;

    if (isnan(timeout))
        return -EINVAL;
    if (cora_threading_rlock_is_owned(lock)) {
        lock->count_++;
        return 0;
    }
    rc = cora_threading_lock_acquire_at(&lock->lock_, timeout, place);
    if (rc == 0) {
        set_owner(lock, &self);
        lock->count_ = 1;
    }
    return rc;
}

int cora_threading_rlock_release(cora_threading_rlock *lock)
{
    if (!cora_threading_rlock_is_owned(lock))
        return -EPERM;
    if (--lock->count_ > 0)
        return 0;
    set_owner(lock, NULL);
    return cora_threading_lock_release(&lock->lock_);
}

bool cora_threading_rlock_locked(cora_threading_rlock *lock)
{
    return cora_threading_lock_locked(&lock->lock_);
}
