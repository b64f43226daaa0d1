/* CPython's test_eager_task_factory.py: tasks that run at once, up to their first suspension. */
#include "support/test.h"
#include "support/virtual.h"

static void set_factory(cora_task_factory *factory)
{
    cora_loop_set_task_factory(cora_get_running_loop(), factory);
}

static int run_body(void *fn)
{
    set_factory(cora_eager_task_factory);
    return (*(cora_task_fn **)fn)(NULL);
}

/* Runs the body of a test as the main task of a loop with the factory; what it returns. */
static int run_main(cora_task_fn *fn)
{
    return run_virtual(run_body, &fn);
}

/* The same. It returns 0, and nothing is reported. */
static void run(cora_task_fn *fn)
{
    int rc = run_main(fn);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

static cora_task *create(cora_task_fn *fn, void *arg)
{
    cora_task *task = cora_create_task_arg(fn, arg);

    assert_non_null(task);
    return task;
}

static int end_at_once(void *arg)
{
    (void)arg;
    return 7;
}

static int sleep_then_end(void *arg)
{
    int rc = cora_sleep(0.1);

    (void)arg;
    return rc < 0 ? rc : 7;
}

/* ---- the eager step ------------------------------------------------------------------------ */

static int set_result(void *future)
{
    int rc = cora_future_set_result(future, 7, NULL);

    assert_int_equal(rc, 0);
    return 0;
}

static int await_future_during_eager_step(void *arg)
{
    cora_future *future = cora_loop_create_future(cora_get_running_loop());
    cora_task *task = create(set_result, future);
    int rc;

    (void)arg;
    assert_true(cora_task_done(task));
    rc = cora_await_unref(future);
    assert_int_equal(rc, 7);
    cora_task_unref(task);
    return 0;
}

TEST(EagerTaskFactoryLoopTests_test_await_future_during_eager_step)
{
    run(await_future_during_eager_step);
}

static int eager_completion(void *arg)
{
    cora_task *task = create(end_at_once, arg);
    int rc;

    assert_true(cora_task_done(task));
    rc = cora_await_unref(task);
    assert_int_equal(rc, 7);
    return 0;
}

TEST(EagerTaskFactoryLoopTests_test_eager_completion)
{
    run(eager_completion);
}

static int block_after_eager_step(void *arg)
{
    cora_task *task = create(sleep_then_end, arg);
    int rc;

    assert_false(cora_task_done(task));
    rc = cora_await(task);
    assert_int_equal(rc, 7);
    assert_true(cora_task_done(task));
    cora_task_unref(task);
    return 0;
}

TEST(EagerTaskFactoryLoopTests_test_block_after_eager_step)
{
    run(block_after_eager_step);
}

static int cancellation_after_eager_completion(void *arg)
{
    cora_task *task = create(end_at_once, arg);
    bool cancelled = cora_task_cancel(task);
    int rc = cora_await(task);

    assert_false(cancelled);
    assert_int_equal(rc, 7);
    assert_false(cora_task_cancelled(task));
    cora_task_unref(task);
    return 0;
}

TEST(EagerTaskFactoryLoopTests_test_cancellation_after_eager_completion)
{
    run(cancellation_after_eager_completion);
}

static int cancellation_after_eager_step_blocks(void *arg)
{
    cora_task *task = create(sleep_then_end, arg);
    bool cancelled = cora_future_cancel_message(task, "enough");
    int rc;

    assert_true(cancelled);
    assert_int_equal(cora_task_cancelling(task), 1);
    rc = cora_await(task);
    assert_int_equal(rc, -ECANCELED);
    assert_string_equal(cora_future_get_cancel_message(task), "enough");
    cora_task_unref(task);
    return rc;
}

TEST(EagerTaskFactoryLoopTests_test_cancellation_after_eager_step_blocks)
{
    int rc = run_main(cancellation_after_eager_step_blocks);

    assert_int_equal(rc, -ECANCELED);
}

/* ---- what the task is during that step ----------------------------------------------------- */

static int note_current_task(void *arg)
{
    cora_task **current = arg;
    int rc;

    *current = cora_current_task();
    rc = cora_sleep(0.1);
    assert_int_equal(rc, 0);
    assert_ptr_equal(cora_current_task(), *current);
    return 0;
}

static int current_task(void *arg)
{
    cora_task *main_task = cora_current_task(), *noted = NULL;
    cora_task *task = create(note_current_task, &noted);

    (void)arg;
    assert_ptr_equal(noted, task);
    assert_ptr_equal(cora_current_task(), main_task);
    return cora_await_unref(task);
}

TEST(EagerTaskFactoryLoopTests_test_current_task)
{
    run(current_task);
}

enum { ROOM = 8 };

static bool is_among_all_tasks(const cora_task *task)
{
    cora_task *tasks[ROOM];
    size_t count = cora_all_tasks(NULL, tasks, ROOM);
    bool found = false;

    assert_in_range(count, 0, ROOM);
    for (size_t i = 0; i < count; i++) {
        found = found || tasks[i] == task;
        cora_task_unref(tasks[i]);
    }
    return found;
}

static int look_for_oneself(void *arg)
{
    *(bool *)arg = is_among_all_tasks(cora_current_task());
    return 0;
}

static int all_tasks_with_eager_completion(void *arg)
{
    bool found = false;
    cora_task *task = create(look_for_oneself, &found);

    (void)arg;
    assert_true(found);
    assert_false(is_among_all_tasks(task));
    cora_task_unref(task);
    return 0;
}

TEST(EagerTaskFactoryLoopTests_test_all_tasks_with_eager_completion)
{
    run(all_tasks_with_eager_completion);
}

struct blocks {
    cora_future *first, *second;
    bool found;
};

static int look_then_block(void *arg)
{
    struct blocks *b = arg;
    int rc;

    b->found = is_among_all_tasks(cora_current_task());
    rc = cora_await(b->first);
    assert_int_equal(rc, 0);
    return cora_future_set_result(b->second, 0, NULL);
}

static int all_tasks_with_blocking(void *arg)
{
    cora_loop *loop = cora_get_running_loop();
    struct blocks b = {cora_loop_create_future(loop), cora_loop_create_future(loop), false};
    cora_task *task = create(look_then_block, &b);
    int rc;

    (void)arg;
    assert_true(b.found);
    assert_true(is_among_all_tasks(task));
    rc = cora_future_set_result(b.first, 0, NULL);
    assert_int_equal(rc, 0);
    rc = cora_await_unref(b.second);
    assert_int_equal(rc, 0);
    assert_false(is_among_all_tasks(task));
    cora_future_unref(b.first);
    return cora_await_unref(task);
}

TEST(EagerTaskFactoryLoopTests_test_all_tasks_with_blocking)
{
    run(all_tasks_with_blocking);
}

static cora_context_var variable = CORA_CONTEXT_VAR_INIT("variable", "0");

static void set_variable(const char *value)
{
    int rc = cora_context_var_set(&variable, (void *)(uintptr_t)value, NULL);

    assert_int_equal(rc, 0);
}

static void assert_variable(const char *value)
{
    assert_string_equal(cora_context_var_get(&variable), value);
}

static int set_and_see(void *arg)
{
    int rc;

    (void)arg;
    assert_variable("1");
    set_variable("2");
    assert_variable("2");
    trace("first");
    rc = cora_sleep(0.1);
    assert_int_equal(rc, 0);
    assert_variable("2");
    set_variable("3");
    assert_variable("3");
    trace("second");
    return 0;
}

/* The task has a copy of its creator's values, though it runs in the creator's step. */
static int context_vars(void *arg)
{
    cora_task *task;
    int rc;

    set_variable("1");
    task = create(set_and_see, arg);
    assert_string_equal(trace_text, "first ");
    assert_variable("1");
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "first second ");
    assert_variable("1");
    return 0;
}

TEST(EagerTaskFactoryLoopTests_test_context_vars)
{
    run(context_vars);
}

static int note_name(void *arg)
{
    (void)arg;
    trace("%s", cora_task_get_name(cora_current_task()));
    return 0;
}

/* It has its name before it runs. */
static int start_with_a_name(void *arg)
{
    cora_task_options options = {.name = "example", .eager_start = true};
    cora_task *task = cora_loop_create_task_arg(NULL, &options, note_name, "note_name", arg);

    assert_true(cora_task_done(task));
    assert_string_equal(trace_text, "example ");
    return cora_await_unref(task);
}

TEST(CEagerTaskFactoryLoopTests_test_name)
{
    run(start_with_a_name);
    assert_string_equal(trace_text, "example ");
}

static int start_without_factory(void *arg)
{
    set_factory(NULL);
    return start_with_a_name(arg);
}

TEST(DefaultTaskFactoryEagerStart_test_eager_start_true_with_default_factory)
{
    run(start_without_factory);
    assert_string_equal(trace_text, "example ");
}

/* The options of one task go before the factory of all. */
static int eager_start_false(void *arg)
{
    cora_task_options options = {.name = "example", .eager_start = CORA_NOT_EAGER};
    cora_task *task = cora_loop_create_task_arg(NULL, &options, note_name, "note_name", arg);
    int rc;

    assert_false(cora_task_done(task));
    assert_string_equal(trace_text, "");
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "example ");
    return 0;
}

TEST(EagerTaskFactoryLoopTests_test_eager_start_false)
{
    run(eager_start_false);
}

/* ---- races --------------------------------------------------------------------------------- */

struct sleeper {
    double delay;
    int outcome;
};

static int sleep_and_end(void *arg)
{
    struct sleeper *sleeper = arg;
    int rc = cora_sleep(sleeper->delay);

    return rc < 0 ? rc : sleeper->outcome;
}

static int break_down(void *arg)
{
    (void)arg;
    return -EDOM;
}

static int staggered_race(void *arg)
{
    struct sleeper sleepers[] = {{2, 2}, {1, 1}, {0, -EDOM}};
    cora_racer racers[] = {{.fn = sleep_and_end, .arg = &sleepers[0]},
                           {.fn = sleep_and_end, .arg = &sleepers[1]},
                           {.fn = sleep_and_end, .arg = &sleepers[2]}};
    int rc = cora_staggered_race(racers, 3, 0.25);

    (void)arg;
    assert_int_equal(rc, 1);
    assert_int_equal(racers[0].outcome, -ECANCELED);
    assert_int_equal(racers[1].outcome, 1);
    assert_int_equal(racers[2].outcome, -EDOM);
    return 0;
}

TEST(EagerTaskFactoryLoopTests_test_staggered_race_with_eager_tasks)
{
    run(staggered_race);
}

static int staggered_race_no_delay(void *arg)
{
    struct sleeper sleepers[] = {{1, 1}, {0, 0}};
    cora_racer racers[] = {{.fn = break_down},
                           {.fn = sleep_and_end, .arg = &sleepers[0]},
                           {.fn = sleep_and_end, .arg = &sleepers[1]}};
    int rc = cora_staggered_race(racers, 3, INFINITY);

    (void)arg;
    assert_int_equal(rc, 1);
    assert_int_equal(racers[0].outcome, -EDOM);
    assert_int_equal(racers[1].outcome, 1);
    assert_false(racers[2].started);
    return 0;
}

TEST(EagerTaskFactoryLoopTests_test_staggered_race_with_eager_tasks_no_delay)
{
    run(staggered_race_no_delay);
}

/* ---- how many tasks the loop starts -------------------------------------------------------- */

struct tree {
    int width, depth;
};

/* Bodies that have begun, and tasks whose creation has left that to the loop. */
static int begun, scheduled;

static int count_chain(int depth)
{
    return depth == 0 ? 0 : 1 + count_chain(depth - 1);
}

static int await_chain(void *arg)
{
    size_t tasks = cora_all_tasks(NULL, NULL, 0);

    *(size_t *)arg = tasks;
    return count_chain(100);
}

static int start_chain_eagerly(void *arg)
{
    cora_task *task;

    set_factory(cora_eager_task_factory);
    task = create(await_chain, arg);
    assert_true(cora_task_done(task));
    return cora_await_unref(task);
}

/* Functions that call one another are one task, however deep. */
TEST(BaseTaskCountingTests_test_awaitables_chain)
{
    size_t tasks[2] = {0};
    int depth[2];

    depth[0] = run_virtual(await_chain, &tasks[0]);
    depth[1] = run_virtual(start_chain_eagerly, &tasks[1]);
    assert_int_equal(depth[0], 100);
    assert_int_equal(depth[1], 100);
    assert_int_equal(tasks[0], 1);
    assert_int_equal(tasks[1], 2); /* that one, and the one that started it */
}

static int grow_by_taskgroups(void *arg)
{
    const struct tree *tree = arg;
    struct tree branch = {tree->width, tree->depth - 1};
    cora_task_group group;

    begun++;
    if (tree->depth == 0)
        return 0;
    cora_task_group_enter(&group);
    for (int i = 0; i < tree->width; i++) {
        int before = begun;
        int rc = cora_task_group_create_task_arg(&group, grow_by_taskgroups, &branch);

        assert_int_equal(rc, 0);
        scheduled += begun == before ? 1 : 0;
    }
    return cora_task_group_exit(&group, 0);
}

enum { WIDTH = 5, DEPTH = 4, ALL = 1 + 5 + 25 + 125 + 625 };

static int grow_by_gather(void *arg)
{
    const struct tree *tree = arg;
    struct tree branch = {tree->width, tree->depth - 1};
    cora_task *tasks[WIDTH];
    int rc;

    begun++;
    if (tree->depth == 0)
        return 0;
    for (int i = 0; i < tree->width; i++) {
        int before = begun;

        tasks[i] = create(grow_by_gather, &branch);
        scheduled += begun == before ? 1 : 0;
    }
    rc = cora_gather(tasks, (size_t)tree->width, NULL, 0);
    for (int i = 0; i < tree->width; i++)
        cora_task_unref(tasks[i]);
    return rc;
}

struct root {
    cora_task_fn *fn;
    struct tree tree;
};

static int grow_eagerly(void *arg)
{
    struct root *root = arg;

    set_factory(cora_eager_task_factory);
    return cora_await_unref(create(root->fn, &root->tree));
}

/* Grows the tree twice: the loop starts all of its tasks, or, where they are eager, none. */
static void count_tasks(cora_task_fn *fn)
{
    struct root root = {fn, {WIDTH, DEPTH}};
    int rc;

    scheduled = 1; /* the main task is the root */
    rc = run_virtual(fn, &root.tree);
    assert_int_equal(rc, 0);
    assert_int_equal(begun, ALL);
    assert_int_equal(scheduled, ALL);

    begun = scheduled = 0;
    rc = run_virtual(grow_eagerly, &root);
    assert_int_equal(rc, 0);
    assert_int_equal(begun, ALL);
    assert_int_equal(scheduled, 0);
}

TEST(BaseTaskCountingTests_test_recursive_taskgroups)
{
    count_tasks(grow_by_taskgroups);
}

TEST(BaseTaskCountingTests_test_recursive_gather)
{
    count_tasks(grow_by_gather);
}
