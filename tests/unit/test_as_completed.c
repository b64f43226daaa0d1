/* cora_as_completed: what it refuses, what a timeout and a cancellation leave of it, and its end.
 */
#include "support/test.h"
#include "support/virtual.h"

enum { COUNT = 3 };

static void make_futures(cora_future *futures[])
{
    for (int i = 0; i < COUNT; i++)
        futures[i] = cora_loop_create_future(cora_get_running_loop());
}

static void complete(cora_future *future)
{
    int rc = cora_future_set_result(future, 1, NULL);

    assert_int_equal(rc, 0);
}

static void unref_all(cora_future *futures[])
{
    for (int i = 0; i < COUNT; i++)
        cora_future_unref(futures[i]);
}

static void start(cora_as_completed *each, cora_future *futures[], double timeout)
{
    int rc = cora_as_completed_start(each, futures, COUNT, timeout);

    assert_int_equal(rc, 0);
}

static void assert_next(cora_as_completed *each, cora_future *expected)
{
    cora_future *future = NULL;
    int rc = cora_as_completed_next(each, &future);

    assert_int_equal(rc, 0);
    assert_ptr_equal(future, expected);
}

static void assert_no_next(cora_as_completed *each, int error)
{
    cora_future *future = NULL;
    int rc = cora_as_completed_next(each, &future);

    assert_int_equal(rc, error);
    assert_null(future);
}

static void assert_main(cora_task_fn *main)
{
    int rc = run_virtual(main, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

/* ---- what it refuses ------------------------------------------------------------------------ */

static int refuse(void *arg)
{
    cora_future *futures[COUNT];
    cora_as_completed each;
    int rc;

    (void)arg;
    make_futures(futures);
    rc = cora_as_completed_start(&each, futures, COUNT, NAN);
    assert_int_equal(rc, -EINVAL);
    cora_as_completed_stop(&each);
    cora_future_unref(futures[1]);
    futures[1] = NULL;
    rc = cora_as_completed_start(&each, futures, COUNT, 1);
    assert_int_equal(rc, -ENOMEM);
    assert_no_next(&each, -CORA_ESTOPITERATION);
    cora_as_completed_stop(&each);
    unref_all(futures);
    return 0;
}

TEST(what_makes_no_sense_is_refused_and_may_be_stopped)
{
    assert_main(refuse);
}

static int take_anothers(void *other)
{
    cora_future *futures[COUNT];
    cora_as_completed each;
    int rc;

    make_futures(futures);
    cora_future_unref(futures[0]);
    futures[0] = cora_loop_create_future(other);
    rc = cora_as_completed_start(&each, futures, COUNT, 1);
    assert_int_equal(rc, -CORA_EWRONGLOOP);
    rc = cora_as_completed_start(&each, futures, 1, 1);
    assert_int_equal(rc, -CORA_EWRONGLOOP);
    unref_all(futures);
    return 0;
}

TEST(futures_of_another_loop_are_refused)
{
    cora_loop *other = virtual_loop();
    int rc = run_virtual(take_anothers, other);

    assert_int_equal(rc, 0);
    cora_loop_free(other);
}

TEST(without_a_running_loop_it_is_refused)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = cora_loop_create_future(loop);
    cora_as_completed each;
    int rc = cora_as_completed_start(&each, &future, 1, 1);

    assert_int_equal(rc, -CORA_ENOLOOP);
    rc = cora_as_completed_start(&each, NULL, 0, 1);
    assert_int_equal(rc, -CORA_ENOLOOP);
    cora_future_unref(future);
    cora_loop_free(loop);
}

/* A callback may start one, but not wait. */
static void start_in_a_callback(void *arg)
{
    cora_future *futures[COUNT];
    cora_as_completed each;

    make_futures(futures);
    start(&each, futures, INFINITY);
    assert_no_next(&each, -CORA_ENOTASK);
    cora_as_completed_stop(&each);
    unref_all(futures);
    *(bool *)arg = true;
}

static int call_it(void *arg)
{
    bool called = false;
    int rc = cora_loop_call_soon(cora_get_running_loop(), start_in_a_callback, &called, NULL);

    (void)arg;
    assert_int_equal(rc, 0);
    rc = cora_sleep(0);
    assert_true(called);
    return rc;
}

TEST(outside_a_task_nobody_waits_for_the_next)
{
    assert_main(call_it);
}

/* ---- no futures, and no time ---------------------------------------------------------------- */

static int take_none(void *arg)
{
    cora_as_completed each;
    int rc = cora_as_completed_start(&each, NULL, 0, 1);

    (void)arg;
    assert_int_equal(rc, 0);
    assert_no_next(&each, -CORA_ESTOPITERATION);
    cora_as_completed_stop(&each);
    cora_as_completed_stop(&each); /* no effect */
    assert_no_next(&each, -CORA_ESTOPITERATION);
    return 0;
}

TEST(of_no_futures_there_is_no_next)
{
    assert_main(take_none);
}

static int take_without_time(void *arg)
{
    cora_future *futures[COUNT];
    cora_as_completed each;

    (void)arg;
    make_futures(futures);
    complete(futures[1]);
    start(&each, futures, -INFINITY);
    assert_next(&each, futures[1]);
    for (int i = 1; i < COUNT; i++)
        assert_no_next(&each, -ETIMEDOUT);
    assert_no_next(&each, -CORA_ESTOPITERATION);
    cora_as_completed_stop(&each);
    assert_true(cora_loop_time(cora_get_running_loop()) == 0);
    unref_all(futures);
    return 0;
}

TEST(without_any_time_there_are_those_that_are_done)
{
    assert_main(take_without_time);
}

/* ---- stopped early -------------------------------------------------------------------------- */

static int stop_early(void *arg)
{
    cora_future *futures[COUNT];
    cora_as_completed each;
    int rc;

    (void)arg;
    make_futures(futures);
    start(&each, futures, 5);
    complete(futures[2]);
    assert_next(&each, futures[2]);
    complete(futures[0]); /* its callback is queued, and then taken out */
    cora_as_completed_stop(&each);
    assert_true(cora_loop_timeout(cora_get_running_loop()) == -1);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    assert_false(cora_future_done(futures[1]));
    unref_all(futures);
    return 0;
}

TEST(stopped_early_it_leaves_no_timer_and_no_callback)
{
    assert_main(stop_early);
}

static int futures_go_first(void *arg)
{
    cora_future *futures[COUNT];
    cora_as_completed each;

    (void)arg;
    make_futures(futures);
    start(&each, futures, INFINITY);
    complete(futures[1]);
    unref_all(futures); /* it holds them */
    assert_next(&each, futures[1]);
    cora_as_completed_stop(&each);
    return 0;
}

TEST(it_holds_the_futures_until_it_is_stopped)
{
    assert_main(futures_go_first);
}

/* ---- cancellation --------------------------------------------------------------------------- */

struct take_args {
    cora_as_completed *each;
    int number;
};

static int take(void *arg)
{
    struct take_args *a = arg;
    cora_future *future = NULL;
    int rc = cora_as_completed_next(a->each, &future);

    trace("%d%s", a->number, rc < 0 ? "-" : "");
    return rc;
}

/* The first of two who wait is cancelled when a future is done already: the other gets it. */
static int cancel_the_woken(void *arg)
{
    cora_future *futures[COUNT];
    cora_as_completed each;
    cora_task *tasks[2];
    int rc;

    (void)arg;
    make_futures(futures);
    start(&each, futures, INFINITY);
    for (int i = 0; i < 2; i++)
        tasks[i] = cora_create_task(take, .each = &each, .number = i);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    complete(futures[0]);
    rc = cora_sleep(0); /* now the first has been woken, and has not run */
    assert_int_equal(rc, 0);
    cora_task_cancel(tasks[0]);
    rc = cora_await_unref(tasks[0]);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_await_unref(tasks[1]);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "0- 1 ");
    cora_as_completed_stop(&each);
    unref_all(futures);
    return 0;
}

TEST(one_woken_and_then_cancelled_leaves_the_future_to_the_next)
{
    assert_main(cancel_the_woken);
}

/* As in asyncio, whose iterator counts before it waits. */
static int cancel_and_go_on(void *arg)
{
    cora_future *futures[COUNT];
    cora_as_completed each;
    cora_timeout timeout;
    cora_future *future;
    int rc;

    (void)arg;
    make_futures(futures);
    start(&each, futures, INFINITY);
    cora_timeout_enter(&timeout, 1);
    rc = cora_as_completed_next(&each, &future);
    rc = cora_timeout_exit(&timeout, rc);
    assert_int_equal(rc, -ETIMEDOUT);
    for (int i = 0; i < COUNT; i++)
        complete(futures[i]);
    for (int i = 0; i < COUNT - 1; i++)
        assert_next(&each, futures[i]);
    assert_no_next(&each, -CORA_ESTOPITERATION);
    cora_as_completed_stop(&each);
    unref_all(futures);
    return 0;
}

TEST(a_call_that_was_cancelled_counts_as_one)
{
    assert_main(cancel_and_go_on);
}

/* ---- the same twice ------------------------------------------------------------------------ */

/* The second is done before, and two iterate at once. */
static int iterate_side_by_side(void *arg)
{
    cora_future *futures[COUNT], *twice[2 * COUNT];
    cora_as_completed one, two;
    int rc;

    (void)arg;
    make_futures(futures);
    for (int i = 0; i < COUNT; i++)
        twice[i] = twice[2 * COUNT - 1 - i] = futures[i];
    complete(futures[1]);
    rc = cora_as_completed_start(&one, twice, (size_t)2 * COUNT, INFINITY);
    assert_int_equal(rc, 0);
    rc = cora_as_completed_start(&two, twice, (size_t)2 * COUNT, INFINITY);
    assert_int_equal(rc, 0);
    assert_next(&one, futures[1]);
    complete(futures[2]);
    complete(futures[0]);
    assert_next(&one, futures[2]);
    assert_next(&two, futures[1]);
    assert_next(&two, futures[2]);
    assert_next(&one, futures[0]);
    assert_next(&two, futures[0]);
    assert_no_next(&one, -CORA_ESTOPITERATION);
    assert_no_next(&two, -CORA_ESTOPITERATION);
    cora_as_completed_stop(&one);
    cora_as_completed_stop(&two);
    unref_all(futures);
    return 0;
}

TEST(who_is_given_twice_comes_once_to_each_who_iterates)
{
    int rc = run_virtual(iterate_side_by_side, NULL);

    assert_int_equal(rc, 0);
}
