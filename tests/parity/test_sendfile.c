/* CPython's test_sendfile.py: a file sent through a socket, and through a transport. */
#include "support/protocol.h"
#include "support/sendfile.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <unistd.h>

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
static void send_from_offsets(cora_task_fn *fn)
{
    for (int copies = 0; copies < 2; copies++)
        for (off_t offset = 0; offset <= BIG; offset += BIG / 2) {
            refuse_sendfile(EINVAL, 0, copies ? ALWAYS : 0);
            run(fn, &(struct piece){offset, SIZE_MAX, (size_t)(BIG - offset)});
            assert_int_equal(sendfile_refused(), copies);
        }
}

TEST(SockSendfileMixin_test_sock_sendfile_offset)
{
    send_from_offsets(send_piece);
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

/* ---- sendfile ------------------------------------------------------------------------------- */

/* A transport, and the bare socket of its peer. */
struct line {
    struct recorder recorder;
    cora_transport *transport;
    int peer;
};

static void open_line(struct line *line)
{
    int fds[2], rc;

    connect_pair(fds);
    *line = (struct line){.recorder = {.silent = true}, .peer = fds[1]};
    rc = cora_connect_accepted_socket(record, &line->recorder, fds[0], &line->transport);
    assert_int_equal(rc, 0);
}

static void close_line(struct line *line)
{
    int rc;

    cora_transport_close(line->transport);
    rc = wait_lost(&line->recorder);
    assert_int_equal(rc, 0);
    cora_transport_unref(line->transport);
    close_fd(line->peer);
}

struct transport_sender_args {
    cora_transport *transport;
    int file;
    off_t offset;
    size_t count, *sent;
};

/* Says afterwards that there is no more. */
static int transport_sender(void *arg)
{
    struct transport_sender_args *a = arg;
    int rc = cora_sendfile(a->transport, a->file, a->offset, a->count, true, a->sent);

    assert_int_equal(cora_transport_write_eof(a->transport), 0);
    return rc;
}

static int send_through(void *arg)
{
    const struct piece *piece = arg;
    int file = make_file(), rc;
    size_t sent = 7, got;
    struct line line;
    cora_task *task;

    open_line(&line);
    task = cora_create_task(transport_sender, .transport = line.transport, .file = file,
                            .offset = piece->offset, .count = piece->count, .sent = &sent);
    got = receive_from(line.peer, (size_t)piece->offset);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    assert_int_equal(got, piece->sent);
    assert_int_equal(sent, piece->sent);
    assert_position(file, piece->offset + (off_t)piece->sent);
    close_line(&line);
    close_fd(file);
    return 0;
}

TEST(SockSendfileMixin_test_sendfile_offset)
{
    send_from_offsets(send_through);
}

TEST(SendfileMixin_test_sendfile)
{
    run(send_through, &(struct piece){0, SIZE_MAX, BIG});
}

TEST(SendfileMixin_test_sendfile_partial)
{
    run(send_through, &(struct piece){1000, 100, 100});
}

struct plain_sender_args {
    cora_transport *transport;
    int file;
    size_t *sent;
};

static int plain_sender(void *arg)
{
    struct plain_sender_args *a = arg;

    return cora_sendfile(a->transport, a->file, 0, SIZE_MAX, true, a->sent);
}

TEST(SendfileMixin_test_sendfile_force_fallback)
{
    refuse_sendfile(EINVAL, 0, ALWAYS);
    run(send_through, &(struct piece){0, SIZE_MAX, BIG});
    assert_int_equal(sendfile_refused(), 1);
}

/* The peer closes as soon as it has the last byte. */
static int lose_the_peer_afterwards(void *arg)
{
    int file = make_file(), rc;
    size_t sent = 7;
    struct line line;
    cora_task *task;

    (void)arg;
    open_line(&line);
    task = cora_create_task(plain_sender, .transport = line.transport, .file = file, .sent = &sent);
    receive(line.peer, BIG);
    close_fd(line.peer);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    assert_int_equal(sent, BIG);
    assert_position(file, BIG);
    rc = wait_lost(&line.recorder);
    assert_int_equal(rc, 0);
    cora_transport_unref(line.transport);
    close_fd(file);
    return 0;
}

TEST(SendfileMixin_test_sendfile_close_peer_after_receiving)
{
    run(lose_the_peer_afterwards, NULL);
}

/* The kernel cannot, and nothing else is allowed. */
static int send_natively_or_not_at_all(void *arg)
{
    int file = make_file(), rc;
    struct line line;
    size_t sent = 7;

    (void)arg;
    open_line(&line);
    refuse_sendfile(EINVAL, 0, ALWAYS);
    rc = cora_sendfile(line.transport, file, 0, SIZE_MAX, false, &sent);
    assert_int_equal(rc, -EOPNOTSUPP);
    assert_int_equal(sent, 0);
    assert_int_equal(sendfile_refused(), 1);
    assert_position(file, 0);
    assert_false(cora_transport_is_closing(line.transport));
    close_line(&line);
    close_fd(file);
    return 0;
}

TEST(SendfileMixin_test_sendfile_force_unsupported_native)
{
    run(send_natively_or_not_at_all, NULL);
}

static int send_through_a_closing_one(void *arg)
{
    int file = make_file(), rc;
    struct line line;

    (void)arg;
    open_line(&line);
    cora_transport_close(line.transport);
    rc = cora_sendfile(line.transport, file, 0, SIZE_MAX, true, NULL);
    assert_int_equal(rc, -ENOTCONN);
    assert_position(file, SOMEWHERE);
    close_line(&line);
    close_fd(file);
    return 0;
}

TEST(SendfileMixin_test_sendfile_for_closing_transp)
{
    run(send_through_a_closing_one, NULL);
}

struct wrapping_sender_args {
    cora_transport *transport;
    int file;
};

/* What was written before, and more than the socket holds, goes first; what comes after, last. */
static int wrapping_sender(void *arg)
{
    struct wrapping_sender_args *a = arg;
    unsigned char *data = make_big();
    size_t sent;
    int rc;

    rc = cora_transport_write(a->transport, data, BIG);
    assert_int_equal(rc, 0);
    rc = cora_sendfile(a->transport, a->file, 0, SIZE_MAX, true, &sent);
    assert_int_equal(rc, 0);
    assert_int_equal(sent, BIG);
    rc = cora_transport_write(a->transport, data, REGULAR);
    assert_int_equal(rc, 0);
    free(data);
    return cora_transport_write_eof(a->transport);
}

static int wrap(void *arg)
{
    int file = make_file(), rc;
    struct line line;
    cora_task *task;
    size_t got;

    (void)arg;
    open_line(&line);
    task = cora_create_task(wrapping_sender, .transport = line.transport, .file = file);
    receive(line.peer, BIG);
    receive(line.peer, BIG);
    got = receive_from(line.peer, 0);
    assert_int_equal(got, REGULAR);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    assert_position(file, BIG);
    close_line(&line);
    close_fd(file);
    return 0;
}

TEST(SendfileMixin_test_sendfile_pre_and_post_data)
{
    run(wrap, NULL);
}

enum { RECEIVED = 1024 };

static int lose_the_peer(void *arg)
{
    int file = make_file(), rc;
    size_t sent = 7;
    struct line line;
    cora_task *task;
    off_t at;

    (void)arg;
    open_line(&line);
    task = cora_create_task(transport_sender, .transport = line.transport, .file = file,
                            .count = SIZE_MAX, .sent = &sent);
    receive(line.peer, RECEIVED);
    close_fd(line.peer); /* with data unread: a reset */
    rc = cora_await_unref(task);
    assert_true(rc == -ECONNRESET || rc == -EPIPE);
    assert_in_range(sent, RECEIVED, BIG - 1);
    at = lseek(file, 0, SEEK_CUR);
    assert_int_equal(at, sent);
    rc = wait_lost(&line.recorder);
    assert_int_equal(rc, 0);
    assert_true(cora_transport_is_closing(line.transport));
    cora_transport_unref(line.transport);
    close_fd(file);
    return 0;
}

TEST(SendfileMixin_test_sendfile_close_peer_in_the_middle_of_receiving)
{
    run(lose_the_peer, NULL);
}

TEST(SendfileMixin_test_sendfile_fallback_close_peer_in_the_middle_of_receiving)
{
    refuse_sendfile(EINVAL, 0, ALWAYS);
    run(lose_the_peer, NULL);
    assert_int_equal(sendfile_refused(), 1);
}

static int write_meanwhile(void *arg)
{
    int file = make_file(), rc;
    size_t sent = 7, got;
    struct line line;
    cora_task *task;

    (void)arg;
    open_line(&line);
    task = cora_create_task(transport_sender, .transport = line.transport, .file = file,
                            .count = SIZE_MAX, .sent = &sent);
    receive(line.peer, RECEIVED);
    rc = cora_transport_write(line.transport, "meanwhile", 9);
    assert_int_equal(rc, -EBUSY);
    rc = cora_sendfile(line.transport, file, 0, SIZE_MAX, true, NULL);
    assert_int_equal(rc, -EBUSY);
    got = receive_from(line.peer, RECEIVED);
    assert_int_equal(got, BIG - RECEIVED);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    assert_int_equal(sent, BIG);
    close_line(&line);
    close_fd(file);
    return 0;
}

TEST(SendfileMixin_test_sendfile_prevents_bare_write)
{
    run(write_meanwhile, NULL);
}

/* ---- transports that the kernel sends no file to -------------------------------------------- */

static int send_to_a_pipe(void *arg)
{
    struct recorder recorder = {.silent = true};
    cora_transport *transport;
    int file = make_file(), ends[2], rc;
    size_t sent = 7;

    (void)arg;
    rc = pipe(ends);
    assert_int_equal(rc, 0);
    rc = cora_connect_write_pipe(record, &recorder, ends[1], &transport);
    assert_int_equal(rc, 0);
    rc = cora_sendfile(transport, file, 0, SIZE_MAX, false, &sent);
    assert_int_equal(rc, -EOPNOTSUPP);
    assert_int_equal(sent, 0);
    assert_position(file, SOMEWHERE);
    close_fd(ends[0]);
    rc = wait_lost(&recorder);
    assert_int_equal(rc, 0);
    cora_transport_unref(transport);
    close_fd(file);
    return 0;
}

TEST(SendfileMixin_test_sendfile_no_fallback_for_fallback_transport)
{
    run(send_to_a_pipe, NULL);
}

static int send_to_what_cannot_be_written_to(void *arg)
{
    struct recorder recorder = {.silent = true};
    cora_transport *transport;
    int file = make_file(), ends[2], rc;

    (void)arg;
    rc = pipe(ends);
    assert_int_equal(rc, 0);
    rc = cora_connect_read_pipe(record, &recorder, ends[0], &transport);
    assert_int_equal(rc, 0);
    rc = cora_sendfile(transport, file, 0, SIZE_MAX, true, NULL);
    assert_int_equal(rc, -EOPNOTSUPP);
    assert_position(file, SOMEWHERE);
    close_fd(ends[1]);
    rc = wait_lost(&recorder);
    assert_int_equal(rc, 0);
    cora_transport_unref(transport);
    close_fd(file);
    return 0;
}

TEST(SendfileMixin_test_sendfile_not_supported)
{
    run(send_to_what_cannot_be_written_to, NULL);
}
