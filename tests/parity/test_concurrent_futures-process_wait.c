/* CPython's test_wait.py, test_as_completed.py and test_init.py, with processes. */
#include "support/pool_tests.h"
#include "support/process.h"
#include "support/socket.h"
#include "support/test.h"

/* ---- WaitTests ------------------------------------------------------------------------------ */

TEST(ProcessPoolWaitTest_test_20369)
{
    wait_20369(&process_pool);
}

TEST(ProcessPoolWaitTest_test_first_completed)
{
    wait_first_completed(&process_pool);
}

TEST(ProcessPoolWaitTest_test_first_completed_some_already_completed)
{
    wait_first_completed_some_already_completed(&process_pool);
}

TEST(ProcessPoolWaitTest_test_first_exception)
{
    wait_first_exception(&process_pool);
}

TEST(ProcessPoolWaitTest_test_first_exception_some_already_complete)
{
    wait_first_exception_some_already_complete(&process_pool);
}

TEST(ProcessPoolWaitTest_test_first_exception_one_already_failed)
{
    wait_first_exception_one_already_failed(&process_pool);
}

TEST(ProcessPoolWaitTest_test_all_completed)
{
    wait_all_completed(&process_pool);
}

TEST(ProcessPoolWaitTest_test_timeout)
{
    wait_timeout(&process_pool);
}

/* ---- AsCompletedTests ----------------------------------------------------------------------- */

TEST(ProcessPoolAsCompletedTest_test_no_timeout)
{
    as_completed_no_timeout(&process_pool);
}

TEST(ProcessPoolAsCompletedTest_test_future_times_out)
{
    as_completed_future_times_out(&process_pool);
}

TEST(ProcessPoolAsCompletedTest_test_duplicate_futures)
{
    as_completed_duplicate_futures(&process_pool);
}

TEST(ProcessPoolAsCompletedTest_test_correct_timeout_exception_msg)
{
    as_completed_correct_timeout_exception_msg(&process_pool);
}

/* ---- initializers --------------------------------------------------------------------------- */

TEST(ProcessPoolInitializerTest_test_initializer)
{
    initializer(&process_pool);
}

TEST(ProcessPoolFailingInitializerTest_test_initializer)
{
    failing_initializer(&process_pool);
}

/* Nothing is left of it. */
TEST(FailingInitializerResourcesTest_test_forkserver)
{
    int before = count_descriptors();

    failing_initializer(&process_pool);
    assert_int_equal(count_descriptors(), before);
    assert_false(has_children());
}
