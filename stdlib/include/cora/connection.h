/*
 * connection.h: connections for protocols (asyncio's loop.create_connection and its kin).
 *
 *     rc = cora_create_connection(make_client, NULL, "localhost", "80", NULL, &transport);
 *     if (rc < 0)
 *         return rc;
 *
 * A call here makes a protocol by its factory, a transport for it, and returns once connection_made
 * has been called. *ret (NULL: not wanted) is then a reference to the transport, for
 * cora_transport_unref. A call that fails has closed all that it has opened; one that is cancelled
 * after the protocol was made ends by connection_lost.
 */
#ifndef CORA_CONNECTION_H
#define CORA_CONNECTION_H

#include <cora/base.h>
#include <cora/ssl.h>
#include <cora/task.h>
#include <cora/transport.h>

CORA_BEGIN_DECLS

/* An attempt that has failed: where to, or at which local address, and why. */
typedef struct cora_connection_error {
    cora_address address;
    int error;
} cora_connection_error;

/* All that have, in the order in which they did (asyncio's all_errors=True). */
typedef struct cora_connection_errors {
    cora_connection_error *errors; /* the caller's array, of which the first are written, */
    size_t room;                   /* so many at most */
    size_t count;                  /* written: how many there were, perhaps more than room */
} cora_connection_errors;

enum { CORA_NO_INTERLEAVE = -1 };

/* The optional arguments of create_connection; all may be 0. */
typedef struct cora_connection_options {
    int family; /* AF_INET or AF_INET6 only; 0: whatever the host has */
    int proto;  /* 0: that of any stream */
    int flags;  /* AI_NUMERICHOST and its like, of cora_getaddrinfo */

    /* local_addr: where the socket is bound to before. Either may be NULL; both: not at all. */
    const char *local_host, *local_service;

    /*
     * Happy Eyeballs (RFC 8305): so many seconds after an attempt, or when it has failed, the next
     * one begins beside it, and the first to succeed wins; 0.25 is a good choice. 0: the addresses
     * are tried one after the other; negative: all at once.
     */
    double happy_eyeballs_delay;

    /*
     * The families take turns, after so many addresses of the first one's. 0: 1 where there is a
     * happy_eyeballs_delay, else the addresses stay in the resolver's order, and so they do with
     * CORA_NO_INTERLEAVE.
     */
    int interleave;

    cora_connection_errors *errors; /* NULL: not wanted */

    size_t limit; /* cora_open_connection and its kin alone: of the reader; 0: CORA_STREAM_LIMIT */

    /* ---- of each call ---- */

    /* TLS; NULL: none. Where there is no host to be verified, it says a server_hostname. */
    const cora_ssl_options *ssl;
} cora_connection_options;

/*
 * loop.create_connection(host, port): connects to one of the addresses that the host and the
 * service, either of which may be NULL, have by cora_getaddrinfo. `options` may be NULL.
 *
 * 0; the resolver's errors; -ENOMEM, also where the factory returns NULL; -EINVAL for neither host
 * nor service, and a happy_eyeballs_delay of NaN; -ECANCELED; -CORA_ENOTASK. Where no attempt has
 * succeeded the error is the first one's, and options->errors has them all: -ECONNREFUSED and its
 * like, -EADDRNOTAVAIL also where no local address is of the same family. -ETIMEDOUT too, where
 * each attempt's own task was cancelled. With TLS the errors of cora_start_tls as well; the next
 * address is not tried then.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_create_connection(
    cora_protocol_factory *factory, void *arg, const char *host, const char *service,
    const cora_connection_options *options, cora_transport **ret);

/*
 * loop.create_connection(sock=...): a transport of a stream socket of any family that the caller
 * has connected, and which is the transport's from now on. 0; -EINVAL for options that say how to
 * connect; else as cora_connect_accepted_socket.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_create_connection_sock(
    cora_protocol_factory *factory, void *arg, int fd, const cora_connection_options *options,
    cora_transport **ret);

/*
 * loop.create_unix_connection(path): connects to the Unix socket at a path, or "@name" (see
 * cora_address_from_path). 0; -ENOENT, -ECONNREFUSED and other negative errnos; -EAGAIN: the queue
 * of its listener is full, try later; -ENAMETOOLONG; -EINVAL for no path, and for options that say
 * how to connect; -ENOMEM; -ECANCELED; -CORA_ENOTASK.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_create_unix_connection(
    cora_protocol_factory *factory, void *arg, const char *path,
    const cora_connection_options *options, cora_transport **ret);

/* loop.create_unix_connection(sock=...): as create_connection_sock; -EPROTOTYPE also for a socket
 * of another family. */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_create_unix_connection_sock(
    cora_protocol_factory *factory, void *arg, int fd, const cora_connection_options *options,
    cora_transport **ret);

/*
 * loop.connect_accepted_socket(): a transport of a connected stream socket that was got elsewhere,
 * by accept or socketpair, and which is the transport's from now on. 0; -EPROTOTYPE for a socket
 * that is no stream, -ENOTSOCK, -EBADF; -EBUSY while somebody waits for it; -ENOMEM, also where the
 * factory returns NULL; -CORA_ENOTASK: the socket is still the caller's. -ECANCELED: it is closed.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_connect_accepted_socket(
    cora_protocol_factory *factory, void *arg, int fd, cora_transport **ret);

/*
 * The same over TLS, as the server. -EINVAL for no context, or timeouts below 0, -EOPNOTSUPP: the
 * socket is still the caller's. With the errors that cora_start_tls has once the connection is
 * lost, it is closed.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_connect_accepted_socket_ssl(
    cora_protocol_factory *factory, void *arg, int fd, const cora_ssl_options *options,
    cora_transport **ret);

CORA_END_DECLS

#endif
