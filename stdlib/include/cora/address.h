/*
 * address.h: addresses of sockets: their text, and those of Unix sockets.
 */
#ifndef CORA_ADDRESS_H
#define CORA_ADDRESS_H

#include <cora/base.h>

#include <sys/socket.h>

CORA_BEGIN_DECLS

/* The address of a socket, whatever its family. */
typedef struct cora_address {
    socklen_t length;
    struct sockaddr_storage storage;
} cora_address;

/* Room for the text of any address, and its end. */
enum { CORA_ADDRESS_TEXT_SIZE = 128 };

/*
 * Writes the address as people do: "127.0.0.1:80", "[::1]:80", "[fe80::1%2]:80" with the number of
 * the interface; of a Unix socket its path, "@name" where it is in no file system, and "" where it
 * has no name; else "family 16". No more than `size` bytes, 1 or more, the last of them 0. Returns
 * text.
 */
CORA_API const char *cora_address_format(const cora_address *address, char *text, size_t size);

/*
 * The address of the Unix socket at a path. "@name" is one in Linux' abstract namespace, which is
 * in no file system; a file of such a name is "./@name". 0; -EINVAL for NULL and "";
 * -ENAMETOOLONG: it does not fit into a struct sockaddr_un, which has 108 bytes on Linux.
 */
CORA_API CORA_MUST_CHECK int cora_address_from_path(const char *path, cora_address *ret);

CORA_END_DECLS

#endif
