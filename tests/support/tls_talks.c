#include "support/tls_talks.h"

#include "support/protocol.h"
#include "support/server.h"
#include "support/socket.h"
#include "support/test.h"

#include <arpa/inet.h>
#include <unistd.h>

cora_ssl_context *talking_client(bool unwrap)
{
    cora_ssl_context *context = tls_trusting_client();

    if (!unwrap)
        SSL_CTX_set_options(cora_ssl_context_get_ssl_ctx(context), SSL_OP_IGNORE_UNEXPECTED_EOF);
    return context;
}

static void leave(struct tls_peer *peer, bool unwrap)
{
    int rc = unwrap ? peer_shutdown(peer) : shutdown(peer->fd, SHUT_RDWR);

    assert_int_equal(rc, 0);
}

void keep_silent(struct tls_peer *peer, void *arg)
{
    char buffer[1000];
    ssize_t got;

    (void)arg;
    do
        got = cora_sock_recv(peer->fd, buffer, sizeof buffer);
    while (got > 0);
}

/* ---- a client that goes over to TLS ---------------------------------------------------------- */

struct server_side {
    cora_ssl_context *context;
    bool unwrap;
    int answers;
};

static void greet_and_answer(struct tls_peer *peer, void *arg)
{
    const struct server_side *side = arg;
    int rc;

    peer_expect(peer, '1', PAYLOAD);
    rc = peer_start_tls(peer, side->context, true);
    assert_int_equal(rc, 0);
    for (int i = 0; i < side->answers; i++) {
        peer_send(peer, "O2"[i], 1);
        peer_expect(peer, '1', PAYLOAD);
    }
    leave(peer, side->unwrap);
}

static void write_payload(cora_transport *transport)
{
    static char payload[PAYLOAD];
    int rc;

    memset(payload, '1', sizeof payload);
    rc = cora_transport_write(transport, payload, sizeof payload);
    assert_int_equal(rc, 0);
}

/* The transport of a plain connection to the server. */
static cora_transport *connect_plainly(const struct peer_server *server, struct recorder *recorder)
{
    cora_transport *transport;
    int rc = cora_create_connection(record, recorder, "127.0.0.1", server->port, NULL, &transport);

    assert_int_equal(rc, 0);
    write_payload(transport);
    return transport;
}

static cora_transport *go_over(cora_transport *transport, cora_protocol *protocol,
                               cora_ssl_context *context)
{
    cora_ssl_options options = {.context = context};
    cora_transport *new_transport;
    int rc = cora_start_tls(transport, protocol, &options, false, &new_transport);

    assert_int_equal(rc, 0);
    cora_transport_unref(transport);
    return new_transport;
}

int start_tls_client_regular(void *arg)
{
    bool unwrap = *(bool *)arg;
    struct server_side side = {tls_server(), unwrap, 1};
    cora_ssl_context *context = talking_client(unwrap);
    struct recorder recorder = {0};
    struct peer_server server;
    cora_transport *transport;

    start_peers(&server, greet_and_answer, &side, 1);
    transport = connect_plainly(&server, &recorder);
    transport = go_over(transport, &recorder.protocol, context);
    wait_received(&recorder, 1);
    assert_string_equal(recorder.text, "O");
    write_payload(transport);
    wait_ended(&recorder);
    cora_transport_close(transport);
    wait_lost(&recorder);
    assert_int_equal(recorder.error, 0);
    assert_int_equal(recorder.made, 1); /* only once */
    cora_transport_unref(transport);
    stop_peers(&server);
    cora_ssl_context_unref(side.context);
    cora_ssl_context_unref(context);
    return 0;
}

/* ---- the same with a buffer ------------------------------------------------------------------ */

struct one_byte {
    cora_protocol protocol;
    char byte;
    int updated;
    cora_waiter *waiter;
};

static ssize_t get_buffer(cora_protocol *protocol, ssize_t size_hint, void **ret_buffer)
{
    (void)size_hint;
    *ret_buffer = &((struct one_byte *)protocol)->byte;
    return 1;
}

static int buffer_updated(cora_protocol *protocol, size_t size)
{
    struct one_byte *self = (struct one_byte *)protocol;

    assert_int_equal(size, 1);
    self->updated++;
    if (self->waiter != NULL)
        cora_waiter_wake(self->waiter);
    return 0;
}

static const cora_protocol_methods one_byte_methods = {
    .get_buffer = get_buffer,
    .buffer_updated = buffer_updated,
};

static void wait_updated(struct one_byte *self)
{
    cora_waiter waiter;
    int rc;

    cora_waiter_init(&waiter, "a byte", self);
    self->waiter = &waiter;
    rc = cora_waiter_wait(&waiter);
    assert_int_equal(rc, 0);
    self->waiter = NULL;
}

int start_tls_client_buffered(void *arg)
{
    bool unwrap = *(bool *)arg;
    struct server_side side = {tls_server(), unwrap, 2};
    cora_ssl_context *context = talking_client(unwrap);
    struct recorder recorder = {0};
    struct one_byte first = {.protocol = {&one_byte_methods}};
    struct peer_server server;
    cora_transport *transport;

    start_peers(&server, greet_and_answer, &side, 1);
    transport = connect_plainly(&server, &recorder);
    cora_transport_set_protocol(transport, &first.protocol);
    transport = go_over(transport, &first.protocol, context);
    wait_updated(&first);
    assert_int_equal(first.byte, 'O');
    write_payload(transport);
    cora_transport_set_protocol(transport, &recorder.protocol);
    wait_received(&recorder, 1);
    assert_string_equal(recorder.text, "2");
    write_payload(transport);
    wait_ended(&recorder);
    cora_transport_close(transport);
    wait_lost(&recorder);
    assert_int_equal(first.updated, 1);
    assert_int_equal(recorder.made, 1); /* neither of them for TLS */
    cora_transport_unref(transport);
    stop_peers(&server);
    cora_ssl_context_unref(side.context);
    cora_ssl_context_unref(context);
    return 0;
}

/* ---- a client that gives up ------------------------------------------------------------------ */

static void read_and_keep_silent(struct tls_peer *peer, void *arg)
{
    peer_expect(peer, '1', PAYLOAD);
    keep_silent(peer, arg);
}

struct start_args {
    cora_transport *transport;
    cora_protocol *protocol;
    cora_ssl_context *context;
};

static int start(void *arg)
{
    struct start_args *a = arg;
    cora_ssl_options options = {.context = a->context};
    cora_transport *transport;

    return cora_start_tls(a->transport, a->protocol, &options, false, &transport);
}

int start_tls_slow_client_cancel(void *arg)
{
    cora_ssl_context *context = tls_trusting_client();
    struct recorder recorder = {0};
    struct peer_server server;
    cora_transport *transport;
    cora_task *task;
    int rc;

    (void)arg;
    start_peers(&server, read_and_keep_silent, NULL, 1);
    transport = connect_plainly(&server, &recorder);
    task = cora_create_task(start, .transport = transport, .protocol = &recorder.protocol,
                            .context = context);
    rc = cora_wait_for(task, 0.5);
    assert_int_equal(rc, -ETIMEDOUT);
    cora_task_unref(task);
    wait_lost(&recorder);
    cora_transport_unref(transport);
    stop_peers(&server);
    cora_ssl_context_unref(context);
    return 0;
}

/* ---- a server's connection that goes over to TLS --------------------------------------------- */

static void start_and_talk(struct tls_peer *peer, void *arg)
{
    const struct server_side *side = arg;
    char answer[8];
    int rc;

    peer_expect(peer, '1', PAYLOAD);
    rc = peer_start_tls(peer, side->context, false);
    assert_int_equal(rc, 0);
    peer_send(peer, '1', PAYLOAD);
    if (side->answers > 0) {
        assert_int_equal(peer_read_text(peer, answer, 6), 6);
        assert_string_equal(answer, "answer");
    }
    leave(peer, side->unwrap);
}

static void answer(cora_transport *transport)
{
    int rc = cora_transport_write(transport, "answer", 6);

    assert_int_equal(rc, 0);
}

int start_tls_server(void *arg)
{
    bool unwrap = *(bool *)arg;
    struct server_side side = {tls_trusting_client(), unwrap, !unwrap};
    struct lobby lobby = {0};
    cora_server *server = serve_lobby(&lobby, NULL);
    cora_address address = server_address(server);
    cora_task *client =
        run_peer(start_and_talk, &side, ntohs(((struct sockaddr_in *)&address.storage)->sin_port));
    cora_ssl_options options = {.context = tls_server(), .ssl_handshake_timeout = 50};
    struct recorder *guest = &lobby.guests[0];
    cora_transport *transport;
    int rc;

    if (!unwrap)
        SSL_CTX_set_options(cora_ssl_context_get_ssl_ctx(options.context),
                            SSL_OP_IGNORE_UNEXPECTED_EOF);
    wait_guests(&lobby, 1);
    guest->silent = true;
    write_payload(guest->transport);
    assert_int_equal(guest->received, 0);
    rc = cora_start_tls(guest->transport, &guest->protocol, &options, true, &transport);
    assert_int_equal(rc, 0);
    wait_received(guest, PAYLOAD);
    if (!unwrap)
        answer(transport);
    wait_lost(guest);
    assert_true(guest->ended);
    assert_int_equal(guest->error, 0);
    assert_int_equal(guest->received, PAYLOAD);
    cora_transport_close(transport);
    cora_transport_unref(transport);
    rc = cora_await_unref(client);
    assert_int_equal(rc, 0);
    cora_server_close(server);
    rc = cora_server_wait_closed(server);
    assert_int_equal(rc, 0);
    cora_server_unref(server);
    cora_ssl_context_unref(side.context);
    cora_ssl_context_unref(options.context);
    return 0;
}

/* ---- streams -------------------------------------------------------------------------------- */

int open_tls(const struct peer_server *server, cora_ssl_context *context,
             cora_stream_reader **ret_reader, cora_stream_writer **ret_writer)
{
    cora_ssl_options ssl = {.context = context, .server_hostname = "", .ssl_handshake_timeout = 10};
    cora_connection_options options = {.ssl = &ssl};

    if (server->path != NULL)
        return cora_open_unix_connection(server->path, &options, ret_reader, ret_writer);
    return cora_open_connection("127.0.0.1", server->port, &options, ret_reader, ret_writer);
}

void leave_tls(cora_stream_writer *writer)
{
    int rc;

    cora_stream_writer_close(writer);
    rc = cora_stream_writer_wait_closed(writer);
    assert_true(rc == 0 || rc == -CORA_ESSLEOF || rc == -ECONNRESET || rc == -EPIPE);
    cora_stream_writer_unref(writer);
}

static void corrupt(struct tls_peer *peer, void *arg)
{
    int rc = peer_start_tls(peer, arg, true);
    char byte;

    assert_int_equal(rc, 0);
    peer_send_text(peer, "A\n");
    assert_int_equal(peer_read(peer, &byte, 1), 1);
    put(peer->fd, "please corrupt the SSL connection");
    keep_silent(peer, NULL);
}

int start_tls_client_corrupted(void *arg)
{
    cora_ssl_context *context = tls_trusting_client(), *servers = tls_server();
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    struct peer_server server;
    char *line;
    int rc;

    (void)arg;
    start_peers(&server, corrupt, servers, 1);
    rc = open_tls(&server, context, &reader, &writer);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_stream_reader_readline(reader, &line), 2);
    assert_memory_equal(line, "A\n", 2);
    rc = cora_stream_writer_write(writer, "B", 1);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_stream_reader_readline(reader, &line), -CORA_ESSL);
    cora_stream_writer_close(writer);
    assert_int_equal(cora_stream_writer_wait_closed(writer), -CORA_ESSL);
    cora_stream_writer_unref(writer);
    stop_peers(&server);
    cora_ssl_context_unref(context);
    cora_ssl_context_unref(servers);
    return 0;
}

int open_with_slow_handshake(void *arg)
{
    cora_ssl_options ssl = {
        .context = tls_trusting_client(), .server_hostname = "", .ssl_handshake_timeout = 1};
    cora_connection_options options = {.ssl = &ssl};
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    struct peer_server server;
    int rc;

    (void)arg;
    start_peers(&server, keep_silent, NULL, 1);
    rc = cora_open_connection("127.0.0.1", server.port, &options, &reader, &writer);
    assert_int_equal(rc, -ECONNABORTED);
    stop_peers(&server);
    cora_ssl_context_unref(ssl.context);
    return 0;
}

static void try_to_start(struct tls_peer *peer, void *arg)
{
    int rc = peer_start_tls(peer, arg, true);

    assert_true(rc < 0);
}

int open_with_failed_certificate(void *arg)
{
    cora_ssl_context *servers = tls_server(), *context;
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    struct peer_server server;
    int rc = cora_ssl_create_default_context(&context, CORA_SSL_SERVER_AUTH, NULL);

    (void)arg;
    assert_int_equal(rc, 0);
    cora_ssl_context_set_check_hostname(context, false);
    start_peers(&server, try_to_start, servers, 1);
    rc = open_tls(&server, context, &reader, &writer);
    assert_int_equal(rc, -CORA_ECERTVERIFY);
    stop_peers(&server);
    cora_ssl_context_unref(context);
    cora_ssl_context_unref(servers);
    return 0;
}

struct connect_slowly_args {
    struct recorder *recorder;
    const char *port;
    cora_connection_options *options;
};

static int connect_slowly(void *arg)
{
    struct connect_slowly_args *a = arg;

    return cora_create_connection(record, a->recorder, "127.0.0.1", a->port, a->options, NULL);
}

int connect_with_handshake_timeout(void *arg)
{
    cora_ssl_options ssl = {
        .context = tls_trusting_client(), .server_hostname = "", .ssl_handshake_timeout = 10};
    cora_connection_options options = {.ssl = &ssl};
    struct recorder recorder = {0};
    struct peer_server server;
    cora_task *task;
    int rc;

    (void)arg;
    start_peers(&server, keep_silent, NULL, 1);
    task = cora_create_task(connect_slowly, .recorder = &recorder, .port = server.port,
                            .options = &options);
    rc = cora_wait_for(task, 0.5);
    assert_int_equal(rc, -ETIMEDOUT);
    cora_task_unref(task);
    stop_peers(&server); /* it sees that the connection is aborted */
    assert_int_equal(recorder.made, 0);
    cora_ssl_context_unref(ssl.context);
    return 0;
}
