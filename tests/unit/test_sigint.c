/* Ctrl-C while a main task runs. Each test presses it in a child process. */
#include "support/test.h"
#include "support/virtual.h"

#include "run/sigint.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FAILED = 100, KILLED = -SIGINT };

/* What is left of fn's work in a child: what it returned, or the signal that killed it. */
static int in_child(int (*fn)(void))
{
    int status = 0;
    pid_t pid = fork();
    pid_t rc;

    if (pid == 0) {
        signal(SIGINT, SIG_DFL);
        _exit(fn());
    }
    rc = waitpid(pid, &status, 0);
    assert_int_equal(rc, pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static bool has_default_effect(void)
{
    struct sigaction action;

    sigaction(SIGINT, NULL, &action);
    return action.sa_handler == SIG_DFL;
}

static void press(void *arg)
{
    (void)arg;
    raise(SIGINT);
}

/* The loop is asleep when it is pressed. */
static void press_soon(void)
{
    if (cora_loop_call_later(cora_get_running_loop(), 1e-3, press, NULL, NULL) < 0)
        _exit(FAILED);
}

/* ---- the first ------------------------------------------------------------------------------ */

static int sleep_on(void *arg)
{
    (void)arg;
    press_soon();
    return cora_sleep(3600);
}

static int run_sleeper(void)
{
    int rc = cora_run(sleep_on, NULL);

    return rc == -EINTR && has_default_effect() ? 0 : FAILED;
}

TEST(the_first_cancels_main_and_the_run_ends_with_eintr)
{
    int status = in_child(run_sleeper);

    assert_int_equal(status, 0);
}

static int swallow(void *arg)
{
    return sleep_on(arg) == -ECANCELED ? 7 : FAILED;
}

static int run_swallower(void)
{
    return cora_run(swallow, NULL);
}

TEST(a_main_task_that_swallows_it_returns_its_value)
{
    int status = in_child(run_swallower);

    assert_int_equal(status, 7);
}

static int turn_into_error(void *arg)
{
    return sleep_on(arg) == -ECANCELED ? -EIO : 0;
}

static int run_turner(void)
{
    return cora_run(turn_into_error, NULL) == -EIO ? 0 : FAILED;
}

TEST(a_main_task_that_fails_over_it_returns_its_error)
{
    int status = in_child(run_turner);

    assert_int_equal(status, 0);
}

static int press_and_never_wait(void *arg)
{
    (void)arg;
    raise(SIGINT);
    return 7;
}

static int run_never_waiting(void)
{
    return cora_run(press_and_never_wait, NULL);
}

TEST(a_main_task_that_ends_before_it_is_told_returns_its_value)
{
    int status = in_child(run_never_waiting);

    assert_int_equal(status, 7);
}

static int sleep_plainly(void *arg)
{
    (void)arg;
    return cora_sleep(3600);
}

static int press_and_leave_a_task(void *arg)
{
    cora_task_unref(cora_create_task_arg(sleep_plainly, arg));

    int rc = cora_sleep(0);

    raise(SIGINT);
    return rc < 0 ? FAILED : 7;
}

TEST(a_press_as_main_ends_touches_nothing_afterwards)
{
    int rc = cora_run(press_and_leave_a_task, NULL);

    assert_int_equal(rc, 7);
    assert_true(has_default_effect());
}

static int wait_a_while(void *arg)
{
    int rc = cora_sleep(1e-3);

    (void)arg;
    return rc < 0 ? rc : 8;
}

static int run_twice(void)
{
    cora_runner *runner = NULL;
    int rc[3];

    if (cora_runner_create(&runner, NULL) < 0)
        return FAILED;
    rc[0] = cora_runner_run(runner, press_and_never_wait, NULL);
    rc[1] = cora_runner_run(runner, wait_a_while, NULL);
    rc[2] = cora_runner_run(runner, sleep_on, NULL);
    if (cora_runner_close(runner) < 0)
        return FAILED;
    return rc[0] == 7 && rc[1] == 8 && rc[2] == -EINTR ? 0 : FAILED;
}

TEST(each_run_of_a_runner_counts_afresh)
{
    int status = in_child(run_twice);

    assert_int_equal(status, 0);
}

static int cancel_main(void *arg)
{
    cora_task_cancel(arg);
    return 0;
}

static int be_cancelled_too(void *arg)
{
    cora_task *task = cora_create_task_arg(cancel_main, cora_current_task());
    int rc[2];

    (void)arg;
    cora_task_unref(task);
    rc[0] = cora_sleep(3600);
    rc[1] = sleep_on(NULL);
    return rc[0] == -ECANCELED ? rc[1] : FAILED;
}

static int run_cancelled(void)
{
    return cora_run(be_cancelled_too, NULL) == -ECANCELED ? 0 : FAILED;
}

TEST(a_main_task_that_somebody_else_cancels_too_gives_ecanceled)
{
    int status = in_child(run_cancelled);

    assert_int_equal(status, 0);
}

/* ---- the second ----------------------------------------------------------------------------- */

static bool cleaned_up;

/* Cancelled, it cleans up for an hour, during which it is pressed again. */
static int clean_up_long(void *arg)
{
    int rc = sleep_on(arg);

    press_soon();
    if (cora_sleep(3600) == 0)
        cleaned_up = true;
    return rc;
}

static int run_cleaner(void)
{
    int rc = cora_run(clean_up_long, NULL);

    return rc == -EINTR && !cleaned_up && has_default_effect() ? 0 : FAILED;
}

TEST(the_second_ends_the_run_at_once_though_main_cleans_up)
{
    int status = in_child(run_cleaner);

    assert_int_equal(status, 0);
}

static bool may_rest;

static int never_rest(void *arg)
{
    int rc = 0;

    (void)arg;
    while (!may_rest)
        rc = cora_sleep(0);
    return rc;
}

static void press_and_press_again(void *arg)
{
    press(arg);
    press_soon();
}

static int run_restless(void)
{
    cora_runner *runner = NULL;
    int rc;

    if (cora_runner_create(&runner, NULL) < 0 ||
        cora_loop_call_later(cora_runner_get_loop(runner), 1e-3, press_and_press_again, NULL,
                             NULL) < 0)
        return FAILED;
    rc = cora_runner_run(runner, never_rest, NULL);
    may_rest = true;
    if (cora_runner_close(runner) < 0)
        return FAILED;
    return rc == -EINTR && has_default_effect() ? 0 : FAILED;
}

TEST(the_second_ends_the_run_of_tasks_that_never_rest)
{
    int status = in_child(run_restless);

    assert_int_equal(status, 0);
}

static int press_twice(void *arg)
{
    (void)arg;
    raise(SIGINT);
    raise(SIGINT);
    return 0;
}

static int run_holder(void)
{
    return cora_run(press_twice, NULL) < 0 ? FAILED : FAILED + 1;
}

TEST(the_second_kills_where_a_task_holds_the_loop)
{
    int status = in_child(run_holder);

    assert_int_equal(status, KILLED);
}

/* ---- other handlers ------------------------------------------------------------------------- */

static volatile sig_atomic_t handled;

static void my_handler(int signum)
{
    (void)signum;
    handled++;
}

static int run_with_a_handler(void)
{
    struct sigaction action;
    int rc;

    signal(SIGINT, my_handler);
    rc = cora_run(press_and_never_wait, NULL);
    sigaction(SIGINT, NULL, &action);
    return rc == 7 && handled == 1 && action.sa_handler == my_handler ? 0 : FAILED;
}

TEST(a_handler_that_was_there_before_is_left_alone)
{
    int status = in_child(run_with_a_handler);

    assert_int_equal(status, 0);
}

static int run_ignoring(void)
{
    struct sigaction action;
    int rc;

    signal(SIGINT, SIG_IGN);
    rc = cora_run(press_twice, NULL);
    sigaction(SIGINT, NULL, &action);
    return rc == 0 && action.sa_handler == SIG_IGN ? 0 : FAILED;
}

TEST(a_signal_that_is_ignored_stays_ignored)
{
    int status = in_child(run_ignoring);

    assert_int_equal(status, 0);
}

static int press_after_run(void)
{
    int rc = cora_run(swallow, NULL);

    if (rc != 7)
        return FAILED;
    raise(SIGINT);
    return FAILED;
}

TEST(afterwards_the_signal_has_its_default_effect_again)
{
    int status = in_child(press_after_run);

    assert_int_equal(status, KILLED);
}

static void *run_in_a_thread(void *arg)
{
    *(int *)arg = cora_run(press_and_never_wait, NULL);
    return NULL;
}

static int run_elsewhere(void)
{
    pthread_t thread;
    int rc = 0;

    if (pthread_create(&thread, NULL, run_in_a_thread, &rc) == 0)
        pthread_join(thread, NULL);
    return FAILED;
}

TEST(a_loop_in_another_thread_leaves_it_alone)
{
    int status = in_child(run_elsewhere);

    assert_int_equal(status, KILLED);
}

static int presses_in_loop;

static void count_press(void *arg)
{
    (void)arg;
    presses_in_loop++;
}

static int add_a_handler(void *arg)
{
    (void)arg;
    return cora_loop_add_signal_handler(cora_get_running_loop(), SIGINT, count_press, NULL);
}

static int press_and_look(void *arg)
{
    (void)arg;
    raise(SIGINT);
    return cora_sleep(1e-3);
}

static int run_with_a_handler_of_the_loop(void)
{
    cora_runner *runner = NULL;
    int rc[2];

    if (cora_runner_create(&runner, NULL) < 0)
        return FAILED;
    rc[0] = cora_runner_run(runner, add_a_handler, NULL);
    rc[1] = cora_runner_run(runner, press_and_look, NULL);
    if (cora_runner_close(runner) < 0)
        return FAILED;
    return rc[0] == 0 && rc[1] == 0 && presses_in_loop == 1 && has_default_effect() ? 0 : FAILED;
}

TEST(a_handler_that_main_adds_to_the_loop_stays_for_the_next_run)
{
    int status = in_child(run_with_a_handler_of_the_loop);

    assert_int_equal(status, 0);
}

static int replace_the_handler(void *arg)
{
    (void)arg;
    signal(SIGINT, my_handler);
    return 0;
}

static int run_replacing(void)
{
    int rc = cora_run(replace_the_handler, NULL);

    raise(SIGINT);
    return rc == 0 && handled == 1 ? 0 : FAILED;
}

TEST(a_handler_that_main_installs_stays)
{
    int status = in_child(run_replacing);

    assert_int_equal(status, 0);
}

/* As cora_runner_run does it, with a second press right behind the end of the run. */
static int press_behind_the_end(void)
{
    struct cora__sigint sigint;
    cora_loop *loop = NULL;
    cora_task *task;
    int rc[2];

    if (cora_new_event_loop(&loop) < 0)
        return FAILED;
    task = cora_loop_create_task_arg(loop, NULL, sleep_on, "sleep_on", NULL);
    cora__sigint_watch(&sigint, cora__as_task(task));
    rc[0] = cora_loop_run_until_complete(loop, task);
    raise(SIGINT);
    cora__sigint_unwatch(&sigint);
    cora_task_unref(task);
    task = cora_loop_create_task_arg(loop, NULL, wait_a_while, "wait_a_while", NULL);
    rc[1] = cora_loop_run_until_complete(loop, task);
    cora_task_unref(task);
    cora_loop_free(loop);
    return rc[0] == -ECANCELED && sigint.cancelled_main && rc[1] == 8 ? 0 : FAILED;
}

TEST(a_second_press_behind_the_end_of_a_run_does_not_end_the_next)
{
    int status = in_child(press_behind_the_end);

    assert_int_equal(status, 0);
}

static void *press_in_a_thread(void *arg)
{
    press(arg); /* it is handled in this thread */
    return NULL;
}

static int sleep_while_a_thread_presses(void *arg)
{
    pthread_t thread;
    int rc;

    if (pthread_create(&thread, NULL, press_in_a_thread, arg) != 0)
        _exit(FAILED);
    rc = cora_sleep(3600);
    pthread_join(thread, NULL);
    return rc;
}

static int run_with_a_pressing_thread(void)
{
    int rc = cora_run(sleep_while_a_thread_presses, NULL);

    return rc == -EINTR && has_default_effect() ? 0 : FAILED;
}

TEST(it_may_be_handled_in_any_thread)
{
    int status = in_child(run_with_a_pressing_thread);

    assert_int_equal(status, 0);
}

/* ---- forks ---------------------------------------------------------------------------------- */

static int fork_and_press(void *arg)
{
    int rc = in_child(run_sleeper);

    (void)arg;
    return rc != 0 ? FAILED : cora_sleep(0);
}

static int run_forking(void)
{
    return cora_run(fork_and_press, NULL);
}

TEST(a_child_forked_in_a_task_has_a_ctrl_c_of_its_own)
{
    int status = in_child(run_forking);

    assert_int_equal(status, 0);
}

static int fork_and_look(void *arg)
{
    int status = 0;
    pid_t pid = fork();

    (void)arg;
    if (pid == 0)
        _exit(has_default_effect() ? 0 : FAILED);
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
}

TEST(in_a_child_forked_in_a_task_it_has_its_default_effect)
{
    int rc = cora_run(fork_and_look, NULL);

    assert_int_equal(rc, 0);
}
