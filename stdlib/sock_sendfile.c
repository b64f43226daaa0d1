/*
 * sock_sendfile.c: from a file to a socket. What moves bytes neither suspends nor takes from the
 * file more than it sends, so wherever it stops the file's position is known.
 */
#include <cora/sock.h>

#include "sigpipe.h"
#include "sock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MOST_AT_ONCE = 1 << 30, /* less than what the kernel takes at most */
    COPY_BUFFER = 8192,     /* on the task's stack */
};

struct transfer {
    int fd, file;
    bool is_pipe, may_copy, copies, begun;
    off_t next;
    size_t left;
};

/* How many bytes were moved; 0: the file's end; a negative errno. */
static ssize_t move_in_kernel(const struct transfer *transfer, size_t size)
{
    struct cora__sigpipe held;
    off_t offset = transfer->next;
    ssize_t sent;

    cora__sigpipe_hold(&held);
    if (transfer->is_pipe)
        sent = splice(transfer->file, NULL, transfer->fd, NULL, size, SPLICE_F_NONBLOCK);
    else
        sent = sendfile(transfer->fd, transfer->file, &offset, size);
    if (sent < 0)
        sent = -errno;
    cora__sigpipe_release(&held, sent == -EPIPE);
    return sent;
}

/* The same. What is read and cannot be sent is read again the next time. */
static ssize_t move_by_copy(const struct transfer *transfer, size_t size)
{
    char buffer[COPY_BUFFER];
    ssize_t done =
        pread(transfer->file, buffer, size < sizeof buffer ? size : sizeof buffer, transfer->next);

    if (done > 0)
        done = send(transfer->fd, buffer, (size_t)done, MSG_DONTWAIT | MSG_NOSIGNAL);
    return done < 0 ? -errno : done;
}

static ssize_t move_some(const struct transfer *transfer)
{
    size_t size = transfer->left < MOST_AT_ONCE ? transfer->left : MOST_AT_ONCE;

    return transfer->copies ? move_by_copy(transfer, size) : move_in_kernel(transfer, size);
}

/* It was the pipe that had nothing, or the socket that had no room. */
static int wait_to_move(const struct transfer *transfer)
{
    struct pollfd pipe = {.fd = transfer->file, .events = POLLIN};

    if (transfer->is_pipe && poll(&pipe, 1, 0) == 0)
        return cora_wait_readable(transfer->file);
    return cora_wait_writable(transfer->fd);
}

/* What the kernel cannot do is left to a copy, and so is all that it fails at before it has begun.
 */
static bool is_not_available(const struct transfer *transfer, ssize_t error)
{
    return !transfer->copies && !transfer->is_pipe &&
           (!transfer->begun || error == -EINVAL || error == -ENOSYS);
}

static int move_all(struct transfer *transfer)
{
    int rc = 0;

    while (transfer->left > 0 && rc == 0) {
        ssize_t sent = move_some(transfer);

        if (sent == 0)
            break;
        if (sent > 0) {
            transfer->next += sent;
            transfer->left -= (size_t)sent;
            transfer->begun = true;
        } else if (sent == -EAGAIN) {
            rc = wait_to_move(transfer);
        } else if (sent == -EINTR) {
            continue;
        } else if (is_not_available(transfer, sent)) {
            transfer->copies = transfer->may_copy;
            rc = transfer->may_copy ? 0 : -EOPNOTSUPP;
        } else {
            rc = (int)sent;
        }
    }
    return rc;
}

static int prepare(struct transfer *transfer)
{
    struct stat status;
    int type = 0;

    if (transfer->next < 0)
        return -EINVAL;
    if (getsockopt(transfer->fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof type}) < 0 ||
        fstat(transfer->file, &status) < 0)
        return -errno;
    if (type != SOCK_STREAM)
        return -EPROTOTYPE;
    transfer->is_pipe = S_ISFIFO(status.st_mode);
    if (transfer->is_pipe && transfer->next > 0)
        return -ESPIPE;
    return cora__fd_set_nonblocking(transfer->fd);
}

int cora__sock_sendfile(int fd, int file, off_t offset, size_t count, bool may_copy,
                        size_t *ret_sent)
{
    struct transfer transfer = {
        .fd = fd, .file = file, .next = offset, .left = count, .may_copy = may_copy};
    int rc = prepare(&transfer);

    if (rc == 0) {
        rc = move_all(&transfer);
        if (!transfer.is_pipe && lseek(file, transfer.next, SEEK_SET) < 0 && rc == 0)
            rc = -errno;
    }
    if (ret_sent != NULL)
        *ret_sent = count - transfer.left;
    return rc;
}

int cora_sock_sendfile(int fd, int file, off_t offset, size_t count, size_t *ret_sent)
{
    return cora__sock_sendfile(fd, file, offset, count, true, ret_sent);
}
