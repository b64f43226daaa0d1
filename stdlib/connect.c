/*
 * connect.c: from a name to a stream socket that is connected to it: its addresses are tried one
 * after the other, or side by side, each a little after the one before (Happy Eyeballs).
 */
#include "connect.h"

#include <cora/names.h>
#include <cora/sock.h>
#include <cora/staggered.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct connecting {
    const cora_connection_options *options;
    const struct addrinfo *local; /* NULL: the system chooses */
    int first_error;              /* 0: no attempt has failed so far */
};

struct attempt {
    struct connecting *connecting;
    const struct addrinfo *to;
};

/* ---- one attempt --------------------------------------------------------------------------- */

/* What has failed is told to the caller; a cancellation is no failure. */
static int note(struct connecting *connecting, const struct addrinfo *where, int error)
{
    cora_connection_errors *all = connecting->options->errors;

    if (error == -ECANCELED)
        return error;
    if (connecting->first_error == 0)
        connecting->first_error = error;
    if (all != NULL && all->count++ < all->room) {
        cora_connection_error *one = &all->errors[all->count - 1];

        *one = (cora_connection_error){.error = error, .address = {.length = where->ai_addrlen}};
        memcpy(&one->address.storage, where->ai_addr, where->ai_addrlen);
    }
    return error;
}

/* Binds to the first local address of the right family that can be had. */
static int bind_locally(const struct attempt *attempt, int fd)
{
    const struct addrinfo *local = attempt->connecting->local;
    int rc = 0;

    if (local == NULL)
        return 0;
    for (; local != NULL; local = local->ai_next) {
        if (local->ai_family != attempt->to->ai_family)
            continue;
        if (bind(fd, local->ai_addr, local->ai_addrlen) == 0)
            return 0;
        rc = note(attempt->connecting, local, -errno);
    }
    return rc < 0 ? rc : note(attempt->connecting, attempt->to, -EADDRNOTAVAIL);
}

static int connect_from_here(const struct attempt *attempt, int fd)
{
    const struct addrinfo *to = attempt->to;
    int rc = cora_sock_connect(fd, to->ai_addr, to->ai_addrlen);

    return rc < 0 ? note(attempt->connecting, to, rc) : 0;
}

/* The body of a racer, too. The socket, or a negative error. */
static int attempt_to_connect(void *arg)
{
    const struct attempt *attempt = arg;
    const struct addrinfo *to = attempt->to;
    int type = to->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(to->ai_family, type, to->ai_protocol);
    int rc;

    if (fd < 0)
        return note(attempt->connecting, to, -errno);
    rc = bind_locally(attempt, fd);
    if (rc == 0)
        rc = connect_from_here(attempt, fd);
    if (rc == 0)
        return fd;
    cora_close_fd(fd);
    return rc;
}

/* ---- all of them --------------------------------------------------------------------------- */

static int one_after_the_other(struct attempt attempts[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int rc = attempt_to_connect(&attempts[i]);

        if (rc >= 0 || rc == -ECANCELED)
            return rc;
    }
    return -CORA_ENOWINNER;
}

/* Several may succeed, and all of them before a cancellation: only the winner's socket is kept. */
static int side_by_side(struct attempt attempts[], size_t count, double delay)
{
    cora_racer *racers = calloc(count, sizeof *racers);
    int winner, rc;

    if (racers == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        racers[i].fn = attempt_to_connect;
        racers[i].arg = &attempts[i];
        racers[i].outcome = -CORA_EINVALIDSTATE;
    }
    winner = cora_staggered_race(racers, count, delay);
    rc = winner < 0 ? winner : racers[winner].outcome;
    for (size_t i = 0; i < count; i++)
        if ((int)i != winner && racers[i].outcome >= 0)
            cora_close_fd(racers[i].outcome);
    free(racers);
    return rc;
}

/* ---- their order --------------------------------------------------------------------------- */

static void move_forward(struct attempt attempts[], size_t from, size_t to)
{
    struct attempt moved = attempts[from];

    memmove(&attempts[to + 1], &attempts[to], (from - to) * sizeof *attempts);
    attempts[to] = moved;
}

/* `first` of the first one's family, then one of the other, and so on, as long as there are. */
static void interleave(struct attempt attempts[], size_t count, size_t first)
{
    for (size_t i = 1; i < count; i++) {
        int family = attempts[i - 1].to->ai_family;
        bool same = i < first;
        size_t next = i;

        while (next < count && (attempts[next].to->ai_family == family) != same)
            next++;
        if (next < count)
            move_forward(attempts, next, i);
    }
}

static int connect_to_one_of(struct connecting *connecting, const struct addrinfo *list)
{
    const cora_connection_options *options = connecting->options;
    bool happy = options->happy_eyeballs_delay != 0;
    int first = options->interleave != 0 ? options->interleave : happy;
    struct attempt *attempts;
    size_t count = 1, i = 0;
    int rc;

    for (const struct addrinfo *to = list; to->ai_next != NULL; to = to->ai_next)
        count++;
    attempts = calloc(count, sizeof *attempts);
    if (attempts == NULL)
        return -ENOMEM;
    for (const struct addrinfo *to = list; to != NULL; to = to->ai_next)
        attempts[i++] = (struct attempt){connecting, to};
    if (first > 0)
        interleave(attempts, count, (size_t)first);
    rc = happy ? side_by_side(attempts, count, options->happy_eyeballs_delay)
               : one_after_the_other(attempts, count);
    free(attempts);
    if (rc != -CORA_ENOWINNER)
        return rc;
    return connecting->first_error != 0 ? connecting->first_error : -ETIMEDOUT;
}

/* ---- names --------------------------------------------------------------------------------- */

static int look_up(const char *host, const char *service, const cora_connection_options *options,
                   struct addrinfo **ret)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_family = options->family,
                             .ai_protocol = options->proto,
                             .ai_flags = options->flags};

    return cora_getaddrinfo(host, service, &hints, ret);
}

int cora__connect_to_host(const char *host, const char *service,
                          const cora_connection_options *options)
{
    struct connecting connecting = {.options = options};
    struct addrinfo *list, *local = NULL;
    int rc;

    if (options->errors != NULL)
        options->errors->count = 0;
    rc = look_up(host, service, options, &list);
    if (rc < 0)
        return rc;
    if (options->local_host != NULL || options->local_service != NULL)
        rc = look_up(options->local_host, options->local_service, options, &local);
    connecting.local = local;
    if (rc == 0)
        rc = connect_to_one_of(&connecting, list);
    cora_freeaddrinfo(local);
    cora_freeaddrinfo(list);
    return rc;
}
