/*
 * pipe_transport.c: the transports of pipes, one for each end. They take sockets and terminals too,
 * of which they use one direction only.
 */
#include "pipe_transport.h"

#include "fd_transport.h"
#include "sigpipe.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pipe_transport {
    struct cora__fd_transport io;
    bool is_terminal; /* or another character device: what can be read of it says nothing */
};

static struct pipe_transport *of(const cora_transport *transport)
{
    return (struct pipe_transport *)transport;
}

static const void *get_extra_info(const cora_transport *transport, const char *name)
{
    return strcmp(name, "pipe") == 0 ? &of(transport)->io.fd : NULL;
}

/* ---- the end to read from ------------------------------------------------------------------ */

static ssize_t read_some(int fd, void *buffer, size_t size)
{
    ssize_t got = read(fd, buffer, size);

    return got < 0 ? -errno : got;
}

/* Whatever the protocol says to it, nothing is left to do here. */
static void on_end(struct pipe_transport *self)
{
    self->io.base.closing = true;
    (void)!cora__fd_transport_end(&self->io);
    cora__transport_force_close(&self->io.base, 0);
}

static void on_readable(void *arg)
{
    struct pipe_transport *self = arg;
    ssize_t got = cora__fd_transport_read(&self->io, read_some);
    cora_exception_context context = {.message = "Fatal read error on pipe transport",
                                      .error = (int)got};

    if (got == 0) {
        on_end(self);
    } else if (got < 0 && got != -EAGAIN) {
        if (got != -EIO) /* which says that the other end of a terminal is closed */
            cora_loop_call_exception_handler(self->io.base.loop, &context);
        cora__transport_force_close(&self->io.base, (int)got);
    }
}

static const struct cora__transport_kind read_kind = {
    .close = cora__fd_transport_close,
    .force_close = cora__fd_transport_force_close,
    .set_reading = cora__fd_transport_set_reading,
    .get_extra_info = get_extra_info,
    .release = cora__fd_transport_release,
};

/* ---- the end to write to ------------------------------------------------------------------- */

static ssize_t write_some(int fd, const struct iovec *parts, size_t count)
{
    struct cora__sigpipe held;
    ssize_t sent;

    cora__sigpipe_hold(&held);
    sent = writev(fd, parts, count < IOV_MAX ? (int)count : IOV_MAX);
    if (sent < 0)
        sent = -errno;
    cora__sigpipe_release(&held, sent == -EPIPE);
    return sent;
}

static int write_parts(cora_transport *transport, const struct iovec *parts, size_t count)
{
    struct cora__fd_transport *io = &of(transport)->io;

    if (transport->closing)
        return cora__fd_transport_write_in_vain(
            io, parts, count, "pipe closed by peer or os.write(pipe, data) raised exception.");
    return cora__fd_transport_write(io, parts, count, write_some);
}

static void on_writable(void *arg)
{
    struct pipe_transport *self = arg;

    if (cora__fd_transport_flush(&self->io, write_some) && self->io.base.closing)
        cora__transport_lose_now(&self->io.base, 0);
}

/* This end becomes readable when the other is closed. */
static void on_closed_by_peer(void *arg)
{
    struct pipe_transport *self = arg;
    bool is_cut_off = cora_transport_get_write_buffer_size(&self->io.base) > 0;

    cora__transport_force_close(&self->io.base, is_cut_off ? -EPIPE : 0);
}

static void watch_for_close(cora_transport *transport)
{
    if (!of(transport)->is_terminal)
        cora_fd_watch_start_reading(&of(transport)->io.watch);
}

/* What waits to be written still goes, unless the other end is closed. */
static void close_gracefully(cora_transport *transport)
{
    if (cora_transport_get_write_buffer_size(transport) == 0)
        cora__transport_lose(transport, 0);
}

/* A pipe has no other half to stay open. */
static int write_eof(cora_transport *transport)
{
    cora_transport_close(transport);
    return 0;
}

static const struct cora__transport_kind write_kind = {
    .start = watch_for_close,
    .close = close_gracefully,
    .force_close = cora__fd_transport_force_close,
    .write = write_parts,
    .write_eof = write_eof,
    .write_buffer_size = cora__fd_transport_write_buffer_size,
    .get_extra_info = get_extra_info,
    .release = cora__fd_transport_release,
};

/* ---- both ---------------------------------------------------------------------------------- */

static int create(const struct cora__transport_kind *kind, cora_loop *loop, int fd,
                  cora_protocol *protocol, cora_waiter *waiter, cora_transport **ret)
{
    struct pipe_transport *self;
    struct stat status;
    int rc;

    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISFIFO(status.st_mode) && !S_ISSOCK(status.st_mode) && !S_ISCHR(status.st_mode))
        return -EINVAL;
    self = calloc(1, sizeof *self);
    if (self == NULL)
        return -ENOMEM;
    self->is_terminal = S_ISCHR(status.st_mode);
    rc = cora__fd_transport_init(&self->io, kind, loop, fd, protocol,
                                 kind == &read_kind ? on_readable : on_closed_by_peer, on_writable);
    if (rc < 0) {
        free(self);
        return rc;
    }
    cora__transport_start(&self->io.base, waiter);
    *ret = &self->io.base;
    return 0;
}

int cora__read_pipe_transport_create(cora_loop *loop, int fd, cora_protocol *protocol,
                                     cora_waiter *waiter, cora_transport **ret)
{
    return create(&read_kind, loop, fd, protocol, waiter, ret);
}

int cora__write_pipe_transport_create(cora_loop *loop, int fd, cora_protocol *protocol,
                                      cora_waiter *waiter, cora_transport **ret)
{
    return create(&write_kind, loop, fd, protocol, waiter, ret);
}
