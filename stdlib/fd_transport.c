#include "fd_transport.h"

#include "sock.h"

static struct cora__fd_transport *of(const cora_transport *transport)
{
    return (struct cora__fd_transport *)transport;
}

int cora__fd_transport_watch(struct cora__fd_transport *self, cora_callback *on_readable,
                             cora_callback *on_writable)
{
    return cora_fd_watch_open(&self->watch, self->base.loop, self->fd, on_readable, on_writable,
                              self, self->base.context);
}

int cora__fd_transport_init(struct cora__fd_transport *self,
                            const struct cora__transport_kind *kind, cora_loop *loop, int fd,
                            cora_protocol *protocol, cora_callback *on_readable,
                            cora_callback *on_writable)
{
    int rc = cora__transport_init(&self->base, kind, loop, protocol);

    if (rc < 0)
        return rc;
    self->fd = fd;
    rc = cora__fd_set_nonblocking(fd);
    if (rc == 0)
        rc = cora__fd_transport_watch(self, on_readable, on_writable);
    if (rc < 0)
        cora__transport_uninit(&self->base);
    return rc;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* What a protocol's method takes the bytes, and what it answers. */
static void deliver(struct cora__fd_transport *self, const char *scratch, ssize_t got)
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

static ssize_t receive(struct cora__fd_transport *self, char *scratch, void *buffer, size_t room,
                       cora__fd_read *call)
{
    ssize_t got = call(self->fd, buffer, room);

    if (got > 0)
        deliver(self, scratch, got);
    return cora__is_again(got) ? -EAGAIN : got;
}

ssize_t cora__fd_transport_read(struct cora__fd_transport *self, cora__fd_read *call)
{
    cora_protocol *protocol = self->base.protocol;
    char *scratch;
    void *buffer;
    ssize_t room;

    if (self->base.losing)
        return -EAGAIN;
    if (protocol->methods->get_buffer == NULL) {
        scratch = cora__transport_scratch(&self->base);
        return receive(self, scratch, scratch, CORA__SCRATCH_SIZE, call);
    }
    room = protocol->methods->get_buffer(protocol, -1, &buffer);
    if (room > 0)
        return receive(self, NULL, buffer, (size_t)room, call);
    cora__transport_protocol_failed(&self->base, room < 0 ? (int)room : -ENOBUFS, "get_buffer");
    return -EAGAIN;
}

int cora__fd_transport_end(struct cora__fd_transport *self)
{
    cora_protocol *protocol = self->base.protocol;
    int rc = 0;

    self->base.ended = true;
    cora__fd_transport_set_reading(&self->base, false);
    if (protocol->methods->eof_received != NULL)
        rc = protocol->methods->eof_received(protocol);
    if (rc < 0)
        cora__transport_protocol_failed(&self->base, rc, "eof_received");
    return rc;
}

void cora__fd_transport_set_reading(cora_transport *transport, bool reading)
{
    if (reading && !transport->ended)
        cora_fd_watch_start_reading(&of(transport)->watch);
    else
        cora_fd_watch_stop_reading(&of(transport)->watch);
}

/* ---- writing ------------------------------------------------------------------------------- */

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

int cora__fd_transport_write(struct cora__fd_transport *self, const struct iovec *parts,
                             size_t count, cora__fd_write *call)
{
    size_t size = total(parts, count);
    ssize_t sent = 0;
    int rc;

    if (size == 0)
        return 0;
    if (cora__buffer_size(&self->unsent) == 0) {
        sent = call(self->fd, parts, count);
        if (sent < 0 && !cora__is_again(sent)) {
            cora__transport_force_close(&self->base, (int)sent);
            return 0;
        }
        sent = sent < 0 ? 0 : sent;
        if ((size_t)sent == size)
            return 0;
        cora_fd_watch_start_writing(&self->watch);
    }
    rc = keep(&self->unsent, parts, count, (size_t)sent);
    if (rc < 0)
        cora__transport_force_close(&self->base, rc);
    else
        cora__transport_maybe_pause(&self->base, cora__buffer_size(&self->unsent));
    return rc;
}

int cora__fd_transport_write_in_vain(struct cora__fd_transport *self, const struct iovec *parts,
                                     size_t count, const char *what)
{
    if (total(parts, count) > 0)
        cora__transport_wrote_in_vain(&self->base, what);
    return 0;
}

bool cora__fd_transport_flush(struct cora__fd_transport *self, cora__fd_write *call)
{
    struct iovec part = {.iov_base = cora__buffer_data(&self->unsent),
                         .iov_len = cora__buffer_size(&self->unsent)};
    ssize_t sent;

    if (self->base.losing)
        return false;
    sent = call(self->fd, &part, 1);
    if (sent < 0) {
        if (!cora__is_again(sent))
            cora__transport_force_close(&self->base, (int)sent);
        return false;
    }
    cora__buffer_consume(&self->unsent, (size_t)sent);
    cora__transport_maybe_resume(&self->base, cora__buffer_size(&self->unsent));
    if (cora__buffer_size(&self->unsent) > 0 || self->base.losing)
        return false;
    cora_fd_watch_stop_writing(&self->watch);
    return true;
}

size_t cora__fd_transport_write_buffer_size(const cora_transport *transport)
{
    return cora__buffer_size(&of(transport)->unsent);
}

/* ---- the end ------------------------------------------------------------------------------- */

void cora__fd_transport_close(cora_transport *transport)
{
    struct cora__fd_transport *self = of(transport);

    cora_fd_watch_stop_reading(&self->watch);
    if (cora__buffer_size(&self->unsent) == 0)
        cora__transport_lose(transport, 0);
}

void cora__fd_transport_force_close(cora_transport *transport, int error)
{
    struct cora__fd_transport *self = of(transport);

    cora__buffer_clear(&self->unsent);
    cora_fd_watch_close(&self->watch);
    cora__transport_lose(transport, error);
}

void cora__fd_transport_release(cora_transport *transport)
{
    struct cora__fd_transport *self = of(transport);

    cora_fd_watch_close(&self->watch);
    cora__buffer_clear(&self->unsent);
    cora_close_fd(self->fd);
    self->fd = -1;
}
