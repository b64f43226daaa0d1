/* Transports over TLS: what a connection is told, what it tells, and what it refuses. */
#include "support/protocol.h"
#include "support/sendfile.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/tls.h"
#include "support/virtual.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
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

/* ---- a client and a server of ours ---------------------------------------------------------- */

struct line {
    struct recorder client, server;
    cora_ssl_options client_ssl, server_ssl;
    cora_ssl_failure client_failure, server_failure;
    int server_rc; /* of its handshake */
    int fds[2];
};

static void init_line(struct line *line)
{
    *line = (struct line){
        .client_ssl = {.context = tls_client(), .server_hostname = "localhost"},
        .server_ssl = {.context = tls_server()},
    };
    line->client_ssl.failure = &line->client_failure;
    line->server_ssl.failure = &line->server_failure;
}

static int serve(void *arg)
{
    struct line *line = arg;

    line->server_rc = cora_connect_accepted_socket_ssl(record, &line->server, line->fds[1],
                                                       &line->server_ssl, NULL);
    return 0;
}

/* What the client's handshake returns. */
static int open_line(struct line *line)
{
    cora_connection_options options = {.ssl = &line->client_ssl};
    cora_task *server;
    int rc, served;

    make_pair(line->fds);
    server = cora_create_task_arg(serve, line);
    rc = cora_create_connection_sock(record, &line->client, line->fds[0], &options, NULL);
    served = cora_await_unref(server);
    assert_int_equal(served, 0);
    return rc;
}

static void close_line(struct line *line)
{
    if (line->client.transport != NULL)
        cora_transport_close(line->client.transport);
    wait_lost(&line->client);
    if (line->server.transport != NULL)
        cora_transport_close(line->server.transport);
    wait_lost(&line->server);
    cora_ssl_context_unref(line->client_ssl.context);
    cora_ssl_context_unref(line->server_ssl.context);
}

static int talks(void *arg)
{
    struct line line;
    struct iovec parts[2] = {{"by", 2}, {"e", 1}};
    int rc;

    (void)arg;
    init_line(&line);
    rc = open_line(&line);
    assert_int_equal(rc, 0);
    assert_int_equal(line.server_rc, 0);
    rc = cora_transport_write(line.client.transport, "hello", 5);
    assert_int_equal(rc, 0);
    assert_int_equal(wait_received(&line.server, 5), 0);
    rc = cora_transport_writelines(line.server.transport, parts, 2);
    assert_int_equal(rc, 0);
    assert_int_equal(wait_received(&line.client, 3), 0);
    assert_string_equal(line.client.text, "bye");
    cora_transport_close(line.client.transport);
    assert_true(cora_transport_is_closing(line.client.transport));
    close_line(&line);
    return 0;
}

TEST(data_comes_and_goes_and_a_close_is_the_peers_end)
{
    run(talks, NULL);
    assert_string_equal(trace_text, "made made data hello data bye eof lost lost ");
    assert_int_equal(reports.count, 0);
}

static const void *info(const struct recorder *recorder, const char *name)
{
    return cora_transport_get_extra_info(recorder->transport, name);
}

static int tells_of_itself(void *arg)
{
    static const char *const ours[] = {"h2", "http/1.1"}, *const theirs[] = {"spdy", "http/1.1"};
    struct line line;
    cora_transport *transport;
    int rc;

    (void)arg;
    init_line(&line);
    rc = cora_ssl_context_set_alpn_protocols(line.client_ssl.context, ours, 2);
    assert_int_equal(rc, 0);
    rc = cora_ssl_context_set_alpn_protocols(line.server_ssl.context, theirs, 2);
    assert_int_equal(rc, 0);
    rc = open_line(&line);
    assert_int_equal(rc, 0);
    assert_int_equal(SSL_version((SSL *)info(&line.client, "ssl_object")), TLS1_3_VERSION);
    assert_ptr_equal(info(&line.client, "sslcontext"), line.client_ssl.context);
    assert_int_equal(
        X509_check_host((X509 *)info(&line.client, "peercert"), "localhost", 0, 0, NULL), 1);
    assert_null(info(&line.server, "peercert"));
    assert_string_equal(info(&line.client, "cipher"), "TLS_AES_256_GCM_SHA384");
    assert_null(info(&line.client, "compression"));
    assert_string_equal(info(&line.client, "alpn_protocol"), "http/1.1");
    assert_string_equal(info(&line.server, "alpn_protocol"), "http/1.1");
    assert_int_equal(*(const int *)info(&line.client, "socket"), line.fds[0]);
    assert_null(info(&line.client, "weather"));
    assert_null(info(&line.client, "ssl_failure"));
    assert_false(cora_transport_can_write_eof(line.client.transport));
    assert_int_equal(cora_transport_write_eof(line.client.transport), -EOPNOTSUPP);
    transport = cora_transport_ref(line.client.transport);
    close_line(&line);
    assert_null(cora_transport_get_extra_info(transport, "ssl_object"));
    assert_null(cora_transport_get_extra_info(transport, "socket"));
    cora_transport_unref(transport);
    return 0;
}

TEST(a_connection_tells_of_its_tls_and_of_what_is_below_until_it_is_lost)
{
    run(tells_of_itself, NULL);
}

static int has_no_protocol(void *arg)
{
    static const char *const ours[] = {"h2"}, *const theirs[] = {"spdy"};
    struct line line;
    int rc;

    (void)arg;
    init_line(&line);
    rc = cora_ssl_context_set_alpn_protocols(line.client_ssl.context, ours, 1);
    assert_int_equal(rc, 0);
    rc = cora_ssl_context_set_alpn_protocols(line.server_ssl.context, theirs, 1);
    assert_int_equal(rc, 0);
    rc = open_line(&line);
    assert_int_equal(rc, 0);
    assert_null(info(&line.client, "alpn_protocol"));
    assert_null(info(&line.server, "alpn_protocol"));
    close_line(&line);
    return 0;
}

TEST(without_a_common_protocol_there_is_none)
{
    run(has_no_protocol, NULL);
}

/* ---- whom to trust -------------------------------------------------------------------------- */

struct trust {
    const char *hostname;
    const char *trusted;     /* by the client; NULL: the test's CA */
    bool default_context;    /* the system's */
    bool unchecked;          /* by the client */
    const char *certificate; /* of the client; NULL: none */
    int mode;                /* of the server */
    int version;             /* at least, of the server; 0: any */
    /* What comes of it. */
    int client, server;
    const char *text; /* of the one who has refused; NULL: whatever this OpenSSL says */
};

static void give_certificate(cora_ssl_context *context, const char *name)
{
    char certificate[32], key[32];
    int rc;

    snprintf(certificate, sizeof certificate, "%s.pem", name);
    snprintf(key, sizeof key, "%s.key", name);
    rc = cora_ssl_context_load_cert_chain(context, tls_file(certificate), tls_file(key), NULL);
    assert_int_equal(rc, 0);
}

static void set_up_trust(struct line *line, const struct trust *trust)
{
    int rc = cora_ssl_context_load_verify_locations(line->server_ssl.context, tls_file("ca.pem"),
                                                    NULL, NULL);

    assert_int_equal(rc, 0);
    rc = cora_ssl_context_set_verify_mode(line->server_ssl.context, trust->mode);
    assert_int_equal(rc, 0);
    line->client_ssl.server_hostname = trust->hostname;
    if (trust->default_context || trust->trusted != NULL || trust->unchecked) {
        cora_ssl_context_unref(line->client_ssl.context);
        line->client_ssl.context = NULL;
    }
    if (trust->trusted != NULL) {
        rc = cora_ssl_create_default_context(&line->client_ssl.context, CORA_SSL_SERVER_AUTH,
                                             tls_file(trust->trusted));
        assert_int_equal(rc, 0);
    }
    if (trust->unchecked)
        line->client_ssl.context = tls_trusting_client();
    if (trust->certificate != NULL)
        give_certificate(line->client_ssl.context, trust->certificate);
    if (trust->version != 0) {
        rc = cora_ssl_context_set_minimum_version(line->server_ssl.context, trust->version);
        assert_int_equal(rc, 0);
        SSL_CTX_set_max_proto_version(cora_ssl_context_get_ssl_ctx(line->server_ssl.context),
                                      trust->version);
    }
}

static void assert_text(const cora_ssl_failure *failure, const char *expected)
{
    if (expected != NULL)
        assert_string_equal(failure->text, expected);
    assert_string_not_equal(failure->text, "");
}

static int is_trusted(void *arg)
{
    const struct trust *trust = arg;
    struct line line;
    int rc;

    init_line(&line);
    set_up_trust(&line, trust);
    rc = open_line(&line);
    assert_int_equal(rc, trust->client);
    assert_int_equal(line.server_rc, trust->server);
    if (trust->client < 0) {
        assert_int_equal(line.client.made, 0);
        assert_int_equal(line.client.error, trust->client);
        assert_text(&line.client_failure, trust->text);
        assert_int_equal(line.client_failure.verify_result != X509_V_OK,
                         trust->client == -CORA_ECERTVERIFY);
    }
    if (trust->server < 0)
        assert_int_equal(line.server.error, trust->server);
    if (trust->client == 0 && trust->server < 0)
        assert_text(&line.server_failure, trust->text);
    close_line(&line);
    assert_int_equal(ERR_peek_error(), 0); /* nothing is left for other users of OpenSSL */
    assert_int_equal(line.client.lost, 1);
    assert_int_equal(line.server.lost, 1);
    if (trust->client == 0 && trust->server < 0)
        assert_int_equal(line.client.error, -CORA_ESSL); /* it was told so by an alert */
    return 0;
}

static void assert_trust(struct trust trust)
{
    run(is_trusted, &trust);
    assert_int_equal(reports.count, 0);
}

TEST(a_server_is_who_its_certificate_says)
{
    assert_trust((struct trust){.hostname = "localhost"});
}

TEST(also_by_its_address)
{
    assert_trust((struct trust){.hostname = "127.0.0.1"});
}

TEST(who_is_trusted_may_sign_himself)
{
    assert_trust((struct trust){.hostname = "localhost", .trusted = "server.pem"});
}

TEST(a_certificate_for_another_name_is_refused)
{
    assert_trust((struct trust){.hostname = "example.org",
                                .client = -CORA_ECERTVERIFY,
                                .server = -CORA_ESSL,
                                .text = "hostname mismatch"});
}

TEST(or_for_another_address)
{
    assert_trust((struct trust){.hostname = "127.0.0.2",
                                .client = -CORA_ECERTVERIFY,
                                .server = -CORA_ESSL,
                                .text = "IP address mismatch"});
}

TEST(a_certificate_that_somebody_else_has_signed_is_refused)
{
    assert_trust((struct trust){.hostname = "localhost",
                                .trusted = "other.pem",
                                .client = -CORA_ECERTVERIFY,
                                .server = -CORA_ESSL,
                                .text = "self-signed certificate in certificate chain"});
}

TEST(and_by_the_default_context_too)
{
    assert_trust((struct trust){.hostname = "localhost",
                                .default_context = true,
                                .client = -CORA_ECERTVERIFY,
                                .server = -CORA_ESSL,
                                .text = "self-signed certificate in certificate chain"});
}

TEST(but_not_by_who_does_not_look)
{
    assert_trust((struct trust){.hostname = "", .unchecked = true});
}

TEST(a_client_may_be_asked_for_a_certificate)
{
    assert_trust((struct trust){.hostname = "localhost", .mode = CORA_CERT_OPTIONAL});
}

TEST(and_show_it)
{
    assert_trust((struct trust){
        .hostname = "localhost", .mode = CORA_CERT_REQUIRED, .certificate = "client"});
}

TEST(a_client_without_the_certificate_that_is_required_is_refused)
{
    assert_trust((struct trust){.hostname = "localhost",
                                .mode = CORA_CERT_REQUIRED,
                                .version = TLS1_3_VERSION,
                                .server = -CORA_ESSL,
                                .text = "peer did not return a certificate"});
}

TEST(and_one_with_a_wrong_certificate_even_where_it_may_have_none)
{
    assert_trust((struct trust){.hostname = "localhost",
                                .mode = CORA_CERT_OPTIONAL,
                                .version = TLS1_3_VERSION,
                                .certificate = "other",
                                .server = -CORA_ECERTVERIFY,
                                .text = "self-signed certificate"});
}

TEST(before_the_handshake_is_complete_for_either_in_TLS_1_2)
{
    assert_trust((struct trust){.hostname = "localhost",
                                .mode = CORA_CERT_REQUIRED,
                                .version = TLS1_2_VERSION,
                                .client = -CORA_ESSL,
                                .server = -CORA_ESSL});
}

/* ---- a peer by OpenSSL ---------------------------------------------------------------------- */

struct half {
    struct recorder recorder;
    struct tls_peer peer;
    cora_ssl_context *server, *client;
};

static int shake_hands(void *arg)
{
    return peer_handshake(arg);
}

/* Ours is the client. */
static void open_half(struct half *half, double shutdown_timeout)
{
    cora_ssl_options ssl = {.context = half->client = tls_client(),
                            .server_hostname = "localhost",
                            .ssl_shutdown_timeout = shutdown_timeout};
    cora_connection_options options = {.ssl = &ssl};
    cora_task *peer;
    int fds[2], rc;

    half->server = tls_server();
    make_pair(fds);
    peer_init(&half->peer, fds[1], half->server, true);
    peer = cora_create_task_arg(shake_hands, &half->peer);
    rc = cora_create_connection_sock(record, &half->recorder, fds[0], &options, NULL);
    assert_int_equal(rc, 0);
    rc = cora_await_unref(peer);
    assert_int_equal(rc, 0);
}

static void close_half(struct half *half)
{
    if (half->recorder.transport != NULL)
        cora_transport_abort(half->recorder.transport);
    wait_lost(&half->recorder);
    peer_close(&half->peer);
    cora_ssl_context_unref(half->server);
    cora_ssl_context_unref(half->client);
}

/* ---- flow control --------------------------------------------------------------------------- */

static int writes_much(void *arg)
{
    struct half half = {0};
    unsigned char *big = make_big();
    cora_transport *transport;
    size_t high, low;
    int rc;

    (void)arg;
    open_half(&half, 0);
    transport = half.recorder.transport;
    cora_transport_get_write_buffer_limits(transport, &high, &low);
    assert_int_equal(high, 512 << 10);
    assert_int_equal(low, 128 << 10);
    rc = cora_transport_write(transport, big, BIG);
    assert_int_equal(rc, 0);
    free(big);
    assert_true(cora_transport_get_write_buffer_size(transport) > 512 << 10);
    cora_transport_close(transport);
    assert_int_equal(peer_read_all(&half.peer), BIG);
    rc = peer_send_close_notify(&half.peer);
    assert_int_equal(rc, 0);
    wait_lost(&half.recorder);
    close_half(&half);
    return 0;
}

TEST(much_is_sent_as_the_peer_takes_it_and_close_waits_for_that)
{
    run(writes_much, NULL);
    assert_string_equal(trace_text, "made pause resume lost ");
}

struct sender_args {
    struct tls_peer *peer;
    size_t done;
};

/* All of the big data. */
static int sender(void *arg)
{
    struct sender_args *a = arg;
    unsigned char *big = make_big();
    int rc = 0;

    while (a->done < BIG && rc == 0) {
        size_t size = BIG - a->done < 10000 ? BIG - a->done : 10000;
        int sent = SSL_write(a->peer->ssl, big + a->done, (int)size);

        if (sent > 0)
            a->done += (size_t)sent;
        else
            rc = cora_wait_writable(a->peer->fd);
    }
    free(big);
    return rc < 0 ? rc : 0;
}

static int receives_much(void *arg)
{
    struct half half = {.recorder = {.silent = true}};
    struct sender_args args = {.peer = &half.peer};
    cora_task *task;
    size_t before;
    int rc;

    (void)arg;
    open_half(&half, 0);
    SSL_set_mode(half.peer.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE);
    cora_transport_pause_reading(half.recorder.transport);
    assert_false(cora_transport_is_reading(half.recorder.transport));
    task = cora_create_task_arg(sender, &args);
    rc = cora_sleep(0.5); /* all that can happen happens */
    assert_int_equal(rc, 0);
    before = args.done;
    assert_in_range(before, 256 << 10, 2 << 20); /* that much is held here, and in the socket */
    rc = cora_sleep(0.5);                        /* all that can happen happens */
    assert_int_equal(rc, 0);
    assert_int_equal(args.done, before);
    assert_int_equal(half.recorder.received, 0);
    cora_transport_resume_reading(half.recorder.transport);
    assert_int_equal(wait_received(&half.recorder, BIG), 0);
    assert_int_equal(half.recorder.received, BIG);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    close_half(&half);
    return 0;
}

TEST(no_more_is_received_than_a_protocol_that_has_paused_may_find_waiting)
{
    run(receives_much, NULL);
}

static int sets_limits(void *arg)
{
    struct half half = {0};
    size_t high, low;
    int rc;

    (void)arg;
    open_half(&half, 0);
    rc = cora_transport_set_write_buffer_limits(half.recorder.transport, 100, 200);
    assert_int_equal(rc, -EINVAL);
    rc = cora_transport_set_write_buffer_limits(half.recorder.transport, 1000, 100);
    assert_int_equal(rc, 0);
    rc = cora_transport_set_write_buffer_limits(half.recorder.transport, CORA_DEFAULT_LIMIT,
                                                CORA_DEFAULT_LIMIT);
    assert_int_equal(rc, 0);
    cora_transport_get_write_buffer_limits(half.recorder.transport, &high, &low);
    assert_int_equal(high, 512 << 10);
    assert_int_equal(low, 128 << 10);
    close_half(&half);
    return 0;
}

TEST(the_limits_of_its_buffer_are_its_own)
{
    run(sets_limits, NULL);
}

/* ---- a buffer of the protocol's own --------------------------------------------------------- */

struct small {
    cora_protocol protocol;
    char buffer[3], text[64];
    size_t length;
    bool lost;
    int answer;
};

static ssize_t get_buffer(cora_protocol *protocol, ssize_t size_hint, void **ret_buffer)
{
    struct small *self = (struct small *)protocol;

    (void)size_hint;
    *ret_buffer = self->buffer;
    return self->answer < 0 ? self->answer : (ssize_t)sizeof self->buffer;
}

static int buffer_updated(cora_protocol *protocol, size_t size)
{
    struct small *self = (struct small *)protocol;

    memcpy(self->text + self->length, self->buffer, size);
    self->length += size;
    return 0;
}

static void small_lost(cora_protocol *protocol, int error)
{
    ((struct small *)protocol)->lost = true;
    ((struct small *)protocol)->answer = error;
}

static const cora_protocol_methods small_methods = {
    .get_buffer = get_buffer,
    .buffer_updated = buffer_updated,
    .connection_lost = small_lost,
};

static int fills_buffers(void *arg)
{
    struct half half = {0};
    struct small small = {.protocol = {&small_methods}, .answer = *(int *)arg};
    cora_transport *transport;
    int rc;

    open_half(&half, 0);
    transport = cora_transport_ref(half.recorder.transport);
    cora_transport_set_protocol(transport, &small.protocol);
    assert_ptr_equal(cora_transport_get_protocol(transport), &small.protocol);
    rc = peer_write(&half.peer, "hello, world");
    assert_int_equal(rc, 0);
    rc = cora_sleep(0.5); /* all that can happen happens */
    assert_int_equal(rc, 0);
    if (small.answer == 0)
        assert_string_equal(small.text, "hello, world");
    assert_int_equal(small.lost, *(int *)arg < 0);
    cora_transport_set_protocol(transport, &half.recorder.protocol);
    if (small.lost) {
        assert_int_equal(small.answer, *(int *)arg);
        half.recorder.lost++;
        half.recorder.transport = NULL;
    }
    close_half(&half);
    cora_transport_unref(transport);
    return 0;
}

TEST(a_protocol_may_have_a_buffer_of_its_own_however_small)
{
    run(fills_buffers, &(int){0});
    assert_int_equal(reports.count, 0);
}

TEST(and_one_that_has_none_is_reported)
{
    run(fills_buffers, &(int){-ENOBUFS});
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.message, "Fatal error: protocol.get_buffer() call failed.");
}

static int fails_to_take_it(void *arg)
{
    struct half half = {.recorder = {.data_answer = -EILSEQ}};
    int rc;

    (void)arg;
    open_half(&half, 0);
    rc = peer_write(&half.peer, "hello");
    assert_int_equal(rc, 0);
    wait_lost(&half.recorder);
    close_half(&half);
    return 0;
}

TEST(a_protocol_that_fails_loses_its_connection)
{
    run(fails_to_take_it, NULL);
    assert_string_equal(trace_text, "made data hello lost EILSEQ ");
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.message, "Fatal error: protocol.data_received() call failed.");
}

/* ---- handshakes that come to nothing -------------------------------------------------------- */

struct attempt {
    void (*peer)(int fd); /* what it does at first; NULL: nothing */
    double timeout, cancelled_after;
    bool server_side;
    int result;
    const char *text;
};

static void hang_up(int fd)
{
    int rc = shutdown(fd, SHUT_WR);

    assert_int_equal(rc, 0);
}

static void talk_nonsense(int fd)
{
    put(fd, "220 mail.example.org\r\n");
}

struct connect_ssl_args {
    struct recorder *recorder;
    int fd;
    const cora_ssl_options *ssl;
    bool server_side;
};

static int connect_ssl(void *arg)
{
    struct connect_ssl_args *a = arg;
    cora_connection_options options = {.ssl = a->ssl};

    return a->server_side
               ? cora_connect_accepted_socket_ssl(record, a->recorder, a->fd, a->ssl, NULL)
               : cora_create_connection_sock(record, a->recorder, a->fd, &options, NULL);
}

static int attempts(void *arg)
{
    const struct attempt *attempt = arg;
    cora_loop *loop = cora_get_running_loop();
    struct recorder recorder = {0};
    cora_ssl_failure failure = {0};
    cora_ssl_options ssl = {.server_hostname = "localhost",
                            .ssl_handshake_timeout = attempt->timeout,
                            .failure = &failure};
    double began = cora_loop_time(loop);
    cora_task *task;
    int fds[2], rc = 0;

    ssl.context = attempt->server_side ? tls_server() : tls_client();
    make_pair(fds);
    if (attempt->peer != NULL)
        attempt->peer(fds[1]);
    task = cora_create_task(connect_ssl, .recorder = &recorder, .fd = fds[0], .ssl = &ssl,
                            .server_side = attempt->server_side);
    if (attempt->cancelled_after > 0) {
        rc = cora_sleep(attempt->cancelled_after);
        assert_int_equal(rc, 0);
        assert_true(cora_task_cancel(task));
    }
    rc = cora_await_unref(task);
    assert_int_equal(rc, attempt->result);
    if (attempt->timeout > 0)
        assert_true(cora_loop_time(loop) == began + attempt->timeout);
    assert_string_equal(failure.text, attempt->text);
    wait_lost(&recorder);
    assert_int_equal(recorder.made, 0);
    assert_int_equal(recorder.lost, 1);
    close_fd(fds[1]);
    cora_ssl_context_unref(ssl.context);
    return 0;
}

static void assert_attempt(struct attempt attempt)
{
    run(attempts, &attempt);
    assert_int_equal(reports.count, 0);
}

TEST(a_handshake_that_takes_too_long_is_given_up)
{
    assert_attempt(
        (struct attempt){.timeout = 5, .result = -ECONNABORTED, .text = "it has taken too long"});
}

TEST(so_it_is_on_the_servers_side)
{
    assert_attempt((struct attempt){.server_side = true,
                                    .timeout = 5,
                                    .result = -ECONNABORTED,
                                    .text = "it has taken too long"});
}

TEST(a_peer_that_hangs_up_in_the_handshake_has_reset_the_connection)
{
    assert_attempt((struct attempt){
        .peer = hang_up, .result = -ECONNRESET, .text = "unexpected eof while reading"});
}

TEST(a_peer_that_does_not_speak_tls_is_none)
{
    assert_attempt((struct attempt){
        .peer = talk_nonsense, .result = -CORA_ESSL, .text = "wrong version number"});
}

TEST(nor_is_a_client)
{
    assert_attempt((struct attempt){.peer = talk_nonsense,
                                    .server_side = true,
                                    .result = -CORA_ESSL,
                                    .text = "wrong version number"});
}

TEST(a_handshake_that_is_cancelled_ends_the_connection_and_says_nothing)
{
    assert_attempt((struct attempt){.cancelled_after = 1, .result = -ECANCELED, .text = ""});
}

static int stays_in_the_handshake(void *arg)
{
    struct connect_ssl_args *a = arg;
    cora_task *task = cora_create_task_arg(connect_ssl, a);
    int rc = cora_sleep(0.5); /* all that can happen happens */

    cora_task_unref(task);
    return rc;
}

TEST(a_loop_that_is_closed_loses_its_connections)
{
    struct recorder recorder = {0};
    cora_ssl_options ssl = {.context = tls_client(), .server_hostname = "localhost"};
    int fds[2], rc;

    make_pair(fds);
    rc = run_virtual(stays_in_the_handshake,
                     &(struct connect_ssl_args){&recorder, fds[0], &ssl, false});
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "lost ");
    close_fd(fds[1]);
    cora_ssl_context_unref(ssl.context);
}

static int stays_open(void *arg)
{
    open_half(arg, 0);
    return 0;
}

TEST(also_when_they_are_open)
{
    struct half half = {0};
    int rc = run_virtual(stays_open, &half);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "made lost CORA_ECLOSED ");
    peer_close(&half.peer);
    cora_ssl_context_unref(half.server);
    cora_ssl_context_unref(half.client);
}

/* ---- calls that are wrong ------------------------------------------------------------------- */

static int asks_wrongly(void *arg)
{
    cora_ssl_context *client = tls_client();
    cora_ssl_options ssl[] = {
        {.server_hostname = "localhost", .ssl_handshake_timeout = -10},
        {.server_hostname = "localhost", .ssl_shutdown_timeout = -10},
        {.server_hostname = NULL},
        {.server_hostname = "", .context = client},
        {.server_hostname = ".localhost", .context = client},
    };
    int fds[2], rc;

    (void)arg;
    make_pair(fds);
    for (size_t i = 0; i < sizeof ssl / sizeof ssl[0]; i++) {
        struct recorder recorder = {.silent = true};
        cora_connection_options options = {.ssl = &ssl[i]};

        rc = cora_create_connection_sock(record, &recorder, fds[0], &options, NULL);
        assert_int_equal(rc, -EINVAL);
    }
    ssl[0].ssl_handshake_timeout = 0;
    rc = cora_connect_accepted_socket_ssl(record, NULL, fds[0], &ssl[0], NULL);
    assert_int_equal(rc, -EINVAL); /* no context */
    close_pair(fds);
    cora_ssl_context_unref(client);
    return 0;
}

TEST(what_makes_no_sense_is_refused_and_the_socket_stays_the_callers)
{
    run(asks_wrongly, NULL);
}

/* ---- files ---------------------------------------------------------------------------------- */

struct sending {
    struct line line;
    int file;
    size_t sent;
    cora_task *task;
};

static int send_file(void *arg)
{
    struct sending *sending = arg;

    return cora_sendfile(sending->line.client.transport, sending->file, 0, SIZE_MAX, true,
                         &sending->sent);
}

/* The client sends a file, of which the server does not read all yet. */
static void begin_to_send(struct sending *sending)
{
    struct line *line = &sending->line;
    int rc;

    init_line(line);
    rc = open_line(line);
    assert_int_equal(rc, 0);
    line->server.silent = true;
    cora_transport_pause_reading(line->server.transport);
    sending->file = make_file();
    sending->task = cora_create_task_arg(send_file, sending);
    rc = cora_sleep(1);
    assert_int_equal(rc, 0);
}

static void finish_to_send(struct sending *sending)
{
    int rc;

    cora_transport_resume_reading(sending->line.server.transport);
    rc = cora_await_unref(sending->task);
    assert_int_equal(rc, 0);
    assert_int_equal(sending->sent, BIG);
    close_fd(sending->file);
}

static int sends_alone(void *arg)
{
    struct sending sending;
    int rc;

    (void)arg;
    begin_to_send(&sending);
    rc = cora_transport_write(sending.line.client.transport, "x", 1);
    assert_int_equal(rc, -EBUSY);
    rc = send_file(&sending);
    assert_int_equal(rc, -EBUSY);
    finish_to_send(&sending);
    assert_int_equal(wait_received(&sending.line.server, BIG), 0);
    assert_int_equal(sending.line.server.received, BIG);
    close_line(&sending.line);
    return 0;
}

TEST(while_a_file_is_sent_nothing_else_is)
{
    run(sends_alone, NULL);
}

static int reads_afterwards(void *arg)
{
    struct sending sending;
    int rc;

    (void)arg;
    begin_to_send(&sending);
    cora_transport_pause_reading(sending.line.client.transport);
    cora_transport_resume_reading(sending.line.client.transport);
    rc = cora_transport_write(sending.line.server.transport, "meanwhile", 9);
    assert_int_equal(rc, 0);
    rc = cora_sleep(1);
    assert_int_equal(rc, 0);
    assert_int_equal(sending.line.client.received, 0);
    finish_to_send(&sending);
    assert_int_equal(wait_received(&sending.line.client, 9), 0);
    assert_string_equal(sending.line.client.text, "meanwhile");
    close_line(&sending.line);
    return 0;
}

TEST(what_comes_meanwhile_is_read_afterwards_though_reading_was_resumed)
{
    run(reads_afterwards, NULL);
}
