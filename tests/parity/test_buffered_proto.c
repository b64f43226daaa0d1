/* CPython's test_buffered_proto.py: a protocol that brings its own buffer. */
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <arpa/inet.h>

enum { NOISE_SIZE = 9 * 1024 };

static char noise(size_t i)
{
    return "12345678+"[i % 9];
}

struct receiver {
    cora_protocol protocol;
    cora_transport *transport;
    char buffer[100];
    size_t received;
    int error;
    cora_waiter lost;
};

static void connection_made(cora_protocol *self, cora_transport *transport)
{
    ((struct receiver *)self)->transport = transport;
}

static ssize_t get_buffer(cora_protocol *self, ssize_t size_hint, void **ret_buffer)
{
    struct receiver *receiver = (struct receiver *)self;

    assert_int_equal(size_hint, -1);
    memset(receiver->buffer, 0, sizeof receiver->buffer);
    *ret_buffer = receiver->buffer;
    return sizeof receiver->buffer;
}

static int buffer_updated(cora_protocol *self, size_t size)
{
    struct receiver *receiver = (struct receiver *)self;

    assert_true(size > 0 && size <= sizeof receiver->buffer);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(receiver->buffer[i], noise(receiver->received + i));
    receiver->received += size;
    return receiver->received == NOISE_SIZE ? cora_transport_write(receiver->transport, "1", 1) : 0;
}

static void connection_lost(cora_protocol *self, int error)
{
    struct receiver *receiver = (struct receiver *)self;

    receiver->error = error;
    cora_waiter_wake(&receiver->lost);
}

static cora_protocol *make_receiver(void *arg)
{
    static const cora_protocol_methods methods = {
        .connection_made = connection_made,
        .get_buffer = get_buffer,
        .buffer_updated = buffer_updated,
        .connection_lost = connection_lost,
    };
    struct receiver *receiver = arg;

    receiver->protocol.methods = &methods;
    return &receiver->protocol;
}

struct serve_args {
    int listener;
};

static int serve(void *arg)
{
    struct serve_args *a = arg;
    int fd = cora_sock_accept(a->listener, NULL, NULL), rc;
    char text[NOISE_SIZE], answer;
    ssize_t got;

    assert_true(fd >= 0);
    for (size_t i = 0; i < NOISE_SIZE; i++)
        text[i] = noise(i);
    rc = cora_sock_sendall(fd, text, NOISE_SIZE, NULL);
    assert_int_equal(rc, 0);
    got = cora_sock_recv(fd, &answer, 1);
    assert_int_equal(got, 1);
    assert_int_equal(answer, '1');
    close_fd(fd);
    return 0;
}

static int receive(void *arg)
{
    struct receiver receiver = {.error = 1};
    struct sockaddr_in address;
    int listener = make_listener(&address, 1), rc;
    cora_task *server = cora_create_task(serve, .listener = listener);
    char port[8];

    (void)arg;
    snprintf(port, sizeof port, "%u", ntohs(address.sin_port));
    cora_waiter_init(&receiver.lost, "the end of a connection", NULL);
    rc = cora_create_connection(make_receiver, &receiver, "127.0.0.1", port, NULL, NULL);
    assert_int_equal(rc, 0);
    rc = cora_waiter_wait(&receiver.lost);
    assert_int_equal(rc, 0);
    assert_int_equal(receiver.error, 0);
    assert_int_equal(receiver.received, NOISE_SIZE);
    close_fd(listener);
    return cora_await_unref(server);
}

TEST(BaseTestBufferedProtocol_test_buffered_proto_create_connection)
{
    int rc = run_virtual(receive, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}
