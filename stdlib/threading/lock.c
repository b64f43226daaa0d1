#include <cora/error.h>
#include <cora/threading/lock.h>

#include "deadline.h"
#include "lock_order.h"
#include "parking.h"

static struct cora__line *waiters(cora_threading_lock *lock)
{
    return (struct cora__line *)lock->waiters_;
}

void cora_threading_lock_init(cora_threading_lock *lock)
{
    pthread_mutex_init(&lock->mutex_, NULL);
    *waiters(lock) = (struct cora__line){NULL, NULL};
    lock->locked_ = false;
    cora__lock_order_forget(lock);
}

void cora_threading_lock_destroy(cora_threading_lock *lock)
{
    cora__lock_order_forget(lock);
    pthread_mutex_destroy(&lock->mutex_);
}

int(cora_threading_lock_acquire)(cora_threading_lock *lock, double timeout)
{
    return cora_threading_lock_acquire_at(lock, timeout, cora__nowhere(NULL));
}

/*
 * A lock is not handed to whoever waits: he is called, and takes it if nobody was quicker. To hand
 * it over would be fair, and have all stand still until he runs.
 */
int cora_threading_lock_acquire_at(cora_threading_lock *lock, double timeout, cora_frame place)
{
    struct cora__how how = {.deadline = cora__deadline(timeout)};
    struct cora__section section;
    int rc = 0;

    if (isnan(timeout))
        return -EINVAL;
    if (how.deadline == INFINITY)
        cora__lock_order_wanted(lock, place);
    cora__enter(&section, &lock->mutex_);
    while (lock->locked_ && rc == 0)
        rc = cora__park(&section, waiters(lock), how, NULL, lock);
    if (!lock->locked_) {
        lock->locked_ = true;
        rc = 0;
        cora__lock_order_taken(lock, place);
    }
    cora__leave(&section);
    return rc;
}

int cora_threading_lock_release(cora_threading_lock *lock)
{
    struct cora__section section;
    int rc = -CORA_EINVALIDSTATE;

    cora__enter(&section, &lock->mutex_);
    if (lock->locked_) {
        lock->locked_ = false;
        rc = 0;
        cora__lock_order_released(lock);
        cora__call_first(&section, waiters(lock));
    }
    cora__leave(&section);
    return rc;
}

bool cora_threading_lock_locked(cora_threading_lock *lock)
{
    bool locked;

    pthread_mutex_lock(&lock->mutex_);
    locked = lock->locked_;
    pthread_mutex_unlock(&lock->mutex_);
    return locked;
}
