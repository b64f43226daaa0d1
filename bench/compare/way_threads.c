#include "ways.h"

#include <cora/threading/thread.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static int job(void *work)
{
    return do_job(work);
}

/* Joins as many as have been started. */
static int join_all(cora_threading_thread *threads[], int count)
{
    int rc = 0;

    for (int i = 0; i < count; i++) {
        int outcome = cora_threading_thread_join(threads[i], INFINITY);

        if (outcome == 0)
            outcome = cora_threading_thread_result(threads[i]);
        rc = rc < 0 ? rc : outcome;
        cora_threading_thread_unref(threads[i]);
    }
    return rc;
}

int way_threads(const struct workload *work)
{
    cora_threading_thread **threads = calloc((size_t)work->jobs, sizeof threads[0]);
    int count = 0, rc = threads != NULL ? 0 : -ENOMEM, outcome;

    while (rc == 0 && count < work->jobs) {
        threads[count] = cora_threading_thread_create_arg(NULL, job, (void *)work);
        rc = cora_threading_thread_start(threads[count]);
        if (rc == 0)
            count++;
        else
            cora_threading_thread_unref(threads[count]);
    }
    outcome = join_all(threads, count);
    free(threads);
    return rc < 0 ? rc : outcome;
}
