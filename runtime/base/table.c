#include "base/table.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

enum { FIRST_ROOM = 64 };

static struct cora__table_node **bucket(const struct cora__table *table, const void *key)
{
    uint64_t hash = (uint64_t)(uintptr_t)key * 0x9e3779b97f4a7c15u;

    return &table->buckets[(hash >> 32) & (table->room - 1)];
}

static void link_into(const struct cora__table *table, struct cora__table_node *node)
{
    node->link = bucket(table, node->key);
    node->next = *node->link;
    if (node->next != NULL)
        node->next->link = &node->next;
    *node->link = node;
}

int cora__table_init(struct cora__table *table)
{
    table->buckets = calloc(FIRST_ROOM, sizeof table->buckets[0]);
    table->room = FIRST_ROOM;
    table->count = 0;
    return table->buckets != NULL ? 0 : -ENOMEM;
}

void cora__table_destroy(struct cora__table *table)
{
    for (size_t i = 0; i < table->room; i++)
        for (struct cora__table_node *node = table->buckets[i]; node != NULL; node = node->next)
            node->table = NULL;
    free(table->buckets);
}

/* Without memory it stays as it is: finding only takes longer. */
static void grow(struct cora__table *table)
{
    struct cora__table grown = {.room = table->room * 2, .count = table->count};
    struct cora__table_node *next;

    grown.buckets = calloc(grown.room, sizeof grown.buckets[0]);
    if (grown.buckets == NULL)
        return;
    for (size_t i = 0; i < table->room; i++) {
        for (struct cora__table_node *node = table->buckets[i]; node != NULL; node = next) {
            next = node->next;
            link_into(&grown, node);
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
    link_into(table, node);
    table->count++;
}

void cora__table_remove(struct cora__table_node *node)
{
    if (node->table == NULL)
        return;
    node->table->count--;
    node->table = NULL;
    *node->link = node->next;
    if (node->next != NULL)
        node->next->link = node->link;
}

struct cora__table_node *cora__table_find(const struct cora__table *table, const void *key)
{
    struct cora__table_node *node = *bucket(table, key);

    while (node != NULL && node->key != key)
        node = node->next;
    return node;
}
