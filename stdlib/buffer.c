#include "buffer.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_ROOM = 1024 };

static int grow(struct cora__buffer *buffer, size_t size)
{
    size_t used = cora__buffer_size(buffer);
    size_t room = buffer->room * 2 > LEAST_ROOM ? buffer->room * 2 : LEAST_ROOM;
    char *memory;

    if (size > SIZE_MAX / 2 - used)
        return -ENOMEM;
    if (room < used + size)
        room = used + size;
    memory = malloc(room);
    if (memory == NULL)
        return -ENOMEM;
    if (used > 0)
        memcpy(memory, cora__buffer_data(buffer), used);
    free(buffer->memory);
    *buffer = (struct cora__buffer){.memory = memory, .end = used, .room = room};
    return 0;
}

char *cora__buffer_reserve(struct cora__buffer *buffer, size_t size)
{
    size_t used = cora__buffer_size(buffer);

    if (size <= buffer->room - buffer->end)
        return buffer->memory + buffer->end;
    if (used <= buffer->start && size <= buffer->room - used) {
        memcpy(buffer->memory, cora__buffer_data(buffer), used);
        buffer->start = 0;
        buffer->end = used;
    } else if (grow(buffer, size) < 0) {
        return NULL;
    }
    return buffer->memory + buffer->end;
}

int cora__buffer_append(struct cora__buffer *buffer, const void *data, size_t size)
{
    char *place;

    if (size == 0)
        return 0;
    place = cora__buffer_reserve(buffer, size);
    if (place == NULL)
        return -ENOMEM;
    memcpy(place, data, size);
    cora__buffer_commit(buffer, size);
    return 0;
}

void cora__buffer_consume_keeping(struct cora__buffer *buffer, size_t size, size_t most_kept)
{
    buffer->start += size;
    if (buffer->start < buffer->end)
        return;
    if (buffer->room <= most_kept)
        buffer->start = buffer->end = 0;
    else
        cora__buffer_clear(buffer);
}

void cora__buffer_consume(struct cora__buffer *buffer, size_t size)
{
    cora__buffer_consume_keeping(buffer, size, 0);
}

void cora__buffer_clear(struct cora__buffer *buffer)
{
    free(buffer->memory);
    *buffer = (struct cora__buffer){0};
}
