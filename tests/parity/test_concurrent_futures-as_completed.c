/* CPython's test_as_completed.py, with threads. */
#include "support/pool_tests.h"
#include "support/test.h"

TEST(ThreadPoolAsCompletedTest_test_no_timeout)
{
    as_completed_no_timeout(&thread_pool);
}

TEST(ThreadPoolAsCompletedTest_test_future_times_out)
{
    as_completed_future_times_out(&thread_pool);
}

TEST(ThreadPoolAsCompletedTest_test_duplicate_futures)
{
    as_completed_duplicate_futures(&thread_pool);
}

TEST(ThreadPoolAsCompletedTest_test_correct_timeout_exception_msg)
{
    as_completed_correct_timeout_exception_msg(&thread_pool);
}
