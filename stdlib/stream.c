/*
 * stream.c: the protocol that reader and writer hang on (asyncio.StreamReaderProtocol).
 */
#include "stream.h"

#include "attached.h"

#include <errno.h>
#include <stdlib.h>

/* ---- references ---------------------------------------------------------------------------- */

void cora__stream_init(struct cora__stream *stream, size_t limit)
{
    *stream = (struct cora__stream){
        .protocol = {&cora__stream_methods}, .reader = {.limit = limit}, .refs = 1};
}

struct cora__stream *cora__stream_create(size_t limit)
{
    struct cora__stream *stream = malloc(sizeof *stream);

    if (stream != NULL)
        cora__stream_init(stream, limit);
    return stream;
}

static void destroy(struct cora__stream *stream)
{
    cora__stream_reader_clear(&stream->reader);
    cora_transport_unref(stream->writer.transport);
    free(stream);
}

/* Of a connection that nobody uses any more only the transport is left, and that closes. */
void cora__stream_unref(struct cora__stream *stream)
{
    stream->refs--;
    if (stream->refs == 0)
        destroy(stream);
    else if (stream->refs == 1 && stream->connected && stream->writer.transport != NULL)
        cora_transport_close(stream->writer.transport);
}

cora_stream_writer *cora_stream_writer_ref(cora_stream_writer *writer)
{
    cora__stream_of_writer(writer)->refs++;
    return writer;
}

void cora_stream_writer_unref(cora_stream_writer *writer)
{
    if (writer != NULL)
        cora__stream_unref(cora__stream_of_writer(writer));
}

cora_stream_reader *cora_stream_reader_ref(cora_stream_reader *reader)
{
    cora__stream_of_reader(reader)->refs++;
    return reader;
}

void cora_stream_reader_unref(cora_stream_reader *reader)
{
    if (reader != NULL)
        cora__stream_unref(cora__stream_of_reader(reader));
}

/* ---- the protocol -------------------------------------------------------------------------- */

void cora__stream_connection_made(struct cora__stream *stream, cora_transport *transport)
{
    stream->reader.transport = stream->writer.transport = cora_transport_ref(transport);
    stream->over_ssl = cora_transport_get_extra_info(transport, "sslcontext") != NULL;
    if (stream->refs == 1) /* nobody wants it any more */
        cora_transport_close(transport);
}

void cora__stream_connection_lost(struct cora__stream *stream, int error)
{
    if (error < 0)
        cora_stream_reader_set_exception(&stream->reader, error);
    else
        cora_stream_reader_feed_eof(&stream->reader);
    cora__stream_writer_lost(&stream->writer, error);
    stream->reader.transport = NULL;
    stream->connected = false;
    cora__stream_unref(stream);
}

static struct cora__stream *stream_of(cora_protocol *protocol)
{
    return (struct cora__stream *)protocol;
}

static void connection_made(cora_protocol *self, cora_transport *transport)
{
    cora__stream_connection_made(stream_of(self), transport);
}

static void connection_lost(cora_protocol *self, int error)
{
    cora__stream_connection_lost(stream_of(self), error);
}

static void pause_writing(cora_protocol *self)
{
    cora__stream_pause_writing(stream_of(self));
}

static void resume_writing(cora_protocol *self)
{
    cora__stream_resume_writing(stream_of(self));
}

static int data_received(cora_protocol *self, const void *data, size_t size)
{
    return cora_stream_reader_feed_data(&stream_of(self)->reader, data, size);
}

static ssize_t get_buffer(cora_protocol *self, ssize_t size_hint, void **ret_buffer)
{
    (void)size_hint;
    return (ssize_t)cora__stream_reader_room(&stream_of(self)->reader, ret_buffer);
}

static int buffer_updated(cora_protocol *self, size_t size)
{
    cora__stream_reader_fed(&stream_of(self)->reader, size);
    return 0;
}

/* TLS ends as a whole. */
static int eof_received(cora_protocol *self)
{
    cora_stream_reader_feed_eof(&stream_of(self)->reader);
    return stream_of(self)->over_ssl ? 0 : 1;
}

#define METHODS                                                                                    \
    .connection_made = connection_made, .connection_lost = connection_lost,                        \
    .pause_writing = pause_writing, .resume_writing = resume_writing,                              \
    .data_received = data_received, .eof_received = eof_received

const cora_protocol_methods cora__stream_methods = {METHODS};

const cora_protocol_methods cora__stream_direct_methods = {
    METHODS,
    .get_buffer = get_buffer,
    .buffer_updated = buffer_updated,
};

cora_protocol *cora__stream_protocol(void *arg)
{
    struct cora__stream *stream = arg;

    stream->refs++;
    stream->connected = true;
    return &stream->protocol;
}

/* ---- streams of one's own ------------------------------------------------------------------ */

int cora_stream_reader_create(ssize_t limit, cora_stream_reader **ret)
{
    struct cora__stream *stream;

    if (limit <= 0)
        return -EINVAL;
    stream = cora__stream_create((size_t)limit);
    if (stream == NULL)
        return -ENOMEM;
    *ret = &stream->reader;
    return 0;
}

cora_protocol *cora_stream_reader_protocol(void *arg)
{
    return cora__stream_protocol(cora__stream_of_reader(arg));
}

cora_stream_writer *cora_stream_reader_get_writer(cora_stream_reader *reader)
{
    struct cora__stream *stream = cora__stream_of_reader(reader);

    return stream->writer.transport != NULL ? &stream->writer : NULL;
}

/* ---- the end of the loop ------------------------------------------------------------------- */

void cora__stream_forsake(struct cora__stream *stream)
{
    cora__forsake(&stream->reader.waiters);
    cora__forsake(&stream->writer.drainers);
    cora__forsake(&stream->writer.closers);
    stream->protocol.methods = &cora__stream_methods;
}
