/* Threads that wait for several concurrent futures: when they come back, and what they leave. */
#include "support/test.h"
#include "support/threads.h"

#include <cora.h>

#include <stdatomic.h>

enum { MANY = 200 };

static void create(cora_concurrent_future *futures[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        futures[i] = cora_concurrent_future_create();
        assert_non_null(futures[i]);
    }
}

static void unref(cora_concurrent_future *futures[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        cora_concurrent_future_unref(futures[i]);
}

static void complete(cora_concurrent_future *future, int outcome)
{
    int rc = outcome < 0 ? cora_concurrent_future_set_exception(future, outcome)
                         : cora_concurrent_future_set_result(future, outcome, NULL);

    assert_int_equal(rc, 0);
}

/* ---- wait ----------------------------------------------------------------------------------- */

TEST(what_makes_no_sense_is_refused)
{
    cora_concurrent_future *futures[2] = {NULL, NULL};
    cora_concurrent_as_completed each;
    int rc[6];

    create(futures, 1);
    rc[0] = cora_concurrent_wait(futures, 1, NAN, CORA_ALL_COMPLETED);
    rc[1] = cora_concurrent_wait(futures, 1, 0, (cora_return_when)3);
    rc[2] = cora_concurrent_wait(futures, 2, 0, CORA_ALL_COMPLETED);
    rc[3] = cora_concurrent_as_completed_start(&each, futures, 1, NAN);
    cora_concurrent_as_completed_stop(&each);
    rc[4] = cora_concurrent_as_completed_start(&each, futures, 2, 0);
    rc[5] = cora_concurrent_as_completed_next(&each, &futures[1]);
    cora_concurrent_as_completed_stop(&each);
    assert_int_equal(rc[0], -EINVAL);
    assert_int_equal(rc[1], -EINVAL);
    assert_int_equal(rc[2], -ENOMEM);
    assert_int_equal(rc[3], -EINVAL);
    assert_int_equal(rc[4], -ENOMEM);
    assert_int_equal(rc[5], -CORA_ESTOPITERATION);
    assert_null(futures[1]);
    unref(futures, 1);
}

TEST(for_no_futures_nobody_waits)
{
    for (int when = CORA_FIRST_COMPLETED; when <= CORA_ALL_COMPLETED; when++) {
        int rc = cora_concurrent_wait(NULL, 0, INFINITY, (cora_return_when)when);

        assert_int_equal(rc, 0);
    }
}

TEST(those_that_are_done_are_counted_once_each)
{
    cora_concurrent_future *futures[5];
    bool cancelled;
    int rc;

    create(futures, 4);
    futures[4] = futures[0];
    rc = cora_concurrent_wait(futures, 5, 0, CORA_ALL_COMPLETED);
    assert_int_equal(rc, 0);
    complete(futures[0], 7);
    complete(futures[1], -EIO);
    cancelled = cora_concurrent_future_cancel(futures[2]);
    assert_true(cancelled);
    rc = cora_concurrent_wait(futures, 5, -1, CORA_ALL_COMPLETED);
    assert_int_equal(rc, 3);
    complete(futures[3], 0);
    rc = cora_concurrent_wait(futures, 5, INFINITY, CORA_ALL_COMPLETED);
    assert_int_equal(rc, 4);
    unref(futures, 4);
}

/* A thread waits, for any time, until there is enough; what comes too late it does not see. */
struct waiting {
    cora_concurrent_future *futures[3];
    cora_return_when when;
};

static void *wait_for_three(void *arg)
{
    struct waiting *waiting = arg;

    return outcome(cora_concurrent_wait(waiting->futures, 3, INFINITY, waiting->when));
}

static void assert_comes_back(cora_return_when when, const int outcomes[], int count)
{
    struct waiting waiting = {.when = when};
    pthread_t thread;
    int done;

    create(waiting.futures, 3);
    thread = start_thread(wait_for_three, &waiting);
    for (int i = 0; i < count; i++)
        complete(waiting.futures[i], outcomes[i]);
    done = join_thread(thread);
    assert_int_equal(done, count);
    unref(waiting.futures, 3);
}

TEST(it_comes_back_at_the_first_the_first_error_or_the_last)
{
    assert_comes_back(CORA_FIRST_COMPLETED, (int[]){1}, 1);
    assert_comes_back(CORA_FIRST_EXCEPTION, (int[]){1, -EIO}, 2);
    assert_comes_back(CORA_FIRST_EXCEPTION, (int[]){1, 2, 3}, 3);
    assert_comes_back(CORA_ALL_COMPLETED, (int[]){-EIO, 2, -EIO}, 3);
}

TEST(after_a_timeout_nobody_is_told)
{
    cora_concurrent_future *futures[3];
    int rc;

    create(futures, 3);
    rc = cora_concurrent_wait(futures, 3, 0.001, CORA_FIRST_COMPLETED);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 3; i++)
        complete(futures[i], i);
    unref(futures, 3);
}

/* ---- as_completed --------------------------------------------------------------------------- */

static cora_concurrent_future *next(cora_concurrent_as_completed *each)
{
    cora_concurrent_future *future = NULL;
    int rc = cora_concurrent_as_completed_next(each, &future);

    assert_int_equal(rc, 0);
    return future;
}

static void start_each(cora_concurrent_as_completed *each, cora_concurrent_future *const futures[],
                       size_t count, double timeout)
{
    int rc = cora_concurrent_as_completed_start(each, futures, count, timeout);

    assert_int_equal(rc, 0);
}

TEST(they_come_in_the_order_in_which_they_are_done)
{
    static const int order[] = {2, 0, 3, 1};
    cora_concurrent_future *futures[4], *none = NULL;
    cora_concurrent_as_completed each;
    int rc;

    create(futures, 4);
    complete(futures[2], 2);
    complete(futures[0], 0);
    start_each(&each, futures, 4, INFINITY);
    assert_ptr_equal(next(&each), futures[0]); /* of those before in the order given */
    complete(futures[3], 3);
    assert_ptr_equal(next(&each), futures[2]);
    complete(futures[1], 1);
    for (int i = 2; i < 4; i++)
        assert_ptr_equal(next(&each), futures[order[i]]);
    rc = cora_concurrent_as_completed_next(&each, &none);
    assert_int_equal(rc, -CORA_ESTOPITERATION);
    assert_null(none);
    cora_concurrent_as_completed_stop(&each);
    rc = cora_concurrent_as_completed_next(&each, &none);
    assert_int_equal(rc, -CORA_ESTOPITERATION);
    unref(futures, 4);
}

TEST(one_that_was_given_twice_comes_once)
{
    cora_concurrent_future *futures[4], *none;
    cora_concurrent_as_completed each;
    int rc;

    create(futures, 2);
    futures[2] = futures[1];
    futures[3] = futures[0];
    complete(futures[0], 0);
    start_each(&each, futures, 4, INFINITY);
    complete(futures[1], 0);
    assert_ptr_equal(next(&each), futures[0]);
    assert_ptr_equal(next(&each), futures[1]);
    rc = cora_concurrent_as_completed_next(&each, &none);
    assert_int_equal(rc, -CORA_ESTOPITERATION);
    cora_concurrent_as_completed_stop(&each);
    unref(futures, 2);
}

TEST(when_the_time_is_over_those_come_that_have_been_done)
{
    cora_concurrent_future *futures[3], *none = NULL;
    cora_concurrent_as_completed each;
    int rc;

    create(futures, 3);
    complete(futures[1], 0);
    start_each(&each, futures, 3, 0.001);
    assert_ptr_equal(next(&each), futures[1]);
    rc = cora_concurrent_as_completed_next(&each, &none);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_null(none);
    complete(futures[2], 0);
    assert_ptr_equal(next(&each), futures[2]);
    rc = cora_concurrent_as_completed_next(&each, &none);
    assert_int_equal(rc, -ETIMEDOUT);
    cora_concurrent_as_completed_stop(&each);
    complete(futures[0], 0);
    unref(futures, 3);
}

TEST(the_iteration_holds_what_it_has_not_seen)
{
    cora_concurrent_future *futures[2], *kept;
    cora_concurrent_as_completed each;

    create(futures, 2);
    kept = cora_concurrent_future_ref(futures[1]);
    start_each(&each, futures, 2, INFINITY);
    unref(futures, 2);
    complete(kept, 5);
    assert_int_equal(cora_concurrent_future_result(next(&each), 0), 5);
    cora_concurrent_as_completed_stop(&each);
    cora_concurrent_future_unref(kept);
}

/* ---- with many threads ---------------------------------------------------------------------- */

/* Threads complete all, each a future at a time, while others wait, also with hardly any time. */
struct crowd {
    cora_concurrent_future *futures[MANY];
    atomic_int next;
    atomic_bool stop;
};

static void *complete_some(void *arg)
{
    struct crowd *crowd = arg;
    int wrong = 0, i;

    while ((i = atomic_fetch_add(&crowd->next, 1)) < MANY)
        wrong += cora_concurrent_future_set_result(crowd->futures[i], i, NULL) != 0;
    return outcome(wrong);
}

static void *wait_for_all(void *arg)
{
    struct crowd *crowd = arg;
    int done = cora_concurrent_wait(crowd->futures, MANY, INFINITY, CORA_ALL_COMPLETED);

    return outcome(done != MANY);
}

static void *come_and_go(void *arg)
{
    struct crowd *crowd = arg;
    int wrong = 0;

    while (!atomic_load(&crowd->stop)) {
        int done = cora_concurrent_wait(crowd->futures, MANY, 1e-6, CORA_ALL_COMPLETED);

        wrong += done < 0 || done > MANY;
    }
    return outcome(wrong);
}

static void *see_each(void *arg)
{
    struct crowd *crowd = arg;
    bool seen[MANY] = {false};
    cora_concurrent_as_completed each;
    cora_concurrent_future *future;
    int wrong = 0, rc = cora_concurrent_as_completed_start(&each, crowd->futures, MANY, INFINITY);

    while (rc == 0 && (rc = cora_concurrent_as_completed_next(&each, &future)) == 0) {
        int i = cora_concurrent_future_result(future, 0);

        wrong += i < 0 || i >= MANY || seen[i];
        if (i >= 0)
            seen[i] = true;
    }
    cora_concurrent_as_completed_stop(&each);
    for (int i = 0; i < MANY; i++)
        wrong += !seen[i];
    return outcome(wrong + (rc != -CORA_ESTOPITERATION));
}

TEST(threads_wait_for_what_others_complete)
{
    static void *(*const roles[])(void *) = {wait_for_all,  come_and_go,   see_each,
                                             complete_some, complete_some, see_each};
    enum { ROLES = sizeof roles / sizeof roles[0] };
    pthread_t threads[ROLES];
    struct crowd crowd;
    int wrong = 0;

    create(crowd.futures, MANY);
    atomic_init(&crowd.next, 0);
    atomic_init(&crowd.stop, false);
    for (int i = 0; i < ROLES; i++)
        threads[i] = start_thread(roles[i], &crowd);
    for (int i = 0; i < ROLES; i++)
        if (roles[i] != come_and_go)
            wrong += join_thread(threads[i]);
    atomic_store(&crowd.stop, true);
    wrong += join_thread(threads[1]);
    assert_int_equal(wrong, 0);
    unref(crowd.futures, MANY);
}
