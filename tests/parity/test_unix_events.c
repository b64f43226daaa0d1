/* CPython's test_unix_events.py: signals, files, forks, and Unix sockets. */
#include "support/protocol.h"
#include "support/sendfile.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static cora_loop *loop;

static void begin(void)
{
    loop = virtual_loop();
}

static void end(void)
{
    cora_loop_free(loop);
    assert_int_equal(reports.count, 0);
}

static void run_once(void)
{
    int rc;

    cora_loop_stop(loop);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
}

static void note(void *text)
{
    trace("%s", (const char *)text);
}

/* ---- signals -------------------------------------------------------------------------------- */

static int refuse_sigaction; /* with which errno; 0: it is not refused */

/* The names are the linker's. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __real_sigaction(int signum, const struct sigaction *action, struct sigaction *old);
int __wrap_sigaction(int signum, const struct sigaction *action, struct sigaction *old);

int __wrap_sigaction(int signum, const struct sigaction *action, struct sigaction *old)
{
    if (refuse_sigaction == 0)
        return __real_sigaction(signum, action, old);
    errno = refuse_sigaction;
    return -1;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static bool has_default_effect(int signum)
{
    struct sigaction action;
    int rc = sigaction(signum, NULL, &action);

    assert_int_equal(rc, 0);
    return action.sa_handler == SIG_DFL;
}

static void handle(int signum, cora_callback *fn, void *arg)
{
    int rc = cora_loop_add_signal_handler(loop, signum, fn, arg);

    assert_int_equal(rc, 0);
    assert_false(has_default_effect(signum));
}

static void expect_removed(int signum, bool expected)
{
    bool removed = cora_loop_remove_signal_handler(loop, signum);

    assert_int_equal(removed, expected);
}

TEST(SelectorEventLoopSignalTests_test_check_signal)
{
    int rc;

    begin();
    rc = cora_loop_add_signal_handler(loop, NSIG + 1, note, "never");
    assert_int_equal(rc, -EINVAL);
    expect_removed(NSIG + 1, false);
    end();
}

/* It came while there was a handler, and is looked at when there is none. */
TEST(SelectorEventLoopSignalTests_test_handle_signal_no_handler)
{
    begin();
    handle(SIGHUP, note, "never");
    raise(SIGHUP);
    expect_removed(SIGHUP, true);
    run_once();
    assert_string_equal(trace_text, "");
    end();
}

static void remove_handler(void *arg)
{
    (void)arg;
    expect_removed(SIGHUP, true);
}

/* It is queued already when another callback of the same iteration removes it. */
TEST(SelectorEventLoopSignalTests_test_handle_signal_cancelled_handler)
{
    int rc;

    begin();
    handle(SIGHUP, note, "never");
    rc = cora_loop_call_soon(loop, remove_handler, NULL, NULL);
    assert_int_equal(rc, 0);
    raise(SIGHUP);
    run_once();
    assert_string_equal(trace_text, "");
    assert_true(has_default_effect(SIGHUP));
    end();
}

TEST(SelectorEventLoopSignalTests_test_add_signal_handler)
{
    begin();
    handle(SIGHUP, note, "hup");
    raise(SIGHUP);
    run_once();
    assert_string_equal(trace_text, "hup ");
    end();
}

/* What the system does not let be handled is handled by nobody. */
TEST(SelectorEventLoopSignalTests_test_add_signal_handler_install_error)
{
    int rc;

    begin();
    refuse_sigaction = EFAULT;
    rc = cora_loop_add_signal_handler(loop, SIGINT, note, "never");
    refuse_sigaction = 0;
    assert_int_equal(rc, -EFAULT);
    assert_true(has_default_effect(SIGINT));
    expect_removed(SIGINT, false);
    handle(SIGINT, note, "int");
    expect_removed(SIGINT, true);
    end();
}

TEST(SelectorEventLoopSignalTests_test_remove_signal_handler)
{
    begin();
    handle(SIGHUP, note, "never");
    expect_removed(SIGHUP, true);
    assert_true(has_default_effect(SIGHUP));
    expect_removed(SIGHUP, false);
    end();
}

/* The handlers of other signals stay. */
TEST(SelectorEventLoopSignalTests_test_remove_signal_handler_2)
{
    begin();
    handle(SIGINT, note, "never");
    handle(SIGHUP, note, "hup");
    expect_removed(SIGINT, true);
    assert_true(has_default_effect(SIGINT));
    raise(SIGHUP);
    run_once();
    assert_string_equal(trace_text, "hup ");
    end();
}

TEST(SelectorEventLoopSignalTests_test_close)
{
    static const int signals[] = {SIGHUP, SIGCHLD};
    cora_loop *other = virtual_loop();
    int rc;

    begin();
    for (int i = 0; i < 2; i++)
        handle(signals[i], note, "never");
    rc = cora_loop_close(loop);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 2; i++) {
        assert_true(has_default_effect(signals[i]));
        expect_removed(signals[i], false);
        rc = cora_loop_add_signal_handler(other, signals[i], note, "never");
        assert_int_equal(rc, 0); /* nobody has it */
    }
    cora_loop_free(other);
    end();
}

/* ---- files that the kernel sends ------------------------------------------------------------ */

/* A sender that has sent a part and waits for room, or will. */
struct sending {
    int file, fds[2];
    cora_task *task;
    size_t sent;
};

static void begin_sending(struct sending *sending, off_t offset)
{
    sending->file = make_file();
    make_pair(sending->fds);
    sending->sent = 0;
    sending->task = cora_create_task(file_sender, .fd = sending->fds[0], .file = sending->file,
                                     .offset = offset, .count = SIZE_MAX, .sent = &sending->sent);
}

/* Until it waits for room. */
static void let_it_fill_the_socket(struct sending *sending)
{
    int rc = rest(1);
    char text[64];

    assert_int_equal(rc, 0);
    cora_task_waiting_for(sending->task, text, sizeof text);
    assert_non_null(strstr(text, "to be writable"));
}

/* It ends so; what was told to be sent has been, and the file stands behind that. */
static void end_sending(struct sending *sending, off_t offset, int expected)
{
    size_t got;
    int rc = cora_await_unref(sending->task);

    assert_int_equal(rc, expected);
    got = receive_from(sending->fds[1], (size_t)offset);
    assert_int_equal(got, sending->sent);
    assert_position(sending->file, offset + (off_t)sending->sent);
    close_pair(sending->fds);
    close_fd(sending->file);
}

static int send_whole(void *arg)
{
    struct sending sending;
    size_t got;
    int rc;

    (void)arg;
    begin_sending(&sending, 0);
    got = receive_from(sending.fds[1], 0);
    rc = cora_await_unref(sending.task);
    assert_int_equal(rc, 0);
    assert_int_equal(got, BIG);
    assert_int_equal(sending.sent, BIG);
    assert_position(sending.file, BIG);
    close_pair(sending.fds);
    close_fd(sending.file);
    return 0;
}

/* The whole file arrives although the first call fails: how often a call has. */
static int send_despite(int error, int times)
{
    int rc;

    refuse_sendfile(error, 0, times);
    rc = run_virtual(send_whole, NULL);
    assert_int_equal(rc, 0);
    return sendfile_refused();
}

/* Where the system has no such call it is copied, and the call is not tried again. */
TEST(SelectorEventLoopUnixSockSendfileTests_test_sock_sendfile_not_available)
{
    int refused = send_despite(ENOSYS, ALWAYS);

    assert_int_equal(refused, 1);
}

TEST(SelectorEventLoopUnixSockSendfileTests_test_sock_sendfile_os_error_first_call)
{
    int refused = send_despite(EIO, ALWAYS);

    assert_int_equal(refused, 1);
}

/* No room at the moment is no error: it waits, and the kernel goes on. */
TEST(SelectorEventLoopUnixSockSendfileTests_test_sock_sendfile_blocking_error)
{
    int refused = send_despite(EAGAIN, 3);

    assert_int_equal(refused, 3);
}

TEST(SelectorEventLoopUnixSockSendfileTests_test_sock_sendfile_not_regular_file)
{
    FILE *stream = tmpfile();
    int fds[2], rc;
    size_t sent = 7;
    ssize_t got;
    char byte;

    make_pair(fds);
    rc = cora_sock_sendfile(fds[0], -1, 0, SIZE_MAX, &sent);
    assert_int_equal(rc, -EBADF);
    assert_int_equal(sent, 0);
    rc = cora_sock_sendfile(fds[0], fds[1], 0, SIZE_MAX, &sent);
    assert_int_equal(rc, -ESPIPE);
    assert_int_equal(sent, 0);
    got = recv(fds[1], &byte, 1, MSG_DONTWAIT);
    assert_int_equal(got, -1);
    close_pair(fds);
    fclose(stream);
}

/* The socket is no longer watched, even before the sender knows. */
static void expect_unwatched(int fd)
{
    int rc = cora_loop_add_writer(cora_get_running_loop(), fd, note, "never");
    bool removed = cora_loop_remove_writer(cora_get_running_loop(), fd);

    assert_int_equal(rc, 0);
    assert_true(removed);
}

static int cancel_while_full(void *arg)
{
    struct sending sending;

    (void)arg;
    begin_sending(&sending, 0);
    let_it_fill_the_socket(&sending);
    cora_task_cancel(sending.task);
    expect_unwatched(sending.fds[0]);
    end_sending(&sending, 0, -ECANCELED);
    return 0;
}

TEST(SelectorEventLoopUnixSockSendfileTests_test_sock_sendfile_cancel1)
{
    int rc = run_virtual(cancel_while_full, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "");
}

/* There is room again when it is cancelled: nothing more is sent all the same. */
static int cancel_when_there_is_room(void *arg)
{
    struct sending sending;
    static char buffer[1 << 20];
    size_t drained = 0;
    ssize_t got;
    int rc;

    (void)arg;
    begin_sending(&sending, 0);
    let_it_fill_the_socket(&sending);
    while ((got = recv(sending.fds[1], buffer, sizeof buffer, MSG_DONTWAIT)) > 0)
        drained += (size_t)got;
    cora_task_cancel(sending.task);
    expect_unwatched(sending.fds[0]);
    rc = cora_await_unref(sending.task);
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(sending.sent, drained);
    assert_position(sending.file, (off_t)drained);
    close_pair(sending.fds);
    close_fd(sending.file);
    return 0;
}

TEST(SelectorEventLoopUnixSockSendfileTests_test_sock_sendfile_cancel2)
{
    int rc = run_virtual(cancel_when_there_is_room, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "");
}

static int fail_later(void *error)
{
    struct sending sending;

    begin_sending(&sending, 1000);
    refuse_sendfile(*(int *)error, 1, ALWAYS);
    end_sending(&sending, 1000, -*(int *)error);
    assert_true(sending.sent > 0 && sending.sent < BIG);
    assert_int_equal(sendfile_refused(), 1);
    return 0;
}

/* Once something was sent an error is an error. */
TEST(SelectorEventLoopUnixSockSendfileTests_test_sock_sendfile_os_error_next_call)
{
    int error = EIO, rc = run_virtual(fail_later, &error);

    assert_int_equal(rc, 0);
}

TEST(SelectorEventLoopUnixSockSendfileTests_test_sock_sendfile_exception)
{
    int error = ENOMEM, rc = run_virtual(fail_later, &error);

    assert_int_equal(rc, 0);
}

/* ---- descriptors ---------------------------------------------------------------------------- */

TEST(TestFunctional_test_add_reader_invalid_argument)
{
    FILE *regular = tmpfile();
    const int fds[] = {-1, 10000, fileno(regular)};

    begin();
    for (int i = 0; i < 3; i++) {
        int expected = fds[i] == fileno(regular) ? -EPERM : -EBADF, rc;
        bool removed;

        rc = cora_loop_add_reader(loop, fds[i], note, "never");
        assert_int_equal(rc, expected);
        rc = cora_loop_add_writer(loop, fds[i], note, "never");
        assert_int_equal(rc, expected);
        removed = cora_loop_remove_reader(loop, fds[i]);
        assert_false(removed);
        removed = cora_loop_remove_writer(loop, fds[i]);
        assert_false(removed);
    }
    end();
    fclose(regular);
}

/* ---- forks ---------------------------------------------------------------------------------- */

/* How a child ends that runs fn(arg): with what that returns. */
static int in_child(int (*fn)(void *arg), void *arg)
{
    int status = 0;
    pid_t pid = fork(), reaped;

    if (pid == 0)
        _exit(fn(arg));
    reaped = waitpid(pid, &status, 0);
    assert_int_equal(reaped, pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

enum { ANSWER = 42 };

static int sleep_and_answer(void *arg)
{
    int rc = cora_sleep(0.1);

    (void)arg;
    return rc < 0 ? rc : ANSWER;
}

static int has_no_task(void *arg)
{
    (void)arg;
    return cora_current_task() == NULL ? ANSWER : 0;
}

static int fork_in_a_task(void *fn)
{
    int (*const *child)(void *) = fn;
    cora_task *self = cora_current_task();
    int answer;

    assert_non_null(self);
    answer = in_child(*child, cora_get_running_loop());
    assert_ptr_equal(cora_current_task(), self);
    return answer;
}

TEST(TestFork_test_fork_not_share_current_task)
{
    int (*child)(void *) = has_no_task;
    int rc = run_virtual(fork_in_a_task, &child);

    assert_int_equal(rc, ANSWER);
}

/* None runs, and one of its own is another. */
static int has_another_loop(void *parents)
{
    cora_loop *own = NULL;
    bool none = cora_get_running_loop() == NULL;
    int rc = cora_new_event_loop(&own);
    bool another = rc == 0 && own != parents;

    cora_loop_free(own);
    return none && another ? ANSWER : 0;
}

TEST(TestFork_test_fork_not_share_event_loop)
{
    int (*child)(void *) = has_another_loop;
    int rc = run_virtual(fork_in_a_task, &child);

    assert_int_equal(rc, ANSWER);
}

/* Waits for the signal, as whoever has no loop, once it is safe to send it. */
static int wait_for_signal(int signum, int ready)
{
    sigset_t signals;
    int got = 0;

    sigemptyset(&signals);
    sigaddset(&signals, signum);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    put(ready, "x");
    return sigwait(&signals, &got) == 0 && got == signum ? ANSWER : 0;
}

/* A signal to the child is the child's affair: the parent's loop does not hear of it. */
static int signal_the_child(void *arg)
{
    int rc = cora_loop_add_signal_handler(cora_get_running_loop(), SIGTERM, note, "parent"), status;
    int ready[2];
    pid_t pid, reaped;
    ssize_t got;
    char byte;

    (void)arg;
    assert_int_equal(rc, 0);
    make_pair(ready);
    pid = fork();
    if (pid == 0)
        _exit(wait_for_signal(SIGTERM, ready[1]));
    got = read(ready[0], &byte, 1);
    assert_int_equal(got, 1);
    kill(pid, SIGTERM);
    reaped = waitpid(pid, &status, 0);
    assert_int_equal(reaped, pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), ANSWER);
    close_pair(ready);
    return cora_await_unref(cora_create_task_arg(sleep_and_answer, NULL));
}

TEST(TestFork_test_fork_signal_handling)
{
    int rc = run_virtual(signal_the_child, NULL);

    assert_int_equal(rc, ANSWER);
    assert_string_equal(trace_text, "");
}

static int run_in_child(void *arg)
{
    return cora_run(sleep_and_answer, arg);
}

TEST(TestFork_test_fork_asyncio_run)
{
    int answer = in_child(run_in_child, NULL);

    assert_int_equal(answer, ANSWER);
}

/* Runs the body of a test as the main task. It returns 0, and nothing is reported. */
static void run(cora_task_fn *fn)
{
    int rc = run_virtual(fn, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

/* ---- create_unix_connection ----------------------------------------------------------------- */

static int offer_inet_socket(void *arg)
{
    struct recorder recorder = {0};
    int fd = make_tcp();
    int rc = cora_create_unix_connection_sock(record, &recorder, fd, NULL, NULL);

    (void)arg;
    assert_int_equal(rc, -EPROTOTYPE);
    close_fd(fd); /* it is still the caller's */
    return 0;
}

TEST(SelectorEventLoopUnixSocketTests_test_create_unix_connection_path_inetsock)
{
    run(offer_inet_socket);
}

static int connect_to_nothing(void *arg)
{
    struct recorder recorder = {0};
    int rc = cora_create_unix_connection(record, &recorder, NULL, NULL, NULL);

    (void)arg;
    assert_int_equal(rc, -EINVAL);
    return 0;
}

TEST(SelectorEventLoopUnixSocketTests_test_create_unix_connection_nopath_nosock)
{
    run(connect_to_nothing);
}
