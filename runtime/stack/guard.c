/*
 * guard.c: making a page inaccessible.
 */
#include "stack/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

static bool has_madvise_guard;
static pthread_once_t probed = PTHREAD_ONCE_INIT;

/* Whether the kernel refuses to read from the page: write(2) then says EFAULT. */
static bool is_guarded(const void *page)
{
    int ends[2];
    bool guarded = false;

    if (pipe2(ends, O_CLOEXEC) == 0) {
        guarded = write(ends[1], page, 1) < 0;
        close(ends[0]);
        close(ends[1]);
    }
    return guarded;
}

/*
 * Old kernels answer EINVAL to an unknown advice, but emulators answer 0 and do nothing: what
 * counts is whether the page can still be read afterwards.
 */
static void probe(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return;
    has_madvise_guard = madvise(page, size, MADV_GUARD_INSTALL) == 0 && is_guarded(page);
    munmap(page, size);
}

int cora__guard_install(void *page, size_t size)
{
    pthread_once(&probed, probe);
    if (has_madvise_guard)
        return madvise(page, size, MADV_GUARD_INSTALL) == 0 ? 0 : -ENOMEM;
    return mprotect(page, size, PROT_NONE) == 0 ? 0 : -ENOMEM;
}

const char *cora__guard_kind(void)
{
    pthread_once(&probed, probe);
    return has_madvise_guard ? "MADV_GUARD_INSTALL" : "mprotect";
}
