/*
 * io_blocking.c: bytes by plain blocking calls, and the name look-up.
 *
 * A deadline over several blocking calls is kept by hand: before each call the socket is told how
 * much time is left. A blocking getaddrinfo cannot be limited at all; the resolver has a limit of
 * its own.
 */
#include "io.h"
#include "trace.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* `option` is SO_RCVTIMEO or SO_SNDTIMEO; the latter covers connect too. */
static int limit_next_call(int fd, int option, double deadline)
{
    double left = deadline - now();
    struct timeval limit;

    if (left <= 0)
        return -ETIMEDOUT;
    limit.tv_sec = (time_t)left;
    limit.tv_usec = (suseconds_t)((left - (double)limit.tv_sec) * 1e6);
    if (limit.tv_sec == 0 && limit.tv_usec == 0)
        limit.tv_usec = 1; /* 0 would mean: no limit */
    return setsockopt(fd, SOL_SOCKET, option, &limit, sizeof limit) == 0 ? 0 : -errno;
}

/* What a call that ran into its limit says. */
static int error_of_call(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINPROGRESS ? -ETIMEDOUT : -errno;
}

static int blocking_connect(int fd, const struct address *address, double deadline)
{
    int rc = limit_next_call(fd, SO_SNDTIMEO, deadline);

    if (rc < 0)
        return rc;
    if (connect(fd, (const struct sockaddr *)&address->bytes, address->length) < 0)
        return error_of_call();
    return 0;
}

static int blocking_send(int fd, const void *data, size_t size, double deadline)
{
    const char *next = data;

    while (size > 0) {
        int rc = limit_next_call(fd, SO_SNDTIMEO, deadline);

        if (rc < 0)
            return rc;

        ssize_t sent = send(fd, next, size, MSG_NOSIGNAL);

        if (sent < 0 && errno != EINTR)
            return error_of_call();
        if (sent > 0) {
            next += sent;
            size -= (size_t)sent;
        }
    }
    return 0;
}

static ssize_t blocking_receive(int fd, void *buffer, size_t size, double deadline)
{
    for (;;) {
        int rc = limit_next_call(fd, SO_RCVTIMEO, deadline);

        if (rc < 0)
            return rc;

        ssize_t got = recv(fd, buffer, size, 0);

        if (got >= 0)
            return got;
        if (errno != EINTR)
            return error_of_call();
    }
}

static int blocking_close(int fd)
{
    return close(fd) == 0 ? 0 : -errno;
}

static void get_addresses(struct lookup *lookup, int flags)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};
    struct addrinfo *list;

    lookup->count = 0;
    lookup->gai_error = getaddrinfo(lookup->host, lookup->port, &hints, &list);
    if (lookup->gai_error != 0)
        return;
    for (struct addrinfo *a = list; a != NULL && lookup->count < LOOKUP_MAX; a = a->ai_next) {
        struct address *address = &lookup->addresses[lookup->count++];

        memcpy(&address->bytes, a->ai_addr, a->ai_addrlen);
        address->length = a->ai_addrlen;
    }
    freeaddrinfo(list);
}

int look_up(void *lookup)
{
    get_addresses(lookup, 0);
    return 0;
}

bool look_up_digits(struct lookup *lookup)
{
    get_addresses(lookup, AI_NUMERICHOST);
    return lookup->gai_error == 0;
}

static int blocking_resolve(struct lookup *lookup)
{
    return look_up(lookup);
}

const struct io blocking_io = {
    .resolve = blocking_resolve,
    .connect = blocking_connect,
    .send = blocking_send,
    .receive = blocking_receive,
    .close = blocking_close,
};
