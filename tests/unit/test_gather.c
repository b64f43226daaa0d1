/* Gathering: who is waited for, for how long, and what the caller is told. */
#include "support/test.h"
#include "support/virtual.h"

#include <malloc.h>

/* ---- the number of the iteration ----------------------------------------------------------- */

static int now;

/* Everything that is queued after start_counting() runs after this in every iteration. */
static void count(void *arg)
{
    bool *stop = arg;
    int rc = 0;

    now++;
    if (!*stop)
        rc = cora_loop_call_soon(cora_get_running_loop(), count, arg, NULL);
    assert_int_equal(rc, 0);
}

static void start_counting(bool *stop)
{
    int rc;

    now = 0;
    *stop = false;
    rc = cora_loop_call_soon(cora_get_running_loop(), count, stop, NULL);
    assert_int_equal(rc, 0);
}

static bool stop;

/* ---- children ------------------------------------------------------------------------------ */

struct child_args {
    int hops;     /* how often it hands over before it ends */
    int cleanup;  /* how often it does so when it is cancelled */
    int result;   /* its outcome */
    bool swallow; /* its outcome even when it is cancelled */
    int *ended;   /* receives the iteration of its end */
};

static int rest(int hops)
{
    int rc = 0;

    while (rc == 0 && hops-- > 0)
        rc = cora_sleep(0);
    return rc;
}

static int child(void *arg)
{
    struct child_args *a = arg;
    int rc = rest(a->hops);
    int cleaned = rc < 0 ? rest(a->cleanup) : 0;

    assert_int_equal(cleaned, 0);
    if (a->ended != NULL)
        *a->ended = now;
    return rc < 0 && !a->swallow ? rc : a->result;
}

static void unref_all(cora_task *tasks[], size_t count_)
{
    for (size_t i = 0; i < count_; i++)
        cora_task_unref(tasks[i]);
}

/* A task that gathers, for those who cancel it. */
struct gatherer_args {
    cora_future **futures;
    size_t count;
    int *results;
    unsigned flags;
    int *ended;
};

static int gatherer(void *arg)
{
    struct gatherer_args *a = arg;
    int rc = cora_gather(a->futures, a->count, a->results, a->flags);

    if (a->ended != NULL)
        *a->ended = now;
    return rc;
}

/* ---- results and hops ---------------------------------------------------------------------- */

static int gather_three(void *arg)
{
    int ended[3], results[3] = {0};
    int rc;

    (void)arg;
    start_counting(&stop);
    cora_task *tasks[] = {
        cora_create_task(child, .hops = 3, .result = 10, .ended = &ended[0]),
        cora_create_task(child, .hops = 1, .result = 11, .ended = &ended[1]),
        cora_create_task(child, .hops = 2, .result = 12, .ended = &ended[2]),
    };

    rc = cora_gather(tasks, 3, results, 0);
    stop = true;
    assert_int_equal(rc, 0);
    assert_int_equal(ended[1], 2);
    assert_int_equal(ended[2], 3);
    assert_int_equal(ended[0], 4);
    assert_int_equal(now, 4 + 2);
    assert_int_equal(results[0], 10);
    assert_int_equal(results[1], 11);
    assert_int_equal(results[2], 12);
    unref_all(tasks, 3);
    return 0;
}

TEST(the_last_child_wakes_the_caller_two_iterations_later_with_results_in_order)
{
    int rc = run_virtual(gather_three, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

static int gather_none(void *arg)
{
    int rc;

    (void)arg;
    start_counting(&stop);
    rc = cora_gather(NULL, 0, NULL, 0);
    stop = true;
    assert_int_equal(rc, 0);
    assert_int_equal(now, 0);
    return 0;
}

TEST(an_empty_gather_does_not_suspend)
{
    int rc = run_virtual(gather_none, NULL);

    assert_int_equal(rc, 0);
}

static int gather_future_of_none(void *arg)
{
    cora_future *future = cora_gather_future(NULL, 0, 0);
    bool done = cora_future_done(future);
    int rc = cora_future_result(future);

    (void)arg;
    assert_true(done);
    assert_int_equal(rc, 0);
    assert_non_null(cora_future_value(future));
    cora_future_unref(future);
    return 0;
}

TEST(the_future_of_an_empty_gather_is_done)
{
    int rc = run_virtual(gather_future_of_none, NULL);

    assert_int_equal(rc, 0);
}

TEST(an_empty_gather_outside_a_loop_has_no_loop_to_belong_to)
{
    cora_future *future = cora_gather_future(NULL, 0, 0);

    assert_null(future);
}

static int gather_done(void *arg)
{
    cora_task *tasks[] = {
        cora_create_task(child, .result = 1),
        cora_create_task(child, .result = 2),
    };
    int results[2], rc = rest(2);

    (void)arg;
    assert_int_equal(rc, 0);
    start_counting(&stop);
    rc = cora_gather(tasks, 2, results, 0);
    stop = true;
    assert_int_equal(rc, 0);
    assert_int_equal(now, 0);
    assert_int_equal(results[0], 1);
    assert_int_equal(results[1], 2);
    unref_all(tasks, 2);
    return 0;
}

TEST(a_gather_of_what_is_done_does_not_suspend)
{
    int rc = run_virtual(gather_done, NULL);

    assert_int_equal(rc, 0);
}

static int gather_failed_before(void *arg)
{
    cora_task *tasks[] = {
        cora_create_task(child, .hops = 9, .result = 1),
        cora_create_task(child, .result = -EIO),
    };
    bool done;
    int rc = rest(2);

    (void)arg;
    assert_int_equal(rc, 0);
    start_counting(&stop);
    rc = cora_gather(tasks, 2, NULL, 0);
    stop = true;
    done = cora_task_done(tasks[0]);
    assert_int_equal(rc, -EIO);
    assert_int_equal(now, 0);
    assert_false(done);
    rc = cora_await(tasks[0]);
    assert_int_equal(rc, 1);
    unref_all(tasks, 2);
    return 0;
}

TEST(a_child_that_failed_before_fails_the_gather_without_suspending)
{
    int rc = run_virtual(gather_failed_before, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

static int gather_some_done(void *arg)
{
    cora_task *tasks[] = {
        cora_create_task(child, .result = 1),
        cora_create_task(child, .hops = 5, .result = 2),
    };
    int results[2], rc = rest(2);

    (void)arg;
    assert_int_equal(rc, 0);
    rc = cora_gather(tasks, 2, results, 0);
    assert_int_equal(rc, 0);
    assert_int_equal(results[0], 1);
    assert_int_equal(results[1], 2);
    unref_all(tasks, 2);
    return 0;
}

TEST(children_done_before_count_with_those_done_later)
{
    int rc = run_virtual(gather_some_done, NULL);

    assert_int_equal(rc, 0);
}

static void set_seven(void *arg)
{
    int rc = cora_future_set_result(arg, 7, NULL);

    assert_int_equal(rc, 0);
}

static int gather_plain_futures(void *arg)
{
    cora_loop *loop = cora_get_running_loop();
    cora_future *futures[] = {cora_loop_create_future(loop), cora_loop_create_future(loop)};
    int results[2], rc;

    (void)arg;
    rc = cora_loop_call_later(loop, 2, set_seven, futures[0], NULL);
    assert_int_equal(rc, 0);
    rc = cora_loop_call_later(loop, 1, set_seven, futures[1], NULL);
    assert_int_equal(rc, 0);
    rc = cora_gather(futures, 2, results, 0);
    assert_int_equal(rc, 0);
    assert_int_equal(results[0], 7);
    assert_int_equal(results[1], 7);
    assert_true(cora_loop_time(loop) == 2);
    unref_all(futures, 2);
    return 0;
}

TEST(plain_futures_are_gathered_like_tasks)
{
    int rc = run_virtual(gather_plain_futures, NULL);

    assert_int_equal(rc, 0);
}

static int gather_the_same(void *arg)
{
    (void)arg;
    start_counting(&stop);

    cora_task *task = cora_create_task(child, .hops = 1, .result = 5);
    cora_task *other = cora_create_task(child, .hops = 2, .result = 6);
    cora_task *tasks[] = {task, other, task, task, other};
    int results[5], rc;

    rc = cora_gather(tasks, 5, results, 0);
    stop = true;
    assert_int_equal(rc, 0);
    assert_int_equal(now, 3 + 2);
    for (int i = 0; i < 5; i++)
        assert_int_equal(results[i], tasks[i] == task ? 5 : 6);
    cora_task_unref(task);
    cora_task_unref(other);
    return 0;
}

TEST(a_future_given_more_than_once_counts_once_and_its_result_is_repeated)
{
    int rc = run_virtual(gather_the_same, NULL);

    assert_int_equal(rc, 0);
}

static int gather_the_same_done(void *arg)
{
    cora_task *task = cora_create_task(child, .result = 5);
    cora_task *tasks[] = {task, task};
    int results[2], rc = cora_await(task);

    (void)arg;
    assert_int_equal(rc, 5);
    rc = cora_gather(tasks, 2, results, 0);
    assert_int_equal(rc, 0);
    assert_int_equal(results[0], 5);
    assert_int_equal(results[1], 5);
    cora_task_unref(task);
    return 0;
}

TEST(a_done_future_given_twice_counts_once)
{
    int rc = run_virtual(gather_the_same_done, NULL);

    assert_int_equal(rc, 0);
}

enum { MANY = 10000 };

static int gather_many(void *arg)
{
    cora_task **tasks = calloc(MANY, sizeof tasks[0]);
    int *results = calloc(MANY, sizeof results[0]);
    int rc;

    (void)arg;
    for (int i = 0; i < MANY; i++)
        tasks[i] = cora_create_task(child, .hops = i % 3, .result = i);
    rc = cora_gather(tasks, MANY, results, 0);
    assert_int_equal(rc, 0);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(results[i], i);
    unref_all(tasks, MANY);
    free(tasks);
    free(results);
    return 0;
}

TEST(ten_thousand_children_are_gathered)
{
    int rc = run_virtual(gather_many, NULL);

    assert_int_equal(rc, 0);
}

static int cancel_many(void *arg)
{
    cora_future **futures = calloc(MANY, sizeof futures[0]);
    int cancelled = 0, rc;
    cora_future *all;
    bool any;

    (void)arg;
    for (int i = 0; i < MANY; i++)
        futures[i] = cora_loop_create_future(cora_get_running_loop());
    all = cora_gather_future(futures, MANY, CORA_RETURN_EXCEPTIONS);
    any = cora_future_cancel(all);
    assert_true(any);
    rc = cora_await_unref(all);
    assert_int_equal(rc, -ECANCELED);
    for (int i = 0; i < MANY; i++)
        cancelled += cora_future_cancelled(futures[i]);
    assert_int_equal(cancelled, MANY);
    unref_all(futures, MANY);
    free(futures);
    return 0;
}

TEST(ten_thousand_children_are_cancelled)
{
    int rc = run_virtual(cancel_many, NULL);

    assert_int_equal(rc, 0);
}

/* ---- errors -------------------------------------------------------------------------------- */

static int gather_a_failure(void *arg)
{
    int failed = 0, ended = 0, results[2] = {-1, -1};
    bool done;
    int rc;

    (void)arg;
    start_counting(&stop);
    cora_task *tasks[] = {
        cora_create_task(child, .hops = 9, .result = 1, .ended = &ended),
        cora_create_task(child, .hops = 2, .result = -EIO, .ended = &failed),
    };

    rc = cora_gather(tasks, 2, results, 0);
    done = cora_task_done(tasks[0]);
    assert_int_equal(rc, -EIO);
    assert_int_equal(now, failed + 2);
    assert_false(done);
    assert_int_equal(results[0], -1);
    assert_int_equal(results[1], -1);
    rc = cora_await(tasks[0]);
    stop = true;
    assert_int_equal(rc, 1);
    assert_int_equal(ended, 10);
    unref_all(tasks, 2);
    return 0;
}

TEST(the_first_error_wakes_the_caller_two_iterations_later_and_the_others_go_on)
{
    int rc = run_virtual(gather_a_failure, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

static int gather_two_failures(void *arg)
{
    cora_task *tasks[] = {
        cora_create_task(child, .hops = 2, .result = -EIO),
        cora_create_task(child, .hops = 1, .result = -ENOSPC),
    };
    int rc = cora_gather(tasks, 2, NULL, 0);

    (void)arg;
    assert_int_equal(rc, -ENOSPC);
    unref_all(tasks, 2);
    return rest(5);
}

TEST(of_two_errors_the_earlier_is_returned_and_the_later_counts_as_retrieved)
{
    int rc = run_virtual(gather_two_failures, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

static int gather_exceptions(void *arg)
{
    int ended[3], results[3];
    int rc;

    (void)arg;
    start_counting(&stop);
    cora_task *tasks[] = {
        cora_create_task(child, .hops = 1, .result = -EIO, .ended = &ended[0]),
        cora_create_task(child, .hops = 4, .result = 3, .ended = &ended[1]),
        cora_create_task(child, .hops = 2, .result = -ENOSPC, .ended = &ended[2]),
    };

    rc = cora_gather(tasks, 3, results, CORA_RETURN_EXCEPTIONS);
    stop = true;
    assert_int_equal(rc, 0);
    assert_int_equal(now, ended[1] + 2);
    assert_int_equal(results[0], -EIO);
    assert_int_equal(results[1], 3);
    assert_int_equal(results[2], -ENOSPC);
    unref_all(tasks, 3);
    return 0;
}

TEST(return_exceptions_waits_for_all_and_collects_errors)
{
    int rc = run_virtual(gather_exceptions, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

static int gather_and_go(void *arg)
{
    cora_task *tasks[] = {
        cora_create_task(child, .hops = 1, .result = -EIO),
        cora_create_task(child, .hops = 4, .result = 1),
        cora_create_task(child, .hops = 6, .result = -ENOSPC),
    };
    int rc = cora_gather(tasks, 3, NULL, 0);

    (void)arg;
    unref_all(tasks, 3);
    return rc;
}

static int outlive_the_caller(void *arg)
{
    int rc = cora_await_unref(cora_create_task_arg(gather_and_go, arg));

    assert_int_equal(rc, -EIO);
    return rest(10);
}

TEST(children_that_end_after_the_caller_of_a_failed_gather_leave_nothing_behind)
{
    int rc = run_virtual(outlive_the_caller, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

/* ---- wrong arguments ----------------------------------------------------------------------- */

static int gather_null(void *arg)
{
    cora_task *task = cora_create_task(child, .hops = 3, .result = 4);
    cora_task *tasks[] = {task, NULL};
    cora_future *future = cora_gather_future(tasks, 2, 0);
    int rc;

    (void)arg;
    assert_null(future);
    start_counting(&stop);
    rc = cora_gather(tasks, 2, NULL, CORA_RETURN_EXCEPTIONS);
    stop = true;
    assert_int_equal(rc, -ENOMEM);
    assert_int_equal(now, 0);
    return cora_await_unref(task);
}

TEST(a_future_that_is_null_is_refused_and_none_is_waited_for)
{
    int rc = run_virtual(gather_null, NULL);

    assert_int_equal(rc, 4);
}

static int gather_and_unref(void *arg)
{
    int results[3];
    int rc;

    (void)arg;
    cora_task *twice = cora_create_task(child, .hops = 1, .result = 11);
    cora_task *tasks[] = {cora_create_task(child, .hops = 3, .result = 10), twice,
                          cora_task_ref(twice)};

    rc = cora_gather_unref(tasks, 3, results, 0);
    assert_int_equal(rc, 0);
    assert_int_equal(results[0], 10);
    assert_int_equal(results[1], 11);
    assert_int_equal(results[2], 11);
    return 0;
}

TEST(gather_unref_gives_back_a_reference_for_each_time_a_task_is_given)
{
    int rc = run_virtual(gather_and_unref, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

/* The last reference to an error that nobody has asked for tells that it goes. */
static int gather_null_and_unref(void *arg)
{
    cora_future *future = cora_loop_create_future(cora_get_running_loop());
    cora_future *futures[] = {NULL, future};
    int rc = cora_future_set_exception(future, -EIO);

    (void)arg;
    assert_int_equal(rc, 0);
    rc = cora_gather_unref(futures, 2, NULL, 0);
    assert_int_equal(rc, -ENOMEM);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -EIO);
    return 0;
}

TEST(gather_unref_gives_the_references_back_also_where_it_refuses_to_wait)
{
    int rc = run_virtual(gather_null_and_unref, NULL);

    assert_int_equal(rc, 0);
}

TEST(gather_outside_a_task_is_refused)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = cora_loop_create_future(loop);
    int rc = cora_future_set_result(future, 0, NULL);

    assert_int_equal(rc, 0);
    rc = cora_gather(&future, 1, NULL, 0);
    assert_int_equal(rc, -CORA_ENOTASK);
    cora_future_unref(future);
    cora_loop_free(loop);
}

static int gather_of_two_loops(void *arg)
{
    cora_future *theirs = arg;
    cora_task *ours = cora_create_task(child, .result = 1);
    cora_future *both[] = {ours, theirs};
    cora_future *future = cora_gather_future(both, 2, 0);
    int rc;

    assert_null(future);
    rc = cora_gather(both, 2, NULL, 0);
    assert_int_equal(rc, -CORA_EWRONGLOOP);
    rc = cora_gather(&theirs, 1, NULL, 0);
    assert_int_equal(rc, -CORA_EWRONGLOOP);
    return cora_await_unref(ours);
}

TEST(futures_of_another_loop_are_refused)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = cora_loop_create_future(loop);
    int rc = run_virtual(gather_of_two_loops, future);

    assert_int_equal(rc, 1);
    rc = cora_future_set_result(future, 0, NULL);
    assert_int_equal(rc, 0);
    cora_future_unref(future);
    cora_loop_free(loop);
}

static int gather_their_task(void *theirs)
{
    cora_task *task = theirs;
    int rc = cora_gather(&task, 1, NULL, 0);

    assert_int_equal(rc, -CORA_EWRONGLOOP);
    return 0;
}

static int fail_by_itself(void *arg)
{
    (void)arg;
    return -EIO;
}

/* Else its loop, perhaps in another thread, would meet what waits for it here. */
TEST(a_task_of_another_loop_that_is_refused_is_left_alone)
{
    cora_loop *loop = virtual_loop();
    cora_task *task = cora_loop_create_task_arg(loop, NULL, fail_by_itself, "fn", NULL);
    int rc = run_virtual(gather_their_task, task);

    assert_int_equal(rc, 0);
    cora_task_unref(task);
    rc = cora_loop_run_ready(loop);
    assert_int_equal(rc, 1);
    assert_int_equal(reports.count, 1); /* nobody has asked for its error */
    assert_int_equal(reports.error, -EIO);
    cora_loop_free(loop);
}

TEST(a_gather_of_a_task_that_was_dropped_with_its_loop_goes_with_its_users)
{
    cora_loop *loop = virtual_loop();
    cora_task *task = cora_loop_create_task_arg(loop, NULL, fail_by_itself, "fn", NULL);
    cora_future *future;

    cora_loop_close(loop);
    future = cora_gather_future(&task, 1, 0);
    assert_non_null(future);
    assert_false(cora_future_done(future));
    cora_future_unref(future);
    cora_task_unref(task);
    cora_loop_free(loop);
}

/* ---- cancellation -------------------------------------------------------------------------- */

static int cancel_the_caller(void *arg)
{
    int quick = 0, slow = 0, resumed = 0;
    bool done;
    int rc;

    (void)arg;
    start_counting(&stop);
    cora_task *tasks[] = {
        cora_create_task(child, .hops = 99, .cleanup = 5, .ended = &slow),
        cora_create_task(child, .hops = 99, .ended = &quick),
    };
    cora_task *caller = cora_create_task(gatherer, .futures = tasks, .count = 2, .ended = &resumed);

    rc = rest(2);
    assert_int_equal(rc, 0);
    assert_int_equal(now, 2);
    cora_task_cancel(caller);
    assert_int_equal(cora_task_cancelling(tasks[0]), 1);
    assert_int_equal(cora_task_cancelling(tasks[1]), 1);
    rc = cora_await_unref(caller);
    done = cora_task_done(tasks[0]);
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(quick, 3);
    assert_int_equal(resumed, quick + 2);
    assert_false(done);
    rc = cora_await(tasks[0]);
    stop = true;
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(slow, 3 + 5);
    unref_all(tasks, 2);
    return 0;
}

TEST(cancelling_the_caller_cancels_all_at_once_and_the_first_that_ends_wakes_it)
{
    int rc = run_virtual(cancel_the_caller, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

static int cancel_and_wait_for_all(void *arg)
{
    int results[2] = {-1, -1}, slow = 0, resumed = 0;
    int rc;

    (void)arg;
    start_counting(&stop);
    cora_task *tasks[] = {
        cora_create_task(child, .hops = 99, .cleanup = 5, .ended = &slow),
        cora_create_task(child, .hops = 99),
    };
    cora_task *caller = cora_create_task(gatherer, .futures = tasks, .count = 2, .results = results,
                                         .flags = CORA_RETURN_EXCEPTIONS, .ended = &resumed);

    rc = rest(2);
    assert_int_equal(rc, 0);
    cora_task_cancel(caller);
    rc = cora_await_unref(caller);
    stop = true;
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(slow, 3 + 5);
    assert_int_equal(resumed, slow + 2);
    assert_int_equal(results[0], -1);
    assert_int_equal(results[1], -1);
    unref_all(tasks, 2);
    return 0;
}

TEST(with_return_exceptions_a_cancelled_gather_waits_for_all)
{
    int rc = run_virtual(cancel_and_wait_for_all, NULL);

    assert_int_equal(rc, 0);
}

static int cancel_the_stubborn(void *arg)
{
    unsigned flags = *(unsigned *)arg;
    cora_task *tasks[] = {
        cora_create_task(child, .hops = 99, .swallow = true, .result = 1),
        cora_create_task(child, .hops = 99, .swallow = true, .result = 2),
    };
    cora_task *caller = cora_create_task(gatherer, .futures = tasks, .count = 2, .flags = flags);
    int rc = rest(2);

    assert_int_equal(rc, 0);
    cora_task_cancel(caller);
    rc = cora_await_unref(caller);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_task_result(tasks[0]);
    assert_int_equal(rc, 1);
    rc = cora_task_result(tasks[1]);
    assert_int_equal(rc, 2);
    unref_all(tasks, 2);
    return 0;
}

TEST(a_cancelled_gather_is_cancelled_even_if_all_children_swallow_it)
{
    unsigned flags = 0;
    int rc = run_virtual(cancel_the_stubborn, &flags);

    assert_int_equal(rc, 0);
}

TEST(a_cancelled_gather_with_return_exceptions_is_cancelled_even_if_all_children_swallow_it)
{
    unsigned flags = CORA_RETURN_EXCEPTIONS;
    int rc = run_virtual(cancel_the_stubborn, &flags);

    assert_int_equal(rc, 0);
}

static int cancel_a_child(void *arg)
{
    cora_task *tasks[] = {
        cora_create_task(child, .hops = 99),
        cora_create_task(child, .hops = 4, .result = 2),
    };
    cora_future *all = cora_gather_future(tasks, 2, 0);
    bool cancelled;
    int rc = rest(1);

    (void)arg;
    assert_int_equal(rc, 0);
    cora_task_cancel(tasks[0]);
    rc = cora_await(all);
    cancelled = cora_future_cancelled(all);
    assert_int_equal(rc, -ECANCELED);
    assert_false(cancelled);
    assert_null(cora_future_value(all));
    cora_future_unref(all);
    rc = cora_await(tasks[1]);
    assert_int_equal(rc, 2);
    assert_int_equal(cora_task_cancelling(cora_current_task()), 0);
    unref_all(tasks, 2);
    return 0;
}

TEST(a_child_cancelled_from_outside_is_an_error_and_the_others_live)
{
    int rc = run_virtual(cancel_a_child, NULL);

    assert_int_equal(rc, 0);
}

static int cancel_a_child_collected(void *arg)
{
    cora_task *tasks[] = {
        cora_create_task(child, .hops = 99),
        cora_create_task(child, .hops = 4, .result = 2),
    };
    int results[2], rc = rest(1);

    (void)arg;
    assert_int_equal(rc, 0);
    cora_task_cancel(tasks[0]);
    rc = cora_gather(tasks, 2, results, CORA_RETURN_EXCEPTIONS);
    assert_int_equal(rc, 0);
    assert_int_equal(results[0], -ECANCELED);
    assert_int_equal(results[1], 2);
    unref_all(tasks, 2);
    return 0;
}

TEST(with_return_exceptions_a_child_cancelled_from_outside_is_an_element)
{
    int rc = run_virtual(cancel_a_child_collected, NULL);

    assert_int_equal(rc, 0);
}

static int cancel_a_failed_gather(void *arg)
{
    cora_task *tasks[] = {
        cora_create_task(child, .hops = 9, .result = 1),
        cora_create_task(child, .hops = 1, .result = -EIO),
    };
    cora_future *all = cora_gather_future(tasks, 2, 0);
    int rc = cora_await(all);
    bool cancelled;

    (void)arg;
    assert_int_equal(rc, -EIO);
    cancelled = cora_future_cancel(all);
    assert_false(cancelled);
    assert_int_equal(cora_task_cancelling(tasks[0]), 0);
    cora_future_unref(all);
    rc = cora_await(tasks[0]);
    assert_int_equal(rc, 1);
    unref_all(tasks, 2);
    return 0;
}

TEST(a_gather_that_has_failed_cancels_nobody)
{
    int rc = run_virtual(cancel_a_failed_gather, NULL);

    assert_int_equal(rc, 0);
}

/* The children are done, the gathering has not heard of it yet. */
static int cancel_between(void *arg)
{
    cora_loop *loop = cora_get_running_loop();
    cora_future *future = cora_loop_create_future(loop);
    cora_task *caller = cora_create_task(gatherer, .futures = &future, .count = 1);
    int rc = rest(1);

    (void)arg;
    assert_int_equal(rc, 0);
    rc = cora_future_set_result(future, 1, NULL);
    assert_int_equal(rc, 0);
    cora_task_cancel(caller);
    rc = cora_await_unref(caller);
    assert_int_equal(rc, -ECANCELED);
    cora_future_unref(future);
    return 0;
}

TEST(a_caller_cancelled_when_all_are_done_is_cancelled)
{
    int rc = run_virtual(cancel_between, NULL);

    assert_int_equal(rc, 0);
}

static int cancel_the_future(void *arg)
{
    cora_task *tasks[] = {
        cora_create_task(child, .hops = 99),
        cora_create_task(child, .hops = 99),
    };
    cora_future *all = cora_gather_future(tasks, 2, 0);
    bool cancelled = cora_future_cancel(all), done = cora_future_done(all);
    int rc;

    (void)arg;
    assert_true(cancelled);
    assert_false(done);
    rc = cora_await_unref(all);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_task_result(tasks[0]);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_task_result(tasks[1]);
    assert_int_equal(rc, -ECANCELED);
    unref_all(tasks, 2);
    return 0;
}

TEST(cancelling_the_future_of_a_gather_cancels_children_that_have_not_started)
{
    int rc = run_virtual(cancel_the_future, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

/* ---- the future's life --------------------------------------------------------------------- */

static int drop_the_future(void *arg)
{
    cora_task *tasks[] = {
        cora_create_task(child, .hops = 3, .result = 1),
        cora_create_task(child, .hops = 5, .result = 2),
    };
    int rc;

    (void)arg;
    cora_future_unref(cora_gather_future(tasks, 2, 0));
    rc = cora_await(tasks[1]);
    assert_int_equal(rc, 2);
    unref_all(tasks, 2);
    return rest(3);
}

TEST(dropping_the_future_of_a_gather_leaves_the_children_alone)
{
    int rc = run_virtual(drop_the_future, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

static int drop_the_failed_future(void *arg)
{
    cora_task *task = cora_create_task(child, .hops = 1, .result = -EIO);

    (void)arg;
    cora_future_unref(cora_gather_future(&task, 1, 0));
    cora_task_unref(task);
    return rest(5);
}

TEST(a_gather_whose_error_nobody_asked_for_is_reported_once)
{
    int rc = run_virtual(drop_the_failed_future, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -EIO);
}

static int keep_the_value(void *arg)
{
    cora_task *tasks[] = {
        cora_create_task(child, .result = 1),
        cora_create_task(child, .result = 2),
    };
    cora_future *all = cora_gather_future(tasks, 2, 0);
    const int *results;
    int rc;

    (void)arg;
    unref_all(tasks, 2);
    rc = cora_await(all);
    assert_int_equal(rc, 0);
    rc = rest(3);
    assert_int_equal(rc, 0);
    results = cora_future_value(all);
    assert_int_equal(results[0], 1);
    assert_int_equal(results[1], 2);
    cora_future_unref(all);
    return 0;
}

TEST(the_value_of_a_gather_lives_as_long_as_its_future)
{
    int rc = run_virtual(keep_the_value, NULL);

    assert_int_equal(rc, 0);
}

static int leave_children_behind(void *arg)
{
    cora_task *tasks[] = {
        cora_create_task(child, .hops = 99),
        cora_create_task(child, .hops = 99),
    };

    (void)arg;
    cora_future_unref(cora_gather_future(tasks, 2, CORA_RETURN_EXCEPTIONS));
    unref_all(tasks, 2);
    return rest(2);
}

TEST(a_gather_that_is_left_behind_goes_with_the_loop)
{
    int rc = run_virtual(leave_children_behind, NULL);

    assert_int_equal(rc, 0);
}

/* ---- gathers of gathers -------------------------------------------------------------------- */

static int gather_gathers(void *arg)
{
    int ended = 0, results[2], rc;

    (void)arg;
    start_counting(&stop);
    cora_task *tasks[] = {
        cora_create_task(child, .result = 1),
        cora_create_task(child, .hops = 2, .result = 2, .ended = &ended),
    };
    cora_future *inner[] = {cora_gather_future(tasks, 1, 0), cora_gather_future(tasks, 2, 0)};

    rc = cora_gather(inner, 2, results, 0);
    stop = true;
    assert_int_equal(rc, 0);
    assert_int_equal(now, ended + 3);
    assert_int_equal(results[0], 0);
    assert_int_equal(results[1], 0);
    assert_int_equal(((int *)cora_future_value(inner[1]))[1], 2);
    unref_all(inner, 2);
    unref_all(tasks, 2);
    return 0;
}

TEST(a_gather_of_gathers_adds_one_iteration_a_level)
{
    int rc = run_virtual(gather_gathers, NULL);

    assert_int_equal(rc, 0);
}

enum { DEPTH = 100 };

/* Each level is a task that gathers the next: both kinds of links of a chain, in turn. */
static int nest(void *arg)
{
    int *depth = arg, rc;
    cora_task *task;

    if (--*depth == 0)
        return cora_sleep(1000);
    task = cora_create_task_arg(nest, depth);
    rc = cora_gather(&task, 1, NULL, 0);
    cora_task_unref(task);
    return rc;
}

static int cancel_the_nested(void *arg)
{
    int depth = DEPTH, rc;
    cora_task *task = cora_create_task_arg(nest, &depth);

    (void)arg;
    rc = rest(DEPTH + 1);
    assert_int_equal(rc, 0);
    assert_int_equal(depth, 0);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_loop_time(cora_get_running_loop()) == 0);
    return 0;
}

TEST(cancellation_goes_through_a_hundred_nested_gathers)
{
    int rc = run_virtual(cancel_the_nested, NULL);

    assert_int_equal(rc, 0);
}

/* Two tasks that gather one another, and one of them something that can be cancelled as well. */
static int cancel_a_cycle(void *arg)
{
    cora_future *way_out = cora_loop_create_future(cora_get_running_loop());
    cora_future *of_a[1], *of_b[2];
    cora_task *a = cora_create_task(gatherer, .futures = of_a, .count = 1);
    cora_task *b = cora_create_task(gatherer, .futures = of_b, .count = 2);
    int rc;

    (void)arg;
    of_a[0] = b;
    of_b[0] = a;
    of_b[1] = way_out;
    rc = rest(2);
    assert_int_equal(rc, 0);
    cora_task_cancel(a);
    rc = cora_await_unref(a);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_await_unref(b);
    assert_int_equal(rc, -ECANCELED);
    cora_future_unref(way_out);
    return 0;
}

TEST(cancelling_gathers_that_form_a_cycle_ends)
{
    int rc = run_virtual(cancel_a_cycle, NULL);

    assert_int_equal(rc, 0);
}

/* Nothing but one another: without the cancellation nobody could ever wake them. */
static int cancel_a_closed_cycle(void *arg)
{
    cora_future *of_a[1], *of_b[1];
    cora_task *a = cora_create_task(gatherer, .futures = of_a, .count = 1);
    cora_task *b = cora_create_task(gatherer, .futures = of_b, .count = 1);
    int rc;

    (void)arg;
    of_a[0] = b;
    of_b[0] = a;
    rc = rest(2);
    assert_int_equal(rc, 0);
    cora_task_cancel(a);
    rc = cora_await_unref(a);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_await_unref(b);
    assert_int_equal(rc, -ECANCELED);
    return 0;
}

TEST(cancelling_gathers_that_wait_for_nothing_but_one_another_ends_both)
{
    int rc = run_virtual(cancel_a_closed_cycle, NULL);

    assert_int_equal(rc, 0);
}

/* ---- given up ------------------------------------------------------------------------------- */

enum { GIVEN_UP = 100 };

/* The first has failed, the second will never be done. */
static void give_up_one(cora_loop *loop)
{
    cora_future *futures[2] = {cora_loop_create_future(loop), cora_loop_create_future(loop)};
    cora_future *left;
    int rc = cora_future_set_exception(futures[0], -EIO);

    assert_int_equal(rc, 0);
    rc = cora_gather(futures, 2, NULL, 0);
    assert_int_equal(rc, -EIO);
    left = cora_gather_future(&futures[1], 1, 0);
    assert_non_null(left);
    cora_future_unref(left);
    left = cora_gather_future(&futures[1], 1, 0);
    assert_non_null(left);
    cora_future_unref(futures[0]);
    cora_future_unref(futures[1]);
    cora_future_unref(left);
}

static int give_up_many(void *arg)
{
    size_t early = 0, late;

    (void)arg;
    for (int i = 0; i < 2 * GIVEN_UP; i++) {
        give_up_one(cora_get_running_loop());
        if (i == GIVEN_UP)
            early = mallinfo2().uordblks;
    }
    late = mallinfo2().uordblks;
    assert_true(late <= early);
    return 0;
}

TEST(a_gather_over_a_future_that_is_never_done_goes_with_its_users)
{
    int rc = run_virtual(give_up_many, NULL);

    assert_int_equal(rc, 0);
}

/* ---- cancelled at the end ------------------------------------------------------------------- */

static int gather_two_and_note(void *arg)
{
    cora_task *tasks[] = {cora_create_task(child, .hops = 3), cora_create_task(child, .hops = 3)};
    int rc = cora_gather(tasks, 2, NULL, 0);

    (void)arg;
    unref_all(tasks, 2);
    trace("%s@%d", rc < 0 ? cora_strerrorname(rc) : "result", now);
    return rc;
}

static int cancel_after(void *arg)
{
    cora_task *task;
    int rc;

    start_counting(&stop);
    task = cora_create_task_arg(gather_two_and_note, NULL);
    rc = rest(*(int *)arg);
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    stop = true;
    return rc;
}

/* The numbers are CPython's. The children end in iteration 5. */
TEST(a_caller_cancelled_when_all_children_are_done_hears_of_it_when_the_outcome_comes)
{
    static const int EXPECTED[] = {-ECANCELED, -ECANCELED, -ECANCELED, 0};

    for (int i = 0; i < 4; i++) {
        int hops = 4 + i;
        int rc = run_virtual(cancel_after, &hops);

        assert_int_equal(rc, EXPECTED[i]);
    }
    assert_string_equal(trace_text, "ECANCELED@7 ECANCELED@7 ECANCELED@7 result@7 ");
}
