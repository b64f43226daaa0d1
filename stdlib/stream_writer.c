#include "stream.h"
#include "transport.h"

#include <cora/ssl.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- writing ------------------------------------------------------------------------------- */

int cora_stream_writer_write(cora_stream_writer *writer, const void *data, size_t size)
{
    return cora_transport_write(writer->transport, data, size);
}

int cora_stream_writer_writelines(cora_stream_writer *writer, const struct iovec *parts,
                                  size_t count)
{
    return cora_transport_writelines(writer->transport, parts, count);
}

/* What is longer than most lines are is formatted twice. */
int cora_stream_writer_printf(cora_stream_writer *writer, const char *format, ...)
{
    char line[512], *text = line;
    va_list args;
    int size, rc;

    va_start(args, format);
    size = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (size < 0)
        return -errno;
    if ((size_t)size >= sizeof line) {
        text = malloc((size_t)size + 1);
        if (text == NULL)
            return -ENOMEM;
        va_start(args, format);
        size = vsnprintf(text, (size_t)size + 1, format, args);
        va_end(args);
    }
    rc = cora_stream_writer_write(writer, text, (size_t)size);
    if (text != line)
        free(text);
    return rc;
}

int cora_stream_writer_write_eof(cora_stream_writer *writer)
{
    return cora_transport_write_eof(writer->transport);
}

bool cora_stream_writer_can_write_eof(const cora_stream_writer *writer)
{
    return cora_transport_can_write_eof(writer->transport);
}

/* ---- waiting until it is written ----------------------------------------------------------- */

/* A task that drains, on its stack. */
struct draining {
    cora_waiter waiter;
    int error; /* the connection was lost meanwhile with it */
};

static int wait_until_resumed(cora_stream_writer *writer)
{
    struct draining draining = {.error = 0};
    int rc =
        cora_wait_queue_wait(&writer->drainers, &draining.waiter, "room in stream writer", writer);

    return rc < 0 ? rc : draining.error;
}

/* Where the connection is closing, its end may be due: a loop of writes would never see it. */
int cora_stream_writer_drain(cora_stream_writer *writer)
{
    int rc = cora__transport_check_thread(writer->transport);

    if (rc == 0)
        rc = cora__stream_of_writer(writer)->reader.exception;
    if (rc == 0 && cora_transport_is_closing(writer->transport))
        rc = cora_sleep(0);
    if (rc < 0)
        return rc;
    if (writer->lost)
        return -ECONNRESET;
    return writer->paused ? wait_until_resumed(writer) : 0;
}

static void wake_drainers(cora_stream_writer *writer, int error)
{
    cora_waiter *waiter;

    while ((waiter = cora_wait_queue_first_pending(&writer->drainers)) != NULL) {
        ((struct draining *)waiter)->error = error;
        cora_wait_queue_wake_first(&writer->drainers);
    }
}

void cora__stream_pause_writing(struct cora__stream *stream)
{
    stream->writer.paused = true;
}

void cora__stream_resume_writing(struct cora__stream *stream)
{
    stream->writer.paused = false;
    wake_drainers(&stream->writer, 0);
}

/* ---- from here on with TLS ----------------------------------------------------------------- */

static void replace_transport(struct cora__stream *stream, cora_transport *transport)
{
    cora_transport_unref(stream->writer.transport);
    stream->writer.transport = transport;
    stream->over_ssl = true;
    if (stream->connected)
        cora__stream_reader_set_transport(&stream->reader, transport);
}

/* What was received and not read is of TLS already: it must not be taken for what TLS protects. */
int cora_stream_writer_start_tls(cora_stream_writer *writer, const cora_ssl_options *options)
{
    struct cora__stream *stream = cora__stream_of_writer(writer);
    cora_ssl_options with_received = *options;
    cora_transport *before = writer->transport, *transport;
    const char *received;
    int rc = cora_stream_writer_drain(writer);

    if (rc < 0)
        return rc;
    with_received.received_size = cora__stream_reader_peek(&stream->reader, &received);
    with_received.received = received;
    rc = cora_start_tls(before, &stream->protocol, &with_received, stream->server_side, &transport);
    if (rc == 0 || cora_transport_get_protocol(before) != &stream->protocol)
        cora__stream_reader_drop(&stream->reader);
    if (rc == 0)
        replace_transport(stream, transport);
    return rc;
}

/* ---- the end ------------------------------------------------------------------------------- */

void cora__stream_writer_lost(cora_stream_writer *writer, int error)
{
    writer->lost = true;
    writer->error = error;
    wake_drainers(writer, error);
    while (cora_wait_queue_wake_first(&writer->closers))
        continue;
}

void cora_stream_writer_close(cora_stream_writer *writer)
{
    cora_transport_close(writer->transport);
}

bool cora_stream_writer_is_closing(const cora_stream_writer *writer)
{
    return cora_transport_is_closing(writer->transport);
}

int cora_stream_writer_wait_closed(cora_stream_writer *writer)
{
    cora_waiter waiter;
    int rc = 0;

    if (!writer->lost)
        rc = cora_wait_queue_wait(&writer->closers, &waiter, "the end of stream writer", writer);
    return rc < 0 ? rc : writer->error;
}

/* ---- questions ----------------------------------------------------------------------------- */

const void *cora_stream_writer_get_extra_info(const cora_stream_writer *writer, const char *name)
{
    return cora_transport_get_extra_info(writer->transport, name);
}

cora_transport *cora_stream_writer_get_transport(const cora_stream_writer *writer)
{
    return writer->transport;
}
