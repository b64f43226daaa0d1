/* CPython's test_transports.py: what all transports have in common. */
#include "support/endpoint.h"
#include "support/faults.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"
#include "support/writing.h"

static void open_socket(struct endpoint *endpoint)
{
    open_end(endpoint, cora_connect_accepted_socket, make_pair, 0);
}

static int know_names(void *arg)
{
    struct endpoint endpoint = {0};
    const int *fd;

    (void)arg;
    open_socket(&endpoint);
    fd = cora_transport_get_extra_info(endpoint.transport, "socket");
    assert_int_equal(*fd, endpoint.fd);
    assert_null(cora_transport_get_extra_info(endpoint.transport, "unknown"));
    close_endpoint(&endpoint);
    return 0;
}

TEST(TransportTests_test_get_extra_info)
{
    run_task(know_names, NULL);
}

static int write_lines(void *arg)
{
    struct writing writing = {.pieces = {"line1", "line2", "line3"},
                              .together = true,
                              .calls = 1,
                              .arrives = "line1line2line3"};
    struct endpoint endpoint = {0};

    (void)arg;
    open_socket(&endpoint);
    write_with_faults(&endpoint, &writing);
    close_endpoint(&endpoint);
    return 0;
}

TEST(TransportTests_test_writelines)
{
    run_task(write_lines, NULL);
}

static void expect_limits(const cora_transport *transport, size_t high, size_t low)
{
    size_t got_high, got_low;

    cora_transport_get_write_buffer_limits(transport, &got_high, &got_low);
    assert_int_equal(got_high, high);
    assert_int_equal(got_low, low);
}

/* 512 bytes wait. */
static int set_limits(void *arg)
{
    char data[513];
    struct endpoint endpoint = {0};
    cora_transport *transport;
    int rc;

    (void)arg;
    open_socket(&endpoint);
    transport = endpoint.transport;
    set_faults_of(endpoint.fd, EAGAIN, 0, 0);
    memset(data, 'x', 512);
    data[512] = '\0';
    write_text(&endpoint, data);
    rc = cora_transport_set_write_buffer_limits(transport, 0, 1);
    assert_int_equal(rc, -EINVAL);
    expect_limits(transport, 64 << 10, 16 << 10);
    rc = cora_transport_set_write_buffer_limits(transport, 1024, 128);
    assert_int_equal(rc, 0);
    expect_limits(transport, 1024, 128);
    assert_string_equal(trace_text, "made ");
    rc = cora_transport_set_write_buffer_limits(transport, 512, 128); /* no more than that waits */
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "made ");
    rc = cora_transport_set_write_buffer_limits(transport, 256, 128);
    assert_int_equal(rc, 0);
    expect_limits(transport, 256, 128);
    assert_string_equal(trace_text, "made pause ");
    close_endpoint(&endpoint);
    return 0;
}

TEST(TransportTests_test_flowcontrol_mixin_set_write_limits)
{
    run_task(set_limits, NULL);
}
