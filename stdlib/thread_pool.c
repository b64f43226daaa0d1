/*
 * thread_pool.c: the workers, and how they are woken as rarely as can be.
 */
#include "thread_pool.h"

#include "at_exit.h"

#include <cora/error.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

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
 * costs its submitter a system call, and where they are short no more workers wake than there is
 * work for.
 */
struct cora__thread_pool {
    unsigned forks; /* when its threads were started */
    bool (*begin)(void *arg, int number);
    void *arg;
    struct cora__at_exit at_exit;
    pthread_mutex_t joining; /* held, before `lock`, by who waits for the threads' end */
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct cora__pool_job *first, **last; /* waiting for a worker */
    atomic_int queued;                    /* how many; it changes under the lock */
    int threads, idle, most;
    int begun;    /* numbers that were given to threads */
    bool coming;  /* an idle one: it was called, or it spins */
    bool closing; /* takes no more jobs */
    struct spin spin;
    pthread_t thread[]; /* `most` of them, `threads` started and not joined */
};

/* Whose worker this thread is. */
static _Thread_local struct cora__thread_pool *own;

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
static bool spin(struct cora__thread_pool *pool)
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

/* Takes it out of the queue. The lock is held. */
static void take(struct cora__thread_pool *pool, struct cora__pool_job *job)
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
static void unlock_and_call(struct cora__thread_pool *pool)
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
static void wait_for_work(struct cora__thread_pool *pool)
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

static struct cora__pool_job *next_job(struct cora__thread_pool *pool)
{
    struct cora__pool_job *job;

    pool->idle++;
    while (pool->first == NULL && !pool->closing)
        wait_for_work(pool);
    pool->idle--;
    job = pool->first;
    if (job != NULL)
        take(pool, job);
    return job;
}

static bool begin_thread(struct cora__thread_pool *pool)
{
    int number;

    if (pool->begin == NULL)
        return true;
    pthread_mutex_lock(&pool->lock);
    number = pool->begun++;
    pthread_mutex_unlock(&pool->lock);
    return pool->begin(pool->arg, number);
}

static void *work(void *arg)
{
    struct cora__thread_pool *pool = arg;
    struct cora__pool_job *job;

    own = pool;
    cora__at_exit_is_not_for_this_thread();
    if (!begin_thread(pool))
        return NULL;
    pthread_mutex_lock(&pool->lock);
    while ((job = next_job(pool)) != NULL) {
        unlock_and_call(pool);
        job->run(job);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* ---- threads ------------------------------------------------------------------------------- */

static void join(void *arg)
{
    cora__thread_pool_join(arg);
}

/*
 * No signal is blocked in it: a fault in a job must get to its handler, and a program that a job
 * starts inherits the mask. The loop's own handlers may run in any thread.
 */
static int start_worker(struct cora__thread_pool *pool)
{
    int error = pthread_create(&pool->thread[pool->threads], NULL, work, pool);

    if (error == 0 && pool->threads++ == 0)
        cora__at_exit_add(&pool->at_exit, join, pool);
    return -error;
}

/* ---- forks --------------------------------------------------------------------------------- */

/* Counted in the child. (To compare process ids would be a system call each.) */
static unsigned forks;
static pthread_once_t forks_once = PTHREAD_ONCE_INIT;

static void count_fork(void)
{
    forks++;
    own = NULL;
}

static void count_forks(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

unsigned cora__forks(void)
{
    pthread_once(&forks_once, count_forks);
    return forks;
}

/* ---- the pool ------------------------------------------------------------------------------ */

void cora__thread_pool_renew(struct cora__thread_pool *pool)
{
    pool->forks = cora__forks();
    pool->at_exit = (struct cora__at_exit){.finish = NULL};
    pthread_mutex_init(&pool->joining, NULL);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pool->first = NULL;
    pool->last = &pool->first;
    atomic_store(&pool->queued, 0);
    pool->threads = pool->idle = pool->begun = 0;
    pool->coming = pool->closing = false;
}

int cora__processors(void)
{
    long count;
#ifdef __linux__
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
#endif
    count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (int)count : 1;
}

int cora__thread_pool_default_size(void)
{
    int cpus = cora__processors();

    return cpus + 4 < 32 ? cpus + 4 : 32;
}

struct cora__thread_pool *cora__thread_pool_create(int most, bool (*begin)(void *arg, int number),
                                                   void *arg)
{
    struct cora__thread_pool *pool =
        calloc(1, sizeof *pool + (size_t)most * sizeof pool->thread[0]);

    if (pool == NULL)
        return NULL;
    pool->begin = begin;
    pool->arg = arg;
    pool->most = most;
    pool->spin.may_pay = cora__processors() > 1;
    cora__thread_pool_renew(pool);
    return pool;
}

bool cora__thread_pool_is_ours(const struct cora__thread_pool *pool)
{
    return pool->forks == forks;
}

void cora__thread_pool_close(struct cora__thread_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

void cora__thread_pool_join(struct cora__thread_pool *pool)
{
    cora__thread_pool_close(pool);
    if (own == pool)
        return;
    pthread_mutex_lock(&pool->joining);
    while (pool->threads > 0) /* closed: nobody starts any, or asks how many there are */
        pthread_join(pool->thread[--pool->threads], NULL);
    pthread_mutex_unlock(&pool->joining);
}

void cora__thread_pool_free(struct cora__thread_pool *pool)
{
    if (pool != NULL && cora__thread_pool_is_ours(pool)) {
        cora__thread_pool_join(pool);
        cora__at_exit_remove(&pool->at_exit);
        pthread_cond_destroy(&pool->work);
        pthread_mutex_destroy(&pool->lock);
        pthread_mutex_destroy(&pool->joining);
    }
    free(pool);
}

/* ---- jobs ---------------------------------------------------------------------------------- */

/* Of the workers: with fewer than hoped for a job will run, without any it will not. */
static int see_to_workers(struct cora__thread_pool *pool)
{
    int rc = 0;

    /* An idle worker that was woken for a job, and has not come round to take it, is not free. */
    if (pool->idle <= pool->queued && pool->threads < pool->most)
        rc = start_worker(pool);
    return pool->threads > 0 ? 0 : rc;
}

int cora__thread_pool_submit(struct cora__thread_pool *pool, struct cora__pool_job *job)
{
    int rc;

    pthread_mutex_lock(&pool->lock);
    rc = pool->closing ? -CORA_EEXECUTORSHUTDOWN : see_to_workers(pool);
    if (rc == 0) {
        pool->queued++;
        job->next = NULL;
        job->link = pool->last;
        *pool->last = job;
        pool->last = &job->next;
    }
    unlock_and_call(pool);
    return rc;
}

bool cora__thread_pool_withdraw(struct cora__thread_pool *pool, struct cora__pool_job *job)
{
    bool queued;

    pthread_mutex_lock(&pool->lock);
    queued = job->link != NULL;
    if (queued)
        take(pool, job);
    pthread_mutex_unlock(&pool->lock);
    return queued;
}

struct cora__pool_job *cora__thread_pool_withdraw_next(struct cora__thread_pool *pool)
{
    struct cora__pool_job *job;

    pthread_mutex_lock(&pool->lock);
    job = pool->first;
    if (job != NULL)
        take(pool, job);
    pthread_mutex_unlock(&pool->lock);
    return job;
}
