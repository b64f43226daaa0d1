/*
 * datagram_transport.h: the transport of a datagram socket (asyncio's _SelectorDatagramTransport).
 */
#ifndef CORA_STDLIB_DATAGRAM_TRANSPORT_H
#define CORA_STDLIB_DATAGRAM_TRANSPORT_H

#include "transport.h"

/*
 * Makes a transport of a socket, as cora__socket_transport_create does. `remote` (may be NULL): the
 * only address to send to, for a socket that is not connected to it. -EPROTOTYPE for a socket of
 * connections.
 */
int cora__datagram_transport_create(cora_loop *loop, int fd, const cora_address *remote,
                                    cora_protocol *protocol, cora_waiter *waiter,
                                    cora_transport **ret);

#endif
