/*
 * thread_pool_executor.c: ThreadPoolExecutor.
 */
#include "executor.h"

#include "thread_name.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct thread_pool_executor {
    struct cora_executor base;
    struct cora__thread_pool *threads;
    char prefix[CORA__THREAD_PREFIX_SIZE];
    int (*initializer)(void *arg);
    void *initarg;
    atomic_bool broken; /* an initializer has failed */
};

static struct thread_pool_executor *own(cora_executor *executor)
{
    return (struct thread_pool_executor *)executor;
}

/* A forked child has none of the threads, and the lock may be held. */
static bool is_ours(const struct thread_pool_executor *self)
{
    return cora__thread_pool_is_ours(self->threads);
}

/* ---- jobs ---------------------------------------------------------------------------------- */

static void run(struct cora__pool_job *job)
{
    struct cora__submission *submission = (struct cora__submission *)job;

    if (cora__submission_begin(submission))
        cora__submission_end(submission, cora__work_run(&submission->work));
}

static int submit(cora_executor *executor, struct cora__submission *submission)
{
    struct thread_pool_executor *self = own(executor);
    int rc;

    if (!is_ours(self) || atomic_load(&self->broken))
        return -CORA_EBROKENEXECUTOR;
    submission->job.run = run;
    rc = cora__thread_pool_submit(self->threads, &submission->job);
    return rc == -CORA_EEXECUTORSHUTDOWN && atomic_load(&self->broken) ? -CORA_EBROKENEXECUTOR : rc;
}

/* Those that have not begun. */
static void drop_submissions(struct thread_pool_executor *self, int error)
{
    struct cora__pool_job *job;

    while ((job = cora__thread_pool_withdraw_next(self->threads)) != NULL)
        cora__submission_drop((struct cora__submission *)job, error);
}

/* ---- life ---------------------------------------------------------------------------------- */

static bool begin(void *arg, int number)
{
    struct thread_pool_executor *self = arg;

    cora__thread_name(self->prefix, number);
    if (self->initializer == NULL || self->initializer(self->initarg) >= 0)
        return true;
    atomic_store(&self->broken, true);
    cora__thread_pool_close(self->threads);
    drop_submissions(self, -CORA_EBROKENEXECUTOR);
    return false;
}

static void shut_down(cora_executor *executor, bool wait, bool cancel_futures)
{
    struct thread_pool_executor *self = own(executor);

    if (!is_ours(self))
        return;
    cora__thread_pool_close(self->threads);
    if (cancel_futures)
        drop_submissions(self, -ECANCELED);
    if (wait)
        cora__thread_pool_join(self->threads);
}

static void free_executor(cora_executor *executor)
{
    cora__thread_pool_free(own(executor)->threads);
    free(executor);
}

static const struct cora__executor_kind kind = {submit, shut_down, free_executor};

int cora_thread_pool_executor_create(const cora_thread_pool_options *options, cora_executor **ret)
{
    static const cora_thread_pool_options none;
    struct thread_pool_executor *self;
    const char *prefix = "cora";
    int most;

    if (options == NULL)
        options = &none;
    if (options->max_workers < 0)
        return -EINVAL;
    self = calloc(1, sizeof *self);
    if (self == NULL)
        return -ENOMEM;
    most = options->max_workers > 0 ? options->max_workers : cora__thread_pool_default_size();
    self->threads = cora__thread_pool_create(most, begin, self);
    if (self->threads == NULL) {
        free(self);
        return -ENOMEM;
    }
    if (options->thread_name_prefix != NULL)
        prefix = options->thread_name_prefix;
    snprintf(self->prefix, sizeof self->prefix, "%s", prefix);
    self->initializer = options->initializer;
    self->initarg = options->initarg;
    self->base.kind = &kind;
    *ret = &self->base;
    return 0;
}

struct cora__thread_pool *cora__executor_threads(cora_executor *executor)
{
    return executor->kind == &kind ? own(executor)->threads : NULL;
}
