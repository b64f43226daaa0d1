/* The event beyond one loop and its tasks: its schedules are searched by tests/model. */
#include "support/test.h"
#include "support/virtual.h"

TEST(outside_a_task_an_event_can_be_set_and_cleared_but_not_waited_for)
{
    cora_event event;
    int rc;

    cora_event_init(&event);
    assert_false(cora_event_is_set(&event));
    rc = cora_event_wait(&event);
    assert_int_equal(rc, -CORA_ENOTASK);
    cora_event_set(&event);
    cora_event_set(&event);
    assert_true(cora_event_is_set(&event));
    rc = cora_event_wait(&event);
    assert_int_equal(rc, 0);
    cora_event_clear(&event);
    assert_false(cora_event_is_set(&event));
}

static int wait_for_it(void *arg)
{
    return cora_event_wait(arg);
}

TEST(a_host_that_steps_the_loop_may_set_it)
{
    cora_event event = CORA_EVENT_INIT;
    cora_loop *loop = virtual_loop();
    cora_task *task = cora_loop_create_task_arg(loop, NULL, wait_for_it, "wait_for_it", &event);
    int rc = cora_loop_run_ready(loop);

    assert_int_equal(rc, 1);
    rc = cora_loop_run_ready(loop);
    assert_int_equal(rc, 0);
    cora_event_set(&event);
    rc = cora_loop_run_ready(loop);
    assert_int_equal(rc, 1);
    rc = cora_task_result(task);
    assert_int_equal(rc, 0);
    cora_task_unref(task);
    cora_loop_free(loop);
}

TEST(a_loop_closed_over_those_who_wait_leaves_the_event_to_the_next_loop)
{
    cora_event event = CORA_EVENT_INIT;
    cora_loop *loop = virtual_loop();
    int rc;

    for (int i = 0; i < 2; i++)
        cora_task_unref(cora_loop_create_task_arg(loop, NULL, wait_for_it, "wait_for_it", &event));
    rc = cora_loop_run_ready(loop);
    assert_int_equal(rc, 2);
    cora_loop_free(loop);
    assert_int_equal(reports.count, 2);
    cora_event_set(&event); /* wakes nobody */
    rc = run_virtual(wait_for_it, &event);
    assert_int_equal(rc, 0);
}
