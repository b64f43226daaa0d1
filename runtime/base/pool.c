#include "base/pool.h"

#include <stdint.h>
#include <stdlib.h>

/* Aligned to its size, so that a block leads to its slab. */
enum { SLAB_SIZE = 256 << 10 };

struct slab {
    struct cora__list link; /* in the pool's list of its size; in none when it is full */
    struct block *free;     /* the last freed first */
    char *fresh;            /* from here on nothing has been used yet */
    size_t used;
} __attribute__((aligned(CORA__POOL_LINE)));

struct block {
    struct block *next;
};

static size_t lines_of(size_t size)
{
    return (size + CORA__POOL_LINE - 1) / CORA__POOL_LINE;
}

static bool is_malloced(const struct cora__pool *pool, size_t size)
{
    return size - 1 >= (size_t)CORA__POOL_SIZES * CORA__POOL_LINE || pool->from_malloc;
}

void cora__pool_init(struct cora__pool *pool)
{
    for (int i = 0; i < CORA__POOL_SIZES; i++)
        cora__list_init(&pool->slabs[i]);
    pool->grown = false;
#ifdef CORA_DEBUG
    pool->from_malloc = true;
#else
    const char *from_malloc = getenv("CORAMALLOC");

    pool->from_malloc = from_malloc != NULL && from_malloc[0] != '\0';
#endif
}

/* ---- slabs --------------------------------------------------------------------------------- */

static struct slab *slab_of_link(struct cora__list *link)
{
    return cora__container_of(link, struct slab, link);
}

static bool slab_has_fresh(const struct slab *slab, size_t size)
{
    return (size_t)((const char *)slab + SLAB_SIZE - slab->fresh) >= size;
}

static struct slab *slab_create(struct cora__pool *pool, struct cora__list *slabs)
{
    struct slab *slab = aligned_alloc(SLAB_SIZE, SLAB_SIZE);

    if (slab == NULL)
        return NULL;
    slab->free = NULL;
    slab->fresh = (char *)(slab + 1);
    slab->used = 0;
    cora__list_prepend(slabs, &slab->link);
    pool->grown = true;
    return slab;
}

static void slab_release(struct slab *slab)
{
    cora__list_remove(&slab->link);
    free(slab);
}

static void *slab_take(struct slab *slab, size_t size)
{
    struct block *block = slab->free;

    if (block != NULL) {
        slab->free = block->next;
    } else {
        block = (struct block *)slab->fresh;
        slab->fresh += size;
    }
    slab->used++;
    if (slab->free == NULL && !slab_has_fresh(slab, size))
        cora__list_remove(&slab->link);
    return block;
}

/* ---- blocks -------------------------------------------------------------------------------- */

void *cora__pool_alloc(struct cora__pool *pool, size_t size)
{
    if (is_malloced(pool, size))
        return malloc(size);

    size_t lines = lines_of(size);
    struct cora__list *slabs = &pool->slabs[lines - 1];
    struct slab *slab =
        cora__list_empty(slabs) ? slab_create(pool, slabs) : slab_of_link(slabs->next);

    return slab != NULL ? slab_take(slab, lines * CORA__POOL_LINE) : NULL;
}

void cora__pool_free(struct cora__pool *pool, void *memory, size_t size)
{
    if (is_malloced(pool, size) || memory == NULL) {
        free(memory);
        return;
    }

    struct slab *slab = (struct slab *)((uintptr_t)memory & ~(uintptr_t)(SLAB_SIZE - 1));
    struct block *block = memory;

    if (cora__list_empty(&slab->link))
        cora__list_prepend(&pool->slabs[lines_of(size) - 1], &slab->link);
    block->next = slab->free;
    slab->free = block;
    slab->used--;
}

/* ---- memory back to the system ------------------------------------------------------------- */

static void release_unused(struct cora__list *slabs)
{
    struct cora__list *next;

    for (struct cora__list *link = slabs->next; link != slabs; link = next) {
        next = link->next;
        if (slab_of_link(link)->used == 0)
            slab_release(slab_of_link(link));
    }
}

bool cora__pool_trim(struct cora__pool *pool)
{
    bool grown = pool->grown;

    pool->grown = false;
    for (int i = 0; i < CORA__POOL_SIZES && !grown; i++)
        release_unused(&pool->slabs[i]);
    return grown;
}

void cora__pool_destroy(struct cora__pool *pool)
{
    for (int i = 0; i < CORA__POOL_SIZES; i++)
        release_unused(&pool->slabs[i]);
}
