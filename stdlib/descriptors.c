/*
 * descriptors.c: all descriptors from one on: in one call, where the kernel has it, else by its
 * list of them, else number by number.
 */
#include "descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

static void close_on_exec(int fd)
{
    fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static void close_now(int fd)
{
    close(fd);
}

/* Read without readdir, which allocates. */
static bool each_listed(int first, void (*fn)(int fd))
{
#ifdef __linux__
    _Alignas(struct dirent64) char entries[1024];
    int directory = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ssize_t size;

    if (directory < 0)
        return false;
    while ((size = getdents64(directory, entries, sizeof entries)) > 0) {
        for (ssize_t at = 0; at < size;) {
            struct dirent64 *entry = (struct dirent64 *)(void *)(entries + at);
            int fd = 0;

            for (const char *digit = entry->d_name; *digit >= '0' && *digit <= '9'; digit++)
                fd = 10 * fd + (*digit - '0');
            if (fd >= first && fd != directory) /* "." and ".." are 0 */
                fn(fd);
            at += entry->d_reclen;
        }
    }
    close(directory);
    return size == 0;
#else
    (void)first;
    (void)fn;
    return false;
#endif
}

static void each_from(int first, void (*fn)(int fd))
{
    int most = (int)sysconf(_SC_OPEN_MAX);

    if (each_listed(first, fn))
        return;
    for (int fd = first; fd < most; fd++)
        fn(fd);
}

void cora__close_from(int first)
{
#ifdef CLOSE_RANGE_CLOEXEC
    if (close_range((unsigned)first, ~0U, 0) == 0)
        return;
#endif
    each_from(first, close_now);
}

void cora__close_on_exec_from(int first)
{
#ifdef CLOSE_RANGE_CLOEXEC
    if (close_range((unsigned)first, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
        return;
#endif
    each_from(first, close_on_exec);
}
