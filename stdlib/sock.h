/*
 * sock.h: what the calls on sockets share.
 */
#ifndef CORA_STDLIB_SOCK_H
#define CORA_STDLIB_SOCK_H

/* For calls that take no MSG_DONTWAIT: the descriptor, for good. 0 or a negative errno. */
int cora__fd_set_nonblocking(int fd);

#endif
