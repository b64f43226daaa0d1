/*
 * default_executor.c: the loop's own pool of threads (loop.run_in_executor, set_default_executor,
 * shutdown_default_executor). to_thread's jobs (thread.c) are run by the same threads.
 */
#include "default_executor.h"

#include "attached.h"

#include <cora/wait.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* ---- with its loop ------------------------------------------------------------------------- */

static bool is_ours(const struct cora__default_executor *self)
{
    return cora__thread_pool_is_ours(cora__executor_threads(self->executor));
}

void cora__default_executor_begin_job(struct cora__default_executor *self)
{
    if (self->in_flight++ == 0)
        cora_loop_hold(self->loop);
}

void cora__default_executor_end_job(struct cora__default_executor *self)
{
    if (--self->in_flight == 0)
        cora_loop_release(self->loop);
}

static void forget_jobs(struct cora__default_executor *self)
{
    if (self->in_flight > 0)
        cora_loop_release(self->loop);
    self->in_flight = 0;
}

static bool is_busy(void *arg)
{
    struct cora__default_executor *self = arg;

    return self->in_flight > 0 && is_ours(self);
}

/* Waits for the jobs that have been taken in, as executor.shutdown(wait=True) does. */
static void close_default_executor(void *arg)
{
    struct cora__default_executor *self = arg;
    cora_executor *retired;

    cora_executor_free(self->shutter);
    cora_executor_free(self->executor);
    while ((retired = self->retired) != NULL) {
        self->retired = retired->next;
        cora_executor_free(retired);
    }
    forget_jobs(self);
    free(self);
}

static const cora_attachment_kind kind = {is_busy, close_default_executor};

struct cora__default_executor *cora__default_executor(cora_loop *loop)
{
    struct cora__default_executor *self = cora__attached(loop, &kind, sizeof *self);

    if (self == NULL)
        return NULL;
    self->loop = loop;
    if (self->executor == NULL && cora_thread_pool_executor_create(NULL, &self->executor) < 0)
        return NULL;
    if (!is_ours(self)) { /* a forked child has none of its threads, and its lock may be held */
        forget_jobs(self);
        cora__thread_pool_renew(cora__executor_threads(self->executor));
    }
    return self;
}

int cora_loop_set_default_executor(cora_loop *loop, cora_executor *executor)
{
    struct cora__default_executor *self = cora__attached(loop, &kind, sizeof *self);

    if (self == NULL)
        return cora_loop_is_closed(loop) ? -CORA_ECLOSED : -ENOMEM;
    if (cora__executor_threads(executor) == NULL)
        return -EINVAL;
    if (self->in_flight > 0)
        return -EBUSY;
    self->loop = loop;
    if (self->executor != NULL) {
        cora_executor_shutdown(self->executor, false, false);
        self->executor->next = self->retired;
        self->retired = self->executor;
    }
    self->executor = executor;
    return 0;
}

/* ---- run_in_executor ----------------------------------------------------------------------- */

static cora_future *failed(cora_loop *loop, int error)
{
    cora_future *future = cora_loop_create_future(loop);

    (void)!cora_future_set_exception(future, error);
    return future;
}

cora_future *cora_loop_run_in_executor(cora_loop *loop, cora_executor *executor, cora_job *fn,
                                       void *arg)
{
    struct cora__default_executor *by_default;
    cora_concurrent_future *future;
    cora_future *wrapped;
    int rc;

    if (executor == NULL) {
        by_default = cora__default_executor(loop);
        if (by_default == NULL)
            return NULL;
        executor = by_default->executor;
    }
    rc = cora_executor_submit(executor, fn, arg, &future);
    if (rc < 0)
        return failed(loop, rc);
    wrapped = cora_wrap_future(future);
    if (wrapped == NULL)
        cora_concurrent_future_cancel(future);
    cora_concurrent_future_unref(future);
    return wrapped;
}

/* ---- shutdown_default_executor ------------------------------------------------------------- */

static int join(void *arg)
{
    cora__thread_pool_join(cora__executor_threads(arg));
    return 0;
}

/* Has a thread wait for the others. */
static int begin_shutdown(struct cora__default_executor *self, cora_concurrent_future **ret)
{
    const cora_thread_pool_options one = {.max_workers = 1, .thread_name_prefix = "shutdown"};

    cora__thread_pool_close(cora__executor_threads(self->executor));
    if (self->shutter == NULL) {
        int rc = cora_thread_pool_executor_create(&one, &self->shutter);

        if (rc < 0)
            return rc;
    }
    return cora_executor_submit(self->shutter, join, self->executor, ret);
}

static void report_timeout(cora_loop *loop)
{
    cora_exception_context context = {
        .message = "The default executor's threads have not ended in time.", .error = -ETIMEDOUT};

    cora_loop_call_exception_handler(loop, &context);
}

int cora_loop_shutdown_default_executor(cora_loop *loop, double timeout)
{
    struct cora__default_executor *self;
    cora_concurrent_future *future;
    cora_future *wrapped;
    int rc;

    if (cora_current_task() == NULL)
        return -CORA_ENOTASK;
    self = cora__default_executor(loop);
    if (self == NULL)
        return -ENOMEM;
    rc = begin_shutdown(self, &future);
    if (rc < 0)
        return rc;
    wrapped = cora_wrap_future(future);
    cora_concurrent_future_unref(future);
    rc = isinf(timeout) ? cora_await(wrapped) : cora_wait_for(wrapped, timeout);
    cora_future_unref(wrapped);
    if (rc == -ETIMEDOUT)
        report_timeout(loop);
    return rc;
}
