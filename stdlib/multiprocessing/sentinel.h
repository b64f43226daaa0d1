/* sentinel.h: descriptors that tell of a process's end, and waiting for any. */
#ifndef CORA_STDLIB_MULTIPROCESSING_SENTINEL_H
#define CORA_STDLIB_MULTIPROCESSING_SENTINEL_H

#include <poll.h>
#include <pthread.h>
#include <sys/types.h>

/* In storage of the user's, which stays where it is. */
struct cora__sentinel {
    int fd; /* readable once the process has ended and can be reaped, and then for ever */
    pid_t pid;
    int writer;       /* where it is a pipe, its other end; else -1 */
    pthread_t thread; /* which writes to it */
};

#define CORA__NO_SENTINEL ((struct cora__sentinel){.fd = -1, .writer = -1})

/* Of a child, which is not reaped here. 0, or -EMFILE, -ENFILE, -ENOMEM, -EAGAIN. */
int cora__sentinel_open(struct cora__sentinel *sentinel, pid_t pid);

/* Once it is readable, in the process that has opened it: it stays readable. */
void cora__sentinel_settle(struct cora__sentinel *sentinel);

/* After that, or in a forked child, which has its descriptors and not its thread. */
void cora__sentinel_close(struct cora__sentinel *sentinel);

/* poll(2) until the deadline, however often it is interrupted. The same results, and -errno. */
int cora__poll(struct pollfd *polled, size_t count, double deadline);

#endif
