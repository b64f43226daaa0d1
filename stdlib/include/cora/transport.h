/*
 * transport.h: a connection as its protocol sees it (asyncio.Transport and its kin).
 *
 * A transport reads by itself and tells its protocol; what is written to it is sent at once as far
 * as the system takes it, and kept for later as far as it does not. It is made by
 * cora_create_connection, a server, cora_create_datagram_endpoint and the like.
 *
 * A transport is a counted reference. It keeps itself until connection_lost has returned, so a
 * protocol needs none; who may look at it later takes one by cora_transport_ref. After the
 * connection is lost all calls are still allowed, and do nothing. All calls belong to the thread
 * that runs its loop. None suspends unless it says so.
 *
 * A loop that is closed loses its connections: their protocols get connection_lost, with
 * -CORA_ECLOSED.
 */
#ifndef CORA_TRANSPORT_H
#define CORA_TRANSPORT_H

#include <cora/base.h>
#include <cora/loop.h>
#include <cora/protocol.h>
#include <cora/task.h>

#include <sys/uio.h>

CORA_BEGIN_DECLS

CORA_API cora_transport *cora_transport_ref(cora_transport *transport);
CORA_API void cora_transport_unref(cora_transport *transport); /* NULL is accepted */

CORA_API cora_loop *cora_transport_get_loop(const cora_transport *transport);

/* ---- of all (asyncio.BaseTransport) -------------------------------------------------------- */

/*
 * Reads no more, sends what is still to be written, and then the connection is lost:
 * connection_lost comes with 0, never before this call has returned.
 */
CORA_API void cora_transport_close(cora_transport *transport);

/* Whether it is closed or about to be. */
CORA_API bool cora_transport_is_closing(const cora_transport *transport);

/*
 * What there is to know of it by name; NULL: nothing under this name. Borrowed from the transport.
 *
 *     "socket"              const int *, its descriptor
 *     "sockname"            const cora_address *
 *     "peername"            const cora_address *
 *     "pipe"                const int *, of a pipe transport
 */
CORA_API const void *cora_transport_get_extra_info(const cora_transport *transport,
                                                   const char *name);

/*
 * Who is told from now on, of the peer's end too where that has come already. The old protocol's
 * memory is the caller's again.
 */
CORA_API void cora_transport_set_protocol(cora_transport *transport, cora_protocol *protocol);
CORA_API cora_protocol *cora_transport_get_protocol(const cora_transport *transport);

/* ---- reading (asyncio.ReadTransport) ------------------------------------------------------- */

/* No data comes from now on, or it comes again. Idempotent. */
CORA_API void cora_transport_pause_reading(cora_transport *transport);
CORA_API void cora_transport_resume_reading(cora_transport *transport);
CORA_API bool cora_transport_is_reading(const cora_transport *transport);

/* ---- writing (asyncio.WriteTransport) ------------------------------------------------------ */

/*
 * Sends `size` bytes, or copies what cannot be sent at once. 0, also where the connection is lost
 * by it or was before: the protocol is told by connection_lost; a writer that goes on and on is
 * reported, with that error, from the fifth such write. Negative: nothing of it was sent.
 * -EPIPE after write_eof; -EBUSY while a file is being sent (cora_sendfile); -EOPNOTSUPP for a
 * transport that cannot be written to; in debug mode -CORA_EWRONGTHREAD in another thread than its
 * loop's, which the other calls that write and those of streams say as well. -ENOMEM: some of it
 * may have been sent, so the connection is lost.
 */
CORA_API CORA_MUST_CHECK int cora_transport_write(cora_transport *transport, const void *data,
                                                  size_t size);

/* The same with `count` parts, in one system call if nothing waits before them. */
CORA_API CORA_MUST_CHECK int cora_transport_writelines(cora_transport *transport,
                                                       const struct iovec *parts, size_t count);

/*
 * Ends the outgoing half once all is sent; the incoming stays open. 0, also when repeated;
 * -EOPNOTSUPP where can_write_eof says false.
 */
CORA_API CORA_MUST_CHECK int cora_transport_write_eof(cora_transport *transport);
CORA_API bool cora_transport_can_write_eof(const cora_transport *transport);

/* Closes at once; what is not sent yet is lost. connection_lost comes with 0, after this call. */
CORA_API void cora_transport_abort(cora_transport *transport);

/* Bytes that wait to be sent. */
CORA_API size_t cora_transport_get_write_buffer_size(const cora_transport *transport);

/* So asyncio's default: high is 64 KiB, or 4 x low; low is high / 4. */
enum { CORA_DEFAULT_LIMIT = -1 };

/*
 * When the protocol is asked to pause writing: with more than `high` bytes waiting; and to resume:
 * with no more than `low`. Takes effect at once. 0; -EINVAL unless high >= low >= 0;
 * -EOPNOTSUPP.
 */
CORA_API CORA_MUST_CHECK int cora_transport_set_write_buffer_limits(cora_transport *transport,
                                                                    ssize_t high, ssize_t low);
CORA_API void cora_transport_get_write_buffer_limits(const cora_transport *transport,
                                                     size_t *ret_high, size_t *ret_low);

/* ---- files (loop.sendfile) ----------------------------------------------------------------- */

/*
 * Sends up to `count` bytes (SIZE_MAX: all) of the open file `file`, from `offset` on, or up to its
 * end, behind what waits to be written. Nothing is read from the connection meanwhile, and nothing
 * can be written to it: -EBUSY. Suspends until the last byte has been handed over.
 *
 * They go from file to socket inside the kernel, as by cora_sock_sendfile. Where that cannot be
 * done, for the file or, as with TLS, for the transport, they are read and written, unless
 * `fallback` is false: -EOPNOTSUPP (SendfileNotAvailableError).
 *
 * 0 or a negative error: how many bytes were sent is told in *ret_sent (NULL: not wanted) in either
 * case, and the file's own position is `offset` and that many, also after a cancellation.
 * -ENOTCONN: the transport is closing, or was closed meanwhile; -EBUSY while another file is being
 * sent; else as cora_sock_sendfile.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_sendfile(cora_transport *transport, int file,
                                                         off_t offset, size_t count, bool fallback,
                                                         size_t *ret_sent);

/* ---- datagrams (asyncio.DatagramTransport) ------------------------------------------------- */

/*
 * Sends one datagram to the address; NULL: to where the endpoint is connected. 0, also where it is
 * dropped: the protocol is told by error_received. -EINVAL for an address other than the one it is
 * connected to, or none where it is not connected; -ENOMEM; -EOPNOTSUPP for what is no datagram
 * endpoint.
 */
CORA_API CORA_MUST_CHECK int cora_transport_sendto(cora_transport *transport, const void *data,
                                                   size_t size, const cora_address *address);

CORA_END_DECLS

#endif
