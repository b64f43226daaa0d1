/*
 * lock.c: POSIX's mutexes, shared and robust: the kernel takes them from threads that end.
 */
#include "lock.h"

#include "deadline.h"

#include <errno.h>
#include <math.h>

static int init(cora_multiprocessing_lock *lock, int type)
{
    pthread_mutexattr_t attributes;
    int error;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
#ifndef __APPLE__ /* which has none that are robust */
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
#endif
    error = pthread_mutex_init(&lock->mutex_, &attributes);
#ifndef __APPLE__
    if (error == ENOTSUP) { /* an emulator's kernel may have none */
        pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_STALLED);
        error = pthread_mutex_init(&lock->mutex_, &attributes);
    }
#endif
    pthread_mutexattr_destroy(&attributes);
    return -error;
}

int cora_multiprocessing_lock_init(cora_multiprocessing_lock *lock)
{
    return init(lock, PTHREAD_MUTEX_ERRORCHECK);
}

int cora_multiprocessing_rlock_init(cora_multiprocessing_lock *lock)
{
    return init(lock, PTHREAD_MUTEX_RECURSIVE);
}

/* The clock of deadlines is the monotonic one, which POSIX's own call does not know. */
static int timed_lock(pthread_mutex_t *mutex, double deadline)
{
#ifdef __GLIBC__
    struct timespec time = cora__deadline_time(deadline);

    return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &time);
#else
    int error;

    while ((error = pthread_mutex_trylock(mutex)) == EBUSY && cora__clock() < deadline)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return error;
#endif
}

int cora__shared_lock_acquire(cora_multiprocessing_lock *lock, double deadline)
{
    int error = pthread_mutex_trylock(&lock->mutex_);

    if (error == EBUSY && deadline == INFINITY)
        error = pthread_mutex_lock(&lock->mutex_);
    else if (error == EBUSY && deadline != -INFINITY)
        error = timed_lock(&lock->mutex_, deadline);
#ifndef __APPLE__
    if (error == EOWNERDEAD)
        pthread_mutex_consistent(&lock->mutex_);
#endif
    return error == EBUSY ? -ETIMEDOUT : -error;
}

int cora_multiprocessing_lock_acquire(cora_multiprocessing_lock *lock, double timeout)
{
    return isnan(timeout) ? -EINVAL : cora__shared_lock_acquire(lock, cora__deadline(timeout));
}

int cora_multiprocessing_lock_release(cora_multiprocessing_lock *lock)
{
    return -pthread_mutex_unlock(&lock->mutex_);
}
