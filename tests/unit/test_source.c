/* In debug mode futures remember where they were created, and reports tell it. */
#include "support/test.h"
#include "support/virtual.h"

#include "unwind/unwind.h"

/* What was reported last, with its source; "-" where that is not known. */
static char reported[2048];

static void on_report(cora_loop *loop, const cora_exception_context *context, void *arg)
{
    (void)loop, (void)arg;
    reports.count++;
    snprintf(reported, sizeof reported, "%s",
             context->source_traceback != NULL ? context->source_traceback : "-");
}

static cora_loop *debug_loop(void)
{
    cora_loop *loop = virtual_loop();

    cora_loop_set_debug(loop, true);
    cora_loop_set_exception_handler(loop, on_report, NULL);
    return loop;
}

/* The line of the text that begins the calls is in this function. */
static void assert_created_in(const char *text, const char *function)
{
#ifdef CORA_LIBDW
    char expected[128];
    size_t first = strcspn(text, "\n");

    snprintf(expected, sizeof expected, "in %s()", function);
    assert_true(first >= strlen(expected));
    assert_memory_equal(text + first - strlen(expected), expected, strlen(expected));
#else
    (void)function;
    assert_int_not_equal(strlen(text), 0);
#endif
}

static void assert_source(const cora_future *future, const char *function)
{
    char text[2048];

    cora_future_source_traceback(future, text, sizeof text);
    assert_created_in(text, function);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int fail_at_once(void *arg)
{
    (void)arg;
    return -EIO;
}

static void run_briefly(cora_loop *loop)
{
    int rc;

    cora_loop_stop(loop);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
}

TEST(without_debug_mode_nothing_is_remembered)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = cora_loop_create_future(loop);
    char text[16] = "text";

    cora_future_source_traceback(future, text, sizeof text);
    assert_string_equal(text, "");
    cora_future_unref(future);
    cora_loop_free(loop);
}

static int create_all(void *arg)
{
    cora_future *future = cora_loop_create_future(cora_get_running_loop());
    cora_task *task = cora_create_task_arg(nothing, NULL);
    cora_future *shield = cora_shield(future);
    cora_future *gathered = cora_gather_future(&task, 1, 0);
    int rc;

    (void)arg;
    assert_source(future, "create_all");
    assert_source(task, "create_all");
    assert_source(shield, "create_all");
    assert_source(gathered, "create_all");
    rc = cora_await_unref(gathered);
    assert_int_equal(rc, 0);
    cora_task_unref(task);
    cora_future_unref(shield);
    cora_future_unref(future);
    return 0;
}

TEST(every_kind_of_future_knows_who_has_created_it)
{
    cora_loop *loop = debug_loop();
    cora_task *task = cora_loop_create_task_arg(loop, NULL, create_all, "create_all", NULL);
    int rc = cora_loop_run_until_complete(loop, task);

    assert_int_equal(rc, 0);
    cora_task_unref(task);
    cora_loop_free(loop);
}

TEST(a_task_that_a_factory_makes_names_the_factory_and_who_has_asked_for_it)
{
    cora_loop *loop = debug_loop();
    cora_task *task;
    char text[2048];

    cora_loop_set_task_factory(loop, cora_eager_task_factory);
    task = cora_loop_create_task_arg(loop, NULL, nothing, "nothing", NULL);
    cora_future_source_traceback(task, text, sizeof text);
    assert_created_in(text, __func__);
    run_briefly(loop);
    cora_task_unref(task);
    cora_loop_free(loop);
}

TEST(an_error_that_nobody_has_asked_for_is_reported_with_its_source)
{
    cora_loop *loop = debug_loop();
    cora_future *future = cora_loop_create_future(loop);
    int rc = cora_future_set_exception(future, -EIO);

    assert_int_equal(rc, 0);
    cora_future_unref(future);
    assert_int_equal(reports.count, 1);
    assert_created_in(reported, __func__);
    cora_loop_free(loop);
}

TEST(a_lost_error_of_a_task_is_reported_with_its_source)
{
    cora_loop *loop = debug_loop();
    cora_task *task = cora_loop_create_task_arg(loop, NULL, fail_at_once, "fail_at_once", NULL);

    run_briefly(loop);
    cora_task_unref(task);
    assert_int_equal(reports.count, 1);
    assert_created_in(reported, __func__);
    cora_loop_free(loop);
}

static int await_it(void *future)
{
    return cora_await(future);
}

TEST(a_deadlock_is_reported_with_the_source_of_each_task)
{
    cora_loop *loop = debug_loop();
    cora_future *never = cora_loop_create_future(loop);
    cora_task *task = cora_loop_create_task_arg(loop, NULL, await_it, "await_it", never);
    int rc = cora_loop_run_until_complete(loop, task);

    assert_int_equal(rc, -EDEADLK);
    assert_int_equal(reports.count, 1);
    assert_created_in(reported, __func__);
    reported[0] = '\0';
    cora_loop_close(loop); /* drops the task */
    assert_int_equal(reports.count, 2);
    assert_created_in(reported, __func__);
    cora_task_unref(task);
    cora_future_unref(never);
    cora_loop_free(loop);
}

TEST(a_report_outside_debug_mode_has_no_source)
{
    cora_loop *loop = debug_loop();
    cora_future *future;
    int rc;

    cora_loop_set_debug(loop, false);
    future = cora_loop_create_future(loop);
    rc = cora_future_set_exception(future, -EIO);
    assert_int_equal(rc, 0);
    cora_future_unref(future);
    assert_string_equal(reported, "-");
    cora_loop_free(loop);
}

TEST(a_source_is_cut_at_the_end_of_a_line)
{
    cora_loop *loop = debug_loop();
    cora_future *future = cora_loop_create_future(loop);
    char whole[2048], text[2048];
    size_t first;

    cora_future_source_traceback(future, whole, sizeof whole);
    first = strcspn(whole, "\n") + 1;
    cora_future_source_traceback(future, text, first + 1);
    assert_int_equal(strlen(text), first);
    assert_memory_equal(text, whole, first);
    cora_future_source_traceback(future, text, first);
    assert_string_equal(text, "");
    cora_future_source_traceback(NULL, text, 0);
    cora_future_unref(future);
    cora_loop_free(loop);
}

enum { CALLS = 4 };

/* Its caller is where it will return to. */
static __attribute__((noinline)) void *trace_from_caller(uintptr_t calls[])
{
    void *caller = __builtin_return_address(0);
    size_t count = cora__backtrace(calls, CALLS, caller);

    assert_in_range(count, 2, CALLS);
    return caller;
}

TEST(a_backtrace_begins_where_it_is_asked_to)
{
    uintptr_t calls[CALLS] = {0};
    void *caller = trace_from_caller(calls);

    assert_ptr_equal((void *)calls[0], caller);
}
