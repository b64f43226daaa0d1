/*
 * Queues between threads and tasks: each item arrives once and in order, whoever is on which side,
 * and nobody waits for what is there, whoever is called and leaves.
 */
#include "support/test.h"
#include "support/threads.h"
#include "support/virtual.h"

#include <stdatomic.h>

static void await_getters(cora_threading_queue *queue, size_t count)
{
    await_parked(&queue->lock_, queue->getters_, count);
}

static void await_putters(cora_threading_queue *queue, size_t count)
{
    await_parked(&queue->lock_, queue->putters_, count);
}

static void await_joiners(cora_threading_queue *queue, size_t count)
{
    await_parked(&queue->lock_, queue->joiners_, count);
}

static void put(cora_threading_queue *queue, intptr_t value)
{
    int rc = cora_threading_queue_put_nowait(queue, (void *)value);

    assert_int_equal(rc, 0);
}

static int get(cora_threading_queue *queue)
{
    void *item = NULL;
    int rc = cora_threading_queue_get_nowait(queue, &item);

    assert_int_equal(rc, 0);
    return (int)(intptr_t)item;
}

static void finish(cora_threading_queue *queue)
{
    int rc = cora_threading_queue_task_done(queue);

    assert_int_equal(rc, 0);
}

static void let_others_run(void)
{
    int rc = cora_sleep(0);

    assert_int_equal(rc, 0);
}

static void assert_ends(cora_task *task, int expected)
{
    int rc = cora_await_unref(task);

    assert_int_equal(rc, expected);
}

static void assert_joins(pthread_t thread, int expected)
{
    int rc = join_thread(thread);

    assert_int_equal(rc, expected);
}

static void assert_runs(cora_task_fn *fn)
{
    int rc = run_virtual(fn, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

/* Getters' outcome is their item. */
static int got(int rc, void *item)
{
    return rc < 0 ? rc : (int)(intptr_t)item;
}

static void *get_in_thread(void *queue)
{
    void *item = NULL;
    int rc = cora_threading_queue_get(queue, &item, INFINITY);

    return outcome(got(rc, item));
}

static int get_in_task(void *queue)
{
    void *item = NULL;
    int rc = cora_threading_queue_async_get(queue, &item);

    return got(rc, item);
}

/* Putters put a 7. */
static void *put_in_thread(void *queue)
{
    return outcome(cora_threading_queue_put(queue, (void *)7, INFINITY));
}

static int put_in_task(void *queue)
{
    return cora_threading_queue_async_put(queue, (void *)7);
}

static void *join_in_thread(void *queue)
{
    cora_threading_queue_join(queue);
    return NULL;
}

static int join_in_task(void *queue)
{
    return cora_threading_queue_async_join(queue);
}

/* ---- items ---------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    return ((intptr_t)a > (intptr_t)b) - ((intptr_t)a < (intptr_t)b);
}

static void assert_order(cora_threading_queue *queue, const char *expected)
{
    static const int values[] = {2, 5, 1, 4, 3};

    for (int i = 0; i < 5; i++)
        put(queue, values[i]);
    trace_text[0] = '\0';
    for (int i = 0; i < 5; i++)
        trace("%d", get(queue));
    assert_string_equal(trace_text, expected);
    cora_threading_queue_destroy(queue);
}

TEST(each_kind_has_its_order)
{
    cora_threading_queue queue;

    cora_threading_queue_init(&queue, 5);
    assert_order(&queue, "2 5 1 4 3 ");
    cora_threading_lifo_queue_init(&queue, 5);
    assert_order(&queue, "3 4 1 5 2 ");
    cora_threading_priority_queue_init(&queue, 5, compare);
    assert_order(&queue, "1 2 3 4 5 ");
}

TEST(a_queue_has_a_size_and_a_limit)
{
    cora_threading_queue queue;

    cora_threading_queue_init(&queue, 2);
    assert_int_equal(cora_threading_queue_maxsize(&queue), 2);
    for (size_t i = 0; i <= 2; i++) {
        assert_int_equal(cora_threading_queue_qsize(&queue), i);
        assert_true(cora_threading_queue_empty(&queue) == (i == 0));
        assert_true(cora_threading_queue_full(&queue) == (i == 2));
        if (i < 2)
            put(&queue, 1);
    }
    cora_threading_queue_destroy(&queue);
    cora_threading_queue_init(&queue, 0);
    for (int i = 0; i < 100; i++)
        put(&queue, i);
    assert_false(cora_threading_queue_full(&queue));
    cora_threading_queue_destroy(&queue);
}

/* Where nothing is to be had at once, or in time, the queue and the outputs stay as they are. */
TEST(who_will_not_wait_is_told_why_he_would_have_to)
{
    cora_threading_queue queue;
    void *item = &queue;
    int rc[9];

    cora_threading_queue_init(&queue, 1);
    rc[0] = cora_threading_queue_get_nowait(&queue, &item);
    rc[1] = cora_threading_queue_get(&queue, &item, 0.001);
    rc[2] = cora_threading_queue_async_get(&queue, &item);
    rc[3] = cora_threading_queue_get(&queue, &item, NAN);
    put(&queue, 1);
    rc[4] = cora_threading_queue_put_nowait(&queue, NULL);
    rc[5] = cora_threading_queue_put(&queue, NULL, 0.001);
    rc[6] = cora_threading_queue_async_put(&queue, NULL);
    rc[7] = cora_threading_queue_put(&queue, NULL, NAN);
    rc[8] = cora_threading_queue_async_join(&queue);
    assert_int_equal(rc[0], -CORA_EQUEUEEMPTY);
    assert_int_equal(rc[1], -CORA_EQUEUEEMPTY);
    assert_int_equal(rc[2], -CORA_ENOTASK);
    assert_int_equal(rc[3], -EINVAL);
    assert_int_equal(rc[4], -CORA_EQUEUEFULL);
    assert_int_equal(rc[5], -CORA_EQUEUEFULL);
    assert_int_equal(rc[6], -CORA_ENOTASK);
    assert_int_equal(rc[7], -EINVAL);
    assert_int_equal(rc[8], -CORA_ENOTASK);
    assert_ptr_equal(item, &queue);
    assert_int_equal(get(&queue), 1);
    assert_true(cora_threading_queue_empty(&queue));
    cora_threading_queue_destroy(&queue);
}

/* ---- from one side to the other ------------------------------------------------------------- */

static int get_from_thread(void *arg)
{
    cora_threading_queue queue;
    pthread_t thread;

    (void)arg;
    cora_threading_queue_init(&queue, 1);
    put(&queue, 3);
    thread = start_thread(put_in_thread, &queue);
    await_putters(&queue, 1);
    assert_int_equal(get_in_task(&queue), 3);
    assert_int_equal(get_in_task(&queue), 7); /* suspends, it may be */
    assert_joins(thread, 0);
    cora_threading_queue_destroy(&queue);
    return 0;
}

TEST(a_thread_puts_what_a_task_gets)
{
    assert_runs(get_from_thread);
}

static int put_to_thread(void *arg)
{
    cora_threading_queue queue;
    pthread_t thread;
    int rc;

    (void)arg;
    cora_threading_queue_init(&queue, 1);
    thread = start_thread(get_in_thread, &queue);
    await_getters(&queue, 1);
    for (int i = 0; i < 2; i++) { /* the second suspends, it may be */
        rc = put_in_task(&queue);
        assert_int_equal(rc, 0);
    }
    assert_joins(thread, 7);
    assert_int_equal(get(&queue), 7);
    cora_threading_queue_destroy(&queue);
    return 0;
}

TEST(a_task_puts_what_a_thread_gets)
{
    assert_runs(put_to_thread);
}

static int wait_with_patience(void *arg)
{
    cora_threading_queue queue;
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_threading_queue_init(&queue, 1);
    for (int full = 0; full < 3; full++) {
        cora_timeout_enter(&timeout, 0.001);
        rc = full == 0   ? get_in_task(&queue)
             : full == 1 ? put_in_task(&queue)
                         : join_in_task(&queue);
        rc = cora_timeout_exit(&timeout, rc);
        assert_int_equal(rc, -ETIMEDOUT);
        if (full == 0)
            put(&queue, 1);
    }
    await_getters(&queue, 0);
    await_putters(&queue, 0);
    await_joiners(&queue, 0);
    assert_int_equal(get(&queue), 1);
    cora_threading_queue_destroy(&queue);
    return 0;
}

TEST(a_timeout_cuts_short_whatever_a_task_waits_for)
{
    int rc = cora_run(wait_with_patience, NULL);

    assert_int_equal(rc, 0);
}

/* ---- called, and gone ----------------------------------------------------------------------- */

/* A full queue with two putters in the line, of whom the first is cancelled after he was called. */
static int cancel_a_called_putter(void *arg)
{
    cora_threading_queue queue;
    pthread_t thread;
    cora_task *task;

    (void)arg;
    cora_threading_queue_init(&queue, 1);
    put(&queue, 1);
    task = cora_create_task_arg(put_in_task, &queue);
    let_others_run();
    thread = start_thread(put_in_thread, &queue);
    await_putters(&queue, 2);
    assert_int_equal(get(&queue), 1);
    cora_task_cancel(task);
    assert_ends(task, -ECANCELED);
    assert_joins(thread, 0);
    assert_int_equal(get(&queue), 7);
    assert_true(cora_threading_queue_empty(&queue));
    cora_threading_queue_destroy(&queue);
    return 0;
}

TEST(a_putter_that_is_called_and_cancelled_passes_the_room_on)
{
    assert_runs(cancel_a_called_putter);
}

static int cancel_a_called_getter(void *arg)
{
    cora_threading_queue queue;
    pthread_t thread;
    cora_task *task;

    (void)arg;
    cora_threading_queue_init(&queue, 0);
    task = cora_create_task_arg(get_in_task, &queue);
    let_others_run();
    thread = start_thread(get_in_thread, &queue);
    await_getters(&queue, 2);
    put(&queue, 5);
    cora_task_cancel(task);
    assert_ends(task, -ECANCELED);
    assert_joins(thread, 5);
    cora_threading_queue_destroy(&queue);
    return 0;
}

TEST(a_getter_that_is_called_and_cancelled_passes_the_item_on)
{
    assert_runs(cancel_a_called_getter);
}

static int cancel_waiting_getters_and_putters(void *arg)
{
    cora_threading_queue queue;
    cora_task *task;
    pthread_t thread;

    (void)arg;
    cora_threading_queue_init(&queue, 1);
    task = cora_create_task_arg(get_in_task, &queue);
    let_others_run();
    await_getters(&queue, 1);
    cora_task_cancel(task);
    assert_ends(task, -ECANCELED);
    await_getters(&queue, 0);
    put(&queue, 1);
    task = cora_create_task_arg(put_in_task, &queue);
    let_others_run();
    thread = start_thread(put_in_thread, &queue);
    await_putters(&queue, 2);
    cora_task_cancel(task);
    assert_ends(task, -ECANCELED);
    await_putters(&queue, 1);
    assert_int_equal(get(&queue), 1);
    assert_joins(thread, 0);
    assert_int_equal(get(&queue), 7);
    assert_true(cora_threading_queue_empty(&queue)); /* what was cancelled is not in it */
    cora_threading_queue_destroy(&queue);
    return 0;
}

TEST(a_task_that_is_cancelled_while_it_waits_neither_puts_nor_gets)
{
    assert_runs(cancel_waiting_getters_and_putters);
}

/* In a thread: a putter, or getter, whose time is up. */
static void *put_in_vain(void *queue)
{
    return outcome(cora_threading_queue_put(queue, (void *)9, 0.001));
}

static void *get_in_vain(void *queue)
{
    void *item = NULL;
    int rc = cora_threading_queue_get(queue, &item, 0.001);

    return outcome(got(rc, item));
}

static int let_time_run_out(void *arg)
{
    cora_threading_queue queue;
    cora_task *task;

    (void)arg;
    cora_threading_queue_init(&queue, 1);
    assert_joins(start_thread(get_in_vain, &queue), -CORA_EQUEUEEMPTY);
    task = cora_create_task_arg(get_in_task, &queue);
    let_others_run();
    await_getters(&queue, 1);
    put(&queue, 2);
    assert_ends(task, 2);
    put(&queue, 3);
    assert_joins(start_thread(put_in_vain, &queue), -CORA_EQUEUEFULL);
    task = cora_create_task_arg(put_in_task, &queue);
    let_others_run();
    await_putters(&queue, 1);
    assert_int_equal(get(&queue), 3);
    assert_ends(task, 0);
    assert_int_equal(get(&queue), 7);
    cora_threading_queue_destroy(&queue);
    return 0;
}

TEST(a_thread_whose_time_is_up_leaves_the_line_to_those_behind_it)
{
    assert_runs(let_time_run_out);
}

static int be_overtaken(void *arg)
{
    cora_threading_queue queue;
    cora_task *task;

    (void)arg;
    cora_threading_queue_init(&queue, 0);
    task = cora_create_task_arg(get_in_task, &queue);
    let_others_run();
    put(&queue, 1);
    assert_int_equal(get(&queue), 1); /* before the task that was called for it has run */
    for (int i = 0; i < 3; i++)
        let_others_run();
    await_getters(&queue, 1);
    put(&queue, 2);
    assert_ends(task, 2);
    cora_threading_queue_destroy(&queue);
    return 0;
}

TEST(a_task_whose_item_somebody_was_quicker_to_take_waits_for_the_next)
{
    assert_runs(be_overtaken);
}

static int be_overtaken_by_a_putter(void *arg)
{
    cora_threading_queue queue;
    cora_task *task;

    (void)arg;
    cora_threading_queue_init(&queue, 1);
    put(&queue, 1);
    task = cora_create_task_arg(put_in_task, &queue);
    let_others_run();
    assert_int_equal(get(&queue), 1);
    put(&queue, 2); /* before the task that was called for the room has run */
    for (int i = 0; i < 3; i++)
        let_others_run();
    await_putters(&queue, 1);
    assert_int_equal(get(&queue), 2);
    assert_ends(task, 0);
    assert_int_equal(get(&queue), 7);
    cora_threading_queue_destroy(&queue);
    return 0;
}

TEST(a_task_whose_room_somebody_was_quicker_to_take_waits_for_more)
{
    assert_runs(be_overtaken_by_a_putter);
}

/* ---- the work on the items ------------------------------------------------------------------ */

static int join_from_both_sides(void *arg)
{
    cora_threading_queue queue;
    pthread_t thread;
    cora_task *task;
    int rc;

    (void)arg;
    cora_threading_queue_init(&queue, 0);
    cora_threading_queue_join(&queue);
    rc = cora_threading_queue_async_join(&queue);
    assert_int_equal(rc, 0);
    put(&queue, 1);
    put(&queue, 2);
    thread = start_thread(join_in_thread, &queue);
    task = cora_create_task_arg(join_in_task, &queue);
    let_others_run();
    await_joiners(&queue, 2);
    get(&queue);
    get(&queue);
    finish(&queue);
    await_joiners(&queue, 2);
    finish(&queue);
    await_joiners(&queue, 0);
    assert_joins(thread, 0);
    assert_ends(task, 0);
    rc = cora_threading_queue_task_done(&queue);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    cora_threading_queue_destroy(&queue);
    return 0;
}

TEST(threads_and_tasks_wait_until_all_work_is_done)
{
    assert_runs(join_from_both_sides);
}

/* ---- the end -------------------------------------------------------------------------------- */

static int shut_down_over_getters(void *arg)
{
    cora_threading_queue queue;
    pthread_t thread;
    cora_task *task;

    (void)arg;
    cora_threading_queue_init(&queue, 1);
    thread = start_thread(get_in_thread, &queue);
    task = cora_create_task_arg(get_in_task, &queue);
    let_others_run();
    await_getters(&queue, 2);
    assert_false(cora_threading_queue_is_shutdown(&queue));
    cora_threading_queue_shutdown(&queue, false);
    assert_true(cora_threading_queue_is_shutdown(&queue));
    assert_joins(thread, -CORA_EQUEUESHUTDOWN);
    assert_ends(task, -CORA_EQUEUESHUTDOWN);
    cora_threading_queue_destroy(&queue);
    return 0;
}

TEST(the_end_of_a_queue_is_told_to_getters_of_both_kinds)
{
    assert_runs(shut_down_over_getters);
}

/* A full queue, with putters and, for what is in it, joiners of both kinds. */
static int shut_down_over_putters(bool immediate)
{
    cora_threading_queue queue;
    pthread_t threads[2];
    cora_task *tasks[2];

    cora_threading_queue_init(&queue, 1);
    put(&queue, 1);
    threads[0] = start_thread(put_in_thread, &queue);
    threads[1] = start_thread(join_in_thread, &queue);
    tasks[0] = cora_create_task_arg(put_in_task, &queue);
    tasks[1] = cora_create_task_arg(join_in_task, &queue);
    let_others_run();
    await_putters(&queue, 2);
    await_joiners(&queue, 2);
    cora_threading_queue_shutdown(&queue, immediate);
    assert_joins(threads[0], -CORA_EQUEUESHUTDOWN);
    assert_ends(tasks[0], -CORA_EQUEUESHUTDOWN);
    if (!immediate) {
        await_joiners(&queue, 2);
        assert_int_equal(get(&queue), 1);
        finish(&queue);
    }
    assert_joins(threads[1], 0);
    assert_ends(tasks[1], 0);
    assert_int_equal(get_in_task(&queue), -CORA_EQUEUESHUTDOWN);
    cora_threading_queue_destroy(&queue);
    return 0;
}

static int shut_down_over_putters_twice(void *arg)
{
    (void)arg;
    return shut_down_over_putters(false) + shut_down_over_putters(true);
}

TEST(the_end_of_a_full_queue_is_told_to_putters_and_at_once_to_joiners_too)
{
    assert_runs(shut_down_over_putters_twice);
}

/* ---- loops that are closed ------------------------------------------------------------------ */

/* A loop with a task that has come to wait. */
static cora_loop *loop_that_waits(cora_task_fn *fn, cora_threading_queue *queue,
                                  cora_task **ret_task)
{
    cora_loop *loop = virtual_loop();
    int rc;

    *ret_task = cora_loop_create_task_arg(loop, NULL, fn, "waits", queue);
    rc = cora_loop_run_ready(loop);
    assert_int_equal(rc, 1);
    return loop;
}

TEST(a_loop_that_is_closed_passes_on_the_item_that_its_task_was_called_for)
{
    cora_threading_queue queue;
    cora_task *task;
    cora_loop *loop;
    pthread_t thread;

    cora_threading_queue_init(&queue, 0);
    loop = loop_that_waits(get_in_task, &queue, &task);
    thread = start_thread(get_in_thread, &queue);
    await_getters(&queue, 2);
    put(&queue, 4);
    cora_loop_free(loop);
    cora_task_unref(task);
    assert_joins(thread, 4);
    cora_threading_queue_destroy(&queue);
}

TEST(a_loop_that_is_closed_passes_on_the_room_that_its_task_was_called_for)
{
    cora_threading_queue queue;
    cora_task *task;
    cora_loop *loop;
    pthread_t thread;

    cora_threading_queue_init(&queue, 1);
    put(&queue, 1);
    loop = loop_that_waits(put_in_task, &queue, &task);
    thread = start_thread(put_in_thread, &queue);
    await_putters(&queue, 2);
    assert_int_equal(get(&queue), 1);
    cora_loop_free(loop);
    cora_task_unref(task);
    assert_joins(thread, 0);
    assert_int_equal(get(&queue), 7);
    cora_threading_queue_destroy(&queue);
}

TEST(a_loop_that_is_closed_leaves_the_queue_to_the_others)
{
    static cora_task_fn *const waits[] = {get_in_task, put_in_task, join_in_task};
    cora_threading_queue queue;

    cora_threading_queue_init(&queue, 1);
    for (int i = 0; i < 3; i++) {
        cora_task *task;
        cora_loop *loop = loop_that_waits(waits[i], &queue, &task);

        cora_loop_free(loop);
        cora_task_unref(task);
        if (i == 0)
            put(&queue, 1);
    }
    await_getters(&queue, 0);
    await_putters(&queue, 0);
    await_joiners(&queue, 0);
    assert_int_equal(get(&queue), 1);
    finish(&queue);
    cora_threading_queue_destroy(&queue);
}

/* ---- everybody at once ---------------------------------------------------------------------- */

/*
 * Four threads, and two tasks in each of two loops, put, as many get, through one queue of little
 * room: a million items, of which each arrives once, and those of one producer at each consumer in
 * their order.
 */
enum { THREADS = 4, LOOPS = 2, TASKS = 2, SIDES = THREADS + LOOPS * TASKS, ROOM = 64 };
#ifdef CORA_SLOW_TESTS
enum { EACH = 2000 };
#else
enum { EACH = 125000 };
#endif

static struct market {
    cora_threading_queue queue;
    cora_threading_semaphore closing; /* the sellers who have sold all they had */
    struct seller {
        long number;
    } sellers[SIDES];
    struct buyer {
        long last[SIDES], count, sum;
        bool out_of_order;
    } buyers[SIDES];
} market = {.closing = CORA_THREADING_SEMAPHORE_INIT(0)};

/* An item is its seller's number and, from 1, its own. */
static void *item_of(long seller, long i)
{
    return (void *)(intptr_t)(i * SIDES + seller);
}

static void buy(struct buyer *buyer, void *item)
{
    long seller = (long)((intptr_t)item % SIDES), i = (long)((intptr_t)item / SIDES);

    buyer->out_of_order |= i <= buyer->last[seller];
    buyer->last[seller] = i;
    buyer->count++;
    buyer->sum += i;
}

static int sell_all(struct seller *seller, bool in_task)
{
    int rc = 0;

    for (long i = 1; i <= EACH && rc == 0; i++) {
        void *item = item_of(seller->number, i);

        rc = in_task ? cora_threading_queue_async_put(&market.queue, item)
                     : cora_threading_queue_put(&market.queue, item, INFINITY);
    }
    cora_threading_semaphore_release(&market.closing, 1);
    return rc;
}

/* Until the queue is shut down. */
static int buy_all(struct buyer *buyer, bool in_task)
{
    void *item = NULL;
    int rc = 0;

    while (rc == 0) {
        rc = in_task ? cora_threading_queue_async_get(&market.queue, &item)
                     : cora_threading_queue_get(&market.queue, &item, INFINITY);
        if (rc == 0) {
            buy(buyer, item);
            rc = cora_threading_queue_task_done(&market.queue);
        }
    }
    return rc == -CORA_EQUEUESHUTDOWN ? 0 : rc;
}

static void *selling_thread(void *seller)
{
    return outcome(sell_all(seller, false));
}

static int selling_task(void *seller)
{
    return sell_all(seller, true);
}

static void *buying_thread(void *buyer)
{
    return outcome(buy_all(buyer, false));
}

static int buying_task(void *buyer)
{
    return buy_all(buyer, true);
}

/* The sellers and the buyers of one loop. */
static int trade(void *arg)
{
    size_t first = *(size_t *)arg;
    cora_task *tasks[2 * TASKS];
    int rc;

    for (size_t i = 0; i < TASKS; i++) {
        tasks[2 * i] = cora_create_task_arg(selling_task, &market.sellers[first + i]);
        tasks[2 * i + 1] = cora_create_task_arg(buying_task, &market.buyers[first + i]);
    }
    rc = cora_gather(tasks, 2 * TASKS, NULL, 0);
    for (int i = 0; i < 2 * TASKS; i++)
        cora_task_unref(tasks[i]);
    return rc;
}

static void *trading_loop(void *first)
{
    return outcome(cora_run(trade, first));
}

static void assert_all_sold(void)
{
    long count = 0, sum = 0;

    for (int i = 0; i < SIDES; i++) {
        assert_false(market.buyers[i].out_of_order);
        count += market.buyers[i].count;
        sum += market.buyers[i].sum;
    }
    assert_int_equal(count, (long)SIDES * EACH);
    assert_int_equal(sum, (long)SIDES * EACH * (EACH + 1) / 2);
    assert_true(cora_threading_queue_empty(&market.queue));
}

TEST(a_million_items_between_threads_and_tasks_arrive_once_and_in_order)
{
    pthread_t sellers[THREADS], buyers[THREADS], loops[LOOPS];
    size_t first[LOOPS];

    cora_threading_queue_init(&market.queue, ROOM);
    for (int i = 0; i < SIDES; i++)
        market.sellers[i].number = i;
    for (size_t i = 0; i < LOOPS; i++) {
        first[i] = THREADS + i * TASKS;
        loops[i] = start_thread(trading_loop, &first[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        buyers[i] = start_thread(buying_thread, &market.buyers[i]);
        sellers[i] = start_thread(selling_thread, &market.sellers[i]);
    }
    for (int i = 0; i < SIDES; i++) {
        int rc = cora_threading_semaphore_acquire(&market.closing, INFINITY);

        assert_int_equal(rc, 0);
    }
    cora_threading_queue_join(&market.queue);
    cora_threading_queue_shutdown(&market.queue, false);
    for (int i = 0; i < THREADS; i++) {
        assert_joins(sellers[i], 0);
        assert_joins(buyers[i], 0);
    }
    for (int i = 0; i < LOOPS; i++)
        assert_joins(loops[i], 0);
    assert_all_sold();
    cora_threading_queue_destroy(&market.queue);
}
