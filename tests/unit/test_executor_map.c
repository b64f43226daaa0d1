/* map() as an iteration: how many items are under way, what comes of errors, and what it leaves. */
#include "support/pools.h"
#include "support/test.h"

#include <errno.h>

/* Items 0, 1, 2, ...; when one of them is made the executor is shut down. */
struct source {
    int next, end, shutdown_at;
    cora_executor *executor;
};

static bool make_item(void *arg, void *item)
{
    struct source *source = arg;
    struct pool_job *job = item;

    if (source->next == source->end)
        return false;
    if (source->next == source->shutdown_at)
        cora_executor_shutdown(source->executor, false, false);
    *job = (struct pool_job){.x = source->next, .y = 2, .gate = 0, .count = 0};
    source->next++;
    return true;
}

static struct source source_of(cora_executor *executor, int end, int shutdown_at)
{
    return (struct source){.end = end, .shutdown_at = shutdown_at, .executor = executor};
}

static int start(cora_executor_map_iterator *each, struct source *source, cora_job *fn,
                 size_t buffersize, double timeout)
{
    return cora_executor_map_iterator_start(each, source->executor, fn, make_item, source,
                                            sizeof(struct pool_job), buffersize, timeout);
}

static void assert_ended(cora_executor_map_iterator *each)
{
    void *item = NULL;
    int result = 7, rc = cora_executor_map_iterator_next(each, &item, &result);

    assert_int_equal(rc, -CORA_ESTOPITERATION);
    assert_null(item);
    assert_int_equal(result, 7);
}

TEST(no_more_items_are_made_than_there_is_room_for)
{
    enum { ROOM = 3, ITEMS = 10 };
    cora_executor *executor = make_pool(&thread_pool, 2);
    struct source source = source_of(executor, ITEMS, -1);
    cora_executor_map_iterator each;
    int rc = start(&each, &source, multiply, ROOM, INFINITY);

    assert_int_equal(rc, 0);
    assert_int_equal(source.next, ROOM);
    for (int i = 0; i < ITEMS; i++) {
        void *item;
        int result;

        rc = cora_executor_map_iterator_next(&each, &item, &result);
        assert_int_equal(rc, 0);
        assert_int_equal(((struct pool_job *)item)->x, i);
        assert_int_equal(result, 2 * i);
        assert_int_equal(source.next, ROOM + 1 + i < ITEMS ? ROOM + 1 + i : ITEMS);
    }
    assert_ended(&each);
    cora_executor_map_iterator_stop(&each);
    assert_ended(&each);
    cora_executor_map_iterator_stop(&each);
    cora_executor_free(executor);
}

/* -ETIMEDOUT, too, is a result here. */
static int fail_at_odd(void *arg)
{
    int x = ((struct pool_job *)arg)->x;

    return x % 2 == 1 ? -ETIMEDOUT : x;
}

TEST(an_error_is_a_result_and_the_next_item_follows)
{
    cora_executor *executor = make_pool(&thread_pool, 2);
    struct source source = source_of(executor, 4, -1);
    cora_executor_map_iterator each;
    int rc = start(&each, &source, fail_at_odd, 2, 1000);

    assert_int_equal(rc, 0);
    for (int i = 0; i < 4; i++) {
        int result = 7;

        rc = cora_executor_map_iterator_next(&each, NULL, &result);
        assert_int_equal(rc, 0);
        assert_int_equal(result, i % 2 == 1 ? -ETIMEDOUT : i);
    }
    assert_ended(&each);
    cora_executor_map_iterator_stop(&each);
    cora_executor_free(executor);
}

TEST(what_makes_no_sense_is_refused)
{
    cora_executor *executor = make_pool(&thread_pool, 1);
    struct source source = source_of(executor, 4, -1);
    struct pool_job job = {.x = 6, .y = 7};
    cora_executor_map_iterator each;
    int rc[3], result = 99;

    rc[0] = start(&each, &source, multiply, 0, INFINITY);
    rc[1] = start(&each, &source, multiply, 1, NAN);
    assert_int_equal(rc[0], -EINVAL);
    assert_int_equal(rc[1], -EINVAL);
    assert_int_equal(source.next, 0);
    assert_ended(&each);
    rc[2] = cora_executor_map(executor, multiply, &job, sizeof job, 1, 1, NAN, &result);
    assert_int_equal(rc[2], -EINVAL);
    assert_int_equal(result, 99);
    cora_executor_free(executor);
}

TEST(an_executor_that_takes_no_jobs_ends_it)
{
    for (int at = 0; at < 3; at++) {
        cora_executor *executor = make_pool(&thread_pool, 1);
        struct source source = source_of(executor, 10, at);
        cora_executor_map_iterator each;
        int rc = start(&each, &source, multiply, 2, INFINITY);

        assert_int_equal(rc, at < 2 ? -CORA_EEXECUTORSHUTDOWN : 0);
        if (rc == 0)
            rc = cora_executor_map_iterator_next(&each, NULL, NULL);
        assert_int_equal(rc, -CORA_EEXECUTORSHUTDOWN);
        assert_ended(&each);
        cora_executor_map_iterator_stop(&each);
        cora_executor_free(executor);
    }
}

/* The first stands at the gate, and the others have not begun. */
TEST(what_is_too_late_ends_it_and_those_that_have_not_begun_never_do)
{
    cora_executor *executor = make_pool(&thread_pool, 1);
    struct source source = source_of(executor, 10, -1);
    struct pool_job job = {.gate = 1};
    cora_executor_map_iterator each;
    cora_concurrent_future *first = submit(executor, pass_gate, &job);
    int rc = start(&each, &source, count_up, 3, 0.001);

    assert_int_equal(rc, 0);
    rc = cora_executor_map_iterator_next(&each, NULL, NULL);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_ended(&each);
    open_gate(1);
    assert_result(first, 0);
    cora_executor_free(executor);
    assert_int_equal(shared->counts[0], 0);
    cora_executor_map_iterator_stop(&each);
}

TEST(its_end_does_not_wait_for_those_that_have_not_begun)
{
    cora_executor *executor = make_pool(&thread_pool, 1);
    struct source source = source_of(executor, 10, -1);
    struct pool_job job = {.gate = 1};
    cora_executor_map_iterator each;
    cora_concurrent_future *first = submit(executor, pass_gate, &job);
    int rc = start(&each, &source, count_up, 3, INFINITY);

    assert_int_equal(rc, 0);
    cora_executor_map_iterator_stop(&each);
    open_gate(1);
    assert_result(first, 0);
    cora_executor_free(executor);
    assert_int_equal(shared->counts[0], 0);
}

static int work_on_item(void *arg)
{
    struct pool_job *job = arg;

    job->quotient = pass_gate(arg) + 1; /* nobody has freed it */
    return count_up(arg);
}

/* One works on its item, which goes with the iteration: that waits for it. */
TEST(its_end_waits_for_those_that_have_begun)
{
    cora_executor *executor = make_pool(&thread_pool, 2);
    struct source source = source_of(executor, 10, -1);
    cora_executor_map_iterator each;
    int rc = start(&each, &source, work_on_item, 4, INFINITY);

    assert_int_equal(rc, 0);
    await_arrivals(0, 2);
    open_gate(0);
    cora_executor_map_iterator_stop(&each);
    assert_in_range(shared->counts[0], 2, 4);
    assert_ended(&each);
    cora_executor_free(executor);
}
