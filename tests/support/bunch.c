#include "support/bunch.h"

#include "support/test.h"

void start_bunch(struct bunch *bunch, int count, cora_threading_fn *fn, void *arg)
{
    assert_in_range(count, 1, MOST_THREADS);
    bunch->count = count;
    for (int i = 0; i < count; i++) {
        int rc;

        bunch->threads[i] = cora_threading_thread_create_arg(NULL, fn, arg);
        rc = cora_threading_thread_start(bunch->threads[i]);
        assert_int_equal(rc, 0);
    }
}

void join_bunch(struct bunch *bunch)
{
    for (int i = 0; i < bunch->count; i++) {
        int rc = cora_threading_thread_join(bunch->threads[i], INFINITY);

        assert_int_equal(rc, 0);
        rc = cora_threading_thread_result(bunch->threads[i]);
        assert_int_equal(rc, 0);
        cora_threading_thread_unref(bunch->threads[i]);
    }
}

void run_bunch(int count, cora_threading_fn *fn, void *arg)
{
    struct bunch bunch;

    start_bunch(&bunch, count, fn, arg);
    join_bunch(&bunch);
}

int counter_add(struct counter *counter, int more)
{
    int value;

    pthread_mutex_lock(&counter->lock);
    value = counter->value += more;
    pthread_cond_broadcast(&counter->changed);
    pthread_mutex_unlock(&counter->lock);
    return value;
}

int counter_get(struct counter *counter)
{
    return counter_add(counter, 0);
}

void counter_await(struct counter *counter, int value)
{
    pthread_mutex_lock(&counter->lock);
    while (counter->value < value)
        pthread_cond_wait(&counter->changed, &counter->lock);
    pthread_mutex_unlock(&counter->lock);
}
