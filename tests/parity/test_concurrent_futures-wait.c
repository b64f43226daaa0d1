/* CPython's test_wait.py, with threads. */
#include "support/pool_tests.h"
#include "support/test.h"

TEST(ThreadPoolWaitTests_test_20369)
{
    wait_20369(&thread_pool);
}

TEST(ThreadPoolWaitTests_test_first_completed)
{
    wait_first_completed(&thread_pool);
}

TEST(ThreadPoolWaitTests_test_first_completed_some_already_completed)
{
    wait_first_completed_some_already_completed(&thread_pool);
}

TEST(ThreadPoolWaitTests_test_first_exception)
{
    wait_first_exception(&thread_pool);
}

TEST(ThreadPoolWaitTests_test_first_exception_some_already_complete)
{
    wait_first_exception_some_already_complete(&thread_pool);
}

TEST(ThreadPoolWaitTests_test_first_exception_one_already_failed)
{
    wait_first_exception_one_already_failed(&thread_pool);
}

TEST(ThreadPoolWaitTests_test_all_completed)
{
    wait_all_completed(&thread_pool);
}

TEST(ThreadPoolWaitTests_test_timeout)
{
    wait_timeout(&thread_pool);
}

TEST(ThreadPoolWaitTests_test_pending_calls_race)
{
    enum { JOBS = 100 };
    cora_executor *executor = make_pool(&thread_pool, WORKERS);
    cora_concurrent_future *futures[JOBS];
    struct pool_job job = {.gate = 0};
    int done;

    for (int i = 0; i < JOBS; i++)
        futures[i] = submit(executor, pass_gate, &job);
    open_gate(0);
    done = cora_concurrent_wait(futures, JOBS, INFINITY, CORA_ALL_COMPLETED);
    assert_int_equal(done, JOBS);
    unref_all(futures, JOBS);
    cora_executor_free(executor);
}
