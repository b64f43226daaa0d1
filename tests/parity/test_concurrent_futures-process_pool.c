/* CPython's test_process_pool.py. Its two functions that end all workers have each of their tests
 * once; a test of ours does both. */
#include "support/pool_tests.h"
#include "support/process.h"
#include "support/test.h"

#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

/* ---- ExecutorTest --------------------------------------------------------------------------- */

TEST(ProcessPoolExecutorTest_test_submit)
{
    executor_submit(&process_pool);
}

TEST(ProcessPoolExecutorTest_test_submit_keyword)
{
    executor_submit_keyword(&process_pool);
}

TEST(ProcessPoolExecutorTest_test_map)
{
    executor_map(&process_pool);
}

TEST(ProcessPoolExecutorTest_test_map_exception)
{
    executor_map_exception(&process_pool);
}

TEST(ProcessPoolExecutorTest_test_map_timeout)
{
    executor_map_timeout(&process_pool);
}

TEST(ProcessPoolExecutorTest_test_map_buffersize_value_validation)
{
    executor_map_buffersize_value_validation(&process_pool);
}

TEST(ProcessPoolExecutorTest_test_map_buffersize)
{
    executor_map_buffersize(&process_pool);
}

TEST(ProcessPoolExecutorTest_test_map_buffersize_on_multiple_iterables)
{
    executor_map_buffersize_on_multiple_iterables(&process_pool);
}

TEST(ProcessPoolExecutorTest_test_map_buffersize_on_infinite_iterable)
{
    executor_map_buffersize_on_infinite_iterable(&process_pool);
}

TEST(ProcessPoolExecutorTest_test_map_buffersize_on_multiple_infinite_iterables)
{
    executor_map_buffersize_on_multiple_infinite_iterables(&process_pool);
}

TEST(ProcessPoolExecutorTest_test_map_buffersize_on_empty_iterable)
{
    executor_map_buffersize_on_empty_iterable(&process_pool);
}

TEST(ProcessPoolExecutorTest_test_map_buffersize_when_buffer_is_full)
{
    executor_map_buffersize_when_buffer_is_full(&process_pool);
}

TEST(ProcessPoolExecutorTest_test_shutdown_race_issue12456)
{
    executor_shutdown_race_issue12456(&process_pool);
}

TEST(ProcessPoolExecutorTest_test_max_workers_negative)
{
    executor_max_workers_negative(&process_pool);
}

TEST(ProcessPoolExecutorTest_test_swallows_falsey_exceptions)
{
    executor_swallows_falsey_exceptions(&process_pool);
}

/* ---- ProcessPoolExecutorTest ---------------------------------------------------------------- */

/* Jobs of their own. */
static int say_pid(void *arg)
{
    *(pid_t *)arg = getpid();
    return 0;
}

static int exit_with(void *arg)
{
    _exit(*(int *)arg);
}

/* Comes to the gate, and says first who it is. */
struct visit {
    int gate;
    pid_t pid;
};

static int visit(void *arg)
{
    struct visit *self = arg;

    shared->counts[0] = getpid();
    self->pid = getpid();
    return pass_gate(&(struct pool_job){.gate = self->gate});
}

static const cora_process_pool_job own_jobs[] = {
    {.fn = say_pid, .size = sizeof(pid_t)},
    {.fn = exit_with, .size = sizeof(int)},
    {.fn = visit, .size = sizeof(struct visit)},
    {0},
};

static cora_executor *make(int workers, int max_tasks_per_child)
{
    cora_process_pool_options options = {
        .jobs = own_jobs, .max_workers = workers, .max_tasks_per_child = max_tasks_per_child};
    cora_executor *executor = NULL;
    int rc = cora_process_pool_executor_create(&options, &executor);

    assert_int_equal(rc, 0);
    return executor;
}

static cora_concurrent_future *submit_own(cora_executor *executor, cora_job *fn, void *arg)
{
    cora_concurrent_future *future = NULL;
    int rc = cora_executor_submit(executor, fn, arg, &future);

    assert_int_equal(rc, 0);
    return future;
}

static pid_t ask_pid(cora_executor *executor)
{
    pid_t pid = 0;

    assert_result(submit_own(executor, say_pid, &pid), 0);
    return pid;
}

TEST(ProcessPoolExecutorTest_test_killed_child)
{
    cora_executor *executor = make(WORKERS, 0);
    struct visit first = {.gate = 0};
    cora_concurrent_future *future = submit_own(executor, visit, &first);
    pid_t pid = 0;
    int rc;

    await_arrivals(0, 1);
    kill(shared->counts[0], SIGTERM);
    assert_result(future, -CORA_EBROKENEXECUTOR);
    rc = cora_executor_submit(executor, say_pid, &pid, NULL);
    assert_int_equal(rc, -CORA_EBROKENEXECUTOR);
    cora_executor_free(executor);
}

TEST(ProcessPoolExecutorTest_test_map_chunksize)
{
    enum { ITEMS = 40 };
    static const size_t chunks[] = {6, 50, 40};
    cora_executor *executor = make_pool(&process_pool, WORKERS);
    struct pool_job jobs[ITEMS];
    int results[ITEMS], rc;

    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < ITEMS; k++)
            jobs[k] = (struct pool_job){.x = k, .y = 3};
        rc = cora_executor_map(executor, power, jobs, sizeof jobs[0], ITEMS, chunks[i], INFINITY,
                               results);
        assert_int_equal(rc, 0);
        for (int k = 0; k < ITEMS; k++)
            assert_int_equal(results[k], k * k * k);
    }
    cora_executor_free(executor);
}

TEST(ProcessPoolExecutorTest_test_traceback_when_child_process_terminates_abruptly)
{
    cora_executor *executor = make(1, 0);
    cora_process_pool_casualty casualty;
    pid_t pid = ask_pid(executor);
    int status = 99;

    assert_result(submit_own(executor, exit_with, &status), -CORA_EBROKENEXECUTOR);
    assert_true(cora_process_pool_executor_is_broken(executor, &casualty));
    assert_int_equal(casualty.pid, pid);
    assert_int_equal(casualty.returncode, 99);
    cora_executor_free(executor);
}

/* As many processes as there are workers, though there are many more jobs. */
TEST(ProcessPoolExecutorTest_test_saturation)
{
    enum { JOBS = 15 * WORKERS };
    cora_executor *executor = make(WORKERS, 0);
    cora_concurrent_future *futures[JOBS];
    struct visit visits[JOBS];
    int different = 0;

    for (int i = 0; i < JOBS; i++) {
        visits[i] = (struct visit){.gate = 0};
        futures[i] = submit_own(executor, visit, &visits[i]);
    }
    await_arrivals(0, WORKERS);
    open_gate(0);
    for (int i = 0; i < JOBS; i++) {
        bool seen = false;

        assert_result(futures[i], 0);
        for (int k = 0; k < i; k++)
            seen = seen || visits[k].pid == visits[i].pid;
        different += !seen;
    }
    assert_int_equal(different, WORKERS);
    cora_executor_free(executor);
}

TEST(ProcessPoolExecutorTest_test_idle_process_reuse_one)
{
    cora_executor *executor = make(4, 0);
    pid_t pid = ask_pid(executor);

    assert_int_equal(ask_pid(executor), pid);
    assert_int_equal(ask_pid(executor), pid);
    cora_executor_free(executor);
}

/* Two jobs at a time need two workers at most, or three where a third comes early. */
TEST(ProcessPoolExecutorTest_test_idle_process_reuse_multiple)
{
    enum { JOBS = 6 };
    cora_executor *executor = make(WORKERS, 0);
    cora_concurrent_future *futures[JOBS];
    pid_t pids[JOBS] = {0};
    int different = 0;

    for (int i = 0; i < JOBS; i++) {
        futures[i] = submit_own(executor, say_pid, &pids[i]);
        if (i % 2 == 0)
            assert_int_equal(cora_concurrent_future_result(futures[i], INFINITY), 0);
    }
    for (int i = 0; i < JOBS; i++) {
        bool seen = false;

        assert_result(futures[i], 0);
        for (int k = 0; k < i; k++)
            seen = seen || pids[k] == pids[i];
        different += !seen;
    }
    assert_in_range(different, 1, 3);
    cora_executor_free(executor);
}

TEST(ProcessPoolExecutorTest_test_max_tasks_per_child)
{
    cora_executor *executor = make(1, 3);
    pid_t pid = ask_pid(executor);

    assert_int_equal(ask_pid(executor), pid);
    assert_int_equal(ask_pid(executor), pid);
    assert_int_not_equal(ask_pid(executor), pid);
    cora_executor_free(executor);
}

static void assert_all_done(int workers, int max_tasks, int count, bool early)
{
    cora_executor *executor = make(workers, max_tasks);
    cora_concurrent_future *futures[8];
    pid_t pids[8] = {0};

    for (int i = 0; i < count; i++)
        futures[i] = submit_own(executor, say_pid, &pids[i]);
    if (early)
        cora_executor_shutdown(executor, true, false);
    for (int i = 0; i < count; i++)
        assert_result(futures[i], 0);
    cora_executor_shutdown(executor, true, true);
    cora_executor_free(executor);
}

TEST(ProcessPoolExecutorTest_test_max_tasks_early_shutdown)
{
    assert_all_done(3, 1, 6, true);
}

TEST(ProcessPoolExecutorTest_test_max_tasks_per_child_pending_tasks_gh115634)
{
    assert_all_done(1, 2, 6, false);
    assert_all_done(2, 2, 8, false);
}

/* Workers are replaced for jobs that wait, though nobody may add any. */
TEST(ProcessPoolExecutorTest_test_shutdown_no_wait_max_tasks_gh119592)
{
    cora_executor *executor = make(1, 1);
    cora_concurrent_future *futures[3];
    struct visit visits[3];

    for (int i = 0; i < 3; i++) {
        visits[i] = (struct visit){.gate = 0};
        futures[i] = submit_own(executor, visit, &visits[i]);
    }
    await_arrivals(0, 1);
    cora_executor_shutdown(executor, false, false);
    open_gate(0);
    for (int i = 0; i < 3; i++)
        assert_result(futures[i], 0);
    cora_executor_free(executor);
}

/* ---- terminate_workers, kill_workers -------------------------------------------------------- */

typedef int force_shutdown(cora_executor *executor);

static force_shutdown *const forces[] = {cora_process_pool_executor_terminate_workers,
                                         cora_process_pool_executor_kill_workers};

static void force(force_shutdown *fn, cora_executor *executor)
{
    int rc = fn(executor);

    assert_int_equal(rc, 0);
}

/* The job of a worker that ends by this signal begins, and does not end. */
static void assert_ends_job(force_shutdown *fn)
{
    cora_executor *executor = make(1, 0);
    struct visit first = {.gate = 0};
    cora_concurrent_future *future = submit_own(executor, visit, &first);

    await_arrivals(0, 1);
    force(fn, executor);
    assert_result(future, -CORA_EBROKENEXECUTOR);
    assert_int_equal(first.pid, 0);
    cora_executor_free(executor);
}

TEST(ProcessPoolExecutorTest_test_terminate_workers)
{
    assert_ends_job(cora_process_pool_executor_terminate_workers);
}

TEST(ProcessPoolExecutorTest_test_kill_workers)
{
    assert_ends_job(cora_process_pool_executor_kill_workers);
}

TEST(ProcessPoolExecutorTest_test_force_shutdown_workers)
{
    for (int i = 0; i < 2; i++) {
        assert_ends_job(forces[i]);
        assert_false(has_children());
    }
}

TEST(ProcessPoolExecutorTest_test_force_shutdown_workers_dead_workers)
{
    for (int i = 0; i < 2; i++) {
        cora_executor *executor = make(1, 0);
        int status = 1;

        assert_result(submit_own(executor, exit_with, &status), -CORA_EBROKENEXECUTOR);
        force(forces[i], executor);
        cora_executor_free(executor);
    }
}

TEST(ProcessPoolExecutorTest_test_force_shutdown_workers_not_started_yet)
{
    for (int i = 0; i < 2; i++) {
        cora_executor *executor = make(1, 0);

        force(forces[i], executor);
        cora_executor_free(executor);
        assert_false(has_children());
    }
}

TEST(ProcessPoolExecutorTest_test_force_shutdown_workers_stops_pool)
{
    for (int i = 0; i < 2; i++) {
        cora_executor *executor = make(1, 0);
        pid_t pid = ask_pid(executor);
        int rc;

        force(forces[i], executor);
        rc = cora_executor_submit(executor, say_pid, &pid, NULL);
        assert_int_equal(rc, -CORA_EEXECUTORSHUTDOWN);
        cora_executor_free(executor);
        assert_false(has_children());
    }
}
