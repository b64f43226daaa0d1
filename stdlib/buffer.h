/*
 * buffer.h: bytes that wait, first in, first out, in one piece of memory.
 *
 * What is taken leaves room in front, which is used again once there is more of it than of what is
 * left: so no more bytes are moved than were taken.
 */
#ifndef CORA_STDLIB_BUFFER_H
#define CORA_STDLIB_BUFFER_H

#include <stddef.h>

/* All 0 is an empty one. */
struct cora__buffer {
    char *memory;
    size_t start, end; /* where the bytes lie in it */
    size_t room;
};

static inline size_t cora__buffer_size(const struct cora__buffer *buffer)
{
    return buffer->end - buffer->start;
}

static inline char *cora__buffer_data(const struct cora__buffer *buffer)
{
    return buffer->memory + buffer->start;
}

/* Makes room for `size` more bytes behind the others: its place; NULL without memory. */
char *cora__buffer_reserve(struct cora__buffer *buffer, size_t size);

/* `size` bytes were written into the room. */
static inline void cora__buffer_commit(struct cora__buffer *buffer, size_t size)
{
    buffer->end += size;
}

/* Appends a copy. 0 or -ENOMEM. */
int cora__buffer_append(struct cora__buffer *buffer, const void *data, size_t size);

/* Drops the first `size` bytes. An empty buffer keeps no memory: there may be many. */
void cora__buffer_consume(struct cora__buffer *buffer, size_t size);

/* The same, but one that gets empty keeps its memory if that is no more than so much. */
void cora__buffer_consume_keeping(struct cora__buffer *buffer, size_t size, size_t most_kept);

/* Drops them all. */
void cora__buffer_clear(struct cora__buffer *buffer);

#endif
