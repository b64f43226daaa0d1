#include "combine/table.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

enum { FIRST_ROOM = 64 };

static struct cora__table_node *node_of(struct cora__list *link)
{
    return cora__container_of(link, struct cora__table_node, link);
}

static struct cora__list *bucket(const struct cora__table *table, const void *key)
{
    uint64_t hash = (uint64_t)(uintptr_t)key * 0x9e3779b97f4a7c15u;

    return &table->buckets[(hash >> 32) & (table->room - 1)];
}

static struct cora__list *create_buckets(size_t room)
{
    struct cora__list *buckets = malloc(room * sizeof buckets[0]);

    for (size_t i = 0; buckets != NULL && i < room; i++)
        cora__list_init(&buckets[i]);
    return buckets;
}

int cora__table_init(struct cora__table *table)
{
    table->buckets = create_buckets(FIRST_ROOM);
    table->room = FIRST_ROOM;
    table->count = 0;
    return table->buckets != NULL ? 0 : -ENOMEM;
}

void cora__table_destroy(struct cora__table *table)
{
    for (size_t i = 0; i < table->room; i++)
        while (!cora__list_empty(&table->buckets[i]))
            cora__table_remove(node_of(table->buckets[i].next));
    free(table->buckets);
}

/* Without memory it stays as it is: finding only takes longer. */
static void grow(struct cora__table *table)
{
    struct cora__table grown = {create_buckets(table->room * 2), table->room * 2, table->count};

    if (grown.buckets == NULL)
        return;
    for (size_t i = 0; i < table->room; i++) {
        while (!cora__list_empty(&table->buckets[i])) {
            struct cora__list *link = table->buckets[i].next;

            cora__list_remove(link);
            cora__list_append(bucket(&grown, node_of(link)->key), link);
        }
    }
    free(table->buckets);
    *table = grown;
}

void cora__table_add(struct cora__table *table, struct cora__table_node *node, const void *key)
{
    if (table->count >= table->room)
        grow(table);
    node->table = table;
    node->key = key;
    cora__list_append(bucket(table, key), &node->link);
    table->count++;
}

struct cora__table_node *cora__table_find(const struct cora__table *table, const void *key)
{
    struct cora__list *head = bucket(table, key);
    struct cora__list *link = head->next;

    while (link != head && node_of(link)->key != key)
        link = link->next;
    return link != head ? node_of(link) : NULL;
}
