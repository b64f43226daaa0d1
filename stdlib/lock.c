#include <cora/lock.h>

#include <errno.h>

void cora_lock_init(cora_lock *lock)
{
    *lock = (cora_lock)CORA_LOCK_INIT;
}

bool cora_lock_locked(const cora_lock *lock)
{
    return lock->locked_;
}

/* Whether everyone in the queue has been cancelled: then nobody's turn is taken from him. Who has
 * been woken is the first. */
static bool nobody_waits(cora_lock *lock)
{
    cora_waiter *first;

    if (cora_wait_queue_empty(&lock->waiters_))
        return true;
    first = cora_wait_queue_first(&lock->waiters_);
    return !cora_waiter_woken(first) && cora_wait_queue_first_pending(&lock->waiters_) == NULL;
}

/* The first alone: if it has been woken already it will take the lock, and if it has been cancelled
 * it will pass the turn on when it runs. */
static void wake_first(cora_lock *lock)
{
    if (!cora_wait_queue_empty(&lock->waiters_))
        cora_waiter_wake(cora_wait_queue_first(&lock->waiters_));
}

int cora_lock_acquire(cora_lock *lock)
{
    cora_waiter waiter;
    int rc = 0;

    if (lock->locked_ || !nobody_waits(lock)) {
        rc = cora_wait_queue_wait(&lock->waiters_, &waiter, "lock", lock);
    }
    if (rc == 0)
        lock->locked_ = true;
    else if (!lock->locked_)
        wake_first(lock);
    return rc;
}

int cora_lock_release(cora_lock *lock)
{
    if (!lock->locked_)
        return -CORA_EINVALIDSTATE;
    lock->locked_ = false;
    wake_first(lock);
    return 0;
}
