/*
 * server.c: a server, its listening sockets and its connections (asyncio.Server).
 *
 * It accepts when a socket is readable, several connections at a time, and keeps a list of its
 * transports through the transports themselves, so that a connection costs the server no memory.
 */
#include "server.h"

#include "attached.h"
#include "link.h"
#include "sock.h"
#include "socket_transport.h"
#include "ssl_protocol.h"
#include "unix_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

enum { DEFAULT_BACKLOG = 100 };

static const double ACCEPT_RETRY_DELAY = 1; /* seconds, after it got no descriptor or memory */

struct listener {
    cora_server *server;
    int fd;
    cora_fd_watch watch;
    cora_timer_handle *retry; /* nothing is accepted until then; or NULL */
};

struct cora_server {
    cora_loop *loop;
    cora_context *context; /* in which it was created */
    cora_protocol_factory *factory;
    void *arg;
    void *kept;           /* memory that goes with it */
    cora_ssl_options ssl; /* of its connections; no context: they are plain */
    struct cora__link of_loop;
    struct cora__link *clients; /* transports; each has a reference to the server */
    cora_wait_queue closing;    /* in wait_closed */
    cora_waiter *forever;       /* in serve_forever, or NULL */
    struct cora__socket_file file;
    unsigned refs;    /* one of them is its own until it has ended */
    unsigned waiting; /* calls that wait for it; each has a reference */
    int backlog;
    bool serving;
    bool closed;
    bool ended; /* closed, and its connections are lost */
    size_t count;
    struct listener listeners[];
};

/* ---- the servers of a loop ----------------------------------------------------------------- */

static void close_sockets(cora_server *server);
static void end(cora_server *server);

/* NOLINTBEGIN(clang-analyzer-unix.Malloc): it does not count references */

/* Its connections are lost with the loop, and the tasks that wait for it dropped. */
static void close_with_loop(cora_server *server)
{
    unsigned waiting = server->waiting;

    server->waiting = 0;
    cora__link_remove(&server->of_loop);
    cora__forsake(&server->closing);
    close_sockets(server);
    end(server);
    while (waiting-- > 0)
        cora_server_unref(server);
}

static void close_servers(void *object)
{
    struct cora__link **servers = object;

    while (*servers != NULL)
        close_with_loop((*servers)->object);
    free(servers);
}

/* NOLINTEND(clang-analyzer-unix.Malloc) */

static const cora_attachment_kind servers_kind = {.close = close_servers};

static struct cora__link **servers_of(cora_loop *loop)
{
    return cora__attached(loop, &servers_kind, sizeof(struct cora__link *));
}

/* ---- life ---------------------------------------------------------------------------------- */

static void set_ssl(cora_server *server, const cora_ssl_options *ssl)
{
    if (ssl == NULL)
        return;
    server->ssl = (cora_ssl_options){
        .context = cora_ssl_context_ref(ssl->context),
        .ssl_handshake_timeout = ssl->ssl_handshake_timeout,
        .ssl_shutdown_timeout = ssl->ssl_shutdown_timeout,
    };
}

int cora__server_new(cora_protocol_factory *factory, void *arg, const cora_server_options *options,
                     size_t room, cora_server **ret)
{
    cora_loop *loop = cora_get_running_loop();
    struct cora__link **servers;
    cora_server *server;
    int rc = options->ssl != NULL ? cora__ssl_check(options->ssl, true) : 0;

    if (rc < 0)
        return rc;
    if (cora_current_task() == NULL)
        return -CORA_ENOTASK;
    servers = servers_of(loop);
    if (servers == NULL)
        return -ENOMEM;
    server = calloc(1, sizeof *server + room * sizeof server->listeners[0]);
    if (server == NULL)
        return -ENOMEM;
    server->context = cora_copy_context();
    if (server->context == NULL) {
        free(server);
        return -ENOMEM;
    }
    server->loop = loop;
    server->factory = factory;
    server->arg = arg;
    set_ssl(server, options->ssl);
    server->backlog = options->backlog == 0 ? DEFAULT_BACKLOG : options->backlog;
    if (server->backlog < 0)
        server->backlog = 0;
    server->refs = 2;
    cora__link_add(servers, &server->of_loop, server);
    *ret = server;
    return 0;
}

cora_server *cora_server_ref(cora_server *server)
{
    server->refs++;
    return server;
}

void cora_server_unref(cora_server *server)
{
    if (server == NULL || --server->refs > 0)
        return;
    cora__link_remove(&server->of_loop);
    cora_context_unref(server->context);
    cora_ssl_context_unref(server->ssl.context);
    free(server->kept);
    free(server);
}

void cora__server_keep(cora_server *server, void *memory)
{
    server->kept = memory;
}

/* Those who wait for its end go on, and it no longer keeps itself. */
static void end(cora_server *server)
{
    if (server->ended)
        return;
    server->ended = true;
    while (cora_wait_queue_wake_first(&server->closing))
        continue;
    cora_server_unref(server);
}

/* ---- its connections ----------------------------------------------------------------------- */

void cora__server_attach(cora_server *server, cora_transport *transport)
{
    transport->server = cora_server_ref(server);
    cora__link_add(&server->clients, &transport->of_server, transport);
}

void cora__server_detach(cora_transport *transport)
{
    cora_server *server = transport->server;

    if (server == NULL)
        return;
    transport->server = NULL;
    cora__link_remove(&transport->of_server);
    if (server->closed && server->clients == NULL)
        end(server);
    cora_server_unref(server);
}

/* No transport is lost before the call that closes it has returned: the list stays as it is. */
static void for_clients(const cora_server *server, void (*fn)(cora_transport *transport))
{
    for (struct cora__link *client = server->clients; client != NULL; client = client->next)
        fn(client->object);
}

void cora_server_close_clients(cora_server *server)
{
    for_clients(server, cora_transport_close);
}

void cora_server_abort_clients(cora_server *server)
{
    for_clients(server, cora_transport_abort);
}

/* ---- accepting ----------------------------------------------------------------------------- */

static void report(const cora_server *server, int error, const char *message)
{
    cora_exception_context context = {.message = message, .error = error};

    cora_loop_call_exception_handler(server->loop, &context);
}

struct arrival {
    cora_server *server;
    int fd;
};

/* The one place that knows which transport a server's connections have. */
static int make_transport(const cora_server *server, int fd, cora_protocol *protocol,
                          cora_transport **ret)
{
    if (server->ssl.context != NULL)
        return cora__ssl_transport_create(server->loop, fd, protocol, &server->ssl, true, NULL,
                                          ret);
    return cora__socket_transport_create(server->loop, fd, protocol, NULL, ret);
}

static int receive_connection(void *arg)
{
    const struct arrival *arrival = arg;
    cora_server *server = arrival->server;
    cora_protocol *protocol = server->factory(server->arg);
    cora_transport *transport;
    int rc;

    if (protocol == NULL)
        return -ENOMEM;
    if (server->closed) /* by the factory */
        rc = -ECONNABORTED;
    else
        rc = make_transport(server, arrival->fd, protocol, &transport);
    if (rc < 0)
        cora__protocol_lost(protocol, rc);
    else
        cora__server_attach(server, transport);
    return rc;
}

/* In a context of its own, a copy of the server's, which is the current one. */
static void receive_in_context(cora_server *server, int fd)
{
    struct arrival arrival = {server, fd};
    cora_context *context = cora_copy_context();
    int rc = cora_context_run(context, receive_connection, &arrival);

    cora_context_unref(context);
    if (rc < 0) {
        report(server, rc, "Error on transport creation for incoming connection");
        cora_close_fd(fd);
    }
}

static void stop_retry(struct listener *listener)
{
    cora_handle_cancel(listener->retry);
    cora_handle_unref(listener->retry);
    listener->retry = NULL;
}

static void on_retry(void *arg)
{
    struct listener *listener = arg;

    stop_retry(listener);
    cora_fd_watch_start_reading(&listener->watch);
}

/* The socket stays readable. Without memory even for the timer it is tried again at once. */
static void pause_accepting(struct listener *listener)
{
    if (cora_loop_call_later(listener->server->loop, ACCEPT_RETRY_DELAY, on_retry, listener,
                             &listener->retry) == 0)
        cora_fd_watch_stop_reading(&listener->watch);
}

/* Who hears of it may close the server, so nothing of it is touched afterwards. */
static void pause_and_report(struct listener *listener, int error, const char *message)
{
    pause_accepting(listener);
    report(listener->server, error, message);
}

/* Whether to try the next one at once. */
static bool on_accept_failed(struct listener *listener, int error)
{
    switch (error) {
    case ECONNABORTED:
    case EINTR:
        return true;
    case EAGAIN:
        return false;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        pause_and_report(listener, -error, "socket.accept() out of system resource");
        return false;
    default: /* perhaps for good, as where the socket was shut down */
        pause_and_report(listener, -error, "socket.accept() failed");
        return false;
    }
}

static bool accept_one(struct listener *listener)
{
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return on_accept_failed(listener, errno);
    cora_fd_opened(fd);
    receive_in_context(listener->server, fd);
    return true;
}

/* As many as the kernel may have kept, and no more: others want to run, too. */
static void on_readable(void *arg)
{
    struct listener *listener = arg;
    cora_server *server = cora_server_ref(listener->server); /* the factory may close it */
    int left = server->backlog;

    while (server->serving && accept_one(listener) && left-- > 0)
        continue;
    cora_server_unref(server);
}

/* ---- its sockets --------------------------------------------------------------------------- */

int cora__server_add(cora_server *server, int fd)
{
    struct listener *listener = &server->listeners[server->count];
    int rc = cora__fd_set_nonblocking(fd);

    if (rc == 0)
        rc = cora_fd_watch_open(&listener->watch, server->loop, fd, on_readable, NULL, listener,
                                server->context);
    if (rc < 0)
        return rc;
    listener->server = server;
    listener->fd = fd;
    server->count++;
    return 0;
}

void cora__server_add_file(cora_server *server, int fd)
{
    cora__socket_file_find(&server->file, fd);
}

static int start(cora_server *server, cora_address *ret_address)
{
    if (server->closed)
        return -EBADF;
    if (server->serving)
        return 0;
    for (size_t i = 0; i < server->count; i++)
        if (listen(server->listeners[i].fd, server->backlog) < 0) {
            int rc = -errno;

            if (ret_address != NULL)
                cora__getsockname(server->listeners[i].fd, ret_address);
            return rc;
        }
    for (size_t i = 0; i < server->count; i++)
        cora_fd_watch_start_reading(&server->listeners[i].watch);
    server->serving = true;
    return 0;
}

int cora__server_begin(cora_server *server, const cora_server_options *options, cora_server **ret)
{
    int rc = 0;

    if (options->start_serving != CORA_OFF) {
        rc = start(server, options->ret_address);
        if (rc < 0)
            return rc;
        rc = cora_sleep(0);
    }
    if (rc == 0)
        *ret = server;
    else
        cora_server_close(server);
    return rc;
}

void cora__server_drop(cora_server *server, bool close_sockets)
{
    if (server == NULL)
        return;
    if (!close_sockets) {
        for (size_t i = 0; i < server->count; i++)
            cora_fd_watch_close(&server->listeners[i].watch);
        server->count = 0;
        server->file.path[0] = '\0';
    }
    cora_server_close(server);
    cora_server_unref(server);
}

static void close_sockets(cora_server *server)
{
    if (server->closed)
        return;
    server->closed = true;
    server->serving = false;
    cora__socket_file_remove(&server->file);
    for (size_t i = 0; i < server->count; i++) {
        stop_retry(&server->listeners[i]);
        cora_fd_watch_close(&server->listeners[i].watch);
        cora_close_fd(server->listeners[i].fd);
    }
    server->count = 0;
    if (server->forever != NULL)
        cora_waiter_wake(server->forever);
}

void cora_server_close(cora_server *server)
{
    close_sockets(server);
    if (server->clients == NULL)
        end(server);
}

/* ---- waiting, and questions ---------------------------------------------------------------- */

static void begin_to_wait(cora_server *server)
{
    cora_server_ref(server);
    server->waiting++;
}

static int end_to_wait(cora_server *server, int rc)
{
    server->waiting--;
    cora_server_unref(server);
    return rc;
}

int cora_server_start_serving(cora_server *server)
{
    int rc = cora_current_task() != NULL ? start(server, NULL) : -CORA_ENOTASK;

    return rc < 0 ? rc : cora_sleep(0);
}

int cora_server_serve_forever(cora_server *server)
{
    cora_waiter waiter;
    int rc;

    if (cora_current_task() == NULL)
        return -CORA_ENOTASK;
    if (server->forever != NULL)
        return -EBUSY;
    rc = start(server, NULL);
    if (rc < 0)
        return rc;
    /* NOLINTBEGIN(clang-analyzer-unix.Malloc): it does not count references */
    begin_to_wait(server);
    cora_waiter_init(&waiter, "a server's connections", server);
    server->forever = &waiter;
    (void)!cora_waiter_wait(&waiter); /* closed or cancelled, the end is the same */
    server->forever = NULL;
    cora_server_close(server);
    cora_server_close_clients(server);
    (void)!cora_server_wait_closed(server); /* cancelled once more, it waits no longer */
    return end_to_wait(server, -ECANCELED);
    /* NOLINTEND(clang-analyzer-unix.Malloc) */
}

int cora_server_wait_closed(cora_server *server)
{
    cora_waiter waiter;
    int rc;

    if (server->ended)
        return 0;
    begin_to_wait(server);
    rc = cora_wait_queue_wait(&server->closing, &waiter, "a server's end", server);
    return end_to_wait(server, rc);
}

cora_loop *cora_server_get_loop(const cora_server *server)
{
    return server->loop;
}

bool cora_server_is_serving(const cora_server *server)
{
    return server->serving;
}

size_t cora_server_sockets(const cora_server *server, int fds[], size_t room)
{
    for (size_t i = 0; i < server->count && i < room; i++)
        fds[i] = server->listeners[i].fd;
    return server->count;
}

int cora_server_port(const cora_server *server)
{
    cora_address address = {.length = sizeof address.storage};

    if (server->count == 0)
        return -EBADF;
    if (getsockname(server->listeners[0].fd, (struct sockaddr *)&address.storage, &address.length) <
        0)
        return -errno;
    if (address.storage.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&address.storage)->sin_port);
    if (address.storage.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address.storage)->sin6_port);
    return -EAFNOSUPPORT;
}
