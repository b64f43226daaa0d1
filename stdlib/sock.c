#include <cora/sock.h>

#include <errno.h>
#include <fcntl.h>

static bool would_block(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK;
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
        if (errno == EINTR)
            continue;
        if (!would_block(errno))
            return -errno;

        int rc = cora_wait_readable(fd);

        if (rc < 0)
            return rc;
    }
}

int cora_sock_sendall(int fd, const void *data, size_t size, size_t *ret_sent)
{
    const char *next = data;
    size_t left = size;
    int rc = 0;

    while (left > 0 && rc == 0) {
        ssize_t sent = send(fd, next, left, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent >= 0) {
            next += sent;
            left -= (size_t)sent;
        } else if (would_block(errno)) {
            rc = cora_wait_writable(fd);
        } else if (errno != EINTR) {
            rc = -errno;
        }
    }
    if (ret_sent != NULL)
        *ret_sent = size - left;
    return rc;
}

/* A connect that waits must not block the thread, so the socket is made non-blocking for good. */
static int set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
        return -errno;
    return 0;
}

int cora_sock_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    int error = 0;
    int rc = set_nonblocking(fd);

    if (rc < 0)
        return rc;
    cora_fd_opened(fd);
    if (connect(fd, address, length) == 0)
        return 0;
    /* Interrupted, it goes on by itself. A Unix socket whose listener
     * has a full queue says EAGAIN, for the caller to try again. */
    if (errno != EINPROGRESS && errno != EINTR)
        return -errno;
    rc = cora_wait_writable(fd);
    if (rc < 0)
        return rc;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error}) < 0)
        return -errno;
    return -error;
}

int cora_sock_accept(int fd, struct sockaddr *address, socklen_t *length)
{
    int rc = set_nonblocking(fd);

    while (rc == 0) {
        int connection = accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (connection >= 0) {
            cora_fd_opened(connection);
            return connection;
        }
        if (would_block(errno))
            rc = cora_wait_readable(fd);
        else if (errno != EINTR && errno != ECONNABORTED)
            rc = -errno;
    }
    return rc;
}
