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

enum { CORA__POOL_LINE = 64, CORA__POOL_SIZES = 8 };

struct cora__pool {
    struct cora__list slabs[CORA__POOL_SIZES]; /* with free blocks of so many lines, and one more */
    bool grown;                                /* since the last trim */
    bool from_malloc;                          /* all blocks are */
};

void cora__pool_init(struct cora__pool *pool);

/* At least `size` bytes, aligned to a cache line if they are no more than eight; NULL without
 * memory. */
void *cora__pool_alloc(struct cora__pool *pool, size_t size);

/* `size` as for alloc. `block` may be NULL. */
void cora__pool_free(struct cora__pool *pool, void *block, size_t size);

/*
 * Gives slabs without a used block back to the system, unless the pool has grown since the last
 * call. Returns whether a further call might give something back.
 */
bool cora__pool_trim(struct cora__pool *pool);

/* Nothing of it is in use any more. */
void cora__pool_destroy(struct cora__pool *pool);

#endif
