/* CPython's test_threading.py: threads at the end of a program, and around a fork. */
#include "support/bunch.h"
#include "support/process.h"
#include "support/test.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined __SANITIZE_THREAD__
#define CAN_START_THREADS_AFTER_FORK false /* it ends a process that does, if it had several */
#elif defined __has_feature
#if __has_feature(thread_sanitizer)
#define CAN_START_THREADS_AFTER_FORK false
#endif
#endif
#ifndef CAN_START_THREADS_AFTER_FORK
#define CAN_START_THREADS_AFTER_FORK true
#endif

/* qemu-user cannot fork a process that has several threads. */
static bool can_fork_with_threads(void)
{
    return getenv("CORA_EMULATED") == NULL;
}

static int exit_status(pid_t pid)
{
    int status = -1;

    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* The exit status of a child in which fn(arg) says it. */
static int status_of(bool (*fn)(void *arg), void *arg)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(fn(arg) ? 0 : 1);
    return exit_status(pid);
}

static void say(const char *text)
{
    (void)!write(STDOUT_FILENO, text, strlen(text));
}

static void must_start(cora_threading_thread *thread)
{
    int rc = cora_threading_thread_start(thread);

    if (rc < 0)
        _exit(2);
    cora_threading_thread_unref(thread);
}

static void start(cora_threading_fn *fn, void *arg)
{
    must_start(cora_threading_thread_create_arg(NULL, fn, arg));
}

/* ---- the end of a program ------------------------------------------------------------------ */

/* Ends after the main thread. */
static int join_main(void *main_thread)
{
    int rc = cora_threading_thread_join(main_thread, INFINITY);

    say("end of thread\n");
    return rc;
}

static void leave_thread_behind(void)
{
    start(join_main, cora_threading_main_thread());
    say("end of main\n");
}

TEST(ThreadTests_test_join_nondaemon_on_shutdown)
{
    assert_string_equal(output_of_child(leave_thread_behind), "end of main\nend of thread\n");
}

TEST(ThreadJoinOnShutdown_test_1_join_on_shutdown)
{
    assert_string_equal(output_of_child(leave_thread_behind), "end of main\nend of thread\n");
}

static void leave_thread_behind_in_child(void)
{
    pid_t pid = fork();

    if (pid == 0)
        leave_thread_behind();
    else if (exit_status(pid) != 0)
        _exit(2);
}

TEST(ThreadJoinOnShutdown_test_2_join_in_forked_process)
{
    assert_string_equal(output_of_child(leave_thread_behind_in_child),
                        "end of main\nend of thread\n");
}

/* In a child of a thread that is not the main one, which has ended there. */
static int join_main_in_child(void *main_thread)
{
    pid_t pid = fork();

    if (pid > 0)
        return exit_status(pid) == 0 ? 0 : -EIO;
    say("end of main\n");
    if (CAN_START_THREADS_AFTER_FORK)
        start(join_main, main_thread);
    else
        join_main(main_thread);
    exit(0);
}

static void join_main_in_child_of_thread(void)
{
    start(can_fork_with_threads() ? join_main_in_child : join_main, cora_threading_main_thread());
    if (!can_fork_with_threads())
        say("end of main\n");
}

TEST(ThreadJoinOnShutdown_test_3_join_in_forked_from_thread)
{
    assert_string_equal(output_of_child(join_main_in_child_of_thread),
                        "end of main\nend of thread\n");
}

static int run_for_ever(void *started)
{
    while (counter_add(started, 1) > 0)
        sched_yield();
    return 0;
}

static struct counter daemons = COUNTER_INIT;

static void leave_daemons_behind(void)
{
    static const cora_threading_thread_options options = {.daemon = true};

    for (int i = 0; i < 8; i++)
        must_start(cora_threading_thread_create_arg(&options, run_for_ever, &daemons));
    counter_await(&daemons, 100);
    say("end of main\n");
}

TEST(ThreadJoinOnShutdown_test_4_daemon_threads)
{
    assert_string_equal(output_of_child(leave_daemons_behind), "end of main\n");
}

static int say_ok(void *arg)
{
    (void)arg;
    say("OK\n");
    return 0;
}

static int start_another(void *main_thread)
{
    int rc = cora_threading_thread_join(main_thread, INFINITY);

    start(say_ok, NULL);
    return rc;
}

static void leave_thread_of_thread_behind(void)
{
    start(start_another, cora_threading_main_thread());
}

TEST(ThreadJoinOnShutdown_test_thread_from_thread)
{
    assert_string_equal(output_of_child(leave_thread_of_thread_behind), "OK\n");
}

/* ---- what exit handlers see ---------------------------------------------------------------- */

static cora_threading_thread *thread_at_exit;

static void look_at_main_thread(void)
{
    cora_threading_thread *main_thread = cora_threading_main_thread();

    if (main_thread == cora_threading_current_thread() &&
        strcmp(cora_threading_thread_get_name(main_thread), "MainThread") == 0)
        say("main thread\n");
}

static void see_main_thread_at_exit(void)
{
    atexit(look_at_main_thread);
    leave_thread_behind();
}

TEST(ThreadTests_test_main_thread_during_shutdown)
{
    assert_string_equal(output_of_child(see_main_thread_at_exit),
                        "end of main\nend of thread\nmain thread\n");
}

static cora_threading_local data;

static void say_end_of_data(void *text)
{
    say(text);
}

static void must_get(const char *text)
{
    char *mine = cora_threading_local_get(&data);

    if (mine == NULL)
        _exit(2);
    snprintf(mine, 32, "%s", text);
}

static int set_data(void *main_thread)
{
    must_get("end of data\n");
    return cora_threading_thread_join(main_thread, INFINITY);
}

static void leave_data_behind(void)
{
    if (cora_threading_local_init(&data, 32, NULL, say_end_of_data) < 0)
        _exit(2);
    atexit(look_at_main_thread);
    start(set_data, cora_threading_main_thread());
}

/* The program's end waits for the end of a thread's data, too. */
TEST(ThreadTests_test_finalization_shutdown)
{
    assert_string_equal(output_of_child(leave_data_behind), "end of data\nmain thread\n");
}

static void look_at_data(void)
{
    say(cora_threading_local_get(&data));
    cora_threading_local_destroy(&data);
}

static void see_data_at_exit(void)
{
    if (cora_threading_local_init(&data, 32, NULL, NULL) < 0)
        _exit(2);
    must_get("value\n");
    atexit(look_at_data);
}

TEST(ThreadTests_test_locals_at_exit)
{
    assert_string_equal(output_of_child(see_data_at_exit), "value\n");
}

static void join_at_exit(void)
{
    if (cora_threading_thread_join(thread_at_exit, INFINITY) == 0 &&
        !cora_threading_thread_is_alive(thread_at_exit))
        say("all clear\n");
    cora_threading_thread_unref(thread_at_exit);
}

static void leave_finished_daemon(void)
{
    static const cora_threading_thread_options options = {.daemon = true};

    thread_at_exit = cora_threading_thread_create_arg(&options, say_ok, NULL);
    if (cora_threading_thread_start(thread_at_exit) < 0 ||
        cora_threading_thread_join(thread_at_exit, INFINITY) < 0)
        _exit(2);
    atexit(join_at_exit);
}

TEST(ThreadTests_test_join_finished_daemon_thread_in_finalization)
{
    assert_string_equal(output_of_child(leave_finished_daemon), "OK\nall clear\n");
}

/* ---- forks --------------------------------------------------------------------------------- */

static int wait_counter(void *counter)
{
    counter_await(counter, 1);
    return 0;
}

static bool is_not_alive(void *thread)
{
    return !cora_threading_thread_is_alive(thread) &&
           cora_threading_thread_join(thread, INFINITY) == 0;
}

TEST(ThreadTests_test_is_alive_after_fork)
{
    for (int i = 0; can_fork_with_threads() && i < 20; i++) {
        struct counter go = COUNTER_INIT;
        struct bunch bunch;
        int status;

        start_bunch(&bunch, 1, wait_counter, &go);
        status = status_of(is_not_alive, bunch.threads[0]);
        counter_add(&go, 1);
        join_bunch(&bunch);
        assert_int_equal(status, 0);
    }
}

static bool is_alone(void *arg)
{
    cora_threading_thread *threads[2];

    (void)arg;
    return cora_threading_enumerate(threads, 2) == 1 &&
           threads[0] == cora_threading_current_thread();
}

TEST(ThreadJoinOnShutdown_test_clear_threads_states_after_fork)
{
    struct counter go = COUNTER_INIT;
    struct bunch bunch;
    int status = 0;

    start_bunch(&bunch, 16, wait_counter, &go);
    if (can_fork_with_threads())
        status = status_of(is_alone, NULL);
    counter_add(&go, 1);
    join_bunch(&bunch);
    assert_int_equal(status, 0);
}

static bool always(void *arg)
{
    (void)arg;
    return true;
}

static int fork_and_wait(void *arg)
{
    check(status_of(always, arg) == 0);
    return 0;
}

TEST(ThreadJoinOnShutdown_test_reinit_tls_after_fork)
{
    if (can_fork_with_threads())
        run_bunch(16, fork_and_wait, NULL);
    else
        fork_and_wait(NULL);
}

/* ---- forks: who is the main thread --------------------------------------------------------- */

/* The one that has forked, whatever it was. */
static bool is_main_of_child(void *name)
{
    cora_threading_thread *self = cora_threading_main_thread();

    return is_alone(NULL) && self == cora_threading_current_thread() &&
           cora_threading_thread_is_alive(self) &&
           cora_threading_thread_ident(self) == cora_threading_get_ident() &&
           cora_threading_thread_native_id(self) == getpid() &&
           strcmp(cora_threading_thread_get_name(self), name) == 0;
}

TEST(ThreadTests_test_main_thread_after_fork)
{
    int status = status_of(is_main_of_child, "MainThread");

    assert_int_equal(status, 0);
}

static bool has_new_native_id(void *before)
{
    long native_id = cora_threading_thread_native_id(cora_threading_current_thread());

    return native_id == cora_threading_get_native_id() && native_id != *(long *)before;
}

TEST(ThreadTests_test_native_id_after_fork)
{
    long before = cora_threading_get_native_id();
    int status = status_of(has_new_native_id, &before);

    assert_int_equal(status, 0);
    assert_int_equal(cora_threading_thread_native_id(cora_threading_current_thread()), before);
}

static int fork_main(void *arg)
{
    check(status_of(is_main_of_child, arg) == 0);
    return 0;
}

TEST(ThreadTests_test_main_thread_after_fork_from_nonmain_thread)
{
    if (can_fork_with_threads())
        run_bunch(1, fork_main, "Thread-1 (fn)");
}

static void *fork_unknown(void *arg)
{
    (void)arg;
    return (void *)(intptr_t)status_of(is_main_of_child, "MainThread");
}

static void *fork_dummy(void *arg)
{
    (void)arg;
    cora_threading_current_thread();
    return (void *)(intptr_t)status_of(is_main_of_child, "Dummy-1");
}

static void assert_forks(void *(*fn)(void *arg))
{
    pthread_t thread;
    void *status = NULL;

    if (!can_fork_with_threads())
        return;
    pthread_create(&thread, NULL, fn, NULL);
    pthread_join(thread, &status);
    assert_null(status);
}

TEST(ThreadTests_test_main_thread_after_fork_from_foreign_thread)
{
    assert_forks(fork_unknown);
}

TEST(ThreadTests_test_main_thread_after_fork_from_dummy_thread)
{
    assert_forks(fork_dummy);
}

static struct counter dummy_started = COUNTER_INIT, dummy_go = COUNTER_INIT;

static void *be_dummy(void *arg)
{
    cora_threading_current_thread();
    counter_add(&dummy_started, 1);
    counter_await(&dummy_go, 1);
    return arg;
}

TEST(ThreadTests_test_dummy_thread_after_fork)
{
    pthread_t thread;
    size_t count;
    int status = 0;

    pthread_create(&thread, NULL, be_dummy, NULL);
    counter_await(&dummy_started, 1);
    count = cora_threading_active_count();
    if (can_fork_with_threads())
        status = status_of(is_alone, NULL);
    counter_add(&dummy_go, 1);
    pthread_join(thread, NULL);
    assert_int_equal(count, 2);
    assert_int_equal(status, 0);
}
