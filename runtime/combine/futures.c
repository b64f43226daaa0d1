#include "combine/futures.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int cora__futures_check(cora_future *const futures[], size_t count, struct cora_loop **ret)
{
    struct cora_loop *loop =
        count > 0 && futures[0] != NULL ? futures[0]->loop : cora__loop_running;

    for (size_t i = 0; i < count; i++) {
        if (futures[i] == NULL)
            return -ENOMEM;
        if (futures[i]->loop != loop)
            return -CORA_EWRONGLOOP;
    }
    *ret = loop;
    return loop != NULL ? 0 : -CORA_ENOLOOP;
}

/* The place of a future in a table of indices, or the free one where it belongs. */
static size_t *find(cora_future *const futures[], size_t *table, size_t room,
                    const cora_future *future)
{
    size_t place = ((uintptr_t)future >> 4) * 0x9e3779b97f4a7c15u % room;

    while (table[place] != SIZE_MAX && futures[table[place]] != future)
        place = (place + 1) % room;
    return &table[place];
}

size_t *cora__futures_first(cora_future *const futures[], size_t count)
{
    size_t room = 2 * count + 4;
    size_t *first = malloc((count + room) * sizeof first[0]);
    size_t *table;

    if (first == NULL)
        return NULL;
    table = first + count;
    memset(table, 0xff, room * sizeof table[0]);
    for (size_t i = 0; i < count; i++) {
        size_t *place = find(futures, table, room, futures[i]);

        if (*place == SIZE_MAX)
            *place = i;
        first[i] = *place;
    }
    return first;
}
