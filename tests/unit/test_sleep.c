/* Sleeping, and the hops that it takes. */
#include "support/test.h"
#include "support/virtual.h"

#include <math.h>

static void note(void *arg)
{
    trace("%s", (const char *)arg);
}

static void soon(cora_callback *fn, void *arg)
{
    int rc = cora_loop_call_soon(cora_get_running_loop(), fn, arg, NULL);

    assert_int_equal(rc, 0);
}

static double now(void)
{
    return cora_loop_time(cora_get_running_loop());
}

/* Notes the end of each iteration, so many times. */
static void mark(void *arg)
{
    int *left = arg;

    trace("|");
    if (--*left > 0)
        soon(mark, left);
}

static int sleep_exactly(void *arg)
{
    double *times = arg;
    int rc = cora_sleep(0.1);

    times[0] = now();
    if (rc == 0)
        rc = cora_sleep(1e6);
    times[1] = now();
    return rc;
}

TEST(a_sleep_lasts_exactly_its_time)
{
    double times[2];
    int rc = run_virtual(sleep_exactly, times);

    assert_int_equal(rc, 0);
    assert_true(times[0] == 0.1);
    assert_true(times[1] == 0.1 + 1e6);
}

static int sleep_for_none(void *arg)
{
    int left = 3, rc;

    (void)arg;
    soon(mark, &left);
    rc = cora_sleep(0);
    trace("zero");
    rc |= cora_sleep(-1);
    trace("negative");
    rc |= cora_sleep(-INFINITY);
    trace("%g", now());
    return rc;
}

TEST(a_sleep_of_nothing_or_less_takes_one_iteration_and_no_time)
{
    int rc = run_virtual(sleep_for_none, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "| zero | negative | 0 ");
}

static int others_run(void *arg)
{
    int rc;

    (void)arg;
    soon(note, "a");
    soon(note, "b");
    rc = cora_sleep(0);
    trace("back");
    return rc;
}

TEST(a_sleep_of_zero_lets_all_run_who_are_ready)
{
    int rc = run_virtual(others_run, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "a b back ");
}

static int sleep_beside_a_timer(void *arg)
{
    cora_loop *loop = cora_get_running_loop();
    int left = 2, rc;

    (void)arg;
    rc = cora_loop_call_later(loop, 1, mark, &left, NULL); /* counts from here on */
    rc |= cora_loop_call_later(loop, 1, note, "before", NULL);
    soon(note, "now");
    assert_int_equal(rc, 0);
    rc = cora_sleep(1);
    trace("sleeper");
    return rc;
}

TEST(a_sleeper_goes_on_one_iteration_after_its_timer)
{
    int rc = run_virtual(sleep_beside_a_timer, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "now | before | sleeper ");
}

static int sleep_and_note(void *arg)
{
    const char *name = arg;
    int rc = cora_sleep(name[0] - '0');

    trace("%s@%g", name, now());
    return rc;
}

static int sleep_together(void *arg)
{
    cora_task *tasks[4];
    static char names[4][3] = {"3a", "1a", "2a", "1b"};
    int rc = 0;

    (void)arg;
    for (int i = 0; i < 4; i++)
        tasks[i] = cora_create_task_arg(sleep_and_note, names[i]);
    for (int i = 0; i < 4; i++)
        rc |= cora_await_unref(tasks[i]);
    return rc;
}

TEST(sleepers_wake_in_the_order_of_their_times_then_of_their_beginnings)
{
    int rc = run_virtual(sleep_together, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "1a@1 1b@1 2a@2 3a@3 ");
}

static int sleep_for(void *arg)
{
    return cora_sleep(*(double *)arg);
}

TEST(a_sleep_of_nan_is_refused)
{
    double nan = NAN;
    int rc = run_virtual(sleep_for, &nan);

    assert_int_equal(rc, -EINVAL);
}

TEST(only_a_task_sleeps)
{
    int rc[2];

    rc[0] = cora_sleep(1);
    rc[1] = cora_sleep(0);
    assert_int_equal(rc[0], -CORA_ENOTASK);
    assert_int_equal(rc[1], -CORA_ENOTASK);
}

static void sleep_in_callback(void *arg)
{
    *(int *)arg = cora_sleep(0);
}

static int try_in_callback(void *arg)
{
    soon(sleep_in_callback, arg);
    return cora_sleep(0);
}

TEST(a_callback_does_not_sleep)
{
    int inner = 0;
    int rc = run_virtual(try_in_callback, &inner);

    assert_int_equal(rc, 0);
    assert_int_equal(inner, -CORA_ENOTASK);
}

static int cancel_a_sleeper(void *arg)
{
    double an_hour = 3600;
    cora_task *task = cora_create_task_arg(sleep_for, &an_hour);
    int rc = cora_sleep(1), outcome;

    (void)arg;
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    outcome = cora_await_unref(task);
    assert_int_equal(outcome, -ECANCELED);
    assert_true(now() == 1);
    return cora_loop_timeout(cora_get_running_loop()) == -1 ? 0 : 1; /* no timer is left */
}

TEST(a_cancelled_sleep_ends_at_once_and_leaves_no_timer)
{
    int rc = run_virtual(cancel_a_sleeper, NULL);

    assert_int_equal(rc, 0);
}

/* Cancelled in the iteration in which its timer is due: the handle of the timer is queued already.
 */
static int cancel_at_the_last_moment(void *arg)
{
    double second = 1;
    cora_task *task = cora_create_task_arg(sleep_for, &second);
    int rc = cora_sleep(1), outcome;

    (void)arg;
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    outcome = cora_await_unref(task);
    assert_int_equal(outcome, -ECANCELED);
    return cora_sleep(0);
}

TEST(a_sleep_cancelled_as_it_ends_is_cancelled)
{
    int rc = run_virtual(cancel_at_the_last_moment, NULL);

    assert_int_equal(rc, 0);
}
