/*
 * pools.h: the two kinds of executor, threads and processes, for one and the same test.
 *
 * All jobs are functions of a struct pool_job: a pool of processes registers pool_jobs with its
 * size, and copies it to where the job runs and back. What a job and its test share otherwise,
 * gates and counts, lies in memory that forked processes share, and is there before any pool is.
 */
#ifndef CORA_TEST_POOLS_H
#define CORA_TEST_POOLS_H

#include <cora.h>

#include <semaphore.h>
#include <stdatomic.h>

/* ---- what is shared ------------------------------------------------------------------------- */

enum { GATES = 3, COUNTS = 16 };

extern struct pool_shared {
    struct {
        sem_t arrivals, open;
    } gates[GATES];            /* shut at first */
    atomic_int counts[COUNTS]; /* 0 at first */
} * shared;

/* Lets all pass from now on. */
void open_gate(int gate);

/* Waits until so many more jobs have come to it. */
void await_arrivals(int gate, int count);

/* ---- jobs ----------------------------------------------------------------------------------- */

struct pool_job {
    int x, y;
    int quotient, remainder;
    int gate, count;
};

int power(void *arg);         /* x to the y */
int multiply(void *arg);      /* x by y */
int divide(void *arg);        /* sets quotient and remainder; -EDOM by 0 */
int fail_with(void *arg);     /* x, an error where that is negative */
int pass_gate(void *arg);     /* comes to the gate; 0 when it is open */
int pass_and_fail(void *arg); /* the same; -EIO */
int say_apple(void *arg);     /* when the gate is open, to stdout */
int count_up(void *arg);      /* what the count is then */
int tell_status(void *arg);   /* what set_status was given here; 0 */

extern cora_job *const pool_jobs[];
extern const size_t pool_jobs_count;

/* An initializer of workers, with an int. */
int set_status(void *arg);

/* ---- pools ---------------------------------------------------------------------------------- */

struct pool_kind {
    /* With so many workers, of which each first calls initializer(initarg); NULL: none. */
    int (*create)(int workers, int (*initializer)(void *arg), void *initarg, cora_executor **ret);
};

extern const struct pool_kind thread_pool, process_pool;

enum { WORKERS = 5 }; /* as CPython's tests have it */

cora_executor *make_pool(const struct pool_kind *kind, int workers);

/* submit(), which takes it. */
cora_concurrent_future *submit(cora_executor *executor, cora_job *fn, struct pool_job *job);

/* The outcome, when there is one. Gives the reference back. */
void assert_result(cora_concurrent_future *future, int expected);

/* A future with this outcome; -ECANCELED: that was cancelled. */
cora_concurrent_future *done_future(int outcome);

void unref_all(cora_concurrent_future *const futures[], size_t count);

/*
 * fn(kind) in a forked child, which then ends by exit: what is written to its stdout, up to 63
 * bytes, is `expected`, and the status is 0. What comes after what else is called at its end is too
 * late.
 */
void assert_program_says(void (*fn)(const struct pool_kind *kind), const struct pool_kind *kind,
                         const char *expected);

#endif
