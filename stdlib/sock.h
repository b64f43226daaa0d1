/*
 * sock.h: what the calls on sockets share.
 */
#ifndef CORA_STDLIB_SOCK_H
#define CORA_STDLIB_SOCK_H

#include <cora/protocol.h>

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* For calls that take no MSG_DONTWAIT: the descriptor, for good. 0 or a negative errno. */
int cora__fd_set_nonblocking(int fd);

/* The address that the socket is bound to; of length 0: not known. */
void cora__getsockname(int fd, cora_address *ret);

/* cora_sock_sendfile; what the kernel cannot do for the file is -EOPNOTSUPP unless it may copy. */
int cora__sock_sendfile(int fd, int file, off_t offset, size_t count, bool may_copy,
                        size_t *ret_sent);

#endif
