/* The condition's rules of use; its schedules are searched by tests/model. */
#include "support/test.h"
#include "support/virtual.h"

static bool is_true(void *arg)
{
    return *(bool *)arg;
}

TEST(what_needs_the_lock_is_refused_without_it)
{
    cora_condition condition;
    bool no = false, yes = true;
    int rc;

    cora_condition_init(&condition, NULL);
    rc = cora_condition_wait(&condition);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    rc = cora_condition_wait_for(&condition, is_true, &no);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    rc = cora_condition_wait_for(&condition, is_true, &yes); /* it need not wait */
    assert_int_equal(rc, 0);
    rc = cora_condition_notify(&condition, 1);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    rc = cora_condition_notify_all(&condition);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    rc = cora_condition_release(&condition);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
}

static int acquire(void *arg)
{
    return cora_condition_acquire(arg);
}

/* Even if somebody waits for the lock, who would have it were it let go. */
TEST(a_wait_outside_a_task_is_refused_and_the_lock_stays_held)
{
    cora_condition condition = CORA_CONDITION_INIT;
    cora_loop *loop = virtual_loop();
    cora_task *task = cora_loop_create_task_arg(loop, NULL, acquire, "acquire", &condition);
    int rc = cora_condition_acquire(&condition);

    assert_int_equal(rc, 0);
    rc = cora_loop_run_ready(loop);
    assert_int_equal(rc, 1);
    rc = cora_condition_wait(&condition);
    assert_int_equal(rc, -CORA_ENOTASK);
    assert_true(cora_condition_locked(&condition));
    rc = cora_condition_notify_all(&condition);
    assert_int_equal(rc, 0);
    rc = cora_loop_run_ready(loop);
    assert_int_equal(rc, 0);
    rc = cora_condition_release(&condition);
    assert_int_equal(rc, 0);
    rc = cora_loop_run_ready(loop);
    assert_int_equal(rc, 1);
    rc = cora_task_result(task);
    assert_int_equal(rc, 0);
    cora_task_unref(task);
    cora_loop_free(loop);
}

/* ---- two conditions on one lock ------------------------------------------------------------- */

struct await_notice_args {
    cora_condition *condition;
    const char *name;
};

static int await_notice(void *arg)
{
    struct await_notice_args *a = arg;
    int rc = cora_condition_acquire(a->condition);

    if (rc < 0)
        return rc;
    rc = cora_condition_wait(a->condition);
    trace("%s%s", a->name, rc < 0 ? "-" : "");
    (void)cora_condition_release(a->condition);
    return rc;
}

static void notify(cora_condition *condition, int count)
{
    int rc = cora_condition_acquire(condition);

    assert_int_equal(rc, 0);
    rc = cora_condition_notify(condition, count);
    assert_int_equal(rc, 0);
    rc = cora_condition_release(condition);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 4; i++) {
        rc = cora_sleep(0);
        assert_int_equal(rc, 0);
    }
}

static int share_a_lock(void *arg)
{
    cora_lock lock = CORA_LOCK_INIT;
    cora_condition full, empty;
    cora_task *tasks[3];
    int rc;

    (void)arg;
    cora_condition_init(&full, &lock);
    cora_condition_init(&empty, &lock);
    rc = cora_condition_acquire(&full);
    assert_int_equal(rc, 0);
    assert_true(cora_condition_locked(&empty));
    rc = cora_lock_release(&lock);
    assert_int_equal(rc, 0);
    tasks[0] = cora_create_task(await_notice, .condition = &full, .name = "full");
    tasks[1] = cora_create_task(await_notice, .condition = &empty, .name = "empty");
    tasks[2] = cora_create_task(await_notice, .condition = &full, .name = "full again");
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    notify(&full, 0);
    notify(&full, -1);
    assert_string_equal(trace_text, "");
    notify(&empty, 5);
    assert_string_equal(trace_text, "empty ");
    notify(&full, 1);
    assert_string_equal(trace_text, "empty full ");
    notify(&full, 1);
    rc = cora_gather(tasks, 3, NULL, 0);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "empty full full again ");
    assert_false(cora_lock_locked(&lock));
    for (int i = 0; i < 3; i++)
        cora_task_unref(tasks[i]);
    return 0;
}

TEST(two_conditions_on_one_lock_wake_their_own_and_as_many_as_they_are_told)
{
    int rc = run_virtual(share_a_lock, NULL);

    assert_int_equal(rc, 0);
}

/* ---- loops ---------------------------------------------------------------------------------- */

static int notify_nobody(void *arg)
{
    notify(arg, 1);
    return 0;
}

TEST(a_loop_closed_over_those_who_wait_leaves_the_condition_to_the_next_loop)
{
    cora_condition condition = CORA_CONDITION_INIT;
    struct await_notice_args args = {&condition, "never"};
    cora_loop *loop = virtual_loop();
    int rc;

    for (int i = 0; i < 2; i++)
        cora_task_unref(cora_loop_create_task_arg(loop, NULL, await_notice, "await_notice", &args));
    rc = cora_loop_run_ready(loop);
    assert_int_equal(rc, 2);
    cora_loop_free(loop);
    assert_false(cora_condition_locked(&condition));
    rc = run_virtual(notify_nobody, &condition);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "");
}
