/* How connections over TLS end. */
#include "support/protocol.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/tls.h"
#include "support/virtual.h"

#include <sys/socket.h>
#include <unistd.h>

/* A client of ours, and a server by OpenSSL. */
struct half {
    struct recorder recorder;
    cora_transport *transport; /* a reference */
    struct tls_peer peer;
    cora_ssl_context *server, *client;
    cora_task_fn *body;
    double shutdown_timeout;
    bool ignore_eof;
};

static int shake_hands(void *arg)
{
    return peer_handshake(arg);
}

static void open_half(struct half *half)
{
    cora_ssl_options ssl = {.server_hostname = "localhost",
                            .ssl_shutdown_timeout = half->shutdown_timeout};
    cora_connection_options options = {.ssl = &ssl};
    cora_task *peer;
    int fds[2], rc;

    half->server = tls_server();
    half->client = ssl.context = tls_client();
    if (half->ignore_eof)
        SSL_CTX_set_options(cora_ssl_context_get_ssl_ctx(half->client),
                            SSL_OP_IGNORE_UNEXPECTED_EOF);
    make_pair(fds);
    peer_init(&half->peer, fds[1], half->server, true);
    peer = cora_create_task_arg(shake_hands, &half->peer);
    rc = cora_create_connection_sock(record, &half->recorder, fds[0], &options, &half->transport);
    assert_int_equal(rc, 0);
    rc = cora_await_unref(peer);
    assert_int_equal(rc, 0);
}

static int with_half(void *arg)
{
    struct half *half = arg;
    int rc;

    open_half(half);
    rc = half->body(half);
    assert_int_equal(rc, 0);
    wait_lost(&half->recorder);
    assert_int_equal(half->recorder.lost, 1);
    peer_close(&half->peer);
    cora_transport_unref(half->transport);
    cora_ssl_context_unref(half->server);
    cora_ssl_context_unref(half->client);
    return 0;
}

static void run(struct half half, const char *expected)
{
    int before = count_descriptors();
    int rc = run_virtual(with_half, &half);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, expected);
    assert_int_equal(count_descriptors(), before);
}

static double now(void)
{
    return cora_loop_time(cora_get_running_loop());
}

/* ---- ours ends it --------------------------------------------------------------------------- */

static int closes(void *arg)
{
    struct half *half = arg;
    char text[100];
    int rc;

    rc = cora_transport_write(half->transport, "bye", 3);
    assert_int_equal(rc, 0);
    cora_transport_close(half->transport);
    cora_transport_close(half->transport);
    assert_true(cora_transport_is_closing(half->transport));
    assert_int_equal(peer_read_text(&half->peer, text, 99), 3); /* and a close_notify */
    assert_string_equal(text, "bye");
    rc = cora_sleep(0.5); /* all that can happen happens */
    assert_int_equal(rc, 0);
    assert_int_equal(half->recorder.lost, 0); /* for the peer's is not there */
    rc = cora_transport_write(half->transport, "more", 4);
    assert_int_equal(rc, 0);
    rc = peer_send_close_notify(&half->peer);
    assert_int_equal(rc, 0);
    wait_lost(&half->recorder);
    assert_int_equal(read(half->peer.fd, text, 1), 0);
    return 0;
}

TEST(a_close_waits_for_the_peers_close_notify)
{
    run((struct half){.body = closes}, "made lost ");
    assert_int_equal(reports.count, 0);
}

static int closes_in_vain(void *arg)
{
    struct half *half = arg;
    double began = now(), expected = half->shutdown_timeout > 0 ? half->shutdown_timeout : 30;

    cora_transport_close(half->transport);
    wait_lost(&half->recorder);
    assert_true(now() == began + expected);
    return 0;
}

TEST(but_not_longer_than_its_timeout)
{
    run((struct half){.body = closes_in_vain, .shutdown_timeout = 7}, "made lost ETIMEDOUT ");
}

TEST(which_is_30_seconds_if_nothing_is_said)
{
    run((struct half){.body = closes_in_vain}, "made lost ETIMEDOUT ");
}

static int closes_with_much_unsent(void *arg)
{
    struct half *half = arg;
    unsigned char *big = make_big();
    int rc = cora_transport_write(half->transport, big, BIG);

    assert_int_equal(rc, 0);
    free(big);
    return closes_in_vain(half);
}

TEST(also_if_the_peer_does_not_even_read)
{
    run((struct half){.body = closes_with_much_unsent}, "made pause lost ETIMEDOUT ");
}

static int drops_what_comes_late(void *arg)
{
    struct half *half = arg;
    int rc;

    cora_transport_close(half->transport);
    for (int i = 0; i < 5; i++) {
        rc = peer_write(&half->peer, "nobody listens");
        assert_int_equal(rc, 0);
        rc = cora_sleep(0.5); /* all that can happen happens */
        assert_int_equal(rc, 0);
    }
    assert_int_equal(half->recorder.lost, 0);
    rc = peer_shutdown(&half->peer);
    assert_int_equal(rc, 0);
    return 0;
}

TEST(what_the_peer_sends_after_a_close_is_dropped)
{
    run((struct half){.body = drops_what_comes_late}, "made lost ");
}

static int meets_the_end(void *arg)
{
    struct half *half = arg;
    int rc;

    cora_transport_close(half->transport);
    rc = shutdown(half->peer.fd, SHUT_WR);
    assert_int_equal(rc, 0);
    return 0;
}

TEST(after_a_close_the_peer_may_just_hang_up)
{
    run((struct half){.body = meets_the_end}, "made lost ");
}

static int aborts(void *arg)
{
    struct half *half = arg;
    char byte;
    int rc = cora_transport_write(half->transport, "hello", 5);

    assert_int_equal(rc, 0);
    cora_transport_abort(half->transport);
    cora_transport_abort(half->transport);
    cora_transport_close(half->transport);
    assert_int_equal(half->recorder.lost, 0);
    wait_lost(&half->recorder);
    assert_int_equal(peer_read(&half->peer, &byte, 1), 1);
    for (int i = 0; i < 6; i++) {
        rc = cora_transport_write(half->transport, "late", 4);
        assert_int_equal(rc, 0);
    }
    return 0;
}

TEST(an_abort_waits_for_nobody)
{
    run((struct half){.body = aborts}, "made lost ");
    assert_string_equal(reports.message, "SSL connection is closed");
}

static int aborts_while_closing(void *arg)
{
    struct half *half = arg;
    double began = now();

    cora_transport_close(half->transport);
    cora_transport_abort(half->transport);
    wait_lost(&half->recorder);
    assert_true(now() == began);
    return 0;
}

TEST(also_behind_a_close)
{
    run((struct half){.body = aborts_while_closing}, "made lost ");
}

/* ---- the peer ends it ----------------------------------------------------------------------- */

static int is_left(void *arg)
{
    struct half *half = arg;
    int rc = peer_write(&half->peer, "bye");

    assert_int_equal(rc, 0);
    rc = peer_shutdown(&half->peer); /* ours answers */
    assert_int_equal(rc, 0);
    return 0;
}

TEST(the_peers_close_notify_is_the_end_of_its_data)
{
    run((struct half){.body = is_left}, "made data bye eof lost ");
}

TEST(and_of_the_connection_whatever_the_protocol_says)
{
    run((struct half){.body = is_left, .recorder.eof_answer = 1}, "made data bye eof lost ");
}

static int is_left_by_one_who_does_not_wait(void *arg)
{
    struct half *half = arg;
    int rc = peer_write(&half->peer, "bye");

    assert_int_equal(rc, 0);
    return peer_send_close_notify(&half->peer);
}

TEST(a_failing_eof_received_is_reported)
{
    run((struct half){.body = is_left_by_one_who_does_not_wait, .recorder.eof_answer = -EILSEQ},
        "made data bye eof lost EILSEQ ");
    assert_string_equal(reports.message, "Fatal error: protocol.eof_received() call failed.");
}

static int is_left_with_much_unsent(void *arg)
{
    struct half *half = arg;
    unsigned char *big = make_big();
    int rc = cora_transport_write(half->transport, big, BIG);

    assert_int_equal(rc, 0);
    free(big);
    rc = peer_send_close_notify(&half->peer);
    assert_int_equal(rc, 0);
    rc = cora_sleep(0.5); /* all that can happen happens */
    assert_int_equal(rc, 0);
    assert_true(cora_transport_is_closing(half->transport));
    assert_int_equal(peer_read_all(&half->peer), BIG);
    return 0;
}

TEST(what_was_written_before_still_reaches_it)
{
    run((struct half){.body = is_left_with_much_unsent}, "made pause eof resume lost ");
}

static int is_cut_off(void *arg)
{
    struct half *half = arg;
    int rc = peer_write(&half->peer, "by");

    assert_int_equal(rc, 0);
    rc = shutdown(half->peer.fd, SHUT_WR);
    assert_int_equal(rc, 0);
    return 0;
}

TEST(an_end_without_close_notify_is_an_error_and_no_end_of_data)
{
    run((struct half){.body = is_cut_off}, "made data by lost CORA_ESSLEOF ");
}

TEST(unless_the_context_says_that_it_is_not)
{
    run((struct half){.body = is_cut_off, .ignore_eof = true}, "made data by eof lost ");
}

static int is_reset(void *arg)
{
    struct half *half = arg;
    struct linger linger = {.l_onoff = 1};
    int rc = setsockopt(half->peer.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);

    assert_int_equal(rc, 0);
    rc = cora_transport_write(half->transport, "unread", 6);
    assert_int_equal(rc, 0);
    cora_close_fd(half->peer.fd);
    wait_lost(&half->recorder);
    half->peer.fd = dup(0);
    return 0;
}

TEST(a_connection_that_is_reset_is_told_as_it_is)
{
    run((struct half){.body = is_reset}, "made lost ECONNRESET ");
}

static int writes_to_nobody(void *arg)
{
    struct half *half = arg;
    int rc;

    cora_close_fd(half->peer.fd);
    half->peer.fd = dup(0);
    rc = cora_transport_write(half->transport, "hello", 5);
    assert_int_equal(rc, 0);
    assert_true(cora_transport_is_closing(half->transport));
    assert_int_equal(half->recorder.lost, 0);
    return 0;
}

TEST(a_write_that_loses_the_connection_leaves_it_closing)
{
    run((struct half){.body = writes_to_nobody}, "made lost EPIPE ");
}

static void lost_with_words(cora_protocol *protocol, int error)
{
    struct recorder *recorder = (struct recorder *)protocol;
    const cora_ssl_failure *failure =
        cora_transport_get_extra_info(recorder->transport, "ssl_failure");

    assert_int_equal(error, -CORA_ESSL);
    trace("lost %s", failure->text);
    recorder->lost++;
}

static int is_corrupted(void *arg)
{
    static const cora_protocol_methods methods = {.connection_lost = lost_with_words};
    struct half *half = arg;

    half->recorder.protocol.methods = &methods;
    put(half->peer.fd, "please corrupt the connection");
    while (half->recorder.lost == 0)
        if (rest(1) < 0)
            return -ECANCELED;
    return 0;
}

TEST(what_is_no_tls_is_an_error_whose_words_can_be_asked_for)
{
    run((struct half){.body = is_corrupted}, "made lost wrong version number ");
}

/* ---- with a protocol that does not read ------------------------------------------------------ */

static int ends_while_paused(void *arg)
{
    struct half *half = arg;
    int rc;

    cora_transport_pause_reading(half->transport);
    rc = peer_write(&half->peer, "hello");
    assert_int_equal(rc, 0);
    if (half->ignore_eof)
        rc = shutdown(half->peer.fd, SHUT_WR);
    else
        rc = peer_send_close_notify(&half->peer);
    assert_int_equal(rc, 0);
    rc = cora_sleep(0.5); /* all that can happen happens */
    assert_int_equal(rc, 0);
    assert_int_equal(half->recorder.received, 0);
    assert_int_equal(half->recorder.lost, 0);
    trace("resumed");
    cora_transport_resume_reading(half->transport);
    return 0;
}

TEST(an_end_comes_behind_the_data_that_are_still_to_be_read)
{
    run((struct half){.body = ends_while_paused}, "made resumed data hello eof lost ");
}

TEST(whichever_end_it_is)
{
    run((struct half){.body = ends_while_paused, .ignore_eof = true},
        "made resumed data hello eof lost ");
}

static int pause_at_once(cora_protocol *protocol, const void *data, size_t size)
{
    struct recorder *recorder = (struct recorder *)protocol;

    trace("data %.*s", (int)size, (const char *)data);
    cora_transport_pause_reading(recorder->transport);
    return 0;
}

static int pauses_within(void *arg)
{
    struct half *half = arg;
    cora_protocol_methods methods = *half->recorder.protocol.methods;
    const cora_protocol_methods *before = half->recorder.protocol.methods;
    int rc;

    methods.data_received = pause_at_once;
    half->recorder.protocol.methods = &methods;
    rc = peer_write(&half->peer, "hello");
    assert_int_equal(rc, 0);
    rc = peer_send_close_notify(&half->peer);
    assert_int_equal(rc, 0);
    rc = cora_sleep(0.5); /* all that can happen happens */
    assert_int_equal(rc, 0);
    trace("resumed");
    cora_transport_resume_reading(half->transport);
    wait_lost(&half->recorder);
    half->recorder.protocol.methods = before;
    return 0;
}

TEST(or_was_there_when_the_protocol_paused)
{
    run((struct half){.body = pauses_within}, "made data hello resumed eof lost ");
}

static int close_within(cora_protocol *protocol, const void *data, size_t size)
{
    struct recorder *recorder = (struct recorder *)protocol;

    (void)data;
    trace("data %zu", size);
    cora_transport_close(recorder->transport);
    return 0;
}

static int closes_within(void *arg)
{
    struct half *half = arg;
    cora_protocol_methods methods = *half->recorder.protocol.methods;
    char text[20001];
    int rc;

    methods.data_received = close_within;
    half->recorder.protocol.methods = &methods;
    memset(text, 'x', sizeof text);
    text[20000] = '\0';
    rc = peer_write(&half->peer, text);
    assert_int_equal(rc, 0);
    rc = peer_shutdown(&half->peer);
    assert_int_equal(rc, 0);
    wait_lost(&half->recorder);
    return 0;
}

TEST(a_protocol_that_closes_gets_no_more_of_what_is_there)
{
    run((struct half){.body = closes_within}, "made data 16384 lost ");
}
