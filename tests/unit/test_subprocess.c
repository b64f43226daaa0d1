/* Processes of tasks: what is lost, left or held up where all does not go well; and in a second
 * program without process descriptors. */
#include "support/process.h"
#include "support/protocol.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PIPE = CORA_SUBPROCESS_PIPE };

#ifdef CORA_TEST_NO_PIDFD
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __wrap_pidfd_open(pid_t pid, unsigned flags);
int __wrap_pidfd_open(pid_t pid, unsigned flags)
{
    (void)pid, (void)flags;
    errno = ENOSYS;
    return -1;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
#endif

static void kill_process(cora_process *process)
{
    int rc = cora_process_kill(process);

    assert_int_equal(rc, 0);
}

static cora_transport *transport_of(cora_stream_reader *reader)
{
    return cora_stream_writer_get_transport(cora_stream_reader_get_writer(reader));
}

/* ---- the end, and who holds the pipes ------------------------------------------------------ */

/* A background job has the shell's stdin and stdout, and lives as long as we write to it. */
static int wait_for_shell(void *arg)
{
    cora_process *process = start_shell("exec 3<&0; cat <&3 & exit 5", PIPE, PIPE, 0);
    cora_stream_writer *writer = cora_process_stdin(process);
    int returncode = 0, rc = cora_process_wait(process, &returncode);
    char text[4];
    ssize_t got;

    (void)arg;
    assert_int_equal(rc, 0);
    assert_int_equal(returncode, 5);
    rc = cora_stream_writer_write(writer, "abc", 3);
    assert_int_equal(rc, 0);
    got = cora_stream_reader_read(cora_process_stdout(process), text, sizeof text);
    assert_int_equal(got, 3);
    cora_stream_writer_close(writer);
    got = cora_stream_reader_read(cora_process_stdout(process), text, sizeof text);
    assert_int_equal(got, 0);
    rc = cora_process_wait(process, NULL);
    assert_int_equal(rc, 0);
    cora_process_unref(process);
    return 0;
}

TEST(wait_returns_at_the_end_though_another_process_has_the_pipes)
{
    run_processes(wait_for_shell);
}

/* The job gets all that was written before the shell ended, and then the end. */
static int feed_job(void *arg)
{
    struct recorder recorder = {.silent = true};
    unsigned char *big = make_big();
    cora_process *process;
    int ends[2], rc;

    (void)arg;
    make_pipe(ends);
    rc = cora_connect_read_pipe(record, &recorder, ends[0], NULL);
    assert_int_equal(rc, 0);
    process = start_shell("exec 3<&0; cat <&3 &", PIPE, ends[1], 0);
    close(ends[1]);
    rc = cora_stream_writer_write(cora_process_stdin(process), big, BIG);
    assert_int_equal(rc, 0);
    free(big);
    rc = wait_ended(&recorder);
    assert_int_equal(rc, 0);
    assert_int_equal(recorder.received, BIG);
    finish_process(process, 0);
    rc = wait_lost(&recorder);
    assert_int_equal(rc, 0);
    return 0;
}

TEST(what_was_written_before_the_end_gets_to_whoever_reads_it)
{
    run_processes(feed_job);
}

static int ask(void *arg)
{
    cora_process *process = start_shell("exec cat", PIPE, 0, 0);
    int returncode = 1000, rc;

    (void)arg;
    assert_true(cora_process_pid(process) > 0);
    assert_non_null(cora_process_stdin(process));
    assert_null(cora_process_stdout(process));
    assert_null(cora_process_stderr(process));
    assert_false(cora_process_returncode(process, &returncode));
    rc = cora_process_send_signal(process, 1000);
    assert_int_equal(rc, -EINVAL);
    cora_stream_writer_close(cora_process_stdin(process));
    rc = cora_process_wait(process, NULL);
    assert_int_equal(rc, 0);
    assert_true(cora_process_returncode(process, &returncode));
    assert_int_equal(returncode, 0);
    rc = cora_process_kill(process);
    assert_int_equal(rc, -ESRCH);
    rc = cora_process_terminate(process);
    assert_int_equal(rc, -ESRCH);
    cora_process_unref(process);
    return 0;
}

TEST(a_process_tells_what_it_is_and_how_it_ended)
{
    run_processes(ask);
}

/* ---- communicate --------------------------------------------------------------------------- */

/* More than a pipe holds of each of the three, stderr before anything of stdout. */
static int exchange_much(void *arg)
{
    cora_process *process = start_shell("i=0; while [ $i -lt 4096 ]; do printf %064d $i >&2;"
                                        " i=$((i + 1)); done; exec cat",
                                        PIPE, PIPE, PIPE);
    unsigned char *big = make_big();
    cora_process_output output;
    int rc = cora_process_communicate(process, big, BIG, &output);

    (void)arg;
    assert_int_equal(rc, 0);
    assert_int_equal(output.out_size, BIG);
    assert_memory_equal(output.out, big, BIG);
    assert_int_equal(output.err_size, 4096 * 64);
    assert_int_equal(strlen(output.err), 4096 * 64);
    assert_memory_equal(output.err + 4095 * 64 + 58, "004095", 6);
    cora_process_output_clear(&output);
    assert_null(output.out);
    free(big);
    finish_process(process, 0);
    return 0;
}

TEST(communicate_moves_more_than_pipes_hold_whatever_the_order)
{
    run_processes(exchange_much);
}

static int communicates(void *arg)
{
    cora_process_output output = {.out = NULL};
    int rc = cora_process_communicate(arg, NULL, 0, &output);

    assert_null(output.out);
    return rc;
}

/* It has read all of stdout and waits for stderr when it is cancelled. */
static int cancel_communicate(void *arg)
{
    cora_process *process =
        start_shell("echo out; exec >&-; echo err >&2; exec sleep 3600", PIPE, PIPE, PIPE);
    cora_task *task = cora_create_task_arg(communicates, process);
    cora_process_output output;
    int rc;

    (void)arg;
    while (!cora_transport_is_closing(transport_of(cora_process_stdout(process)))) {
        rc = rest(1);
        assert_int_equal(rc, 0);
    }
    rc = rest(5);
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    kill_process(process);
    rc = cora_process_communicate(process, NULL, 0, &output);
    assert_int_equal(rc, 0);
    assert_string_equal(output.out, "out\n");
    assert_string_equal(output.err, "err\n");
    cora_process_output_clear(&output);
    finish_process(process, -SIGKILL);
    return 0;
}

TEST(a_cancelled_communicate_can_be_made_again_and_loses_nothing)
{
    run_processes(cancel_communicate);
}

static int communicate_without_pipes(void *arg)
{
    cora_process *process = start_shell("exit 3", 0, 0, 0);
    cora_process_output output = {.out = (char *)arg};
    int rc = cora_process_communicate(process, "x", 1, &output);

    assert_int_equal(rc, -EINVAL);
    rc = cora_process_communicate(process, NULL, 0, &output);
    assert_int_equal(rc, 0);
    assert_null(output.out);
    assert_null(output.err);
    cora_process_output_clear(&output);
    finish_process(process, 3);
    return 0;
}

TEST(communicate_without_pipes_waits_for_the_end)
{
    run_processes(communicate_without_pipes);
}

static int reads(void *arg)
{
    char text[8];

    return (int)cora_stream_reader_read(arg, text, sizeof text);
}

static int communicate_beside_a_reader(void *arg)
{
    cora_process *process = start_shell("echo lent; exec cat", PIPE, PIPE, 0);
    cora_task *task;
    char *line;
    ssize_t size = cora_stream_reader_readline(cora_process_stdout(process), &line);
    int rc;

    (void)arg;
    assert_int_equal(size, 5);
    task = cora_create_task_arg(reads, cora_process_stdout(process));
    rc = rest(1);
    assert_int_equal(rc, 0);
    rc = cora_process_communicate(process, "x", 1, NULL);
    assert_int_equal(rc, -EBUSY);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 1);
    finish_process(process, 0);
    return 0;
}

TEST(communicate_is_refused_while_another_task_reads)
{
    run_processes(communicate_beside_a_reader);
}

/* ---- flow ---------------------------------------------------------------------------------- */

static int writes_much(void *arg)
{
    cora_stream_writer *writer = cora_process_stdin(arg);
    unsigned char *big = make_big();
    int rc = cora_stream_writer_write(writer, big, BIG);

    free(big);
    if (rc == 0)
        rc = cora_stream_writer_drain(writer);
    trace("drained");
    cora_stream_writer_close(writer);
    return rc;
}

/* Nobody reads at first: the writer waits. */
static int hold_up(void *arg)
{
    cora_process *process = start_shell("exec cat", PIPE, PIPE, 0);
    cora_stream_reader *reader = cora_process_stdout(process);
    cora_task *task = cora_create_task_arg(writes_much, process);
    static unsigned char buffer[100000];
    size_t total = 0;
    ssize_t got;
    int rc;

    (void)arg;
    while (cora_transport_is_reading(transport_of(reader))) {
        rc = rest(1);
        assert_int_equal(rc, 0);
    }
    rc = rest(20);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "");
    while ((got = cora_stream_reader_read(reader, buffer, sizeof buffer)) > 0) {
        for (ssize_t i = 0; i < got; i++)
            if (buffer[i] != byte_at(total + (size_t)i))
                fail_msg("byte %zu is wrong", total + (size_t)i);
        total += (size_t)got;
    }
    assert_int_equal(got, 0);
    assert_int_equal(total, BIG);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "drained ");
    finish_process(process, 0);
    return 0;
}

TEST(a_process_whose_output_is_not_read_holds_up_who_writes_to_it)
{
    run_processes(hold_up);
}

/* ---- dropped ------------------------------------------------------------------------------- */

static int drop(void *arg)
{
    (void)arg;
    cora_process_unref(start_shell("exec cat", PIPE, PIPE, PIPE));
    cora_process_unref(start_shell("exec sleep 3600", 0, 0, 0));
    cora_process_unref(NULL);
    return 0;
}

TEST(a_process_that_is_dropped_is_killed_and_reaped)
{
    run_processes(drop);
}

/* A background job has the pipes as well, and is not killed. */
static int keep_reader(void *arg)
{
    cora_process *process = start_shell("exec 3<&0; cat <&3 & echo line; wait", PIPE, PIPE, 0);
    cora_stream_reader *reader = cora_stream_reader_ref(cora_process_stdout(process));
    char *line;
    ssize_t size = cora_stream_reader_readline(reader, &line);

    (void)arg;
    assert_int_equal(size, 5);
    cora_process_unref(cora_process_ref(process));
    assert_true(cora_transport_is_reading(transport_of(reader)));
    cora_process_unref(process);
    size = cora_stream_reader_readline(reader, &line);
    assert_int_equal(size, 0);
    cora_stream_reader_unref(reader);
    return 0;
}

TEST(a_reader_outlives_its_process_and_comes_to_an_end)
{
    run_processes(keep_reader);
}

static int leave_running(void *arg)
{
    *(cora_process **)arg = start_shell("exec cat", PIPE, PIPE, PIPE);
    return 0;
}

TEST(a_loop_that_ends_kills_what_still_runs)
{
    int before = count_descriptors(), returncode = 0;
    cora_process *process = NULL;
    int rc = run_virtual(leave_running, &process);

    assert_int_equal(rc, 0);
    assert_false(has_children());
    assert_int_equal(count_descriptors(), before);
    assert_true(cora_process_returncode(process, &returncode));
    assert_int_equal(returncode, -SIGKILL);
    rc = cora_process_kill(process);
    assert_int_equal(rc, -ESRCH);
    cora_process_unref(process);
}

static int start_suspended(void *arg)
{
    cora_process *process = start_shell("exec cat", PIPE, PIPE, 0);

    trace("started");
    *(cora_process **)arg = process;
    return cora_process_wait(process, NULL);
}

/* Tasks and all are dropped where they stand. */
TEST(a_loop_may_be_closed_under_a_process_and_who_waits_for_it)
{
    cora_loop *loop = virtual_loop();
    cora_process *process = NULL;
    cora_task *task = cora_loop_create_task_arg(loop, NULL, start_suspended, "start", &process);
    int rc;

    while (process == NULL) {
        cora_loop_stop(loop);
        rc = cora_loop_run_forever(loop);
        assert_int_equal(rc, 0);
    }
    cora_loop_close(loop);
    assert_false(has_children());
    cora_process_unref(process);
    cora_task_unref(task);
    cora_loop_free(loop);
}

/* ---- what fails ---------------------------------------------------------------------------- */

/* Room for no descriptor, then for one more, and so on. */
static int run_out(void *arg)
{
    const cora_subprocess_options options = {.in = PIPE, .out = PIPE, .err = PIPE};
    static const char *const argv[] = {"/bin/cat", NULL};
    int lowest = dup(0), failures = 0, rc, before;
    struct rlimit limit, usual;
    cora_process *process = NULL;

    (void)arg;
    close(lowest);
    before = count_descriptors();
    rc = getrlimit(RLIMIT_NOFILE, &usual);
    assert_int_equal(rc, 0);
    limit = usual;
    do {
        limit.rlim_cur = (rlim_t)lowest++;
        setrlimit(RLIMIT_NOFILE, &limit);
        rc = cora_create_subprocess_exec(argv, &options, &process);
        setrlimit(RLIMIT_NOFILE, &usual);
        if (rc < 0) {
            assert_int_equal(rc, -EMFILE);
            assert_null(process);
            assert_int_equal(count_descriptors(), before);
            assert_false(has_children());
            failures++;
        }
    } while (rc < 0 && failures < 30);
    assert_int_equal(rc, 0);
    assert_true(failures >= 8); /* three pipes, and the one for errors */
    cora_stream_writer_close(cora_process_stdin(process));
    finish_process(process, 0);
    return 0;
}

TEST(without_descriptors_no_process_is_started)
{
    run_processes(run_out);
}

TEST(without_a_task_no_process_is_started)
{
    static const char *const argv[] = {"/bin/true", NULL};
    cora_process *process = NULL;
    int rc = cora_create_subprocess_exec(argv, NULL, &process);

    assert_int_equal(rc, -CORA_ENOTASK);
    rc = cora_create_subprocess_shell("exit", NULL, &process);
    assert_int_equal(rc, -CORA_ENOTASK);
    assert_null(process);
}

/* ---- transports ---------------------------------------------------------------------------- */

static cora_protocol *make_nothing(void *arg)
{
    (void)arg;
    return NULL;
}

static int ask_others(void *arg)
{
    struct recorder recorder = {.silent = true};
    int ends[2], returncode, rc;
    cora_transport *transport;

    (void)arg;
    rc = cora_subprocess_shell(make_nothing, NULL, "exit", NULL, NULL);
    assert_int_equal(rc, -ENOMEM);
    make_pair(ends);
    rc = cora_connect_accepted_socket(record, &recorder, ends[0], &transport);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_transport_get_pid(transport), 0);
    assert_false(cora_transport_get_returncode(transport, &returncode));
    assert_null(cora_transport_get_pipe_transport(transport, 1));
    rc = cora_transport_kill(transport);
    assert_int_equal(rc, -EOPNOTSUPP);
    cora_transport_close(transport);
    rc = wait_lost(&recorder);
    assert_int_equal(rc, 0);
    cora_transport_unref(transport);
    close(ends[1]);
    return 0;
}

TEST(other_transports_have_no_process)
{
    run_processes(ask_others);
}

/* With a protocol that wants to hear of nothing. */
static cora_protocol *make_deaf(void *arg)
{
    static const cora_protocol_methods methods = {.connection_made = NULL};
    static cora_protocol protocol = {&methods};

    (void)arg;
    return &protocol;
}

static int abort_process(void *arg)
{
    const cora_subprocess_options options = {.in = PIPE, .out = PIPE, .err = PIPE};
    cora_transport *transport;
    unsigned char *big = make_big();
    int returncode = 0, rc;

    (void)arg;
    rc = cora_subprocess_shell(make_deaf, NULL, "echo; exec cat", &options, &transport);
    assert_int_equal(rc, 0);
    assert_null(cora_transport_get_pipe_transport(transport, 3));
    assert_null(cora_transport_get_pipe_transport(transport, -1));
    rc = cora_transport_write(cora_transport_get_pipe_transport(transport, 0), big, BIG);
    assert_int_equal(rc, 0);
    free(big);
    cora_transport_abort(transport);
    assert_true(cora_transport_is_closing(transport));
    cora_transport_abort(transport);
    while (!cora_transport_get_returncode(transport, &returncode)) {
        rc = rest(1);
        assert_int_equal(rc, 0);
    }
    assert_int_equal(returncode, -SIGKILL);
    cora_transport_unref(transport);
    return rest(5);
}

TEST(a_process_may_be_aborted_with_data_on_its_way)
{
    run_processes(abort_process);
}
