/*
 * names.c: getaddrinfo and getnameinfo in a thread.
 *
 * A job holds copies of all that it reads and writes, for its task may be gone before it ends.
 */
#include <cora/names.h>

#include <cora/thread.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    HOST_SIZE = 1025, /* NI_MAXHOST and NI_MAXSERV, which not every system has */
    SERVICE_SIZE = 32,
};

/* The error for what either of the two has just returned. */
static int error_of(int result)
{
    switch (result) {
    case 0:
        return 0;
    case EAI_SYSTEM:
        return errno > 0 ? -errno : -EIO;
    case EAI_MEMORY:
        return -ENOMEM;
#define CASE(name)                                                                                 \
    case EAI_##name:                                                                               \
        return -CORA_EAI_##name
#ifdef EAI_ADDRFAMILY
        CASE(ADDRFAMILY);
#endif
#ifdef EAI_NODATA
        CASE(NODATA);
#endif
        CASE(AGAIN);
        CASE(BADFLAGS);
        CASE(FAMILY);
        CASE(NONAME);
        CASE(OVERFLOW);
        CASE(SERVICE);
        CASE(SOCKTYPE);
#undef CASE
    default:
        return -CORA_EAI_FAIL;
    }
}

/* It fits; NULL is copied as nothing. */
static void copy(char *buffer, const char *text)
{
    if (text != NULL)
        memcpy(buffer, text, strlen(text) + 1);
}

/* ---- getaddrinfo --------------------------------------------------------------------------- */

struct lookup {
    const char *host, *service; /* NULL, or in the job's own memory once it is there */
    struct addrinfo hints;
    struct addrinfo *list;
    char host_name[HOST_SIZE], service_name[SERVICE_SIZE];
};

static int look_up(struct lookup *lookup, const char *host, const char *service)
{
    int rc = error_of(getaddrinfo(host, service, &lookup->hints, &lookup->list));

    if (rc < 0)
        lookup->list = NULL;
    return rc;
}

/* The copy lies elsewhere than the lookup that was copied. */
static int look_up_in_thread(void *arg)
{
    struct lookup *lookup = arg;

    return look_up(lookup, lookup->host != NULL ? lookup->host_name : NULL,
                   lookup->service != NULL ? lookup->service_name : NULL);
}

static void drop_lookup(void *arg)
{
    struct lookup *lookup = arg;

    cora_freeaddrinfo(lookup->list);
}

/*
 * Asks for numbers only, which the resolver answers by itself; what is none is unknown to it. A
 * scope ("fe80::1%eth0") is a name, which asks for the interfaces.
 */
static int look_up_numbers(struct lookup *lookup)
{
    int flags = lookup->hints.ai_flags;
    int rc;

    if (lookup->host == NULL || strchr(lookup->host, '%') != NULL)
        return -CORA_EAI_NONAME;
    lookup->hints.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
    rc = look_up(lookup, lookup->host, lookup->service);
    lookup->hints.ai_flags = flags;
    return rc;
}

/* Of such a number the resolver takes the lower 16 bits. */
static bool is_beyond_ports(const char *service)
{
    return strspn(service, "0123456789") == strlen(service) && strtoul(service, NULL, 10) > 65535;
}

int cora_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                     struct addrinfo **ret)
{
    struct lookup lookup = {.host = host, .service = service};
    int rc;

    if (hints != NULL)
        lookup.hints = *hints;
    if (host != NULL && strlen(host) >= HOST_SIZE)
        return -CORA_EAI_NONAME;
    if (service != NULL && (strlen(service) >= SERVICE_SIZE || is_beyond_ports(service)))
        return -CORA_EAI_SERVICE;
    rc = look_up_numbers(&lookup);
    if (rc == -CORA_EAI_NONAME) {
        copy(lookup.host_name, host);
        copy(lookup.service_name, service);
        rc = cora_to_thread_cleanup(look_up_in_thread, &lookup, drop_lookup);
    }
    if (rc == 0)
        *ret = lookup.list;
    return rc;
}

void cora_freeaddrinfo(struct addrinfo *list)
{
    if (list != NULL)
        freeaddrinfo(list);
}

/* ---- getnameinfo --------------------------------------------------------------------------- */

struct naming {
    struct sockaddr_storage address;
    socklen_t length;
    size_t host_size, service_size; /* 0: not wanted */
    int flags;
    char host[HOST_SIZE], service[SERVICE_SIZE];
};

static int name(void *arg)
{
    struct naming *n = arg;
    char *host = n->host_size > 0 ? n->host : NULL;
    char *service = n->service_size > 0 ? n->service : NULL;

    return error_of(getnameinfo((struct sockaddr *)&n->address, n->length, host,
                                (socklen_t)n->host_size, service, (socklen_t)n->service_size,
                                n->flags));
}

static bool is_numeric(int flags)
{
    return (flags & NI_NUMERICHOST) != 0 && (flags & NI_NUMERICSERV) != 0;
}

/* As much of the buffer as there can be of a name. */
static size_t limit(const char *buffer, size_t size, size_t most)
{
    return buffer == NULL ? 0 : size < most ? size : most;
}

int cora_getnameinfo(const struct sockaddr *address, socklen_t length, char *host, size_t host_size,
                     char *service, size_t service_size, int flags)
{
    struct naming naming = {.length = length, .flags = flags};
    int rc;

    if (address == NULL || length > sizeof naming.address)
        return -EINVAL;
    memcpy(&naming.address, address, length);
    naming.host_size = limit(host, host_size, HOST_SIZE);
    naming.service_size = limit(service, service_size, SERVICE_SIZE);
    rc = is_numeric(flags) ? name(&naming) : cora_to_thread(name, &naming);
    if (rc < 0)
        return rc;
    if (naming.host_size > 0)
        copy(host, naming.host);
    if (naming.service_size > 0)
        copy(service, naming.service);
    return 0;
}
