/*
 * server.h: servers to test with. What is asserted here fails the test.
 */
#ifndef CORA_TEST_SERVER_H
#define CORA_TEST_SERVER_H

#include "support/protocol.h"

enum { MOST_GUESTS = 8 };

/* Recorders for a server's connections, in the order in which they come. All may be 0. */
struct lobby {
    struct recorder guests[MOST_GUESTS];
    int count;
};

/* The factory: arg is the lobby. */
cora_protocol *record_next(void *arg);

/* A task waits until so many have come (their connections may not be made yet), or until so many
 * connections have been made (or lost). */
void wait_arrivals(const struct lobby *lobby, int count);
void wait_guests(const struct lobby *lobby, int count);
void wait_guests_lost(const struct lobby *lobby, int count);

/* On 127.0.0.1, any port. */
cora_server *serve_lobby(struct lobby *lobby, const cora_server_options *options);

/* What a server's first socket is bound to, and a connection to it. */
cora_address server_address(const cora_server *server);
int connect_server(const cora_server *server);

/* A path for a Unix socket that nobody has; it is removed when the process ends. */
const char *socket_path(void);

#endif
