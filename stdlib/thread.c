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
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct job {
    struct job *next, **link; /* in the pool's queue; link: NULL in none */
    int (*fn)(void *arg);
    void (*cleanup)(void *arg); /* of what nobody will get; NULL: there is nothing to be done */
    cora_context *context;
    struct pool *pool;
    unsigned forks;      /* as the pool's, when it was submitted */
    cora_waiter *waiter; /* NULL once its task has gone away; the loop's side only */
    cora_trigger done;
    bool ended; /* and the loop has heard of it */
    int result;
    char args[] __attribute__((aligned(16)));
};

/*
 * Whether a worker spins before it sleeps. After a spin in vain it does not for a while, and for
 * longer each time: where spinning does not pay it is tried once in 64 times.
 */
struct spin {
    bool may_pay; /* there is another processor for the loop */
    int rests;    /* how often it will sleep at once */
    int penalty;  /* how often it had to, after the last spin */
};

/*
 * Where a job is queued and a worker idle, one is coming: it is awake and will look at the queue.
 * When it takes a job and leaves others it calls the next. So of many jobs at once only the first
 * costs the loop a system call, and where they are short no more workers wake than there is work
 * for.
 */
struct pool {
    cora_loop *loop;
    unsigned forks; /* when its threads were started: a forked child has none of them */
    int in_flight;  /* jobs, for which the loop is held; its side only */
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct job *first, **last; /* waiting for a worker */
    atomic_int queued;         /* how many; it changes under the lock */
    int threads, idle, most;
    bool coming; /* an idle one: it was called, or it spins */
    bool closing;
    struct spin spin;
    pthread_t thread[]; /* `most` of them, `threads` started */
};

/* ---- spinning ------------------------------------------------------------------------------ */

enum {
    LONGEST_SPIN = 20000, /* nanoseconds: as long as a loop takes to wake up and submit again */
    LOOKS = 32,           /* at the queue, between readings of the clock */
    MOST_RESTS = 63,
};

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Leaves the core to its other thread for a moment. */
static void pause_cpu(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Whether a job came. */
static bool spin(struct pool *pool)
{
    int64_t end = now_ns() + LONGEST_SPIN;

    do {
        for (int i = 0; i < LOOKS; i++) {
            if (atomic_load_explicit(&pool->queued, memory_order_relaxed) > 0)
                return true;
            pause_cpu();
        }
    } while (now_ns() < end);
    return false;
}

static bool should_spin(struct spin *spin)
{
    return spin->may_pay && spin->rests-- <= 0;
}

static void learn(struct spin *spin, bool found)
{
    if (found)
        spin->penalty = 0;
    else if (spin->penalty < MOST_RESTS)
        spin->penalty = 2 * spin->penalty + 1;
    spin->rests = spin->penalty;
}

/* ---- the workers --------------------------------------------------------------------------- */

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

static void run_job(struct job *job)
{
    job->result = cora_context_run(job->context, job->fn, job->args);
    if (cora_trigger_fire(&job->done) < 0)
        drop_job(job);
}

/* Takes it out of the queue. The lock is held. */
static void take(struct pool *pool, struct job *job)
{
    pool->queued--;
    *job->link = job->next;
    if (job->next != NULL)
        job->next->link = job->link;
    else
        pool->last = job->link;
    job->link = NULL;
}

/*
 * Lets the lock go and calls a worker, if one must come. In this order: one that is awake before
 * the lock is free must sleep again.
 */
static void unlock_and_call(struct pool *pool)
{
    bool call = pool->first != NULL && pool->idle > 0 && !pool->coming;

    if (call)
        pool->coming = true;
    pthread_mutex_unlock(&pool->lock);
    if (call)
        pthread_cond_signal(&pool->work);
}

/*
 * An idle worker waits: one spins if none is coming yet, the others sleep. Awake again it must look
 * at the queue before it lets the lock go, for nobody is coming any more.
 */
static void wait_for_work(struct pool *pool)
{
    if (!pool->coming && should_spin(&pool->spin)) {
        pool->coming = true;
        pthread_mutex_unlock(&pool->lock);

        bool found = spin(pool);

        pthread_mutex_lock(&pool->lock);
        learn(&pool->spin, found);
    } else {
        pthread_cond_wait(&pool->work, &pool->lock);
    }
    pool->coming = false;
}

static struct job *next_job(struct pool *pool)
{
    struct job *job;

    pool->idle++;
    while (pool->first == NULL && !pool->closing)
        wait_for_work(pool);
    pool->idle--;
    job = pool->first;
    if (job != NULL)
        take(pool, job);
    return job;
}

static void *work(void *arg)
{
    struct pool *pool = arg;
    struct job *job;

    pthread_mutex_lock(&pool->lock);
    while ((job = next_job(pool)) != NULL) {
        unlock_and_call(pool);
        run_job(job);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/*
 * No signal is blocked in it: a fault in a job must get to its handler, and a program that a job
 * starts inherits the mask. The loop's own handlers may run in any thread.
 */
static int start_worker(struct pool *pool)
{
    int error = pthread_create(&pool->thread[pool->threads], NULL, work, pool);

    if (error == 0)
        pool->threads++;
    return -error;
}

/* ---- forks --------------------------------------------------------------------------------- */

/* Counted in the child. (To compare process ids would be a system call each.) */
static unsigned forks;
static pthread_once_t forks_once = PTHREAD_ONCE_INIT;

static void count_fork(void)
{
    forks++;
}

static void count_forks(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

/* ---- the pool ------------------------------------------------------------------------------ */

/* An empty pool without threads, of this process. */
static void init_pool(struct pool *pool)
{
    pool->forks = forks;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pool->first = NULL;
    pool->last = &pool->first;
    atomic_store(&pool->queued, 0);
    pool->threads = pool->idle = 0;
    pool->coming = pool->closing = false;
}

/* One hold is enough for all jobs. */
static void begin_job(struct pool *pool)
{
    if (pool->in_flight++ == 0)
        cora_loop_hold(pool->loop);
}

/* A job of the parent's is none of a forked child's: all of them are forgotten at once. */
static void end_job(struct job *job)
{
    if (job->forks == forks && --job->pool->in_flight == 0)
        cora_loop_release(job->pool->loop);
}

static void forget_jobs(struct pool *pool)
{
    if (pool->in_flight > 0)
        cora_loop_release(pool->loop);
    pool->in_flight = 0;
}

static void end_workers(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->threads; i++)
        pthread_join(pool->thread[i], NULL);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
}

static bool is_ours(const struct pool *pool)
{
    return pool->forks == forks;
}

static bool is_busy(void *arg)
{
    struct pool *pool = arg;

    return pool->in_flight > 0 && is_ours(pool);
}

/* Waits for the jobs that have been taken in, as executor.shutdown(wait=True) does. */
static void close_pool(void *arg)
{
    struct pool *pool = arg;

    if (is_ours(pool))
        end_workers(pool);
    forget_jobs(pool);
    free(pool);
}

static const cora_attachment_kind pool_kind = {is_busy, close_pool};

static struct pool *create_pool(cora_loop *loop)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int most = cpus > 0 && cpus + 4 < 32 ? (int)cpus + 4 : 32;
    struct pool *pool = calloc(1, sizeof *pool + (size_t)most * sizeof pool->thread[0]);

    if (pool == NULL)
        return NULL;
    if (cora_loop_attach(loop, &pool_kind, pool) < 0) {
        free(pool);
        return NULL;
    }
    pthread_once(&forks_once, count_forks);
    pool->loop = loop;
    pool->most = most;
    pool->spin.may_pay = cpus > 1;
    init_pool(pool);
    return pool;
}

static struct pool *pool_of(cora_loop *loop)
{
    struct pool *pool = cora_loop_attached(loop, &pool_kind);

    if (pool == NULL)
        return create_pool(loop);
    if (!is_ours(pool)) { /* its lock too may be held by a thread that is not there */
        forget_jobs(pool);
        init_pool(pool);
    }
    return pool;
}

/* Of the workers: with fewer than hoped for a job will run, without any it will not. */
static int see_to_workers(struct pool *pool)
{
    int rc = 0;

    /* An idle worker that was woken for a job, and has not come round to take it, is not free. */
    if (pool->idle <= pool->queued && pool->threads < pool->most)
        rc = start_worker(pool);
    return pool->threads > 0 ? 0 : rc;
}

static int submit(struct pool *pool, struct job *job)
{
    int rc;

    pthread_mutex_lock(&pool->lock);
    rc = see_to_workers(pool);
    if (rc == 0) {
        begin_job(pool);
        pool->queued++;
        job->link = pool->last;
        *pool->last = job;
        pool->last = &job->next;
    }
    unlock_and_call(pool);
    return rc;
}

/* Takes a job back that no worker has taken yet. */
static bool withdraw(struct pool *pool, struct job *job)
{
    bool queued;

    pthread_mutex_lock(&pool->lock);
    queued = job->link != NULL;
    if (queued)
        take(pool, job);
    pthread_mutex_unlock(&pool->lock);
    return queued;
}

/* ---- the loop's side ----------------------------------------------------------------------- */

static void on_done(void *arg)
{
    struct job *job = arg;

    end_job(job);
    job->ended = true;
    if (job->waiter != NULL)
        cora_waiter_wake(job->waiter);
    else
        drop_job(job);
}

static struct job *create_job(struct pool *pool, int (*fn)(void *arg), const void *args,
                              size_t size, void (*cleanup)(void *arg))
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
    job->pool = pool;
    job->forks = pool->forks;
    cora_trigger_init(&job->done, pool->loop, on_done, drop_job, job);
    if (size > 0)
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
        drop_job(job);
    } else if (job->forks == forks && withdraw(pool, job)) {
        end_job(job);
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
    cora_waiter waiter;
    struct pool *pool;
    struct job *job;
    int rc;

    if (cora_current_task() == NULL)
        return -CORA_ENOTASK;
    pool = pool_of(cora_get_running_loop());
    job = pool != NULL ? create_job(pool, fn, args, size, cleanup) : NULL;
    if (job == NULL)
        return -ENOMEM;
    cora_waiter_init(&waiter, "a job in a thread,", job);
    job->waiter = &waiter;
    rc = submit(pool, job);
    if (rc < 0) {
        free_job(job);
        return rc;
    }
    rc = cora_waiter_wait(&waiter);
    if (rc < 0) {
        leave(pool, job);
        return rc;
    }
    return take_result(job, args, size);
}
