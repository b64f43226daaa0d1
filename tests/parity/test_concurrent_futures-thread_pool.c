/* CPython's test_thread_pool.py, and executor.py with threads. */
#include "support/pool_tests.h"
#include "support/test.h"
#include "support/workers.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- ExecutorTest --------------------------------------------------------------------------- */

TEST(ThreadPoolExecutorTest_test_submit)
{
    executor_submit(&thread_pool);
}

TEST(ThreadPoolExecutorTest_test_submit_keyword)
{
    executor_submit_keyword(&thread_pool);
}

TEST(ThreadPoolExecutorTest_test_map)
{
    executor_map(&thread_pool);
}

TEST(ThreadPoolExecutorTest_test_map_exception)
{
    executor_map_exception(&thread_pool);
}

TEST(ThreadPoolExecutorTest_test_map_timeout)
{
    executor_map_timeout(&thread_pool);
}

TEST(ThreadPoolExecutorTest_test_map_buffersize_value_validation)
{
    executor_map_buffersize_value_validation(&thread_pool);
}

TEST(ThreadPoolExecutorTest_test_map_buffersize)
{
    executor_map_buffersize(&thread_pool);
}

TEST(ThreadPoolExecutorTest_test_map_buffersize_on_multiple_iterables)
{
    executor_map_buffersize_on_multiple_iterables(&thread_pool);
}

TEST(ThreadPoolExecutorTest_test_map_buffersize_on_infinite_iterable)
{
    executor_map_buffersize_on_infinite_iterable(&thread_pool);
}

TEST(ThreadPoolExecutorTest_test_map_buffersize_on_multiple_infinite_iterables)
{
    executor_map_buffersize_on_multiple_infinite_iterables(&thread_pool);
}

TEST(ThreadPoolExecutorTest_test_map_buffersize_on_empty_iterable)
{
    executor_map_buffersize_on_empty_iterable(&thread_pool);
}

TEST(ThreadPoolExecutorTest_test_map_buffersize_when_buffer_is_full)
{
    executor_map_buffersize_when_buffer_is_full(&thread_pool);
}

TEST(ThreadPoolExecutorTest_test_shutdown_race_issue12456)
{
    executor_shutdown_race_issue12456(&thread_pool);
}

TEST(ThreadPoolExecutorTest_test_max_workers_negative)
{
    executor_max_workers_negative(&thread_pool);
}

TEST(ThreadPoolExecutorTest_test_swallows_falsey_exceptions)
{
    executor_swallows_falsey_exceptions(&thread_pool);
}

/* The job's argument is gone when the job is: nothing of the executor looks at it again. */
static int use_up(void *arg)
{
    int count = count_up(arg);

    free(arg);
    return count;
}

TEST(ThreadPoolExecutorTest_test_no_stale_references)
{
    cora_executor *executor = make_pool(&thread_pool, WORKERS);
    struct pool_job *job = calloc(1, sizeof *job);
    int rc = cora_executor_submit(executor, use_up, job, NULL);

    assert_int_equal(rc, 0);
    cora_executor_shutdown(executor, true, false);
    assert_int_equal(shared->counts[0], 1);
    cora_executor_free(executor);
}

/* ---- ThreadPoolExecutorTest ----------------------------------------------------------------- */

enum { NUMBERS = 10 };

static bool next_count(void *arg, void *item)
{
    int *next = arg;

    *(struct pool_job *)item = (struct pool_job){.count = *next};
    return (*next)++ < NUMBERS;
}

TEST(ThreadPoolExecutorTest_test_map_submits_without_iteration)
{
    cora_executor *executor = make_pool(&thread_pool, WORKERS);
    cora_executor_map_iterator each;
    int next = 0;
    int rc = cora_executor_map_iterator_start(&each, executor, count_up, next_count, &next,
                                              sizeof(struct pool_job), NUMBERS, INFINITY);

    assert_int_equal(rc, 0);
    cora_executor_shutdown(executor, true, false);
    for (int i = 0; i < NUMBERS; i++)
        assert_int_equal(shared->counts[i], 1);
    cora_executor_map_iterator_stop(&each);
    cora_executor_free(executor);
}

/* An initializer, called once in each thread. */
static int count_thread(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
    return 0;
}

static cora_executor *make_counted(int workers, atomic_int *threads)
{
    cora_executor *executor = NULL;
    int rc;

    atomic_init(threads, 0);
    rc = thread_pool.create(workers, count_thread, threads, &executor);
    assert_int_equal(rc, 0);
    return executor;
}

/* So many threads are started for more jobs than that, which all stand at the gate. */
static void assert_most_threads(int workers, int expected)
{
    enum { JOBS = 60 };
    atomic_int threads;
    cora_executor *executor = make_counted(workers, &threads);
    struct pool_job jobs[JOBS];
    int rc;

    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct pool_job){.gate = 0};
        rc = cora_executor_submit(executor, pass_gate, &jobs[i], NULL);
        assert_int_equal(rc, 0);
    }
    await_arrivals(0, expected);
    open_gate(0);
    cora_executor_shutdown(executor, true, false);
    assert_int_equal(threads, expected);
    cora_executor_free(executor);
}

TEST(ThreadPoolExecutorTest_test_default_workers)
{
    assert_most_threads(0, default_workers());
}

TEST(ThreadPoolExecutorTest_test_saturation)
{
    assert_most_threads(4, 4);
}

/*
 * A job may come before the thread that has done the last one is idle again, so that another is
 * started. But never as many as may be: of 1,000 jobs, one after the other, hardly two overlap.
 */
TEST(ThreadPoolExecutorTest_test_idle_thread_reuse)
{
    atomic_int threads;
    cora_executor *executor = make_counted(32, &threads);

    for (int i = 0; i < 1000; i++) {
        struct pool_job job = {.x = i, .y = 2};

        assert_result(submit(executor, multiply, &job), 2 * i);
    }
    cora_executor_shutdown(executor, true, false);
    assert_in_range(threads, 1, 31);
    cora_executor_free(executor);
}

/*
 * A child ends by exit, as a program does, whose handlers find a pool of which only this thread is
 * left. The last of them, which was registered first, ends it for good: what the threads that are
 * gone have left behind is looked for by nobody.
 */
static bool in_child;

static void end_child(void)
{
    if (in_child)
        raise(SIGKILL);
}

/* 0, where it came to its end. */
static int fork_and_exit(void)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        in_child = true;
        exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -ECHILD;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : -EPROTO;
}

/* Submits itself until the pool takes no more jobs. */
static int submit_again(void *executor)
{
    int rc = cora_executor_submit(executor, submit_again, executor, NULL);

    return rc == -CORA_EEXECUTORSHUTDOWN ? 0 : rc;
}

TEST(ThreadPoolExecutorTest_test_hang_global_shutdown_lock)
{
    int rc = atexit(end_child);
    cora_executor *executor = make_pool(&thread_pool, 1);

    assert_int_equal(rc, 0);
    rc = cora_executor_submit(executor, submit_again, executor, NULL);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 20; i++) {
        rc = fork_and_exit();
        assert_int_equal(rc, 0);
    }
    cora_executor_free(executor);
}

static int fork_in_job(void *arg)
{
    (void)arg;
    return fork_and_exit();
}

TEST(ThreadPoolExecutorTest_test_process_fork_from_a_threadpool)
{
    int rc = atexit(end_child);
    cora_executor *executor = make_pool(&thread_pool, 1);

    assert_int_equal(rc, 0);
    assert_result(submit(executor, fork_in_job, NULL), 0);
    cora_executor_free(executor);
}

/* The only thread has a job, so that of the two none has begun when the time is over. */
TEST(ThreadPoolExecutorTest_test_executor_map_current_future_cancel)
{
    cora_executor *executor = make_pool(&thread_pool, 1);
    struct pool_job job = {.gate = 0};
    cora_concurrent_future *first = submit(executor, pass_gate, &job);
    cora_executor_map_iterator each;
    int next = NUMBERS - 2;
    int rc = cora_executor_map_iterator_start(&each, executor, count_up, next_count, &next,
                                              sizeof(struct pool_job), 2, 0);

    assert_int_equal(rc, 0);
    rc = cora_executor_map_iterator_next(&each, NULL, NULL);
    assert_int_equal(rc, -ETIMEDOUT);
    cora_executor_map_iterator_stop(&each);
    open_gate(0);
    assert_result(first, 0);
    cora_executor_free(executor);
    assert_int_equal(shared->counts[NUMBERS - 2], 0);
    assert_int_equal(shared->counts[NUMBERS - 1], 0);
}
