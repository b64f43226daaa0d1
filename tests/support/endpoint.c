#include "support/endpoint.h"

#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <unistd.h>

void open_end(struct endpoint *endpoint, connect_fn *connect, void (*make_ends)(int fds[2]),
              int end)
{
    int fds[2], rc;

    make_ends(fds);
    endpoint->fd = fds[end];
    endpoint->peer = fds[!end];
    rc = connect(record, &endpoint->recorder, endpoint->fd, &endpoint->transport);
    assert_int_equal(rc, 0);
}

void open_datagram(struct endpoint *endpoint, const cora_datagram_options *options)
{
    int rc =
        cora_create_datagram_endpoint(record, &endpoint->recorder, options, &endpoint->transport);

    assert_int_equal(rc, 0);
    endpoint->fd = *(const int *)cora_transport_get_extra_info(endpoint->transport, "socket");
    endpoint->peer = -1;
}

void close_peer(struct endpoint *endpoint)
{
    if (endpoint->peer >= 0)
        close_fd(endpoint->peer);
    endpoint->peer = -1;
}

void await_loss(struct endpoint *endpoint)
{
    int rc = wait_lost(&endpoint->recorder);

    assert_int_equal(rc, 0);
    assert_int_equal(endpoint->recorder.lost, 1);
    assert_null(cora_transport_get_protocol(endpoint->transport));
    cora_transport_unref(endpoint->transport);
    endpoint->transport = NULL;
}

void close_endpoint(struct endpoint *endpoint)
{
    cora_transport_close(endpoint->transport);
    await_loss(endpoint);
    close_peer(endpoint);
}

void write_text(struct endpoint *endpoint, const char *text)
{
    int rc = cora_transport_write(endpoint->transport, text, strlen(text));

    assert_int_equal(rc, 0);
}

void send_text(struct endpoint *endpoint, const char *text, const cora_address *address)
{
    int rc = cora_transport_sendto(endpoint->transport, text, strlen(text), address);

    assert_int_equal(rc, 0);
}

void await_bytes(struct endpoint *endpoint, size_t size)
{
    int rc = wait_received(&endpoint->recorder, size);

    assert_int_equal(rc, 0);
}

void await_datagrams(struct endpoint *endpoint, int count)
{
    int rc = wait_datagrams(&endpoint->recorder, count);

    assert_int_equal(rc, 0);
}

void expect_text(int fd, const char *text)
{
    char got[64] = "";
    ssize_t size = read(fd, got, sizeof got - 1);

    assert_int_equal(size, strlen(text));
    assert_string_equal(got, text);
}

void look(int times)
{
    while (times-- > 0) {
        int rc = cora_sleep(0.001);

        assert_int_equal(rc, 0);
    }
}

void run_task(cora_task_fn *fn, void *arg)
{
    int rc = run_virtual(fn, arg);

    assert_int_equal(rc, 0);
}
