/* Queues: the order of items, what a failing call leaves alone, and what a shutdown leaves. */
#include "support/test.h"
#include "support/virtual.h"

static int compare_tens(const void *a, const void *b)
{
    return (int)((intptr_t)a / 10) - (int)((intptr_t)b / 10);
}

static void put(cora_queue *queue, intptr_t item)
{
    int rc = cora_queue_put_nowait(queue, (void *)item);

    assert_int_equal(rc, 0);
}

static intptr_t get(cora_queue *queue)
{
    void *item = NULL;
    int rc = cora_queue_get_nowait(queue, &item);

    assert_int_equal(rc, 0);
    return (intptr_t)item;
}

static void assert_get_fails(cora_queue *queue, int expected, int expected_nowait)
{
    void *item = queue;
    int rc = cora_queue_get(queue, &item);

    assert_int_equal(rc, expected);
    rc = cora_queue_get_nowait(queue, &item);
    assert_int_equal(rc, expected_nowait);
    assert_ptr_equal(item, queue); /* untouched */
}

/* ---- order ---------------------------------------------------------------------------------- */

/* A thousand items in and out, never more than thirty in it: the ring goes round and grows. */
TEST(first_in_first_out_while_it_grows_and_goes_round)
{
    cora_queue queue;
    intptr_t in = 0, out = 0;

    cora_queue_init(&queue, 0);
    for (int round = 0; in < 1000; round++) {
        for (int i = 0; i < round % 31 + 1; i++)
            put(&queue, ++in);
        while (cora_queue_qsize(&queue) > (size_t)(round % 7)) {
            intptr_t item = get(&queue);

            assert_int_equal(item, ++out);
        }
    }
    cora_queue_destroy(&queue);
}

TEST(last_in_first_out_while_it_grows)
{
    cora_queue queue;

    cora_lifo_queue_init(&queue, 100);
    for (intptr_t i = 0; i < 100; i++)
        put(&queue, i);
    assert_true(cora_queue_full(&queue));
    for (intptr_t i = 100; i-- > 0;) {
        intptr_t item = get(&queue);

        assert_int_equal(item, i);
    }
    cora_queue_destroy(&queue);
}

/* Of equal ones any comes first, but each comes once. */
TEST(the_least_item_comes_first_and_of_equal_ones_each_once)
{
    enum { COUNT = 500 };
    cora_queue queue;
    bool seen[COUNT] = {false};
    intptr_t last = 0, next = 17;

    cora_priority_queue_init(&queue, 0, compare_tens);
    for (int i = 0; i < COUNT; i++, next = (next + 211) % COUNT)
        put(&queue, next);
    for (int i = 0; i < COUNT; i++) {
        intptr_t item = get(&queue);

        assert_true(item / 10 >= last / 10);
        assert_false(seen[item]);
        seen[item] = true;
        last = item;
    }
    assert_true(cora_queue_empty(&queue));
    cora_queue_destroy(&queue);
}

/* ---- what a failing call leaves alone ------------------------------------------------------- */

TEST(outside_a_task_nobody_waits)
{
    cora_queue queue;
    int rc;

    cora_queue_init(&queue, 1);
    assert_int_equal(cora_queue_maxsize(&queue), 1);
    assert_get_fails(&queue, -CORA_ENOTASK, -CORA_EQUEUEEMPTY);
    rc = cora_queue_put(&queue, NULL);
    assert_int_equal(rc, 0);
    rc = cora_queue_put(&queue, NULL);
    assert_int_equal(rc, -CORA_ENOTASK);
    rc = cora_queue_put_nowait(&queue, NULL);
    assert_int_equal(rc, -CORA_EQUEUEFULL);
    assert_int_equal(cora_queue_qsize(&queue), 1);
    rc = cora_queue_join(&queue);
    assert_int_equal(rc, -CORA_ENOTASK);
    rc = cora_queue_task_done(&queue);
    assert_int_equal(rc, 0);
    rc = cora_queue_join(&queue);
    assert_int_equal(rc, 0);
    rc = cora_queue_task_done(&queue);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    cora_queue_destroy(&queue);
}

/* ---- shutdown ------------------------------------------------------------------------------- */

static void init(cora_queue *queue, int kind)
{
    if (kind == 0)
        cora_queue_init(queue, 3);
    else if (kind == 1)
        cora_lifo_queue_init(queue, 3);
    else
        cora_priority_queue_init(queue, 3, compare_tens);
    for (intptr_t i = 1; i <= 3; i++)
        put(queue, 10 * i);
}

static int end_each(void *arg)
{
    (void)arg;
    for (int kind = 0; kind < 3; kind++) {
        cora_queue queue;
        int rc;

        init(&queue, kind);
        cora_queue_shutdown(&queue, false);
        rc = cora_queue_put(&queue, NULL); /* full, and it will never be less so for a put */
        assert_int_equal(rc, -CORA_EQUEUESHUTDOWN);
        for (intptr_t i = 1; i <= 3; i++) {
            intptr_t item = get(&queue);

            assert_int_equal(item, kind == 1 ? 40 - 10 * i : 10 * i);
        }
        assert_get_fails(&queue, -CORA_EQUEUESHUTDOWN, -CORA_EQUEUESHUTDOWN);
        rc = cora_queue_put_nowait(&queue, NULL);
        assert_int_equal(rc, -CORA_EQUEUESHUTDOWN);
        cora_queue_destroy(&queue);
    }
    return 0;
}

TEST(after_the_end_what_is_in_it_comes_out_in_order_and_nothing_goes_in)
{
    int rc = run_virtual(end_each, NULL);

    assert_int_equal(rc, 0);
}

static int end_each_at_once(void *arg)
{
    (void)arg;
    for (int kind = 0; kind < 3; kind++) {
        cora_queue queue;
        intptr_t taken;
        int rc;

        init(&queue, kind);
        taken = get(&queue);
        assert_int_equal(taken, kind == 1 ? 30 : 10);
        cora_queue_shutdown(&queue, true);
        assert_true(cora_queue_empty(&queue));
        assert_get_fails(&queue, -CORA_EQUEUESHUTDOWN, -CORA_EQUEUESHUTDOWN);
        rc = cora_queue_task_done(&queue); /* the one that was taken is left to do */
        assert_int_equal(rc, 0);
        rc = cora_queue_join(&queue);
        assert_int_equal(rc, 0);
        cora_queue_shutdown(&queue, true); /* no effect */
        cora_queue_destroy(&queue);
    }
    return 0;
}

TEST(an_immediate_end_drops_what_is_in_it_and_not_the_work_that_was_taken)
{
    int rc = run_virtual(end_each_at_once, NULL);

    assert_int_equal(rc, 0);
}

/* ---- loops ---------------------------------------------------------------------------------- */

static int get_one(void *arg)
{
    void *item = NULL;
    int rc = cora_queue_get(arg, &item);

    return rc < 0 ? rc : (int)(intptr_t)item;
}

TEST(a_host_that_steps_the_loop_may_put_and_get)
{
    cora_queue queue;
    cora_loop *loop = virtual_loop();
    cora_task *task = cora_loop_create_task_arg(loop, NULL, get_one, "get_one", &queue);
    int rc;

    cora_queue_init(&queue, 1);
    rc = cora_loop_run_ready(loop);
    assert_int_equal(rc, 1);
    put(&queue, 7);
    rc = cora_loop_run_ready(loop);
    assert_int_equal(rc, 1);
    rc = cora_task_result(task);
    assert_int_equal(rc, 7);
    cora_task_unref(task);
    cora_loop_free(loop);
    cora_queue_destroy(&queue);
}

TEST(a_loop_closed_over_those_who_wait_leaves_the_queue_to_the_next_loop)
{
    cora_queue queue;
    cora_loop *loop = virtual_loop();
    int rc;

    cora_queue_init(&queue, 1);
    for (int i = 0; i < 2; i++)
        cora_task_unref(cora_loop_create_task_arg(loop, NULL, get_one, "get_one", &queue));
    rc = cora_loop_run_ready(loop);
    assert_int_equal(rc, 2);
    cora_loop_free(loop);
    put(&queue, 7); /* wakes nobody */
    rc = run_virtual(get_one, &queue);
    assert_int_equal(rc, 7);
    cora_queue_destroy(&queue);
}
