/* What an exception handler may do while it is told: start tasks at once, cancel what comes next.
 */
#include "support/test.h"
#include "support/virtual.h"

static const cora_task_options eager = {.eager_start = true};
static const cora_task_options too_large = {.stack_size = (size_t)2 << 30};

static int sleep_once(void *arg)
{
    int rc;

    trace("%s starts,", (const char *)arg);
    rc = cora_sleep(0);
    trace("%s ends,", (const char *)arg);
    return rc;
}

static void start_one(cora_loop *loop, const cora_exception_context *context, void *arg)
{
    (void)loop;
    trace("told of %s,", cora_strerrorname(context->error));
    assert_null(cora_current_task());
    cora_task_unref(cora_loop_create_task_arg(NULL, &eager, sleep_once, "fn", arg));
    trace("told,");
}

static int note(void *arg)
{
    trace("%s,", (const char *)arg);
    return 0;
}

/* The first is started by the loop, the second by a task that suspends. */
static int start_two_without_stack(void *arg)
{
    int rc = 0;

    cora_loop_set_exception_handler(cora_get_running_loop(), start_one, arg);
    for (int i = 0; i < 2; i++) {
        cora_task_unref(cora_loop_create_task_arg(NULL, &too_large, note, "fn", "never"));
        cora_task_unref(cora_create_task_arg(note, "other"));
    }
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = cora_sleep(0);
    return rc;
}

TEST(it_may_start_a_task_eagerly_when_another_got_no_stack)
{
    int rc = run_virtual(start_two_without_stack, "nap");

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "told of EINVAL, nap starts, told, other, "
                                    "told of EINVAL, nap starts, told, other, "
                                    "nap ends, nap ends, ");
}

static int fail_unheard(void *arg)
{
    (void)arg;
    return -EIO;
}

static void start_one_in_a_task(cora_loop *loop, const cora_exception_context *context, void *arg)
{
    (void)loop, (void)context;
    trace("told,");
    cora_task_unref(cora_loop_create_task_arg(NULL, &eager, sleep_once, "fn", arg));
    trace("goes on,");
}

static int drop_one_that_fails(void *arg)
{
    int rc = 0;

    cora_loop_set_exception_handler(cora_get_running_loop(), start_one_in_a_task, arg);
    cora_task_unref(cora_create_task_arg(fail_unheard, NULL));
    cora_task_unref(cora_create_task_arg(note, "other"));
    for (int i = 0; i < 2 && rc == 0; i++)
        rc = cora_sleep(0);
    return rc;
}

TEST(it_may_start_a_task_eagerly_when_another_ends)
{
    int rc = run_virtual(drop_one_that_fails, "nap");

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "told, nap starts, goes on, other, nap ends, ");
}

/* ---- debug mode: whatever runs is told of as too slow --------------------------------------- */

static cora_handle *next;

static void cancel_the_next(cora_loop *loop, const cora_exception_context *context, void *arg)
{
    (void)loop, (void)context;
    if (next == NULL)
        return;
    cora_handle_cancel(next);
    cora_handle_unref(next);
    next = NULL;
    cora_task_unref(cora_loop_create_task_arg(NULL, &eager, sleep_once, "fn", arg));
    trace("told,");
}

static void note_callback(void *arg)
{
    trace("%s,", (const char *)arg);
}

static void call_three(cora_loop *loop, void *first)
{
    static const char *const names[] = {"next", "third"};

    if (first != NULL) {
        int rc = cora_loop_call_soon(loop, note_callback, first, NULL);

        assert_int_equal(rc, 0);
    }
    for (int i = 0; i < 2; i++) {
        int rc = cora_loop_call_soon(loop, note_callback, (void *)(uintptr_t)names[i],
                                     i == 0 ? &next : NULL);

        assert_int_equal(rc, 0);
    }
}

static int sleep_in_debug_mode(void *first)
{
    cora_loop *loop = cora_get_running_loop();
    int rc = cora_sleep(0); /* from here on it is told of what is timed */

    cora_loop_set_debug(loop, true);
    cora_loop_set_slow_callback_duration(loop, 0);
    cora_loop_set_exception_handler(loop, cancel_the_next, "nap");
    call_three(loop, first);
    for (int i = 0; i < 2 && rc == 0; i++)
        rc = cora_sleep(0);
    return rc;
}

TEST(told_of_a_slow_callback_it_may_cancel_the_next)
{
    int rc = run_virtual(sleep_in_debug_mode, "first");

    assert_int_equal(rc, 0);
    assert_null(next);
    assert_string_equal(trace_text, "first, nap starts, told, third, nap ends, ");
}

static int slow_step_before_the_next(void *arg)
{
    cora_loop *loop = cora_get_running_loop();

    (void)arg;
    cora_loop_set_slow_callback_duration(loop, 0);
    cora_loop_set_exception_handler(loop, cancel_the_next, "nap");
    return cora_sleep(0);
}

TEST(told_of_a_slow_step_it_may_cancel_the_next)
{
    cora_loop *loop = virtual_loop();
    cora_task *task = cora_loop_create_task_arg(loop, NULL, slow_step_before_the_next, "fn", NULL);
    int rc;

    call_three(loop, NULL); /* they come behind the step */
    cora_loop_set_debug(loop, true);
    rc = cora_loop_run_until_complete(loop, task);
    assert_int_equal(rc, 0);
    assert_null(next);
    assert_string_equal(trace_text, "nap starts, told, third, nap ends, ");
    cora_task_unref(task);
    cora_loop_free(loop);
}
