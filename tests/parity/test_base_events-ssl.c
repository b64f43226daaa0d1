/* CPython's test_base_events.py: TLS. */
#include "support/protocol.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/tls.h"
#include "support/virtual.h"

static void run(cora_task_fn *fn, void *arg)
{
    int rc = run_virtual(fn, arg);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

/* The name that the client has asked for. */
static void note_name(struct tls_peer *peer, void *arg)
{
    const char *name;
    int rc = peer_start_tls(peer, arg, true);

    assert_int_equal(rc, 0);
    name = SSL_get_servername(peer->ssl, TLSEXT_NAMETYPE_host_name);
    trace("%s", name != NULL ? name : "nobody");
}

static int asks_for_names(void *arg)
{
    static const char *const names[] = {NULL, "perl.com", ""};
    cora_ssl_context *servers = tls_server(), *context = tls_trusting_client();
    struct peer_server server;

    (void)arg;
    start_peers(&server, note_name, servers, 3);
    for (int i = 0; i < 3; i++) {
        cora_ssl_options ssl = {.context = context, .server_hostname = names[i]};
        cora_connection_options options = {.ssl = &ssl, .family = AF_INET};
        struct recorder recorder = {.silent = true};
        int rc =
            cora_create_connection(record, &recorder, "localhost", server.port, &options, NULL);

        assert_int_equal(rc, 0);
        cora_transport_abort(recorder.transport);
        wait_lost(&recorder);
    }
    stop_peers(&server);
    cora_ssl_context_unref(servers);
    cora_ssl_context_unref(context);
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_ssl_server_hostname_default)
{
    run(asks_for_names, NULL);
    assert_string_equal(trace_text, "localhost perl.com nobody ");
}

static int has_no_name(void *arg)
{
    cora_ssl_options ssl = {0};
    cora_connection_options options = {.ssl = &ssl};
    int fds[2], rc;

    (void)arg;
    rc = cora_create_connection(record, NULL, "", "80", &options, NULL);
    assert_int_equal(rc, -EINVAL);
    rc = cora_create_connection(record, NULL, NULL, "80", &options, NULL);
    assert_int_equal(rc, -EINVAL);
    make_pair(fds);
    rc = cora_create_connection_sock(record, NULL, fds[0], &options, NULL);
    assert_int_equal(rc, -EINVAL);
    close_pair(fds);
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_ssl_server_hostname_errors)
{
    run(has_no_name, NULL);
}
