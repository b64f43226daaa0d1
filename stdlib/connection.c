#include <cora/connection.h>

#include "connect.h"
#include "socket_transport.h"
#include "ssl_protocol.h"

#include <cora/sock.h>

#include <errno.h>
#include <sys/socket.h>

static const cora_connection_options no_options;

/* ---- from a socket to a connection --------------------------------------------------------- */

/* What a connection is to be. */
struct kind {
    cora_protocol_factory *factory;
    void *arg;
    const cora_ssl_options *ssl; /* NULL: plain */
    bool server_side;
};

static int establish_ssl(const struct kind *kind, int fd, bool *taken, cora_transport **ret)
{
    cora_protocol *protocol = kind->factory(kind->arg);
    cora_transport *transport;
    cora_waiter waiter;
    int rc;

    if (protocol == NULL)
        return -ENOMEM;
    cora_waiter_init(&waiter, "a TLS handshake", NULL);
    rc = cora__ssl_transport_create(cora_get_running_loop(), fd, protocol, kind->ssl,
                                    kind->server_side, &waiter, &transport);
    if (rc < 0) {
        cora__protocol_lost(protocol, rc);
        return rc;
    }
    *taken = true;
    return cora__transport_wait_made(transport, &waiter, ret);
}

/*
 * A protocol and a transport for a connected socket, of whatever origin. Where it fails *taken
 * tells whether the transport closes the socket, or it is still the caller's.
 */
static int establish(const struct kind *kind, int fd, bool *taken, cora_transport **ret)
{
    int rc;

    *taken = false;
    if (kind->ssl != NULL)
        return establish_ssl(kind, fd, taken, ret);
    rc =
        cora__transport_establish(cora__socket_transport_create, kind->factory, kind->arg, fd, ret);
    *taken = rc == -ECANCELED;
    return rc;
}

/* The caller's socket: he is told by the error whether it is still his. */
static int establish_given(const struct kind *kind, int fd, cora_transport **ret)
{
    bool taken;

    return establish(kind, fd, &taken, ret);
}

/* The same for a socket that nobody else has. */
static int establish_own(const struct kind *kind, int fd, cora_transport **ret)
{
    bool taken;
    int rc = establish(kind, fd, &taken, ret);

    if (rc < 0 && !taken)
        cora_close_fd(fd);
    return rc;
}

int cora_connect_accepted_socket(cora_protocol_factory *factory, void *arg, int fd,
                                 cora_transport **ret)
{
    const struct kind kind = {factory, arg, NULL, true};

    return cora_current_task() == NULL ? -CORA_ENOTASK : establish_given(&kind, fd, ret);
}

int cora_connect_accepted_socket_ssl(cora_protocol_factory *factory, void *arg, int fd,
                                     const cora_ssl_options *options, cora_transport **ret)
{
    const struct kind kind = {factory, arg, options, true};
    int rc = cora__ssl_check(options, true);

    if (rc < 0)
        return rc;
    return cora_current_task() == NULL ? -CORA_ENOTASK : establish_given(&kind, fd, ret);
}

/* ---- a client's TLS ------------------------------------------------------------------------ */

/* What is asked of the connection: `ssl` is a copy, with the host's name if no other is given. */
static int init_kind(struct kind *kind, cora_protocol_factory *factory, void *arg,
                     const cora_connection_options *options, const char *host,
                     cora_ssl_options *ssl)
{
    *kind = (struct kind){.factory = factory, .arg = arg};
    if (options == NULL || options->ssl == NULL)
        return 0;
    *ssl = *options->ssl;
    if (ssl->server_hostname == NULL && host != NULL && host[0] != '\0')
        ssl->server_hostname = host;
    if (ssl->server_hostname == NULL)
        return -EINVAL;
    kind->ssl = ssl;
    return cora__ssl_check(ssl, false);
}

/* ---- from a name --------------------------------------------------------------------------- */

int cora_create_connection(cora_protocol_factory *factory, void *arg, const char *host,
                           const char *service, const cora_connection_options *options,
                           cora_transport **ret)
{
    cora_ssl_options ssl;
    struct kind kind;
    int fd, rc = init_kind(&kind, factory, arg, options, host, &ssl);

    if (rc < 0)
        return rc;
    if (options == NULL)
        options = &no_options;
    if (host == NULL && service == NULL)
        return -EINVAL;
    if (cora_current_task() == NULL)
        return -CORA_ENOTASK;
    fd = cora__connect_to_host(host, service, options);
    return fd < 0 ? fd : establish_own(&kind, fd, ret);
}

/* ---- from a socket, or a path -------------------------------------------------------------- */

/* 0 in a task, and where nothing is said of how to connect. */
static int check_call(const cora_connection_options *options)
{
    if (options != NULL &&
        (options->family != 0 || options->proto != 0 || options->flags != 0 ||
         options->local_host != NULL || options->local_service != NULL ||
         options->happy_eyeballs_delay != 0 || options->interleave != 0 || options->errors != NULL))
        return -EINVAL;
    return cora_current_task() == NULL ? -CORA_ENOTASK : 0;
}

int cora_create_connection_sock(cora_protocol_factory *factory, void *arg, int fd,
                                const cora_connection_options *options, cora_transport **ret)
{
    cora_ssl_options ssl;
    struct kind kind;
    int rc = init_kind(&kind, factory, arg, options, NULL, &ssl);

    if (rc == 0)
        rc = check_call(options);
    return rc < 0 ? rc : establish_given(&kind, fd, ret);
}

static int connect_unix(const char *path)
{
    cora_address address;
    int rc = cora_address_from_path(path, &address);
    int fd;

    if (rc < 0)
        return rc;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    rc = cora_sock_connect(fd, (struct sockaddr *)&address.storage, address.length);
    if (rc == 0)
        return fd;
    cora_close_fd(fd);
    return rc;
}

int cora_create_unix_connection(cora_protocol_factory *factory, void *arg, const char *path,
                                const cora_connection_options *options, cora_transport **ret)
{
    cora_ssl_options ssl;
    struct kind kind;
    int fd, rc = init_kind(&kind, factory, arg, options, NULL, &ssl);

    if (rc == 0)
        rc = check_call(options);
    if (rc < 0)
        return rc;
    fd = connect_unix(path);
    return fd < 0 ? fd : establish_own(&kind, fd, ret);
}

int cora_create_unix_connection_sock(cora_protocol_factory *factory, void *arg, int fd,
                                     const cora_connection_options *options, cora_transport **ret)
{
    struct sockaddr_storage name = {0};

    if (getsockname(fd, (struct sockaddr *)&name, &(socklen_t){sizeof name}) < 0)
        return -errno;
    if (name.ss_family != AF_UNIX)
        return -EPROTOTYPE;
    return cora_create_connection_sock(factory, arg, fd, options, ret);
}
