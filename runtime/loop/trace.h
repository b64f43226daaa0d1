/*
 * trace.h: what a loop tells the trace.
 */
#ifndef CORA_LOOP_TRACE_H
#define CORA_LOOP_TRACE_H

#include "loop/loop.h"

/* A trace has begun, or ended. */
void cora__loop_trace_change(struct cora_loop *loop, unsigned session);

/* Looks whether it has. */
static inline void cora__loop_trace_look(struct cora_loop *loop)
{
    unsigned session = atomic_load_explicit(&cora__trace_session, memory_order_relaxed);

    if (__builtin_expect(session != loop->trace.session, false))
        cora__loop_trace_change(loop, session);
}

#endif
