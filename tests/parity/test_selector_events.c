/* CPython's test_selector_events.py: transports and their descriptors. */
#include "support/protocol.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

/* ---- making a transport --------------------------------------------------------------------- */

struct made {
    int pair[2];
    struct recorder recorder;
    cora_transport *transport;
};

/* Its socket is its own: a second transport of it is refused. */
static int make_transport(void *arg)
{
    struct made *made = arg;
    struct recorder second = {0};
    int rc;

    make_pair(made->pair);
    rc = cora_connect_accepted_socket(record, &made->recorder, made->pair[0], &made->transport);
    assert_int_equal(rc, 0);
    assert_ptr_equal(cora_transport_get_protocol(made->transport), &made->recorder.protocol);
    rc = cora_connect_accepted_socket(record, &second, made->pair[0], NULL);
    assert_int_equal(rc, -EBUSY);
    assert_int_equal(second.made, 0);
    assert_int_equal(second.error, -EBUSY);
    return 0;
}

/* What is left of it when its loop is closed can still be asked. */
TEST(BaseSelectorEventLoopTests_test_make_socket_transport)
{
    struct made made = {0};
    int rc = run_virtual(make_transport, &made);

    assert_int_equal(rc, 0);
    assert_int_equal(made.recorder.lost, 1);
    assert_true(cora_transport_is_closing(made.transport));
    assert_null(cora_transport_get_protocol(made.transport));
    cora_transport_close(made.transport);
    cora_transport_unref(made.transport);
    close_fd(made.pair[1]);
}
