/* CPython's test_events.py: pipes, terminals and datagrams. */
#include "support/endpoint.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <arpa/inet.h>
#include <unistd.h>

static void run(cora_task_fn *fn)
{
    run_task(fn, NULL);
    assert_int_equal(reports.count, 0);
}

/* ---- pipes ---------------------------------------------------------------------------------- */

/* What is written at the other end arrives. */
static void expect_data(struct endpoint *endpoint)
{
    assert_int_equal(endpoint->recorder.made, 1);
    put(endpoint->peer, "1");
    await_bytes(endpoint, 1);
    put(endpoint->peer, "2345");
    await_bytes(endpoint, 5);
    assert_string_equal(endpoint->recorder.text, "12345");
    assert_int_equal(*(const int *)cora_transport_get_extra_info(endpoint->transport, "pipe"),
                     endpoint->fd);
}

static int read_pipe(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_end(&endpoint, cora_connect_read_pipe, make_pipe, 0);
    expect_data(&endpoint);
    close_peer(&endpoint);
    await_loss(&endpoint);
    return 0;
}

TEST(EventLoopTestsMixin_test_read_pipe)
{
    run(read_pipe);
    assert_string_equal(trace_text, "made data 1 data 2345 eof lost ");
}

static int read_terminal(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_end(&endpoint, cora_connect_read_pipe, make_pty, 0);
    expect_data(&endpoint);
    close_peer(&endpoint);
    close_endpoint(&endpoint);
    return 0;
}

TEST(EventLoopTestsMixin_test_read_pty_output)
{
    run(read_terminal);
    assert_string_equal(trace_text, "made data 1 data 2345 lost ");
}

static void expect_written(struct endpoint *endpoint)
{
    write_text(endpoint, "1");
    expect_text(endpoint->peer, "1");
    write_text(endpoint, "2345");
    expect_text(endpoint->peer, "2345");
    assert_int_equal(endpoint->recorder.lost, 0);
    assert_int_equal(*(const int *)cora_transport_get_extra_info(endpoint->transport, "pipe"),
                     endpoint->fd);
}

static int write_pipe(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_end(&endpoint, cora_connect_write_pipe, make_pipe, 1);
    expect_written(&endpoint);
    close_peer(&endpoint);
    close_endpoint(&endpoint);
    return 0;
}

TEST(EventLoopTestsMixin_test_write_pipe)
{
    run(write_pipe);
    assert_string_equal(trace_text, "made lost ");
}

static int write_until_closed(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_end(&endpoint, cora_connect_write_pipe, make_pair, 1);
    write_text(&endpoint, "1");
    expect_text(endpoint.peer, "1");
    close_peer(&endpoint);
    await_loss(&endpoint);
    return 0;
}

TEST(EventLoopTestsMixin_test_write_pipe_disconnect_on_close)
{
    run(write_until_closed);
    assert_string_equal(trace_text, "made lost ");
}

static int write_terminal(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_end(&endpoint, cora_connect_write_pipe, make_pty, 1);
    expect_written(&endpoint);
    close_peer(&endpoint);
    close_endpoint(&endpoint);
    return 0;
}

TEST(EventLoopTestsMixin_test_write_pty)
{
    run(write_terminal);
    assert_string_equal(trace_text, "made lost ");
}

/* Both directions of a terminal, each with a descriptor of its own. */
static int use_terminal(void *arg)
{
    struct endpoint reading = {0}, writing = {.peer = -1};
    int rc;

    (void)arg;
    open_end(&reading, cora_connect_read_pipe, make_pty, 1);
    writing.fd = dup(reading.fd);
    rc = cora_connect_write_pipe(record, &writing.recorder, writing.fd, &writing.transport);
    assert_int_equal(rc, 0);
    write_text(&writing, "1");
    expect_text(reading.peer, "1");
    put(reading.peer, "a");
    await_bytes(&reading, 1);
    write_text(&writing, "2345");
    expect_text(reading.peer, "2345");
    put(reading.peer, "bcde");
    await_bytes(&reading, 5);
    assert_string_equal(reading.recorder.text, "abcde");
    assert_int_equal(reading.recorder.lost + writing.recorder.lost, 0);
    close_peer(&reading);
    close_endpoint(&reading);
    close_endpoint(&writing);
    return 0;
}

TEST(EventLoopTestsMixin_test_bidirectional_pty)
{
    run(use_terminal);
    assert_string_equal(trace_text, "made made data a data bcde lost lost ");
}

/* ---- datagrams ------------------------------------------------------------------------------ */

static const cora_address *name_of(const struct endpoint *endpoint)
{
    return cora_transport_get_extra_info(endpoint->transport, "sockname");
}

static void exchange(struct endpoint *server, const char *host)
{
    const struct sockaddr_in *name = (const struct sockaddr_in *)&name_of(server)->storage;
    struct endpoint client = {0};
    char port[8];

    snprintf(port, sizeof port, "%u", ntohs(name->sin_port)); /* which IPv6 has in the same place */
    open_datagram(&client, &(cora_datagram_options){.remote_host = host, .remote_service = port});
    send_text(&client, "xxx", NULL);
    await_datagrams(server, 1);
    send_text(server, "resp:xxx", &server->recorder.sender);
    await_datagrams(&client, 1);
    assert_int_equal(server->recorder.received, 3);
    assert_int_equal(client.recorder.received, 8);
    assert_non_null(name_of(&client));
    close_endpoint(&client);
}

static int have_endpoint(void *arg)
{
    cora_datagram_options options = {.local_host = arg, .local_service = "0"};
    struct endpoint server = {0};

    open_datagram(&server, &options);
    exchange(&server, arg);
    close_endpoint(&server);
    return 0;
}

TEST(EventLoopTestsMixin_test_create_datagram_endpoint)
{
    run_task(have_endpoint, "127.0.0.1");
    assert_string_equal(trace_text, "made made data xxx data resp:xxx lost lost ");
}

static int have_no_endpoint(void *arg)
{
    cora_datagram_options options = {.local_host = arg, .local_service = "0"};
    struct recorder recorder;
    int rc = cora_create_datagram_endpoint(record, &recorder, &options, NULL);

    assert_true(rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL);
    return 0;
}

/* On a machine that has no IPv6 the call says so. */
TEST(EventLoopTestsMixin_test_create_datagram_endpoint_ipv6)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int bound = bind(fd, (struct sockaddr *)&address, sizeof address);

    close(fd);
    run_task(bound == 0 ? have_endpoint : have_no_endpoint, "::1");
    if (bound == 0)
        assert_string_equal(trace_text, "made made data xxx data resp:xxx lost lost ");
}

static void open_loopback(struct endpoint *endpoint)
{
    struct sockaddr_in address;
    int rc;

    endpoint->fd = make_udp(&address);
    endpoint->peer = -1;
    rc = cora_create_datagram_endpoint_sock(record, &endpoint->recorder, endpoint->fd,
                                            &endpoint->transport);
    assert_int_equal(rc, 0);
}

static int have_endpoint_of_sock(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_loopback(&endpoint);
    close_endpoint(&endpoint);
    return 0;
}

TEST(EventLoopTestsMixin_test_create_datagram_endpoint_sock)
{
    run(have_endpoint_of_sock);
    assert_string_equal(trace_text, "made lost ");
}

static int send_to_nobody(void *arg)
{
    struct endpoint first = {0}, second = {0}, third = {0};
    cora_address nobody;

    (void)arg;
    open_loopback(&first);
    open_loopback(&second);
    open_loopback(&third);
    nobody = *name_of(&third);
    cora_transport_abort(third.transport);
    await_loss(&third);
    send_text(&first, "a", name_of(&second));
    await_datagrams(&second, 1);
    send_text(&second, "b", name_of(&first));
    await_datagrams(&first, 1);
    send_text(&first, "c", &nobody);
    look(1);
    send_text(&second, "d", name_of(&first));
    await_datagrams(&first, 2);
    assert_string_equal(first.recorder.text, "bd");
    close_endpoint(&first);
    close_endpoint(&second);
    return 0;
}

TEST(EventLoopTestsMixin_test_datagram_send_to_non_listening_address)
{
    run(send_to_nobody);
}
