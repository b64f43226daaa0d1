/*
 * socket.h: sockets, pipes and terminals to test with. What is asserted here fails the test.
 */
#ifndef CORA_TEST_SOCKET_H
#define CORA_TEST_SOCKET_H

#include <cora.h>

#include <netinet/in.h>
#include <stddef.h>

/* Lets so many iterations of the loop pass. */
int rest(int hops);

/* Two connected Unix streams, blocking, as socketpair makes them. */
void make_pair(int fds[2]);
void close_pair(int fds[2]);
void close_fd(int fd);

/* One of datagrams, bound to some port of the loopback, which is given to it. */
int make_udp(struct sockaddr_in *address);

/* Two connected Unix sockets of datagrams. */
void make_datagram_pair(int fds[2]);

/* A pipe: the end to read from, and the end to write to; blocking, as pipe makes them. */
void make_pipe(int fds[2]);

/* A terminal without a line discipline: its master and its slave, blocking. */
void make_pty(int fds[2]);

/* What the peer does, at once: all of it fits into the buffer of the socket, pipe or terminal. */
void put(int fd, const char *text);

/* On the loopback; the listener's address is given to it. */
int make_tcp(void);
int make_listener(struct sockaddr_in *address, int backlog);
int connect_tcp(const struct sockaddr_in *address);

/* A listening Unix socket that is in no file system: its name, "@...", is the kernel's choice. */
int make_unix_listener(char *name, size_t size, int backlog);

/* How many descriptors this process has open. */
int count_descriptors(void);

/* Data that is right at one place only, and more than sockets hold. */
enum { BIG = 10 << 20 };
unsigned char byte_at(size_t i);
unsigned char *make_big(void);

/* Reads to the end, slowly: the sender gets to run between. How many bytes, all of them right. */
size_t read_all(int fd);

#endif
