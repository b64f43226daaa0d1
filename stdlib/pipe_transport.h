/*
 * pipe_transport.h: the transports of pipes (asyncio's _UnixReadPipeTransport and
 * _UnixWritePipeTransport).
 */
#ifndef CORA_STDLIB_PIPE_TRANSPORT_H
#define CORA_STDLIB_PIPE_TRANSPORT_H

#include "transport.h"

/*
 * Makes a transport of the end of a pipe, a socket or a character device, which it owns from then
 * on, and starts it (see cora__transport_start). *ret is lent. 0; -EINVAL for another kind of
 * descriptor, -EBADF, -EBUSY, -ENOMEM, -CORA_ECLOSED: the descriptor is still the caller's, and the
 * protocol has not heard of it.
 */
int cora__read_pipe_transport_create(cora_loop *loop, int fd, cora_protocol *protocol,
                                     cora_waiter *waiter, cora_transport **ret);
int cora__write_pipe_transport_create(cora_loop *loop, int fd, cora_protocol *protocol,
                                      cora_waiter *waiter, cora_transport **ret);

#endif
