/*
 * thread.c: to_thread.
 *
 * A job is one allocation that outlives its waiter: it goes from the loop to the queue of the
 * loop's default executor, to a worker, and back to the loop by a trigger; the loop frees it. The
 * pool's lock decides the race between a worker that takes it and a waiter that is cancelled.
 */
#include <cora/thread.h>

#include <cora/trace.h>
#include <cora/waiter.h>

#include "default_executor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct job {
    struct cora__pool_job base;
    int (*fn)(void *arg);
    void (*cleanup)(void *arg); /* of what nobody will get; NULL: there is nothing to be done */
    cora_context *context;
    struct cora__default_executor *executor;
    unsigned forks;      /* when it was submitted: a forked child has none of its parent's */
    cora_waiter *waiter; /* NULL once its task has gone away; the loop's side only */
    cora_trigger done;
    bool ended; /* and the loop has heard of it */
    int result;
    char args[] __attribute__((aligned(16)));
};

/* ---- in a thread --------------------------------------------------------------------------- */

static void free_job(struct job *job)
{
    cora_context_unref(job->context);
    free(job);
}

/*
 * Nobody wants it any more, whether it has run or never will. As it is the drop of a trigger: the
 * loop was closed before it heard of the job's end.
 */
static void drop_job(void *arg)
{
    struct job *job = arg;

    if (job->cleanup != NULL)
        job->cleanup(job->args);
    free_job(job);
}

static void run_job(struct cora__pool_job *base)
{
    struct job *job = (struct job *)base;

    cora_trace_begin_function((const void *)(uintptr_t)job->fn);
    job->result = cora_context_run(job->context, job->fn, job->args);
    cora_trace_end();
    if (cora_trigger_fire(&job->done) < 0)
        drop_job(job);
}

/* ---- the loop's side ----------------------------------------------------------------------- */

static void on_done(void *arg)
{
    struct job *job = arg;

    if (job->forks == cora__forks())
        cora__default_executor_end_job(job->executor);
    job->ended = true;
    if (job->waiter != NULL)
        cora_waiter_wake(job->waiter);
    else
        drop_job(job);
}

static struct job *create_job(struct cora__default_executor *executor, int (*fn)(void *arg),
                              const void *args, size_t size, void (*cleanup)(void *arg))
{
    struct job *job = calloc(1, sizeof *job + size);

    if (job == NULL)
        return NULL;
    job->context = cora_copy_context();
    if (job->context == NULL) {
        free(job);
        return NULL;
    }
    job->fn = fn;
    job->cleanup = cleanup;
    job->base.run = run_job;
    job->executor = executor;
    job->forks = cora__forks();
    cora_trigger_init(&job->done, executor->loop, on_done, drop_job, job);
    if (size > 0)
        memcpy(job->args, args, size);
    return job;
}

/*
 * Cancelled: the job has ended meanwhile, whether its waiter could still be woken or not; or it is
 * taken back; or it goes on without a waiter.
 */
static void leave(struct cora__thread_pool *threads, struct job *job)
{
    if (job->ended) {
        drop_job(job);
    } else if (job->forks == cora__forks() && cora__thread_pool_withdraw(threads, &job->base)) {
        cora__default_executor_end_job(job->executor);
        drop_job(job);
    } else {
        job->waiter = NULL;
    }
}

static int take_result(struct job *job, void *args, size_t size)
{
    int result = job->result;

    if (size > 0)
        memcpy(args, job->args, size);
    free_job(job);
    return result;
}

int cora_to_thread_copy(int (*fn)(void *arg), void *args, size_t size)
{
    return cora_to_thread_copy_cleanup(fn, args, size, NULL);
}

int cora_to_thread_copy_cleanup(int (*fn)(void *arg), void *args, size_t size,
                                void (*cleanup)(void *arg))
{
    struct cora__default_executor *executor;
    struct cora__thread_pool *threads;
    cora_waiter waiter;
    struct job *job;
    int rc;

    if (cora_current_task() == NULL)
        return -CORA_ENOTASK;
    executor = cora__default_executor(cora_get_running_loop());
    job = executor != NULL ? create_job(executor, fn, args, size, cleanup) : NULL;
    if (job == NULL)
        return -ENOMEM;
    threads = cora__executor_threads(executor->executor);
    cora_waiter_init(&waiter, "a job in a thread,", job);
    job->waiter = &waiter;
    cora__default_executor_begin_job(executor);
    rc = cora__thread_pool_submit(threads, &job->base);
    if (rc < 0) {
        cora__default_executor_end_job(executor);
        free_job(job);
        return rc;
    }
    rc = cora_waiter_wait(&waiter);
    if (rc < 0) {
        leave(threads, job);
        return rc;
    }
    return take_result(job, args, size);
}
