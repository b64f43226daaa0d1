/* CPython's test_future.py. */
#include "support/pools.h"
#include "support/test.h"

#include <pthread.h>

/* Of each state one: what CPython's tests have as constants. A cancelled future has one state here,
 * whether a worker has come across it or not. */
enum { PENDING, RUNNING, CANCELLED, NOTIFIED, FAILED, SUCCESSFUL, STATES };

static void create_all(cora_concurrent_future *futures[STATES])
{
    int rc;

    futures[PENDING] = cora_concurrent_future_create();
    futures[RUNNING] = cora_concurrent_future_create();
    rc = cora_concurrent_future_set_running_or_notify_cancel(futures[RUNNING]);
    assert_int_equal(rc, 0);
    futures[CANCELLED] = done_future(-ECANCELED);
    futures[NOTIFIED] = done_future(-ECANCELED);
    rc = cora_concurrent_future_set_running_or_notify_cancel(futures[NOTIFIED]);
    assert_int_equal(rc, -ECANCELED);
    futures[FAILED] = done_future(-EIO);
    futures[SUCCESSFUL] = done_future(42);
}

/* What a function says of each of them, "-" for false and "+" for true. */
static void assert_each(bool (*fn)(cora_concurrent_future *future), const char *expected)
{
    cora_concurrent_future *futures[STATES];

    create_all(futures);
    for (int i = 0; i < STATES; i++)
        assert_int_equal(fn(futures[i]), expected[i] == '+');
    unref_all(futures, STATES);
}

TEST(FutureTests_test_cancel)
{
    cora_concurrent_future *futures[STATES];

    create_all(futures);
    for (int i = 0; i < STATES; i++) {
        bool was_running = cora_concurrent_future_running(futures[i]);
        bool was_done = cora_concurrent_future_done(futures[i]);
        bool cancelled = cora_concurrent_future_cancel(futures[i]);

        assert_int_equal(cancelled, i == PENDING || i == CANCELLED || i == NOTIFIED);
        assert_int_equal(cora_concurrent_future_cancelled(futures[i]), cancelled);
        assert_int_equal(cora_concurrent_future_running(futures[i]), was_running);
        assert_int_equal(cora_concurrent_future_done(futures[i]), was_done || i == PENDING);
    }
    unref_all(futures, STATES);
}

TEST(FutureTests_test_cancelled)
{
    assert_each(cora_concurrent_future_cancelled, "--++--");
}

TEST(FutureTests_test_done)
{
    assert_each(cora_concurrent_future_done, "--++++");
}

TEST(FutureTests_test_running)
{
    assert_each(cora_concurrent_future_running, "-+----");
}

/* ---- results -------------------------------------------------------------------------------- */

static void assert_outcomes(int (*fn)(cora_concurrent_future *future, double timeout),
                            const int expected[STATES])
{
    cora_concurrent_future *futures[STATES];

    create_all(futures);
    for (int i = 0; i < STATES; i++) {
        int rc = fn(futures[i], 0);

        assert_int_equal(rc, expected[i]);
    }
    unref_all(futures, STATES);
}

TEST(FutureTests_test_result_with_timeout)
{
    assert_outcomes(cora_concurrent_future_result,
                    (int[]){-ETIMEDOUT, -ETIMEDOUT, -ECANCELED, -ECANCELED, -EIO, 42});
}

TEST(FutureTests_test_exception_with_timeout)
{
    assert_outcomes(cora_concurrent_future_exception,
                    (int[]){-ETIMEDOUT, -ETIMEDOUT, -ECANCELED, -ECANCELED, -EIO, 0});
}

static void *set_result(void *future)
{
    return (void *)(intptr_t)cora_concurrent_future_set_result(future, 42, NULL);
}

static void *set_exception(void *future)
{
    return (void *)(intptr_t)cora_concurrent_future_set_exception(future, -EIO);
}

static void *cancel(void *future)
{
    return (void *)(intptr_t)!cora_concurrent_future_cancel(future);
}

/* A thread ends the future, while this one waits, or before. */
static void assert_ends(void *(*end)(void *future),
                        int (*fn)(cora_concurrent_future *future, double timeout), int expected)
{
    for (int i = 0; i < 20; i++) {
        cora_concurrent_future *future = cora_concurrent_future_create();
        pthread_t thread;
        void *failed;
        int rc = pthread_create(&thread, NULL, end, future);

        assert_int_equal(rc, 0);
        rc = fn(future, INFINITY);
        pthread_join(thread, &failed);
        assert_null(failed);
        assert_int_equal(rc, expected);
        cora_concurrent_future_unref(future);
    }
}

TEST(FutureTests_test_result_with_success)
{
    assert_ends(set_result, cora_concurrent_future_result, 42);
}

TEST(FutureTests_test_result_with_cancel)
{
    assert_ends(cancel, cora_concurrent_future_result, -ECANCELED);
}

TEST(FutureTests_test_exception_with_success)
{
    assert_ends(set_exception, cora_concurrent_future_exception, -EIO);
}

TEST(FutureTests_test_multiple_set_result)
{
    cora_concurrent_future *future = done_future(1);
    int rc = cora_concurrent_future_set_result(future, 2, NULL);

    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    assert_true(cora_concurrent_future_done(future));
    assert_result(future, 1);
}

TEST(FutureTests_test_multiple_set_exception)
{
    cora_concurrent_future *future = done_future(-EIO);
    int rc = cora_concurrent_future_set_exception(future, -EILSEQ);

    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    assert_result(future, -EIO);
}

/* ---- callbacks ------------------------------------------------------------------------------ */

struct seen {
    int calls, result;
    bool cancelled;
};

static void see(cora_concurrent_future *future, void *arg)
{
    struct seen *seen = arg;

    seen->calls++;
    seen->result = cora_concurrent_future_result(future, 0);
    seen->cancelled = cora_concurrent_future_cancelled(future);
}

static void add(cora_concurrent_future *future, struct seen *seen)
{
    int rc = cora_concurrent_future_add_done_callback(future, see, seen);

    assert_int_equal(rc, 0);
}

static void assert_seen(const struct seen *seen, int result)
{
    assert_int_equal(seen->calls, 1);
    assert_int_equal(seen->result, result);
    assert_int_equal(seen->cancelled, result == -ECANCELED);
}

static void assert_callback(void *(*end)(void *future), int expected)
{
    cora_concurrent_future *future = cora_concurrent_future_create();
    struct seen seen = {0};

    add(future, &seen);
    assert_int_equal(seen.calls, 0);
    assert_null(end(future));
    assert_seen(&seen, expected);
    cora_concurrent_future_unref(future);
}

TEST(FutureTests_test_done_callback_with_result)
{
    assert_callback(set_result, 42);
}

TEST(FutureTests_test_done_callback_with_exception)
{
    assert_callback(set_exception, -EIO);
}

TEST(FutureTests_test_done_callback_with_cancel)
{
    assert_callback(cancel, -ECANCELED);
}

static void assert_callback_at_once(int outcome)
{
    cora_concurrent_future *future = done_future(outcome);
    struct seen seen = {0};

    add(future, &seen);
    assert_seen(&seen, outcome);
    cora_concurrent_future_unref(future);
}

TEST(FutureTests_test_done_callback_already_successful)
{
    assert_callback_at_once(5);
}

TEST(FutureTests_test_done_callback_already_failed)
{
    assert_callback_at_once(-EIO);
}

TEST(FutureTests_test_done_callback_already_cancelled)
{
    assert_callback_at_once(-ECANCELED);
}
