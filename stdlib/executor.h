/*
 * executor.h: two pools behind one interface. A submission is a job and its future; a pool queues
 * it, does its work, and ends it.
 */
#ifndef CORA_STDLIB_EXECUTOR_H
#define CORA_STDLIB_EXECUTOR_H

#include <cora/executor.h>

#include "thread_pool.h"
#include "work.h"

struct cora__submission {
    struct cora__pool_job job; /* in the queue of the pool */
    cora_concurrent_future *future;
    struct cora__work work;
};

struct cora__executor_kind {
    /* Where it returns 0 the submission is the pool's, which is to end or to drop it. */
    int (*submit)(cora_executor *executor, struct cora__submission *submission);
    void (*shutdown)(cora_executor *executor, bool wait, bool cancel_futures);
    void (*free)(cora_executor *executor);
};

/* At the beginning of each pool's own. */
struct cora_executor {
    const struct cora__executor_kind *kind;
    cora_executor *next; /* in a list of the user's */
};

/*
 * Before its work begins: false where it was cancelled, and is gone. From here on nobody can cancel
 * it: until it ends its memory is ours.
 */
bool cora__submission_begin(struct cora__submission *submission);

/* Its work has been done, with this outcome: the future is completed, the submission is gone. */
void cora__submission_end(struct cora__submission *submission, int outcome);

/* The same, where it could not be done to its end. */
void cora__submission_fail(struct cora__submission *submission, int error);

/* It will not begin: the future fails, or, with -ECANCELED, is cancelled. It is gone. */
void cora__submission_drop(struct cora__submission *submission, int error);

/* The threads of a pool of threads, for other jobs too; NULL: it has none. */
struct cora__thread_pool *cora__executor_threads(cora_executor *executor);

#endif
