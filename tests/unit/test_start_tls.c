/* From a plain connection to one over TLS. */
#include "support/protocol.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/tls.h"
#include "support/virtual.h"

#include <sys/socket.h>
#include <unistd.h>

static void run(cora_task_fn *fn, void *arg)
{
    int before = count_descriptors();
    int rc = run_virtual(fn, arg);

    assert_int_equal(rc, 0);
    assert_int_equal(count_descriptors(), before);
}

/* ---- ours on both sides --------------------------------------------------------------------- */

struct side {
    struct recorder recorder;
    cora_transport *transport;
    cora_ssl_context *context;
    bool server_side;
};

static int start_tls(void *arg)
{
    struct side *side = arg;
    cora_ssl_options options = {.context = side->context, .server_hostname = "localhost"};
    cora_transport *transport;
    int rc = cora_start_tls(side->transport, &side->recorder.protocol, &options, side->server_side,
                            &transport);

    if (rc < 0)
        return rc;
    cora_transport_unref(side->transport);
    side->transport = side->recorder.transport = transport;
    return 0;
}

static void init_sides(struct side sides[2])
{
    int fds[2], rc;

    sides[0] = (struct side){.context = tls_client()};
    sides[1] = (struct side){.context = tls_server(), .server_side = true};
    make_pair(fds);
    for (int i = 0; i < 2; i++) {
        rc = cora_connect_accepted_socket(record, &sides[i].recorder, fds[i], &sides[i].transport);
        assert_int_equal(rc, 0);
    }
}

static void start_both(struct side sides[2])
{
    cora_task *server = cora_create_task_arg(start_tls, &sides[1]);
    int rc = start_tls(&sides[0]);

    assert_int_equal(rc, 0);
    rc = cora_await_unref(server);
    assert_int_equal(rc, 0);
}

static void say(struct side *side, const char *text)
{
    int rc = cora_transport_write(side->transport, text, strlen(text));

    assert_int_equal(rc, 0);
}

static void hear(struct side *side, const char *text)
{
    wait_received(&side->recorder, strlen(text));
    assert_string_equal(side->recorder.text, text);
    side->recorder.received = 0;
    memset(side->recorder.text, 0, sizeof side->recorder.text);
}

static void close_sides(struct side sides[2])
{
    cora_transport_close(sides[0].transport);
    for (int i = 0; i < 2; i++) {
        wait_lost(&sides[i].recorder);
        assert_int_equal(sides[i].recorder.made, 1);
        assert_int_equal(sides[i].recorder.lost, 1);
        cora_transport_unref(sides[i].transport);
        cora_ssl_context_unref(sides[i].context);
    }
}

/* As often as it says. */
static int goes_over_to_tls(void *arg)
{
    struct side sides[2];

    init_sides(sides);
    say(&sides[0], "start?");
    hear(&sides[1], "start?");
    for (int i = 0; i < *(int *)arg; i++) {
        start_both(sides);
        say(&sides[0], "hello");
        hear(&sides[1], "hello");
        say(&sides[1], "bye");
        hear(&sides[0], "bye");
    }
    assert_non_null(cora_transport_get_extra_info(sides[0].transport, "peercert"));
    assert_non_null(cora_transport_get_extra_info(sides[0].transport, "socket"));
    close_sides(sides);
    return 0;
}

TEST(a_connection_becomes_one_over_tls_and_nobody_is_told_that_it_is_made)
{
    run(goes_over_to_tls, &(int){1});
    assert_string_equal(trace_text, "made made data start? data hello data bye eof lost lost ");
    assert_int_equal(reports.count, 0);
}

TEST(and_one_over_tls_over_tls)
{
    run(goes_over_to_tls, &(int){3});
    assert_int_equal(reports.count, 0);
}

static int aborts_below(void *arg)
{
    struct side sides[2];
    bool server = *(bool *)arg;

    init_sides(sides);
    start_both(sides);
    start_both(sides);
    cora_transport_abort(sides[server].transport);
    wait_lost(&sides[0].recorder);
    close_sides(sides);
    return 0;
}

TEST(all_of_them_end_together)
{
    run(aborts_below, &(bool){false});
    run(aborts_below, &(bool){true});
    assert_int_equal(reports.count, 0);
}

static int big_goes_through_two(void *arg)
{
    struct side sides[2];
    unsigned char *big = make_big();
    int rc;

    (void)arg;
    init_sides(sides);
    start_both(sides);
    start_both(sides);
    sides[0].recorder.silent = sides[1].recorder.silent = true;
    rc = cora_transport_write(sides[0].transport, big, BIG);
    assert_int_equal(rc, 0);
    free(big);
    wait_received(&sides[1].recorder, BIG);
    close_sides(sides);
    return 0;
}

TEST(much_goes_through_two_of_them)
{
    run(big_goes_through_two, NULL);
}

/* ---- a nested peer by OpenSSL ---------------------------------------------------------------- */

enum { MUCH = 4 << 20 };

struct nested_half {
    struct side side;
    struct tls_peer peer;
    cora_ssl_context *server;
};

/* Says its end at once, and reads slowly what the other has written. */
static int end_and_read_all(void *arg)
{
    struct nested_half *half = arg;
    struct nested_peer nested;
    static char buffer[100000];
    size_t total = 0;
    int rc = peer_start_tls(&half->peer, half->server, true), got;

    assert_int_equal(rc, 0);
    rc = nested_start_tls(&nested, &half->peer, half->server, true);
    assert_int_equal(rc, 0);
    rc = cora_sleep(1); /* until all is written that can be */
    assert_int_equal(rc, 0);
    nested_send_close_notify(&nested);
    while ((got = nested_read(&nested, buffer, sizeof buffer)) > 0)
        total += (size_t)got;
    assert_int_equal(got, 0);
    assert_true((SSL_get_shutdown(nested.ssl) & SSL_RECEIVED_SHUTDOWN) != 0);
    assert_int_equal(total, MUCH);
    SSL_free(nested.ssl);
    return peer_shutdown(&half->peer);
}

static int writes_much_through_two(void *arg)
{
    struct nested_half half = {.side = {.context = tls_client()}, .server = tls_server()};
    char *data = calloc(1, MUCH);
    cora_task *peer;
    int fds[2], rc;

    (void)arg;
    make_pair(fds);
    half.peer.fd = fds[1];
    rc = cora_connect_accepted_socket(record, &half.side.recorder, fds[0], &half.side.transport);
    assert_int_equal(rc, 0);
    peer = cora_create_task_arg(end_and_read_all, &half);
    for (int i = 0; i < 2; i++) {
        rc = start_tls(&half.side);
        assert_int_equal(rc, 0);
    }
    rc = cora_transport_write(half.side.transport, data, MUCH);
    assert_int_equal(rc, 0);
    free(data);
    rc = cora_await_unref(peer);
    assert_int_equal(rc, 0);
    wait_lost(&half.side.recorder);
    cora_transport_unref(half.side.transport);
    peer_close(&half.peer);
    cora_ssl_context_unref(half.side.context);
    cora_ssl_context_unref(half.server);
    return 0;
}

TEST(what_is_left_when_the_peer_has_said_its_end_goes_through_both)
{
    run(writes_much_through_two, NULL);
    assert_string_equal(trace_text, "made pause eof resume lost ");
}

/* ---- a peer by OpenSSL ---------------------------------------------------------------------- */

struct half {
    struct side side;
    struct tls_peer peer;
    cora_ssl_context *peers;
    int fds[2];
};

static void init_half(struct half *half, bool server_side)
{
    int rc;

    half->side.context = server_side ? tls_server() : tls_client();
    half->side.server_side = server_side;
    half->peers = server_side ? tls_client() : tls_server();
    make_pair(half->fds);
    rc = cora_connect_accepted_socket(record, &half->side.recorder, half->fds[0],
                                      &half->side.transport);
    assert_int_equal(rc, 0);
    peer_init(&half->peer, half->fds[1], half->peers, !server_side);
}

static void close_half(struct half *half)
{
    cora_transport_abort(half->side.transport);
    wait_lost(&half->side.recorder);
    assert_int_equal(half->side.recorder.lost, 1);
    cora_transport_unref(half->side.transport);
    peer_close(&half->peer);
    cora_ssl_context_unref(half->side.context);
    cora_ssl_context_unref(half->peers);
}

static int shake_hands(void *arg)
{
    int rc = peer_handshake(arg);

    return rc == 0 ? peer_write(arg, "over TLS") : rc;
}

/* What comes with the request, in the same packet, is of TLS already. */
static int has_received_it_already(void *arg)
{
    struct half half = {0};
    cora_ssl_options options = {0};
    cora_transport *transport;
    cora_task *peer;
    char early[4000];
    ssize_t got;
    int rc;

    (void)arg;
    init_half(&half, true);
    cora_transport_pause_reading(half.side.transport);
    peer = cora_create_task_arg(shake_hands, &half.peer);
    rc = cora_sleep(0.5); /* all that can happen happens */
    assert_int_equal(rc, 0);
    got = recv(half.fds[0], early, sizeof early, MSG_DONTWAIT);
    assert_true(got > 100);
    options = (cora_ssl_options){
        .context = half.side.context, .received = early, .received_size = (size_t)got};
    rc = cora_start_tls(half.side.transport, &half.side.recorder.protocol, &options, true,
                        &transport);
    assert_int_equal(rc, 0);
    cora_transport_unref(half.side.transport);
    half.side.transport = transport;
    rc = cora_await_unref(peer);
    assert_int_equal(rc, 0);
    hear(&half.side, "over TLS");
    close_half(&half);
    return 0;
}

TEST(bytes_that_were_received_before_are_carried_over)
{
    run(has_received_it_already, NULL);
    assert_string_equal(trace_text, "made data over TLS lost ");
}

static int has_paused_its_protocol(void *arg)
{
    struct half half = {0};
    unsigned char *big = make_big();
    cora_task *starter;
    int rc;

    (void)arg;
    init_half(&half, false);
    rc = cora_transport_write(half.side.transport, big, BIG);
    assert_int_equal(rc, 0);
    starter = cora_create_task_arg(start_tls, &half.side);
    for (size_t i = 0; i < BIG;) {
        ssize_t got = cora_sock_recv(half.fds[1], big, BIG - i);

        assert_true(got > 0);
        i += (size_t)got;
    }
    free(big);
    rc = shake_hands(&half.peer);
    assert_int_equal(rc, 0);
    rc = cora_await_unref(starter);
    assert_int_equal(rc, 0);
    hear(&half.side, "over TLS");
    close_half(&half);
    return 0;
}

TEST(what_is_still_to_be_sent_goes_first_and_the_protocol_is_told_to_go_on)
{
    run(has_paused_its_protocol, NULL);
    assert_string_equal(trace_text, "made pause resume data over TLS lost ");
}

static int is_refused(void *arg)
{
    struct half half = {0};
    cora_task *peer;
    int rc;

    (void)arg;
    init_half(&half, false);
    cora_ssl_context_unref(half.side.context);
    rc = cora_ssl_create_default_context(&half.side.context, CORA_SSL_SERVER_AUTH,
                                         tls_file("other.pem"));
    assert_int_equal(rc, 0);
    peer = cora_create_task_arg(shake_hands, &half.peer);
    rc = start_tls(&half.side);
    assert_int_equal(rc, -CORA_ECERTVERIFY);
    rc = cora_await_unref(peer);
    assert_true(rc < 0);
    close_half(&half);
    return 0;
}

TEST(a_handshake_that_fails_loses_the_connection)
{
    run(is_refused, NULL);
    assert_string_equal(trace_text, "made lost CORA_ECERTVERIFY ");
    assert_int_equal(reports.count, 0);
}

static int is_cancelled(void *arg)
{
    struct half half = {0};
    cora_task *starter;
    int rc;

    (void)arg;
    init_half(&half, false);
    starter = cora_create_task_arg(start_tls, &half.side);
    rc = cora_sleep(1);
    assert_int_equal(rc, 0);
    cora_task_cancel(starter);
    rc = cora_await_unref(starter);
    assert_int_equal(rc, -ECANCELED);
    close_half(&half);
    return 0;
}

TEST(so_does_one_that_is_cancelled)
{
    run(is_cancelled, NULL);
    assert_string_equal(trace_text, "made lost ");
    assert_int_equal(reports.count, 0);
}

/* ---- calls that are wrong ------------------------------------------------------------------- */

static int starts_wrongly(void *arg)
{
    struct half half = {0};
    cora_ssl_options options = {.server_hostname = "localhost"};
    cora_transport *transport = NULL;
    int rc;

    (void)arg;
    init_half(&half, true);
    rc = cora_start_tls(half.side.transport, &half.side.recorder.protocol, &options, true,
                        &transport);
    assert_int_equal(rc, -EINVAL); /* no context */
    options.ssl_handshake_timeout = -1;
    rc = cora_start_tls(half.side.transport, &half.side.recorder.protocol, &options, false,
                        &transport);
    assert_int_equal(rc, -EINVAL);
    put(half.fds[1], "still plain");
    hear(&half.side, "still plain");
    options = (cora_ssl_options){.context = half.side.context};
    cora_transport_close(half.side.transport);
    rc = cora_start_tls(half.side.transport, &half.side.recorder.protocol, &options, true,
                        &transport);
    assert_int_equal(rc, -ENOTCONN);
    assert_null(transport);
    close_half(&half);
    return 0;
}

TEST(what_makes_no_sense_is_refused_and_the_transport_stays_as_it_is)
{
    run(starts_wrongly, NULL);
    assert_string_equal(trace_text, "made data still plain lost ");
}
