/* Tasks: what runs when, and what becomes of it. */
#include "support/test.h"
#include "support/virtual.h"

static int seven(void *arg)
{
    (void)arg;
    return 7;
}

TEST(a_task_returns_what_its_function_returns)
{
    assert_int_equal(run_virtual(seven, NULL), 7);
}
