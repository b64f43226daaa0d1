/*
 * names.h: addresses of names, and names of addresses, off the loop (asyncio's loop.getaddrinfo
 * and loop.getnameinfo).
 *
 *     struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
 *
 *     rc = cora_getaddrinfo("localhost", "80", &hints, &list);
 *     if (rc < 0)
 *         return rc;                                   // -CORA_EAI_NONAME, say
 *     for (struct addrinfo *a = list; a != NULL; a = a->ai_next)
 *         ...
 *     cora_freeaddrinfo(list);
 *
 * The system's resolver blocks, so it is asked in a thread (<cora/thread.h>). Where host and
 * service are numbers there is nothing to ask: those calls neither suspend nor need a task. A task
 * that is cancelled goes on at once; the thread comes to its end by itself, and what it found is
 * freed. To wait no longer than so long, use a timeout.
 */
#ifndef CORA_NAMES_H
#define CORA_NAMES_H

#include <cora/base.h>
#include <cora/task.h>

#include <netdb.h>
#include <sys/socket.h>

CORA_BEGIN_DECLS

struct addrinfo;

/*
 * The addresses of a host and a service, as getaddrinfo(3): *ret is a list of one or more, the
 * caller's, for cora_freeaddrinfo. Either of the two may be NULL, and hints as well.
 * 0; -CORA_EAI_NONAME and its like, as -CORA_EAI_SERVICE for a port above 65535 (EAI_SYSTEM is the
 * negative errno, EAI_MEMORY -ENOMEM); -ECANCELED; -ENOMEM; -EAGAIN where no thread can be started;
 * -CORA_ENOTASK.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_getaddrinfo(const char *host, const char *service,
                                                            const struct addrinfo *hints,
                                                            struct addrinfo **ret);

/* Gives a list of cora_getaddrinfo's back. NULL is fine. */
CORA_API void cora_freeaddrinfo(struct addrinfo *list);

/*
 * The names of an address, as getnameinfo(3), with its NI_ flags: host and service are buffers of
 * so many bytes; NULL: not wanted, and one of them must be. Numeric with both NI_NUMERICHOST and
 * NI_NUMERICSERV. 0; a negative error as above, -CORA_EAI_OVERFLOW where a name does not fit;
 * -EINVAL for NULL and for an address longer than struct sockaddr_storage.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_getnameinfo(const struct sockaddr *address,
                                                            socklen_t length, char *host,
                                                            size_t host_size, char *service,
                                                            size_t service_size, int flags);

CORA_END_DECLS

#endif
