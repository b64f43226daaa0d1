/* CPython's test_waitfor.py: what wait_for returns, and when what it waits for has ended. */
#include "support/test.h"
#include "support/virtual.h"

static double time_now(void)
{
    return cora_loop_time(cora_get_running_loop());
}

/* Runs the body of a test as the main task. It returns 0, and nothing is reported. */
static void run(cora_task_fn *fn)
{
    int rc = run_virtual(fn, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

static int end_at_once(void *arg)
{
    trace("ran");
    return arg != NULL ? *(int *)arg : 7;
}

/* Sleeps for ten seconds; *arg is whether it is running. */
static int sleep_ten(void *arg)
{
    bool *running = arg;
    int rc;

    *running = true;
    rc = cora_sleep(10);
    *running = false;
    return rc < 0 ? rc : 7;
}

/* The waiting, in a task of its own. */
struct waiter_args {
    cora_task *task;
    double timeout;
};

static int waiter(void *arg)
{
    struct waiter_args *a = arg;

    return cora_wait_for(a->task, a->timeout);
}

/* ---- a task that takes its time, cancelled or not ------------------------------------------ */

static int run_until_two(void *arg)
{
    bool *exited = arg;
    int rc = 0;

    while (time_now() < 2)
        rc = cora_sleep(2 - time_now());
    assert_int_equal(rc, 0);
    *exited = true;
    return 0;
}

static int wait_for_cancelled(void *arg)
{
    bool exited = false;
    cora_task *task = cora_create_task_arg(run_until_two, &exited);
    cora_task *wait = cora_create_task(waiter, .task = task, .timeout = 4);
    int rc = cora_sleep(0);

    (void)arg;
    assert_int_equal(rc, 0);
    cora_task_cancel(wait);
    rc = cora_wait(&wait, 1, INFINITY, CORA_ALL_COMPLETED);
    assert_int_equal(rc, 1);
    assert_true(exited);
    assert_true(time_now() == 2);
    cora_task_unref(wait);
    cora_task_unref(task);
    return 0;
}

TEST(AsyncioWaitForTest_test_asyncio_wait_for_cancelled)
{
    run(wait_for_cancelled);
}

static int wait_for_timeout(void *arg)
{
    bool exited = false;
    cora_task *task = cora_create_task_arg(run_until_two, &exited);
    int rc = cora_wait_for(task, 1);

    (void)arg;
    assert_int_equal(rc, 0); /* it ended by itself after all */
    assert_true(exited);
    assert_true(time_now() == 2);
    cora_task_unref(task);
    return 0;
}

TEST(AsyncioWaitForTest_test_asyncio_wait_for_timeout)
{
    run(wait_for_timeout);
}

/* ---- no time at all ------------------------------------------------------------------------ */

static int no_time_future_done(void *arg)
{
    cora_future *future = cora_loop_create_future(cora_get_running_loop());
    int rc = cora_future_set_result(future, 7, NULL);

    (void)arg;
    assert_int_equal(rc, 0);
    rc = cora_wait_for(future, 0);
    assert_int_equal(rc, 7);
    assert_true(cora_future_done(future));
    assert_true(time_now() == 0);
    cora_future_unref(future);
    return 0;
}

TEST(AsyncioWaitForTest_test_wait_for_timeout_less_then_0_or_0_future_done)
{
    run(no_time_future_done);
}

static int no_time_not_started(void *arg)
{
    cora_task *task = cora_create_task_arg(end_at_once, arg);
    int rc = cora_wait_for(task, 0);

    assert_int_equal(rc, -ETIMEDOUT);
    assert_true(cora_task_cancelled(task));
    assert_true(time_now() == 0);
    cora_task_unref(task);
    return 0;
}

TEST(AsyncioWaitForTest_test_wait_for_timeout_less_then_0_or_0_coroutine_do_not_started)
{
    run(no_time_not_started);
    assert_string_equal(trace_text, ""); /* its body never ran */
}

static void wait_without_time(double timeout)
{
    bool running = false;
    cora_task *task = cora_create_task_arg(sleep_ten, &running);
    int rc = cora_sleep(0);

    assert_int_equal(rc, 0);
    assert_true(running);
    rc = cora_wait_for(task, timeout);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_true(cora_task_done(task));
    assert_true(cora_task_cancelled(task));
    assert_false(running);
    assert_true(time_now() == 0);
    cora_task_unref(task);
}

static int no_time_started(void *arg)
{
    (void)arg;
    wait_without_time(0);
    wait_without_time(-1);
    return 0;
}

TEST(AsyncioWaitForTest_test_wait_for_timeout_less_then_0_or_0)
{
    run(no_time_started);
}

/* ---- in time, and not ---------------------------------------------------------------------- */

static int wait_for(void *arg)
{
    bool running = false;
    cora_task *task = cora_create_task_arg(sleep_ten, &running);
    int rc = cora_wait_for(task, 0.1);

    (void)arg;
    assert_int_equal(rc, -ETIMEDOUT);
    assert_true(cora_task_done(task));
    assert_true(cora_task_cancelled(task));
    assert_true(time_now() == 0.1);
    assert_false(running);
    cora_task_unref(task);
    return 0;
}

TEST(AsyncioWaitForTest_test_wait_for)
{
    run(wait_for);
}

static int wait_for_blocking(void *arg)
{
    cora_task *task = cora_create_task_arg(end_at_once, arg);
    int rc = cora_wait_for(task, INFINITY);

    assert_int_equal(rc, 7);
    cora_task_unref(task);
    return 0;
}

TEST(AsyncioWaitForTest_test_wait_for_blocking)
{
    run(wait_for_blocking);
}

static void set_result(void *future)
{
    int rc = cora_future_set_result(future, 7, NULL);

    assert_int_equal(rc, 0);
}

static int wait_for_race_condition(void *arg)
{
    cora_loop *loop = cora_get_running_loop();
    cora_future *future = cora_loop_create_future(loop);
    int rc = cora_loop_call_later(loop, 0.1, set_result, future, NULL);

    (void)arg;
    assert_int_equal(rc, 0);
    rc = cora_wait_for(future, 0.2);
    assert_int_equal(rc, 7);
    assert_true(time_now() == 0.1);
    cora_future_unref(future);
    return 0;
}

TEST(AsyncioWaitForTest_test_wait_for_race_condition)
{
    run(wait_for_race_condition);
}

/* ---- tasks that do something about their cancellation -------------------------------------- */

static int swallow(void *arg)
{
    int rc = cora_sleep(10);

    (void)arg;
    assert_int_equal(rc, -ECANCELED);
    trace("swallowed");
    return 42;
}

static int wait_for_swallower(void *arg)
{
    cora_task *task = cora_create_task_arg(swallow, arg);
    int rc = cora_wait_for(task, 0.1);

    assert_int_equal(rc, 42);
    assert_int_equal(cora_task_cancelling(cora_current_task()), 0);
    cora_task_unref(task);
    return 0;
}

TEST(AsyncioWaitForTest_test_wait_for_cancellation_race_condition)
{
    run(wait_for_swallower);
    assert_string_equal(trace_text, "swallowed ");
}

static int clean_up_for_one(void *arg)
{
    bool *done = arg;
    int rc = cora_sleep(10), cleaned = cora_sleep(1);

    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(cleaned, 0);
    *done = true;
    return rc;
}

static int wait_for_cleaner(void *arg)
{
    bool done = false;
    cora_task *task = cora_create_task_arg(clean_up_for_one, &done);
    int rc = cora_wait_for(task, 0.5);

    (void)arg;
    assert_int_equal(rc, -ETIMEDOUT);
    assert_true(done);
    assert_true(time_now() == 1.5);
    cora_task_unref(task);
    return 0;
}

TEST(AsyncioWaitForTest_test_wait_for_waits_for_task_cancellation)
{
    run(wait_for_cleaner);
}

static int wait_for_cleaner_without_time(void *arg)
{
    bool done = false;
    cora_task *task = cora_create_task_arg(clean_up_for_one, &done);
    int rc = cora_sleep(0.5);

    (void)arg;
    assert_int_equal(rc, 0);
    rc = cora_wait_for(task, 0);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_true(done);
    assert_true(time_now() == 1.5);
    cora_task_unref(task);
    return 0;
}

TEST(AsyncioWaitForTest_test_wait_for_waits_for_task_cancellation_w_timeout_0)
{
    run(wait_for_cleaner_without_time);
}

static int fail_when_cancelled(void *arg)
{
    int rc = cora_sleep(10);

    (void)arg;
    assert_int_equal(rc, -ECANCELED);
    return -EDOM;
}

static int wait_for_failer(void *arg)
{
    cora_task *task = cora_create_task_arg(fail_when_cancelled, arg);
    int rc = cora_wait_for(task, 0.1);

    assert_int_equal(rc, -EDOM);
    cora_task_unref(task);
    return 0;
}

TEST(AsyncioWaitForTest_test_wait_for_reraises_exception_during_cancellation)
{
    run(wait_for_failer);
}

/* ---- the waiting task is cancelled --------------------------------------------------------- */

static int await_forever(void *arg)
{
    cora_future *future = cora_loop_create_future(cora_get_running_loop());

    (void)arg;
    return cora_await_unref(future);
}

static void cancel(void *task)
{
    cora_task_cancel(task);
}

/* What it waits for is cancelled with it. */
static int cancel_wait(double timeout)
{
    cora_task *task = cora_create_task_arg(await_forever, NULL);
    cora_task *wait = cora_create_task(waiter, .task = task, .timeout = timeout);
    int rc = cora_loop_call_soon(cora_get_running_loop(), cancel, wait, NULL);

    assert_int_equal(rc, 0);
    rc = cora_await(wait);
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_task_cancelled(wait));
    assert_true(cora_task_cancelled(task));
    assert_true(time_now() == 0);
    cora_task_unref(wait);
    cora_task_unref(task);
    return 0;
}

static int cancel_blocking_wait_for(void *arg)
{
    (void)arg;
    return cancel_wait(INFINITY);
}

TEST(AsyncioWaitForTest_test_cancel_blocking_wait_for)
{
    run(cancel_blocking_wait_for);
}

static int cancel_wait_for(void *arg)
{
    (void)arg;
    return cancel_wait(60);
}

TEST(AsyncioWaitForTest_test_cancel_wait_for)
{
    run(cancel_wait_for);
}

TEST(AsyncioWaitForTest_test_wait_for_cancel_suppressed)
{
    run(wait_for_swallower);
    assert_string_equal(trace_text, "swallowed ");
}

struct wait_then_sleep_args {
    cora_task *task;
};

static int wait_then_sleep(void *arg)
{
    struct wait_then_sleep_args *a = arg;
    int rc = cora_wait_for(a->task, 100);

    if (rc >= 0)
        rc = cora_sleep(1);
    if (rc >= 0)
        trace("reached the end");
    return rc;
}

/* The task that is waited for ends in the iteration in which the waiting one is cancelled: the
 * cancellation is not lost, and its result is still there. */
static int wait_for_issue86296(void *arg)
{
    cora_task *inner = cora_create_task_arg(end_at_once, arg);
    cora_task *task = cora_create_task(wait_then_sleep, .task = inner);
    int rc;

    assert_false(cora_task_done(task));
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_task_done(inner));
    rc = cora_await_unref(inner);
    assert_int_equal(rc, 7);
    return 0;
}

TEST(AsyncioWaitForTest_test_wait_for_issue86296)
{
    run(wait_for_issue86296);
    assert_string_equal(trace_text, "ran ");
}

/* ---- shielded ------------------------------------------------------------------------------ */

static int sleep_one(void *arg)
{
    int rc = cora_sleep(1);

    (void)arg;
    return rc < 0 ? rc : 7;
}

static int zero_timeout(void *arg)
{
    cora_task *task = cora_create_task_arg(sleep_one, arg);
    cora_future *shield = cora_shield(task);
    int rc = cora_wait_for(shield, 0);

    assert_int_equal(rc, -ETIMEDOUT);
    assert_false(cora_task_done(task));
    assert_true(cora_future_cancelled(shield));
    rc = cora_sleep(2);
    assert_int_equal(rc, 0);
    assert_true(cora_task_done(task));
    rc = cora_await_unref(task);
    assert_int_equal(rc, 7);
    cora_future_unref(shield);
    return 0;
}

TEST(WaitForShieldTests_test_zero_timeout)
{
    run(zero_timeout);
}

static int none_timeout(void *arg)
{
    cora_task *task = cora_create_task_arg(sleep_one, arg);
    cora_future *shield = cora_shield(task);
    int rc = cora_wait_for(shield, INFINITY);

    assert_int_equal(rc, 7);
    assert_true(cora_task_done(task));
    rc = cora_await_unref(task);
    assert_int_equal(rc, 7);
    cora_future_unref(shield);
    return 0;
}

TEST(WaitForShieldTests_test_none_timeout)
{
    run(none_timeout);
}

static int shielded_timeout(void *arg)
{
    cora_task *task = cora_create_task_arg(sleep_one, arg);
    cora_future *shield = cora_shield(task);
    int rc = cora_wait_for(shield, 0.1);

    assert_int_equal(rc, -ETIMEDOUT);
    assert_false(cora_task_done(task));
    assert_true(time_now() == 0.1);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 7);
    cora_future_unref(shield);
    return 0;
}

TEST(WaitForShieldTests_test_shielded_timeout)
{
    run(shielded_timeout);
}
