/* Many parts sent as one stream: all of them, or how many bytes went. */
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <limits.h>
#include <sys/uio.h>

/* The big data cut into parts that grow, with empty ones between; more than the kernel takes. */
enum { PARTS = 3 * IOV_MAX };

static struct iovec *cut(unsigned char *data)
{
    struct iovec *parts = calloc(PARTS, sizeof *parts);
    size_t at = 0;

    for (size_t i = 0; i < PARTS; i++) {
        size_t length = i % 3 == 0 ? 0 : i + 1 < PARTS ? i : BIG - at;

        parts[i] = (struct iovec){.iov_base = data + at, .iov_len = length};
        at += length;
    }
    assert_int_equal(at, BIG);
    return parts;
}

struct sender_args {
    int fd;
    const struct iovec *parts;
    size_t *sent;
};

static int sender(void *arg)
{
    struct sender_args *a = arg;
    int rc = cora_sock_sendmsg(a->fd, a->parts, PARTS, a->sent);

    shutdown(a->fd, SHUT_WR);
    return rc;
}

static int send_parts(void *arg)
{
    bool cancels = *(bool *)arg;
    unsigned char *data = make_big();
    struct iovec *parts = cut(data), *copy = malloc(PARTS * sizeof *parts);
    size_t sent = 0, got;
    cora_task *task;
    int fds[2], rc;

    memcpy(copy, parts, PARTS * sizeof *parts);
    make_pair(fds);
    task = cora_create_task(sender, .fd = fds[0], .parts = parts, .sent = &sent);
    rc = rest(3);
    assert_int_equal(rc, 0);
    if (cancels)
        cora_task_cancel(task);
    got = read_all(fds[1]);
    rc = cora_await_unref(task);
    assert_int_equal(rc, cancels ? -ECANCELED : 0);
    assert_int_equal(got, sent);
    assert_true(cancels ? sent > 0 && sent < BIG : sent == BIG);
    assert_memory_equal(parts, copy, PARTS * sizeof *parts);
    close_pair(fds);
    free(copy);
    free(parts);
    free(data);
    return 0;
}

TEST(all_parts_arrive_in_order_and_the_array_is_as_it_was)
{
    bool cancels = false;
    int rc = run_virtual(send_parts, &cancels);

    assert_int_equal(rc, 0);
}

TEST(a_sender_of_parts_that_is_cancelled_tells_how_much_it_has_sent)
{
    bool cancels = true;
    int rc = run_virtual(send_parts, &cancels);

    assert_int_equal(rc, 0);
}

static int close_under_the_sender(void *arg)
{
    unsigned char *data = make_big();
    struct iovec *parts = cut(data);
    size_t sent = 0;
    cora_task *task;
    int fds[2], rc;

    (void)arg;
    make_pair(fds);
    task = cora_create_task(sender, .fd = fds[0], .parts = parts, .sent = &sent);
    rc = rest(3);
    assert_int_equal(rc, 0);
    close_fd(fds[1]);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -EPIPE);
    assert_true(sent > 0 && sent < BIG);
    close_fd(fds[0]);
    free(parts);
    free(data);
    return 0;
}

TEST(a_sender_of_parts_hears_when_its_peer_closes_and_no_signal)
{
    int rc = run_virtual(close_under_the_sender, NULL);

    assert_int_equal(rc, 0);
}

static int send_nothing(void *arg)
{
    struct iovec parts[2] = {{.iov_base = NULL, .iov_len = 0}, {.iov_base = "", .iov_len = 0}};
    size_t sent = 7;
    int fds[2], rc;

    (void)arg;
    make_pair(fds);
    rc = cora_sock_sendmsg(fds[0], NULL, 0, &sent);
    assert_int_equal(rc, 0);
    assert_int_equal(sent, 0);
    close_fd(fds[1]);
    rc = cora_sock_sendmsg(fds[0], parts, 2, NULL); /* the peer is not even asked */
    assert_int_equal(rc, 0);
    close_fd(fds[0]);
    rc = cora_sock_sendmsg(fds[0], &(struct iovec){.iov_base = "a", .iov_len = 1}, 1, &sent);
    assert_int_equal(rc, -EBADF);
    assert_int_equal(sent, 0);
    return 0;
}

TEST(no_parts_and_empty_ones_are_sent_at_once)
{
    int rc = run_virtual(send_nothing, NULL);

    assert_int_equal(rc, 0);
}
