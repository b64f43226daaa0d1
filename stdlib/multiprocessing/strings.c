/* strings.c: buckets of chains, no more entries than buckets. */
#include "strings.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a. */
static size_t hash_of(const char *key)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *key != '\0'; key++)
        hash = (hash ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
    return (size_t)(hash ^ hash >> 32);
}

struct cora__entry *cora__strings_find(const struct cora__strings *table, const char *key)
{
    size_t hash = hash_of(key);
    struct cora__entry *entry = NULL;

    if (table->room > 0)
        entry = table->buckets[hash & (table->room - 1)];
    while (entry != NULL && (entry->hash != hash || strcmp(entry->key, key) != 0))
        entry = entry->chained;
    return entry;
}

static void chain(struct cora__strings *table, struct cora__entry *entry)
{
    struct cora__entry **bucket = &table->buckets[entry->hash & (table->room - 1)];

    entry->chained = *bucket;
    *bucket = entry;
}

static int grow(struct cora__strings *table)
{
    size_t room = table->room > 0 ? 2 * table->room : 8;
    struct cora__entry **buckets = calloc(room, sizeof(struct cora__entry *));

    if (buckets == NULL)
        return -1;
    free(table->buckets);
    table->buckets = buckets;
    table->room = room;
    for (struct cora__entry *entry = table->first; entry != NULL; entry = entry->next)
        chain(table, entry);
    return 0;
}

struct cora__entry *cora__strings_add(struct cora__strings *table, const char *key)
{
    size_t size = strlen(key) + 1;
    struct cora__entry *entry;

    if (table->count == table->room && grow(table) < 0)
        return NULL;
    entry = malloc(sizeof *entry + size);
    if (entry == NULL)
        return NULL;
    memcpy(entry->key, key, size);
    entry->hash = hash_of(key);
    entry->value = NULL;
    if (table->first == NULL)
        table->last = &table->first;
    entry->next = NULL;
    entry->link = table->last;
    *table->last = entry;
    table->last = &entry->next;
    chain(table, entry);
    table->count++;
    return entry;
}

void cora__strings_remove(struct cora__strings *table, struct cora__entry *entry)
{
    struct cora__entry **place = &table->buckets[entry->hash & (table->room - 1)];

    while (*place != entry)
        place = &(*place)->chained;
    *place = entry->chained;
    *entry->link = entry->next;
    if (entry->next != NULL)
        entry->next->link = entry->link;
    else
        table->last = entry->link;
    table->count--;
    free(entry);
}
