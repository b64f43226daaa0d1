/* CPython's test_sendfile.py: a file sent through a socket. */
#include "support/sendfile.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

/* Runs the body of a test as the main task. It returns 0, and nothing is reported. */
static void run(cora_task_fn *fn, void *arg)
{
    int rc = run_virtual(fn, arg);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

/* Two ends of a connection over the loopback. */
static void connect_pair(int fds[2])
{
    struct sockaddr_in address;
    int listener = make_listener(&address, 1);

    fds[0] = connect_tcp(&address);
    fds[1] = cora_sock_accept(listener, NULL, NULL);
    assert_true(fds[1] >= 0);
    close_fd(listener);
}

struct piece {
    off_t offset;
    size_t count, sent;
};

static int send_piece(void *arg)
{
    const struct piece *piece = arg;
    int file = make_file(), fds[2], rc;
    size_t sent = 7, got;
    cora_task *task;

    connect_pair(fds);
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

/* ---- sock_sendfile -------------------------------------------------------------------------- */

TEST(SockSendfileMixin_test_sock_sendfile_success)
{
    run(send_piece, &(struct piece){0, SIZE_MAX, BIG});
}

TEST(SockSendfileMixin_test_sock_sendfile_with_offset_and_count)
{
    run(send_piece, &(struct piece){1000, 2000, 2000});
}

/* The file's own position does not count, whichever way its bytes go. */
TEST(SockSendfileMixin_test_sock_sendfile_offset)
{
    for (int copies = 0; copies < 2; copies++)
        for (off_t offset = 0; offset <= BIG; offset += BIG / 2) {
            refuse_sendfile(EINVAL, 0, copies ? ALWAYS : 0);
            run(send_piece, &(struct piece){offset, SIZE_MAX, (size_t)(BIG - offset)});
            assert_int_equal(sendfile_refused(), copies);
        }
}

static int send_nothing(void *arg)
{
    FILE *empty = tmpfile();
    int fds[2], rc;
    size_t sent = 7, got;
    cora_task *task;

    (void)arg;
    connect_pair(fds);
    task = cora_create_task(file_sender, .fd = fds[0], .file = fileno(empty), .count = SIZE_MAX,
                            .sent = &sent);
    got = receive_from(fds[1], 0);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    assert_int_equal(got, 0);
    assert_int_equal(sent, 0);
    assert_position(fileno(empty), 0);
    close_pair(fds);
    fclose(empty);
    return 0;
}

TEST(SockSendfileMixin_test_sock_sendfile_zero_size)
{
    run(send_nothing, NULL);
}

enum { REGULAR = 64 << 10 };

struct mixed_sender_args {
    int fd, file;
};

static int mixed_sender(void *arg)
{
    struct mixed_sender_args *a = arg;
    unsigned char *data = make_big();
    size_t sent;
    int rc;

    rc = cora_sock_sendall(a->fd, data, REGULAR, NULL);
    assert_int_equal(rc, 0);
    rc = cora_sock_sendfile(a->fd, a->file, 0, SIZE_MAX, &sent);
    assert_int_equal(rc, 0);
    assert_int_equal(sent, BIG);
    rc = cora_sock_sendall(a->fd, data, REGULAR, NULL);
    assert_int_equal(rc, 0);
    free(data);
    shutdown(a->fd, SHUT_WR);
    return 0;
}

/* So many bytes of the big data, from its beginning. */
static void receive(int fd, size_t size)
{
    unsigned char *data = make_big(), *buffer = malloc(size);
    size_t got = 0;

    while (got < size) {
        ssize_t more = cora_sock_recv(fd, buffer + got, size - got);

        assert_true(more > 0);
        got += (size_t)more;
    }
    assert_memory_equal(buffer, data, size);
    free(buffer);
    free(data);
}

static int mix(void *arg)
{
    int file = make_file(), fds[2], rc;
    cora_task *task;
    size_t got;

    (void)arg;
    connect_pair(fds);
    task = cora_create_task(mixed_sender, .fd = fds[0], .file = file);
    receive(fds[1], REGULAR);
    receive(fds[1], BIG);
    got = receive_from(fds[1], 0);
    assert_int_equal(got, REGULAR);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    assert_position(file, BIG);
    close_pair(fds);
    close_fd(file);
    return 0;
}

TEST(SockSendfileMixin_test_sock_sendfile_mix_with_regular_send)
{
    run(mix, NULL);
}
