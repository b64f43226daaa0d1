/*
 * run.h: from main() into the first task and back (asyncio.run, asyncio.Runner).
 */
#ifndef CORA_RUN_H
#define CORA_RUN_H

#include <cora/base.h>
#include <cora/loop.h>
#include <cora/task.h>

CORA_BEGIN_DECLS

/*
 * asyncio.run(fn(arg)): makes a loop, runs fn(arg) as its main task, and closes the loop. Tasks
 * that are left when main ends are cancelled and waited for; what they fail with is reported. Then
 * asynchronous generators that were left are closed (see cora_loop_shutdown_asyncgens), and jobs in
 * threads are waited for, which may call the loop until they end.
 *
 * Ctrl-C, in the main thread and where SIGINT has its default effect: the first one cancels the
 * main task; if that lets it end cancelled, the result is -EINTR. A second one ends the loop at
 * once, with -EINTR. Where the loop does not come round to notice the first, because a task holds
 * it, the second ends the process, as it would have without a handler.
 *
 * Returns main's outcome; -EDEADLK when nothing could wake it any more; -CORA_ERUNNING when a loop
 * is running in this thread; -ENOMEM, or what kept the loop from being made.
 */
CORA_API CORA_MUST_CHECK int cora_run(cora_task_fn *fn, void *arg);

/* The optional arguments of a runner; all may be 0. */
typedef struct cora_runner_options {
    bool debug;                            /* cora_loop_set_debug */
    int (*loop_factory)(cora_loop **ret);  /* instead of cora_new_event_loop */
    const cora_task_options *main_options; /* of each main task; must stay valid */
} cora_runner_options;

/* asyncio.Runner: several main tasks on one loop, one after the other, in one context. */
typedef struct cora_runner cora_runner;

/* The loop is made with the first use. 0 or -ENOMEM. `options` NULL: none; it is copied. */
CORA_API CORA_MUST_CHECK int cora_runner_create(cora_runner **ret,
                                                const cora_runner_options *options);

/* Runner.run(): as cora_run, but the loop and tasks that are left stay. */
CORA_API CORA_MUST_CHECK int cora_runner_run(cora_runner *runner, cora_task_fn *fn, void *arg);

/* Runner.get_loop(): borrowed; NULL when it cannot be made. */
CORA_API cora_loop *cora_runner_get_loop(cora_runner *runner);

/*
 * Runner.close(): cancels the tasks that are left, waits for them, for asynchronous generators to
 * be closed and for jobs in threads, closes the loop and frees the runner; NULL is accepted. 0;
 * -EDEADLK when a task never ended (it is then dropped); -CORA_ERUNNING: nothing is done.
 */
CORA_API int cora_runner_close(cora_runner *runner);

/*
 * await loop.shutdown_asyncgens(): closes the asynchronous generators of the running loop that were
 * iterated and have not ended, each in a task of its own, side by side, begun in the order in which
 * they were first iterated, and waits for them. What goes wrong is reported to the loop's exception
 * handler. One that is started later is reported, too. The runner does this after main has ended.
 *
 * 0; -ECANCELED where the calling task is cancelled: those tasks are cancelled with it, and waited
 * for; -CORA_ENOTASK; -CORA_EWRONGLOOP for a loop other than the running one; -ENOMEM.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_loop_shutdown_asyncgens(cora_loop *loop);

CORA_END_DECLS

#endif
