#include "stack/stack.h"

#include "base/list.h"
#include "stack/guard.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    SLAB_BYTES = 16 << 20, /* address space of a slab of small stacks */
    SLAB_LEAST = 4,        /* stacks of a slab of large ones */
    SPREAD_LINE = 64,      /* tops are spread by whole cache lines ... */
    SPREAD_LINES = 16,     /* ... over a quarter of a page: the rest must do for a parked task */
    NO_STACK = -1,
};

static const size_t SIZE_LIMIT = (size_t)1 << 30;

/* All stacks of one size in one thread. */
struct pool {
    struct pool *next;
    size_t size;             /* usable bytes of a stack, whole pages */
    size_t in_use, peak;     /* peak: the most in use since the last trim */
    size_t capacity;         /* stacks in all slabs */
    bool orphaned;           /* its thread has ended; the last stack takes it along */
    struct cora__list slabs; /* those with a free stack come first, the last freed into foremost */
};

struct cora__slab {
    struct cora__list link;
    struct pool *pool;
    char *base;
    int count, carved, used;
    int free;    /* index of the last freed stack, or NO_STACK */
    bool clean;  /* the free stacks hold no memory */
    int after[]; /* after[i]: the stack that was freed before the free stack i, or NO_STACK */
};

static _Thread_local struct pool *pools;
static pthread_key_t thread_end;
static pthread_once_t thread_end_once = PTHREAD_ONCE_INIT;

static size_t page_size(void)
{
    static atomic_size_t known; /* whichever thread asks first */
    size_t size = atomic_load_explicit(&known, memory_order_relaxed);

    if (size == 0) {
        size = (size_t)sysconf(_SC_PAGESIZE);
        atomic_store_explicit(&known, size, memory_order_relaxed);
    }
    return size;
}

static size_t stride_of(const struct pool *pool)
{
    return pool->size + page_size();
}

/* ---- slabs --------------------------------------------------------------------------------- */

static void slab_release(struct cora__slab *slab)
{
    cora__list_remove(&slab->link);
    slab->pool->capacity -= (size_t)slab->count;
    munmap(slab->base, (size_t)slab->count * stride_of(slab->pool));
    free(slab);
}

static struct cora__slab *slab_create(struct pool *pool)
{
    size_t stride = stride_of(pool);
    size_t count = SLAB_BYTES / stride > SLAB_LEAST ? SLAB_BYTES / stride : SLAB_LEAST;
    struct cora__slab *slab = malloc(sizeof *slab + count * sizeof slab->after[0]);

    if (slab == NULL)
        return NULL;
    slab->base = mmap(NULL, count * stride, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (slab->base == MAP_FAILED) {
        free(slab);
        return NULL;
    }
    /* A huge page would make 2 MiB resident for the first touch. Kernels without them refuse. */
    (void)madvise(slab->base, count * stride, MADV_NOHUGEPAGE);
    slab->pool = pool;
    slab->count = (int)count;
    slab->carved = slab->used = 0;
    slab->free = NO_STACK;
    slab->clean = true;
    cora__list_init(&slab->link);
    cora__list_prepend(&pool->slabs, &slab->link);
    pool->capacity += count;
    return slab;
}

static bool slab_is_full(const struct cora__slab *slab)
{
    return slab->free == NO_STACK && slab->carved == slab->count;
}

static char *slab_stack_low(const struct cora__slab *slab, int index)
{
    return slab->base + (size_t)index * stride_of(slab->pool) + page_size();
}

static struct cora__stack slab_stack(struct cora__slab *slab, int index)
{
    char *low = slab_stack_low(slab, index);

    return (struct cora__stack){
        .low = low,
        .top = low + slab->pool->size - (size_t)(index % SPREAD_LINES) * SPREAD_LINE,
        .slab = slab,
        .index = (unsigned)index,
    };
}

/* ---- pools --------------------------------------------------------------------------------- */

/* At the end of a thread everything free goes; what is in use goes when it is freed elsewhere. */
static void free_pools(void *unused)
{
    (void)unused;
    cora__stack_trim(true);
    while (pools != NULL) {
        struct pool *pool = pools;

        pools = pool->next;
        pool->orphaned = pool->capacity > 0;
        if (!pool->orphaned)
            free(pool);
    }
}

static void create_thread_end(void)
{
    pthread_key_create(&thread_end, free_pools);
}

static struct pool *pool_of(size_t size)
{
    for (struct pool *pool = pools; pool != NULL; pool = pool->next)
        if (pool->size == size)
            return pool;

    struct pool *pool = calloc(1, sizeof *pool);

    if (pool == NULL)
        return NULL;
    pthread_once(&thread_end_once, create_thread_end);
    pthread_setspecific(thread_end, pool); /* any value but NULL makes the destructor run */
    pool->size = size;
    cora__list_init(&pool->slabs);
    pool->next = pools;
    pools = pool;
    return pool;
}

/* Where many tasks start one after another: the top of the stack that the next one will take. Of
 * 100,000 that start and wait, each takes 88 ns instead of 130. */
static inline __attribute__((always_inline)) void prefetch_next(struct cora__slab *slab)
{
    if (slab->free == NO_STACK)
        return;

    const char *top = slab_stack(slab, slab->free).top;

    for (int line = 1; line <= 12; line++)
        __builtin_prefetch(top - (size_t)line * SPREAD_LINE, 1);
}

static int slab_take(struct cora__slab *slab, struct cora__stack *stack)
{
    int index = slab->free;

    if (index != NO_STACK) {
        slab->free = slab->after[index];
#ifdef CORA_DEBUG
        /* The high-water mark starts from zeroes. */
        (void)madvise(slab_stack_low(slab, index), slab->pool->size, MADV_DONTNEED);
#endif
    } else {
        index = slab->carved;
        int rc = cora__guard_install(slab_stack_low(slab, index) - page_size(), page_size());

        if (rc < 0)
            return rc;
        slab->carved++;
    }
    slab->used++;
    *stack = slab_stack(slab, index);
    prefetch_next(slab);
    return 0;
}

int cora__stack_alloc(size_t size, struct cora__stack *stack)
{
    if (size == 0 || size > SIZE_LIMIT)
        return -EINVAL;
    size +=
        (size_t)(SPREAD_LINES - 1) * SPREAD_LINE; /* so that the lowest top leaves enough, too */
    size = (size + page_size() - 1) & ~(page_size() - 1);

    struct pool *pool = pool_of(size);

    if (pool == NULL)
        return -ENOMEM;

    struct cora__slab *slab = cora__container_of(pool->slabs.next, struct cora__slab, link);

    if (cora__list_empty(&pool->slabs) || slab_is_full(slab)) {
        slab = slab_create(pool);
        if (slab == NULL)
            return -ENOMEM;
    }

    int rc = slab_take(slab, stack);

    if (rc < 0)
        return rc;
    if (slab_is_full(slab)) {
        cora__list_remove(&slab->link);
        cora__list_append(&pool->slabs, &slab->link);
    }
    if (++pool->in_use > pool->peak)
        pool->peak = pool->in_use;
    return 0;
}

void cora__stack_free(struct cora__stack *stack)
{
    struct cora__slab *slab = stack->slab;
    struct pool *pool = slab->pool;

    slab->after[stack->index] = slab->free;
    slab->free = (int)stack->index;
    slab->used--;
    slab->clean = false;
    pool->in_use--;
    stack->slab = NULL;
    if (pool->slabs.next != &slab->link) {
        cora__list_remove(&slab->link);
        cora__list_prepend(&pool->slabs, &slab->link);
    }
    if (pool->orphaned && slab->used == 0) {
        slab_release(slab);
        if (pool->capacity == 0)
            free(pool);
    }
}

/* ---- memory back to the system ------------------------------------------------------------- */

static void slab_clean(struct cora__slab *slab)
{
    for (int i = slab->free; i != NO_STACK; i = slab->after[i])
        (void)madvise(slab_stack_low(slab, i), slab->pool->size, MADV_DONTNEED);
    slab->clean = true;
}

/*
 * Keeps as many free stacks warm as were in use at the peak and are not now, those of the slabs
 * freed into last, and takes the memory of the others.
 */
static bool pool_trim(struct pool *pool, bool all)
{
    size_t spare = all ? 0 : pool->peak - pool->in_use;
    bool more = pool->peak > pool->in_use;
    struct cora__list *next;

    for (struct cora__list *link = pool->slabs.next; link != &pool->slabs; link = next) {
        struct cora__slab *slab = cora__container_of(link, struct cora__slab, link);
        size_t unused = (size_t)(slab->count - slab->used);

        next = link->next;
        if (spare > 0)
            spare -= unused < spare ? unused : spare;
        else if (slab->used == 0)
            slab_release(slab);
        else if (!slab->clean)
            slab_clean(slab);
    }
    pool->peak = pool->in_use;
    return more && !all;
}

bool cora__stack_trim(bool all)
{
    bool more = false;

    for (struct pool *pool = pools; pool != NULL; pool = pool->next)
        more |= pool_trim(pool, all);
    return more;
}

size_t cora__stack_reserved(void)
{
    size_t bytes = 0;

    for (struct pool *pool = pools; pool != NULL; pool = pool->next)
        bytes += pool->capacity * pool->size;
    return bytes;
}

/* ---- for reports --------------------------------------------------------------------------- */

bool cora__stack_find_guard(const void *address, struct cora__stack *stack)
{
    for (struct pool *pool = pools; pool != NULL; pool = pool->next)
        for (struct cora__list *link = pool->slabs.next; link != &pool->slabs; link = link->next) {
            struct cora__slab *slab = cora__container_of(link, struct cora__slab, link);
            uintptr_t offset = (uintptr_t)address - (uintptr_t)slab->base;
            int index = (int)(offset / stride_of(pool));

            if (offset >= (size_t)slab->carved * stride_of(pool))
                continue;
            *stack = slab_stack(slab, index);
            return offset % stride_of(pool) < page_size();
        }
    return false;
}

size_t cora__stack_high_water(const struct cora__stack *stack)
{
#ifdef CORA_DEBUG
    const char *p = stack->low;

    while (p < stack->top && *p == 0)
        p++;
    return (size_t)(stack->top - p);
#else
    (void)stack;
    return 0;
#endif
}
