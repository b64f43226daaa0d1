/* connection.h: connections over sockets of others. */
#ifndef CORA_STDLIB_MULTIPROCESSING_CONNECTION_H
#define CORA_STDLIB_MULTIPROCESSING_CONNECTION_H

#include <cora/multiprocessing/connection.h>

/* One of both ways, over a socket that is its from now on. */
void cora__connection_open(cora_multiprocessing_connection *connection, int fd);

#endif
