#include <cora/sock.h>

#include "sock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

enum { SEND_FLAGS = MSG_DONTWAIT | MSG_NOSIGNAL };

/* After an attempt that has failed: 0, it may be made again, now or once fd is ready; or why not.
 */
static inline int retry(int fd, int error, int (*wait)(int fd))
{
    if (error == EINTR)
        return 0;
    return error == EAGAIN || error == EWOULDBLOCK ? wait(fd) : -error;
}

ssize_t cora_sock_recv(int fd, void *buffer, size_t size)
{
    if (size == 0)
        return 0; /* recv would wait for data even so */
    for (;;) {
        /* Known to be empty: do not ask the kernel in vain. */
        if (cora_fd_is_drained(fd)) {
            int rc = cora_wait_readable(fd);

            if (rc < 0)
                return rc;
        }

        ssize_t got = recv(fd, buffer, size, MSG_DONTWAIT);

        if (got > 0 && (size_t)got < size)
            cora_fd_set_drained(fd);
        if (got == 0) /* the end: the number is likely to be closed, and given to another, next */
            cora_fd_opened(fd);
        if (got >= 0)
            return got;

        int rc = retry(fd, errno, cora_wait_readable);

        if (rc < 0)
            return rc;
    }
}

/* A short read says nothing here: behind a datagram there may be another. */
ssize_t cora_sock_recvfrom(int fd, void *buffer, size_t size, struct sockaddr *address,
                           socklen_t *length)
{
    int rc = 0;

    while (rc == 0) {
        ssize_t got = recvfrom(fd, buffer, size, MSG_DONTWAIT, address, length);

        if (got >= 0)
            return got;
        rc = retry(fd, errno, cora_wait_readable);
    }
    return rc;
}

ssize_t cora_sock_sendto(int fd, const void *data, size_t size, const struct sockaddr *address,
                         socklen_t length)
{
    bool waited = false;
    int rc = 0;

    while (rc == 0) {
        ssize_t sent = sendto(fd, data, size, SEND_FLAGS, address, length);

        if (sent >= 0)
            return sent;
        /* The queue of a Unix socket that is not connected to this one: of its room nobody tells.
         */
        if (errno == EAGAIN && waited && address != NULL && address->sa_family == AF_UNIX)
            return -EAGAIN;
        waited = errno != EINTR;
        rc = retry(fd, errno, cora_wait_writable);
    }
    return rc;
}

int cora_sock_sendall(int fd, const void *data, size_t size, size_t *ret_sent)
{
    const char *next = data;
    size_t left = size;
    int rc = 0;

    while (left > 0 && rc == 0) {
        ssize_t sent = send(fd, next, left, SEND_FLAGS);

        if (sent >= 0) {
            next += sent;
            left -= (size_t)sent;
        } else {
            rc = retry(fd, errno, cora_wait_writable);
        }
    }
    if (ret_sent != NULL)
        *ret_sent = size - left;
    return rc;
}

/* What is left to send: `offset` bytes of the first part are gone, and it is not empty. */
struct unsent {
    const struct iovec *parts;
    size_t count, offset;
};

static void advance(struct unsent *unsent, size_t sent)
{
    unsent->offset += sent;
    while (unsent->count > 0 && unsent->offset >= unsent->parts->iov_len) {
        unsent->offset -= unsent->parts->iov_len;
        unsent->parts++;
        unsent->count--;
    }
}

/* The caller's array is not written: what is left of a part that went in half is sent alone. */
static ssize_t send_some(int fd, const struct unsent *unsent)
{
    const struct iovec *parts = unsent->parts;
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = unsent->count};

    if (unsent->offset > 0)
        return send(fd, (const char *)parts->iov_base + unsent->offset,
                    parts->iov_len - unsent->offset, SEND_FLAGS);
    if (message.msg_iovlen > IOV_MAX)
        message.msg_iovlen = IOV_MAX;
    return sendmsg(fd, &message, SEND_FLAGS);
}

int cora_sock_sendmsg(int fd, const struct iovec *parts, size_t count, size_t *ret_sent)
{
    struct unsent unsent = {.parts = parts, .count = count};
    size_t total = 0;
    int rc = 0;

    advance(&unsent, 0);
    while (unsent.count > 0 && rc == 0) {
        ssize_t sent = send_some(fd, &unsent);

        if (sent >= 0) {
            advance(&unsent, (size_t)sent);
            total += (size_t)sent;
        } else {
            rc = retry(fd, errno, cora_wait_writable);
        }
    }
    if (ret_sent != NULL)
        *ret_sent = total;
    return rc;
}

int cora__fd_set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
        return -errno;
    return 0;
}

void cora__getsockname(int fd, cora_address *ret)
{
    ret->length = sizeof ret->storage;
    if (getsockname(fd, (struct sockaddr *)&ret->storage, &ret->length) < 0)
        ret->length = 0;
}

void cora__getpeername(int fd, cora_address *ret)
{
    ret->length = sizeof ret->storage;
    if (getpeername(fd, (struct sockaddr *)&ret->storage, &ret->length) < 0)
        ret->length = 0;
}

const void *cora__socket_info(const char *name, const int *fd, const cora_address *sockname,
                              const cora_address *peername)
{
    if (strcmp(name, "socket") == 0)
        return fd;
    if (strcmp(name, "sockname") == 0)
        return sockname->length > 0 ? sockname : NULL;
    if (strcmp(name, "peername") == 0)
        return peername->length > 0 ? peername : NULL;
    return NULL;
}

int cora_sock_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    int error = 0;
    int rc = cora__fd_set_nonblocking(fd);

    if (rc < 0)
        return rc;
    cora_fd_opened(fd);
    if (connect(fd, address, length) == 0)
        return 0;
    /* Interrupted, it goes on by itself, and so does one that was cancelled. A Unix
     * socket whose listener has a full queue says EAGAIN, for the caller to try again. */
    if (errno != EINPROGRESS && errno != EINTR && errno != EALREADY)
        return -errno;
    rc = cora_wait_writable(fd);
    if (rc < 0)
        return rc;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error}) < 0)
        return -errno;
    /* Linux has the socket connecting until the next call, which is 0: made here, so that the
     * caller's next is -EISCONN. */
    if (error == 0 && connect(fd, address, length) < 0 && errno != EISCONN)
        error = errno;
    return -error;
}

int cora_sock_accept(int fd, struct sockaddr *address, socklen_t *length)
{
    int rc = cora__fd_set_nonblocking(fd);

    while (rc == 0) {
        int connection = accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (connection >= 0) {
            cora_fd_opened(connection);
            return connection;
        }
        if (errno != ECONNABORTED)
            rc = retry(fd, errno, cora_wait_readable);
    }
    return rc;
}
