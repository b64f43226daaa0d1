/*
 * connection.c: messages over a stream: each has its length before it, as CPython writes it: four
 * bytes, the highest first, or, from 2 GiB on, four of ones and eight more.
 *
 * Both kinds of pipe are Unix sockets, for they are written to without SIGPIPE.
 */
#include "connection.h"

#include "deadline.h"
#include "sentinel.h"

#include <cora/error.h>
#include <cora/waiter.h>

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SHORT = 4, LONG = 8 };
static const uint64_t longest_short = INT32_MAX;
static const uint64_t long_follows = UINT32_MAX;

/* ---- life ---------------------------------------------------------------------------------- */

static void open_end(cora_multiprocessing_connection *connection, int fd, bool readable,
                     bool writable)
{
    cora_fd_opened(fd);
    *connection =
        (cora_multiprocessing_connection){.fd_ = fd, .readable_ = readable, .writable_ = writable};
}

void cora__connection_open(cora_multiprocessing_connection *connection, int fd)
{
    open_end(connection, fd, true, true);
}

int cora_multiprocessing_pipe(bool duplex, cora_multiprocessing_connection *ret_first,
                              cora_multiprocessing_connection *ret_second)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    open_end(ret_first, fds[0], true, duplex);
    open_end(ret_second, fds[1], duplex, true);
    return 0;
}

void cora_multiprocessing_connection_close(cora_multiprocessing_connection *connection)
{
    if (connection->fd_ >= 0)
        cora_close_fd(connection->fd_);
    connection->fd_ = -1;
}

bool cora_multiprocessing_connection_closed(const cora_multiprocessing_connection *connection)
{
    return connection->fd_ < 0;
}

int cora_multiprocessing_connection_fileno(const cora_multiprocessing_connection *connection)
{
    return connection->fd_;
}

/* ---- sending ------------------------------------------------------------------------------- */

static void put_number(unsigned char *at, uint64_t number, int size)
{
    while (size-- > 0) {
        at[size] = (unsigned char)number;
        number >>= 8;
    }
}

static size_t put_length(unsigned char header[SHORT + LONG], size_t length)
{
    if (length <= longest_short) {
        put_number(header, length, SHORT);
        return SHORT;
    }
    put_number(header, long_follows, SHORT);
    put_number(header + SHORT, length, LONG);
    return SHORT + LONG;
}

static void skip(struct iovec *part, size_t *sent)
{
    size_t skipped = *sent < part->iov_len ? *sent : part->iov_len;

    if (skipped > 0)
        part->iov_base = (char *)part->iov_base + skipped;
    part->iov_len -= skipped;
    *sent -= skipped;
}

int cora_multiprocessing_connection_send_bytes(cora_multiprocessing_connection *connection,
                                               const void *data, size_t size)
{
    unsigned char header[SHORT + LONG];
    struct iovec parts[] = {{header, put_length(header, size)}, {(void *)data, size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

    if (connection->fd_ < 0 || !connection->writable_)
        return -EBADF;
    while (parts[0].iov_len + parts[1].iov_len > 0) {
        ssize_t rc = sendmsg(connection->fd_, &message, MSG_NOSIGNAL);
        size_t sent = rc > 0 ? (size_t)rc : 0;

        if (rc < 0 && errno != EINTR)
            return -errno;
        skip(&parts[0], &sent);
        skip(&parts[1], &sent);
    }
    return 0;
}

/* ---- receiving ----------------------------------------------------------------------------- */

/* Exactly so many bytes; -CORA_EEOF where there are none at all. */
static int read_exactly(int fd, void *buffer, size_t size)
{
    char *at = buffer;
    size_t left = size;

    while (left > 0) {
        ssize_t got = recv(fd, at, left, 0);

        if (got == 0)
            return left == size ? -CORA_EEOF : -CORA_EINCOMPLETEREAD;
        if (got < 0 && errno != EINTR)
            return -errno;
        at += got > 0 ? got : 0;
        left -= got > 0 ? (size_t)got : 0;
    }
    return 0;
}

/* The end in the midst of a message is no good end. */
static int read_rest(int fd, void *buffer, size_t size)
{
    int rc = read_exactly(fd, buffer, size);

    return rc == -CORA_EEOF ? -CORA_EINCOMPLETEREAD : rc;
}

static uint64_t get_number(const unsigned char *at, int size)
{
    uint64_t number = 0;

    while (size-- > 0)
        number = number << 8 | *at++;
    return number;
}

/* The header, unless that has been read. */
static int read_length(cora_multiprocessing_connection *connection)
{
    unsigned char header[LONG];
    uint64_t length;
    int rc;

    if (connection->fd_ < 0 || !connection->readable_)
        return -EBADF;
    if (connection->announced_)
        return 0;
    rc = read_exactly(connection->fd_, header, SHORT);
    if (rc < 0)
        return rc;
    length = get_number(header, SHORT);
    if (length == long_follows) {
        rc = read_rest(connection->fd_, header, LONG);
        if (rc < 0)
            return rc;
        length = get_number(header, LONG);
    }
    connection->length_ = length;
    connection->announced_ = true;
    return 0;
}

static ssize_t read_message(cora_multiprocessing_connection *connection, void *buffer)
{
    int rc = read_rest(connection->fd_, buffer, (size_t)connection->length_);

    connection->announced_ = false;
    return rc < 0 ? rc : (ssize_t)connection->length_;
}

ssize_t cora_multiprocessing_connection_recv_bytes_into(cora_multiprocessing_connection *connection,
                                                        void *buffer, size_t size)
{
    int rc = read_length(connection);

    if (rc < 0)
        return rc;
    return connection->length_ > size ? -EMSGSIZE : read_message(connection, buffer);
}

ssize_t cora_multiprocessing_connection_recv_bytes(cora_multiprocessing_connection *connection,
                                                   size_t maxlength, void **ret_data)
{
    void *data;
    ssize_t size = read_length(connection);

    if (size < 0)
        return size;
    if (connection->length_ > maxlength)
        return -EMSGSIZE;
    data = connection->length_ < SSIZE_MAX ? malloc((size_t)connection->length_ + 1) : NULL;
    if (data == NULL)
        return -ENOMEM;
    size = read_message(connection, data);
    if (size < 0)
        free(data);
    else
        *ret_data = data;
    return size;
}

/* ---- waiting ------------------------------------------------------------------------------- */

int cora_multiprocessing_connection_poll(const cora_multiprocessing_connection *connection,
                                         double timeout)
{
    struct pollfd polled = {.fd = connection->fd_, .events = POLLIN};

    if (connection->fd_ < 0 || !connection->readable_)
        return -EBADF;
    if (isnan(timeout))
        return -EINVAL;
    return connection->announced_ ? 1 : cora__poll(&polled, 1, cora__deadline(timeout));
}

/* Why some of the descriptors cannot be waited for, else 0. */
static int check(const struct pollfd *polled, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (polled[i].fd < 0 || (polled[i].revents & POLLNVAL) != 0)
            return -EBADF;
    return 0;
}

static int wait_for(struct pollfd *polled, size_t count, double timeout)
{
    int rc = check(polled, count);
    int count_ready;

    if (rc < 0)
        return rc;
    count_ready = cora__poll(polled, count, cora__deadline(timeout));
    rc = check(polled, count);
    return rc < 0 ? rc : count_ready;
}

int cora_multiprocessing_wait(const int fds[], size_t count, double timeout, bool ready[])
{
    struct pollfd *polled;
    int rc;

    if (isnan(timeout))
        return -EINVAL;
    polled = calloc(count + 1, sizeof *polled);
    if (polled == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    rc = wait_for(polled, count, timeout);
    for (size_t i = 0; i < count && rc >= 0; i++)
        ready[i] = polled[i].revents != 0;
    free(polled);
    return rc;
}
