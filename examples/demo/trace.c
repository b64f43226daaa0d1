#include "trace.h"

#include <time.h>

double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

void trace_enter(struct trace *trace, enum trace_state state)
{
    if (trace->count == TRACE_ROOM)
        return;
    trace->spans[trace->count].start = now();
    trace->spans[trace->count].state = state;
    trace->count++;
}

void trace_end(struct trace *trace)
{
    trace->end = now();
}

double trace_span_end(const struct trace *trace, size_t i)
{
    return i + 1 < trace->count ? trace->spans[i + 1].start : trace->end;
}
