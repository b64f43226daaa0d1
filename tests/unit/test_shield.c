/* cora_shield: what ends with what, and what each end leaves behind. */
#include "support/test.h"
#include "support/virtual.h"

static cora_future *new_future(void)
{
    return cora_loop_create_future(cora_get_running_loop());
}

static void assert_main(cora_task_fn *main)
{
    int rc = run_virtual(main, NULL);

    assert_int_equal(rc, 0);
}

TEST(of_nothing_there_is_no_shield)
{
    cora_future *outer = cora_shield(NULL);

    assert_null(outer);
}

static int value_and_pointer(void *arg)
{
    cora_future *inner = new_future();
    cora_future *outer = cora_shield(inner);
    int thing, rc;

    (void)arg;
    assert_ptr_not_equal(outer, inner);
    rc = cora_future_set_result(inner, 7, &thing);
    assert_int_equal(rc, 0);
    rc = cora_await(outer);
    assert_int_equal(rc, 7);
    assert_ptr_equal(cora_future_value(outer), &thing);
    cora_future_unref(outer);
    cora_future_unref(inner);
    return 0;
}

TEST(it_ends_with_the_value_and_the_pointer)
{
    assert_main(value_and_pointer);
    assert_int_equal(reports.count, 0);
}

static int cancel_inner(void *arg)
{
    cora_future *inner = new_future();
    cora_future *outer = cora_shield(inner);
    int rc;

    (void)arg;
    cora_future_cancel_message(inner, "enough");
    rc = cora_await(outer);
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_future_cancelled(outer));
    assert_string_equal(cora_future_get_cancel_message(outer), "enough");
    cora_future_unref(outer);
    cora_future_unref(inner);
    return 0;
}

TEST(it_is_cancelled_with_what_it_holds_and_with_its_message)
{
    assert_main(cancel_inner);
    assert_int_equal(reports.count, 0);
}

static int hold(void *arg)
{
    return cora_await_unref(cora_shield(arg));
}

/* The task is cancelled `hops` iterations after the inner future is done, or before. */
static void cancel_after(int hops)
{
    cora_future *inner = new_future();
    cora_task *task = cora_create_task_arg(hold, inner);
    int rc = cora_sleep(0);

    assert_int_equal(rc, 0);
    if (hops >= 0) {
        rc = cora_future_set_result(inner, 7, NULL);
        assert_int_equal(rc, 0);
    }
    for (int i = 0; i < hops; i++) {
        rc = cora_sleep(0);
        assert_int_equal(rc, 0);
    }
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, hops < 2 ? -ECANCELED : 7);
    assert_false(cora_future_cancelled(inner));
    assert_int_equal(cora_future_done(inner), hops >= 0);
    cora_future_unref(inner);
}

static int cancel_everywhere(void *arg)
{
    (void)arg;
    for (int hops = -1; hops < 4; hops++)
        cancel_after(hops);
    return 0;
}

TEST(whenever_its_waiter_is_cancelled_what_it_holds_is_not)
{
    assert_main(cancel_everywhere);
    assert_int_equal(reports.count, 0);
}

static int drop_the_shield(void *arg)
{
    cora_future *inner = new_future();
    cora_future *outers[] = {cora_shield(inner), cora_shield(inner)};
    int rc;

    (void)arg;
    cora_future_unref(outers[0]);
    rc = cora_future_set_exception(inner, -EIO);
    assert_int_equal(rc, 0);
    rc = cora_await_unref(outers[1]);
    assert_int_equal(rc, -EIO);
    cora_future_unref(inner);
    return 0;
}

TEST(a_shield_that_nobody_holds_any_more_hears_nothing)
{
    assert_main(drop_the_shield);
    assert_int_equal(reports.count, 0);
}

static int fail_after_cancel(void *arg)
{
    cora_future *inner = new_future();
    cora_future *outers[] = {cora_shield(inner), cora_shield(inner)};
    int rc;

    (void)arg;
    for (int i = 0; i < 2; i++)
        cora_future_cancel(outers[i]);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    rc = cora_future_set_exception(inner, -EIO);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 2; i++)
        cora_future_unref(outers[i]);
    rc = cora_sleep(0);
    cora_future_unref(inner);
    return rc;
}

TEST(an_error_that_no_shield_takes_any_more_is_reported_once)
{
    assert_main(fail_after_cancel);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -EIO);
}

TEST(a_loop_that_is_freed_leaves_the_shield_to_its_owner)
{
    cora_loop *loop = virtual_loop();
    cora_future *inner = cora_loop_create_future(loop);
    cora_future *outer = cora_shield(inner);

    cora_loop_free(loop);
    assert_false(cora_future_done(outer));
    cora_future_unref(inner); /* the shield holds it */
    cora_future_unref(outer);
}
