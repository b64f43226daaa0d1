/*
 * table.h: finding objects by an address. They are linked by a member of theirs, so that adding one
 * cannot fail.
 */
#ifndef CORA_BASE_TABLE_H
#define CORA_BASE_TABLE_H

#include <stddef.h>

struct cora__table_node;

struct cora__table {
    struct cora__table_node **buckets; /* lists */
    size_t room;                       /* buckets: a power of two */
    size_t count;
};

/* In an object. */
struct cora__table_node {
    struct cora__table *table; /* NULL: it is in none */
    struct cora__table_node *next, **link;
    const void *key;
};

/* 0 or -ENOMEM. */
int cora__table_init(struct cora__table *table);

/* The nodes that are left are in no table any more. */
void cora__table_destroy(struct cora__table *table);

/* The node is in no table. */
void cora__table_add(struct cora__table *table, struct cora__table_node *node, const void *key);

/* The node may be in none. */
void cora__table_remove(struct cora__table_node *node);

/* One that has this key; NULL: none has. */
struct cora__table_node *cora__table_find(const struct cora__table *table, const void *key);

#endif
