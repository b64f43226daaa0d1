/* Datagrams: addresses out and in, boundaries, and queues that are full. */
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <arpa/inet.h>
#include <sys/un.h>

static void send_to(int fd, const void *data, size_t size, const struct sockaddr_in *address)
{
    ssize_t sent = cora_sock_sendto(fd, data, size, (const struct sockaddr *)address,
                                    address == NULL ? 0 : sizeof *address);

    assert_int_equal(sent, size);
}

struct receiver_args {
    int fd;
    char *text;
    struct sockaddr_in *from;
    socklen_t *length;
};

static int receiver(void *arg)
{
    struct receiver_args *a = arg;

    return (int)cora_sock_recvfrom(a->fd, a->text, 16, (struct sockaddr *)a->from, a->length);
}

static int echo_one(void *arg)
{
    bool waits = *(bool *)arg;
    struct sockaddr_in here, there, from = {0};
    socklen_t length = sizeof from;
    int ours = make_udp(&here), theirs = make_udp(&there), rc;
    cora_task *task;
    char text[16] = "";
    ssize_t got;

    if (!waits)
        send_to(ours, "hello", 5, &there);
    task = cora_create_task(receiver, .fd = theirs, .text = text, .from = &from, .length = &length);
    rc = rest(3);
    assert_int_equal(rc, 0);
    if (waits)
        send_to(ours, "hello", 5, &there);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 5);
    assert_memory_equal(text, "hello", 5);
    assert_int_equal(length, sizeof from);
    assert_int_equal(from.sin_port, here.sin_port);
    assert_int_equal(from.sin_addr.s_addr, here.sin_addr.s_addr);
    send_to(theirs, "back", 4, &from);
    got = cora_sock_recvfrom(ours, text, sizeof text, NULL, NULL);
    assert_int_equal(got, 4);
    close_fd(ours);
    close_fd(theirs);
    return 0;
}

TEST(a_datagram_that_is_there_comes_with_its_senders_address)
{
    bool waits = false;
    int rc = run_virtual(echo_one, &waits);

    assert_int_equal(rc, 0);
}

TEST(a_datagram_that_comes_later_comes_with_its_senders_address)
{
    bool waits = true;
    int rc = run_virtual(echo_one, &waits);

    assert_int_equal(rc, 0);
}

static int keep_boundaries(void *arg)
{
    struct sockaddr_in here, there;
    int ours = make_udp(&here), theirs = make_udp(&there), rc;
    char text[16];
    ssize_t got;

    (void)arg;
    rc = cora_sock_connect(ours, (struct sockaddr *)&there, sizeof there);
    assert_int_equal(rc, 0);
    send_to(ours, "first", 5, NULL);
    send_to(ours, "", 0, NULL);
    send_to(ours, "0123456789", 10, NULL);
    send_to(ours, "last", 4, NULL);
    got = cora_sock_recvfrom(theirs, text, sizeof text, NULL, NULL);
    assert_int_equal(got, 5);
    got = cora_sock_recvfrom(theirs, text, sizeof text, NULL, NULL);
    assert_int_equal(got, 0);
    got = cora_sock_recvfrom(theirs, text, 3, NULL, NULL); /* the rest of it is lost */
    assert_int_equal(got, 3);
    assert_memory_equal(text, "012", 3);
    got = cora_sock_recvfrom(theirs, text, sizeof text, NULL, NULL);
    assert_int_equal(got, 4);
    close_fd(ours);
    close_fd(theirs);
    return 0;
}

TEST(datagrams_come_one_by_one_an_empty_one_too)
{
    int rc = run_virtual(keep_boundaries, NULL);

    assert_int_equal(rc, 0);
}

static int cancel_a_receiver(void *arg)
{
    int hops = *(int *)arg, rc;
    struct sockaddr_in here, there;
    int ours = make_udp(&here), theirs = make_udp(&there);
    char text[16];
    cora_task *task = cora_create_task(receiver, .fd = theirs, .text = text);
    ssize_t got;

    rc = rest(2);
    assert_int_equal(rc, 0);
    send_to(ours, "hello", 5, &there);
    rc = rest(hops);
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_true(rc == 5 || rc == -ECANCELED);
    got = rc == 5 ? 5 : cora_sock_recvfrom(theirs, text, sizeof text, NULL, NULL);
    assert_int_equal(got, 5);
    close_fd(ours);
    close_fd(theirs);
    return 0;
}

TEST(a_receiver_of_datagrams_that_is_cancelled_loses_none)
{
    for (int hops = 0; hops < 10; hops++) {
        int rc = run_virtual(cancel_a_receiver, &hops);

        assert_int_equal(rc, 0);
    }
}

static int be_too_long(void *arg)
{
    struct sockaddr_in here, there;
    int ours = make_udp(&here), theirs = make_udp(&there);
    unsigned char *data = make_big();
    ssize_t rc = cora_sock_sendto(ours, data, 70000, (struct sockaddr *)&there, sizeof there);

    (void)arg;
    assert_int_equal(rc, -EMSGSIZE);
    close_fd(theirs);
    send_to(ours, "a", 1, &there); /* nobody is there, and nobody says so */
    close_fd(ours);
    rc = cora_sock_sendto(ours, data, 1, (struct sockaddr *)&there, sizeof there);
    assert_int_equal(rc, -EBADF);
    rc = cora_sock_recvfrom(ours, data, 1, NULL, NULL);
    assert_int_equal(rc, -EBADF);
    free(data);
    return 0;
}

TEST(a_datagram_that_is_too_long_is_emsgsize)
{
    int rc = run_virtual(be_too_long, NULL);

    assert_int_equal(rc, 0);
}

TEST(outside_a_task_a_datagram_cannot_be_waited_for)
{
    struct sockaddr_in here;
    int fd = make_udp(&here);
    char text[16];
    ssize_t got = cora_sock_recvfrom(fd, text, sizeof text, NULL, NULL);

    assert_int_equal(got, -CORA_ENOTASK);
    close_fd(fd);
}

/* ---- full queues ---------------------------------------------------------------------------- */

/* A Unix socket, in no file system; the kernel gives it a name. */
static int make_unix(struct sockaddr_un *address, socklen_t *length)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    rc = bind(fd, (struct sockaddr *)address, sizeof(sa_family_t));
    assert_int_equal(rc, 0);
    *length = sizeof *address;
    rc = getsockname(fd, (struct sockaddr *)address, length);
    assert_int_equal(rc, 0);
    return fd;
}

static int fill(int fd, const struct sockaddr_un *address, socklen_t length)
{
    int count = 0;

    while (sendto(fd, "x", 1, MSG_DONTWAIT, (const struct sockaddr *)address, length) == 1)
        count++;
    assert_int_equal(errno, EAGAIN);
    return count;
}

static int find_the_queue_full(void *arg)
{
    struct sockaddr_un address;
    socklen_t length;
    int theirs = make_unix(&address, &length), ours = socket(AF_UNIX, SOCK_DGRAM, 0);
    char byte;
    ssize_t rc;

    (void)arg;
    fill(ours, &address, length);
    rc = cora_sock_sendto(ours, "y", 1, (struct sockaddr *)&address, length);
    assert_int_equal(rc, -EAGAIN);
    rc = cora_sock_recvfrom(theirs, &byte, 1, NULL, NULL);
    assert_int_equal(rc, 1);
    rc = cora_sock_sendto(ours, "y", 1, (struct sockaddr *)&address, length);
    assert_int_equal(rc, 1);
    close_fd(ours);
    close_fd(theirs);
    return 0;
}

TEST(a_unix_sockets_full_queue_is_eagain_for_one_that_is_not_connected)
{
    int rc = run_virtual(find_the_queue_full, NULL);

    assert_int_equal(rc, 0);
}

struct sender_args {
    int fd;
};

static int sender(void *arg)
{
    return (int)cora_sock_sendto(((struct sender_args *)arg)->fd, "y", 1, NULL, 0);
}

static int wait_for_room(void *arg)
{
    struct sockaddr_un address;
    socklen_t length;
    int theirs = make_unix(&address, &length), ours = socket(AF_UNIX, SOCK_DGRAM, 0), rc, count;
    cora_task *task;
    char byte = '\0';
    bool done;

    (void)arg;
    rc = cora_sock_connect(ours, (struct sockaddr *)&address, length);
    assert_int_equal(rc, 0);
    count = fill(ours, NULL, 0);
    task = cora_create_task(sender, .fd = ours);
    rc = rest(5);
    assert_int_equal(rc, 0);
    done = cora_task_done(task);
    assert_false(done);
    for (int i = 0; i <= count; i++) {
        ssize_t got = cora_sock_recvfrom(theirs, &byte, 1, NULL, NULL);

        assert_int_equal(got, 1);
        assert_int_equal(byte, i < count ? 'x' : 'y');
    }
    rc = cora_await_unref(task);
    assert_int_equal(rc, 1);
    close_fd(ours);
    close_fd(theirs);
    return 0;
}

TEST(a_connected_sender_waits_for_room_in_the_queue)
{
    int rc = run_virtual(wait_for_room, NULL);

    assert_int_equal(rc, 0);
}
