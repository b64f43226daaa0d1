/* Futures between threads and loops: who blocks, who is told, and what becomes of what is left. */
#include "support/test.h"
#include "support/virtual.h"

#include <pthread.h>
#include <stdatomic.h>

static cora_concurrent_future *new_future(void)
{
    cora_concurrent_future *future = cora_concurrent_future_create();

    assert_non_null(future);
    return future;
}

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

/* In a thread: blocks until the future is done; its outcome. */
static void *get_result(void *future)
{
    return (void *)(intptr_t)cora_concurrent_future_result(future, INFINITY);
}

static void *set_seven(void *future)
{
    return (void *)(intptr_t)cora_concurrent_future_set_result(future, 7, NULL);
}

/* ---- the future ----------------------------------------------------------------------------- */

TEST(a_result_wakes_every_thread_that_waits_for_it)
{
    cora_concurrent_future *future = new_future();
    pthread_t threads[3];
    int results[3], rc;

    for (int i = 0; i < 3; i++)
        threads[i] = start(get_result, future);
    rc = cora_concurrent_future_set_result(future, 7, &rc);
    for (int i = 0; i < 3; i++)
        results[i] = join(threads[i]);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(results[i], 7);
    assert_ptr_equal(cora_concurrent_future_value(future), &rc);
    cora_concurrent_future_unref(future);
}

TEST(waiting_ends_with_its_timeout)
{
    static const double timeouts[] = {0, -1, -INFINITY, 1e-6, 0.001};
    cora_concurrent_future *future = new_future();
    int rc;

    for (size_t i = 0; i < 5; i++) {
        rc = cora_concurrent_future_result(future, timeouts[i]);
        assert_int_equal(rc, -ETIMEDOUT);
    }
    rc = cora_concurrent_future_exception(future, 0);
    assert_int_equal(rc, -ETIMEDOUT);
    rc = cora_concurrent_future_result(future, NAN);
    assert_int_equal(rc, -EINVAL);
    rc = cora_concurrent_future_set_exception(future, -EIO);
    assert_int_equal(rc, 0);
    rc = cora_concurrent_future_result(future, 0);
    assert_int_equal(rc, -EIO);
    rc = cora_concurrent_future_exception(future, 100);
    assert_int_equal(rc, -EIO);
    cora_concurrent_future_unref(future);
}

/* What the three who may change a future are told in a state of it. */
static void assert_answers(cora_concurrent_future *future, int set_running, int set_result,
                           bool cancel)
{
    int rc[3];
    bool cancelled = cora_concurrent_future_cancel(future);

    rc[0] = cora_concurrent_future_set_running_or_notify_cancel(future);
    rc[1] = cora_concurrent_future_set_exception(future, -EIO);
    rc[2] = cora_concurrent_future_set_result(future, 7, NULL);
    assert_true(cancelled == cancel);
    assert_int_equal(rc[0], set_running);
    assert_int_equal(rc[1], set_result);
    assert_int_equal(rc[2], -CORA_EINVALIDSTATE);
}

TEST(a_future_that_is_running_is_not_cancelled_and_completed_once)
{
    cora_concurrent_future *future = new_future();
    int rc;

    assert_false(cora_concurrent_future_running(future));
    rc = cora_concurrent_future_set_running_or_notify_cancel(future);
    assert_int_equal(rc, 0);
    assert_true(cora_concurrent_future_running(future));
    assert_answers(future, -CORA_EINVALIDSTATE, 0, false);
    assert_false(cora_concurrent_future_running(future));
    assert_true(cora_concurrent_future_done(future));
    assert_answers(future, -CORA_EINVALIDSTATE, -CORA_EINVALIDSTATE, false);
    assert_false(cora_concurrent_future_cancelled(future));
    cora_concurrent_future_unref(future);
}

TEST(a_future_that_is_cancelled_takes_no_outcome)
{
    cora_concurrent_future *future = new_future();
    int rc;

    assert_answers(future, -ECANCELED, -CORA_EINVALIDSTATE, true);
    assert_answers(future, -ECANCELED, -CORA_EINVALIDSTATE, true);
    rc = cora_concurrent_future_result(future, INFINITY);
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_concurrent_future_cancelled(future));
    assert_true(cora_concurrent_future_done(future));
    cora_concurrent_future_unref(future);
}

TEST(an_outcome_has_its_sign)
{
    cora_concurrent_future *future = new_future();
    int rc[2];

    rc[0] = cora_concurrent_future_set_result(future, -1, NULL);
    rc[1] = cora_concurrent_future_set_exception(future, 0);
    assert_int_equal(rc[0], -EINVAL);
    assert_int_equal(rc[1], -EINVAL);
    assert_false(cora_concurrent_future_done(future));
    cora_concurrent_future_unref(future);
}

static void note(cora_concurrent_future *future, void *arg)
{
    trace("%s%d", (const char *)arg, cora_concurrent_future_done(future));
}

static void add_note(cora_concurrent_future *future, char *what)
{
    int rc = cora_concurrent_future_add_done_callback(future, note, what);

    assert_int_equal(rc, 0);
}

TEST(callbacks_run_once_in_their_order_and_at_once_when_it_is_done)
{
    static char a[] = "a", b[] = "b", c[] = "c";
    cora_concurrent_future *future = new_future();
    int rc;

    add_note(future, a);
    add_note(future, b);
    assert_string_equal(trace_text, "");
    rc = cora_concurrent_future_set_result(future, 0, NULL);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "a1 b1 ");
    add_note(future, c);
    cora_concurrent_future_cancel(future);
    assert_string_equal(trace_text, "a1 b1 c1 ");
    cora_concurrent_future_unref(future);
}

TEST(callbacks_of_a_future_that_nobody_completes_go_with_it)
{
    static char never[] = "never";
    cora_concurrent_future *future = new_future();

    add_note(cora_concurrent_future_ref(future), never);
    cora_concurrent_future_unref(future);
    cora_concurrent_future_unref(future);
    assert_string_equal(trace_text, "");
}

TEST(every_call_takes_a_future_that_could_not_be_made)
{
    int rc[6] = {cora_concurrent_future_result(NULL, 0),
                 cora_concurrent_future_exception(NULL, 0),
                 cora_concurrent_future_set_running_or_notify_cancel(NULL),
                 cora_concurrent_future_set_result(NULL, 0, NULL),
                 cora_concurrent_future_set_exception(NULL, -EIO),
                 cora_concurrent_future_add_done_callback(NULL, note, NULL)};

    for (int i = 0; i < 6; i++)
        assert_int_equal(rc[i], -ENOMEM);
    assert_false(cora_concurrent_future_cancel(NULL));
    assert_false(cora_concurrent_future_cancelled(NULL));
    assert_false(cora_concurrent_future_running(NULL));
    assert_false(cora_concurrent_future_done(NULL));
    assert_null(cora_concurrent_future_value(NULL));
    assert_null(cora_concurrent_future_ref(NULL));
    cora_concurrent_future_unref(NULL);
    assert_null(cora_wrap_future((cora_concurrent_future *)NULL));
}

/* ---- run_coroutine_threadsafe ---------------------------------------------------------------- */

struct add_args {
    int a, b;
};

static int add(void *arg)
{
    struct add_args *a = arg;

    trace("add");
    return a->a + a->b;
}

static int sleep_long(void *arg)
{
    int rc = cora_sleep(1000);

    (void)arg;
    trace("%s", cora_strerrorname(rc));
    return rc;
}

/* Iterations of a loop: enough for all that is ready and what follows from it. */
static void run_briefly(cora_loop *loop)
{
    for (int i = 0; i < 5; i++) {
        int rc;

        cora_loop_stop(loop);
        rc = cora_loop_run_forever(loop);
        assert_int_equal(rc, 0);
    }
}

TEST(a_task_of_a_loop_that_does_not_run_yet_runs_with_it)
{
    cora_loop *loop = virtual_loop();
    cora_concurrent_future *future = cora_run_coroutine_threadsafe(loop, add, .a = 3, .b = 4);
    int rc = cora_concurrent_future_result(future, 0);

    assert_int_equal(rc, -ETIMEDOUT);
    run_briefly(loop);
    rc = cora_concurrent_future_result(future, 0);
    assert_int_equal(rc, 7);
    cora_concurrent_future_unref(future);
    cora_loop_free(loop);
}

TEST(nobody_waits_for_a_loop_that_closes_before_it_ran_the_function)
{
    cora_loop *loop = virtual_loop();
    cora_concurrent_future *future = cora_run_coroutine_threadsafe(loop, add, .a = 3, .b = 4);
    pthread_t thread = start(get_result, future);
    int rc;

    cora_loop_free(loop);
    rc = join(thread);
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_concurrent_future_cancelled(future));
    assert_string_equal(trace_text, "");
    cora_concurrent_future_unref(future);
}

TEST(nobody_waits_for_a_loop_that_is_closed)
{
    cora_loop *loop = virtual_loop();
    cora_concurrent_future *future;
    int rc = cora_loop_close(loop);

    assert_int_equal(rc, 0);
    future = cora_run_coroutine_threadsafe(loop, add, .a = 3, .b = 4);
    rc = cora_concurrent_future_result(future, INFINITY);
    assert_int_equal(rc, -ECANCELED);
    cora_concurrent_future_unref(future);
    cora_loop_free(loop);
}

TEST(nobody_waits_for_a_task_that_is_dropped_with_its_loop)
{
    cora_loop *loop = virtual_loop();
    cora_concurrent_future *future = cora_run_coroutine_threadsafe_arg(loop, sleep_long, NULL);
    pthread_t thread = start(get_result, future);
    int rc;

    run_briefly(loop);
    assert_false(cora_concurrent_future_done(future));
    cora_loop_free(loop);
    rc = join(thread);
    assert_int_equal(rc, -ECANCELED);
    cora_concurrent_future_cancel(future); /* it does not look for the loop */
    cora_concurrent_future_unref(future);
}

TEST(a_future_that_is_cancelled_before_the_loop_runs_runs_nothing)
{
    cora_loop *loop = virtual_loop();
    cora_concurrent_future *future = cora_run_coroutine_threadsafe(loop, add, .a = 3, .b = 4);
    bool cancelled = cora_concurrent_future_cancel(future);

    assert_true(cancelled);
    run_briefly(loop);
    assert_string_equal(trace_text, "");
    cora_concurrent_future_unref(future);
    cora_loop_free(loop);
}

static void *cancel(void *future)
{
    return (void *)(intptr_t)cora_concurrent_future_cancel(future);
}

TEST(cancelling_from_another_thread_cancels_the_task)
{
    cora_loop *loop = virtual_loop();
    cora_concurrent_future *future = cora_run_coroutine_threadsafe_arg(loop, sleep_long, NULL);
    int cancelled;

    run_briefly(loop);
    cancelled = join(start(cancel, future));
    assert_int_equal(cancelled, true);
    assert_string_equal(trace_text, "");
    run_briefly(loop);
    assert_string_equal(trace_text, "ECANCELED ");
    assert_int_equal(cora_all_tasks(loop, NULL, 0), 0);
    cora_concurrent_future_unref(future);
    cora_loop_free(loop);
    assert_int_equal(reports.count, 0);
}

static int fail_when_cancelled(void *arg)
{
    int rc = sleep_long(arg);

    return rc == -ECANCELED ? -EIO : rc;
}

TEST(the_error_of_a_task_whose_future_was_cancelled_is_reported)
{
    cora_loop *loop = virtual_loop();
    cora_concurrent_future *future =
        cora_run_coroutine_threadsafe_arg(loop, fail_when_cancelled, NULL);
    int rc;

    run_briefly(loop);
    cora_concurrent_future_cancel(future);
    run_briefly(loop);
    rc = cora_concurrent_future_result(future, 0);
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -EIO);
    cora_concurrent_future_unref(future);
    cora_loop_free(loop);
}

static cora_task *make_none(cora_loop *loop, const cora_task_options *options, cora_task_fn *fn,
                            const char *function, const void *args, size_t size)
{
    (void)loop, (void)options, (void)fn, (void)function, (void)args, (void)size;
    return NULL;
}

TEST(a_task_that_cannot_be_created_is_want_of_memory)
{
    cora_loop *loop = virtual_loop();
    cora_concurrent_future *future = cora_run_coroutine_threadsafe(loop, add, .a = 3, .b = 4);
    int rc;

    cora_loop_set_task_factory(loop, make_none);
    run_briefly(loop);
    rc = cora_concurrent_future_result(future, 0);
    assert_int_equal(rc, -ENOMEM);
    cora_concurrent_future_unref(future);
    cora_loop_free(loop);
}

TEST(a_task_that_ends_eagerly_is_followed)
{
    cora_loop *loop = virtual_loop();
    cora_concurrent_future *future = cora_run_coroutine_threadsafe(loop, add, .a = 3, .b = 4);
    int rc;

    cora_loop_set_task_factory(loop, cora_eager_task_factory);
    run_briefly(loop);
    rc = cora_concurrent_future_result(future, 0);
    assert_int_equal(rc, 7);
    cora_concurrent_future_unref(future);
    cora_loop_free(loop);
}

static cora_context_var variable = CORA_CONTEXT_VAR_INIT("variable", "unset");

static int see_variable(void *arg)
{
    (void)arg;
    trace("%s", (const char *)cora_context_var_get(&variable));
    return 0;
}

static void *set_and_run(void *loop)
{
    static char value[] = "the thread's";
    int rc = cora_context_var_set(&variable, value, NULL);

    return rc == 0 ? cora_run_coroutine_threadsafe_arg(loop, see_variable, NULL) : NULL;
}

TEST(the_task_sees_the_calling_threads_context_variables)
{
    cora_loop *loop = virtual_loop();
    void *future;

    pthread_join(start(set_and_run, loop), &future);
    run_briefly(loop);
    assert_true(cora_concurrent_future_done(future));
    assert_string_equal(trace_text, "the thread's ");
    cora_concurrent_future_unref(future);
    cora_loop_free(loop);
}

enum { THREADS = 4, CALLS = 250 };

static int nap_args_seen;

struct nap_args {
    int number;
};

static int nap(void *arg)
{
    struct nap_args *a = arg;
    int rc = cora_sleep(0);

    nap_args_seen++;
    return rc < 0 ? rc : a->number;
}

static cora_loop *busy_loop;
static atomic_int threads_left;

static void stop(void *loop)
{
    cora_loop_stop(loop);
}

/* Cancels every third, while it may be anywhere; all others come to their number. */
static void *call_often(void *arg)
{
    int wrong = 0;

    (void)arg;
    for (int i = 0; i < CALLS; i++) {
        cora_concurrent_future *future = cora_run_coroutine_threadsafe(busy_loop, nap, .number = i);
        bool cancelled = i % 3 == 0 && cora_concurrent_future_cancel(future);
        int rc = cora_concurrent_future_result(future, INFINITY);

        wrong += rc != (cancelled ? -ECANCELED : i);
        cora_concurrent_future_unref(future);
    }
    if (atomic_fetch_sub(&threads_left, 1) == 1)
        wrong += cora_loop_call_soon_threadsafe(busy_loop, stop, busy_loop, NULL) < 0;
    return (void *)(intptr_t)wrong;
}

TEST(every_thread_gets_what_it_has_asked_for)
{
    pthread_t threads[THREADS];
    int wrong = 0, rc;

    busy_loop = virtual_loop();
    atomic_store(&threads_left, THREADS);
    for (int i = 0; i < THREADS; i++)
        threads[i] = start(call_often, NULL);
    rc = cora_loop_run_forever(busy_loop);
    for (int i = 0; i < THREADS; i++)
        wrong += join(threads[i]);
    cora_loop_free(busy_loop);
    assert_int_equal(rc, 0);
    assert_int_equal(wrong, 0);
    assert_in_range(nap_args_seen, THREADS * (CALLS - (CALLS + 2) / 3), THREADS * CALLS);
}

/* ---- wrap_future ----------------------------------------------------------------------------- */

/* Awaits a wrapped future, which a thread completes meanwhile. */
struct await_args {
    void *(*complete)(void *future);
    cora_concurrent_future *future;
};

static int await_wrapped(void *arg)
{
    struct await_args *a = arg;
    cora_future *wrapper = cora_wrap_future(a->future);
    pthread_t thread = start(a->complete, a->future);
    int rc = cora_await(wrapper);
    int completed = join(thread);

    assert_int_equal(completed, 0);
    assert_true(cora_future_cancelled(wrapper) == (rc == -ECANCELED));
    cora_future_unref(wrapper);
    return rc;
}

static int outcome_of(void *(*complete)(void *future))
{
    struct await_args args = {complete, new_future()};
    int rc = run_virtual(await_wrapped, &args);

    cora_concurrent_future_unref(args.future);
    assert_int_equal(reports.count, 0);
    return rc;
}

static void *set_error(void *future)
{
    return (void *)(intptr_t)cora_concurrent_future_set_exception(future, -EIO);
}

static void *cancel_it(void *future)
{
    return (void *)(intptr_t)!cora_concurrent_future_cancel(future);
}

TEST(a_task_awaits_what_a_thread_completes)
{
    int rc[3];

    rc[0] = outcome_of(set_seven);
    rc[1] = outcome_of(set_error);
    rc[2] = outcome_of(cancel_it);
    assert_int_equal(rc[0], 7);
    assert_int_equal(rc[1], -EIO);
    assert_int_equal(rc[2], -ECANCELED);
}

static int wrap_often(void *arg)
{
    cora_future *wrappers[3];
    int results[3], rc;

    wrappers[0] = cora_wrap_future((cora_concurrent_future *)arg);
    wrappers[1] = cora_wrap_future((cora_concurrent_future *)arg);
    rc = cora_concurrent_future_set_result(arg, 7, NULL);
    assert_int_equal(rc, 0);
    wrappers[2] = cora_wrap_future((cora_concurrent_future *)arg);
    assert_false(cora_future_done(wrappers[2]));
    rc = cora_gather(wrappers, 3, results, 0);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(results[i], 7);
        cora_future_unref(wrappers[i]);
    }
    return 0;
}

TEST(a_future_may_be_wrapped_more_than_once_and_when_it_is_done)
{
    cora_concurrent_future *future = new_future();
    int rc = run_virtual(wrap_often, future);

    assert_int_equal(rc, 0);
    cora_concurrent_future_unref(future);
}

static int cancel_while_running(void *arg)
{
    cora_future *wrapper = cora_wrap_future((cora_concurrent_future *)arg);
    int rc = cora_concurrent_future_set_running_or_notify_cancel(arg);

    assert_int_equal(rc, 0);
    cora_future_cancel(wrapper);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    cora_future_unref(wrapper);
    return 0;
}

TEST(what_runs_goes_on_when_its_wrapper_is_cancelled_and_its_loop_gone)
{
    cora_concurrent_future *future = new_future();
    int rc = run_virtual(cancel_while_running, future);

    assert_int_equal(rc, 0);
    assert_true(cora_concurrent_future_running(future));
    rc = join(start(set_seven, future));
    assert_int_equal(rc, 0);
    cora_concurrent_future_unref(future);
}

static int wrap_and_leave(void *arg)
{
    *(cora_future **)arg = cora_wrap_future(*(cora_concurrent_future **)arg);
    return 0;
}

TEST(a_loop_is_closed_over_a_wrapper_that_nobody_has_completed)
{
    cora_concurrent_future *future = new_future();
    void *wrapped = future;
    int rc = run_virtual(wrap_and_leave, &wrapped);
    cora_future *wrapper = wrapped;

    assert_int_equal(rc, 0);
    assert_false(cora_future_done(wrapper));
    rc = cora_concurrent_future_set_result(future, 7, NULL); /* does not look for the loop */
    assert_int_equal(rc, 0);
    assert_false(cora_future_done(wrapper));
    cora_future_unref(wrapper);
    cora_concurrent_future_unref(future);
}

static int wrap_and_drop(void *arg)
{
    cora_future_unref(cora_wrap_future((cora_concurrent_future *)arg));
    cora_concurrent_future_unref(arg);
    return 0;
}

TEST(what_nobody_holds_any_more_goes_with_the_loop)
{
    int rc = run_virtual(wrap_and_drop, new_future());

    assert_int_equal(rc, 0);
}

TEST(a_wrapper_needs_a_running_loop)
{
    cora_concurrent_future *future = new_future();

    assert_null(cora_wrap_future(future));
    cora_concurrent_future_unref(future);
}

static void *run_other_loop(void *loop)
{
    return (void *)(intptr_t)cora_loop_run_forever(loop);
}

static int ask_other_loop(void *other)
{
    cora_concurrent_future *future = cora_run_coroutine_threadsafe(other, add, .a = 3, .b = 4);
    cora_future *wrapper = cora_wrap_future(future);
    int rc = cora_await_unref(wrapper);

    cora_concurrent_future_unref(future);
    return rc;
}

TEST(a_task_awaits_a_task_of_another_threads_loop)
{
    cora_loop *other = virtual_loop();
    pthread_t thread = start(run_other_loop, other);
    int rc[3];

    rc[0] = run_virtual(ask_other_loop, other);
    rc[1] = cora_loop_call_soon_threadsafe(other, stop, other, NULL);
    rc[2] = join(thread);
    cora_loop_free(other);
    assert_int_equal(rc[0], 7);
    assert_int_equal(rc[1], 0);
    assert_int_equal(rc[2], 0);
}

static int cancel_at_other_loop(void *other)
{
    cora_concurrent_future *future = cora_run_coroutine_threadsafe_arg(other, sleep_long, NULL);
    cora_future *wrapper = cora_wrap_future(future);
    int rc = cora_sleep(0);

    assert_int_equal(rc, 0);
    cora_future_cancel(wrapper);
    rc = cora_await_unref(wrapper);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    assert_true(cora_concurrent_future_cancelled(future));
    cora_concurrent_future_unref(future);
    return 0;
}

TEST(cancelling_goes_from_loop_to_loop)
{
    cora_loop *other = virtual_loop();
    int rc = run_virtual(cancel_at_other_loop, other);

    assert_int_equal(rc, 0);
    run_briefly(other);
    assert_int_equal(cora_all_tasks(other, NULL, 0), 0);
    cora_loop_free(other);
}
