/*
 * server.h: a small HTTP/1.1 server of a folder, in a thread and a loop of its own.
 *
 * It answers GET with a file's bytes after a delay, which stands for a network that is far away.
 */
#ifndef DEMO_SERVER_H
#define DEMO_SERVER_H

#include <pthread.h>

struct server {
    const char *folder;
    double delay;
    int listener;
    unsigned port;
    int stop[2]; /* a pipe: closing [1] tells the server to stop */
    pthread_t thread;
    int result; /* what its loop ended with, once the thread is joined */
};

/* Opens a port of the kernel's choice on the loopback: server->port. 0 or a negative errno. */
int server_listen(struct server *server);

/* Starts answering, in a thread. `folder` and `delay` are set. 0 or a negative errno. */
int server_start(struct server *server);

/* Ends the connections and the thread and closes the port. 0, or how the server had failed. */
int server_stop(struct server *server);

/* Closes the port of a server that was not started, or its copy in another process. */
void server_close(struct server *server);

#endif
