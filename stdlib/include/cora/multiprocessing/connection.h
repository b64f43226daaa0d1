/*
 * connection.h: messages between processes (multiprocessing.Pipe, multiprocessing.connection).
 *
 *     cora_multiprocessing_connection ours, theirs;
 *
 *     rc = cora_multiprocessing_pipe(true, &ours, &theirs);
 *     rc = cora_multiprocessing_process_start(process);        // its copy of `theirs` is its own
 *     cora_multiprocessing_connection_close(&theirs);
 *     rc = cora_multiprocessing_connection_send_bytes(&ours, "hello", 5);
 *     size = cora_multiprocessing_connection_recv_bytes(&ours, SIZE_MAX, &answer);
 *
 * Each process has the ends that were open when it was started, and closes those that it does not
 * use: the end of a connection is read only when all copies of the other end are closed.
 *
 * Calls block the thread, not only the task. An end is for one thread at a time to send, and for
 * one to receive; two who send at once would mix their messages.
 */
#ifndef CORA_MULTIPROCESSING_CONNECTION_H
#define CORA_MULTIPROCESSING_CONNECTION_H

#include <cora/base.h>

#include <sys/types.h>

CORA_BEGIN_DECLS

/* An end, in storage of the caller's. Its members are private. */
typedef struct cora_multiprocessing_connection {
    int fd_; /* -1: closed */
    bool readable_, writable_;
    bool announced_;  /* the length of the next message has been read, */
    uint64_t length_; /* and is this */
} cora_multiprocessing_connection;

/*
 * Pipe(): two connected ends. `duplex`: each sends and receives; else the first receives and the
 * second sends. 0; -EMFILE, -ENFILE, -ENOMEM.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_pipe(bool duplex,
                                                       cora_multiprocessing_connection *ret_first,
                                                       cora_multiprocessing_connection *ret_second);

/* Closes the end. Idempotent. */
CORA_API void cora_multiprocessing_connection_close(cora_multiprocessing_connection *connection);

CORA_API bool cora_multiprocessing_connection_closed(
    const cora_multiprocessing_connection *connection);

/* The descriptor of the end, a socket; -1: it is closed. */
CORA_API int cora_multiprocessing_connection_fileno(
    const cora_multiprocessing_connection *connection);

/*
 * Sends a message of `size` bytes, 0 too. Blocks while the other side does not receive and more is
 * under way than the system holds. 0; -EPIPE where all copies of the other end are closed,
 * -ECONNRESET; -EBADF where this end is closed or only receives.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_connection_send_bytes(
    cora_multiprocessing_connection *connection, const void *data, size_t size);

/*
 * Receives a message; blocks until there is one. Its length; *ret_data is the caller's, for
 * free(3). -CORA_EEOF where all copies of the other end are closed and nothing is left, -ECONNRESET
 * where they went with something unread; -CORA_EINCOMPLETEREAD where that was in the midst of a
 * message; -EMSGSIZE where it is longer than `maxlength`: it stays, for a call that allows more;
 * -ENOMEM: so it does; -EBADF where this end is closed or only sends.
 */
CORA_API CORA_MUST_CHECK ssize_t cora_multiprocessing_connection_recv_bytes(
    cora_multiprocessing_connection *connection, size_t maxlength, void **ret_data);

/*
 * The same into the caller's buffer of `size` bytes. -EMSGSIZE where it does not fit
 * (BufferTooShort): it stays, and nothing is lost.
 */
CORA_API CORA_MUST_CHECK ssize_t cora_multiprocessing_connection_recv_bytes_into(
    cora_multiprocessing_connection *connection, void *buffer, size_t size);

/*
 * poll(): whether there is something to receive, be it the end, or an error; blocks for at most
 * `timeout` seconds (INFINITY: for any time; 0 or less: not at all). 1 or 0; -EINVAL for NaN;
 * -EBADF as receive.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_connection_poll(
    const cora_multiprocessing_connection *connection, double timeout);

/*
 * multiprocessing.connection.wait(): blocks until of `count` descriptors, of connections and
 * sentinels, some are readable or ended, for at most `timeout` seconds, as above. How many, and
 * ready[i] says which; 0 after the timeout. -EINVAL for NaN; -EBADF for one that is not open;
 * -ENOMEM.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_wait(const int fds[], size_t count,
                                                       double timeout, bool ready[]);

CORA_END_DECLS

#endif
