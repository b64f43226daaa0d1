/*
 * socket_transport.c: the transport of a stream socket (asyncio's _SelectorSocketTransport).
 */
#include "socket_transport.h"

#include "fd_transport.h"
#include "sock.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>

struct socket_transport {
    struct cora__fd_transport io;
    bool eof;                        /* write_eof was called */
    cora_waiter *drained;            /* of who waits until nothing is unsent; NULL: nobody */
    cora_address sockname, peername; /* of length 0: not known */
};

static struct socket_transport *of(const cora_transport *transport)
{
    return (struct socket_transport *)transport;
}

/* ---- reading ------------------------------------------------------------------------------- */

static ssize_t receive(int fd, void *buffer, size_t size)
{
    ssize_t got = recv(fd, buffer, size, MSG_DONTWAIT);

    return got < 0 ? -errno : got;
}

static void on_end(struct socket_transport *self)
{
    if (cora__fd_transport_end(&self->io) == 0)
        cora_transport_close(&self->io.base);
}

static void on_readable(void *arg)
{
    struct socket_transport *self = arg;
    ssize_t got = cora__fd_transport_read(&self->io, receive);

    if (got == 0)
        on_end(self);
    else if (got < 0 && got != -EAGAIN)
        cora__transport_force_close(&self->io.base, (int)got);
}

/* ---- writing ------------------------------------------------------------------------------- */

static ssize_t send_parts(int fd, const struct iovec *parts, size_t count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)parts,
                             .msg_iovlen = count < IOV_MAX ? count : IOV_MAX};
    ssize_t sent;

    if (count == 1)
        sent = send(fd, parts[0].iov_base, parts[0].iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);
    else
        sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

static int write_parts(cora_transport *transport, const struct iovec *parts, size_t count)
{
    struct socket_transport *self = of(transport);

    if (self->eof)
        return -EPIPE;
    if (transport->losing)
        return cora__fd_transport_write_in_vain(&self->io, parts, count,
                                                "socket.send() raised exception.");
    return cora__fd_transport_write(&self->io, parts, count, send_parts);
}

static void tell_drained(struct socket_transport *self)
{
    if (self->drained != NULL)
        cora_waiter_wake(self->drained);
}

static void on_writable(void *arg)
{
    struct socket_transport *self = arg;

    if (!cora__fd_transport_flush(&self->io, send_parts))
        return;
    tell_drained(self);
    if (self->io.base.closing)
        cora__transport_lose_now(&self->io.base, 0);
    else if (self->eof)
        shutdown(self->io.fd, SHUT_WR);
}

static int write_eof(cora_transport *transport)
{
    struct socket_transport *self = of(transport);

    if (transport->closing || self->eof)
        return 0;
    self->eof = true;
    if (cora_transport_get_write_buffer_size(transport) == 0 && !transport->sending_file)
        shutdown(self->io.fd, SHUT_WR);
    return 0;
}

/* ---- files --------------------------------------------------------------------------------- */

static int drain(struct socket_transport *self)
{
    cora_waiter waiter;
    int rc;

    if (cora_transport_get_write_buffer_size(&self->io.base) == 0)
        return 0;
    cora_waiter_init(&waiter, "a transport to send what it has", self);
    self->drained = &waiter;
    rc = cora_waiter_wait(&waiter);
    self->drained = NULL;
    return rc;
}

/* Lends the socket to a call that waits for it by itself, where that takes long. */
static int send_from(struct socket_transport *self, int file, off_t offset, size_t count,
                     bool may_copy, size_t *ret_sent)
{
    cora_transport *transport = &self->io.base;
    int fd = self->io.fd;
    int rc;

    cora_fd_watch_close(&self->io.watch);
    rc = cora__sock_sendfile(fd, file, offset, count, may_copy, ret_sent);
    if (transport->losing)
        return rc < 0 && rc != -EBADF ? rc : -ENOTCONN;
    if (cora__fd_transport_watch(&self->io, on_readable, on_writable) < 0)
        cora__transport_force_close(transport, -EBADF); /* somebody has closed the descriptor */
    return rc;
}

static int send_file(cora_transport *transport, int file, off_t offset, size_t count, bool may_copy,
                     size_t *ret_sent)
{
    struct socket_transport *self = of(transport);
    int rc;

    if (self->eof)
        return -EPIPE;
    rc = drain(self);
    if (rc == 0)
        rc = transport->closing ? -ENOTCONN
                                : send_from(self, file, offset, count, may_copy, ret_sent);
    if (self->eof && !transport->losing)
        shutdown(self->io.fd, SHUT_WR);
    return rc;
}

/* ---- the end, and what there is to know ---------------------------------------------------- */

static void force_close(cora_transport *transport, int error)
{
    tell_drained(of(transport));
    cora__fd_transport_force_close(transport, error);
}

static const void *get_extra_info(const cora_transport *transport, const char *name)
{
    const struct socket_transport *self = of(transport);

    return cora__socket_info(name, &self->io.fd, &self->sockname, &self->peername);
}

static const struct cora__transport_kind socket_kind = {
    .close = cora__fd_transport_close,
    .force_close = force_close,
    .set_reading = cora__fd_transport_set_reading,
    .write = write_parts,
    .write_eof = write_eof,
    .sendfile = send_file,
    .write_buffer_size = cora__fd_transport_write_buffer_size,
    .get_extra_info = get_extra_info,
    .release = cora__fd_transport_release,
};

static int check_stream(int fd)
{
    int type;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof type}) < 0)
        return -errno;
    return type == SOCK_STREAM ? 0 : -EPROTOTYPE;
}

/* What is written is sent: the caller, not the kernel, knows whether more is to come. */
static void set_nodelay(const struct socket_transport *self)
{
    sa_family_t family = self->sockname.storage.ss_family;

    if (self->sockname.length > 0 && (family == AF_INET || family == AF_INET6))
        setsockopt(self->io.fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

int cora__socket_transport_create(cora_loop *loop, int fd, cora_protocol *protocol,
                                  cora_waiter *waiter, cora_transport **ret)
{
    struct socket_transport *self;
    int rc = check_stream(fd);

    if (rc < 0)
        return rc;
    self = calloc(1, sizeof *self);
    if (self == NULL)
        return -ENOMEM;
    rc = cora__fd_transport_init(&self->io, &socket_kind, loop, fd, protocol, on_readable,
                                 on_writable);
    if (rc < 0) {
        free(self);
        return rc;
    }
    cora__getsockname(fd, &self->sockname);
    cora__getpeername(fd, &self->peername);
    set_nodelay(self);
    cora__transport_start(&self->io.base, waiter);
    *ret = &self->io.base;
    return 0;
}
