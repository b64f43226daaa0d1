/* Pool: jobs for processes, under their older names. */
#include "support/children.h"
#include "support/process.h"
#include "support/socket.h"
#include "support/test.h"

#include <cora/error.h>

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <unistd.h>

/* ---- jobs ---------------------------------------------------------------------------------- */

struct number {
    int value, square;
    pid_t pid;
};

static int square(void *arg)
{
    struct number *number = arg;

    number->square = number->value * number->value;
    number->pid = getpid();
    return number->value % 7 == 3 ? -EDOM : number->value;
}

/* What the workers share with the test. */
static struct shared {
    cora_multiprocessing_event go;
    int begun, prepared;
} * shared;

/* Those that are no number wait until they are told to go. */
static int wait_for_go(void *arg)
{
    const struct number *number = arg;

    __atomic_add_fetch(&shared->begun, 1, __ATOMIC_SEQ_CST);
    if (number->value > 0)
        return number->value;
    return cora_multiprocessing_event_wait(&shared->go, INFINITY);
}

static int die(void *arg)
{
    (void)arg;
    _exit(3);
}

static int count_preparation(void *arg)
{
    __atomic_add_fetch((int *)arg, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static const cora_process_pool_job jobs[] = {{.fn = square, .size = sizeof(struct number)},
                                             {.fn = wait_for_go, .size = sizeof(struct number)},
                                             {.fn = die, .size = sizeof(struct number)},
                                             {0}};

static int unknown(void *arg)
{
    (void)arg;
    return 0;
}

static cora_multiprocessing_pool *pool;

static void begin_with(cora_process_pool_options options)
{
    int rc;

    shared = share(sizeof *shared);
    rc = cora_multiprocessing_event_init(&shared->go);
    assert_int_equal(rc, 0);
    options.jobs = jobs;
    if (options.initializer != NULL)
        options.initarg = &shared->prepared;
    rc = cora_multiprocessing_pool_create(&options, &pool);
    assert_int_equal(rc, 0);
}

static void begin(void)
{
    begin_with((cora_process_pool_options){.max_workers = 2});
}

static void end(void)
{
    cora_multiprocessing_pool_free(pool);
    assert_false(has_children());
}

enum { COUNT = 50 };

static struct number numbers[COUNT];

static void make_numbers(int first)
{
    for (int i = 0; i < COUNT; i++)
        numbers[i] = (struct number){.value = first + i};
}

/* ---- apply, map ---------------------------------------------------------------------------- */

TEST(apply_runs_a_job_in_another_process)
{
    struct number number = {.value = 5};
    int before = count_descriptors(), rc;

    begin();
    rc = cora_multiprocessing_pool_apply(pool, square, &number);
    assert_int_equal(rc, 5);
    assert_int_equal(number.square, 25);
    assert_int_not_equal(number.pid, getpid());
    number.value = 3;
    rc = cora_multiprocessing_pool_apply(pool, square, &number);
    assert_int_equal(rc, -EDOM);
    rc = cora_multiprocessing_pool_apply(pool, unknown, &number);
    assert_int_equal(rc, -EINVAL);
    end();
    cora_multiprocessing_pool_free(NULL);
    assert_int_equal(count_descriptors(), before);
}

TEST(apply_async_does_not_wait)
{
    struct number number = {.value = 0};
    cora_concurrent_future *future = NULL;
    int rc;

    begin();
    rc = cora_multiprocessing_pool_apply_async(pool, wait_for_go, &number, &future);
    assert_int_equal(rc, 0);
    rc = cora_concurrent_future_result(future, 0.001);
    assert_int_equal(rc, -ETIMEDOUT);
    cora_multiprocessing_event_set(&shared->go);
    rc = cora_concurrent_future_result(future, INFINITY);
    assert_int_equal(rc, 0);
    cora_concurrent_future_unref(future);
    end();
}

static void assert_squares(const int results[])
{
    for (int i = 0; i < COUNT; i++) {
        int value = numbers[i].value;

        assert_int_equal(numbers[i].square, value * value);
        assert_int_equal(results[i], value % 7 == 3 ? -EDOM : value);
    }
}

TEST(map_does_all_of_them_in_chunks)
{
    static const size_t chunks[] = {0, 1, 7, 1000};
    int results[COUNT], rc;

    begin();
    for (size_t i = 0; i < 4; i++) {
        make_numbers(4);
        rc = cora_multiprocessing_pool_map(pool, square, numbers, sizeof numbers[0], COUNT,
                                           chunks[i], results);
        assert_int_equal(rc, -EDOM);
    }
    make_numbers(4);
    rc = cora_multiprocessing_pool_map(pool, square, numbers, sizeof numbers[0], 6, 0, NULL);
    assert_int_equal(rc, 0);
    assert_int_equal(numbers[5].square, 81);
    rc = cora_multiprocessing_pool_map(pool, square, numbers, sizeof numbers[0], 0, 0, NULL);
    assert_int_equal(rc, 0);
    end();
}

TEST(map_async_has_one_future_for_all)
{
    cora_concurrent_future *future = NULL;
    int results[COUNT], rc;

    begin();
    make_numbers(0);
    rc = cora_multiprocessing_pool_map_async(pool, square, numbers, sizeof numbers[0], COUNT,
                                             results, &future);
    assert_int_equal(rc, 0);
    assert_false(cora_concurrent_future_cancel(future));
    rc = cora_concurrent_future_result(future, INFINITY);
    assert_int_equal(rc, -EDOM);
    assert_squares(results);
    cora_concurrent_future_unref(future);
    rc = cora_multiprocessing_pool_map_async(pool, square, numbers, sizeof numbers[0], 3, NULL,
                                             &future);
    assert_int_equal(rc, 0);
    rc = cora_concurrent_future_result(future, INFINITY);
    assert_int_equal(rc, 0);
    cora_concurrent_future_unref(future);
    rc = cora_multiprocessing_pool_map_async(pool, square, numbers, sizeof numbers[0], 0, NULL,
                                             &future);
    assert_int_equal(rc, 0);
    rc = cora_concurrent_future_result(future, 0);
    assert_int_equal(rc, 0);
    cora_concurrent_future_unref(future);
    future = NULL;
    rc = cora_multiprocessing_pool_map_async(pool, unknown, numbers, sizeof numbers[0], COUNT, NULL,
                                             &future);
    assert_int_equal(rc, -EINVAL);
    assert_null(future);
    end();
}

/* ---- imap ---------------------------------------------------------------------------------- */

TEST(imap_gives_the_outcomes_in_the_items_order)
{
    cora_multiprocessing_imap each;
    struct number *number;
    void *item;
    int rc, result, count = 0;

    begin();
    make_numbers(0);
    rc = cora_multiprocessing_pool_imap(&each, pool, square, numbers, sizeof numbers[0], COUNT);
    while (rc == 0 && (rc = cora_multiprocessing_imap_next(&each, INFINITY, &item, &result)) == 0) {
        number = item;
        assert_ptr_equal(number, &numbers[count]);
        assert_int_equal(number->square, count * count);
        assert_int_equal(result, count % 7 == 3 ? -EDOM : count);
        count++;
    }
    assert_int_equal(rc, -CORA_ESTOPITERATION);
    assert_int_equal(count, COUNT);
    cora_multiprocessing_imap_stop(&each);
    rc = cora_multiprocessing_pool_imap(&each, pool, unknown, numbers, sizeof numbers[0], COUNT);
    assert_int_equal(rc, -EINVAL);
    cora_multiprocessing_imap_stop(&each);
    end();
}

/* The first one waits, the others do not. */
static void make_one_that_waits(void)
{
    make_numbers(0);
    for (int i = 0; i < COUNT; i++)
        numbers[i].value = i;
}

TEST(imap_unordered_gives_them_as_they_come)
{
    cora_multiprocessing_imap each;
    bool seen[COUNT] = {false};
    void *item;
    int rc, result;

    begin();
    make_one_that_waits();
    rc = cora_multiprocessing_pool_imap_unordered(&each, pool, wait_for_go, numbers,
                                                  sizeof numbers[0], COUNT);
    assert_int_equal(rc, 0);
    for (int i = 1; i < COUNT; i++) {
        rc = cora_multiprocessing_imap_next(&each, INFINITY, &item, &result);
        assert_int_equal(rc, 0);
        assert_int_equal(result, ((struct number *)item)->value);
        assert_int_not_equal(result, 0);
        assert_false(seen[result]);
        seen[result] = true;
    }
    rc = cora_multiprocessing_imap_next(&each, 0, &item, &result);
    assert_int_equal(rc, -ETIMEDOUT);
    rc = cora_multiprocessing_imap_next(&each, 0.001, &item, &result);
    assert_int_equal(rc, -ETIMEDOUT);
    rc = cora_multiprocessing_imap_next(&each, NAN, &item, &result);
    assert_int_equal(rc, -EINVAL);
    cora_multiprocessing_event_set(&shared->go);
    rc = cora_multiprocessing_imap_next(&each, INFINITY, &item, &result);
    assert_int_equal(rc, 0);
    assert_ptr_equal(item, &numbers[0]);
    rc = cora_multiprocessing_imap_next(&each, INFINITY, &item, &result);
    assert_int_equal(rc, -CORA_ESTOPITERATION);
    cora_multiprocessing_imap_stop(&each);
    end();
}

TEST(imap_waits_for_the_next_though_later_ones_are_done)
{
    cora_multiprocessing_imap each;
    void *item = NULL;
    int rc, result = 77;

    begin();
    make_one_that_waits();
    rc =
        cora_multiprocessing_pool_imap(&each, pool, wait_for_go, numbers, sizeof numbers[0], COUNT);
    assert_int_equal(rc, 0);
    while (__atomic_load_n(&shared->begun, __ATOMIC_SEQ_CST) < COUNT)
        sched_yield();
    rc = cora_multiprocessing_imap_next(&each, 0.001, &item, &result);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_null(item);
    assert_int_equal(result, 77);
    cora_multiprocessing_event_set(&shared->go);
    for (int i = 0; i < COUNT; i++) {
        rc = cora_multiprocessing_imap_next(&each, INFINITY, &item, &result);
        assert_int_equal(rc, 0);
        assert_int_equal(result, i);
    }
    cora_multiprocessing_imap_stop(&each);
    end();
}

TEST(an_imap_that_is_stopped_early_cancels_what_has_not_begun)
{
    cora_multiprocessing_imap each;
    void *item;
    int rc, result;

    begin();
    make_numbers(1);
    rc =
        cora_multiprocessing_pool_imap(&each, pool, wait_for_go, numbers, sizeof numbers[0], COUNT);
    assert_int_equal(rc, 0);
    rc = cora_multiprocessing_imap_next(&each, INFINITY, &item, &result);
    assert_int_equal(rc, 0);
    assert_int_equal(result, 1);
    cora_multiprocessing_imap_stop(&each);
    rc = cora_multiprocessing_pool_apply(pool, square, &numbers[0]);
    assert_int_equal(rc, 1);
    end();
}

/* ---- processes ----------------------------------------------------------------------------- */

TEST(processes_are_prepared_and_replaced_after_so_many_jobs)
{
    pid_t pids[4];
    int rc;

    begin_with((cora_process_pool_options){
        .max_workers = 1, .max_tasks_per_child = 2, .initializer = count_preparation});
    for (int i = 0; i < 4; i++) {
        struct number number = {.value = 1};

        rc = cora_multiprocessing_pool_apply(pool, square, &number);
        assert_int_equal(rc, 1);
        pids[i] = number.pid;
    }
    assert_int_equal(pids[0], pids[1]);
    assert_int_equal(pids[2], pids[3]);
    assert_int_not_equal(pids[1], pids[2]);
    end();
    assert_int_equal(shared->prepared, 2);
}

TEST(a_process_that_dies_fails_all_jobs_and_hangs_nobody)
{
    cora_multiprocessing_imap each;
    int results[COUNT], rc, result;
    void *item;

    begin();
    make_numbers(1);
    rc = cora_multiprocessing_pool_imap(&each, pool, die, numbers, sizeof numbers[0], COUNT);
    assert_int_equal(rc, 0);
    for (int i = 0; i < COUNT; i++) {
        rc = cora_multiprocessing_imap_next(&each, INFINITY, &item, &result);
        assert_int_equal(rc, 0);
        assert_int_equal(result, -CORA_EBROKENEXECUTOR);
    }
    cora_multiprocessing_imap_stop(&each);
    rc = cora_multiprocessing_pool_map(pool, square, numbers, sizeof numbers[0], COUNT, 0, results);
    assert_int_equal(rc, -CORA_EBROKENEXECUTOR);
    end();
}

/* ---- the end ------------------------------------------------------------------------------- */

TEST(a_pool_that_is_closed_takes_no_more_and_does_what_it_has)
{
    struct number number = {.value = 0}, other = {.value = 1};
    cora_concurrent_future *future = NULL;
    int rc;

    begin();
    rc = cora_multiprocessing_pool_join(pool);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    rc = cora_multiprocessing_pool_apply_async(pool, wait_for_go, &number, &future);
    assert_int_equal(rc, 0);
    cora_multiprocessing_pool_close(pool);
    rc = cora_multiprocessing_pool_apply(pool, square, &other);
    assert_int_equal(rc, -CORA_EEXECUTORSHUTDOWN);
    cora_multiprocessing_event_set(&shared->go);
    rc = cora_multiprocessing_pool_join(pool);
    assert_int_equal(rc, 0);
    rc = cora_concurrent_future_result(future, 0);
    assert_int_equal(rc, 0);
    cora_concurrent_future_unref(future);
    end();
}

TEST(a_pool_that_is_terminated_ends_what_it_does)
{
    cora_concurrent_future *futures[COUNT];
    int rc;

    begin();
    for (int i = 0; i < COUNT; i++) {
        numbers[i] = (struct number){.value = 0};
        rc = cora_multiprocessing_pool_apply_async(pool, wait_for_go, &numbers[i], &futures[i]);
        assert_int_equal(rc, 0);
    }
    while (__atomic_load_n(&shared->begun, __ATOMIC_SEQ_CST) < 2)
        sched_yield();
    rc = cora_multiprocessing_pool_terminate(pool);
    assert_int_equal(rc, 0);
    rc = cora_multiprocessing_pool_join(pool);
    assert_int_equal(rc, 0);
    for (int i = 0; i < COUNT; i++) {
        rc = cora_concurrent_future_result(futures[i], 0);
        assert_true(rc == -CORA_EBROKENEXECUTOR || rc == -ECANCELED);
        cora_concurrent_future_unref(futures[i]);
    }
    end();
}

TEST(a_pool_without_jobs_is_refused)
{
    int rc = cora_multiprocessing_pool_create(&(cora_process_pool_options){.jobs = NULL}, &pool);

    assert_int_equal(rc, -EINVAL);
    assert_null(pool);
}
