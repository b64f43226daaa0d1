/*
 * pipe.h: the ends of pipes for protocols (asyncio's loop.connect_read_pipe and its kin). Sockets
 * and character devices, terminals say, are taken as well, for one direction.
 */
#ifndef CORA_PIPE_H
#define CORA_PIPE_H

#include <cora/base.h>
#include <cora/task.h>
#include <cora/transport.h>

CORA_BEGIN_DECLS

/*
 * loop.connect_read_pipe(): a transport of the end of a pipe that is read from. It is the
 * transport's from now on and becomes non-blocking, for all who share it. The protocol is what
 * factory(arg) returns. *ret (NULL: not wanted) is a reference, for cora_transport_unref.
 *
 * At the pipe's end eof_received is called, and then connection_lost, whatever the former answers.
 * An error of a read is reported, but for the -EIO of a terminal whose other end is closed.
 *
 * 0; -EINVAL for a descriptor of another kind, -EBADF; -EBUSY while somebody waits for it; -ENOMEM;
 * -CORA_ENOTASK: it is still the caller's. -ECANCELED: it is closed.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_connect_read_pipe(cora_protocol_factory *factory,
                                                                  void *arg, int fd,
                                                                  cora_transport **ret);

/*
 * loop.connect_write_pipe(): the same for the end that is written to, where write_eof is close.
 * When the other end is closed the connection is lost: with 0, or with -EPIPE where something still
 * waited to be written. Of a character device's only the next write tells. (It is noticed by this
 * end's becoming readable, so a socket that its peer also writes to is taken for closed.)
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_connect_write_pipe(cora_protocol_factory *factory,
                                                                   void *arg, int fd,
                                                                   cora_transport **ret);

CORA_END_DECLS

#endif
