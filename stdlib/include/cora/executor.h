/*
 * executor.h: work that is handed to others (concurrent.futures.Executor), from threads and from
 * loops.
 *
 *     cora_executor *pool;
 *     cora_concurrent_future *future;
 *
 *     rc = cora_thread_pool_executor_create(NULL, &pool);
 *     ...
 *     rc = cora_executor_submit(pool, resize, &picture, &future);
 *     ...
 *     rc = cora_concurrent_future_result(future, INFINITY);    // in a thread
 *     rc = cora_await_unref(cora_wrap_future(future));         // or in a task
 *     cora_concurrent_future_unref(future);
 *     cora_executor_free(pool);
 *
 * Unlike Python's, C's threads compute at the same time, on as many processors as there are: a pool
 * of threads is for computing too, and what its jobs share needs a lock.
 */
#ifndef CORA_EXECUTOR_H
#define CORA_EXECUTOR_H

#include <cora/base.h>
#include <cora/concurrent.h>
#include <cora/loop.h>

CORA_BEGIN_DECLS

typedef struct cora_executor cora_executor;

/* A job. What it returns is its future's outcome, negative an error. */
typedef int cora_job(void *arg);

/* ---- concurrent.futures -------------------------------------------------------------------- */

/* The optional arguments of ThreadPoolExecutor; all may be 0. */
typedef struct cora_thread_pool_options {
    int max_workers;                /* 0: the processors and 4 more, and no more than 32 */
    const char *thread_name_prefix; /* copied, its first 11 bytes; NULL: "cora" */
    /* Called in each thread before its first job. Where it fails the executor is broken. */
    int (*initializer)(void *arg);
    void *initarg;
} cora_thread_pool_options;

/*
 * ThreadPoolExecutor(): threads are started when there is a job and none is idle, and stay. They
 * are named prefix_0, prefix_1, ... *ret is the caller's, for cora_executor_free. `options` may be
 * NULL. 0; -EINVAL for a negative max_workers; -ENOMEM.
 */
CORA_API CORA_MUST_CHECK int cora_thread_pool_executor_create(
    const cora_thread_pool_options *options, cora_executor **ret);

/*
 * submit(): fn(arg) in a thread, as soon as one is free. *ret (NULL: not wanted) is a reference to
 * its future; cancelling that keeps a job from being run that has not begun. `arg` must stay valid
 * until then. 0; -CORA_EEXECUTORSHUTDOWN, -CORA_EBROKENEXECUTOR; -EAGAIN where no thread can be
 * started; -ENOMEM.
 */
CORA_API CORA_MUST_CHECK int cora_executor_submit(cora_executor *executor, cora_job *fn, void *arg,
                                                  cora_concurrent_future **ret);

/*
 * map(): fn of each of `count` items of `size` bytes, at the same time as far as there are threads,
 * `chunk` of them a job (0: 1). results[i] (NULL: not wanted) is what it returned for the i-th, or
 * -ECANCELED. Blocks until all are done, at most `timeout` seconds (INFINITY: for any time). 0; the
 * first error in the items' order, or -ETIMEDOUT: the jobs that have not begun by then never do,
 * and those that have are waited for; else as submit.
 */
CORA_API CORA_MUST_CHECK int cora_executor_map(cora_executor *executor, cora_job *fn, void *items,
                                               size_t size, size_t count, size_t chunk,
                                               double timeout, int results[]);

/*
 * map() as an iteration, for more items than there is memory, or for ever (its `buffersize`): an
 * item is made when there is room for it, and the results come one by one, in the items' order.
 *
 *     cora_executor_map_iterator each;
 *     void *page;
 *
 *     rc = cora_executor_map_iterator_start(&each, pool, render, make_page, &book,
 *                                           sizeof(struct page), 8, INFINITY);
 *     while (rc == 0 && (rc = cora_executor_map_iterator_next(&each, &page, &result)) == 0)
 *         ...
 *     cora_executor_map_iterator_stop(&each);    // -CORA_ESTOPITERATION in rc: all were seen
 *
 * For one thread. Storage of the caller's. Its members are private.
 */
typedef struct cora_executor_map_iterator {
    void *iteration_;
} cora_executor_map_iterator;

/* Makes the next item, in `size` bytes at `item`. False: there are no more. */
typedef bool cora_executor_map_source(void *arg, void *item);

/*
 * Hands the first `buffersize` items to the executor. As many are under way at most, beside the one
 * that is asked for; source(arg, item) is called in this thread. 0; -EINVAL where buffersize is 0
 * or for NaN; else as submit, and none is under way.
 */
CORA_API CORA_MUST_CHECK int cora_executor_map_iterator_start(cora_executor_map_iterator *each,
                                                              cora_executor *executor, cora_job *fn,
                                                              cora_executor_map_source *source,
                                                              void *arg, size_t size,
                                                              size_t buffersize, double timeout);

/*
 * Hands one more item to the executor, and blocks until the next in the order is done: 0, *item
 * (NULL: not wanted) is borrowed until the next call, *result (NULL: not wanted) what fn returned
 * for it. -CORA_ESTOPITERATION after the last; -ETIMEDOUT where `timeout` seconds have passed since
 * the start; else as submit. After an error those that have not begun are cancelled, and none
 * comes any more.
 */
CORA_API CORA_MUST_CHECK int cora_executor_map_iterator_next(cora_executor_map_iterator *each,
                                                             void **item, int *result);

/* Ends the iteration, early or not: cancels what has not begun, and blocks until the rest is done.
 */
CORA_API void cora_executor_map_iterator_stop(cora_executor_map_iterator *each);

/*
 * shutdown(): takes no more jobs. `cancel_futures`: those that have not begun are cancelled;
 * `wait`: blocks until all others are done, and the threads have ended; in one of its own jobs,
 * which would wait for itself, it does not. From any thread, also from several, and idempotent.
 *
 * A program that ends, by exit or by returning from main, shuts all executors down and waits for
 * their jobs, as Python's does; not where a job calls exit.
 */
CORA_API void cora_executor_shutdown(cora_executor *executor, bool wait, bool cancel_futures);

/* Shuts it down, waits, and frees it; not in one of its own jobs. NULL is accepted. */
CORA_API void cora_executor_free(cora_executor *executor);

/* ---- asyncio ------------------------------------------------------------------------------- */

/*
 * loop.run_in_executor(): fn(arg) as a future of the running loop, for cora_await and
 * cora_future_unref; cancelling it keeps a job from being run that has not begun. `executor` NULL:
 * the loop's default one, whose threads to_thread uses too. A future that has failed, as submit
 * tells, where it takes no jobs. NULL without memory or a running loop.
 */
CORA_API CORA_MUST_CHECK cora_future *cora_loop_run_in_executor(cora_loop *loop,
                                                                cora_executor *executor,
                                                                cora_job *fn, void *arg);

/*
 * loop.set_default_executor(): the executor, a pool of threads, is the loop's from now on: it is
 * freed when the loop is closed, as is the one that it had before. 0; -EBUSY while a job of
 * to_thread is running; -ENOMEM; -CORA_ECLOSED.
 */
CORA_API CORA_MUST_CHECK int cora_loop_set_default_executor(cora_loop *loop,
                                                            cora_executor *executor);

/*
 * loop.shutdown_default_executor(): takes no more jobs, and suspends until those that there are
 * have ended, for at most `timeout` seconds (INFINITY: for any time). cora_run and
 * cora_runner_close do what it does. 0; -ETIMEDOUT, which is also reported: they go on; -ECANCELED;
 * -ENOMEM, -EAGAIN; -CORA_ENOTASK.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_loop_shutdown_default_executor(cora_loop *loop,
                                                                               double timeout);

CORA_END_DECLS

#endif
