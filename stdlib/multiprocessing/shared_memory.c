#include <cora/multiprocessing/shared_memory.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- names --------------------------------------------------------------------------------- */

static int check_name(const char *name)
{
    bool fits = name[0] != '\0' && strlen(name) < CORA_MULTIPROCESSING_NAME_SIZE;

    return fits && strchr(name, '/') == NULL ? 0 : -EINVAL;
}

/* shm_open's, with a slash before it. */
static int open_named(const char *name, int flags)
{
    char path[CORA_MULTIPROCESSING_NAME_SIZE + 1];
    int fd;

    snprintf(path, sizeof path, "/%s", name);
    fd = shm_open(path, flags, 0600);
    return fd < 0 ? -errno : fd;
}

/* One that nobody has: ours, and the next number that is free. */
static int open_new(char name[CORA_MULTIPROCESSING_NAME_SIZE])
{
    static atomic_uint number;
    int fd;

    do {
        snprintf(name, CORA_MULTIPROCESSING_NAME_SIZE, "cora-%d-%u", (int)getpid(),
                 atomic_fetch_add(&number, 1));
        fd = open_named(name, O_RDWR | O_CREAT | O_EXCL);
    } while (fd == -EEXIST);
    return fd;
}

int cora_multiprocessing_shared_memory_unlink(const cora_multiprocessing_shared_memory *memory)
{
    char path[CORA_MULTIPROCESSING_NAME_SIZE + 1];

    snprintf(path, sizeof path, "/%s", memory->name);
    if (memory->name[0] == '\0')
        return -ENOENT;
    return shm_unlink(path) < 0 ? -errno : 0;
}

/* ---- SharedMemory -------------------------------------------------------------------------- */

static int map(cora_multiprocessing_shared_memory *memory, int flags, int fd)
{
    void *buf = mmap(NULL, memory->size, PROT_READ | PROT_WRITE, MAP_SHARED | flags, fd, 0);

    if (buf == MAP_FAILED)
        return -errno;
    memory->buf = buf;
    return 0;
}

/* All of it is there, or somebody would find out by SIGBUS. */
static int reserve(int fd, size_t size)
{
    int error;

    if (ftruncate(fd, (off_t)size) < 0)
        return -errno;
    do
        error = posix_fallocate(fd, 0, (off_t)size);
    while (error == EINTR);
    return -error;
}

int cora_multiprocessing_shared_memory_create(cora_multiprocessing_shared_memory *ret,
                                              const char *name, size_t size)
{
    cora_multiprocessing_shared_memory memory = {.size = size};
    int fd, rc;

    if (size == 0 || (name != NULL && check_name(name) < 0))
        return -EINVAL;
    if (name != NULL)
        snprintf(memory.name, sizeof memory.name, "%s", name);
    fd = name != NULL ? open_named(name, O_RDWR | O_CREAT | O_EXCL) : open_new(memory.name);
    if (fd < 0)
        return fd;
    rc = reserve(fd, size);
    if (rc == 0)
        rc = map(&memory, 0, fd);
    close(fd);
    if (rc < 0)
        cora_multiprocessing_shared_memory_unlink(&memory);
    else
        *ret = memory;
    return rc;
}

static int map_all(cora_multiprocessing_shared_memory *memory, int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    memory->size = (size_t)status.st_size;
    return memory->size > 0 ? map(memory, 0, fd) : -EINVAL; /* its creator is not done */
}

int cora_multiprocessing_shared_memory_attach(cora_multiprocessing_shared_memory *ret,
                                              const char *name)
{
    cora_multiprocessing_shared_memory memory = {.buf = NULL};
    int fd, rc = check_name(name);

    if (rc < 0)
        return rc;
    snprintf(memory.name, sizeof memory.name, "%s", name);
    fd = open_named(name, O_RDWR);
    if (fd < 0)
        return fd;
    rc = map_all(&memory, fd);
    close(fd);
    if (rc == 0)
        *ret = memory;
    return rc;
}

int cora_multiprocessing_shared_memory_anonymous(cora_multiprocessing_shared_memory *ret,
                                                 size_t size)
{
    cora_multiprocessing_shared_memory memory = {.size = size};
    int rc = size > 0 ? map(&memory, MAP_ANONYMOUS | MAP_NORESERVE, -1) : -EINVAL;

    if (rc == 0)
        *ret = memory;
    return rc;
}

void cora_multiprocessing_shared_memory_close(cora_multiprocessing_shared_memory *memory)
{
    if (memory->buf != NULL)
        munmap(memory->buf, memory->size);
    memory->buf = NULL;
}
