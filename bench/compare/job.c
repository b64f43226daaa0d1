/*
 * job.c: a job for those ways in which it may hold a thread.
 */
#include "ways.h"

#include "hash.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int wait_for(double seconds)
{
    struct timespec left = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

    while (nanosleep(&left, &left) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

static int receive_all(int fd)
{
    char bytes[16 << 10];
    ssize_t size, all = 0;

    if (send(fd, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL) < 0)
        return -errno;
    while ((size = recv(fd, bytes, sizeof bytes, 0)) > 0)
        all += size;
    if (size < 0)
        return -errno;
    return all == REPLY_SIZE ? 0 : -EIO;
}

static int download(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int rc;

    if (fd < 0)
        return -errno;
    rc = connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : receive_all(fd);
    close(fd);
    return rc;
}

int do_job(const struct workload *work)
{
    switch (work->kind) {
    case WAIT:
        return wait_for(work->amount);
    case DOWNLOAD:
        return download(work->port);
    case COMPUTE:
        return hash(work->amount);
    }
    return -EINVAL;
}
