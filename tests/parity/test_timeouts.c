/* CPython's test_timeouts.py: when a timeout cuts its body off, and what becomes of errors in it.
 */
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

/* Runs the body of a test as the main task. It returns 0, and nothing is reported. */
static void run(cora_task_fn *fn)
{
    int rc = run_virtual(fn, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

/* A part of a body that must be cut off: notes that it was, and passes it on. */
static int sleep_until_cut_off(double delay)
{
    int rc = cora_sleep(delay);

    assert_int_equal(rc, -ECANCELED);
    trace("cancelled");
    return rc;
}

/* ---- expiry -------------------------------------------------------------------------------- */

static int timeout_basic(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 0.01);
    rc = cora_timeout_exit(&timeout, cora_sleep(10));
    assert_int_equal(rc, -ETIMEDOUT);
    assert_true(cora_timeout_expired(&timeout));
    assert_true(time_now() == 0.01);
    assert_int_equal(cancelling(), 0);
    return 0;
}

TEST(TimeoutTests_test_timeout_basic)
{
    run(timeout_basic);
}

static int timeout_at_basic(void *arg)
{
    cora_timeout timeout;
    int rc = cora_sleep(3);

    (void)arg;
    assert_int_equal(rc, 0);
    cora_timeout_at_enter(&timeout, 4);
    rc = cora_timeout_exit(&timeout, cora_sleep(10));
    assert_int_equal(rc, -ETIMEDOUT);
    assert_true(cora_timeout_expired(&timeout));
    assert_true(cora_timeout_when(&timeout) == 4);
    assert_true(time_now() == 4);
    return 0;
}

TEST(TimeoutTests_test_timeout_at_basic)
{
    run(timeout_at_basic);
}

/* Both have expired, in the same iteration: the outer one alone makes a timeout of it. */
static int nested_timeouts(void *arg)
{
    cora_timeout outer, inner;
    int rc;

    (void)arg;
    cora_timeout_at_enter(&outer, 1);
    cora_timeout_at_enter(&inner, 1);
    rc = cora_timeout_exit(&inner, sleep_until_cut_off(10));
    assert_int_equal(rc, -ECANCELED);
    rc = cora_timeout_exit(&outer, rc);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_true(cora_timeout_expired(&outer));
    assert_true(cora_timeout_expired(&inner));
    assert_int_equal(cancelling(), 0);
    return 0;
}

TEST(TimeoutTests_test_nested_timeouts)
{
    run(nested_timeouts);
    assert_string_equal(trace_text, "cancelled ");
}

static int waiter_cancelled(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 1);
    rc = cora_timeout_exit(&timeout, sleep_until_cut_off(10));
    assert_int_equal(rc, -ETIMEDOUT);
    return 0;
}

TEST(TimeoutTests_test_waiter_cancelled)
{
    run(waiter_cancelled);
    assert_string_equal(trace_text, "cancelled ");
}

static int timeout_not_called(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 10);
    rc = cora_timeout_exit(&timeout, cora_sleep(0.01));
    assert_int_equal(rc, 0);
    assert_false(cora_timeout_expired(&timeout));
    assert_true(cora_timeout_when(&timeout) > time_now());
    rc = cora_sleep(20); /* nor is it called later */
    assert_int_equal(rc, 0);
    return 0;
}

TEST(TimeoutTests_test_timeout_not_called)
{
    run(timeout_not_called);
}

static int timeout_disabled(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, INFINITY);
    rc = cora_timeout_exit(&timeout, cora_sleep(0.01));
    assert_int_equal(rc, 0);
    assert_false(cora_timeout_expired(&timeout));
    assert_true(isinf(cora_timeout_when(&timeout)));
    return 0;
}

TEST(TimeoutTests_test_timeout_disabled)
{
    run(timeout_disabled);
}

static int timeout_at_disabled(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_at_enter(&timeout, INFINITY);
    rc = cora_timeout_exit(&timeout, cora_sleep(0.01));
    assert_int_equal(rc, 0);
    assert_false(cora_timeout_expired(&timeout));
    assert_true(isinf(cora_timeout_when(&timeout)));
    return 0;
}

TEST(TimeoutTests_test_timeout_at_disabled)
{
    run(timeout_at_disabled);
}

/* Enters at time 5 with `delay`, sleeps for `length`, and is cut off at once. */
static int no_time(double delay, double length)
{
    cora_timeout timeout;
    int rc = cora_sleep(5);

    assert_int_equal(rc, 0);
    cora_timeout_enter(&timeout, delay);
    assert_false(cora_timeout_expired(&timeout));
    rc = cora_timeout_exit(&timeout, cora_sleep(length));
    assert_int_equal(rc, -ETIMEDOUT);
    assert_true(cora_timeout_expired(&timeout));
    assert_true(cora_timeout_when(&timeout) == 5 + delay);
    assert_true(time_now() == 5);
    return 0;
}

static int timeout_zero(void *arg)
{
    (void)arg;
    return no_time(0, 10);
}

TEST(TimeoutTests_test_timeout_zero)
{
    run(timeout_zero);
}

static int timeout_zero_sleep_zero(void *arg)
{
    (void)arg;
    return no_time(0, 0);
}

TEST(TimeoutTests_test_timeout_zero_sleep_zero)
{
    run(timeout_zero_sleep_zero);
}

static int timeout_in_the_past_sleep_zero(void *arg)
{
    (void)arg;
    return no_time(-11, 0);
}

TEST(TimeoutTests_test_timeout_in_the_past_sleep_zero)
{
    run(timeout_in_the_past_sleep_zero);
}

/* ---- errors of the body -------------------------------------------------------------------- */

static int foreign_exception_passed(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 0.01);
    rc = cora_timeout_exit(&timeout, -ENOENT);
    assert_int_equal(rc, -ENOENT);
    assert_false(cora_timeout_expired(&timeout));
    return 0;
}

TEST(TimeoutTests_test_foreign_exception_passed)
{
    run(foreign_exception_passed);
}

/* The body has failed and is cut off while it cleans up: the cancellation takes the error's place.
 */
static int fail_then_clean_up(void)
{
    int error = -EDOM, rc = sleep_until_cut_off(1);

    return rc < 0 ? rc : error;
}

static int timeout_exception_context(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 0.01);
    rc = cora_timeout_exit(&timeout, fail_then_clean_up());
    assert_int_equal(rc, -ETIMEDOUT);
    return 0;
}

TEST(TimeoutTests_test_timeout_exception_context)
{
    run(timeout_exception_context);
    assert_string_equal(trace_text, "cancelled ");
}

static int crash(void)
{
    (void)sleep_until_cut_off(1);
    return -EDOM;
}

/* The other way round: the body fails over its cancellation, and that error passes. */
static int foreign_exception_on_timeout(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 0.01);
    rc = cora_timeout_exit(&timeout, crash());
    assert_int_equal(rc, -EDOM);
    assert_true(cora_timeout_expired(&timeout));
    assert_int_equal(cancelling(), 0);
    return 0;
}

TEST(TimeoutTests_test_foreign_exception_on_timeout)
{
    run(foreign_exception_on_timeout);
    assert_string_equal(trace_text, "cancelled ");
}

/* Fails, is cut off in the clean-up, and fails twice more over that: the last error counts. */
static int fail_again_and_again(void)
{
    int rc = fail_then_clean_up();

    if (rc == -ECANCELED)
        rc = -ENOENT;
    trace("%s", cora_strerrorname(rc));
    if (rc == -ENOENT)
        rc = -EDOM;
    return rc;
}

static int foreign_exception_on_timeout_2(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 0.01);
    rc = cora_timeout_exit(&timeout, fail_again_and_again());
    assert_int_equal(rc, -EDOM);
    assert_true(cora_timeout_expired(&timeout));
    assert_int_equal(cancelling(), 0);
    return 0;
}

TEST(TimeoutTests_test_foreign_exception_on_timeout_2)
{
    run(foreign_exception_on_timeout_2);
    assert_string_equal(trace_text, "cancelled ENOENT ");
}

static int foreign_cancel(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 10);
    cora_task_cancel(cora_current_task());
    rc = cora_timeout_exit(&timeout, cora_sleep(10));
    assert_int_equal(rc, -ECANCELED);
    assert_false(cora_timeout_expired(&timeout));
    assert_true(time_now() == 0);
    assert_int_equal(cancelling(), 1);
    return 0;
}

TEST(TimeoutTests_test_foreign_cancel_doesnt_timeout_if_not_expired)
{
    run(foreign_cancel);
}

static int time_out(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 0.001);
    rc = cora_timeout_exit(&timeout, cora_sleep(10));
    assert_int_equal(rc, -ETIMEDOUT);
    return 0;
}

static int outer_task(void *arg)
{
    cora_task *task = cora_create_task_arg(time_out, arg);
    int rc = cora_await(task);

    assert_int_equal(rc, 0);
    assert_true(cora_task_done(task));
    assert_false(cora_task_cancelled(task));
    cora_task_unref(task);
    return 0;
}

TEST(TimeoutTests_test_outer_task_is_not_cancelled)
{
    run(outer_task);
}

/* ---- a loop that is held while the time runs out ------------------------------------------- */

/* Computes until `when` has passed on the clock, which is a real one for that. */
static void compute_until(double when)
{
    while (time_now() <= when)
        continue;
}

static void run_in_real_time(cora_task_fn *fn)
{
    int rc = cora_run(fn, NULL);

    assert_int_equal(rc, 0);
}

/* The outer one alone has expired: the inner one lets the cancellation pass. */
static int nested_timeouts_concurrent(void *arg)
{
    cora_timeout outer, inner;
    int rc;

    (void)arg;
    cora_timeout_enter(&outer, 0.002);
    cora_timeout_enter(&inner, 1000);
    compute_until(cora_timeout_when(&outer));
    assert_false(cora_timeout_expired(&outer));
    rc = cora_timeout_exit(&inner, sleep_until_cut_off(1000));
    assert_int_equal(rc, -ECANCELED);
    assert_false(cora_timeout_expired(&inner));
    rc = cora_timeout_exit(&outer, rc);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_int_equal(cancelling(), 0);
    return 0;
}

TEST(TimeoutTests_test_nested_timeouts_concurrent)
{
    run_in_real_time(nested_timeouts_concurrent);
    assert_string_equal(trace_text, "cancelled ");
}

/* Both have run out by the time the loop comes round to look: one cancellation, and the outer's. */
static int both_late(void *arg)
{
    cora_timeout outer, inner;
    int rc;

    (void)arg;
    cora_timeout_enter(&outer, 0.004);
    cora_timeout_enter(&inner, 0.002);
    compute_until(cora_timeout_when(&outer));
    rc = cora_timeout_exit(&inner, sleep_until_cut_off(1000));
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_timeout_expired(&inner));
    rc = cora_timeout_exit(&outer, rc);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_int_equal(cancelling(), 0);
    return 0;
}

/* The inner one has, and is dealt with; the outer one cuts off what comes after it. */
static int inner_late(void *arg)
{
    cora_timeout outer, inner;
    int rc;

    (void)arg;
    cora_timeout_enter(&outer, 10);
    cora_timeout_enter(&inner, 1);
    rc = cora_timeout_exit(&inner, sleep_until_cut_off(1000));
    assert_int_equal(rc, -ETIMEDOUT);
    assert_true(time_now() == 1);
    rc = cora_timeout_exit(&outer, sleep_until_cut_off(1000));
    assert_int_equal(rc, -ETIMEDOUT);
    assert_true(time_now() == 10);
    return 0;
}

TEST(TimeoutTests_test_nested_timeouts_loop_busy)
{
    run_in_real_time(both_late);
    assert_string_equal(trace_text, "cancelled ");
    run(inner_late);
    assert_string_equal(trace_text, "cancelled cancelled cancelled ");
}

/* ---- a new deadline ------------------------------------------------------------------------ */

struct rescheduled {
    cora_future *entered;
    cora_timeout timeout;
};

static int sleep_in_a_timeout(void *arg)
{
    struct rescheduled *r = arg;
    int rc;

    cora_timeout_at_enter(&r->timeout, 10);
    rc = cora_future_set_result(r->entered, 0, &r->timeout);
    assert_int_equal(rc, 0);
    rc = cora_timeout_exit(&r->timeout, cora_sleep(50));
    assert_int_equal(rc, -ECANCELED);
    return rc;
}

/* Another task than the one that is in the timeout moves the deadline. */
static int reschedule(void *arg)
{
    struct rescheduled r = {.entered = cora_loop_create_future(cora_get_running_loop())};
    cora_task *task = cora_create_task_arg(sleep_in_a_timeout, &r);
    cora_timeout *timeout;
    int rc = cora_await(r.entered);

    (void)arg;
    assert_int_equal(rc, 0);
    timeout = cora_future_value(r.entered);
    assert_true(cora_timeout_when(timeout) == 10);
    rc = cora_timeout_reschedule(timeout, 30);
    assert_int_equal(rc, 0);
    assert_true(cora_timeout_when(timeout) == 30);
    rc = cora_timeout_reschedule(timeout, INFINITY);
    assert_int_equal(rc, 0);
    assert_true(isinf(cora_timeout_when(timeout)));
    rc = cora_sleep(40); /* past both deadlines */
    assert_int_equal(rc, 0);
    assert_false(cora_task_done(task));
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    assert_false(cora_timeout_expired(timeout));
    cora_future_unref(r.entered);
    return 0;
}

TEST(TimeoutTests_test_reschedule)
{
    run(reschedule);
}

/* ---- timeouts in clean-ups ----------------------------------------------------------------- */

static int clean_up_in_a_timeout(int rc)
{
    cora_timeout timeout;
    int inner;

    cora_timeout_enter(&timeout, 0.5);
    inner = cora_timeout_exit(&timeout, sleep_until_cut_off(10));
    assert_int_equal(inner, -ETIMEDOUT);
    return rc;
}

static int nested_timeout_in_finally(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 1);
    rc = cora_timeout_exit(&timeout, clean_up_in_a_timeout(cora_sleep(10)));
    assert_int_equal(rc, -ETIMEDOUT);
    assert_true(time_now() == 1.5);
    assert_int_equal(cancelling(), 0);
    return 0;
}

TEST(TimeoutTests_test_nested_timeout_in_finally)
{
    run(nested_timeout_in_finally);
    assert_string_equal(trace_text, "cancelled ");
}

static void cancel_oneself(void)
{
    int rc;

    cora_task_cancel(cora_current_task());
    rc = cora_sleep(1);
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(cancelling(), 1);
}

/* The cancellation from before the entry stays counted and is no hindrance. */
static int timeout_after_cancellation(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cancel_oneself();
    cora_timeout_enter(&timeout, 0);
    rc = cora_timeout_exit(&timeout, cora_sleep(1));
    assert_int_equal(rc, -ETIMEDOUT);
    assert_int_equal(cancelling(), 1);
    return 0;
}

TEST(TimeoutTests_test_timeout_after_cancellation)
{
    run(timeout_after_cancellation);
}

static int cancel_in_timeout_after_cancellation(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cancel_oneself();
    cora_timeout_enter(&timeout, 1);
    cora_task_cancel(cora_current_task());
    rc = cora_timeout_exit(&timeout, cora_sleep(2));
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(cancelling(), 2);
    return 0;
}

TEST(TimeoutTests_test_cancel_in_timeout_after_cancellation)
{
    run(cancel_in_timeout_after_cancellation);
}

/* ---- misuse -------------------------------------------------------------------------------- */

static int timeout_already_entered(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 0.01);
    cora_timeout_enter(&timeout, 0.01);
    rc = cora_timeout_exit(&timeout, 0);
    assert_int_equal(rc, -CORA_EENTERED);
    return 0;
}

TEST(TimeoutTests_test_timeout_already_entered)
{
    run(timeout_already_entered);
}

static int timeout_finished(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 0.01);
    rc = cora_timeout_exit(&timeout, 0);
    assert_int_equal(rc, 0);
    rc = cora_timeout_reschedule(&timeout, 0.02);
    assert_int_equal(rc, -CORA_EFINISHED);
    return 0;
}

TEST(TimeoutTests_test_timeout_finished)
{
    run(timeout_finished);
}

static int timeout_expired(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 0.01);
    rc = cora_timeout_exit(&timeout, cora_sleep(1));
    assert_int_equal(rc, -ETIMEDOUT);
    rc = cora_timeout_reschedule(&timeout, 0.02);
    assert_int_equal(rc, -CORA_EFINISHED);
    return 0;
}

TEST(TimeoutTests_test_timeout_expired)
{
    run(timeout_expired);
}

/* Between its expiry and its exit; the body then swallows the cancellation. */
static int timeout_expiring(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 0.01);
    rc = cora_sleep(1);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_timeout_reschedule(&timeout, 0.02);
    assert_int_equal(rc, -CORA_EFINISHED);
    rc = cora_timeout_exit(&timeout, 0);
    assert_int_equal(rc, 0);
    assert_int_equal(cancelling(), 0);
    return 0;
}

TEST(TimeoutTests_test_timeout_expiring)
{
    run(timeout_expiring);
}

static int timeout_not_entered(void *arg)
{
    cora_timeout timeout = {{NULL}};
    int rc = cora_timeout_reschedule(&timeout, 0.02);

    (void)arg;
    assert_int_equal(rc, -CORA_ENOTENTERED);
    return 0;
}

TEST(TimeoutTests_test_timeout_not_entered)
{
    run(timeout_not_entered);
}

static void enter_outside_a_task(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 0.01);
    rc = cora_timeout_reschedule(&timeout, 0.02);
    assert_int_equal(rc, -CORA_ENOTENTERED);
    rc = cora_timeout_exit(&timeout, 0);
    assert_int_equal(rc, -CORA_ENOTASK);
    trace("entered");
}

static int timeout_without_task(void *arg)
{
    int rc = cora_loop_call_soon(cora_get_running_loop(), enter_outside_a_task, arg, NULL);

    assert_int_equal(rc, 0);
    return cora_sleep(1);
}

TEST(TimeoutTests_test_timeout_without_task)
{
    run(timeout_without_task);
    assert_string_equal(trace_text, "entered ");
}

/* ---- with a task group --------------------------------------------------------------------- */

static int crash_in_clean_up(void *arg)
{
    (void)arg;
    return crash();
}

/* Timeout and group: the child's error wins over the cancellation, and so over the timeout. */
static int timeout_taskgroup(void *arg)
{
    cora_timeout timeout;
    cora_task_group group;
    int errors[2] = {0}, rc;
    size_t count;

    cora_timeout_enter(&timeout, 0.01);
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task_arg(&group, crash_in_clean_up, arg);
    assert_int_equal(rc, 0);
    rc = cora_task_group_join(&group, fail_then_clean_up());
    count = cora_task_group_errors(&group, errors, 2);
    assert_int_equal(count, 1);
    assert_int_equal(errors[0], -EDOM);
    rc = cora_task_group_exit(&group, rc);
    assert_int_equal(rc, -EDOM);
    rc = cora_timeout_exit(&timeout, rc);
    assert_int_equal(rc, -EDOM);
    assert_true(cora_timeout_expired(&timeout));
    assert_int_equal(cancelling(), 0);
    return 0;
}

TEST(TimeoutTests_test_timeout_taskgroup)
{
    run(timeout_taskgroup);
    assert_string_equal(trace_text, "cancelled cancelled ");
}
