/* Cancellation: who is told, when, and what becomes of it. */
#include "support/test.h"
#include "support/virtual.h"

static void soon(cora_callback *fn, void *arg)
{
    int rc = cora_loop_call_soon(cora_get_running_loop(), fn, arg, NULL);

    assert_int_equal(rc, 0);
}

/* Counts iterations: it is the first that each of them runs. */
static int tick;

static void count_iterations(void *arg)
{
    tick++;
    if (tick < 1000)
        soon(count_iterations, arg);
}

/* Starts the count; what runs after it sees the first iteration as 1. */
static void start_count(void)
{
    soon(count_iterations, NULL);
}

static cora_future *new_future(void)
{
    cora_future *future = cora_loop_create_future(cora_get_running_loop());

    assert_non_null(future);
    return future;
}

static void yield(void)
{
    int rc = cora_sleep(0);

    assert_int_equal(rc, 0);
}

static void set_result(cora_future *future)
{
    int rc = cora_future_set_result(future, 7, NULL);

    assert_int_equal(rc, 0);
}

static int await_it(void *arg)
{
    return cora_await(arg);
}

/* Waits for the future, and notes what it is told and when. */
static int await_noted(void *arg)
{
    int rc = cora_await(arg);

    trace("%s@%d", rc < 0 ? cora_strerrorname(rc) : "value", tick);
    return rc;
}

/* Runs `fn`, in which the assertions are, as a main task that must come to its end. */
static void run_main(cora_task_fn *fn)
{
    int rc = run_virtual(fn, NULL);

    assert_int_equal(rc, 0);
}

/* ---- before it has started ------------------------------------------------------------------ */

static int note_start(void *arg)
{
    (void)arg;
    trace("started");
    return 0;
}

static int cancel_before_start(void *arg)
{
    cora_task *task, *waiter;
    bool asked;
    int rc;

    (void)arg;
    start_count();
    task = cora_create_task_arg(note_start, NULL);
    waiter = cora_create_task_arg(await_noted, task);
    asked = cora_future_cancel_message(task, "no");
    assert_true(asked);
    assert_false(cora_task_cancelled(task));
    assert_false(cora_task_done(task));
    rc = cora_await_unref(waiter);
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_task_cancelled(task));
    assert_string_equal(cora_future_get_cancel_message(task), "no");
    cora_task_unref(task);
    return 0;
}

TEST(a_task_cancelled_before_it_starts_never_runs)
{
    run_main(cancel_before_start);
    assert_string_equal(trace_text, "ECANCELED@1 ");
}

/* ---- waiting for a future ------------------------------------------------------------------- */

static int cancel_a_waiter(void *arg)
{
    cora_future *future = new_future();
    cora_task *task = cora_create_task_arg(await_noted, future);
    cora_task *waiter = cora_create_task_arg(await_noted, task);
    bool asked;
    int rc;

    (void)arg;
    yield();
    start_count();
    asked = cora_future_cancel_message(task, "enough");
    assert_true(asked);
    assert_true(cora_future_cancelled(future));
    assert_false(cora_task_cancelled(task));
    assert_int_equal(cora_task_cancelling(task), 1);
    rc = cora_await_unref(waiter);
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_task_cancelled(task));
    assert_string_equal(cora_future_get_cancel_message(task), "enough");
    assert_int_equal(reports.count, 0);
    cora_task_unref(task);
    cora_future_unref(future);
    return 0;
}

TEST(a_waiting_task_is_told_in_the_next_iteration_and_its_waiter_one_later)
{
    run_main(cancel_a_waiter);
    assert_string_equal(trace_text, "ECANCELED@1 ECANCELED@2 ");
}

static int cancel_a_future(void *arg)
{
    cora_future *future = new_future();
    cora_task *task = cora_create_task_arg(await_it, future);
    int rc;

    (void)arg;
    yield();
    cora_future_cancel_message(future, "gone");
    rc = cora_await(task);
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_task_cancelled(task));
    assert_int_equal(cora_task_cancelling(task), 0);
    assert_string_equal(cora_future_get_cancel_message(task), "gone");
    assert_string_equal(cora_future_get_cancel_message(cora_current_task()), "gone");
    cora_task_unref(task);
    cora_future_unref(future);
    return 0;
}

TEST(who_waits_for_a_cancelled_future_is_told_with_its_message)
{
    run_main(cancel_a_future);
}

static int cancel_after_completion(void *arg)
{
    cora_future *future = new_future();
    cora_task *task = cora_create_task_arg(await_it, future);
    int rc;

    (void)arg;
    yield();
    set_result(future);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    cora_future_unref(future);
    return 0;
}

TEST(a_result_that_is_on_its_way_is_lost_to_a_task_that_is_cancelled)
{
    run_main(cancel_after_completion);
}

static int cancel_a_done_task(void *arg)
{
    cora_task *task = cora_create_task_arg(note_start, NULL);
    bool asked;

    (void)arg;
    yield();
    asked = cora_task_cancel(task);
    assert_false(asked);
    assert_int_equal(cora_task_cancelling(task), 0);
    assert_false(cora_task_cancelled(task));
    cora_task_unref(task);
    return 0;
}

TEST(a_task_that_is_done_is_not_cancelled)
{
    run_main(cancel_a_done_task);
}

/* ---- chains --------------------------------------------------------------------------------- */

static int cancel_a_chain(void *arg)
{
    cora_future *future = new_future();
    cora_task *tasks[4];
    int rc;

    (void)arg;
    tasks[0] = cora_create_task_arg(await_noted, future);
    for (int i = 1; i < 4; i++)
        tasks[i] = cora_create_task_arg(await_noted, tasks[i - 1]);
    yield();
    start_count();
    cora_task_cancel(tasks[3]);
    assert_true(cora_future_cancelled(future));
    for (int i = 0; i < 4; i++)
        assert_int_equal(cora_task_cancelling(tasks[i]), 1);
    rc = cora_await(tasks[3]);
    assert_int_equal(rc, -ECANCELED);
    for (int i = 0; i < 4; i++) {
        assert_true(cora_task_cancelled(tasks[i]));
        cora_task_unref(tasks[i]);
    }
    cora_future_unref(future);
    return 0;
}

TEST(a_chain_of_tasks_unwinds_from_its_inner_end_one_an_iteration)
{
    run_main(cancel_a_chain);
    assert_string_equal(trace_text, "ECANCELED@1 ECANCELED@2 ECANCELED@3 ECANCELED@4 ");
}

static int swallow(void *arg)
{
    int rc = cora_await(arg);

    return rc == -ECANCELED ? 8 : rc;
}

static int cancel_over_a_swallower(void *arg)
{
    cora_future *future = new_future();
    cora_task *inner = cora_create_task_arg(swallow, future);
    cora_task *outer = cora_create_task_arg(await_it, inner);
    int rc;

    (void)arg;
    yield();
    cora_task_cancel(outer);
    rc = cora_await(outer);
    assert_int_equal(rc, 8);
    assert_false(cora_task_cancelled(inner));
    assert_false(cora_task_cancelled(outer));
    assert_int_equal(cora_task_cancelling(outer), 1);
    cora_task_unref(inner);
    cora_task_unref(outer);
    cora_future_unref(future);
    return 0;
}

TEST(where_the_inner_task_swallows_it_the_outer_one_gets_a_value)
{
    run_main(cancel_over_a_swallower);
}

static int cancel_one_of_two(void *arg)
{
    cora_future *future = new_future();
    cora_task *shared = cora_create_task_arg(await_it, future);
    cora_task *one = cora_create_task_arg(await_it, shared);
    cora_task *other = cora_create_task_arg(await_it, shared);
    int rc[2];

    (void)arg;
    yield();
    cora_task_cancel(one);
    assert_int_equal(cora_task_cancelling(one), 1);
    assert_int_equal(cora_task_cancelling(shared), 1);
    assert_int_equal(cora_task_cancelling(other), 0);
    rc[0] = cora_await(one);
    rc[1] = cora_await(other);
    assert_int_equal(rc[0], -ECANCELED);
    assert_int_equal(rc[1], -ECANCELED);
    assert_true(cora_task_cancelled(shared));
    cora_task_unref(shared);
    cora_task_unref(one);
    cora_task_unref(other);
    cora_future_unref(future);
    return 0;
}

TEST(two_who_wait_for_one_task_share_its_cancellation)
{
    run_main(cancel_one_of_two);
}

/* ---- rings ---------------------------------------------------------------------------------- */

enum { MOST_IN_RING = 7 };

static cora_task *ring[MOST_IN_RING];

static int await_in_ring(void *arg)
{
    return cora_await(*(cora_task **)arg);
}

static int cancel_rings(void *arg)
{
    (void)arg;
    for (int size = 2; size <= MOST_IN_RING; size++) {
        for (int i = 0; i < size; i++)
            ring[i] = cora_create_task_arg(await_in_ring, &ring[(i + 1) % size]);
        yield();
        cora_task_cancel(ring[0]);
        for (int i = 0; i < size; i++) {
            int rc = cora_await(ring[i]);

            assert_int_equal(rc, -ECANCELED);
        }
        for (int i = 0; i < size; i++) {
            assert_true(cora_task_cancelled(ring[i]));
            cora_task_unref(ring[i]);
        }
    }
    return 0;
}

TEST(tasks_that_wait_for_one_another_in_a_ring_end_when_one_is_cancelled)
{
    run_main(cancel_rings);
}

static int cancel_into_a_ring(void *arg)
{
    cora_task *outside;
    int rc;

    (void)arg;
    for (int i = 0; i < 3; i++)
        ring[i] = cora_create_task_arg(await_in_ring, &ring[(i + 1) % 3]);
    outside = cora_create_task_arg(await_it, ring[0]);
    yield();
    cora_task_cancel(outside);
    rc = cora_await_unref(outside);
    assert_int_equal(rc, -ECANCELED);
    for (int i = 0; i < 3; i++)
        cora_task_unref(ring[i]);
    return 0;
}

TEST(a_task_that_waits_for_a_ring_ends_with_it)
{
    run_main(cancel_into_a_ring);
}

static int gather_next(void *arg)
{
    cora_future *next[1] = {*(cora_task **)arg};
    int results[1];

    return cora_gather(next, 1, results, 0);
}

static int cancel_a_ring_of_gathers(void *arg)
{
    int rc;

    (void)arg;
    for (int i = 0; i < 3; i++)
        ring[i] = cora_create_task_arg(gather_next, &ring[(i + 1) % 3]);
    yield();
    cora_task_cancel(ring[0]);
    for (int i = 0; i < 3; i++) {
        rc = cora_await(ring[i]);
        assert_int_equal(rc, -ECANCELED);
    }
    for (int i = 0; i < 3; i++)
        cora_task_unref(ring[i]);
    return 0;
}

TEST(a_ring_of_gatherings_ends_when_one_is_cancelled)
{
    run_main(cancel_a_ring_of_gathers);
}

static int close_a_ring(void *arg)
{
    (void)arg;
    cora_task_cancel(cora_current_task());
    return cora_await(ring[1]);
}

static int cancel_who_closes_a_ring(void *arg)
{
    int rc[2];

    (void)arg;
    ring[1] = cora_create_task_arg(await_in_ring, &ring[0]);
    ring[0] = cora_create_task_arg(close_a_ring, NULL);
    rc[0] = cora_await(ring[0]);
    rc[1] = cora_await(ring[1]);
    cora_task_unref(ring[0]);
    cora_task_unref(ring[1]);
    assert_int_equal(rc[0], -ECANCELED);
    assert_int_equal(rc[1], -ECANCELED);
    return 0;
}

TEST(a_cancelled_task_that_closes_a_ring_is_told)
{
    run_main(cancel_who_closes_a_ring);
}

static int cancel_myself_and_await(void *arg)
{
    cora_task_cancel(cora_current_task());
    return cora_await(arg);
}

/* The member of the ring that was woken to break it comes next when the task leaves for it. */
static int cancel_twice_into_a_ring(void *arg)
{
    cora_task *outside;
    int rc;

    (void)arg;
    for (int i = 0; i < 2; i++)
        ring[i] = cora_create_task_arg(await_in_ring, &ring[(i + 1) % 2]);
    yield();
    yield();
    outside = cora_create_task_arg(cancel_myself_and_await, ring[0]);
    cora_task_cancel(ring[0]);
    rc = cora_await_unref(outside);
    assert_int_equal(rc, -ECANCELED);
    for (int i = 0; i < 2; i++) {
        rc = cora_await_unref(ring[i]);
        assert_int_equal(rc, -ECANCELED);
    }
    return 0;
}

TEST(a_cancelled_task_may_wait_for_a_ring_that_was_cancelled_just_before)
{
    run_main(cancel_twice_into_a_ring);
}

static int lock_up(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++)
        ring[i] = cora_create_task_arg(await_in_ring, &ring[(i + 1) % 2]);
    return cora_await(ring[0]);
}

TEST(a_run_that_ends_in_a_deadlock_cancels_the_tasks_and_lets_them_end)
{
    int rc = run_virtual(lock_up, NULL);

    assert_int_equal(rc, -EDEADLK);
    assert_int_equal(reports.count, 3); /* who waits for what; nobody was dropped */
    assert_int_equal(reports.error, -EDEADLK);
    assert_true(cora_task_cancelled(ring[0]));
    assert_true(cora_task_cancelled(ring[1]));
    cora_task_unref(ring[0]);
    cora_task_unref(ring[1]);
}

/* ---- swallowing, and more than one ---------------------------------------------------------- */

static int go_on(void *arg)
{
    int rc[2];

    rc[0] = cora_await(arg);
    trace("%s %d", cora_strerrorname(rc[0]), cora_task_cancelling(cora_current_task()));
    rc[1] = cora_sleep(1);
    trace("%d %d", rc[1], cora_task_cancelling(cora_current_task()));
    trace("%d", cora_task_uncancel(cora_current_task()));
    trace("%d", cora_task_uncancel(cora_current_task()));
    return 8;
}

static int cancel_who_goes_on(void *arg)
{
    cora_future *future = new_future();
    cora_task *task = cora_create_task_arg(go_on, future);
    int rc;

    (void)arg;
    yield();
    cora_task_cancel(task);
    rc = cora_await(task);
    assert_int_equal(rc, 8);
    assert_false(cora_task_cancelled(task));
    cora_task_unref(task);
    cora_future_unref(future);
    return 0;
}

TEST(a_task_that_swallows_its_cancellation_goes_on_and_counts_it_until_it_uncancels)
{
    run_main(cancel_who_goes_on);
    assert_string_equal(trace_text, "ECANCELED 1 0 1 0 0 ");
}

static int cancel_twice(void *arg)
{
    cora_future *future = new_future();
    cora_task *task = cora_create_task_arg(await_noted, future);
    bool asked[2];
    int rc;

    yield();
    asked[0] = cora_future_cancel_message(task, "first");
    asked[1] = cora_future_cancel_message(task, "second");
    assert_true(asked[0]);
    assert_true(asked[1]);
    assert_int_equal(cora_task_cancelling(task), 2);
    rc = cora_await(task);
    assert_int_equal(rc, -ECANCELED);
    *(const char **)arg = cora_future_get_cancel_message(task);
    cora_task_unref(task);
    cora_future_unref(future);
    return 0;
}

TEST(two_cancellations_before_the_task_runs_are_delivered_once)
{
    const char *message = NULL;
    int rc = run_virtual(cancel_twice, &message);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "ECANCELED@0 ");
    assert_non_null(message);
}

static int clean_up(void *arg)
{
    int rc[2];

    rc[0] = cora_await(arg);
    rc[1] = cora_sleep(10);
    trace("%s %s", cora_strerrorname(rc[0]), cora_strerrorname(rc[1]));
    return rc[0];
}

static int cancel_during_cleanup(void *arg)
{
    cora_future *future = new_future();
    cora_task *task = cora_create_task_arg(clean_up, future);
    int rc;

    (void)arg;
    yield();
    cora_task_cancel(task);
    yield();
    assert_false(cora_task_done(task));
    cora_task_cancel(task);
    rc = cora_await(task);
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(cora_task_cancelling(task), 2);
    assert_true(cora_loop_time(cora_get_running_loop()) == 0);
    cora_task_unref(task);
    cora_future_unref(future);
    return 0;
}

TEST(a_cancellation_during_the_cleanup_cuts_it_short)
{
    run_main(cancel_during_cleanup);
    assert_string_equal(trace_text, "ECANCELED ECANCELED ");
}

static int wait_after_cancellation(void *arg)
{
    cora_future *future = new_future();
    cora_task *task = cora_create_task_arg(clean_up, future);
    int rc;

    (void)arg;
    yield();
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_loop_time(cora_get_running_loop()) == 10);
    cora_future_unref(future);
    return 0;
}

TEST(a_cancelled_task_may_wait_while_it_cleans_up)
{
    run_main(wait_after_cancellation);
    assert_string_equal(trace_text, "ECANCELED 0 ");
}

/* ---- cancelling oneself --------------------------------------------------------------------- */

static int cancel_self_and_return(void *arg)
{
    (void)arg;
    cora_future_cancel_message(cora_current_task(), "myself");
    return 7;
}

static int watch_self_cancel(void *arg)
{
    cora_task *task = cora_create_task_arg(cancel_self_and_return, NULL);
    int rc = cora_await(task);

    (void)arg;
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_task_cancelled(task));
    assert_string_equal(cora_future_get_cancel_message(task), "myself");
    cora_task_unref(task);
    return 0;
}

TEST(a_task_that_cancels_itself_and_returns_a_value_is_cancelled)
{
    run_main(watch_self_cancel);
}

static int cancel_self_and_fail(void *arg)
{
    (void)arg;
    cora_task_cancel(cora_current_task());
    return -EIO;
}

static int watch_self_cancel_and_fail(void *arg)
{
    cora_task *task = cora_create_task_arg(cancel_self_and_fail, NULL);
    int rc = cora_await(task);

    (void)arg;
    assert_int_equal(rc, -EIO);
    assert_false(cora_task_cancelled(task));
    cora_task_unref(task);
    return 0;
}

TEST(an_error_goes_before_a_cancellation_that_was_not_delivered)
{
    run_main(watch_self_cancel_and_fail);
}

static int cancel_self_and_wait(void *arg)
{
    cora_future *done = new_future();
    int rc[3];

    (void)arg;
    set_result(done);
    cora_task_cancel(cora_current_task());
    rc[0] = cora_await(done);
    start_count();
    rc[1] = cora_sleep(0);
    assert_int_equal(tick, 1);
    rc[2] = cora_sleep(0);
    assert_int_equal(rc[0], 7);
    assert_int_equal(rc[1], -ECANCELED);
    assert_int_equal(rc[2], 0);
    cora_future_unref(done);
    return 0;
}

TEST(the_next_call_that_suspends_tells_of_a_task_that_has_cancelled_itself)
{
    run_main(cancel_self_and_wait);
}

static int cancel_self_and_wait_for_a_future(void *arg)
{
    cora_future *pending = new_future();
    int rc;

    (void)arg;
    cora_future_cancel_message(cora_current_task(), "myself");
    rc = cora_await(pending);
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_future_cancelled(pending));
    assert_string_equal(cora_future_get_cancel_message(pending), "myself");
    cora_future_unref(pending);
    yield();
    return 0;
}

TEST(a_future_that_a_cancelled_task_starts_to_wait_for_is_cancelled)
{
    run_main(cancel_self_and_wait_for_a_future);
}

/* ---- taking it back ------------------------------------------------------------------------- */

static int uncancel_before_delivery(void *arg)
{
    int left;

    (void)arg;
    cora_task_cancel(cora_current_task());
    left = cora_task_uncancel(cora_current_task());
    assert_int_equal(left, 0);
    yield();
    return 0;
}

TEST(a_cancellation_that_is_taken_back_before_its_delivery_is_dropped)
{
    run_main(uncancel_before_delivery);
}

static int uncancel_one_of_two(void *arg)
{
    int rc, left[3];

    (void)arg;
    cora_task_cancel(cora_current_task());
    cora_task_cancel(cora_current_task());
    left[0] = cora_task_uncancel(cora_current_task());
    rc = cora_sleep(0);
    left[1] = cora_task_uncancel(cora_current_task());
    left[2] = cora_task_uncancel(cora_current_task());
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(left[0], 1);
    assert_int_equal(left[1], 0);
    assert_int_equal(left[2], 0);
    return 0;
}

TEST(of_two_cancellations_one_is_left_when_the_other_is_taken_back)
{
    run_main(uncancel_one_of_two);
}

static int uncancel_before_start(void *arg)
{
    cora_task *task = cora_create_task_arg(note_start, NULL);
    int rc;

    (void)arg;
    cora_task_cancel(task);
    cora_task_uncancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    return 0;
}

TEST(a_task_whose_cancellation_is_taken_back_starts)
{
    run_main(uncancel_before_start);
    assert_string_equal(trace_text, "started ");
}

static int return_ecanceled(void *arg)
{
    (void)arg;
    return -ECANCELED;
}

static int watch_ecanceled(void *arg)
{
    cora_task *task = cora_create_task_arg(return_ecanceled, NULL);
    int rc = cora_await(task);

    (void)arg;
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_task_cancelled(task));
    assert_int_equal(cora_task_cancelling(task), 0);
    assert_null(cora_future_get_cancel_message(task));
    cora_task_unref(task);
    return 0;
}

TEST(a_task_that_returns_ecanceled_by_itself_is_cancelled)
{
    run_main(watch_ecanceled);
}

static int swallow_and_lose(void *arg)
{
    int rc = cora_await(arg);

    assert_int_equal(rc, -ECANCELED);
    return -EIO;
}

static int cancel_who_fails(void *arg)
{
    cora_future *future = new_future();
    cora_task *task = cora_create_task_arg(swallow_and_lose, future);
    int rc;

    (void)arg;
    yield();
    cora_task_cancel(task);
    rc = cora_await(task);
    assert_int_equal(rc, -EIO);
    assert_false(cora_task_cancelled(task));
    cora_task_unref(task);
    cora_future_unref(future);
    return 0;
}

TEST(a_task_may_turn_its_cancellation_into_another_error)
{
    run_main(cancel_who_fails);
}

static void uncancel_all(cora_task *task)
{
    while (cora_task_cancelling(task) > 0)
        cora_task_uncancel(task);
}

static int await_in_ring_noted(void *arg)
{
    int rc = await_in_ring(arg);

    trace("%s", rc < 0 ? cora_strerrorname(rc) : "value");
    return rc;
}

static int take_back_in_a_ring(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++)
        ring[i] = cora_create_task_arg(await_in_ring_noted, &ring[(i + 1) % 2]);
    yield();
    for (int round = 0; round < 3; round++) {
        cora_task_cancel(ring[round % 2]);
        uncancel_all(ring[0]);
        uncancel_all(ring[1]);
        for (int i = 0; i < 4; i++)
            yield();
        assert_string_equal(trace_text, "");
        for (int i = 0; i < 2; i++)
            assert_false(cora_task_done(ring[i]));
    }
    cora_task_cancel(ring[0]);
    for (int i = 0; i < 2; i++) {
        int rc = cora_await_unref(ring[i]);

        assert_int_equal(rc, -ECANCELED);
    }
    return 0;
}

TEST(a_ring_whose_cancellation_is_taken_back_waits_on)
{
    run_main(take_back_in_a_ring);
    assert_string_equal(trace_text, "ECANCELED ECANCELED ");
}
