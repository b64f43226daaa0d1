/* CPython's test_shutdown.py, with threads. */
#include "support/pool_tests.h"
#include "support/test.h"

#include <pthread.h>
#include <unistd.h>

/* ---- ExecutorShutdownTest ------------------------------------------------------------------- */

TEST(ThreadPoolShutdownTest_test_run_after_shutdown)
{
    shutdown_run_after_shutdown(&thread_pool);
}

TEST(ThreadPoolShutdownTest_test_interpreter_shutdown)
{
    shutdown_interpreter_shutdown(&thread_pool);
}

TEST(ThreadPoolShutdownTest_test_submit_after_interpreter_shutdown)
{
    shutdown_submit_after_interpreter_shutdown(&thread_pool);
}

TEST(ThreadPoolShutdownTest_test_hang_issue12364)
{
    shutdown_hang_issue12364(&thread_pool);
}

TEST(ThreadPoolShutdownTest_test_cancel_futures)
{
    shutdown_cancel_futures(&thread_pool);
}

TEST(ThreadPoolShutdownTest_test_hang_gh83386)
{
    shutdown_hang_gh83386(&thread_pool);
}

TEST(ThreadPoolShutdownTest_test_hang_gh94440)
{
    shutdown_hang_gh94440(&thread_pool);
}

/* ---- ThreadPoolShutdownTest ----------------------------------------------------------------- */

/* Counts the threads that begin, as an initializer, and those that have ended. */
static atomic_int begun, ended;
static pthread_key_t key;

static void count_end(void *arg)
{
    (void)arg;
    atomic_fetch_add(&ended, 1);
}

static int count_begin(void *arg)
{
    atomic_fetch_add(&begun, 1);
    return -pthread_setspecific(key, arg);
}

static cora_executor *make_watched(void)
{
    cora_executor *executor = NULL;
    int rc = pthread_key_create(&key, count_end);

    assert_int_equal(rc, 0);
    rc = thread_pool.create(WORKERS, count_begin, &key, &executor);
    assert_int_equal(rc, 0);
    return executor;
}

static void assert_threads_have_ended(void)
{
    assert_int_equal(ended, begun);
    assert_true(begun > 0);
}

TEST(ThreadPoolShutdownTest_test_threads_terminate)
{
    cora_executor *executor = make_watched();
    struct pool_job jobs[3];
    int rc;

    for (int i = 0; i < 3; i++) {
        jobs[i] = (struct pool_job){.gate = 0};
        rc = cora_executor_submit(executor, pass_gate, &jobs[i], NULL);
        assert_int_equal(rc, 0);
    }
    await_arrivals(0, 3);
    open_gate(0);
    cora_executor_shutdown(executor, true, false);
    assert_int_equal(begun, 3);
    assert_threads_have_ended();
    cora_executor_free(executor);
}

enum { ITEMS = 10 };

TEST(ThreadPoolShutdownTest_test_context_manager_shutdown)
{
    cora_executor *executor = make_watched();
    struct pool_job jobs[ITEMS];
    int results[ITEMS], rc;

    for (int i = 0; i < ITEMS; i++)
        jobs[i] = (struct pool_job){.x = i - 5, .y = 2};
    rc = cora_executor_map(executor, power, jobs, sizeof jobs[0], ITEMS, 1, INFINITY, results);
    cora_executor_free(executor); /* the end of the scope */
    assert_int_equal(rc, 0);
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(results[i], (i - 5) * (i - 5));
    assert_threads_have_ended();
}

static void submit_items(cora_executor *executor, struct pool_job jobs[],
                         cora_concurrent_future *futures[])
{
    for (int i = 0; i < ITEMS; i++) {
        jobs[i] = (struct pool_job){.x = i - 5, .y = 2};
        futures[i] = submit(executor, power, &jobs[i]);
    }
}

static void assert_items(cora_concurrent_future *futures[])
{
    for (int i = 0; i < ITEMS; i++) {
        assert_true(cora_concurrent_future_done(futures[i]));
        assert_result(futures[i], (i - 5) * (i - 5));
    }
}

TEST(ThreadPoolShutdownTest_test_del_shutdown)
{
    cora_executor *executor = make_watched();
    cora_concurrent_future *futures[ITEMS];
    struct pool_job jobs[ITEMS];

    submit_items(executor, jobs, futures);
    cora_executor_free(executor);
    assert_threads_have_ended();
    assert_items(futures);
}

TEST(ThreadPoolShutdownTest_test_shutdown_no_wait)
{
    cora_executor *executor = make_watched();
    cora_concurrent_future *futures[ITEMS];
    struct pool_job jobs[ITEMS];
    int done;

    submit_items(executor, jobs, futures);
    cora_executor_shutdown(executor, false, false);
    done = cora_concurrent_wait(futures, ITEMS, INFINITY, CORA_ALL_COMPLETED);
    assert_int_equal(done, ITEMS);
    assert_items(futures);
    while (ended < begun) /* without having been waited for */
        usleep(100);
    cora_executor_free(executor);
}

/* The names of the threads that run jobs: all begin so, and end in one of the workers' numbers. */
static int tell_name(void *arg)
{
    return -pthread_getname_np(pthread_self(), arg, 16);
}

static void assert_names(const char *prefix, const char *expected)
{
    cora_thread_pool_options options = {.max_workers = WORKERS, .thread_name_prefix = prefix};
    cora_concurrent_future *futures[ITEMS];
    cora_executor *executor = NULL;
    char names[ITEMS][16];
    int rc = cora_thread_pool_executor_create(&options, &executor);

    assert_int_equal(rc, 0);
    for (int i = 0; i < ITEMS; i++) {
        rc = cora_executor_submit(executor, tell_name, names[i], &futures[i]);
        assert_int_equal(rc, 0);
    }
    for (int i = 0; i < ITEMS; i++) {
        size_t length = strlen(expected);

        assert_result(futures[i], 0);
        assert_memory_equal(names[i], expected, length);
        assert_in_range(names[i][length], '0', '0' + WORKERS - 1);
        assert_int_equal(names[i][length + 1], '\0');
    }
    cora_executor_free(executor);
}

TEST(ThreadPoolShutdownTest_test_thread_names_assigned)
{
    assert_names("SpecialPool", "SpecialPool_");
}

TEST(ThreadPoolShutdownTest_test_thread_names_default)
{
    assert_names(NULL, "cora_");
}

/* A job that has begun ends; it may also be cancelled before that, and the program all the same. */
static cora_executor *left_executor;
static struct pool_job left_jobs[WORKERS + 1];

static void open_first_gate(void)
{
    open_gate(0);
}

static void cancel_and_end(const struct pool_kind *kind)
{
    left_executor = make_pool(kind, WORKERS);
    for (int i = 0; i <= WORKERS; i++) {
        int rc;

        left_jobs[i] = (struct pool_job){.gate = i == 0 ? 0 : 1};
        rc = cora_executor_submit(left_executor, i == 0 ? say_apple : pass_gate, &left_jobs[i],
                                  NULL);
        assert_int_equal(rc, 0);
    }
    await_arrivals(0, 1);
    open_gate(1);
    atexit(open_first_gate);
    cora_executor_shutdown(left_executor, false, true);
}

TEST(ThreadPoolShutdownTest_test_cancel_futures_wait_false)
{
    assert_program_says(cancel_and_end, &thread_pool, "apple");
}
