/* CPython's test_ssl.py. */
#include "support/protocol.h"
#include "support/server.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/tls_talks.h"
#include "support/virtual.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    DATA = 100 << 10,
    CLIENTS = 25,
    CHUNK = 128 << 10,
    CHUNKS = 32,
};

static void run(cora_task_fn *fn, void *arg)
{
    int before = count_descriptors();
    int rc = run_virtual(fn, arg);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
    assert_int_equal(count_descriptors(), before);
}

static int port_of(const cora_server *server)
{
    cora_address address = server_address(server);

    return ntohs(((struct sockaddr_in *)&address.storage)->sin_port);
}

static void end(cora_server *server)
{
    int rc;

    cora_server_close(server);
    rc = cora_server_wait_closed(server);
    assert_int_equal(rc, 0);
    cora_server_unref(server);
}

static void expect(cora_stream_reader *reader, const char *text)
{
    char buffer[16] = "";
    int rc = cora_stream_reader_readexactly(reader, buffer, strlen(text));

    assert_int_equal(rc, 0);
    assert_string_equal(buffer, text);
}

static void expect_many(cora_stream_reader *reader, char byte, size_t size)
{
    char *buffer = malloc(size);
    int rc = cora_stream_reader_readexactly(reader, buffer, size);

    assert_int_equal(rc, 0);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(buffer[i], byte);
    free(buffer);
}

static void send_text(cora_stream_writer *writer, const char *text)
{
    int rc = cora_stream_writer_write(writer, text, strlen(text));

    assert_int_equal(rc, 0);
}

static void send_many(cora_stream_writer *writer, char byte, size_t size)
{
    char *data = malloc(size);
    int rc;

    memset(data, byte, size);
    rc = cora_stream_writer_write(writer, data, size);
    assert_int_equal(rc, 0);
    free(data);
}

/* ---- many clients --------------------------------------------------------------------------- */

static int handle_client(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    struct iovec parts[] = {{"SP", 2}, {"A", 1}, {"M", 1}};
    int *served = arg, rc;

    expect_many(reader, 'A', DATA);
    send_text(writer, "OK");
    expect_many(reader, 'B', DATA);
    rc = cora_stream_writer_writelines(writer, parts, 3);
    assert_int_equal(rc, 0);
    rc = cora_stream_writer_drain(writer);
    assert_int_equal(rc, 0);
    cora_stream_writer_close(writer);
    ++*served;
    return 0;
}

static void be_a_client(struct tls_peer *peer, void *arg)
{
    char text[8];
    int rc = peer_start_tls(peer, arg, false);

    assert_int_equal(rc, 0);
    peer_send(peer, 'A', DATA);
    assert_int_equal(peer_read_text(peer, text, 2), 2);
    assert_string_equal(text, "OK");
    peer_send(peer, 'B', DATA);
    assert_int_equal(peer_read_text(peer, text, 4), 4);
    assert_string_equal(text, "SPAM");
}

static void run_clients(peer_program *program, void *arg, int port)
{
    cora_task *clients[CLIENTS];
    int rc;

    for (int i = 0; i < CLIENTS; i++)
        clients[i] = run_peer(program, arg, port);
    for (int i = 0; i < CLIENTS; i++) {
        rc = cora_await_unref(clients[i]);
        assert_int_equal(rc, 0);
    }
}

static int serves_many(void *arg)
{
    cora_ssl_options ssl = {.context = tls_server(), .ssl_handshake_timeout = 10};
    cora_server_options options = {.ssl = &ssl};
    cora_ssl_context *clients = tls_trusting_client();
    cora_server *server;
    int served = 0, rc;

    (void)arg;
    rc = cora_start_server(handle_client, &served, "127.0.0.1", "0", &options, &server);
    assert_int_equal(rc, 0);
    run_clients(be_a_client, clients, port_of(server));
    end(server);
    assert_int_equal(served, CLIENTS);
    cora_ssl_context_unref(ssl.context);
    cora_ssl_context_unref(clients);
    return 0;
}

TEST(TestSSL_test_create_server_ssl_1)
{
    run(serves_many, NULL);
}

/* ---- many connections ------------------------------------------------------------------------ */

static void be_a_server(struct tls_peer *peer, void *arg)
{
    int rc = peer_start_tls(peer, arg, true);

    assert_int_equal(rc, 0);
    peer_expect(peer, 'A', DATA);
    peer_send_text(peer, "OK");
    peer_expect(peer, 'B', DATA);
    peer_send_text(peer, "SPAM");
}

struct client_args {
    const struct peer_server *server;
    cora_ssl_context *context;
    bool own_socket;
    int *count;
};

static int open_own(const struct peer_server *server, cora_ssl_context *context,
                    cora_stream_reader **ret_reader, cora_stream_writer **ret_writer)
{
    cora_ssl_options ssl = {.context = context, .server_hostname = ""};
    cora_connection_options options = {.ssl = &ssl};

    return cora_open_connection_sock(connect_tcp(&server->address), &options, ret_reader,
                                     ret_writer);
}

static int client(void *arg)
{
    struct client_args *a = arg;
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    int rc = a->own_socket ? open_own(a->server, a->context, &reader, &writer)
                           : open_tls(a->server, a->context, &reader, &writer);

    assert_int_equal(rc, 0);
    send_many(writer, 'A', DATA);
    expect(reader, "OK");
    send_many(writer, 'B', DATA);
    expect(reader, "SPAM");
    ++*a->count;
    leave_tls(writer);
    return 0;
}

static int connects_many(void *arg)
{
    cora_ssl_context *servers = tls_server(), *context = tls_trusting_client();
    struct peer_server server;
    cora_task_group group;
    int count = 0, rc = 0;

    start_peers(&server, be_a_server, servers, CLIENTS);
    cora_task_group_enter(&group);
    for (int i = 0; i < CLIENTS && rc == 0; i++)
        rc = cora_task_group_create_task(&group, client, .server = &server, .context = context,
                                         .own_socket = *(bool *)arg, .count = &count);
    rc = cora_task_group_exit(&group, rc);
    assert_int_equal(rc, 0);
    assert_int_equal(count, CLIENTS);
    stop_peers(&server);
    cora_ssl_context_unref(servers);
    cora_ssl_context_unref(context);
    return 0;
}

TEST(TestSSL_test_create_connection_ssl_1)
{
    run(connects_many, &(bool){false});
    run(connects_many, &(bool){true});
}

TEST(TestSSL_test_create_connection_ssl_slow_handshake)
{
    run(open_with_slow_handshake, NULL);
}

TEST(TestSSL_test_create_connection_ssl_failed_certificate)
{
    run(open_with_failed_certificate, NULL);
}

TEST(TestSSL_test_ssl_handshake_timeout)
{
    run(connect_with_handshake_timeout, NULL);
}

/* ---- a connection that is lost in its handshake ---------------------------------------------- */

static void break_the_handshake(struct tls_peer *peer, void *arg)
{
    char buffer[1024];
    ssize_t got = cora_sock_recv(peer->fd, buffer, sizeof buffer);

    (void)arg;
    assert_true(got > 0);
}

/* connection_lost is called for the one who owns the protocol's memory, and is told why. */
static int is_lost_in_its_handshake(void *arg)
{
    cora_ssl_options ssl = {.context = tls_trusting_client(), .server_hostname = ""};
    cora_connection_options options = {.ssl = &ssl};
    struct recorder recorder = {0};
    struct peer_server server;
    int rc;

    (void)arg;
    start_peers(&server, break_the_handshake, NULL, 1);
    rc = cora_create_connection(record, &recorder, "127.0.0.1", server.port, &options, NULL);
    assert_int_equal(rc, -ECONNRESET);
    assert_int_equal(recorder.made, 0);
    assert_int_equal(recorder.lost, 1);
    assert_int_equal(recorder.error, -ECONNRESET);
    stop_peers(&server);
    cora_ssl_context_unref(ssl.context);
    return 0;
}

TEST(TestSSL_test_ssl_handshake_connection_lost)
{
    run(is_lost_in_its_handshake, NULL);
}

/* ---- a socket that somebody else has accepted ------------------------------------------------ */

static void say_test_data(struct tls_peer *peer, void *arg)
{
    char text[8] = "";
    int rc = arg != NULL ? peer_start_tls(peer, arg, false) : 0;

    assert_int_equal(rc, 0);
    if (arg != NULL) {
        peer_send_text(peer, "test data");
        assert_int_equal(peer_read_text(peer, text, 5), 5);
        rc = peer_shutdown(peer);
        assert_int_equal(rc, 0);
    } else {
        put(peer->fd, "test data");
        assert_int_equal(cora_sock_recv(peer->fd, text, 7), 5);
    }
    assert_string_equal(text, "roger");
}

static int connects_an_accepted_socket(void *arg)
{
    cora_ssl_options ssl = {.context = tls_server(), .ssl_handshake_timeout = 10};
    cora_ssl_context *clients = *(bool *)arg ? tls_trusting_client() : NULL;
    struct sockaddr_in address;
    int listener = make_listener(&address, 1), fd, rc;
    struct recorder recorder = {0};
    cora_task *peer = run_peer(say_test_data, clients, ntohs(address.sin_port));
    cora_transport *transport;

    fd = cora_sock_accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    if (clients != NULL)
        rc = cora_connect_accepted_socket_ssl(record, &recorder, fd, &ssl, &transport);
    else
        rc = cora_connect_accepted_socket(record, &recorder, fd, &transport);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_transport_get_extra_info(transport, "ssl_object") != NULL,
                     clients != NULL);
    wait_received(&recorder, 9);
    rc = cora_transport_write(transport, "roger", 5);
    assert_int_equal(rc, 0);
    wait_lost(&recorder);
    assert_int_equal(recorder.received, 9);
    cora_transport_close(transport);
    cora_transport_unref(transport);
    rc = cora_await_unref(peer);
    assert_int_equal(rc, 0);
    close_fd(listener);
    cora_ssl_context_unref(ssl.context);
    cora_ssl_context_unref(clients);
    return 0;
}

TEST(TestSSL_test_ssl_connect_accepted_socket)
{
    run(connects_an_accepted_socket, &(bool){true});
}

TEST(TestSSL_test_connect_accepted_socket)
{
    run(connects_an_accepted_socket, &(bool){false});
}

/* ---- start_tls ------------------------------------------------------------------------------ */

TEST(TestSSL_test_start_tls_client_corrupted_ssl)
{
    run(start_tls_client_corrupted, NULL);
}

TEST(TestSSL_test_start_tls_client_reg_proto_1)
{
    run(start_tls_client_regular, &(bool){true});
}

TEST(TestSSL_test_start_tls_client_buf_proto_1)
{
    run(start_tls_client_buffered, &(bool){true});
}

TEST(TestSSL_test_start_tls_slow_client_cancel)
{
    run(start_tls_slow_client_cancel, NULL);
}

TEST(TestSSL_test_start_tls_server_1)
{
    run(start_tls_server, &(bool){true});
}

/* ---- TLS over TLS --------------------------------------------------------------------------- */

struct contexts {
    cora_ssl_context *outer, *inner;
    int *served;
};

static int handle_client_over_tls(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    const struct contexts *contexts = arg;
    cora_ssl_options ssl = {.context = contexts->inner};
    int rc = cora_stream_writer_start_tls(writer, &ssl);

    assert_int_equal(rc, 0);
    return handle_client(reader, writer, contexts->served);
}

static void be_a_nested_client(struct tls_peer *peer, void *arg)
{
    const struct contexts *contexts = arg;
    struct nested_peer nested;
    int rc = peer_start_tls(peer, contexts->outer, false);

    assert_int_equal(rc, 0);
    rc = nested_start_tls(&nested, peer, contexts->inner, false);
    assert_int_equal(rc, 0);
    nested_send(&nested, 'A', DATA);
    nested_expect(&nested, "OK");
    nested_send(&nested, 'B', DATA);
    nested_expect(&nested, "SPAM");
    nested_send_close_notify(&nested);
    SSL_free(nested.ssl);
}

static int serves_over_tls(void *arg)
{
    int served = 0, rc;
    struct contexts servers = {tls_server(), tls_server(), &served};
    struct contexts clients = {tls_trusting_client(), tls_trusting_client(), NULL};
    cora_ssl_options ssl = {.context = servers.outer};
    cora_server_options options = {.ssl = &ssl};
    cora_server *server;

    (void)arg;
    rc = cora_start_server(handle_client_over_tls, &servers, "127.0.0.1", "0", &options, &server);
    assert_int_equal(rc, 0);
    run_clients(be_a_nested_client, &clients, port_of(server));
    end(server);
    assert_int_equal(served, CLIENTS);
    cora_ssl_context_unref(servers.outer);
    cora_ssl_context_unref(servers.inner);
    cora_ssl_context_unref(clients.outer);
    cora_ssl_context_unref(clients.inner);
    return 0;
}

TEST(TestSSL_test_create_server_ssl_over_ssl)
{
    run(serves_over_tls, NULL);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void answer_and_unwrap(struct tls_peer *peer, void *arg)
{
    int rc = peer_start_tls(peer, arg, true);

    assert_int_equal(rc, 0);
    peer_expect(peer, 'A', DATA);
    peer_send_text(peer, "OK");
    rc = peer_shutdown(peer);
    assert_int_equal(rc, 0);
}

static int clean_client(void *arg)
{
    struct client_args *a = arg;
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    char byte;
    int rc = open_tls(a->server, a->context, &reader, &writer);

    assert_int_equal(rc, 0);
    send_many(writer, 'A', DATA);
    expect(reader, "OK");
    assert_int_equal(cora_stream_reader_read(reader, &byte, 1), 0);
    ++*a->count;
    cora_stream_writer_close(writer);
    rc = cora_stream_writer_wait_closed(writer);
    assert_int_equal(rc, 0);
    cora_stream_writer_unref(writer);
    return 0;
}

static int shuts_down_cleanly(void *arg)
{
    cora_ssl_context *servers = tls_server(), *context = tls_trusting_client();
    struct peer_server server;
    int count = 0, rc;

    (void)arg;
    start_peers(&server, answer_and_unwrap, servers, CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        rc = clean_client(&(struct client_args){&server, context, false, &count});
        assert_int_equal(rc, 0);
    }
    assert_int_equal(count, CLIENTS);
    stop_peers(&server);
    cora_ssl_context_unref(servers);
    cora_ssl_context_unref(context);
    return 0;
}

TEST(TestSSL_test_shutdown_cleanly)
{
    run(shuts_down_cleanly, NULL);
}

/* The kernel is to hold little of what is not read. */
static void limit_buffer(int fd, int option, int size)
{
    int rc = setsockopt(fd, SOL_SOCKET, option, &size, sizeof size);

    assert_int_equal(rc, 0);
}

static void pong(struct tls_peer *peer, const cora_ssl_context *context)
{
    char text[8];
    int rc = peer_start_tls(peer, context, true);

    assert_int_equal(rc, 0);
    limit_buffer(peer->fd, SO_RCVBUF, 64 << 10);
    assert_int_equal(peer_read_text(peer, text, 4), 4);
    assert_string_equal(text, "ping");
    peer_send_text(peer, "pong");
    rc = cora_sleep(0.5); /* until the client has written all, and the sockets are full */
    assert_int_equal(rc, 0);
}

static void take_all_late(struct tls_peer *peer, void *arg)
{
    pong(peer, arg);
    peer_expect(peer, 'x', (size_t)CHUNK * CHUNKS);
}

/* Writes it all without waiting. */
static void ping_and_write(cora_stream_reader *reader, cora_stream_writer *writer, int send_buffer)
{
    limit_buffer(*(const int *)cora_stream_writer_get_extra_info(writer, "socket"), SO_SNDBUF,
                 send_buffer);
    send_text(writer, "ping");
    expect(reader, "pong");
    for (int i = 0; i < CHUNKS; i++)
        send_many(writer, 'x', CHUNK);
    assert_true(cora_transport_get_write_buffer_size(cora_stream_writer_get_transport(writer)) > 0);
}

static int flushes_before_it_shuts_down(void *arg)
{
    cora_ssl_context *servers = tls_server(), *context = tls_trusting_client();
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    struct peer_server server;
    int rc;

    (void)arg;
    start_peers_at(&server, take_all_late, servers, 1, socket_path());
    rc = open_tls(&server, context, &reader, &writer);
    assert_int_equal(rc, 0);
    ping_and_write(reader, writer, 64 << 10);
    leave_tls(writer);
    stop_peers(&server);
    cora_ssl_context_unref(servers);
    cora_ssl_context_unref(context);
    return 0;
}

TEST(TestSSL_test_flush_before_shutdown)
{
    run(flushes_before_it_shuts_down, NULL);
}

/* A server that has said all, by a close_notify or by the connection's end, and reads on. */

struct trailing {
    cora_ssl_context *servers;
    bool unwrap; /* by a close_notify */
    bool slow;   /* the client's socket takes little at a time */
};

static void end_and_take_all(struct tls_peer *peer, void *arg)
{
    const struct trailing *trailing = arg;
    char byte;
    int rc;

    pong(peer, trailing->servers);
    rc = trailing->unwrap ? peer_send_close_notify(peer) : shutdown(peer->fd, SHUT_WR);
    assert_int_equal(rc, 0);
    peer_expect(peer, 'x', (size_t)CHUNK * CHUNKS);
    if (trailing->unwrap)
        assert_int_equal(peer_read(peer, &byte, 1), 0); /* and the client's close_notify */
}

static int trails(void *arg)
{
    struct trailing *trailing = arg;
    cora_ssl_context *context = talking_client(trailing->unwrap);
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    struct peer_server server;
    char byte;
    int rc;

    trailing->servers = tls_server();
    start_peers_at(&server, end_and_take_all, trailing, 1, socket_path());
    rc = open_tls(&server, context, &reader, &writer);
    assert_int_equal(rc, 0);
    ping_and_write(reader, writer, trailing->slow ? 1 : 64 << 10);
    assert_int_equal(cora_stream_reader_read(reader, &byte, 1), 0);
    stop_peers(&server);
    leave_tls(writer);
    unlink(server.path);
    cora_ssl_context_unref(trailing->servers);
    cora_ssl_context_unref(context);
    return 0;
}

TEST(TestSSL_test_remote_shutdown_receives_trailing_data)
{
    run(trails, &(struct trailing){.unwrap = true});
    run(trails, &(struct trailing){.unwrap = false});
}

TEST(TestSSL_test_remote_shutdown_receives_trailing_data_on_slow_socket)
{
    run(trails, &(struct trailing){.unwrap = true, .slow = true});
    run(trails, &(struct trailing){.unwrap = false, .slow = true});
}

/* ---- what is left behind --------------------------------------------------------------------- */

struct connect_by_default_args {
    struct recorder *recorder;
    const char *port;
};

static int connect_by_default(void *arg)
{
    struct connect_by_default_args *a = arg;
    cora_ssl_options ssl = {0};
    cora_connection_options options = {.ssl = &ssl};

    return cora_create_connection(record, a->recorder, "127.0.0.1", a->port, &options, NULL);
}

/* Nobody listens: nothing of the attempt stays. */
static int is_not_answered(void *arg)
{
    struct recorder recorder = {0};
    struct sockaddr_in address;
    char port[8];
    cora_task *task;
    int rc;

    (void)arg;
    close_fd(make_listener(&address, 1));
    snprintf(port, sizeof port, "%u", ntohs(address.sin_port));
    task = cora_create_task(connect_by_default, .recorder = &recorder, .port = port);
    rc = cora_wait_for(task, 0.1);
    assert_true(rc == -ECONNREFUSED || rc == -ETIMEDOUT);
    cora_task_unref(task);
    return 0;
}

TEST(TestSSL_test_connect_timeout_warning)
{
    run(is_not_answered, NULL);
}

static void send_and_end(struct tls_peer *peer, void *arg)
{
    char text[8];
    int rc = peer_start_tls(peer, arg, true);

    assert_int_equal(rc, 0);
    peer_send_text(peer, "hello");
    assert_int_equal(peer_read_text(peer, text, 5), 5);
    assert_string_equal(text, "world");
    peer_send_text(peer, "extra bytes");
    rc = shutdown(peer->fd, SHUT_WR);
    assert_int_equal(rc, 0);
    trace("ended");
    assert_int_equal(peer_read(peer, text, 1), 0);
}

static int resumes_after_the_end(void *arg)
{
    cora_ssl_options ssl = {.context = talking_client(false), .server_hostname = ""};
    cora_connection_options options = {.ssl = &ssl};
    cora_ssl_context *servers = tls_server();
    struct recorder recorder = {0};
    struct peer_server server;
    cora_transport *transport;
    int rc;

    (void)arg;
    start_peers(&server, send_and_end, servers, 1);
    rc = cora_create_connection(record, &recorder, "127.0.0.1", server.port, &options, &transport);
    assert_int_equal(rc, 0);
    wait_received(&recorder, 5);
    rc = cora_transport_write(transport, "world", 5);
    assert_int_equal(rc, 0);
    cora_transport_pause_reading(transport);
    rc = cora_sleep(0.1);
    assert_int_equal(rc, 0);
    trace("resumed");
    cora_transport_resume_reading(transport);
    wait_lost(&recorder);
    assert_int_equal(recorder.error, 0);
    cora_transport_close(transport);
    cora_transport_unref(transport);
    stop_peers(&server);
    cora_ssl_context_unref(servers);
    cora_ssl_context_unref(ssl.context);
    return 0;
}

TEST(TestSSL_test_shutdown_timeout_handler_not_set)
{
    run(resumes_after_the_end, NULL);
    assert_string_equal(trace_text, "made data hello ended resumed data extra bytes eof lost ");
}
