/*
 * socket_transport.h: the transport of a stream socket (asyncio's _SelectorSocketTransport).
 */
#ifndef CORA_STDLIB_SOCKET_TRANSPORT_H
#define CORA_STDLIB_SOCKET_TRANSPORT_H

#include "transport.h"

/*
 * Makes a transport of a connected stream socket, which it owns from then on, and starts it (see
 * cora__transport_start). *ret is lent. 0; -EPROTOTYPE for a socket that is no stream, -ENOTSOCK,
 * -EBADF, -EBUSY, -ENOMEM, -CORA_ECLOSED: the socket is still the caller's, and the protocol has
 * not heard of it.
 */
int cora__socket_transport_create(cora_loop *loop, int fd, cora_protocol *protocol,
                                  cora_waiter *waiter, cora_transport **ret);

#endif
