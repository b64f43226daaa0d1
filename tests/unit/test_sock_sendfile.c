/* A file sent: all of it or a piece, by the kernel or by copy, and where the file then stands. */
#include "support/sendfile.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

/* How the file is sent: the tests are run for each. */
static const int ways[] = {0, EINVAL, ENOSYS};

static void refuse(int error)
{
    refuse_sendfile(error, 0, error != 0 ? ALWAYS : 0);
}

/* ---- what arrives --------------------------------------------------------------------------- */

struct piece {
    off_t offset;
    size_t count, sent;
};

static int send_piece(void *arg)
{
    const struct piece *piece = arg;
    int file = make_file(), fds[2], rc;
    cora_task *task;
    size_t sent = 7, got;

    make_pair(fds);
    task = cora_create_task(file_sender, .fd = fds[0], .file = file, .offset = piece->offset,
                            .count = piece->count, .sent = &sent);
    got = receive_from(fds[1], (size_t)piece->offset);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    assert_int_equal(got, piece->sent);
    assert_int_equal(sent, piece->sent);
    assert_position(file, piece->offset + (off_t)piece->sent);
    close_pair(fds);
    close_fd(file);
    return 0;
}

static void send_every_way(struct piece piece)
{
    for (int i = 0; i < 3; i++) {
        int rc;

        refuse(ways[i]);
        rc = run_virtual(send_piece, &piece);
        assert_int_equal(rc, 0);
        rc = sendfile_refused();
        assert_int_equal(rc, ways[i] != 0 && piece.count > 0); /* it is asked but once */
    }
}

TEST(a_whole_file_arrives_and_stands_at_its_end)
{
    send_every_way((struct piece){.offset = 0, .count = SIZE_MAX, .sent = BIG});
}

TEST(a_piece_of_a_file_arrives_and_the_file_stands_behind_it)
{
    send_every_way((struct piece){.offset = 1000, .count = 2000, .sent = 2000});
    send_every_way((struct piece){.offset = 1001, .count = 3 << 20, .sent = 3 << 20});
}

TEST(a_file_that_ends_before_the_count_is_sent_to_its_end)
{
    send_every_way((struct piece){.offset = BIG - 100, .count = 1000, .sent = 100});
}

TEST(behind_the_end_of_a_file_there_is_nothing_to_send)
{
    send_every_way((struct piece){.offset = BIG + 5, .count = 1000, .sent = 0});
}

TEST(a_count_of_zero_sends_nothing_and_moves_the_file)
{
    send_every_way((struct piece){.offset = 500, .count = 0, .sent = 0});
}

static int send_between(void *arg)
{
    int file = make_file(), fds[2], rc;
    char text[16] = "";
    size_t sent;
    ssize_t got;

    (void)arg;
    make_pair(fds);
    put(fds[0], "head");
    rc = cora_sock_sendfile(fds[0], file, 0, 4, &sent);
    assert_int_equal(rc, 0);
    assert_int_equal(sent, 4);
    rc = cora_sock_sendall(fds[0], "tail", 4, NULL);
    assert_int_equal(rc, 0);
    got = cora_sock_recv(fds[1], text, 4);
    assert_int_equal(got, 4);
    assert_memory_equal(text, "head", 4);
    got = cora_sock_recv(fds[1], text, 4);
    assert_int_equal(got, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal((unsigned char)text[i], byte_at(i));
    got = cora_sock_recv(fds[1], text, 4);
    assert_int_equal(got, 4);
    assert_memory_equal(text, "tail", 4);
    close_pair(fds);
    close_fd(file);
    return 0;
}

TEST(a_file_mixes_with_what_is_sent_before_and_after)
{
    int rc = run_virtual(send_between, NULL);

    assert_int_equal(rc, 0);
}

/* ---- what does not -------------------------------------------------------------------------- */

static int cancel_a_sender(void *arg)
{
    int file = make_file(), fds[2], rc;
    cora_task *task;
    size_t sent = 0, got;

    (void)arg;
    make_pair(fds);
    task = cora_create_task(file_sender, .fd = fds[0], .file = file, .offset = 3, .count = SIZE_MAX,
                            .sent = &sent);
    rc = rest(3);
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    assert_true(sent > 0 && sent < BIG);
    got = receive_from(fds[1], 3);
    assert_int_equal(got, sent);
    assert_position(file, 3 + (off_t)sent);
    close_pair(fds);
    close_fd(file);
    return 0;
}

TEST(a_sendfile_that_is_cancelled_tells_how_far_it_came)
{
    for (int i = 0; i < 3; i++) {
        int rc;

        refuse(ways[i]);
        rc = run_virtual(cancel_a_sender, NULL);
        assert_int_equal(rc, 0);
    }
}

static int close_under_the_sender(void *arg)
{
    int file = make_file(), fds[2], rc;
    cora_task *task;
    size_t sent = 0;

    (void)arg;
    make_pair(fds);
    task =
        cora_create_task(file_sender, .fd = fds[0], .file = file, .count = SIZE_MAX, .sent = &sent);
    rc = rest(3);
    assert_int_equal(rc, 0);
    close_fd(fds[1]);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -EPIPE);
    assert_true(sent > 0 && sent < BIG);
    assert_position(file, (off_t)sent);
    rc = cora_sock_sendfile(fds[0], file, 5, 1, &sent);
    assert_int_equal(rc, -EPIPE);
    assert_int_equal(sent, 0);
    assert_position(file, 5);
    close_fd(fds[0]);
    close_fd(file);
    return 0;
}

TEST(a_peer_that_closes_is_epipe_and_no_signal)
{
    for (int i = 0; i < 3; i++) {
        int rc;

        refuse(ways[i]);
        rc = run_virtual(close_under_the_sender, NULL);
        assert_int_equal(rc, 0);
    }
}

static bool sigpipe_pending(void)
{
    sigset_t pending;
    int rc = sigpending(&pending);

    assert_int_equal(rc, 0);
    return sigismember(&pending, SIGPIPE) == 1;
}

/* The program's own SIGPIPE, blocked and pending, is not taken; none is left that was not. */
TEST(a_sigpipe_of_somebody_elses_stays_pending)
{
    sigset_t signals;
    int rc;

    sigemptyset(&signals);
    sigaddset(&signals, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    rc = run_virtual(close_under_the_sender, NULL);
    assert_int_equal(rc, 0);
    assert_false(sigpipe_pending());
    rc = raise(SIGPIPE);
    assert_int_equal(rc, 0);
    rc = run_virtual(close_under_the_sender, NULL);
    assert_int_equal(rc, 0);
    assert_true(sigpipe_pending());
}

static int misuse(void *arg)
{
    int file = make_file(), datagrams = socket(AF_INET, SOCK_DGRAM, 0), fds[2], pipe_fds[2], rc;
    size_t sent = 7;

    (void)arg;
    make_pair(fds);
    rc = cora_sock_sendfile(fds[0], file, -1, 10, &sent);
    assert_int_equal(rc, -EINVAL);
    assert_int_equal(sent, 0);
    rc = cora_sock_sendfile(datagrams, file, 0, 10, NULL);
    assert_int_equal(rc, -EPROTOTYPE);
    rc = cora_sock_sendfile(file, file, 0, 10, NULL);
    assert_int_equal(rc, -ENOTSOCK);
    rc = cora_sock_sendfile(-1, file, 0, 10, NULL);
    assert_int_equal(rc, -EBADF);
    assert_position(file, SOMEWHERE);
    rc = cora_sock_sendfile(fds[0], -1, 0, 10, NULL);
    assert_int_equal(rc, -EBADF);
    rc = cora_sock_sendfile(fds[0], fds[1], 0, 10, NULL); /* a socket is neither file nor pipe */
    assert_int_equal(rc, -ESPIPE);
    rc = pipe(pipe_fds);
    assert_int_equal(rc, 0);
    rc = cora_sock_sendfile(fds[0], pipe_fds[0], 1, 10, NULL);
    assert_int_equal(rc, -ESPIPE);
    close_pair(pipe_fds);
    close_pair(fds);
    close_fd(datagrams);
    close_fd(file);
    return 0;
}

TEST(what_cannot_be_sent_is_an_error_and_the_file_stays_where_it_was)
{
    int rc = run_virtual(misuse, NULL);

    assert_int_equal(rc, 0);
}

TEST(outside_a_task_is_sent_what_needs_no_wait)
{
    int file = make_file(), fds[2], rc;
    size_t sent;

    make_pair(fds);
    rc = cora_sock_sendfile(fds[0], file, 0, SIZE_MAX, &sent);
    assert_int_equal(rc, -CORA_ENOTASK);
    assert_true(sent > 0 && sent < BIG);
    assert_position(file, (off_t)sent);
    close_pair(fds);
    close_fd(file);
}

/* ---- pipes ---------------------------------------------------------------------------------- */

struct writer_args {
    int fd;
};

/* Writes the big data, as fast as the pipe takes it, and closes. */
static int writer(void *arg)
{
    struct writer_args *a = arg;
    unsigned char *data = make_big();
    size_t written = 0;
    int rc = 0;

    while (written < BIG && rc == 0) {
        ssize_t done = write(a->fd, data + written, BIG - written);

        if (done > 0)
            written += (size_t)done;
        else
            rc = cora_wait_writable(a->fd);
    }
    free(data);
    close_fd(a->fd);
    return rc;
}

static int send_a_pipe(void *arg)
{
    int ends[2], fds[2], rc;
    cora_task *writing, *sending;
    size_t sent = 0, got;

    (void)arg;
    rc = pipe(ends);
    assert_int_equal(rc, 0);
    rc = fcntl(ends[1], F_SETFL, O_NONBLOCK);
    assert_int_equal(rc, 0);
    make_pair(fds);
    sending = cora_create_task(file_sender, .fd = fds[0], .file = ends[0], .count = SIZE_MAX,
                               .sent = &sent);
    rc = rest(3); /* the pipe is empty at first */
    assert_int_equal(rc, 0);
    writing = cora_create_task(writer, .fd = ends[1]);
    got = read_all(fds[1]);
    assert_int_equal(got, BIG);
    rc = cora_await_unref(writing);
    assert_int_equal(rc, 0);
    rc = cora_await_unref(sending);
    assert_int_equal(rc, 0);
    assert_int_equal(sent, BIG);
    close_pair(fds);
    close_fd(ends[0]);
    return 0;
}

TEST(what_comes_out_of_a_pipe_is_sent_up_to_its_end)
{
    int rc = run_virtual(send_a_pipe, NULL);

    assert_int_equal(rc, 0);
}

struct pipe_sender_args {
    int fd, file;
    size_t *sent;
};

static int pipe_sender(void *arg)
{
    struct pipe_sender_args *a = arg;

    return cora_sock_sendfile(a->fd, a->file, 0, SIZE_MAX, a->sent);
}

/* The receiver has no room: what the pipe still holds is sent later, and nothing is missing. */
static int cancel_a_pipe(void *arg)
{
    size_t sent = 0, sent_later = 0, got;
    cora_task *writing, *sending;
    int ends[2], fds[2], rc;

    (void)arg;
    rc = pipe(ends);
    assert_int_equal(rc, 0);
    rc = fcntl(ends[1], F_SETFL, O_NONBLOCK);
    assert_int_equal(rc, 0);
    make_pair(fds);
    writing = cora_create_task(writer, .fd = ends[1]);
    sending = cora_create_task(pipe_sender, .fd = fds[0], .file = ends[0], .sent = &sent);
    rc = rest(50);
    assert_int_equal(rc, 0);
    cora_task_cancel(sending);
    rc = cora_await_unref(sending);
    assert_int_equal(rc, -ECANCELED);
    assert_true(sent > 0 && sent < BIG);
    sending = cora_create_task(file_sender, .fd = fds[0], .file = ends[0], .count = SIZE_MAX,
                               .sent = &sent_later);
    got = read_all(fds[1]);
    assert_int_equal(got, BIG);
    assert_int_equal(sent + sent_later, BIG);
    rc = cora_await_unref(sending);
    assert_int_equal(rc, 0);
    rc = cora_await_unref(writing);
    assert_int_equal(rc, 0);
    close_pair(fds);
    close_fd(ends[0]);
    return 0;
}

TEST(a_sender_from_a_pipe_that_is_cancelled_takes_no_more_than_it_sends)
{
    int rc = run_virtual(cancel_a_pipe, NULL);

    assert_int_equal(rc, 0);
}

static int close_under_the_pipe(void *arg)
{
    int ends[2], fds[2], rc;
    size_t sent = 7;

    (void)arg;
    rc = pipe(ends);
    assert_int_equal(rc, 0);
    make_pair(fds);
    rc = (int)write(ends[1], "hello", 5);
    assert_int_equal(rc, 5);
    close_fd(fds[1]);
    rc = cora_sock_sendfile(fds[0], ends[0], 0, SIZE_MAX, &sent);
    assert_int_equal(rc, -EPIPE);
    assert_int_equal(sent, 0);
    close_fd(fds[0]);
    close_pair(ends);
    return 0;
}

TEST(from_a_pipe_too_a_peer_that_closes_is_epipe_and_no_signal)
{
    int rc = run_virtual(close_under_the_pipe, NULL);

    assert_int_equal(rc, 0);
}
