#include "support/threads.h"

#include "support/test.h"

#include "threading/parking.h"

#include <sched.h>

pthread_t start_thread(void *(*fn)(void *arg), void *arg)
{
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, fn, arg);

    assert_int_equal(rc, 0);
    return thread;
}

int join_thread(pthread_t thread)
{
    void *result;

    pthread_join(thread, &result);
    return (int)(intptr_t)result;
}

void *outcome(int rc)
{
    return (void *)(intptr_t)rc;
}

static size_t count_parked(pthread_mutex_t *lock, void *const line[2])
{
    size_t count;

    pthread_mutex_lock(lock);
    count = cora__line_length((const struct cora__line *)line);
    pthread_mutex_unlock(lock);
    return count;
}

void await_parked(pthread_mutex_t *lock, void *const line[2], size_t count)
{
    while (count_parked(lock, line) != count)
        sched_yield();
}
