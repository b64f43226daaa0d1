/* CPython's test_graph.py: who waits for the running task, or for a future, and in which functions.
 */
#include "support/call_graph.h"
#include "support/test.h"
#include "support/virtual.h"

#include <math.h>

static cora_call_graph *captured;
static char *printed;

static void capture(cora_future *future)
{
    int rc = cora_capture_call_graph(&captured, future, CORA_ALL_FRAMES);

    assert_int_equal(rc, 0);
    rc = cora_format_call_graph(&printed, future, CORA_ALL_FRAMES);
    assert_int_equal(rc, 0);
}

/* Compares what a body has captured, which has returned rc. */
static void finish(int rc, const char *expected)
{
    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
    assert_non_null(captured);
    assert_call_graph(captured, expected);
    cora_call_graph_free(captured);
    free(printed);
}

/* Runs the body of a test as the main task. */
#define run(fn, expected) finish(run_as_task(fn, NULL), (expected))

static void let_others_run(void)
{
    int rc = cora_sleep(0);

    assert_int_equal(rc, 0);
}

/* What most of the bodies wait for in the end: deep in a task, it looks around. */
static int inner(void)
{
    let_others_run();
    capture(NULL);
    return 0;
}

/* ---- task group ---------------------------------------------------------------------------- */

static void c5(void)
{
    capture(NULL);
}

static int c4(void)
{
    let_others_run();
    c5();
    return 0;
}

static int c3(void)
{
    return c4();
}

static int c2(void *arg)
{
    (void)arg;
    return c3();
}

struct c1_args {
    cora_task *task;
};

static int c1(void *arg)
{
    struct c1_args *a = arg;

    return cora_await(a->task);
}

static int group_main(void)
{
    cora_task_group group;
    cora_task *task;
    int rc;

    cora_task_group_enter(&group);
    rc = cora_task_group_create_task_arg_with(&group, &(cora_task_options){.name = "c2_root"},
                                              &task, c2, NULL);
    if (rc == 0)
        rc = cora_task_group_create_task_with(&group, &(cora_task_options){.name = "sub_main_1"},
                                              NULL, c1, .task = task);
    if (rc == 0)
        rc = cora_task_group_create_task_with(&group, &(cora_task_options){.name = "sub_main_2"},
                                              NULL, c1, .task = task);
    return cora_task_group_exit(&group, rc);
}

static int stack_tgroup(void *arg)
{
    (void)arg;
    return group_main();
}

TEST(CallStackTestBase_test_stack_tgroup)
{
    run(stack_tgroup, "T<c2_root>[capture c5 c4 c3 c2]("
                      "T<anon>[group_main stack_tgroup](), "
                      "T<sub_main_1>[c1](T<anon>[group_main stack_tgroup](), ), "
                      "T<sub_main_2>[c1](T<anon>[group_main stack_tgroup](), ), )");
}

/* ---- gather, shield, timeout, wait --------------------------------------------------------- */

static int deep_task(void *arg)
{
    (void)arg;
    let_others_run();
    return inner();
}

static int short_task(void *arg)
{
    (void)arg;
    let_others_run();
    return 0;
}

static int gather_main(void)
{
    cora_task *tasks[] = {cora_create_task_arg(deep_task, NULL),
                          cora_create_task_arg(short_task, NULL)};
    int rc = cora_gather(tasks, 2, NULL, 0);

    cora_task_unref(tasks[0]);
    cora_task_unref(tasks[1]);
    return rc;
}

static int stack_gather(void *arg)
{
    (void)arg;
    return gather_main();
}

TEST(CallStackTestBase_test_stack_gather)
{
    run(stack_gather, "T<anon>[capture inner deep_task](T<anon>[gather_main stack_gather](), )");
}

static int shield_main(cora_task *task)
{
    int rc = cora_await_unref(cora_shield(task));

    cora_task_unref(task);
    return rc;
}

static int stack_shield(void *arg)
{
    (void)arg;
    return shield_main(cora_create_task_arg(deep_task, NULL));
}

TEST(CallStackTestBase_test_stack_shield)
{
    run(stack_shield, "T<anon>[capture inner deep_task](T<anon>[shield_main stack_shield](), )");
}

static int limited_task(void *arg)
{
    cora_timeout timeout;

    (void)arg;
    cora_timeout_enter(&timeout, 1);
    let_others_run();
    return cora_timeout_exit(&timeout, inner());
}

static int stack_timeout(void *arg)
{
    (void)arg;
    return shield_main(cora_create_task_arg(limited_task, NULL));
}

TEST(CallStackTestBase_test_stack_timeout)
{
    run(stack_timeout,
        "T<anon>[capture inner limited_task](T<anon>[shield_main stack_timeout](), )");
}

static int longer_task(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        let_others_run();
    return 0;
}

static int wait_main(cora_task *tasks[2])
{
    int done = 0;

    while (done >= 0 && done < 2)
        done = cora_wait(tasks, 2, INFINITY, CORA_ALL_COMPLETED);
    return done;
}

static int stack_wait(void *arg)
{
    cora_task *tasks[] = {cora_create_task_arg(limited_task, NULL),
                          cora_create_task_arg(longer_task, NULL)};
    int rc = wait_main(tasks);

    (void)arg;
    assert_int_equal(rc, 2);
    rc = cora_await_unref(tasks[0]);
    assert_int_equal(rc, 0);
    return cora_await_unref(tasks[1]);
}

TEST(CallStackTestBase_test_stack_wait)
{
    run(stack_wait, "T<anon>[capture inner limited_task](T<anon>[wait_main stack_wait](), )");
}

/* ---- a task, a future ---------------------------------------------------------------------- */

static int task_main(void)
{
    return cora_await_unref(cora_loop_create_task_arg(
        NULL, &(cora_task_options){.name = "there there"}, deep_task, "deep_task", NULL));
}

static int stack_task(void *arg)
{
    (void)arg;
    return task_main();
}

TEST(CallStackTestBase_test_stack_task)
{
    run(stack_task, "T<there there>[capture inner deep_task](T<anon>[task_main stack_task](), )");
}

struct a1_args {
    cora_future *future;
};

static int a2(cora_future *future)
{
    return cora_await(future);
}

static int a1(void *arg)
{
    struct a1_args *a = arg;

    return a2(a->future);
}

struct b1_args {
    cora_future *future;
};

static int b1(void *arg)
{
    struct b1_args *a = arg;

    return cora_await(a->future);
}

static int stack_future(void *arg)
{
    cora_future *future = cora_loop_create_future(cora_get_running_loop());
    cora_task_group group;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task_with(&group, &(cora_task_options){.name = "task A"}, NULL, a1,
                                          .future = future);
    assert_int_equal(rc, 0);
    rc = cora_task_group_create_task_with(&group, &(cora_task_options){.name = "task B"}, NULL, b1,
                                          .future = future);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 5; i++)
        let_others_run();
    capture(future);
    rc = cora_future_set_result(future, 0, NULL);
    rc = cora_task_group_exit(&group, rc);
    cora_future_unref(future);
    return rc;
}

TEST(CallStackTestBase_test_stack_future)
{
    static const char start[] = "* Future(id=0x";
    int rc = run_as_task(stack_future, NULL);

    assert_memory_equal(printed, start, strlen(start));
    finish(rc, "F[](T<task A>[a2 a1](T<anon>[capture stack_future](), ), "
               "T<task B>[b1](T<anon>[capture stack_future](), ), )");
}
