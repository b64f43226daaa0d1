/* Eager tasks: what they are before, in and after the step that their creator makes for them. */
#include "support/test.h"
#include "support/virtual.h"

static const cora_task_options eager = {.eager_start = true};

static cora_task *start(cora_task_fn *fn, void *arg)
{
    return cora_loop_create_task_arg(NULL, &eager, fn, "fn", arg);
}

static int fail_at_once(void *arg)
{
    (void)arg;
    return -EIO;
}

static int drop_a_failed_one(void *arg)
{
    cora_task *task = start(fail_at_once, arg);

    assert_true(cora_task_done(task));
    assert_int_equal(reports.count, 0);
    cora_task_unref(task);
    assert_int_equal(reports.count, 1); /* nobody has asked for its error */
    assert_int_equal(reports.error, -EIO);
    return 0;
}

TEST(one_that_fails_at_once_is_done_and_its_error_is_not_lost)
{
    int rc = run_virtual(drop_a_failed_one, NULL);

    assert_int_equal(rc, 0);
}

static int sleep_once(void *arg)
{
    (void)arg;
    return cora_sleep(0);
}

TEST(where_its_loop_is_not_running_it_starts_like_any_other)
{
    cora_loop *loop = virtual_loop();
    cora_task *task = cora_loop_create_task_arg(NULL, &eager, fail_at_once, "fn", NULL);

    assert_null(task); /* there is no running loop */
    task = cora_loop_create_task_arg(loop, &eager, sleep_once, "fn", NULL);
    assert_non_null(task);
    assert_false(cora_task_done(task));
    for (int i = 0; i < 2; i++) {
        int rc = cora_loop_run_ready(loop);

        assert_int_equal(rc, 1);
    }
    assert_true(cora_task_done(task));
    cora_task_unref(task);
    cora_loop_free(loop);
}

static int start_in_another(void *other)
{
    cora_task *task = cora_loop_create_task_arg(other, &eager, sleep_once, "fn", NULL);

    assert_false(cora_task_done(task));
    cora_task_unref(task);
    return cora_loop_run_ready(other); /* a loop is running here */
}

TEST(a_task_of_another_loop_does_not_start_in_this_one)
{
    cora_loop *other = virtual_loop();
    int rc = run_virtual(start_in_another, other);

    assert_int_equal(rc, -CORA_ERUNNING);
    rc = cora_loop_run_ready(other);
    assert_int_equal(rc, 1);
    cora_loop_free(other);
}

static int want_too_much(void *arg)
{
    cora_task_options options = {.eager_start = true, .stack_size = (size_t)2 << 30};
    cora_task *task = cora_loop_create_task_arg(NULL, &options, sleep_once, "fn", arg);
    int rc;

    assert_true(cora_task_done(task));
    rc = cora_task_result(task);
    cora_task_unref(task);
    return rc;
}

TEST(one_that_gets_no_stack_fails_and_its_creator_goes_on)
{
    int rc = run_virtual(want_too_much, NULL);

    assert_int_equal(rc, -EINVAL);
}

/* Its creator is not cancelled with it, and is the current task again. */
static int cancel_myself(void *arg)
{
    int rc;

    (void)arg;
    cora_task_cancel(cora_current_task());
    rc = cora_sleep(0);
    trace("told");
    return rc;
}

static int start_one_that_cancels_itself(void *arg)
{
    cora_task *self = cora_current_task();
    cora_task *task = start(cancel_myself, arg);
    int rc;

    assert_ptr_equal(cora_current_task(), self);
    assert_int_equal(cora_task_cancelling(self), 0);
    assert_false(cora_task_done(task));
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    assert_string_equal(trace_text, "told ");
    return 0;
}

TEST(one_that_cancels_itself_is_told_where_it_suspends)
{
    int rc = run_virtual(start_one_that_cancels_itself, NULL);

    assert_int_equal(rc, 0);
}

enum { DEPTH = 50 };

static int nest(void *arg)
{
    int *depth = arg;
    int rc = 0;

    if (++*depth < DEPTH)
        rc = cora_await_unref(start(nest, depth));
    return rc < 0 ? rc : cora_sleep(0);
}

TEST(eager_tasks_nest)
{
    int depth = 0;
    int rc = run_virtual(nest, &depth);

    assert_int_equal(rc, 0);
    assert_int_equal(depth, DEPTH);
}

static void start_in_a_callback(void *arg)
{
    trace("callback");
    cora_task_unref(start(cancel_myself, arg));
    trace("goes on");
    assert_null(cora_current_task());
}

static int call_it(void *arg)
{
    int rc = cora_loop_call_soon(cora_get_running_loop(), start_in_a_callback, arg, NULL);

    assert_int_equal(rc, 0);
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = cora_sleep(0);
    return rc;
}

TEST(a_callback_may_start_one)
{
    int rc = run_virtual(call_it, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "callback goes on told ");
}

static int start_one_and_yield(void *arg)
{
    int value = 7;

    cora_task_unref(start(cancel_myself, arg));
    trace("goes on");
    return cora_generator_yield(&value, NULL);
}

static void start_in_a_generator(void *arg)
{
    cora_generator *generator = cora_generator_create_arg(start_one_and_yield, arg);
    void *value = NULL;
    int rc = cora_generator_next(generator, &value);

    assert_int_equal(rc, 0);
    trace("%d", *(int *)value);
    rc = cora_generator_destroy(generator);
    assert_int_equal(rc, 0);
}

static int call_generator(void *arg)
{
    int rc = cora_loop_call_soon(cora_get_running_loop(), start_in_a_generator, arg, NULL);

    assert_int_equal(rc, 0);
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = cora_sleep(0);
    return rc;
}

TEST(a_generator_that_a_callback_runs_may_start_one)
{
    int rc = run_virtual(call_generator, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "goes on 7 told ");
}
