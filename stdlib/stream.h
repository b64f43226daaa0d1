/*
 * stream.h: a connection as streams see it: protocol, reader and writer in one piece of memory.
 *
 * Its references: one of the transport's, from the factory to connection_lost, and those of its
 * users. Nobody who waits is left in a queue of one that is freed.
 */
#ifndef CORA_STDLIB_STREAM_H
#define CORA_STDLIB_STREAM_H

#include <cora/streams.h>
#include <cora/waiter.h>

#include "buffer.h"

struct cora_stream_reader {
    struct cora__buffer buffer;
    size_t handed_out;         /* of it, its first bytes: the caller's until the next call */
    char *left_behind;         /* memory with such bytes that was too small for what came then */
    cora_wait_queue waiters;   /* the task that reads: a struct reading of stream_reader.c */
    cora_transport *transport; /* which is paused and resumed; NULL: none */
    size_t limit;
    int exception; /* negative; 0: none */
    bool eof;
    bool paused; /* the transport, by this */
};

struct cora_stream_writer {
    cora_transport *transport; /* a reference; NULL: no connection was made yet */
    cora_wait_queue drainers;
    cora_wait_queue closers; /* who wait for the end */
    int error;               /* of connection_lost */
    bool paused;
    bool lost;
};

struct cora__stream {
    cora_protocol protocol;
    cora_stream_reader reader;
    cora_stream_writer writer;
    unsigned refs;
    bool connected; /* one of them is the transport's */
    bool over_ssl;
    bool server_side; /* a server has accepted it */
};

/* All 0, but for the limit, and one reference. */
void cora__stream_init(struct cora__stream *stream, size_t limit);

struct cora__stream *cora__stream_create(size_t limit); /* NULL without memory */
void cora__stream_unref(struct cora__stream *stream);

/* The protocol, which has a reference from now on: a factory, whose argument is the stream. */
cora_protocol *cora__stream_protocol(void *stream);

/* What that is told. A protocol of another kind that has streams calls these. */
void cora__stream_connection_made(struct cora__stream *stream, cora_transport *transport);
void cora__stream_connection_lost(struct cora__stream *stream, int error);
void cora__stream_pause_writing(struct cora__stream *stream);
void cora__stream_resume_writing(struct cora__stream *stream);

void cora__stream_writer_lost(cora_stream_writer *writer, int error);

/* Whoever waits in it waits for ever: the loop is being closed, and will drop their tasks. */
void cora__stream_forsake(struct cora__stream *stream);

/* How data comes: by data_received, or straight into the buffer of the task that waits for it. */
extern const cora_protocol_methods cora__stream_methods, cora__stream_direct_methods;

/* The buffer of the task that waits, what is left of it, which is more than 0. */
size_t cora__stream_reader_room(cora_stream_reader *reader, void **ret_buffer);

/* So many bytes were put there. */
void cora__stream_reader_fed(cora_stream_reader *reader, size_t size);

/* What has come and was not read yet: how many bytes, and where; and they go. */
size_t cora__stream_reader_peek(const cora_stream_reader *reader, const char **ret_data);
void cora__stream_reader_drop(cora_stream_reader *reader);

/* From now on this is its transport, which reads. */
void cora__stream_reader_set_transport(cora_stream_reader *reader, cora_transport *transport);

/* Its limit from now on. */
void cora__stream_reader_set_limit(cora_stream_reader *reader, size_t limit);

/* What was handed out last is there to be read again. */
void cora__stream_reader_take_back(cora_stream_reader *reader);

/* Its memory goes. */
void cora__stream_reader_clear(cora_stream_reader *reader);

static inline struct cora__stream *cora__stream_of_reader(const cora_stream_reader *reader)
{
    return (struct cora__stream *)((char *)(uintptr_t)reader -
                                   offsetof(struct cora__stream, reader));
}

static inline struct cora__stream *cora__stream_of_writer(const cora_stream_writer *writer)
{
    return (struct cora__stream *)((char *)(uintptr_t)writer -
                                   offsetof(struct cora__stream, writer));
}

#endif
