/*
 * run.h: a way, run in a process of its own and measured.
 *
 * A process each is what makes the memory of the ways comparable: none inherits the heap or the
 * cached stacks of the one before, and none is charged for the server. The processes are forked
 * before any thread exists, and each waits for its turn; what it finds out it leaves in memory that
 * it shares with the parent.
 */
#ifndef DEMO_RUN_H
#define DEMO_RUN_H

#include "download.h"
#include "progress.h"
#include "ways.h"

#include <sys/types.h>

/* In shared memory: what the process found out. */
struct report {
    bool ended; /* the way came to its end and the rest is filled in */
    int error;  /* what the way returned */
    double start, end;
    long memory_start, memory_peak; /* resident, in KiB */
    atomic_int threads;
    struct outcome outcomes[];
};

/* `name` and `way` are given, the rest is filled in. */
struct run {
    const char *name;
    way_fn *way;
    pid_t pid;
    int fd; /* our end of the connection to the process */
    size_t count;
    struct report *report; /* valid until run_free */
    int exit_status;       /* of the process, once it has ended; 0 if all is well */
    int killed_by;         /* the signal that ended it, or 0 */
};

/*
 * Forks the process, which waits. `work` has all that the way needs, but for its outcomes. In the
 * child, `in_child` (NULL: not wanted) is called first, to give back what it has inherited.
 * 0 or a negative errno.
 */
int run_prepare(struct run *run, const struct work *work, void (*in_child)(void *arg), void *arg);

/*
 * Lets the process run, shows its progress, and waits for its end; signals that are blocked are let
 * in meanwhile. 0 or a negative errno, -EINTR after a signal: the process is then killed.
 */
int run_go(struct run *run, struct progress *progress);

/* Ends the process if it still waits, and frees the report; a run of zeros is accepted. */
void run_free(struct run *run);

#endif
