/*
 * pool.c: Pool, on the executor of processes. What it adds is waiting for many jobs: each has a
 * callback of its own, in memory that is there before the job is, so that nothing fails later.
 */
#include <cora/multiprocessing/pool.h>

#include "concurrent.h"
#include "deadline.h"

#include <cora/error.h>
#include <cora/multiprocessing/process.h>

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

struct cora_multiprocessing_pool {
    cora_executor *executor;
    int processes;
    bool closed;
};

/* ---- life ---------------------------------------------------------------------------------- */

int cora_multiprocessing_pool_create(const cora_process_pool_options *options,
                                     cora_multiprocessing_pool **ret)
{
    cora_multiprocessing_pool *pool = calloc(1, sizeof *pool);
    int rc = pool != NULL ? cora_process_pool_executor_create(options, &pool->executor) : -ENOMEM;

    if (rc < 0) {
        free(pool);
        return rc;
    }
    pool->processes =
        options->max_workers > 0 ? options->max_workers : cora_multiprocessing_cpu_count();
    *ret = pool;
    return 0;
}

void cora_multiprocessing_pool_close(cora_multiprocessing_pool *pool)
{
    pool->closed = true;
    cora_executor_shutdown(pool->executor, false, false);
}

int cora_multiprocessing_pool_terminate(cora_multiprocessing_pool *pool)
{
    pool->closed = true;
    return cora_process_pool_executor_terminate_workers(pool->executor);
}

int cora_multiprocessing_pool_join(cora_multiprocessing_pool *pool)
{
    if (!pool->closed)
        return -CORA_EINVALIDSTATE;
    cora_executor_shutdown(pool->executor, true, false);
    return 0;
}

void cora_multiprocessing_pool_free(cora_multiprocessing_pool *pool)
{
    if (pool == NULL)
        return;
    cora_executor_free(pool->executor);
    free(pool);
}

/* ---- apply, map ---------------------------------------------------------------------------- */

int cora_multiprocessing_pool_apply_async(cora_multiprocessing_pool *pool, cora_job *fn, void *arg,
                                          cora_concurrent_future **ret)
{
    return cora_executor_submit(pool->executor, fn, arg, ret);
}

int cora_multiprocessing_pool_apply(cora_multiprocessing_pool *pool, cora_job *fn, void *arg)
{
    cora_concurrent_future *future;
    int rc = cora_executor_submit(pool->executor, fn, arg, &future);

    if (rc < 0)
        return rc;
    rc = cora_concurrent_future_result(future, INFINITY);
    cora_concurrent_future_unref(future);
    return rc;
}

int cora_multiprocessing_pool_map(cora_multiprocessing_pool *pool, cora_job *fn, void *items,
                                  size_t size, size_t count, size_t chunksize, int results[])
{
    size_t jobs = 4 * (size_t)pool->processes;

    if (chunksize == 0)
        chunksize = count / jobs + (count % jobs > 0 ? 1 : 0);
    return cora_executor_map(pool->executor, fn, items, size, count, chunksize, INFINITY, results);
}

/* ---- many jobs ----------------------------------------------------------------------------- */

/* One of them. */
struct place {
    struct cora__concurrent_callback callback;
    struct batch *batch;
    cora_concurrent_future *future;
    int result;
    bool arrived;       /* it is done, and its callback has been called */
    struct place *next; /* of those that have arrived and were not taken */
};

struct batch {
    pthread_mutex_t lock;
    pthread_cond_t arrival;
    char *items;
    size_t size, count, arrived, taken;
    size_t left; /* of those who have not arrived, and of who hands them in */
    bool ordered;
    struct place *first, **last; /* in the order in which they arrived */
    cora_concurrent_future *all; /* of map_async, where nobody else frees it; else NULL */
    int *results;
    struct place places[];
};

static struct batch *create_batch(void *items, size_t size, size_t count)
{
    struct batch *batch = NULL;
    size_t bytes;

    if (!__builtin_mul_overflow(count, sizeof batch->places[0], &bytes) &&
        !__builtin_add_overflow(bytes, sizeof *batch, &bytes))
        batch = calloc(1, bytes);
    if (batch == NULL)
        return NULL;
    pthread_mutex_init(&batch->lock, NULL);
    cora__cond_init(&batch->arrival);
    batch->items = items;
    batch->size = size;
    batch->count = count;
    batch->left = count + 1;
    batch->last = &batch->first;
    return batch;
}

static void free_batch(struct batch *batch)
{
    if (batch == NULL)
        return;
    for (size_t i = 0; i < batch->count; i++)
        cora_concurrent_future_unref(batch->places[i].future);
    pthread_cond_destroy(&batch->arrival);
    pthread_mutex_destroy(&batch->lock);
    free(batch);
}

/* Of map_async: the outcome of all. */
static void complete(struct batch *batch)
{
    cora_concurrent_future *all = batch->all;
    int first = 0;

    for (size_t i = 0; i < batch->count; i++) {
        int result = batch->places[i].result;

        if (batch->results != NULL)
            batch->results[i] = result;
        if (first == 0 && result < 0)
            first = result;
    }
    free_batch(batch);
    (void)!(first < 0 ? cora_concurrent_future_set_exception(all, first)
                      : cora_concurrent_future_set_result(all, 0, NULL));
    cora_concurrent_future_unref(all);
}

/* The lock is held, and open when this returns. */
static void count_one(struct batch *batch)
{
    bool completes = --batch->left == 0 && batch->all != NULL;

    pthread_mutex_unlock(&batch->lock);
    if (completes)
        complete(batch);
}

static void arrive(struct cora__concurrent_callback *callback, cora_concurrent_future *future)
{
    struct place *place = (struct place *)callback;
    struct batch *batch = place->batch;

    pthread_mutex_lock(&batch->lock);
    place->result = cora_concurrent_future_result(future, 0);
    place->arrived = true;
    *batch->last = place;
    batch->last = &place->next;
    batch->arrived++;
    pthread_cond_broadcast(&batch->arrival);
    count_one(batch);
}

/* (What is pending when it is freed is completed first.) */
static void drop(struct cora__concurrent_callback *callback)
{
    (void)callback;
}

static void cancel(struct batch *batch, size_t count)
{
    while (count-- > 0)
        cora_concurrent_future_cancel(batch->places[count].future);
}

static void wait_for_all(struct batch *batch, size_t count)
{
    pthread_mutex_lock(&batch->lock);
    while (batch->arrived < count)
        pthread_cond_wait(&batch->arrival, &batch->lock);
    pthread_mutex_unlock(&batch->lock);
}

/*
 * All of them or none: what has begun before one is refused is waited for. Then map_async's batch
 * is no longer the caller's.
 */
static int submit_all(cora_multiprocessing_pool *pool, cora_job *fn, struct batch *batch)
{
    size_t submitted = 0;
    int rc = 0;

    while (submitted < batch->count && rc == 0) {
        struct place *place = &batch->places[submitted];

        place->batch = batch;
        place->callback.run = arrive;
        place->callback.drop = drop;
        rc = cora_executor_submit(pool->executor, fn, batch->items + submitted * batch->size,
                                  &place->future);
        if (rc == 0) {
            cora__concurrent_future_add_callback(place->future, &place->callback);
            submitted++;
        }
    }
    if (rc < 0) {
        cancel(batch, submitted);
        wait_for_all(batch, submitted);
    } else {
        pthread_mutex_lock(&batch->lock);
        count_one(batch);
    }
    return rc;
}

int cora_multiprocessing_pool_map_async(cora_multiprocessing_pool *pool, cora_job *fn, void *items,
                                        size_t size, size_t count, int results[],
                                        cora_concurrent_future **ret)
{
    struct batch *batch = create_batch(items, size, count);
    cora_concurrent_future *all = cora_concurrent_future_create();
    int rc = -ENOMEM;

    if (batch != NULL && all != NULL) {
        batch->results = results;
        batch->all = cora_concurrent_future_ref(all);
        (void)!cora_concurrent_future_set_running_or_notify_cancel(all);
        rc = submit_all(pool, fn, batch);
        if (rc < 0)
            cora_concurrent_future_unref(all);
    }
    if (rc < 0) {
        cora_concurrent_future_unref(all);
        free_batch(batch);
    } else {
        *ret = all;
    }
    return rc;
}

/* ---- imap ---------------------------------------------------------------------------------- */

static int start(cora_multiprocessing_imap *each, cora_multiprocessing_pool *pool, cora_job *fn,
                 struct batch *batch)
{
    int rc = batch != NULL ? submit_all(pool, fn, batch) : -ENOMEM;

    if (rc < 0)
        free_batch(batch);
    each->iteration_ = rc < 0 ? NULL : batch;
    return rc;
}

int cora_multiprocessing_pool_imap(cora_multiprocessing_imap *each, cora_multiprocessing_pool *pool,
                                   cora_job *fn, void *items, size_t size, size_t count)
{
    struct batch *batch = create_batch(items, size, count);

    if (batch != NULL)
        batch->ordered = true;
    return start(each, pool, fn, batch);
}

int cora_multiprocessing_pool_imap_unordered(cora_multiprocessing_imap *each,
                                             cora_multiprocessing_pool *pool, cora_job *fn,
                                             void *items, size_t size, size_t count)
{
    return start(each, pool, fn, create_batch(items, size, count));
}

/* The next one, if it has arrived. The lock is held. */
static struct place *next_place(struct batch *batch)
{
    struct place *place = batch->ordered ? &batch->places[batch->taken] : batch->first;

    return place != NULL && place->arrived ? place : NULL;
}

static void take_first(struct batch *batch)
{
    batch->first = batch->first->next;
    if (batch->first == NULL)
        batch->last = &batch->first;
}

int cora_multiprocessing_imap_next(cora_multiprocessing_imap *each, double timeout, void **ret_item,
                                   int *ret_result)
{
    struct batch *batch = each->iteration_;
    struct place *place;
    double deadline;
    int rc = 0;

    if (isnan(timeout))
        return -EINVAL;
    if (batch->taken == batch->count)
        return -CORA_ESTOPITERATION;
    deadline = cora__deadline(timeout);
    pthread_mutex_lock(&batch->lock);
    while ((place = next_place(batch)) == NULL && rc == 0)
        rc = cora__cond_wait(&batch->arrival, &batch->lock, deadline);
    if (place != NULL) {
        batch->taken++;
        if (!batch->ordered)
            take_first(batch);
        *ret_item = batch->items + (size_t)(place - batch->places) * batch->size;
        *ret_result = place->result;
        rc = 0;
    }
    pthread_mutex_unlock(&batch->lock);
    return rc;
}

void cora_multiprocessing_imap_stop(cora_multiprocessing_imap *each)
{
    struct batch *batch = each->iteration_;

    if (batch == NULL)
        return;
    cancel(batch, batch->count);
    wait_for_all(batch, batch->count);
    free_batch(batch);
}
