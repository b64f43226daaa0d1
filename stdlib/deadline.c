#include "deadline.h"

#include <errno.h>
#include <math.h>

#ifdef __APPLE__ /* where conditions know no other clock */
static const clockid_t wait_clock = CLOCK_REALTIME;
#else
static const clockid_t wait_clock = CLOCK_MONOTONIC;
#endif

double cora__clock(void)
{
    struct timespec now;

    clock_gettime(wait_clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double cora__deadline(double timeout)
{
    static const double longest = 1e9; /* seconds: for ever, and no overflow */

    if (timeout >= longest)
        return INFINITY;
    return timeout > 0 ? cora__clock() + timeout : -INFINITY;
}

struct timespec cora__deadline_time(double deadline)
{
    struct timespec time = {.tv_sec = (time_t)deadline};

    time.tv_nsec = (long)((deadline - (double)time.tv_sec) * 1e9);
    return time;
}

void cora__cond_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
#ifndef __APPLE__
    pthread_condattr_setclock(&attributes, wait_clock);
#endif
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

int cora__cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock, double deadline)
{
    struct timespec time;

    if (deadline == -INFINITY)
        return -ETIMEDOUT;
    if (deadline == INFINITY)
        return -pthread_cond_wait(condition, lock);
    time = cora__deadline_time(deadline);
    return -pthread_cond_timedwait(condition, lock, &time);
}
