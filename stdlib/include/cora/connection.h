/*
 * connection.h: connections for protocols (asyncio's loop.create_connection and its kin).
 *
 * A call here makes a protocol by its factory, a transport for it, and returns once connection_made
 * has been called.
 */
#ifndef CORA_CONNECTION_H
#define CORA_CONNECTION_H

#include <cora/base.h>
#include <cora/task.h>
#include <cora/transport.h>

CORA_BEGIN_DECLS

/*
 * loop.connect_accepted_socket(): a transport of a connected stream socket that was got elsewhere,
 * by accept or socketpair, and which is the transport's from now on. The protocol is what
 * factory(arg) returns. *ret (NULL: not wanted) is a reference, for cora_transport_unref.
 * 0; -EPROTOTYPE for a socket that is no stream, -ENOTSOCK, -EBADF; -EBUSY while somebody waits for
 * it; -ENOMEM; -CORA_ENOTASK: the socket is still the caller's. -ECANCELED: it is closed.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_connect_accepted_socket(
    cora_protocol_factory *factory, void *arg, int fd, cora_transport **ret);

CORA_END_DECLS

#endif
