/* CPython's test_threading.py, EventTests: those of lock_tests.py with threading.Event. */
#include "support/test.h"
#include "support/virtual.h"

#include <pthread.h>
#include <stdatomic.h>

enum { N = 5 };

static pthread_t start(void *(*fn)(void *arg), void *arg)
{
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, fn, arg);

    assert_int_equal(rc, 0);
    return thread;
}

static int join(pthread_t thread)
{
    void *result;

    pthread_join(thread, &result);
    return (int)(intptr_t)result;
}

TEST(EventTests_test_is_set)
{
    cora_threading_event event = CORA_THREADING_EVENT_INIT;

    assert_false(cora_threading_event_is_set(&event));
    for (int i = 0; i < 2; i++) {
        cora_threading_event_set(&event);
        assert_true(cora_threading_event_is_set(&event));
    }
    for (int i = 0; i < 2; i++) {
        cora_threading_event_clear(&event);
        assert_false(cora_threading_event_is_set(&event));
    }
}

/* Threads that wait for an event, twice. */
struct bunch {
    cora_threading_event event;
    double timeouts[2];
    atomic_int results[2][2]; /* of each wait: how often -ETIMEDOUT, and 0 */
    pthread_t threads[N];
};

static void *wait_twice(void *arg)
{
    struct bunch *bunch = arg;

    for (int i = 0; i < 2; i++) {
        int rc = cora_threading_event_wait(&bunch->event, bunch->timeouts[i]);

        if (rc != 0 && rc != -ETIMEDOUT)
            return (void *)(intptr_t)rc;
        atomic_fetch_add(&bunch->results[i][rc == 0], 1);
    }
    return NULL;
}

static void start_bunch(struct bunch *bunch, double first, double second)
{
    bunch->timeouts[0] = first;
    bunch->timeouts[1] = second;
    for (int i = 0; i < 2; i++)
        bunch->results[i][0] = bunch->results[i][1] = 0;
    for (int i = 0; i < N; i++)
        bunch->threads[i] = start(wait_twice, bunch);
}

/* Both waits of all end so: with 0, or with -ETIMEDOUT. */
static void end_bunch(struct bunch *bunch, bool set)
{
    for (int i = 0; i < N; i++)
        assert_int_equal(join(bunch->threads[i]), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(bunch->results[i][set], N);
}

static void notify(struct bunch *bunch)
{
    start_bunch(bunch, INFINITY, INFINITY);
    assert_int_equal(bunch->results[0][0] + bunch->results[0][1], 0);
    cora_threading_event_set(&bunch->event);
    end_bunch(bunch, true);
}

TEST(EventTests_test_notify)
{
    struct bunch bunch = {.event = CORA_THREADING_EVENT_INIT};

    notify(&bunch);
    cora_threading_event_set(&bunch.event);
    cora_threading_event_clear(&bunch.event);
    notify(&bunch);
}

TEST(EventTests_test_timeout)
{
    struct bunch bunch = {.event = CORA_THREADING_EVENT_INIT};

    start_bunch(&bunch, 0, 0.05);
    end_bunch(&bunch, false);
    cora_threading_event_set(&bunch.event);
    start_bunch(&bunch, 0, 0.05);
    end_bunch(&bunch, true);
}

/*
 * Who waits goes on though the event is cleared before he runs. It is tasks that wait: of them one
 * knows when they do. (With threads it is in tests/unit/test_threading_event.c.)
 */
static int wait_in_task(void *event)
{
    return cora_threading_event_async_wait(event);
}

static int set_and_clear(void *arg)
{
    cora_threading_event event = CORA_THREADING_EVENT_INIT;
    cora_task *tasks[N];
    int rc;

    (void)arg;
    for (int i = 0; i < N; i++)
        tasks[i] = cora_create_task_arg(wait_in_task, &event);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    cora_threading_event_set(&event);
    cora_threading_event_clear(&event);
    for (int i = 0; i < N; i++) {
        rc = cora_await_unref(tasks[i]);
        assert_int_equal(rc, 0);
    }
    return 0;
}

TEST(EventTests_test_set_and_clear)
{
    int rc = run_virtual(set_and_clear, NULL);

    assert_int_equal(rc, 0);
}
