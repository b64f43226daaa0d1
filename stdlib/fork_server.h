/*
 * fork_server.h: a process with one thread that forks children, so that a program with many need
 * not.
 */
#ifndef CORA_STDLIB_FORK_SERVER_H
#define CORA_STDLIB_FORK_SERVER_H

#include "transfer.h"

#include <stdint.h>
#include <sys/types.h>

struct cora__fork_server {
    pid_t pid;
    int control; /* our end of a socket */
    struct cora__transfer incoming;
    struct cora__fork_event {
        int32_t child;   /* its number */
        int32_t pid;     /* 0: it could not be forked */
        int32_t outcome; /* of the fork: why not; of one that has ended: its return code */
        enum { CORA__CHILD_FORKED, CORA__CHILD_ENDED } what;
    } event; /* that is coming in */
};

/* What a child does with its end of a socket. Returns its exit status. */
typedef int cora__child_main(int fd, void *arg);

/*
 * Starts the server, whose children, numbered from 0, `most` of them at a time, are to run
 * main(fd, arg). What it and they have of the program is its memory as it is now, and of its
 * descriptors 0, 1 and 2. 0; -EMFILE, -ENFILE, -EAGAIN, -ENOMEM.
 */
int cora__fork_server_start(struct cora__fork_server *server, int most, cora__child_main *main,
                            void *arg);

/*
 * Asks for a child that has this end of a socket: an event tells what becomes of it. 0;
 * -ECONNRESET: the server is gone; -ENOMEM, -ENOBUFS, -ETOOMANYREFS: it has not heard of that.
 */
int cora__fork_server_fork(struct cora__fork_server *server, int child, int fd);

/* Sends a signal to all children that there are. The same. */
int cora__fork_server_kill(struct cora__fork_server *server, int signum);

/* The next event, without waiting. 1: there was one; 0: there is none; negative: the server is
 * gone. */
int cora__fork_server_next(struct cora__fork_server *server, struct cora__fork_event *ret);

/* Waits for its end. Children that there are get SIGTERM. Returns how it has ended, as a return
 * code. */
int cora__fork_server_stop(struct cora__fork_server *server);

/* In a forked child of the program: it is the parent's. */
void cora__fork_server_forget(struct cora__fork_server *server);

#endif
