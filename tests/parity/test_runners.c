/* CPython's test_runners.py: run, runners, and Ctrl-C. */
#include "support/test.h"
#include "support/virtual.h"

#include <pthread.h>
#include <signal.h>

static int return_42(void *arg)
{
    int rc = cora_sleep(0);

    (void)arg;
    return rc < 0 ? rc : 42;
}

/* ---- run ----------------------------------------------------------------------------------- */

TEST(RunTests_test_asyncio_run_return)
{
    int rc = cora_run(return_42, NULL);

    assert_int_equal(rc, 42);
}

static int break_down(void *arg)
{
    int rc = cora_sleep(0);

    (void)arg;
    return rc < 0 ? rc : -EDOM;
}

TEST(RunTests_test_asyncio_run_raises)
{
    int rc = cora_run(break_down, NULL);

    assert_int_equal(rc, -EDOM);
}

static cora_runner *new_runner(const cora_runner_options *options)
{
    cora_runner *runner = NULL;
    int rc = cora_runner_create(&runner, options);

    assert_int_equal(rc, 0);
    return runner;
}

static void close_runner(cora_runner *runner)
{
    int rc = cora_runner_close(runner);

    assert_int_equal(rc, 0);
}

static int ask_debug(void *arg)
{
    (void)arg;
    return cora_loop_get_debug(cora_get_running_loop());
}

/* The debug mode of a run: what the environment says, unless the program says otherwise. */
static int run_with_debug(bool on, bool off)
{
    cora_runner *runner = new_runner(&(cora_runner_options){.debug = on});
    int rc;

    if (off)
        cora_loop_set_debug(cora_runner_get_loop(runner), false);
    rc = cora_runner_run(runner, ask_debug, NULL);
    close_runner(runner);
    return rc;
}

TEST(RunTests_test_asyncio_run_debug)
{
    int plain[3], in_debug[3];

    unsetenv("CORADEBUG");
    plain[0] = run_with_debug(false, true);
    plain[1] = run_with_debug(true, false);
    plain[2] = cora_run(ask_debug, NULL);
    setenv("CORADEBUG", "1", 1);
    in_debug[0] = run_with_debug(false, true);
    in_debug[1] = run_with_debug(true, false);
    in_debug[2] = cora_run(ask_debug, NULL);
    assert_int_equal(plain[0], 0);
    assert_int_equal(plain[1], 1);
    assert_int_equal(plain[2], 0);
    assert_int_equal(in_debug[0], 0);
    assert_int_equal(in_debug[1], 1);
    assert_int_equal(in_debug[2], 1);
}

static int run_inside(void *arg)
{
    return cora_run(return_42, arg);
}

TEST(RunTests_test_asyncio_run_from_running_loop)
{
    int rc = cora_run(run_inside, NULL);

    assert_int_equal(rc, -CORA_ERUNNING);
}

static cora_task *leftover;

static int sleep_on(void *arg)
{
    (void)arg;
    return cora_sleep(0.1);
}

static int fail_when_cancelled(void *arg)
{
    return sleep_on(arg) == -ECANCELED ? -EDOM : 0;
}

struct leave_behind {
    cora_task_fn *fn;
    cora_exception_handler *handler;
};

static int leave_behind(void *arg)
{
    const struct leave_behind *l = arg;

    cora_loop_set_exception_handler(cora_get_running_loop(), l->handler, NULL);
    leftover = cora_create_task_arg(l->fn, NULL);
    return 123;
}

static void note_report(cora_loop *loop, const cora_exception_context *context, void *arg)
{
    (void)loop, (void)arg;
    assert_ptr_equal(context->future, leftover);
    trace("%s: %s", context->message, cora_strerrorname(context->error));
}

TEST(RunTests_test_asyncio_run_cancels_hanging_tasks)
{
    struct leave_behind l = {sleep_on, note_report};
    int rc = run_virtual(leave_behind, &l);

    assert_int_equal(rc, 123);
    assert_true(cora_task_done(leftover));
    assert_true(cora_task_cancelled(leftover));
    assert_string_equal(trace_text, "");
    cora_task_unref(leftover);
}

TEST(RunTests_test_asyncio_run_reports_hanging_tasks_errors)
{
    struct leave_behind l = {fail_when_cancelled, note_report};
    int rc = run_virtual(leave_behind, &l);

    assert_int_equal(rc, 123);
    assert_true(cora_task_done(leftover));
    assert_string_equal(trace_text, "unhandled error while the loop was shut down: EDOM ");
    cora_task_unref(leftover);
}

static cora_loop *made;

static int make_and_note(cora_loop **ret)
{
    int rc = virtual_loop_factory(ret);

    assert_int_equal(rc, 0);
    made = *ret;
    trace("made");
    return 0;
}

static int check_loop(void *arg)
{
    (void)arg;
    assert_ptr_equal(cora_get_running_loop(), made);
    return 0;
}

TEST(RunTests_test_asyncio_run_loop_factory)
{
    cora_runner *runner = new_runner(&(cora_runner_options){.loop_factory = make_and_note});
    int rc = cora_runner_run(runner, check_loop, NULL);

    close_runner(runner);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "made ");
}

/* ---- runners ------------------------------------------------------------------------------- */

TEST(RunnerTests_test_non_debug)
{
    cora_runner *runner;

    unsetenv("CORADEBUG");
    runner = new_runner(&(cora_runner_options){.debug = false});
    assert_false(cora_loop_get_debug(cora_runner_get_loop(runner)));
    close_runner(runner);
}

TEST(RunnerTests_test_debug)
{
    cora_runner *runner = new_runner(&(cora_runner_options){.debug = true});

    assert_true(cora_loop_get_debug(cora_runner_get_loop(runner)));
    close_runner(runner);
}

TEST(RunnerTests_test_custom_factory)
{
    cora_runner *runner = new_runner(&(cora_runner_options){.loop_factory = make_and_note});
    cora_loop *loop = cora_runner_get_loop(runner);

    assert_non_null(loop);
    assert_ptr_equal(loop, made);
    close_runner(runner);
    assert_string_equal(trace_text, "made ");
}

static void never(cora_future *future, void *arg)
{
    (void)future, (void)arg;
    trace("never");
}

/* Closes the runner; a future that outlives its loop tells that the loop is closed with it. */
static void assert_closes_loop(cora_runner *runner)
{
    cora_future *future = cora_loop_create_future(cora_runner_get_loop(runner));
    int before = cora_future_add_done_callback(future, never, NULL), after;

    close_runner(runner);
    after = cora_future_add_done_callback(future, never, NULL);
    cora_future_unref(future);
    assert_int_equal(before, 0);
    assert_int_equal(after, -CORA_ECLOSED);
    assert_string_equal(trace_text, "");
}

TEST(RunnerTests_test_run)
{
    cora_runner *runner = new_runner(NULL);
    int rc = cora_runner_run(runner, return_42, NULL);

    assert_int_equal(rc, 42);
    assert_closes_loop(runner);
}

TEST(RunnerTests_test_explicit_close)
{
    cora_runner *runner = new_runner(NULL);

    assert_closes_loop(runner);
}

static cora_context_var variable = CORA_CONTEXT_VAR_INIT("variable", "-1");

static int note_then_set(void *arg)
{
    int rc;

    trace("%s", (char *)cora_context_var_get(&variable));
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    return arg != NULL ? cora_context_var_set(&variable, arg, NULL) : 0;
}

TEST(RunnerTests_test_run_keeps_context)
{
    cora_runner *runner = new_runner(NULL);
    int rc[3];

    rc[0] = cora_runner_run(runner, note_then_set, "1");
    rc[1] = cora_runner_run(runner, note_then_set, "2");
    rc[2] = cora_runner_run(runner, note_then_set, NULL);
    close_runner(runner);
    assert_int_equal(rc[0] | rc[1] | rc[2], 0);
    assert_string_equal(trace_text, "-1 1 2 ");
    assert_string_equal(cora_context_var_get(&variable), "-1");
}

static int run_again(void *runner)
{
    return cora_runner_run(runner, return_42, NULL);
}

TEST(RunnerTests_test_recursive_run)
{
    cora_runner *runner = new_runner(NULL);
    int rc = cora_runner_run(runner, run_again, runner);

    assert_int_equal(rc, -CORA_ERUNNING);
    close_runner(runner);
}

/* ---- Ctrl-C -------------------------------------------------------------------------------- */

static void press(void *arg)
{
    (void)arg;
    trace("press");
    raise(SIGINT);
}

/* A runner in virtual time, in a process where Ctrl-C has its default effect. */
static cora_runner *interruptible_runner(void)
{
    signal(SIGINT, SIG_DFL);
    return new_runner(&(cora_runner_options){.loop_factory = virtual_loop_factory});
}

static int never_rest(void *arg)
{
    int rc;

    (void)arg;
    do
        rc = cora_sleep(0);
    while (rc == 0);
    trace("%s", cora_strerrorname(rc));
    return rc;
}

/* A main task that is always ready, and waits neither for a future nor for a task. */
TEST(RunnerTests_test_interrupt_call_soon)
{
    cora_runner *runner = interruptible_runner();
    int rc[2];

    rc[0] = cora_loop_call_soon(cora_runner_get_loop(runner), press, NULL, NULL);
    rc[1] = cora_runner_run(runner, never_rest, NULL);
    close_runner(runner);
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[1], -EINTR);
    assert_string_equal(trace_text, "press ECANCELED ");
}

static int await_it(void *future)
{
    int rc = cora_await(future);

    trace("%s", cora_strerrorname(rc));
    return rc;
}

/* What the main task waits for is cancelled, too. */
TEST(RunnerTests_test_interrupt_wait)
{
    cora_runner *runner = interruptible_runner();
    cora_loop *loop = cora_runner_get_loop(runner);
    cora_future *future = cora_loop_create_future(loop);
    int rc[2];

    rc[0] = cora_loop_call_later(loop, 0.1, press, NULL, NULL);
    rc[1] = cora_runner_run(runner, await_it, future);
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[1], -EINTR);
    assert_true(cora_future_cancelled(future));
    assert_string_equal(trace_text, "press ECANCELED ");
    cora_future_unref(future);
    close_runner(runner);
}

static int cancel_and_press(void *main_task)
{
    int rc = cora_sleep(0);

    assert_int_equal(rc, 0);
    cora_task_cancel(main_task);
    press(NULL);
    return 0;
}

/* By a task, and by Ctrl-C, of which the loop hears at once or only when it looks. */
static int be_cancelled(void *arg)
{
    int rc = 0;

    (void)arg;
    cora_task_unref(cora_create_task_arg(cancel_and_press, cora_current_task()));
    while (cora_task_cancelling(cora_current_task()) < 2) {
        rc = cora_sleep(10);
        assert_int_equal(rc, -ECANCELED);
    }
    return rc;
}

/* A main task that was cancelled already is no victim of Ctrl-C. */
TEST(RunnerTests_test_interrupt_cancelled_task)
{
    cora_runner *runner = interruptible_runner();
    int rc = cora_runner_run(runner, be_cancelled, NULL);

    close_runner(runner);
    assert_int_equal(rc, -ECANCELED);
    assert_string_equal(trace_text, "press ");
}

static void *run_in_thread(void *arg)
{
    *(int *)arg = cora_run(return_42, NULL);
    return NULL;
}

/* Signals are the main thread's business: in another one, run does without and works all the same.
 */
TEST(RunnerTests_test_signal_install_not_supported_ok)
{
    struct sigaction before, after;
    pthread_t thread;
    int rc = 0, created, joined;

    signal(SIGINT, SIG_DFL);
    sigaction(SIGINT, NULL, &before);
    created = pthread_create(&thread, NULL, run_in_thread, &rc);
    assert_int_equal(created, 0);
    joined = pthread_join(thread, NULL);
    assert_int_equal(joined, 0);
    sigaction(SIGINT, NULL, &after);
    assert_int_equal(rc, 42);
    assert_true(before.sa_handler == after.sa_handler);
}
