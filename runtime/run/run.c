#include <cora/run.h>

#include <cora/gather.h>

#include "run/sigint.h"

#include <errno.h>
#include <stdlib.h>

struct cora_runner {
    cora_runner_options options;
    struct cora_loop *loop;       /* NULL until it is first needed */
    struct cora_context *context; /* of all its main tasks */
};

/* ---- life ---------------------------------------------------------------------------------- */

int cora_runner_create(cora_runner **ret, const cora_runner_options *options)
{
    struct cora_runner *runner = calloc(1, sizeof *runner);

    if (runner == NULL)
        return -ENOMEM;
    if (options != NULL)
        runner->options = *options;
    *ret = runner;
    return 0;
}

static int make_loop(struct cora_runner *runner)
{
    int (*factory)(cora_loop * *ret) = runner->options.loop_factory;
    struct cora_context *context;
    struct cora_loop *loop;
    int rc;

    if (runner->loop != NULL)
        return 0;
    context = cora_copy_context();
    if (context == NULL)
        return -ENOMEM;
    rc = (factory != NULL ? factory : cora_new_event_loop)(&loop);
    if (rc < 0) {
        cora_context_unref(context);
        return rc;
    }
    if (runner->options.debug)
        cora_loop_set_debug(loop, true);
    runner->loop = loop;
    runner->context = context;
    return 0;
}

cora_loop *cora_runner_get_loop(cora_runner *runner)
{
    return make_loop(runner) == 0 ? runner->loop : NULL;
}

/* ---- the main task ------------------------------------------------------------------------- */

static cora_task *create_main(struct cora_runner *runner, cora_task_fn *fn, void *arg)
{
    cora_task_options options = {.name = NULL};

    if (runner->options.main_options != NULL)
        options = *runner->options.main_options;
    if (options.context == NULL)
        options.context = runner->context;
    return cora_loop_create_task_arg(runner->loop, &options, fn, "main", arg);
}

int cora_runner_run(cora_runner *runner, cora_task_fn *fn, void *arg)
{
    struct cora__sigint sigint;
    cora_task *task;
    int rc;

    if (cora__loop_running != NULL)
        return -CORA_ERUNNING;
    rc = make_loop(runner);
    if (rc < 0)
        return rc;
    task = create_main(runner, fn, arg);
    if (task == NULL)
        return runner->loop->closed ? -CORA_ECLOSED : -ENOMEM;
    cora__sigint_watch(&sigint, cora__as_task(task));
    rc = cora_loop_run_until_complete(runner->loop, task);
    cora__sigint_unwatch(&sigint);
    /* Ended by Ctrl-C, unless the task has dealt with it or somebody else cancelled it too. */
    if (rc == -ECANCELED && sigint.cancelled_main && cora_task_uncancel(task) == 0)
        rc = -EINTR;
    cora_task_unref(task);
    return rc;
}

/* ---- shutdown, in asyncio's order ---------------------------------------------------------- */

static void report_failures(struct cora_loop *loop, cora_task *tasks[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int error = cora_task_done(tasks[i]) ? cora_task_exception(tasks[i]) : 0;

        if (error < 0 && !cora_task_cancelled(tasks[i]))
            cora__loop_report(loop, cora_task_get_name(tasks[i]), tasks[i], error,
                              "unhandled error while the loop was shut down");
    }
}

static int end_tasks(struct cora_loop *loop, cora_task *tasks[], size_t count)
{
    cora_future *all;
    int rc;

    for (size_t i = 0; i < count; i++)
        cora_task_cancel(tasks[i]);
    all = cora_gather_future(tasks, count, CORA_RETURN_EXCEPTIONS);
    rc = cora_loop_run_until_complete(loop, all);
    report_failures(loop, tasks, count);
    cora_future_unref(all);
    return rc;
}

static int cancel_all_tasks(struct cora_loop *loop)
{
    size_t count = cora_all_tasks(loop, NULL, 0);
    cora_task **tasks;
    int rc;

    if (count == 0)
        return 0;
    tasks = malloc(count * sizeof tasks[0]);
    if (tasks == NULL)
        return -ENOMEM;
    cora_all_tasks(loop, tasks, count);
    rc = end_tasks(loop, tasks, count);
    for (size_t i = 0; i < count; i++)
        cora_task_unref(tasks[i]);
    free(tasks);
    return rc;
}

static int shutdown_asyncgens(void *loop)
{
    return cora_loop_shutdown_asyncgens(loop);
}

static int end_async_generators(struct cora_loop *loop)
{
    cora_task *task =
        cora_task_create(loop, NULL, shutdown_asyncgens, "shutdown_asyncgens", loop, 0);
    int rc = cora_loop_run_until_complete(loop, task);

    cora_task_unref(task);
    return rc;
}

/* What jobs in threads still ask of the loop it does, until the last has ended. */
static int finish_jobs(struct cora_loop *loop)
{
    int rc = 0;

    while (rc >= 0 && cora__loop_is_busy(loop)) {
        rc = cora_loop_poll(loop, -1);
        if (rc == 0)
            rc = cora_loop_process_events(loop);
        if (rc == 0)
            rc = cora_loop_run_ready(loop);
    }
    return rc < 0 ? rc : 0;
}

static int shut_down(struct cora_loop *loop)
{
    int rc = cancel_all_tasks(loop);
    int closed = end_async_generators(loop);
    int finished = finish_jobs(loop);

    return rc < 0 ? rc : closed < 0 ? closed : finished;
}

int cora_runner_close(cora_runner *runner)
{
    int rc = 0;

    if (runner == NULL)
        return 0;
    if (runner->loop != NULL && (cora__loop_running != NULL || runner->loop->is_running))
        return -CORA_ERUNNING;
    if (runner->loop != NULL && !runner->loop->closed)
        rc = shut_down(runner->loop);
    cora_loop_free(runner->loop);
    cora_context_unref(runner->context);
    free(runner);
    return rc;
}

int cora_run(cora_task_fn *fn, void *arg)
{
    cora_runner *runner;
    int rc, closed;

    if (cora__loop_running != NULL)
        return -CORA_ERUNNING;
    rc = cora_runner_create(&runner, NULL);
    if (rc < 0)
        return rc;
    rc = cora_runner_run(runner, fn, arg);
    closed = cora_runner_close(runner); /* NOLINT(clang-analyzer-unix.Malloc): no loop is running */
    return rc < 0 || closed == 0 ? rc : closed;
}
