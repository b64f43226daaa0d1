#include <cora/condition.h>
#include <cora/task.h>

#include <errno.h>
#include <limits.h>

static cora_lock *lock_of(const cora_condition *condition)
{
    return condition->lock_ != NULL ? condition->lock_ : (cora_lock *)(uintptr_t)&condition->own_;
}

void cora_condition_init(cora_condition *condition, cora_lock *lock)
{
    *condition = (cora_condition)CORA_CONDITION_INIT;
    condition->lock_ = lock;
}

int cora_condition_acquire(cora_condition *condition)
{
    return cora_lock_acquire(lock_of(condition));
}

int cora_condition_release(cora_condition *condition)
{
    return cora_lock_release(lock_of(condition));
}

bool cora_condition_locked(const cora_condition *condition)
{
    return cora_lock_locked(lock_of(condition));
}

static void wake(cora_condition *condition, int count)
{
    while (count-- > 0 && cora_wait_queue_wake_first(&condition->waiters_))
        continue;
}

/* However often it is cancelled: the caller must find the lock held. */
static int acquire_again(cora_condition *condition)
{
    int result = 0;
    int rc;

    while ((rc = cora_condition_acquire(condition)) == -ECANCELED)
        result = rc;
    return rc < 0 ? rc : result;
}

int cora_condition_wait(cora_condition *condition)
{
    cora_waiter waiter;
    int rc, again;

    if (!cora_condition_locked(condition))
        return -CORA_EINVALIDSTATE;
    if (cora_current_task() == NULL)
        return -CORA_ENOTASK;
    cora_condition_release(condition);
    rc = cora_wait_queue_wait(&condition->waiters_, &waiter, "condition", condition);
    again = acquire_again(condition);
    if (again < 0)
        rc = again;
    if (rc < 0)
        wake(condition, 1); /* it may have been notified: somebody else is to hear of it */
    return rc;
}

int cora_condition_wait_for(cora_condition *condition, bool (*predicate)(void *arg), void *arg)
{
    int rc = 0;

    while (rc == 0 && !predicate(arg))
        rc = cora_condition_wait(condition);
    return rc;
}

int cora_condition_notify(cora_condition *condition, int count)
{
    if (!cora_condition_locked(condition))
        return -CORA_EINVALIDSTATE;
    wake(condition, count);
    return 0;
}

int cora_condition_notify_all(cora_condition *condition)
{
    return cora_condition_notify(condition, INT_MAX);
}
