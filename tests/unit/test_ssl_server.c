/* TLS where connections are made and accepted: by hosts and paths, by servers, by streams. */
#include "support/server.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/tls.h"
#include "support/virtual.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* Runs the body of a test, which returns 0, and leaves as many descriptors as there were. */
static void run(cora_task_fn *fn, void *arg)
{
    int before = count_descriptors();
    int rc = run_virtual(fn, arg);

    assert_int_equal(rc, 0);
    assert_int_equal(count_descriptors(), before);
}

/* Both sides' contexts, and how to use them. */
struct setting {
    cora_ssl_context *server_context, *client_context;
    cora_ssl_options server_ssl, client_ssl;
    cora_server_options server;
    cora_connection_options client;
};

static void init_setting(struct setting *setting)
{
    *setting = (struct setting){.server_context = tls_server(), .client_context = tls_client()};
    setting->server_ssl.context = setting->server_context;
    setting->client_ssl.context = setting->client_context;
    setting->server.ssl = &setting->server_ssl;
    setting->client.ssl = &setting->client_ssl;
}

static void clear_setting(struct setting *setting)
{
    cora_ssl_context_unref(setting->server_context);
    cora_ssl_context_unref(setting->client_context);
}

static const char *port_of(const cora_server *server)
{
    static char text[8];
    cora_address address = server_address(server);

    snprintf(text, sizeof text, "%u", ntohs(((struct sockaddr_in *)&address.storage)->sin_port));
    return text;
}

static void end(cora_server *server)
{
    int rc;

    cora_server_close(server);
    rc = cora_server_wait_closed(server);
    assert_int_equal(rc, 0);
    cora_server_unref(server);
}

/* ---- protocols ------------------------------------------------------------------------------ */

static void talk(struct recorder *client, struct recorder *server)
{
    int rc = cora_transport_write(client->transport, "hello", 5);

    assert_int_equal(rc, 0);
    wait_received(server, 5);
    rc = cora_transport_write(server->transport, "bye", 3);
    assert_int_equal(rc, 0);
    wait_received(client, 3);
    cora_transport_close(client->transport);
    wait_lost(client);
    wait_lost(server);
}

static int serves(void *arg)
{
    struct setting setting;
    struct lobby lobby = {0};
    struct recorder client = {0};
    cora_server *server;
    int rc;

    init_setting(&setting);
    server = serve_lobby(&lobby, &setting.server);
    rc = cora_create_connection(record, &client, arg, port_of(server), &setting.client, NULL);
    assert_int_equal(rc, 0);
    wait_guests(&lobby, 1);
    assert_non_null(cora_transport_get_extra_info(lobby.guests[0].transport, "ssl_object"));
    talk(&client, &lobby.guests[0]);
    end(server);
    clear_setting(&setting);
    return 0;
}

TEST(a_host_is_verified_by_the_name_that_was_asked_for)
{
    run(serves, "localhost");
    assert_string_equal(trace_text, "made made data hello data bye eof lost lost ");
    assert_int_equal(reports.count, 0);
}

TEST(or_by_its_address)
{
    run(serves, "127.0.0.1");
    assert_int_equal(reports.count, 0);
}

static int serves_at_a_path(void *arg)
{
    struct setting setting;
    struct lobby lobby = {0};
    struct recorder client = {0};
    cora_server *server;
    int rc;

    (void)arg;
    init_setting(&setting);
    rc = cora_create_unix_server(record_next, &lobby, socket_path(), &setting.server, &server);
    assert_int_equal(rc, 0);
    rc = cora_create_unix_connection(record, &client, socket_path(), &setting.client, NULL);
    assert_int_equal(rc, -EINVAL); /* whom should it be verified for? */
    setting.client_ssl.server_hostname = "localhost";
    rc = cora_create_unix_connection(record, &client, socket_path(), &setting.client, NULL);
    assert_int_equal(rc, 0);
    wait_guests(&lobby, 1);
    talk(&client, &lobby.guests[0]);
    end(server);
    clear_setting(&setting);
    return 0;
}

TEST(at_a_path_the_name_is_said)
{
    run(serves_at_a_path, NULL);
    assert_int_equal(reports.count, 0);
}

static int refuses_one_of_three(void *arg)
{
    struct setting setting;
    struct lobby lobby = {0};
    struct recorder clients[3] = {{.silent = true}, {.silent = true}, {.silent = true}};
    cora_server *server;
    int fd, rc;

    (void)arg;
    init_setting(&setting);
    server = serve_lobby(&lobby, &setting.server);
    for (int i = 0; i < 3; i++) {
        setting.client_ssl.server_hostname = i == 1 ? "example.org" : NULL;
        rc = cora_create_connection(record, &clients[i], "localhost", port_of(server),
                                    &setting.client, NULL);
        assert_int_equal(rc, i == 1 ? -CORA_ECERTVERIFY : 0);
    }
    wait_guests_lost(&lobby, 1);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -CORA_ESSL);
    assert_string_not_equal(reports.message, "SSL handshake failed: ");
    fd = connect_server(server);
    put(fd, "this is no TLS");
    wait_guests_lost(&lobby, 2);
    assert_int_equal(reports.count, 2);
    assert_string_equal(reports.message, "SSL handshake failed: wrong version number");
    close_fd(fd);
    wait_received(&lobby.guests[0], 0);
    talk(&clients[0], &lobby.guests[0]);
    talk(&clients[2], &lobby.guests[2]);
    end(server);
    clear_setting(&setting);
    return 0;
}

TEST(a_handshake_that_fails_is_reported_and_harms_nobody_else)
{
    run(refuses_one_of_three, NULL);
    assert_int_equal(reports.count, 2);
}

/* Takes the number of the descriptor that was just closed. */
struct grabber {
    cora_protocol protocol;
    int fd;
};

static void grab(void *arg)
{
    ((struct grabber *)arg)->fd = dup(0);
}

static void grab_soon(cora_protocol *self, int error)
{
    int rc = cora_loop_call_soon(cora_get_running_loop(), grab, self, NULL);

    (void)error;
    assert_int_equal(rc, 0);
}

static cora_protocol *make_grabber(void *arg)
{
    static const cora_protocol_methods methods = {.connection_lost = grab_soon};
    struct grabber *self = arg;

    self->protocol.methods = &methods;
    return &self->protocol;
}

static int closes_once(void *arg)
{
    struct setting setting;
    struct lobby lobby = {0};
    struct grabber grabber = {.fd = -1};
    cora_server *server;
    int rc;

    (void)arg;
    init_setting(&setting);
    setting.client_ssl.server_hostname = "example.org";
    server = serve_lobby(&lobby, &setting.server);
    rc = cora_create_connection(make_grabber, &grabber, "localhost", port_of(server),
                                &setting.client, NULL);
    assert_int_equal(rc, -CORA_ECERTVERIFY);
    assert_true(fcntl(grabber.fd, F_GETFD) >= 0);
    close_fd(grabber.fd);
    end(server);
    clear_setting(&setting);
    return 0;
}

TEST(a_handshake_that_fails_closes_its_socket_once)
{
    run(closes_once, NULL);
}

static int closes_its_clients(void *arg)
{
    struct setting setting;
    struct lobby lobby = {0};
    struct recorder client = {0};
    cora_server *server;
    bool abort = *(bool *)arg;
    int fd, rc;

    init_setting(&setting);
    server = serve_lobby(&lobby, &setting.server);
    rc = cora_create_connection(record, &client, "localhost", port_of(server), &setting.client,
                                NULL);
    assert_int_equal(rc, 0);
    fd = connect_server(server); /* which says nothing */
    wait_arrivals(&lobby, 2);
    cora_server_close(server);
    if (abort)
        cora_server_abort_clients(server);
    else
        cora_server_close_clients(server);
    rc = cora_server_wait_closed(server);
    assert_int_equal(rc, 0);
    wait_lost(&client);
    assert_int_equal(client.error, abort ? -CORA_ESSLEOF : 0);
    assert_int_equal(lobby.guests[0].lost, 1);
    assert_int_equal(lobby.guests[1].lost, 1);
    assert_int_equal(lobby.guests[1].made, 0);
    close_fd(fd);
    cora_server_unref(server);
    clear_setting(&setting);
    return 0;
}

TEST(a_server_closes_its_clients_those_in_their_handshake_too)
{
    run(closes_its_clients, &(bool){false});
    assert_int_equal(reports.count, 0);
}

TEST(or_aborts_them)
{
    run(closes_its_clients, &(bool){true});
    assert_int_equal(reports.count, 0);
}

static int keeps_what_it_needs(void *arg)
{
    struct lobby lobby = {0};
    struct recorder client = {0};
    cora_ssl_options ssl = {.context = tls_server(), .ssl_handshake_timeout = 3};
    cora_server_options options = {.ssl = &ssl};
    cora_server *server = serve_lobby(&lobby, &options);
    double began = cora_loop_time(cora_get_running_loop());
    cora_ssl_context *context = tls_client();
    int fd, rc;

    (void)arg;
    cora_ssl_context_unref(ssl.context);
    ssl = (cora_ssl_options){.context = context, .server_hostname = "localhost"};
    rc = cora_create_connection(record, &client, "localhost", port_of(server),
                                &(cora_connection_options){.ssl = &ssl}, NULL);
    assert_int_equal(rc, 0);
    wait_guests(&lobby, 1);
    fd = connect_server(server);
    wait_arrivals(&lobby, 2);
    wait_lost(&lobby.guests[1]);
    assert_true(cora_loop_time(cora_get_running_loop()) == began + 3);
    assert_int_equal(lobby.guests[1].error, -ECONNABORTED);
    assert_string_equal(reports.message, "SSL handshake failed: it has taken too long");
    close_fd(fd);
    talk(&client, &lobby.guests[0]);
    end(server);
    cora_ssl_context_unref(context);
    return 0;
}

TEST(a_server_keeps_what_it_needs_of_its_options)
{
    run(keeps_what_it_needs, NULL);
    assert_int_equal(reports.count, 1);
}

static int asks_wrongly(void *arg)
{
    cora_ssl_options ssl = {0};
    cora_server_options server = {.ssl = &ssl};
    cora_connection_options client = {.ssl = &ssl};
    cora_server *created;
    int rc;

    (void)arg;
    rc = cora_create_server(record_next, NULL, "127.0.0.1", "0", &server, &created);
    assert_int_equal(rc, -EINVAL); /* no context */
    rc = cora_create_unix_server(record_next, NULL, socket_path(), &server, &created);
    assert_int_equal(rc, -EINVAL);
    rc = cora_create_connection(record, NULL, NULL, "443", &client, NULL);
    assert_int_equal(rc, -EINVAL); /* no name */
    ssl.ssl_shutdown_timeout = -1;
    rc = cora_create_connection(record, NULL, "localhost", "443", &client, NULL);
    assert_int_equal(rc, -EINVAL);
    return 0;
}

TEST(what_makes_no_sense_is_refused)
{
    run(asks_wrongly, NULL);
}

/* ---- a server's connection that goes over to TLS --------------------------------------------- */

struct upgrade {
    struct recorder *guest;
    const cora_ssl_options *ssl;
};

static int upgrade(void *arg)
{
    struct upgrade *a = arg;
    cora_transport *transport;
    int rc = cora_start_tls(a->guest->transport, &a->guest->protocol, a->ssl, true, &transport);

    if (rc < 0)
        return rc;
    a->guest->transport = transport;
    cora_transport_unref(transport); /* it keeps itself */
    return 0;
}

static int upgrades(void *arg)
{
    struct setting setting;
    struct lobby lobby = {0};
    struct tls_peer peer;
    cora_server *server = serve_lobby(&lobby, NULL);
    int fd = connect_server(server), rc;
    char byte;
    cora_task *task;

    (void)arg;
    init_setting(&setting);
    wait_guests(&lobby, 1);
    peer_init(&peer, fd, setting.client_context, false);
    task = cora_create_task_arg(
        upgrade, (&(struct upgrade){.guest = &lobby.guests[0], .ssl = &setting.server_ssl}));
    rc = peer_handshake(&peer);
    assert_int_equal(rc, 0);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    cora_server_close(server);
    cora_server_close_clients(server);
    assert_int_equal(peer_read(&peer, &byte, 1), 0); /* a close_notify, no mere end */
    rc = peer_send_close_notify(&peer);
    assert_int_equal(rc, 0);
    end(server);
    assert_int_equal(lobby.guests[0].lost, 1);
    peer_close(&peer);
    clear_setting(&setting);
    return 0;
}

TEST(a_connection_that_goes_over_to_tls_stays_its_servers)
{
    run(upgrades, NULL);
    assert_string_equal(trace_text, "made lost ");
}

/* ---- streams -------------------------------------------------------------------------------- */

struct client {
    cora_stream_reader *reader;
    cora_stream_writer *writer;
};

static void send_line(const struct client *client, const char *text)
{
    int rc = cora_stream_writer_write(client->writer, text, strlen(text));

    assert_int_equal(rc, 0);
    rc = cora_stream_writer_drain(client->writer);
    assert_int_equal(rc, 0);
}

static void expect_line(const struct client *client, const char *text)
{
    char *line = NULL;
    ssize_t size = cora_stream_reader_readline(client->reader, &line);

    assert_int_equal(size, strlen(text));
    assert_memory_equal(line, text, strlen(text));
}

static void leave(struct client *client)
{
    int rc;

    cora_stream_writer_close(client->writer);
    rc = cora_stream_writer_wait_closed(client->writer);
    assert_int_equal(rc, 0);
    cora_stream_writer_unref(client->writer);
}

/* Echoes lines; goes over to TLS after "STARTTLS", with arg. */
static int echo(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    char *line;
    ssize_t size;
    int rc = 0;

    while (rc == 0 && (size = cora_stream_reader_readline(reader, &line)) > 0) {
        bool start = strncmp(line, "STARTTLS\n", (size_t)size) == 0;

        rc = cora_stream_writer_write(writer, line, (size_t)size);
        if (rc == 0 && start)
            rc = cora_stream_writer_start_tls(writer, arg);
    }
    trace("over %s", rc < 0 ? cora_strerrorname(rc) : cora_strerrorname((int)size));
    return rc < 0 ? rc : (int)size;
}

static int echoes(void *arg)
{
    struct setting setting;
    struct client client = {0};
    cora_server *server;
    unsigned char *big = make_big(), *back = malloc(BIG);
    int rc;

    (void)arg;
    init_setting(&setting);
    rc = cora_start_server(echo, NULL, "127.0.0.1", "0", &setting.server, &server);
    assert_int_equal(rc, 0);
    rc = cora_open_connection("localhost", port_of(server), &setting.client, &client.reader,
                              &client.writer);
    assert_int_equal(rc, 0);
    send_line(&client, "hello\n");
    expect_line(&client, "hello\n");
    for (size_t i = 0; i < BIG; i += 4096) {
        big[i + 4095] = '\n';
        rc = cora_stream_writer_write(client.writer, big + i, 4096);
        assert_int_equal(rc, 0);
    }
    rc = cora_stream_reader_readexactly(client.reader, back, BIG);
    assert_int_equal(rc, 0);
    assert_memory_equal(big, back, BIG);
    free(big);
    free(back);
    leave(&client);
    end(server);
    clear_setting(&setting);
    return 0;
}

TEST(streams_are_over_tls_as_they_are_without)
{
    run(echoes, NULL);
    assert_string_equal(trace_text, "over 0 ");
    assert_int_equal(reports.count, 0);
}

static int goes_over(void *arg)
{
    struct setting setting;
    struct client client = {0};
    cora_server *server;
    int rc;

    (void)arg;
    init_setting(&setting);
    rc = cora_start_server(echo, &setting.server_ssl, "127.0.0.1", "0", NULL, &server);
    assert_int_equal(rc, 0);
    rc = cora_open_connection("127.0.0.1", port_of(server), NULL, &client.reader, &client.writer);
    assert_int_equal(rc, 0);
    send_line(&client, "STARTTLS\n");
    expect_line(&client, "STARTTLS\n");
    assert_null(cora_stream_writer_get_extra_info(client.writer, "sslcontext"));
    rc = cora_stream_writer_start_tls(client.writer, &setting.client_ssl);
    assert_int_equal(rc, -EINVAL); /* no name: it stays as it is */
    setting.client_ssl.server_hostname = "localhost";
    rc = cora_stream_writer_start_tls(client.writer, &setting.client_ssl);
    assert_int_equal(rc, 0);
    assert_ptr_equal(cora_stream_writer_get_extra_info(client.writer, "sslcontext"),
                     setting.client_context);
    send_line(&client, "secret\n");
    expect_line(&client, "secret\n");
    leave(&client);
    end(server);
    clear_setting(&setting);
    return 0;
}

TEST(a_stream_goes_over_to_tls)
{
    run(goes_over, NULL);
    assert_string_equal(trace_text, "over 0 ");
    assert_int_equal(reports.count, 0);
}

static int is_refused(void *arg)
{
    struct setting setting;
    struct client client = {0};
    cora_server *server;
    char *line;
    int rc;

    (void)arg;
    init_setting(&setting);
    rc = cora_start_server(echo, &setting.server_ssl, "127.0.0.1", "0", NULL, &server);
    assert_int_equal(rc, 0);
    rc = cora_open_connection("127.0.0.1", port_of(server), NULL, &client.reader, &client.writer);
    assert_int_equal(rc, 0);
    send_line(&client, "STARTTLS\n");
    expect_line(&client, "STARTTLS\n");
    setting.client_ssl.server_hostname = "example.org";
    rc = cora_stream_writer_start_tls(client.writer, &setting.client_ssl);
    assert_int_equal(rc, -CORA_ECERTVERIFY);
    assert_int_equal(cora_stream_reader_readline(client.reader, &line), -CORA_ECERTVERIFY);
    assert_int_equal(cora_stream_writer_wait_closed(client.writer), -CORA_ECERTVERIFY);
    cora_stream_writer_unref(client.writer);
    end(server);
    clear_setting(&setting);
    return 0;
}

TEST(a_stream_whose_handshake_fails_fails)
{
    run(is_refused, NULL);
    assert_string_equal(trace_text, "over CORA_ESSL ");
    assert_string_equal(reports.message, "Unhandled exception in client_connected_cb");
}

/* The request and the first of the handshake come in one piece. */
static int carries_over(void *arg)
{
    struct setting setting;
    struct tls_peer peer;
    BIO *memory = BIO_new(BIO_s_mem());
    cora_server *server;
    char *data, text[100];
    long size;
    int fd, rc;

    (void)arg;
    init_setting(&setting);
    rc = cora_start_server(echo, &setting.server_ssl, "127.0.0.1", "0", NULL, &server);
    assert_int_equal(rc, 0);
    fd = connect_server(server);
    peer_init(&peer, fd, setting.client_context, false);
    BIO_puts(memory, "STARTTLS\n");
    SSL_set0_wbio(peer.ssl, memory);
    assert_true(SSL_do_handshake(peer.ssl) < 0);
    size = BIO_get_mem_data(memory, &data);
    assert_true(size > 100);
    assert_int_equal(send(fd, data, (size_t)size, 0), size);
    while ((rc = (int)recv(fd, text, 9, 0)) < 0) {
        rc = rest(1);
        assert_int_equal(rc, 0);
    }
    assert_int_equal(rc, 9); /* the echo, in plain text */
    SSL_set_fd(peer.ssl, fd);
    rc = peer_handshake(&peer);
    assert_int_equal(rc, 0);
    rc = peer_write(&peer, "secret\n");
    assert_int_equal(rc, 0);
    assert_int_equal(peer_read_text(&peer, text, 7), 7);
    assert_string_equal(text, "secret\n");
    rc = peer_shutdown(&peer);
    assert_int_equal(rc, 0);
    end(server);
    peer_close(&peer);
    clear_setting(&setting);
    return 0;
}

TEST(what_a_stream_has_received_and_not_read_belongs_to_tls)
{
    run(carries_over, NULL);
    assert_string_equal(trace_text, "over 0 ");
    assert_int_equal(reports.count, 0);
}

static int slips_something_in(void *arg)
{
    struct setting setting;
    struct client client = {0};
    int fds[2], rc;

    (void)arg;
    init_setting(&setting);
    make_pair(fds);
    rc = cora_open_connection_sock(fds[0], NULL, &client.reader, &client.writer);
    assert_int_equal(rc, 0);
    put(fds[1], "220 go ahead\n250 and believe me\n");
    expect_line(&client, "220 go ahead\n");
    setting.client_ssl.server_hostname = "localhost";
    rc = cora_stream_writer_start_tls(client.writer, &setting.client_ssl);
    assert_int_equal(rc, -CORA_ESSL);
    cora_stream_writer_unref(client.writer);
    close_fd(fds[1]);
    clear_setting(&setting);
    return 0;
}

TEST(so_nobody_slips_a_plain_line_into_what_tls_protects)
{
    run(slips_something_in, NULL);
}

static int is_truncated(void *arg)
{
    struct setting setting;
    struct tls_peer peer;
    cora_server *server;
    char text[10];
    int fd, rc;

    (void)arg;
    init_setting(&setting);
    rc = cora_start_server(echo, NULL, "127.0.0.1", "0", &setting.server, &server);
    assert_int_equal(rc, 0);
    fd = connect_server(server);
    peer_init(&peer, fd, setting.client_context, false);
    rc = peer_handshake(&peer);
    assert_int_equal(rc, 0);
    rc = peer_write(&peer, "hello\ntrunc");
    assert_int_equal(rc, 0);
    assert_int_equal(peer_read_text(&peer, text, 6), 6);
    rc = shutdown(fd, SHUT_WR);
    assert_int_equal(rc, 0);
    end(server);
    peer_close(&peer);
    clear_setting(&setting);
    return 0;
}

TEST(a_stream_that_is_cut_off_fails_and_does_not_end)
{
    run(is_truncated, NULL);
    assert_string_equal(trace_text, "over CORA_ESSLEOF ");
    assert_string_equal(reports.message, "Unhandled exception in client_connected_cb");
    assert_int_equal(reports.error, -CORA_ESSLEOF);
}
