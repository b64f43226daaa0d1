/* Asynchronous generators: bodies that await, and who cleans up after them. */
#include "support/test.h"
#include "support/virtual.h"

#include "task/async_generator.h"

#include <malloc.h>
#include <pthread.h>

static double now(void)
{
    return cora_loop_time(cora_get_running_loop());
}

/* Yields from ... to - 1, a second before each; the cleanup takes a second, too. */
struct count_args {
    int from, to;
    int error;   /* what it ends with */
    int cleanup; /* what its cleanup ends with */
    const char *name;
};

static int count(void *arg)
{
    struct count_args *a = arg;
    int rc = 0;

    for (int i = a->from; i < a->to && rc == 0; i++) {
        rc = cora_sleep(1);
        if (rc == 0)
            rc = cora_generator_yield(&i, NULL);
    }
    if (a->name == NULL)
        return rc < 0 ? rc : a->error;

    int slept = cora_sleep(1);

    trace("%s:%s@%g", a->name, rc == 0 ? "end" : cora_strerrorname(rc), now());
    return slept < 0 ? slept : a->cleanup < 0 ? a->cleanup : rc < 0 ? rc : a->error;
}

/* anext: the number, or the error. */
static int next_int(cora_async_generator *generator)
{
    void *value = NULL;
    int rc = cora_async_generator_anext(generator, &value);

    return rc == 0 ? *(int *)value : rc;
}

/* Runs fn as the main task; it must end with 0, and nothing be reported. */
static void run_clean(cora_task_fn *fn)
{
    int rc = run_virtual(fn, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

/* ---- next ---------------------------------------------------------------------------------- */

static int take_all(void *arg)
{
    cora_async_generator *numbers = cora_async_generator_create(count, .from = 1, .to = 4);
    int got[6];

    (void)arg;
    for (int i = 0; i < 6; i++)
        got[i] = next_int(numbers);
    for (int i = 0; i < 3; i++)
        assert_int_equal(got[i], i + 1);
    for (int i = 3; i < 6; i++)
        assert_int_equal(got[i], -CORA_ESTOPITERATION);
    assert_true(now() == 3);
    cora_async_generator_unref(numbers);
    return 0;
}

TEST(next_gives_the_values_as_the_body_awaits_them_and_then_the_end)
{
    run_clean(take_all);
}

static int take_error(void *arg)
{
    cora_async_generator *broken =
        cora_async_generator_create(count, .from = 1, .to = 2, .error = -EIO);
    int got[4];

    (void)arg;
    for (int i = 0; i < 4; i++)
        got[i] = next_int(broken);
    assert_int_equal(got[0], 1);
    assert_int_equal(got[1], -EIO);
    assert_int_equal(got[2], -CORA_ESTOPITERATION);
    assert_int_equal(got[3], -CORA_ESTOPITERATION);
    cora_async_generator_unref(broken);
    return 0;
}

TEST(the_error_of_the_body_comes_out_once)
{
    run_clean(take_error);
}

static int ask_without_place(void *arg)
{
    cora_async_generator *numbers = cora_async_generator_create(count, .from = 1, .to = 2);
    void *value = &numbers;
    int dropped = cora_async_generator_anext(numbers, NULL);
    int ended = cora_async_generator_anext(numbers, &value);

    (void)arg;
    assert_int_equal(dropped, 0);
    assert_int_equal(ended, -CORA_ESTOPITERATION);
    assert_ptr_equal(value, &numbers);
    cora_async_generator_unref(numbers);
    return 0;
}

TEST(a_value_may_be_dropped_and_the_end_leaves_the_place_alone)
{
    run_clean(ask_without_place);
}

static int use_nothing(void *arg)
{
    void *value = &value;
    int visited = 0, rc[5];

    (void)arg;
    rc[0] = cora_async_generator_anext(NULL, &value);
    rc[1] = cora_async_generator_asend(NULL, NULL, &value);
    rc[2] = cora_async_generator_athrow(NULL, -EIO, &value);
    rc[3] = cora_async_generator_aclose(NULL);
    cora_async_for (int *number, NULL, &rc[4])
        visited += *number;
    for (int i = 0; i < 5; i++)
        assert_int_equal(rc[i], -ENOMEM);
    assert_int_equal(visited, 0);
    assert_ptr_equal(value, &value);
    assert_null(cora_async_generator_ref(NULL));
    cora_async_generator_unref(NULL);
    return 0;
}

TEST(every_call_accepts_a_generator_that_could_not_be_made)
{
    run_clean(use_nothing);
}

/* ---- send and throw ------------------------------------------------------------------------ */

/* Yields the running sum of what is sent, a second after; an error thrown counts as 1000. */
static int running_sum(void *arg)
{
    int *sum = arg;

    for (;;) {
        void *sent = NULL;
        int rc = cora_generator_yield(sum, &sent);

        if (rc == -CORA_EGENERATOREXIT || rc == -EPIPE)
            return rc;
        if (rc == 0 && sent == NULL)
            return 0;
        *sum += rc < 0 ? 1000 : *(int *)sent;
        rc = cora_sleep(1);
        if (rc < 0)
            return rc;
    }
}

static int send_some(void *arg)
{
    int sum = 100, five = 5, rc[5];
    void *value = NULL;
    cora_async_generator *adder = cora_async_generator_create_arg(running_sum, &sum);

    (void)arg;
    rc[0] = cora_async_generator_asend(adder, &five, &value);
    assert_null(value);
    rc[1] = cora_async_generator_asend(adder, NULL, &value);
    assert_ptr_equal(value, &sum);
    assert_int_equal(sum, 100);
    rc[2] = cora_async_generator_asend(adder, &five, &value);
    assert_int_equal(sum, 105);
    rc[3] = cora_async_generator_asend(adder, NULL, NULL);
    rc[4] = cora_async_generator_asend(adder, &five, NULL);
    assert_int_equal(rc[0], -EINVAL);
    assert_int_equal(rc[1], 0);
    assert_int_equal(rc[2], 0);
    assert_int_equal(rc[3], -CORA_ESTOPITERATION);
    assert_int_equal(rc[4], -CORA_ESTOPITERATION);
    assert_true(now() == 1);
    cora_async_generator_unref(adder);
    return 0;
}

TEST(send_gives_the_yield_its_value_and_returns_the_next_one)
{
    run_clean(send_some);
}

static int throw_some(void *arg)
{
    int sum = 1, rc[5];
    void *value = NULL;
    cora_async_generator *adder = cora_async_generator_create_arg(running_sum, &sum);

    (void)arg;
    rc[0] = cora_async_generator_anext(adder, NULL);
    rc[1] = cora_async_generator_athrow(adder, 1, &value);
    assert_null(value);
    rc[2] = cora_async_generator_athrow(adder, -EIO, &value);
    assert_ptr_equal(value, &sum);
    assert_int_equal(sum, 1001);
    rc[3] = cora_async_generator_athrow(adder, -EPIPE, NULL);
    rc[4] = cora_async_generator_athrow(adder, -EPIPE, NULL);
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[1], -EINVAL);
    assert_int_equal(rc[2], 0);
    assert_int_equal(rc[3], -EPIPE);
    assert_int_equal(rc[4], -CORA_ESTOPITERATION);
    assert_true(now() == 1);
    cora_async_generator_unref(adder);
    return 0;
}

TEST(throw_makes_the_yield_return_an_error_that_the_body_may_catch)
{
    run_clean(throw_some);
}

static int throw_early(void *arg)
{
    int sum = 1;
    cora_async_generator *adder = cora_async_generator_create_arg(running_sum, &sum);
    int thrown = cora_async_generator_athrow(adder, -EIO, NULL);
    int next = cora_async_generator_anext(adder, NULL);

    (void)arg;
    assert_int_equal(thrown, -EIO);
    assert_int_equal(next, -CORA_ESTOPITERATION);
    cora_async_generator_unref(adder);
    return 0;
}

TEST(an_error_thrown_before_the_start_ends_it)
{
    run_clean(throw_early);
}

/* ---- the body runs in the consumer's task -------------------------------------------------- */

static cora_context_var who = CORA_CONTEXT_VAR_INIT("who", NULL);

struct sight {
    cora_task *task;
    void *who;
};

static int look(void *arg)
{
    struct sight sight;
    int rc = 0;

    while (rc == 0) {
        rc = cora_sleep(1);
        sight.task = cora_current_task();
        sight.who = cora_context_var_get(&who);
        if (rc == 0)
            rc = cora_context_var_set(&who, arg, NULL);
        if (rc == 0)
            rc = cora_generator_yield(&sight, NULL);
    }
    return rc;
}

static int look_as(void *arg)
{
    cora_async_generator *looker = arg;
    char name;
    void *value = NULL;
    int rc = cora_context_var_set(&who, &name, NULL);

    if (rc == 0)
        rc = cora_async_generator_anext(looker, &value);
    if (rc < 0 || value == NULL)
        return -ENOENT;
    assert_ptr_equal(((struct sight *)value)->task, cora_current_task());
    assert_ptr_equal(((struct sight *)value)->who, &name);
    assert_ptr_equal(cora_context_var_get(&who), &who); /* as the body has set it */
    return 0;
}

static int look_around(void *arg)
{
    cora_async_generator *looker = cora_async_generator_create_arg(look, &who);
    int rc[3];

    (void)arg;
    for (int i = 0; i < 2; i++)
        rc[i] = cora_await_unref(cora_create_task_arg(look_as, looker));
    assert_null(cora_context_var_get(&who));
    rc[2] = cora_async_generator_aclose(looker);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rc[i], 0);
    cora_async_generator_unref(looker);
    return 0;
}

TEST(task_and_context_of_the_body_are_those_of_whoever_asks)
{
    run_clean(look_around);
}

static int time_out(void *arg)
{
    cora_async_generator *numbers =
        cora_async_generator_create(count, .from = 0, .to = 9, .name = "body");
    cora_timeout timeout;
    int rc, next;

    (void)arg;
    cora_timeout_enter(&timeout, 1.5);
    do
        rc = next_int(numbers);
    while (rc >= 0);
    rc = cora_timeout_exit(&timeout, rc);
    next = next_int(numbers);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_int_equal(next, -CORA_ESTOPITERATION);
    assert_string_equal(trace_text, "body:ECANCELED@2.5 ");
    cora_async_generator_unref(numbers);
    return 0;
}

TEST(a_timeout_of_the_consumer_cuts_off_the_await_in_the_body)
{
    run_clean(time_out);
}

/* Yields what its sleeps return. */
static int survive(void *arg)
{
    int rc = 0, slept;

    (void)arg;
    while (rc == 0) {
        slept = cora_sleep(10);
        rc = cora_generator_yield(&slept, NULL);
    }
    return rc;
}

static int take_two(void *generator)
{
    int first = next_int(generator);

    trace("%s@%g", cora_strerrorname(first), now());
    return next_int(generator);
}

static int cancel_consumer(void *arg)
{
    cora_async_generator *survivor = cora_async_generator_create_arg(survive, NULL);
    cora_task *consumer = cora_create_task_arg(take_two, survivor);
    int rc = cora_sleep(1), outcome, closed;

    (void)arg;
    cora_task_cancel(consumer);
    outcome = cora_await_unref(consumer);
    closed = cora_async_generator_aclose(survivor);
    assert_int_equal(rc, 0);
    assert_int_equal(outcome, 0);
    assert_int_equal(closed, 0);
    assert_true(now() == 11);
    assert_string_equal(trace_text, "ECANCELED@1 ");
    cora_async_generator_unref(survivor);
    return 0;
}

TEST(a_body_may_catch_the_cancellation_of_its_consumer_and_go_on)
{
    run_clean(cancel_consumer);
}

/* ---- close --------------------------------------------------------------------------------- */

static int close_twice(void *arg)
{
    cora_async_generator *numbers =
        cora_async_generator_create(count, .from = 5, .to = 9, .name = "body");
    int rc[4];

    (void)arg;
    rc[0] = next_int(numbers);
    rc[1] = cora_async_generator_aclose(numbers);
    assert_string_equal(trace_text, "body:CORA_EGENERATOREXIT@2 ");
    rc[2] = cora_async_generator_aclose(numbers);
    rc[3] = next_int(numbers);
    assert_int_equal(rc[0], 5);
    assert_int_equal(rc[1], 0);
    assert_int_equal(rc[2], 0);
    assert_int_equal(rc[3], -CORA_ESTOPITERATION);
    assert_true(now() == 2);
    cora_async_generator_unref(numbers);
    return 0;
}

TEST(close_runs_the_cleanup_of_the_body_which_may_await)
{
    run_clean(close_twice);
}

static int close_early(void *arg)
{
    cora_async_generator *numbers =
        cora_async_generator_create(count, .from = 5, .to = 9, .name = "body");
    int closed = cora_async_generator_aclose(numbers);
    int next = next_int(numbers);

    (void)arg;
    assert_int_equal(closed, 0);
    assert_int_equal(next, -CORA_ESTOPITERATION);
    assert_string_equal(trace_text, "");
    cora_async_generator_unref(numbers);
    return 0;
}

TEST(a_generator_closed_before_it_started_never_runs)
{
    run_clean(close_early);
}

static int close_broken(void *arg)
{
    cora_async_generator *numbers =
        cora_async_generator_create(count, .from = 5, .to = 9, .name = "body", .cleanup = -EIO);
    int next = next_int(numbers);
    int closed = cora_async_generator_aclose(numbers);

    (void)arg;
    assert_int_equal(next, 5);
    assert_int_equal(closed, -EIO);
    cora_async_generator_unref(numbers);
    return 0;
}

TEST(an_error_of_the_cleanup_comes_out_of_close)
{
    run_clean(close_broken);
}

static int close_it(void *generator)
{
    int next = next_int(generator);

    return next < 0 ? next : cora_async_generator_aclose(generator);
}

static int cancel_close(void *arg)
{
    cora_async_generator *numbers =
        cora_async_generator_create(count, .from = 5, .to = 9, .name = "body");
    cora_task *closer = cora_create_task_arg(close_it, numbers);
    int rc = cora_sleep(1.5), outcome;

    (void)arg;
    cora_task_cancel(closer);
    outcome = cora_await_unref(closer);
    assert_int_equal(rc, 0);
    assert_int_equal(outcome, -ECANCELED);
    assert_string_equal(trace_text, "body:CORA_EGENERATOREXIT@1.5 ");
    cora_async_generator_unref(numbers);
    return 0;
}

TEST(a_cancellation_that_comes_in_the_cleanup_is_not_taken_for_the_close)
{
    run_clean(cancel_close);
}

/* Yields 0, 1, 2, ... and does not care for a close, as often as `arg` says. */
static int ignore_close(void *arg)
{
    int *ignored = arg;
    int rc = 0;

    for (int i = 0; rc == 0; i++) {
        rc = cora_generator_yield(&i, NULL);
        if (rc == -CORA_EGENERATOREXIT && (*ignored)-- > 0)
            rc = cora_sleep(1);
    }
    return rc;
}

static int close_stubborn(void *arg)
{
    int ignored = 1, rc[5];
    cora_async_generator *stubborn = cora_async_generator_create_arg(ignore_close, &ignored);

    (void)arg;
    rc[0] = next_int(stubborn);
    rc[1] = cora_async_generator_aclose(stubborn);
    rc[2] = next_int(stubborn);
    rc[3] = cora_async_generator_aclose(stubborn);
    rc[4] = next_int(stubborn);
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[1], -CORA_EIGNOREDEXIT);
    assert_int_equal(rc[2], 2);
    assert_int_equal(rc[3], 0);
    assert_int_equal(rc[4], -CORA_ESTOPITERATION);
    cora_async_generator_unref(stubborn);
    return 0;
}

TEST(a_body_that_yields_while_it_is_closed_is_told_of_and_can_be_closed_again)
{
    run_clean(close_stubborn);
}

/* ---- one at a time, one loop, one thread --------------------------------------------------- */

static int take_one(void *generator)
{
    return next_int(generator);
}

static int share(void *arg)
{
    cora_async_generator *numbers = cora_async_generator_create(count, .from = 5, .to = 9);
    cora_task *first = cora_create_task_arg(take_one, numbers);
    int rc[6], visited = 0;

    (void)arg;
    rc[0] = cora_sleep(0.5);
    rc[1] = next_int(numbers);
    rc[2] = cora_async_generator_aclose(numbers);
    rc[3] = cora_async_generator_athrow(numbers, -EIO, NULL);
    cora_async_for (int *number, cora_async_generator_ref(numbers), &rc[4])
        visited += *number;
    rc[5] = cora_await_unref(first);
    assert_int_equal(rc[0], 0);
    for (int i = 1; i < 5; i++)
        assert_int_equal(rc[i], -EBUSY);
    assert_int_equal(visited, 0);
    assert_int_equal(rc[5], 5);
    rc[0] = next_int(numbers);
    assert_int_equal(rc[0], 6);
    cora_async_generator_unref(numbers);
    return cora_sleep(0);
}

TEST(a_second_task_is_told_that_it_is_running_and_does_not_disturb_it)
{
    run_clean(share);
}

static int iterate_itself(void *arg)
{
    cora_async_generator **self = arg;
    int rc[3] = {0, 0, 0};

    rc[0] = cora_async_generator_anext(*self, NULL);
    rc[1] = cora_async_generator_aclose(*self);
    return cora_generator_yield(rc, NULL);
}

static int let_iterate_itself(void *arg)
{
    cora_async_generator *self = cora_async_generator_create_arg(iterate_itself, &self);
    void *value = NULL;
    int rc = cora_async_generator_anext(self, &value), closed;

    (void)arg;
    assert_int_equal(rc, 0);
    assert_int_equal(((int *)value)[0], -EBUSY);
    assert_int_equal(((int *)value)[1], -EBUSY);
    closed = cora_async_generator_aclose(self);
    assert_int_equal(closed, 0);
    cora_async_generator_unref(self);
    return 0;
}

TEST(a_body_that_iterates_itself_is_told_so)
{
    run_clean(let_iterate_itself);
}

static int take_one_in(void *generator)
{
    int rc = next_int(generator);

    return rc < 0 ? rc : 0;
}

TEST(outside_a_task_and_in_another_loop_it_is_refused)
{
    cora_async_generator *numbers = cora_async_generator_create(count, .from = 5, .to = 9);
    cora_loop *loops[2] = {virtual_loop(), virtual_loop()};
    int rc[4], visited = 0;

    rc[0] = next_int(numbers);
    cora_async_for (int *number, cora_async_generator_ref(numbers), &rc[1])
        visited += *number;
    for (int i = 0; i < 2; i++) {
        cora_task *task = cora_loop_create_task_arg(loops[i], NULL, take_one_in, "", numbers);

        rc[2 + i] = cora_loop_run_until_complete(loops[i], task);
        cora_task_unref(task);
    }
    assert_int_equal(rc[0], -CORA_ENOTASK);
    assert_int_equal(rc[1], -CORA_ENOTASK);
    assert_int_equal(visited, 0);
    assert_int_equal(rc[2], 0);
    assert_int_equal(rc[3], -CORA_EWRONGLOOP);
    rc[0] = cora_async_generator_aclose(numbers);
    assert_int_equal(rc[0], -CORA_ENOTASK);
    for (int i = 0; i < 2; i++)
        cora_loop_free(loops[i]);
    cora_async_generator_unref(numbers);
}

static void *run_in_thread(void *generator)
{
    return (void *)(intptr_t)cora_run(take_one_in, generator);
}

static int share_with_thread(void *arg)
{
    cora_async_generator *numbers = cora_async_generator_create(count, .from = 5, .to = 9);
    int first = next_int(numbers), closed;
    pthread_t thread;
    void *outcome = NULL;

    (void)arg;
    assert_int_equal(pthread_create(&thread, NULL, run_in_thread, numbers), 0);
    pthread_join(thread, &outcome);
    closed = cora_async_generator_aclose(numbers);
    assert_int_equal(first, 5);
    assert_int_equal((intptr_t)outcome, -CORA_EWRONGLOOP);
    assert_int_equal(closed, 0);
    cora_async_generator_unref(numbers);
    return 0;
}

TEST(a_task_of_another_thread_is_refused)
{
    run_clean(share_with_thread);
}

/* ---- async for ----------------------------------------------------------------------------- */

static int loop_through(void *arg)
{
    int rc = -EIO, visited = 0;

    (void)arg;
    cora_async_for (int *number, cora_async_generator_create(count, .from = 0, .to = 5), &rc) {
        if (*number == 2)
            continue;
        visited = visited * 10 + *number;
    }
    assert_int_equal(visited, 134);
    assert_int_equal(rc, 0);
    assert_true(now() == 5);
    return 0;
}

TEST(the_loop_visits_each_value)
{
    run_clean(loop_through);
}

static int loop_into_error(void *arg)
{
    int rc, visited = 0;

    (void)arg;
    cora_async_for (int *number,
                    cora_async_generator_create(count, .from = 1, .to = 3, .error = -EIO), &rc)
        visited = visited * 10 + *number;
    assert_int_equal(visited, 12);
    assert_int_equal(rc, -EIO);
    return 0;
}

TEST(after_the_loop_rc_tells_the_error_of_the_body)
{
    run_clean(loop_into_error);
}

static int yield_null(void *arg)
{
    int rc = cora_generator_yield(NULL, NULL);

    return rc < 0 ? rc : cora_generator_yield(arg, NULL);
}

static int loop_through_nulls(void *arg)
{
    int rc, visited = 0;

    (void)arg;
    cora_async_for (char *value, cora_async_generator_create_arg(yield_null, &rc), &rc)
        visited = visited * 10 + (value == NULL ? 1 : 2);
    assert_int_equal(visited, 12);
    assert_int_equal(rc, 0);
    return 0;
}

TEST(a_yielded_null_is_a_value_too)
{
    run_clean(loop_through_nulls);
}

static int break_off(void *arg)
{
    cora_async_generator *numbers =
        cora_async_generator_create(count, .from = 0, .to = 5, .name = "body");
    int rc, next;

    (void)arg;
    cora_async_for (int *number, cora_async_generator_ref(numbers), &rc)
        if (*number == 1)
            break;
    trace("after@%g", now());
    next = next_int(numbers);
    assert_int_equal(rc, 0);
    assert_int_equal(next, -CORA_ESTOPITERATION);
    assert_string_equal(trace_text, "body:CORA_EGENERATOREXIT@3 after@3 ");
    cora_async_generator_unref(numbers);
    return 0;
}

TEST(break_closes_the_generator_before_the_next_statement)
{
    run_clean(break_off);
}

static int find(int wanted)
{
    int rc;

    cora_async_for (int *number, cora_async_generator_create(count, .to = 5, .name = "body"), &rc)
        if (*number == wanted)
            return *number;
    return rc < 0 ? rc : -ENOENT;
}

static int find_some(void *arg)
{
    int one = find(1), six;

    (void)arg;
    trace("found@%g", now());
    six = find(6);
    assert_int_equal(one, 1);
    assert_int_equal(six, -ENOENT);
    assert_string_equal(trace_text, "body:CORA_EGENERATOREXIT@3 found@3 body:end@9 ");
    return 0;
}

TEST(return_closes_the_generator_before_it_leaves)
{
    run_clean(find_some);
}

static int jump_out(void *arg)
{
    int rc;

    (void)arg;
    cora_async_for (int *outer, cora_async_generator_create(count, .to = 5, .name = "outer"), &rc) {
        int inner_rc;

        cora_async_for (int *inner, cora_async_generator_create(count, .to = 5, .name = "inner"),
                        &inner_rc)
            if (*inner == 1 && *outer == 0)
                goto out;
    }
    trace("never");
out:
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "inner:CORA_EGENERATOREXIT@4 outer:CORA_EGENERATOREXIT@5 ");
    return 0;
}

TEST(goto_closes_the_generators_of_all_the_loops_that_it_leaves)
{
    run_clean(jump_out);
}

static int break_with(int error, int cleanup)
{
    int rc;

    cora_async_for (int *number,
                    cora_async_generator_create(count, .to = 5, .name = "body", .cleanup = cleanup),
                    &rc)
        if (*number == 1) {
            rc = error;
            break;
        }
    return rc;
}

static int break_with_errors(void *arg)
{
    int rc[3] = {break_with(-EPIPE, 0), break_with(0, -EIO), break_with(7, 0)};

    (void)arg;
    assert_int_equal(rc[0], -EPIPE);
    assert_int_equal(rc[1], -EIO);
    assert_int_equal(rc[2], 7);
    assert_int_equal(reports.count, 0);
    rc[0] = break_with(-EPIPE, -EIO);
    assert_int_equal(rc[0], -EPIPE);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -EIO);
    return 0;
}

TEST(an_error_of_the_statement_stays_and_one_of_the_close_is_then_reported)
{
    int rc = run_virtual(break_with_errors, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
}

static int return_from(int cleanup)
{
    int rc;

    cora_async_for (int *number,
                    cora_async_generator_create(count, .to = 5, .name = "body", .cleanup = cleanup),
                    &rc)
        return *number;
    return rc;
}

static int return_with_error(void *arg)
{
    int rc = return_from(-EIO);

    (void)arg;
    assert_int_equal(rc, 0);
    return rc;
}

TEST(with_return_an_error_of_the_close_is_reported)
{
    int rc = run_virtual(return_with_error, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -EIO);
    assert_string_equal(reports.message,
                        "an error occurred during closing of the asynchronous generator 'count'");
}

static int return_and_sleep(void *arg)
{
    int found = return_from(0);
    int slept = cora_sleep(5);

    (void)arg;
    trace("%d %s@%g", found, cora_strerrorname(slept), now());
    return slept;
}

static int cancel_in_return(void *arg)
{
    cora_task *task = cora_create_task_arg(return_and_sleep, NULL);
    int rc = cora_sleep(1.5), outcome;

    (void)arg;
    cora_task_cancel(task); /* in the cleanup, on the way out of return_from */
    outcome = cora_await_unref(task);
    assert_int_equal(rc, 0);
    assert_int_equal(outcome, -ECANCELED);
    assert_string_equal(trace_text, "body:CORA_EGENERATOREXIT@1.5 0 ECANCELED@1.5 ");
    return 0;
}

TEST(a_cancellation_in_the_cleanup_before_a_return_is_not_lost)
{
    run_clean(cancel_in_return);
}

static int loop_for_long(void *arg)
{
    int rc;

    cora_async_for (int *number, cora_async_generator_create(count, .to = 50, .name = "body"),
                    &rc) {
        if (arg != NULL) {
            rc = cora_sleep(100 + *number);
            if (rc < 0)
                return rc;
        }
    }
    return rc;
}

/* Cancelled while the body of the generator awaits, and while the statement does. */
static int cancel_loops(void *arg)
{
    cora_task *tasks[2] = {cora_create_task_arg(loop_for_long, NULL),
                           cora_create_task_arg(loop_for_long, &arg)};
    int rc = cora_sleep(1.5), outcome[2];

    for (int i = 0; i < 2; i++)
        cora_task_cancel(tasks[i]);
    for (int i = 0; i < 2; i++)
        outcome[i] = cora_await_unref(tasks[i]);
    assert_int_equal(rc, 0);
    assert_int_equal(outcome[0], -ECANCELED);
    assert_int_equal(outcome[1], -ECANCELED);
    assert_string_equal(trace_text, "body:ECANCELED@2.5 body:CORA_EGENERATOREXIT@2.5 ");
    return 0;
}

TEST(a_cancelled_loop_cleans_up_before_its_task_ends)
{
    run_clean(cancel_loops);
}

/* ---- scopes over a yield ------------------------------------------------------------------- */

/* Yields inside a timeout of its own; its outcome is what the exit of that says. */
static int limited(void *arg)
{
    cora_timeout timeout;
    int rc;

    cora_timeout_enter(&timeout, 5);
    do
        rc = cora_generator_yield(arg, NULL);
    while (rc == 0);
    rc = cora_timeout_exit(&timeout, rc);
    trace("%s", cora_strerrorname(rc));
    return rc;
}

static int balance(void *arg)
{
    cora_timeout timeout;
    int rc, ended = 0;

    cora_async_for (char *value, cora_async_generator_create_arg(limited, arg), &rc) {
        cora_timeout_enter(&timeout, 1);
        ended = cora_timeout_exit(&timeout, value != NULL ? cora_sleep(2) : 0);
        if (ended < 0)
            break;
    }
    assert_int_equal(ended, -ETIMEDOUT);
    return rc;
}

TEST(a_timeout_of_the_body_may_be_open_while_the_statement_enters_and_leaves_its_own)
{
    int rc = run_virtual(balance, &rc);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
    assert_string_equal(trace_text, "CORA_EGENERATOREXIT ");
}

static int overlap(void *arg)
{
    cora_async_generator *generator = cora_async_generator_create_arg(limited, arg);
    cora_timeout timeout;
    int rc, closed;

    cora_timeout_enter(&timeout, 1);
    rc = cora_timeout_exit(&timeout, cora_async_generator_anext(generator, NULL));
    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -CORA_EUNBALANCED);
    closed = cora_async_generator_aclose(generator);
    cora_async_generator_unref(generator);
    return closed;
}

TEST(a_timeout_of_the_body_that_outlasts_one_of_the_consumer_around_it_is_reported)
{
    int rc = run_virtual(overlap, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
}

static int take_none(void *generator)
{
    return cora_async_generator_anext(generator, NULL);
}

static int let_another_close(void *arg)
{
    cora_async_generator *generator = cora_async_generator_create_arg(limited, arg);
    int rc = cora_await_unref(cora_create_task_arg(take_none, generator)), closed;

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
    rc = cora_sleep(10); /* the time of the timeout, whose task is gone, passes */
    closed = cora_async_generator_aclose(generator);
    assert_int_equal(rc, 0);
    cora_async_generator_unref(generator);
    return closed;
}

TEST(a_timeout_of_the_body_ends_with_the_task_that_entered_it)
{
    int rc = run_virtual(let_another_close, NULL);

    assert_int_equal(rc, -CORA_EFINISHED);
    assert_int_equal(reports.error, -CORA_EUNBALANCED);
}

/* ---- one inside the other ------------------------------------------------------------------ */

struct nest_args {
    int depth, count;
};

/* What the one inside yields, and 1 more; the innermost yields what `count` does. */
static int nest(void *arg)
{
    struct nest_args *a = arg;
    int rc;

    cora_async_for (
        int *number,
        a->depth > 0 ? cora_async_generator_create(nest, .depth = a->depth - 1, .count = a->count)
                     : cora_async_generator_create(count, .to = a->count, .name = "innermost"),
        &rc) {
        int more = *number + 1;

        rc = cora_generator_yield(&more, NULL);
        if (rc < 0)
            break;
    }
    return rc;
}

static int loop_through_nest(void *arg)
{
    int rc, visited = 0;

    (void)arg;
    cora_async_for (int *number, cora_async_generator_create(nest, .depth = 99, .count = 3), &rc)
        visited = visited * 1000 + *number;
    assert_int_equal(rc, 0);
    assert_int_equal(visited, 100101102);
    cora_async_for (int *number, cora_async_generator_create(nest, .depth = 99, .count = 3), &rc)
        if (*number == 101)
            break;
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "innermost:end@4 innermost:CORA_EGENERATOREXIT@7 ");
    return 0;
}

TEST(a_hundred_generators_one_inside_the_other_work_and_are_closed_from_outside_in)
{
    run_clean(loop_through_nest);
}

static int yield_forever(void *arg)
{
    int rc = 0;

    while (rc == 0) {
        rc = cora_sleep(0);
        if (rc == 0)
            rc = cora_generator_yield(arg, NULL);
    }
    return rc;
}

static int loop_often(void *arg)
{
    size_t before = 0;
    int rc, visited = 0;

    cora_async_for (char *value, cora_async_generator_create_arg(yield_forever, &visited), &rc) {
        if (visited++ == 10)
            before = mallinfo2().uordblks;
        if (visited == 10000 || value == NULL)
            break;
    }
    if (arg != NULL)
        assert_int_equal(mallinfo2().uordblks, before);
    assert_int_equal(visited, 10000);
    return rc;
}

TEST(ten_thousand_iterations_allocate_nothing)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* mallinfo2 does not tell */
#endif
    int rc = run_virtual(loop_often, &rc);

    assert_int_equal(rc, 0);
}

/* ---- references ---------------------------------------------------------------------------- */

static int drop_started(void *arg)
{
    cora_async_generator *numbers =
        cora_async_generator_create(count, .to = 5, .name = "body", .cleanup = arg ? -EIO : 0);
    int next = next_int(numbers);

    cora_async_generator_ref(numbers);
    cora_async_generator_unref(numbers);
    assert_int_equal(next, 0);
    assert_int_equal(cora_all_tasks(NULL, NULL, 0), 1);
    cora_async_generator_unref(numbers);
    trace("unref@%g", now());
    return cora_sleep(5);
}

TEST(one_that_nobody_refers_to_is_closed_by_a_task)
{
    run_clean(drop_started);
    assert_string_equal(trace_text, "unref@1 body:CORA_EGENERATOREXIT@2 ");
}

TEST(an_error_of_that_task_is_reported_as_any_tasks)
{
    int rc = run_virtual(drop_started, &rc);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -EIO);
    assert_string_equal(reports.message, "the task's error was never retrieved");
}

static int drop_others(void *arg)
{
    cora_async_generator *unstarted = cora_async_generator_create(count, .to = 5, .name = "body");
    cora_async_generator *ended = cora_async_generator_create(count, .to = 0);
    int rc = next_int(ended);

    (void)arg;
    assert_int_equal(rc, -CORA_ESTOPITERATION);
    cora_async_generator_unref(unstarted);
    cora_async_generator_unref(ended);
    assert_int_equal(cora_all_tasks(NULL, NULL, 0), 1);
    return 0;
}

TEST(one_that_has_not_started_or_has_ended_needs_no_closing)
{
    run_clean(drop_others);
    assert_string_equal(trace_text, "");
}

static int drop_stubborn(void *arg)
{
    int ignored = 9;
    cora_async_generator *stubborn = cora_async_generator_create_arg(ignore_close, &ignored);
    int rc = next_int(stubborn);

    (void)arg;
    cora_async_generator_unref(stubborn);
    return rc < 0 ? rc : cora_sleep(5);
}

TEST(one_that_ignores_the_close_is_dropped_where_it_stands)
{
    int rc = run_virtual(drop_stubborn, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -CORA_EIGNOREDEXIT);
}

static int drop_while_running(void *arg)
{
    cora_async_generator *numbers = cora_async_generator_create(count, .to = 5, .name = "body");
    cora_task *consumer = cora_create_task_arg(take_one, numbers);
    int rc = cora_sleep(0.5), outcome;

    (void)arg;
    cora_async_generator_unref(numbers); /* the consumer has none of its own */
    outcome = cora_await_unref(consumer);
    assert_int_equal(rc, 0);
    assert_int_equal(outcome, 0);
    return cora_sleep(5);
}

TEST(the_last_reference_may_go_while_a_task_iterates_it)
{
    run_clean(drop_while_running);
    assert_string_equal(trace_text, "body:CORA_EGENERATOREXIT@2 ");
}

static int drop_under_eager_factory(void *arg)
{
    cora_loop_set_task_factory(cora_get_running_loop(), cora_eager_task_factory);
    return drop_started(arg);
}

TEST(an_eager_task_factory_changes_nothing_of_that)
{
    run_clean(drop_under_eager_factory);
    assert_string_equal(trace_text, "unref@1 body:CORA_EGENERATOREXIT@2 ");
}

/* ---- shutdown ------------------------------------------------------------------------------ */

static cora_async_generator *kept[3];

/* Starts three, the last made first, and leaves them. */
static int leave_three(void *arg)
{
    static const char *const names[] = {"a", "b", "c"};

    for (int i = 2; i >= 0; i--)
        kept[i] = cora_async_generator_create(count, .from = i, .to = 5, .name = names[i],
                                              .cleanup = i == 1 && arg ? -EIO : 0);
    for (int i = 0; i < 3; i++) {
        int rc = next_int(kept[i]);

        assert_int_equal(rc, i);
    }
    return 0;
}

static void let_go(void)
{
    for (int i = 0; i < 3; i++)
        cora_async_generator_unref(kept[i]);
}

TEST(what_main_leaves_is_closed_side_by_side_in_the_order_of_the_start)
{
    run_clean(leave_three);
    assert_string_equal(trace_text, "a:CORA_EGENERATOREXIT@4 b:CORA_EGENERATOREXIT@4 "
                                    "c:CORA_EGENERATOREXIT@4 ");
    let_go();
    assert_int_equal(reports.count, 0);
}

TEST(an_error_of_a_close_at_the_end_is_reported_and_the_others_are_closed)
{
    int rc = run_virtual(leave_three, &rc);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -EIO);
    assert_string_equal(reports.message,
                        "an error occurred during closing of the asynchronous generator 'count'");
    assert_string_equal(trace_text, "a:CORA_EGENERATOREXIT@4 b:CORA_EGENERATOREXIT@4 "
                                    "c:CORA_EGENERATOREXIT@4 ");
    let_go();
}

static int shut_down(void *arg)
{
    int rc = leave_three(NULL);

    (void)arg;
    if (rc == 0)
        rc = cora_loop_shutdown_asyncgens(cora_get_running_loop());
    if (rc == 0)
        trace("down@%g", now());
    let_go();
    return rc;
}

TEST(a_task_may_shut_them_down_itself)
{
    run_clean(shut_down);
    assert_string_equal(trace_text, "a:CORA_EGENERATOREXIT@4 b:CORA_EGENERATOREXIT@4 "
                                    "c:CORA_EGENERATOREXIT@4 down@4 ");
}

static int cancel_shut_down(void *arg)
{
    cora_task *task = cora_create_task_arg(shut_down, NULL);
    int rc = cora_sleep(3.5), outcome;

    (void)arg;
    cora_task_cancel(task);
    outcome = cora_await_unref(task);
    assert_int_equal(rc, 0);
    assert_int_equal(outcome, -ECANCELED);
    assert_true(now() == 3.5);
    return 0;
}

TEST(a_shutdown_that_is_cancelled_cancels_the_cleanups_and_waits_for_them)
{
    run_clean(cancel_shut_down);
    assert_string_equal(trace_text, "a:CORA_EGENERATOREXIT@3.5 b:CORA_EGENERATOREXIT@3.5 "
                                    "c:CORA_EGENERATOREXIT@3.5 ");
}

static int start_late(void *arg)
{
    int rc = cora_loop_shutdown_asyncgens(cora_get_running_loop()), visited = 0;

    (void)arg;
    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
    cora_async_for (int *number, cora_async_generator_create(count, .to = 2), &rc)
        visited += *number + 1;
    assert_int_equal(visited, 3);
    return rc;
}

TEST(one_that_is_started_after_the_shutdown_works_and_is_reported)
{
    int rc = run_virtual(start_late, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, 0);
    assert_string_equal(
        reports.message,
        "the asynchronous generator 'count' was started after the loop's were shut down");
}

static int shut_down_wrongly(void *other)
{
    int rc = cora_loop_shutdown_asyncgens(other);

    assert_int_equal(rc, -CORA_EWRONGLOOP);
    return 0;
}

TEST(only_a_task_of_the_loop_may_shut_it_down)
{
    cora_loop *loop = virtual_loop();
    int outside = cora_loop_shutdown_asyncgens(loop);
    int inside = run_virtual(shut_down_wrongly, loop);

    assert_int_equal(outside, -CORA_ENOTASK);
    assert_int_equal(inside, 0);
    cora_loop_free(loop);
}

static int drop_and_cancel(void *arg)
{
    cora_async_generator *numbers = cora_async_generator_create(count, .to = 5, .name = "body");
    int rc = next_int(numbers);
    cora_task *tasks[2] = {NULL, NULL};
    size_t found;

    (void)arg;
    cora_async_generator_unref(numbers);
    found = cora_all_tasks(NULL, tasks, 2);
    assert_int_equal(found, 2);
    cora_task_cancel(tasks[1]);
    cora_task_unref(tasks[0]);
    cora_task_unref(tasks[1]);
    return rc < 0 ? rc : cora_sleep(5);
}

TEST(where_the_closing_task_is_cancelled_before_its_start_the_shutdown_closes)
{
    run_clean(drop_and_cancel);
    assert_string_equal(trace_text, "body:CORA_EGENERATOREXIT@7 ");
}

static int busy_at_shutdown(void *arg)
{
    cora_async_generator *survivor = cora_async_generator_create_arg(survive, NULL);
    cora_task *consumer = cora_create_task_arg(take_one, survivor);
    int slept = cora_sleep(1);
    int rc = cora_loop_shutdown_asyncgens(cora_get_running_loop());
    int outcome = cora_await_unref(consumer);

    (void)arg;
    assert_int_equal(slept, 0);
    assert_int_equal(rc, 0);
    assert_int_equal(outcome, 0);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -EBUSY);
    rc = cora_async_generator_aclose(survivor);
    cora_async_generator_unref(survivor);
    return rc;
}

TEST(one_that_is_being_iterated_cannot_be_shut_down_which_is_reported)
{
    int rc = run_virtual(busy_at_shutdown, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
}

static int leave_stubborn(void *ignored)
{
    kept[0] = cora_async_generator_create_arg(ignore_close, ignored);
    return next_int(kept[0]);
}

TEST(one_that_ignores_the_shutdown_is_reported_and_dropped_with_the_loop)
{
    int ignored = 9;
    int rc = run_virtual(leave_stubborn, &ignored);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 2);
    assert_string_equal(reports.message,
                        "the asynchronous generator 'ignore_close' was dropped before its end");
    cora_async_generator_unref(kept[0]);
}

/* Two loops cut off in the generators' awaits, then the shutdown: all is cleaned up already. */
static int wait_in_two(void *arg)
{
    cora_task *tasks[2] = {cora_create_task_arg(loop_for_long, NULL),
                           cora_create_task_arg(loop_for_long, NULL)};
    int rc = cora_sleep(0.5);

    (void)arg;
    for (int i = 0; i < 2; i++)
        cora_task_unref(tasks[i]);
    return rc;
}

TEST(tasks_that_are_cancelled_at_the_end_clean_up_their_generators)
{
    run_clean(wait_in_two);
    assert_string_equal(trace_text, "body:ECANCELED@1.5 body:ECANCELED@1.5 ");
}

/* ---- a loop closed over it ----------------------------------------------------------------- */

static void stop(void *loop)
{
    cora_loop_stop(loop);
}

/* Runs fn(arg) for so long and closes the loop over it. */
static void close_over(cora_task_fn *fn, void *arg, double seconds)
{
    cora_loop *loop = virtual_loop();
    cora_task *task = cora_loop_create_task_arg(loop, NULL, fn, "fn", arg);
    int rc = cora_loop_call_later(loop, seconds, stop, loop, NULL);

    assert_int_equal(rc, 0);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
    cora_task_unref(task);
    cora_loop_free(loop);
}

TEST(a_loop_closed_over_a_generator_in_an_await_frees_it)
{
    close_over(loop_for_long, NULL, 2.5);
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.message, "the task was dropped while it was pending");
}

TEST(a_loop_closed_over_a_generator_in_a_yield_frees_it)
{
    close_over(loop_for_long, &reports, 2.5);
    assert_int_equal(reports.count, 2);
    assert_string_equal(reports.message,
                        "the asynchronous generator 'count' was dropped before its end");
}

TEST(a_loop_closed_over_nested_generators_frees_them_all)
{
    close_over(loop_through_nest, NULL, 2.5);
    assert_int_equal(reports.count, 1);
}

static int take_two_slowly(void *generator)
{
    int first = next_int(generator);

    return first < 0 ? first : next_int(generator);
}

TEST(a_generator_outlives_the_loop_that_was_closed_over_it)
{
    cora_async_generator *numbers = cora_async_generator_create(count, .to = 9, .name = "body");
    int closed, rc;

    close_over(take_two_slowly, numbers, 2.5);
    assert_int_equal(reports.count, 1);
    rc = run_virtual(take_one_in, numbers);
    closed = cora_async_generator_aclose(numbers);
    assert_int_equal(rc, -CORA_EWRONGLOOP);
    assert_int_equal(closed, 0);
    cora_async_generator_unref(numbers);
    assert_string_equal(trace_text, "");
}

static int close_slowly(void *generator)
{
    int next = next_int(generator);

    cora_async_generator_unref(generator);
    return next < 0 ? next : cora_sleep(100);
}

TEST(a_loop_closed_over_the_task_that_closes_it_frees_it)
{
    /* Iterated until 1, in its cleanup until 2. */
    close_over(close_slowly, cora_async_generator_create(count, .to = 9, .name = "body"), 1.5);
    assert_string_equal(trace_text, "");
    assert_int_equal(reports.count, 2); /* that task, and the one that sleeps */
}

static int close_soon(void *generator)
{
    int next = next_int(generator);

    return cora__async_generator_close_soon(generator) != NULL ? cora_sleep(100) : next;
}

TEST(a_loop_closed_over_the_task_that_closes_it_leaves_it_to_who_refers_to_it)
{
    cora_async_generator *numbers = cora_async_generator_create(count, .to = 9, .name = "body");

    close_over(close_soon, numbers, 1.5);
    assert_string_equal(trace_text, "");
    assert_int_equal(reports.count, 2);
    cora_async_generator_unref(numbers);
}
