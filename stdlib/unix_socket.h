/*
 * unix_socket.h: the files that bind(2) makes for Unix sockets, and that nobody removes but us.
 */
#ifndef CORA_STDLIB_UNIX_SOCKET_H
#define CORA_STDLIB_UNIX_SOCKET_H

#include <cora/protocol.h>

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/un.h>

/* The file that a socket was bound to, and how it is known again. */
struct cora__socket_file {
    char path[sizeof(struct sockaddr_un)]; /* "": none */
    dev_t device;
    ino_t inode;
    pid_t owner; /* the process that removes it: a forked child of it does not */
};

/*
 * Binds a new socket to a path, in place of one that was left there, or to the abstract name behind
 * '@'. The descriptor, or a negative error, of cora_address_from_path too.
 */
int cora__unix_bind(const char *path, mode_t mode);

/* Removes a socket that lies at the path, so that another one can be bound there. */
void cora__unix_remove_stale(const char *path);

/* The file of a bound socket, if it has one and it is there. */
void cora__socket_file_find(struct cora__socket_file *file, int fd);

/* Removes it if it is ours and still the same: while the socket is open no other file can look like
 * it. */
void cora__socket_file_remove(const struct cora__socket_file *file);

#endif
