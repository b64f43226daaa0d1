#include "base/pool.h"

#include <stdlib.h>
#include <sys/mman.h>

static const size_t PIECE = (size_t)2 << 20; /* of address space that is cut into slabs */

void cora__pool_init(struct cora__pool *pool)
{
    for (int i = 0; i < CORA__POOL_SIZES; i++)
        cora__list_init(&pool->slabs[i]);
    pool->grown = false;
    pool->uncut = pool->end = NULL;
    pool->pieces = 0;
#ifdef CORA_DEBUG
    pool->from_malloc = true;
#else
    const char *from_malloc = getenv("CORAMALLOC");

    pool->from_malloc = from_malloc != NULL && from_malloc[0] != '\0';
#endif
}

/* ---- slabs --------------------------------------------------------------------------------- */

static struct cora__pool_slab *slab_of_link(struct cora__list *link)
{
    return cora__container_of(link, struct cora__pool_slab, link);
}

/*
 * A piece aligned to its size. The first one is of ordinary pages, so that a few tasks take little
 * memory; where there is need for more, it may be one huge page each: one page fault and one entry
 * of the TLB for eight thousand tasks instead of 512.
 */
static bool take_piece(struct cora__pool *pool)
{
    char *memory = mmap(NULL, 2 * PIECE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    size_t before = -(uintptr_t)memory & (PIECE - 1);

    if (memory == MAP_FAILED)
        return false;
    if (before > 0)
        munmap(memory, before);
    munmap(memory + before + PIECE, PIECE - before);
    pool->uncut = memory + before;
    pool->end = pool->uncut + PIECE;
#ifdef MADV_HUGEPAGE
    if (pool->pieces++ > 0) /* kernels without them refuse */
        (void)madvise(pool->uncut, PIECE, MADV_HUGEPAGE);
#endif
    return true;
}

static struct cora__pool_slab *slab_create(struct cora__pool *pool, struct cora__list *slabs)
{
    struct cora__pool_slab *slab;

    if (pool->uncut == pool->end && !take_piece(pool))
        return NULL;
    slab = (struct cora__pool_slab *)pool->uncut;
    pool->uncut += CORA__POOL_SLAB;
    slab->free = NULL;
    slab->fresh = (char *)(slab + 1);
    slab->used = 0;
    slab->listed = true;
    cora__list_prepend(slabs, &slab->link);
    pool->grown = true;
    return slab;
}

static void slab_release(struct cora__pool_slab *slab)
{
    cora__list_remove(&slab->link);
    munmap(slab, CORA__POOL_SLAB);
}

static bool slab_is_full(const struct cora__pool_slab *slab, size_t size)
{
    return slab->free == NULL && slab->fresh + size > (const char *)slab + CORA__POOL_SLAB;
}

/* One with a free block; those that are full leave the list on the way. */
static struct cora__pool_slab *find_slab(struct cora__pool *pool, struct cora__list *slabs,
                                         size_t size)
{
    while (!cora__list_empty(slabs)) {
        struct cora__pool_slab *slab = slab_of_link(slabs->next);

        if (!slab_is_full(slab, size))
            return slab;
        cora__list_remove(&slab->link);
        slab->listed = false;
    }
    return slab_create(pool, slabs);
}

/* ---- blocks -------------------------------------------------------------------------------- */

void *cora__pool_alloc_slowly(struct cora__pool *pool, size_t size)
{
    if (!cora__pool_is_for(size) || pool->from_malloc)
        return malloc(size);

    size_t lines = (size + CORA__POOL_LINE - 1) / CORA__POOL_LINE;
    struct cora__pool_slab *slab =
        find_slab(pool, &pool->slabs[lines - 1], lines * CORA__POOL_LINE);
    struct cora__pool_block *block;

    if (slab == NULL)
        return NULL;
    block = slab->free;
    if (block != NULL) {
        slab->free = block->next;
    } else {
        block = (struct cora__pool_block *)slab->fresh;
        slab->fresh += lines * CORA__POOL_LINE;
    }
    slab->used++;
    return block;
}

void cora__pool_free_malloced(void *memory)
{
    free(memory);
}

void cora__pool_list_again(struct cora__pool *pool, struct cora__pool_slab *slab, size_t size)
{
    cora__list_prepend(&pool->slabs[(size - 1) / CORA__POOL_LINE], &slab->link);
    slab->listed = true;
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
    if (pool->uncut != pool->end)
        munmap(pool->uncut, (size_t)(pool->end - pool->uncut));
}
