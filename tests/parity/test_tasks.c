/*
 * Tasks, cancellation, wait, as_completed, shield, gather, sleep and contexts, as CPython's
 * test_tasks.py has them.
 */
#include "support/test.h"
#include "support/virtual.h"

/* ---- a loop that is driven from outside ----------------------------------------------------- */

static cora_loop *loop;

static void begin(void)
{
    loop = virtual_loop();
}

static void end(void)
{
    cora_loop_free(loop);
}

static bool is_time(double seconds)
{
    double off = cora_loop_time(loop) - seconds;

    return off > -1e-6 && off < 1e-6;
}

static cora_task *spawn(cora_task_fn *fn, void *arg)
{
    cora_task *task = cora_loop_create_task_arg(loop, NULL, fn, "a task", arg);

    assert_non_null(task);
    return task;
}

static int run(cora_future *future)
{
    return cora_loop_run_until_complete(loop, future);
}

/* Runs fn(arg) as a task, to its end. */
static int run_task(cora_task_fn *fn, void *arg)
{
    cora_task *task = spawn(fn, arg);
    int rc = run(task);

    cora_task_unref(task);
    return rc;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* Two iterations: what is ready, and what follows from it at once. */
static void run_briefly(void)
{
    int rc = run_task(nothing, NULL);

    assert_int_equal(rc, 0);
}

/* Until nothing is ready. */
static void settle(void)
{
    while (cora_loop_timeout(loop) == 0)
        run_briefly();
}

static cora_future *new_future(void)
{
    cora_future *future = cora_loop_create_future(loop);

    assert_non_null(future);
    return future;
}

static void new_futures(cora_future *futures[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        futures[i] = new_future();
}

static void unref_all(cora_future *futures[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        cora_future_unref(futures[i]);
}

static void set_result(cora_future *future, int result)
{
    int rc = cora_future_set_result(future, result, NULL);

    assert_int_equal(rc, 0);
}

static void set_exception(cora_future *future, int error)
{
    int rc = cora_future_set_exception(future, error);

    assert_int_equal(rc, 0);
}

static void cancel_it(void *task)
{
    cora_task_cancel(task);
}

static void set_true(void *future)
{
    set_result(future, 1);
}

/* Whether the task is suspended in a call that waits for something. */
static bool waits(cora_task *task)
{
    char text[64];

    return cora_task_waiting_for(task, text, sizeof text)[0] != '\0';
}

/* ---- small tasks ---------------------------------------------------------------------------- */

static int await_it(void *future)
{
    return cora_await(future);
}

struct sleeper_args {
    double delay;
    int result;
};

static int sleeper(void *arg)
{
    struct sleeper_args *a = arg;
    int rc = cora_sleep(a->delay);

    return rc < 0 ? rc : a->result;
}

struct waiter_args {
    cora_future *const *futures;
    size_t count;
    double timeout;
    cora_return_when when;
};

static int waiter(void *arg)
{
    struct waiter_args *a = arg;

    return cora_wait(a->futures, a->count, a->timeout, a->when);
}

/* Runs a task that waits for the two; what cora_wait said. */
static int wait_for_two(cora_future *const futures[], double timeout, cora_return_when when)
{
    struct waiter_args args = {futures, 2, timeout, when};

    return run_task(waiter, &args);
}

static int value_of(void *arg)
{
    return *(int *)arg;
}

/* ---- awaiting ------------------------------------------------------------------------------- */

TEST(BaseTaskTests_test_other_loop_future)
{
    cora_loop *other = virtual_loop();
    cora_future *future = cora_loop_create_future(other);
    int rc;

    begin();
    rc = run_task(await_it, future);
    assert_int_equal(rc, -CORA_EWRONGLOOP);
    cora_future_unref(future);
    cora_loop_free(other);
    end();
}

static int await_self(void *arg)
{
    (void)arg;
    return cora_await(cora_current_task());
}

TEST(BaseTaskTests_test_task_awaits_on_itself)
{
    int rc;

    begin();
    rc = run_task(await_self, NULL);
    assert_int_equal(rc, -CORA_EAWAITSELF);
    end();
}

static int inner_value(int value)
{
    return value;
}

static int add_inner(void *arg)
{
    int a = inner_value(42), b = inner_value(1000);

    (void)arg;
    return a + b;
}

TEST(BaseTaskTests_test_task_basics)
{
    int rc;

    begin();
    rc = run_task(add_inner, NULL);
    assert_int_equal(rc, 1042);
    end();
}

TEST(BaseTaskTests_test_task_set_methods)
{
    int value = 5, rc;
    cora_task *task;

    begin();
    task = spawn(value_of, &value);
    rc = cora_future_set_result(task, 1, NULL);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    rc = cora_future_set_exception(task, -EIO);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    rc = run(task);
    assert_int_equal(rc, 5);
    cora_task_unref(task);
    end();
}

struct keep_value {
    cora_future *future;
    void *value;
};

static int keep_value(void *arg)
{
    struct keep_value *keep = arg;
    int rc = cora_await(keep->future);

    keep->value = cora_future_value(keep->future);
    return rc;
}

TEST(BaseTaskTests_test_step_result_future)
{
    struct keep_value keep = {NULL, NULL};
    cora_task *task;
    int object, rc;

    begin();
    keep.future = new_future();
    task = spawn(keep_value, &keep);
    run_briefly();
    assert_true(waits(task));
    rc = cora_future_set_result(keep.future, 0, &object);
    assert_int_equal(rc, 0);
    run_briefly();
    assert_ptr_equal(keep.value, &object);
    assert_true(cora_task_done(task));
    rc = cora_task_result(task);
    assert_int_equal(rc, 0);
    cora_task_unref(task);
    cora_future_unref(keep.future);
    end();
}

static int one(void *arg)
{
    (void)arg;
    return 1;
}

static int create_and_await(void *arg)
{
    cora_task *task = cora_create_task_arg(one, arg);

    return cora_await_unref(task);
}

TEST(BaseTaskTests_test_bare_create_task)
{
    int rc = run_virtual(create_and_await, NULL);

    assert_int_equal(rc, 1);
}

static int create_named(void *arg)
{
    cora_task_options options = {.name = "No-op"};
    cora_task *task = cora_loop_create_task_arg(NULL, &options, nothing, "nothing", arg);

    assert_string_equal(cora_task_get_name(task), "No-op");
    return cora_await_unref(task);
}

TEST(BaseTaskTests_test_bare_create_named_task)
{
    int rc = run_virtual(create_named, NULL);

    assert_int_equal(rc, 0);
}

/* The only way in which a task cannot be queued: nothing is left of it, and nothing runs. */
TEST(BaseTaskTests_test_error_in_call_soon)
{
    cora_task *task;
    int rc;

    begin();
    rc = cora_loop_close(loop);
    assert_int_equal(rc, 0);
    task = cora_loop_create_task_arg(loop, NULL, nothing, "nothing", NULL);
    assert_null(task);
    assert_int_equal(cora_all_tasks(loop, NULL, 0), 0);
    end();
}

/* Here tasks end with their loop, not with the last reference to them. */
TEST(BaseTaskTests_test_log_destroyed_pending_task)
{
    cora_future *future;
    cora_task *task, *all[2];
    size_t count;
    int rc;

    begin();
    future = new_future();
    task = spawn(await_it, future);
    rc = cora_task_set_name(task, "kill me");
    assert_int_equal(rc, 0);
    count = cora_all_tasks(loop, all, 2);
    assert_int_equal(count, 1);
    assert_ptr_equal(all[0], task);
    cora_task_unref(all[0]);
    run_briefly();
    assert_true(waits(task));
    cora_task_unref(task);
    assert_int_equal(reports.count, 0);
    rc = cora_loop_close(loop);
    assert_int_equal(rc, 0);
    count = cora_all_tasks(loop, NULL, 0);
    assert_int_equal(count, 0);
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.task, "kill me");
    assert_non_null(strstr(reports.message, "pending"));
    cora_future_unref(future);
    end();
}

static int fail_with_eio(void *arg)
{
    (void)arg;
    return -EIO;
}

static int cancel_after_failure(void *arg)
{
    cora_task *task = cora_create_task_arg(fail_with_eio, arg);
    int rc = cora_sleep(0.05);

    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    cora_task_unref(task);
    return 0;
}

/* Who cancels a task that has failed meanwhile does not want to hear of its error. */
TEST(BaseTaskTests_test_tb_logger_not_called_after_cancel)
{
    int rc = run_virtual(cancel_after_failure, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

/* ---- stacks ------------------------------------------------------------------------------------
 */

/* A coroutine's frame is one in Python, and what it awaits has frames of its own: of the running
 * task asyncio tells foo alone. Here the stack is all there is: the oldest call of it is foo. */
static void bar(void)
{
    cora_task *task = cora_current_task();
    cora_call_stack *stack = NULL;
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    int rc = cora_task_get_stack(&stack, task, -1);

    assert_int_equal(rc, 0);
    assert_int_equal(stack->count, 1);
    assert_string_equal(stack->frames[0].function, "foo");
    cora_call_stack_free(stack);
    rc = cora_task_print_stack(task, -1, file);
    assert_int_equal(rc, 0);
    assert_int_equal(fclose(file), 0);
    assert_non_null(strstr(text, "in foo()\n"));
    free(text);
}

static int foo(void *arg)
{
    (void)arg;
    bar();
    return 0;
}

static int get_stack(void *arg)
{
    (void)arg;
    return cora_await_unref(cora_create_task_arg(foo, NULL));
}

TEST(BaseTaskTests_test_get_stack)
{
    int rc;

    begin();
    rc = run_task(get_stack, NULL);
    assert_int_equal(rc, 0);
    end();
}

/* ---- cancelling and uncancelling ------------------------------------------------------------ */

static int sleep_ten(void *arg)
{
    int rc = cora_sleep(10);

    (void)arg;
    return rc < 0 ? rc : 12;
}

TEST(BaseTaskTests_test_cancelling)
{
    cora_task *task;
    bool asked;
    int rc;

    begin();
    task = spawn(sleep_ten, NULL);
    assert_int_equal(cora_task_cancelling(task), 0);
    asked = cora_task_cancel(task);
    assert_true(asked);
    assert_true(cora_task_cancelling(task) > 0);
    asked = cora_task_cancel(task);
    assert_true(asked);
    rc = run(task);
    assert_int_equal(rc, -ECANCELED);
    cora_task_unref(task);
    end();
}

static int sleep_ten_uncancel_sleep_ten(void *arg)
{
    int rc = cora_sleep(10);

    (void)arg;
    if (rc == -ECANCELED) {
        cora_task_uncancel(cora_current_task());
        rc = cora_sleep(10);
    }
    return rc;
}

TEST(BaseTaskTests_test_uncancel_basic)
{
    struct sleeper_args moment = {.delay = 0.01};
    cora_task *task;
    bool asked;
    int rc;

    begin();
    task = spawn(sleep_ten_uncancel_sleep_ten, NULL);
    rc = run_task(sleeper, &moment);
    assert_int_equal(rc, 0);
    asked = cora_task_cancel(task);
    assert_true(asked);
    assert_int_equal(cora_task_cancelling(task), 1);
    assert_false(cora_task_cancelled(task));
    rc = run_task(sleeper, &moment);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_task_cancelling(task), 0);
    assert_false(cora_task_cancelled(task));

    asked = cora_task_cancel(task);
    assert_true(asked);
    assert_int_equal(cora_task_cancelling(task), 1);
    assert_false(cora_task_cancelled(task));
    rc = run(task);
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_task_cancelled(task));
    assert_true(cora_task_done(task));
    assert_true(is_time(0.02));

    cora_task_uncancel(task); /* too late to change anything */
    assert_true(cora_task_cancelled(task));
    assert_true(cora_task_done(task));
    cora_task_unref(task);
    end();
}

/* A timeout built by hand from cancel and uncancel. */
struct request {
    double sleep, timeout;
    cora_task *task;
    bool timed_out, block_finished, outer_reached;
};

static void on_timeout(void *arg)
{
    struct request *request = arg;

    request->timed_out = true;
    cora_task_cancel(request->task);
}

static int structured_block(struct request *request)
{
    cora_handle *handle;
    int rc = cora_loop_call_later(loop, request->timeout, on_timeout, request, &handle);

    assert_int_equal(rc, 0);
    rc = cora_sleep(request->sleep);
    request->block_finished = rc == 0;
    cora_handle_cancel(handle);
    cora_handle_unref(handle);
    if (request->timed_out && cora_task_uncancel(request->task) == 0 && rc == -ECANCELED)
        rc = -ETIMEDOUT;
    return rc;
}

static int make_request(void *arg)
{
    struct request *request = arg;
    int rc;

    request->task = cora_current_task();
    rc = structured_block(request);
    if (rc == -ETIMEDOUT) {
        assert_true(request->timed_out);
        rc = 0;
    }
    request->outer_reached = rc == 0;
    return rc == 0 ? cora_sleep(0) : rc;
}

static void check_request(struct request *request, bool timed_out)
{
    cora_task *task = spawn(make_request, request);
    int rc = run(task);

    assert_int_equal(rc, 0);
    assert_int_equal(request->timed_out, timed_out);
    assert_int_equal(request->block_finished, !timed_out);
    assert_true(request->outer_reached);
    assert_int_equal(cora_task_cancelling(task), 0);
    cora_task_unref(task);
}

TEST(BaseTaskTests_test_uncancel_structured_blocks)
{
    struct request slow = {.sleep = 10, .timeout = 0.1}, quick = {.sleep = 0, .timeout = 10};

    begin();
    check_request(&slow, true);
    assert_true(is_time(0.1));
    check_request(&quick, false);
    assert_true(is_time(0.1));
    end();
}

static int await_then_42(void *future)
{
    int rc = cora_await(future);

    return rc < 0 ? rc : 42;
}

/* A cancellation that is taken back before the task runs is as if it had never been. */
TEST(BaseTaskTests_test_uncancel_resets_must_cancel)
{
    cora_future *future;
    cora_task *task;
    int rc;

    begin();
    future = new_future();
    task = spawn(await_then_42, future);
    run_briefly();
    set_result(future, 0);
    cora_task_cancel(task);
    assert_int_equal(cora_task_cancelling(task), 1);
    cora_task_uncancel(task);
    assert_int_equal(cora_task_cancelling(task), 0);
    rc = run(task);
    assert_int_equal(rc, 42);
    assert_false(cora_task_cancelled(task));
    cora_task_unref(task);
    cora_future_unref(future);
    end();
}

static void check_cancelled(cora_task *task)
{
    bool asked, done = cora_task_done(task), cancelled = cora_task_cancelled(task);

    assert_true(done);
    assert_true(cancelled);
    asked = cora_task_cancel(task);
    assert_false(asked);
    cora_task_unref(task);
}

TEST(BaseTaskTests_test_cancel)
{
    cora_task *task;
    int rc;

    begin();
    task = spawn(sleep_ten, NULL);
    rc = cora_loop_call_soon(loop, cancel_it, task, NULL);
    assert_int_equal(rc, 0);
    rc = run(task);
    assert_int_equal(rc, -ECANCELED);
    assert_true(is_time(0));
    check_cancelled(task);
    end();
}

/* ---- messages ------------------------------------------------------------------------------- */

struct message {
    const char *text;
    bool started;                /* the task is cancelled once it has started */
    int (*ask)(cora_future *of); /* what asks for its outcome afterwards */
};

static int note_and_sleep(void *arg)
{
    trace("started");
    return sleep_ten(arg);
}

static int cancel_with_message(void *arg)
{
    struct message *message = arg;
    cora_task *task = cora_create_task_arg(note_and_sleep, NULL);
    int rc = message->started ? cora_sleep(0) : 0;

    assert_int_equal(rc, 0);
    cora_future_cancel_message(task, message->text);
    rc = cora_wait(&task, 1, INFINITY, CORA_ALL_COMPLETED);
    assert_int_equal(rc, 1);
    rc = message->ask(task);
    cora_task_unref(task);
    return rc;
}

/* What the cancelled task was told is what one learns of the task that passes it on. */
static void check_message(const char *text, bool started, int (*ask)(cora_future *of))
{
    struct message message = {text, started, ask};
    const char *got;
    cora_task *task;
    int rc;

    begin();
    task = spawn(cancel_with_message, &message);
    rc = run(task);
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_task_cancelled(task));
    assert_true(is_time(0));
    got = cora_future_get_cancel_message(task);
    if (text == NULL)
        assert_null(got);
    else
        assert_string_equal(got != NULL ? got : "(none)", text);
    cora_task_unref(task);
    end();
}

TEST(BaseTaskTests_test_cancel_with_message_then_future_result)
{
    check_message(NULL, true, cora_future_result);
    check_message("my message", true, cora_future_result);
}

TEST(BaseTaskTests_test_cancel_with_message_then_future_exception)
{
    check_message(NULL, true, cora_future_exception);
    check_message("my message", true, cora_future_exception);
}

TEST(BaseTaskTests_test_cancel_with_message_before_starting_task)
{
    check_message("my message", false, cora_future_exception);
    assert_string_equal(trace_text, ""); /* it never ran */
}

/* ---- who is told ---------------------------------------------------------------------------- */

static int yield_twice(void *arg)
{
    int rc = cora_sleep(0);

    (void)arg;
    if (rc == 0)
        rc = cora_sleep(0);
    if (rc == 0)
        rc = cora_sleep(0);
    return rc < 0 ? rc : 12;
}

TEST(BaseTaskTests_test_cancel_yield)
{
    cora_task *task;
    int rc;

    begin();
    task = spawn(yield_twice, NULL);
    run_briefly();
    cora_task_cancel(task);
    rc = run(task);
    assert_int_equal(rc, -ECANCELED);
    check_cancelled(task);
    end();
}

TEST(BaseTaskTests_test_cancel_inner_future)
{
    cora_future *future;
    cora_task *task;
    int rc;

    begin();
    future = new_future();
    task = spawn(await_then_42, future);
    run_briefly();
    cora_future_cancel(future);
    rc = run(task);
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_future_cancelled(future));
    assert_true(cora_task_cancelled(task));
    cora_task_unref(task);
    cora_future_unref(future);
    end();
}

TEST(BaseTaskTests_test_cancel_both_task_and_inner_future)
{
    cora_future *future;
    cora_task *task;
    int rc;

    begin();
    future = new_future();
    task = spawn(await_then_42, future);
    run_briefly();
    cora_future_cancel(future);
    cora_task_cancel(task);
    rc = run(task);
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_task_done(task));
    assert_true(cora_future_cancelled(future));
    assert_true(cora_task_cancelled(task));
    cora_task_unref(task);
    cora_future_unref(future);
    end();
}

/* Waits for one after the other, not to be put off by a cancellation in the second. */
struct stages {
    cora_future *future[3];
    size_t count;
    int stage; /* which one it waits for */
};

static int go_through(void *arg)
{
    struct stages *stages = arg;
    int rc = cora_await(stages->future[0]);

    if (rc < 0)
        return rc;
    stages->stage = 1;
    rc = cora_await(stages->future[1]);
    if (stages->count == 2)
        return rc == -ECANCELED ? 42 : rc;
    stages->stage = 2;
    return cora_await(stages->future[2]);
}

static cora_task *go_to_second_and_cancel(struct stages *stages)
{
    cora_task *task;

    new_futures(stages->future, stages->count);
    task = spawn(go_through, stages);
    run_briefly();
    assert_true(waits(task));
    assert_int_equal(stages->stage, 0);
    set_result(stages->future[0], 0);
    run_briefly();
    assert_true(waits(task));
    assert_int_equal(stages->stage, 1);
    cora_task_cancel(task);
    assert_true(cora_future_cancelled(stages->future[1]));
    return task;
}

TEST(BaseTaskTests_test_cancel_task_catching)
{
    struct stages stages = {.count = 2};
    cora_task *task;
    int rc;

    begin();
    task = go_to_second_and_cancel(&stages);
    rc = run(task);
    assert_int_equal(rc, 42);
    assert_false(cora_task_cancelled(task));
    cora_task_unref(task);
    unref_all(stages.future, 2);
    end();
}

TEST(BaseTaskTests_test_cancel_task_ignoring)
{
    struct stages stages = {.count = 3};
    cora_task *task;
    int rc;

    begin();
    task = go_to_second_and_cancel(&stages);
    run_briefly();
    assert_true(waits(task));
    assert_int_equal(stages.stage, 2);
    set_result(stages.future[2], 42);
    rc = run(task);
    assert_int_equal(rc, 42);
    assert_false(cora_future_cancelled(stages.future[2]));
    assert_false(cora_task_cancelled(task));
    cora_task_unref(task);
    unref_all(stages.future, 3);
    end();
}

static int cancel_self_and_sleep(void *arg)
{
    int rc;

    (void)arg;
    cora_task_cancel(cora_current_task());
    rc = cora_sleep(100);
    return rc < 0 ? rc : 12;
}

TEST(BaseTaskTests_test_cancel_current_task)
{
    cora_task *task;
    int rc;

    begin();
    task = spawn(cancel_self_and_sleep, NULL);
    assert_false(cora_task_cancelled(task));
    rc = run(task);
    assert_int_equal(rc, -ECANCELED);
    assert_true(is_time(0));
    check_cancelled(task);
    end();
}

static int cancel_self_and_return(void *arg)
{
    (void)arg;
    cora_task_cancel(cora_current_task());
    return 12;
}

TEST(BaseTaskTests_test_cancel_at_end)
{
    cora_task *task;
    int rc;

    begin();
    task = spawn(cancel_self_and_return, NULL);
    assert_false(cora_task_cancelled(task));
    rc = run(task);
    assert_int_equal(rc, -ECANCELED);
    check_cancelled(task);
    end();
}

struct nesting {
    cora_future *future;
    cora_task *nested;
};

static int cancel_self_and_await(void *arg)
{
    struct nesting *nesting = arg;
    int rc;

    nesting->nested = cora_create_task_arg(await_it, nesting->future);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    cora_task_cancel(cora_current_task());
    return cora_await(nesting->nested);
}

/* What a task waits for first after it has cancelled itself is cancelled too, all the way down. */
TEST(BaseTaskTests_test_cancel_awaited_task)
{
    struct nesting nesting = {NULL, NULL};
    cora_task *task;
    int rc;

    begin();
    nesting.future = new_future();
    task = spawn(cancel_self_and_await, &nesting);
    rc = run(task);
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_task_cancelled(task));
    assert_true(cora_task_cancelled(nesting.nested));
    assert_true(cora_future_cancelled(nesting.future));
    cora_task_unref(nesting.nested);
    cora_task_unref(task);
    cora_future_unref(nesting.future);
    end();
}

static int stop_at_two(void *arg)
{
    int *x = arg, rc = 0;

    while (rc == 0 && *x < 10) {
        rc = cora_sleep(0.1);
        if (rc == 0 && ++*x == 2)
            cora_loop_stop(loop);
    }
    return rc;
}

TEST(BaseTaskTests_test_stop_while_run_in_complete)
{
    cora_task *task;
    int x = 0, rc;

    begin();
    task = spawn(stop_at_two, &x);
    rc = run(task);
    assert_int_equal(rc, -CORA_ESTOPPED);
    assert_false(cora_task_done(task));
    assert_int_equal(x, 2);
    assert_true(is_time(0.2));
    cora_task_cancel(task);
    rc = run(task);
    assert_int_equal(rc, -ECANCELED);
    cora_task_unref(task);
    end();
}

TEST(BaseTaskTests_test_task_cancel_waiter_future)
{
    cora_future *future;
    cora_task *task;
    int rc;

    begin();
    future = new_future();
    task = spawn(await_it, future);
    run_briefly();
    assert_true(waits(task));
    cora_task_cancel(task);
    run_briefly();
    rc = run(task);
    assert_int_equal(rc, -ECANCELED);
    assert_false(waits(task));
    assert_true(cora_future_cancelled(future));
    cora_task_unref(task);
    cora_future_unref(future);
    end();
}

static int cancelled_to_eio(void *arg)
{
    int rc = sleep_ten(arg);

    return rc == -ECANCELED ? -EIO : rc;
}

/* A task that answers a cancellation by another error has failed with that. */
TEST(BaseTaskTests_test_baseexception_during_cancel)
{
    cora_task *task;
    int rc;

    begin();
    task = spawn(cancelled_to_eio, NULL);
    run_briefly();
    cora_task_cancel(task);
    assert_false(cora_task_done(task));
    run_briefly();
    assert_true(cora_task_done(task));
    assert_false(cora_task_cancelled(task));
    rc = cora_task_exception(task);
    assert_int_equal(rc, -EIO);
    cora_task_unref(task);
    end();
}

struct proof {
    cora_future *waiter;
    int proof;
};

static int count_cancellation(struct proof *proof)
{
    int rc = cora_await(proof->waiter);

    if (rc == -ECANCELED)
        proof->proof += 1;
    else
        fail_msg("got past the wait");
    return rc;
}

static int expect_cancellation(void *arg)
{
    struct proof *proof = arg;
    int rc = count_cancellation(proof);

    proof->proof += rc == -ECANCELED ? 100 : 10;
    return 0;
}

TEST(BaseTaskTests_test_yield_future_passes_cancel)
{
    struct proof proof = {NULL, 0};
    cora_task *task;
    int rc;

    begin();
    proof.waiter = new_future();
    task = spawn(expect_cancellation, &proof);
    run_briefly();
    cora_task_cancel(task);
    rc = run(task);
    assert_int_equal(rc, 0);
    assert_int_equal(proof.proof, 101);
    assert_true(cora_future_cancelled(proof.waiter));
    cora_task_unref(task);
    cora_future_unref(proof.waiter);
    end();
}

/* ---- wait ----------------------------------------------------------------------------------- */

static int wait_then_42(void *arg)
{
    int rc = waiter(arg);

    assert_int_equal(rc, 2);
    return 42;
}

TEST(BaseTaskTests_test_wait)
{
    struct sleeper_args of_a = {.delay = 0.1}, of_b = {.delay = 0.15};
    cora_task *a, *b;
    int rc;

    begin();
    a = spawn(sleeper, &of_a);
    b = spawn(sleeper, &of_b);
    for (int i = 0; i < 2; i++) { /* the second time it takes none */
        struct waiter_args args = {(cora_future *[]){b, a}, 2, INFINITY, CORA_ALL_COMPLETED};

        rc = run_task(wait_then_42, &args);
        assert_int_equal(rc, 42);
        assert_true(cora_task_done(a));
        assert_true(cora_task_done(b));
        assert_true(is_time(0.15));
    }
    cora_task_unref(a);
    cora_task_unref(b);
    end();
}

TEST(BaseTaskTests_test_wait_duplicate_coroutines)
{
    struct waiter_args args = {NULL, 3, INFINITY, CORA_ALL_COMPLETED};
    int test = 1, spam = 2, rc;
    cora_task *c, *other;

    begin();
    c = spawn(value_of, &test);
    other = spawn(value_of, &spam);
    args.futures = (cora_future *[]){c, c, other};
    rc = run_task(waiter, &args);
    assert_int_equal(rc, 2);
    rc = cora_task_result(c);
    assert_int_equal(rc, 1);
    rc = cora_task_result(other);
    assert_int_equal(rc, 2);
    cora_task_unref(c);
    cora_task_unref(other);
    end();
}

TEST(BaseTaskTests_test_wait_errors)
{
    struct waiter_args of_none = {NULL, 0, INFINITY, CORA_ALL_COMPLETED};
    struct waiter_args when = {NULL, 1, INFINITY, (cora_return_when)-1};
    cora_task *task;
    int rc;

    begin();
    rc = run_task(waiter, &of_none);
    assert_int_equal(rc, -EINVAL);
    task = spawn(sleep_ten, NULL);
    when.futures = &task;
    rc = run_task(waiter, &when);
    assert_int_equal(rc, -EINVAL);
    cora_task_cancel(task);
    rc = run(task);
    assert_int_equal(rc, -ECANCELED);
    cora_task_unref(task);
    end();
}

/* Lets both come to their end. */
static void wait_for_rest(cora_task *a, cora_task *b, double at)
{
    int rc = wait_for_two((cora_future *[]){a, b}, INFINITY, CORA_ALL_COMPLETED);

    assert_int_equal(rc, 2);
    assert_true(is_time(at));
    cora_task_unref(a);
    cora_task_unref(b);
}

TEST(BaseTaskTests_test_wait_first_completed)
{
    struct sleeper_args of_b = {.delay = 0.1};
    cora_task *a, *b;
    int rc;

    begin();
    a = spawn(sleep_ten, NULL);
    b = spawn(sleeper, &of_b);
    rc = wait_for_two((cora_future *[]){b, a}, INFINITY, CORA_FIRST_COMPLETED);
    assert_int_equal(rc, 1);
    assert_false(cora_task_done(a));
    assert_true(cora_task_done(b));
    rc = cora_task_result(b);
    assert_int_equal(rc, 0);
    assert_true(is_time(0.1));
    wait_for_rest(a, b, 10);
    end();
}

static int yield_times(void *arg)
{
    int rc = 0;

    for (int left = *(int *)arg; rc == 0 && left > 0; left--)
        rc = cora_sleep(0);
    return rc;
}

/* What ends between the first completion and the return counts as done. */
TEST(BaseTaskTests_test_wait_really_done)
{
    int once = 1, twice = 2, rc;
    cora_task *a, *b;

    begin();
    a = spawn(yield_times, &once);
    b = spawn(yield_times, &twice);
    rc = wait_for_two((cora_future *[]){b, a}, INFINITY, CORA_FIRST_COMPLETED);
    assert_int_equal(rc, 2);
    assert_true(cora_task_done(a));
    assert_true(cora_task_done(b));
    rc = cora_task_result(a);
    assert_int_equal(rc, 0);
    rc = cora_task_result(b);
    assert_int_equal(rc, 0);
    cora_task_unref(a);
    cora_task_unref(b);
    end();
}

TEST(BaseTaskTests_test_wait_first_exception)
{
    cora_task *a, *b;
    int rc;

    begin();
    a = spawn(sleep_ten, NULL);
    b = spawn(fail_with_eio, NULL);
    rc = wait_for_two((cora_future *[]){b, a}, INFINITY, CORA_FIRST_EXCEPTION);
    assert_int_equal(rc, 1);
    assert_true(cora_task_done(b));
    assert_false(cora_task_done(a));
    assert_true(is_time(0));
    wait_for_rest(a, b, 10);
    end();
}

TEST(BaseTaskTests_test_wait_first_exception_in_wait)
{
    struct sleeper_args of_b = {.delay = 0.01, .result = -EIO};
    cora_task *a, *b;
    int rc;

    begin();
    a = spawn(sleep_ten, NULL);
    b = spawn(sleeper, &of_b);
    rc = wait_for_two((cora_future *[]){b, a}, INFINITY, CORA_FIRST_EXCEPTION);
    assert_int_equal(rc, 1);
    assert_true(cora_task_done(b));
    assert_false(cora_task_done(a));
    assert_true(is_time(0.01));
    wait_for_rest(a, b, 10);
    end();
}

/* An error does not end a wait for all, and is there to be asked for. */
TEST(BaseTaskTests_test_wait_with_exception)
{
    struct sleeper_args of_a = {.delay = 0.1}, of_b = {.delay = 0.15, .result = -EIO};
    cora_task *a, *b;
    int rc;

    begin();
    a = spawn(sleeper, &of_a);
    b = spawn(sleeper, &of_b);
    for (int i = 0; i < 2; i++) {
        rc = wait_for_two((cora_future *[]){b, a}, INFINITY, CORA_ALL_COMPLETED);
        assert_int_equal(rc, 2);
        assert_true(is_time(0.15));
        rc = cora_task_exception(a);
        assert_int_equal(rc, 0);
        rc = cora_task_exception(b);
        assert_int_equal(rc, -EIO);
    }
    cora_task_unref(a);
    cora_task_unref(b);
    end();
}

TEST(BaseTaskTests_test_wait_with_timeout)
{
    struct sleeper_args of_a = {.delay = 0.1}, of_b = {.delay = 0.15};
    cora_task *a, *b;
    int rc;

    begin();
    a = spawn(sleeper, &of_a);
    b = spawn(sleeper, &of_b);
    rc = wait_for_two((cora_future *[]){b, a}, 0.11, CORA_ALL_COMPLETED);
    assert_int_equal(rc, 1);
    assert_true(cora_task_done(a));
    assert_false(cora_task_done(b));
    assert_true(is_time(0.11));
    wait_for_rest(a, b, 0.15);
    end();
}

/* What ends in the instant of the timeout is done. */
TEST(BaseTaskTests_test_wait_concurrent_complete)
{
    struct sleeper_args of_a = {.delay = 0.1}, of_b = {.delay = 0.15};
    cora_task *a, *b;
    int rc;

    begin();
    a = spawn(sleeper, &of_a);
    b = spawn(sleeper, &of_b);
    rc = wait_for_two((cora_future *[]){b, a}, 0.1, CORA_ALL_COMPLETED);
    assert_int_equal(rc, 1);
    assert_true(cora_task_done(a));
    assert_false(cora_task_done(b));
    assert_true(is_time(0.1));
    wait_for_rest(a, b, 0.15);
    end();
}

static int await_and_count(void *arg)
{
    struct proof *proof = arg;
    int rc = cora_await(proof->waiter);

    if (rc == 0)
        proof->proof += 1;
    return rc;
}

static int wait_for_inner(void *arg)
{
    struct proof *proof = arg;
    cora_task *inner = cora_create_task_arg(await_and_count, proof);
    int rc = cora_wait(&inner, 1, INFINITY, CORA_ALL_COMPLETED);

    cora_task_unref(inner);
    if (rc >= 0)
        proof->proof += 100;
    return rc;
}

/* Runs fn, which waits for await_and_count; cancels it; the inner task goes on. */
static void check_inner_goes_on(cora_task_fn *fn)
{
    struct proof proof = {NULL, 0};
    cora_task *task;
    int rc;

    begin();
    proof.waiter = new_future();
    task = spawn(fn, &proof);
    run_briefly();
    cora_task_cancel(task);
    rc = run(task);
    assert_int_equal(rc, -ECANCELED);
    set_result(proof.waiter, 0);
    run_briefly();
    assert_int_equal(proof.proof, 1);
    cora_task_unref(task);
    cora_future_unref(proof.waiter);
    end();
}

TEST(BaseTaskTests_test_yield_wait_does_not_shield_cancel)
{
    check_inner_goes_on(wait_for_inner);
}

/* ---- as_completed --------------------------------------------------------------------------- */

struct taking {
    cora_future *const *futures;
    size_t count;
    double timeout;
    size_t pause; /* leaves the loop here, and resumes it */
};

static int take_one(cora_as_completed *each)
{
    cora_future *future;
    int rc = cora_as_completed_next(each, &future), result;

    if (rc < 0) {
        trace("%s", cora_strerrorname(rc));
        return rc;
    }
    assert_true(cora_future_done(future));
    result = cora_future_result(future);
    trace("%d@%.2f", result, cora_loop_time(cora_get_running_loop()));
    return 0;
}

static int take_all(void *arg)
{
    struct taking *taking = arg;
    cora_as_completed each;
    int rc = cora_as_completed_start(&each, taking->futures, taking->count, taking->timeout);

    assert_int_equal(rc, 0);
    for (size_t i = 0; rc == 0 && i < taking->pause; i++)
        rc = take_one(&each);
    while (rc == 0)
        rc = take_one(&each);
    cora_as_completed_stop(&each);
    return rc;
}

TEST(BaseTaskTests_test_as_completed)
{
    struct sleeper_args of_a = {0.01, 1}, of_b = {0.01, 2}, of_c = {0.15, 3};
    struct taking taking = {.count = 3, .timeout = INFINITY};
    cora_task *a, *b, *c;
    int rc;

    begin();
    b = spawn(sleeper, &of_b);
    c = spawn(sleeper, &of_c);
    a = spawn(sleeper, &of_a);
    taking.futures = (cora_future *[]){b, c, a};
    rc = run_task(take_all, &taking);
    assert_int_equal(rc, -CORA_ESTOPITERATION);
    assert_string_equal(trace_text, "2@0.01 1@0.01 3@0.15 CORA_ESTOPITERATION ");
    unref_all((cora_future *[]){a, b, c}, 3);
    end();
}

static int take_the_same(void *arg)
{
    struct taking *taking = arg;
    cora_as_completed each;
    cora_future *future;
    unsigned seen = 0;
    int rc = cora_as_completed_start(&each, taking->futures, taking->count, INFINITY);

    assert_int_equal(rc, 0);
    while ((rc = cora_as_completed_next(&each, &future)) == 0)
        for (size_t i = 0; i < taking->count; i++)
            if (taking->futures[i] == future)
                seen |= 1U << i;
    cora_as_completed_stop(&each);
    assert_int_equal(rc, -CORA_ESTOPITERATION);
    return (int)seen;
}

TEST(BaseTaskTests_test_as_completed_same_tasks_in_as_out)
{
    int values[4] = {0, 1, 2, 3}, rc;
    struct taking taking = {.count = 4};
    cora_task *tasks[4];

    begin();
    for (int i = 0; i < 4; i++)
        tasks[i] = spawn(value_of, &values[i]);
    taking.futures = tasks;
    rc = run_task(take_the_same, &taking);
    assert_int_equal(rc, 0xf);
    unref_all(tasks, 4);
    end();
}

TEST(BaseTaskTests_test_as_completed_with_timeout)
{
    struct sleeper_args of_a = {0.1, 1}, of_b = {0.15, 2};
    struct taking taking = {.count = 2, .timeout = 0.12};
    cora_task *a, *b;
    int rc;

    begin();
    a = spawn(sleeper, &of_a);
    b = spawn(sleeper, &of_b);
    taking.futures = (cora_future *[]){a, b};
    rc = run_task(take_all, &taking);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_string_equal(trace_text, "1@0.10 ETIMEDOUT ");
    assert_true(is_time(0.12));
    assert_false(cora_task_done(b));
    wait_for_rest(a, b, 0.15);
    end();
}

TEST(BaseTaskTests_test_as_completed_with_unused_timeout)
{
    struct sleeper_args of_a = {0.01, 1};
    struct taking taking = {.count = 1, .timeout = 1};
    cora_task *a;
    int rc;

    begin();
    a = spawn(sleeper, &of_a);
    taking.futures = &a;
    rc = run_task(take_all, &taking);
    assert_int_equal(rc, -CORA_ESTOPITERATION);
    assert_string_equal(trace_text, "1@0.01 CORA_ESTOPITERATION ");
    assert_true(cora_loop_timeout(loop) < 0); /* its timer has gone */
    cora_task_unref(a);
    end();
}

TEST(BaseTaskTests_test_as_completed_resume_iterator)
{
    int values[4] = {0, 1, 2, 3}, rc;
    struct taking taking = {.count = 4, .timeout = INFINITY, .pause = 2};
    cora_task *tasks[4];

    begin();
    for (int i = 0; i < 4; i++)
        tasks[i] = spawn(value_of, &values[i]);
    taking.futures = tasks;
    rc = run_task(take_all, &taking);
    assert_int_equal(rc, -CORA_ESTOPITERATION);
    assert_string_equal(trace_text, "0@0.00 1@0.00 2@0.00 3@0.00 CORA_ESTOPITERATION ");
    unref_all(tasks, 4);
    end();
}

/* One of several who take from the same iteration, each one future. */
struct taker_args {
    cora_as_completed *each;
    cora_task *after; /* it does not ask before this one is done */
    int number;
};

static int taker(void *arg)
{
    struct taker_args *a = arg;
    int rc = a->after != NULL ? cora_await(a->after) : 0;

    assert_int_equal(rc, 0);
    trace("taker %d:", a->number);
    return take_one(a->each);
}

static int take_in_reverse(void *arg)
{
    struct taking *taking = arg;
    cora_as_completed each;
    cora_task *takers[2];
    int rc = cora_as_completed_start(&each, taking->futures, taking->count, INFINITY);

    assert_int_equal(rc, 0);
    takers[1] = cora_create_task(taker, .each = &each, .number = 1);
    takers[0] = cora_create_task(taker, .each = &each, .number = 0, .after = takers[1]);
    rc = cora_gather(takers, 2, NULL, 0);
    unref_all(takers, 2);
    cora_as_completed_stop(&each);
    return rc;
}

/* The first to wait gets what is done first, whoever that is. */
TEST(BaseTaskTests_test_as_completed_reverse_wait)
{
    struct sleeper_args of_a = {0.05, 1}, of_b = {0.10, 2};
    struct taking taking = {.count = 2};
    cora_task *a, *b;
    int rc;

    begin();
    a = spawn(sleeper, &of_a);
    b = spawn(sleeper, &of_b);
    taking.futures = (cora_future *[]){b, a};
    rc = run_task(take_in_reverse, &taking);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "taker 1: 1@0.05 taker 0: 2@0.10 ");
    cora_task_unref(a);
    cora_task_unref(b);
    end();
}

static int take_at_once(void *arg)
{
    struct taking *taking = arg;
    cora_as_completed each;
    cora_task *takers[2];
    int rc = cora_as_completed_start(&each, taking->futures, taking->count, INFINITY);

    assert_int_equal(rc, 0);
    for (int i = 0; i < 2; i++)
        takers[i] = cora_create_task(taker, .each = &each, .number = i);
    rc = cora_gather(takers, 2, NULL, 0);
    unref_all(takers, 2);
    cora_as_completed_stop(&each);
    return rc;
}

/* Two tasks may wait for the next one at the same time. */
TEST(BaseTaskTests_test_as_completed_concurrent)
{
    struct sleeper_args of_a = {0.05, 1}, of_b = {0.05, 2};
    struct taking taking = {.count = 2};
    cora_task *a, *b;
    int rc;

    begin();
    a = spawn(sleeper, &of_a);
    b = spawn(sleeper, &of_b);
    taking.futures = (cora_future *[]){a, b};
    rc = run_task(take_at_once, &taking);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "taker 0: taker 1: 1@0.05 2@0.05 ");
    cora_task_unref(a);
    cora_task_unref(b);
    end();
}

TEST(BaseTaskTests_test_as_completed_duplicate_coroutines)
{
    struct taking taking = {.count = 3, .timeout = INFINITY};
    int ham = 1, spam = 2, rc;
    cora_task *c, *other;

    begin();
    c = spawn(value_of, &ham);
    other = spawn(value_of, &spam);
    taking.futures = (cora_future *[]){c, c, other};
    rc = run_task(take_all, &taking);
    assert_int_equal(rc, -CORA_ESTOPITERATION);
    assert_string_equal(trace_text, "1@0.00 2@0.00 CORA_ESTOPITERATION ");
    cora_task_unref(c);
    cora_task_unref(other);
    end();
}

/* ---- sleep ---------------------------------------------------------------------------------- */

static int sleep_in_halves(void *arg)
{
    struct sleeper_args *a = arg;
    int rc = cora_sleep(a->delay / 2);

    assert_int_equal(rc, 0);
    assert_true(is_time(a->delay / 2));
    rc = cora_sleep(a->delay / 2);
    return rc < 0 ? rc : a->result;
}

TEST(BaseTaskTests_test_sleep)
{
    struct sleeper_args args = {0.1, 7};
    cora_task *task;
    int rc;

    begin();
    task = spawn(sleep_in_halves, &args);
    rc = run(task);
    assert_int_equal(rc, 7);
    assert_true(cora_task_done(task));
    assert_true(is_time(0.1));
    cora_task_unref(task);
    end();
}

TEST(BaseTaskTests_test_sleep_when_delay_is_nan)
{
    struct sleeper_args args = {.delay = NAN};
    int rc;

    begin();
    rc = run_task(sleeper, &args);
    assert_int_equal(rc, -EINVAL);
    end();
}

/* The timer goes with the sleep. */
TEST(BaseTaskTests_test_sleep_cancel)
{
    cora_task *task;

    begin();
    task = spawn(sleep_ten, NULL);
    run_briefly();
    assert_true(cora_loop_timeout(loop) == 10);
    cora_task_cancel(task);
    run_briefly();
    assert_true(cora_loop_timeout(loop) == -1);
    assert_true(cora_task_cancelled(task));
    cora_task_unref(task);
    end();
}

static int cancel_a_sleeper(void *arg)
{
    cora_task *task = cora_create_task(sleeper, .delay = 5000);
    int rc = cora_loop_call_later(loop, 0.1, cancel_it, task, NULL);

    (void)arg;
    assert_int_equal(rc, 0);
    return cora_await_unref(task);
}

TEST(BaseTaskTests_test_task_cancel_sleeping_task)
{
    int rc;

    begin();
    rc = run_task(cancel_a_sleeper, NULL);
    assert_int_equal(rc, -ECANCELED);
    assert_true(is_time(0.1));
    end();
}

static void increment(void *number)
{
    ++*(int *)number;
}

static int sleep_zero(void *arg)
{
    int *result = arg;
    int rc = cora_loop_call_soon(cora_get_running_loop(), increment, result, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(*result, 0);
    rc = cora_sleep(0);
    assert_int_equal(*result, 1);
    *result += 10;
    return rc;
}

TEST(SleepTests_test_sleep_zero)
{
    int result = 0, rc;

    begin();
    rc = run_task(sleep_zero, &result);
    assert_int_equal(rc, 0);
    assert_int_equal(result, 11);
    assert_true(is_time(0));
    end();
}

/* ---- the current task ----------------------------------------------------------------------- */

static int check_current(void *arg)
{
    cora_task **task = arg;

    assert_ptr_equal(cora_current_task(), *task);
    return 0;
}

TEST(BaseTaskTests_test_current_task)
{
    cora_task *task;
    int rc;

    begin();
    assert_null(cora_current_task());
    task = spawn(check_current, &task);
    rc = run(task);
    assert_int_equal(rc, 0);
    assert_null(cora_current_task());
    cora_task_unref(task);
    end();
}

struct interleaved {
    cora_future *future[2];
    cora_task *task[2];
};

static int interleaved_first(void *arg)
{
    struct interleaved *both = arg;
    int rc;

    assert_ptr_equal(cora_current_task(), both->task[0]);
    rc = cora_await(both->future[0]);
    assert_ptr_equal(cora_current_task(), both->task[0]);
    set_result(both->future[1], 1);
    return rc;
}

static int interleaved_second(void *arg)
{
    struct interleaved *both = arg;
    int rc;

    assert_ptr_equal(cora_current_task(), both->task[1]);
    set_result(both->future[0], 1);
    rc = cora_await(both->future[1]);
    assert_ptr_equal(cora_current_task(), both->task[1]);
    return rc;
}

TEST(BaseTaskTests_test_current_task_with_interleaving_tasks)
{
    struct interleaved both;
    int rc;

    begin();
    assert_null(cora_current_task());
    new_futures(both.future, 2);
    both.task[0] = spawn(interleaved_first, &both);
    both.task[1] = spawn(interleaved_second, &both);
    rc = wait_for_two(both.task, INFINITY, CORA_ALL_COMPLETED);
    assert_int_equal(rc, 2);
    assert_null(cora_current_task());
    for (int i = 0; i < 2; i++) {
        rc = cora_task_result(both.task[i]);
        assert_int_equal(rc, 1);
    }
    unref_all(both.task, 2);
    unref_all(both.future, 2);
    end();
}

TEST(BaseCurrentLoopTests_test_current_task_no_running_loop)
{
    begin();
    assert_null(cora_get_running_loop());
    assert_null(cora_current_task());
    end();
    assert_null(cora_current_task());
}

/* ---- shield --------------------------------------------------------------------------------- */

static cora_future *shield(cora_future *inner)
{
    cora_future *outer = cora_shield(inner);

    assert_non_null(outer);
    return outer;
}

TEST(BaseTaskTests_test_shield_result)
{
    cora_future *inner, *outer;
    int rc;

    begin();
    inner = new_future();
    outer = shield(inner);
    set_result(inner, 42);
    rc = run(outer);
    assert_int_equal(rc, 42);
    cora_future_unref(outer);
    cora_future_unref(inner);
    end();
}

TEST(BaseTaskTests_test_shield_exception)
{
    cora_future *inner, *outer;
    int rc;

    begin();
    inner = new_future();
    outer = shield(inner);
    run_briefly();
    set_exception(inner, -EIO);
    run_briefly();
    rc = cora_future_exception(outer);
    assert_int_equal(rc, -EIO);
    cora_future_unref(outer);
    cora_future_unref(inner);
    end();
    assert_int_equal(reports.count, 0);
}

TEST(BaseTaskTests_test_shield_cancel_inner)
{
    cora_future *inner, *outer;

    begin();
    inner = new_future();
    outer = shield(inner);
    run_briefly();
    cora_future_cancel(inner);
    run_briefly();
    assert_true(cora_future_cancelled(outer));
    cora_future_unref(outer);
    cora_future_unref(inner);
    end();
}

/* Shields the inner future once more, and cancels that. */
static void shield_and_cancel(cora_future *inner)
{
    cora_future *outer = shield(inner);

    run_briefly();
    cora_future_cancel(outer);
    run_briefly();
    assert_true(cora_future_cancelled(outer));
    assert_false(cora_future_done(inner));
    cora_future_unref(outer);
}

TEST(BaseTaskTests_test_shield_cancel_outer)
{
    cora_future *inner;

    begin();
    inner = new_future();
    shield_and_cancel(inner);
    settle();
    assert_false(cora_future_done(inner));
    cora_future_unref(inner);
    end();
}

TEST(BaseTaskTests_test_shield_cancel_outer_result)
{
    cora_future *inner;

    begin();
    inner = new_future();
    shield_and_cancel(inner);
    set_result(inner, 1);
    run_briefly();
    assert_int_equal(reports.count, 0);
    cora_future_unref(inner);
    end();
    assert_int_equal(reports.count, 0);
}

/* An error that nobody waits for any more is reported when it happens. */
TEST(BaseTaskTests_test_shield_cancel_outer_exception)
{
    cora_future *inner;

    begin();
    inner = new_future();
    shield_and_cancel(inner);
    set_exception(inner, -EIO);
    run_briefly();
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -EIO);
    cora_future_unref(inner);
    end();
    assert_int_equal(reports.count, 1);
}

TEST(BaseTaskTests_test_shield_duplicate_log_once)
{
    cora_future *inner;

    begin();
    inner = new_future();
    shield_and_cancel(inner);
    shield_and_cancel(inner);
    set_exception(inner, -EIO);
    run_briefly();
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -EIO);
    cora_future_unref(inner);
    end();
}

TEST(BaseTaskTests_test_shield_shortcut)
{
    cora_future *inner, *outer;
    int rc;

    begin();
    inner = new_future();
    set_result(inner, 42);
    outer = shield(inner);
    rc = run(outer);
    assert_int_equal(rc, 42);
    cora_future_unref(outer);
    cora_future_unref(inner);
    end();
}

static int shield_inner(void *arg)
{
    struct proof *proof = arg;
    cora_task *inner = cora_create_task_arg(await_and_count, proof);
    cora_future *outer = shield(inner);
    int rc = cora_await_unref(outer);

    cora_task_unref(inner);
    if (rc >= 0)
        proof->proof += 100;
    return rc;
}

TEST(BaseTaskTests_test_shield_effect)
{
    check_inner_goes_on(shield_inner);
}

TEST(BaseTaskTests_test_shield_gather)
{
    cora_future *child[2], *parent, *outer;
    const int *results;
    int rc;

    begin();
    new_futures(child, 2);
    parent = cora_gather_future(child, 2, 0);
    outer = shield(parent);
    run_briefly();
    cora_future_cancel(outer);
    run_briefly();
    assert_true(cora_future_cancelled(outer));
    set_result(child[0], 1);
    set_result(child[1], 2);
    run_briefly();
    rc = cora_future_result(parent);
    assert_int_equal(rc, 0);
    results = cora_future_value(parent);
    assert_int_equal(results[0], 1);
    assert_int_equal(results[1], 2);
    cora_future_unref(outer);
    cora_future_unref(parent);
    unref_all(child, 2);
    end();
}

TEST(BaseTaskTests_test_gather_shield)
{
    cora_future *child[2], *inner[2], *parent;
    int rc;

    begin();
    new_futures(child, 2);
    for (int i = 0; i < 2; i++)
        inner[i] = shield(child[i]);
    parent = cora_gather_future(inner, 2, 0);
    run_briefly();
    cora_future_cancel(parent);
    run_briefly();
    rc = cora_future_exception(parent);
    assert_int_equal(rc, -ECANCELED);
    for (int i = 0; i < 2; i++) {
        assert_true(cora_future_cancelled(inner[i]));
        assert_false(cora_future_done(child[i]));
        set_result(child[i], i + 1);
    }
    run_briefly();
    cora_future_unref(parent);
    unref_all(inner, 2);
    unref_all(child, 2);
    end();
    assert_int_equal(reports.count, 0);
}

/* ---- gather and cancellation ---------------------------------------------------------------- */

struct late {
    cora_future *gathering;
    bool asked;
};

static void cancel_late(cora_future *future, void *arg)
{
    struct late *late = arg;

    (void)future;
    late->asked = cora_future_cancel(late->gathering);
}

/* A gathering whose children are all done cannot be cancelled, though it is not done itself. */
TEST(BaseTaskTests_test_cancel_gather_1)
{
    struct late late = {NULL, true};
    cora_future *future;
    cora_task *child;
    int rc;

    begin();
    future = new_future();
    child = spawn(await_it, future);
    late.gathering = cora_gather_future(&child, 1, 0);
    run_briefly();
    rc = cora_future_add_done_callback(future, cancel_late, &late);
    assert_int_equal(rc, 0);
    set_result(future, 42);
    rc = run(late.gathering);
    assert_int_equal(rc, 0);
    assert_false(late.asked);
    assert_false(cora_future_cancelled(late.gathering));
    assert_int_equal(*(const int *)cora_future_value(late.gathering), 42);
    cora_future_unref(late.gathering);
    cora_task_unref(child);
    cora_future_unref(future);
    end();
}

static int gather_again_and_again(void *arg)
{
    double time = 0;

    (void)arg;
    while (time <= 1) {
        cora_task *task = cora_create_task(sleeper, .delay = 0.05);
        int rc = cora_gather(&task, 1, NULL, CORA_RETURN_EXCEPTIONS);

        cora_task_unref(task);
        if (rc < 0)
            return rc;
        time += 0.05;
    }
    return 0;
}

static int cancel_the_gatherer(void *arg)
{
    cora_task *task = cora_create_task_arg(gather_again_and_again, NULL);
    int rc = cora_sleep(0.2);

    assert_int_equal(rc, 0);
    cora_future_cancel_message(task, arg);
    return cora_await_unref(task);
}

/* Collected errors or not: the gatherer hears that it was cancelled, and with which message. */
static void check_cancel_gather(char *message)
{
    const char *got;
    cora_task *task;
    int rc;

    begin();
    task = spawn(cancel_the_gatherer, message);
    rc = run(task);
    assert_int_equal(rc, -ECANCELED);
    assert_true(is_time(0.2));
    got = cora_future_get_cancel_message(task);
    if (message == NULL)
        assert_null(got);
    else
        assert_string_equal(got != NULL ? got : "(none)", message);
    cora_task_unref(task);
    end();
}

TEST(BaseTaskTests_test_cancel_gather_2)
{
    static char message[] = "my message";

    check_cancel_gather(NULL);
    check_cancel_gather(message);
}

/* ---- contexts ------------------------------------------------------------------------------- */

static char nope[] = "nope", yes[] = "yes", something_else[] = "something else";
static cora_context_var cvar = CORA_CONTEXT_VAR_INIT("cvar", nope);

static void set_var(void *value)
{
    int rc = cora_context_var_set(&cvar, value, NULL);

    assert_int_equal(rc, 0);
}

static int set_after_sleep(void *arg)
{
    int rc = cora_sleep(0.01);

    (void)arg;
    assert_ptr_equal(cora_context_var_get(&cvar), nope);
    set_var(something_else);
    return rc;
}

static int context_1(void *arg)
{
    cora_task *task;
    int rc;

    assert_ptr_equal(cora_context_var_get(&cvar), nope);
    task = cora_create_task_arg(set_after_sleep, arg);
    set_var(yes);
    assert_ptr_equal(cora_context_var_get(&cvar), yes);
    rc = cora_await_unref(task);
    assert_ptr_equal(cora_context_var_get(&cvar), yes);
    return rc;
}

/* Neither sees what the other sets after the one has created the other. */
TEST(BaseTaskTests_test_context_1)
{
    int rc = run_virtual(context_1, NULL);

    assert_int_equal(rc, 0);
}

static void set_in_callback(cora_future *future, void *arg)
{
    (void)future;
    set_var(something_else);
    ++*(int *)arg;
}

static int context_2(void *arg)
{
    static char values[2][3];

    (void)arg;
    assert_ptr_equal(cora_context_var_get(&cvar), nope);
    for (int j = 0; j < 2; j++) {
        cora_future *future = new_future();
        int called = 0, rc = cora_future_add_done_callback(future, set_in_callback, &called);

        assert_int_equal(rc, 0);
        set_var(values[j]);
        rc = cora_loop_call_soon(loop, set_true, future, NULL);
        assert_int_equal(rc, 0);
        rc = cora_await_unref(future);
        assert_int_equal(rc, 1);
        assert_int_equal(called, 1);
        assert_ptr_equal(cora_context_var_get(&cvar), values[j]);
        for (int i = 0; i < 3; i++) {
            set_var(&values[j][i]);
            rc = cora_sleep(0.001);
            assert_int_equal(rc, 0);
            assert_ptr_equal(cora_context_var_get(&cvar), &values[j][i]);
        }
    }
    return 0;
}

/* What a callback sets is seen by no task. */
TEST(BaseTaskTests_test_context_2)
{
    int rc;

    begin();
    rc = run_task(context_2, NULL);
    assert_int_equal(rc, 0);
    end();
    assert_ptr_equal(cora_context_var_get(&cvar), nope);
}

static char numbers[32];

static int set_and_check(void *arg)
{
    int number = *(int *)arg;

    for (int i = 0; i < 10; i++) {
        int rc;

        set_var(&numbers[number + i]);
        rc = cora_sleep(0.001 + 0.049 * ((number * 7 + i * 3) % 11) / 10);
        assert_int_equal(rc, 0);
        assert_ptr_equal(cora_context_var_get(&cvar), &numbers[number + i]);
    }
    return 0;
}

enum { PARALLEL = 100 };

static int context_3(void *arg)
{
    cora_task *tasks[PARALLEL];
    int of[PARALLEL], rc;

    (void)arg;
    for (int i = 0; i < PARALLEL; i++) {
        of[i] = i * 5 % 11;
        tasks[i] = cora_create_task_arg(set_and_check, &of[i]);
    }
    rc = cora_gather(tasks, PARALLEL, NULL, 0);
    unref_all(tasks, PARALLEL);
    return rc;
}

TEST(BaseTaskTests_test_context_3)
{
    int rc = run_virtual(context_3, NULL);

    assert_int_equal(rc, 0);
    assert_ptr_equal(cora_context_var_get(&cvar), nope);
}

static int yield_and_set(void *value)
{
    int rc = cora_sleep(0);

    set_var(value);
    return rc;
}

static int get_var(void *ret)
{
    *(void **)ret = cora_context_var_get(&cvar);
    return 0;
}

static void check_in(cora_context *context, void *expected)
{
    void *value;
    int rc = cora_context_run(context, get_var, &value);

    assert_int_equal(rc, 0);
    assert_ptr_equal(value, expected);
}

/* Two tasks, one after the other, in one given context: the creator sees in it what they set. */
static void share_context(cora_loop *with)
{
    cora_context *context = cora_copy_context();
    cora_task_options options = {.context = context};
    char *const values[] = {yes, something_else};

    check_in(context, nope);
    for (int i = 0; i < 2; i++) {
        cora_task *task =
            cora_loop_create_task_arg(with, &options, yield_and_set, "yield_and_set", values[i]);
        int rc = cora_await_unref(task);

        assert_int_equal(rc, 0);
        check_in(context, values[i]);
        assert_ptr_equal(cora_context_var_get(&cvar), nope);
    }
    cora_context_unref(context);
}

struct setter_args {
    void *value;
};

static int setter(void *arg)
{
    return yield_and_set(((struct setter_args *)arg)->value);
}

static int context_4(void *arg)
{
    cora_context *context = cora_copy_context();
    cora_task_options options = {.context = context};
    int rc;

    (void)arg;
    check_in(context, nope);
    rc = cora_await_unref(cora_create_task_with(&options, setter, .value = yes));
    assert_int_equal(rc, 0);
    check_in(context, yes);
    rc = cora_await_unref(cora_create_task_with(&options, setter, .value = something_else));
    assert_int_equal(rc, 0);
    check_in(context, something_else);
    cora_context_unref(context);
    return 0;
}

/* Of the three ways to create a task: by the macro that copies arguments, */
TEST(BaseTaskTests_test_context_4)
{
    int rc = run_virtual(context_4, NULL);

    assert_int_equal(rc, 0);
}

static int context_5(void *arg)
{
    (void)arg;
    share_context(NULL);
    return 0;
}

/* on the running loop, */
TEST(BaseTaskTests_test_context_5)
{
    int rc = run_virtual(context_5, NULL);

    assert_int_equal(rc, 0);
}

static int context_6(void *arg)
{
    (void)arg;
    share_context(loop);
    return 0;
}

/* and on a loop that is named. */
TEST(BaseTaskTests_test_context_6)
{
    int rc;

    begin();
    rc = run_task(context_6, NULL);
    assert_int_equal(rc, 0);
    end();
}

TEST(BaseTaskTests_test_get_context)
{
    cora_context *context = cora_copy_context();
    cora_task_options options = {.context = context};
    cora_task *task;
    int rc;

    begin();
    task = cora_loop_create_task_arg(loop, &options, nothing, "nothing", NULL);
    rc = run(task);
    assert_int_equal(rc, 0);
    assert_ptr_equal(cora_task_get_context(task), context);
    cora_task_unref(task);
    cora_context_unref(context);
    end();
}

/* ---- eager start ---------------------------------------------------------------------------- */

static int keep_name(void *arg)
{
    snprintf(arg, 16, "%s", cora_task_get_name(cora_current_task()));
    return 0;
}

static cora_task *start_example(bool eager, char *name)
{
    cora_task_options options = {.name = "example", .eager_start = eager};

    return cora_loop_create_task_arg(NULL, &options, keep_name, "keep_name", name);
}

static int eager_start_true(void *arg)
{
    char name[16] = "";
    cora_task *task = start_example(true, name);

    (void)arg;
    assert_true(cora_task_done(task));
    assert_string_equal(name, "example");
    return cora_await_unref(task);
}

TEST(BaseTaskTests_test_eager_start_true)
{
    int rc = run_virtual(eager_start_true, NULL);

    assert_int_equal(rc, 0);
}

static int eager_start_false(void *arg)
{
    char name[16] = "";
    cora_task *task = start_example(false, name);
    int rc;

    (void)arg;
    assert_false(cora_task_done(task));
    assert_string_equal(name, "");
    rc = cora_await_unref(task);
    assert_string_equal(name, "example");
    return rc;
}

TEST(BaseTaskTests_test_eager_start_false)
{
    int rc = run_virtual(eager_start_false, NULL);

    assert_int_equal(rc, 0);
}

/* ---- gather --------------------------------------------------------------------------------- */

static void count_call(cora_future *future, void *arg)
{
    int *called = arg;

    assert_true(cora_future_done(future));
    ++*called;
}

/* Gathers the futures themselves, or tasks that wait for them. */
static cora_future *gather(cora_future *futures[], size_t count, bool in_tasks, unsigned flags,
                           int *called)
{
    cora_future *children[8], *all;
    int rc;

    for (size_t i = 0; i < count; i++)
        children[i] = in_tasks ? spawn(await_it, futures[i]) : cora_future_ref(futures[i]);
    all = cora_gather_future(children, count, flags);
    unref_all(children, count);
    *called = 0;
    rc = cora_future_add_done_callback(all, count_call, called);
    assert_int_equal(rc, 0);
    return all;
}

/* Results in the order of the arguments, whichever comes first. */
static void check_success(bool in_tasks, unsigned flags)
{
    cora_future *abc[3], *all;
    const int *results;
    int called, rc;

    begin();
    new_futures(abc, 3);
    all = gather(abc, 3, in_tasks, flags, &called);
    set_result(abc[1], 1);
    set_result(abc[0], 2);
    settle();
    assert_int_equal(called, 0);
    assert_false(cora_future_done(all));
    set_result(abc[2], 3);
    settle();
    assert_int_equal(called, 1);
    rc = cora_future_result(all);
    assert_int_equal(rc, 0);
    results = cora_future_value(all);
    assert_int_equal(results[0], 2);
    assert_int_equal(results[1], 1);
    assert_int_equal(results[2], 3);
    cora_future_unref(all);
    unref_all(abc, 3);
    end();
}

TEST(GatherTestsBase_test_success)
{
    check_success(false, 0);
    check_success(true, 0);
}

TEST(GatherTestsBase_test_result_exception_success)
{
    check_success(false, CORA_RETURN_EXCEPTIONS);
    check_success(true, CORA_RETURN_EXCEPTIONS);
}

/* What becomes of the others afterwards changes nothing, and is not reported. */
static void end_the_others(cora_future *abcde[], cora_future *all, int *called)
{
    int rc;

    set_result(abcde[2], 3);
    cora_future_cancel(abcde[3]);
    set_exception(abcde[4], -ENOSPC);
    rc = cora_future_exception(abcde[4]);
    assert_int_equal(rc, -ENOSPC);
    settle();
    assert_int_equal(*called, 1);
    cora_future_unref(all);
    unref_all(abcde, 5);
    end();
    assert_int_equal(reports.count, 0);
}

static void check_one_exception(bool in_tasks)
{
    cora_future *abcde[5], *all;
    int called, rc;

    begin();
    new_futures(abcde, 5);
    all = gather(abcde, 5, in_tasks, 0, &called);
    set_result(abcde[0], 1);
    set_exception(abcde[1], -EIO);
    settle();
    assert_true(cora_future_done(all));
    assert_int_equal(called, 1);
    rc = cora_future_exception(all);
    assert_int_equal(rc, -EIO);
    end_the_others(abcde, all, &called);
}

TEST(GatherTestsBase_test_one_exception)
{
    check_one_exception(false);
    check_one_exception(true);
}

static void check_return_exceptions(bool in_tasks)
{
    cora_future *abcd[4], *all;
    const int *results;
    int called, rc;

    begin();
    new_futures(abcd, 4);
    all = gather(abcd, 4, in_tasks, CORA_RETURN_EXCEPTIONS, &called);
    set_result(abcd[1], 1);
    set_exception(abcd[2], -EIO);
    set_result(abcd[0], 3);
    settle();
    assert_false(cora_future_done(all));
    set_exception(abcd[3], -ENOSPC);
    settle();
    assert_true(cora_future_done(all));
    assert_int_equal(called, 1);
    rc = cora_future_result(all);
    assert_int_equal(rc, 0);
    results = cora_future_value(all);
    assert_int_equal(results[0], 3);
    assert_int_equal(results[1], 1);
    assert_int_equal(results[2], -EIO);
    assert_int_equal(results[3], -ENOSPC);
    cora_future_unref(all);
    unref_all(abcd, 4);
    end();
    assert_int_equal(reports.count, 0);
}

TEST(GatherTestsBase_test_return_exceptions)
{
    check_return_exceptions(false);
    check_return_exceptions(true);
}

static int gather_none(void *arg)
{
    *(cora_future **)arg = cora_gather_future(NULL, 0, 0);
    return 0;
}

TEST(FutureGatherTests_test_constructor_empty_sequence_use_running_loop)
{
    cora_future *all = NULL;
    int rc;

    begin();
    rc = run_task(gather_none, &all);
    assert_int_equal(rc, 0);
    assert_non_null(all);
    assert_ptr_equal(cora_future_get_loop(all), loop);
    settle();
    assert_true(cora_future_done(all));
    rc = cora_future_result(all);
    assert_int_equal(rc, 0);
    cora_future_unref(all);
    end();
}

/* A child that is cancelled fails the gathering, which is not cancelled by that. */
TEST(FutureGatherTests_test_one_cancellation)
{
    cora_future *abcde[5], *all;
    int called, rc;

    begin();
    new_futures(abcde, 5);
    all = gather(abcde, 5, false, 0, &called);
    set_result(abcde[0], 1);
    cora_future_cancel(abcde[1]);
    settle();
    assert_true(cora_future_done(all));
    assert_int_equal(called, 1);
    assert_false(cora_future_cancelled(all));
    rc = cora_future_exception(all);
    assert_int_equal(rc, -ECANCELED);
    end_the_others(abcde, all, &called);
}

TEST(FutureGatherTests_test_result_exception_one_cancellation)
{
    static const int expected[] = {1, -EIO, -ECANCELED, 3, -ECANCELED, -ENOSPC};
    cora_future *abcdef[6], *all;
    const int *results;
    int called, rc;

    begin();
    new_futures(abcdef, 6);
    all = gather(abcdef, 6, false, CORA_RETURN_EXCEPTIONS, &called);
    set_result(abcdef[0], 1);
    set_exception(abcdef[1], -EIO);
    cora_future_cancel(abcdef[2]);
    settle();
    assert_false(cora_future_done(all));
    set_result(abcdef[3], 3);
    cora_future_cancel(abcdef[4]);
    set_exception(abcdef[5], -ENOSPC);
    rc = run(all);
    assert_int_equal(rc, 0);
    results = cora_future_value(all);
    for (int i = 0; i < 6; i++)
        assert_int_equal(results[i], expected[i]);
    settle();
    assert_int_equal(called, 1);
    cora_future_unref(all);
    unref_all(abcdef, 6);
    end();
}

struct counted {
    int value, runs;
};

static int count_run(void *arg)
{
    struct counted *counted = arg;

    counted->runs++;
    return counted->value;
}

TEST(CoroutineGatherTests_test_duplicate_coroutines)
{
    struct counted abc = {1, 0}, def = {2, 0};
    cora_task *c, *other;
    cora_future *all;
    const int *results;
    int rc;

    begin();
    c = spawn(count_run, &abc);
    other = spawn(count_run, &def);
    all = cora_gather_future((cora_future *[]){c, c, other, c}, 4, 0);
    settle();
    rc = cora_future_result(all);
    assert_int_equal(rc, 0);
    results = cora_future_value(all);
    assert_int_equal(results[0], 1);
    assert_int_equal(results[1], 1);
    assert_int_equal(results[2], 2);
    assert_int_equal(results[3], 1);
    assert_int_equal(abc.runs, 1);
    assert_int_equal(def.runs, 1);
    unref_all((cora_future *[]){c, other, all}, 3);
    end();
}

struct broadcast {
    struct proof proof;
    cora_task *child[2];
    cora_future *gathering;
};

static int gather_children(void *arg)
{
    struct broadcast *broadcast = arg;
    int rc;

    broadcast->gathering = cora_gather_future(broadcast->child, 2, 0);
    rc = cora_await(broadcast->gathering);
    if (rc == 0)
        broadcast->proof.proof += 100;
    return rc;
}

TEST(CoroutineGatherTests_test_cancellation_broadcast)
{
    struct broadcast broadcast = {.proof = {NULL, 0}};
    cora_task *task;
    bool asked;
    int rc;

    begin();
    broadcast.proof.waiter = new_future();
    for (int i = 0; i < 2; i++)
        broadcast.child[i] = spawn(await_and_count, &broadcast.proof);
    task = spawn(gather_children, &broadcast);
    run_briefly();
    asked = cora_task_cancel(task);
    assert_true(asked);
    rc = run(task);
    assert_int_equal(rc, -ECANCELED);
    asked = cora_future_cancel(broadcast.gathering);
    assert_false(asked);
    assert_true(cora_future_cancelled(broadcast.proof.waiter));
    assert_true(cora_task_cancelled(broadcast.child[0]));
    assert_true(cora_task_cancelled(broadcast.child[1]));
    run_briefly();
    assert_int_equal(broadcast.proof.proof, 0);
    cora_task_unref(task);
    unref_all(broadcast.child, 2);
    cora_future_unref(broadcast.gathering);
    cora_future_unref(broadcast.proof.waiter);
    end();
}

static int await_and_fail(void *future)
{
    int rc = cora_await(future);

    return rc < 0 ? rc : -EIO;
}

static int gather_failing(void *arg)
{
    cora_future **futures = arg;
    cora_task *tasks[2];
    int rc;

    for (int i = 0; i < 2; i++)
        tasks[i] = cora_create_task_arg(await_and_fail, futures[i]);
    rc = cora_gather(tasks, 2, NULL, 0);
    unref_all(tasks, 2);
    return rc;
}

/* The second error comes when the gathering has failed already: it counts as asked for. */
TEST(CoroutineGatherTests_test_exception_marking)
{
    cora_future *ab[2];
    cora_task *task;
    int rc;

    begin();
    new_futures(ab, 2);
    task = spawn(gather_failing, ab);
    run_briefly();
    set_result(ab[0], 0);
    run_briefly();
    set_result(ab[1], 0);
    run_briefly();
    rc = cora_task_exception(task);
    assert_int_equal(rc, -EIO);
    cora_task_unref(task);
    unref_all(ab, 2);
    end();
    assert_int_equal(reports.count, 0);
}

/* A gathering that is refused leaves no half of itself behind to fail later. */
TEST(CoroutineGatherTests_test_issue46672)
{
    int value = 1, rc;
    cora_future *all;
    cora_task *task;

    begin();
    task = spawn(value_of, &value);
    all = cora_gather_future((cora_future *[]){task, NULL}, 2, 0);
    assert_null(all);
    settle();
    rc = cora_task_result(task);
    assert_int_equal(rc, 1);
    cora_task_unref(task);
    end();
    assert_int_equal(reports.count, 0);
}

/* ---- tasks that a thread starts ------------------------------------------------------------- */

struct add_args {
    int a, b;
    bool fails, is_cancelled, is_slow;
};

static int add(void *arg)
{
    struct add_args *a = arg;
    cora_event never = CORA_EVENT_INIT;
    int rc = a->is_slow ? cora_event_wait(&never) : cora_sleep(0);

    if (rc < 0)
        return rc;
    if (a->fails)
        return -EIO;
    if (a->is_cancelled) {
        cora_task_cancel(cora_current_task());
        rc = cora_sleep(0);
    }
    return rc < 0 ? rc : a->a + a->b;
}

struct target_args {
    bool fails, is_cancelled, is_slow;
    double timeout;
};

/* In a thread: what add, which runs on the loop, comes to; it is not left running. */
static int call_add(void *arg)
{
    struct target_args *a = arg;
    cora_concurrent_future *future =
        cora_run_coroutine_threadsafe(loop, add, .a = 1, .b = 2, .fails = a->fails,
                                      .is_cancelled = a->is_cancelled, .is_slow = a->is_slow);
    int rc = cora_concurrent_future_result(future, a->timeout);

    if (!cora_concurrent_future_done(future))
        cora_concurrent_future_cancel(future);
    cora_concurrent_future_unref(future);
    return rc;
}

static int target(void *arg)
{
    struct target_args *args = arg;

    return cora_to_thread(call_add, args);
}

TEST(RunCoroutineThreadsafeTests_test_run_coroutine_threadsafe)
{
    int rc;

    begin();
    rc = run_task(target, &(struct target_args){.timeout = INFINITY});
    assert_int_equal(rc, 3);
    end();
}

TEST(RunCoroutineThreadsafeTests_test_run_coroutine_threadsafe_with_exception)
{
    int rc;

    begin();
    rc = run_task(target, &(struct target_args){.fails = true, .timeout = INFINITY});
    assert_int_equal(rc, -EIO);
    end();
    assert_int_equal(reports.count, 0); /* the thread has asked for it */
}

TEST(RunCoroutineThreadsafeTests_test_run_coroutine_threadsafe_with_timeout)
{
    size_t left;
    int rc;

    begin();
    rc = run_task(target, &(struct target_args){.is_slow = true, .timeout = 0});
    assert_int_equal(rc, -ETIMEDOUT);
    settle();
    left = cora_all_tasks(loop, NULL, 0);
    assert_int_equal(left, 0);
    end();
}

TEST(RunCoroutineThreadsafeTests_test_run_coroutine_threadsafe_task_cancelled)
{
    int rc;

    begin();
    rc = run_task(target, &(struct target_args){.is_cancelled = true, .timeout = INFINITY});
    assert_int_equal(rc, -ECANCELED);
    end();
}

static cora_task *captured;

static cora_task *capture(cora_loop *its_loop, const cora_task_options *options, cora_task_fn *fn,
                          const char *function, const void *args, size_t size)
{
    cora_task *task = cora_task_create(its_loop, options, fn, function, args, size);

    captured = cora_task_ref(task);
    return task;
}

static int sleep_long(void *arg)
{
    (void)arg;
    return cora_sleep(10);
}

static int start_and_cancel(void *arg)
{
    cora_concurrent_future *future;
    bool cancelled;
    int rc;

    (void)arg;
    cora_loop_set_task_factory(loop, capture);
    future = cora_run_coroutine_threadsafe_arg(loop, sleep_long, NULL);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    assert_non_null(captured);
    cancelled = cora_concurrent_future_cancel(future);
    assert_true(cancelled);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    assert_true(cora_task_cancelled(captured));
    cora_concurrent_future_unref(future);
    cora_task_unref(captured);
    return 0;
}

TEST(RunCoroutineThreadsafeTests_test_run_coroutine_threadsafe_and_cancel)
{
    int rc;

    begin();
    rc = run_task(start_and_cancel, NULL);
    assert_int_equal(rc, 0);
    end();
}
