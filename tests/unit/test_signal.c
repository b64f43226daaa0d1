/* Signals that the loop handles. */
#include "support/test.h"
#include "support/virtual.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void note(void *arg)
{
    trace("%s", (const char *)arg);
}

static void soon(cora_loop *loop, cora_callback *fn, void *arg)
{
    int rc = cora_loop_call_soon(loop, fn, arg, NULL);

    assert_int_equal(rc, 0);
}

static void handle(cora_loop *loop, int signum, cora_callback *fn, void *arg)
{
    int rc = cora_loop_add_signal_handler(loop, signum, fn, arg);

    assert_int_equal(rc, 0);
}

static void iterate(cora_loop *loop)
{
    int rc;

    cora_loop_stop(loop);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
    trace("|");
}

static bool has_default_effect(int signum)
{
    struct sigaction action;

    sigaction(signum, NULL, &action);
    return action.sa_handler == SIG_DFL;
}

static cora_loop *the_loop;

static void note_in_loop(void *arg)
{
    trace("%s%d", (const char *)arg, cora_get_running_loop() == the_loop);
}

TEST(a_signals_handler_runs_in_the_loop)
{
    cora_loop *loop = the_loop = virtual_loop();

    handle(loop, SIGUSR1, note_in_loop, "usr1:");
    handle(loop, SIGUSR2, note_in_loop, "usr2:");
    raise(SIGUSR1);
    assert_string_equal(trace_text, "");
    iterate(loop);
    raise(SIGUSR2);
    iterate(loop);
    iterate(loop);
    assert_string_equal(trace_text, "usr1:1 | usr2:1 | | ");
    cora_loop_free(loop);
}

static void raise_signal(void *arg)
{
    raise(*(int *)arg);
}

static void note_and_stop(void *arg)
{
    note("handled");
    cora_loop_stop(arg);
}

TEST(a_signal_wakes_a_loop_that_has_nothing_else_to_do)
{
    cora_loop *loop = virtual_loop();
    int signum = SIGUSR1;
    int rc;

    handle(loop, SIGUSR1, note_and_stop, loop);
    soon(loop, raise_signal, &signum);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "handled ");
    cora_loop_free(loop);
}

TEST(a_second_add_replaces_the_handler)
{
    cora_loop *loop = virtual_loop();

    handle(loop, SIGUSR1, note, "old");
    handle(loop, SIGUSR1, note, "new");
    raise(SIGUSR1);
    iterate(loop);
    assert_string_equal(trace_text, "new | ");
    cora_loop_free(loop);
}

static void replace(void *arg)
{
    trace("replace");
    handle(arg, SIGUSR1, note, "new");
}

TEST(a_signal_that_has_come_is_not_lost_where_its_handler_is_replaced)
{
    cora_loop *loop = virtual_loop();

    handle(loop, SIGUSR1, note, "old");
    soon(loop, replace, loop);
    raise(SIGUSR1);
    iterate(loop); /* the old one is queued, behind what replaces it */
    iterate(loop);
    assert_string_equal(trace_text, "replace new | | ");
    cora_loop_free(loop);
}

static void remove_usr1(void *arg)
{
    trace("remove");
    cora_loop_remove_signal_handler(arg, SIGUSR1);
}

TEST(a_removed_handler_does_not_run_even_if_it_is_queued)
{
    cora_loop *loop = virtual_loop();

    handle(loop, SIGUSR1, note, "never");
    soon(loop, remove_usr1, loop);
    raise(SIGUSR1);
    iterate(loop);
    iterate(loop);
    assert_string_equal(trace_text, "remove | | ");
    cora_loop_free(loop);
}

static cora_context_var colour = CORA_CONTEXT_VAR_INIT("colour", "none");

static void note_colour(void *arg)
{
    (void)arg;
    trace("%s", (const char *)cora_context_var_get(&colour));
}

static void remove_itself(void *arg)
{
    remove_usr1(arg);
    soon(arg, note_colour, NULL);
}

TEST(a_handler_may_remove_itself_and_go_on_in_its_context)
{
    cora_loop *loop = virtual_loop();
    int rc = cora_context_var_set(&colour, "red", NULL);

    assert_int_equal(rc, 0);
    handle(loop, SIGUSR1, remove_itself, loop);
    rc = cora_context_var_set(&colour, "blue", NULL);
    assert_int_equal(rc, 0);
    raise(SIGUSR1);
    iterate(loop);
    iterate(loop);
    assert_string_equal(trace_text, "remove | red | ");
    assert_true(has_default_effect(SIGUSR1));
    cora_loop_free(loop);
}

static void remove_itself_and_add_another(void *arg)
{
    remove_usr1(arg);
    handle(arg, SIGUSR1, note, "another");
}

TEST(a_handler_may_remove_itself_and_add_another)
{
    cora_loop *loop = virtual_loop();

    handle(loop, SIGUSR1, remove_itself_and_add_another, loop);
    raise(SIGUSR1);
    iterate(loop);
    raise(SIGUSR1);
    iterate(loop);
    assert_string_equal(trace_text, "remove | another | ");
    cora_loop_free(loop);
}

TEST(a_handler_that_removes_itself_at_the_end_of_a_loop_is_freed_with_it)
{
    cora_loop *loop = virtual_loop();

    handle(loop, SIGUSR1, remove_usr1, loop);
    raise(SIGUSR1);
    iterate(loop);
    assert_string_equal(trace_text, "remove | ");
    cora_loop_free(loop);
}

TEST(a_removed_handler_gives_the_signal_its_default_effect_again)
{
    cora_loop *loop = virtual_loop();
    bool removed[2];
    int status = 0;
    pid_t pid;

    handle(loop, SIGTERM, note, "never");
    removed[0] = cora_loop_remove_signal_handler(loop, SIGTERM);
    removed[1] = cora_loop_remove_signal_handler(loop, SIGTERM);
    pid = fork();
    if (pid == 0) {
        raise(SIGTERM);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    assert_true(removed[0]);
    assert_false(removed[1]);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    cora_loop_free(loop);
}

TEST(close_gives_all_signals_their_default_effect_again)
{
    cora_loop *loop = virtual_loop();

    handle(loop, SIGUSR1, note, "a");
    handle(loop, SIGUSR2, note, "b");
    assert_false(has_default_effect(SIGUSR1));
    cora_loop_free(loop);
    assert_true(has_default_effect(SIGUSR1));
    assert_true(has_default_effect(SIGUSR2));
}

TEST(what_cannot_be_caught_is_refused)
{
    static const int refused[] = {SIGKILL, SIGSTOP, 0, -1, NSIG, 100000};
    cora_loop *loop = virtual_loop();

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        int rc = cora_loop_add_signal_handler(loop, refused[i], note, "never");
        bool removed = cora_loop_remove_signal_handler(loop, refused[i]);

        assert_int_equal(rc, -EINVAL);
        assert_false(removed);
    }
    cora_loop_free(loop);
}

TEST(one_loop_at_a_time_handles_a_signal)
{
    cora_loop *loop = virtual_loop(), *other = virtual_loop();
    bool removed;
    int rc = 0;

    handle(loop, SIGUSR1, note, "loop");
    rc = cora_loop_add_signal_handler(other, SIGUSR1, note, "other");
    removed = cora_loop_remove_signal_handler(other, SIGUSR1);
    assert_int_equal(rc, -EBUSY);
    assert_false(removed);
    cora_loop_free(loop);
    handle(other, SIGUSR1, note, "other");
    raise(SIGUSR1);
    iterate(other);
    assert_string_equal(trace_text, "other | ");
    cora_loop_free(other);
}

#ifdef __linux__
TEST(signals_that_the_c_library_keeps_to_itself_are_refused)
{
    cora_loop *loop = virtual_loop();
    int rc[2];

    rc[0] = cora_loop_add_signal_handler(loop, 32, note, "never");
    rc[1] = cora_loop_add_signal_handler(loop, 33, note, "never");
    assert_int_equal(rc[0], -EINVAL);
    assert_int_equal(rc[1], -EINVAL);
    cora_loop_free(loop);
}
#endif

static void ignore(int signum)
{
    (void)signum;
}

TEST(a_handler_that_somebody_else_has_installed_meanwhile_stays)
{
    cora_loop *loop = virtual_loop();
    struct sigaction action = {.sa_handler = ignore};
    bool removed;

    handle(loop, SIGUSR1, note, "never");
    sigaction(SIGUSR1, &action, NULL);
    removed = cora_loop_remove_signal_handler(loop, SIGUSR1);
    sigaction(SIGUSR1, NULL, &action);
    assert_true(removed);
    assert_true(action.sa_handler == ignore);
    signal(SIGUSR1, SIG_DFL);
    cora_loop_free(loop);
}

static void *raise_in_a_thread(void *arg)
{
    raise_signal(arg); /* it is handled in this thread */
    return NULL;
}

TEST(a_signal_may_be_handled_in_any_thread)
{
    cora_loop *loop = virtual_loop();
    int signum = SIGUSR1;
    pthread_t thread;
    int rc;

    handle(loop, SIGUSR1, note, "handled");
    rc = pthread_create(&thread, NULL, raise_in_a_thread, &signum);
    assert_int_equal(rc, 0);
    pthread_join(thread, NULL);
    iterate(loop);
    assert_string_equal(trace_text, "handled | ");
    cora_loop_free(loop);
}

enum { ROUNDS = 100 };

static void *raise_again_and_again(void *arg)
{
    for (int i = 0; i < ROUNDS; i++)
        raise(*(int *)arg);
    return NULL;
}

TEST(a_loop_may_go_while_its_signals_come_in_other_threads)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    int signum = SIGURG; /* ignored by default */
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, raise_again_and_again, &signum);

    assert_int_equal(rc, 0);
    for (int i = 0; i < ROUNDS; i++) {
        cora_loop *loop = virtual_loop();

        handle(loop, SIGURG, note, "");
        cora_loop_free(loop);
    }
    pthread_join(thread, NULL);
    sigaction(SIGURG, NULL, &action);
    assert_true(action.sa_handler == SIG_DFL);
}

/* ---- forks ---------------------------------------------------------------------------------- */

static int in_child(int (*fn)(cora_loop *inherited), cora_loop *loop)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        _exit(fn(loop));
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int handle_in_own_loop(cora_loop *inherited)
{
    cora_loop *loop = virtual_loop();
    bool is_default = has_default_effect(SIGUSR1);
    int rc = cora_loop_add_signal_handler(loop, SIGUSR1, note, "child");

    raise(SIGUSR1);
    iterate(loop);
    cora_loop_free(loop);
    cora_loop_free(inherited);
    return rc == 0 && is_default && strcmp(trace_text, "child | ") == 0 ? 0 : 1;
}

TEST(a_forked_child_handles_signals_in_a_loop_of_its_own)
{
    cora_loop *loop = virtual_loop();
    int status;

    handle(loop, SIGUSR1, note, "parent");
    status = in_child(handle_in_own_loop, loop);
    assert_int_equal(status, 0);
    iterate(loop);
    raise(SIGUSR1);
    iterate(loop);
    assert_string_equal(trace_text, "| parent | ");
    cora_loop_free(loop);
}

static int handle_in_inherited_loop(cora_loop *loop)
{
    bool removed = cora_loop_remove_signal_handler(loop, SIGUSR1);
    int rc = cora_loop_add_signal_handler(loop, SIGUSR1, note, "child");

    raise(SIGUSR1);
    iterate(loop);
    cora_loop_free(loop);
    return rc == 0 && !removed && strcmp(trace_text, "child | ") == 0 ? 0 : 1;
}

TEST(a_forked_child_may_add_handlers_to_the_loop_that_it_inherits)
{
    cora_loop *loop = virtual_loop();
    int status;

    handle(loop, SIGUSR1, note, "parent");
    status = in_child(handle_in_inherited_loop, loop);
    assert_int_equal(status, 0);
    iterate(loop);
    assert_string_equal(trace_text, "| ");
    cora_loop_free(loop);
}
