/* Queues: the order of items, who waits for how long, who is woken, and what a shutdown ends. */
#include "support/test.h"
#include "support/virtual.h"

/* ---- items and tasks ------------------------------------------------------------------------ */

static void *item(intptr_t value)
{
    return (void *)value;
}

static int value(void *item)
{
    return (int)(intptr_t)item;
}

static int compare(const void *a, const void *b)
{
    return ((intptr_t)a > (intptr_t)b) - ((intptr_t)a < (intptr_t)b);
}

struct put_args {
    cora_queue *queue;
    int value;
};

static int put(void *arg)
{
    struct put_args *a = arg;

    return cora_queue_put(a->queue, item(a->value));
}

/* Its outcome is the item it got. */
struct get_args {
    cora_queue *queue;
};

static int get(void *arg)
{
    struct get_args *a = arg;
    void *got = NULL;
    int rc = cora_queue_get(a->queue, &got);

    return rc < 0 ? rc : value(got);
}

struct join_args {
    cora_queue *queue;
};

static int join(void *arg)
{
    struct join_args *a = arg;

    return cora_queue_join(a->queue);
}

/* ---- checks --------------------------------------------------------------------------------- */

static void assert_put(cora_queue *queue, int value)
{
    int rc = cora_queue_put(queue, item(value));

    assert_int_equal(rc, 0);
}

static void assert_put_nowait(cora_queue *queue, int value)
{
    int rc = cora_queue_put_nowait(queue, item(value));

    assert_int_equal(rc, 0);
}

static void assert_get(cora_queue *queue, int expected)
{
    void *got = NULL;
    int rc = cora_queue_get(queue, &got);

    assert_int_equal(rc, 0);
    assert_int_equal(value(got), expected);
}

static void assert_get_nowait(cora_queue *queue, int expected)
{
    void *got = NULL;
    int rc = cora_queue_get_nowait(queue, &got);

    assert_int_equal(rc, 0);
    assert_int_equal(value(got), expected);
}

/* Everyone who is ready runs once. */
static void let_others_run(void)
{
    int rc = cora_sleep(0);

    assert_int_equal(rc, 0);
}

static void assert_outcome(cora_task *task, int expected)
{
    int rc = cora_await_unref(task);

    assert_int_equal(rc, expected);
}

static void assert_runs(cora_task_fn *fn, void *arg)
{
    int rc = run_virtual(fn, arg);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

/* ---- what a queue holds --------------------------------------------------------------------- */

static int fill_and_empty(void *arg)
{
    cora_queue queue;
    bool empty;

    (void)arg;
    cora_queue_init(&queue, 0);
    empty = cora_queue_empty(&queue);
    assert_true(empty);
    assert_put(&queue, 1);
    empty = cora_queue_empty(&queue);
    assert_false(empty);
    assert_get(&queue, 1);
    empty = cora_queue_empty(&queue);
    assert_true(empty);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(QueueBasicTests_test_empty)
{
    assert_runs(fill_and_empty, NULL);
}

static int fill(void *arg)
{
    cora_queue queue;
    bool full;

    (void)arg;
    cora_queue_init(&queue, 0);
    full = cora_queue_full(&queue);
    assert_false(full);
    cora_queue_destroy(&queue);

    cora_queue_init(&queue, 1);
    assert_put(&queue, 1);
    full = cora_queue_full(&queue);
    assert_true(full);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(QueueBasicTests_test_full)
{
    assert_runs(fill, NULL);
}

/* What 1, 3, 2 come out as. */
static void assert_order(cora_queue *queue, const int expected[3])
{
    assert_put(queue, 1);
    assert_put(queue, 3);
    assert_put(queue, 2);
    for (int i = 0; i < 3; i++)
        assert_get(queue, expected[i]);
    cora_queue_destroy(queue);
}

static int order_of_a_queue(void *arg)
{
    cora_queue queue;

    (void)arg;
    cora_queue_init(&queue, 0);
    assert_order(&queue, (int[]){1, 3, 2});
    return 0;
}

TEST(QueueBasicTests_test_order)
{
    assert_runs(order_of_a_queue, NULL);
}

struct put_three_args {
    cora_queue *queue;
};

static int put_three(void *arg)
{
    struct put_three_args *a = arg;

    for (int i = 0; i < 3; i++) {
        assert_put(a->queue, i);
        trace("%d", i);
    }
    return 1;
}

static int put_more_than_fits(void *arg)
{
    cora_queue queue;
    cora_task *putter;
    size_t maxsize;
    bool done;

    (void)arg;
    cora_queue_init(&queue, 2);
    maxsize = cora_queue_maxsize(&queue);
    assert_int_equal(maxsize, 2);
    putter = cora_create_task(put_three, .queue = &queue);
    let_others_run();
    let_others_run();
    assert_string_equal(trace_text, "0 1 ");
    assert_get(&queue, 0);

    let_others_run();
    assert_string_equal(trace_text, "0 1 2 ");
    assert_get(&queue, 1);
    assert_get(&queue, 2);
    done = cora_task_done(putter);
    assert_true(done);
    assert_outcome(putter, 1);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(QueueBasicTests_test_maxsize)
{
    assert_runs(put_more_than_fits, NULL);
}

/* ---- get ------------------------------------------------------------------------------------ */

static int get_what_is_there(void *arg)
{
    cora_queue queue;

    (void)arg;
    cora_queue_init(&queue, 0);
    assert_put_nowait(&queue, 1);
    assert_get(&queue, 1);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(QueueGetTests_test_blocking_get)
{
    assert_runs(get_what_is_there, NULL);
}

/* The get itself wakes the putter, whose item is then in one iteration later. */
static int get_from_a_full_one(void *arg)
{
    cora_queue queue;
    cora_task *putter;
    bool done;

    (void)arg;
    cora_queue_init(&queue, 1);
    assert_put(&queue, 1);
    putter = cora_create_task(put, .queue = &queue, .value = 2);
    let_others_run();
    done = cora_task_done(putter);
    assert_false(done);

    assert_get(&queue, 1);
    let_others_run();
    done = cora_task_done(putter);
    assert_true(done);
    assert_outcome(putter, 0);
    assert_get_nowait(&queue, 2);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(QueueGetTests_test_get_with_putters)
{
    assert_runs(get_from_a_full_one, NULL);
}

static void put_one(void *queue)
{
    assert_put_nowait(queue, 1);
}

struct get_late_args {
    cora_queue *queue;
    cora_event *started;
    bool *finished;
};

static int get_late(void *arg)
{
    struct get_late_args *a = arg;
    void *got = NULL;
    int rc;

    cora_event_set(a->started);
    rc = cora_queue_get(a->queue, &got);
    *a->finished = true;
    return rc < 0 ? rc : value(got);
}

static int wait_for_an_item(void *arg)
{
    cora_loop *loop = cora_get_running_loop();
    cora_event started = CORA_EVENT_INIT;
    bool finished = false;
    cora_queue queue;
    cora_task *getter;
    double when;
    int rc;

    (void)arg;
    cora_queue_init(&queue, 0);
    getter =
        cora_create_task(get_late, .queue = &queue, .started = &started, .finished = &finished);
    rc = cora_event_wait(&started);
    assert_int_equal(rc, 0);
    assert_false(finished);
    rc = cora_loop_call_later(loop, 0.01, put_one, &queue, NULL);
    assert_int_equal(rc, 0);
    assert_outcome(getter, 1);
    assert_true(finished);
    when = cora_loop_time(loop);
    assert_float_equal(when, 0.01, 1e-9);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(QueueGetTests_test_blocking_get_wait)
{
    assert_runs(wait_for_an_item, NULL);
}

/* No loop is needed for what does not wait. */
TEST(QueueGetTests_test_nonblocking_get)
{
    cora_queue queue;

    cora_queue_init(&queue, 0);
    assert_put_nowait(&queue, 1);
    assert_get_nowait(&queue, 1);
    cora_queue_destroy(&queue);
}

TEST(QueueGetTests_test_nonblocking_get_exception)
{
    cora_queue queue;
    void *got = &queue;
    int rc;

    cora_queue_init(&queue, 0);
    rc = cora_queue_get_nowait(&queue, &got);
    assert_int_equal(rc, -CORA_EQUEUEEMPTY);
    assert_ptr_equal(got, &queue);
    cora_queue_destroy(&queue);
}

/* One that was cancelled in the line does not take the wake-up of the one behind it. */
static int cancel_the_first_getter(void *arg)
{
    cora_queue queue;
    cora_task *first, *second;
    bool done;

    (void)arg;
    cora_queue_init(&queue, 0);
    first = cora_create_task(get, .queue = &queue);
    second = cora_create_task(get, .queue = &queue);
    let_others_run();
    cora_task_cancel(first);
    let_others_run();
    done = cora_task_done(first);
    assert_true(done);
    assert_put(&queue, 'a');
    let_others_run();
    done = cora_task_done(second);
    assert_true(done);
    assert_outcome(second, 'a');
    assert_outcome(first, -ECANCELED);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(QueueGetTests_test_get_cancelled_race)
{
    assert_runs(cancel_the_first_getter, NULL);
}

static int get_from_two_putters(void *arg)
{
    cora_queue queue;
    cora_task *a, *b;

    (void)arg;
    cora_queue_init(&queue, 1);
    a = cora_create_task(put, .queue = &queue, .value = 'a');
    b = cora_create_task(put, .queue = &queue, .value = 'b');
    assert_get(&queue, 'a');
    assert_get(&queue, 'b');
    assert_outcome(a, 0);
    assert_outcome(b, 0);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(QueueGetTests_test_get_with_waiting_putters)
{
    assert_runs(get_from_two_putters, NULL);
}

/* ---- producer and consumer ------------------------------------------------------------------ */

struct produce_args {
    cora_queue *queue;
    int count;
};

static int produce(void *arg)
{
    struct produce_args *a = arg;

    for (int i = 0; i < a->count; i++)
        assert_put(a->queue, i);
    return 0;
}

struct consume_args {
    cora_queue *queue;
    int count;
};

static int consume(void *arg)
{
    struct consume_args *a = arg;

    for (int i = 0; i < a->count; i++)
        assert_get(a->queue, i);
    return 0;
}

static int produce_and_consume(void *arg)
{
    enum { COUNT = 5 };
    cora_task_group group;
    cora_queue queue;
    int rc;

    (void)arg;
    cora_queue_init(&queue, 1);
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, produce, .queue = &queue, .count = COUNT);
    assert_int_equal(rc, 0);
    rc = cora_task_group_create_task(&group, consume, .queue = &queue, .count = COUNT);
    assert_int_equal(rc, 0);
    rc = cora_task_group_exit(&group, 0);
    cora_queue_destroy(&queue);
    return rc;
}

/* Through a queue of one item; a wake-up lost would leave both waiting, and the run end with
 * -EDEADLK. */
TEST(QueueGetTests_test_why_are_getters_waiting)
{
    assert_runs(produce_and_consume, NULL);
}

/* The getter whose time was up has left the line: the item wakes the one that came after it. */
static int get_for_a_while(void *arg)
{
    cora_queue queue;
    cora_task *getter;
    bool done;
    int rc;

    (void)arg;
    cora_queue_init(&queue, 5);
    getter = cora_create_task(get, .queue = &queue);
    rc = cora_wait_for(getter, 0.1);
    assert_int_equal(rc, -ETIMEDOUT);
    cora_task_unref(getter);

    getter = cora_create_task(get, .queue = &queue);
    let_others_run();
    assert_put_nowait(&queue, 1);
    let_others_run();
    done = cora_task_done(getter);
    assert_true(done);
    assert_outcome(getter, 1);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(QueueGetTests_test_cancelled_getters_not_being_held_in_self_getters)
{
    assert_runs(get_for_a_while, NULL);
}

/* ---- put ------------------------------------------------------------------------------------ */

static int put_without_a_limit(void *arg)
{
    cora_queue queue;

    (void)arg;
    cora_queue_init(&queue, 0);
    assert_put(&queue, 1);
    assert_get(&queue, 1);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(QueuePutTests_test_blocking_put)
{
    assert_runs(put_without_a_limit, NULL);
}

static void get_one(void *queue)
{
    assert_get_nowait(queue, 1);
}

struct put_two_args {
    cora_queue *queue;
    cora_event *started;
    bool *finished;
};

static int put_two(void *arg)
{
    struct put_two_args *a = arg;

    cora_event_set(a->started);
    assert_put(a->queue, 1);
    assert_put(a->queue, 2);
    *a->finished = true;
    return 0;
}

static int wait_for_room(void *arg)
{
    cora_loop *loop = cora_get_running_loop();
    cora_event started = CORA_EVENT_INIT;
    bool finished = false;
    cora_queue queue;
    cora_task *putter;
    double when;
    int rc;

    (void)arg;
    cora_queue_init(&queue, 1);
    rc = cora_loop_call_later(loop, 0.01, get_one, &queue, NULL);
    assert_int_equal(rc, 0);
    putter = cora_create_task(put_two, .queue = &queue, .started = &started, .finished = &finished);
    rc = cora_event_wait(&started);
    assert_int_equal(rc, 0);
    assert_false(finished);
    assert_outcome(putter, 0);
    assert_true(finished);
    when = cora_loop_time(loop);
    assert_float_equal(when, 0.01, 1e-9);
    assert_get_nowait(&queue, 2);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(QueuePutTests_test_blocking_put_wait)
{
    assert_runs(wait_for_room, NULL);
}

TEST(QueuePutTests_test_nonblocking_put)
{
    cora_queue queue;

    cora_queue_init(&queue, 0);
    assert_put_nowait(&queue, 1);
    assert_get_nowait(&queue, 1);
    cora_queue_destroy(&queue);
}

/* Woken for an item and cancelled before it runs: the item stays, first in the line. */
static int cancel_a_woken_getter(void *arg)
{
    cora_queue queue;
    cora_task *reader;

    (void)arg;
    cora_queue_init(&queue, 0);
    reader = cora_create_task(get, .queue = &queue);
    let_others_run();
    assert_put_nowait(&queue, 1);
    assert_put_nowait(&queue, 2);
    cora_task_cancel(reader);
    assert_outcome(reader, -ECANCELED);

    reader = cora_create_task(get, .queue = &queue);
    assert_outcome(reader, 1);
    assert_get_nowait(&queue, 2);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(QueuePutTests_test_get_cancel_drop_one_pending_reader)
{
    assert_runs(cancel_a_woken_getter, NULL);
}

/* Of two woken ones the first is cancelled: it wakes the third, and no item is lost. */
static int cancel_one_of_the_getters(void *arg)
{
    cora_task_group group;
    cora_queue queue;
    cora_task *readers[3];
    int rc, second;

    (void)arg;
    cora_queue_init(&queue, 0);
    cora_task_group_enter(&group);
    for (int i = 0; i < 3; i++) {
        rc = cora_task_group_create_task_with(&group, NULL, &readers[i], get, .queue = &queue);
        assert_int_equal(rc, 0);
    }
    let_others_run();
    assert_put_nowait(&queue, 1);
    assert_put_nowait(&queue, 2);
    cora_task_cancel(readers[0]);
    rc = cora_await(readers[0]);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_await(readers[2]);
    assert_true(rc == 1 || rc == 2);
    second = cora_await(readers[1]);
    assert_int_equal(second, 3 - rc);
    rc = cora_task_group_exit(&group, 0);
    cora_queue_destroy(&queue);
    return rc;
}

TEST(QueuePutTests_test_get_cancel_drop_many_pending_readers)
{
    assert_runs(cancel_one_of_the_getters, NULL);
}

/* Woken for room and cancelled before it runs: its item is not in, and the room is left. */
static int cancel_a_woken_putter(void *arg)
{
    cora_queue queue;
    cora_task *writer;
    size_t size;

    (void)arg;
    cora_queue_init(&queue, 1);
    assert_put_nowait(&queue, 1);
    writer = cora_create_task(put, .queue = &queue, .value = 2);
    let_others_run();
    assert_get_nowait(&queue, 1);
    cora_task_cancel(writer);
    assert_outcome(writer, -ECANCELED);

    writer = cora_create_task(put, .queue = &queue, .value = 2);
    assert_outcome(writer, 0);
    assert_get_nowait(&queue, 2);
    size = cora_queue_qsize(&queue);
    assert_int_equal(size, 0);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(QueuePutTests_test_put_cancel_drop)
{
    assert_runs(cancel_a_woken_putter, NULL);
}

TEST(QueuePutTests_test_nonblocking_put_exception)
{
    cora_queue queue;
    size_t size;
    int rc;

    cora_queue_init(&queue, 1);
    assert_put_nowait(&queue, 1);
    rc = cora_queue_put_nowait(&queue, item(2));
    assert_int_equal(rc, -CORA_EQUEUEFULL);
    size = cora_queue_qsize(&queue);
    assert_int_equal(size, 1);
    cora_queue_destroy(&queue);
}

struct put_and_say_so_args {
    cora_queue *queue;
};

static int put_and_say_so(void *arg)
{
    struct put_and_say_so_args *a = arg;

    assert_put(a->queue, 1);
    return 1;
}

/* The putter does not wait for the getter it wakes: it has ended when that goes on. */
static int get_from_a_task(void *arg)
{
    cora_queue queue;
    cora_task *putter;
    bool done;

    (void)arg;
    cora_queue_init(&queue, 0);
    putter = cora_create_task(put_and_say_so, .queue = &queue);
    assert_get(&queue, 1);
    done = cora_task_done(putter);
    assert_true(done);
    assert_outcome(putter, 1);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(QueuePutTests_test_put_cancelled)
{
    assert_runs(get_from_a_task, NULL);
}

static int cancel_the_last_putter(void *arg)
{
    cora_queue queue;
    cora_task *a, *b, *c;
    bool done;

    (void)arg;
    cora_queue_init(&queue, 1);
    a = cora_create_task(put, .queue = &queue, .value = 'a');
    b = cora_create_task(put, .queue = &queue, .value = 'b');
    c = cora_create_task(put, .queue = &queue, .value = 'X');
    let_others_run();
    done = cora_task_done(a);
    assert_true(done);
    done = cora_task_done(b);
    assert_false(done);

    cora_task_cancel(c);
    let_others_run();
    done = cora_task_done(c);
    assert_true(done);
    assert_get_nowait(&queue, 'a');
    let_others_run();
    assert_get_nowait(&queue, 'b');
    assert_outcome(a, 0);
    assert_outcome(b, 0);
    assert_outcome(c, -ECANCELED);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(QueuePutTests_test_put_cancelled_race)
{
    assert_runs(cancel_the_last_putter, NULL);
}

static int put_for_a_getter(void *arg)
{
    cora_queue queue;
    cora_task *getter;

    (void)arg;
    cora_queue_init(&queue, 0);
    getter = cora_create_task(get, .queue = &queue);
    let_others_run();
    assert_put(&queue, 'a');
    assert_outcome(getter, 'a');
    cora_queue_destroy(&queue);
    return 0;
}

TEST(QueuePutTests_test_put_with_waiting_getters)
{
    assert_runs(put_for_a_getter, NULL);
}

/* Takes out at once what is there one iteration later. */
struct drain_args {
    cora_queue *queue;
};

static int drain(void *arg)
{
    struct drain_args *a = arg;
    size_t count;

    let_others_run();
    count = cora_queue_qsize(a->queue);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++)
        assert_get_nowait(a->queue, (int)i);
    return 0;
}

static int put_four_into_two(void *arg)
{
    cora_task_group group;
    cora_queue queue;
    int rc;

    (void)arg;
    cora_queue_init(&queue, 2);
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, drain, .queue = &queue);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 4; i++) {
        rc = cora_task_group_create_task(&group, put, .queue = &queue, .value = i);
        assert_int_equal(rc, 0);
    }
    rc = cora_task_group_exit(&group, 0);
    assert_int_equal(rc, 0);
    assert_get_nowait(&queue, 2);
    assert_get_nowait(&queue, 3);
    cora_queue_destroy(&queue);
    return 0;
}

/* Two gets in a row wake two putters, not the first one twice. */
TEST(QueuePutTests_test_why_are_putters_waiting)
{
    assert_runs(put_four_into_two, NULL);
}

/* The putter that was cancelled has left the line: the room wakes the one that came after it. */
static int cancel_a_waiting_putter(void *arg)
{
    cora_queue queue;
    cora_task *putter;
    bool done;

    (void)arg;
    cora_queue_init(&queue, 1);
    assert_put_nowait(&queue, 1);
    putter = cora_create_task(put, .queue = &queue, .value = 2);
    let_others_run();
    done = cora_task_done(putter);
    assert_false(done);
    cora_task_cancel(putter);
    assert_outcome(putter, -ECANCELED);

    putter = cora_create_task(put, .queue = &queue, .value = 3);
    let_others_run();
    assert_get_nowait(&queue, 1);
    let_others_run();
    done = cora_task_done(putter);
    assert_true(done);
    assert_outcome(putter, 0);
    assert_get_nowait(&queue, 3);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(QueuePutTests_test_cancelled_puts_not_being_held_in_self_putters)
{
    assert_runs(cancel_a_waiting_putter, NULL);
}

/* The get has taken the putter out of the line already; the cancellation finds it so. */
static int cancel_a_putter_after_the_get(void *arg)
{
    cora_queue queue;
    cora_task *putter;
    bool empty;

    (void)arg;
    cora_queue_init(&queue, 1);
    assert_put_nowait(&queue, 1);
    putter = cora_create_task(put, .queue = &queue, .value = 1);
    let_others_run();
    assert_get_nowait(&queue, 1);
    cora_task_cancel(putter);
    assert_outcome(putter, -ECANCELED);
    empty = cora_queue_empty(&queue);
    assert_true(empty);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(QueuePutTests_test_cancelled_put_silence_value_error_exception)
{
    assert_runs(cancel_a_putter_after_the_get, NULL);
}

/* ---- other orders --------------------------------------------------------------------------- */

static int order_of_a_lifo_queue(void *arg)
{
    cora_queue queue;

    (void)arg;
    cora_lifo_queue_init(&queue, 0);
    assert_order(&queue, (int[]){2, 3, 1});
    return 0;
}

TEST(LifoQueueTests_test_order)
{
    assert_runs(order_of_a_lifo_queue, NULL);
}

static int order_of_a_priority_queue(void *arg)
{
    cora_queue queue;

    (void)arg;
    cora_priority_queue_init(&queue, 0, compare);
    assert_order(&queue, (int[]){1, 2, 3});
    return 0;
}

TEST(PriorityQueueTests_test_order)
{
    assert_runs(order_of_a_priority_queue, NULL);
}

/* ---- of all three kinds --------------------------------------------------------------------- */

static void init_priority(cora_queue *queue, size_t maxsize)
{
    cora_priority_queue_init(queue, maxsize, compare);
}

struct kind {
    void (*init)(cora_queue *queue, size_t maxsize);
};

static const struct kind kinds[] = {
    {cora_queue_init},
    {cora_lifo_queue_init},
    {init_priority},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* fn gets a struct kind. */
static void assert_runs_with_each_kind(cora_task_fn *fn)
{
    for (int i = 0; i < KINDS; i++) {
        struct kind kind = kinds[i];

        assert_runs(fn, &kind);
    }
}

/* ---- join ----------------------------------------------------------------------------------- */

TEST(_QueueJoinTestMixin_test_task_done_underflow)
{
    for (int i = 0; i < KINDS; i++) {
        cora_queue queue;
        int rc;

        kinds[i].init(&queue, 0);
        rc = cora_queue_task_done(&queue);
        assert_int_equal(rc, -CORA_EINVALIDSTATE);
        cora_queue_destroy(&queue);
    }
}

struct worker_args {
    cora_queue *queue;
    const bool *running;
    int *sum;
};

static int worker(void *arg)
{
    struct worker_args *a = arg;
    int rc = 0;

    while (rc == 0 && *a->running) {
        void *got = NULL;

        rc = cora_queue_get(a->queue, &got);
        *a->sum += value(got);
        if (rc == 0)
            rc = cora_queue_task_done(a->queue);
    }
    return rc;
}

/* join returns when two workers have dealt with all items, and not before. */
static int join_workers(void *arg)
{
    enum { ITEMS = 100, WORKERS = 2 };
    const struct kind *kind = arg;
    cora_task_group group;
    cora_queue queue;
    bool running = true;
    int rc, sum = 0;

    kind->init(&queue, 0);
    for (int i = 0; i < ITEMS; i++)
        assert_put_nowait(&queue, i);
    cora_task_group_enter(&group);
    for (int i = 0; i < WORKERS; i++) {
        rc = cora_task_group_create_task(&group, worker, .queue = &queue, .running = &running,
                                         .sum = &sum);
        assert_int_equal(rc, 0);
    }
    rc = cora_queue_join(&queue);
    assert_int_equal(rc, 0);
    assert_int_equal(sum, ITEMS * (ITEMS - 1) / 2);

    running = false;
    for (int i = 0; i < WORKERS; i++)
        assert_put_nowait(&queue, 0);
    rc = cora_task_group_exit(&group, 0);
    cora_queue_destroy(&queue);
    return rc;
}

TEST(_QueueJoinTestMixin_test_task_done)
{
    assert_runs_with_each_kind(join_workers);
}

static int join_an_empty_one(void *arg)
{
    const struct kind *kind = arg;
    cora_queue queue;

    kind->init(&queue, 0);
    for (int i = 0; i < 2; i++) {
        int rc = cora_queue_join(&queue);

        assert_int_equal(rc, 0);
    }
    cora_queue_destroy(&queue);
    return 0;
}

TEST(_QueueJoinTestMixin_test_join_empty_queue)
{
    assert_runs_with_each_kind(join_an_empty_one);
}

/* ---- shutdown ------------------------------------------------------------------------------- */

static void assert_shut_down(cora_queue *queue)
{
    void *got = NULL;
    int rc;

    rc = cora_queue_put(queue, item(1));
    assert_int_equal(rc, -CORA_EQUEUESHUTDOWN);
    rc = cora_queue_put_nowait(queue, item(1));
    assert_int_equal(rc, -CORA_EQUEUESHUTDOWN);
    rc = cora_queue_get(queue, &got);
    assert_int_equal(rc, -CORA_EQUEUESHUTDOWN);
    rc = cora_queue_get_nowait(queue, &got);
    assert_int_equal(rc, -CORA_EQUEUESHUTDOWN);
    assert_null(got);
}

static void assert_no_more_to_do(cora_queue *queue)
{
    int rc = cora_queue_task_done(queue);

    assert_int_equal(rc, -CORA_EINVALIDSTATE);
}

static int shut_down_an_empty_one(void *arg)
{
    const struct kind *kind = arg;
    cora_queue queue;
    cora_task *getter;
    size_t size;
    bool done;
    int rc;

    kind->init(&queue, 0);
    getter = cora_create_task(get, .queue = &queue);
    let_others_run();
    cora_queue_shutdown(&queue, false);
    size = cora_queue_qsize(&queue);
    assert_int_equal(size, 0);
    rc = cora_queue_join(&queue);
    assert_int_equal(rc, 0);

    let_others_run();
    done = cora_task_done(getter);
    assert_true(done);
    assert_outcome(getter, -CORA_EQUEUESHUTDOWN);
    assert_shut_down(&queue);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(_QueueShutdownTestMixin_test_shutdown_empty)
{
    assert_runs_with_each_kind(shut_down_an_empty_one);
}

/* What is in it can still be got, and counts until its work is done. */
static int shut_down_a_full_one(void *arg)
{
    const struct kind *kind = arg;
    cora_task *joiner, *putter;
    cora_queue queue;
    size_t size;
    bool done;
    int rc;

    kind->init(&queue, 1);
    assert_put_nowait(&queue, 1);
    joiner = cora_create_task(join, .queue = &queue);
    putter = cora_create_task(put, .queue = &queue, .value = 2);
    let_others_run();
    done = cora_task_done(putter);
    assert_false(done);

    cora_queue_shutdown(&queue, false);
    size = cora_queue_qsize(&queue);
    assert_int_equal(size, 1);
    let_others_run();
    done = cora_task_done(putter);
    assert_true(done);
    assert_outcome(putter, -CORA_EQUEUESHUTDOWN);

    assert_get(&queue, 1);
    let_others_run();
    done = cora_task_done(joiner);
    assert_false(done);
    assert_shut_down(&queue);

    rc = cora_queue_task_done(&queue);
    assert_int_equal(rc, 0);
    let_others_run();
    done = cora_task_done(joiner);
    assert_true(done);
    assert_outcome(joiner, 0);
    assert_no_more_to_do(&queue);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(_QueueShutdownTestMixin_test_shutdown_nonempty)
{
    assert_runs_with_each_kind(shut_down_a_full_one);
}

/* The join starts after the shutdown here, and finds nothing to wait for. */
static int shut_down_at_once(void *arg)
{
    const struct kind *kind = arg;
    cora_queue queue;
    cora_task *joiner;
    size_t size;
    bool done;

    kind->init(&queue, 0);
    assert_put_nowait(&queue, 1);
    joiner = cora_create_task(join, .queue = &queue);
    cora_queue_shutdown(&queue, true);
    size = cora_queue_qsize(&queue);
    assert_int_equal(size, 0);

    let_others_run();
    done = cora_task_done(joiner);
    assert_true(done);
    assert_outcome(joiner, 0);
    assert_shut_down(&queue);
    assert_no_more_to_do(&queue);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(_QueueShutdownTestMixin_test_shutdown_immediate)
{
    assert_runs_with_each_kind(shut_down_at_once);
}

/* The item that was dropped is done with, the one that was got is not. */
static int shut_down_with_one_in_work(void *arg)
{
    const struct kind *kind = arg;
    cora_queue queue;
    cora_task *joiner;
    size_t size;
    bool done;
    int rc;

    kind->init(&queue, 0);
    assert_put_nowait(&queue, 1);
    assert_put_nowait(&queue, 1);
    joiner = cora_create_task(join, .queue = &queue);
    assert_get(&queue, 1);
    cora_queue_shutdown(&queue, true);
    size = cora_queue_qsize(&queue);
    assert_int_equal(size, 0);

    let_others_run();
    done = cora_task_done(joiner);
    assert_false(done);
    assert_shut_down(&queue);

    rc = cora_queue_task_done(&queue);
    assert_int_equal(rc, 0);
    assert_no_more_to_do(&queue);
    let_others_run();
    done = cora_task_done(joiner);
    assert_true(done);
    assert_outcome(joiner, 0);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(_QueueShutdownTestMixin_test_shutdown_immediate_with_unfinished)
{
    assert_runs_with_each_kind(shut_down_with_one_in_work);
}
