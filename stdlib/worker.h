/*
 * worker.h: a process that does work, and how it is told of it. The program and the worker have one
 * end each of a socket. The worker says first that it has begun, and then answers one request after
 * the other, until there are no more. Both have forked from the same memory, so what goes over the
 * socket are structs as they are.
 */
#ifndef CORA_STDLIB_WORKER_H
#define CORA_STDLIB_WORKER_H

#include <cora/executor.h>

/* Followed by the items, or the bytes. */
struct cora__request {
    uint32_t job;           /* its place among the worker's */
    uint32_t wants_results; /* of each item; 0: no */
    uint64_t count;         /* of items */
    uint64_t size;          /* of all that follows */
};

/* Followed by the results, if they were wanted, and the items; or by the bytes. */
struct cora__reply {
    int32_t outcome;
    uint32_t done; /* 0: the work could not be done, and nothing follows */
    uint64_t size; /* of all that follows */
};

/* Runs the worker at this end of its socket. Returns what its process is to exit with. */
int cora__worker_run(int fd, const cora_process_pool_options *options);

#endif
