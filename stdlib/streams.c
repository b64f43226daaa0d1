/*
 * streams.c: connections whose streams are a task's: those that we make, and those that others make
 * to a server.
 *
 * A server's connection, a struct client, is its stream and the call that its task makes. The
 * task's reference lies with the task's callback, so that it is given back even where the task
 * never begins; and with a list of the loop's, for one that never ends.
 */
#include <cora/streams.h>

#include "attached.h"
#include "link.h"
#include "server.h"
#include "stream.h"
#include "transport.h"

#include <errno.h>
#include <stdlib.h>

static size_t limit_or_default(size_t limit)
{
    return limit > 0 ? limit : CORA_STREAM_LIMIT;
}

/* ---- connections that we make -------------------------------------------------------------- */

/* The argument of their factory, and the stream that it has made, or NULL. */
struct opening {
    const cora_connection_options *options;
    struct cora__stream *stream;
};

static cora_protocol *new_stream(void *arg)
{
    struct opening *opening = arg;
    size_t limit = opening->options != NULL ? opening->options->limit : 0;

    opening->stream = cora__stream_create(limit_or_default(limit));
    return opening->stream != NULL ? cora__stream_protocol(opening->stream) : NULL;
}

static int opened(const struct opening *opening, int rc, cora_stream_reader **ret_reader,
                  cora_stream_writer **ret_writer)
{
    if (rc == 0) {
        *ret_reader = &opening->stream->reader;
        *ret_writer = &opening->stream->writer;
    } else if (opening->stream != NULL) {
        cora__stream_unref(opening->stream);
    }
    return rc;
}

int cora_open_connection(const char *host, const char *service,
                         const cora_connection_options *options, cora_stream_reader **ret_reader,
                         cora_stream_writer **ret_writer)
{
    struct opening opening = {options, NULL};
    int rc = cora_create_connection(new_stream, &opening, host, service, options, NULL);

    return opened(&opening, rc, ret_reader, ret_writer);
}

int cora_open_connection_sock(int fd, const cora_connection_options *options,
                              cora_stream_reader **ret_reader, cora_stream_writer **ret_writer)
{
    struct opening opening = {options, NULL};
    int rc = cora_create_connection_sock(new_stream, &opening, fd, options, NULL);

    return opened(&opening, rc, ret_reader, ret_writer);
}

int cora_open_unix_connection(const char *path, const cora_connection_options *options,
                              cora_stream_reader **ret_reader, cora_stream_writer **ret_writer)
{
    struct opening opening = {options, NULL};
    int rc = cora_create_unix_connection(new_stream, &opening, path, options, NULL);

    return opened(&opening, rc, ret_reader, ret_writer);
}

/* ---- a server's connections ---------------------------------------------------------------- */

/* What a server does with its connections: the argument of its factory. */
struct acceptor {
    cora_client_connected *handler;
    void *arg;
    size_t limit;
};

struct client {
    struct cora__stream stream;
    cora_client_connected *handler;
    void *arg;
    struct cora__link link; /* among the loop's whose tasks have not ended */
};

/* Their tasks will be dropped with the loop: what those would have given back goes now. */
static void close_clients(void *object)
{
    struct cora__link **clients = object;

    while (*clients != NULL) {
        struct client *client = (*clients)->object;

        cora__link_remove(&client->link);
        cora__stream_forsake(&client->stream);
        cora__stream_unref(&client->stream);
    }
    free(clients);
}

static const cora_attachment_kind clients_kind = {.close = close_clients};

static struct cora__link **clients_of(cora_loop *loop)
{
    return cora__attached(loop, &clients_kind, sizeof(struct cora__link *));
}

static int run_handler(void *arg)
{
    struct client *client = arg;

    return client->handler(&client->stream.reader, &client->stream.writer, client->arg);
}

static void handler_failed(cora_task *task, int error)
{
    cora_exception_context context = {
        .message = "Unhandled exception in client_connected_cb",
        .error = error,
        .task = cora_task_get_name(task),
        .future = task,
    };

    cora_loop_call_exception_handler(cora_future_get_loop(task), &context);
}

static void handler_ended(cora_future *task, void *arg)
{
    struct client *client = arg;
    int error = cora_future_exception(task);

    if (error < 0 && error != -ECANCELED)
        handler_failed(task, error);
    if (error < 0)
        cora_transport_close(client->stream.writer.transport);
    cora__link_remove(&client->link);
    cora__stream_unref(&client->stream);
}

/* The task does not begin before all is ready: one that is cancelled until then never does. */
static int start_handler(struct client *client, cora_loop *loop)
{
    cora_task_options options = {.eager_start = CORA_NOT_EAGER};
    struct cora__link **clients = clients_of(loop);
    cora_task *task;
    int rc;

    if (clients == NULL)
        return -ENOMEM;
    task = cora_loop_create_task_arg(loop, &options, run_handler, "client_connected_cb", client);
    rc = cora_future_add_done_callback(task, handler_ended, client);
    if (rc == 0)
        cora__link_add(clients, &client->link, client);
    else
        cora_future_cancel(task);
    cora_task_unref(task);
    return rc;
}

static void client_connected(cora_protocol *self, cora_transport *transport)
{
    struct client *client = (struct client *)self;
    int rc;

    client->stream.refs++; /* the task's */
    client->stream.protocol.methods = &cora__stream_methods;
    cora__stream_connection_made(&client->stream, transport);
    rc = start_handler(client, cora_transport_get_loop(transport));
    if (rc == 0)
        return;
    cora__transport_protocol_failed(transport, rc, "connection_made");
    cora__stream_unref(&client->stream);
}

static void client_lost(cora_protocol *self, int error)
{
    cora__stream_connection_lost((struct cora__stream *)self, error);
}

/* Of a connection that is not made yet. */
static const cora_protocol_methods new_client_methods = {
    .connection_made = client_connected,
    .connection_lost = client_lost,
};

static cora_protocol *new_client(void *arg)
{
    const struct acceptor *acceptor = arg;
    struct client *client = malloc(sizeof *client);

    if (client == NULL)
        return NULL;
    cora__stream_init(&client->stream, acceptor->limit);
    client->stream.protocol.methods = &new_client_methods;
    client->stream.server_side = true;
    client->stream.connected = true; /* the one reference is the transport's */
    client->handler = acceptor->handler;
    client->arg = acceptor->arg;
    return &client->stream.protocol;
}

/* ---- servers ------------------------------------------------------------------------------- */

static struct acceptor *new_acceptor(cora_client_connected *handler, void *arg,
                                     const cora_server_options *options)
{
    struct acceptor *acceptor = malloc(sizeof *acceptor);

    if (acceptor != NULL)
        *acceptor =
            (struct acceptor){handler, arg, limit_or_default(options != NULL ? options->limit : 0)};
    return acceptor;
}

/* The acceptor lasts as long as its server. */
static int started(struct acceptor *acceptor, int rc, cora_server *server, cora_server **ret)
{
    if (rc < 0) {
        free(acceptor);
        return rc;
    }
    cora__server_keep(server, acceptor);
    *ret = server;
    return 0;
}

int cora_start_server(cora_client_connected *handler, void *arg, const char *host,
                      const char *service, const cora_server_options *options, cora_server **ret)
{
    struct acceptor *acceptor = new_acceptor(handler, arg, options);
    cora_server *server = NULL;
    int rc = acceptor != NULL
                 ? cora_create_server(new_client, acceptor, host, service, options, &server)
                 : -ENOMEM;

    return started(acceptor, rc, server, ret);
}

int cora_start_server_sock(cora_client_connected *handler, void *arg, int fd,
                           const cora_server_options *options, cora_server **ret)
{
    struct acceptor *acceptor = new_acceptor(handler, arg, options);
    cora_server *server = NULL;
    int rc = acceptor != NULL ? cora_create_server_sock(new_client, acceptor, fd, options, &server)
                              : -ENOMEM;

    return started(acceptor, rc, server, ret);
}

int cora_start_unix_server(cora_client_connected *handler, void *arg, const char *path,
                           const cora_server_options *options, cora_server **ret)
{
    struct acceptor *acceptor = new_acceptor(handler, arg, options);
    cora_server *server = NULL;
    int rc = acceptor != NULL
                 ? cora_create_unix_server(new_client, acceptor, path, options, &server)
                 : -ENOMEM;

    return started(acceptor, rc, server, ret);
}

int cora_start_unix_server_sock(cora_client_connected *handler, void *arg, int fd,
                                const cora_server_options *options, cora_server **ret)
{
    struct acceptor *acceptor = new_acceptor(handler, arg, options);
    cora_server *server = NULL;
    int rc = acceptor != NULL
                 ? cora_create_unix_server_sock(new_client, acceptor, fd, options, &server)
                 : -ENOMEM;

    return started(acceptor, rc, server, ret);
}
