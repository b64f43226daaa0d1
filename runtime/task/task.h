/*
 * task.h: the inside of tasks, for groups, timeouts and run.
 */
#ifndef CORA_TASK_INTERNAL_H
#define CORA_TASK_INTERNAL_H

#include <cora/task.h>

#include "future/future.h"

/*
 * A scope that a task has entered and must leave before it ends, innermost first: a timeout, a
 * task group. What is left open at the end is reported with its place, and abandoned.
 */
struct cora__scope {
    struct cora__scope *outer;
    const char *kind; /* "timeout", "task group" */
    const char *file;
    int line;
    void (*abandon)(struct cora__scope *scope); /* it is about to vanish with its stack */
};

struct cora__task {
    /* The first cache line is all that a suspension and a resumption touch. */
    struct cora__handle step;       /* queued to run, or waiting in a future's callbacks */
    bool must_cancel;               /* the next suspension, or the start, gets -ECANCELED */
    struct cora_future *waiting_on; /* the future that it is suspended on */
    struct cora_future future;      /* its outcome */
    int cancelling;
    const char *must_cancel_message;
    struct cora__scope *scopes; /* innermost first */
    cora_task_fn *fn;
    void *arg;
    struct cora_context context;
    struct cora_context *given_context; /* by the options; NULL: its own */
    struct cora__list link;             /* in loop->all_tasks */
    size_t stack_size;
    const char *function;
    unsigned long number; /* for the default name */
    char *name;           /* NULL: the default, written into default_name when asked for */
    char default_name[16];
    char args[] __attribute__((aligned(16)));
};

extern const struct cora__future_kind cora__task_kind;

/* NULL for a future that is no task. */
static inline struct cora__task *cora__as_task(const struct cora_future *future)
{
    if (future == NULL || future->kind != &cora__task_kind)
        return NULL;
    return cora__container_of(future, struct cora__task, future);
}

/* The task that runs now; NULL outside a task. */
static inline struct cora__task *cora__current_task(void)
{
    struct cora_loop *loop = cora__loop_running;
    struct cora__handle *running = loop != NULL ? loop->running : NULL;

    if (running == NULL || !cora__handle_is_step(running))
        return NULL;
    return cora__container_of(running, struct cora__task, step);
}

/* Queues the task and lets everyone else who is ready run. 0 or -ECANCELED. */
CORA_SUSPENDS int cora__task_yield(struct cora__task *task);

/* Links a scope as the innermost one of the task. */
void cora__scope_enter(struct cora__task *task, struct cora__scope *scope);

/* Whether the task has entered this scope and not left it yet. */
bool cora__scope_is_open(const struct cora__task *task, const struct cora__scope *scope);

/* Takes it out; a scope entered later and not left is reported. */
void cora__scope_exit(struct cora__task *task, struct cora__scope *scope);

/* At the end of a task: reports and abandons what is still open. */
void cora__scopes_close(struct cora__task *task);

#endif
