/*
 * pool_tests.h: CPython's tests that both kinds of executor share, in the mixins' order: what is
 * shown of threads is shown of processes, too.
 *
 *     TEST(ThreadPoolWaitTests_test_20369)
 *     {
 *         wait_20369(&thread_pool);
 *     }
 */
#ifndef CORA_TEST_POOL_TESTS_H
#define CORA_TEST_POOL_TESTS_H

#include "support/pools.h"

typedef void pool_test(const struct pool_kind *kind);

/* ExecutorTest */
pool_test executor_submit, executor_submit_keyword, executor_map, executor_map_exception,
    executor_map_timeout, executor_map_buffersize_value_validation, executor_map_buffersize,
    executor_map_buffersize_on_multiple_iterables, executor_map_buffersize_on_infinite_iterable,
    executor_map_buffersize_on_multiple_infinite_iterables,
    executor_map_buffersize_on_empty_iterable, executor_map_buffersize_when_buffer_is_full,
    executor_shutdown_race_issue12456, executor_max_workers_negative,
    executor_swallows_falsey_exceptions;

/* WaitTests */
pool_test wait_20369, wait_first_completed, wait_first_completed_some_already_completed,
    wait_first_exception, wait_first_exception_some_already_complete,
    wait_first_exception_one_already_failed, wait_all_completed, wait_timeout;

/* AsCompletedTests */
pool_test as_completed_no_timeout, as_completed_future_times_out, as_completed_duplicate_futures,
    as_completed_correct_timeout_exception_msg;

/* ExecutorShutdownTest */
pool_test shutdown_run_after_shutdown, shutdown_interpreter_shutdown,
    shutdown_submit_after_interpreter_shutdown, shutdown_hang_issue12364, shutdown_cancel_futures,
    shutdown_hang_gh83386, shutdown_hang_gh94440;

/* InitializerMixin, FailingInitializerMixin */
pool_test initializer, failing_initializer;

#endif
