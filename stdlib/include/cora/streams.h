/*
 * streams.h: connections as tasks read and write them (asyncio's streams).
 *
 *     static int echo(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
 *     {
 *         char *line;
 *         ssize_t size;
 *         int rc = 0;
 *
 *         (void)arg;
 *         while (rc == 0 && (size = cora_stream_reader_readline(reader, &line)) > 0) {
 *             rc = cora_stream_writer_write(writer, line, (size_t)size);
 *             if (rc == 0)
 *                 rc = cora_stream_writer_drain(writer);
 *         }
 *         return rc < 0 ? rc : (int)size;
 *     }
 *
 * A reader and a writer are the two faces of one connection, and one object: a reference to either
 * keeps both. Who is given the two for good has one reference, for cora_stream_writer_unref (or
 * _reader_unref, which is the same). When the last one goes the connection is closed, as far as it
 * is not yet, and what was written is still sent, however long the peer takes to read it:
 * cora_transport_abort, of the writer's transport, waits for nobody.
 *
 * What is read by a call that does not know its length beforehand is handed over in the reader's
 * own memory: it is the caller's, to change it too, until the next call that reads from this
 * reader. Data that arrives meanwhile does not touch it, and nothing is copied.
 *
 * The reader holds no more than twice its limit, unless a call asks for more: then its transport is
 * paused, until no more than the limit is left. One task reads at a time, any number may write.
 */
#ifndef CORA_STREAMS_H
#define CORA_STREAMS_H

#include <cora/base.h>
#include <cora/connection.h>
#include <cora/server.h>
#include <cora/ssl.h>
#include <cora/task.h>
#include <cora/transport.h>

#include <sys/types.h>

CORA_BEGIN_DECLS

typedef struct cora_stream_reader cora_stream_reader;
typedef struct cora_stream_writer cora_stream_writer;

/* The limit of a reader, in bytes, where none is said. */
enum { CORA_STREAM_LIMIT = 64 << 10 };

/* ---- reading (asyncio.StreamReader) -------------------------------------------------------- */

/*
 * Each of these calls that suspends also returns -EBUSY while another task reads; -ECANCELED:
 * nothing was taken, the next call finds it all; -CORA_ENOTASK; and the reader's exception, once
 * there is one: a connection that was lost with -ECONNRESET fails with that, whatever it held.
 */

/*
 * read(size): what there is, up to `size` bytes; suspends until there is at least one. It goes into
 * the buffer, from the system without another copy. The number of bytes; 0 at the end, or for size
 * 0.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK ssize_t cora_stream_reader_read(cora_stream_reader *reader,
                                                                       void *buffer, size_t size);

/*
 * read(-1): all there will be, whatever the limit. Suspends until the end. The number of bytes, and
 * where they are in *ret_data; -ENOMEM. The limit does not bound what a peer may send here.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK ssize_t
cora_stream_reader_read_until_eof(cora_stream_reader *reader, char **ret_data);

/*
 * readexactly(): `size` bytes into the buffer, whatever the limit. 0; -CORA_EINCOMPLETEREAD where
 * the end comes first: what came before it is still there to be read.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_stream_reader_readexactly(
    cora_stream_reader *reader, void *buffer, size_t size);

/*
 * readline(): a line with its newline, or what the stream ends with. Its length, and where it is in
 * *ret_line; 0 at the end. -CORA_ELIMITOVERRUN where it is longer, without its newline, than the
 * limit: it is dropped, or what there is of it where no newline has come yet.
 *
 *     while ((size = cora_stream_reader_readline(reader, &line)) > 0)   // async for line in reader
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK ssize_t
cora_stream_reader_readline(cora_stream_reader *reader, char **ret_line);

/*
 * readuntil(): data up to the separator of `length` bytes and with it. How many bytes, and where
 * they are in *ret_data. -CORA_EINCOMPLETEREAD where the end comes first; -CORA_ELIMITOVERRUN where
 * there is more than the limit before the separator: in both cases all of it is still there to be
 * read. -EINVAL for an empty separator.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK ssize_t cora_stream_reader_readuntil(
    cora_stream_reader *reader, const void *separator, size_t length, char **ret_data);

typedef struct cora_separator {
    const void *data;
    size_t length;
} cora_separator;

/* The same with several of them: the one that ends first counts. -EINVAL for none, or an empty one.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK ssize_t cora_stream_reader_readuntil_any(
    cora_stream_reader *reader, const cora_separator *separators, size_t count, char **ret_data);

/* Whether all was read and nothing more will come. */
CORA_API bool cora_stream_reader_at_eof(const cora_stream_reader *reader);

/* The error that reading fails with from now on, negative; or 0. */
CORA_API int cora_stream_reader_exception(const cora_stream_reader *reader);

/* ---- writing (asyncio.StreamWriter) -------------------------------------------------------- */

/*
 * Sends the data, or keeps a copy of what cannot be sent at once: drain waits until that is not too
 * much. Results as of cora_transport_write and _writelines.
 */
CORA_API CORA_MUST_CHECK int cora_stream_writer_write(cora_stream_writer *writer, const void *data,
                                                      size_t size);
CORA_API CORA_MUST_CHECK int cora_stream_writer_writelines(cora_stream_writer *writer,
                                                           const struct iovec *parts, size_t count);

/*
 * writer.write(f"..."): the text that printf would print. As write; also -ENOMEM, and what snprintf
 * failed with: nothing of it is sent.
 */
CORA_API CORA_MUST_CHECK int cora_stream_writer_printf(cora_stream_writer *writer,
                                                       const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Suspends while more than the transport's high-water mark waits to be sent, until there is no more
 * than the low one; otherwise it does not suspend. When the connection is closing it lets others
 * run once. Any number of tasks may drain. 0; the reader's exception; the error that the connection
 * was lost with, -ECONNRESET where it was lost before; -ECANCELED; -CORA_ENOTASK.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_stream_writer_drain(cora_stream_writer *writer);

/* As cora_transport_write_eof and _can_write_eof. */
CORA_API CORA_MUST_CHECK int cora_stream_writer_write_eof(cora_stream_writer *writer);
CORA_API bool cora_stream_writer_can_write_eof(const cora_stream_writer *writer);

/*
 * start_tls(): drains, and goes over to TLS, as cora_start_tls, on the server's side where a server
 * has accepted the connection. What was received and not read yet belongs to TLS.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_stream_writer_start_tls(
    cora_stream_writer *writer, const cora_ssl_options *options);

/* Closes the connection, once all is sent; nothing more is read. */
CORA_API void cora_stream_writer_close(cora_stream_writer *writer);
CORA_API bool cora_stream_writer_is_closing(const cora_stream_writer *writer);

/*
 * Suspends until the connection is lost, by close or otherwise; at once if it is. 0, or the error
 * that it was lost with; -ECANCELED; -CORA_ENOTASK.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_stream_writer_wait_closed(
    cora_stream_writer *writer);

/* As cora_transport_get_extra_info. */
CORA_API const void *cora_stream_writer_get_extra_info(const cora_stream_writer *writer,
                                                       const char *name);

/* The transport, borrowed from the writer. */
CORA_API cora_transport *cora_stream_writer_get_transport(const cora_stream_writer *writer);

/* ---- references ---------------------------------------------------------------------------- */

/* Of the connection: of both faces. unref accepts NULL. */
CORA_API cora_stream_writer *cora_stream_writer_ref(cora_stream_writer *writer);
CORA_API void cora_stream_writer_unref(cora_stream_writer *writer);
CORA_API cora_stream_reader *cora_stream_reader_ref(cora_stream_reader *reader);
CORA_API void cora_stream_reader_unref(cora_stream_reader *reader);

/* ---- connections --------------------------------------------------------------------------- */

/*
 * open_connection(): as cora_create_connection, with options->limit of the reader. *ret_reader and
 * *ret_writer are one reference.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_open_connection(
    const char *host, const char *service, const cora_connection_options *options,
    cora_stream_reader **ret_reader, cora_stream_writer **ret_writer);

/* open_connection(sock=): as cora_create_connection_sock. */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_open_connection_sock(
    int fd, const cora_connection_options *options, cora_stream_reader **ret_reader,
    cora_stream_writer **ret_writer);

/* open_unix_connection(): as cora_create_unix_connection. */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_open_unix_connection(
    const char *path, const cora_connection_options *options, cora_stream_reader **ret_reader,
    cora_stream_writer **ret_writer);

/* ---- servers ------------------------------------------------------------------------------- */

/*
 * What a server does with a connection, in a task of its own: asyncio's client_connected_cb. Reader
 * and writer are lent until it returns: then its reference is given back, and with that the
 * connection is closed, unless somebody else has taken one. What was written is still sent.
 *
 * Where it returns an error the connection is closed in any case, and the error is reported, as
 * "Unhandled exception in client_connected_cb", unless it is -ECANCELED: nobody else notices.
 */
typedef int cora_client_connected(cora_stream_reader *reader, cora_stream_writer *writer,
                                  void *arg);

/*
 * start_server(): as cora_create_server, with options->limit of the readers. Each connection has a
 * task that calls handler(reader, writer, arg), in a copy of the context in which the server was
 * created. To close the server does not end these tasks; cora_server_close_clients has them read
 * the end.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_start_server(cora_client_connected *handler,
                                                             void *arg, const char *host,
                                                             const char *service,
                                                             const cora_server_options *options,
                                                             cora_server **ret);

/* start_server(sock=): as cora_create_server_sock. */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_start_server_sock(
    cora_client_connected *handler, void *arg, int fd, const cora_server_options *options,
    cora_server **ret);

/* start_unix_server(): as cora_create_unix_server and cora_create_unix_server_sock. */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_start_unix_server(
    cora_client_connected *handler, void *arg, const char *path, const cora_server_options *options,
    cora_server **ret);
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_start_unix_server_sock(
    cora_client_connected *handler, void *arg, int fd, const cora_server_options *options,
    cora_server **ret);

/* ---- streams of one's own ------------------------------------------------------------------ */

/*
 * asyncio.StreamReader(): a reader that is fed by hand, or by a transport through the protocol
 * below. *ret is a reference. 0; -EINVAL for a limit of 0 or less; -ENOMEM.
 */
CORA_API CORA_MUST_CHECK int cora_stream_reader_create(ssize_t limit, cora_stream_reader **ret);

/*
 * asyncio.StreamReaderProtocol(): the protocol that feeds the reader, `arg`, which it keeps until
 * connection_lost has returned. A factory, to be used once for each reader:
 *
 *     rc = cora_connect_accepted_socket(cora_stream_reader_protocol, reader, fd, NULL);
 *     writer = cora_stream_reader_get_writer(reader);
 */
CORA_API cora_protocol *cora_stream_reader_protocol(void *arg);

/* The reader's other face, borrowed from it; NULL as long as no connection has been made. */
CORA_API cora_stream_writer *cora_stream_reader_get_writer(cora_stream_reader *reader);

/* What arrives: copied. 0; -EPIPE after feed_eof; -ENOMEM: nothing of it can be read. */
CORA_API CORA_MUST_CHECK int cora_stream_reader_feed_data(cora_stream_reader *reader,
                                                          const void *data, size_t size);

/* Nothing more will come. */
CORA_API void cora_stream_reader_feed_eof(cora_stream_reader *reader);

/* Reading fails from now on with `error`, which is negative. */
CORA_API void cora_stream_reader_set_exception(cora_stream_reader *reader, int error);

CORA_END_DECLS

#endif
