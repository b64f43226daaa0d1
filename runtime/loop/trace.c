/*
 * trace.c: a loop in a trace.
 *
 * Steps go from one to the next without the loop, and there nobody looks whether they are to be
 * traced: that would be an instruction or two of each switch. A loop that is traced runs as in
 * debug mode: behind each handle stands one of the loop's own, so that control comes back to it
 * after each step, and all that is to be told is told here.
 */
#include "loop/trace.h"

#include "loop/handle.h"

#include <stdio.h>

static void name_loop(struct cora_loop *loop)
{
    static atomic_uint loops;
    char name[32];

    if (loop->trace.number == 0)
        loop->trace.number = atomic_fetch_add(&loops, 1) + 1;
    if (loop->trace.row == 0)
        loop->trace.row = cora__trace_new_group();
    snprintf(name, sizeof name, "loop %u", loop->trace.number);
    cora__trace_name(loop->trace.row, CORA__TRACE_LOOP, name, NULL);
}

void cora__loop_trace_change(struct cora_loop *loop, unsigned session)
{
    loop->trace.session = session;
    loop->trace.on = session != 0;
    cora__loop_set_observed(loop);
    if (session == 0)
        return;
    name_loop(loop);
    loop->trace.last_task = 0;
    if (loop->hooks != NULL)
        loop->hooks->trace_new(loop);
}

/*
 * How many tasks have ended, since the loop is there. Whether the one that has run did, its own
 * memory cannot be asked any more: but this number tells, for in between only those ended beside it
 * that it has started eagerly, and their rows were closed by then.
 */
static unsigned long dead_tasks(const struct cora_loop *loop)
{
    return loop->task_number - loop->task_count;
}

void cora__loop_trace_begin(struct cora_loop *loop, const struct cora__handle *handle,
                            struct cora__traced_run *run)
{
    if (!cora__handle_is_step(handle)) {
        run->row = 0;
        cora__trace_push(loop->trace.row, CORA__TRACE_CALLBACK, NULL,
                         cora__callback_address(handle));
        run->outer = cora__trace_enter_row(loop->trace.row);
        return;
    }
    run->row = loop->hooks->trace_row(handle);
    run->outer = cora__trace_enter_row(run->row);
    run->dead = dead_tasks(loop);
    run->closed_rows = loop->trace.closed_rows;
    cora__trace_next(run->row, CORA__TRACE_RUN, NULL, NULL);
}

static bool has_ended(const struct cora_loop *loop, const struct cora__traced_run *run)
{
    return dead_tasks(loop) - run->dead > loop->trace.closed_rows - run->closed_rows;
}

void cora__loop_trace_end(struct cora_loop *loop, const struct cora__handle *handle,
                          const struct cora__traced_run *run)
{
    if (loop->trace.last_task != loop->task_number)
        loop->hooks->trace_new(loop);
    if (run->row == 0) {
        cora__trace_pop(loop->trace.row);
    } else if (has_ended(loop, run)) {
        loop->trace.closed_rows++;
        cora__trace_close(run->row);
    } else {
        loop->hooks->trace_wait(handle);
    }
    cora__trace_enter_row(run->outer);
}
