/*
 * datagram.h: endpoints of datagrams for protocols (asyncio's loop.create_datagram_endpoint).
 *
 *     cora_datagram_options options = {.local_host = "127.0.0.1", .local_service = "9999"};
 *
 *     rc = cora_create_datagram_endpoint(new_echo, NULL, &options, &transport);
 *
 * What comes in is told by datagram_received and error_received (<cora/protocol.h>), and
 * cora_transport_sendto sends. A datagram that the socket has no room for is kept until it has; in
 * the size of what waits, each counts with the 8 bytes of its header.
 */
#ifndef CORA_DATAGRAM_H
#define CORA_DATAGRAM_H

#include <cora/base.h>
#include <cora/task.h>
#include <cora/transport.h>

CORA_BEGIN_DECLS

/* What an endpoint is like; all may be 0, but there must be an address or a family. */
typedef struct cora_datagram_options {
    /* local_addr: where it is bound to. Either may be NULL; both: not at all. */
    const char *local_host, *local_service;

    /* remote_addr: where it is connected to, so that it sends to and receives from there alone. */
    const char *remote_host, *remote_service;

    /*
     * The same for Unix sockets, by cora_address_from_path (<cora/address.h>). A socket that lies
     * at the local path already is removed; the new one stays when the endpoint is closed.
     */
    const char *local_path, *remote_path;

    int family; /* AF_INET, AF_INET6 or, without hosts, AF_UNIX; 0: whatever the hosts have */
    int proto;  /* 0: that of any datagram */
    int flags;  /* AI_PASSIVE and its like, of cora_getaddrinfo */

    bool reuse_port; /* other sockets may be bound to it if they all say so */

    /* It may send to a broadcast address. With a remote address it sends there, but is not
     * connected, so that it receives from all. */
    bool allow_broadcast;
} cora_datagram_options;

/*
 * loop.create_datagram_endpoint(): opens a socket, and returns once the protocol, which is what
 * factory(arg) returns, has been told of its transport by connection_made. Where names have several
 * addresses, each local one is tried with each remote one of its family; what the first try failed
 * with is returned if all do. *ret (NULL: not wanted) is a reference, for cora_transport_unref.
 *
 * 0; -EINVAL for no address and no family, or for paths with hosts or another family;
 * -EADDRNOTAVAIL where no local and no remote address are of one family; what cora_getaddrinfo,
 * socket(2), bind(2) and connect(2) say; -ENOMEM; -ECANCELED; -CORA_ENOTASK. Then nothing is left
 * of it.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_create_datagram_endpoint(
    cora_protocol_factory *factory, void *arg, const cora_datagram_options *options,
    cora_transport **ret);

/*
 * The same with a socket, create_datagram_endpoint(sock=), which is the transport's from now on. If
 * it is connected, what is sent goes there. 0; -EPROTOTYPE for a socket of connections, -ENOTSOCK,
 * -EBADF; -EBUSY while somebody waits for it; -ENOMEM; -CORA_ENOTASK: it is still the caller's.
 * -ECANCELED: it is closed.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_create_datagram_endpoint_sock(
    cora_protocol_factory *factory, void *arg, int fd, cora_transport **ret);

CORA_END_DECLS

#endif
