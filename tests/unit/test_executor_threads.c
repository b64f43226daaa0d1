/*
 * An executor and many threads: jobs that use their own executor, shutdown from several sides, the
 * end of the program; nothing is lost and nothing runs twice.
 */
#include "support/fork.h"
#include "support/pools.h"
#include "support/test.h"
#include "support/threads.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

/* ---- no more threads ------------------------------------------------------------------------ */

static atomic_bool has_no_threads;

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*fn)(void *arg), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*fn)(void *arg), void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*fn)(void *arg), void *arg)
{
    return has_no_threads ? EAGAIN : __real_pthread_create(thread, attributes, fn, arg);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

TEST(without_a_thread_no_job_is_taken_and_with_one_all_are)
{
    cora_executor *executor = make_pool(&thread_pool, WORKERS);
    struct pool_job jobs[2] = {{.gate = 0}, {.x = 6, .y = 7}};
    cora_concurrent_future *futures[2] = {NULL, NULL};
    int rc;

    has_no_threads = true;
    rc = cora_executor_submit(executor, pass_gate, &jobs[0], &futures[0]);
    assert_int_equal(rc, -EAGAIN);
    assert_null(futures[0]);
    has_no_threads = false;
    futures[0] = submit(executor, pass_gate, &jobs[0]);
    await_arrivals(0, 1);
    has_no_threads = true;
    futures[1] = submit(executor, multiply, &jobs[1]); /* for when the only one is free */
    open_gate(0);
    assert_result(futures[0], 0);
    assert_result(futures[1], 42);
    cora_executor_free(executor);
}

/* ---- a job and its own executor ------------------------------------------------------------- */

struct inside {
    cora_executor *executor;
    struct pool_job job;
    cora_concurrent_future *future;
};

static int submit_inside(void *arg)
{
    struct inside *inside = arg;

    return cora_executor_submit(inside->executor, multiply, &inside->job, &inside->future);
}

TEST(a_job_submits_another)
{
    struct inside inside = {make_pool(&thread_pool, 1), {.x = 6, .y = 7}, NULL};
    cora_concurrent_future *future = NULL;
    int rc = cora_executor_submit(inside.executor, submit_inside, &inside, &future);

    assert_int_equal(rc, 0);
    assert_result(future, 0);
    assert_result(inside.future, 42);
    cora_executor_free(inside.executor);
}

static int shut_down_inside(void *arg)
{
    struct inside *inside = arg;

    cora_executor_shutdown(inside->executor, true, true);
    return cora_executor_submit(inside->executor, multiply, &inside->job, NULL);
}

/* It would wait for itself. Of the two threads the other stands at a gate for longer than that. */
TEST(a_job_that_shuts_its_executor_down_does_not_wait)
{
    struct inside inside = {make_pool(&thread_pool, 2), {.x = 6, .y = 7}, NULL};
    struct pool_job at_gates[2] = {{.gate = 0}, {.gate = 1}};
    cora_concurrent_future *futures[2], *future = NULL, *last;
    int rc;

    for (int i = 0; i < 2; i++)
        futures[i] = submit(inside.executor, pass_gate, &at_gates[i]);
    rc = cora_executor_submit(inside.executor, shut_down_inside, &inside, &future);
    assert_int_equal(rc, 0);
    last = submit(inside.executor, multiply, &inside.job);
    open_gate(0);
    assert_result(futures[0], 0);
    assert_result(future, -CORA_EEXECUTORSHUTDOWN);
    assert_result(last, -ECANCELED);
    open_gate(1);
    assert_result(futures[1], 0);
    cora_executor_free(inside.executor);
}

/* ---- shutdown from several sides ------------------------------------------------------------ */

static void *wait_for_end(void *executor)
{
    cora_executor_shutdown(executor, true, false);
    return outcome(shared->counts[0]);
}

TEST(several_threads_wait_for_the_same_end)
{
    enum { THREADS = 4, JOBS = 20 };
    cora_executor *executor = make_pool(&thread_pool, 3);
    struct pool_job job = {.count = 0}, at_gate = {.gate = 0};
    pthread_t threads[THREADS];

    for (int i = 0; i < 3; i++)
        cora_concurrent_future_unref(submit(executor, pass_gate, &at_gate));
    for (int i = 0; i < JOBS; i++)
        cora_concurrent_future_unref(submit(executor, count_up, &job));
    for (int i = 0; i < THREADS; i++)
        threads[i] = start_thread(wait_for_end, executor);
    open_gate(0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(join_thread(threads[i]), JOBS);
    cora_executor_free(executor);
}

/* One submits until no more jobs are taken, while another shuts down. */
struct storm {
    cora_executor *executor;
    bool wait, cancel;
    struct pool_job job;
    atomic_int submitted;
    int taken, refusal;
    cora_concurrent_future *futures[20000];
};

static void *submit_until_refused(void *arg)
{
    enum { MOST = sizeof((struct storm *)0)->futures / sizeof(cora_concurrent_future *) };
    struct storm *storm = arg;
    int rc = 0;

    while (storm->taken < MOST && rc == 0) {
        rc = cora_executor_submit(storm->executor, count_up, &storm->job,
                                  &storm->futures[storm->taken]);
        storm->taken += rc == 0;
        atomic_store(&storm->submitted, storm->taken);
        while (storm->taken == MOST && rc == 0) /* enough, but not yet refused */
            rc = cora_executor_submit(storm->executor, multiply, &storm->job, NULL);
    }
    storm->refusal = rc;
    return NULL;
}

static void *shut_down(void *arg)
{
    struct storm *storm = arg;

    while (atomic_load(&storm->submitted) < 50)
        sched_yield();
    cora_executor_shutdown(storm->executor, storm->wait, storm->cancel);
    return NULL;
}

static void assert_nothing_is_lost(bool wait, bool cancel)
{
    static struct storm storm;
    pthread_t submitter, shutter;
    int cancelled = 0, done;

    storm = (struct storm){.executor = make_pool(&thread_pool, 2), .wait = wait, .cancel = cancel};
    atomic_store(&shared->counts[0], 0);
    submitter = start_thread(submit_until_refused, &storm);
    shutter = start_thread(shut_down, &storm);
    join_thread(shutter);
    join_thread(submitter);
    done = cora_concurrent_wait(storm.futures, (size_t)storm.taken, INFINITY, CORA_ALL_COMPLETED);
    assert_int_equal(done, storm.taken);
    for (int i = 0; i < storm.taken; i++)
        cancelled += cora_concurrent_future_cancelled(storm.futures[i]);
    assert_int_equal(storm.refusal, -CORA_EEXECUTORSHUTDOWN);
    assert_int_equal(shared->counts[0] + cancelled, storm.taken);
    if (!cancel)
        assert_int_equal(cancelled, 0);
    unref_all(storm.futures, (size_t)storm.taken);
    cora_executor_free(storm.executor);
}

TEST(what_was_taken_is_run_or_cancelled_when_a_shutdown_comes_between)
{
    for (int i = 0; i < 4; i++)
        assert_nothing_is_lost(i & 1, i & 2);
}

/* ---- many jobs ------------------------------------------------------------------------------ */

enum { MANY = 100000, SUBMITTERS = 4, EACH = MANY / SUBMITTERS };

static struct marks {
    atomic_uchar runs[MANY];
    cora_concurrent_future *futures[MANY];
    cora_executor *executor;
    atomic_int next;
} marks;

static int mark(void *arg)
{
    return atomic_fetch_add((atomic_uchar *)arg, 1);
}

static void *submit_many(void *arg)
{
    int first = atomic_fetch_add(&marks.next, EACH), wrong = 0;

    (void)arg;
    for (int i = first; i < first + EACH; i++)
        wrong += cora_executor_submit(marks.executor, mark, &marks.runs[i], &marks.futures[i]) != 0;
    return outcome(wrong);
}

TEST(of_many_jobs_from_four_threads_each_runs_once)
{
    pthread_t threads[SUBMITTERS];
    int done, wrong = 0;

    marks.executor = make_pool(&thread_pool, WORKERS);
    for (int i = 0; i < SUBMITTERS; i++)
        threads[i] = start_thread(submit_many, NULL);
    for (int i = 0; i < SUBMITTERS; i++)
        assert_int_equal(join_thread(threads[i]), 0);
    done = cora_concurrent_wait(marks.futures, MANY, INFINITY, CORA_ALL_COMPLETED);
    assert_int_equal(done, MANY);
    for (int i = 0; i < MANY; i++)
        wrong += marks.runs[i] != 1 || cora_concurrent_future_result(marks.futures[i], 0) != 0;
    assert_int_equal(wrong, 0);
    unref_all(marks.futures, MANY);
    cora_executor_free(marks.executor);
}

/* ---- the end of the program ----------------------------------------------------------------- */

static cora_executor *left_executors[2];
static struct pool_job left_jobs[3];

static void open_first_gate(void)
{
    open_gate(0);
}

/* One executor's jobs wait for the other's. */
static void leave_several(const struct pool_kind *kind)
{
    left_jobs[0] = (struct pool_job){.gate = 0};
    left_jobs[1] = (struct pool_job){.gate = 0};
    for (int i = 0; i < 2; i++) {
        left_executors[i] = make_pool(kind, 1);
        cora_concurrent_future_unref(submit(left_executors[i], say_apple, &left_jobs[i]));
        cora_concurrent_future_unref(submit(left_executors[i], say_apple, &left_jobs[i]));
    }
    await_arrivals(0, 2);
    atexit(open_first_gate);
}

TEST(a_program_that_ends_waits_for_all_jobs_of_all_executors)
{
    assert_program_says(leave_several, &thread_pool, "appleappleappleapple");
}

static int end_program(void *arg)
{
    (void)arg;
    exit(0);
}

static void wait_in_vain(const struct pool_kind *kind)
{
    for (int i = 0; i < 2; i++) {
        left_executors[i] = make_pool(kind, 2);
        cora_concurrent_future_unref(submit(left_executors[i], pass_gate, &left_jobs[i]));
    }
    await_arrivals(0, 2);
    (void)!cora_concurrent_future_result(submit(left_executors[0], end_program, NULL), INFINITY);
}

TEST(a_job_that_ends_the_program_waits_for_nobody)
{
    assert_program_says(wait_in_vain, &thread_pool, "");
}

static void *free_executor(void *executor)
{
    cora_executor_free(executor);
    return NULL;
}

/* It is freed by a thread that waits for the same job as the program. */
static void free_meanwhile(const struct pool_kind *kind)
{
    left_executors[0] = make_pool(kind, 1);
    cora_concurrent_future_unref(submit(left_executors[0], say_apple, &left_jobs[0]));
    await_arrivals(0, 1);
    atexit(open_first_gate);
    pthread_detach(start_thread(free_executor, left_executors[0]));
}

TEST(a_program_ends_while_an_executor_is_freed)
{
    for (int i = 0; i < 3; i++) {
        sem_init(&shared->gates[0].open, 1, 0);
        assert_program_says(free_meanwhile, &thread_pool, "apple");
    }
}

/* ---- forks ---------------------------------------------------------------------------------- */

/* In the child: 0 where the executor takes no job, and none is waited for. */
static int use_inherited(cora_executor *executor)
{
    struct pool_job job = {.x = 6, .y = 7};
    int rc = cora_executor_submit(executor, multiply, &job, NULL);

    cora_executor_shutdown(executor, true, true);
    cora_executor_free(executor);
    return rc == -CORA_EBROKENEXECUTOR ? 0 : 1;
}

/* While one of its workers works and another is idle: a job of the child's would wait for it. */
TEST(a_forked_child_has_none_of_the_threads_and_is_told_so)
{
    struct pool_job jobs[2] = {{.gate = 0}, {.x = 6, .y = 7}};
    cora_concurrent_future *waits;
    cora_executor *executor;
    pid_t pid;

    if (!can_fork_with_threads())
        skip();
    executor = make_pool(&thread_pool, 2);
    waits = submit(executor, pass_gate, &jobs[0]);
    assert_result(submit(executor, multiply, &jobs[1]), 42);
    await_arrivals(0, 1);
    pid = fork();
    if (pid == 0)
        _exit(use_inherited(executor));
    assert_int_equal(reap(pid), 0);
    open_gate(0);
    assert_result(waits, 0);
    assert_result(submit(executor, multiply, &jobs[1]), 42);
    cora_executor_free(executor);
}
