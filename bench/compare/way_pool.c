#include "ways.h"

#include <cora/executor.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static int job(void *work)
{
    return do_job(work);
}

/* Every job has the same argument. */
int way_pool(const struct workload *work)
{
    cora_executor *pool;
    cora_concurrent_future **futures = calloc((size_t)work->jobs, sizeof futures[0]);
    int rc = futures != NULL ? cora_thread_pool_executor_create(NULL, &pool) : -ENOMEM;

    if (rc < 0) {
        free(futures);
        return rc;
    }
    for (int i = 0; i < work->jobs && rc == 0; i++)
        rc = cora_executor_submit(pool, job, (void *)work, &futures[i]);
    for (int i = 0; i < work->jobs && futures[i] != NULL; i++) {
        int outcome = cora_concurrent_future_result(futures[i], INFINITY);

        rc = rc < 0 ? rc : outcome;
        cora_concurrent_future_unref(futures[i]);
    }
    cora_executor_free(pool);
    free(futures);
    return rc;
}
