/*
 * stack.h: guarded memory for stacks.
 *
 * Stacks of one size are carved from slabs, large reserved mappings:
 *
 *     slab    | guard | stack 0 ......... top | guard | stack 1 ......... top | guard | ...
 *
 * - Below each stack lies a guard page. It is made when the stack is first carved, by
 *   MADV_GUARD_INSTALL (Linux 6.13: no mapping of its own, so a million fit), else by mprotect. A
 *   guard that cannot be had is -ENOMEM and no stack.
 * - A freed stack keeps its memory and is the next to be used, while it is still in the cache.
 * - Tops are spread over cache lines: with all of them at one offset in their page, the tops of a
 *   thousand tasks would compete for the same few lines of the first-level cache.
 * - cora__stack_trim gives memory back to the system once a peak is over.
 *
 * A stack belongs to the thread that took it and goes back on the same thread, or, once that has
 * ended, on any one.
 */
#ifndef CORA_STACK_H
#define CORA_STACK_H

#include <stdbool.h>
#include <stddef.h>

struct cora__slab;

struct cora__stack {
    char *low;               /* the first usable byte, right above the guard */
    char *top;               /* one past the last, aligned to 64 */
    struct cora__slab *slab; /* NULL once it is given back */
    unsigned index;          /* in the slab */
};

/*
 * Takes a stack of at least `size` usable bytes (rounded up to whole pages).
 * 0, or -ENOMEM (no memory, no address space, or no guard), or -EINVAL for a size of 0 or above
 * 1 GiB; *stack is then untouched.
 */
int cora__stack_alloc(size_t size, struct cora__stack *stack);

/* Gives a stack back. The caller may still be running on it until it switches away. */
void cora__stack_free(struct cora__stack *stack);

/*
 * Gives back to the system what has been free since the last call: a slab none of whose stacks is
 * in use is unmapped, the free stacks of the others lose their pages; as many stacks as were in use
 * at the highest point since the last call are kept. With `all` nothing free is kept.
 * Returns whether a further call might still give something back.
 */
bool cora__stack_trim(bool all);

/* How many bytes of stacks this thread holds, in use or kept for reuse (guards not counted). */
size_t cora__stack_reserved(void);

/* The stack whose guard contains `address`; false where there is none. Async-signal-safe. */
bool cora__stack_find_guard(const void *address, struct cora__stack *stack);

/*
 * Debug builds: the most bytes that have been in use since the stack was taken. Other builds: 0.
 * It costs nothing while running: fresh pages are zero, so the lowest byte that is not zero tells.
 */
size_t cora__stack_high_water(const struct cora__stack *stack);

#endif
