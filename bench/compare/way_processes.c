#include "ways.h"

#include <cora/multiprocessing/process.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static int job(void *work)
{
    return do_job(work);
}

/* Joins as many as have been started. */
static int join_all(cora_multiprocessing_process *processes[], int count)
{
    int rc = 0;

    for (int i = 0; i < count; i++) {
        int code = 0;
        int outcome = cora_multiprocessing_process_join(processes[i], INFINITY);

        if (outcome == 0)
            outcome = cora_multiprocessing_process_exitcode(processes[i], &code);
        if (outcome == 0 && code != 0)
            outcome = -EIO;
        rc = rc < 0 ? rc : outcome;
        cora_multiprocessing_process_close(processes[i]);
    }
    return rc;
}

static int start(const struct workload *work, cora_multiprocessing_process **ret)
{
    int rc = cora_multiprocessing_process_create(job, (void *)work, NULL, ret);

    if (rc < 0)
        return rc;
    rc = cora_multiprocessing_process_start(*ret);
    if (rc < 0)
        cora_multiprocessing_process_close(*ret);
    return rc;
}

int way_processes(const struct workload *work)
{
    cora_multiprocessing_process **processes = calloc((size_t)work->jobs, sizeof processes[0]);
    int count = 0, rc = processes != NULL ? 0 : -ENOMEM, outcome;

    while (rc == 0 && count < work->jobs) {
        rc = start(work, &processes[count]);
        if (rc == 0)
            count++;
    }
    outcome = join_all(processes, count);
    free(processes);
    return rc < 0 ? rc : outcome;
}
