/* CPython's test_futures.py: outcomes, errors that nobody asks for, and callbacks. */
#include "support/test.h"
#include "support/virtual.h"

#include <pthread.h>

static cora_loop *loop;
static cora_future *future;

static void set_up(void)
{
    loop = virtual_loop();
    future = cora_loop_create_future(loop);
    assert_non_null(future);
}

static void tear_down(void)
{
    cora_future_unref(future);
    cora_loop_free(loop);
}

/* One iteration of the loop. */
static void run_briefly(void)
{
    int rc;

    cora_loop_stop(loop);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
}

static void set_result(int result)
{
    int rc = cora_future_set_result(future, result, NULL);

    assert_int_equal(rc, 0);
}

static void set_exception(int error)
{
    int rc = cora_future_set_exception(future, error);

    assert_int_equal(rc, 0);
}

/* Gives back the only reference, and lets the loop say what it has to say of that. */
static void abandon(void)
{
    cora_future_unref(future);
    future = NULL;
    run_briefly();
}

/* ---- outcomes ------------------------------------------------------------------------------ */

TEST(BaseFutureTests_test_initial_state)
{
    set_up();
    assert_false(cora_future_cancelled(future));
    assert_false(cora_future_done(future));
    cora_future_cancel(future);
    assert_true(cora_future_cancelled(future));
    tear_down();
}

/* A future that is done takes no other outcome. */
static void assert_settled(void)
{
    int rc[2];
    bool cancelled;

    rc[0] = cora_future_set_result(future, 0, NULL);
    rc[1] = cora_future_set_exception(future, -EIO);
    cancelled = cora_future_cancel(future);
    assert_int_equal(rc[0], -CORA_EINVALIDSTATE);
    assert_int_equal(rc[1], -CORA_EINVALIDSTATE);
    assert_false(cancelled);
}

TEST(BaseFutureTests_test_cancel)
{
    int result, exception;
    bool cancelled;

    set_up();
    cancelled = cora_future_cancel(future);
    result = cora_future_result(future);
    exception = cora_future_exception(future);
    assert_true(cancelled);
    assert_true(cora_future_cancelled(future));
    assert_true(cora_future_done(future));
    assert_int_equal(result, -ECANCELED);
    assert_int_equal(exception, -ECANCELED);
    assert_settled();
    tear_down();
}

TEST(BaseFutureTests_test_result)
{
    int before, result, exception;

    set_up();
    before = cora_future_result(future);
    set_result(42);
    result = cora_future_result(future);
    exception = cora_future_exception(future);
    assert_int_equal(before, -CORA_EINVALIDSTATE);
    assert_false(cora_future_cancelled(future));
    assert_true(cora_future_done(future));
    assert_int_equal(result, 42);
    assert_int_equal(exception, 0);
    assert_settled();
    tear_down();
}

TEST(BaseFutureTests_test_exception)
{
    int before, result, exception;

    set_up();
    before = cora_future_exception(future);
    set_exception(-EDOM);
    result = cora_future_result(future);
    exception = cora_future_exception(future);
    assert_int_equal(before, -CORA_EINVALIDSTATE);
    assert_false(cora_future_cancelled(future));
    assert_true(cora_future_done(future));
    assert_int_equal(result, -EDOM);
    assert_int_equal(exception, -EDOM);
    assert_settled();
    tear_down();
}

static int await_twice(void *arg)
{
    int rc;

    trace("A");
    rc = cora_await(arg);
    trace("B %d", rc);
    rc = cora_await(arg);
    trace("C %d", rc);
    return 0;
}

/* The first await suspends, the second one does not. */
TEST(BaseFutureTests_test_yield_from_twice)
{
    cora_task *task;

    set_up();
    task = cora_loop_create_task_arg(loop, NULL, await_twice, "await_twice", future);
    run_briefly();
    assert_string_equal(trace_text, "A ");
    set_result(42);
    run_briefly();
    assert_string_equal(trace_text, "A B 42 C 42 ");
    assert_true(cora_task_done(task));
    cora_task_unref(task);
    tear_down();
}

/* A shield takes over the outcome of what it shields. */
static cora_future *copy_of(cora_future *original)
{
    cora_future *copy = cora_shield(original);

    assert_non_null(copy);
    assert_ptr_not_equal(copy, original);
    return copy;
}

TEST(BaseFutureTests_test_copy_state)
{
    cora_future *copies[3];
    int value, rc, results[2];

    set_up();
    copies[0] = copy_of(future);
    rc = cora_future_set_result(future, 10, &value);
    assert_int_equal(rc, 0);
    run_briefly();
    assert_true(cora_future_done(copies[0]));
    results[0] = cora_future_result(copies[0]);
    assert_int_equal(results[0], 10);
    assert_ptr_equal(cora_future_value(copies[0]), &value);

    cora_future_unref(future);
    future = cora_loop_create_future(loop);
    copies[1] = copy_of(future);
    set_exception(-EDOM);
    run_briefly();
    assert_true(cora_future_done(copies[1]));
    results[1] = cora_future_result(copies[1]);
    assert_int_equal(results[1], -EDOM);

    cora_future_unref(future);
    future = cora_loop_create_future(loop);
    copies[2] = copy_of(future);
    cora_future_cancel(future);
    run_briefly();
    assert_true(cora_future_cancelled(copies[2]));
    for (int i = 0; i < 3; i++)
        cora_future_unref(copies[i]);
    tear_down();
}

static void cancel(void *task)
{
    cora_task_cancel(task);
}

static int sleep_one(void *arg)
{
    (void)arg;
    return cora_sleep(1);
}

/* A result that comes after the cancellation changes nothing; so does a timer that is due in the
 * iteration in which its sleeper is cancelled. */
TEST(BaseFutureTests_test_set_result_unless_cancelled)
{
    cora_task *task;
    int rc;

    set_up();
    cora_future_cancel(future);
    rc = cora_future_set_result(future, 2, NULL);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    assert_true(cora_future_cancelled(future));

    task = cora_loop_create_task_arg(loop, NULL, sleep_one, "sleep_one", NULL);
    rc = cora_loop_call_at(loop, 1, cancel, task, NULL);
    assert_int_equal(rc, 0);
    rc = cora_loop_run_until_complete(loop, task);
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_task_cancelled(task));
    cora_task_unref(task);
    tear_down();
}

/* ---- errors that nobody asks for ----------------------------------------------------------- */

TEST(BaseFutureTests_test_tb_logger_abandoned)
{
    set_up();
    abandon();
    assert_int_equal(reports.count, 0);
    tear_down();
}

/* Who cancels it, though too late, is not interested in its error any more. */
TEST(BaseFutureTests_test_tb_logger_not_called_after_cancel)
{
    set_up();
    set_exception(-EDOM);
    cora_future_cancel(future);
    abandon();
    assert_int_equal(reports.count, 0);
    tear_down();
}

TEST(BaseFutureTests_test_tb_logger_result_unretrieved)
{
    set_up();
    set_result(42);
    abandon();
    assert_int_equal(reports.count, 0);
    tear_down();
}

TEST(BaseFutureTests_test_tb_logger_result_retrieved)
{
    int result;

    set_up();
    set_result(42);
    result = cora_future_result(future);
    assert_int_equal(result, 42);
    abandon();
    assert_int_equal(reports.count, 0);
    tear_down();
}

TEST(BaseFutureTests_test_tb_logger_exception_unretrieved)
{
    set_up();
    set_exception(-EDOM);
    abandon();
    assert_int_equal(reports.count, 1);
    tear_down();
}

TEST(BaseFutureTests_test_tb_logger_exception_retrieved)
{
    int exception;

    set_up();
    set_exception(-EDOM);
    exception = cora_future_exception(future);
    assert_int_equal(exception, -EDOM);
    abandon();
    assert_int_equal(reports.count, 0);
    tear_down();
}

TEST(BaseFutureTests_test_tb_logger_exception_result_retrieved)
{
    int result;

    set_up();
    set_exception(-EDOM);
    result = cora_future_result(future);
    assert_int_equal(result, -EDOM);
    abandon();
    assert_int_equal(reports.count, 0);
    tear_down();
}

static void note_future(cora_loop *of, const cora_exception_context *context, void *arg)
{
    assert_ptr_equal(of, loop);
    assert_ptr_equal(context->future, arg);
    assert_int_equal(context->error, -EDOM);
    trace("%s", context->message);
}

/* The report names the future and its error. */
static void abandon_a_failed_one(bool debug)
{
    set_up();
    cora_loop_set_debug(loop, debug);
    cora_loop_set_exception_handler(loop, note_future, future);
    set_exception(-EDOM);
    run_briefly();
    assert_string_equal(trace_text, "");
    abandon();
    assert_string_equal(trace_text, "a future's error was never retrieved ");
    tear_down();
}

TEST(BaseFutureTests_test_future_exception_never_retrieved)
{
    abandon_a_failed_one(false);
}

TEST(BaseFutureTests_test_future_exception_never_retrieved_debug)
{
    abandon_a_failed_one(true);
}

/* ---- callbacks ----------------------------------------------------------------------------- */

static char one[] = "42", two[] = "17", three[] = "100";

static void note(cora_future *of, void *arg)
{
    assert_ptr_equal(of, future);
    trace("%s", (char *)arg);
}

static void add(char *name)
{
    int rc = cora_future_add_done_callback(future, note, name);

    assert_int_equal(rc, 0);
}

static void drop(char *name, int expected)
{
    int count = cora_future_remove_done_callback(future, note, name);

    assert_int_equal(count, expected);
}

/* Completes the future: the callbacks run in the next iteration, no sooner. */
static void complete_and_run(const char *expected)
{
    int result;

    assert_string_equal(trace_text, "");
    set_result(7);
    assert_string_equal(trace_text, "");
    run_briefly();
    assert_string_equal(trace_text, expected);
    result = cora_future_result(future);
    assert_int_equal(result, 7);
}

TEST(BaseFutureDoneCallbackTests_test_callbacks_remove_first_callback)
{
    set_up();
    add(one);
    add(two);
    add(three);
    drop(one, 1);
    drop(one, 0);
    complete_and_run("17 100 ");
    tear_down();
}

TEST(BaseFutureDoneCallbackTests_test_callbacks_remove_first_and_second_callback)
{
    set_up();
    add(one);
    add(two);
    add(three);
    drop(one, 1);
    drop(two, 1);
    drop(one, 0);
    complete_and_run("100 ");
    tear_down();
}

TEST(BaseFutureDoneCallbackTests_test_callbacks_remove_third_callback)
{
    set_up();
    add(one);
    add(two);
    add(three);
    drop(three, 1);
    drop(three, 0);
    complete_and_run("42 17 ");
    tear_down();
}

TEST(BaseFutureDoneCallbackTests_test_callbacks_invoked_on_set_result)
{
    set_up();
    add(one);
    add(two);
    complete_and_run("42 17 ");
    tear_down();
}

TEST(BaseFutureDoneCallbackTests_test_callbacks_invoked_on_set_exception)
{
    int exception;

    set_up();
    add(three);
    assert_string_equal(trace_text, "");
    set_exception(-EDOM);
    assert_string_equal(trace_text, "");
    run_briefly();
    assert_string_equal(trace_text, "100 ");
    exception = cora_future_exception(future);
    assert_int_equal(exception, -EDOM);
    tear_down();
}

TEST(BaseFutureDoneCallbackTests_test_remove_done_callback)
{
    set_up();
    add(one);
    add(two);
    drop(two, 1);
    drop(three, 0);
    add(two);
    for (int i = 0; i < 5; i++)
        add(one);
    drop(one, 6);
    complete_and_run("17 ");
    tear_down();
}

static void remove_the_others(cora_future *of, void *arg)
{
    int count = cora_future_remove_done_callback(of, note, arg);

    assert_int_equal(count, 0);
    trace("removed");
}

/* A callback removes others of a future that is done: those are on their way and run. */
TEST(BaseFutureDoneCallbackTests_test_schedule_callbacks_list_mutation_1)
{
    int rc;

    set_up();
    rc = cora_future_add_done_callback(future, remove_the_others, one);
    assert_int_equal(rc, 0);
    add(one);
    add(one);
    complete_and_run("removed 42 42 ");
    tear_down();
}

TEST(BaseFutureTests_test_future_source_traceback)
{
    char text[1024], expected[256];
    cora_future *traced;

    set_up();
    cora_loop_set_debug(loop, true);
    traced = cora_loop_create_future(loop);
    snprintf(expected, sizeof expected, "line %d, in %s()\n", __LINE__ - 1, __func__);
    cora_future_source_traceback(traced, text, sizeof text);
#ifdef CORA_LIBDW
    assert_string_equal(strstr(text, "line "), strstr(text, expected)); /* the first line */
    assert_non_null(strstr(text, strrchr(__FILE__, '/')));
#else
    assert_int_not_equal(strlen(text), 0);
#endif
    cora_future_unref(traced);
    tear_down();
}

/* ---- futures of threads --------------------------------------------------------------------- */

static cora_concurrent_future *concurrent;

static void *complete_concurrent(void *arg)
{
    static pthread_t self;
    int rc = cora_concurrent_future_set_running_or_notify_cancel(concurrent);

    (void)arg;
    self = pthread_self();
    if (rc == 0)
        rc = cora_concurrent_future_set_result(concurrent, 42, &self);
    return rc == 0 ? &self : NULL;
}

/* A test of a wrapped future, as the main task. */
static void run_wrapping(cora_task_fn *fn)
{
    int rc;

    concurrent = cora_concurrent_future_create();
    rc = run_virtual(fn, NULL);
    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
    cora_concurrent_future_unref(concurrent);
}

static int await_thread(void *arg)
{
    cora_future *wrapper = cora_wrap_future(concurrent);
    pthread_t thread, *completer;
    void *joined;
    int rc = pthread_create(&thread, NULL, complete_concurrent, arg);

    assert_int_equal(rc, 0);
    rc = cora_await(wrapper);
    completer = cora_future_value(wrapper);
    pthread_join(thread, &joined);
    assert_int_equal(rc, 42);
    assert_non_null(completer);
    assert_ptr_equal(completer, joined);
    assert_false(pthread_equal(*completer, pthread_self()));
    cora_future_unref(wrapper);
    return 0;
}

TEST(BaseFutureTests_test_wrap_future)
{
    run_wrapping(await_thread);
}

TEST(BaseFutureTests_test_wrap_future_future)
{
    cora_future *wrapper;

    set_up();
    wrapper = cora_wrap_future(future);
    assert_ptr_equal(wrapper, future);
    cora_future_unref(wrapper);
    tear_down();
}

static int cancel_wrapper(void *arg)
{
    cora_future *wrapper = cora_wrap_future(concurrent);
    int rc;

    (void)arg;
    cora_future_cancel(wrapper);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    assert_true(cora_concurrent_future_cancelled(concurrent));
    assert_true(cora_future_cancelled(wrapper));
    cora_future_unref(wrapper);
    return 0;
}

TEST(BaseFutureTests_test_wrap_future_cancel)
{
    run_wrapping(cancel_wrapper);
}

/* Cancelled after its result was there, but before the loop has heard of that. */
static int cancel_wrapper_late(void *arg)
{
    cora_future *wrapper = cora_wrap_future(concurrent);
    int rc = cora_concurrent_future_set_result(concurrent, 42, NULL);

    (void)arg;
    assert_int_equal(rc, 0);
    cora_future_cancel(wrapper);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    assert_false(cora_concurrent_future_cancelled(concurrent));
    rc = cora_concurrent_future_result(concurrent, 0);
    assert_int_equal(rc, 42);
    assert_true(cora_future_cancelled(wrapper));
    cora_future_unref(wrapper);
    return 0;
}

TEST(BaseFutureTests_test_wrap_future_cancel2)
{
    run_wrapping(cancel_wrapper_late);
}
