/*
 * hosts.h: a host with several addresses, which are as easy or hard to connect to as a test says. A
 * program that links hosts_support has the library's calls of the resolver, of socket(2) and of
 * bind(2), and its cora_sock_connect, wrapped by the linker. Where a test has named no hosts they
 * do what they always do.
 */
#ifndef CORA_TEST_HOSTS_H
#define CORA_TEST_HOSTS_H

#include <cora.h>

enum { MOST_HOSTS = 6, NEVER = 1000 };

/* An address: "6a" is one of IPv6, "4b" one of IPv4. */
struct host {
    const char *name;
    double seconds;   /* that an attempt to connect to it takes */
    int error;        /* how it ends; 0: it is connected */
    bool stubborn;    /* it succeeds even so, when it is cancelled */
    int socket_error; /* there is no descriptor for the first socket of its family */
    int bind_error;   /* no socket can be bound to it */
};

#define WORKS(name_, seconds_)                                                                     \
    {                                                                                              \
        .name = (name_), .seconds = (seconds_)                                                     \
    }
#define FAILS(name_, seconds_, error_)                                                             \
    {                                                                                              \
        .name = (name_), .seconds = (seconds_), .error = (error_)                                  \
    }
#define HANGS(name_)                                                                               \
    {                                                                                              \
        .name = (name_), .seconds = NEVER                                                          \
    }
#define STUBBORN(name_)                                                                            \
    {                                                                                              \
        .name = (name_), .seconds = NEVER, .stubborn = true                                        \
    }
#define NO_SOCKET(name_, error_)                                                                   \
    {                                                                                              \
        .name = (name_), .socket_error = (error_)                                                  \
    }
#define NO_BIND(name_, error_)                                                                     \
    {                                                                                              \
        .name = (name_), .bind_error = (error_)                                                    \
    }

/*
 * From now on the name "host" has these addresses, and "local" those; all other addresses are
 * connected to at once. An attempt traces (see virtual.h) "6a@0.25" when it begins, and "-6a" when
 * it is cancelled; one to bind traces "bind 6a".
 */
#define HOSTS(...)                                                                                 \
    set_hosts("host", (const struct host[]){__VA_ARGS__},                                          \
              sizeof((const struct host[]){__VA_ARGS__}) / sizeof(struct host))
#define LOCALS(...)                                                                                \
    set_hosts("local", (const struct host[]){__VA_ARGS__},                                         \
              sizeof((const struct host[]){__VA_ARGS__}) / sizeof(struct host))
void set_hosts(const char *name, const struct host *list, size_t count);

/* The name of one of these addresses; "" for others. */
const char *host_name(const cora_address *address);

/* Since then: how many sockets were asked for, the last one's type, and where to it was. */
struct attempts {
    int count;
    int family, type;
    cora_address to;
};
extern struct attempts attempts;

/* The end of a test: the resolver has got its lists back, and what was connected is closed. */
void close_hosts(void);

#endif
