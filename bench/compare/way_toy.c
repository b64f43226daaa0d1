/*
 * way_toy.c: a coroutine for each job, on the toy loop, in one thread. Where a call would block,
 * the coroutine yields what it waits for.
 */
#include "ways.h"

#include "hash.h"
#include "toy_loop.h"
#include "trace.h"

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int receive_all(int fd)
{
    char bytes[16 << 10];
    ssize_t size, all = 0;
    int rc = toy_wait(fd, POLLOUT, INFINITY);

    if (rc == 0 && send(fd, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL) < 0)
        rc = -errno;
    for (;;) {
        if (rc == 0)
            rc = toy_wait(fd, POLLIN, INFINITY);
        if (rc < 0)
            return rc;
        size = recv(fd, bytes, sizeof bytes, 0);
        if (size < 0 && errno != EAGAIN)
            return -errno;
        if (size == 0)
            return all == REPLY_SIZE ? 0 : -EIO;
        all += size > 0 ? size : 0;
    }
}

static int download(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int rc;

    if (fd < 0)
        return -errno;
    rc = connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS
             ? -errno
             : receive_all(fd);
    close(fd);
    return rc;
}

struct job {
    const struct workload *work;
    int outcome;
};

static int run_job(void *arg)
{
    struct job *job = arg;
    const struct workload *work = job->work;

    if (work->kind == DOWNLOAD)
        job->outcome = download(work->port);
    else if (work->kind == COMPUTE)
        job->outcome = hash(work->amount);
    else
        job->outcome = toy_wait(-1, 0, now() + work->amount) == -ETIMEDOUT ? 0 : -EIO;
    return 0;
}

int way_toy(const struct workload *work)
{
    struct job *jobs = calloc((size_t)work->jobs, sizeof jobs[0]);
    struct toy_loop loop = {.count = 0};
    int rc = jobs != NULL ? 0 : -ENOMEM, outcome;

    for (int i = 0; i < work->jobs && rc == 0; i++) {
        jobs[i] = (struct job){work, -ECANCELED};
        rc = toy_loop_add(&loop, run_job, &jobs[i]);
    }
    outcome = toy_loop_run(&loop);
    rc = rc < 0 ? rc : outcome;
    for (int i = 0; i < work->jobs && rc == 0; i++)
        rc = jobs[i].outcome;
    free(jobs);
    return rc;
}
