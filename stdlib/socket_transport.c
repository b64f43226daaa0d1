/*
 * socket_transport.c: the transport of a stream socket (asyncio's _SelectorSocketTransport).
 *
 * It reads once each time that its socket is readable, into memory that all transports of the loop
 * share, and writes at once what the socket takes. So a request and its reply cost two system
 * calls, and a connection on which nothing happens holds no buffer.
 */
#include "socket_transport.h"

#include "buffer.h"
#include "sock.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

struct socket_transport {
    cora_transport base;
    int fd;
    cora_fd_watch watch;
    struct cora__buffer unsent;
    bool eof;                        /* write_eof was called */
    bool sending_file;               /* the socket is lent to sendfile, and not watched */
    cora_waiter *drained;            /* of who waits until nothing is unsent; NULL: nobody */
    cora_address sockname, peername; /* of length 0: not known */
};

static struct socket_transport *of(const cora_transport *transport)
{
    return (struct socket_transport *)transport;
}

static bool is_again(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* ---- reading ------------------------------------------------------------------------------- */

static void on_end(struct socket_transport *self)
{
    const cora_protocol_methods *methods = self->base.protocol->methods;
    int rc = methods->eof_received != NULL ? methods->eof_received(self->base.protocol) : 0;

    if (rc < 0)
        cora__transport_protocol_failed(&self->base, rc, "eof_received");
    else if (rc > 0)
        cora_fd_watch_stop_reading(&self->watch);
    else
        cora_transport_close(&self->base);
}

/* What a protocol's method takes the bytes, and what it answers. */
static void deliver(struct socket_transport *self, const char *scratch, ssize_t got)
{
    cora_protocol *protocol = self->base.protocol;
    const cora_protocol_methods *methods = protocol->methods;
    int rc = 0;

    if (scratch != NULL && methods->data_received != NULL)
        rc = methods->data_received(protocol, scratch, (size_t)got);
    else if (scratch == NULL && methods->buffer_updated != NULL)
        rc = methods->buffer_updated(protocol, (size_t)got);
    if (rc < 0)
        cora__transport_protocol_failed(&self->base, rc,
                                        scratch != NULL ? "data_received" : "buffer_updated");
}

static void receive(struct socket_transport *self, char *scratch, void *buffer, size_t room)
{
    ssize_t got = recv(self->fd, buffer, room, MSG_DONTWAIT);

    if (got > 0)
        deliver(self, scratch, got);
    else if (got == 0)
        on_end(self);
    else if (!is_again(errno))
        cora__transport_force_close(&self->base, -errno);
}

static void on_readable(void *arg)
{
    struct socket_transport *self = arg;
    cora_protocol *protocol = self->base.protocol;
    char *scratch;
    void *buffer;
    ssize_t room;

    if (self->base.losing)
        return;
    if (protocol->methods->get_buffer == NULL) {
        scratch = cora__transport_scratch(&self->base);
        receive(self, scratch, scratch, CORA__SCRATCH_SIZE);
        return;
    }
    room = protocol->methods->get_buffer(protocol, -1, &buffer);
    if (room > 0)
        receive(self, NULL, buffer, (size_t)room);
    else
        cora__transport_protocol_failed(&self->base, room < 0 ? (int)room : -ENOBUFS, "get_buffer");
}

static void set_reading(cora_transport *transport, bool reading)
{
    if (reading)
        cora_fd_watch_start_reading(&of(transport)->watch);
    else
        cora_fd_watch_stop_reading(&of(transport)->watch);
}

/* ---- writing ------------------------------------------------------------------------------- */

static ssize_t send_now(int fd, const struct iovec *parts, size_t count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)parts,
                             .msg_iovlen = count < IOV_MAX ? count : IOV_MAX};

    if (count == 1)
        return send(fd, parts[0].iov_base, parts[0].iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static size_t total(const struct iovec *parts, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += parts[i].iov_len;
    return size;
}

/* Keeps what comes after the first `sent` bytes. */
static int keep(struct cora__buffer *buffer, const struct iovec *parts, size_t count, size_t sent)
{
    int rc = 0;

    for (size_t i = 0; i < count && rc == 0; i++) {
        size_t skip = sent < parts[i].iov_len ? sent : parts[i].iov_len;

        sent -= skip;
        rc = cora__buffer_append(buffer, (char *)parts[i].iov_base + skip, parts[i].iov_len - skip);
    }
    return rc;
}

static void tell_drained(struct socket_transport *self)
{
    if (self->drained != NULL)
        cora_waiter_wake(self->drained);
}

static void force_close(cora_transport *transport, int error)
{
    struct socket_transport *self = of(transport);

    tell_drained(self);
    cora__buffer_clear(&self->unsent);
    cora_fd_watch_close(&self->watch);
    cora__transport_lose(transport, error);
}

static int write_parts(cora_transport *transport, const struct iovec *parts, size_t count)
{
    struct socket_transport *self = of(transport);
    size_t size = total(parts, count);
    ssize_t sent = 0;
    int rc;

    if (self->eof)
        return -EPIPE;
    if (self->sending_file)
        return -EBUSY;
    if (size == 0)
        return 0;
    if (transport->losing) {
        cora__transport_wrote_in_vain(transport, "socket.send() raised exception.");
        return 0;
    }
    if (cora__buffer_size(&self->unsent) == 0) {
        sent = send_now(self->fd, parts, count);
        if (sent < 0 && !is_again(errno)) {
            force_close(transport, -errno);
            return 0;
        }
        sent = sent < 0 ? 0 : sent;
        if ((size_t)sent == size)
            return 0;
        cora_fd_watch_start_writing(&self->watch);
    }
    rc = keep(&self->unsent, parts, count, (size_t)sent);
    if (rc < 0)
        force_close(transport, rc);
    else
        cora__transport_maybe_pause(transport, cora__buffer_size(&self->unsent));
    return rc;
}

/* All is sent. */
static void on_drained(struct socket_transport *self)
{
    cora_fd_watch_stop_writing(&self->watch);
    tell_drained(self);
    if (self->base.closing)
        cora__transport_lose_now(&self->base, 0);
    else if (self->eof)
        shutdown(self->fd, SHUT_WR);
}

static void on_writable(void *arg)
{
    struct socket_transport *self = arg;
    ssize_t sent;

    if (self->base.losing)
        return;
    sent = send(self->fd, cora__buffer_data(&self->unsent), cora__buffer_size(&self->unsent),
                MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
        if (!is_again(errno))
            force_close(&self->base, -errno);
        return;
    }
    cora__buffer_consume(&self->unsent, (size_t)sent);
    cora__transport_maybe_resume(&self->base, cora__buffer_size(&self->unsent));
    if (cora__buffer_size(&self->unsent) == 0 && !self->base.losing)
        on_drained(self);
}

static int write_eof(cora_transport *transport)
{
    struct socket_transport *self = of(transport);

    if (transport->closing || self->eof)
        return 0;
    self->eof = true;
    if (cora__buffer_size(&self->unsent) == 0 && !self->sending_file)
        shutdown(self->fd, SHUT_WR);
    return 0;
}

static size_t write_buffer_size(const cora_transport *transport)
{
    return cora__buffer_size(&of(transport)->unsent);
}

static int open_watch(struct socket_transport *self)
{
    return cora_fd_watch_open(&self->watch, self->base.loop, self->fd, on_readable, on_writable,
                              self, self->base.context);
}

/* ---- files --------------------------------------------------------------------------------- */

static int drain(struct socket_transport *self)
{
    cora_waiter waiter;
    int rc;

    if (cora__buffer_size(&self->unsent) == 0)
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
    int fd = self->fd;
    int rc;

    cora_fd_watch_close(&self->watch);
    rc = cora__sock_sendfile(fd, file, offset, count, may_copy, ret_sent);
    if (self->base.losing)
        return rc < 0 && rc != -EBADF ? rc : -ENOTCONN;
    if (open_watch(self) < 0)
        force_close(&self->base, -EBADF); /* somebody has closed the descriptor */
    if (cora_transport_is_reading(&self->base))
        cora_fd_watch_start_reading(&self->watch);
    return rc;
}

static int send_file(cora_transport *transport, int file, off_t offset, size_t count, bool may_copy,
                     size_t *ret_sent)
{
    struct socket_transport *self = of(transport);
    int rc;

    if (self->eof)
        return -EPIPE;
    if (self->sending_file)
        return -EBUSY;
    self->sending_file = true;
    rc = drain(self);
    if (rc == 0)
        rc = transport->closing ? -ENOTCONN
                                : send_from(self, file, offset, count, may_copy, ret_sent);
    self->sending_file = false;
    if (self->eof && !transport->losing)
        shutdown(self->fd, SHUT_WR);
    return rc;
}

/* ---- the end, and what there is to know ---------------------------------------------------- */

static void close_gracefully(cora_transport *transport)
{
    struct socket_transport *self = of(transport);

    cora_fd_watch_stop_reading(&self->watch);
    if (cora__buffer_size(&self->unsent) == 0)
        cora__transport_lose(transport, 0);
}

static void release(cora_transport *transport)
{
    struct socket_transport *self = of(transport);

    cora_fd_watch_close(&self->watch);
    cora__buffer_clear(&self->unsent);
    cora_close_fd(self->fd);
    self->fd = -1;
}

static const void *get_extra_info(const cora_transport *transport, const char *name)
{
    const struct socket_transport *self = of(transport);

    if (strcmp(name, "socket") == 0)
        return &self->fd;
    if (strcmp(name, "sockname") == 0)
        return self->sockname.length > 0 ? &self->sockname : NULL;
    if (strcmp(name, "peername") == 0)
        return self->peername.length > 0 ? &self->peername : NULL;
    return NULL;
}

static const struct cora__transport_kind socket_kind = {
    .close = close_gracefully,
    .force_close = force_close,
    .set_reading = set_reading,
    .write = write_parts,
    .write_eof = write_eof,
    .sendfile = send_file,
    .write_buffer_size = write_buffer_size,
    .get_extra_info = get_extra_info,
    .release = release,
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
        setsockopt(self->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

static void ask_names(struct socket_transport *self)
{
    cora__getsockname(self->fd, &self->sockname);
    self->peername.length = sizeof self->peername.storage;
    if (getpeername(self->fd, (struct sockaddr *)&self->peername.storage, &self->peername.length) <
        0)
        self->peername.length = 0;
}

static int init(struct socket_transport *self, cora_loop *loop, int fd, cora_protocol *protocol)
{
    int rc = cora__transport_init(&self->base, &socket_kind, loop, protocol);

    if (rc < 0)
        return rc;
    self->fd = fd;
    rc = cora__fd_set_nonblocking(fd);
    if (rc == 0)
        rc = open_watch(self);
    if (rc < 0)
        cora__transport_uninit(&self->base);
    return rc;
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
    rc = init(self, loop, fd, protocol);
    if (rc < 0) {
        free(self);
        return rc;
    }
    ask_names(self);
    set_nodelay(self);
    cora__transport_start(&self->base, waiter);
    *ret = &self->base;
    return 0;
}
