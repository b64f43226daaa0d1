#include "work.h"

#include <cora/trace.h>

#include <stdlib.h>

/* Goes on where one fails: each item has a result. */
static int run_items(const struct cora__work *work)
{
    int outcome = 0;

    for (size_t i = 0; i < work->count; i++) {
        int result = work->fn(work->items + i * work->size);

        if (work->results != NULL)
            work->results[i] = result;
        if (outcome >= 0)
            outcome = result;
    }
    return outcome;
}

static int run_bytes(const struct cora__work *work)
{
    cora_bytes out = {NULL, 0};
    int outcome = work->bytes_fn(work->in, work->in_size, &out);

    if (outcome < 0)
        free(out.data);
    else
        *work->out = out;
    return outcome;
}

static const void *function_of(const struct cora__work *work)
{
    return work->fn != NULL ? (const void *)(uintptr_t)work->fn
                            : (const void *)(uintptr_t)work->bytes_fn;
}

int cora__work_run(const struct cora__work *work)
{
    int outcome;

    cora_trace_begin_function(function_of(work));
    outcome = work->fn != NULL ? run_items(work) : run_bytes(work);
    cora_trace_end();
    return outcome;
}

void cora__work_fail(const struct cora__work *work, int error)
{
    for (size_t i = 0; work->results != NULL && i < work->count; i++)
        work->results[i] = error;
}
