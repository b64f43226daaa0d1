/* Echo servers, on sockets, streams and protocols; they end when they are killed. */
#include "bench.h"

struct echo_args {
    int fd;
};

static int echo(void *arg)
{
    struct echo_args *a = arg;
    char *buffer = malloc(ECHO_BUFFER);
    ssize_t size = buffer != NULL ? 0 : -ENOMEM;
    int rc = 0;

    while (rc == 0 && size >= 0 && (size = cora_sock_recv(a->fd, buffer, ECHO_BUFFER)) > 0)
        rc = cora_sock_sendall(a->fd, buffer, (size_t)size, NULL);
    free(buffer);
    cora_close_fd(a->fd);
    return 0; /* how a connection ends is the client's affair */
}

int echo_server_main(void *nothing)
{
    int listener = listen_on_loopback(), fd;

    (void)nothing;
    report_port(listener);
    while ((fd = cora_sock_accept(listener, NULL, NULL)) >= 0)
        cora_task_unref(cora_create_task(echo, .fd = fd));
    return fd;
}

/* ---- streams -------------------------------------------------------------------------------- */

static int echo_stream(cora_stream_reader *reader, cora_stream_writer *writer, void *nothing)
{
    char *buffer = malloc(ECHO_BUFFER);
    ssize_t size = buffer != NULL ? 0 : -ENOMEM;
    int rc = 0;

    (void)nothing;
    while (rc == 0 && size >= 0 &&
           (size = cora_stream_reader_read(reader, buffer, ECHO_BUFFER)) > 0) {
        rc = cora_stream_writer_write(writer, buffer, (size_t)size);
        if (rc == 0)
            rc = cora_stream_writer_drain(writer);
    }
    free(buffer);
    return 0;
}

static int serve(int rc, int listener, cora_server *server)
{
    if (rc == 0) {
        report_port(listener);
        rc = cora_server_serve_forever(server);
    }
    return rc;
}

int echo_streams_main(void *nothing)
{
    cora_server_options options = {.backlog = 4096};
    cora_server *server = NULL;
    int listener = listen_on_loopback();
    int rc = cora_start_server_sock(echo_stream, nothing, listener, &options, &server);

    return serve(rc, listener, server);
}

/* ---- protocols ------------------------------------------------------------------------------ */

struct echo_protocol {
    cora_protocol protocol;
    cora_transport *transport;
};

static void connection_made(cora_protocol *self, cora_transport *transport)
{
    ((struct echo_protocol *)self)->transport = transport;
}

static void connection_lost(cora_protocol *self, int error)
{
    (void)error;
    free(self);
}

static int data_received(cora_protocol *self, const void *data, size_t size)
{
    return cora_transport_write(((struct echo_protocol *)self)->transport, data, size);
}

static cora_protocol *new_echo_protocol(void *nothing)
{
    static const cora_protocol_methods methods = {
        .connection_made = connection_made,
        .connection_lost = connection_lost,
        .data_received = data_received,
    };
    struct echo_protocol *echo_protocol = malloc(sizeof *echo_protocol);

    (void)nothing;
    if (echo_protocol == NULL)
        return NULL;
    echo_protocol->protocol.methods = &methods;
    return &echo_protocol->protocol;
}

int echo_protocol_main(void *nothing)
{
    cora_server_options options = {.backlog = 4096};
    cora_server *server = NULL;
    int listener = listen_on_loopback();
    int rc = cora_create_server_sock(new_echo_protocol, nothing, listener, &options, &server);

    return serve(rc, listener, server);
}
