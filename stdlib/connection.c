#include <cora/connection.h>

#include "connect.h"
#include "socket_transport.h"

#include <cora/sock.h>

#include <errno.h>
#include <math.h>
#include <sys/socket.h>

static const cora_connection_options no_options;

/* ---- from a socket to a connection --------------------------------------------------------- */

/* A protocol and a transport for a connected socket, of whatever origin. */
static int establish(cora_protocol_factory *factory, void *arg, int fd, cora_transport **ret)
{
    return cora__transport_establish(cora__socket_transport_create, factory, arg, fd, ret);
}

/* The same for a socket that nobody else has: it is closed in any case. */
static int establish_own(cora_protocol_factory *factory, void *arg, int fd, cora_transport **ret)
{
    int rc = establish(factory, arg, fd, ret);

    if (rc < 0 && rc != -ECANCELED)
        cora_close_fd(fd);
    return rc;
}

int cora_connect_accepted_socket(cora_protocol_factory *factory, void *arg, int fd,
                                 cora_transport **ret)
{
    if (cora_current_task() == NULL)
        return -CORA_ENOTASK;
    return establish(factory, arg, fd, ret);
}

/* ---- from a name --------------------------------------------------------------------------- */

int cora_create_connection(cora_protocol_factory *factory, void *arg, const char *host,
                           const char *service, const cora_connection_options *options,
                           cora_transport **ret)
{
    int fd;

    if (options == NULL)
        options = &no_options;
    if ((host == NULL && service == NULL) || isnan(options->happy_eyeballs_delay))
        return -EINVAL;
    if (cora_current_task() == NULL)
        return -CORA_ENOTASK;
    fd = cora__connect_to_host(host, service, options);
    return fd < 0 ? fd : establish_own(factory, arg, fd, ret);
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
    int rc = check_call(options);

    return rc < 0 ? rc : establish(factory, arg, fd, ret);
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
    int rc = check_call(options);
    int fd;

    if (rc < 0)
        return rc;
    fd = connect_unix(path);
    return fd < 0 ? fd : establish_own(factory, arg, fd, ret);
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
