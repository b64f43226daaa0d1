/*
 * io.h: how bytes move. This is all in which the ways to download differ below the level of a file:
 * each way has a table of these five calls, and transfer.c uses the table, knowing nothing else.
 *
 * Each returns 0 (receive: the number of bytes, 0 at the end of the stream) or a negative error.
 * `deadline`, on the clock of now(), is for tables that have no other means to end a call.
 */
#ifndef DEMO_IO_H
#define DEMO_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

enum { LOOKUP_MAX = 4 };

struct address {
    struct sockaddr_storage bytes;
    socklen_t length;
};

/* A host's addresses. It holds no pointers, so it can be copied to another thread and back. */
struct lookup {
    char host[256];
    char port[6];
    int gai_error; /* what getaddrinfo returned: 0, or an EAI_ code */
    size_t count;
    struct address addresses[LOOKUP_MAX];
};

struct io {
    int (*resolve)(struct lookup *lookup);
    int (*connect)(int fd, const struct address *address, double deadline);
    int (*send)(int fd, const void *data, size_t size, double deadline);
    ssize_t (*receive)(int fd, void *buffer, size_t size, double deadline);
    int (*close)(int fd);
};

/* Plain calls that block the thread: for one after the other, and for a thread each. */
extern const struct io blocking_io;

/* getaddrinfo on a struct lookup, which takes the result. Blocks; always 0. */
int look_up(void *lookup);

/* The same for a host that is an address in digits, which never blocks. False if it is a name. */
bool look_up_digits(struct lookup *lookup);

#endif
