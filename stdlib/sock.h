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

/* The address that the socket is bound to, or that of its peer; of length 0: not known. */
void cora__getsockname(int fd, cora_address *ret);
void cora__getpeername(int fd, cora_address *ret);

/* What cora_transport_get_extra_info has of a socket. */
const void *cora__socket_info(const char *name, const int *fd, const cora_address *sockname,
                              const cora_address *peername);

/* cora_sock_sendfile; what the kernel cannot do for the file is -EOPNOTSUPP unless it may copy. */
int cora__sock_sendfile(int fd, int file, off_t offset, size_t count, bool may_copy,
                        size_t *ret_sent);

#endif
