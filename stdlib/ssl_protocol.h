/*
 * ssl_protocol.h: the transport of a connection over TLS (asyncio's SSLProtocol).
 */
#ifndef CORA_STDLIB_SSL_PROTOCOL_H
#define CORA_STDLIB_SSL_PROTOCOL_H

#include "transport.h"

#include <cora/ssl.h>

/* Whether a connection can be made with these options at all. 0; -EINVAL; -EOPNOTSUPP. */
int cora__ssl_check(const cora_ssl_options *options, bool server_side);

/*
 * As cora__socket_transport_create, with TLS. Once the handshake is complete connection_made is
 * called and the waiter woken. Where it fails connection_lost is called, and the waiter woken (see
 * cora__transport_wait_made); where there is none that is reported. Errors are those of a socket
 * transport's, and of cora__ssl_check.
 */
int cora__ssl_transport_create(cora_loop *loop, int fd, cora_protocol *protocol,
                               const cora_ssl_options *options, bool server_side,
                               cora_waiter *waiter, cora_transport **ret);

#endif
