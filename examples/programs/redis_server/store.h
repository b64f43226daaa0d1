/*
 * store.h: keys, and their values: strings, and lists of strings. All of it belongs to the thread
 * that runs the loop.
 */
#ifndef REDIS_SERVER_STORE_H
#define REDIS_SERVER_STORE_H

#include <cora.h>

#include <sys/queue.h>

struct word {
    const char *data;
    size_t size;
};

struct store {
    void *root; /* of the tree of records, tsearch(3) */
    long size;
};

struct item {
    TAILQ_ENTRY(item) link;
    size_t size;
    char data[];
};

struct record {
    struct word key; /* the first: what the tree compares. Its bytes are behind the record */
    struct store *store;
    bool is_list;
    TAILQ_HEAD(items, item) items; /* one at least; a string has just one */
    long length;
    cora_timer_handle *expiry; /* NULL: it stays */
};

/* NULL: there is none. */
struct record *store_find(const struct store *store, struct word key);

/* A new string for the key, whatever it had; its expiry stays. NULL: nothing has changed. */
struct record *store_set(struct store *store, struct word key, struct word value);

/* Adds to the list of the record; where that is NULL, to a new one for the key. The list or NULL.
 */
struct record *store_push(struct store *store, struct record *record, struct word key,
                          struct word value, bool left);

/* Removes an item of a list, and with the last one the record. */
void store_pop(struct record *record, struct item *item);

/* The record goes after so many seconds; INFINITY: it stays. False: there is no memory. */
bool store_expire(struct record *record, double seconds);

void store_discard(struct record *record);
void store_discard_all(struct store *store);

#endif
