/*
 * pool.h: processes that do jobs (multiprocessing.Pool).
 *
 *     static const cora_process_pool_job jobs[] = {{.fn = resize, .size = sizeof(struct picture)},
 * {0}};
 *
 *     rc = cora_multiprocessing_pool_create(&(cora_process_pool_options){.jobs = jobs}, &pool);
 *     rc = cora_multiprocessing_pool_map(pool, resize, pictures, sizeof pictures[0], count, 0,
 * NULL); cora_multiprocessing_pool_free(pool);
 *
 * It is a pool of processes of <cora/executor.h> under its older names, which tells what jobs are,
 * what a process does with their arguments, and what max_workers (Pool's `processes`),
 * max_tasks_per_child and the initializer do. In one thing it is better than Python's: a worker
 * that dies in the midst of a job ends it with -CORA_EBROKENEXECUTOR, and with it all others; there
 * the job is lost, and its result is waited for for ever.
 *
 * Calls block the thread, not only the task. Where jobs are handed in they also return what
 * cora_executor_submit does: -EINVAL for a job that the pool does not know, -CORA_EEXECUTORSHUTDOWN
 * after close and terminate, -CORA_EBROKENEXECUTOR, -ENOMEM.
 */
#ifndef CORA_MULTIPROCESSING_POOL_H
#define CORA_MULTIPROCESSING_POOL_H

#include <cora/base.h>
#include <cora/concurrent.h>
#include <cora/executor.h>

CORA_BEGIN_DECLS

typedef struct cora_multiprocessing_pool cora_multiprocessing_pool;

/* Pool(): *ret is the caller's, for _free. 0; as cora_process_pool_executor_create. */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_pool_create(
    const cora_process_pool_options *options, cora_multiprocessing_pool **ret);

/* apply(): fn(arg) in one of the processes. Its outcome. */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_pool_apply(cora_multiprocessing_pool *pool,
                                                             cora_job *fn, void *arg);

/*
 * apply_async(): the same, without waiting. *ret is a reference to its future (AsyncResult). `arg`
 * must stay valid until that is done. 0.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_pool_apply_async(cora_multiprocessing_pool *pool,
                                                                   cora_job *fn, void *arg,
                                                                   cora_concurrent_future **ret);

/*
 * map(): fn of each of `count` items of `size` bytes; `chunksize` of them a job, 0: four jobs for
 * each process, as in Python. results[i] (NULL: not wanted) is what it returned for the i-th. 0;
 * the first error in the items' order; as cora_executor_map.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_pool_map(cora_multiprocessing_pool *pool,
                                                           cora_job *fn, void *items, size_t size,
                                                           size_t count, size_t chunksize,
                                                           int results[]);

/*
 * map_async(): the same, each item a job, without waiting. *ret is a reference to a future of all:
 * 0 when all are done, or the error of the first that has failed, which does not keep the others
 * from being done. `items` and `results` must stay valid until then. It cannot be cancelled. 0.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_pool_map_async(cora_multiprocessing_pool *pool,
                                                                 cora_job *fn, void *items,
                                                                 size_t size, size_t count,
                                                                 int results[],
                                                                 cora_concurrent_future **ret);

/* ---- imap ---------------------------------------------------------------------------------- */

/*
 * imap(), imap_unordered(): fn of each item, all handed in at once, and the outcomes one by one, in
 * the items' order or as they come.
 *
 *     rc = cora_multiprocessing_pool_imap(&each, pool, render, pages, sizeof pages[0], count);
 *     while (rc == 0 && (rc = cora_multiprocessing_imap_next(&each, INFINITY, &page, &result)) ==
 * 0)
 *         ...
 *     cora_multiprocessing_imap_stop(&each);    // -CORA_ESTOPITERATION in rc: all were seen
 *
 * (cora_executor_map_iterator_start makes the items one by one, too.) For one thread. Storage of
 * the caller's. Its members are private.
 */
typedef struct cora_multiprocessing_imap {
    void *iteration_;
} cora_multiprocessing_imap;

/* 0; else nothing is being done, and stop does nothing. The items must stay valid until that. */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_pool_imap(cora_multiprocessing_imap *each,
                                                            cora_multiprocessing_pool *pool,
                                                            cora_job *fn, void *items, size_t size,
                                                            size_t count);
CORA_API CORA_MUST_CHECK int cora_multiprocessing_pool_imap_unordered(
    cora_multiprocessing_imap *each, cora_multiprocessing_pool *pool, cora_job *fn, void *items,
    size_t size, size_t count);

/*
 * next(): blocks until the next one is done, for at most `timeout` seconds (INFINITY: for any time;
 * 0 or less: not at all). 0; *ret_item is where it lies, and *ret_result what fn returned, or why
 * it did not. -CORA_ESTOPITERATION: there are no more; -ETIMEDOUT; -EINVAL for NaN.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_imap_next(cora_multiprocessing_imap *each,
                                                            double timeout, void **ret_item,
                                                            int *ret_result);

/* Ends it, early or not: cancels what has not begun, and blocks until the rest is done. */
CORA_API void cora_multiprocessing_imap_stop(cora_multiprocessing_imap *each);

/* ---- the end ------------------------------------------------------------------------------- */

/* close(): takes no more jobs; the processes end when they have done those that there are. */
CORA_API void cora_multiprocessing_pool_close(cora_multiprocessing_pool *pool);

/*
 * terminate(): kills the processes. What has not begun is cancelled, what they do fails with
 * -CORA_EBROKENEXECUTOR. 0; as cora_process_pool_executor_terminate_workers.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_pool_terminate(cora_multiprocessing_pool *pool);

/* join(): blocks until all of them have ended. 0; -CORA_EINVALIDSTATE before close and terminate.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_pool_join(cora_multiprocessing_pool *pool);

/* Closes it, waits, and frees it. NULL is accepted. */
CORA_API void cora_multiprocessing_pool_free(cora_multiprocessing_pool *pool);

CORA_END_DECLS

#endif
