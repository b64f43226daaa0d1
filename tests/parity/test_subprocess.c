/* CPython's test_subprocess.py (of test_asyncio): other programs, as tasks see them. */
#include "support/process.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIPE = CORA_SUBPROCESS_PIPE, DEVNULL = CORA_SUBPROCESS_DEVNULL };

/* One that does nothing until it is killed: nobody writes to its stdin. */
#define BLOCKED "exec sleep 3600"

static cora_process *start_blocked(void)
{
    return start_shell(BLOCKED, 0, 0, 0);
}

static void kill_process(cora_process *process)
{
    int rc = cora_process_kill(process);

    assert_int_equal(rc, 0);
}

/* It ends at once, and the loop has not heard of it yet. */
static void end_behind_back(pid_t pid)
{
    int rc = kill(pid, SIGTERM);

    assert_int_equal(rc, 0);
    await_end(pid);
}

/* ---- the transport ------------------------------------------------------------------------- */

struct watcher {
    cora_protocol protocol;
    cora_transport *transport;
    cora_future *lost;
};

static void connection_made(cora_protocol *self, cora_transport *transport)
{
    trace("made");
    ((struct watcher *)self)->transport = cora_transport_ref(transport);
}

static void process_exited(cora_protocol *self)
{
    int returncode = 1000;
    bool ended = cora_transport_get_returncode(((struct watcher *)self)->transport, &returncode);

    assert_true(ended);
    trace("exited %d", returncode);
}

static void connection_lost(cora_protocol *self, int error)
{
    struct watcher *watcher = (struct watcher *)self;
    int rc;

    trace("lost %d", error);
    if (watcher->lost == NULL)
        return;
    rc = cora_future_set_result(watcher->lost, 0, NULL);
    assert_int_equal(rc, 0);
}

static void pipe_data_received(cora_protocol *self, int fd, const void *data, size_t size)
{
    (void)self;
    trace("data %d %.*s", fd, (int)size, (const char *)data);
}

static void pipe_connection_lost(cora_protocol *self, int fd, int error)
{
    (void)self;
    trace("pipe lost %d %d", fd, error);
}

static const cora_protocol_methods watcher_methods = {
    .connection_made = connection_made,
    .connection_lost = connection_lost,
    .process_exited = process_exited,
    .pipe_data_received = pipe_data_received,
    .pipe_connection_lost = pipe_connection_lost,
};

static cora_protocol *make_watcher(void *arg)
{
    struct watcher *watcher = arg;

    *watcher = (struct watcher){.protocol = {&watcher_methods}};
    watcher->lost = cora_loop_create_future(cora_get_running_loop());
    assert_non_null(watcher->lost);
    return &watcher->protocol;
}

static void watch_shell(struct watcher *watcher, const char *command, int in, int out, int err)
{
    int rc =
        cora_subprocess_shell(make_watcher, watcher, command,
                              &(cora_subprocess_options){.in = in, .out = out, .err = err}, NULL);

    assert_int_equal(rc, 0);
}

static void await_lost(struct watcher *watcher)
{
    int rc = cora_await_unref(watcher->lost);

    assert_int_equal(rc, 0);
}

static int proc_exited(void *arg)
{
    struct watcher watcher;
    int returncode = 0;

    (void)arg;
    watch_shell(&watcher, "exit 6", 0, 0, 0);
    await_lost(&watcher);
    assert_string_equal(trace_text, "made exited 6 lost 0 ");
    assert_true(cora_transport_get_returncode(watcher.transport, &returncode));
    assert_int_equal(returncode, 6);
    assert_int_equal(cora_transport_send_signal(watcher.transport, SIGTERM), -ESRCH);
    assert_int_equal(cora_transport_terminate(watcher.transport), -ESRCH);
    assert_int_equal(cora_transport_kill(watcher.transport), -ESRCH);
    cora_transport_close(watcher.transport);
    cora_transport_unref(watcher.transport);
    return 0;
}

TEST(SubprocessTransportTests_test_proc_exited)
{
    run_processes(proc_exited);
}

static int waits(void *arg)
{
    int returncode = 0;
    int rc = cora_process_wait(arg, &returncode);

    return rc < 0 ? rc : 1000 + returncode;
}

/* Of two that wait one is cancelled while the news of the end are on their way. */
static int exit_waiters(void *arg)
{
    cora_process *process = start_blocked();
    cora_task *cancelled = cora_create_task_arg(waits, process);
    cora_task *other = cora_create_task_arg(waits, process);
    int rc = rest(2);

    (void)arg;
    assert_int_equal(rc, 0);
    kill_process(process);
    await_end(cora_process_pid(process));
    cora_task_cancel(cancelled);
    rc = cora_await_unref(other);
    assert_int_equal(rc, 1000 - SIGKILL);
    rc = cora_await_unref(cancelled);
    assert_int_equal(rc, -ECANCELED);
    finish_process(process, -SIGKILL);
    return 0;
}

TEST(SubprocessTransportTests_test_proc_exited_no_invalid_state_error_on_exit_waiters)
{
    run_processes(exit_waiters);
}

/* ---- input and output ---------------------------------------------------------------------- */

static int stdin_stdout(void *arg)
{
    cora_process *process = start_shell("cat", PIPE, PIPE, 0);
    cora_stream_writer *writer = cora_process_stdin(process);
    char *data;
    ssize_t size;
    int rc = cora_stream_writer_write(writer, "some data", 9);

    (void)arg;
    assert_int_equal(rc, 0);
    rc = cora_stream_writer_drain(writer);
    assert_int_equal(rc, 0);
    cora_stream_writer_close(writer);
    size = cora_stream_reader_read_until_eof(cora_process_stdout(process), &data);
    assert_int_equal(size, 9);
    assert_memory_equal(data, "some data", 9);
    finish_process(process, 0);
    return 0;
}

TEST(SubprocessMixin_test_stdin_stdout)
{
    run_processes(stdin_stdout);
}

static int communicate(void *arg)
{
    (void)arg;
    assert_output(start_shell("cat", PIPE, PIPE, 0), "some data", "some data");
    return 0;
}

TEST(SubprocessMixin_test_communicate)
{
    run_processes(communicate);
}

static int communicate_none(void *arg)
{
    (void)arg;
    assert_output(start_shell("cat", PIPE, PIPE, 0), NULL, "");
    return 0;
}

TEST(SubprocessMixin_test_communicate_none_input)
{
    run_processes(communicate_none);
}

static int empty_input(void *arg)
{
    (void)arg;
    assert_output(start_shell("cat | wc -c", PIPE, PIPE, PIPE), "", "0\n");
    return 0;
}

TEST(SubprocessMixin_test_empty_input)
{
    run_processes(empty_input);
}

/* If the child had the pipe's other end as well, it would never come to the end of its input. */
static int stdin_not_inheritable(void *arg)
{
    (void)arg;
    assert_output(start_shell("cat | wc -c", PIPE, PIPE, PIPE), "abc", "3\n");
    return 0;
}

TEST(SubprocessMixin_test_stdin_not_inheritable)
{
    run_processes(stdin_not_inheritable);
}

static int devstdin_input(void *arg)
{
    (void)arg;
    assert_output(start_shell("cat /dev/stdin | wc -c", PIPE, PIPE, PIPE), "abc", "3\n");
    return 0;
}

TEST(SubprocessMixin_test_devstdin_input)
{
    run_processes(devstdin_input);
}

static int devnull_input(void *arg)
{
    (void)arg;
    assert_output(start_shell("cat | wc -c", DEVNULL, PIPE, PIPE), NULL, "0\n");
    return 0;
}

TEST(SubprocessMixin_test_devnull_input)
{
    run_processes(devnull_input);
}

static int devnull_output(void *arg)
{
    cora_process *process = start_shell("cat; echo error >&2", PIPE, DEVNULL, PIPE);
    cora_process_output output;
    int rc = cora_process_communicate(process, "abc", 3, &output);

    (void)arg;
    assert_int_equal(rc, 0);
    assert_null(output.out);
    assert_string_equal(output.err, "error\n");
    cora_process_output_clear(&output);
    finish_process(process, 0);
    return 0;
}

TEST(SubprocessMixin_test_devnull_output)
{
    run_processes(devnull_output);
}

static int devnull_error(void *arg)
{
    cora_process *process = start_shell("cat; echo error >&2", PIPE, PIPE, DEVNULL);
    cora_process_output output;
    int rc = cora_process_communicate(process, "abc", 3, &output);

    (void)arg;
    assert_int_equal(rc, 0);
    assert_null(output.err);
    assert_string_equal(output.out, "abc");
    cora_process_output_clear(&output);
    finish_process(process, 0);
    return 0;
}

TEST(SubprocessMixin_test_devnull_error)
{
    run_processes(devnull_error);
}

/* It has ended before it can be fed. */
static cora_process *start_and_end(void)
{
    cora_process *process = start_shell(BLOCKED, PIPE, 0, 0);

    end_behind_back(cora_process_pid(process));
    return process;
}

static int broken_pipe(void *arg)
{
    cora_process *process = start_and_end();
    cora_stream_writer *writer = cora_process_stdin(process);
    unsigned char *big = make_big();
    int rc = cora_stream_writer_write(writer, big, BIG);

    (void)arg;
    assert_int_equal(rc, 0);
    rc = cora_stream_writer_drain(writer);
    if (rc == 0) /* it was told that all was lost in the next iteration only */
        rc = cora_stream_writer_drain(writer);
    assert_true(rc == -EPIPE || rc == -ECONNRESET);
    free(big);
    finish_process(process, -SIGTERM);
    return 0;
}

TEST(SubprocessMixin_test_stdin_broken_pipe)
{
    run_processes(broken_pipe);
}

static int ignore_broken_pipe(void *arg)
{
    cora_process *process = start_and_end();
    unsigned char *big = make_big();
    int rc = cora_process_communicate(process, big, BIG, NULL);

    (void)arg;
    assert_int_equal(rc, 0);
    free(big);
    finish_process(process, -SIGTERM);
    return 0;
}

TEST(SubprocessMixin_test_communicate_ignore_broken_pipe)
{
    run_processes(ignore_broken_pipe);
}

/* The reader holds no more than it should, until all is asked for. */
static int pause_reading(void *arg)
{
    static const char *const argv[] = {"/bin/sh", "-c", "echo 123456789012345678901; cat", NULL};
    const cora_subprocess_options options = {.in = PIPE, .out = PIPE, .limit = 10};
    cora_process *process = NULL;
    int rc = cora_create_subprocess_exec(argv, &options, &process);
    cora_stream_reader *reader;
    cora_transport *transport;

    (void)arg;
    assert_int_equal(rc, 0);
    reader = cora_process_stdout(process);
    transport = cora_stream_writer_get_transport(cora_stream_reader_get_writer(reader));
    while (cora_transport_is_reading(transport)) {
        rc = cora_sleep(0);
        assert_int_equal(rc, 0);
    }
    assert_output(process, "x", "123456789012345678901\nx");
    return 0;
}

TEST(SubprocessMixin_test_pause_reading)
{
    run_processes(pause_reading);
}

/* It has ended long ago, and its output still comes. */
static int read_after_exit(void *arg)
{
    cora_process *process = start_shell("i=0; while [ $i -lt 1024 ]; do printf %064d $i;"
                                        " i=$((i + 1)); done; exit 1",
                                        0, PIPE, 0);
    char buffer[4096];
    ssize_t got, total = 0;
    int rc;

    (void)arg;
    while ((got = cora_stream_reader_read(cora_process_stdout(process), buffer, 4096)) > 0) {
        total += got;
        rc = cora_sleep(0.3);
        assert_int_equal(rc, 0);
    }
    assert_int_equal(got, 0);
    assert_int_equal(total, 65536);
    finish_process(process, 1);
    return 0;
}

TEST(SubprocessMixin_test_read_stdout_after_process_exit)
{
    run_processes(read_after_exit);
}

struct echo_args {
    const char *text;
};

static int echo(void *arg)
{
    struct echo_args *a = arg;
    const char *const argv[] = {"echo", a->text, NULL};
    cora_process *process = NULL;
    char expected[16];
    int rc = cora_create_subprocess_exec(argv, &(cora_subprocess_options){.out = PIPE}, &process);

    assert_int_equal(rc, 0);
    snprintf(expected, sizeof expected, "%s\n", a->text);
    assert_output(process, NULL, expected);
    return 0;
}

static int communicate_at_once(void *arg)
{
    static char text[10][8];
    cora_task *tasks[10];
    int rc;

    (void)arg;
    for (int i = 0; i < 10; i++) {
        snprintf(text[i], sizeof text[i], "foo%d", i);
        tasks[i] = cora_create_task(echo, .text = text[i]);
    }
    for (int i = 0; i < 10; i++) {
        rc = cora_await_unref(tasks[i]);
        assert_int_equal(rc, 0);
    }
    return 0;
}

TEST(SubprocessMixin_test_subprocess_communicate_stdout)
{
    run_processes(communicate_at_once);
}

/* ---- shells, sessions, environments -------------------------------------------------------- */

static int shell(void *arg)
{
    (void)arg;
    finish_process(start_shell("exit 7", 0, 0, 0), 7);
    return 0;
}

TEST(SubprocessMixin_test_shell)
{
    run_processes(shell);
}

static int start_new_session(void *arg)
{
    cora_process *process = NULL;
    int rc = cora_create_subprocess_shell(
        "exit 8", &(cora_subprocess_options){.start_new_session = true}, &process);

    (void)arg;
    assert_int_equal(rc, 0);
    finish_process(process, 8);
    return 0;
}

TEST(SubprocessMixin_test_start_new_session)
{
    run_processes(start_new_session);
}

static const char *const environment[] = {"FOO=bar", NULL};

static int env_shell(void *arg)
{
    cora_process *process = NULL;
    int rc = cora_create_subprocess_shell(
        "echo $FOO", &(cora_subprocess_options){.out = PIPE, .env = environment}, &process);

    (void)arg;
    assert_int_equal(rc, 0);
    assert_output(process, NULL, "bar\n");
    return 0;
}

TEST(SubprocessMixin_test_create_subprocess_env_shell)
{
    run_processes(env_shell);
}

static int env_exec(void *arg)
{
    static const char *const argv[] = {"sh", "-c", "echo $FOO", NULL};
    cora_process *process = NULL;
    int rc = cora_create_subprocess_exec(
        argv, &(cora_subprocess_options){.out = PIPE, .env = environment}, &process);

    (void)arg;
    assert_int_equal(rc, 0);
    assert_output(process, NULL, "bar\n");
    return 0;
}

TEST(SubprocessMixin_test_create_subprocess_env_exec)
{
    run_processes(env_exec);
}

/* ---- signals ------------------------------------------------------------------------------- */

static int kills(void *arg)
{
    cora_process *process = start_blocked();

    (void)arg;
    kill_process(process);
    finish_process(process, -SIGKILL);
    return 0;
}

TEST(SubprocessMixin_test_kill)
{
    run_processes(kills);
}

/* What the shell has started holds the pipe, and lives on until its own end. */
static int kills_shell(void *arg)
{
    cora_process *process = start_shell("exec 3<&0; cat <&3 & echo; wait", PIPE, PIPE, 0);
    char *line;
    ssize_t size = cora_stream_reader_readline(cora_process_stdout(process), &line);

    (void)arg;
    assert_int_equal(size, 1);
    kill_process(process);
    finish_process(process, -SIGKILL);
    return 0;
}

TEST(SubprocessMixin_test_kill_issue43884)
{
    run_processes(kills_shell);
}

static int terminate(void *arg)
{
    cora_process *process = start_blocked();
    int rc = cora_process_terminate(process);

    (void)arg;
    assert_int_equal(rc, 0);
    finish_process(process, -SIGTERM);
    return 0;
}

TEST(SubprocessMixin_test_terminate)
{
    run_processes(terminate);
}

static int send_signal(void *arg)
{
    cora_process *process = start_shell("echo sleeping; " BLOCKED, 0, PIPE, 0);
    char *line;
    ssize_t size = cora_stream_reader_readline(cora_process_stdout(process), &line);
    int rc;

    (void)arg;
    assert_int_equal(size, 9);
    rc = cora_process_send_signal(process, SIGHUP);
    assert_int_equal(rc, 0);
    finish_process(process, -SIGHUP);
    return 0;
}

TEST(SubprocessMixin_test_send_signal)
{
    run_processes(send_signal);
}

/* The signal is sent before the end, or between the end and the news of it, or after that. */
static int send_signal_race(void *arg)
{
    (void)arg;
    for (int round = 0; round < 20; round++) {
        bool has_ended = round % 4 >= 2;
        cora_process *process = start_shell("exec cat", PIPE, 0, 0);
        int returncode, rc;

        cora_stream_writer_close(cora_process_stdin(process));
        if (has_ended)
            end_behind_back(cora_process_pid(process));
        rc = rest(round % 2 * 4);
        assert_int_equal(rc, 0);
        rc = cora_process_send_signal(process, SIGUSR1);
        assert_true(rc == 0 || (rc == -ESRCH && round % 2 == 1));
        rc = cora_process_wait(process, &returncode);
        assert_int_equal(rc, 0);
        assert_true(returncode != 255);
        cora_process_unref(process);
    }
    return 0;
}

TEST(SubprocessMixin_test_subprocess_send_signal_race)
{
    run_processes(send_signal_race);
}

/* ---- cancellation -------------------------------------------------------------------------- */

static int cancel_wait(void *arg)
{
    cora_process *process = start_blocked();
    cora_task *task = cora_create_task_arg(waits, process);
    int rc = rest(1);

    (void)arg;
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    rc = cora_await(task);
    assert_int_equal(rc, -ECANCELED);
    assert_false(cora_task_cancel(task));
    cora_task_unref(task);
    kill_process(process);
    finish_process(process, -SIGKILL);
    return 0;
}

TEST(SubprocessMixin_test_cancel_process_wait)
{
    run_processes(cancel_wait);
}

struct create_args {
    int in, out, err;
};

static int create(void *arg)
{
    struct create_args *a = arg;
    cora_subprocess_options options = {.in = a->in, .out = a->out, .err = a->err};
    cora_process *process = NULL;
    int rc = cora_create_subprocess_shell(BLOCKED, &options, &process);

    assert_null(process);
    return rc;
}

/* The task is cancelled while the process's pipes are being connected. */
static void cancel_create(int in, int out, int err)
{
    cora_task *task = cora_create_task(create, .in = in, .out = out, .err = err);
    int rc = rest(1);

    assert_int_equal(rc, 0);
    assert_true(has_children());
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
}

static int cancel_exec(void *arg)
{
    (void)arg;
    cancel_create(0, 0, 0);
    return 0;
}

TEST(SubprocessMixin_test_cancel_make_subprocess_transport_exec)
{
    run_processes(cancel_exec);
}

static int cancel_reading(void *arg)
{
    (void)arg;
    cancel_create(0, PIPE, PIPE);
    return 0;
}

TEST(SubprocessMixin_test_subprocess_read_pipe_cancelled)
{
    run_processes(cancel_reading);
}

static int cancel_writing(void *arg)
{
    (void)arg;
    cancel_create(PIPE, 0, 0);
    return 0;
}

TEST(SubprocessMixin_test_subprocess_write_pipe_cancelled)
{
    run_processes(cancel_writing);
}

static int cancel_both(void *arg)
{
    (void)arg;
    cancel_create(PIPE, PIPE, PIPE);
    return 0;
}

TEST(SubprocessMixin_test_subprocess_read_write_pipe_cancelled)
{
    run_processes(cancel_both);
}

static int watch_blocked(void *arg)
{
    return cora_subprocess_shell(make_watcher, arg, BLOCKED, NULL, NULL);
}

static int cancel_post_init(void *arg)
{
    struct watcher watcher = {.lost = NULL};
    cora_task *task = cora_create_task_arg(watch_blocked, &watcher);
    int rc = rest(1);

    (void)arg;
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    await_lost(&watcher);
    cora_transport_unref(watcher.transport);
    assert_string_equal(trace_text, "made exited -9 lost 0 ");
    return 0;
}

TEST(SubprocessMixin_test_cancel_post_init)
{
    run_processes(cancel_post_init);
}

/* ---- close --------------------------------------------------------------------------------- */

static int close_running(void *arg)
{
    struct watcher watcher;
    int returncode = 0;

    (void)arg;
    watch_shell(&watcher, BLOCKED, 0, 0, 0);
    assert_false(cora_transport_get_returncode(watcher.transport, &returncode));
    cora_transport_close(watcher.transport);
    await_lost(&watcher);
    assert_true(cora_transport_get_returncode(watcher.transport, &returncode));
    assert_int_equal(returncode, -SIGKILL);
    cora_transport_unref(watcher.transport);
    return 0;
}

TEST(SubprocessMixin_test_close_kill_running)
{
    run_processes(close_running);
}

/* It has ended by itself, which the loop has not heard yet. */
static int close_finished(void *arg)
{
    struct watcher watcher;
    int returncode = 0;

    (void)arg;
    watch_shell(&watcher, BLOCKED, 0, 0, 0);
    end_behind_back(cora_transport_get_pid(watcher.transport));
    assert_false(cora_transport_get_returncode(watcher.transport, &returncode));
    cora_transport_close(watcher.transport);
    await_lost(&watcher);
    assert_true(cora_transport_get_returncode(watcher.transport, &returncode));
    assert_int_equal(returncode, -SIGTERM);
    cora_transport_unref(watcher.transport);
    return 0;
}

TEST(SubprocessMixin_test_close_dont_kill_finished)
{
    run_processes(close_finished);
}

/* ---- errors -------------------------------------------------------------------------------- */

static int fail_to_start(void *arg)
{
    static const char *const argv[] = {"/none/program", NULL};
    cora_process *process = NULL;
    int rc = cora_create_subprocess_exec(argv, arg, &process);

    assert_int_equal(rc, -ENOENT);
    assert_null(process);
    return 0;
}

static int popen_error(void *arg)
{
    (void)arg;
    return fail_to_start(NULL);
}

TEST(SubprocessMixin_test_popen_error)
{
    run_processes(popen_error);
}

static int popen_error_with_pipe(void *arg)
{
    cora_subprocess_options options = {.in = PIPE};

    (void)arg;
    return fail_to_start(&options);
}

TEST(SubprocessMixin_test_popen_error_with_stdin_pipe)
{
    run_processes(popen_error_with_pipe);
}

/* ---- who hears what ------------------------------------------------------------------------ */

static int concurrent_wait(void *arg)
{
    cora_process *process = start_blocked();
    cora_task *tasks[10];
    int rc;

    (void)arg;
    for (int i = 0; i < 10; i++)
        tasks[i] = cora_create_task_arg(waits, process);
    rc = rest(1);
    assert_int_equal(rc, 0);
    kill_process(process);
    for (int i = 0; i < 10; i++) {
        rc = cora_await_unref(tasks[i]);
        assert_int_equal(rc, 1000 - SIGKILL);
    }
    finish_process(process, -SIGKILL);
    return 0;
}

TEST(SubprocessMixin_test_subprocess_concurrent_wait)
{
    run_processes(concurrent_wait);
}

/* Where `a` stands before `b`, and each once. */
static void assert_order(const char *a, const char *b)
{
    const char *first = strstr(trace_text, a), *second = strstr(trace_text, b);

    assert_non_null(first);
    assert_non_null(second);
    assert_true(first < second);
    assert_null(strstr(first + 1, a));
    assert_null(strstr(second + 1, b));
}

static int protocol_events(void *arg)
{
    struct watcher watcher;

    (void)arg;
    watch_shell(&watcher, "printf stdout; printf stderr >&2", 0, PIPE, PIPE);
    await_lost(&watcher);
    cora_transport_unref(watcher.transport);
    assert_order("made", "data 1 stdout");
    assert_order("data 1 stdout", "pipe lost 1 0");
    assert_order("made", "data 2 stderr");
    assert_order("data 2 stderr", "pipe lost 2 0");
    assert_order("exited 0", " lost 0");
    assert_order("pipe lost 1 0", " lost 0");
    assert_order("pipe lost 2 0", " lost 0");
    return 0;
}

TEST(SubprocessMixin_test_subprocess_protocol_events)
{
    run_processes(protocol_events);
}
