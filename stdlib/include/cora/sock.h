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
#include <sys/uio.h>

CORA_BEGIN_DECLS

/*
 * sock_recv, and sock_recv_into too: reads what there is, up to `size` bytes, into the buffer. The
 * number of bytes; 0 at the end of the stream (or for size 0); a negative errno (-ECONNRESET, ...);
 * -ECANCELED; -EBUSY while another task reads; -CORA_ENOTASK.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK ssize_t cora_sock_recv(int fd, void *buffer, size_t size);

/*
 * sock_recvfrom, sock_recvfrom_into: receives a datagram of up to `size` bytes; what does not fit
 * is lost. *address and *length (both NULL: not wanted) tell the sender, as in recvfrom(2): *length
 * is the room for it before, and its length afterwards, which may be more. The number of bytes, 0
 * for an empty datagram; errors as of recv, which leave both as they are, *address undefined.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK ssize_t cora_sock_recvfrom(int fd, void *buffer, size_t size,
                                                                  struct sockaddr *address,
                                                                  socklen_t *length);

/*
 * sock_sendto: sends a datagram to the address (NULL, 0: to where the socket is connected). The
 * number of bytes, which are all; a negative errno (-EMSGSIZE, -ECONNREFUSED: an earlier one was
 * refused, ...), -ECANCELED, -EBUSY, -CORA_ENOTASK: nothing was sent. -EAGAIN: the queue of the
 * Unix socket at the address is full, and nothing tells when it has room; try later. Connected
 * sockets wait for it.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK ssize_t cora_sock_sendto(int fd, const void *data,
                                                                size_t size,
                                                                const struct sockaddr *address,
                                                                socklen_t length);

/*
 * sock_sendall: sends all `size` bytes. 0 or a negative error: how many were sent is then unknown
 * to the peer's side of things and told in *ret_sent (NULL: not wanted), as it is on success. No
 * SIGPIPE: -EPIPE.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_sock_sendall(int fd, const void *data, size_t size,
                                                             size_t *ret_sent);

/*
 * The same with `count` parts, in order, by as few calls of sendmsg(2) as it takes; the array is
 * not written, and empty parts are passed over. *ret_sent counts the bytes of all parts. On a
 * datagram socket up to IOV_MAX parts are one datagram.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_sock_sendmsg(int fd, const struct iovec *parts,
                                                             size_t count, size_t *ret_sent);

/*
 * sock_sendfile: sends up to `count` bytes (SIZE_MAX: all) of the open file `file`, from `offset`
 * on, or up to its end. They go from file to socket inside the kernel (sendfile(2)); where it
 * cannot do that for the file, or fails before it has begun, by reading and sending. The file may
 * also be a pipe, with offset 0, which is read up to its end, and from which no more is taken than
 * is sent.
 *
 * The socket, which must be a stream, is made non-blocking. Reading from a disk holds the loop up.
 *
 * 0 or a negative error: how many bytes were sent is told in *ret_sent (NULL: not wanted) in either
 * case, and the file's own position is `offset` and that many, also after a cancellation. -EPIPE,
 * and no SIGPIPE; -ESPIPE: the file can be read at no offset; other negative errnos; -ECANCELED;
 * -EBUSY; -CORA_ENOTASK. With nothing done, nor the position moved: -EINVAL for a negative offset,
 * -EPROTOTYPE for a socket that is no stream, -ENOTSOCK, -EBADF.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_sock_sendfile(int fd, int file, off_t offset,
                                                              size_t count, size_t *ret_sent);

/*
 * sock_connect: connects the socket. 0; a negative errno (-ECONNREFUSED, ...; -EISCONN: it is
 * connected already; -EAGAIN: the queue of the Unix socket's listener is full, try later).
 * -ECANCELED, -CORA_ENOTASK: the attempt goes on by itself. The same call again waits for its
 * outcome, to close the socket ends it. A socket whose attempt has failed is good only for closing.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_sock_connect(int fd, const struct sockaddr *address,
                                                             socklen_t length);

/*
 * sock_accept: accepts a connection on the listening socket: its descriptor, which the caller
 * closes with cora_close_fd. *address and *length (both NULL: not wanted) as in accept(2). A
 * negative errno: -EMFILE and -ENFILE leave the connection in the queue, wait a while before the
 * next try. A connection that was aborted before it could be accepted is passed over.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_sock_accept(int fd, struct sockaddr *address,
                                                            socklen_t *length);

CORA_END_DECLS

#endif
