/* Messages between processes. */
#include "support/children.h"
#include "support/socket.h"
#include "support/test.h"

#include <cora/multiprocessing.h>

#include <math.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

typedef cora_multiprocessing_connection connection;

static connection first, second;

static void open_ends(bool duplex)
{
    int rc = cora_multiprocessing_pipe(duplex, &first, &second);

    assert_int_equal(rc, 0);
}

static void close_ends(void)
{
    cora_multiprocessing_connection_close(&first);
    cora_multiprocessing_connection_close(&second);
}

static void assert_send(connection *end, const void *data, size_t size)
{
    int rc = cora_multiprocessing_connection_send_bytes(end, data, size);

    assert_int_equal(rc, 0);
}

static void assert_receive(connection *end, const void *expected, size_t size)
{
    void *data = NULL;
    ssize_t got = cora_multiprocessing_connection_recv_bytes(end, SIZE_MAX, &data);

    assert_int_equal(got, size);
    assert_memory_equal(data, expected, size);
    free(data);
}

static ssize_t receive_error(connection *end)
{
    void *data = &data;
    ssize_t got = cora_multiprocessing_connection_recv_bytes(end, SIZE_MAX, &data);

    assert_ptr_equal(data, &data);
    return got;
}

/* ---- messages ------------------------------------------------------------------------------ */

/* Each message back, until there are no more. */
static int echo(void *arg)
{
    void *data;
    ssize_t size;
    int rc = 0;

    (void)arg;
    cora_multiprocessing_connection_close(&first);
    while (rc == 0 &&
           (size = cora_multiprocessing_connection_recv_bytes(&second, SIZE_MAX, &data)) >= 0) {
        rc = cora_multiprocessing_connection_send_bytes(&second, data, (size_t)size);
        free(data);
    }
    return rc < 0 ? rc : size == -CORA_EEOF ? 0 : (int)size;
}

TEST(messages_of_any_size_go_to_another_process_and_back)
{
    int before = count_descriptors(), exitcode;
    unsigned char *big = make_big();
    cora_multiprocessing_process *child;

    open_ends(true);
    child = start_child(echo, NULL);
    cora_multiprocessing_connection_close(&second);
    assert_send(&first, "", 0);
    assert_receive(&first, "", 0);
    assert_send(&first, NULL, 0);
    assert_receive(&first, "", 0);
    assert_send(&first, "one", 3);
    assert_send(&first, "another", 7);
    assert_receive(&first, "one", 3);
    assert_receive(&first, "another", 7);
    assert_send(&first, big, BIG);
    assert_receive(&first, big, BIG);
    close_ends();
    exitcode = finish_child(child);
    assert_int_equal(exitcode, 0);
    free(big);
    assert_int_equal(count_descriptors(), before);
}

TEST(one_way_goes_one_way)
{
    int rc;

    open_ends(false);
    assert_send(&second, "x", 1);
    assert_receive(&first, "x", 1);
    rc = cora_multiprocessing_connection_send_bytes(&first, "x", 1);
    assert_int_equal(rc, -EBADF);
    assert_int_equal(receive_error(&second), -EBADF);
    rc = cora_multiprocessing_connection_poll(&second, 0);
    assert_int_equal(rc, -EBADF);
    close_ends();
}

TEST(a_message_that_does_not_fit_stays)
{
    char buffer[5] = "....";
    void *data = NULL;
    ssize_t size;
    int rc;

    open_ends(true);
    assert_send(&first, "hello", 5);
    assert_send(&first, "you", 3);
    size = cora_multiprocessing_connection_recv_bytes_into(&second, buffer, 4);
    assert_int_equal(size, -EMSGSIZE);
    assert_string_equal(buffer, "....");
    size = cora_multiprocessing_connection_recv_bytes(&second, 4, &data);
    assert_int_equal(size, -EMSGSIZE);
    assert_null(data);
    rc = cora_multiprocessing_connection_poll(&second, 0);
    assert_int_equal(rc, 1);
    size = cora_multiprocessing_connection_recv_bytes_into(&second, buffer, 5);
    assert_int_equal(size, 5);
    assert_memory_equal(buffer, "hello", 5);
    size = cora_multiprocessing_connection_recv_bytes(&second, 3, &data);
    assert_int_equal(size, 3);
    assert_memory_equal(data, "you", 3);
    free(data);
    close_ends();
}

static void put_byte(int fd, unsigned char byte)
{
    ssize_t sent = send(fd, &byte, 1, 0);

    assert_int_equal(sent, 1);
}

TEST(a_message_whose_length_is_known_is_something_to_receive)
{
    static const unsigned char length[] = {0, 0, 0, 2};
    char buffer[2];
    ssize_t size;
    int rc;

    open_ends(true);
    for (size_t i = 0; i < sizeof length; i++)
        put_byte(cora_multiprocessing_connection_fileno(&first), length[i]);
    size = cora_multiprocessing_connection_recv_bytes_into(&second, buffer, 1);
    assert_int_equal(size, -EMSGSIZE);
    rc = cora_multiprocessing_connection_poll(&second, 0);
    assert_int_equal(rc, 1);
    close_ends();
}

TEST(lengths_are_read_as_python_writes_them_however_they_come)
{
    static const unsigned char bytes[] = {
        0, 0,   0,   1,   'a',  0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0,    0,    0,    0,
        3, 'x', 'y', 'z', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    int fd;

    open_ends(true);
    fd = cora_multiprocessing_connection_fileno(&first);
    for (size_t i = 0; i < sizeof bytes; i++)
        put_byte(fd, bytes[i]);
    assert_receive(&second, "a", 1);
    assert_receive(&second, "xyz", 3);
    assert_int_equal(receive_error(&second), -ENOMEM);
    assert_int_equal(receive_error(&second), -ENOMEM);
    assert_send(&second, "ab", 2);
    {
        unsigned char got[6];

        assert_int_equal(recv(fd, got, sizeof got, 0), 6);
        assert_memory_equal(got, "\0\0\0\2ab", 6);
    }
    close_ends();
}

/* ---- the end ------------------------------------------------------------------------------- */

TEST(the_end_is_told_when_all_was_received)
{
    int rc;

    open_ends(true);
    assert_send(&first, "last", 4);
    cora_multiprocessing_connection_close(&first);
    assert_true(cora_multiprocessing_connection_closed(&first));
    cora_multiprocessing_connection_close(&first);
    assert_receive(&second, "last", 4);
    rc = cora_multiprocessing_connection_poll(&second, 0);
    assert_int_equal(rc, 1);
    assert_int_equal(receive_error(&second), -CORA_EEOF);
    assert_int_equal(receive_error(&second), -CORA_EEOF);
    rc = cora_multiprocessing_connection_send_bytes(&second, "x", 1);
    assert_int_equal(rc, -EPIPE);
    assert_int_equal(receive_error(&first), -EBADF);
    rc = cora_multiprocessing_connection_send_bytes(&first, "x", 1);
    assert_int_equal(rc, -EBADF);
    rc = cora_multiprocessing_connection_poll(&first, 0);
    assert_int_equal(rc, -EBADF);
    assert_int_equal(cora_multiprocessing_connection_fileno(&first), -1);
    close_ends();
}

/* Where the other side is cut off: behind so many bytes of the header and the message. */
static void assert_cut(const char *bytes, size_t size, int expected)
{
    char buffer[8];
    ssize_t got;

    open_ends(true);
    assert_int_equal(send(cora_multiprocessing_connection_fileno(&first), bytes, size, 0), size);
    cora_multiprocessing_connection_close(&first);
    got = cora_multiprocessing_connection_recv_bytes_into(&second, buffer, sizeof buffer);
    assert_int_equal(got, expected);
    assert_int_equal(receive_error(&second), -CORA_EEOF);
    close_ends();
}

TEST(an_end_in_the_midst_of_a_message_is_an_error)
{
    assert_cut("\0", 1, -CORA_EINCOMPLETEREAD);
    assert_cut("\0\0\0\3", 4, -CORA_EINCOMPLETEREAD);
    assert_cut("\0\0\0\3ab", 6, -CORA_EINCOMPLETEREAD);
    assert_cut("\377\377\377\377", 4, -CORA_EINCOMPLETEREAD);
    assert_cut("\377\377\377\377\0\0\0", 7, -CORA_EINCOMPLETEREAD);
}

/* More than the socket holds, so that it is never done. */
static int send_big(void *arg)
{
    cora_multiprocessing_connection_close(&first);
    return cora_multiprocessing_connection_send_bytes(&second, arg, BIG);
}

TEST(a_sender_that_is_killed_in_the_midst_of_a_message_is_an_error)
{
    unsigned char *big = make_big();
    cora_multiprocessing_process *child;
    int rc;

    open_ends(true);
    child = start_child(send_big, big);
    cora_multiprocessing_connection_close(&second);
    rc = cora_multiprocessing_connection_poll(&first, INFINITY);
    assert_int_equal(rc, 1);
    kill_child(child);
    assert_int_equal(receive_error(&first), -CORA_EINCOMPLETEREAD);
    assert_int_equal(receive_error(&first), -CORA_EEOF);
    close_ends();
    free(big);
}

/* ---- interruptions ------------------------------------------------------------------------- */

static volatile sig_atomic_t interruptions;

static void interrupt(int signum)
{
    (void)signum;
    interruptions++;
}

/* A piece at a time, and a signal before each. */
static int send_in_pieces(void *arg)
{
    static const char *const pieces[] = {"\0\0", "\0\3", "a", "bc"};
    static const size_t sizes[] = {2, 2, 1, 2};
    int fd = cora_multiprocessing_connection_fileno(&first);

    (void)arg;
    for (int i = 0; i < 4; i++) {
        kill(getppid(), SIGUSR1);
        if (send(fd, pieces[i], sizes[i], 0) < 0)
            return 1;
    }
    return 0;
}

TEST(a_signal_does_not_interrupt_what_is_received)
{
    struct sigaction action = {.sa_handler = interrupt};
    cora_multiprocessing_process *child;
    int exitcode;

    sigaction(SIGUSR1, &action, NULL);
    open_ends(true);
    child = start_child(send_in_pieces, NULL);
    assert_receive(&second, "abc", 3);
    exitcode = finish_child(child);
    assert_int_equal(exitcode, 0);
    assert_true(interruptions > 0);
    close_ends();
}

/* Interrupts the parent each time that it waits for room, and then receives. */
static int interrupt_and_receive(void *expected)
{
    void *data;
    ssize_t size;
    bool right;

    cora_multiprocessing_connection_close(&first);
    for (int i = 0; i < 3; i++) {
        await_sleep(getppid());
        kill(getppid(), SIGUSR1);
    }
    size = cora_multiprocessing_connection_recv_bytes(&second, SIZE_MAX, &data);
    if (size < 0)
        return (int)size;
    right = size == BIG && memcmp(data, expected, BIG) == 0;
    free(data);
    return right ? 0 : 1;
}

TEST(a_signal_does_not_interrupt_what_is_sent)
{
    struct sigaction action = {.sa_handler = interrupt};
    unsigned char *big = make_big();
    cora_multiprocessing_process *child;
    int exitcode;

    sigaction(SIGUSR1, &action, NULL);
    open_ends(true);
    child = start_child(interrupt_and_receive, big);
    cora_multiprocessing_connection_close(&second);
    assert_send(&first, big, BIG);
    exitcode = finish_child(child);
    assert_int_equal(exitcode, 0);
    assert_true(interruptions > 0);
    close_ends();
    free(big);
}

/* ---- waiting ------------------------------------------------------------------------------- */

static int wait_for_end(void *arg)
{
    (void)arg;
    cora_multiprocessing_connection_close(&first);
    return receive_error(&second) == -CORA_EEOF ? 0 : 1;
}

TEST(wait_tells_which_of_connections_and_sentinels_are_ready)
{
    cora_multiprocessing_process *child;
    bool ready[2] = {true, true};
    connection ours, theirs;
    int fds[2], rc;

    open_ends(true);
    rc = cora_multiprocessing_pipe(true, &ours, &theirs);
    assert_int_equal(rc, 0);
    child = start_child(wait_for_end, NULL);
    cora_multiprocessing_connection_close(&second);
    fds[0] = cora_multiprocessing_connection_fileno(&ours);
    fds[1] = cora_multiprocessing_process_sentinel(child);
    rc = cora_multiprocessing_wait(fds, 2, 0.001, ready);
    assert_int_equal(rc, 0);
    assert_false(ready[0] || ready[1]);
    assert_send(&theirs, "x", 1);
    rc = cora_multiprocessing_wait(fds, 2, INFINITY, ready);
    assert_int_equal(rc, 1);
    assert_true(ready[0] && !ready[1]);
    assert_receive(&ours, "x", 1);
    cora_multiprocessing_connection_close(&first);
    rc = cora_multiprocessing_wait(fds, 2, INFINITY, ready);
    assert_int_equal(rc, 1);
    assert_true(!ready[0] && ready[1]);
    cora_multiprocessing_connection_close(&theirs);
    rc = cora_multiprocessing_wait(fds, 2, INFINITY, ready);
    assert_int_equal(rc, 2);
    rc = finish_child(child);
    assert_int_equal(rc, 0);
    cora_multiprocessing_connection_close(&ours);
}

TEST(wait_and_poll_refuse_what_they_cannot_wait_for)
{
    bool ready[2] = {true, true};
    int fds[2] = {-1, -1}, rc;

    open_ends(true);
    fds[0] = cora_multiprocessing_connection_fileno(&first);
    rc = cora_multiprocessing_wait(fds, 2, INFINITY, ready);
    assert_int_equal(rc, -EBADF);
    fds[1] = dup(fds[0]);
    close(fds[1]);
    rc = cora_multiprocessing_wait(fds, 2, INFINITY, ready);
    assert_int_equal(rc, -EBADF);
    rc = cora_multiprocessing_wait(fds, 1, NAN, ready);
    assert_int_equal(rc, -EINVAL);
    assert_true(ready[0] && ready[1]);
    rc = cora_multiprocessing_connection_poll(&first, NAN);
    assert_int_equal(rc, -EINVAL);
    rc = cora_multiprocessing_connection_poll(&first, 0);
    assert_int_equal(rc, 0);
    rc = cora_multiprocessing_wait(NULL, 0, 0, NULL);
    assert_int_equal(rc, 0);
    close_ends();
}
