#include <cora/address.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

/* ---- text ---------------------------------------------------------------------------------- */

static void format_inet(const struct sockaddr_in *address, char *text, size_t size)
{
    char host[INET_ADDRSTRLEN];

    inet_ntop(AF_INET, &address->sin_addr, host, sizeof host);
    snprintf(text, size, "%s:%u", host, ntohs(address->sin_port));
}

static void format_inet6(const struct sockaddr_in6 *address, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN], scope[12] = "";

    inet_ntop(AF_INET6, &address->sin6_addr, host, sizeof host);
    if (address->sin6_scope_id != 0)
        snprintf(scope, sizeof scope, "%%%u", (unsigned)address->sin6_scope_id);
    snprintf(text, size, "[%s%s]:%u", host, scope, ntohs(address->sin6_port));
}

/* A path may fill its room without a 0 at its end, and be followed by one; a name may hold some. */
static void format_unix(const cora_address *address, char *text, size_t size)
{
    const struct sockaddr_un *sun = (const struct sockaddr_un *)&address->storage;
    size_t offset = offsetof(struct sockaddr_un, sun_path);
    size_t length = address->length > offset ? address->length - offset : 0;

    if (length > 0 && sun->sun_path[0] != '\0')
        length = strnlen(sun->sun_path, length);
    if (length >= size)
        length = size - 1;
    for (size_t i = 0; i < length; i++) {
        text[i] = sun->sun_path[i];
        if (text[i] == '\0')
            text[i] = '@';
    }
    text[length] = '\0';
}

const char *cora_address_format(const cora_address *address, char *text, size_t size)
{
    switch (address->storage.ss_family) {
    case AF_INET:
        format_inet((const struct sockaddr_in *)&address->storage, text, size);
        break;
    case AF_INET6:
        format_inet6((const struct sockaddr_in6 *)&address->storage, text, size);
        break;
    case AF_UNIX:
        format_unix(address, text, size);
        break;
    default:
        snprintf(text, size, "family %d", address->storage.ss_family);
    }
    return text;
}

/* ---- Unix sockets -------------------------------------------------------------------------- */

int cora_address_from_path(const char *path, cora_address *ret)
{
    struct sockaddr_un *sun = (struct sockaddr_un *)&ret->storage;
    size_t length = path != NULL ? strlen(path) : 0;
    bool abstract = false;

    if (length == 0)
        return -EINVAL;
#ifdef __linux__
    abstract = path[0] == '@';
#endif
    if (length + !abstract > sizeof sun->sun_path)
        return -ENAMETOOLONG;
    *ret = (cora_address){
        .length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !abstract)};
    sun->sun_family = AF_UNIX;
    memcpy(sun->sun_path, path, length);
    if (abstract)
        sun->sun_path[0] = '\0';
    return 0;
}
