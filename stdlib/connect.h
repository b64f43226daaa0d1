/*
 * connect.h: from a name to a stream socket that is connected to it.
 */
#ifndef CORA_STDLIB_CONNECT_H
#define CORA_STDLIB_CONNECT_H

#include <cora/connection.h>

/*
 * Connects to one of the host's addresses, as cora_create_connection says. The socket, which does
 * not block, or a negative error; `options` may not be NULL. The caller is a task.
 */
int cora__connect_to_host(const char *host, const char *service,
                          const cora_connection_options *options);

#endif
