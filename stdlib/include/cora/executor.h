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
 * of threads is for computing too, and what its jobs share needs a lock. A pool of processes is for
 * jobs that share nothing, or are not to be trusted: one that crashes ends its future with an
 * error, and the program goes on.
 *
 *     static const cora_process_pool_job jobs[] = {
 *         {.fn = resize, .size = sizeof(struct picture)}, {0}};
 *
 *     rc = cora_process_pool_executor_create(&(cora_process_pool_options){.jobs = jobs}, &pool);
 */
#ifndef CORA_EXECUTOR_H
#define CORA_EXECUTOR_H

#include <cora/base.h>
#include <cora/concurrent.h>
#include <cora/loop.h>

#include <sys/types.h>

CORA_BEGIN_DECLS

typedef struct cora_executor cora_executor;

/* A job. What it returns is its future's outcome, negative an error. */
typedef int cora_job(void *arg);

/* Bytes from malloc; who has them frees them. */
typedef struct cora_bytes {
    void *data;
    size_t size;
} cora_bytes;

/*
 * A job from bytes to bytes. *out is {NULL, 0}; what it puts there is the submitter's, unless it
 * returns an error: then it is freed.
 */
typedef int cora_bytes_job(const void *in, size_t size, cora_bytes *out);

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
 * are named prefix_0, prefix_1, ... *ret is the caller's, for cora_executor_free; in a forked child
 * of the program it takes no jobs (-CORA_EBROKENEXECUTOR), and may be freed. `options` may be NULL.
 * 0; -EINVAL for a negative max_workers; -ENOMEM.
 */
CORA_API CORA_MUST_CHECK int cora_thread_pool_executor_create(
    const cora_thread_pool_options *options, cora_executor **ret);

/* A function that processes may be given: what its argument points to has so many bytes. */
typedef struct cora_process_pool_job {
    cora_job *fn;
    size_t size;              /* may be 0: it gets a pointer that it must not use */
    cora_bytes_job *bytes_fn; /* in place of fn */
} cora_process_pool_job;

/* The arguments of ProcessPoolExecutor; all but `jobs` may be 0. */
typedef struct cora_process_pool_options {
    const cora_process_pool_job *jobs; /* copied; ends with {0} */
    int max_workers;                   /* 0: the processors */
    int max_tasks_per_child;           /* a worker ends after so many; 0: none does */
    /* Called in each worker before its first job. Where it fails the executor is broken. */
    int (*initializer)(void *arg);
    void *initarg;
} cora_process_pool_options;

/*
 * ProcessPoolExecutor(): workers are forked when there is a job and none is idle, and stay. They
 * are forked from a process that is forked here, so they have the memory that the program has now,
 * and none of its descriptors but 0, 1 and 2. Make it before threads are started: a lock that one
 * of these holds now is held for ever in the workers.
 *
 * Signals have their default effect in a worker, or none where the program ignores them: Ctrl-C
 * ends the workers, too, which breaks the pool. Where the program dies they get SIGTERM.
 *
 * *ret is the caller's, for cora_executor_free; in a forked child of the program it takes no jobs
 * (-CORA_EBROKENEXECUTOR), and may be freed. 0; -EINVAL without jobs, or for a negative number;
 * -EMFILE, -ENFILE; -EAGAIN; -ENOMEM.
 */
CORA_API CORA_MUST_CHECK int cora_process_pool_executor_create(
    const cora_process_pool_options *options, cora_executor **ret);

/*
 * submit(): fn(arg) in a thread or process, as soon as one is free. *ret (NULL: not wanted) is a
 * reference to its future; cancelling that keeps a job from being run that has not begun. `arg`
 * must stay valid until the future is done.
 *
 * A process works on a copy of the bytes at `arg`, which comes back when fn has returned. Where it
 * ends in the middle of that, by a signal, by exit() or with a fault, so that fn cannot return, the
 * executor is broken: this job and all others fail with -CORA_EBROKENEXECUTOR (BrokenProcessPool),
 * what is at their `arg` is undefined, and the other workers are killed.
 *
 * 0; -EINVAL for an fn that is not among the jobs of the processes; -CORA_EEXECUTORSHUTDOWN,
 * -CORA_EBROKENEXECUTOR; -EAGAIN where no thread can be started; -ENOMEM. Where no process can be
 * started the future fails, with -EAGAIN, -ENOMEM, -ENOBUFS, -EMFILE or -ENFILE.
 */
CORA_API CORA_MUST_CHECK int cora_executor_submit(cora_executor *executor, cora_job *fn, void *arg,
                                                  cora_concurrent_future **ret);

/*
 * The same with fn(in, size, out). `in` and `out` must stay valid until the future is done; *out is
 * set when it succeeds, and stays untouched when it does not.
 */
CORA_API CORA_MUST_CHECK int cora_executor_submit_bytes(cora_executor *executor, cora_bytes_job *fn,
                                                        const void *in, size_t size,
                                                        cora_bytes *out,
                                                        cora_concurrent_future **ret);

/*
 * map(): fn of each of `count` items of `size` bytes, at the same time as far as there are threads
 * or processes, `chunk` of them a job (0: 1). results[i] (NULL: not wanted) is what it returned for
 * the i-th, or why it did not: -ECANCELED, -CORA_EBROKENEXECUTOR. Blocks until all are done, at
 * most `timeout` seconds (INFINITY: for any time). 0; the first error in the items' order, or
 * -ETIMEDOUT: the jobs that have not begun by then never do, and those that have are waited for;
 * -EINVAL for NaN, and where the processes' job has another size; else as submit.
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
 * `wait`: blocks until all others are done, and the threads or processes have ended; in one of
 * its own jobs, or in a callback of their futures, which would wait for itself, it does not. From
 * any thread, also from several, and idempotent.
 *
 * A program that ends, by exit or by returning from main, shuts all executors down and waits for
 * their jobs, as Python's does; not where a job calls exit.
 */
CORA_API void cora_executor_shutdown(cora_executor *executor, bool wait, bool cancel_futures);

/*
 * terminate_workers(), kill_workers(): shuts a pool of processes down, cancels what has not begun,
 * and sends the workers SIGTERM or SIGKILL: the jobs that they have fail with
 * -CORA_EBROKENEXECUTOR. Does not wait. 0; -EINVAL for a pool of threads.
 */
CORA_API CORA_MUST_CHECK int cora_process_pool_executor_terminate_workers(cora_executor *executor);
CORA_API CORA_MUST_CHECK int cora_process_pool_executor_kill_workers(cora_executor *executor);

/* A worker that has broken its pool. */
typedef struct cora_process_pool_casualty {
    pid_t pid;
    int returncode; /* its exit status, or, negative, the signal that it died of */
    int error;      /* what its initializer has returned; 0: that was not it */
} cora_process_pool_casualty;

/* Whether a pool of processes is broken; *ret (NULL: not wanted) tells by whom. */
CORA_API bool cora_process_pool_executor_is_broken(cora_executor *executor,
                                                   cora_process_pool_casualty *ret);

/* Shuts it down, waits, and frees it; not in one of its own jobs or callbacks. NULL is accepted. */
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
 * freed when the loop is closed, as is the one that it had before. 0; -EINVAL for a pool of
 * processes; -EBUSY while a job of to_thread is running; -ENOMEM; -CORA_ECLOSED.
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
