/*
 * task.h: the inside of tasks, for groups, timeouts and run.
 */
#ifndef CORA_TASK_INTERNAL_H
#define CORA_TASK_INTERNAL_H

#include <cora/task.h>

#include "future/future.h"

/*
 * A scope that a task has entered and must leave before it ends, innermost first: a timeout, a
 * task group. What is left open is reported with its place, and abandoned.
 *
 * It is the first member of a record of the loop's pool. A function that returns without leaving
 * its scope takes its frame with it; the timer and the children must not be left with pointers into
 * that.
 */
struct cora__scope {
    struct cora__scope *outer;
    const struct cora__scope_kind *kind;
    const void *owner; /* the caller's storage, to be compared only: it may be gone */
    const char *file;
    int line;
    bool abandoned;
};

struct cora__scope_kind {
    const char *name;
    size_t size; /* of the record, which comes from the loop's pool */
    void (*abandon)(struct cora__scope *scope); /* it will not be left, or too late: undo it */
};

struct cora__task {
    /* The first cache line is all that a suspension and a resumption touch. */
    struct cora__handle step; /* queued to run, or waiting in a future's callbacks */
    bool must_cancel;         /* the next suspension, or the start, gets -ECANCELED */
    int cancelling;
    struct cora_future *waiting_on; /* the future that it is suspended on */
    struct cora_future future;      /* its outcome */
    const char *must_cancel_message;
    struct cora__scope *scopes; /* innermost first */
    cora_task_fn *fn;
    void *arg;
    struct cora_context context;
    struct cora_context *given_context; /* by the options, or once asked for; or NULL */
    struct cora__list link;             /* in loop->all_tasks */
    uint32_t size;                      /* of this block of the loop's pool */
    uint32_t stack_size;
    struct cora__label label; /* no name: the default, which is made when it is asked for */
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
    if (cora__loop_running == NULL || !cora__handle_is_step(cora__handle_running()))
        return NULL;
    return cora__container_of(cora__handle_running(), struct cora__task, step);
}

/* Back from a suspension in which a cancellation has come. */
int cora__task_take_cancellation(struct cora__task *task);

/* Lets everyone else who is ready run. 0 or -ECANCELED. Inline: see cora__loop_suspend. */
static inline __attribute__((always_inline)) int cora__task_yield(struct cora__task *task)
{
    cora__loop_yield(cora__loop_running, &task->step); /* not future.loop: a cache line less */
    return task->must_cancel ? cora__task_take_cancellation(task) : 0;
}

/* The task's side of loop/trace.c. See trace.c */
cora__trace_row cora__task_trace_row(const struct cora__handle *step);
void cora__task_trace_wait(const struct cora__handle *step);
void cora__task_trace_new(struct cora_loop *loop);

/* It is called otherwise from now on. */
void cora__task_trace_name(const struct cora__task *task);

/* It has ended without having run, or is dropped. */
void cora__task_trace_close(const struct cora__task *task);

/* Links a scope as the innermost one of the task. */
void cora__scope_enter(struct cora__task *task, struct cora__scope *scope);

/* The scope of this kind that the owner has entered and not left; NULL: none. */
struct cora__scope *cora__scope_find(const struct cora__task *task,
                                     const struct cora__scope_kind *kind, const void *owner);

/* Takes it out; a scope entered later and not left is reported and abandoned. */
void cora__scope_exit(struct cora__task *task, struct cora__scope *scope);

/* At the end of a task: reports and abandons what is still open, and frees it. */
void cora__scopes_close(struct cora__task *task);

#endif
