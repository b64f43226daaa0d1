/* cora_wait_for: what it refuses, and what it leaves alone. */
#include "support/test.h"
#include "support/virtual.h"

TEST(nothing_is_waited_for_outside_a_task_nor_without_a_future)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = cora_loop_create_future(loop);
    int rc = cora_wait_for(future, 0);

    assert_int_equal(rc, -CORA_ENOTASK);
    assert_false(cora_future_done(future));
    rc = cora_wait_for(NULL, 1);
    assert_int_equal(rc, -ENOMEM);
    cora_future_unref(future);
    cora_loop_free(loop);
}

static int wait_nan(void *arg)
{
    cora_future *future = cora_loop_create_future(cora_get_running_loop());
    int rc = cora_wait_for(future, NAN);

    (void)arg;
    assert_int_equal(rc, -EINVAL);
    assert_false(cora_future_done(future));
    cora_future_unref(future);
    return 0;
}

TEST(a_time_that_is_no_number_is_refused_at_once)
{
    int rc = run_virtual(wait_nan, NULL);

    assert_int_equal(rc, 0);
}

static int wait_for_anothers(void *other)
{
    const double times[] = {-1, 0, 1, INFINITY};
    cora_future *future = cora_loop_create_future(other);

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        int rc = cora_wait_for(future, times[i]);

        assert_int_equal(rc, -CORA_EWRONGLOOP);
        assert_false(cora_future_done(future));
    }
    cora_future_unref(future);
    return 0;
}

TEST(a_future_of_another_loop_is_refused_and_not_cancelled)
{
    cora_loop *other = virtual_loop();
    int rc = run_virtual(wait_for_anothers, other);

    assert_int_equal(rc, 0);
    cora_loop_free(other);
}

/* ---- cancellation --------------------------------------------------------------------------- */

static int wait_long(void *arg)
{
    return cora_wait_for(arg, 10);
}

static int cancel_while_waiting(void *arg)
{
    cora_future *future = cora_loop_create_future(cora_get_running_loop());
    cora_task *task = cora_create_task_arg(wait_long, future);
    int rc = cora_sleep(1);

    (void)arg;
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_future_cancelled(future));
    assert_true(cora_loop_time(cora_get_running_loop()) == 1);
    assert_true(cora_loop_timeout(cora_get_running_loop()) == -1); /* no timer is left */
    cora_future_unref(future);
    return 0;
}

TEST(cancelled_it_cancels_the_future_and_takes_its_timer_along)
{
    int rc = run_virtual(cancel_while_waiting, NULL);

    assert_int_equal(rc, 0);
}

/* A task that takes five seconds to clean up. */
static int clean_up_slowly(void *arg)
{
    int rc = cora_sleep(100);
    int ignored;

    (void)arg;
    ignored = cora_sleep(5);
    return ignored < 0 ? -EIO : rc;
}

/* What the call has left linked in its frame would be lost here. */
static void overwrite_the_stack(void)
{
    char frame[4096];

    memset(frame, 0x5a, sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory");
}

static int cut_off_now(void *arg)
{
    int rc = cora_wait_for(arg, 0);

    overwrite_the_stack();
    return rc;
}

static int cancel_while_the_future_ends(void *arg)
{
    cora_task *inner = cora_create_task_arg(clean_up_slowly, NULL);
    cora_task *task;
    int rc = cora_sleep(1);

    (void)arg;
    assert_int_equal(rc, 0);
    task = cora_create_task_arg(cut_off_now, inner);
    rc = cora_sleep(2);
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    assert_false(cora_task_done(inner)); /* it goes on cleaning up, undisturbed */
    rc = cora_await_unref(inner);
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_loop_time(cora_get_running_loop()) == 6);
    return 0;
}

TEST(cancelled_while_the_future_comes_to_its_end_it_waits_no_longer)
{
    int rc = run_virtual(cancel_while_the_future_ends, NULL);

    assert_int_equal(rc, 0);
}
