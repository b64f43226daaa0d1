/* TLS while every system call, and every allocation of ours, fails in turn. */
#include "support/faults.h"
#include "support/protocol.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/tls.h"

#include <fcntl.h>
#include <sys/socket.h>

static cora_ssl_context *client, *server;

static void run(cora_task_fn *scenario, int least_faults, int least_allocations)
{
    int faults, allocations;

    client = tls_client();
    server = tls_server();
    faults = run_with_each_fault(scenario, NULL);
    allocations = run_with_each_allocation_refused(scenario, NULL);
    assert_in_range(faults, least_faults, 100000);
    assert_in_range(allocations, least_allocations, 100000);
    cora_ssl_context_unref(client);
    cora_ssl_context_unref(server);
}

struct side {
    struct recorder recorder;
    cora_transport *transport;
    int fd; /* -1: it is the transport's */
};

struct line {
    struct side client, server;
};

/* These say that the socket is the caller's still. */
static void note(struct side *side, int rc)
{
    if (rc != -ENOMEM && rc != -ENOPROTOOPT)
        side->fd = -1;
}

static int serve(void *arg)
{
    struct side *side = arg;
    cora_ssl_options ssl = {.context = server, .ssl_handshake_timeout = 5};
    int rc =
        cora_connect_accepted_socket_ssl(record, &side->recorder, side->fd, &ssl, &side->transport);

    note(side, rc);
    return rc;
}

static int connect_to_server(struct side *side)
{
    cora_ssl_options ssl = {
        .context = client, .server_hostname = "localhost", .ssl_handshake_timeout = 5};
    cora_connection_options options = {.ssl = &ssl};
    int rc =
        cora_create_connection_sock(record, &side->recorder, side->fd, &options, &side->transport);

    note(side, rc);
    return rc;
}

static void init_line(struct line *line)
{
    int fds[2];

    *line = (struct line){.client.recorder.silent = true, .server.recorder.silent = true};
    make_pair(fds);
    line->client.fd = fds[0];
    line->server.fd = fds[1];
}

static int open_line(struct line *line)
{
    cora_task *task = cora_create_task_arg(serve, &line->server);
    int rc = connect_to_server(&line->client), served;

    if (rc < 0)
        cora_task_cancel(task);
    served = cora_await_unref(task);
    return rc < 0 ? rc : served;
}

static void close_side(struct side *side)
{
    if (side->fd >= 0) {
        assert_true(fcntl(side->fd, F_GETFD) >= 0);
        cora_close_fd(side->fd);
    }
    if (side->transport == NULL)
        return;
    cora_transport_close(side->transport);
    wait_lost(&side->recorder);
    cora_transport_unref(side->transport);
    assert_int_equal(side->recorder.lost, 1);
}

/* The server has so many bytes, or one of the two has been lost. */
static int wait_for_all(const struct line *line, size_t size)
{
    const struct recorder *recorder = &line->server.recorder;
    int rc = 0;

    while (rc == 0 && recorder->received < size)
        rc = recorder->lost + line->client.recorder.lost > 0 ? -ECONNRESET : cora_sleep(0.1);
    return rc;
}

static int say(struct line *line, const char *text)
{
    int rc = cora_transport_write(line->client.transport, text, strlen(text));

    return rc == 0 ? wait_for_all(line, strlen(text)) : rc;
}

static int talk(void *arg)
{
    struct line line;
    int rc;

    (void)arg;
    init_line(&line);
    rc = open_line(&line);
    if (rc == 0)
        rc = say(&line, "hello, world");
    if (rc == 0)
        assert_string_equal(line.server.recorder.text, "hello, world");
    close_side(&line.client);
    close_side(&line.server);
    return rc;
}

TEST(a_talk_over_tls)
{
    run(talk, 60, 20);
}

/* ---- start_tls ------------------------------------------------------------------------------ */

static int start_tls(struct side *side, bool server_side)
{
    cora_ssl_options ssl = {.context = server_side ? server : client,
                            .server_hostname = "localhost",
                            .ssl_handshake_timeout = 5};
    cora_transport *transport;
    int rc =
        cora_start_tls(side->transport, &side->recorder.protocol, &ssl, server_side, &transport);

    if (rc < 0)
        return rc;
    cora_transport_unref(side->transport);
    side->transport = transport;
    return 0;
}

static int start_server(void *arg)
{
    return start_tls(arg, true);
}

static int start_both(struct line *line)
{
    cora_task *task = cora_create_task_arg(start_server, &line->server);
    int rc = start_tls(&line->client, false), served;

    if (rc < 0)
        cora_task_cancel(task);
    served = cora_await_unref(task);
    return rc < 0 ? rc : served;
}

static int connect_plainly(struct side *side)
{
    int rc = cora_connect_accepted_socket(record, &side->recorder, side->fd, &side->transport);

    note(side, rc);
    return rc;
}

static int go_over(void *arg)
{
    struct line line;
    int rc;

    (void)arg;
    init_line(&line);
    rc = connect_plainly(&line.client);
    if (rc == 0)
        rc = connect_plainly(&line.server);
    if (rc == 0)
        rc = start_both(&line);
    if (rc == 0)
        rc = say(&line, "hello, world");
    close_side(&line.client);
    close_side(&line.server);
    return rc;
}

TEST(going_over_to_tls)
{
    run(go_over, 60, 20);
}
