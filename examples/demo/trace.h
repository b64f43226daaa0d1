/*
 * trace.h: when a download waited and when it ran, for the timeline.
 */
#ifndef DEMO_TRACE_H
#define DEMO_TRACE_H

#include <stddef.h>

enum trace_state {
    TRACE_QUEUED,  /* not begun: it waits for its turn */
    TRACE_WAITING, /* for the network: the thread or the loop may do something else */
    TRACE_RUNNING, /* it uses the processor */
};

/* What does not fit goes on as the last span: a reply in thousands of pieces looks like one. */
enum { TRACE_ROOM = 48 };

struct trace {
    double end; /* of the last span; the others end where the next one starts */
    size_t count;
    struct {
        double start;
        enum trace_state state;
    } spans[TRACE_ROOM];
};

/* Seconds on the system's monotonic clock, the same in all processes. */
double now(void);

/* From now on the download is in this state. */
void trace_enter(struct trace *trace, enum trace_state state);

void trace_end(struct trace *trace);

/* When span i, which must exist, ends. */
double trace_span_end(const struct trace *trace, size_t i);

#endif
