#include "transfer.h"

#include <errno.h>
#include <stdint.h>

void cora__transfer_add(struct cora__transfer *transfer, const void *data, size_t size)
{
    if (size > 0)
        transfer->part[transfer->count++] =
            (struct iovec){.iov_base = (void *)(uintptr_t)data, .iov_len = size};
}

bool cora__transfer_is_done(const struct cora__transfer *transfer)
{
    return transfer->next == transfer->count;
}

static void advance(struct cora__transfer *transfer, size_t moved)
{
    while (moved > 0) {
        struct iovec *part = &transfer->part[transfer->next];
        size_t step = moved < part->iov_len ? moved : part->iov_len;

        part->iov_base = (char *)part->iov_base + step;
        part->iov_len -= step;
        moved -= step;
        if (part->iov_len == 0)
            transfer->next++;
    }
}

/* What has become of a call that has moved so much, or -1. 1: go on. */
static int judge(struct cora__transfer *transfer, ssize_t moved)
{
    if (moved > 0)
        advance(transfer, (size_t)moved);
    else if (moved == 0)
        return -ECONNRESET;
    else if (errno == EAGAIN)
        return 0;
    else if (errno != EINTR)
        return errno == EPIPE ? -ECONNRESET : -errno;
    return 1;
}

static struct msghdr rest(struct cora__transfer *transfer)
{
    return (struct msghdr){.msg_iov = transfer->part + transfer->next,
                           .msg_iovlen = (size_t)(transfer->count - transfer->next)};
}

int cora__transfer_send(struct cora__transfer *transfer, int fd, int flags)
{
    int rc = 1;

    while (rc > 0 && !cora__transfer_is_done(transfer)) {
        struct msghdr message = rest(transfer);

        rc = judge(transfer, sendmsg(fd, &message, flags | MSG_NOSIGNAL));
    }
    return rc;
}

int cora__transfer_receive(struct cora__transfer *transfer, int fd, int flags)
{
    int rc = 1;

    while (rc > 0 && !cora__transfer_is_done(transfer)) {
        struct msghdr message = rest(transfer);

        rc = judge(transfer, recvmsg(fd, &message, flags));
    }
    return rc;
}
