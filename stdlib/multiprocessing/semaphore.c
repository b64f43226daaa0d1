#include <cora/multiprocessing/semaphore.h>

#include "condition.h"

#include <cora/error.h>

#include <limits.h>

static int init(cora_multiprocessing_semaphore *semaphore, unsigned value, unsigned bound)
{
    semaphore->value_ = value;
    semaphore->bound_ = bound;
    return cora_multiprocessing_condition_init(&semaphore->condition_);
}

int cora_multiprocessing_semaphore_init(cora_multiprocessing_semaphore *semaphore, unsigned value)
{
    return init(semaphore, value, UINT_MAX);
}

int cora_multiprocessing_bounded_semaphore_init(cora_multiprocessing_semaphore *semaphore,
                                                unsigned value)
{
    return init(semaphore, value, value);
}

static bool has_permits(const void *arg)
{
    const cora_multiprocessing_semaphore *semaphore = arg;

    return semaphore->value_ > 0;
}

int cora_multiprocessing_semaphore_acquire(cora_multiprocessing_semaphore *semaphore,
                                           double timeout)
{
    int rc = cora__monitor_enter_when(&semaphore->condition_, has_permits, semaphore, timeout);

    if (rc < 0)
        return rc;
    __atomic_fetch_sub(&semaphore->value_, 1, __ATOMIC_RELAXED);
    cora__monitor_leave(&semaphore->condition_);
    return 0;
}

int cora_multiprocessing_semaphore_release(cora_multiprocessing_semaphore *semaphore)
{
    int rc = 0;

    cora__monitor_enter(&semaphore->condition_);
    if (semaphore->value_ < semaphore->bound_) {
        cora_multiprocessing_condition_notify_all(&semaphore->condition_);
        __atomic_fetch_add(&semaphore->value_, 1, __ATOMIC_RELAXED);
    } else {
        rc = -CORA_EINVALIDSTATE;
    }
    cora__monitor_leave(&semaphore->condition_);
    return rc;
}

unsigned cora_multiprocessing_semaphore_get_value(const cora_multiprocessing_semaphore *semaphore)
{
    return __atomic_load_n(&semaphore->value_, __ATOMIC_RELAXED);
}
