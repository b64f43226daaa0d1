/*
 * sendfile.c: a file through a transport. Where its kind cannot hand the socket to the kernel, as
 * with TLS, the file is read in a thread, piece by piece, and written as any data is. Meanwhile
 * the transport's protocol is a stand-in that waits where the real one would be told to pause.
 */
#include <cora/thread.h>

#include "transport.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIECE = 64 << 10 };

/* ---- the protocol in between --------------------------------------------------------------- */

struct stand_in {
    cora_protocol protocol;
    cora_protocol *real;
    cora_transport *transport;
    cora_waiter *waiter; /* of the task that sends, while it waits to write; NULL: it does not */
    bool was_paused;     /* the real protocol was told to pause writing, and not to resume */
    bool lost;           /* the real protocol knows of it */
};

static void wake(struct stand_in *self)
{
    if (self->waiter != NULL)
        cora_waiter_wake(self->waiter);
}

static void resume_writing(cora_protocol *protocol)
{
    wake((struct stand_in *)protocol);
}

static void connection_lost(cora_protocol *protocol, int error)
{
    struct stand_in *self = (struct stand_in *)protocol;

    self->lost = true;
    cora__protocol_lost(self->real, error);
    wake(self);
}

/* The peer has ended: what the real protocol would say of it is asked. */
static int eof_received(cora_protocol *protocol)
{
    cora_protocol *real = ((struct stand_in *)protocol)->real;

    return real->methods->eof_received != NULL ? real->methods->eof_received(real) : 0;
}

static const cora_protocol_methods stand_in_methods = {
    .connection_lost = connection_lost,
    .resume_writing = resume_writing,
    .eof_received = eof_received,
};

static void step_in(struct stand_in *self, cora_transport *transport)
{
    *self = (struct stand_in){.protocol = {&stand_in_methods},
                              .real = cora_transport_get_protocol(transport),
                              .transport = transport,
                              .was_paused = transport->writing_paused};
    cora_transport_set_protocol(transport, &self->protocol);
}

/* The real protocol hears what has changed while it was away. */
static void step_out(struct stand_in *self)
{
    const cora_protocol_methods *methods = self->real->methods;
    bool is_paused = self->transport->writing_paused;

    if (self->lost)
        return;
    cora_transport_set_protocol(self->transport, self->real);
    if (self->was_paused && !is_paused && methods->resume_writing != NULL)
        methods->resume_writing(self->real);
    else if (!self->was_paused && is_paused && methods->pause_writing != NULL)
        methods->pause_writing(self->real);
}

static int drain(struct stand_in *self)
{
    cora_waiter waiter;
    int rc = 0;

    if (self->transport->writing_paused && !self->transport->losing) {
        cora_waiter_init(&waiter, "a transport to send what it has", self->transport);
        self->waiter = &waiter;
        rc = cora_waiter_wait(&waiter);
        self->waiter = NULL;
    }
    return rc == 0 && self->transport->closing ? -ENOTCONN : rc;
}

/* ---- the file ------------------------------------------------------------------------------ */

struct piece {
    int file;
    off_t offset;
    size_t size;
    char data[PIECE];
};

/* How many bytes were read, or a negative errno. */
static int read_piece(void *arg)
{
    struct piece *piece = arg;
    ssize_t got;

    do
        got = pread(piece->file, piece->data, piece->size, piece->offset);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : (int)got;
}

static int write_piece(cora_transport *transport, void *data, size_t size)
{
    const struct iovec part = {.iov_base = data, .iov_len = size};

    return transport->kind->write(transport, &part, 1);
}

static int send_pieces(struct stand_in *stand_in, struct piece *piece, size_t left)
{
    for (;;) {
        int rc = drain(stand_in);

        if (rc < 0 || left == 0)
            return rc;
        piece->size = left < PIECE ? left : PIECE;
        rc = cora_to_thread(read_piece, piece);
        if (rc <= 0)
            return rc;
        if (stand_in->transport->closing)
            return -ENOTCONN;
        left -= (size_t)rc;
        piece->offset += rc;
        rc = write_piece(stand_in->transport, piece->data, (size_t)rc);
        if (rc < 0)
            return rc;
    }
}

static int send_by_writing(cora_transport *transport, int file, off_t offset, size_t count,
                           size_t *ret_sent)
{
    struct piece *piece = malloc(sizeof *piece);
    struct stand_in stand_in;
    int rc;

    if (piece == NULL)
        return -ENOMEM;
    piece->file = file;
    piece->offset = offset;
    step_in(&stand_in, transport);
    rc = send_pieces(&stand_in, piece, count);
    step_out(&stand_in);
    *ret_sent = (size_t)(piece->offset - offset);
    free(piece);
    if (lseek(file, offset + (off_t)*ret_sent, SEEK_SET) < 0 && rc == 0)
        rc = -errno;
    return rc;
}

/* The transport is this call's alone meanwhile. */
static int send_alone(cora_transport *transport, int file, off_t offset, size_t count,
                      bool fallback, size_t *ret_sent)
{
    int rc;

    transport->sending_file = true;
    if (cora_transport_is_reading(transport))
        transport->kind->set_reading(transport, false);
    if (transport->kind->sendfile != NULL)
        rc = transport->kind->sendfile(transport, file, offset, count, fallback, ret_sent);
    else
        rc = send_by_writing(transport, file, offset, count, ret_sent);
    transport->sending_file = false;
    if (cora_transport_is_reading(transport))
        transport->kind->set_reading(transport, true);
    return rc;
}

static int check(const cora_transport *transport, off_t offset, bool fallback)
{
    if (transport->closing)
        return -ENOTCONN;
    if (transport->kind->write == NULL || (transport->kind->sendfile == NULL && !fallback))
        return -EOPNOTSUPP;
    if (offset < 0)
        return -EINVAL;
    return transport->sending_file ? -EBUSY : 0;
}

int cora_sendfile(cora_transport *transport, int file, off_t offset, size_t count, bool fallback,
                  size_t *ret_sent)
{
    size_t sent = 0;
    int rc = check(transport, offset, fallback);

    if (rc == 0) {
        cora_transport_ref(transport);
        rc = send_alone(transport, file, offset, count, fallback, &sent);
        cora_transport_unref(transport);
    }
    if (ret_sent != NULL)
        *ret_sent = sent;
    return rc;
}
