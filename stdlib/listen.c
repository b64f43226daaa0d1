/*
 * listen.c: the sockets of a server, of names, paths or the caller (asyncio's loop.create_server
 * and loop.create_unix_server).
 */
#include <cora/names.h>
#include <cora/waiter.h>

#include "server.h"
#include "sock.h"
#include "unix_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const cora_server_options no_options;

/* ---- the addresses of names ---------------------------------------------------------------- */

/* Each once, in the order in which they were found. */
struct addresses {
    cora_address *items;
    size_t count;
};

static bool contains(const struct addresses *addresses, const struct addrinfo *info)
{
    for (size_t i = 0; i < addresses->count; i++)
        if (addresses->items[i].length == info->ai_addrlen &&
            memcmp(&addresses->items[i].storage, info->ai_addr, info->ai_addrlen) == 0)
            return true;
    return false;
}

static int add_addresses(struct addresses *addresses, const struct addrinfo *list)
{
    for (const struct addrinfo *info = list; info != NULL; info = info->ai_next) {
        cora_address *items;

        if (contains(addresses, info))
            continue;
        items = realloc(addresses->items, (addresses->count + 1) * sizeof *items);
        if (items == NULL)
            return -ENOMEM;
        addresses->items = items;
        items[addresses->count].length = info->ai_addrlen;
        memcpy(&items[addresses->count++].storage, info->ai_addr, info->ai_addrlen);
    }
    return 0;
}

static int look_up(struct addresses *addresses, const char *host, const char *service,
                   const cora_server_options *options)
{
    struct addrinfo hints = {.ai_family = options->family,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = options->flags != 0 ? options->flags : AI_PASSIVE};
    struct addrinfo *list;
    int rc =
        cora_getaddrinfo(host != NULL && host[0] != '\0' ? host : NULL, service, &hints, &list);

    if (rc < 0)
        return rc;
    rc = add_addresses(addresses, list);
    cora_freeaddrinfo(list);
    return rc;
}

static int look_up_all(struct addresses *addresses, const char *host, const char *service,
                       const cora_server_options *options)
{
    int rc = 0;

    if (options->hosts == NULL)
        return look_up(addresses, host, service, options);
    for (const char *const *next = options->hosts; *next != NULL && rc == 0; next++)
        rc = look_up(addresses, *next, service, options);
    return rc;
}

/* ---- their sockets ------------------------------------------------------------------------- */

static int set_option(int fd, int level, int name, bool on)
{
    return !on || setsockopt(fd, level, name, &(int){1}, sizeof(int)) == 0 ? 0 : -errno;
}

static int set_options(int fd, const cora_server_options *options, sa_family_t family)
{
    int rc = set_option(fd, SOL_SOCKET, SO_REUSEADDR, options->reuse_address != CORA_OFF);

    if (rc == 0)
        rc = set_option(fd, SOL_SOCKET, SO_REUSEPORT, options->reuse_port);
    if (rc == 0)
        rc = set_option(fd, SOL_SOCKET, SO_KEEPALIVE, options->keep_alive);
    if (rc == 0)
        rc = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, family == AF_INET6);
    return rc;
}

/* A socket that is bound to the address. */
static int bind_socket(const cora_address *address, const cora_server_options *options)
{
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int rc;

    if (fd < 0)
        return -errno;
    cora_fd_opened(fd);
    rc = set_options(fd, options, address->storage.ss_family);
    if (rc == 0 && bind(fd, (const struct sockaddr *)&address->storage, address->length) < 0)
        rc = -errno;
    if (rc < 0)
        cora_close_fd(fd);
    return rc < 0 ? rc : fd;
}

static int add_address(cora_server *server, const cora_address *address,
                       const cora_server_options *options)
{
    int fd = bind_socket(address, options);
    int rc;

    if (fd < 0)
        return fd;
    rc = cora__server_add(server, fd);
    if (rc < 0)
        cora_close_fd(fd);
    return rc;
}

/* A family that the system does not have, or not on any of its interfaces. */
static bool is_elsewhere(int error)
{
    return error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL;
}

static int add_all(cora_server *server, const struct addresses *addresses,
                   const cora_server_options *options)
{
    const cora_address *failed = NULL;
    int rc = -EADDRNOTAVAIL;

    for (size_t i = 0; i < addresses->count; i++) {
        int added = add_address(server, &addresses->items[i], options);

        if (added == 0)
            continue;
        failed = &addresses->items[i];
        rc = added;
        if (!is_elsewhere(added))
            break;
    }
    if (cora_server_sockets(server, NULL, 0) > 0 && is_elsewhere(rc))
        return 0;
    if (failed != NULL && options->ret_address != NULL)
        *options->ret_address = *failed;
    return rc;
}

static int serve(cora_protocol_factory *factory, void *arg, const struct addresses *addresses,
                 const cora_server_options *options, cora_server **ret)
{
    cora_server *server;
    int rc = cora__server_new(factory, arg, options, addresses->count, &server);

    if (rc < 0)
        return rc;
    rc = add_all(server, addresses, options);
    if (rc == 0)
        rc = cora__server_begin(server, options, ret);
    if (rc < 0)
        cora__server_drop(server, true);
    return rc;
}

int cora_create_server(cora_protocol_factory *factory, void *arg, const char *host,
                       const char *service, const cora_server_options *options, cora_server **ret)
{
    struct addresses addresses = {0};
    int rc;

    if (options == NULL)
        options = &no_options;
    if ((host == NULL && service == NULL && options->hosts == NULL) ||
        (host != NULL && options->hosts != NULL))
        return -EINVAL;
    if (cora_current_task() == NULL)
        return -CORA_ENOTASK;
    rc = look_up_all(&addresses, host, service, options);
    if (rc == 0)
        rc = serve(factory, arg, &addresses, options, ret);
    free(addresses.items);
    return rc;
}

/* ---- sockets of several servers ------------------------------------------------------------ */

/* The first chooses the port where the address has none. */
static int bind_all(cora_address *address, int fds[], size_t count)
{
    const cora_server_options options = {.reuse_port = true};

    for (size_t i = 0; i < count; i++) {
        int fd = bind_socket(address, &options);

        if (fd < 0) {
            while (i-- > 0)
                cora_close_fd(fds[i]);
            return fd;
        }
        cora__getsockname(fd, address);
        fds[i] = fd;
    }
    return 0;
}

int cora_bind_reuse_port(const char *host, const char *service, int fds[], size_t count)
{
    struct addresses addresses = {0};
    cora_address address = {0};
    int rc = look_up(&addresses, host != NULL ? host : "0.0.0.0", service, &no_options);

    if (addresses.count > 0)
        address = addresses.items[0];
    free(addresses.items);
    return rc < 0 ? rc : bind_all(&address, fds, count);
}

/* ---- one socket that is bound already ------------------------------------------------------ */

static int check_socket(int fd, bool is_unix)
{
    int type;
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof type}) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &(socklen_t){sizeof address}) < 0)
        return -errno;
    return type == SOCK_STREAM && (!is_unix || address.ss_family == AF_UNIX) ? 0 : -EPROTOTYPE;
}

/* `file`: this is a Unix socket, whose file may be cleaned up. */
static int serve_socket(cora_protocol_factory *factory, void *arg, int fd, bool file,
                        const cora_server_options *options, cora_server **ret)
{
    cora_server *server;
    int rc = cora__server_new(factory, arg, options, 1, &server);

    if (rc < 0)
        return rc;
    rc = cora__server_add(server, fd);
    if (rc == 0 && file && options->cleanup_socket != CORA_OFF)
        cora__server_add_file(server, fd);
    if (rc == 0)
        rc = cora__server_begin(server, options, ret);
    if (rc < 0)
        cora__server_drop(server, false);
    return rc;
}

static int create_server_sock(cora_protocol_factory *factory, void *arg, int fd, bool is_unix,
                              const cora_server_options *options, cora_server **ret)
{
    int rc = check_socket(fd, is_unix);

    return rc < 0 ? rc
                  : serve_socket(factory, arg, fd, is_unix, options != NULL ? options : &no_options,
                                 ret);
}

int cora_create_server_sock(cora_protocol_factory *factory, void *arg, int fd,
                            const cora_server_options *options, cora_server **ret)
{
    return create_server_sock(factory, arg, fd, false, options, ret);
}

int cora_create_unix_server_sock(cora_protocol_factory *factory, void *arg, int fd,
                                 const cora_server_options *options, cora_server **ret)
{
    return create_server_sock(factory, arg, fd, true, options, ret);
}

/* ---- a path -------------------------------------------------------------------------------- */

int cora_create_unix_server(cora_protocol_factory *factory, void *arg, const char *path,
                            const cora_server_options *options, cora_server **ret)
{
    struct cora__socket_file file = {0};
    int fd, rc;

    if (options == NULL)
        options = &no_options;
    if (path == NULL)
        return -EINVAL;
    if (cora_current_task() == NULL)
        return -CORA_ENOTASK;
    fd = cora__unix_bind(path, options->mode);
    if (fd < 0)
        return fd;
    cora__socket_file_find(&file, fd);
    rc = serve_socket(factory, arg, fd, true, options, ret);
    if (rc < 0 && rc != -ECANCELED) {
        cora__socket_file_remove(&file);
        cora_close_fd(fd);
    }
    return rc;
}
