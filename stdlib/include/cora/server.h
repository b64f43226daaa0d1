/*
 * server.h: connections that others make (asyncio.Server, loop.create_server and its kin).
 *
 *     rc = cora_create_server(new_echo, NULL, "127.0.0.1", "8080", NULL, &server);
 *     if (rc < 0)
 *         return rc;
 *     rc = cora_server_serve_forever(server);           // until this task is cancelled
 *     cora_server_unref(server);
 *
 * A server makes a protocol by its factory and a transport for each connection; there is no task
 * for them. Factory and protocol run in a copy, made for this connection, of the context in which
 * the server was created. A connection for which there is no protocol or no transport is closed and
 * reported; the others do not notice. Where accept fails, for want of descriptors or memory say,
 * that is reported and tried again a second later.
 *
 * A server is a counted reference. It keeps itself until it is closed and its last connection is
 * lost, so giving back yours never ends it; serve_forever and wait_closed keep it as well, until
 * they return. A loop that is closed closes its servers. All calls belong to the thread that runs
 * the loop. None suspends unless it says so.
 */
#ifndef CORA_SERVER_H
#define CORA_SERVER_H

#include <cora/base.h>
#include <cora/protocol.h>
#include <cora/task.h>

#include <sys/stat.h>

CORA_BEGIN_DECLS

typedef struct cora_server cora_server;

/* False for an option that is on where nothing is said: 0 is an option that was not given. */
enum { CORA_OFF = -1 };

/* The optional arguments of the calls that create servers; all may be 0. */
typedef struct cora_server_options {
    int backlog;       /* so many connections wait to be accepted; 0: 100; CORA_OFF: 0 */
    int start_serving; /* CORA_OFF: nothing is accepted before start_serving or serve_forever */

    /* ---- cora_create_server alone ---- */

    const char *const *hosts; /* several, and NULL behind the last; `host` must then be NULL */
    int family;               /* AF_INET or AF_INET6; 0: both */
    int flags;                /* of getaddrinfo; 0: AI_PASSIVE */
    int reuse_address;        /* CORA_OFF: not while connections of an earlier server linger */
    bool reuse_port;          /* other sockets may be bound to it if they all say so */
    bool keep_alive;          /* the kernel probes connections on which nothing happens */

    cora_address *ret_address; /* where it fails: which could not be had. NULL: not wanted */

    /* ---- cora_start_server and its kin alone ---- */

    size_t limit; /* of the readers; 0: CORA_STREAM_LIMIT */

    /* ---- of all again ---- */

    /*
     * TLS; NULL: none. Its context must be there, and lasts as long as the server; the rest is
     * copied. A handshake that fails is reported, and nobody else notices.
     */
    const struct cora_ssl_options *ssl;

    /* ---- Unix sockets alone ---- */

    int cleanup_socket; /* CORA_OFF: the socket's file stays when the server is closed */
    mode_t mode;        /* of the file, from the first moment on; 0: as the umask has it */
} cora_server_options;

/*
 * loop.create_server(): listens on `service` (a number or a name; "0": any port that is free; NULL:
 * the same) of all addresses that `host` has; NULL or "": of all interfaces. Those whose family the
 * system does not have are passed over, and so are those that are no address of this machine's,
 * unless none is left; else all of them are bound or none. An IPv6 socket takes IPv6 only.
 * The protocols are what factory(arg) returns. *ret is a reference, for cora_server_unref.
 *
 * 0; -EINVAL for neither host nor service, or both host and hosts; what cora_getaddrinfo says;
 * -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, ... with *ret_address; -EMFILE; -ENOMEM; -ECANCELED;
 * -CORA_ENOTASK. Then nothing is left of it.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_create_server(cora_protocol_factory *factory,
                                                              void *arg, const char *host,
                                                              const char *service,
                                                              const cora_server_options *options,
                                                              cora_server **ret);

/*
 * The same with a bound stream socket, create_server(sock=), which is the server's from now on.
 * 0; -EPROTOTYPE for a socket that is no stream, -ENOTSOCK, -EBADF; -EBUSY while somebody waits for
 * it; what listen(2) says; -ENOMEM; -CORA_ENOTASK: the socket is still the caller's. -ECANCELED: it
 * is closed.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_create_server_sock(
    cora_protocol_factory *factory, void *arg, int fd, const cora_server_options *options,
    cora_server **ret);

/*
 * loop.create_unix_server(): listens on the Unix socket of a path, as cora_address_from_path has it
 * (<cora/address.h>). A socket that lies there already is removed, anything else is -EADDRINUSE.
 * When the server is closed the file is removed, if it is still this server's; not by a child that
 * was forked since then, which closes only its own copy of the socket.
 * 0; -EINVAL for no path, -ENAMETOOLONG; what bind(2) and listen(2) say; else as above.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_create_unix_server(
    cora_protocol_factory *factory, void *arg, const char *path, const cora_server_options *options,
    cora_server **ret);

/*
 * The same with a bound socket, create_unix_server(sock=), whose file is removed as well.
 * -EPROTOTYPE for what is no Unix stream socket; else as cora_create_server_sock.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_create_unix_server_sock(
    cora_protocol_factory *factory, void *arg, int fd, const cora_server_options *options,
    cora_server **ret);

/*
 * Sockets for servers that share an address, one each, in several loops (<cora/loops.h>) or
 * processes: the kernel spreads the connections among those that listen. They are bound before any
 * server is started: to the same port also where it may be any ("0"), and where the address cannot
 * be had it is known at once. `host` is a number, NULL: "0.0.0.0", all of IPv4's interfaces; it may
 * be a name in a task, which suspends; its first address is taken. The sockets are the caller's,
 * for cora_create_server_sock or cora_start_server_sock.
 *
 * 0; what cora_getaddrinfo, socket(2) and bind(2) say; then there are none.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_bind_reuse_port(const char *host,
                                                                const char *service, int fds[],
                                                                size_t count);

CORA_API cora_server *cora_server_ref(cora_server *server);
CORA_API void cora_server_unref(cora_server *server); /* NULL is accepted */

CORA_API cora_loop *cora_server_get_loop(const cora_server *server);

/* Whether connections are accepted. */
CORA_API bool cora_server_is_serving(const cora_server *server);

/* Writes up to `room` of its descriptors, which stay its own. Returns how many it has; closed, 0.
 */
CORA_API size_t cora_server_sockets(const cora_server *server, int fds[], size_t room);

/*
 * The port of the first of them: where service was "0", that which was free
 * (server.sockets[0].getsockname()[1]). -EBADF when it is closed; -EAFNOSUPPORT for one that has
 * none.
 */
CORA_API CORA_MUST_CHECK int cora_server_port(const cora_server *server);

/*
 * Starts accepting; nothing if it has started. 0; -EBADF when it is closed; what listen(2) says:
 * nothing is accepted; -ECANCELED; -CORA_ENOTASK.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_server_start_serving(cora_server *server);

/*
 * Starts accepting, and waits until it is cancelled or the server is closed: then closes it and its
 * connections, waits until they are gone, and returns -ECANCELED. A peer that does not read what is
 * still to be sent holds that up; cancelled once more it waits no longer. -EBUSY while another task
 * serves it; else as start_serving.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_server_serve_forever(cora_server *server);

/* Stops accepting and closes the sockets; its connections stay. Idempotent. */
CORA_API void cora_server_close(cora_server *server);

/* Closes its connections by cora_transport_close, or by abort; after cora_server_close, usually. */
CORA_API void cora_server_close_clients(cora_server *server);
CORA_API void cora_server_abort_clients(cora_server *server);

/* Suspends until it is closed and all its connections are lost. 0; -ECANCELED; -CORA_ENOTASK. */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_server_wait_closed(cora_server *server);

CORA_END_DECLS

#endif
