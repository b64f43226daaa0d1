/* Tasks: what runs when, and what becomes of it. */
#include "support/test.h"
#include "support/virtual.h"

#include "stack/stack.h"

#include <fenv.h>
#include <unistd.h>

static int seven(void *arg)
{
    (void)arg;
    return 7;
}

static int break_down(void *arg)
{
    (void)arg;
    return -EIO;
}

static void soon(cora_callback *fn, void *arg)
{
    int rc = cora_loop_call_soon(cora_get_running_loop(), fn, arg, NULL);

    assert_int_equal(rc, 0);
}

/* Counts iterations: it is the first that each of them runs, if it was queued first of all. */
static int tick;

static void count_iterations(void *arg)
{
    tick++;
    if (tick < 1000)
        soon(count_iterations, arg);
}

/* ---- outcomes ------------------------------------------------------------------------------- */

TEST(a_task_returns_what_its_function_returns)
{
    int rc = run_virtual(seven, NULL);

    assert_int_equal(rc, 7);
}

TEST(a_task_fails_with_what_its_function_fails_with)
{
    int rc = run_virtual(break_down, NULL);

    assert_int_equal(rc, -EIO);
}

static int look_at_outcome(void *arg)
{
    cora_task *task = cora_create_task_arg(seven, NULL);
    int before = cora_task_result(task), rc, after, exception;

    (void)arg;
    rc = cora_sleep(0);
    after = cora_task_result(task);
    exception = cora_task_exception(task);
    assert_int_equal(before, -CORA_EINVALIDSTATE);
    assert_int_equal(rc, 0);
    assert_int_equal(after, 7);
    assert_int_equal(exception, 0);
    assert_true(cora_task_done(task));
    assert_false(cora_task_cancelled(task));
    cora_task_unref(task);
    return 0;
}

TEST(a_task_that_is_done_keeps_its_outcome)
{
    int rc = run_virtual(look_at_outcome, NULL);

    assert_int_equal(rc, 0);
}

static int drop_a_failing_task(void *arg)
{
    cora_task *task = cora_loop_create_task_arg(NULL, &(cora_task_options){.name = "loser"},
                                                break_down, "", NULL);

    (void)arg;
    cora_task_unref(task);
    return cora_sleep(0);
}

TEST(an_error_of_a_task_that_nobody_has_asked_for_is_reported)
{
    int rc = run_virtual(drop_a_failing_task, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -EIO);
    assert_string_equal(reports.task, "loser");
    assert_string_equal(reports.message, "the task's error was never retrieved");
}

/* ---- creation ------------------------------------------------------------------------------- */

static int note(void *arg)
{
    trace("%s", (const char *)arg);
    return 0;
}

static int create_three(void *arg)
{
    cora_task *tasks[3];
    static char names[3][2] = {"a", "b", "c"};
    int rc;

    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = cora_create_task_arg(note, names[i]);
    trace("created");
    rc = cora_sleep(0);
    trace("creator");
    for (int i = 0; i < 3; i++)
        cora_task_unref(tasks[i]);
    return rc;
}

TEST(tasks_start_in_the_next_iteration_in_the_order_of_their_creation)
{
    int rc = run_virtual(create_three, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "created a b c creator ");
}

struct add_args {
    int a, b;
    int *sum;
    char text[40];
};

static int add(void *arg)
{
    struct add_args *a = arg;

    *a->sum = a->a + a->b;
    trace("%s", a->text);
    return (uintptr_t)a % 16 == 0 ? 0 : -EFAULT;
}

static int create_with_arguments(void *arg)
{
    int sum = 0;
    struct add_args args = {.a = 1, .b = 2, .sum = &sum, .text = "copied"};
    cora_task *task =
        cora_loop_create_task_copy(cora_get_running_loop(), NULL, add, "add", &args, sizeof args);

    memset(&args, 0, sizeof args);

    int rc = cora_await_unref(task);

    trace("%d", sum);
    if (rc == 0)
        rc = cora_await_unref(cora_create_task(add, .a = 3, .sum = &sum, .text = "macro"));
    trace("%d", sum);
    *(int *)arg = sum;
    return rc;
}

TEST(a_task_has_a_copy_of_its_arguments)
{
    int sum = 0;
    int rc = run_virtual(create_with_arguments, &sum);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "copied 3 macro 3 ");
}

TEST(no_task_is_created_without_a_running_loop)
{
    cora_task *task = cora_create_task_arg(seven, NULL);

    assert_null(task);
    assert_null(cora_current_task());
    assert_int_equal(cora_all_tasks(NULL, NULL, 0), 0);
}

static int name_tasks(void *arg)
{
    char name[] = "given";
    cora_task *plain = cora_create_task_arg(seven, NULL);
    cora_task *named =
        cora_loop_create_task_arg(NULL, &(cora_task_options){.name = name}, seven, "seven", NULL);
    int rc[3];

    (void)arg;
    name[0] = 'x';
    trace("%s %s %s", cora_task_get_name(cora_current_task()), cora_task_get_name(plain),
          cora_task_get_name(named));
    rc[0] = cora_task_set_name(plain, "new");
    rc[1] = cora_task_set_name(named, "other");
    trace("%s %s", cora_task_get_name(plain), cora_task_get_name(named));
    rc[2] = cora_sleep(0);
    trace("%s", cora_task_get_name(plain));
    cora_task_unref(plain);
    cora_task_unref(named);
    return rc[0] | rc[1] | rc[2];
}

TEST(tasks_have_names)
{
    int rc = run_virtual(name_tasks, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "Task-1 Task-2 given new other new ");
}

TEST(a_future_is_no_task_and_has_no_name)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = cora_loop_create_future(loop);
    char text[8] = "x";
    int rc = cora_task_set_name(future, "name");

    assert_int_equal(rc, -EINVAL);
    assert_null(cora_task_get_name(future));
    assert_null(cora_task_get_context(future));
    assert_int_equal(cora_task_cancelling(future), 0);
    assert_int_equal(cora_task_uncancel(future), 0);
    assert_int_equal(cora_task_stack_used(future), 0);
    assert_string_equal(cora_task_waiting_for(future, text, sizeof text), "");
    cora_future_unref(future);
    cora_loop_free(loop);
}

TEST(every_question_about_a_task_accepts_null)
{
    char text[8] = "x";
    int rc = cora_task_set_name(NULL, "name");

    assert_int_equal(rc, -EINVAL);
    assert_null(cora_task_get_name(NULL));
    assert_null(cora_task_get_context(NULL));
    assert_int_equal(cora_task_cancelling(NULL), 0);
    assert_int_equal(cora_task_uncancel(NULL), 0);
    assert_false(cora_task_cancel(NULL));
    assert_string_equal(cora_task_waiting_for(NULL, text, sizeof text), "");
    cora_task_unref(NULL);
}

/* ---- who runs ------------------------------------------------------------------------------- */

static int is_current(void *arg)
{
    cora_task **task = arg;
    bool before = cora_current_task() == *task;
    int rc = cora_sleep(0);

    return rc < 0 ? rc : before && cora_current_task() == *task;
}

static void note_current(void *arg)
{
    (void)arg;
    trace("%s", cora_current_task() == NULL ? "none" : "one");
}

static int ask_who_runs(void *arg)
{
    cora_task *me = cora_current_task();
    cora_task *task = cora_create_task_arg(is_current, &task);
    int rc;

    (void)arg;
    soon(note_current, NULL);
    rc = cora_await_unref(task);
    assert_ptr_equal(cora_current_task(), me);
    return rc;
}

TEST(current_task_is_the_one_that_runs)
{
    int rc = run_virtual(ask_who_runs, NULL);

    assert_int_equal(rc, 1);
    assert_string_equal(trace_text, "none ");
}

static int list_tasks(void *arg)
{
    cora_task *tasks[3], *found[4] = {NULL};
    size_t counts[3];
    int rc;

    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = cora_create_task_arg(seven, NULL);
    counts[0] = cora_all_tasks(NULL, NULL, 0);
    counts[1] = cora_all_tasks(cora_get_running_loop(), found, 3);
    rc = cora_sleep(0);
    counts[2] = cora_all_tasks(NULL, &found[3], 1);
    assert_int_equal(rc, 0);
    assert_int_equal(counts[0], 4);
    assert_int_equal(counts[1], 4);
    assert_int_equal(counts[2], 1);
    assert_ptr_equal(found[0], cora_current_task());
    assert_ptr_equal(found[1], tasks[0]);
    assert_ptr_equal(found[2], tasks[1]);
    assert_ptr_equal(found[3], cora_current_task());
    for (int i = 0; i < 4; i++)
        cora_task_unref(found[i]);
    for (int i = 0; i < 3; i++)
        cora_task_unref(tasks[i]);
    return 0;
}

TEST(all_tasks_are_those_that_are_not_done)
{
    int rc = run_virtual(list_tasks, NULL);

    assert_int_equal(rc, 0);
}

static int mark_as_done(void *arg)
{
    int rc = cora_sleep(1);

    *(bool *)arg = rc == 0;
    return rc;
}

static int drop_a_handle(void *arg)
{
    cora_task_unref(cora_create_task_arg(mark_as_done, arg));
    return cora_sleep(2);
}

TEST(a_task_goes_on_though_its_handle_was_dropped)
{
    bool done = false;
    int rc = run_virtual(drop_a_handle, &done);

    assert_int_equal(rc, 0);
    assert_true(done);
}

/* ---- context variables ---------------------------------------------------------------------- */

static cora_context_var colour = CORA_CONTEXT_VAR_INIT("colour", "none");

static void paint(const char *value)
{
    int rc = cora_context_var_set(&colour, (void *)(uintptr_t)value, NULL);

    assert_int_equal(rc, 0);
}

static const char *current_colour(void)
{
    return cora_context_var_get(&colour);
}

static int paint_and_note(void *arg)
{
    int rc;

    trace("%s", current_colour());
    paint(arg);
    rc = cora_sleep(0);
    trace("%s", current_colour());
    return rc;
}

static int isolate(void *arg)
{
    cora_task *task;
    int rc;

    (void)arg;
    paint("red");
    task = cora_create_task_arg(paint_and_note, "green");
    paint("blue");
    rc = cora_await_unref(task);
    trace("%s", current_colour());
    return rc;
}

TEST(a_task_has_a_copy_of_its_creators_context_variables)
{
    int rc = run_virtual(isolate, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "red green blue ");
    assert_string_equal(current_colour(), "none");
}

static int share(void *arg)
{
    cora_context *context = cora_copy_context();
    cora_task_options options = {.context = context};
    cora_task *tasks[2];
    int rc = 0;

    (void)arg;
    tasks[0] = cora_loop_create_task_arg(NULL, &options, paint_and_note, "paint", "green");
    tasks[1] = cora_loop_create_task_arg(NULL, &options, paint_and_note, "paint", "yellow");
    assert_ptr_equal(cora_task_get_context(tasks[0]), context);
    assert_ptr_not_equal(cora_task_get_context(cora_current_task()), context);
    cora_context_unref(context);
    for (int i = 0; i < 2; i++)
        rc |= cora_await_unref(tasks[i]);
    trace("%s", current_colour());
    return rc;
}

TEST(tasks_share_a_context_that_they_are_given)
{
    int rc = run_virtual(share, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "none green yellow yellow none ");
}

static int paint_only(void *arg)
{
    paint(arg);
    return 0;
}

static int tell_colour(void *arg)
{
    (void)arg;
    trace("%s", current_colour());
    return 0;
}

static int outlive(void *arg)
{
    cora_task *task = cora_create_task_arg(paint_only, "green");
    cora_context *context;
    int rc = cora_await(task);

    (void)arg;
    assert_int_equal(rc, 0);
    context = cora_context_ref(cora_task_get_context(task));
    cora_task_unref(task);
    rc = cora_context_run(context, tell_colour, NULL);
    cora_context_unref(context);
    return rc;
}

TEST(a_reference_to_a_tasks_context_keeps_it_when_the_task_is_gone)
{
    int rc = run_virtual(outlive, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "green ");
}

static int bequeath(void *arg)
{
    cora_task *parent = cora_create_task_arg(paint_only, "green");
    cora_task_options options;
    cora_task *heir;
    int rc = cora_await(parent);

    (void)arg;
    assert_int_equal(rc, 0);
    options = (cora_task_options){.context = cora_task_get_context(parent)};
    heir = cora_loop_create_task_arg(NULL, &options, tell_colour, "tell_colour", NULL);
    cora_task_unref(parent);
    return cora_await_unref(heir);
}

TEST(a_task_may_be_given_the_context_of_one_that_is_gone)
{
    int rc = run_virtual(bequeath, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "green ");
}

static int ask_for_own_context(void *arg)
{
    *(cora_context **)arg = cora_task_get_context(cora_current_task());
    return 0;
}

/* Asked for in the midst of things, it is the one in which the task has run so far. */
static int ask_in_the_midst(void *arg)
{
    cora_context *inner = cora_copy_context(), *own = NULL;
    cora_context_token token;
    int rc = cora_context_var_set(&colour, "red", &token);

    (void)arg;
    rc |= cora_context_run(inner, ask_for_own_context, &own);
    cora_context_unref(inner);
    assert_int_equal(rc, 0);
    assert_non_null(own);
    paint("blue");
    rc = cora_context_run(own, tell_colour, NULL);
    rc |= cora_sleep(0);
    rc |= cora_context_var_reset(&colour, &token);
    rc |= cora_context_run(own, tell_colour, NULL);
    assert_ptr_equal(cora_task_get_context(cora_current_task()), own);
    return rc;
}

TEST(a_task_goes_on_in_the_context_that_it_was_asked_for)
{
    int rc = run_virtual(ask_in_the_midst, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "blue none ");
}

static int paint_the_suspended(void *arg)
{
    cora_task *task = cora_create_task_arg(paint_and_note, "green");
    int rc = cora_sleep(0);

    (void)arg;
    rc |= cora_context_run(cora_task_get_context(task), paint_only, "yellow");
    rc |= cora_await_unref(task);
    return rc;
}

TEST(a_suspended_task_sees_what_is_set_in_its_context)
{
    int rc = run_virtual(paint_the_suspended, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "none yellow ");
}

/* ---- stacks --------------------------------------------------------------------------------- */

enum { LARGE = 1 << 20, MANY = 100000 };

static int use_a_large_array(void *arg)
{
    volatile char array[LARGE];
    int rc;

    (void)arg;
    for (int i = 0; i < LARGE; i += 512)
        array[i] = (char)(i / 512);
    rc = cora_sleep(0);
    for (int i = 0; i < LARGE; i += 512)
        if (array[i] != (char)(i / 512))
            rc = -EIO;
    return rc;
}

static int create_with_a_large_stack(void *arg)
{
    cora_task_options options = {.stack_size = 2 * LARGE};

    (void)arg;
    return cora_await_unref(
        cora_loop_create_task_arg(NULL, &options, use_a_large_array, "use_a_large_array", NULL));
}

TEST(a_task_gets_the_stack_that_it_asks_for)
{
    int rc = run_virtual(create_with_a_large_stack, NULL);

    assert_int_equal(rc, 0);
}

static int create_with_an_impossible_stack(void *arg)
{
    cora_task_options options = {.stack_size = (size_t)2 << 30};

    (void)arg;
    return cora_await_unref(cora_loop_create_task_arg(NULL, &options, seven, "seven", NULL));
}

TEST(a_task_that_cannot_get_its_stack_fails)
{
    int rc = run_virtual(create_with_an_impossible_stack, NULL);

    assert_int_equal(rc, -EINVAL);
}

static void note_colour_of_report(cora_loop *loop, const cora_exception_context *context, void *arg)
{
    (void)loop, (void)arg;
    trace("%s: %s", current_colour(), cora_strerrorname(context->error));
}

static int end_before_an_impossible_one(void *arg)
{
    cora_task_options options = {.stack_size = (size_t)2 << 30};

    (void)arg;
    cora_loop_set_exception_handler(cora_get_running_loop(), note_colour_of_report, NULL);
    cora_task_unref(cora_create_task_arg(paint_and_note, "a"));
    cora_task_unref(cora_loop_create_task_arg(NULL, &options, seven, "seven", NULL));
    return cora_sleep(1);
}

TEST(a_task_that_cannot_get_its_stack_is_reported_in_its_own_context)
{
    int rc = run_virtual(end_before_an_impossible_one, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "none none: EINVAL a ");
}

static int count_up(void *arg)
{
    ++*(int *)arg;
    return 0;
}

static int create_many(void *arg)
{
    int count = 0, rc;

    (void)arg;
    for (int i = 0; i < MANY; i++) {
        cora_task *task = cora_create_task_arg(count_up, &count);

        if (task == NULL)
            return -ENOMEM;
        cora_task_unref(task);
    }
    rc = cora_sleep(0);
    return rc < 0 ? rc : count;
}

/* The resident set, in pages. */
static long resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long size = 0, pages = 0;

    if (file != NULL && fscanf(file, "%ld %ld", &size, &pages) != 2)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return pages;
}

TEST(a_hundred_thousand_short_tasks_share_their_stacks)
{
    long before = resident(), after;
    int rc = run_virtual(create_many, NULL);

    after = resident();
    assert_int_equal(rc, MANY);
    /* A page each would be so many; what there is are the tasks themselves. */
    assert_true(after - before < MANY);
}

static int park(void *arg)
{
    return cora_await(arg);
}

enum { PARKED = 1000 };

static int park_many(void *arg)
{
    cora_future *gate = cora_loop_create_future(cora_get_running_loop());
    static cora_task *tasks[PARKED];
    int rc, sum = 0;

    (void)arg;
    for (int i = 0; i < PARKED; i++)
        tasks[i] = cora_create_task_arg(park, gate);
    rc = cora_sleep(0);
    if (rc == 0)
        rc = cora_future_set_result(gate, 1, NULL);
    for (int i = 0; i < PARKED; i++)
        sum += cora_await_unref(tasks[i]);
    cora_future_unref(gate);
    return rc < 0 ? rc : sum;
}

/* Each round needs as many stacks as the last. */
static int park_again_and_again(void *arg)
{
    for (int i = 0; i < 20; i++) {
        int sum = park_many(arg);

        if (sum != PARKED)
            return -EIO;
    }
    return 0;
}

TEST(stacks_of_tasks_that_have_ended_are_used_again)
{
    long before = resident(), after;
    int rc = run_virtual(park_again_and_again, NULL);

    after = resident();
    assert_int_equal(rc, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    /* Two pages of stack each, once: twenty times would be far beyond. */
    assert_true(after - before < 5 * PARKED);
#else
    (void)before, (void)after;
#endif
}

/* ---- await ---------------------------------------------------------------------------------- */

static cora_future *the_future;

static void complete(void *arg)
{
    int rc = cora_future_set_result(the_future, *(int *)arg, NULL);

    assert_int_equal(rc, 0);
    trace("set@%d", tick);
}

static int await_noted(void *arg)
{
    int rc = cora_await(the_future);

    trace("%s@%d", (const char *)arg, tick);
    return rc;
}

static int await_pending(void *arg)
{
    int value = 7, rc = 0;
    static char names[2][2] = {"a", "b"};
    cora_task *tasks[2];

    (void)arg;
    soon(count_iterations, NULL);
    the_future = cora_loop_create_future(cora_get_running_loop());
    for (int i = 0; i < 2; i++)
        tasks[i] = cora_create_task_arg(await_noted, names[i]);
    rc = cora_loop_call_later(cora_get_running_loop(), 0, complete, &value, NULL);
    for (int i = 0; i < 2; i++)
        rc |= cora_await_unref(tasks[i]);
    cora_future_unref(the_future);
    return rc;
}

TEST(who_waits_for_a_future_goes_on_in_the_iteration_after_in_the_order_of_waiting)
{
    int rc = run_virtual(await_pending, NULL);

    assert_int_equal(rc, 7);
    assert_string_equal(trace_text, "set@1 a@2 b@2 ");
}

static int await_done(void *arg)
{
    cora_task *task = cora_create_task_arg(seven, NULL);
    cora_future *future = cora_loop_create_future(cora_get_running_loop());
    int rc[4], before;

    (void)arg;
    soon(count_iterations, NULL);
    rc[0] = cora_sleep(0);
    rc[1] = cora_future_set_result(future, 8, NULL);
    before = tick;
    rc[2] = cora_await_unref(task);
    rc[3] = cora_await_unref(future);
    assert_int_equal(tick, before);
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[1], 0);
    assert_int_equal(rc[2], 7);
    assert_int_equal(rc[3], 8);
    return 0;
}

TEST(waiting_for_what_is_done_takes_no_iteration)
{
    int rc = run_virtual(await_done, NULL);

    assert_int_equal(rc, 0);
}

static int inline_call(int depth)
{
    return depth == 0 ? tick : inline_call(depth - 1);
}

static int call_inline(void *arg)
{
    (void)arg;
    soon(count_iterations, NULL);
    return inline_call(100);
}

TEST(calling_a_function_of_a_task_takes_no_iteration)
{
    int rc = run_virtual(call_inline, NULL);

    assert_int_equal(rc, 0);
}

enum { CHAIN = 1000 };

struct link_args {
    int depth;
    int *ended; /* the iteration in which each has ended */
};

static int link_fn(void *arg)
{
    struct link_args *a = arg;
    struct link_args inner = {a->depth - 1, a->ended};
    int rc = 0;

    if (a->depth > 0)
        rc = cora_await_unref(
            cora_loop_create_task_copy(NULL, NULL, link_fn, "link", &inner, sizeof inner));
    a->ended[a->depth] = tick;
    return rc < 0 ? rc : rc + 1;
}

static int await_a_chain(void *arg)
{
    struct link_args args = {CHAIN, arg};

    tick = -2000; /* so that it counts all of them */
    soon(count_iterations, NULL);
    return link_fn(&args);
}

TEST(a_chain_of_a_thousand_tasks_unwinds_one_an_iteration)
{
    static int ended[CHAIN + 1];
    int rc = run_virtual(await_a_chain, ended);

    assert_int_equal(rc, CHAIN + 1);
    for (int i = 1; i <= CHAIN; i++)
        assert_int_equal(ended[i], ended[i - 1] + 1);
}

static int await_itself(void *arg)
{
    int before, rc;

    (void)arg;
    soon(count_iterations, NULL);
    before = tick;
    rc = cora_await(cora_current_task());
    assert_int_equal(tick, before + 1);
    return rc;
}

TEST(a_task_that_waits_for_itself_is_told_in_the_next_iteration)
{
    int rc = run_virtual(await_itself, NULL);

    assert_int_equal(rc, -CORA_EAWAITSELF);
}

TEST(a_task_does_not_wait_for_another_loops_future)
{
    cora_loop *other = virtual_loop();
    cora_future *future = cora_loop_create_future(other);
    int rc = run_virtual(park, future);

    assert_int_equal(rc, -CORA_EWRONGLOOP);
    cora_future_unref(future);
    cora_loop_free(other);
}

static void await_in_callback(void *arg)
{
    int *rc = arg;

    *rc = cora_await(the_future);
}

static int try_in_callback(void *arg)
{
    the_future = cora_loop_create_future(cora_get_running_loop());
    soon(await_in_callback, arg);

    int rc = cora_sleep(0);

    cora_future_unref(the_future);
    return rc;
}

TEST(only_a_task_awaits)
{
    int inner = 0;
    int rc = run_virtual(try_in_callback, &inner);

    assert_int_equal(rc, 0);
    assert_int_equal(inner, -CORA_ENOTASK);
}

static int ask_what_is_waited_for(void *arg)
{
    cora_future *future = cora_loop_create_future(cora_get_running_loop());
    cora_task *inner = cora_create_task_arg(park, future);
    cora_task *outer = cora_create_task_arg(park, inner);
    char text[3][64], short_text[4];
    int rc = cora_sleep(0);

    (void)arg;
    cora_task_waiting_for(inner, text[0], sizeof text[0]);
    cora_task_waiting_for(outer, text[1], sizeof text[1]);
    cora_task_waiting_for(cora_current_task(), text[2], sizeof text[2]);
    cora_task_waiting_for(outer, short_text, sizeof short_text);
    cora_task_cancel(outer);
    rc |= cora_await_unref(outer) == -ECANCELED ? 0 : 1;
    cora_task_unref(inner);
    cora_future_unref(future);
    assert_memory_equal(text[0], "future at ", 10);
    assert_string_equal(text[1], "task 'Task-2' (function park)");
    assert_string_equal(text[2], "");
    assert_string_equal(short_text, "tas");
    return rc;
}

TEST(a_suspended_task_tells_what_it_waits_for)
{
    int rc = run_virtual(ask_what_is_waited_for, NULL);

    assert_int_equal(rc, 0);
}

/* ---- generators ----------------------------------------------------------------------------- */

static int squares(void *arg)
{
    int *sent = arg;

    for (int i = 1; i <= 3; i++) {
        int square = i * i;
        int rc = cora_sleep(i);

        if (rc == 0)
            rc = cora_generator_yield(&square, NULL);
        if (rc < 0)
            return rc;
        ++*sent;
    }
    return 0;
}

static int use_a_waiting_generator(void *arg)
{
    cora_generator *generator = cora_generator_create_arg(squares, arg);
    int sum = 0;

    CORA_FOR_EACH (int *, square, generator) {
        sum += *square;
        trace("%d@%g", *square, cora_loop_time(cora_get_running_loop()));
    }

    int rc = cora_generator_destroy(generator);

    return rc < 0 ? rc : sum;
}

static int use_two_waiting_generators(void *arg)
{
    cora_task *task = cora_create_task_arg(use_a_waiting_generator, arg);
    int sent = 0;
    int sum = use_a_waiting_generator(&sent);
    int rc = cora_await_unref(task);

    return rc < 0 ? rc : sum + rc;
}

TEST(a_generator_may_wait_inside_a_task)
{
    int sent = 0;
    int rc = run_virtual(use_two_waiting_generators, &sent);

    assert_int_equal(rc, 28);
    assert_int_equal(sent, 3);
    assert_string_equal(trace_text, "1@1 1@1 4@3 4@3 9@6 9@6 ");
}

/* ---- deadlock ------------------------------------------------------------------------------- */

static cora_task *partners[3]; /* a dropped task gives nothing back, so they are held here */

static int wait_for_partner(void *arg)
{
    return cora_await(partners[*(int *)arg]);
}

static int wait_for_permit(void *arg)
{
    return cora_semaphore_acquire(arg);
}

static char deadlock_text[2048];

static void collect_reports(cora_loop *loop, const cora_exception_context *context, void *arg)
{
    size_t length = strlen(deadlock_text);

    (void)loop, (void)arg;
    reports.count++;
    snprintf(deadlock_text + length, sizeof deadlock_text - length, "%d %s %s\n", context->error,
             context->task, context->message);
}

/* Two wait for one another and the third for a permit that nobody has. */
static int lock_up(void *arg)
{
    static int other[2] = {1, 0};
    static cora_semaphore semaphore = CORA_SEMAPHORE_INIT(0);

    (void)arg;
    cora_loop_set_exception_handler(cora_get_running_loop(), collect_reports, NULL);
    for (int i = 0; i < 2; i++)
        partners[i] =
            cora_loop_create_task_arg(NULL, &(cora_task_options){.name = i == 0 ? "left" : "right"},
                                      wait_for_partner, "wait_for_partner", &other[i]);
    partners[2] = cora_loop_create_task_arg(NULL, &(cora_task_options){.name = "third"},
                                            wait_for_permit, "wait_for_permit", &semaphore);
    return cora_await(partners[2]);
}

TEST(a_deadlock_ends_the_run_with_a_report_of_who_waits_for_what)
{
    cora_loop *loop = virtual_loop();
    cora_task *task = cora_loop_create_task_arg(loop, NULL, lock_up, "lock_up", NULL);
    int rc = cora_loop_run_until_complete(loop, task);

    assert_int_equal(rc, -EDEADLK);
    assert_int_equal(reports.count, 4);
    assert_non_null(strstr(deadlock_text, "Task-1 (function lock_up) waits for task 'third'"));
    assert_non_null(
        strstr(deadlock_text, "left (function wait_for_partner) waits for task 'right'"));
    assert_non_null(
        strstr(deadlock_text, "right (function wait_for_partner) waits for task 'left'"));
    assert_non_null(strstr(deadlock_text, "third (function wait_for_permit) waits for semaphore"));
    cora_task_unref(task);
    cora_loop_free(loop);
    assert_int_equal(reports.count, 8); /* each of them was dropped */
    for (int i = 0; i < 3; i++)
        cora_task_unref(partners[i]);
}

static void stop(void *arg)
{
    cora_loop_stop(arg);
}

TEST(run_forever_knows_no_deadlock)
{
    cora_loop *loop = virtual_loop();
    cora_future *future = cora_loop_create_future(loop);
    cora_task *task = cora_loop_create_task_arg(loop, NULL, park, "park", future);
    int rc = cora_loop_call_later(loop, 1, stop, loop, NULL);

    assert_int_equal(rc, 0);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
    rc = cora_future_set_result(future, 7, NULL);
    assert_int_equal(rc, 0);
    rc = cora_loop_run_until_complete(loop, task);
    assert_int_equal(rc, 7);
    cora_future_unref(future);
    cora_task_unref(task);
    cora_loop_free(loop);
}

/* ---- the loop closes over them -------------------------------------------------------------- */

static int sleep_long(void *arg)
{
    (void)arg;
    return cora_sleep(3600);
}

static int await_a_group(void *arg)
{
    cora_task_group group;
    int rc;

    cora_task_group_enter(&group);
    rc = cora_task_group_create_task_arg(&group, sleep_long, arg);
    rc = cora_task_group_exit(&group, rc);
    return rc;
}

TEST(tasks_that_are_left_when_a_loop_closes_are_dropped_and_reported)
{
    cora_loop *loop = virtual_loop();
    cora_task *tasks[3];
    int rc;

    tasks[0] = cora_loop_create_task_arg(loop, NULL, sleep_long, "sleep_long", NULL);
    tasks[1] = cora_loop_create_task_arg(loop, NULL, await_a_group, "await_a_group", NULL);
    tasks[2] = cora_loop_create_task_arg(loop, NULL, park, "park", tasks[0]);
    rc = cora_loop_call_later(loop, 1, stop, loop, NULL);
    assert_int_equal(rc, 0);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
    cora_loop_free(loop);
    assert_int_equal(reports.count, 4);
    assert_string_equal(reports.message, "the task was dropped while it was pending");
    for (int i = 0; i < 3; i++) {
        assert_false(cora_task_done(tasks[i]));
        cora_task_unref(tasks[i]);
    }
}

TEST(a_task_that_never_ran_is_dropped_with_its_loop)
{
    cora_loop *loop = virtual_loop();
    cora_task *task = cora_loop_create_task_arg(loop, NULL, seven, "seven", NULL);

    cora_loop_free(loop);
    assert_int_equal(reports.count, 1);
    assert_false(cora_task_done(task));
    cora_task_unref(task);
}

/* ---- the coroutine of a task ---------------------------------------------------------------- */

static void assert_busy(cora_coroutine *coroutine)
{
    int rc[3];

    assert_int_equal(cora_coroutine_state(coroutine), CORA_COROUTINE_RUNNING);
    rc[0] = cora_coroutine_resume(coroutine, NULL, NULL);
    rc[1] = cora_coroutine_close(coroutine);
    rc[2] = cora_coroutine_destroy(coroutine);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rc[i], -EBUSY);
}

static int meddle_with_itself(void *arg)
{
    int rc;

    *(cora_coroutine **)arg = cora_coroutine_current();
    assert_busy(cora_coroutine_current());
    rc = cora_sleep(0);
    assert_busy(cora_coroutine_current());
    return rc;
}

static int meddle_with_another(void *arg)
{
    cora_coroutine *other = NULL;
    cora_task *task = cora_create_task_arg(meddle_with_itself, &other);
    int rc = cora_sleep(0);

    (void)arg;
    assert_int_equal(rc, 0);
    assert_non_null(other);
    assert_busy(other); /* suspended as it is: only the loop goes on with it */
    return cora_await_unref(task);
}

TEST(the_coroutine_of_a_task_is_running_and_nobody_elses_to_resume_or_end)
{
    int rc = run_virtual(meddle_with_another, NULL);

    assert_int_equal(rc, 0);
}

/* ---- rounding ------------------------------------------------------------------------------- */

static int leave_rounding_changed(void *arg)
{
    (void)arg;
    fesetround(FE_UPWARD);
    return 0;
}

static int suspend_with_rounding_changed(void *arg)
{
    int rc;

    (void)arg;
    fesetround(FE_DOWNWARD);
    rc = cora_sleep(0);
    assert_int_equal(fegetround(), FE_DOWNWARD);
    return rc;
}

static int see_rounding(void *arg)
{
    *(int *)arg = fegetround();
    return 0;
}

static int start_after(cora_task_fn *fn)
{
    int seen[2] = {-1, -1}, rc[3];
    cora_task *tasks[3] = {
        cora_create_task_arg(fn, NULL),
        cora_create_task_arg(see_rounding, &seen[0]),
        cora_create_task_arg(see_rounding, &seen[1]),
    };

    for (int i = 0; i < 3; i++)
        rc[i] = cora_await_unref(tasks[i]);
    assert_int_equal(seen[0], FE_TONEAREST);
    assert_int_equal(seen[1], FE_TONEAREST);
    assert_int_equal(fegetround(), FE_TONEAREST);
    return rc[0] | rc[1] | rc[2];
}

static int change_rounding(void *arg)
{
    int rc = start_after(leave_rounding_changed);

    (void)arg;
    return rc < 0 ? rc : start_after(suspend_with_rounding_changed);
}

TEST(a_task_starts_with_the_rounding_of_its_thread_not_of_the_task_before)
{
    int rc = run_virtual(change_rounding, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(fegetround(), FE_TONEAREST);
}

/* ---- dropped inside a generator ------------------------------------------------------------- */

enum { DROPPED = 100, GENERATOR_STACK = 256 << 10, DROPPED_STACK = 4 << 20 };

static int sleep_in_generator(void *arg)
{
    int rc = cora_sleep(3600);

    return rc < 0 ? rc : cora_generator_yield(arg, NULL);
}

static int enter_generator(void *generator)
{
    void *value;

    return cora_generator_next(generator, &value);
}

static int drop_inside(cora_generator *generator)
{
    cora_loop *loop = virtual_loop();
    cora_task_options options = {.stack_size = DROPPED_STACK};
    cora_task *task =
        cora_loop_create_task_arg(loop, &options, enter_generator, "enter_generator", generator);
    int rc = cora_loop_call_later(loop, 1, stop, loop, NULL);

    assert_int_equal(rc, 0);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
    cora_loop_free(loop);
    assert_false(cora_task_done(task));
    cora_task_unref(task);
    return cora_generator_destroy(generator);
}

TEST(a_loop_closed_over_a_task_inside_a_generator_frees_the_tasks_stack_and_no_other)
{
    for (int i = 0; i < DROPPED; i++) {
        cora_generator *generator = NULL;
        int rc = cora_coroutine_create(&generator, sleep_in_generator, NULL, GENERATOR_STACK);

        assert_int_equal(rc, 0);
        rc = drop_inside(generator);
        assert_int_equal(rc, -EBUSY); /* it waits for good, but is its owner's */
        assert_int_equal(cora_coroutine_state(generator), CORA_COROUTINE_RUNNING);
    }
    assert_int_equal(reports.count, DROPPED);
    cora__stack_trim(true);
    assert_true(cora__stack_reserved() < (size_t)DROPPED * DROPPED_STACK / 4);
}

TEST(a_task_is_not_named_nothing)
{
    cora_loop *loop = virtual_loop();
    cora_task *task = cora_loop_create_task_arg(loop, NULL, seven, "seven", NULL);
    char before[32];
    int rc;

    snprintf(before, sizeof before, "%s", cora_task_get_name(task));
    rc = cora_task_set_name(task, NULL);
    assert_int_equal(rc, -EINVAL);
    assert_string_equal(cora_task_get_name(task), before);
    cora_loop_free(loop);
    cora_task_unref(task);
}
