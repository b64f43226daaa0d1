#include <cora/datagram.h>

#include <cora/address.h>
#include <cora/names.h>
#include <cora/sock.h>

#include "datagram_transport.h"
#include "unix_socket.h"

#include <string.h>

/* ---- from a socket to an endpoint ---------------------------------------------------------- */

/* As cora__transport_establish; `remote` as cora__datagram_transport_create has it. */
static int establish(cora_protocol_factory *factory, void *arg, int fd, const cora_address *remote,
                     cora_transport **ret)
{
    cora_protocol *protocol = factory(arg);
    cora_transport *transport;
    cora_waiter waiter;
    int rc;

    if (protocol == NULL)
        return -ENOMEM;
    cora_waiter_init(&waiter, "an endpoint", NULL);
    rc = cora__datagram_transport_create(cora_get_running_loop(), fd, remote, protocol, &waiter,
                                         &transport);
    if (rc == 0)
        return cora__transport_wait_made(transport, &waiter, ret);
    cora__protocol_lost(protocol, rc);
    return rc;
}

int cora_create_datagram_endpoint_sock(cora_protocol_factory *factory, void *arg, int fd,
                                       cora_transport **ret)
{
    if (cora_current_task() == NULL)
        return -CORA_ENOTASK;
    return establish(factory, arg, fd, NULL, ret);
}

/* ---- from two addresses to a socket -------------------------------------------------------- */

/* An end that nothing was said of has no ai_addr. */
static bool is_given(const struct addrinfo *end)
{
    return end->ai_addr != NULL;
}

static int set_option(int fd, int name, bool on)
{
    return !on || setsockopt(fd, SOL_SOCKET, name, &(int){1}, sizeof(int)) == 0 ? 0 : -errno;
}

static int prepare(int fd, const struct addrinfo *local, const struct addrinfo *remote,
                   const cora_datagram_options *options)
{
    int rc = set_option(fd, SO_REUSEPORT, options->reuse_port);

    if (rc == 0)
        rc = set_option(fd, SO_BROADCAST, options->allow_broadcast);
    if (rc == 0 && is_given(local) && bind(fd, local->ai_addr, local->ai_addrlen) < 0)
        rc = -errno;
    if (rc == 0 && is_given(remote) && !options->allow_broadcast)
        rc = cora_sock_connect(fd, remote->ai_addr, remote->ai_addrlen);
    return rc;
}

/* The socket, or a negative error. */
static int open_socket(const struct addrinfo *local, const struct addrinfo *remote,
                       const cora_datagram_options *options)
{
    const struct addrinfo *end = is_given(local) ? local : remote;
    int fd = socket(end->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, end->ai_protocol);
    int rc;

    if (fd < 0)
        return -errno;
    cora_fd_opened(fd);
    rc = prepare(fd, local, remote, options);
    if (rc < 0)
        cora_close_fd(fd);
    return rc < 0 ? rc : fd;
}

static bool go_together(const struct addrinfo *local, const struct addrinfo *remote)
{
    return !is_given(local) || !is_given(remote) ||
           (local->ai_family == remote->ai_family && local->ai_protocol == remote->ai_protocol);
}

/* The first that can be had, with its remote end, or the first error. */
static int open_first(const struct addrinfo *locals, const struct addrinfo *remotes,
                      const cora_datagram_options *options, const struct addrinfo **ret_remote)
{
    int error = 0;

    for (const struct addrinfo *local = locals; local != NULL; local = local->ai_next)
        for (const struct addrinfo *remote = remotes; remote != NULL; remote = remote->ai_next) {
            int fd;

            if (!go_together(local, remote))
                continue;
            fd = open_socket(local, remote, options);
            if (fd >= 0 || fd == -ECANCELED) {
                *ret_remote = remote;
                return fd;
            }
            if (error == 0)
                error = fd;
        }
    return error < 0 ? error : -EADDRNOTAVAIL;
}

static int open_endpoint(cora_protocol_factory *factory, void *arg, const struct addrinfo *locals,
                         const struct addrinfo *remotes, const cora_datagram_options *options,
                         cora_transport **ret)
{
    const struct addrinfo *remote = NULL;
    int fd = open_first(locals, remotes, options, &remote);
    cora_address only;
    int rc;

    if (fd < 0)
        return fd;
    only = (cora_address){.length = remote->ai_addrlen};
    if (is_given(remote))
        memcpy(&only.storage, remote->ai_addr, remote->ai_addrlen);
    rc = establish(factory, arg, fd, is_given(remote) ? &only : NULL, ret);
    if (rc < 0 && rc != -ECANCELED)
        cora_close_fd(fd);
    return rc;
}

/* ---- of names, and of paths ---------------------------------------------------------------- */

/* Into *ret, which says where nothing is given; a list of more than that is the resolver's. */
static int look_up(const char *host, const char *service, const cora_datagram_options *options,
                   struct addrinfo **ret)
{
    struct addrinfo hints = {.ai_family = options->family,
                             .ai_socktype = SOCK_DGRAM,
                             .ai_protocol = options->proto,
                             .ai_flags = options->flags};

    return host != NULL || service != NULL ? cora_getaddrinfo(host, service, &hints, ret) : 0;
}

static int open_named(cora_protocol_factory *factory, void *arg,
                      const cora_datagram_options *options, cora_transport **ret)
{
    struct addrinfo nowhere = {.ai_family = options->family, .ai_protocol = options->proto};
    struct addrinfo *locals = &nowhere, *remotes = &nowhere;
    int rc = look_up(options->local_host, options->local_service, options, &locals);

    if (rc == 0)
        rc = look_up(options->remote_host, options->remote_service, options, &remotes);
    if (rc == 0)
        rc = open_endpoint(factory, arg, locals, remotes, options, ret);
    if (locals != &nowhere)
        cora_freeaddrinfo(locals);
    if (remotes != &nowhere)
        cora_freeaddrinfo(remotes);
    return rc;
}

static int find_path(const char *path, cora_address *address, struct addrinfo *end)
{
    int rc = path != NULL ? cora_address_from_path(path, address) : 0;

    if (path == NULL || rc < 0)
        return rc;
    end->ai_addr = (struct sockaddr *)&address->storage;
    end->ai_addrlen = address->length;
    return 0;
}

static int open_unix(cora_protocol_factory *factory, void *arg,
                     const cora_datagram_options *options, cora_transport **ret)
{
    struct addrinfo ends[2] = {{.ai_family = AF_UNIX, .ai_protocol = options->proto},
                               {.ai_family = AF_UNIX, .ai_protocol = options->proto}};
    cora_address addresses[2];
    int rc = find_path(options->local_path, &addresses[0], &ends[0]);

    if (rc == 0)
        rc = find_path(options->remote_path, &addresses[1], &ends[1]);
    if (rc < 0)
        return rc;
    if (options->local_path != NULL && options->local_path[0] != '@')
        cora__unix_remove_stale(options->local_path);
    return open_endpoint(factory, arg, &ends[0], &ends[1], options, ret);
}

int cora_create_datagram_endpoint(cora_protocol_factory *factory, void *arg,
                                  const cora_datagram_options *options, cora_transport **ret)
{
    bool has_hosts = options->local_host != NULL || options->local_service != NULL ||
                     options->remote_host != NULL || options->remote_service != NULL;
    bool has_paths = options->local_path != NULL || options->remote_path != NULL;
    bool is_unix = has_paths || options->family == AF_UNIX;

    if ((!has_hosts && !has_paths && options->family == 0) || (has_hosts && is_unix) ||
        (has_paths && options->family != 0 && options->family != AF_UNIX))
        return -EINVAL;
    if (cora_current_task() == NULL)
        return -CORA_ENOTASK;
    return (is_unix ? open_unix : open_named)(factory, arg, options, ret);
}
