/* CPython's test_sendfile.py: TLS, where the file is read and written. */
#include "support/protocol.h"
#include "support/sendfile.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/tls.h"
#include "support/virtual.h"

enum { REGULAR = 7 << 10 };

/* A transport, and what the peer gets. */
struct line {
    off_t offset;
    size_t count, before, after; /* bytes of the file, and others around them */
    bool peer_closes;            /* as soon as it has all */
    cora_ssl_context *context;
};

static void expect_big(struct tls_peer *peer, off_t offset, size_t size)
{
    static unsigned char buffer[16384];
    size_t done = 0;

    while (done < size) {
        size_t room = size - done < sizeof buffer ? size - done : sizeof buffer;
        int got = peer_read(peer, (char *)buffer, room);

        assert_true(got > 0);
        for (size_t i = 0; i < (size_t)got; i++)
            assert_int_equal(buffer[i], byte_at((size_t)offset + done + i));
        done += (size_t)got;
    }
}

static void receive(struct tls_peer *peer, void *arg)
{
    const struct line *line = arg;
    size_t size = line->count < BIG ? line->count : BIG;
    char byte;
    int rc = peer_start_tls(peer, line->context, true);

    assert_int_equal(rc, 0);
    peer_expect(peer, 'p', line->before);
    expect_big(peer, line->offset, size);
    peer_expect(peer, 's', line->after);
    if (line->peer_closes)
        return;
    assert_int_equal(peer_read(peer, &byte, 1), 0);
    rc = peer_send_close_notify(peer);
    assert_int_equal(rc, 0);
}

static void write_regular(cora_transport *transport, char byte, size_t size)
{
    char data[REGULAR];
    int rc;

    memset(data, byte, sizeof data);
    rc = cora_transport_write(transport, data, size);
    assert_int_equal(rc, 0);
}

static int send_over_tls(void *arg)
{
    struct line *line = arg;
    cora_ssl_options ssl = {.context = tls_trusting_client(), .server_hostname = ""};
    cora_connection_options options = {.ssl = &ssl};
    struct recorder recorder = {.silent = true};
    struct peer_server server;
    cora_transport *transport;
    size_t sent = 7, size = line->count < BIG ? line->count : BIG;
    int file = make_file(), rc;

    line->context = tls_server();
    start_peers(&server, receive, line, 1);
    rc = cora_create_connection(record, &recorder, "127.0.0.1", server.port, &options, &transport);
    assert_int_equal(rc, 0);
    write_regular(transport, 'p', line->before);
    rc = cora_sendfile(transport, file, line->offset, line->count, true, &sent);
    assert_int_equal(rc, 0);
    assert_int_equal(sent, size);
    write_regular(transport, 's', line->after);
    assert_position(file, line->offset + (off_t)size);
    if (!line->peer_closes)
        cora_transport_close(transport);
    wait_lost(&recorder);
    assert_int_equal(recorder.error, line->peer_closes ? -CORA_ESSLEOF : 0);
    cora_transport_unref(transport);
    stop_peers(&server);
    close_fd(file);
    cora_ssl_context_unref(line->context);
    cora_ssl_context_unref(ssl.context);
    return 0;
}

static void run(struct line line)
{
    int rc = run_virtual(send_over_tls, &line);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

TEST(SendfileMixin_test_sendfile_ssl)
{
    run((struct line){.count = SIZE_MAX});
}

TEST(SendfileMixin_test_sendfile_ssl_pre_and_post_data)
{
    run((struct line){.count = SIZE_MAX, .before = REGULAR, .after = REGULAR});
}

TEST(SendfileMixin_test_sendfile_ssl_partial)
{
    run((struct line){.offset = 1000, .count = 100});
}

TEST(SendfileMixin_test_sendfile_ssl_close_peer_after_receiving)
{
    run((struct line){.count = SIZE_MAX, .peer_closes = true});
}
