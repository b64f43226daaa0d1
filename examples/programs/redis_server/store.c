/*
 * store.c: a binary tree, where Python has a dict. What to notice: a key that expires has a timer
 * on the loop; who removes the key cancels it, or it would remove what comes after.
 */
#include "store.h"

#include <math.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *one, const void *other)
{
    const struct word *a = one, *b = other;

    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    return memcmp(a->data, b->data, a->size);
}

struct record *store_find(const struct store *store, struct word key)
{
    struct record **node = tfind(&key, &store->root, compare);

    return node == NULL ? NULL : *node;
}

static struct record *create(struct store *store, struct word key)
{
    struct record *record = malloc(sizeof *record + key.size);

    if (record == NULL)
        return NULL;
    *record = (struct record){.key = {(char *)(record + 1), key.size}, .store = store};
    memcpy(record + 1, key.data, key.size);
    TAILQ_INIT(&record->items);
    if (tsearch(record, &store->root, compare) == NULL) {
        free(record);
        return NULL;
    }
    store->size++;
    return record;
}

static void drop(struct record *record, struct item *item)
{
    TAILQ_REMOVE(&record->items, item, link);
    record->length--;
    free(item);
}

/* This item and all behind it. */
static void drop_from(struct record *record, struct item *item)
{
    while (item != NULL) {
        struct item *next = TAILQ_NEXT(item, link);

        drop(record, item);
        item = next;
    }
}

static void stay(struct record *record)
{
    cora_handle_cancel(record->expiry);
    cora_handle_unref(record->expiry);
    record->expiry = NULL;
}

struct record *store_push(struct store *store, struct record *record, struct word key,
                          struct word value, bool left)
{
    struct item *item = malloc(sizeof *item + value.size);

    if (item == NULL)
        return NULL;
    if (record == NULL)
        record = create(store, key);
    if (record == NULL) {
        free(item);
        return NULL;
    }
    item->size = value.size;
    memcpy(item->data, value.data, value.size);
    if (left)
        TAILQ_INSERT_HEAD(&record->items, item, link);
    else
        TAILQ_INSERT_TAIL(&record->items, item, link);
    record->length++;
    record->is_list = true;
    return record;
}

struct record *store_set(struct store *store, struct word key, struct word value)
{
    struct record *record = store_push(store, store_find(store, key), key, value, true);

    if (record == NULL)
        return NULL;
    drop_from(record, TAILQ_NEXT(TAILQ_FIRST(&record->items), link));
    record->is_list = false;
    return record;
}

void store_pop(struct record *record, struct item *item)
{
    drop(record, item);
    if (record->length == 0)
        store_discard(record);
}

static void on_expiry(void *arg)
{
    store_discard(arg);
}

bool store_expire(struct record *record, double seconds)
{
    stay(record);
    return isinf(seconds) || cora_loop_call_later(cora_get_running_loop(), seconds, on_expiry,
                                                  record, &record->expiry) == 0;
}

static void release(void *arg)
{
    struct record *record = arg;

    stay(record);
    drop_from(record, TAILQ_FIRST(&record->items));
    free(record);
}

void store_discard(struct record *record)
{
    tdelete(record, &record->store->root, compare);
    record->store->size--;
    release(record);
}

void store_discard_all(struct store *store)
{
    tdestroy(store->root, release);
    *store = (struct store){.root = NULL};
}
