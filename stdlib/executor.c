/*
 * executor.c: Executor: what both pools have in common, jobs whose outcome is a concurrent future.
 */
#include "executor.h"

#include "deadline.h"

#include <errno.h>
#include <stdlib.h>

/* ---- submissions --------------------------------------------------------------------------- */

static struct cora__submission *create_submission(const struct cora__work *work)
{
    struct cora__submission *submission = calloc(1, sizeof *submission);

    if (submission == NULL)
        return NULL;
    submission->future = cora_concurrent_future_create();
    if (submission->future == NULL) {
        free(submission);
        return NULL;
    }
    submission->work = *work;
    return submission;
}

static void free_submission(struct cora__submission *submission)
{
    cora_concurrent_future_unref(submission->future);
    free(submission);
}

bool cora__submission_begin(struct cora__submission *submission)
{
    if (cora_concurrent_future_set_running_or_notify_cancel(submission->future) == 0)
        return true;
    free_submission(submission);
    return false;
}

/* The future's users may free what the job has worked on from then on. */
void cora__submission_end(struct cora__submission *submission, int outcome)
{
    cora_concurrent_future *future = submission->future;

    free(submission);
    (void)!(outcome < 0 ? cora_concurrent_future_set_exception(future, outcome)
                        : cora_concurrent_future_set_result(future, outcome, NULL));
    cora_concurrent_future_unref(future);
}

void cora__submission_fail(struct cora__submission *submission, int error)
{
    cora__work_fail(&submission->work, error);
    cora__submission_end(submission, error);
}

void cora__submission_drop(struct cora__submission *submission, int error)
{
    if (error == -ECANCELED)
        cora_concurrent_future_cancel(submission->future);
    if (cora__submission_begin(submission))
        cora__submission_fail(submission, error);
}

static int submit(cora_executor *executor, const struct cora__work *work,
                  cora_concurrent_future **ret)
{
    struct cora__submission *submission = create_submission(work);
    cora_concurrent_future *future;
    int rc;

    if (submission == NULL)
        return -ENOMEM;
    future = cora_concurrent_future_ref(submission->future);
    rc = executor->kind->submit(executor, submission);
    if (rc < 0)
        free_submission(submission);
    if (rc == 0 && ret != NULL)
        *ret = future;
    else
        cora_concurrent_future_unref(future);
    return rc;
}

int cora_executor_submit(cora_executor *executor, cora_job *fn, void *arg,
                         cora_concurrent_future **ret)
{
    return submit(executor, &(struct cora__work){.fn = fn, .items = arg, .count = 1}, ret);
}

int cora_executor_submit_bytes(cora_executor *executor, cora_bytes_job *fn, const void *in,
                               size_t size, cora_bytes *out, cora_concurrent_future **ret)
{
    return submit(executor,
                  &(struct cora__work){.bytes_fn = fn, .in = in, .in_size = size, .out = out}, ret);
}

/* ---- life ---------------------------------------------------------------------------------- */

void cora_executor_shutdown(cora_executor *executor, bool wait, bool cancel_futures)
{
    executor->kind->shutdown(executor, wait, cancel_futures);
}

void cora_executor_free(cora_executor *executor)
{
    if (executor != NULL)
        executor->kind->free(executor);
}

/* ---- map ----------------------------------------------------------------------------------- */

/* Some of the items, one after the other, in one job. */
struct chunk {
    size_t count;
    int *results;
    cora_concurrent_future *future;
};

static void set_results(const struct chunk *chunk, int result)
{
    for (size_t i = 0; chunk->results != NULL && i < chunk->count; i++)
        chunk->results[i] = result;
}

/* The last ones first: of those before them the threads are still taking some. */
static void cancel_all(const struct chunk *chunks, size_t count)
{
    while (count-- > 0)
        cora_concurrent_future_cancel(chunks[count].future);
}

/* How each ended. Once something has gone wrong only those are waited for that have begun. */
static int collect(const struct chunk *chunks, size_t count, double timeout, int rc)
{
    double end = cora__clock() + timeout;

    if (rc < 0)
        cancel_all(chunks, count);
    for (size_t i = 0; i < count; i++) {
        int result = cora_concurrent_future_result(chunks[i].future,
                                                   rc < 0 ? INFINITY : end - cora__clock());

        if (rc == 0 && result < 0) {
            rc = result;
            cancel_all(chunks + i, count - i);
            (void)!cora_concurrent_future_result(chunks[i].future, INFINITY);
        }
        if (cora_concurrent_future_cancelled(chunks[i].future))
            set_results(&chunks[i], -ECANCELED);
        cora_concurrent_future_unref(chunks[i].future);
    }
    return rc;
}

int cora_executor_map(cora_executor *executor, cora_job *fn, void *items, size_t size, size_t count,
                      size_t chunk, double timeout, int results[])
{
    size_t each = chunk > 0 ? chunk : 1, submitted = 0;
    struct chunk *chunks;
    int rc;

    if (isnan(timeout))
        return -EINVAL;
    chunks = calloc(count / each + 1, sizeof chunks[0]);
    rc = chunks != NULL ? 0 : -ENOMEM;
    for (size_t i = 0; i < count && rc == 0; i += each) {
        struct chunk *next = &chunks[submitted];

        next->count = count - i < each ? count - i : each;
        next->results = results != NULL ? results + i : NULL;
        rc = submit(executor,
                    &(struct cora__work){.fn = fn,
                                         .items = (char *)items + i * size,
                                         .size = size,
                                         .count = next->count,
                                         .results = next->results},
                    &next->future);
        if (rc == 0)
            submitted++;
    }
    if (chunks != NULL)
        rc = collect(chunks, submitted, timeout, rc);
    free(chunks);
    return rc;
}
