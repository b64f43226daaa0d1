/*
 * protocol.h: what happens on a connection, told by callbacks (asyncio.Protocol and its kin).
 *
 *     struct echo {
 *         cora_protocol protocol;              // first, so that a pointer to it is one to this
 *         cora_transport *transport;
 *     };
 *
 *     static int data_received(cora_protocol *self, const void *data, size_t size)
 *     {
 *         return cora_transport_write(((struct echo *)self)->transport, data, size);
 *     }
 *
 *     static const cora_protocol_methods echo_methods = {
 *         .connection_made = connection_made, .data_received = data_received, ...
 *     };
 *
 * A server makes one protocol for each connection, by a factory, and no task. The order of calls is
 * connection_made, then data_received any number of times, eof_received at most once, and last
 * connection_lost, exactly once, even where no connection could be made for it; then the protocol's
 * memory is its owner's again, who usually frees it there. The callbacks run in the loop, in the
 * context in which the transport was made, and must not suspend or block. A method that is NULL
 * does nothing.
 */
#ifndef CORA_PROTOCOL_H
#define CORA_PROTOCOL_H

#include <cora/address.h>
#include <cora/base.h>

#include <sys/types.h>

CORA_BEGIN_DECLS

typedef struct cora_transport cora_transport;
typedef struct cora_protocol cora_protocol;

typedef struct cora_protocol_methods {
    /* ---- of all (asyncio.BaseProtocol) ---- */

    /* The transport is lent until connection_lost has returned; cora_transport_ref keeps it. */
    void (*connection_made)(cora_protocol *self, cora_transport *transport);

    /* `error`: 0 for an end by close, abort or the peer's end, else why it was lost. */
    void (*connection_lost)(cora_protocol *self, int error);

    /* More than the high-water mark waits to be written; no more than the low-water mark does. */
    void (*pause_writing)(cora_protocol *self);
    void (*resume_writing)(cora_protocol *self);

    /* ---- streams of bytes: asyncio.Protocol ---- */

    /*
     * `size` bytes, more than 0, valid during the call. 0; a negative error is reported, and the
     * connection is lost with it.
     */
    int (*data_received)(cora_protocol *self, const void *data, size_t size);

    /*
     * The peer will send no more. 0: the transport closes itself; 1: it stays open, to write to; a
     * negative error: as above.
     */
    int (*eof_received)(cora_protocol *self);

    /* ---- or with a buffer of one's own, in place of data_received: asyncio.BufferedProtocol ----
     */

    /*
     * Where the next bytes are to go: the room in bytes, and its place in *ret_buffer. `size_hint`:
     * so many are expected, -1 for unknown. 0 or a negative error is reported, and the connection
     * is lost.
     */
    ssize_t (*get_buffer)(cora_protocol *self, ssize_t size_hint, void **ret_buffer);

    /* `size` bytes are in that buffer. 0 or a negative error, as data_received. */
    int (*buffer_updated)(cora_protocol *self, size_t size);

    /* ---- datagrams: asyncio.DatagramProtocol ---- */

    /* One datagram, perhaps of 0 bytes, and who sent it; both valid during the call. */
    void (*datagram_received)(cora_protocol *self, const void *data, size_t size,
                              const cora_address *sender);

    /* An earlier send or receive has failed, as with -ECONNREFUSED. The endpoint stays open. */
    void (*error_received)(cora_protocol *self, int error);

    /* ---- processes: asyncio.SubprocessProtocol ---- */

    /* The child wrote so many bytes to its descriptor `fd`, 1 or 2. */
    void (*pipe_data_received)(cora_protocol *self, int fd, const void *data, size_t size);

    /* The pipe to the child's `fd`, 0, 1 or 2, is closed. */
    void (*pipe_connection_lost)(cora_protocol *self, int fd, int error);

    /* The child has ended; its pipes may still hold data. */
    void (*process_exited)(cora_protocol *self);
} cora_protocol_methods;

/* The first member of each protocol's own struct. */
struct cora_protocol {
    const cora_protocol_methods *methods;
};

/* Makes the protocol of a new connection. NULL: there is no memory for it. */
typedef cora_protocol *cora_protocol_factory(void *arg);

CORA_END_DECLS

#endif
