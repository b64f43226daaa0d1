/* strings.h: a table from strings to pointers, in the order in which they came. */
#ifndef CORA_STDLIB_MULTIPROCESSING_STRINGS_H
#define CORA_STDLIB_MULTIPROCESSING_STRINGS_H

#include <stddef.h>

struct cora__entry {
    void *value;
    struct cora__entry *next, **link; /* in the order */
    struct cora__entry *chained;      /* in its bucket */
    size_t hash;
    char key[];
};

/* All zeros: empty. */
struct cora__strings {
    struct cora__entry *first, **last;
    struct cora__entry **buckets;
    size_t room, count; /* room is a power of two, or 0 */
};

/* NULL: it is not there. */
struct cora__entry *cora__strings_find(const struct cora__strings *table, const char *key);

/* A new one, with the value NULL, for a key that is not there. NULL without memory. */
struct cora__entry *cora__strings_add(struct cora__strings *table, const char *key);

/* Frees the entry; the value is the caller's. */
void cora__strings_remove(struct cora__strings *table, struct cora__entry *entry);

#endif
