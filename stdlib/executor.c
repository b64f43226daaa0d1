/*
 * executor.c: ThreadPoolExecutor: jobs whose outcome is a concurrent future.
 */
#include "executor.h"

#include "thread_name.h"

#include <cora/trace.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct cora_executor {
    struct cora__thread_pool *threads;
    char prefix[CORA__THREAD_PREFIX_SIZE];
    int (*initializer)(void *arg);
    void *initarg;
    atomic_bool broken; /* an initializer has failed */
    cora_executor *next;
};

struct submission {
    struct cora__pool_job job;
    cora_concurrent_future *future;
    cora_job *fn;
    void *arg;
};

/* ---- jobs ---------------------------------------------------------------------------------- */

/* The future's outcome; its users may free what the job has worked on from then on. */
static void complete(struct submission *submission, int result)
{
    cora_concurrent_future *future = submission->future;

    free(submission);
    (void)!(result < 0 ? cora_concurrent_future_set_exception(future, result)
                       : cora_concurrent_future_set_result(future, result, NULL));
    cora_concurrent_future_unref(future);
}

static void run(struct cora__pool_job *job)
{
    struct submission *submission = (struct submission *)job;
    int result;

    if (cora_concurrent_future_set_running_or_notify_cancel(submission->future) == 0) {
        cora_trace_begin_function((const void *)(uintptr_t)submission->fn);
        result = submission->fn(submission->arg);
        cora_trace_end();
        complete(submission, result);
    } else {
        cora_concurrent_future_unref(submission->future);
        free(submission);
    }
}

static struct submission *create_submission(cora_job *fn, void *arg)
{
    struct submission *submission = calloc(1, sizeof *submission);

    if (submission == NULL)
        return NULL;
    submission->future = cora_concurrent_future_create();
    if (submission->future == NULL) {
        free(submission);
        return NULL;
    }
    submission->job.run = run;
    submission->fn = fn;
    submission->arg = arg;
    return submission;
}

int cora_executor_submit(cora_executor *executor, cora_job *fn, void *arg,
                         cora_concurrent_future **ret)
{
    struct submission *submission;
    cora_concurrent_future *future;
    int rc;

    if (atomic_load(&executor->broken))
        return -CORA_EBROKENEXECUTOR;
    submission = create_submission(fn, arg);
    if (submission == NULL)
        return -ENOMEM;
    future = cora_concurrent_future_ref(submission->future);
    rc = cora__thread_pool_submit(executor->threads, &submission->job);
    if (rc < 0) {
        cora_concurrent_future_unref(submission->future);
        free(submission);
    }
    if (rc == -CORA_EEXECUTORSHUTDOWN && atomic_load(&executor->broken))
        rc = -CORA_EBROKENEXECUTOR;
    if (rc == 0 && ret != NULL)
        *ret = future;
    else
        cora_concurrent_future_unref(future);
    return rc;
}

/* Those that have not begun: cancelled, or failed with the error. */
static void drop_submissions(cora_executor *executor, int error)
{
    struct cora__pool_job *job;

    while ((job = cora__thread_pool_withdraw_next(executor->threads)) != NULL) {
        struct submission *submission = (struct submission *)job;

        if (error == -ECANCELED)
            cora_concurrent_future_cancel(submission->future);
        complete(submission, error);
    }
}

/* ---- life ---------------------------------------------------------------------------------- */

static bool begin(void *arg, int number)
{
    cora_executor *executor = arg;

    cora__thread_name(executor->prefix, number);
    if (executor->initializer == NULL || executor->initializer(executor->initarg) >= 0)
        return true;
    atomic_store(&executor->broken, true);
    cora__thread_pool_close(executor->threads);
    drop_submissions(executor, -CORA_EBROKENEXECUTOR);
    return false;
}

int cora_thread_pool_executor_create(const cora_thread_pool_options *options, cora_executor **ret)
{
    static const cora_thread_pool_options none;
    const char *prefix = "cora";
    cora_executor *executor;
    int most;

    if (options == NULL)
        options = &none;
    if (options->max_workers < 0)
        return -EINVAL;
    executor = calloc(1, sizeof *executor);
    if (executor == NULL)
        return -ENOMEM;
    most = options->max_workers > 0 ? options->max_workers : cora__thread_pool_default_size();
    executor->threads = cora__thread_pool_create(most, begin, executor);
    if (executor->threads == NULL) {
        free(executor);
        return -ENOMEM;
    }
    if (options->thread_name_prefix != NULL)
        prefix = options->thread_name_prefix;
    snprintf(executor->prefix, sizeof executor->prefix, "%s", prefix);
    executor->initializer = options->initializer;
    executor->initarg = options->initarg;
    *ret = executor;
    return 0;
}

void cora_executor_shutdown(cora_executor *executor, bool wait, bool cancel_futures)
{
    cora__thread_pool_close(executor->threads);
    if (cancel_futures)
        drop_submissions(executor, -ECANCELED);
    if (wait)
        cora__thread_pool_join(executor->threads);
}

void cora_executor_free(cora_executor *executor)
{
    if (executor == NULL)
        return;
    cora__thread_pool_free(executor->threads);
    free(executor);
}

struct cora__thread_pool *cora__executor_threads(cora_executor *executor)
{
    return executor->threads;
}

cora_executor **cora__executor_next(cora_executor *executor)
{
    return &executor->next;
}

/* ---- map ----------------------------------------------------------------------------------- */

/* A job of its: some of the items, one after the other. */
struct chunk {
    cora_job *fn;
    char *items;
    size_t size, count;
    int *results;
    cora_concurrent_future *future;
};

/* Goes on where one fails: each item has a result. */
static int run_chunk(void *arg)
{
    struct chunk *chunk = arg;
    int first = 0;

    for (size_t i = 0; i < chunk->count; i++) {
        int result = chunk->fn(chunk->items + i * chunk->size);

        if (chunk->results != NULL)
            chunk->results[i] = result;
        if (first == 0 && result < 0)
            first = result;
    }
    return first;
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

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
    double end = now() + timeout;

    if (rc < 0)
        cancel_all(chunks, count);
    for (size_t i = 0; i < count; i++) {
        int result =
            cora_concurrent_future_result(chunks[i].future, rc < 0 ? INFINITY : end - now());

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
    struct chunk *chunks = calloc(count / each + 1, sizeof chunks[0]);
    int rc = chunks != NULL ? 0 : -ENOMEM;

    for (size_t i = 0; i < count && rc == 0; i += each) {
        struct chunk *next = &chunks[submitted];

        *next = (struct chunk){.fn = fn,
                               .items = (char *)items + i * size,
                               .size = size,
                               .count = count - i < each ? count - i : each,
                               .results = results != NULL ? results + i : NULL};
        rc = cora_executor_submit(executor, run_chunk, next, &next->future);
        if (rc == 0)
            submitted++;
    }
    if (chunks != NULL)
        rc = collect(chunks, submitted, timeout, rc);
    free(chunks);
    return rc;
}
