/* CPython's test_init.py, with threads. */
#include "support/pool_tests.h"
#include "support/test.h"

TEST(ThreadPoolInitializerTest_test_initializer)
{
    initializer(&thread_pool);
}

TEST(ThreadPoolFailingInitializerTest_test_initializer)
{
    failing_initializer(&thread_pool);
}
