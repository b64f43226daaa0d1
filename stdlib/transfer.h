/*
 * transfer.h: something that is to go through a socket as a whole, however much goes at a time.
 */
#ifndef CORA_STDLIB_TRANSFER_H
#define CORA_STDLIB_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { CORA__TRANSFER_PARTS = 3 };

/* What is yet to be sent or received. */
struct cora__transfer {
    struct iovec part[CORA__TRANSFER_PARTS];
    int next, count;
};

void cora__transfer_add(struct cora__transfer *transfer, const void *data, size_t size);
bool cora__transfer_is_done(const struct cora__transfer *transfer);

/*
 * Moves as much as can be, with MSG_DONTWAIT in `flags`, or all. 1: it is done; 0: not yet; a
 * negative errno: the peer is gone, -ECONNRESET, or the socket is of no use.
 */
int cora__transfer_send(struct cora__transfer *transfer, int fd, int flags);
int cora__transfer_receive(struct cora__transfer *transfer, int fd, int flags);

#endif
