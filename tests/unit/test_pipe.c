/* Transports of pipes, and of sockets and terminals in their place. */
#include "support/allocation.h"
#include "support/faults.h"
#include "support/endpoint.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static void (*const make_ends[])(int fds[2]) = {make_pipe, make_pair, make_pty};
enum kind { PIPE, PAIR, PTY };

static void open_reading(struct endpoint *endpoint, enum kind kind)
{
    open_end(endpoint, cora_connect_read_pipe, make_ends[kind], 0);
}

static void open_writing(struct endpoint *endpoint, enum kind kind)
{
    open_end(endpoint, cora_connect_write_pipe, make_ends[kind], 1);
}

/* ---- to read from -------------------------------------------------------------------------- */

static int reads_to_the_end(void *arg)
{
    struct endpoint endpoint = {.recorder = {.eof_answer = *(int *)arg}};
    const int *fd;

    open_reading(&endpoint, PIPE);
    fd = cora_transport_get_extra_info(endpoint.transport, "pipe");
    assert_int_equal(fcntl(*fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_null(cora_transport_get_extra_info(endpoint.transport, "socket"));
    assert_true(cora_transport_is_reading(endpoint.transport));
    put(endpoint.peer, "hello");
    await_bytes(&endpoint, 5);
    close_peer(&endpoint);
    await_loss(&endpoint);
    return 0;
}

TEST(data_comes_and_then_the_end)
{
    run_task(reads_to_the_end, &(int){0});
    assert_string_equal(trace_text, "made data hello eof lost ");
}

TEST(whatever_eof_received_answers)
{
    run_task(reads_to_the_end, &(int){1});
    assert_string_equal(trace_text, "made data hello eof lost ");
    assert_int_equal(reports.count, 0);
}

TEST(a_failing_eof_received_is_reported)
{
    run_task(reads_to_the_end, &(int){-EILSEQ});
    assert_string_equal(trace_text, "made data hello eof lost EILSEQ ");
    assert_string_equal(reports.message, "Fatal error: protocol.eof_received() call failed.");
}

static int reads_when_it_may(void *arg)
{
    struct endpoint endpoint = {0};
    int rc;

    (void)arg;
    open_reading(&endpoint, PAIR);
    cora_transport_pause_reading(endpoint.transport);
    cora_transport_pause_reading(endpoint.transport);
    assert_false(cora_transport_is_reading(endpoint.transport));
    put(endpoint.peer, "hello");
    look(5);
    assert_int_equal(endpoint.recorder.received, 0);
    cora_transport_resume_reading(endpoint.transport);
    await_bytes(&endpoint, 5);
    rc = cora_transport_write(endpoint.transport, "x", 1);
    assert_int_equal(rc, -EOPNOTSUPP);
    assert_false(cora_transport_can_write_eof(endpoint.transport));
    cora_transport_close(endpoint.transport);
    trace("closed");
    cora_transport_resume_reading(endpoint.transport);
    await_loss(&endpoint);
    close_peer(&endpoint);
    return 0;
}

TEST(nothing_comes_while_reading_is_paused)
{
    run_task(reads_when_it_may, NULL);
    assert_string_equal(trace_text, "made data hello closed lost ");
}

struct failing_read {
    int faults[3];
    size_t expected;
};

static int reads_in_vain(void *arg)
{
    const struct failing_read *a = arg;
    struct endpoint endpoint = {0};
    const int *fd;

    open_reading(&endpoint, PIPE);
    fd = cora_transport_get_extra_info(endpoint.transport, "pipe");
    set_faults_of(*fd, a->faults[0], a->faults[1], a->faults[2]);
    put(endpoint.peer, "ab");
    if (a->expected > 0) {
        await_bytes(&endpoint, a->expected);
        assert_int_equal(faults_met(), 3);
        cora_transport_abort(endpoint.transport);
    }
    await_loss(&endpoint);
    close_peer(&endpoint);
    return 0;
}

TEST(an_interrupted_read_is_made_again)
{
    run_task(reads_in_vain, &(struct failing_read){{EINTR, EAGAIN, SHORT}, 2});
    assert_string_equal(trace_text, "made data a data b lost ");
}

TEST(a_failing_read_is_reported)
{
    run_task(reads_in_vain, &(struct failing_read){{ENXIO}, 0});
    assert_string_equal(trace_text, "made lost ENXIO ");
    assert_string_equal(reports.message, "Fatal read error on pipe transport");
    assert_int_equal(reports.error, -ENXIO);
}

static int reads_a_terminal(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_reading(&endpoint, PTY);
    put(endpoint.peer, "hello");
    await_bytes(&endpoint, 5);
    close_peer(&endpoint);
    await_loss(&endpoint);
    return 0;
}

TEST(a_terminal_ends_by_an_error_that_is_not_reported)
{
    run_task(reads_a_terminal, NULL);
    assert_string_equal(trace_text, "made data hello lost EIO ");
    assert_int_equal(reports.count, 0);
}

/* ---- to write to --------------------------------------------------------------------------- */

static int writes(void *arg)
{
    struct endpoint endpoint = {0};
    struct iovec parts[2] = {{"he", 2}, {"llo", 3}};
    int rc;

    (void)arg;
    open_writing(&endpoint, PIPE);
    assert_false(cora_transport_is_reading(endpoint.transport));
    rc = cora_transport_writelines(endpoint.transport, parts, 2);
    assert_int_equal(rc, 0);
    write_text(&endpoint, "");
    expect_text(endpoint.peer, "hello");
    look(5); /* nobody takes the reader's silence for its end */
    assert_int_equal(endpoint.recorder.lost, 0);
    rc = cora_transport_write_eof(endpoint.transport);
    assert_int_equal(rc, 0);
    assert_true(cora_transport_is_closing(endpoint.transport));
    trace("closed");
    await_loss(&endpoint);
    expect_text(endpoint.peer, "");
    close_peer(&endpoint);
    return 0;
}

TEST(what_is_written_goes_at_once_and_write_eof_is_close)
{
    run_task(writes, NULL);
    assert_string_equal(trace_text, "made closed lost ");
}

/* A pipe holds 64 KiB. */
enum { MUCH = 200 << 10 };

static void write_much(struct endpoint *endpoint)
{
    unsigned char *big = make_big();
    int rc = cora_transport_write(endpoint->transport, big, MUCH);

    assert_int_equal(rc, 0);
    assert_true(cora_transport_get_write_buffer_size(endpoint->transport) > 64 << 10);
    free(big);
}

static size_t take_all(struct endpoint *endpoint)
{
    static unsigned char buffer[10000];
    size_t total = 0;

    for (;;) {
        ssize_t got = read(endpoint->peer, buffer, sizeof buffer);

        assert_true(got >= 0);
        if (got == 0)
            return total;
        for (ssize_t i = 0; i < got; i++)
            if (buffer[i] != byte_at(total + (size_t)i))
                fail_msg("byte %zu is wrong", total + (size_t)i);
        total += (size_t)got;
        look(2);
    }
}

static int closes_with_data_left(void *arg)
{
    struct endpoint endpoint = {0};
    size_t took;

    (void)arg;
    open_writing(&endpoint, PIPE);
    write_much(&endpoint);
    cora_transport_close(endpoint.transport);
    look(5);
    assert_int_equal(endpoint.recorder.lost, 0);
    write_text(&endpoint, "nobody gets this");
    took = take_all(&endpoint);
    assert_int_equal(took, MUCH);
    await_loss(&endpoint);
    close_peer(&endpoint);
    return 0;
}

TEST(close_sends_what_is_left)
{
    run_task(closes_with_data_left, NULL);
    assert_string_equal(trace_text, "made pause resume lost ");
}

static int aborts_with_data_left(void *arg)
{
    struct endpoint endpoint = {0};
    size_t took;

    (void)arg;
    open_writing(&endpoint, PIPE);
    write_much(&endpoint);
    cora_transport_abort(endpoint.transport);
    await_loss(&endpoint);
    took = take_all(&endpoint);
    assert_int_equal(took, 64 << 10);
    close_peer(&endpoint);
    return 0;
}

TEST(abort_drops_it)
{
    run_task(aborts_with_data_left, NULL);
    assert_string_equal(trace_text, "made pause lost ");
}

struct closing {
    enum kind kind;
    bool much; /* is waiting to be written */
};

static int loses_its_reader(void *arg)
{
    const struct closing *a = arg;
    struct endpoint endpoint = {0};

    open_writing(&endpoint, a->kind);
    if (a->much)
        write_much(&endpoint);
    close_peer(&endpoint);
    await_loss(&endpoint);
    return 0;
}

TEST(the_other_ends_close_is_noticed)
{
    run_task(loses_its_reader, &(struct closing){PIPE, false});
    assert_string_equal(trace_text, "made lost ");
}

TEST(also_of_a_socket)
{
    run_task(loses_its_reader, &(struct closing){PAIR, false});
    assert_string_equal(trace_text, "made lost ");
}

TEST(with_data_left_it_is_an_error)
{
    run_task(loses_its_reader, &(struct closing){PIPE, true});
    assert_string_equal(trace_text, "made pause lost EPIPE ");
    assert_int_equal(reports.count, 0);
}

static void unexpected_signal(int signum)
{
    (void)signum;
    abort();
}

/* The loop has not looked yet: the write is the first to hear of it. */
static int writes_to_nobody(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    signal(SIGPIPE, unexpected_signal);
    open_writing(&endpoint, PIPE);
    close_peer(&endpoint);
    write_text(&endpoint, "1");
    for (int i = 0; i < 4; i++)
        write_text(&endpoint, "in vain");
    assert_int_equal(reports.count, 0);
    write_text(&endpoint, "");
    assert_int_equal(reports.count, 0);
    write_text(&endpoint, "in vain");
    assert_int_equal(reports.count, 1);
    await_loss(&endpoint);
    return 0;
}

TEST(a_write_to_nobody_is_an_error_and_raises_no_signal)
{
    run_task(writes_to_nobody, NULL);
    assert_string_equal(trace_text, "made lost EPIPE ");
    assert_string_equal(reports.message,
                        "pipe closed by peer or os.write(pipe, data) raised exception.");
    assert_int_equal(reports.error, -EPIPE);
}

/* Somebody else's signal stays where it is. */
static int keeps_a_signal(void *arg)
{
    struct endpoint endpoint = {0};
    sigset_t signals;

    (void)arg;
    open_writing(&endpoint, PIPE);
    close_peer(&endpoint);
    write_text(&endpoint, "1");
    sigpending(&signals);
    assert_int_equal(sigismember(&signals, SIGPIPE), 1);
    await_loss(&endpoint);
    return 0;
}

TEST(a_signal_that_was_pending_still_is)
{
    sigset_t signals;
    int rc;

    sigemptyset(&signals);
    sigaddset(&signals, SIGPIPE);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    rc = raise(SIGPIPE);
    assert_int_equal(rc, 0);
    run_task(keeps_a_signal, NULL);
}

static int writes_to_a_terminal(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_writing(&endpoint, PTY);
    write_text(&endpoint, "hello");
    expect_text(endpoint.peer, "hello");
    put(endpoint.peer, "typed"); /* can be read from this end, and is not its end */
    look(5);
    assert_int_equal(endpoint.recorder.lost, 0);
    close_peer(&endpoint);
    look(5);
    assert_int_equal(endpoint.recorder.lost, 0);
    write_text(&endpoint, "hello");
    await_loss(&endpoint);
    return 0;
}

TEST(of_a_terminals_close_only_a_write_tells)
{
    run_task(writes_to_a_terminal, NULL);
    assert_string_equal(trace_text, "made lost EIO ");
}

static int writes_by_bytes(void *arg)
{
    struct endpoint endpoint = {0};
    const int *fd;

    (void)arg;
    open_writing(&endpoint, PIPE);
    fd = cora_transport_get_extra_info(endpoint.transport, "pipe");
    set_faults_of(*fd, EINTR, EAGAIN, SHORT);
    write_text(&endpoint, "abc");
    assert_int_equal(cora_transport_get_write_buffer_size(endpoint.transport), 3);
    write_text(&endpoint, "def");
    look(4);
    assert_int_equal(faults_met(), 3);
    expect_text(endpoint.peer, "abcdef");
    set_faults_of(*fd, -2, NOTHING, EIO);
    write_text(&endpoint, "abc");
    assert_int_equal(cora_transport_get_write_buffer_size(endpoint.transport), 1);
    await_loss(&endpoint);
    assert_int_equal(faults_met(), 3);
    expect_text(endpoint.peer, "ab");
    close_peer(&endpoint);
    return 0;
}

TEST(what_was_written_in_part_goes_on)
{
    run_task(writes_by_bytes, NULL);
    assert_string_equal(trace_text, "made lost EIO ");
}

/* ---- which do not become one --------------------------------------------------------------- */

typedef int connect_fn(cora_protocol_factory *factory, void *arg, int fd, cora_transport **ret);

static void refuse(int fd, int error)
{
    static connect_fn *const connect_fns[] = {cora_connect_read_pipe, cora_connect_write_pipe};
    struct recorder recorder = {0};
    cora_transport *untouched = NULL;

    for (int i = 0; i < 2; i++) {
        int rc = connect_fns[i](record, &recorder, fd, &untouched);

        assert_int_equal(rc, error);
        assert_int_equal(recorder.lost, 1);
        assert_int_equal(recorder.error, error);
        assert_null(untouched);
    }
}

static void unwanted(void *arg)
{
    (void)arg;
    fail();
}

static int is_refused(void *arg)
{
    cora_loop *loop = cora_get_running_loop();
    int file = open("/", O_RDONLY | O_DIRECTORY), fds[2], rc;

    (void)arg;
    refuse(-1, -EBADF);
    refuse(file, -EINVAL);
    close_fd(file); /* still the caller's */
    make_pipe(fds);
    rc = cora_loop_add_reader(loop, fds[0], unwanted, NULL);
    assert_int_equal(rc, 0);
    refuse(fds[0], -EBUSY);
    assert_true(cora_loop_remove_reader(loop, fds[0]));
    close_pair(fds);
    return 0;
}

TEST(a_file_is_no_pipe)
{
    run_task(is_refused, NULL);
}

TEST(it_takes_a_task)
{
    struct recorder recorder = {0};
    int rc = cora_connect_read_pipe(record, &recorder, 0, NULL);

    assert_int_equal(rc, -CORA_ENOTASK);
    rc = cora_connect_write_pipe(record, &recorder, 1, NULL);
    assert_int_equal(rc, -CORA_ENOTASK);
}

static int is_cancelled(void *arg)
{
    struct endpoint endpoint = {0};
    int fds[2], rc;

    (void)arg;
    make_pipe(fds);
    cora_task_cancel(cora_current_task());
    rc = cora_connect_read_pipe(record, &endpoint.recorder, fds[0], NULL);
    assert_int_equal(rc, -ECANCELED);
    cora_task_uncancel(cora_current_task());
    rc = wait_lost(&endpoint.recorder);
    assert_int_equal(rc, 0);
    assert_int_equal(fcntl(fds[0], F_GETFD), -1);
    close_fd(fds[1]);
    return 0;
}

TEST(one_that_is_cancelled_while_it_connects_is_closed)
{
    run_task(is_cancelled, NULL);
    assert_string_equal(trace_text, "made lost ");
}

static int stays_open(void *arg)
{
    struct endpoint *endpoints = arg;

    open_reading(&endpoints[0], PIPE);
    open_writing(&endpoints[1], PIPE);
    return 0;
}

TEST(a_loop_that_is_closed_loses_its_pipes)
{
    static struct endpoint endpoints[2];

    run_task(stays_open, endpoints);
    assert_string_equal(trace_text, "made made lost CORA_ECLOSED lost CORA_ECLOSED ");
    for (int i = 0; i < 2; i++) {
        cora_transport_unref(endpoints[i].transport);
        close_fd(endpoints[i].peer);
    }
}

/* ---- whatever fails ------------------------------------------------------------------------ */

/* Through a pipe of our own, from a protocol to a protocol. */
static int scenario(void *arg)
{
    struct recorder reading = {.silent = true}, writing = {.silent = true};
    int fds[2], rc, lost;

    (void)arg;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    rc = cora_connect_read_pipe(record, &reading, fds[0], NULL);
    if (rc < 0) {
        cora_close_fd(fds[0]);
        cora_close_fd(fds[1]);
        return rc;
    }
    rc = cora_connect_write_pipe(record, &writing, fds[1], NULL);
    if (rc < 0) {
        cora_close_fd(fds[1]);
        return wait_lost(&reading);
    }
    rc = cora_transport_write(writing.transport, "hello", 5);
    if (rc == 0 && writing.lost == 0)
        rc = cora_transport_write_eof(writing.transport);
    lost = wait_lost(&writing);
    assert_int_equal(lost, 0);
    lost = wait_lost(&reading);
    assert_int_equal(lost, 0);
    if (!fault_was_met() && !allocation_was_refused())
        assert_string_equal(reading.text, "hello");
    return rc;
}

TEST(each_fault_comes_to_an_end)
{
    int count = run_with_each_fault(scenario, NULL);

    assert_true(count > 10);
}

TEST(each_allocation_that_fails_comes_to_an_end)
{
    int count = run_with_each_allocation_refused(scenario, NULL);

    assert_true(count > 5);
}
