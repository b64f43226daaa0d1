/*
 * way_toy.c: a coroutine for each file, on the toy loop, in one thread. Each call tries, and yields
 * what it waits for where it would block. All files start at once: there is no limit here.
 */
#include "toy_loop.h"
#include "ways.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- bytes, by calls that yield ------------------------------------------------------------- */

static bool would_block(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK;
}

static int toy_connect(int fd, const struct address *address, double deadline)
{
    int error = 0;
    socklen_t size = sizeof error;
    int rc;

    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address->bytes, address->length) == 0)
        return 0;
    if (errno != EINPROGRESS && errno != EINTR)
        return -errno;
    rc = toy_wait(fd, POLLOUT, deadline);
    if (rc < 0)
        return rc;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return -errno;
    return -error;
}

static int toy_send(int fd, const void *data, size_t size, double deadline)
{
    const char *next = data;
    int rc = 0;

    while (size > 0 && rc == 0) {
        ssize_t sent = send(fd, next, size, MSG_NOSIGNAL);

        if (sent >= 0) {
            next += sent;
            size -= (size_t)sent;
        } else if (would_block(errno)) {
            rc = toy_wait(fd, POLLOUT, deadline);
        } else if (errno != EINTR) {
            rc = -errno;
        }
    }
    return rc;
}

/* It waits first and then reads: a reply that never pauses must not keep the others from running,
 * nor run past its deadline. */
static ssize_t toy_receive(int fd, void *buffer, size_t size, double deadline)
{
    for (;;) {
        int rc = now() < deadline ? toy_wait(fd, POLLIN, deadline) : -ETIMEDOUT;

        if (rc < 0)
            return rc;

        ssize_t got = recv(fd, buffer, size, 0);

        if (got >= 0)
            return got;
        if (!would_block(errno) && errno != EINTR)
            return -errno;
    }
}

static int toy_close(int fd)
{
    return close(fd) == 0 ? 0 : -errno;
}

/* As in the tutorials, the look-up of a name holds up everybody. */
static int toy_resolve(struct lookup *lookup)
{
    return look_up(lookup);
}

static const struct io toy_io = {
    .resolve = toy_resolve,
    .connect = toy_connect,
    .send = toy_send,
    .receive = toy_receive,
    .close = toy_close,
};

/* ---- the coroutines ------------------------------------------------------------------------ */

struct fetch {
    struct work *work;
    size_t index;
};

static int fetch(void *arg)
{
    struct fetch *self = arg;

    download_file(self->work, self->index, &toy_io);
    return 0;
}

int way_toy(struct work *work)
{
    struct toy_loop loop = TOY_LOOP_INIT;
    struct fetch *fetches = calloc(work->count, sizeof fetches[0]);
    int rc = fetches != NULL ? 0 : -ENOMEM;

    for (size_t i = 0; i < work->count && rc == 0; i++) {
        fetches[i] = (struct fetch){work, i};
        rc = toy_loop_add(&loop, fetch, &fetches[i]);
    }

    int ran = toy_loop_run(&loop);

    free(fetches);
    return rc < 0 ? rc : ran;
}
