/*
 * fd_transport.h: what transports of a descriptor that carries bytes share, be it a socket's, a
 * pipe's or a terminal's. They read once each time that it is readable, into memory that all
 * transports of the loop share, and write at once what it takes. So a request and its reply cost
 * two system calls, and a connection on which nothing happens holds no buffer.
 *
 * What differs, the system calls and what follows from an end, is the kind's.
 */
#ifndef CORA_STDLIB_FD_TRANSPORT_H
#define CORA_STDLIB_FD_TRANSPORT_H

#include "buffer.h"
#include "transport.h"

#include <errno.h>

struct cora__fd_transport {
    cora_transport base;
    int fd;
    cora_fd_watch watch;
    struct cora__buffer unsent;
};

/* Whether a call that returned this errno is to be made again later. */
static inline bool cora__is_again(ssize_t rc)
{
    return rc == -EAGAIN || rc == -EWOULDBLOCK || rc == -EINTR;
}

/* As read(2) and writev(2), but they never block, raise no SIGPIPE and return the negative errno.
 */
typedef ssize_t cora__fd_read(int fd, void *buffer, size_t size);
typedef ssize_t cora__fd_write(int fd, const struct iovec *parts, size_t count);

/*
 * Makes a transport of what is all 0: the descriptor, which becomes non-blocking, is watched for
 * nothing yet. 0; -EBADF, -EBUSY, -ENOMEM, -CORA_ECLOSED: it is as it was.
 */
int cora__fd_transport_init(struct cora__fd_transport *self,
                            const struct cora__transport_kind *kind, cora_loop *loop, int fd,
                            cora_protocol *protocol, cora_callback *on_readable,
                            cora_callback *on_writable);

/* Its watch alone, again after it was closed. 0; -EBADF, -EBUSY, -ENOMEM. */
int cora__fd_transport_watch(struct cora__fd_transport *self, cora_callback *on_readable,
                             cora_callback *on_writable);

/*
 * Reads what there is, once, and hands it to the protocol. A positive number where something was;
 * 0: the end; -EAGAIN: nothing, or the transport is losing; a negative errno of the read.
 */
ssize_t cora__fd_transport_read(struct cora__fd_transport *self, cora__fd_read *call);

/*
 * Reads no more, and tells the protocol of the end: what its eof_received answers; where that
 * failed it is lost.
 */
int cora__fd_transport_end(struct cora__fd_transport *self);

/* Writes, or keeps for later. As cora_transport_writelines; not for one that is lost. */
int cora__fd_transport_write(struct cora__fd_transport *self, const struct iovec *parts,
                             size_t count, cora__fd_write *call);

/* In place of that for one that is lost. 0; `what` is reported, see cora__transport_wrote_in_vain.
 */
int cora__fd_transport_write_in_vain(struct cora__fd_transport *self, const struct iovec *parts,
                                     size_t count, const char *what);

/* It is writable: writes what was kept. Whether all is written now, and it is not losing. */
bool cora__fd_transport_flush(struct cora__fd_transport *self, cora__fd_write *call);

/* Of the kind's functions, those that need nothing else. */
void cora__fd_transport_close(cora_transport *transport);
void cora__fd_transport_force_close(cora_transport *transport, int error);
void cora__fd_transport_set_reading(cora_transport *transport, bool reading);
size_t cora__fd_transport_write_buffer_size(const cora_transport *transport);
void cora__fd_transport_release(cora_transport *transport);

#endif
