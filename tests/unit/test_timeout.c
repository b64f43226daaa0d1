/* Timeouts: when they cut a task off, what becomes of the cancellation, and what misuse does. */
#include "support/test.h"
#include "support/virtual.h"

#include <math.h>

static double time_now(void)
{
    return cora_loop_time(cora_get_running_loop());
}

static int cancelling(void)
{
    return cora_task_cancelling(cora_current_task());
}

/* Nothing is left of a timeout: no count, and no cancellation that comes later. */
static void assert_nothing_left(void)
{
    int rc = cora_sleep(1000);

    assert_int_equal(rc, 0);
    assert_int_equal(cancelling(), 0);
    assert_int_equal(reports.count, 0);
}

static void call_at(double when, cora_callback *fn, void *arg)
{
    int rc = cora_loop_call_at(cora_get_running_loop(), when, fn, arg, NULL);

    assert_int_equal(rc, 0);
}

static void cancel(void *task)
{
    cora_task_cancel(task);
}

static void set_result(void *future)
{
    int rc = cora_future_set_result(future, 7, NULL);

    assert_int_equal(rc, 0);
}

/* ---- expiry -------------------------------------------------------------------------------- */

static int cut_off(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 2);
    assert_true(cora_timeout_when(&timeout) == 2);
    rc = cora_sleep(5);
    assert_int_equal(rc, -ECANCELED);
    assert_true(time_now() == 2);
    assert_true(cora_timeout_expired(&timeout));
    assert_int_equal(cancelling(), 1);
    rc = cora_timeout_exit(&timeout, rc);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_true(cora_timeout_expired(&timeout));
    assert_int_equal(cancelling(), 0);
    assert_nothing_left();
    return 0;
}

TEST(when_the_time_is_up_the_body_is_cancelled_and_the_exit_returns_etimedout)
{
    int rc = run_virtual(cut_off, NULL);

    assert_int_equal(rc, 0);
}

static int iteration;

static void next_iteration(void *arg)
{
    int *left = arg, rc = 0;

    iteration++;
    if (--*left > 0)
        rc = cora_loop_call_soon(cora_get_running_loop(), next_iteration, left, NULL);
    assert_int_equal(rc, 0);
}

static int cut_off_in_time(void *arg)
{
    cora_timeout timeout;
    static int left; /* the callback runs on when this has returned */
    int rc;

    (void)arg;
    left = 5;
    call_at(2, next_iteration, &left); /* runs right before the timeout, and then counts */
    cora_timeout_enter(&timeout, 2);
    rc = cora_sleep(5);
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(iteration, 2);
    rc = cora_timeout_exit(&timeout, rc);
    assert_int_equal(rc, -ETIMEDOUT);
    return 0;
}

TEST(the_body_hears_of_the_expiry_one_iteration_after_it)
{
    int rc = run_virtual(cut_off_in_time, NULL);

    assert_int_equal(rc, 0);
}

static int end_in_time(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 2);
    rc = cora_sleep(1);
    assert_int_equal(rc, 0);
    rc = cora_timeout_exit(&timeout, 9);
    assert_int_equal(rc, 9);
    assert_false(cora_timeout_expired(&timeout));
    assert_nothing_left();
    return 0;
}

TEST(a_body_that_ends_in_time_keeps_its_result)
{
    int rc = run_virtual(end_in_time, NULL);

    assert_int_equal(rc, 0);
}

static int run_to_the_first_suspension(void *arg)
{
    double delay = *(double *)arg;
    cora_timeout timeout;
    int rc;

    cora_timeout_enter(&timeout, delay);
    assert_false(cora_timeout_expired(&timeout));
    rc = cora_sleep(0);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_timeout_exit(&timeout, rc);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_true(time_now() == 0);
    assert_nothing_left();
    return 0;
}

TEST(no_time_at_all_cuts_off_the_first_call_that_suspends)
{
    double delay = 0;
    int rc = run_virtual(run_to_the_first_suspension, &delay);

    assert_int_equal(rc, 0);
}

TEST(a_negative_delay_cuts_off_the_first_call_that_suspends)
{
    double delay = -3;
    int rc = run_virtual(run_to_the_first_suspension, &delay);

    assert_int_equal(rc, 0);
}

TEST(an_infinitely_negative_delay_cuts_off_the_first_call_that_suspends)
{
    double delay = -INFINITY;
    int rc = run_virtual(run_to_the_first_suspension, &delay);

    assert_int_equal(rc, 0);
}

static int never_suspend(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 0);
    rc = cora_timeout_exit(&timeout, 3);
    assert_int_equal(rc, 3);
    assert_false(cora_timeout_expired(&timeout));
    assert_nothing_left();
    return 0;
}

TEST(a_body_that_never_suspends_is_not_cut_off)
{
    int rc = run_virtual(never_suspend, NULL);

    assert_int_equal(rc, 0);
}

static int no_limit(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, INFINITY);
    assert_true(isinf(cora_timeout_when(&timeout)));
    rc = cora_sleep(1e6);
    assert_int_equal(rc, 0);
    rc = cora_timeout_exit(&timeout, rc);
    assert_int_equal(rc, 0);
    return 0;
}

TEST(infinity_is_no_limit)
{
    int rc = run_virtual(no_limit, NULL);

    assert_int_equal(rc, 0);
}

static int not_a_number(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, NAN);
    rc = cora_sleep(1);
    assert_int_equal(rc, 0);
    assert_false(cora_timeout_expired(&timeout));
    rc = cora_timeout_reschedule(&timeout, 5);
    assert_int_equal(rc, -CORA_ENOTENTERED);
    rc = cora_timeout_exit(&timeout, 0);
    assert_int_equal(rc, -EINVAL);
    assert_nothing_left();
    return 0;
}

TEST(nan_has_no_effect_but_an_error_at_the_exit)
{
    int rc = run_virtual(not_a_number, NULL);

    assert_int_equal(rc, 0);
}

static int at_a_time(void *arg)
{
    cora_timeout timeout;
    int rc = cora_sleep(1);

    (void)arg;
    assert_int_equal(rc, 0);
    cora_timeout_at_enter(&timeout, 1.5);
    rc = cora_sleep(5);
    assert_int_equal(rc, -ECANCELED);
    assert_true(time_now() == 1.5);
    rc = cora_timeout_exit(&timeout, rc);
    assert_int_equal(rc, -ETIMEDOUT);
    return 0;
}

TEST(timeout_at_counts_on_the_loops_clock)
{
    int rc = run_virtual(at_a_time, NULL);

    assert_int_equal(rc, 0);
}

static int sleeps(void *arg)
{
    (void)arg;
    return cora_sleep(100);
}

static int await_a_task(void *arg)
{
    cora_task *task = cora_create_task_arg(sleeps, arg);
    cora_timeout timeout;
    int rc;

    cora_timeout_enter(&timeout, 1);
    rc = cora_timeout_exit(&timeout, cora_await(task));
    assert_int_equal(rc, -ETIMEDOUT);
    assert_true(cora_task_cancelled(task));
    cora_task_unref(task);
    assert_nothing_left();
    return 0;
}

TEST(the_task_that_the_body_waits_for_is_cancelled_too)
{
    int rc = run_virtual(await_a_task, NULL);

    assert_int_equal(rc, 0);
}

/* ---- what the body does with it ------------------------------------------------------------ */

static int swallow(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 1);
    rc = cora_sleep(5);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_sleep(5);
    assert_int_equal(rc, 0);
    rc = cora_timeout_exit(&timeout, 4);
    assert_int_equal(rc, 4);
    assert_true(cora_timeout_expired(&timeout));
    assert_nothing_left();
    return 0;
}

TEST(a_body_that_swallows_the_cancellation_keeps_its_result)
{
    int rc = run_virtual(swallow, NULL);

    assert_int_equal(rc, 0);
}

static int turn_into_an_error(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 1);
    rc = cora_sleep(5);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_timeout_exit(&timeout, -EIO);
    assert_int_equal(rc, -EIO);
    assert_true(cora_timeout_expired(&timeout));
    assert_nothing_left();
    return 0;
}

TEST(another_error_of_the_body_passes)
{
    int rc = run_virtual(turn_into_an_error, NULL);

    assert_int_equal(rc, 0);
}

static int lose_a_result(void *arg)
{
    bool result_first = *(bool *)arg;
    cora_future *future = cora_loop_create_future(cora_get_running_loop());
    cora_timeout timeout;
    int rc;

    if (result_first)
        call_at(1, set_result, future);
    cora_timeout_enter(&timeout, 1);
    rc = cora_timeout_exit(&timeout, cora_await(future));
    assert_int_equal(rc, -ETIMEDOUT);
    assert_int_equal(cora_future_cancelled(future), !result_first);
    cora_future_unref(future);
    assert_nothing_left();
    return 0;
}

TEST(a_result_in_the_iteration_of_the_expiry_is_lost_to_the_body_but_not_to_the_future)
{
    bool result_first = true;
    int rc = run_virtual(lose_a_result, &result_first);

    assert_int_equal(rc, 0);
}

TEST(what_the_body_waits_for_is_cancelled_by_the_expiry)
{
    bool result_first = false;
    int rc = run_virtual(lose_a_result, &result_first);

    assert_int_equal(rc, 0);
}

/* ---- nesting ------------------------------------------------------------------------------- */

static int nested(double outer_delay, double inner_delay, int *inner_rc, bool expired[2])
{
    cora_timeout outer, inner;
    int rc;

    cora_timeout_enter(&outer, outer_delay);
    cora_timeout_enter(&inner, inner_delay);
    rc = cora_sleep(50);
    assert_int_equal(rc, -ECANCELED);
    *inner_rc = cora_timeout_exit(&inner, rc);
    rc = cora_timeout_exit(&outer, *inner_rc);
    expired[0] = cora_timeout_expired(&outer);
    expired[1] = cora_timeout_expired(&inner);
    assert_nothing_left();
    return rc;
}

static int nested_inner(void *arg)
{
    bool expired[2];
    int inner, outer = nested(5, 1, &inner, expired);

    (void)arg;
    assert_int_equal(inner, -ETIMEDOUT);
    assert_int_equal(outer, -ETIMEDOUT);
    assert_false(expired[0]);
    assert_true(expired[1]);
    return 0;
}

TEST(of_nested_timeouts_the_inner_converts_its_own_expiry)
{
    int rc = run_virtual(nested_inner, NULL);

    assert_int_equal(rc, 0);
}

static int nested_outer(void *arg)
{
    bool expired[2];
    int inner, outer = nested(1, 5, &inner, expired);

    (void)arg;
    assert_int_equal(inner, -ECANCELED);
    assert_int_equal(outer, -ETIMEDOUT);
    assert_true(expired[0]);
    assert_false(expired[1]);
    return 0;
}

TEST(of_nested_timeouts_the_inner_lets_the_expiry_of_the_outer_pass)
{
    int rc = run_virtual(nested_outer, NULL);

    assert_int_equal(rc, 0);
}

static int nested_same(void *arg)
{
    double delay = *(double *)arg;
    bool expired[2];
    int inner, outer = nested(delay, delay, &inner, expired);

    assert_int_equal(inner, -ECANCELED);
    assert_int_equal(outer, -ETIMEDOUT);
    assert_true(expired[0]);
    assert_true(expired[1]);
    return 0;
}

TEST(of_nested_timeouts_with_one_deadline_the_outer_converts_it_and_both_are_expired)
{
    double delay = 1;
    int rc = run_virtual(nested_same, &delay);

    assert_int_equal(rc, 0);
}

TEST(of_nested_timeouts_without_any_time_the_outer_converts)
{
    double delay = 0;
    int rc = run_virtual(nested_same, &delay);

    assert_int_equal(rc, 0);
}

static int expire_in_cleanup(void *arg)
{
    cora_timeout outer, inner;
    int rc;

    (void)arg;
    cora_timeout_enter(&outer, 2);
    cora_timeout_enter(&inner, 1);
    rc = cora_sleep(50);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_sleep(50); /* a cleanup that takes too long for the outer one */
    assert_int_equal(rc, -ECANCELED);
    assert_true(time_now() == 2);
    rc = cora_timeout_exit(&inner, rc);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_timeout_exit(&outer, rc);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_nothing_left();
    return 0;
}

TEST(an_outer_timeout_cuts_off_the_cleanup_of_an_inner_one)
{
    int rc = run_virtual(expire_in_cleanup, NULL);

    assert_int_equal(rc, 0);
}

/* ---- cancelled from outside ---------------------------------------------------------------- */

static int cancelled_at_the_same_time(void *arg)
{
    bool cancel_first = *(bool *)arg;
    cora_timeout timeout;
    int rc;

    if (cancel_first)
        call_at(1, cancel, cora_current_task());
    cora_timeout_enter(&timeout, 1);
    if (!cancel_first)
        call_at(1, cancel, cora_current_task());
    rc = cora_sleep(5);
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(cancelling(), 2);
    rc = cora_timeout_exit(&timeout, rc);
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_timeout_expired(&timeout));
    assert_int_equal(cancelling(), 1);
    return 0;
}

TEST(cancelled_from_outside_right_after_the_expiry_the_body_is_cancelled)
{
    bool cancel_first = false;
    int rc = run_virtual(cancelled_at_the_same_time, &cancel_first);

    assert_int_equal(rc, 0);
}

TEST(cancelled_from_outside_right_before_the_expiry_the_body_is_cancelled)
{
    bool cancel_first = true;
    int rc = run_virtual(cancelled_at_the_same_time, &cancel_first);

    assert_int_equal(rc, 0);
}

static int cancelled_in_time(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 3);
    call_at(1, cancel, cora_current_task());
    rc = cora_sleep(5);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_timeout_exit(&timeout, rc);
    assert_int_equal(rc, -ECANCELED);
    assert_false(cora_timeout_expired(&timeout));
    assert_int_equal(cancelling(), 1);
    rc = cora_sleep(5);
    assert_int_equal(rc, 0);
    return 0;
}

TEST(a_cancellation_from_outside_passes)
{
    int rc = run_virtual(cancelled_in_time, NULL);

    assert_int_equal(rc, 0);
}

static int time_out_the_cleanup(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    call_at(1, cancel, cora_current_task());
    rc = cora_sleep(5);
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(cancelling(), 1);
    cora_timeout_enter(&timeout, 1);
    rc = cora_timeout_exit(&timeout, cora_sleep(5));
    assert_int_equal(rc, -ETIMEDOUT);
    assert_int_equal(cancelling(), 1);
    return 0;
}

TEST(in_the_cleanup_of_a_cancelled_task_a_timeout_converts_its_own_expiry)
{
    int rc = run_virtual(time_out_the_cleanup, NULL);

    assert_int_equal(rc, 0);
}

/* ---- reschedule ---------------------------------------------------------------------------- */

/* When a sleep of 50 seconds is cut off, after a timeout of 5 was moved at 1 second. */
static int moved(void *arg)
{
    double when = *(double *)arg;
    cora_timeout timeout;
    int rc;

    cora_timeout_enter(&timeout, 5);
    rc = cora_sleep(1);
    assert_int_equal(rc, 0);
    rc = cora_timeout_reschedule(&timeout, when);
    assert_int_equal(rc, 0);
    assert_true(cora_timeout_when(&timeout) == when);
    rc = cora_timeout_exit(&timeout, cora_sleep(50));
    assert_int_equal(rc, isinf(when) ? 0 : -ETIMEDOUT);
    rc = (int)time_now();
    assert_nothing_left();
    return rc;
}

TEST(a_deadline_moved_forward_comes_earlier)
{
    double when = 3;
    int rc = run_virtual(moved, &when);

    assert_int_equal(rc, 3);
}

TEST(a_deadline_moved_back_comes_later)
{
    double when = 8;
    int rc = run_virtual(moved, &when);

    assert_int_equal(rc, 8);
}

TEST(a_deadline_moved_to_the_past_has_come)
{
    double when = 0.5;
    int rc = run_virtual(moved, &when);

    assert_int_equal(rc, 1);
}

TEST(a_deadline_moved_to_infinity_never_comes)
{
    double when = INFINITY;
    int rc = run_virtual(moved, &when);

    assert_int_equal(rc, 51);
}

static int move_from_none(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, INFINITY);
    rc = cora_timeout_reschedule(&timeout, 2);
    assert_int_equal(rc, 0);
    rc = cora_timeout_exit(&timeout, cora_sleep(50));
    assert_int_equal(rc, -ETIMEDOUT);
    assert_true(time_now() == 2);
    return 0;
}

TEST(a_timeout_without_a_limit_can_be_given_one)
{
    int rc = run_virtual(move_from_none, NULL);

    assert_int_equal(rc, 0);
}

/* A deadline in the past is queued, and can still be moved before it fires. */
static int move_from_the_past(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, -1);
    rc = cora_timeout_reschedule(&timeout, -2);
    assert_int_equal(rc, 0);
    rc = cora_timeout_reschedule(&timeout, 2);
    assert_int_equal(rc, 0);
    rc = cora_timeout_exit(&timeout, cora_sleep(1));
    assert_int_equal(rc, 0);
    assert_nothing_left();
    return 0;
}

TEST(a_deadline_in_the_past_can_be_moved_before_it_fires)
{
    int rc = run_virtual(move_from_the_past, NULL);

    assert_int_equal(rc, 0);
}

static int move_to_nan(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 2);
    rc = cora_timeout_reschedule(&timeout, NAN);
    assert_int_equal(rc, -EINVAL);
    assert_true(cora_timeout_when(&timeout) == 2);
    rc = cora_timeout_exit(&timeout, cora_sleep(50));
    assert_int_equal(rc, -ETIMEDOUT);
    assert_true(time_now() == 2);
    return 0;
}

TEST(a_deadline_is_not_moved_to_nan)
{
    int rc = run_virtual(move_to_nan, NULL);

    assert_int_equal(rc, 0);
}

static int move_too_late(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 1);
    rc = cora_sleep(50);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_timeout_reschedule(&timeout, 9);
    assert_int_equal(rc, -CORA_EFINISHED);
    rc = cora_timeout_exit(&timeout, -ECANCELED);
    assert_int_equal(rc, -ETIMEDOUT);
    rc = cora_timeout_reschedule(&timeout, 9);
    assert_int_equal(rc, -CORA_EFINISHED);
    cora_timeout_enter(&timeout, 1);
    rc = cora_timeout_exit(&timeout, 0);
    assert_int_equal(rc, 0);
    rc = cora_timeout_reschedule(&timeout, 9);
    assert_int_equal(rc, -CORA_EFINISHED);
    assert_nothing_left();
    return 0;
}

TEST(a_timeout_that_has_expired_or_been_left_cannot_be_moved)
{
    int rc = run_virtual(move_too_late, NULL);

    assert_int_equal(rc, 0);
}

TEST(a_timeout_that_was_not_entered_cannot_be_moved)
{
    cora_timeout timeout = {{NULL}};
    int rc = cora_timeout_reschedule(&timeout, 9);

    assert_int_equal(rc, -CORA_ENOTENTERED);
}

/* ---- misuse -------------------------------------------------------------------------------- */

TEST(a_timeout_outside_a_task_has_no_effect_but_an_error_at_the_exit)
{
    cora_timeout timeout;
    int rc;

    cora_timeout_enter(&timeout, 1);
    assert_false(cora_timeout_expired(&timeout));
    rc = cora_timeout_exit(&timeout, 0);
    assert_int_equal(rc, -CORA_ENOTASK);
}

static int enter_twice(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 2);
    cora_timeout_enter(&timeout, 1);
    rc = cora_sleep(5);
    assert_int_equal(rc, -ECANCELED);
    assert_true(time_now() == 2);
    rc = cora_timeout_exit(&timeout, rc);
    assert_int_equal(rc, -CORA_EENTERED);
    rc = cora_timeout_exit(&timeout, 0);
    assert_int_equal(rc, -CORA_EFINISHED);
    assert_nothing_left();
    return 0;
}

TEST(a_timeout_entered_twice_keeps_its_first_entry_and_tells_at_the_exit)
{
    int rc = run_virtual(enter_twice, NULL);

    assert_int_equal(rc, 0);
}

static int enter_twice_around(void *arg)
{
    cora_timeout timeout, between;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 3);
    cora_timeout_enter(&between, 1);
    cora_timeout_enter(&timeout, 2);
    rc = cora_timeout_exit(&between, cora_sleep(5));
    assert_int_equal(rc, -ETIMEDOUT);
    rc = cora_timeout_exit(&timeout, 0);
    assert_int_equal(rc, -CORA_EENTERED);
    assert_nothing_left();
    return 0;
}

TEST(a_timeout_entered_twice_does_not_harm_one_between)
{
    int rc = run_virtual(enter_twice_around, NULL);

    assert_int_equal(rc, 0);
}

static int enter_again(void *arg)
{
    cora_timeout timeout;

    (void)arg;
    for (int i = 0; i < 3; i++) {
        int rc;

        cora_timeout_enter(&timeout, 1);
        rc = cora_timeout_exit(&timeout, cora_sleep(5));
        assert_int_equal(rc, -ETIMEDOUT);
    }
    assert_true(time_now() == 3);
    assert_nothing_left();
    return 0;
}

TEST(a_timeout_that_was_left_can_be_entered_again)
{
    int rc = run_virtual(enter_again, NULL);

    assert_int_equal(rc, 0);
}

static void assert_reported(const char *when)
{
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -CORA_EUNBALANCED);
    assert_non_null(strstr(reports.message, "the timeout entered at "));
    assert_non_null(strstr(reports.message, "test_timeout.c:"));
    assert_non_null(strstr(reports.message, when));
}

static int leave_out_of_order(void *arg)
{
    cora_timeout outer, inner;
    int rc;

    (void)arg;
    cora_timeout_enter(&outer, 9);
    cora_timeout_enter(&inner, 2);
    rc = cora_timeout_exit(&outer, 1);
    assert_int_equal(rc, 1);
    assert_reported("when an outer scope was left");
    rc = cora_sleep(5);
    assert_int_equal(rc, 0);
    rc = cora_timeout_exit(&inner, 1);
    assert_int_equal(rc, 1);
    rc = cora_sleep(20);
    assert_int_equal(rc, 0);
    assert_int_equal(cancelling(), 0);
    return 0;
}

TEST(a_timeout_left_out_of_order_is_reported_and_has_no_effect_any_more)
{
    int rc = run_virtual(leave_out_of_order, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
}

static int leave_an_expired_one_out_of_order(void *arg)
{
    cora_timeout outer, inner;
    int rc;

    (void)arg;
    cora_timeout_enter(&outer, 9);
    cora_timeout_enter(&inner, 2);
    rc = cora_sleep(5);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_timeout_exit(&outer, rc);
    assert_int_equal(rc, -ECANCELED);
    assert_reported("when an outer scope was left");
    rc = cora_timeout_exit(&inner, rc);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_int_equal(cancelling(), 0);
    return 0;
}

TEST(an_expired_timeout_left_out_of_order_still_converts)
{
    int rc = run_virtual(leave_an_expired_one_out_of_order, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
}

static int leave_open(void *arg)
{
    cora_timeout timeout;

    cora_timeout_enter(&timeout, *(double *)arg);
    return 6;
}

static int outlive_an_open_one(void *arg)
{
    int rc = cora_await_unref(cora_create_task_arg(leave_open, arg));

    assert_int_equal(rc, 6);
    assert_reported("when its task ended");
    rc = cora_sleep(20);
    assert_int_equal(rc, 0);
    return 0;
}

TEST(a_timeout_left_open_at_the_end_of_its_task_is_reported_and_never_fires)
{
    double delay = 3;
    int rc = run_virtual(outlive_an_open_one, &delay);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
}

TEST(a_timeout_left_open_with_its_expiry_queued_is_reported_and_never_fires)
{
    double delay = 0;
    int rc = run_virtual(outlive_an_open_one, &delay);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
}

/* Returns without leaving its timeout: the storage is gone, and written over, when it matters. */
__attribute__((noinline)) static void forget_to_leave(double delay)
{
    cora_timeout timeout;

    cora_timeout_enter(&timeout, delay);
}

__attribute__((noinline)) static int write_over_the_stack(void)
{
    volatile char rubbish[2000];

    for (size_t i = 0; i < sizeof rubbish; i++)
        rubbish[i] = 0x5a;
    return rubbish[0];
}

static int forgetful(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    forget_to_leave(2);
    write_over_the_stack();
    cora_timeout_enter(&timeout, 1);
    rc = cora_timeout_exit(&timeout, cora_sleep(5));
    assert_int_equal(rc, -ETIMEDOUT);
    rc = cora_sleep(9); /* the forgotten one still counts */
    assert_int_equal(rc, -ECANCELED);
    assert_true(time_now() == 2);
    return 6;
}

static int outlive_the_forgetful(void *arg)
{
    int rc = cora_await_unref(cora_create_task_arg(forgetful, arg));

    assert_int_equal(rc, 6);
    rc = cora_sleep(20);
    assert_int_equal(rc, 0);
    return 0;
}

TEST(a_timeout_left_open_does_not_need_its_storage)
{
    int rc = run_virtual(outlive_the_forgetful, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
}

static void stop_the_loop(void *loop)
{
    cora_loop_stop(loop);
}

TEST(a_loop_closed_under_a_task_in_a_timeout_drops_both)
{
    double when = 3;
    cora_loop *loop = virtual_loop();
    cora_task *task = cora_loop_create_task_arg(loop, NULL, moved, "moved", &when);
    int rc = cora_loop_call_later(loop, 0, stop_the_loop, loop, NULL);

    assert_int_equal(rc, 0);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
    cora_task_unref(task);
    cora_loop_free(loop);
    assert_int_equal(reports.count, 1);
    assert_non_null(strstr(reports.message, "dropped"));
}

/* ---- left by another than who entered ------------------------------------------------------- */

static int enter_and_end(void *timeout)
{
    cora_timeout_enter((cora_timeout *)timeout, 5);
    return 0;
}

static int enter_sleep_and_exit(void *timeout)
{
    int rc;

    cora_timeout_enter((cora_timeout *)timeout, 5);
    rc = cora_sleep(1);
    return cora_timeout_exit(timeout, rc);
}

static void assert_not_ours(cora_timeout *timeout)
{
    int rc = cora_timeout_exit(timeout, 0);

    assert_int_equal(rc, -CORA_EFINISHED);
}

static void assert_over(cora_timeout *timeout)
{
    int rc = cora_timeout_reschedule(timeout, 7);

    assert_not_ours(timeout);
    assert_int_equal(rc, -CORA_EFINISHED);
}

static int exit_anothers(void *arg)
{
    cora_timeout timeout = {{NULL}};
    cora_task *task = cora_create_task_arg(enter_sleep_and_exit, &timeout);
    int rc = cora_sleep(0);

    (void)arg;
    assert_int_equal(rc, 0);
    assert_not_ours(&timeout);
    assert_int_equal(cancelling(), 0);
    rc = cora_await_unref(task); /* who has entered is not disturbed */
    assert_int_equal(rc, 0);
    assert_over(&timeout);
    assert_nothing_left();
    return 0;
}

TEST(a_timeout_that_another_task_is_in_cannot_be_left)
{
    int rc = run_virtual(exit_anothers, NULL);

    assert_int_equal(rc, 0);
}

static int exit_a_dead_ones(void *arg)
{
    cora_timeout timeout = {{NULL}};
    int rc = cora_await_unref(cora_create_task_arg(enter_and_end, &timeout));

    (void)arg;
    assert_int_equal(rc, 0);
    assert_over(&timeout);
    return cora_sleep(1000);
}

TEST(a_timeout_whose_task_has_ended_cannot_be_left)
{
    int rc = run_virtual(exit_a_dead_ones, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1); /* it was still open when its task ended */
}

static int time_a_yield(void *arg)
{
    cora_timeout timeout;
    int rc;

    cora_timeout_enter(&timeout, 5);
    rc = cora_generator_yield(arg, NULL);
    rc = cora_timeout_exit(&timeout, rc);
    *(int *)arg = rc;
    return rc;
}

static int next_of(void *generator)
{
    void *value;

    return cora_generator_next(generator, &value);
}

static int end_a_generator_of_another(void *arg)
{
    int left = 0;
    cora_generator *generator = cora_generator_create_arg(time_a_yield, &left);
    int rc = cora_await_unref(cora_create_task_arg(next_of, generator));

    (void)arg;
    assert_int_equal(rc, 0);
    rc = cora_generator_destroy(generator);
    assert_int_equal(rc, -CORA_EFINISHED);
    assert_int_equal(left, -CORA_EFINISHED);
    return 0;
}

TEST(a_generator_in_a_timeout_of_a_task_that_has_ended_can_be_ended_by_another)
{
    int rc = run_virtual(end_a_generator_of_another, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
}

static int exit_what_is_zero(void *arg)
{
    cora_timeout timeout = {{NULL}};
    int rc = cora_timeout_reschedule(&timeout, 1);

    (void)arg;
    assert_int_equal(rc, -CORA_ENOTENTERED);
    return cora_timeout_exit(&timeout, 0);
}

TEST(a_timeout_that_was_never_entered_cannot_be_left)
{
    int rc = run_virtual(exit_what_is_zero, NULL);

    assert_int_equal(rc, -CORA_ENOTENTERED);
    rc = exit_what_is_zero(NULL);
    assert_int_equal(rc, -CORA_ENOTENTERED);
}

/* ---- deadlines of others ------------------------------------------------------------------- */

static int sleep_long_in(void *timeout)
{
    cora_timeout_enter((cora_timeout *)timeout, 10);
    return cora_timeout_exit(timeout, cora_sleep(1000));
}

/* A task that has come to its sleep in the timeout, which is then to end earlier. */
static cora_task *cut_short(cora_timeout *timeout, double when)
{
    cora_task *task = cora_create_task_arg(sleep_long_in, timeout);
    int rc = cora_sleep(0);

    assert_int_equal(rc, 0);
    rc = cora_timeout_reschedule(timeout, when);
    assert_int_equal(rc, 0);
    return task;
}

static void assert_cut_off(cora_task *task, cora_timeout *timeout, double when)
{
    int rc = cora_await_unref(task);

    assert_int_equal(rc, -ETIMEDOUT);
    assert_true(time_now() == when);
    rc = cora_timeout_reschedule(timeout, 9);
    assert_int_equal(rc, -CORA_EFINISHED);
}

static int move_those_of_others(void *arg)
{
    cora_timeout first, second, open = {{NULL}};
    cora_task *one = cut_short(&first, 3), *two = cut_short(&second, 2);
    int rc = cora_await_unref(cora_create_task_arg(enter_and_end, &open));

    (void)arg;
    assert_int_equal(rc, 0);
    rc = cora_timeout_reschedule(&open, 9);
    assert_int_equal(rc, -CORA_EFINISHED);
    assert_cut_off(two, &second, 2);
    assert_cut_off(one, &first, 3);
    return 0;
}

TEST(deadlines_of_others_are_moved_as_long_as_they_are_in_there)
{
    int rc = run_virtual(move_those_of_others, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1); /* of the one that was left open */
}
