/*
 * thread.c: to_thread and the pool behind it.
 *
 * A job is one allocation that outlives its waiter: it goes from the loop to the pool's queue, to a
 * worker, and back to the loop by a trigger; the loop frees it. Its state decides, under the pool's
 * lock, the race between a worker that takes it and a waiter that is cancelled.
 */
#include <cora/thread.h>

#include <cora/waiter.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct job {
    struct job *next;
    int (*fn)(void *arg);
    cora_context *context;
    cora_loop *loop;
    cora_waiter *waiter; /* NULL once its task has gone away; the loop's side only */
    cora_trigger done;
    bool ended; /* and the loop has heard of it */
    int result;
    char args[] __attribute__((aligned(16)));
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct job *first, **last; /* waiting for a worker */
    int threads, idle, queued, most;
    bool closing;
    pthread_t thread[]; /* `most` of them, `threads` started */
};

/* ---- the workers --------------------------------------------------------------------------- */

static void free_job(struct job *job)
{
    cora_context_unref(job->context);
    free(job);
}

static void drop_job(void *arg)
{
    free_job(arg);
}

static void run_job(struct job *job)
{
    job->result = cora_context_run(job->context, job->fn, job->args);
    if (cora_trigger_fire(&job->done) < 0)
        free_job(job); /* the loop was closed: nobody waits */
}

static struct job *next_job(struct pool *pool)
{
    struct job *job;

    pool->idle++;
    while (pool->first == NULL && !pool->closing)
        pthread_cond_wait(&pool->work, &pool->lock);
    pool->idle--;
    job = pool->first;
    if (job != NULL) {
        pool->queued--;
        pool->first = job->next;
        if (pool->first == NULL)
            pool->last = &pool->first;
    }
    return job;
}

static void *work(void *arg)
{
    struct pool *pool = arg;
    struct job *job;

    pthread_mutex_lock(&pool->lock);
    while ((job = next_job(pool)) != NULL) {
        pthread_mutex_unlock(&pool->lock);
        run_job(job);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Signals are the business of the program's own threads. */
static int start_worker(struct pool *pool)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&pool->thread[pool->threads], NULL, work, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        pool->threads++;
    return -error;
}

/* ---- the pool ------------------------------------------------------------------------------ */

/* Waits for the jobs that have been taken in, as executor.shutdown(wait=True) does. */
static void shutdown_pool(void *executor)
{
    struct pool *pool = executor;

    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->threads; i++)
        pthread_join(pool->thread[i], NULL);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static struct pool *pool_of(cora_loop *loop)
{
    struct pool *pool = cora_loop_get_default_executor(loop);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int most = cpus > 0 && cpus + 4 < 32 ? (int)cpus + 4 : 32;

    if (pool != NULL)
        return pool;
    pool = calloc(1, sizeof *pool + (size_t)most * sizeof pool->thread[0]);
    if (pool == NULL)
        return NULL;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pool->last = &pool->first;
    pool->most = most;
    cora_loop_set_default_executor(loop, pool, shutdown_pool);
    return pool;
}

static int submit(struct pool *pool, struct job *job)
{
    int rc = 0;

    pthread_mutex_lock(&pool->lock);
    /* An idle worker that was woken for a job, and has not come round to take it, is not free. */
    if (pool->idle <= pool->queued && pool->threads < pool->most)
        rc = start_worker(pool);
    if (pool->threads > 0)
        rc = 0; /* with fewer workers than hoped for, but it will run */
    if (rc == 0) {
        pool->queued++;
        *pool->last = job;
        pool->last = &job->next;
        pthread_cond_signal(&pool->work);
    }
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

/* Takes a job back that no worker has taken yet. */
static bool withdraw(struct pool *pool, struct job *job)
{
    struct job **link = &pool->first;

    pthread_mutex_lock(&pool->lock);
    while (*link != NULL && *link != job)
        link = &(*link)->next;

    bool found = *link != NULL;

    if (found) {
        pool->queued--;
        *link = job->next;
        if (pool->last == &job->next)
            pool->last = link;
    }
    pthread_mutex_unlock(&pool->lock);
    return found;
}

/* ---- the loop's side ----------------------------------------------------------------------- */

static void on_done(void *arg)
{
    struct job *job = arg;

    cora_loop_release(job->loop);
    job->ended = true;
    if (job->waiter != NULL)
        cora_waiter_wake(job->waiter);
    else
        free_job(job);
}

static struct job *create_job(cora_loop *loop, int (*fn)(void *arg), const void *args, size_t size)
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
    job->loop = loop;
    cora_trigger_init(&job->done, loop, on_done, drop_job, job);
    memcpy(job->args, args, size);
    return job;
}

/*
 * Cancelled: the job has ended meanwhile, whether its waiter could still be woken or not; or it is
 * taken back; or it goes on without a waiter.
 */
static void leave(struct pool *pool, struct job *job)
{
    if (job->ended) {
        free_job(job);
    } else if (withdraw(pool, job)) {
        cora_loop_release(job->loop);
        free_job(job);
    } else {
        job->waiter = NULL;
    }
}

int cora_to_thread_copy(int (*fn)(void *arg), void *args, size_t size)
{
    cora_loop *loop = cora_get_running_loop();
    cora_waiter waiter;
    struct pool *pool;
    struct job *job;
    int rc;

    if (cora_current_task() == NULL)
        return -CORA_ENOTASK;
    pool = pool_of(loop);
    job = pool != NULL ? create_job(loop, fn, args, size) : NULL;
    if (job == NULL)
        return -ENOMEM;
    cora_waiter_init(&waiter, "a job in a thread,", job);
    job->waiter = &waiter;
    cora_loop_hold(loop);
    rc = submit(pool, job);
    if (rc < 0) {
        cora_loop_release(loop);
        free_job(job);
        return rc;
    }
    rc = cora_waiter_wait(&waiter);
    if (rc < 0) {
        leave(pool, job);
        return rc;
    }
    memcpy(args, job->args, size);
    rc = job->result;
    free_job(job);
    return rc;
}
