#include "attached.h"

#include <stdlib.h>

void *cora__attached(cora_loop *loop, const cora_attachment_kind *kind, size_t size)
{
    void *object = cora_loop_attached(loop, kind);

    if (object != NULL)
        return object;
    object = calloc(1, size);
    if (object == NULL || cora_loop_attach(loop, kind, object) == 0)
        return object;
    free(object);
    return NULL;
}

void cora__forsake(cora_wait_queue *queue)
{
    cora_waiter *waiter;

    while ((waiter = cora_wait_queue_first(queue)) != NULL)
        cora_wait_queue_remove(queue, waiter);
}
