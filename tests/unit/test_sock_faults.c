/* What the kernel may answer at any time: interrupted, not now after all, only a part of it. */
#include "support/faults.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <unistd.h>

/* The functions themselves: their names are the linker's. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
ssize_t __real_recv(int fd, void *buffer, size_t size, int flags);
ssize_t __real_send(int fd, const void *data, size_t size, int flags);
int __real_connect(int fd, const struct sockaddr *address, socklen_t length);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static void assert_received(int fd, const char *expected)
{
    char text[64] = "";
    size_t got = 0;

    while (got < strlen(expected)) {
        ssize_t more = __real_recv(fd, text + got, sizeof text - got, MSG_DONTWAIT);

        assert_true(more > 0);
        got += (size_t)more;
    }
    assert_string_equal(text, expected);
}

/* ---- streams -------------------------------------------------------------------------------- */

static int receive(void *arg)
{
    char text[16] = "";
    int fds[2];
    ssize_t got;

    (void)arg;
    make_pair(fds);
    put(fds[1], "hello");
    set_faults(EINTR, EAGAIN, EINTR);
    got = cora_sock_recv(fds[0], text, sizeof text);
    assert_int_equal(got, 5);
    assert_int_equal(faults_met(), 3);
    put(fds[1], "abc");
    set_faults(EINTR, SHORT, 0);
    got = cora_sock_recv(fds[0], text, sizeof text);
    assert_int_equal(got, 1);
    got = cora_sock_recv(fds[0], text + 1, sizeof text);
    assert_int_equal(got, 2);
    assert_memory_equal(text, "abc", 3);
    put(fds[1], "x");
    set_faults(EIO, 0, 0);
    got = cora_sock_recv(fds[0], text, sizeof text);
    assert_int_equal(got, -EIO);
    close_pair(fds);
    return 0;
}

TEST(recv_goes_on_after_an_interruption_and_takes_a_part)
{
    int rc = run_virtual(receive, NULL);

    assert_int_equal(rc, 0);
}

static int send_all(void *arg)
{
    int fds[2], rc;
    size_t sent = 0;

    (void)arg;
    make_pair(fds);
    set_faults(SHORT, EINTR, EAGAIN);
    rc = cora_sock_sendall(fds[0], "hello", 5, &sent);
    assert_int_equal(rc, 0);
    assert_int_equal(sent, 5);
    assert_int_equal(faults_met(), 3);
    assert_received(fds[1], "hello");
    set_faults(SHORT, ENOBUFS, 0);
    rc = cora_sock_sendall(fds[0], "hello", 5, &sent);
    assert_int_equal(rc, -ENOBUFS);
    assert_int_equal(sent, 1);
    assert_received(fds[1], "h");
    close_pair(fds);
    return 0;
}

TEST(sendall_goes_on_after_an_interruption_and_a_part)
{
    int rc = run_virtual(send_all, NULL);

    assert_int_equal(rc, 0);
}

/* Stops inside parts and between them. */
static int send_parts(void *arg)
{
    struct iovec parts[] = {{.iov_base = "", .iov_len = 0},    {.iov_base = "a", .iov_len = 1},
                            {.iov_base = "", .iov_len = 0},    {.iov_base = "bcd", .iov_len = 3},
                            {.iov_base = "efg", .iov_len = 3}, {.iov_base = "", .iov_len = 0}};
    static const int cases[][3] = {{SHORT, SHORT, SHORT},
                                   {SHORT, EINTR, SHORT},
                                   {EAGAIN, SHORT, EAGAIN},
                                   {EINTR, EAGAIN, EINTR}};
    size_t sent = 0;
    int fds[2], rc;

    (void)arg;
    make_pair(fds);
    for (int i = 0; i < 4; i++) {
        set_faults(cases[i][0], cases[i][1], cases[i][2]);
        rc = cora_sock_sendmsg(fds[0], parts, 6, &sent);
        assert_int_equal(rc, 0);
        assert_int_equal(faults_met(), 3);
        assert_int_equal(sent, 7);
        assert_received(fds[1], "abcdefg");
    }
    set_faults(SHORT, SHORT, ENOBUFS);
    rc = cora_sock_sendmsg(fds[0], parts, 6, &sent);
    assert_int_equal(rc, -ENOBUFS);
    assert_int_equal(sent, 2);
    assert_received(fds[1], "ab");
    close_pair(fds);
    return 0;
}

TEST(sendmsg_goes_on_inside_a_part_and_between_parts)
{
    int rc = run_virtual(send_parts, NULL);

    assert_int_equal(rc, 0);
}

/* ---- datagrams ------------------------------------------------------------------------------ */

static int exchange_datagrams(void *arg)
{
    struct sockaddr_in address, from;
    socklen_t length = sizeof address, from_length = sizeof from;
    int fd = socket(AF_INET, SOCK_DGRAM, 0), rc;
    char text[16];
    ssize_t done;

    (void)arg;
    address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    rc = bind(fd, (struct sockaddr *)&address, length);
    assert_int_equal(rc, 0);
    rc = getsockname(fd, (struct sockaddr *)&address, &length);
    assert_int_equal(rc, 0);
    set_faults(EAGAIN, EINTR, EAGAIN);
    done = cora_sock_sendto(fd, "hello", 5, (struct sockaddr *)&address, length);
    assert_int_equal(done, 5);
    assert_int_equal(faults_met(), 3);
    set_faults(EAGAIN, EINTR, EAGAIN);
    done = cora_sock_recvfrom(fd, text, sizeof text, (struct sockaddr *)&from, &from_length);
    assert_int_equal(done, 5);
    assert_int_equal(faults_met(), 3);
    assert_int_equal(from.sin_port, address.sin_port);
    set_faults(ENOBUFS, ECONNREFUSED, 0);
    done = cora_sock_sendto(fd, "hello", 5, (struct sockaddr *)&address, length);
    assert_int_equal(done, -ENOBUFS);
    done = cora_sock_recvfrom(fd, text, sizeof text, NULL, NULL);
    assert_int_equal(done, -ECONNREFUSED);
    close_fd(fd);
    return 0;
}

TEST(datagrams_are_sent_and_received_once_the_socket_is_ready)
{
    int rc = run_virtual(exchange_datagrams, NULL);

    assert_int_equal(rc, 0);
}

/* ---- connections ---------------------------------------------------------------------------- */

struct connecter_args {
    int fd;
    const struct sockaddr_in *address;
};

static int connecter(void *arg)
{
    struct connecter_args *a = arg;

    return cora_sock_connect(a->fd, (const struct sockaddr *)a->address, sizeof *a->address);
}

/* Under way already, by the kernel's word: interrupted, or by a call that was cancelled. */
static int join_an_attempt(void *arg)
{
    static const int answers[] = {EINPROGRESS, EINTR, EALREADY};
    struct sockaddr_in address;
    int listener = make_listener(&address, 5), last;

    (void)arg;
    for (int i = 0; i < 3; i++) {
        int fd = make_tcp(), accepted, rc;

        rc = __real_connect(fd, (struct sockaddr *)&address, sizeof address);
        assert_int_equal(rc, 0);
        for (int cancels = 1; cancels >= 0; cancels--) {
            cora_task *task = cora_create_task(connecter, .fd = fd, .address = &address);

            set_faults(answers[i], 0, 0);
            rc = rest(1);
            assert_int_equal(rc, 0);
            assert_int_equal(faults_met(), 1);
            if (cancels)
                cora_task_cancel(task);
            rc = cora_await_unref(task);
            assert_int_equal(rc, cancels ? -ECANCELED : 0);
        }
        set_faults(EINTR, ECONNABORTED, EAGAIN);
        accepted = cora_sock_accept(listener, NULL, NULL);
        assert_true(accepted >= 0);
        assert_int_equal(faults_met(), 3);
        close_fd(accepted);
        close_fd(fd);
    }
    set_faults(EMFILE, 0, 0);
    last = cora_sock_accept(listener, NULL, NULL);
    assert_int_equal(last, -EMFILE);
    close_fd(listener);
    return 0;
}

TEST(an_attempt_to_connect_that_is_under_way_is_waited_for)
{
    int rc = run_virtual(join_an_attempt, NULL);

    assert_int_equal(rc, 0);
}

/* ---- files ---------------------------------------------------------------------------------- */

static int send_file(void *arg)
{
    FILE *stream = tmpfile();
    int file = fileno(stream), fds[2], rc;
    size_t sent = 0;
    off_t at;

    (void)arg;
    fputs("hello, world", stream);
    fflush(stream);
    make_pair(fds);
    set_faults(SHORT, EINTR, EAGAIN);
    rc = cora_sock_sendfile(fds[0], file, 7, SIZE_MAX, &sent);
    assert_int_equal(rc, 0);
    assert_int_equal(sent, 5);
    assert_int_equal(faults_met(), 3);
    assert_received(fds[1], "world");
    set_faults(SHORT, EINVAL, SHORT); /* the rest by copy, and of that a byte first */
    rc = cora_sock_sendfile(fds[0], file, 7, SIZE_MAX, &sent);
    assert_int_equal(rc, 0);
    assert_int_equal(sent, 5);
    assert_int_equal(faults_met(), 3);
    assert_received(fds[1], "world");
    set_faults(SHORT, EIO, 0);
    rc = cora_sock_sendfile(fds[0], file, 7, SIZE_MAX, &sent);
    assert_int_equal(rc, -EIO);
    assert_int_equal(sent, 1);
    assert_received(fds[1], "w");
    at = lseek(file, 0, SEEK_CUR);
    assert_int_equal(at, 8);
    close_pair(fds);
    fclose(stream);
    return 0;
}

TEST(sendfile_goes_on_after_an_interruption_and_a_part_and_tells_where_it_failed)
{
    int rc = run_virtual(send_file, NULL);

    assert_int_equal(rc, 0);
}

static int send_pipe(void *arg)
{
    int ends[2], fds[2], rc;
    size_t sent = 0;

    (void)arg;
    rc = pipe(ends);
    assert_int_equal(rc, 0);
    make_pair(fds);
    rc = (int)write(ends[1], "hello", 5);
    assert_int_equal(rc, 5);
    set_faults(SHORT, EINTR, EAGAIN);
    rc = cora_sock_sendfile(fds[0], ends[0], 0, 4, &sent);
    assert_int_equal(rc, 0);
    assert_int_equal(sent, 4);
    assert_int_equal(faults_met(), 3);
    assert_received(fds[1], "hell");
    set_faults(EINVAL, 0, 0); /* there is no other way for a pipe */
    rc = cora_sock_sendfile(fds[0], ends[0], 0, 4, &sent);
    assert_int_equal(rc, -EINVAL);
    assert_int_equal(sent, 0);
    close_pair(fds);
    close_pair(ends);
    return 0;
}

TEST(a_pipe_is_sent_on_after_an_interruption_and_a_part)
{
    int rc = run_virtual(send_pipe, NULL);

    assert_int_equal(rc, 0);
}

struct sender_args {
    int fd, file;
};

static int sender(void *arg)
{
    struct sender_args *a = arg;

    return cora_sock_sendfile(a->fd, a->file, 0, SIZE_MAX, NULL);
}

/* Nothing to send, then no room for it. Time goes on only where nothing is ready. */
static int wait_for_both(void *arg)
{
    static char data[1 << 16];
    int ends[2], fds[2], rc;
    cora_task *task;
    ssize_t done;

    (void)arg;
    rc = pipe(ends);
    assert_int_equal(rc, 0);
    make_pair(fds);
    set_faults(0, 0, 0);
    task = cora_create_task(sender, .fd = fds[0], .file = ends[0]);
    rc = cora_sleep(1);
    assert_int_equal(rc, 0);
    assert_int_equal(calls_made(), 1);
    do
        done = __real_send(fds[0], data, sizeof data, MSG_DONTWAIT);
    while (done > 0);
    done = write(ends[1], "hello", 5);
    assert_int_equal(done, 5);
    rc = cora_sleep(1);
    assert_int_equal(rc, 0);
    assert_int_equal(calls_made(), 2);
    close_fd(ends[1]);
    do
        done = __real_recv(fds[1], data, sizeof data, MSG_DONTWAIT);
    while (done > 0);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    assert_received(fds[1], "hello");
    close_pair(fds);
    close_fd(ends[0]);
    return 0;
}

TEST(whether_the_pipe_is_empty_or_the_socket_full_it_is_not_asked_again_in_vain)
{
    int rc = run_virtual(wait_for_both, NULL);

    assert_int_equal(rc, 0);
}
