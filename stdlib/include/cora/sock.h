/*
 * sock.h: sockets, one call at a time (asyncio's loop.sock_recv and its like).
 *
 * Each call first tries, and suspends only where it would block. A call that is cancelled has
 * transferred nothing that it does not tell, and leaves the socket as it was. The sockets may be
 * blocking or not; those that these calls open are not, and are closed on exec.
 *
 * Close a socket by cora_close_fd (<cora/waiter.h>), which also wakes whoever waits for it. After a
 * plain close(2) a new descriptor of the same number must be told of by cora_fd_opened.
 *
 * A call that need not wait does not suspend: a peer that sends without pause can hold the loop,
 * and a timeout cannot cut in. Let others run, by cora_sleep(0), where that matters.
 */
#ifndef CORA_SOCK_H
#define CORA_SOCK_H

#include <cora/base.h>
#include <cora/task.h>
#include <cora/waiter.h>

#include <sys/socket.h>
#include <sys/types.h>

CORA_BEGIN_DECLS

/*
 * Reads what there is, up to `size` bytes. The number of bytes; 0 at the end of the stream (or for
 * size 0); a negative errno (-ECONNRESET, ...); -ECANCELED; -EBUSY while another task reads;
 * -CORA_ENOTASK.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK ssize_t cora_sock_recv(int fd, void *buffer, size_t size);

/*
 * Sends all `size` bytes. 0 or a negative error: how many were sent is then unknown to the peer's
 * side of things and told in *ret_sent (NULL: not wanted), as it is on success. No SIGPIPE: -EPIPE.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_sock_sendall(int fd, const void *data, size_t size,
                                                             size_t *ret_sent);

/*
 * Connects the socket. 0; a negative errno (-ECONNREFUSED, ...); -ECANCELED: the attempt may still
 * be under way, the socket is good only for closing.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_sock_connect(int fd, const struct sockaddr *address,
                                                             socklen_t length);

/*
 * Accepts a connection on the listening socket: its descriptor, which the caller closes with
 * cora_close_fd. *address and *length (both NULL: not wanted) as in accept(2). A negative errno:
 * -EMFILE and -ENFILE leave the connection in the queue, wait a while before the next try.
 * A connection that was aborted before it could be accepted is passed over.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_sock_accept(int fd, struct sockaddr *address,
                                                            socklen_t *length);

CORA_END_DECLS

#endif
