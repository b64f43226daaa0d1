#include "support/allocation.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static atomic_int count, refused_at; /* the count at which to refuse; 0: never */
static atomic_bool refused;

int allocations(void)
{
    return atomic_load(&count);
}

void refuse_allocation(int nth)
{
    atomic_store(&refused, false);
    atomic_store(&refused_at, nth > 0 ? allocations() + nth : 0);
}

bool allocation_was_refused(void)
{
    return atomic_load(&refused);
}

static bool is_refused(void)
{
    bool now = atomic_fetch_add(&count, 1) + 1 == atomic_load(&refused_at);

    if (now) {
        atomic_store(&refused, true);
        errno = ENOMEM;
    }
    return now;
}

/* The names are the linker's: a call of f goes to __wrap_f, and __real_f is the function itself. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
#define WRAP(result, failure, name, parameters, ...)                                               \
    result __real_##name parameters;                                                               \
    result __wrap_##name parameters;                                                               \
    result __wrap_##name parameters                                                                \
    {                                                                                              \
        return is_refused() ? (failure) : __real_##name(__VA_ARGS__);                              \
    }

WRAP(void *, NULL, malloc, (size_t size), size)
WRAP(void *, NULL, aligned_alloc, (size_t alignment, size_t size), alignment, size)
WRAP(void *, NULL, calloc, (size_t n, size_t size), n, size)
WRAP(void *, NULL, realloc, (void *block, size_t size), block, size)
WRAP(char *, NULL, strdup, (const char *text), text)
WRAP(void *, MAP_FAILED, mmap,
     (void *at, size_t size, int protection, int flags, int fd, off_t offset), at, size, protection,
     flags, fd, offset)
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
