/*
 * worker_link.h: the program's end of a worker's socket, which never blocks. One piece of work at a
 * time goes to the worker, and its reply comes back to where the work's items are.
 */
#ifndef CORA_STDLIB_WORKER_LINK_H
#define CORA_STDLIB_WORKER_LINK_H

#include "transfer.h"
#include "work.h"
#include "worker.h"

struct cora__worker_link {
    int fd;                        /* -1: closed, for the worker is gone, or is to go */
    const struct cora__work *work; /* NULL: the worker is to say that it has begun */
    struct cora__request request;
    struct cora__reply reply;
    enum { HEADER, BODY, SURPLUS } expected; /* of the reply */
    void *bytes;                             /* that come back */
    size_t surplus; /* bytes that come back, for which there is no memory */
    struct cora__transfer sending, receiving;
};

/* The socket is the link's. Its first reply is the worker's word that it has begun. */
void cora__worker_link_open(struct cora__worker_link *link, int fd);

/* Idempotent. By this the worker learns that it is to end. */
void cora__worker_link_close(struct cora__worker_link *link);

/* Sends the work, the worker's `job`: it and its memory must stay until the reply is there. */
void cora__worker_link_begin(struct cora__worker_link *link, const struct cora__work *work,
                             int job);

/* What to poll for. */
short cora__worker_link_events(const struct cora__worker_link *link);

/*
 * Moves what can be moved. 1: the reply is there, and *ret_outcome says what has become of the
 * work; 0: not yet; negative: the worker is gone, or talks nonsense.
 */
int cora__worker_link_move(struct cora__worker_link *link, int *ret_outcome);

#endif
