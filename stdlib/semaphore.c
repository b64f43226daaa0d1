#include <cora/semaphore.h>

#include <cora/waiter.h>

static cora_wait_queue *waiters(const cora_semaphore *semaphore)
{
    return (cora_wait_queue *)(uintptr_t)&semaphore->waiters_;
}

void cora_semaphore_init(cora_semaphore *semaphore, int value)
{
    *semaphore = (cora_semaphore)CORA_SEMAPHORE_INIT(value);
}

/* Who was cancelled is of no interest, even before he runs, and is not to be looked at again. */
static void remove_cancelled(cora_wait_queue *queue)
{
    cora_waiter *first;

    while ((first = cora_wait_queue_first(queue)) != NULL && !cora_waiter_pending(first) &&
           !cora_waiter_woken(first))
        cora_wait_queue_remove(queue, first);
}

/* Whoever comes now must queue behind those who wait, even those woken but not run yet. */
bool cora_semaphore_locked(const cora_semaphore *semaphore)
{
    if (semaphore->value_ <= 0)
        return true;
    remove_cancelled(waiters(semaphore));
    return !cora_wait_queue_empty(waiters(semaphore));
}

/* Hands permits to those who wait: a permit is taken before its new owner runs. */
static void wake_waiters(cora_semaphore *semaphore)
{
    while (semaphore->value_ > 0 && cora_wait_queue_wake_first(waiters(semaphore)))
        semaphore->value_--;
}

int cora_semaphore_acquire(cora_semaphore *semaphore)
{
    cora_waiter waiter;
    int rc;

    if (!cora_semaphore_locked(semaphore)) {
        semaphore->value_--;
        return 0;
    }
    rc = cora_wait_queue_wait(waiters(semaphore), &waiter, "semaphore", semaphore);
    if (rc < 0 && cora_waiter_woken(&waiter))
        semaphore->value_++; /* cancelled with the permit already in hand */
    wake_waiters(semaphore);
    return rc;
}

void cora_semaphore_release(cora_semaphore *semaphore)
{
    semaphore->value_++;
    wake_waiters(semaphore);
}

/* ---- bounded ------------------------------------------------------------------------------- */

void cora_bounded_semaphore_init(cora_bounded_semaphore *semaphore, int value)
{
    cora_semaphore_init(&semaphore->semaphore_, value);
    semaphore->bound_ = value;
}

int cora_bounded_semaphore_acquire(cora_bounded_semaphore *semaphore)
{
    return cora_semaphore_acquire(&semaphore->semaphore_);
}

bool cora_bounded_semaphore_locked(const cora_bounded_semaphore *semaphore)
{
    return cora_semaphore_locked(&semaphore->semaphore_);
}

int cora_bounded_semaphore_release(cora_bounded_semaphore *semaphore)
{
    if (semaphore->semaphore_.value_ >= semaphore->bound_)
        return -CORA_EINVALIDSTATE;
    cora_semaphore_release(&semaphore->semaphore_);
    return 0;
}
