/* CPython's test_events.py: TLS. */
#include "support/protocol.h"
#include "support/server.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/tls.h"
#include "support/virtual.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <unistd.h>

static int expected_reports;

static void run(cora_task_fn *fn, void *arg)
{
    int before = count_descriptors();
    int rc = run_virtual(fn, arg);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, expected_reports);
    assert_int_equal(count_descriptors(), before);
}

static const char *port_of(const cora_server *server)
{
    static char text[8];
    cora_address address = server_address(server);

    snprintf(text, sizeof text, "%u", ntohs(((struct sockaddr_in *)&address.storage)->sin_port));
    return text;
}

static void check_extra_info(const cora_transport *transport, bool with_names)
{
    const cora_address *peername = cora_transport_get_extra_info(transport, "peername");
    SSL *ssl = (SSL *)cora_transport_get_extra_info(transport, "ssl_object");

    assert_non_null(ssl);
    assert_string_equal(cora_transport_get_extra_info(transport, "cipher"),
                        SSL_get_cipher_name(ssl));
    assert_null(cora_transport_get_extra_info(transport, "compression"));
    assert_ptr_equal(cora_transport_get_extra_info(transport, "peercert"),
                     SSL_get0_peer_certificate(ssl));
    assert_non_null(cora_transport_get_extra_info(transport, "socket"));
    if (with_names) {
        assert_non_null(cora_transport_get_extra_info(transport, "sockname"));
        assert_int_equal(ntohl(((const struct sockaddr_in *)&peername->storage)->sin_addr.s_addr),
                         INADDR_LOOPBACK);
    }
}

/* ---- connections that we make ---------------------------------------------------------------- */

static void answer_a_request(struct tls_peer *peer, void *arg)
{
    char buffer[100];

    if (peer_start_tls(peer, arg, true) < 0)
        return;
    while (peer_read(peer, buffer, sizeof buffer) > 0)
        continue;
}

/* By a context that checks nothing, and by the default one, to whom this server is unknown. */
static void connect_both_ways(const struct peer_server *server, const char *path)
{
    cora_ssl_context *trusting = tls_trusting_client();
    cora_ssl_options ssl = {.context = trusting, .server_hostname = path != NULL ? "" : NULL};
    cora_connection_options options = {.ssl = &ssl};
    cora_ssl_failure failure = {0};

    for (int i = 0; i < 2; i++) {
        struct recorder recorder = {.silent = true};
        cora_transport *transport = NULL;
        int rc = path != NULL
                     ? cora_create_unix_connection(record, &recorder, path, &options, &transport)
                     : cora_create_connection(record, &recorder, "127.0.0.1", server->port,
                                              &options, &transport);

        assert_int_equal(rc, i == 0 ? 0 : -CORA_ECERTVERIFY);
        if (i == 0) {
            check_extra_info(transport, path == NULL);
            cora_transport_abort(transport);
            wait_lost(&recorder);
            cora_transport_unref(transport);
        }
        ssl = (cora_ssl_options){.server_hostname = path != NULL ? "127.0.0.1" : NULL,
                                 .failure = &failure};
    }
    assert_int_equal(failure.verify_result, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    cora_ssl_context_unref(trusting);
}

static int connects(void *arg)
{
    bool is_unix = *(bool *)arg;
    cora_ssl_context *context = tls_server();
    struct peer_server server;

    if (is_unix)
        start_peers_at(&server, answer_a_request, context, 2, socket_path());
    else
        start_peers(&server, answer_a_request, context, 2);
    connect_both_ways(&server, is_unix ? socket_path() : NULL);
    stop_peers(&server);
    cora_ssl_context_unref(context);
    return 0;
}

TEST(EventLoopTestsMixin_test_create_ssl_connection)
{
    run(connects, &(bool){false});
}

TEST(EventLoopTestsMixin_test_create_ssl_unix_connection)
{
    run(connects, &(bool){true});
}

/* ---- a socket that somebody else has accepted ------------------------------------------------ */

static void say_test_data(struct tls_peer *peer, void *arg)
{
    char text[8];
    int rc = peer_start_tls(peer, arg, false);

    assert_int_equal(rc, 0);
    peer_send_text(peer, "test data");
    assert_int_equal(peer_read_text(peer, text, 5), 5);
    assert_string_equal(text, "roger");
    rc = peer_shutdown(peer);
    assert_int_equal(rc, 0);
}

static int connects_an_accepted_socket(void *arg)
{
    cora_ssl_options ssl = {.context = tls_server()};
    cora_ssl_context *client = tls_client();
    struct sockaddr_in address;
    int listener = make_listener(&address, 1), fd, rc;
    struct recorder recorder = {0};
    cora_task *peer = run_peer(say_test_data, client, ntohs(address.sin_port));

    (void)arg;
    fd = cora_sock_accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    rc = cora_connect_accepted_socket_ssl(record, &recorder, fd, &ssl, NULL);
    assert_int_equal(rc, 0);
    wait_received(&recorder, 9);
    rc = cora_transport_write(recorder.transport, "roger", 5);
    assert_int_equal(rc, 0);
    wait_lost(&recorder);
    rc = cora_await_unref(peer);
    assert_int_equal(rc, 0);
    close_fd(listener);
    cora_ssl_context_unref(ssl.context);
    cora_ssl_context_unref(client);
    return 0;
}

TEST(EventLoopTestsMixin_test_ssl_connect_accepted_socket)
{
    run(connects_an_accepted_socket, NULL);
    assert_string_equal(trace_text, "made data test data eof lost ");
}

/* ---- servers -------------------------------------------------------------------------------- */

struct meeting {
    bool is_unix;
    bool trusting;        /* the client checks nothing; or only ... */
    const char *trusted;  /* ... certificates of this one; NULL: of those whom the system knows */
    const char *hostname; /* NULL: the host's */
    int result;           /* of the client's call */
    int verify_result;
};

static cora_ssl_context *client_context(const struct meeting *meeting)
{
    cora_ssl_context *context;
    int rc;

    if (meeting->trusting)
        return tls_trusting_client();
    rc = cora_ssl_create_default_context(&context, CORA_SSL_SERVER_AUTH,
                                         meeting->trusted != NULL ? tls_file(meeting->trusted)
                                                                  : NULL);
    assert_int_equal(rc, 0);
    return context;
}

static int connect_client(const struct meeting *meeting, const cora_server *server,
                          struct recorder *client, cora_ssl_options *ssl)
{
    cora_connection_options options = {.ssl = ssl};

    return meeting->is_unix
               ? cora_create_unix_connection(record, client, socket_path(), &options, NULL)
               : cora_create_connection(record, client, "127.0.0.1", port_of(server), &options,
                                        NULL);
}

static void say_xxx(struct lobby *lobby, struct recorder *client, bool is_unix)
{
    struct recorder *guest = &lobby->guests[0];
    int rc = cora_transport_write(client->transport, "xxx", 3);

    assert_int_equal(rc, 0);
    wait_guests(lobby, 1);
    wait_received(guest, 3);
    check_extra_info(client->transport, !is_unix);
    cora_transport_close(guest->transport);
    wait_lost(guest);
    wait_lost(client);
    assert_int_equal(guest->error, 0);
}

static void end(cora_server *server)
{
    int rc;

    cora_server_close(server);
    rc = cora_server_wait_closed(server);
    assert_int_equal(rc, 0);
    cora_server_unref(server);
}

static int meet(void *arg)
{
    const struct meeting *meeting = arg;
    cora_ssl_options server_ssl = {.context = tls_server()};
    cora_server_options options = {.ssl = &server_ssl};
    cora_ssl_failure failure = {0};
    cora_ssl_options ssl = {.context = client_context(meeting),
                            .server_hostname = meeting->hostname,
                            .failure = &failure};
    struct lobby lobby = {0};
    struct recorder client = {0};
    cora_server *server = NULL;
    int rc = 0;

    if (meeting->is_unix)
        rc = cora_create_unix_server(record_next, &lobby, socket_path(), &options, &server);
    else
        server = serve_lobby(&lobby, &options);
    assert_int_equal(rc, 0);
    rc = connect_client(meeting, server, &client, &ssl);
    assert_int_equal(rc, meeting->result);
    assert_int_equal(failure.verify_result, meeting->verify_result);
    if (rc == 0)
        say_xxx(&lobby, &client, meeting->is_unix);
    end(server);
    if (rc < 0)
        assert_int_equal(lobby.guests[0].made, 0);
    cora_ssl_context_unref(server_ssl.context);
    cora_ssl_context_unref(ssl.context);
    return 0;
}

TEST(EventLoopTestsMixin_test_create_server_ssl)
{
    run(meet, &(struct meeting){.trusting = true});
}

TEST(EventLoopTestsMixin_test_create_unix_server_ssl)
{
    run(meet, &(struct meeting){.is_unix = true, .trusting = true, .hostname = ""});
}

/* The server's handshake fails, too, and is reported. */
TEST(EventLoopTestsMixin_test_create_server_ssl_verify_failed)
{
    expected_reports = 1;
    run(meet, &(struct meeting){.result = -CORA_ECERTVERIFY,
                                .verify_result = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY});
}

TEST(EventLoopTestsMixin_test_create_unix_server_ssl_verify_failed)
{
    expected_reports = 1;
    run(meet, &(struct meeting){.is_unix = true,
                                .hostname = "invalid",
                                .result = -CORA_ECERTVERIFY,
                                .verify_result = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY});
}

TEST(EventLoopTestsMixin_test_create_server_ssl_match_failed)
{
    expected_reports = 1;
    run(meet, &(struct meeting){.trusted = "ca.pem",
                                .hostname = "127.0.0.2",
                                .result = -CORA_ECERTVERIFY,
                                .verify_result = X509_V_ERR_IP_ADDRESS_MISMATCH});
}

TEST(EventLoopTestsMixin_test_create_unix_server_ssl_verified)
{
    run(meet, &(struct meeting){.is_unix = true, .trusted = "ca.pem", .hostname = "localhost"});
}

TEST(EventLoopTestsMixin_test_create_server_ssl_verified)
{
    run(meet, &(struct meeting){.trusted = "ca.pem", .hostname = "localhost"});
}
