/*
 * async_generator.h: the inside of asynchronous generators, for the shutdown of a loop.
 */
#ifndef CORA_ASYNC_GENERATOR_INTERNAL_H
#define CORA_ASYNC_GENERATOR_INTERNAL_H

#include <cora/async_generator.h>

#include "task/task.h"

/*
 * Its memory goes when nobody refers to it, its body is over and no task is closing it. The task
 * that closes it holds no reference, for it may be cancelled before its first step, and then never
 * gives one back: the generator stays in the loop's list, for whoever closes what is left there.
 */
struct cora_async_generator {
    cora_generator *body;   /* NULL before it is first iterated and after its end */
    struct cora_loop *loop; /* in which it was first iterated; a reference */
    struct cora__list link; /* in loop->async_generators, as long as it has a body */
    cora_task *closer;      /* that closes it; a reference; NULL: none */
    unsigned refs;
    unsigned loops; /* of these references: those of cora_async_for, which vanish with the stacks */
    bool ended;
    cora_coroutine_fn *fn;
    void *arg;
    const char *function; /* its name, for reports */
    char args[] __attribute__((aligned(16)));
};

/* The task that closes it, a new one if need be: borrowed; NULL without memory. */
cora_task *cora__async_generator_close_soon(struct cora_async_generator *generator);

/* Reports an error of a close that no result can tell. */
void cora__async_generator_report(struct cora_loop *loop, const char *function, int error);

/* The loop is closed: drops those that are left where they stand. */
void cora__async_generators_drop(struct cora_loop *loop);

#endif
