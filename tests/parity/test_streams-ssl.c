/* CPython's test_streams.py: TLS. */
#include "support/server.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/tls.h"
#include "support/virtual.h"

#include <arpa/inet.h>
#include <unistd.h>

static void run(cora_task_fn *fn, void *arg)
{
    int before = count_descriptors();
    int rc = run_virtual(fn, arg);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
    assert_int_equal(count_descriptors(), before);
}

/* ---- open_connection ------------------------------------------------------------------------ */

static void serve_http(struct tls_peer *peer, void *arg)
{
    char request[32];
    int rc = peer_start_tls(peer, arg, true);

    assert_int_equal(rc, 0);
    assert_int_equal(peer_read_text(peer, request, 18), 18);
    assert_string_equal(request, "GET / HTTP/1.0\r\n\r\n");
    peer_send_text(peer, "HTTP/1.0 200 OK\r\n\r\nTest message");
    rc = peer_shutdown(peer);
    assert_int_equal(rc, 0);
}

static int gets(void *arg)
{
    bool is_unix = *(bool *)arg;
    cora_ssl_context *servers = tls_server();
    cora_ssl_options ssl = {.context = tls_trusting_client(), .server_hostname = ""};
    cora_connection_options options = {.ssl = &ssl};
    struct peer_server server;
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    char *data;
    ssize_t size;
    int rc;

    if (is_unix) {
        start_peers_at(&server, serve_http, servers, 1, socket_path());
        rc = cora_open_unix_connection(socket_path(), &options, &reader, &writer);
    } else {
        start_peers(&server, serve_http, servers, 1);
        rc = cora_open_connection("127.0.0.1", server.port, &options, &reader, &writer);
    }
    assert_int_equal(rc, 0);
    rc = cora_stream_writer_write(writer, "GET / HTTP/1.0\r\n\r\n", 18);
    assert_int_equal(rc, 0);
    size = cora_stream_reader_read_until_eof(reader, &data);
    assert_int_equal(size, 31);
    assert_memory_equal(data + size - 16, "\r\n\r\nTest message", 16);
    cora_stream_writer_close(writer);
    cora_stream_writer_unref(writer);
    stop_peers(&server);
    cora_ssl_context_unref(servers);
    cora_ssl_context_unref(ssl.context);
    return 0;
}

TEST(StreamTests_test_open_connection_no_loop_ssl)
{
    run(gets, &(bool){false});
}

TEST(StreamTests_test_open_unix_connection_no_loop_ssl)
{
    run(gets, &(bool){true});
}

/* ---- start_tls ------------------------------------------------------------------------------ */

static void echo_line(cora_stream_reader *reader, cora_stream_writer *writer)
{
    char *line;
    ssize_t size = cora_stream_reader_readline(reader, &line);
    int rc;

    assert_true(size > 0);
    rc = cora_stream_writer_write(writer, line, (size_t)size);
    assert_int_equal(rc, 0);
    rc = cora_stream_writer_drain(writer);
    assert_int_equal(rc, 0);
}

static int handle_client(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    cora_ssl_options ssl = {.context = arg};
    int rc;

    echo_line(reader, writer);
    assert_null(cora_stream_writer_get_extra_info(writer, "sslcontext"));
    rc = cora_stream_writer_start_tls(writer, &ssl);
    assert_int_equal(rc, 0);
    assert_ptr_equal(cora_stream_writer_get_extra_info(writer, "sslcontext"), arg);
    echo_line(reader, writer);
    cora_stream_writer_close(writer);
    return cora_stream_writer_wait_closed(writer);
}

static void say_and_hear(cora_stream_reader *reader, cora_stream_writer *writer, const char *text)
{
    char *line;
    int rc = cora_stream_writer_write(writer, text, strlen(text));

    assert_int_equal(rc, 0);
    rc = cora_stream_writer_drain(writer);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_stream_reader_readline(reader, &line), strlen(text));
    assert_memory_equal(line, text, strlen(text));
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

static int goes_over_to_tls(void *arg)
{
    cora_ssl_context *servers = tls_server();
    cora_ssl_options ssl = {.context = tls_trusting_client()};
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    cora_server *server;
    char port[8];
    int rc;

    (void)arg;
    rc = cora_start_server(handle_client, servers, "127.0.0.1", "0", NULL, &server);
    assert_int_equal(rc, 0);
    snprintf(port, sizeof port, "%d", port_of(server));
    rc = cora_open_connection("127.0.0.1", port, NULL, &reader, &writer);
    assert_int_equal(rc, 0);
    say_and_hear(reader, writer, "hello world 1!\n");
    assert_null(cora_stream_writer_get_extra_info(writer, "sslcontext"));
    rc = cora_stream_writer_start_tls(writer, &ssl);
    assert_int_equal(rc, 0);
    assert_ptr_equal(cora_stream_writer_get_extra_info(writer, "sslcontext"), ssl.context);
    say_and_hear(reader, writer, "hello world 2!\n");
    cora_stream_writer_close(writer);
    rc = cora_stream_writer_wait_closed(writer);
    assert_int_equal(rc, 0);
    cora_stream_writer_unref(writer);
    end(server);
    cora_ssl_context_unref(servers);
    cora_ssl_context_unref(ssl.context);
    return 0;
}

TEST(StreamTests_test_start_tls)
{
    run(goes_over_to_tls, NULL);
}

/* A line in plain text, and what begins TLS, in one piece. */
static void begin_with_a_line(struct tls_peer *peer, void *arg)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *data, text[16];
    long size;
    ssize_t got;
    int rc;

    peer_init(peer, peer->fd, arg, false);
    BIO_puts(memory, "PROXY TCP4\n");
    SSL_set0_wbio(peer->ssl, memory);
    SSL_do_handshake(peer->ssl);
    size = BIO_get_mem_data(memory, &data);
    assert_true(size > 100);
    rc = cora_sock_sendall(peer->fd, data, (size_t)size, NULL);
    assert_int_equal(rc, 0);
    got = cora_sock_recv(peer->fd, text, 11);
    assert_int_equal(got, 11);
    SSL_set_fd(peer->ssl, peer->fd);
    rc = peer_handshake(peer);
    assert_int_equal(rc, 0);
    peer_send_text(peer, "hello world\n");
    assert_int_equal(peer_read_text(peer, text, 12), 12);
    assert_string_equal(text, "hello world\n");
    rc = peer_shutdown(peer);
    assert_int_equal(rc, 0);
}

static int carries_over(void *arg)
{
    cora_ssl_context *servers = tls_server(), *client = tls_client();
    cora_server *server;
    cora_task *peer;
    int rc;

    (void)arg;
    rc = cora_start_server(handle_client, servers, "127.0.0.1", "0", NULL, &server);
    assert_int_equal(rc, 0);
    peer = run_peer(begin_with_a_line, client, port_of(server));
    rc = cora_await_unref(peer);
    assert_int_equal(rc, 0);
    end(server);
    cora_ssl_context_unref(servers);
    cora_ssl_context_unref(client);
    return 0;
}

TEST(StreamTests_test_start_tls_buffered_data)
{
    run(carries_over, NULL);
}
