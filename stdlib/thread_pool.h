/*
 * thread_pool.h: threads that take jobs from one queue, first come, first served.
 *
 * A job is its user's memory, which is not touched any more once `run` has been called. Threads are
 * started when there is a job and no idle one, and stay. All calls may be made from any thread,
 * unless they say otherwise.
 */
#ifndef CORA_STDLIB_THREAD_POOL_H
#define CORA_STDLIB_THREAD_POOL_H

#include <stdbool.h>

struct cora__thread_pool;

struct cora__pool_job {
    struct cora__pool_job *next, **link; /* in the queue; link: NULL in none */
    void (*run)(struct cora__pool_job *job);
};

/*
 * `most` threads; each calls begin(arg, n) first, n counting from 0, and ends where that says
 * false. NULL without memory.
 */
struct cora__thread_pool *cora__thread_pool_create(int most, bool (*begin)(void *arg, int number),
                                                   void *arg);

/* Those that this process may use. */
int cora__processors(void);

/* As many as asyncio's default: the processors that we may use and 4 more, and no more than 32. */
int cora__thread_pool_default_size(void);

/* 0; -EAGAIN where no thread can be started for it; -CORA_EEXECUTORSHUTDOWN once it is closing. */
int cora__thread_pool_submit(struct cora__thread_pool *pool, struct cora__pool_job *job);

/* Takes back a job, which was submitted, and which no thread has taken yet. Whether it could. */
bool cora__thread_pool_withdraw(struct cora__thread_pool *pool, struct cora__pool_job *job);

/* The same with whichever is next; NULL: there is none. */
struct cora__pool_job *cora__thread_pool_withdraw_next(struct cora__thread_pool *pool);

/* No more jobs are taken in; the threads end when the queue is empty. Idempotent. */
void cora__thread_pool_close(struct cora__thread_pool *pool);

/*
 * Closes it and waits for its threads; in one of these it does not wait. Idempotent. At its end,
 * exit(3), a program waits for all that have threads.
 */
void cora__thread_pool_join(struct cora__thread_pool *pool);

/* Whether it was made, or renewed, in this process: a forked child has none of its threads. */
bool cora__thread_pool_is_ours(const struct cora__thread_pool *pool);

/* Makes a parent's pool an empty one of this process: its threads and its jobs are forgotten. */
void cora__thread_pool_renew(struct cora__thread_pool *pool);

/* Joins the threads, where they are of this process, and frees the pool. NULL is accepted. */
void cora__thread_pool_free(struct cora__thread_pool *pool);

/* Changes with each fork after the first call, in the child. */
unsigned cora__forks(void);

#endif
