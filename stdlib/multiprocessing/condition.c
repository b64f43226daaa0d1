/*
 * condition.c: waiting for changes in shared memory.
 *
 * glibc's condition variables count who waits, and whoever is killed there is waited for by the
 * next but one who notifies, for ever. So here who waits is known to the kernel alone: he sleeps as
 * long as a counter of changes has not moved on. All are woken, for one that is chosen could be
 * killed before he looks.
 */
#include "condition.h"

#include "deadline.h"
#include "lock.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* ---- the kernel ---------------------------------------------------------------------------- */

/* Sleeps while *word is `value`, at most until the deadline. 0, also for nothing; -ETIMEDOUT. */
static int sleep_while(unsigned *word, unsigned value, double deadline)
{
#ifdef __linux__
    struct timespec time, *until = NULL;
    long rc;

    if (deadline < INFINITY) {
        time = cora__deadline_time(deadline);
        until = &time;
    }
    rc = syscall(SYS_futex, word, FUTEX_WAIT_BITSET, value, until, NULL, FUTEX_BITSET_MATCH_ANY);

    return rc < 0 && errno == ETIMEDOUT ? -ETIMEDOUT : 0;
#else
    while (__atomic_load_n(word, __ATOMIC_RELAXED) == value) {
        if (cora__clock() >= deadline)
            return -ETIMEDOUT;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return 0;
#endif
}

static void wake_all(unsigned *word)
{
#ifdef __linux__
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
#else
    (void)word;
#endif
}

/* ---- waiting ------------------------------------------------------------------------------- */

int cora__waiting_wait(cora_multiprocessing_waiting *waiting, cora_multiprocessing_lock *lock,
                       double deadline)
{
    unsigned seen = __atomic_load_n(&waiting->changes_, __ATOMIC_RELAXED);
    int rc, locked;

    __atomic_fetch_add(&waiting->waiting_, 1, __ATOMIC_RELAXED);
    rc = cora_multiprocessing_lock_release(lock);
    if (rc == 0) {
        rc = deadline > -INFINITY ? sleep_while(&waiting->changes_, seen, deadline) : -ETIMEDOUT;
        locked = cora__shared_lock_acquire(lock, INFINITY);
        rc = locked < 0 ? locked : rc;
    }
    __atomic_fetch_sub(&waiting->waiting_, 1, __ATOMIC_RELAXED);
    return rc;
}

/* (One who was killed is counted for ever, which costs a system call, no more.) */
void cora__waiting_notify(cora_multiprocessing_waiting *waiting)
{
    __atomic_fetch_add(&waiting->changes_, 1, __ATOMIC_RELAXED);
    if (__atomic_load_n(&waiting->waiting_, __ATOMIC_RELAXED) > 0)
        wake_all(&waiting->changes_);
}

/* ---- Condition ----------------------------------------------------------------------------- */

int cora_multiprocessing_condition_init(cora_multiprocessing_condition *condition)
{
    condition->waiting_ = (cora_multiprocessing_waiting){0, 0};
    return cora_multiprocessing_lock_init(&condition->lock_);
}

int cora_multiprocessing_condition_acquire(cora_multiprocessing_condition *condition,
                                           double timeout)
{
    return cora_multiprocessing_lock_acquire(&condition->lock_, timeout);
}

int cora_multiprocessing_condition_release(cora_multiprocessing_condition *condition)
{
    return cora_multiprocessing_lock_release(&condition->lock_);
}

int cora_multiprocessing_condition_wait(cora_multiprocessing_condition *condition, double timeout)
{
    if (isnan(timeout))
        return -EINVAL;
    return cora__waiting_wait(&condition->waiting_, &condition->lock_, cora__deadline(timeout));
}

void cora_multiprocessing_condition_notify_all(cora_multiprocessing_condition *condition)
{
    cora__waiting_notify(&condition->waiting_);
}

/* ---- monitors ------------------------------------------------------------------------------ */

void cora__monitor_enter(cora_multiprocessing_condition *condition)
{
    (void)cora__shared_lock_acquire(&condition->lock_, INFINITY);
}

void cora__monitor_leave(cora_multiprocessing_condition *condition)
{
    cora_multiprocessing_lock_release(&condition->lock_);
}

int cora__monitor_enter_when(cora_multiprocessing_condition *condition,
                             bool (*is_true)(const void *arg), const void *arg, double timeout)
{
    double deadline;
    int rc = 0;

    if (isnan(timeout))
        return -EINVAL;
    deadline = cora__deadline(timeout);
    cora__monitor_enter(condition);
    while (!is_true(arg) && rc != -ETIMEDOUT)
        rc = cora__waiting_wait(&condition->waiting_, &condition->lock_, deadline);
    if (is_true(arg))
        return 0;
    cora__monitor_leave(condition);
    return -ETIMEDOUT;
}
