/*
 * backtrace.c: the calls that one is in oneself, by the compiler's own unwinder. It needs no large
 * stack, and knows no names.
 */
#include "unwind/unwind.h"

#include <unwind.h>

struct trace {
    uintptr_t *addresses;
    size_t count, room;
    uintptr_t first; /* 0: it has been found */
};

static _Unwind_Reason_Code on_call(struct _Unwind_Context *context, void *arg)
{
    struct trace *trace = arg;
    uintptr_t address = _Unwind_GetIP(context);

    if (address == trace->first)
        trace->first = 0;
    if (trace->first != 0)
        return _URC_NO_REASON;
    if (address == 0 || trace->count == trace->room)
        return _URC_END_OF_STACK;
    trace->addresses[trace->count++] = address;
    return _URC_NO_REASON;
}

size_t cora__backtrace(uintptr_t addresses[], size_t room, const void *first)
{
    struct trace trace = {addresses, 0, room, (uintptr_t)first};

    _Unwind_Backtrace(on_call, &trace);
    return trace.count;
}
