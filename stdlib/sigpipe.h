/*
 * sigpipe.h: SIGPIPE, held back for system calls that take no MSG_NOSIGNAL.
 */
#ifndef CORA_STDLIB_SIGPIPE_H
#define CORA_STDLIB_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

struct cora__sigpipe {
    sigset_t signal, before;
    bool pending;
};

void cora__sigpipe_hold(struct cora__sigpipe *held);

/* `came`: the call has failed by EPIPE, and the signal that came with it is taken. */
void cora__sigpipe_release(struct cora__sigpipe *held, bool came);

#endif
