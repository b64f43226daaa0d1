/* cora_wait: what it refuses, when it comes back, and that it leaves nothing behind. */
#include "support/test.h"
#include "support/virtual.h"

static cora_future *new_future(void)
{
    return cora_loop_create_future(cora_get_running_loop());
}

static void complete(cora_future *future, int outcome)
{
    int rc = outcome < 0 ? cora_future_set_exception(future, outcome)
                         : cora_future_set_result(future, outcome, NULL);

    assert_int_equal(rc, 0);
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
    cora_future *futures[] = {new_future(), NULL};
    int rc;

    (void)arg;
    rc = cora_wait(futures, 0, INFINITY, CORA_ALL_COMPLETED);
    assert_int_equal(rc, -EINVAL);
    rc = cora_wait(futures, 1, NAN, CORA_ALL_COMPLETED);
    assert_int_equal(rc, -EINVAL);
    rc = cora_wait(futures, 1, 1, (cora_return_when)3);
    assert_int_equal(rc, -EINVAL);
    rc = cora_wait(futures, 2, 1, CORA_ALL_COMPLETED);
    assert_int_equal(rc, -ENOMEM);
    assert_true(cora_loop_time(cora_get_running_loop()) == 0);
    cora_future_unref(futures[0]);
    return 0;
}

TEST(what_makes_no_sense_is_refused_at_once)
{
    assert_main(refuse);
}

TEST(outside_a_task_it_is_refused)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = cora_loop_create_future(loop);
    int rc = cora_wait(&future, 1, 1, CORA_ALL_COMPLETED);

    assert_int_equal(rc, -CORA_ENOTASK);
    cora_future_unref(future);
    cora_loop_free(loop);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* At once, for another thread may run the other loop, and must not be disturbed. */
static int wait_for_anothers(void *other)
{
    cora_future *futures[] = {cora_loop_create_future(other), new_future()};
    cora_task *task = cora_create_task_arg(nothing, NULL);
    int rc = cora_wait(futures, 2, 1, CORA_FIRST_COMPLETED);

    assert_int_equal(rc, -CORA_EWRONGLOOP);
    rc = cora_wait(futures, 1, 1, CORA_FIRST_COMPLETED);
    assert_int_equal(rc, -CORA_EWRONGLOOP);
    assert_false(cora_task_done(task));
    cora_task_unref(task);
    assert_true(cora_loop_timeout(other) == -1); /* no timer was armed there */
    assert_true(cora_loop_time(cora_get_running_loop()) == 0);
    for (int i = 0; i < 2; i++)
        cora_future_unref(futures[i]);
    return 0;
}

TEST(futures_of_another_loop_are_refused_and_left_alone)
{
    cora_loop *other = virtual_loop();
    int rc = run_virtual(wait_for_anothers, other);

    assert_int_equal(rc, 0);
    cora_loop_free(other);
}

/* ---- when it comes back --------------------------------------------------------------------- */

static int with_all_done(void *arg)
{
    cora_future *futures[] = {new_future(), new_future()};
    int rc;

    (void)arg;
    complete(futures[0], 1);
    complete(futures[1], 2);
    rc = cora_wait(futures, 2, INFINITY, CORA_ALL_COMPLETED);
    assert_int_equal(rc, 2);
    rc = cora_wait(futures, 2, -1, CORA_FIRST_COMPLETED);
    assert_int_equal(rc, 2);
    for (int i = 0; i < 2; i++)
        cora_future_unref(futures[i]);
    return 0;
}

TEST(futures_that_are_done_are_counted)
{
    assert_main(with_all_done);
}

static int with_no_time(void *arg)
{
    cora_future *futures[] = {new_future(), new_future()};
    int rc;

    (void)arg;
    complete(futures[1], 2);
    rc = cora_wait(futures, 2, 0, CORA_ALL_COMPLETED);
    assert_int_equal(rc, 1);
    rc = cora_wait(futures, 1, -INFINITY, CORA_ALL_COMPLETED);
    assert_int_equal(rc, 0);
    assert_true(cora_loop_time(cora_get_running_loop()) == 0);
    assert_false(cora_future_done(futures[0]));
    for (int i = 0; i < 2; i++)
        cora_future_unref(futures[i]);
    return 0;
}

TEST(without_any_time_it_counts_what_is_done_and_cancels_nothing)
{
    assert_main(with_no_time);
}

struct fail_at_args {
    cora_future *future;
    double delay;
    int outcome;
};

static int fail_at(void *arg)
{
    struct fail_at_args *a = arg;
    int rc = cora_sleep(a->delay);

    if (rc == 0 && a->outcome == -ECANCELED)
        cora_future_cancel(a->future);
    else if (rc == 0)
        complete(a->future, a->outcome);
    return rc;
}

static int first_exception(void *arg)
{
    const int outcomes[] = {5, -ECANCELED, -EIO, 7};
    cora_future *futures[4];
    cora_task *tasks[4];
    int rc;

    (void)arg;
    for (int i = 0; i < 4; i++) {
        futures[i] = new_future();
        tasks[i] =
            cora_create_task(fail_at, .future = futures[i], .delay = i + 1, .outcome = outcomes[i]);
    }
    rc = cora_wait(futures, 4, INFINITY, CORA_FIRST_EXCEPTION);
    assert_int_equal(rc, 3);
    assert_true(cora_loop_time(cora_get_running_loop()) == 3);
    rc = cora_gather(tasks, 4, NULL, 0);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 4; i++) {
        cora_future_unref(futures[i]);
        cora_task_unref(tasks[i]);
    }
    return 0;
}

TEST(the_first_exception_is_an_error_and_neither_a_value_nor_a_cancellation)
{
    assert_main(first_exception);
}

/* ---- what it leaves behind ------------------------------------------------------------------ */

struct wait_on_args {
    cora_future **futures;
    double timeout;
};

static int wait_on(void *arg)
{
    struct wait_on_args *a = arg;

    return cora_wait(a->futures, 2, a->timeout, CORA_ALL_COMPLETED);
}

/* Cancelled in the iteration `hops` after its start; in the first of them it has not begun. */
static void cancel_after(int hops)
{
    cora_future *futures[] = {new_future(), new_future()};
    cora_task *task = cora_create_task(wait_on, .futures = futures, .timeout = 100);
    int rc = 0;

    for (int i = 0; i < hops; i++) {
        if (i == 2)
            complete(futures[0], 1);
        if (i == 3)
            complete(futures[1], 1);
        rc = cora_sleep(0);
        assert_int_equal(rc, 0);
    }
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, hops < 5 ? -ECANCELED : 2);
    assert_int_equal(cora_future_done(futures[1]), hops > 3);
    assert_true(cora_loop_timeout(cora_get_running_loop()) == -1); /* nor is a timer left */
    for (int i = 0; i < 2; i++) {                                  /* nor a callback */
        rc = cora_future_done(futures[i]) ? 0 : cora_future_set_result(futures[i], 1, NULL);
        assert_int_equal(rc, 0);
        rc = cora_sleep(0);
        assert_int_equal(rc, 0);
        cora_future_unref(futures[i]);
    }
}

static int cancel_everywhere(void *arg)
{
    (void)arg;
    for (int hops = 0; hops < 8; hops++)
        cancel_after(hops);
    return 0;
}

TEST(cancelled_in_any_iteration_it_cancels_nothing_and_leaves_nothing)
{
    assert_main(cancel_everywhere);
}

/* ---- the same twice ------------------------------------------------------------------------ */

/* One of the two is done before. */
static int wait_for_the_same_twice(void *arg)
{
    cora_future *futures[] = {arg, new_future(), arg, NULL};
    int rc;

    futures[3] = futures[1];
    complete(futures[1], 1);
    rc = cora_wait(futures, 4, INFINITY, CORA_ALL_COMPLETED);
    cora_future_unref(futures[1]);
    return rc;
}

static int wait_side_by_side(void *arg)
{
    cora_future *future = new_future();
    cora_task *one = cora_create_task_arg(wait_for_the_same_twice, future);
    cora_task *two = cora_create_task_arg(wait_for_the_same_twice, future);
    int rc = cora_sleep(1);

    (void)arg;
    assert_int_equal(rc, 0);
    assert_false(cora_task_done(one));
    assert_false(cora_task_done(two));
    complete(future, 1);
    rc = cora_await_unref(one);
    assert_int_equal(rc, 2);
    rc = cora_await_unref(two);
    assert_int_equal(rc, 2);
    cora_future_unref(future);
    return 0;
}

TEST(who_is_given_twice_counts_once_for_each_who_waits)
{
    assert_main(wait_side_by_side);
}
