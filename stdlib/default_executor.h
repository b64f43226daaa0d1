/*
 * default_executor.h: the pool of threads that a loop has for to_thread and run_in_executor.
 */
#ifndef CORA_STDLIB_DEFAULT_EXECUTOR_H
#define CORA_STDLIB_DEFAULT_EXECUTOR_H

#include "executor.h"

struct cora__default_executor {
    cora_loop *loop;
    cora_executor *executor;
    cora_executor *retired; /* that it was before, and before that */
    cora_executor *shutter; /* whose thread waits for the executor's end; NULL: nobody has asked */
    int in_flight;          /* to_thread's jobs, for which the loop is held */
};

/* The loop's, made at its first use. NULL without memory. */
struct cora__default_executor *cora__default_executor(cora_loop *loop);

/* Of to_thread: the loop waits for its jobs. One hold is enough for all. */
void cora__default_executor_begin_job(struct cora__default_executor *self);
void cora__default_executor_end_job(struct cora__default_executor *self);

#endif
