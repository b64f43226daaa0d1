/*
 * pool.h: memory for the objects of one loop that come and go with every task: the tasks
 * themselves, and the records of their timeouts and groups.
 *
 * Blocks are whole cache lines, of a few sizes, each from slabs of its own; the last one freed is
 * the first used again. malloc does not know where a cache line begins, nor that the hundred
 * thousand tasks which have just ended will come again: it gives their memory back at once, and
 * each task of the next hundred thousand takes 100 ns longer.
 *
 * In debug builds, and where CORAMALLOC is set in the environment, it is malloc after all, so that
 * sanitizers and valgrind see each object's end.
 */
#ifndef CORA_BASE_POOL_H
#define CORA_BASE_POOL_H

#include "base/list.h"

#include <stdint.h>

enum { CORA__POOL_LINE = 64, CORA__POOL_SIZES = 8, CORA__POOL_SLAB = 256 << 10 };

/* Aligned to its size, so that a block leads to its slab. */
struct cora__pool_slab {
    struct cora__list link;        /* in the pool's list of its size */
    struct cora__pool_block *free; /* the last freed first */
    char *fresh;                   /* from here on nothing has been used yet */
    unsigned used;
    bool listed; /* one that was found full when it was asked for a block is not */
} __attribute__((aligned(CORA__POOL_LINE)));

struct cora__pool_block {
    struct cora__pool_block *next;
};

struct cora__pool {
    struct cora__list slabs[CORA__POOL_SIZES]; /* with free blocks of so many lines, and one more */
    char *uncut, *end;                         /* of the piece from which slabs are cut */
    unsigned pieces;                           /* so far */
    bool grown;                                /* since the last trim */
    bool from_malloc;                          /* all blocks are */
};

void cora__pool_init(struct cora__pool *pool);

/* Where a slab is made or is full, and for what malloc does. */
void *cora__pool_alloc_slowly(struct cora__pool *pool, size_t size);

/* For what malloc did. Not inline: clang's analyzer takes the next in a list of blocks for the
 * one that it has just seen freed. */
void cora__pool_free_malloced(void *memory);

/* The slab was full, and is about to have a free block. */
void cora__pool_list_again(struct cora__pool *pool, struct cora__pool_slab *slab, size_t size);

/* Whether blocks of that size come from slabs, except where they are malloc's. */
static inline bool cora__pool_is_for(size_t size)
{
    return size - 1 < (size_t)CORA__POOL_SIZES * CORA__POOL_LINE;
}

/* At least `size` bytes, aligned to a cache line if they are no more than eight; NULL without
 * memory. */
static inline void *cora__pool_alloc(struct cora__pool *pool, size_t size)
{
    if (cora__pool_is_for(size)) {
        struct cora__list *slabs = &pool->slabs[(size - 1) / CORA__POOL_LINE];
        struct cora__pool_slab *slab =
            cora__container_of(slabs->next, struct cora__pool_slab, link);

        if (slabs->next != slabs && slab->free != NULL) {
            struct cora__pool_block *block = slab->free;

            slab->free = block->next;
            slab->used++;
            return block;
        }
    }
    return cora__pool_alloc_slowly(pool, size);
}

/* `size` as for alloc. `memory` may be NULL. */
static inline void cora__pool_free(struct cora__pool *pool, void *memory, size_t size)
{
    struct cora__pool_block *block = memory;
    struct cora__pool_slab *slab;

    if (!cora__pool_is_for(size) || pool->from_malloc || memory == NULL) {
        cora__pool_free_malloced(memory);
        return;
    }
    slab = (struct cora__pool_slab *)((uintptr_t)memory & ~(uintptr_t)(CORA__POOL_SLAB - 1));
    if (!slab->listed)
        cora__pool_list_again(pool, slab, size);
    block->next = slab->free;
    slab->free = block;
    slab->used--;
}

/*
 * Gives slabs without a used block back to the system, unless the pool has grown since the last
 * call. Returns whether a further call might give something back.
 */
bool cora__pool_trim(struct cora__pool *pool);

/* Nothing of it is in use any more. */
void cora__pool_destroy(struct cora__pool *pool);

#endif
