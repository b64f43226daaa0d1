/* From main() into the first task and back: outcomes, what is left behind, runners. */
#include "support/test.h"
#include "support/virtual.h"

#include <stdatomic.h>
#include <unistd.h>

static int seven(void *arg)
{
    (void)arg;
    return 7;
}

static int break_down(void *arg)
{
    (void)arg;
    return -EIO;
}

/* ---- run ------------------------------------------------------------------------------------ */

TEST(run_returns_the_value_of_main)
{
    int rc = cora_run(seven, NULL);

    assert_int_equal(rc, 7);
    assert_null(cora_get_running_loop());
}

TEST(run_returns_the_error_of_main)
{
    int rc = cora_run(break_down, NULL);

    assert_int_equal(rc, -EIO);
}

static int cancel_itself(void *arg)
{
    (void)arg;
    cora_task_cancel(cora_current_task());
    return cora_sleep(0);
}

TEST(a_main_task_that_is_cancelled_gives_ecanceled)
{
    int rc = cora_run(cancel_itself, NULL);

    assert_int_equal(rc, -ECANCELED);
}

static int pass_argument(void *arg)
{
    *(int *)arg = 1;
    return 0;
}

TEST(run_hands_main_its_argument)
{
    int touched = 0;
    int rc = cora_run(pass_argument, &touched);

    assert_int_equal(rc, 0);
    assert_int_equal(touched, 1);
}

static int run_inside(void *arg)
{
    (void)arg;
    return cora_run(seven, NULL);
}

TEST(run_inside_a_task_is_refused)
{
    int rc = cora_run(run_inside, NULL);

    assert_int_equal(rc, -CORA_ERUNNING);
}

static int wait_for_nothing(void *arg)
{
    cora_future *future = cora_loop_create_future(cora_get_running_loop());
    int rc = cora_await_unref(future);

    *(int *)arg = rc;
    return rc;
}

TEST(a_main_task_that_nothing_can_wake_is_a_deadlock)
{
    int inner = 0;
    int rc = run_virtual(wait_for_nothing, &inner);

    assert_int_equal(rc, -EDEADLK);
    assert_int_equal(reports.count, 1);
    assert_int_equal(inner, -ECANCELED); /* at the end it was cancelled, as all that is left */
}

/* ---- what is left when main ends ------------------------------------------------------------ */

static int clean_up(void *arg)
{
    int rc[2];

    rc[0] = cora_sleep(3600);
    rc[1] = cora_sleep(1);
    trace("%s: %s %d", (const char *)arg, cora_strerrorname(rc[0]), rc[1]);
    return rc[0];
}

static int leak_tasks(void *arg)
{
    (void)arg;
    cora_task_unref(cora_create_task_arg(clean_up, "a"));
    cora_task_unref(cora_create_task_arg(clean_up, "b"));
    return cora_sleep(1) < 0 ? -EIO : 7;
}

TEST(tasks_that_are_left_are_cancelled_and_waited_for_in_the_order_of_their_creation)
{
    int rc = run_virtual(leak_tasks, NULL);

    assert_int_equal(rc, 7);
    assert_string_equal(trace_text, "a: ECANCELED 0 b: ECANCELED 0 ");
    assert_int_equal(reports.count, 0);
}

static int leak_one_at_the_end(void *arg)
{
    cora_task_unref(cora_create_task_arg(clean_up, arg));
    return 7;
}

TEST(a_task_that_main_creates_last_starts_and_is_cancelled)
{
    int rc = run_virtual(leak_one_at_the_end, "last");

    assert_int_equal(rc, 7);
    assert_string_equal(trace_text, "last: ECANCELED 0 ");
}

static int fail_when_cancelled(void *arg)
{
    (void)arg;
    return cora_sleep(3600) < 0 ? -EIO : 0;
}

static int leak_a_failing_task(void *arg)
{
    (void)arg;
    cora_task_unref(cora_loop_create_task_arg(NULL, &(cora_task_options){.name = "leaked"},
                                              fail_when_cancelled, "fail_when_cancelled", NULL));
    return cora_sleep(1) < 0 ? -EIO : 7;
}

TEST(what_the_tasks_that_are_left_fail_with_is_reported_once)
{
    int rc = run_virtual(leak_a_failing_task, NULL);

    assert_int_equal(rc, 7);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -EIO);
    assert_string_equal(reports.task, "leaked");
    assert_string_equal(reports.message, "unhandled error while the loop was shut down");
}

static int wait_again_and_again(void *arg)
{
    cora_future **futures = arg;
    int rc = cora_await(futures[0]);

    return rc < 0 ? cora_await(futures[1]) : rc;
}

static int leak_one_that_does_not_end(void *arg)
{
    cora_future **futures = arg;

    for (int i = 0; i < 2; i++)
        futures[i] = cora_loop_create_future(cora_get_running_loop());
    cora_task_unref(cora_create_task_arg(wait_again_and_again, futures));
    return cora_sleep(1) < 0 ? -EIO : 7;
}

TEST(a_task_that_does_not_end_when_it_is_cancelled_is_reported_and_dropped)
{
    cora_runner_options options = {.loop_factory = virtual_loop_factory};
    cora_runner *runner = NULL;
    cora_future *futures[2] = {NULL};
    int rc[3];

    rc[0] = cora_runner_create(&runner, &options);
    rc[1] = cora_runner_run(runner, leak_one_that_does_not_end, futures);
    rc[2] = cora_runner_close(runner);
    cora_future_unref(futures[0]);
    cora_future_unref(futures[1]);
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[1], 7);
    assert_int_equal(rc[2], -EDEADLK);
    assert_int_equal(reports.count, 2); /* what it waits for, and that it was dropped */
    assert_string_equal(reports.message, "the task was dropped while it was pending");
}

/* ---- jobs in threads ------------------------------------------------------------------------ */

struct job_args {
    int started, go_on; /* ends of pipes, to write to and to read from */
};

static atomic_bool job_done;

static int job(void *arg)
{
    struct job_args *a = arg;
    char byte = 'x';

    if (write(a->started, &byte, 1) != 1 || read(a->go_on, &byte, 1) != 1)
        return -EIO;
    atomic_store(&job_done, true);
    return 0;
}

static int start_pipe[2], go_on_pipe[2];

static int await_job(void *arg)
{
    struct job_args args = {start_pipe[1], go_on_pipe[0]};
    int rc = cora_to_thread(job, &args);

    (void)arg;
    trace("%s", cora_strerrorname(rc));
    if (write(go_on_pipe[1], "x", 1) != 1)
        return -EIO;
    return rc;
}

static int leak_a_job(void *arg)
{
    cora_task_unref(cora_create_task_arg(await_job, arg));
    return cora_wait_readable(start_pipe[0]);
}

TEST(a_job_in_a_thread_is_waited_for_though_its_task_was_cancelled)
{
    int rc = pipe(start_pipe);

    assert_int_equal(rc, 0);
    rc = pipe(go_on_pipe);
    assert_int_equal(rc, 0);
    rc = cora_run(leak_a_job, NULL);
    assert_int_equal(rc, 0);
    assert_true(atomic_load(&job_done));
    assert_string_equal(trace_text, "ECANCELED ");
    for (int i = 0; i < 2; i++) {
        close(start_pipe[i]);
        close(go_on_pipe[i]);
    }
}

static cora_loop *asked_loop;

static void answer(void *arg)
{
    if (write(*(int *)arg, "x", 1) != 1)
        abort();
}

/* Asks the loop to let it go on, when it is let ask. */
static int ask_the_loop(void *arg)
{
    struct job_args *a = arg;
    char byte = 'x';
    int rc;

    if (write(a->started, &byte, 1) != 1 || read(a->go_on, &byte, 1) != 1)
        return -EIO;
    rc = cora_loop_call_soon_threadsafe(asked_loop, answer, &go_on_pipe[1], NULL);
    if (rc < 0 || read(a->go_on, &byte, 1) != 1)
        return -EIO;
    atomic_store(&job_done, true);
    return 0;
}

static int await_asking_job(void *arg)
{
    struct job_args args = {start_pipe[1], go_on_pipe[0]};

    (void)arg;
    return cora_to_thread(ask_the_loop, &args);
}

/* Asked when all tasks have ended: the job is let go on, and is not over yet. */
static bool let_ask(void *asked)
{
    if (!*(bool *)asked)
        answer(&go_on_pipe[1]);
    *(bool *)asked = true;
    return false;
}

static void close_nothing(void *object)
{
    (void)object;
}

static int leak_an_asking_job(void *arg)
{
    static const cora_attachment_kind kind = {let_ask, close_nothing};
    int rc;

    asked_loop = cora_get_running_loop();
    cora_task_unref(cora_create_task_arg(await_asking_job, NULL));
    rc = cora_wait_readable(start_pipe[0]);
    return rc < 0 ? rc : cora_loop_attach(asked_loop, &kind, arg);
}

TEST(a_job_in_a_thread_may_ask_the_loop_after_the_last_task_has_ended)
{
    bool asked = false;
    int rc = pipe(start_pipe) | pipe(go_on_pipe);

    assert_int_equal(rc, 0);
    rc = cora_run(leak_an_asking_job, &asked);
    assert_int_equal(rc, 0);
    assert_true(asked);
    assert_true(atomic_load(&job_done));
    for (int i = 0; i < 2; i++) {
        close(start_pipe[i]);
        close(go_on_pipe[i]);
    }
}

/* ---- runners -------------------------------------------------------------------------------- */

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

static int note_loop(void *arg)
{
    *(cora_loop **)arg = cora_get_running_loop();
    return 0;
}

TEST(a_runner_runs_several_main_tasks_on_one_loop)
{
    cora_runner *runner = new_runner(NULL);
    cora_loop *loops[3] = {NULL};
    int rc[2];

    rc[0] = cora_runner_run(runner, note_loop, &loops[0]);
    rc[1] = cora_runner_run(runner, note_loop, &loops[1]);
    loops[2] = cora_runner_get_loop(runner);
    assert_int_equal(rc[0] | rc[1], 0);
    assert_non_null(loops[0]);
    assert_ptr_equal(loops[0], loops[1]);
    assert_ptr_equal(loops[0], loops[2]);
    close_runner(runner);
}

static cora_context_var colour = CORA_CONTEXT_VAR_INIT("colour", "none");

static int paint(void *arg)
{
    trace("%s", (const char *)cora_context_var_get(&colour));
    return cora_context_var_set(&colour, arg, NULL);
}

TEST(the_main_tasks_of_a_runner_share_one_context)
{
    cora_runner *runner = new_runner(NULL);
    int rc[4];

    rc[0] = cora_context_var_set(&colour, "outside", NULL);
    rc[1] = cora_runner_run(runner, paint, "red");
    rc[2] = cora_context_var_set(&colour, "changed", NULL);
    rc[3] = cora_runner_run(runner, paint, "blue");
    assert_int_equal(rc[0] | rc[1] | rc[2] | rc[3], 0);
    assert_string_equal(trace_text, "outside red ");
    assert_string_equal(cora_context_var_get(&colour), "changed");
    close_runner(runner);
}

static int sleep_and_note(void *arg)
{
    int rc = cora_sleep(2);

    trace("%s", rc < 0 ? cora_strerrorname(rc) : (const char *)arg);
    return rc;
}

static int leave_a_task(void *arg)
{
    cora_task_unref(cora_create_task_arg(sleep_and_note, arg));
    return cora_sleep(1);
}

static int sleep_three(void *arg)
{
    (void)arg;
    return cora_sleep(3);
}

TEST(between_the_runs_of_a_runner_tasks_that_are_left_stay)
{
    cora_runner_options options = {.loop_factory = virtual_loop_factory};
    cora_runner *runner = new_runner(&options);
    int rc[2];

    rc[0] = cora_runner_run(runner, leave_a_task, "went on");
    trace("between");
    rc[1] = cora_runner_run(runner, sleep_three, NULL);
    assert_int_equal(rc[0] | rc[1], 0);
    close_runner(runner);
    assert_string_equal(trace_text, "between went on ");
}

static int ask_debug(void *arg)
{
    (void)arg;
    return cora_loop_get_debug(cora_get_running_loop());
}

TEST(a_runner_sets_the_debug_mode)
{
    cora_runner *runner = new_runner(&(cora_runner_options){.debug = true});
    int rc = cora_runner_run(runner, ask_debug, NULL);

    assert_int_equal(rc, 1);
    close_runner(runner);
}

static int no_loop(cora_loop **ret)
{
    (void)ret;
    return -EMFILE;
}

TEST(a_runner_whose_loop_cannot_be_made_says_why)
{
    cora_runner *runner = new_runner(&(cora_runner_options){.loop_factory = no_loop});
    cora_loop *loop = cora_runner_get_loop(runner);
    int rc = cora_runner_run(runner, seven, NULL);

    assert_null(loop);
    assert_int_equal(rc, -EMFILE);
    close_runner(runner);
}

static int note_name(void *arg)
{
    (void)arg;
    trace("%s", cora_task_get_name(cora_current_task()));
    return 0;
}

TEST(a_runner_gives_its_main_tasks_their_options)
{
    cora_task_options main_options = {.name = "principal"};
    cora_runner *runner = new_runner(&(cora_runner_options){.main_options = &main_options});
    int rc[2];

    rc[0] = cora_runner_run(runner, note_name, NULL);
    rc[1] = cora_runner_run(runner, note_name, NULL);
    assert_int_equal(rc[0] | rc[1], 0);
    assert_string_equal(trace_text, "principal principal ");
    close_runner(runner);
}

static int run_runner(void *arg)
{
    return cora_runner_run(arg, seven, NULL);
}

static int close_inside(void *arg)
{
    return cora_runner_close(arg);
}

TEST(a_runner_that_runs_can_be_neither_run_nor_closed)
{
    cora_runner *runner = new_runner(NULL);
    int rc[3];

    rc[0] = cora_runner_run(runner, run_runner, runner);
    rc[1] = cora_runner_run(runner, close_inside, runner);
    rc[2] = cora_runner_run(runner, seven, NULL);
    assert_int_equal(rc[0], -CORA_ERUNNING);
    assert_int_equal(rc[1], -CORA_ERUNNING);
    assert_int_equal(rc[2], 7);
    close_runner(runner);
}

TEST(a_runner_whose_loop_was_closed_says_so)
{
    cora_runner *runner = new_runner(NULL);
    int rc;

    (void)cora_loop_close(cora_runner_get_loop(runner));
    rc = cora_runner_run(runner, seven, NULL);
    assert_int_equal(rc, -CORA_ECLOSED);
    close_runner(runner);
}

static int stop_loop(void *arg)
{
    cora_loop_stop(cora_get_running_loop());
    return clean_up(arg);
}

TEST(a_main_task_whose_loop_is_stopped_is_left_and_ends_with_the_runner)
{
    cora_runner_options options = {.loop_factory = virtual_loop_factory};
    cora_runner *runner = new_runner(&options);
    int rc = cora_runner_run(runner, stop_loop, "main");

    assert_int_equal(rc, -CORA_ESTOPPED);
    assert_string_equal(trace_text, "");
    close_runner(runner);
    assert_string_equal(trace_text, "main: ECANCELED 0 ");
}

TEST(a_runner_that_was_never_used_closes)
{
    cora_runner *runner = new_runner(NULL);

    close_runner(runner);
    close_runner(NULL);
}
