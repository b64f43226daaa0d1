/*
 * files.c: opening files, in a thread. What to notice: nothing leads out of the folder. The path is
 * walked name by name, each opened in the directory before it, ".." and symbolic links not at all;
 * who looks first and opens then can be cheated in between. A descriptor that comes when the task
 * has been cancelled is closed by the cleanup.
 */
#include "files.h"

#include "request.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct open_args {
    int folder;
    char path[HEAD_SIZE + 16];
    int fd;
    off_t size;
};

static void close_file(void *arg)
{
    struct open_args *a = arg;

    if (a->fd >= 0)
        close(a->fd);
    a->fd = -1;
}

/* Opens the name in a->fd, which it closes, unless that is the folder; a->fd is the new one. */
static int step(struct open_args *a, const char *name)
{
    int fd, error;

    errno = ENOENT;
    fd = strcmp(name, "..") == 0 ? -1
                                 : openat(a->fd < 0 ? a->folder : a->fd, name,
                                          O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    error = errno;
    close_file(a);
    a->fd = fd;
    return fd < 0 ? -error : 0;
}

static int open_file(void *arg)
{
    struct open_args *a = arg;
    struct stat info = {0};
    char *rest;
    int rc = 0;

    for (char *name = strtok_r(a->path, "/", &rest); name != NULL && rc == 0;
         name = strtok_r(NULL, "/", &rest))
        rc = step(a, name);
    if (rc == 0 && fstat(a->fd, &info) < 0)
        rc = -errno;
    else if (rc == 0 && !S_ISREG(info.st_mode))
        rc = -ENOENT;
    if (rc < 0)
        close_file(a);
    a->size = info.st_size;
    return rc;
}

int files_open(int folder, const char *path, off_t *ret_size)
{
    struct open_args args = {.folder = folder, .fd = -1};
    bool is_folder = path[strlen(path) - 1] == '/';
    int rc;

    snprintf(args.path, sizeof args.path, "%s%s", path, is_folder ? "index.html" : "");
    rc = cora_to_thread_cleanup(open_file, &args, close_file);
    if (rc < 0)
        return rc;
    *ret_size = args.size;
    return args.fd;
}

const char *files_type(const char *path)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        {"/", "text/html; charset=utf-8"},
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".txt", "text/plain; charset=utf-8"},
        {".json", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
    };
    size_t length = strlen(path);

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        size_t size = strlen(types[i].ending);

        if (length >= size && strcmp(path + length - size, types[i].ending) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}
