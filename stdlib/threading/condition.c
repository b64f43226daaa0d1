/*
 * condition.c: a line of threads beside a lock. The line has a mutex of its own, for whoever's time
 * is up leaves it without the lock.
 */
#include <cora/error.h>
#include <cora/threading/condition.h>

#include "deadline.h"
#include "lock_order.h"
#include "parking.h"

static struct cora__line *waiters(cora_threading_condition *condition)
{
    return (struct cora__line *)condition->waiters_;
}

static cora_threading_rlock *rlock_of(cora_threading_condition *condition)
{
    return condition->rlock_ != NULL ? condition->rlock_ : &condition->own_;
}

/* ---- life ---------------------------------------------------------------------------------- */

void cora_threading_condition_init(cora_threading_condition *condition)
{
    cora_threading_rlock_init(&condition->own_);
    condition->lock_ = NULL;
    condition->rlock_ = NULL;
    pthread_mutex_init(&condition->mutex_, NULL);
    *waiters(condition) = (struct cora__line){NULL, NULL};
}

void cora_threading_condition_init_lock(cora_threading_condition *condition,
                                        cora_threading_lock *lock)
{
    cora_threading_condition_init(condition);
    condition->lock_ = lock;
}

void cora_threading_condition_init_rlock(cora_threading_condition *condition,
                                         cora_threading_rlock *lock)
{
    cora_threading_condition_init(condition);
    condition->rlock_ = lock;
}

void cora_threading_condition_destroy(cora_threading_condition *condition)
{
    pthread_mutex_destroy(&condition->mutex_);
    cora_threading_rlock_destroy(&condition->own_);
}

/* ---- the lock ------------------------------------------------------------------------------ */

int(cora_threading_condition_acquire)(cora_threading_condition *condition, double timeout)
{
    return cora_threading_condition_acquire_at(condition, timeout, cora__nowhere(NULL));
}

int cora_threading_condition_acquire_at(cora_threading_condition *condition, double timeout,
                                        cora_frame place)
{
    if (condition->lock_ != NULL)
        return cora_threading_lock_acquire_at(condition->lock_, timeout, place);
    return cora_threading_rlock_acquire_at(rlock_of(condition), timeout, place);
}

int cora_threading_condition_release(cora_threading_condition *condition)
{
    if (condition->lock_ != NULL)
        return cora_threading_lock_release(condition->lock_);
    return cora_threading_rlock_release(rlock_of(condition));
}

bool cora_threading_condition_locked(cora_threading_condition *condition)
{
    if (condition->lock_ != NULL)
        return cora_threading_lock_locked(condition->lock_);
    return cora_threading_rlock_locked(rlock_of(condition));
}

static bool is_held(cora_threading_condition *condition)
{
    if (condition->lock_ != NULL)
        return cora_threading_lock_locked(condition->lock_);
    return cora_threading_rlock_is_owned(rlock_of(condition));
}

/* Returns how often it was held. */
static size_t release_all(cora_threading_condition *condition)
{
    size_t count = 1;

    if (condition->lock_ == NULL) {
        count = rlock_of(condition)->count_;
        rlock_of(condition)->count_ = 1;
    }
    cora_threading_condition_release(condition);
    return count;
}

static void acquire_again(cora_threading_condition *condition, size_t count)
{
    (void)!cora_threading_condition_acquire_at(condition, INFINITY,
                                               cora__nowhere("cora_threading_condition_wait"));
    if (condition->lock_ == NULL)
        rlock_of(condition)->count_ = count;
}

/* ---- waiting ------------------------------------------------------------------------------- */

/* Who notifies has the lock, and finds the mutex free when this one is in the line. */
static int wait_until(cora_threading_condition *condition, double deadline)
{
    struct cora__how how = {.deadline = deadline};
    struct cora__section section;
    size_t count;
    int rc;

    cora__enter(&section, &condition->mutex_);
    count = release_all(condition);
    rc = cora__park(&section, waiters(condition), how, NULL, condition);
    cora__leave(&section);
    acquire_again(condition, count);
    return rc;
}

int cora_threading_condition_wait(cora_threading_condition *condition, double timeout)
{
    if (isnan(timeout))
        return -EINVAL;
    if (!is_held(condition))
        return -EPERM;
    return wait_until(condition, cora__deadline(timeout));
}

int cora_threading_condition_wait_for(cora_threading_condition *condition,
                                      bool (*predicate)(void *arg), void *arg, double timeout)
{
    double deadline = cora__deadline(timeout);
    int rc = 0;

    if (isnan(timeout))
        return -EINVAL;
    if (!is_held(condition))
        return -EPERM;
    while (!predicate(arg)) {
        if (rc < 0)
            return rc;
        rc = wait_until(condition, deadline);
    }
    return 0;
}

int cora_threading_condition_notify(cora_threading_condition *condition, size_t count)
{
    struct cora__section section;

    if (!is_held(condition))
        return -EPERM;
    cora__enter(&section, &condition->mutex_);
    while (count > 0 && cora__call_first(&section, waiters(condition)))
        count--;
    cora__leave(&section);
    return 0;
}

int cora_threading_condition_notify_all(cora_threading_condition *condition)
{
    return cora_threading_condition_notify(condition, SIZE_MAX);
}
