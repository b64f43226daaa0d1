/*
 * ssl_protocol.c: TLS between two transports (asyncio's sslproto).
 *
 * To the transport below, a socket's usually, this is the protocol; to the application's protocol
 * it is the transport. OpenSSL sees neither of them: it reads from a pipe what the transport below
 * has received, and writes into it what that is to send (ssl_pipe.h). So each time that something
 * has come in, and only then, it is asked to go on.
 *
 * There are two references to it beside the users': its own, until connection_lost, and that of the
 * transport below, whose protocol it is.
 */
#ifdef CORA_OPENSSL

#include "ssl_protocol.h"

#include "buffer.h"
#include "server.h"
#include "socket_transport.h"
#include "ssl_context.h"
#include "ssl_error.h"
#include "ssl_pipe.h"

#include <cora/connection.h>
#include <cora/error.h>
#include <cora/task.h>

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RECORD = 16 << 10,         /* the most that one holds */
    PIECE = 64 << 10,          /* goes down before more is encrypted */
    HIGH_INCOMING = 256 << 10, /* encrypted bytes for a protocol that has paused reading */
    LOW_INCOMING = HIGH_INCOMING / 4,
    HIGH_OUTGOING = 512 << 10,
    HANDSHAKE_TIMEOUT = 60, /* seconds */
    SHUTDOWN_TIMEOUT = 30,
};

enum state {
    HANDSHAKE,
    OPEN,
    SHUTDOWN, /* nothing is delivered any more; the peer's close_notify is waited for, ... */
    FINISHED, /* ... or was there: the transport below is sending the rest */
    LOST,
};

struct ssl_transport {
    cora_transport base;    /* the application's */
    cora_protocol protocol; /* of the transport below */
    cora_transport *below;  /* a reference */
    cora_ssl_context *context;
    SSL *ssl;
    struct cora__ssl_pipe pipe;
    struct cora__buffer unencrypted; /* to be written once the peer has renegotiated */
    enum state state;
    bool reading;               /* the protocol wants to have data */
    bool below_reading_paused;  /* for it does not take them */
    bool below_writing_paused;  /* as that has told us */
    cora_trigger go_on;         /* with what has come in, in the next iteration; ... */
    bool going_on;              /* ... it has a reference, then */
    cora_timer_handle *timeout; /* of the handshake, or of the shutdown */
    double shutdown_timeout;
    cora_ssl_failure failure;
    cora_ssl_failure *told; /* that of who waits for the handshake; or NULL */
    char alpn_protocol[256];
};

static struct ssl_transport *of(const cora_transport *transport)
{
    return (struct ssl_transport *)transport;
}

static struct ssl_transport *of_protocol(cora_protocol *protocol)
{
    return (struct ssl_transport *)((char *)protocol - offsetof(struct ssl_transport, protocol));
}

/* ---- the end ------------------------------------------------------------------------------- */

static void stop_timeout(struct ssl_transport *self)
{
    cora_handle_cancel(self->timeout);
    cora_handle_unref(self->timeout);
    self->timeout = NULL;
}

static void end(struct ssl_transport *self)
{
    self->state = LOST;
    stop_timeout(self);
    cora__ssl_pipe_clear(&self->pipe);
    cora__buffer_clear(&self->unencrypted);
}

static void force_close(cora_transport *transport, int error)
{
    struct ssl_transport *self = of(transport);

    end(self);
    cora__transport_force_close(self->below, error);
    cora__transport_lose(transport, error);
}

static void report_failure(struct ssl_transport *self, int error)
{
    char message[sizeof self->failure.text + 64];
    cora_exception_context context = {.message = message, .error = error};

    snprintf(message, sizeof message, "SSL handshake failed: %s", self->failure.text);
    cora_loop_call_exception_handler(self->base.loop, &context);
}

/*
 * Tells who waits for the handshake, or, of a connection to a server, the loop's handler. Who is
 * told -ENOMEM has his socket still: so the error is another one.
 */
static int tell_of_failure(struct ssl_transport *self, int error)
{
    cora_waiter *waiter = self->base.waiter;

    if (self->failure.text[0] == '\0')
        snprintf(self->failure.text, sizeof self->failure.text, "%s", cora_strerror(error));
    if (error == -ENOMEM)
        error = -ECONNABORTED;
    if (waiter == NULL)
        report_failure(self, error);
    else if (self->told != NULL && cora_waiter_pending(waiter))
        *self->told = self->failure;
    return error;
}

/* Something is wrong, and nobody has asked for it. */
static void fail(struct ssl_transport *self, int error)
{
    if (self->state == HANDSHAKE)
        error = tell_of_failure(self, error);
    cora__transport_force_close(&self->base, error);
}

static void release(cora_transport *transport)
{
    struct ssl_transport *self = of(transport);

    SSL_free(self->ssl);
    self->ssl = NULL;
    cora_ssl_context_unref(self->context);
    self->context = NULL;
    cora_transport_unref(self->below);
    self->below = NULL;
}

/* ---- OpenSSL ------------------------------------------------------------------------------- */

enum { CLOSE_NOTIFY = 1 };

/* Why a call has not succeeded: -EAGAIN until more has come in; CLOSE_NOTIFY; or an error. */
static int outcome(struct ssl_transport *self, int result)
{
    switch (SSL_get_error(self->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return CLOSE_NOTIFY;
    default:
        if (self->pipe.no_memory) {
            ERR_clear_error();
            return -ENOMEM;
        }
        return cora__ssl_take_error(SSL_get_verify_result(self->ssl), &self->failure);
    }
}

/* Until the room is filled; *got: so many bytes. 0: there may be more; else as outcome. */
static int decrypt(struct ssl_transport *self, char *buffer, size_t room, size_t *got)
{
    size_t size;

    for (*got = 0; *got < room; *got += size) {
        ERR_clear_error();
        if (!SSL_read_ex(self->ssl, buffer + *got, room - *got, &size))
            return outcome(self, 0);
    }
    return 0;
}

/* *done: so many bytes. 0: all; else as outcome. */
static int encrypt(struct ssl_transport *self, const char *data, size_t size, size_t *done)
{
    size_t written;

    for (*done = 0; *done < size; *done += written) {
        ERR_clear_error();
        if (!SSL_write_ex(self->ssl, data + *done, size - *done, &written))
            return outcome(self, 0);
    }
    return 0;
}

/* ---- to the transport below ---------------------------------------------------------------- */

static void push(struct ssl_transport *self)
{
    struct cora__buffer *outgoing = &self->pipe.outgoing;
    size_t size = cora__buffer_size(outgoing);
    int rc;

    if (size == 0)
        return;
    rc = cora_transport_write(self->below, cora__buffer_data(outgoing), size);
    cora__buffer_consume(outgoing, size);
    if (rc == 0 && self->below->losing && self->state != HANDSHAKE)
        rc = self->below->error;
    if (rc < 0)
        fail(self, rc);
}

static size_t write_buffer_size(const cora_transport *transport)
{
    const struct ssl_transport *self = of(transport);

    return cora__buffer_size(&self->pipe.outgoing) + cora__buffer_size(&self->unencrypted);
}

static void flush(struct ssl_transport *self)
{
    size_t waiting;

    if (!self->below_writing_paused)
        push(self);
    waiting = write_buffer_size(&self->base);
    cora__transport_maybe_pause(&self->base, waiting);
    cora__transport_maybe_resume(&self->base, waiting);
}

static void pause_writing(cora_protocol *protocol)
{
    of_protocol(protocol)->below_writing_paused = true;
}

static void resume_writing(cora_protocol *protocol)
{
    struct ssl_transport *self = of_protocol(protocol);

    self->below_writing_paused = false;
    flush(self);
}

/* ---- writing ------------------------------------------------------------------------------- */

/* What has waited for the peer goes first. 0; -EAGAIN: it still waits; or an error. */
static int write_unencrypted(struct ssl_transport *self)
{
    struct cora__buffer *buffer = &self->unencrypted;
    size_t done;
    int rc;

    if (cora__buffer_size(buffer) == 0)
        return 0;
    rc = encrypt(self, cora__buffer_data(buffer), cora__buffer_size(buffer), &done);
    cora__buffer_consume(buffer, done);
    return rc;
}

static int write_piece(struct ssl_transport *self, const char *data, size_t size)
{
    size_t done = 0;
    int rc = cora__buffer_size(&self->unencrypted) > 0 ? -EAGAIN : encrypt(self, data, size, &done);

    if (rc == -EAGAIN)
        rc = cora__buffer_append(&self->unencrypted, data + done, size - done);
    else if (rc > 0) /* the peer's end, which is told to who reads */
        rc = -EPIPE;
    if (!self->below_writing_paused && cora__buffer_size(&self->pipe.outgoing) >= PIECE)
        push(self);
    return rc;
}

static int write_part(struct ssl_transport *self, const char *data, size_t size)
{
    int rc = 0;

    while (size > 0 && rc == 0 && self->state == OPEN) {
        size_t piece = size < PIECE ? size : PIECE;

        rc = write_piece(self, data, piece);
        data += piece;
        size -= piece;
    }
    return rc;
}

static int write_parts(cora_transport *transport, const struct iovec *parts, size_t count)
{
    struct ssl_transport *self = of(transport);
    int rc = 0;

    if (self->state != OPEN) {
        cora__transport_wrote_in_vain(transport, "SSL connection is closed");
        return 0;
    }
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = write_part(self, parts[i].iov_base, parts[i].iov_len);
    if (rc == 0)
        flush(self);
    else
        fail(self, rc);
    return rc == -ENOMEM ? rc : 0;
}

/* ---- shutdown ------------------------------------------------------------------------------ */

/* The peer's data are of no use any more. As decrypt, but never 0. */
static int drop_incoming(struct ssl_transport *self)
{
    char buffer[1024];
    size_t got;
    int rc;

    do
        rc = decrypt(self, buffer, sizeof buffer, &got);
    while (rc == 0);
    return rc;
}

static void finish(struct ssl_transport *self)
{
    push(self);
    if (self->state == LOST)
        return;
    self->state = FINISHED;
    cora_transport_close(self->below);
}

static int send_close_notify(struct ssl_transport *self)
{
    int result;

    if ((SSL_get_shutdown(self->ssl) & SSL_SENT_SHUTDOWN) != 0)
        return 0;
    ERR_clear_error();
    result = SSL_shutdown(self->ssl);
    return result < 0 ? outcome(self, result) : 0;
}

static void go_on_shutting_down(struct ssl_transport *self)
{
    int rc = write_unencrypted(self);

    if (rc == 0)
        rc = send_close_notify(self);
    if (rc == 0) {
        flush(self);
        rc = self->pipe.ended ? CLOSE_NOTIFY : drop_incoming(self);
    }
    if (self->state != SHUTDOWN || rc == -EAGAIN)
        return;
    if (rc == CLOSE_NOTIFY)
        finish(self);
    else
        fail(self, rc);
}

static void on_timeout(void *arg);

static int start_timeout(struct ssl_transport *self, double seconds)
{
    stop_timeout(self);
    return cora_loop_call_later(self->base.loop, seconds, on_timeout, self, &self->timeout);
}

static void close_gracefully(cora_transport *transport)
{
    struct ssl_transport *self = of(transport);
    int rc;

    if (self->state == HANDSHAKE) {
        force_close(transport, 0);
        return;
    }
    self->state = SHUTDOWN;
    rc = start_timeout(self, self->shutdown_timeout);
    if (rc == 0)
        go_on_shutting_down(self);
    else
        fail(self, rc);
}

/* ---- reading ------------------------------------------------------------------------------- */

static void on_end(struct ssl_transport *self)
{
    const cora_protocol_methods *methods = self->base.protocol->methods;
    int rc = methods->eof_received != NULL ? methods->eof_received(self->base.protocol) : 0;

    if (rc < 0)
        cora__transport_protocol_failed(&self->base, rc, "eof_received");
    else
        cora_transport_close(&self->base);
}

static int deliver_copy(struct ssl_transport *self)
{
    cora_protocol *protocol = self->base.protocol;
    char buffer[RECORD];
    size_t got;
    int rc = decrypt(self, buffer, sizeof buffer, &got), answer = 0;

    if (got > 0 && protocol->methods->data_received != NULL)
        answer = protocol->methods->data_received(protocol, buffer, got);
    if (answer < 0)
        cora__transport_protocol_failed(&self->base, answer, "data_received");
    return rc;
}

static int deliver_in_buffer(struct ssl_transport *self)
{
    cora_protocol *protocol = self->base.protocol;
    size_t got;
    void *buffer;
    ssize_t room = protocol->methods->get_buffer(protocol, -1, &buffer);
    int rc, answer = 0;

    if (room <= 0) {
        cora__transport_protocol_failed(&self->base, room < 0 ? (int)room : -ENOBUFS, "get_buffer");
        return 0;
    }
    rc = decrypt(self, buffer, (size_t)room, &got);
    if (got > 0 && protocol->methods->buffer_updated != NULL)
        answer = protocol->methods->buffer_updated(protocol, got);
    if (answer < 0)
        cora__transport_protocol_failed(&self->base, answer, "buffer_updated");
    return rc;
}

/*
 * Whether the protocol is to have what has come in. A buffer is asked for where there may be
 * something to put into it.
 */
static bool may_deliver(const struct ssl_transport *self)
{
    return self->state == OPEN && self->reading &&
           (cora__ssl_pipe_pending(&self->pipe) > 0 || self->pipe.ended ||
            SSL_has_pending(self->ssl) ||
            (SSL_get_shutdown(self->ssl) & SSL_RECEIVED_SHUTDOWN) != 0);
}

static void read_records(struct ssl_transport *self)
{
    int rc = 0;

    while (rc == 0 && may_deliver(self))
        rc = self->base.protocol->methods->get_buffer != NULL ? deliver_in_buffer(self)
                                                              : deliver_copy(self);
    if (self->state != OPEN)
        return;
    if (rc == CLOSE_NOTIFY && self->reading)
        on_end(self);
    else if (rc < 0 && rc != -EAGAIN)
        fail(self, rc);
}

static void go_on_talking(struct ssl_transport *self)
{
    int rc;

    read_records(self);
    if (self->state != OPEN)
        return;
    rc = write_unencrypted(self);
    if (rc < 0 && rc != -EAGAIN)
        fail(self, rc);
    else
        flush(self);
}

/* ---- the handshake ------------------------------------------------------------------------- */

static void note_protocol(struct ssl_transport *self)
{
    const unsigned char *name;
    unsigned length;

    SSL_get0_alpn_selected(self->ssl, &name, &length);
    if (length > 0)
        memcpy(self->alpn_protocol, name, length);
}

static void on_handshake_complete(struct ssl_transport *self)
{
    stop_timeout(self);
    note_protocol(self);
    self->state = OPEN;
    cora__transport_made(&self->base);
}

static void go_on_shaking_hands(struct ssl_transport *self)
{
    int result, rc = 0;

    ERR_clear_error();
    result = SSL_do_handshake(self->ssl);
    if (result != 1)
        rc = outcome(self, result);
    flush(self); /* also of an alert, which tells the peer why */
    if (self->state != HANDSHAKE || rc == -EAGAIN)
        return;
    if (rc == 0)
        on_handshake_complete(self);
    else
        fail(self, rc == -CORA_ESSLEOF || rc == CLOSE_NOTIFY ? -ECONNRESET : rc);
}

static void on_timeout(void *arg)
{
    struct ssl_transport *self = arg;

    if (self->state == HANDSHAKE) {
        snprintf(self->failure.text, sizeof self->failure.text, "it has taken too long");
        fail(self, -ECONNABORTED);
    } else {
        fail(self, -ETIMEDOUT);
    }
}

/* ---- from the transport below -------------------------------------------------------------- */

/* While the protocol takes nothing, no more comes in than it may find waiting. */
static void control_reading(struct ssl_transport *self)
{
    size_t waiting = cora__buffer_size(&self->pipe.incoming);

    if (self->state == LOST || self->pipe.ended)
        return;
    if (!self->below_reading_paused && waiting >= HIGH_INCOMING) {
        self->below_reading_paused = true;
        cora_transport_pause_reading(self->below);
    } else if (self->below_reading_paused && waiting <= LOW_INCOMING) {
        self->below_reading_paused = false;
        cora_transport_resume_reading(self->below);
    }
}

static void go_on(struct ssl_transport *self)
{
    if (self->state == HANDSHAKE)
        go_on_shaking_hands(self);
    else if (self->state == OPEN)
        go_on_talking(self);
    else if (self->state == SHUTDOWN)
        go_on_shutting_down(self);
}

static int data_received(cora_protocol *protocol, const void *data, size_t size)
{
    struct ssl_transport *self = of_protocol(protocol);
    int rc;

    cora__ssl_pipe_lend(&self->pipe, data, size);
    go_on(self);
    rc = cora__ssl_pipe_keep(&self->pipe);
    if (rc < 0)
        fail(self, rc);
    control_reading(self);
    return 0;
}

/* It stays open: what has come in may not have been read yet. */
static int eof_received(cora_protocol *protocol)
{
    struct ssl_transport *self = of_protocol(protocol);

    self->pipe.ended = true;
    go_on(self);
    return 1;
}

static void connection_made(cora_protocol *protocol, cora_transport *transport)
{
    (void)transport;
    go_on(of_protocol(protocol));
}

static void connection_lost(cora_protocol *protocol, int error)
{
    struct ssl_transport *self = of_protocol(protocol);

    if (self->state == HANDSHAKE && error == 0)
        error = -ECONNABORTED;
    fail(self, error);
    cora_transport_unref(&self->base);
}

static const cora_protocol_methods methods = {
    .connection_made = connection_made,
    .data_received = data_received,
    .eof_received = eof_received,
    .connection_lost = connection_lost,
    .pause_writing = pause_writing,
    .resume_writing = resume_writing,
};

/* ---- from the application ------------------------------------------------------------------ */

static void drop_go_on(void *arg)
{
    struct ssl_transport *self = arg;

    self->going_on = false;
    cora_transport_unref(&self->base);
}

static void on_go_on(void *arg)
{
    struct ssl_transport *self = arg;

    go_on(self);
    control_reading(self);
    drop_go_on(self);
}

static void go_on_soon(struct ssl_transport *self)
{
    if (self->going_on || cora_trigger_fire(&self->go_on) < 0)
        return;
    self->going_on = true;
    cora_transport_ref(&self->base);
}

static void set_reading(cora_transport *transport, bool reading)
{
    struct ssl_transport *self = of(transport);

    self->reading = reading;
    if (reading)
        go_on_soon(self);
}

static const void *get_info_of_ssl(const struct ssl_transport *self, const char *name)
{
    if (strcmp(name, "ssl_object") == 0)
        return self->ssl;
    if (strcmp(name, "sslcontext") == 0)
        return self->context;
    if (strcmp(name, "peercert") == 0)
        return SSL_get0_peer_certificate(self->ssl);
    if (strcmp(name, "cipher") == 0)
        return SSL_get_cipher_name(self->ssl);
    if (strcmp(name, "compression") == 0)
        return SSL_COMP_get_name(SSL_get_current_compression(self->ssl));
    if (strcmp(name, "alpn_protocol") == 0)
        return self->alpn_protocol[0] != '\0' ? self->alpn_protocol : NULL;
    return NULL;
}

static const void *get_extra_info(const cora_transport *transport, const char *name)
{
    const struct ssl_transport *self = of(transport);
    const void *info = NULL;

    if (strcmp(name, "ssl_failure") == 0)
        return self->failure.text[0] != '\0' ? &self->failure : NULL;
    if (self->ssl != NULL && self->state != HANDSHAKE)
        info = get_info_of_ssl(self, name);
    if (info == NULL && self->below != NULL)
        info = cora_transport_get_extra_info(self->below, name);
    return info;
}

static const struct cora__transport_kind ssl_kind = {
    .default_high = HIGH_OUTGOING,
    .close = close_gracefully,
    .force_close = force_close,
    .set_reading = set_reading,
    .write = write_parts,
    .write_buffer_size = write_buffer_size,
    .get_extra_info = get_extra_info,
    .release = release,
};

/* ---- making one ---------------------------------------------------------------------------- */

static bool is_duration(double seconds)
{
    return seconds >= 0;
}

int cora__ssl_check(const cora_ssl_options *options, bool server_side)
{
    const char *hostname = options->server_hostname;

    if (server_side && options->context == NULL)
        return -EINVAL;
    if (!server_side && (hostname == NULL || hostname[0] == '\0') && options->context != NULL &&
        cora__ssl_context_checks_hostname(options->context))
        return -EINVAL;
    if (!is_duration(options->ssl_handshake_timeout) || !is_duration(options->ssl_shutdown_timeout))
        return -EINVAL;
    return 0;
}

/* The caller's own, or a client's default one, which checks the name if there is one. */
static int get_context(const cora_ssl_options *options, cora_ssl_context **ret)
{
    const char *hostname = options->server_hostname;
    int rc;

    if (options->context != NULL) {
        *ret = cora_ssl_context_ref(options->context);
        return 0;
    }
    rc = cora_ssl_create_default_context(ret, CORA_SSL_SERVER_AUTH, NULL);
    if (rc == 0 && (hostname == NULL || hostname[0] == '\0'))
        cora_ssl_context_set_check_hostname(*ret, false);
    return rc;
}

static int connect_ssl(struct ssl_transport *self, const cora_ssl_options *options,
                       bool server_side)
{
    double timeout = options->ssl_handshake_timeout;
    int rc = get_context(options, &self->context);

    if (rc == 0)
        rc = cora__ssl_context_connect(self->context, server_side, options->server_hostname,
                                       &self->ssl);
    if (rc == 0)
        rc = cora__ssl_pipe_connect(&self->pipe, self->ssl);
    if (rc == 0)
        rc = cora__buffer_append(&self->pipe.incoming, options->received, options->received_size);
    if (rc == 0)
        rc = start_timeout(self, timeout > 0 ? timeout : HANDSHAKE_TIMEOUT);
    return rc;
}

/* What create has made and nobody has heard of. */
static void discard(struct ssl_transport *self)
{
    end(self);
    release(&self->base);
    cora__transport_uninit(&self->base);
    free(self);
}

static int create(cora_loop *loop, cora_protocol *protocol, const cora_ssl_options *options,
                  bool server_side, struct ssl_transport **ret)
{
    struct ssl_transport *self;
    int rc = cora__ssl_check(options, server_side);

    if (rc < 0)
        return rc;
    self = calloc(1, sizeof *self);
    if (self == NULL)
        return -ENOMEM;
    rc = cora__transport_init(&self->base, &ssl_kind, loop, protocol);
    if (rc < 0) {
        free(self);
        return rc;
    }
    self->protocol.methods = &methods;
    self->told = options->failure;
    self->shutdown_timeout =
        options->ssl_shutdown_timeout > 0 ? options->ssl_shutdown_timeout : SHUTDOWN_TIMEOUT;
    cora_trigger_init(&self->go_on, loop, on_go_on, drop_go_on, self);
    rc = connect_ssl(self, options, server_side);
    if (rc == 0)
        *ret = self;
    else
        discard(self);
    return rc;
}

/* From here on it has a transport below, whose protocol it is. */
static void begin(struct ssl_transport *self, cora_transport *below, cora_waiter *waiter)
{
    cora__transport_begin(&self->base, waiter);
    cora__transport_share_context(&self->base, below);
    cora_trigger_set_context(&self->go_on, self->base.context);
    self->below = cora_transport_ref(below);
    cora_transport_ref(&self->base);
}

int cora__ssl_transport_create(cora_loop *loop, int fd, cora_protocol *protocol,
                               const cora_ssl_options *options, bool server_side,
                               cora_waiter *waiter, cora_transport **ret)
{
    struct ssl_transport *self = NULL;
    cora_transport *below;
    int rc = create(loop, protocol, options, server_side, &self);

    if (self == NULL)
        return rc;
    rc = cora__socket_transport_create(loop, fd, &self->protocol, NULL, &below);
    if (rc < 0) {
        discard(self);
        return rc;
    }
    begin(self, below, waiter);
    *ret = &self->base;
    return 0;
}

/* ---- start_tls ----------------------------------------------------------------------------- */

static int check_below(const cora_transport *transport)
{
    if (cora_current_task() == NULL)
        return -CORA_ENOTASK;
    if (transport->loop != cora_get_running_loop())
        return -CORA_EWRONGLOOP;
    if (transport->kind->write == NULL || transport->kind->set_reading == NULL)
        return -EOPNOTSUPP;
    return cora_transport_is_closing(transport) ? -ENOTCONN : 0;
}

/* Its protocol may have paused reading, or may wait until it can write; and it may be a server's.
 */
static void take_over(struct ssl_transport *self, cora_transport *below)
{
    self->base.announced = true;
    self->below_writing_paused = self->base.writing_paused = below->writing_paused;
    cora_transport_set_protocol(below, &self->protocol);
    if (below->server != NULL) {
        cora__server_attach(below->server, &self->base);
        cora__server_detach(below);
    }
    cora_transport_resume_reading(below);
    go_on_soon(self);
}

int cora_start_tls(cora_transport *transport, cora_protocol *protocol,
                   const cora_ssl_options *options, bool server_side, cora_transport **ret)
{
    struct ssl_transport *self = NULL;
    cora_waiter waiter;
    int rc = check_below(transport);

    if (rc == 0)
        rc = create(transport->loop, protocol, options, server_side, &self);
    if (self == NULL)
        return rc;
    cora_waiter_init(&waiter, "a TLS handshake", NULL);
    begin(self, transport, &waiter);
    take_over(self, transport);
    rc = cora__transport_wait_made(&self->base, &waiter, ret);
    if (rc == 0 && cora_transport_is_reading(&self->base))
        set_reading(&self->base, true);
    return rc;
}

#endif
