/*
 * queue_items.h: what a queue holds: a ring, a stack, or a heap, all in one array.
 */
#ifndef CORA_STDLIB_QUEUE_ITEMS_H
#define CORA_STDLIB_QUEUE_ITEMS_H

#include <cora/queue.h>

/* Twice as much room. 0; -ENOMEM: nothing is changed. */
int cora__queue_items_grow(cora_queue_items *items);

/* Of a heap: puts the item where it belongs, from a place that is free up, or from the top down. */
void cora__queue_items_move_up(cora_queue_items *items, size_t place, void *item);
void cora__queue_items_move_down(cora_queue_items *items, void *item);

/* Frees the memory; the items are the caller's. */
void cora__queue_items_free(cora_queue_items *items);

/* The room is a power of two. */
static inline size_t cora__queue_items_place(const cora_queue_items *items, size_t index)
{
    return (items->first_ + index) & (items->room_ - 1);
}

static inline void **cora__queue_items_at(const cora_queue_items *items, size_t index)
{
    return &items->items_[cora__queue_items_place(items, index)];
}

/* 0; -ENOMEM. What happens seldom is not inlined: it would have all registers saved, each time. */
static inline int cora__queue_items_add(cora_queue_items *items, void *item)
{
    if (items->count_ == items->room_) {
        int rc = cora__queue_items_grow(items);

        if (rc < 0)
            return rc;
    }

    size_t place = items->count_++;

    if (items->compare_ != NULL)
        cora__queue_items_move_up(items, place, item);
    else
        *cora__queue_items_at(items, place) = item;
    return 0;
}

/* The next one, of which there must be one. */
static inline void *cora__queue_items_take(cora_queue_items *items)
{
    void *item;

    items->count_--;
    if (items->lifo_)
        return *cora__queue_items_at(items, items->count_);
    item = *cora__queue_items_at(items, 0);
    if (items->compare_ == NULL)
        items->first_ = cora__queue_items_place(items, 1);
    else if (items->count_ > 0)
        cora__queue_items_move_down(items, *cora__queue_items_at(items, items->count_));
    return item;
}

/* Forgets all of them. */
static inline void cora__queue_items_clear(cora_queue_items *items)
{
    items->count_ = items->first_ = 0;
}

#endif
