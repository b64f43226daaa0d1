/* CPython's test_sslproto.py. */
#include "support/protocol.h"
#include "support/server.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/tls_talks.h"
#include "support/virtual.h"

#include <sys/socket.h>
#include <unistd.h>

static void run(cora_task_fn *fn, void *arg)
{
    int before = count_descriptors();
    int rc = run_virtual(fn, arg);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
    assert_int_equal(count_descriptors(), before);
}

/* ---- SslProtoHandshakeTests: handshakes that fail -------------------------------------------- */

static int asks_for_a_negative_timeout(void *arg)
{
    cora_ssl_options ssl = {.server_hostname = "", .ssl_handshake_timeout = -10};
    cora_connection_options options = {.ssl = &ssl};
    struct recorder recorder = {0};
    int fds[2], rc;

    (void)arg;
    make_pair(fds);
    rc = cora_create_connection_sock(record, &recorder, fds[0], &options, NULL);
    assert_int_equal(rc, -EINVAL);
    close_pair(fds);
    return 0;
}

TEST(SslProtoHandshakeTests_test_handshake_timeout_negative)
{
    run(asks_for_a_negative_timeout, NULL);
}

struct attempt_args {
    struct recorder *recorder;
    int fd;
    cora_ssl_context *context;
};

static int attempt(void *arg)
{
    struct attempt_args *a = arg;
    cora_ssl_options ssl = {.context = a->context, .server_hostname = ""};
    cora_connection_options options = {.ssl = &ssl};

    return cora_create_connection_sock(record, a->recorder, a->fd, &options, NULL);
}

/* Over TCP: who closes it with data unread, or at once, resets it. */
static void make_connection(int fds[2])
{
    struct sockaddr_in address;
    int listener = make_listener(&address, 1);

    fds[0] = connect_tcp(&address);
    fds[1] = cora_sock_accept(listener, NULL, NULL);
    assert_true(fds[1] >= 0);
    close_fd(listener);
}

static void end(int fd)
{
    int rc = shutdown(fd, SHUT_WR);

    assert_int_equal(rc, 0);
}

static void reset(int fd)
{
    int rc = setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
                        sizeof(struct linger));

    assert_int_equal(rc, 0);
    close_fd(fd);
}

/* The peer does this as soon as the handshake has begun. */
static int fails_in_the_handshake(void *arg)
{
    void (*act)(int fd) = arg;
    struct recorder recorder = {0};
    cora_ssl_context *context = tls_trusting_client();
    cora_task *task;
    int fds[2], rc;

    make_connection(fds);
    task = cora_create_task(attempt, .recorder = &recorder, .fd = fds[0], .context = context);
    rc = cora_wait_readable(fds[1]);
    assert_int_equal(rc, 0);
    act(fds[1]);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECONNRESET);
    assert_int_equal(recorder.made, 0);
    if (act != reset)
        close_fd(fds[1]);
    cora_ssl_context_unref(context);
    return 0;
}

TEST(SslProtoHandshakeTests_test_eof_received_waiter)
{
    run(fails_in_the_handshake, end);
}

TEST(SslProtoHandshakeTests_test_connection_lost)
{
    run(fails_in_the_handshake, reset);
}

/* Its server closes it: the transport is not the protocol's before it is made. */
static int is_closed_in_its_handshake(void *arg)
{
    cora_ssl_options ssl = {.context = tls_server()};
    cora_server_options options = {.ssl = &ssl};
    struct lobby lobby = {0};
    cora_server *server = serve_lobby(&lobby, &options);
    int fd = connect_server(server), rc;
    char byte;

    (void)arg;
    wait_arrivals(&lobby, 1);
    cora_server_close(server);
    cora_server_close_clients(server);
    assert_int_equal(cora_sock_recv(fd, &byte, 1), 0); /* it is closed at once */
    rc = cora_server_wait_closed(server);
    assert_int_equal(rc, 0);
    assert_int_equal(lobby.guests[0].made, 0);
    assert_int_equal(lobby.guests[0].lost, 1);
    cora_server_unref(server);
    close_fd(fd);
    cora_ssl_context_unref(ssl.context);
    return 0;
}

TEST(SslProtoHandshakeTests_test_close_during_handshake)
{
    run(is_closed_in_its_handshake, NULL);
}

/* ---- with a connection ----------------------------------------------------------------------- */

struct half {
    struct recorder recorder;
    cora_transport *transport;
    struct tls_peer peer;
    cora_ssl_context *server, *client;
};

static int serve(void *arg)
{
    struct half *half = arg;

    return peer_start_tls(&half->peer, half->server, true);
}

static void open_half(struct half *half)
{
    cora_ssl_options ssl = {.context = half->client = tls_trusting_client(), .server_hostname = ""};
    cora_connection_options options = {.ssl = &ssl};
    cora_task *task;
    int fds[2], rc;

    half->server = tls_server();
    make_pair(fds);
    half->peer.fd = fds[1];
    task = cora_create_task_arg(serve, half);
    rc = cora_create_connection_sock(record, &half->recorder, fds[0], &options, &half->transport);
    assert_int_equal(rc, 0);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
}

static void close_half(struct half *half)
{
    cora_transport_abort(half->transport);
    wait_lost(&half->recorder);
    cora_transport_unref(half->transport);
    peer_close(&half->peer);
    cora_ssl_context_unref(half->server);
    cora_ssl_context_unref(half->client);
}

static int go_over(void *arg)
{
    struct half *half = arg;
    cora_ssl_options ssl = {.context = half->client};
    cora_transport *transport;
    int rc = cora_start_tls(half->transport, &half->recorder.protocol, &ssl, false, &transport);

    if (rc < 0)
        return rc;
    cora_transport_unref(half->transport);
    half->transport = transport;
    return 0;
}

/* The peer's second OpenSSL would talk through its first; that it is closed meanwhile is enough. */
static int closes_over_tls(void *arg)
{
    struct half half = {0};
    cora_transport *below;
    cora_task *task;
    int rc;

    (void)arg;
    open_half(&half);
    below = cora_transport_ref(half.transport);
    task = cora_create_task_arg(go_over, &half);
    rc = cora_sleep(0.5);
    assert_int_equal(rc, 0);
    assert_ptr_not_equal(cora_transport_get_protocol(below), &half.recorder.protocol);
    cora_task_cancel(task); /* which closes the outer one, in its handshake */
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    wait_lost(&half.recorder);
    assert_true(cora_transport_is_closing(below));
    cora_transport_unref(below);
    close_half(&half);
    return 0;
}

TEST(SslProtoHandshakeTests_test_close_during_ssl_over_ssl)
{
    run(closes_over_tls, NULL);
}

static int fails_when_busy(void *arg)
{
    struct half half = {0};
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    cora_protocol *recorder;
    int rc;

    (void)arg;
    open_half(&half);
    rc = cora_stream_reader_create(1 << 16, &reader);
    assert_int_equal(rc, 0);
    recorder = cora_transport_get_protocol(half.transport);
    cora_transport_set_protocol(half.transport, cora_stream_reader_protocol(reader));
    cora_transport_get_protocol(half.transport)
        ->methods->connection_made(cora_transport_get_protocol(half.transport), half.transport);
    writer = cora_stream_reader_get_writer(reader);
    close_fd(half.peer.fd);
    half.peer.fd = dup(0);
    for (int i = 0; i < 2 && rc == 0; i++) {
        rc = cora_stream_writer_write(writer, "An interesting message", 22);
        assert_int_equal(rc, 0);
        rc = cora_stream_writer_drain(writer);
    }
    assert_true(rc == -EPIPE || rc == -ECONNRESET);
    assert_int_equal(cora_stream_writer_wait_closed(writer), -EPIPE);
    cora_stream_reader_unref(reader);
    half.recorder.lost = 1;
    assert_ptr_equal(recorder, &half.recorder.protocol);
    close_half(&half);
    return 0;
}

TEST(SslProtoHandshakeTests_test_connection_lost_when_busy)
{
    run(fails_when_busy, NULL);
}

static int asks_a_closed_connection(void *arg)
{
    struct half half = {0};

    (void)arg;
    open_half(&half);
    assert_non_null(cora_transport_get_extra_info(half.transport, "socket"));
    cora_transport_abort(half.transport);
    wait_lost(&half.recorder);
    assert_null(cora_transport_get_extra_info(half.transport, "socket"));
    close_half(&half);
    return 0;
}

TEST(SslProtoHandshakeTests_test_get_extra_info_on_closed_connection)
{
    run(asks_a_closed_connection, NULL);
}

static int sets_a_new_protocol(void *arg)
{
    struct half half = {0};
    struct recorder other = {0};
    int rc;

    (void)arg;
    open_half(&half);
    assert_ptr_equal(cora_transport_get_protocol(half.transport), &half.recorder.protocol);
    cora_transport_set_protocol(half.transport, record(&other));
    assert_ptr_equal(cora_transport_get_protocol(half.transport), &other.protocol);
    rc = peer_write(&half.peer, "hello");
    assert_int_equal(rc, 0);
    wait_received(&other, 5);
    assert_int_equal(half.recorder.received, 0);
    cora_transport_set_protocol(half.transport, &half.recorder.protocol);
    close_half(&half);
    return 0;
}

TEST(SslProtoHandshakeTests_test_set_new_app_protocol)
{
    run(sets_a_new_protocol, NULL);
}

static int receives_after_closing(void *arg)
{
    struct half half = {0};
    int rc;

    (void)arg;
    open_half(&half);
    cora_transport_close(half.transport);
    rc = peer_write(&half.peer, "hello");
    assert_int_equal(rc, 0);
    rc = peer_shutdown(&half.peer);
    assert_int_equal(rc, 0);
    wait_lost(&half.recorder);
    assert_int_equal(half.recorder.received, 0);
    assert_int_equal(half.recorder.error, 0);
    close_half(&half);
    return 0;
}

TEST(SslProtoHandshakeTests_test_data_received_after_closing)
{
    run(receives_after_closing, NULL);
}

static int writes_after_closing(void *arg)
{
    struct half half = {0};
    int rc;

    (void)arg;
    open_half(&half);
    cora_transport_close(half.transport);
    rc = cora_transport_write(half.transport, "data", 4);
    assert_int_equal(rc, 0);
    close_half(&half);
    return 0;
}

TEST(SslProtoHandshakeTests_test_write_after_closing)
{
    run(writes_after_closing, NULL);
}

/* ---- BaseStartTLS --------------------------------------------------------------------------- */

TEST(BaseStartTLS_test_start_tls_client_reg_proto_1)
{
    run(start_tls_client_regular, &(bool){false});
}

TEST(BaseStartTLS_test_start_tls_client_buf_proto_1)
{
    run(start_tls_client_buffered, &(bool){false});
}

TEST(BaseStartTLS_test_start_tls_slow_client_cancel)
{
    run(start_tls_slow_client_cancel, NULL);
}

TEST(BaseStartTLS_test_start_tls_server_1)
{
    run(start_tls_server, &(bool){false});
}

static int starts_wrongly(void *arg)
{
    struct recorder recorder = {.silent = true};
    cora_ssl_options options = {.context = tls_server()};
    cora_transport *pipe_end, *transport;
    int fds[2], ends[2], rc;

    (void)arg;
    rc = pipe(ends);
    assert_int_equal(rc, 0);
    rc = cora_connect_read_pipe(record, &recorder, ends[0], &pipe_end);
    assert_int_equal(rc, 0);
    rc = cora_start_tls(pipe_end, &recorder.protocol, &options, true, &transport);
    assert_int_equal(rc, -EOPNOTSUPP); /* no stream to both sides */
    cora_transport_close(pipe_end);
    wait_lost(&recorder);
    cora_transport_unref(pipe_end);
    close_fd(ends[1]);
    make_pair(fds);
    rc = cora_connect_accepted_socket(record, &recorder, fds[0], &transport);
    assert_int_equal(rc, 0);
    cora_ssl_context_unref(options.context);
    options.context = NULL;
    rc = cora_start_tls(transport, &recorder.protocol, &options, true, &pipe_end);
    assert_int_equal(rc, -EINVAL); /* no context */
    cora_transport_close(transport);
    wait_lost(&recorder);
    cora_transport_unref(transport);
    close_fd(fds[1]);
    return 0;
}

TEST(BaseStartTLS_test_start_tls_wrong_args)
{
    run(starts_wrongly, NULL);
}

TEST(BaseStartTLS_test_handshake_timeout)
{
    run(connect_with_handshake_timeout, NULL);
}

TEST(BaseStartTLS_test_create_connection_ssl_slow_handshake)
{
    run(open_with_slow_handshake, NULL);
}

TEST(BaseStartTLS_test_create_connection_ssl_failed_certificate)
{
    run(open_with_failed_certificate, NULL);
}

TEST(BaseStartTLS_test_start_tls_client_corrupted_ssl)
{
    run(start_tls_client_corrupted, NULL);
}
