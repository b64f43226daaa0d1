/* Scopes that a task enters and must leave: what is left open, or left in the wrong order. */
#include "support/test.h"
#include "support/virtual.h"

static int line;

/* What the report about a scope of this file should contain. */
static void assert_reported(const char *kind, int at_line, const char *when)
{
    char place[128];

    snprintf(place, sizeof place, "the %s entered at %s:%d was still open %s", kind, __FILE__,
             at_line, when);
    assert_int_equal(reports.error, -CORA_EUNBALANCED);
    assert_string_equal(reports.message, place);
}

static int leave_a_timeout_open(void *arg)
{
    cora_timeout timeout;

    (void)arg;
    line = __LINE__ + 1;
    cora_timeout_enter(&timeout, 5);
    return 7;
}

static bool no_timer_is_left(void)
{
    return cora_loop_timeout(cora_get_running_loop()) == -1;
}

static int await_and_outlast(void *arg)
{
    cora_task *task = cora_loop_create_task_arg(NULL, &(cora_task_options){.name = "forgetful"},
                                                leave_a_timeout_open, "leave_a_timeout_open", NULL);
    int rc = cora_await_unref(task);

    (void)arg;
    assert_true(no_timer_is_left());
    return rc;
}

TEST(a_timeout_that_is_open_at_the_end_of_its_task_is_reported_and_disarmed)
{
    int rc = run_virtual(await_and_outlast, NULL);

    assert_int_equal(rc, 7);
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.task, "forgetful");
    assert_reported("timeout", line, "when its task ended");
}

static int sleep_long(void *arg)
{
    int rc = cora_sleep(3600);

    trace("%s", rc < 0 ? cora_strerrorname(rc) : "slept");
    *(int *)arg = rc;
    return rc;
}

static int leave_a_group_open(void *arg)
{
    cora_task_group group;
    int rc;

    line = __LINE__ + 1;
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task_arg(&group, sleep_long, arg);
    return rc < 0 ? rc : cora_sleep(1);
}

static int await_the_forgetful(void *arg)
{
    cora_task *task = cora_create_task_arg(leave_a_group_open, arg);
    int rc = cora_await_unref(task);
    int yielded = cora_sleep(0);

    assert_int_equal(yielded, 0);
    assert_int_equal(*(int *)arg, -ECANCELED);
    return rc;
}

TEST(a_group_that_is_open_at_the_end_of_its_task_is_reported_and_its_tasks_cancelled)
{
    int inner = 0;
    int rc = run_virtual(await_the_forgetful, &inner);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
    assert_reported("task group", line, "when its task ended");
}

static int leave_the_outer_first(void *arg)
{
    cora_timeout outer, inner;
    int rc;

    (void)arg;
    cora_timeout_enter(&outer, 5);
    line = __LINE__ + 1;
    cora_timeout_enter(&inner, 1);
    rc = cora_timeout_exit(&outer, 7);
    assert_int_equal(reports.count, 1);
    assert_true(no_timer_is_left());
    return rc;
}

TEST(an_inner_scope_that_is_open_when_an_outer_one_is_left_is_reported_and_abandoned)
{
    int rc = run_virtual(leave_the_outer_first, NULL);

    assert_int_equal(rc, 7);
    assert_int_equal(reports.count, 1);
    assert_reported("timeout", line, "when an outer scope was left");
}

static int leave_two_open(void *arg)
{
    cora_timeout outer, inner;

    (void)arg;
    cora_timeout_enter(&outer, 5);
    cora_timeout_enter(&inner, 5);
    line = __LINE__ - 2;
    return 7;
}

TEST(open_scopes_are_reported_from_the_innermost_on)
{
    int rc = run_virtual(leave_two_open, NULL);

    assert_int_equal(rc, 7);
    assert_int_equal(reports.count, 2);
    assert_reported("timeout", line, "when its task ended");
}

static int nest_well(void *arg)
{
    cora_timeout outer, inner;
    cora_task_group group;
    int rc;

    (void)arg;
    cora_timeout_enter(&outer, 5);
    cora_task_group_enter(&group);
    cora_timeout_enter(&inner, 5);
    rc = cora_sleep(1);
    rc = cora_timeout_exit(&inner, rc);
    rc = cora_task_group_exit(&group, rc);
    rc = cora_timeout_exit(&outer, rc);
    return rc;
}

TEST(scopes_that_are_left_in_order_are_not_reported)
{
    int rc = run_virtual(nest_well, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

static int leave_by_an_error(void *arg)
{
    cora_timeout timeout;
    int rc;

    cora_timeout_enter(&timeout, 1);
    rc = cora_sleep(3600);
    rc = cora_timeout_exit(&timeout, rc);
    *(int *)arg = rc;
    return rc;
}

TEST(a_scope_that_is_left_by_an_error_is_closed)
{
    int inner = 0;
    int rc = run_virtual(leave_by_an_error, &inner);

    assert_int_equal(rc, -ETIMEDOUT);
    assert_int_equal(inner, -ETIMEDOUT);
    assert_int_equal(reports.count, 0);
}
