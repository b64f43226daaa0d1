/*
 * datagram_transport.c: the transport of a datagram socket (asyncio's _SelectorDatagramTransport).
 *
 * Datagrams that wait to be sent lie one behind the other in one buffer: a head, the address, the
 * data.
 */
#include "datagram_transport.h"

#include "fd_transport.h"
#include "sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_SIZE = 8 }; /* of UDP: so much does a datagram count beside its data */

static const double RETRY_DELAY = 0.01; /* seconds, where nothing tells of room */

struct datagram_transport {
    struct cora__fd_transport io; /* unsent: datagrams */
    cora_address sockname;        /* of length 0: not known */
    cora_address peername;        /* of length 0: it is not connected */
    cora_address remote;          /* the only one to send to; of length 0: any */
    size_t waiting;               /* bytes, with headers */
    cora_timer_handle *retry;     /* when it is written to again; or NULL */
};

struct head {
    size_t size;      /* of the data */
    socklen_t length; /* of the address; 0: to where the socket is connected */
};

static struct datagram_transport *of(const cora_transport *transport)
{
    return (struct datagram_transport *)transport;
}

static bool is_connected(const struct datagram_transport *self)
{
    return self->peername.length > 0;
}

static bool is_same(const cora_address *a, const cora_address *b)
{
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)&a->storage;
    const struct sockaddr_in *b4 = (const struct sockaddr_in *)&b->storage;
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)&a->storage;
    const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)&b->storage;

    if (a->length != b->length || a->storage.ss_family != b->storage.ss_family)
        return false;
    switch (a->storage.ss_family) {
    case AF_INET:
        return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    case AF_INET6:
        return a6->sin6_port == b6->sin6_port && a6->sin6_scope_id == b6->sin6_scope_id &&
               memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof a6->sin6_addr) == 0;
    default:
        return memcmp(&a->storage, &b->storage, a->length) == 0;
    }
}

static void tell_error(struct datagram_transport *self, int error)
{
    cora_protocol *protocol = self->io.base.protocol;

    if (protocol->methods->error_received != NULL)
        protocol->methods->error_received(protocol, error);
}

/* ---- receiving ----------------------------------------------------------------------------- */

static void on_readable(void *arg)
{
    struct datagram_transport *self = arg;
    cora_protocol *protocol = self->io.base.protocol;
    char *scratch = cora__transport_scratch(&self->io.base);
    cora_address sender = {.length = sizeof sender.storage};
    ssize_t got;

    if (self->io.base.losing)
        return;
    got = recvfrom(self->io.fd, scratch, CORA__SCRATCH_SIZE, MSG_DONTWAIT,
                   (struct sockaddr *)&sender.storage, &sender.length);
    if (got < 0 && !cora__is_again(-errno))
        tell_error(self, -errno);
    else if (got >= 0 && protocol->methods->datagram_received != NULL)
        protocol->methods->datagram_received(protocol, scratch, (size_t)got, &sender);
}

/* ---- sending ------------------------------------------------------------------------------- */

/* 0 or a negative errno. */
static int send_now(const struct datagram_transport *self, const void *data, size_t size,
                    const void *address, socklen_t length)
{
    ssize_t sent = sendto(self->io.fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL,
                          length > 0 ? address : NULL, length);

    return sent < 0 ? -errno : 0;
}

static int keep(struct datagram_transport *self, const void *data, size_t size,
                const cora_address *address)
{
    struct head head = {.size = size, .length = address != NULL ? address->length : 0};
    char *place = cora__buffer_reserve(&self->io.unsent, sizeof head + head.length + size);

    if (place == NULL)
        return -ENOMEM;
    memcpy(place, &head, sizeof head);
    if (address != NULL)
        memcpy(place + sizeof head, &address->storage, head.length);
    if (size > 0)
        memcpy(place + sizeof head + head.length, data, size);
    cora__buffer_commit(&self->io.unsent, sizeof head + head.length + size);
    self->waiting += size + HEADER_SIZE;
    return 0;
}

/* Sends the first that was kept, and keeps it no longer unless it can be sent only later. */
static int send_first(struct datagram_transport *self)
{
    const char *place = cora__buffer_data(&self->io.unsent);
    struct head head;
    int rc;

    memcpy(&head, place, sizeof head);
    place += sizeof head;
    rc = send_now(self, place + head.length, head.size, place, head.length);
    if (!cora__is_again(rc)) {
        self->waiting -= head.size + HEADER_SIZE;
        cora__buffer_consume(&self->io.unsent, sizeof head + head.length + head.size);
    }
    return rc;
}

static void retry(void *arg)
{
    struct datagram_transport *self = arg;

    cora_handle_unref(self->retry);
    self->retry = NULL;
    cora_fd_watch_start_writing(&self->io.watch);
}

/*
 * It is the queue of another Unix socket that is full. One that is connected to it is not writable
 * then; others are, and would be tried again at once.
 */
static void wait_for_room(struct datagram_transport *self)
{
    if (is_connected(self) || self->sockname.storage.ss_family != AF_UNIX)
        return;
    if (cora_loop_call_later(self->io.base.loop, RETRY_DELAY, retry, self, &self->retry) == 0)
        cora_fd_watch_stop_writing(&self->io.watch);
}

static void on_writable(void *arg)
{
    struct datagram_transport *self = arg;
    cora_transport *transport = &self->io.base;
    int rc = 0;

    while (!transport->losing && cora__buffer_size(&self->io.unsent) > 0 && !cora__is_again(rc)) {
        rc = send_first(self);
        if (cora__is_again(rc))
            wait_for_room(self);
        else if (rc < 0)
            tell_error(self, rc);
    }
    if (!transport->losing)
        cora__transport_maybe_resume(transport, self->waiting);
    if (transport->losing || cora__buffer_size(&self->io.unsent) > 0)
        return;
    cora_fd_watch_stop_writing(&self->io.watch);
    if (transport->closing)
        cora__transport_lose_now(transport, 0);
}

static int send_or_keep(struct datagram_transport *self, const void *data, size_t size,
                        const cora_address *address)
{
    int rc;

    if (cora__buffer_size(&self->io.unsent) == 0) {
        rc = send_now(self, data, size, address != NULL ? &address->storage : NULL,
                      address != NULL ? address->length : 0);
        if (!cora__is_again(rc)) {
            if (rc < 0)
                tell_error(self, rc);
            return 0;
        }
        cora_fd_watch_start_writing(&self->io.watch);
    }
    rc = keep(self, data, size, address);
    if (rc == 0)
        cora__transport_maybe_pause(&self->io.base, self->waiting);
    return rc;
}

static int send_to(cora_transport *transport, const void *data, size_t size,
                   const cora_address *address)
{
    struct datagram_transport *self = of(transport);

    if (self->remote.length > 0) {
        if (address != NULL && !is_same(address, &self->remote))
            return -EINVAL;
        address = is_connected(self) ? NULL : &self->remote;
    } else if (address == NULL || address->length == 0 ||
               address->length > sizeof address->storage) {
        return -EINVAL;
    }
    if (transport->losing) {
        cora__transport_wrote_in_vain(transport, "socket.send() raised exception.");
        return 0;
    }
    return send_or_keep(self, data, size, address);
}

static size_t write_buffer_size(const cora_transport *transport)
{
    return of(transport)->waiting;
}

/* ---- the end, and what there is to know ---------------------------------------------------- */

static void force_close(cora_transport *transport, int error)
{
    of(transport)->waiting = 0;
    cora__fd_transport_force_close(transport, error);
}

static void release(cora_transport *transport)
{
    struct datagram_transport *self = of(transport);

    cora_handle_cancel(self->retry);
    cora_handle_unref(self->retry);
    self->retry = NULL;
    cora__fd_transport_release(transport);
}

static const void *get_extra_info(const cora_transport *transport, const char *name)
{
    const struct datagram_transport *self = of(transport);

    return cora__socket_info(name, &self->io.fd, &self->sockname, &self->peername);
}

static const struct cora__transport_kind datagram_kind = {
    .close = cora__fd_transport_close,
    .force_close = force_close,
    .set_reading = cora__fd_transport_set_reading,
    .sendto = send_to,
    .write_buffer_size = write_buffer_size,
    .get_extra_info = get_extra_info,
    .release = release,
};

/* At the end of a connection there would be empty datagrams without end. */
static int check_datagram(int fd)
{
    int type;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof type}) < 0)
        return -errno;
    return type == SOCK_STREAM || type == SOCK_SEQPACKET ? -EPROTOTYPE : 0;
}

int cora__datagram_transport_create(cora_loop *loop, int fd, const cora_address *remote,
                                    cora_protocol *protocol, cora_waiter *waiter,
                                    cora_transport **ret)
{
    struct datagram_transport *self;
    int rc = check_datagram(fd);

    if (rc < 0)
        return rc;
    self = calloc(1, sizeof *self);
    if (self == NULL)
        return -ENOMEM;
    rc = cora__fd_transport_init(&self->io, &datagram_kind, loop, fd, protocol, on_readable,
                                 on_writable);
    if (rc < 0) {
        free(self);
        return rc;
    }
    cora__getsockname(fd, &self->sockname);
    cora__getpeername(fd, &self->peername);
    self->remote = remote != NULL ? *remote : self->peername;
    cora__transport_start(&self->io.base, waiter);
    *ret = &self->io.base;
    return 0;
}
