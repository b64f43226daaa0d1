/*
 * semaphore.c: permits, which belong to whoever waits for them as soon as they are released. So
 * there are never free ones while somebody waits.
 */
#include <cora/threading/semaphore.h>

#include "deadline.h"
#include "parking.h"

#include <limits.h>

static struct cora__line *waiters(cora_threading_semaphore *semaphore)
{
    return (struct cora__line *)semaphore->waiters_;
}

int cora_threading_semaphore_init(cora_threading_semaphore *semaphore, int value)
{
    if (value < 0)
        return -EINVAL;
    pthread_mutex_init(&semaphore->lock_, NULL);
    *waiters(semaphore) = (struct cora__line){NULL, NULL};
    semaphore->value_ = value;
    return 0;
}

void cora_threading_semaphore_destroy(cora_threading_semaphore *semaphore)
{
    pthread_mutex_destroy(&semaphore->lock_);
}

/* Hands permits to those who wait: a permit is taken before its new owner runs. */
static void give(struct cora__section *section, cora_threading_semaphore *semaphore, int n)
{
    while (n > 0 && cora__call_first(section, waiters(semaphore)))
        n--;
    semaphore->value_ += n;
}

static void give_one(struct cora__section *section, void *semaphore)
{
    give(section, semaphore, 1);
}

static int acquire(cora_threading_semaphore *semaphore, struct cora__how how)
{
    static const struct cora__wanted permit = {"semaphore", give_one};
    struct cora__section section;
    int rc = 0;

    cora__enter(&section, &semaphore->lock_);
    if (semaphore->value_ > 0)
        semaphore->value_--;
    else
        rc = cora__park(&section, waiters(semaphore), how, &permit, semaphore);
    cora__leave(&section);
    return rc;
}

int cora_threading_semaphore_acquire(cora_threading_semaphore *semaphore, double timeout)
{
    if (isnan(timeout))
        return -EINVAL;
    return acquire(semaphore, (struct cora__how){.deadline = cora__deadline(timeout)});
}

int cora_threading_semaphore_async_acquire(cora_threading_semaphore *semaphore)
{
    return acquire(semaphore, (struct cora__how){.suspends = true});
}

/* `bound`: so many there may be at most, or the error. */
static int release(cora_threading_semaphore *semaphore, int n, int bound, int error)
{
    struct cora__section section;
    int rc = 0;

    if (n < 1)
        return -EINVAL;
    cora__enter(&section, &semaphore->lock_);
    if (n > bound - semaphore->value_)
        rc = error;
    else
        give(&section, semaphore, n);
    cora__leave(&section);
    return rc;
}

int cora_threading_semaphore_release(cora_threading_semaphore *semaphore, int n)
{
    return release(semaphore, n, INT_MAX, -EOVERFLOW);
}

/* ---- bounded ------------------------------------------------------------------------------- */

int cora_threading_bounded_semaphore_init(cora_threading_bounded_semaphore *semaphore, int value)
{
    int rc = cora_threading_semaphore_init(&semaphore->semaphore_, value);

    if (rc == 0)
        semaphore->bound_ = value;
    return rc;
}

void cora_threading_bounded_semaphore_destroy(cora_threading_bounded_semaphore *semaphore)
{
    cora_threading_semaphore_destroy(&semaphore->semaphore_);
}

int cora_threading_bounded_semaphore_acquire(cora_threading_bounded_semaphore *semaphore,
                                             double timeout)
{
    return cora_threading_semaphore_acquire(&semaphore->semaphore_, timeout);
}

int cora_threading_bounded_semaphore_async_acquire(cora_threading_bounded_semaphore *semaphore)
{
    return cora_threading_semaphore_async_acquire(&semaphore->semaphore_);
}

int cora_threading_bounded_semaphore_release(cora_threading_bounded_semaphore *semaphore, int n)
{
    return release(&semaphore->semaphore_, n, semaphore->bound_, -CORA_EINVALIDSTATE);
}
