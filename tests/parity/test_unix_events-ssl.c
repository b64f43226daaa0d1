/* CPython's test_unix_events.py: TLS. */
#include "support/protocol.h"
#include "support/test.h"
#include "support/tls.h"
#include "support/virtual.h"

static void run(cora_task_fn *fn)
{
    int rc = run_virtual(fn, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

/* A server has no default context. */
static int serves_without_context(void *arg)
{
    cora_ssl_options ssl = {0};
    cora_server_options options = {.ssl = &ssl};
    cora_server *server;
    int rc = cora_create_unix_server(record, NULL, "spam", &options, &server);

    (void)arg;
    assert_int_equal(rc, -EINVAL);
    return 0;
}

TEST(SelectorEventLoopUnixSocketTests_test_create_unix_server_ssl_bool)
{
    run(serves_without_context);
}

static int connects_to_nobody(void *arg)
{
    cora_ssl_options ssl = {0};
    cora_connection_options options = {.ssl = &ssl};
    int rc = cora_create_unix_connection(record, NULL, "/dev/null", &options, NULL);

    (void)arg;
    assert_int_equal(rc, -EINVAL);
    return 0;
}

TEST(SelectorEventLoopUnixSocketTests_test_create_unix_connection_ssl_noserverhost)
{
    run(connects_to_nobody);
}
