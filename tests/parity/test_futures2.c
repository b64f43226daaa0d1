/* CPython's test_futures2.py: the context in which the exception handler is called. */
#include "support/test.h"
#include "support/virtual.h"

static cora_context_var name = CORA_CONTEXT_VAR_INIT("name", "foo");

static void note_name(cora_loop *loop, const cora_exception_context *context, void *arg)
{
    (void)loop, (void)arg;
    trace("%s %s", cora_strerrorname(context->error), (char *)cora_context_var_get(&name));
}

static void set_name(void)
{
    int rc = cora_context_var_set(&name, "bar", NULL);

    assert_int_equal(rc, 0);
}

static int break_down(void *arg)
{
    (void)arg;
    set_name();
    return -EDOM;
}

/* A task that nobody keeps has failed: the handler sees the task's variables, not main's. */
static int abandon_a_task(void *arg)
{
    int rc;

    cora_loop_set_exception_handler(cora_get_running_loop(), note_name, NULL);
    cora_task_unref(cora_create_task_arg(break_down, arg));
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "EDOM bar ");
    assert_string_equal(cora_context_var_get(&name), "foo");
    return 0;
}

TEST(FutureTests_test_task_exc_handler_correct_context)
{
    int rc = run_virtual(abandon_a_task, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "EDOM bar ");
}

/* A callback has nobody to return an error to; it calls the handler itself. */
static void complain(void *arg)
{
    cora_exception_context context = {.message = "a callback failed", .error = -EDOM};

    set_name();
    cora_loop_call_exception_handler(arg, &context);
}

static int call_soon(void *arg)
{
    cora_loop *loop = cora_get_running_loop();
    int rc;

    (void)arg;
    cora_loop_set_exception_handler(loop, note_name, NULL);
    rc = cora_loop_call_soon(loop, complain, loop, NULL);
    assert_int_equal(rc, 0);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "EDOM bar ");
    assert_string_equal(cora_context_var_get(&name), "foo");
    return 0;
}

TEST(FutureTests_test_handle_exc_handler_correct_context)
{
    int rc = run_virtual(call_soon, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "EDOM bar ");
}
