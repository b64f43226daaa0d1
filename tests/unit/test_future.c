/* Futures: outcomes, callbacks, cancellation, and running a loop until one is done. */
#include "support/test.h"
#include "support/virtual.h"

static cora_future *new_future(cora_loop *loop)
{
    cora_future *future = cora_loop_create_future(loop);

    assert_non_null(future);
    return future;
}

static void iterate(cora_loop *loop)
{
    int rc;

    cora_loop_stop(loop);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
    trace("|");
}

static void soon(cora_loop *loop, cora_callback *fn, void *arg)
{
    int rc = cora_loop_call_soon(loop, fn, arg, NULL);

    assert_int_equal(rc, 0);
}

static void note(void *arg)
{
    trace("%s", (const char *)arg);
}

static void note_done(cora_future *future, void *arg)
{
    (void)future;
    note(arg);
}

static void when_done(cora_future *future, const char *name)
{
    int rc = cora_future_add_done_callback(future, note_done, (void *)(uintptr_t)name);

    assert_int_equal(rc, 0);
}

static void set_result(cora_future *future, int result)
{
    int rc = cora_future_set_result(future, result, NULL);

    assert_int_equal(rc, 0);
}

/* ---- outcomes ------------------------------------------------------------------------------- */

TEST(a_new_future_is_pending)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);
    int result = cora_future_result(future);
    int exception = cora_future_exception(future);

    assert_false(cora_future_done(future));
    assert_false(cora_future_cancelled(future));
    assert_int_equal(result, -CORA_EINVALIDSTATE);
    assert_int_equal(exception, -CORA_EINVALIDSTATE);
    assert_null(cora_future_value(future));
    assert_ptr_equal(cora_future_get_loop(future), loop);
    cora_future_unref(future);
    cora_loop_free(loop);
}

TEST(a_future_has_the_result_that_was_set)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);
    int value, rc, result, exception;

    rc = cora_future_set_result(future, 7, &value);
    result = cora_future_result(future);
    exception = cora_future_exception(future);
    assert_int_equal(rc, 0);
    assert_true(cora_future_done(future));
    assert_false(cora_future_cancelled(future));
    assert_int_equal(result, 7);
    assert_int_equal(exception, 0);
    assert_ptr_equal(cora_future_value(future), &value);
    cora_future_unref(future);
    cora_loop_free(loop);
}

TEST(a_future_has_the_error_that_was_set)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);
    int rc, result, exception;

    rc = cora_future_set_exception(future, -EIO);
    result = cora_future_result(future);
    exception = cora_future_exception(future);
    assert_int_equal(rc, 0);
    assert_true(cora_future_done(future));
    assert_false(cora_future_cancelled(future));
    assert_int_equal(result, -EIO);
    assert_int_equal(exception, -EIO);
    cora_future_unref(future);
    cora_loop_free(loop);
}

TEST(an_outcome_is_set_only_once)
{
    cora_loop *loop = virtual_loop();
    cora_future *done = new_future(loop), *cancelled = new_future(loop);
    int rc[4], result;
    bool cancel[2];

    set_result(done, 7);
    rc[0] = cora_future_set_result(done, 8, &done);
    rc[1] = cora_future_set_exception(done, -EIO);
    cancel[0] = cora_future_cancel(done);
    cora_future_cancel(cancelled);
    rc[2] = cora_future_set_result(cancelled, 8, NULL);
    rc[3] = cora_future_set_exception(cancelled, -EIO);
    cancel[1] = cora_future_cancel(cancelled);
    result = cora_future_result(done);
    for (int i = 0; i < 4; i++)
        assert_int_equal(rc[i], -CORA_EINVALIDSTATE);
    assert_false(cancel[0]);
    assert_false(cancel[1]);
    assert_int_equal(result, 7);
    assert_null(cora_future_value(done));
    assert_false(cora_future_cancelled(done));
    cora_future_unref(done);
    cora_future_unref(cancelled);
    cora_loop_free(loop);
}

TEST(a_result_is_not_negative_and_an_error_is)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);
    int rc[3];

    rc[0] = cora_future_set_result(future, -1, NULL);
    rc[1] = cora_future_set_exception(future, 0);
    rc[2] = cora_future_set_exception(future, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rc[i], -EINVAL);
    assert_false(cora_future_done(future));
    cora_future_unref(future);
    cora_loop_free(loop);
}

TEST(a_cancelled_future_is_done_at_once)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);
    bool cancelled = cora_future_cancel(future);
    int result = cora_future_result(future);
    int exception = cora_future_exception(future);

    assert_true(cancelled);
    assert_true(cora_future_done(future));
    assert_true(cora_future_cancelled(future));
    assert_int_equal(result, -ECANCELED);
    assert_int_equal(exception, -ECANCELED);
    assert_null(cora_future_get_cancel_message(future));
    cora_future_unref(future);
    cora_loop_free(loop);
}

TEST(an_error_of_ecanceled_is_no_cancellation)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);
    int rc = cora_future_set_exception(future, -ECANCELED);
    int result = cora_future_result(future);

    assert_int_equal(rc, 0);
    assert_int_equal(result, -ECANCELED);
    assert_false(cora_future_cancelled(future));
    cora_future_unref(future);
    cora_loop_free(loop);
}

TEST(a_cancellation_carries_the_first_message)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);
    bool first = cora_future_cancel_message(future, "enough");
    bool second = cora_future_cancel_message(future, "again");

    assert_true(first);
    assert_false(second);
    assert_string_equal(cora_future_get_cancel_message(future), "enough");
    cora_future_unref(future);
    cora_loop_free(loop);
}

static int seven(void *arg)
{
    (void)arg;
    return 7;
}

TEST(a_tasks_outcome_cannot_be_set_from_outside)
{
    cora_loop *loop = virtual_loop();
    cora_task *task = cora_loop_create_task_arg(loop, NULL, seven, "seven", NULL);
    int rc[3];

    rc[0] = cora_future_set_result(task, 8, NULL);
    rc[1] = cora_future_set_exception(task, -EIO);
    rc[2] = cora_loop_run_until_complete(loop, task);
    assert_int_equal(rc[0], -CORA_EINVALIDSTATE);
    assert_int_equal(rc[1], -CORA_EINVALIDSTATE);
    assert_int_equal(rc[2], 7);
    cora_task_unref(task);
    cora_loop_free(loop);
}

static int await_null(void *arg)
{
    int rc[2];

    (void)arg;
    rc[0] = cora_await(NULL);
    rc[1] = cora_await_unref(NULL);
    assert_int_equal(rc[0], -ENOMEM);
    return rc[1];
}

TEST(every_call_accepts_null)
{
    cora_loop *loop = virtual_loop();
    int rc[7];

    rc[0] = cora_future_result(NULL);
    rc[1] = cora_future_exception(NULL);
    rc[2] = cora_future_set_result(NULL, 0, NULL);
    rc[3] = cora_future_set_exception(NULL, -EIO);
    rc[4] = cora_future_add_done_callback(NULL, note_done, NULL);
    rc[5] = cora_loop_run_until_complete(loop, NULL);
    rc[6] = run_virtual(await_null, NULL);
    for (int i = 0; i < 7; i++)
        assert_int_equal(rc[i], -ENOMEM);
    assert_int_equal(cora_future_remove_done_callback(NULL, note_done, NULL), 0);
    assert_null(cora_future_ref(NULL));
    cora_future_unref(NULL);
    assert_false(cora_future_done(NULL));
    assert_false(cora_future_cancelled(NULL));
    assert_false(cora_future_cancel(NULL));
    assert_false(cora_future_cancel_message(NULL, "m"));
    assert_null(cora_future_get_cancel_message(NULL));
    assert_null(cora_future_value(NULL));
    assert_null(cora_future_get_loop(NULL));
    cora_loop_free(loop);
}

/* ---- callbacks ------------------------------------------------------------------------------ */

TEST(callbacks_run_in_the_order_of_their_adding_one_iteration_later)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);

    when_done(future, "a");
    when_done(future, "b");
    when_done(future, "a");
    iterate(loop);
    set_result(future, 0);
    trace("set");
    iterate(loop);
    iterate(loop);
    assert_string_equal(trace_text, "| set a b a | | ");
    cora_future_unref(future);
    cora_loop_free(loop);
}

TEST(callbacks_of_a_cancelled_future_run_too)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);

    when_done(future, "a");
    cora_future_cancel(future);
    iterate(loop);
    assert_string_equal(trace_text, "a | ");
    cora_future_unref(future);
    cora_loop_free(loop);
}

TEST(a_callback_added_to_a_future_that_is_done_runs_in_the_next_iteration)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);

    set_result(future, 0);
    when_done(future, "a");
    trace("added");
    iterate(loop);
    assert_string_equal(trace_text, "added a | ");
    cora_future_unref(future);
    cora_loop_free(loop);
}

static void check_future(cora_future *future, void *arg)
{
    int result = cora_future_result(future);

    assert_ptr_equal(future, arg);
    trace("%d", result);
}

TEST(a_callback_is_given_the_future_though_nobody_else_keeps_it)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);
    int rc = cora_future_add_done_callback(future, check_future, future);

    assert_int_equal(rc, 0);
    set_result(future, 7);
    cora_future_unref(future);
    iterate(loop);
    assert_string_equal(trace_text, "7 | ");
    cora_loop_free(loop);
}

TEST(remove_takes_out_every_callback_with_that_function_and_argument)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);
    static char a[] = "a", b[] = "b";
    int removed[3];

    when_done(future, a);
    when_done(future, b);
    when_done(future, a);
    removed[0] = cora_future_remove_done_callback(future, note_done, a);
    removed[1] = cora_future_remove_done_callback(future, note_done, a);
    removed[2] = cora_future_remove_done_callback(future, check_future, b);
    set_result(future, 0);
    iterate(loop);
    assert_int_equal(removed[0], 2);
    assert_int_equal(removed[1], 0);
    assert_int_equal(removed[2], 0);
    assert_string_equal(trace_text, "b | ");
    cora_future_unref(future);
    cora_loop_free(loop);
}

TEST(once_the_future_is_done_its_callbacks_are_not_removed_any_more)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);
    static char a[] = "a";
    int removed;

    when_done(future, a);
    set_result(future, 0);
    removed = cora_future_remove_done_callback(future, note_done, a);
    iterate(loop);
    assert_int_equal(removed, 0);
    assert_string_equal(trace_text, "a | ");
    cora_future_unref(future);
    cora_loop_free(loop);
}

static cora_context_var colour = CORA_CONTEXT_VAR_INIT("colour", "none");

static void paint(const char *value)
{
    int rc = cora_context_var_set(&colour, (void *)(uintptr_t)value, NULL);

    assert_int_equal(rc, 0);
}

static void note_colour(cora_future *future, void *arg)
{
    (void)future, (void)arg;
    trace("%s", (const char *)cora_context_var_get(&colour));
    paint("spilt");
}

TEST(a_callback_runs_in_the_context_in_which_it_was_added)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);
    int rc[3];

    paint("red");
    rc[0] = cora_future_add_done_callback(future, note_colour, NULL);
    rc[1] = cora_future_add_done_callback(future, note_colour, NULL);
    paint("blue");
    set_result(future, 0);
    rc[2] = cora_future_add_done_callback(future, note_colour, NULL);
    iterate(loop);
    assert_int_equal(rc[0] | rc[1] | rc[2], 0);
    assert_string_equal(trace_text, "red red blue | ");
    assert_string_equal(cora_context_var_get(&colour), "blue");
    cora_future_unref(future);
    cora_loop_free(loop);
}

TEST(a_pending_future_that_is_dropped_drops_its_callbacks)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);

    when_done(future, "never");
    when_done(future, "never");
    cora_future_unref(future);
    iterate(loop);
    assert_string_equal(trace_text, "| ");
    assert_int_equal(reports.count, 0);
    cora_loop_free(loop);
}

TEST(a_loop_that_is_closed_drops_the_callbacks_that_are_queued)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);

    when_done(future, "never");
    set_result(future, 0);
    cora_future_unref(future);
    cora_loop_free(loop);
    assert_string_equal(trace_text, "");
}

TEST(a_future_outlives_its_loop)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop), *done = new_future(loop);
    int rc[2], result;

    when_done(future, "never");
    set_result(done, 0);
    cora_loop_free(loop);
    rc[0] = cora_future_set_result(future, 7, NULL);
    result = cora_future_result(future);
    rc[1] = cora_future_add_done_callback(done, note_done, "never");
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[1], -CORA_ECLOSED);
    assert_int_equal(result, 7);
    cora_future_unref(future);
    cora_future_unref(done);
    assert_string_equal(trace_text, "");
}

/* ---- errors that nobody asks for ------------------------------------------------------------ */

static void set_exception(cora_future *future)
{
    int rc = cora_future_set_exception(future, -EIO);

    assert_int_equal(rc, 0);
}

TEST(an_error_that_nobody_has_asked_for_is_reported_once)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);

    set_exception(future);
    cora_future_ref(future);
    cora_future_unref(future);
    assert_int_equal(reports.count, 0);
    cora_future_unref(future);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -EIO);
    assert_string_equal(reports.message, "a future's error was never retrieved");
    cora_loop_free(loop);
    assert_int_equal(reports.count, 1);
}

static cora_future *kept;

static void keep_future(cora_loop *loop, const cora_exception_context *context, void *arg)
{
    (void)loop, (void)arg;
    kept = cora_future_ref(context->future);
    reports.count++;
}

TEST(who_is_told_of_a_lost_error_may_keep_the_future)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);
    int result;

    cora_loop_set_exception_handler(loop, keep_future, NULL);
    set_exception(future);
    cora_future_unref(future);
    result = cora_future_result(kept);
    assert_int_equal(reports.count, 1);
    assert_int_equal(result, -EIO);
    cora_future_unref(kept);
    assert_int_equal(reports.count, 1);
    cora_loop_free(loop);
}

static int await_it(void *arg)
{
    return cora_await(arg);
}

TEST(an_error_that_was_asked_for_is_not_reported)
{
    cora_loop *loop = virtual_loop();
    cora_future *futures[4];
    cora_task *task;
    int rc[4];

    for (int i = 0; i < 4; i++)
        futures[i] = new_future(loop);
    task = cora_loop_create_task_arg(loop, NULL, await_it, "await_it", futures[3]);
    iterate(loop);
    for (int i = 0; i < 4; i++)
        set_exception(futures[i]);
    rc[0] = cora_future_result(futures[0]);
    rc[1] = cora_future_exception(futures[1]);
    rc[2] = cora_loop_run_until_complete(loop, futures[2]);
    rc[3] = cora_loop_run_until_complete(loop, task);
    for (int i = 0; i < 4; i++)
        assert_int_equal(rc[i], -EIO);
    for (int i = 0; i < 4; i++)
        cora_future_unref(futures[i]);
    cora_task_unref(task);
    assert_int_equal(reports.count, 0);
    cora_loop_free(loop);
}

TEST(a_cancelled_future_or_a_result_is_not_reported)
{
    cora_loop *loop = virtual_loop();
    cora_future *cancelled = new_future(loop), *done = new_future(loop);

    cora_future_cancel(cancelled);
    set_result(done, 7);
    cora_future_unref(cancelled);
    cora_future_unref(done);
    assert_int_equal(reports.count, 0);
    cora_loop_free(loop);
}

/* ---- run_until_complete --------------------------------------------------------------------- */

static void complete(void *arg)
{
    trace("set");
    set_result(arg, 7);
}

TEST(run_until_complete_runs_until_the_future_is_done)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);
    int rc = cora_loop_call_later(loop, 5, complete, future, NULL);

    assert_int_equal(rc, 0);
    rc = cora_loop_run_until_complete(loop, future);
    assert_int_equal(rc, 7);
    assert_true(cora_loop_time(loop) == 5);
    cora_future_unref(future);
    cora_loop_free(loop);
}

struct completion {
    cora_loop *loop;
    cora_future *future;
};

static void complete_and_queue(void *arg)
{
    struct completion *completion = arg;

    complete(completion->future);
    soon(completion->loop, note, "with the end");
}

static void queue_twice(void *arg)
{
    soon(arg, note, "too late");
    note("with the end too");
}

TEST(run_until_complete_returns_one_iteration_after_the_outcome_was_set)
{
    cora_loop *loop = virtual_loop();
    struct completion completion = {loop, new_future(loop)};
    int rc;

    soon(loop, complete_and_queue, &completion);
    when_done(completion.future, "callback");
    rc = cora_loop_call_later(loop, 1, note, "never", NULL);
    assert_int_equal(rc, 0);
    rc = cora_loop_run_until_complete(loop, completion.future);
    assert_int_equal(rc, 7);
    assert_string_equal(trace_text, "set callback with the end ");
    cora_future_unref(completion.future);
    cora_loop_free(loop);
}

TEST(run_until_complete_of_a_future_that_is_done_takes_one_iteration)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);
    int rc;

    set_result(future, 7);
    soon(loop, queue_twice, loop);
    rc = cora_loop_run_until_complete(loop, future);
    assert_int_equal(rc, 7);
    assert_string_equal(trace_text, "with the end too ");
    cora_future_unref(future);
    cora_loop_free(loop);
}

static void stop(void *arg)
{
    cora_loop_stop(arg);
}

TEST(run_until_complete_of_a_loop_that_is_stopped_says_so_and_may_be_repeated)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);
    int rc;

    soon(loop, stop, loop);
    rc = cora_loop_run_until_complete(loop, future);
    assert_int_equal(rc, -CORA_ESTOPPED);
    set_result(future, 7);
    iterate(loop); /* the first run has left nothing in the future that would stop this one */
    rc = cora_loop_run_until_complete(loop, future);
    assert_int_equal(rc, 7);
    cora_future_unref(future);
    cora_loop_free(loop);
}

TEST(run_until_complete_refuses_another_loops_future)
{
    cora_loop *loop = virtual_loop(), *other = virtual_loop();
    cora_future *future = new_future(other);
    int rc = cora_loop_run_until_complete(loop, future);

    assert_int_equal(rc, -CORA_EWRONGLOOP);
    cora_future_unref(future);
    cora_loop_free(loop);
    cora_loop_free(other);
}

TEST(run_until_complete_of_a_closed_loop_is_refused)
{
    cora_loop *loop = virtual_loop();
    cora_future *pending = new_future(loop), *done = new_future(loop);
    int rc[2];

    set_result(done, 0);
    (void)cora_loop_close(loop);
    rc[0] = cora_loop_run_until_complete(loop, pending);
    rc[1] = cora_loop_run_until_complete(loop, done);
    assert_int_equal(rc[0], -CORA_ECLOSED);
    assert_int_equal(rc[1], -CORA_ECLOSED);
    cora_future_unref(pending);
    cora_future_unref(done);
    cora_loop_free(loop);
}

static int run_nested(void *arg)
{
    cora_future *future = new_future(cora_get_running_loop());
    int rc[2];

    (void)arg;
    rc[0] = cora_loop_run_until_complete(cora_get_running_loop(), future);
    set_result(future, 0);
    rc[1] = cora_loop_run_until_complete(cora_get_running_loop(), future);
    cora_future_unref(future);
    assert_int_equal(rc[0], -CORA_ERUNNING);
    return rc[1];
}

TEST(run_until_complete_inside_a_task_is_refused)
{
    int rc = run_virtual(run_nested, NULL);

    assert_int_equal(rc, -CORA_ERUNNING);
}

TEST(run_until_complete_of_what_nobody_will_complete_is_a_deadlock)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);
    int rc = cora_loop_run_until_complete(loop, future);

    assert_int_equal(rc, -EDEADLK);
    cora_future_unref(future);
    cora_loop_free(loop);
}

static cora_context_var answer = CORA_CONTEXT_VAR_INIT("answer", NULL);
static int forty_two = 42;
static void *seen_by_the_handler;

static void look_at_answer(cora_loop *loop, const cora_exception_context *context, void *arg)
{
    int *calls = arg;

    (void)loop;
    assert_int_equal(context->error, -EIO);
    seen_by_the_handler = cora_context_var_get(&answer);
    ++*calls;
}

static void do_nothing(cora_future *future, void *arg)
{
    (void)future, (void)arg;
}

static int add_with_answer(void *future)
{
    int rc = cora_context_var_set(&answer, &forty_two, NULL);

    assert_int_equal(rc, 0);
    return cora_future_add_done_callback(future, do_nothing, NULL);
}

TEST(an_error_lost_at_the_end_of_a_callback_is_reported_in_the_callbacks_context)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = new_future(loop);
    cora_context *context = cora_copy_context();
    int calls = 0;
    int rc = cora_context_run(context, add_with_answer, future);

    assert_int_equal(rc, 0);
    cora_context_unref(context);
    cora_loop_set_exception_handler(loop, look_at_answer, &calls);
    rc = cora_future_set_exception(future, -EIO);
    assert_int_equal(rc, 0);
    cora_future_unref(future); /* the callback has the last reference */
    iterate(loop);
    assert_int_equal(calls, 1);
    assert_ptr_equal(seen_by_the_handler, &forty_two);
    assert_null(cora_context_var_get(&answer));
    cora_loop_free(loop);
}

TEST(no_future_is_created_without_a_loop)
{
    cora_future *future = cora_loop_create_future(NULL);

    assert_null(future);
}
