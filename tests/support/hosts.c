#include "support/hosts.h"

#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <fcntl.h>
#include <unistd.h>

/* Their addresses have ports that are their places in the list, beginning with these. */
enum { HOST_PORT = 1, LOCAL_PORT = 101, OURS = 0x40000000 };

static struct list {
    const char *name;
    int port;
    struct host hosts[MOST_HOSTS];
    size_t count;
} lists[] = {{.name = "host", .port = HOST_PORT}, {.name = "local", .port = LOCAL_PORT}};

struct attempts attempts;
static bool active;
static int infos; /* that have not been given back */
static int peers[MOST_HOSTS];
static size_t peer_count;

void set_hosts(const char *name, const struct host *list, size_t count)
{
    struct list *to = &lists[strcmp(name, "host") != 0];

    assert_true(count <= MOST_HOSTS);
    memcpy(to->hosts, list, count * sizeof *list);
    to->count = count;
    active = true;
    attempts = (struct attempts){0};
}

static struct host *find(const struct sockaddr *address)
{
    int port = ntohs(((const struct sockaddr_in *)address)->sin_port);

    for (int i = 0; i < 2; i++)
        if (port >= lists[i].port && port < lists[i].port + (int)lists[i].count)
            return &lists[i].hosts[port - lists[i].port];
    return NULL;
}

const char *host_name(const cora_address *address)
{
    const struct host *host = find((const struct sockaddr *)&address->storage);

    return host != NULL ? host->name : "";
}

static int family_of(const struct host *host)
{
    return host->name[0] == '6' ? AF_INET6 : AF_INET;
}

void close_hosts(void)
{
    assert_int_equal(infos, 0);
    while (peer_count > 0)
        close_fd(peers[--peer_count]);
}

/* The names are the linker's: a call of f goes to __wrap_f, and __real_f is the function itself. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

/* ---- the resolver -------------------------------------------------------------------------- */

int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list);
void __real_freeaddrinfo(struct addrinfo *list);
void __wrap_freeaddrinfo(struct addrinfo *list);

struct info {
    struct addrinfo info;
    struct sockaddr_in6 address;
};

static struct addrinfo *make_info(const struct list *list, size_t i)
{
    struct info *made = calloc(1, sizeof *made);

    infos++;
    made->info = (struct addrinfo){.ai_flags = OURS,
                                   .ai_family = family_of(&list->hosts[i]),
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_addrlen = sizeof made->address,
                                   .ai_addr = (struct sockaddr *)&made->address};
    made->address.sin6_family = (sa_family_t)made->info.ai_family;
    made->address.sin6_port = htons((uint16_t)(list->port + (int)i));
    return &made->info;
}

/* Not every machine knows the service "http". */
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list)
{
    const struct list *found = NULL;

    for (int i = 0; i < 2 && active && host != NULL; i++)
        if (strcmp(host, lists[i].name) == 0 && !(hints->ai_flags & AI_NUMERICHOST))
            found = &lists[i];
    if (active && strcmp(service != NULL ? service : "", "http") == 0 &&
        !(hints->ai_flags & AI_NUMERICSERV))
        service = "80";
    if (found == NULL)
        return __real_getaddrinfo(host, service, hints, list);
    if (found->count == 0)
        return EAI_NODATA;
    for (size_t i = 0; i < found->count; i++) {
        *list = make_info(found, i);
        list = &(*list)->ai_next;
    }
    return 0;
}

void __wrap_freeaddrinfo(struct addrinfo *list)
{
    if (!(list->ai_flags & OURS)) {
        __real_freeaddrinfo(list);
        return;
    }
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;

        infos--;
        free(list);
        list = next;
    }
}

/* ---- attempts ------------------------------------------------------------------------------ */

int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);
int __real_bind(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t length);
int __real_cora_sock_connect(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_cora_sock_connect(int fd, const struct sockaddr *address, socklen_t length);

/* Where this machine lacks a family, it is there all the same. */
int __wrap_socket(int domain, int type, int protocol)
{
    if (!active)
        return __real_socket(domain, type, protocol);
    attempts.count++;
    attempts.family = domain;
    attempts.type = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    for (size_t i = 0; i < lists[0].count; i++)
        if (lists[0].hosts[i].socket_error != 0 && domain == family_of(&lists[0].hosts[i])) {
            errno = -lists[0].hosts[i].socket_error;
            lists[0].hosts[i].socket_error = 0;
            return -1;
        }
    return __real_socket(AF_UNIX, type, 0);
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    const struct host *host;

    if (!active)
        return __real_bind(fd, address, length);
    host = find(address);
    assert_non_null(host);
    trace("bind %s", host->name);
    errno = -host->bind_error;
    return host->bind_error != 0 ? -1 : 0;
}

/* The socket becomes one end of a pair. */
static int become_connected(int fd)
{
    int pair[2], rc;

    make_pair(pair);
    rc = dup3(pair[0], fd, O_CLOEXEC);
    assert_int_equal(rc, fd);
    close_fd(pair[0]);
    assert_true(peer_count < MOST_HOSTS);
    peers[peer_count++] = pair[1];
    return 0;
}

static int attempt(int fd, const struct host *host)
{
    double now = cora_loop_time(cora_get_running_loop());
    int rc;

    trace("%s@%.2f", host->name, now);
    rc = cora_sleep(host->seconds);
    if (rc < 0)
        trace("-%s", host->name);
    if (rc < 0 && !host->stubborn)
        return rc;
    return host->error < 0 ? host->error : become_connected(fd);
}

int __wrap_cora_sock_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    const struct host *host;

    if (!active)
        return __real_cora_sock_connect(fd, address, length);
    attempts.to = (cora_address){.length = length};
    memcpy(&attempts.to.storage, address, length);
    host = find(address);
    return host != NULL ? attempt(fd, host) : become_connected(fd);
}

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
