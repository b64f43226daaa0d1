/* CPython's test_deadlock.py: whatever becomes of a worker, nobody waits for ever. */
#include "support/pool_tests.h"
#include "support/test.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { BIG = 1 << 20 };

struct big {
    char bytes[BIG];
};

static int crash(void *arg)
{
    (void)arg;
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
    return 0;
}

static int crash_with_data(void *arg)
{
    return crash(arg);
}

/* Crashes, but not before the gate is open. */
static int crash_later(void *arg)
{
    (void)pass_gate(arg);
    return crash(NULL);
}

static int leave(void *arg)
{
    (void)arg;
    _exit(1);
}

static const cora_process_pool_job deadly[] = {
    {.fn = crash},
    {.fn = crash_with_data, .size = sizeof(struct big)},
    {.fn = crash_later, .size = sizeof(struct pool_job)},
    {.fn = leave},
    {.fn = fail_with, .size = sizeof(struct pool_job)},
    {.fn = multiply, .size = sizeof(struct pool_job)},
    {0},
};

static cora_executor *make(void)
{
    cora_process_pool_options options = {.jobs = deadly, .max_workers = 2};
    cora_executor *executor = NULL;
    int rc = cora_process_pool_executor_create(&options, &executor);

    assert_int_equal(rc, 0);
    return executor;
}

static void assert_error(cora_job *fn, struct pool_job *job, int error)
{
    cora_executor *executor = make();

    assert_result(submit(executor, fn, job), error);
    cora_executor_shutdown(executor, true, false);
    cora_executor_free(executor);
}

TEST(ProcessPoolExecutorDeadlockTest_test_crash_during_func_exec_on_worker)
{
    assert_error(crash, NULL, -CORA_EBROKENEXECUTOR);
}

/* C has no exception that ends a process: it ends. */
TEST(ProcessPoolExecutorDeadlockTest_test_exit_during_func_exec_on_worker)
{
    assert_error(leave, NULL, -CORA_EBROKENEXECUTOR);
}

TEST(ProcessPoolExecutorDeadlockTest_test_error_during_func_exec_on_worker)
{
    assert_error(fail_with, &(struct pool_job){.x = -EDOM}, -EDOM);
}

TEST(ProcessPoolExecutorDeadlockTest_test_shutdown_deadlock)
{
    cora_executor *executor = make();
    struct pool_job job = {.gate = 0};
    cora_concurrent_future *future = submit(executor, crash_later, &job);

    await_arrivals(0, 1);
    cora_executor_shutdown(executor, false, false);
    open_gate(0);
    cora_executor_shutdown(executor, true, false);
    assert_result(future, -CORA_EBROKENEXECUTOR);
    cora_executor_free(executor);
}

TEST(ProcessPoolExecutorDeadlockTest_test_crash_big_data)
{
    struct big *big = calloc(10, sizeof big[0]);
    cora_executor *executor = make();
    int rc =
        cora_executor_map(executor, crash_with_data, big, sizeof big[0], 10, 1, INFINITY, NULL);

    assert_int_equal(rc, -CORA_EBROKENEXECUTOR);
    cora_executor_shutdown(executor, true, false);
    cora_executor_free(executor);
    free(big);
}

/* More wake-ups than a pipe holds, were there one for each job: the only worker is not done. */
#ifdef CORA_SLOW_TESTS
enum { JOBS = 1000 };
#else
enum { JOBS = 100000 };
#endif

TEST(ProcessPoolExecutorDeadlockTest_test_gh105829_should_not_deadlock_if_wakeup_pipe_full)
{
    struct pool_job *jobs = calloc(JOBS, sizeof jobs[0]);
    cora_executor *executor = make_pool(&process_pool, 1);
    struct pool_job first = {.gate = 0};
    cora_concurrent_future *future = submit(executor, pass_gate, &first), *last = NULL;

    await_arrivals(0, 1);
    for (int i = 0; i < JOBS; i++) {
        cora_concurrent_future_unref(last);
        jobs[i] = (struct pool_job){.x = i, .y = 2};
        last = submit(executor, multiply, &jobs[i]);
    }
    assert_true(cora_concurrent_future_cancel(last));
    cora_concurrent_future_unref(last);
    cora_executor_shutdown(executor, false, true);
    open_gate(0);
    assert_result(future, 0);
    cora_executor_free(executor);
    free(jobs);
}
