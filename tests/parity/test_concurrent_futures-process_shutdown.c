/* CPython's test_shutdown.py, with processes. */
#include "support/pool_tests.h"
#include "support/process.h"
#include "support/test.h"

#include <sched.h>

/* ---- ExecutorShutdownTest ------------------------------------------------------------------- */

TEST(ProcessPoolShutdownTest_test_run_after_shutdown)
{
    shutdown_run_after_shutdown(&process_pool);
}

TEST(ProcessPoolShutdownTest_test_interpreter_shutdown)
{
    shutdown_interpreter_shutdown(&process_pool);
}

TEST(ProcessPoolShutdownTest_test_submit_after_interpreter_shutdown)
{
    shutdown_submit_after_interpreter_shutdown(&process_pool);
}

TEST(ProcessPoolShutdownTest_test_hang_issue12364)
{
    shutdown_hang_issue12364(&process_pool);
}

TEST(ProcessPoolShutdownTest_test_cancel_futures)
{
    shutdown_cancel_futures(&process_pool);
}

TEST(ProcessPoolShutdownTest_test_hang_gh83386)
{
    shutdown_hang_gh83386(&process_pool);
}

TEST(ProcessPoolShutdownTest_test_hang_gh94440)
{
    shutdown_hang_gh94440(&process_pool);
}

/* ---- ProcessPoolShutdownTest ---------------------------------------------------------------- */

/* Each has one child at most, the fork server, which outlives the workers. */
static void assert_processes_have_ended(void)
{
    assert_false(has_children());
}

TEST(ProcessPoolShutdownTest_test_processes_terminate)
{
    cora_executor *executor = make_pool(&process_pool, WORKERS);
    struct pool_job jobs[3];

    for (int i = 0; i < 3; i++) {
        jobs[i] = (struct pool_job){.gate = 0};
        cora_concurrent_future_unref(submit(executor, pass_gate, &jobs[i]));
    }
    await_arrivals(0, 3);
    open_gate(0);
    assert_true(has_children());
    cora_executor_shutdown(executor, true, false);
    assert_processes_have_ended();
    cora_executor_free(executor);
}

enum { ITEMS = 10 };

TEST(ProcessPoolShutdownTest_test_context_manager_shutdown)
{
    cora_executor *executor = make_pool(&process_pool, WORKERS);
    struct pool_job jobs[ITEMS];
    int results[ITEMS], rc;

    for (int i = 0; i < ITEMS; i++)
        jobs[i] = (struct pool_job){.x = i - 5, .y = 2};
    rc = cora_executor_map(executor, power, jobs, sizeof jobs[0], ITEMS, 1, INFINITY, results);
    cora_executor_free(executor); /* the end of the scope */
    assert_int_equal(rc, 0);
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(results[i], (i - 5) * (i - 5));
    assert_processes_have_ended();
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

TEST(ProcessPoolShutdownTest_test_del_shutdown)
{
    cora_executor *executor = make_pool(&process_pool, WORKERS);
    cora_concurrent_future *futures[ITEMS];
    struct pool_job jobs[ITEMS];

    submit_items(executor, jobs, futures);
    cora_executor_free(executor);
    assert_processes_have_ended();
    assert_items(futures);
}

TEST(ProcessPoolShutdownTest_test_shutdown_no_wait)
{
    cora_executor *executor = make_pool(&process_pool, WORKERS);
    cora_concurrent_future *futures[ITEMS];
    struct pool_job jobs[ITEMS];
    int done;

    submit_items(executor, jobs, futures);
    cora_executor_shutdown(executor, false, false);
    done = cora_concurrent_wait(futures, ITEMS, INFINITY, CORA_ALL_COMPLETED);
    assert_int_equal(done, ITEMS);
    assert_items(futures);
    while (has_children()) /* they end without having been waited for */
        sched_yield();
    cora_executor_free(executor);
}

/* One job a worker, and one of three fails: the others are done, and shutdown comes to its end. */
static void assert_ends_after_failure(int workers)
{
    static const cora_process_pool_job registered[] = {
        {.fn = multiply, .size = sizeof(struct pool_job)},
        {.fn = fail_with, .size = sizeof(struct pool_job)},
        {0},
    };
    cora_process_pool_options options = {
        .jobs = registered, .max_workers = workers, .max_tasks_per_child = 1};
    struct pool_job jobs[3] = {{.x = 1, .y = 1}, {.x = -EDOM}, {.x = 3, .y = 1}};
    cora_concurrent_future *futures[3];
    cora_executor *executor = NULL;
    int rc = cora_process_pool_executor_create(&options, &executor);

    assert_int_equal(rc, 0);
    for (int i = 0; i < 3; i++)
        futures[i] = submit(executor, i == 1 ? fail_with : multiply, &jobs[i]);
    assert_result(futures[0], 1);
    assert_result(futures[1], -EDOM);
    cora_executor_shutdown(executor, false, false);
    cora_executor_free(executor);
    assert_result(futures[2], 3);
    assert_processes_have_ended();
}

TEST(ProcessPoolShutdownTest_test_shutdown_gh_132969_case_1)
{
    assert_ends_after_failure(2);
}

TEST(ProcessPoolShutdownTest_test_shutdown_gh_132969_case_2)
{
    assert_ends_after_failure(4);
}
