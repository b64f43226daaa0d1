/*
 * CPython's test_queue.py: queues of threads. Each test is made with a queue of each kind, as there
 * with Queue, LifoQueue and PriorityQueue; SimpleQueue is a queue without a limit. CPython lets the
 * others begin to wait for a while; here each outcome must be right whether they have or not.
 */
#include "support/test.h"

#include <cora.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { QUEUE_SIZE = 5 };

/* ---- kinds ---------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    return ((intptr_t)a > (intptr_t)b) - ((intptr_t)a < (intptr_t)b);
}

enum kind { FIFO, LIFO, PRIORITY, KINDS };

static void init_queue(cora_threading_queue *queue, enum kind kind, size_t maxsize)
{
    if (kind == FIFO)
        cora_threading_queue_init(queue, maxsize);
    else if (kind == LIFO)
        cora_threading_lifo_queue_init(queue, maxsize);
    else
        cora_threading_priority_queue_init(queue, maxsize, compare);
}

static void for_each_kind(size_t maxsize, void (*test)(cora_threading_queue *queue))
{
    for (enum kind kind = FIFO; kind < KINDS; kind++) {
        cora_threading_queue queue;

        init_queue(&queue, kind, maxsize);
        test(&queue);
        cora_threading_queue_destroy(&queue);
    }
}

/* ---- items ---------------------------------------------------------------------------------- */

static int put(cora_threading_queue *queue, intptr_t value, double timeout)
{
    return cora_threading_queue_put(queue, (void *)value, timeout);
}

/* The item, or a negative error. */
static int get(cora_threading_queue *queue, double timeout)
{
    void *item = NULL;
    int rc = cora_threading_queue_get(queue, &item, timeout);

    return rc < 0 ? rc : (int)(intptr_t)item;
}

static int put_nowait(cora_threading_queue *queue, intptr_t value)
{
    return cora_threading_queue_put_nowait(queue, (void *)value);
}

static int get_nowait(cora_threading_queue *queue)
{
    void *item = NULL;
    int rc = cora_threading_queue_get_nowait(queue, &item);

    return rc < 0 ? rc : (int)(intptr_t)item;
}

static void assert_put(cora_threading_queue *queue, intptr_t value)
{
    int rc = put(queue, value, INFINITY);

    assert_int_equal(rc, 0);
}

static int assert_get(cora_threading_queue *queue)
{
    int rc = get(queue, INFINITY);

    assert_true(rc >= 0);
    return rc;
}

static void assert_task_done(cora_threading_queue *queue, int expected)
{
    int rc = cora_threading_queue_task_done(queue);

    assert_int_equal(rc, expected);
}

/* ---- threads -------------------------------------------------------------------------------- */

static pthread_t start(void *(*fn)(void *arg), void *arg)
{
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, fn, arg);

    assert_int_equal(rc, 0);
    return thread;
}

static int join(pthread_t thread)
{
    void *result;

    pthread_join(thread, &result);
    return (int)(intptr_t)result;
}

static void *outcome(int rc)
{
    return (void *)(intptr_t)rc;
}

static void *put_in_thread(void *queue)
{
    return outcome(put(queue, 7, INFINITY));
}

static void *get_in_thread(void *queue)
{
    return outcome(get(queue, INFINITY));
}

static void *get_and_finish(void *queue)
{
    int rc = get(queue, INFINITY);

    return outcome(rc < 0 ? rc : cora_threading_queue_task_done(queue));
}

static void *join_queue(void *queue)
{
    cora_threading_queue_join(queue);
    return NULL;
}

/* Waits until so many have come. */
struct barrier {
    int parties;
    atomic_int arrived;
};

static void arrive(struct barrier *barrier)
{
    atomic_fetch_add(&barrier->arrived, 1);
    while (atomic_load(&barrier->arrived) < barrier->parties)
        sched_yield();
}

/* ---- what a queue does ---------------------------------------------------------------------- */

/* A thread that makes it possible for another one to go on. */
struct trigger {
    cora_threading_queue *queue;
    void *(*fn)(void *queue);
    atomic_bool called;
};

static void *pull_trigger(void *arg)
{
    struct trigger *trigger = arg;

    atomic_store(&trigger->called, true);
    return trigger->fn(trigger->queue);
}

/* block(queue) returns only after another thread has called fn(queue). */
static void assert_blocks_until(cora_threading_queue *queue, int (*block)(cora_threading_queue *),
                                void *(*fn)(void *queue))
{
    struct trigger trigger = {queue, fn, false};
    pthread_t thread = start(pull_trigger, &trigger);
    int rc = block(queue);
    bool called = atomic_load(&trigger.called);
    int triggered = join(thread);

    assert_true(rc >= 0);
    assert_true(triggered >= 0);
    assert_true(called);
}

static int put_for_ever(cora_threading_queue *queue)
{
    return put(queue, 30, INFINITY);
}

static int put_patiently(cora_threading_queue *queue)
{
    return put(queue, 30, 100);
}

static int get_for_ever(cora_threading_queue *queue)
{
    return get(queue, INFINITY);
}

static int get_patiently(cora_threading_queue *queue)
{
    return get(queue, 100);
}

static void use(cora_threading_queue *queue, const int order[3])
{
    int rc;

    assert_true(cora_threading_queue_empty(queue));
    assert_false(cora_threading_queue_full(queue));
    assert_put(queue, 111);
    assert_put(queue, 333);
    assert_put(queue, 222);
    for (int i = 0; i < 3; i++) {
        rc = assert_get(queue);
        assert_int_equal(rc, order[i]);
    }
    for (size_t i = 0; i < QUEUE_SIZE; i++) {
        assert_int_equal(cora_threading_queue_qsize(queue), i);
        assert_false(cora_threading_queue_full(queue));
        assert_put(queue, (intptr_t)i);
        assert_false(cora_threading_queue_empty(queue));
    }
    assert_true(cora_threading_queue_full(queue));
    rc = put_nowait(queue, 30);
    assert_int_equal(rc, -CORA_EQUEUEFULL);
    rc = put(queue, 30, 0.01);
    assert_int_equal(rc, -CORA_EQUEUEFULL);
    assert_blocks_until(queue, put_for_ever, get_in_thread);
    assert_blocks_until(queue, put_patiently, get_in_thread);
    for (int i = 0; i < QUEUE_SIZE; i++)
        assert_get(queue);
    assert_true(cora_threading_queue_empty(queue));
    rc = get_nowait(queue);
    assert_int_equal(rc, -CORA_EQUEUEEMPTY);
    rc = get(queue, 0.01);
    assert_int_equal(rc, -CORA_EQUEUEEMPTY);
    assert_blocks_until(queue, get_for_ever, put_in_thread);
    assert_blocks_until(queue, get_patiently, put_in_thread);
}

TEST(BaseQueueTestMixin_test_basic)
{
    static const int orders[KINDS][3] = {{111, 333, 222}, {222, 333, 111}, {111, 222, 333}};

    for (enum kind kind = FIFO; kind < KINDS; kind++) {
        cora_threading_queue queue;

        init_queue(&queue, kind, QUEUE_SIZE);
        use(&queue, orders[kind]);
        use(&queue, orders[kind]);
        cora_threading_queue_destroy(&queue);
    }
}

static void fill_and_empty(cora_threading_queue *queue)
{
    int rc;

    for (int i = 0; i <= QUEUE_SIZE; i++) {
        rc = put_nowait(queue, 1);
        assert_int_equal(rc, i < QUEUE_SIZE ? 0 : -CORA_EQUEUEFULL);
    }
    for (int i = 0; i <= QUEUE_SIZE; i++) {
        rc = get_nowait(queue);
        assert_int_equal(rc, i < QUEUE_SIZE ? 1 : -CORA_EQUEUEEMPTY);
    }
}

TEST(BaseQueueTestMixin_test_nowait)
{
    for_each_kind(QUEUE_SIZE, fill_and_empty);
}

/* ---- the work on the items ------------------------------------------------------------------ */

static void finish_too_often(cora_threading_queue *queue)
{
    assert_task_done(queue, -CORA_EINVALIDSTATE);
}

TEST(BaseQueueTestMixin_test_queue_task_done)
{
    for_each_kind(0, finish_too_often);
}

struct worker {
    cora_threading_queue *queue;
    int sum;
};

/* Adds up numbers, until it gets a 0. */
static void *add_up(void *arg)
{
    struct worker *worker = arg;
    int rc = 0, number = 1;

    while (rc == 0 && number > 0) {
        number = get(worker->queue, INFINITY);
        worker->sum += number;
        rc = number < 0 ? number : cora_threading_queue_task_done(worker->queue);
    }
    return outcome(rc);
}

static void wait_for_workers(cora_threading_queue *queue)
{
    struct worker workers[2] = {{queue, 0}, {queue, 0}};
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        threads[i] = start(add_up, &workers[i]);
    for (int i = 1; i <= 100; i++)
        assert_put(queue, i);
    cora_threading_queue_join(queue);
    assert_int_equal(workers[0].sum + workers[1].sum, 5050);
    for (int i = 0; i < 2; i++)
        assert_put(queue, 0);
    cora_threading_queue_join(queue);
    for (int i = 0; i < 2; i++)
        assert_int_equal(join(threads[i]), 0);
}

static void wait_for_workers_twice(cora_threading_queue *queue)
{
    wait_for_workers(queue);
    wait_for_workers(queue);
    assert_task_done(queue, -CORA_EINVALIDSTATE);
}

TEST(BaseQueueTestMixin_test_queue_join)
{
    for_each_kind(0, wait_for_workers_twice);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void end_while_empty(cora_threading_queue *queue)
{
    int rc;

    cora_threading_queue_shutdown(queue, false);
    rc = put(queue, 1, INFINITY);
    assert_int_equal(rc, -CORA_EQUEUESHUTDOWN);
    rc = get(queue, INFINITY);
    assert_int_equal(rc, -CORA_EQUEUESHUTDOWN);
}

TEST(BaseQueueTestMixin_test_shutdown_empty)
{
    for_each_kind(0, end_while_empty);
}

static void end_with_an_item(cora_threading_queue *queue)
{
    int rc;

    assert_put(queue, 1);
    cora_threading_queue_shutdown(queue, false);
    assert_get(queue);
    rc = get(queue, INFINITY);
    assert_int_equal(rc, -CORA_EQUEUESHUTDOWN);
}

TEST(BaseQueueTestMixin_test_shutdown_nonempty)
{
    for_each_kind(0, end_with_an_item);
}

static void end_at_once(cora_threading_queue *queue)
{
    int rc;

    assert_put(queue, 1);
    cora_threading_queue_shutdown(queue, true);
    rc = get(queue, INFINITY);
    assert_int_equal(rc, -CORA_EQUEUESHUTDOWN);
}

TEST(BaseQueueTestMixin_test_shutdown_immediate)
{
    for_each_kind(0, end_at_once);
}

static void end_more_and_more(cora_threading_queue *queue)
{
    assert_false(cora_threading_queue_is_shutdown(queue));
    cora_threading_queue_shutdown(queue, false);
    assert_true(cora_threading_queue_is_shutdown(queue));
    cora_threading_queue_shutdown(queue, true);
    assert_true(cora_threading_queue_is_shutdown(queue));
    cora_threading_queue_shutdown(queue, false);
    assert_true(cora_threading_queue_is_shutdown(queue));
}

TEST(BaseQueueTestMixin_test_shutdown_allowed_transitions)
{
    for_each_kind(0, end_more_and_more);
}

static void assert_ended(cora_threading_queue *queue)
{
    int rc = get(queue, INFINITY);

    assert_int_equal(rc, -CORA_EQUEUESHUTDOWN);
    rc = get_nowait(queue);
    assert_int_equal(rc, -CORA_EQUEUESHUTDOWN);
    rc = get(queue, 1);
    assert_int_equal(rc, -CORA_EQUEUESHUTDOWN);
}

static void end_with_two(cora_threading_queue *queue, bool immediate)
{
    int rc;

    assert_put(queue, 1);
    assert_put(queue, 2);
    cora_threading_queue_shutdown(queue, immediate);
    rc = put(queue, 3, INFINITY);
    assert_int_equal(rc, -CORA_EQUEUESHUTDOWN);
    rc = put_nowait(queue, 4);
    assert_int_equal(rc, -CORA_EQUEUESHUTDOWN);
    for (int i = 0; i < 2 && !immediate; i++) {
        rc = assert_get(queue);
        assert_in_range(rc, 1, 2);
        assert_task_done(queue, 0);
    }
    assert_ended(queue);
    assert_task_done(queue, -CORA_EINVALIDSTATE);
    cora_threading_queue_join(queue);
}

static void end_and_try_all(cora_threading_queue *queue)
{
    end_with_two(queue, false);
}

static void end_at_once_and_try_all(cora_threading_queue *queue)
{
    end_with_two(queue, true);
}

TEST(BaseQueueTestMixin_test_shutdown_all_methods_in_one_thread)
{
    for_each_kind(2, end_and_try_all);
}

TEST(BaseQueueTestMixin_test_shutdown_immediate_all_methods_in_one_thread)
{
    for_each_kind(2, end_at_once_and_try_all);
}

/* ---- the end, seen by many threads ---------------------------------------------------------- */

enum { WRITERS = 4, READERS = 6, JOINERS = 2, MESSAGES = 16 * 1024 / WRITERS };

struct crowd {
    cora_threading_queue *queue;
    struct barrier barrier;
    cora_threading_event half; /* of the messages are written */
    bool immediate, was_empty;
};

static void *write_messages(void *arg)
{
    struct crowd *crowd = arg;
    int rc = 0;

    for (int i = 0; i < MESSAGES / 4 && rc == 0; i++)
        rc = put(crowd->queue, i, INFINITY);
    arrive(&crowd->barrier);
    for (int i = MESSAGES / 4; i < MESSAGES && rc == 0; i++) {
        rc = put(crowd->queue, i, INFINITY);
        if (rc == 0 && i == MESSAGES / 2)
            cora_threading_event_set(&crowd->half);
    }
    return outcome(rc == -CORA_EQUEUESHUTDOWN ? 0 : rc);
}

static void *read_messages(void *arg)
{
    struct crowd *crowd = arg;
    int rc = get(crowd->queue, INFINITY);

    rc = rc < 0 ? rc : cora_threading_queue_task_done(crowd->queue);
    arrive(&crowd->barrier);
    while (rc == 0 || rc == -CORA_EQUEUEEMPTY) {
        rc = get_nowait(crowd->queue);
        if (rc >= 0)
            rc = cora_threading_queue_task_done(crowd->queue);
    }
    return outcome(rc);
}

static void *shut_down(void *arg)
{
    struct crowd *crowd = arg;
    int rc = cora_threading_event_wait(&crowd->half, INFINITY);

    cora_threading_queue_shutdown(crowd->queue, crowd->immediate);
    crowd->was_empty = cora_threading_queue_empty(crowd->queue);
    return outcome(rc);
}

static void *join_later(void *arg)
{
    struct crowd *crowd = arg;

    arrive(&crowd->barrier);
    cora_threading_queue_join(crowd->queue);
    return NULL;
}

static void end_over_a_crowd(cora_threading_queue *queue, bool immediate)
{
    int joiners = immediate ? JOINERS : 0;
    struct crowd crowd = {.queue = queue,
                          .barrier = {.parties = WRITERS + READERS + joiners},
                          .half = CORA_THREADING_EVENT_INIT,
                          .immediate = immediate};
    pthread_t writers[WRITERS], readers[READERS], joining[JOINERS], ending;

    for (int i = 0; i < WRITERS; i++)
        writers[i] = start(write_messages, &crowd);
    for (int i = 0; i < READERS; i++)
        readers[i] = start(read_messages, &crowd);
    ending = start(shut_down, &crowd);
    for (int i = 0; i < joiners; i++)
        joining[i] = start(join_later, &crowd);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(join(writers[i]), 0);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(join(readers[i]), -CORA_EQUEUESHUTDOWN);
    assert_int_equal(join(ending), 0);
    for (int i = 0; i < joiners; i++)
        assert_int_equal(join(joining[i]), 0);
    assert_true(crowd.was_empty || !immediate);
    assert_true(cora_threading_queue_empty(queue));
}

static void end_over_all(cora_threading_queue *queue)
{
    end_over_a_crowd(queue, false);
}

static void end_at_once_over_all(cora_threading_queue *queue)
{
    end_over_a_crowd(queue, true);
}

TEST(BaseQueueTestMixin_test_shutdown_all_methods_in_many_threads)
{
    for_each_kind(0, end_over_all);
}

TEST(BaseQueueTestMixin_test_shutdown_immediate_all_methods_in_many_threads)
{
    for_each_kind(0, end_at_once_over_all);
}

/* ---- the end, seen by those who wait -------------------------------------------------------- */

static int count_errors(pthread_t threads[], int count, int error)
{
    int errors = 0;

    for (int i = 0; i < count; i++) {
        int rc = join(threads[i]);

        assert_true(rc >= 0 || rc == error);
        errors += rc < 0;
    }
    return errors;
}

/* Two items and three who want one. */
static void end_over_three(cora_threading_queue *queue)
{
    pthread_t threads[3];

    assert_put(queue, 1);
    assert_put(queue, 2);
    for (int i = 0; i < 3; i++)
        threads[i] = start(get_in_thread, queue);
    cora_threading_queue_shutdown(queue, false);
    assert_int_equal(count_errors(threads, 3, -CORA_EQUEUESHUTDOWN), 1);
}

TEST(BaseQueueTestMixin_test_shutdown_get)
{
    for_each_kind(2, end_over_three);
}

static void end_at_once_before_two(cora_threading_queue *queue)
{
    pthread_t threads[2];

    assert_put(queue, 1);
    assert_put(queue, 2);
    cora_threading_queue_shutdown(queue, true);
    for (int i = 0; i < 2; i++)
        threads[i] = start(get_in_thread, queue);
    assert_int_equal(count_errors(threads, 2, -CORA_EQUEUESHUTDOWN), 2);
}

TEST(BaseQueueTestMixin_test_shutdown_immediate_get)
{
    for_each_kind(2, end_at_once_before_two);
}

static void end_over_putters(cora_threading_queue *queue, bool immediate)
{
    pthread_t threads[2];

    assert_put(queue, 1);
    assert_put(queue, 2);
    for (int i = 0; i < 2; i++)
        threads[i] = start(put_in_thread, queue);
    cora_threading_queue_shutdown(queue, immediate);
    assert_int_equal(count_errors(threads, 2, -CORA_EQUEUESHUTDOWN), 2);
}

static void end_over_two_putters(cora_threading_queue *queue)
{
    end_over_putters(queue, false);
}

static void end_at_once_over_two_putters(cora_threading_queue *queue)
{
    end_over_putters(queue, true);
}

TEST(BaseQueueTestMixin_test_shutdown_put)
{
    for_each_kind(2, end_over_two_putters);
}

TEST(BaseQueueTestMixin_test_shutdown_immediate_put)
{
    for_each_kind(2, end_at_once_over_two_putters);
}

static void end_over_joiners(cora_threading_queue *queue, bool immediate)
{
    pthread_t joiners[2], getter;

    assert_put(queue, 1);
    for (int i = 0; i < 2; i++)
        joiners[i] = start(join_queue, queue);
    cora_threading_queue_shutdown(queue, immediate);
    if (!immediate) {
        getter = start(get_and_finish, queue);
        assert_int_equal(join(getter), 0);
    }
    assert_int_equal(count_errors(joiners, 2, 0), 0);
}

static void end_over_two_joiners(cora_threading_queue *queue)
{
    end_over_joiners(queue, false);
}

static void end_at_once_over_two_joiners(cora_threading_queue *queue)
{
    end_over_joiners(queue, true);
}

TEST(BaseQueueTestMixin_test_shutdown_join)
{
    for_each_kind(0, end_over_two_joiners);
}

TEST(BaseQueueTestMixin_test_shutdown_immediate_join)
{
    for_each_kind(0, end_at_once_over_two_joiners);
}

/* One waits for the work on an item; another one puts when it is too late. */
static void end_over_putter_and_joiner(cora_threading_queue *queue, bool immediate)
{
    pthread_t joiner, putter;
    int rc;

    assert_put(queue, 1);
    joiner = start(join_queue, queue);
    cora_threading_queue_shutdown(queue, immediate);
    putter = start(put_in_thread, queue);
    rc = get_nowait(queue);
    assert_int_equal(rc, immediate ? -CORA_EQUEUESHUTDOWN : 1);
    assert_task_done(queue, immediate ? -CORA_EINVALIDSTATE : 0);
    assert_int_equal(join(putter), -CORA_EQUEUESHUTDOWN);
    assert_int_equal(join(joiner), 0);
}

static void end_over_both(cora_threading_queue *queue)
{
    end_over_putter_and_joiner(queue, false);
}

static void end_at_once_over_both(cora_threading_queue *queue)
{
    end_over_putter_and_joiner(queue, true);
}

TEST(BaseQueueTestMixin_test_shutdown_put_join)
{
    for_each_kind(2, end_over_both);
}

TEST(BaseQueueTestMixin_test_shutdown_immediate_put_join)
{
    for_each_kind(2, end_at_once_over_both);
}

static void end_over_getters_and_joiners(cora_threading_queue *queue)
{
    pthread_t threads[4];

    assert_put(queue, 1);
    assert_put(queue, 2);
    for (int i = 0; i < 4; i++)
        threads[i] = start(i < 2 ? get_and_finish : join_queue, queue);
    cora_threading_queue_shutdown(queue, false);
    assert_int_equal(count_errors(threads, 4, 0), 0);
}

TEST(BaseQueueTestMixin_test_shutdown_get_task_done_join)
{
    for_each_kind(2, end_over_getters_and_joiners);
}

static void end_over_a_getter(cora_threading_queue *queue)
{
    pthread_t thread = start(get_in_thread, queue);

    cora_threading_queue_shutdown(queue, false);
    assert_int_equal(join(thread), -CORA_EQUEUESHUTDOWN);
}

TEST(BaseQueueTestMixin_test_shutdown_pending_get)
{
    for_each_kind(0, end_over_a_getter);
}

/* ---- without a limit ------------------------------------------------------------------------ */

TEST(BaseSimpleQueueTest_test_basic)
{
    cora_threading_queue queue;
    int rc;

    cora_threading_queue_init(&queue, 0);
    assert_true(cora_threading_queue_empty(&queue));
    for (size_t i = 1; i <= 4; i++) {
        rc = i % 2 == 0 ? put_nowait(&queue, (intptr_t)i) : put(&queue, (intptr_t)i, INFINITY);
        assert_int_equal(rc, 0);
        assert_int_equal(cora_threading_queue_qsize(&queue), i);
        assert_false(cora_threading_queue_empty(&queue));
    }
    for (int i = 1; i <= 4; i++) {
        rc = i % 2 == 0 ? get_nowait(&queue) : get(&queue, i == 1 ? INFINITY : 0.1);
        assert_int_equal(rc, i);
        assert_int_equal(cora_threading_queue_qsize(&queue), 4 - i);
    }
    rc = get_nowait(&queue);
    assert_int_equal(rc, -CORA_EQUEUEEMPTY);
    rc = get(&queue, 0);
    assert_int_equal(rc, -CORA_EQUEUEEMPTY);
    rc = get(&queue, 0.001);
    assert_int_equal(rc, -CORA_EQUEUEEMPTY);
    assert_true(cora_threading_queue_empty(&queue));
    cora_threading_queue_destroy(&queue);
}

enum { MOST_THREADS = 50, MOST_INPUTS = 10000 };

/* Feeders put the inputs, 1 and so on, each the next; each ends with a 0 for a consumer. */
static struct feed {
    cora_threading_queue queue;
    atomic_int next;
    int last;
    double timeout; /* the consumers' */
    atomic_int results[MOST_INPUTS + 1];
    int order[MOST_INPUTS], count; /* of a single consumer */
    bool single;
} feed;

static void *feed_all(void *arg)
{
    int rc = 0, input;

    (void)arg;
    while (rc == 0 && (input = atomic_fetch_add(&feed.next, 1)) <= feed.last)
        rc = put(&feed.queue, input, INFINITY);
    return outcome(rc == 0 ? put(&feed.queue, 0, INFINITY) : rc);
}

static void *consume_all(void *arg)
{
    int rc;

    (void)arg;
    while ((rc = get(&feed.queue, feed.timeout)) != 0) {
        if (rc == -CORA_EQUEUEEMPTY) {
            sched_yield();
            continue;
        }
        if (rc < 0)
            break;
        atomic_fetch_add(&feed.results[rc], 1);
        if (feed.single)
            feed.order[feed.count++] = rc;
    }
    return outcome(rc);
}

static void run_feed(int threads, int inputs, double timeout)
{
    pthread_t feeders[MOST_THREADS], consumers[MOST_THREADS];

    cora_threading_queue_init(&feed.queue, 0);
    feed.next = 1;
    feed.last = inputs;
    feed.timeout = timeout;
    feed.single = threads == 1;
    for (int i = 0; i < threads; i++) {
        feeders[i] = start(feed_all, NULL);
        consumers[i] = start(consume_all, NULL);
    }
    for (int i = 0; i < threads; i++) {
        assert_int_equal(join(feeders[i]), 0);
        assert_int_equal(join(consumers[i]), 0);
    }
    assert_true(cora_threading_queue_empty(&feed.queue));
    for (int i = 1; i <= inputs; i++)
        assert_int_equal(feed.results[i], 1);
    cora_threading_queue_destroy(&feed.queue);
}

TEST(BaseSimpleQueueTest_test_order)
{
    run_feed(1, 100, INFINITY);
    assert_int_equal(feed.count, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(feed.order[i], i + 1);
}

TEST(BaseSimpleQueueTest_test_many_threads)
{
    run_feed(MOST_THREADS, MOST_INPUTS, INFINITY);
}

TEST(BaseSimpleQueueTest_test_many_threads_nonblock)
{
    run_feed(MOST_THREADS, MOST_INPUTS, 0);
}

TEST(BaseSimpleQueueTest_test_many_threads_timeout)
{
    run_feed(MOST_THREADS, MOST_INPUTS / 10, 1e-5);
}
