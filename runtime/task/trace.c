/*
 * trace.c: what tasks tell the trace. See loop/trace.c, which asks.
 */
#include "task/task.h"

#include <stdio.h>

static cora__trace_row row_of(const struct cora__task *task)
{
    return task->future.loop->trace.row + task->label.number;
}

cora__trace_row cora__task_trace_row(const struct cora__handle *step)
{
    return row_of(cora__container_of(step, struct cora__task, step));
}

/* From now on; it is about to run, or on its way, if it waits for nothing. */
static void tell_wait(const struct cora__task *task)
{
    struct cora_future *target = task->waiting_on;
    const struct cora__task *awaited = cora__as_task(target);
    cora__trace_row row = row_of(task);
    char text[64];

    if (target == NULL || cora__future_done(target))
        cora__trace_next(row, CORA__TRACE_READY,
                         task->step.coroutine != NULL ? "its turn" : "its first step", NULL);
    else if (awaited != NULL)
        cora__trace_next(row, CORA__TRACE_WAIT_TASK, NULL, (const void *)row_of(awaited));
    else if (target->kind != NULL && target->kind->describe != NULL)
        cora__trace_next(row, CORA__TRACE_WAIT, target->kind->describe(target, text, sizeof text),
                         NULL);
    else
        cora__trace_next(row, CORA__TRACE_WAIT, target->what,
                         target->value != NULL ? target->value : target);
}

void cora__task_trace_wait(const struct cora__handle *step)
{
    tell_wait(cora__container_of(step, struct cora__task, step));
}

void cora__task_trace_name(const struct cora__task *task)
{
    char number[32];

    snprintf(number, sizeof number, "Task-%lu", task->label.number);
    cora__trace_name(row_of(task), CORA__TRACE_TASK,
                     task->label.name != NULL ? task->label.name : number, task->label.function);
}

/* Those that were made since the last time are the last ones in the list. */
void cora__task_trace_new(struct cora_loop *loop)
{
    struct cora__list *all = &loop->all_tasks, *link = all;

    while (link->prev != all &&
           cora__container_of(link->prev, struct cora__task, link)->label.number >
               loop->trace.last_task)
        link = link->prev;
    for (; link != all; link = link->next) {
        const struct cora__task *task = cora__container_of(link, struct cora__task, link);

        cora__task_trace_name(task);
        tell_wait(task);
    }
    loop->trace.last_task = loop->task_number;
}

void cora__task_trace_close(const struct cora__task *task)
{
    struct cora_loop *loop = task->future.loop;

    if (!loop->trace.on)
        return;
    loop->trace.closed_rows++;
    cora__trace_close(row_of(task));
}
