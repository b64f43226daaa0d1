/* CPython's test_unix_events.py: connections to Unix sockets. */
#include "support/protocol.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

/* Runs the body of a test as the main task. It returns 0, and nothing is reported. */
static void run(cora_task_fn *fn)
{
    int rc = run_virtual(fn, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

/* ---- create_unix_connection ----------------------------------------------------------------- */

static int offer_inet_socket(void *arg)
{
    struct recorder recorder = {0};
    int fd = make_tcp();
    int rc = cora_create_unix_connection_sock(record, &recorder, fd, NULL, NULL);

    (void)arg;
    assert_int_equal(rc, -EPROTOTYPE);
    close_fd(fd); /* it is still the caller's */
    return 0;
}

TEST(SelectorEventLoopUnixSocketTests_test_create_unix_connection_path_inetsock)
{
    run(offer_inet_socket);
}

static int connect_to_nothing(void *arg)
{
    struct recorder recorder = {0};
    int rc = cora_create_unix_connection(record, &recorder, NULL, NULL, NULL);

    (void)arg;
    assert_int_equal(rc, -EINVAL);
    return 0;
}

TEST(SelectorEventLoopUnixSocketTests_test_create_unix_connection_nopath_nosock)
{
    run(connect_to_nothing);
}
