#include "queue_items.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_ROOM = 8 };

int cora__queue_items_grow(cora_queue_items *items)
{
    size_t room = items->room_ > 0 ? items->room_ * 2 : FIRST_ROOM;
    void **larger;

    larger = malloc(room * sizeof larger[0]);
    if (larger == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < items->count_; i++)
        larger[i] = *cora__queue_items_at(items, i);
    free(items->items_);
    items->items_ = larger;
    items->room_ = room;
    items->first_ = 0;
    return 0;
}

void cora__queue_items_move_up(cora_queue_items *items, size_t place, void *item)
{
    while (place > 0 && items->compare_(item, *cora__queue_items_at(items, (place - 1) / 2)) < 0) {
        *cora__queue_items_at(items, place) = *cora__queue_items_at(items, (place - 1) / 2);
        place = (place - 1) / 2;
    }
    *cora__queue_items_at(items, place) = item;
}

void cora__queue_items_move_down(cora_queue_items *items, void *item)
{
    size_t place = 0;
    size_t child;

    while ((child = place * 2 + 1) < items->count_) {
        if (child + 1 < items->count_ && items->compare_(*cora__queue_items_at(items, child + 1),
                                                         *cora__queue_items_at(items, child)) < 0)
            child++;
        if (items->compare_(*cora__queue_items_at(items, child), item) >= 0)
            break;
        *cora__queue_items_at(items, place) = *cora__queue_items_at(items, child);
        place = child;
    }
    *cora__queue_items_at(items, place) = item;
}

void cora__queue_items_free(cora_queue_items *items)
{
    free(items->items_);
    items->items_ = NULL;
    items->room_ = items->count_ = 0;
}
