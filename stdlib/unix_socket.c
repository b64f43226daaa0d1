#include "unix_socket.h"

#include <cora/address.h>
#include <cora/error.h>
#include <cora/waiter.h>

#include <stddef.h>
#include <string.h>
#include <unistd.h>

void cora__unix_remove_stale(const char *path)
{
    struct stat status;

    if (stat(path, &status) == 0 && S_ISSOCK(status.st_mode))
        unlink(path); /* where it cannot be, bind says so */
}

/* The socket's own mode is what bind gives the file, less the umask: never more than is wanted. */
static int bind_file(int fd, const char *path, mode_t mode, const cora_address *address)
{
    if (mode != 0 && fchmod(fd, mode) < 0)
        return -errno;
    cora__unix_remove_stale(path);
    if (bind(fd, (const struct sockaddr *)&address->storage, address->length) < 0)
        return -errno;
    return mode != 0 && chmod(path, mode) < 0 ? -errno : 0;
}

int cora__unix_bind(const char *path, mode_t mode)
{
    cora_address address;
    int rc = cora_address_from_path(path, &address);
    int fd;

    if (rc < 0)
        return rc;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    cora_fd_opened(fd);
    if (path[0] != '@')
        rc = bind_file(fd, path, mode, &address);
    else if (bind(fd, (struct sockaddr *)&address.storage, address.length) < 0)
        rc = -errno;
    if (rc < 0)
        cora_close_fd(fd);
    return rc < 0 ? rc : fd;
}

void cora__socket_file_find(struct cora__socket_file *file, int fd)
{
    struct sockaddr_un address = {0};
    struct stat status;

    /* A path that fills its place has no zero byte behind it. */
    if (getsockname(fd, (struct sockaddr *)&address, &(socklen_t){sizeof address}) < 0 ||
        address.sun_family != AF_UNIX)
        return;
    memcpy(file->path, address.sun_path, sizeof address.sun_path);
    file->path[sizeof address.sun_path] = '\0';
    if (file->path[0] == '\0' || stat(file->path, &status) < 0) {
        file->path[0] = '\0';
        return;
    }
    file->device = status.st_dev;
    file->inode = status.st_ino;
    file->owner = getpid();
}

void cora__socket_file_remove(const struct cora__socket_file *file)
{
    struct stat status;

    if (file->path[0] != '\0' && file->owner == getpid() && stat(file->path, &status) == 0 &&
        status.st_dev == file->device && status.st_ino == file->inode)
        unlink(file->path);
}
