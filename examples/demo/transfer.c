#include "transfer.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- each call of the table, with its wait on record --------------------------------------- */

static int resolve(const struct transfer *t, struct lookup *lookup)
{
    trace_enter(t->trace, TRACE_WAITING);

    int rc = t->io->resolve(lookup);

    trace_enter(t->trace, TRACE_RUNNING);
    return rc;
}

static int connect_to(const struct transfer *t, int fd, const struct address *address)
{
    trace_enter(t->trace, TRACE_WAITING);

    int rc = t->io->connect(fd, address, t->deadline);

    trace_enter(t->trace, TRACE_RUNNING);
    return rc;
}

static int send_all(const struct transfer *t, int fd, const void *data, size_t size)
{
    trace_enter(t->trace, TRACE_WAITING);

    int rc = t->io->send(fd, data, size, t->deadline);

    trace_enter(t->trace, TRACE_RUNNING);
    return rc;
}

static ssize_t receive(const struct transfer *t, int fd, void *buffer, size_t size)
{
    trace_enter(t->trace, TRACE_WAITING);

    ssize_t got = t->io->receive(fd, buffer, size, t->deadline);

    trace_enter(t->trace, TRACE_RUNNING);
    return got;
}

/* ---- connecting ---------------------------------------------------------------------------- */

static int find_addresses(const struct transfer *t, struct lookup *lookup)
{
    memset(lookup, 0, sizeof *lookup);
    snprintf(lookup->host, sizeof lookup->host, "%s", t->url->host);
    snprintf(lookup->port, sizeof lookup->port, "%s", t->url->port);
    if (look_up_digits(lookup))
        return 0;

    int rc = resolve(t, lookup);

    if (rc < 0 || lookup->gai_error == 0)
        return rc;
    snprintf(t->reply->problem, sizeof t->reply->problem, "the host's name does not resolve: %s",
             gai_strerror(lookup->gai_error));
    return -EPROTO;
}

/* A connected socket or a negative error. */
static int connect_one(const struct transfer *t, const struct address *address)
{
    int fd = socket(address->bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc;

    if (fd < 0)
        return -errno;
    rc = connect_to(t, fd, address);
    if (rc == 0)
        return fd;
    t->io->close(fd);
    return rc;
}

/* The first address that answers; "localhost" is often two, and the server listens on one. */
static int open_connection(const struct transfer *t)
{
    struct lookup lookup;
    int rc = find_addresses(t, &lookup);

    if (rc < 0)
        return rc;
    rc = -EADDRNOTAVAIL;
    for (size_t i = 0; i < lookup.count; i++) {
        rc = connect_one(t, &lookup.addresses[i]);
        if (rc >= 0 || rc == -ECANCELED || rc == -ETIMEDOUT)
            break;
    }
    return rc;
}

/* ---- request and reply --------------------------------------------------------------------- */

static int send_request(const struct transfer *t, int fd)
{
    const struct url *url = t->url;
    bool is_ipv6 = strchr(url->host, ':') != NULL;
    char request[2 * URL_SIZE];
    int length =
        snprintf(request, sizeof request,
                 "GET %s HTTP/1.1\r\n"
                 "Host: %s%s%s:%s\r\n"
                 "User-Agent: cora-demo\r\n"
                 "Connection: close\r\n"
                 "\r\n",
                 url->target, is_ipv6 ? "[" : "", url->host, is_ipv6 ? "]" : "", url->port);

    return send_all(t, fd, request, (size_t)length);
}

static int receive_reply(const struct transfer *t, int fd)
{
    char buffer[16 * 1024];
    int complete = 0;

    while (complete == 0) {
        ssize_t got = receive(t, fd, buffer, sizeof buffer);

        if (got < 0)
            return (int)got;
        complete = got > 0 ? reply_feed(t->reply, buffer, (size_t)got) : reply_end(t->reply);
    }
    return complete < 0 ? complete : 0;
}

int transfer_run(const struct transfer *t)
{
    int fd = open_connection(t);
    int rc;

    if (fd < 0)
        return fd;
    rc = send_request(t, fd);
    if (rc == 0)
        rc = receive_reply(t, fd);
    t->io->close(fd);
    return rc;
}
