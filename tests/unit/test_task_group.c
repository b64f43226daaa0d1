/* Task groups: who is waited for, who is cancelled when, and what the exit returns. */
#include "support/test.h"
#include "support/virtual.h"

#include <malloc.h>

/* ---- the number of the iteration ----------------------------------------------------------- */

static int now;
static bool stop;

/* Everything that is queued after start_counting() runs after this in every iteration. */
static void count(void *arg)
{
    int rc = 0;

    now++;
    if (!stop)
        rc = cora_loop_call_soon(cora_get_running_loop(), count, arg, NULL);
    assert_int_equal(rc, 0);
}

static void start_counting(void)
{
    int rc = cora_loop_call_soon(cora_get_running_loop(), count, NULL, NULL);

    assert_int_equal(rc, 0);
}

/* ---- children ------------------------------------------------------------------------------ */

struct child_args {
    int hops;         /* how often it hands over before it ends */
    int cleanup;      /* how often it does so when it is cancelled */
    int result;       /* its outcome */
    int when_cut;     /* its outcome when it is cancelled; 0: -ECANCELED */
    int *cancelled;   /* receives the iteration in which it hears of that */
    int *ended;       /* receives the iteration of its end */
    const char *name; /* goes into the trace when it starts */
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
    int rc, cleaned = 0;

    if (a->name != NULL)
        trace("%s", a->name);
    rc = rest(a->hops);
    if (rc < 0 && a->cancelled != NULL)
        *a->cancelled = now;
    if (rc < 0)
        cleaned = rest(a->cleanup);
    assert_int_equal(cleaned, 0);
    if (a->ended != NULL)
        *a->ended = now;
    if (rc < 0)
        return a->when_cut != 0 ? a->when_cut : rc;
    return a->result;
}

/* Waits for something, where the child above is always ready. */
struct sleeper_args {
    int when_cut;
    int *cancelled;
};

static int sleeper(void *arg)
{
    struct sleeper_args *a = arg;
    int rc = cora_sleep(100);

    if (rc < 0 && a->cancelled != NULL)
        *a->cancelled = now;
    return rc < 0 && a->when_cut != 0 ? a->when_cut : rc;
}

static int cancelling(void)
{
    return cora_task_cancelling(cora_current_task());
}

/* Nothing is left of a group: no count, and no cancellation that comes later. */
static void assert_nothing_left(void)
{
    int rc = rest(5);

    assert_int_equal(rc, 0);
    assert_int_equal(cancelling(), 0);
    assert_int_equal(reports.count, 0);
}

/* ---- waiting ------------------------------------------------------------------------------- */

static int wait_for_children(void *arg)
{
    cora_task_group group;
    int ended[2], rc;

    (void)arg;
    start_counting();
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, child, .hops = 3, .ended = &ended[0], .name = "a");
    assert_int_equal(rc, 0);
    rc = cora_task_group_create_task(&group, child, .hops = 1, .ended = &ended[1], .name = "b");
    assert_int_equal(rc, 0);
    rc = cora_task_group_exit(&group, 5);
    stop = true;
    assert_int_equal(rc, 5);
    assert_int_equal(ended[1], 2);
    assert_int_equal(ended[0], 4);
    assert_int_equal(now, 4 + 2);
    assert_string_equal(trace_text, "a b ");
    return 0;
}

TEST(the_last_child_wakes_the_exit_two_iterations_later)
{
    int rc = run_virtual(wait_for_children, NULL);

    assert_int_equal(rc, 0);
}

static int leave_an_empty_one(void *arg)
{
    cora_task_group group;
    int rc;

    (void)arg;
    start_counting();
    cora_task_group_enter(&group);
    rc = cora_task_group_exit(&group, 3);
    stop = true;
    assert_int_equal(rc, 3);
    assert_int_equal(now, 0);
    return 0;
}

TEST(the_exit_of_an_empty_group_does_not_suspend)
{
    int rc = run_virtual(leave_an_empty_one, NULL);

    assert_int_equal(rc, 0);
}

static int leave_when_all_are_done(void *arg)
{
    cora_task_group group;
    int rc, before;

    (void)arg;
    start_counting();
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, child, .hops = 0);
    assert_int_equal(rc, 0);
    rc = rest(3);
    assert_int_equal(rc, 0);
    before = now;
    rc = cora_task_group_exit(&group, 0);
    stop = true;
    assert_int_equal(rc, 0);
    assert_int_equal(now, before);
    return 0;
}

TEST(the_exit_does_not_suspend_when_all_children_are_done)
{
    int rc = run_virtual(leave_when_all_are_done, NULL);

    assert_int_equal(rc, 0);
}

enum { MANY = 1000 };

struct add_args {
    int *sum, number;
};

static int add(void *arg)
{
    struct add_args *a = arg;
    int rc = rest(a->number % 3);

    *a->sum += a->number;
    return rc;
}

static int wait_for_many(void *arg)
{
    cora_task_group group;
    int sum = 0, rc = 0;

    (void)arg;
    cora_task_group_enter(&group);
    for (int i = 0; i < MANY && rc == 0; i++)
        rc = cora_task_group_create_task(&group, add, .sum = &sum, .number = i);
    rc = cora_task_group_exit(&group, rc);
    assert_int_equal(rc, 0);
    assert_int_equal(sum, MANY * (MANY - 1) / 2);
    return 0;
}

TEST(a_thousand_children_are_waited_for_and_may_use_the_parents_locals)
{
    int rc = run_virtual(wait_for_many, NULL);

    assert_int_equal(rc, 0);
}

static int cancel_many(void *arg)
{
    cora_task_group group;
    cora_task *tasks[MANY];
    int cancelled = 0, rc = 0;

    (void)arg;
    cora_task_group_enter(&group);
    for (int i = 0; i < MANY && rc == 0; i++) {
        rc = cora_task_group_create_task_with(&group, NULL, &tasks[i], child, .hops = 99);
        cora_task_ref(tasks[i]);
    }
    assert_int_equal(rc, 0);
    rc = rest(2);
    assert_int_equal(rc, 0);
    rc = cora_task_group_exit(&group, -EIO);
    assert_int_equal(rc, -EIO);
    for (int i = 0; i < MANY; i++) {
        cancelled += cora_task_cancelled(tasks[i]);
        cora_task_unref(tasks[i]);
    }
    assert_int_equal(cancelled, MANY);
    return 0;
}

TEST(a_thousand_children_are_cancelled)
{
    int rc = run_virtual(cancel_many, NULL);

    assert_int_equal(rc, 0);
}

static int read_the_tasks(void *arg)
{
    cora_task_options options = {.name = "reader"};
    struct child_args args = {.result = 8};
    cora_task_group group;
    cora_task *task, *other;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task_with(&group, &options, &task, child, .result = 7);
    assert_int_equal(rc, 0);
    rc = cora_task_group_create_task_arg_(&group, NULL, &other, child, "child", &args);
    assert_int_equal(rc, 0);
    assert_string_equal(cora_task_get_name(task), "reader");
    rc = rest(5);
    assert_int_equal(rc, 0);
    assert_true(cora_task_done(task));
    rc = cora_task_result(task);
    assert_int_equal(rc, 7);
    rc = cora_task_result(other);
    assert_int_equal(rc, 8);
    return cora_task_group_exit(&group, 0);
}

TEST(the_tasks_of_a_group_can_be_read_until_its_exit)
{
    int rc = run_virtual(read_the_tasks, NULL);

    assert_int_equal(rc, 0);
}

static int live_long(void *arg)
{
    cora_task_group group;
    size_t early = 0;
    int rc = 0;

    (void)arg;
    cora_task_group_enter(&group);
    for (int i = 0; i < 10 * MANY && rc == 0; i++) {
        rc = cora_task_group_create_task(&group, child, .hops = 0);
        if (rc == 0)
            rc = rest(3);
        if (i == MANY)
            early = mallinfo2().uordblks;
    }
    assert_true(mallinfo2().uordblks <= early);
    return cora_task_group_exit(&group, rc);
}

TEST(a_group_that_lives_long_keeps_nothing_of_its_children)
{
    int rc = run_virtual(live_long, NULL);

    assert_int_equal(rc, 0);
}

/* ---- failures ------------------------------------------------------------------------------ */

static int fail_in_the_body(void *arg)
{
    cora_task_group group;
    int failed, heard, rc;

    (void)arg;
    start_counting();
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, child, .hops = 2, .result = -EIO, .ended = &failed);
    assert_int_equal(rc, 0);
    rc = cora_task_group_create_task(&group, sleeper, .cancelled = &heard);
    assert_int_equal(rc, 0);
    rc = cora_sleep(100);
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(failed, 3);
    assert_int_equal(now, failed + 2);
    assert_int_equal(cancelling(), 1);
    rc = cora_task_group_exit(&group, rc);
    assert_int_equal(rc, -EIO);
    assert_int_equal(heard, failed + 2);
    assert_int_equal(now, failed + 4);
    assert_int_equal(cancelling(), 0);
    stop = true;
    assert_nothing_left();
    return 0;
}

TEST(a_child_that_fails_cancels_the_others_and_the_body_and_is_what_the_exit_returns)
{
    int rc = run_virtual(fail_in_the_body, NULL);

    assert_int_equal(rc, 0);
}

static int fail_in_the_exit(void *arg)
{
    cora_task_group group;
    int failed, heard, rc;

    (void)arg;
    start_counting();
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, child, .hops = 2, .result = -EIO, .ended = &failed);
    assert_int_equal(rc, 0);
    rc = cora_task_group_create_task(&group, sleeper, .cancelled = &heard);
    assert_int_equal(rc, 0);
    rc = cora_task_group_exit(&group, 0);
    assert_int_equal(rc, -EIO);
    assert_int_equal(heard, failed + 2);
    assert_int_equal(now, failed + 4);
    assert_int_equal(cancelling(), 0);
    stop = true;
    assert_nothing_left();
    return 0;
}

TEST(a_child_that_fails_while_the_parent_is_in_the_exit_leaves_no_count)
{
    int rc = run_virtual(fail_in_the_exit, NULL);

    assert_int_equal(rc, 0);
}

static int fail_together(void *arg)
{
    cora_task_group group;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, child, .hops = 2, .result = -ENOSPC);
    assert_int_equal(rc, 0);
    rc = cora_task_group_create_task(&group, child, .hops = 2, .result = -EIO);
    assert_int_equal(rc, 0);
    rc = cora_task_group_exit(&group, 0);
    assert_int_equal(rc, -ENOSPC);
    assert_nothing_left();
    return 0;
}

TEST(of_two_children_that_fail_in_one_iteration_the_first_is_returned)
{
    int rc = run_virtual(fail_together, NULL);

    assert_int_equal(rc, 0);
}

static int fail_the_body(void *arg)
{
    cora_task_group group;
    int heard, rc;

    (void)arg;
    start_counting();
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, child, .hops = 99, .cancelled = &heard);
    assert_int_equal(rc, 0);
    rc = rest(2);
    assert_int_equal(rc, 0);
    assert_int_equal(now, 2);
    rc = cora_task_group_exit(&group, -EIO);
    assert_int_equal(rc, -EIO);
    assert_int_equal(heard, 3);
    stop = true;
    assert_nothing_left();
    return 0;
}

TEST(an_error_of_the_body_cancels_the_children_and_is_returned)
{
    int rc = run_virtual(fail_the_body, NULL);

    assert_int_equal(rc, 0);
}

static int fail_the_body_and_a_child(void *arg)
{
    cora_task_group group;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, child, .hops = 99, .when_cut = -ENOSPC);
    assert_int_equal(rc, 0);
    rc = rest(2);
    assert_int_equal(rc, 0);
    rc = cora_task_group_exit(&group, -EIO);
    assert_int_equal(rc, -ENOSPC);
    assert_nothing_left();
    return 0;
}

TEST(an_error_of_a_child_goes_before_that_of_the_body)
{
    int rc = run_virtual(fail_the_body_and_a_child, NULL);

    assert_int_equal(rc, 0);
}

static int never_start(void *arg)
{
    cora_task_group group;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, child, .name = "started");
    assert_int_equal(rc, 0);
    rc = cora_task_group_exit(&group, -EIO);
    assert_int_equal(rc, -EIO);
    assert_string_equal(trace_text, "");
    return 0;
}

TEST(a_child_that_has_not_started_when_the_body_fails_never_runs)
{
    int rc = run_virtual(never_start, NULL);

    assert_int_equal(rc, 0);
}

static int swallow_the_end_of_the_body(void *arg)
{
    cora_task_group group;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, child, .result = -EIO);
    assert_int_equal(rc, 0);
    rc = rest(99);
    assert_int_equal(rc, -ECANCELED);
    rc = rest(3);
    assert_int_equal(rc, 0);
    rc = cora_task_group_exit(&group, 4);
    assert_int_equal(rc, -EIO);
    assert_nothing_left();
    return 0;
}

TEST(a_body_that_swallows_its_cancellation_does_not_hide_the_childs_error)
{
    int rc = run_virtual(swallow_the_end_of_the_body, NULL);

    assert_int_equal(rc, 0);
}

static int cancel_one_child(void *arg)
{
    cora_task_group group;
    cora_task *task;
    int ended = 0, rc;

    (void)arg;
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task_with(&group, NULL, &task, child, .hops = 99);
    assert_int_equal(rc, 0);
    rc = cora_task_group_create_task(&group, child, .hops = 5, .ended = &ended);
    assert_int_equal(rc, 0);
    rc = rest(1);
    assert_int_equal(rc, 0);
    now = 1;
    cora_task_cancel(task);
    rc = cora_task_group_exit(&group, 6);
    assert_int_equal(rc, 6);
    assert_int_equal(ended, 1);
    assert_nothing_left();
    return 0;
}

TEST(a_cancelled_child_is_no_failure)
{
    int rc = run_virtual(cancel_one_child, NULL);

    assert_int_equal(rc, 0);
}

/* ---- the parent is cancelled --------------------------------------------------------------- */

struct parent_args {
    int hops;     /* how long the body is */
    int cleanup;  /* of the child */
    int when_cut; /* the child's outcome */
    int *count;   /* receives the parent's count after the exit */
    int *next;    /* receives what the next suspension returns */
    int *ended;   /* receives the iteration of the child's end */
};

static int parent(void *arg)
{
    struct parent_args *a = arg;
    cora_task_group group;
    int rc;

    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, child, .hops = 99, .cleanup = a->cleanup,
                                     .when_cut = a->when_cut, .ended = a->ended);
    if (rc == 0)
        rc = rest(a->hops);
    rc = cora_task_group_exit(&group, rc);
    if (a->count != NULL)
        *a->count = cancelling();
    if (a->next != NULL)
        *a->next = cora_sleep(0);
    return rc;
}

static int cancel_the_parent(void *arg)
{
    int hops = *(int *)arg, ended = 0, left, next, rc;

    start_counting();

    cora_task *task =
        cora_create_task(parent, .hops = hops, .count = &left, .next = &next, .ended = &ended);

    rc = rest(3);
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    stop = true;
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(left, 1);
    assert_int_equal(next, 0);
    assert_int_equal(ended, hops > 0 ? 5 : 4 + 1);
    return 0;
}

TEST(a_parent_cancelled_in_the_body_cancels_the_children_and_returns_ecanceled)
{
    int hops = 99;
    int rc = run_virtual(cancel_the_parent, &hops);

    assert_int_equal(rc, 0);
}

TEST(a_parent_cancelled_in_the_exit_cancels_the_children_and_returns_ecanceled)
{
    int hops = 0;
    int rc = run_virtual(cancel_the_parent, &hops);

    assert_int_equal(rc, 0);
}

static int cancel_the_parent_twice(void *arg)
{
    int ended = 0, left, rc;
    bool done;

    (void)arg;
    start_counting();

    cora_task *task = cora_create_task(parent, .cleanup = 5, .count = &left, .ended = &ended);

    rc = rest(3);
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    rc = rest(3);
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    rc = rest(2);
    assert_int_equal(rc, 0);
    done = cora_task_done(task);
    assert_false(done);
    rc = cora_await_unref(task);
    stop = true;
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(left, 2);
    assert_int_equal(ended, 5 + 5);
    return 0;
}

TEST(a_second_cancellation_does_not_cut_the_childrens_cleanup_short)
{
    int rc = run_virtual(cancel_the_parent_twice, NULL);

    assert_int_equal(rc, 0);
}

static int cancel_the_parent_of_a_failure(void *arg)
{
    int left, next, rc;
    cora_task *task = cora_create_task(parent, .when_cut = -EIO, .count = &left, .next = &next);

    (void)arg;
    rc = rest(3);
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -EIO);
    assert_int_equal(left, 1);
    assert_int_equal(next, -ECANCELED);
    return 0;
}

TEST(a_childs_error_goes_before_the_parents_cancellation_which_comes_at_the_next_suspension)
{
    int rc = run_virtual(cancel_the_parent_of_a_failure, NULL);

    assert_int_equal(rc, 0);
}

struct failing_parent_args {
    int *count, *next;
};

/* Its child fails; what happens outside in the same iteration is the caller's business. */
static int failing_parent(void *arg)
{
    struct failing_parent_args *a = arg;
    cora_task_group group;
    int rc;

    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, child, .hops = 2, .result = -EIO);
    rc = cora_task_group_exit(&group, rc);
    *a->count = cancelling();
    *a->next = cora_sleep(0);
    return rc;
}

static int cancel_as_a_child_fails(void *arg)
{
    int hops = *(int *)arg, left, next, rc;
    cora_task *task = cora_create_task(failing_parent, .count = &left, .next = &next);

    rc = rest(hops);
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(left, 1);
    assert_int_equal(next, rc == -ECANCELED ? 0 : -ECANCELED);
    return rc;
}

/* The child is cut off in the first two; then its error is told before the cancellation. */
TEST(a_parent_cancelled_in_any_iteration_of_a_childs_failure_hears_of_it_once)
{
    static const int expected[] = {-ECANCELED, -ECANCELED, -EIO, -EIO, -EIO};

    for (int hops = 1; hops <= 5; hops++) {
        int rc = run_virtual(cancel_as_a_child_fails, &hops);

        assert_int_equal(rc, expected[hops - 1]);
    }
    assert_int_equal(reports.count, 0);
}

/* ---- taking children in -------------------------------------------------------------------- */

static int create_after_failure(void *arg)
{
    cora_task_group group;
    cora_task *task = NULL;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, child, .result = -EIO);
    assert_int_equal(rc, 0);
    rc = rest(99);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_task_group_create_task_with(&group, NULL, &task, child, .hops = 1);
    assert_int_equal(rc, -CORA_ESHUTDOWN);
    assert_null(task);
    rc = cora_task_group_exit(&group, rc);
    assert_int_equal(rc, -EIO);
    return 0;
}

TEST(a_group_that_is_shutting_down_takes_no_tasks)
{
    int rc = run_virtual(create_after_failure, NULL);

    assert_int_equal(rc, 0);
}

static int create_after_exit(void *arg)
{
    cora_task_group group;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    rc = cora_task_group_exit(&group, 0);
    assert_int_equal(rc, 0);
    rc = cora_task_group_create_task(&group, child, .hops = 1);
    assert_int_equal(rc, -CORA_EFINISHED);
    rc = cora_task_group_exit(&group, 0);
    assert_int_equal(rc, -CORA_EFINISHED);
    return 0;
}

TEST(a_group_that_was_left_takes_no_tasks_and_cannot_be_left_again)
{
    int rc = run_virtual(create_after_exit, NULL);

    assert_int_equal(rc, 0);
}

static int create_before_entry(void *arg)
{
    cora_task_group group = {{NULL}};

    (void)arg;
    return cora_task_group_create_task(&group, child, .hops = 1);
}

TEST(a_group_that_was_not_entered_takes_no_tasks)
{
    int rc = run_virtual(create_before_entry, NULL);

    assert_int_equal(rc, -CORA_ENOTENTERED);
}

TEST(a_group_outside_a_task_takes_no_tasks_and_its_exit_is_refused)
{
    cora_task_group group;
    int rc;

    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, child, .hops = 1);
    assert_true(rc < 0);
    rc = cora_task_group_exit(&group, 0);
    assert_int_equal(rc, -CORA_ENOTASK);
}

struct multiply_args {
    cora_task_group *group;
    int generations, *born;
};

static int multiply(void *arg)
{
    struct multiply_args *a = arg;
    int rc = 0;

    ++*a->born;
    for (int i = 0; i < 2 && a->generations > 0 && rc == 0; i++)
        rc = cora_task_group_create_task(a->group, multiply, .group = a->group,
                                         .generations = a->generations - 1, .born = a->born);
    return rc;
}

static int create_while_exiting(void *arg)
{
    cora_task_group group;
    int born = 0, rc;

    (void)arg;
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, multiply, .group = &group, .generations = 4,
                                     .born = &born);
    rc = cora_task_group_exit(&group, rc);
    assert_int_equal(rc, 0);
    assert_int_equal(born, 31);
    return 0;
}

TEST(children_may_create_more_while_the_parent_is_in_the_exit)
{
    int rc = run_virtual(create_while_exiting, NULL);

    assert_int_equal(rc, 0);
}

static int insist(void *arg)
{
    cora_task_group *group = arg;
    int rc = rest(99);

    assert_int_equal(rc, -ECANCELED);
    rc = cora_task_group_create_task(group, child, .hops = 1);
    assert_int_equal(rc, -CORA_ESHUTDOWN);
    return 0;
}

static int create_after_the_bodys_error(void *arg)
{
    cora_task_group group;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task_arg(&group, insist, &group);
    assert_int_equal(rc, 0);
    rc = rest(1);
    assert_int_equal(rc, 0);
    rc = cora_task_group_exit(&group, -EIO);
    assert_int_equal(rc, -EIO);
    return 0;
}

TEST(after_an_error_of_the_body_children_cannot_create_more)
{
    int rc = run_virtual(create_after_the_bodys_error, NULL);

    assert_int_equal(rc, 0);
}

/* ---- nesting ------------------------------------------------------------------------------- */

static int fail_in_both(void *arg)
{
    cora_task_group outer, inner;
    int rc;

    (void)arg;
    cora_task_group_enter(&outer);
    rc = cora_task_group_create_task(&outer, child, .hops = 2, .result = -EIO);
    assert_int_equal(rc, 0);
    cora_task_group_enter(&inner);
    rc = cora_task_group_create_task(&inner, child, .hops = 2, .result = -ENOSPC);
    assert_int_equal(rc, 0);
    rc = cora_task_group_exit(&inner, rest(99));
    assert_int_equal(rc, -ENOSPC);
    rc = cora_task_group_exit(&outer, rc);
    assert_int_equal(rc, -EIO);
    assert_nothing_left();
    return 0;
}

TEST(nested_groups_that_fail_in_one_iteration_each_return_their_own_error)
{
    int rc = run_virtual(fail_in_both, NULL);

    assert_int_equal(rc, 0);
}

static int fail_in_the_outer(void *arg)
{
    cora_task_group outer, inner;
    int heard = 0, rc;

    (void)arg;
    start_counting();
    cora_task_group_enter(&outer);
    rc = cora_task_group_create_task(&outer, child, .hops = 2, .result = -EIO);
    assert_int_equal(rc, 0);
    cora_task_group_enter(&inner);
    rc = cora_task_group_create_task(&inner, child, .hops = 99, .cancelled = &heard);
    assert_int_equal(rc, 0);
    rc = cora_task_group_exit(&inner, 0);
    assert_int_equal(rc, -ECANCELED);
    assert_true(heard > 0);
    rc = cora_task_group_exit(&outer, rc);
    stop = true;
    assert_int_equal(rc, -EIO);
    assert_nothing_left();
    return 0;
}

TEST(a_failure_in_the_outer_group_ends_the_inner_one)
{
    int rc = run_virtual(fail_in_the_outer, NULL);

    assert_int_equal(rc, 0);
}

static int fail_in_the_inner(void *arg)
{
    cora_task_group outer, inner;
    int ended = 0, rc;

    (void)arg;
    cora_task_group_enter(&outer);
    rc = cora_task_group_create_task(&outer, child, .hops = 20, .ended = &ended);
    assert_int_equal(rc, 0);
    cora_task_group_enter(&inner);
    rc = cora_task_group_create_task(&inner, child, .hops = 2, .result = -EIO);
    assert_int_equal(rc, 0);
    rc = cora_task_group_exit(&inner, 0);
    assert_int_equal(rc, -EIO);
    now = 1;
    rc = cora_task_group_exit(&outer, 0); /* dealt with */
    assert_int_equal(rc, 0);
    assert_int_equal(ended, 1);
    assert_nothing_left();
    return 0;
}

TEST(a_failure_in_the_inner_group_leaves_the_outer_one_alone)
{
    int rc = run_virtual(fail_in_the_inner, NULL);

    assert_int_equal(rc, 0);
}

/* ---- timeouts around a group --------------------------------------------------------------- */

static int time_out(void *arg)
{
    int when_cut = *(int *)arg;
    cora_timeout timeout;
    cora_task_group group;
    int rc;

    cora_timeout_enter(&timeout, 1);
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, sleeper, .when_cut = when_cut);
    assert_int_equal(rc, 0);
    rc = cora_task_group_exit(&group, rc);
    rc = cora_timeout_exit(&timeout, rc);
    assert_true(cora_loop_time(cora_get_running_loop()) == 1);
    assert_true(cora_timeout_expired(&timeout));
    assert_nothing_left();
    return rc;
}

TEST(a_timeout_around_a_group_cancels_the_children_and_is_told)
{
    int when_cut = 0;
    int rc = run_virtual(time_out, &when_cut);

    assert_int_equal(rc, -ETIMEDOUT);
}

TEST(a_child_that_fails_when_a_timeout_cancels_it_goes_before_the_timeout)
{
    int when_cut = -EIO;
    int rc = run_virtual(time_out, &when_cut);

    assert_int_equal(rc, -EIO);
}

/* ---- misuse -------------------------------------------------------------------------------- */

static int enter_twice(void *arg)
{
    cora_task_group group;
    int ended = 0, rc;

    (void)arg;
    now = 1;
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, child, .hops = 3, .ended = &ended);
    assert_int_equal(rc, 0);
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, child, .hops = 3);
    assert_int_equal(rc, 0);
    rc = cora_task_group_exit(&group, 0);
    assert_int_equal(rc, -CORA_EENTERED);
    assert_int_equal(ended, 1);
    assert_nothing_left();
    return 0;
}

TEST(a_group_entered_twice_keeps_its_first_entry_and_tells_at_the_exit)
{
    int rc = run_virtual(enter_twice, NULL);

    assert_int_equal(rc, 0);
}

static int enter_again(void *arg)
{
    cora_task_group group;

    (void)arg;
    for (int i = 0; i < 3; i++) {
        int rc;

        cora_task_group_enter(&group);
        rc = cora_task_group_create_task(&group, child, .hops = i, .result = i == 1 ? -EIO : 0);
        rc = cora_task_group_exit(&group, rc);
        assert_int_equal(rc, i == 1 ? -EIO : 0);
    }
    assert_nothing_left();
    return 0;
}

TEST(a_group_that_was_left_can_be_entered_again)
{
    int rc = run_virtual(enter_again, NULL);

    assert_int_equal(rc, 0);
}

static void assert_reported(const char *when)
{
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -CORA_EUNBALANCED);
    assert_non_null(strstr(reports.message, "the task group entered at "));
    assert_non_null(strstr(reports.message, "test_task_group.c:"));
    assert_non_null(strstr(reports.message, when));
}

struct forgetful_args {
    int hops;          /* before it ends */
    cora_task **tasks; /* receives references to its three children */
};

/* Enters a group and does not leave it: its storage is gone, and written over, when it matters. */
__attribute__((noinline)) static int forget_to_leave(cora_task *tasks[])
{
    cora_task_group group;
    int rc = 0;

    cora_task_group_enter(&group);
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = cora_task_group_create_task_with(&group, NULL, &tasks[i], child,
                                              .hops = i == 0 ? 0 : 99, .cleanup = 2);
    for (int i = 0; i < 3; i++)
        cora_task_ref(tasks[i]);
    return rc;
}

__attribute__((noinline)) static int write_over_the_stack(void)
{
    volatile char rubbish[2000];

    for (size_t i = 0; i < sizeof rubbish; i++)
        rubbish[i] = 0x5a;
    return rubbish[0];
}

static int forgetful(void *arg)
{
    struct forgetful_args *a = arg;
    int rc = forget_to_leave(a->tasks);

    write_over_the_stack();
    return rc == 0 ? rest(a->hops) : rc;
}

static int outlive_an_open_one(void *arg)
{
    int hops = *(int *)arg;
    cora_task *tasks[3];
    int rc = cora_await_unref(cora_create_task(forgetful, .hops = hops, .tasks = tasks));

    assert_int_equal(rc, 0);
    assert_reported("when its task ended");
    rc = rest(10);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_task_cancelled(tasks[0]), hops == 0); /* it had not started */
    for (int i = 0; i < 3; i++) {
        assert_true(cora_task_done(tasks[i]));
        assert_true(i == 0 || cora_task_cancelled(tasks[i]));
        cora_task_unref(tasks[i]);
    }
    return 0;
}

TEST(a_group_left_open_is_reported_and_its_children_never_start)
{
    int hops = 0;
    int rc = run_virtual(outlive_an_open_one, &hops);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
}

TEST(a_group_left_open_is_reported_and_its_children_are_cancelled_without_its_storage)
{
    int hops = 5;
    int rc = run_virtual(outlive_an_open_one, &hops);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
}

TEST(a_group_left_open_with_a_child_just_done_is_reported)
{
    int hops = 1;
    int rc = run_virtual(outlive_an_open_one, &hops);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
}

/* The children of the open group outlive their parent and end as they like. */
static int leave_a_failing_child(void *arg)
{
    cora_task_group group;

    (void)arg;
    cora_task_group_enter(&group);
    return cora_task_group_create_task(&group, child, .hops = 9, .when_cut = -EIO) + cora_sleep(0);
}

static int outlive_a_failing_child(void *arg)
{
    int rc = cora_await_unref(cora_create_task_arg(leave_a_failing_child, arg));

    assert_int_equal(rc, 0);
    return rest(5);
}

TEST(an_error_of_a_child_whose_group_was_left_open_is_reported)
{
    int rc = run_virtual(outlive_a_failing_child, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 2);
    assert_int_equal(reports.error, -EIO);
}

static int leave_out_of_order(void *arg)
{
    cora_task_group outer, inner;
    cora_task *task;
    int rc;

    (void)arg;
    cora_task_group_enter(&outer);
    cora_task_group_enter(&inner);
    rc = cora_task_group_create_task_with(&inner, NULL, &task, child, .hops = 9);
    assert_int_equal(rc, 0);
    cora_task_ref(task);
    rc = rest(1);
    assert_int_equal(rc, 0);
    rc = cora_task_group_exit(&outer, 1);
    assert_int_equal(rc, 1);
    assert_reported("when an outer scope was left");
    rc = cora_task_group_create_task(&inner, child, .hops = 1);
    assert_int_equal(rc, -CORA_ESHUTDOWN);
    rc = cora_task_group_exit(&inner, 2);
    assert_int_equal(rc, 2);
    rc = rest(3);
    assert_int_equal(rc, 0);
    assert_true(cora_task_cancelled(task));
    cora_task_unref(task);
    return 0;
}

TEST(a_group_left_out_of_order_is_reported_and_its_children_are_cancelled)
{
    int rc = run_virtual(leave_out_of_order, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1);
}

static void stop_the_loop(void *loop)
{
    cora_loop_stop(loop);
}

TEST(a_loop_closed_under_an_open_group_drops_parent_and_children)
{
    struct parent_args args = {.hops = 0};
    cora_loop *loop = virtual_loop();
    cora_task *task = cora_loop_create_task_arg(loop, NULL, parent, "parent", &args);
    int rc = cora_loop_call_later(loop, 0, stop_the_loop, loop, NULL);

    assert_int_equal(rc, 0);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
    cora_task_unref(task);
    cora_loop_free(loop);
    assert_int_equal(reports.count, 2);
    assert_non_null(strstr(reports.message, "dropped"));
}

/* ---- left by another than who entered ------------------------------------------------------- */

static int sleep_one(void *arg)
{
    (void)arg;
    return cora_sleep(1);
}

static int enter_and_end(void *group)
{
    cora_task_group_enter((cora_task_group *)group);
    return cora_task_group_create_task_arg(group, sleep_one, NULL);
}

static int enter_and_exit(void *group)
{
    int rc;

    cora_task_group_enter((cora_task_group *)group);
    rc = cora_task_group_create_task_arg(group, sleep_one, NULL);
    if (rc == 0)
        rc = cora_sleep(0.5);
    return cora_task_group_exit(group, rc);
}

static int callback_rc;

static void exit_in_a_callback(void *group)
{
    callback_rc = cora_task_group_exit(group, 0);
}

static void assert_not_ours(cora_task_group *group)
{
    int rc = cora_task_group_exit(group, 0);

    assert_int_equal(rc, -CORA_EFINISHED);
    callback_rc = 0;
    rc = cora_loop_call_soon(cora_get_running_loop(), exit_in_a_callback, group, NULL);
    assert_int_equal(rc, 0);
    rc = rest(2);
    assert_int_equal(rc, 0);
    assert_int_equal(callback_rc, -CORA_EFINISHED);
}

static int exit_anothers(void *arg)
{
    cora_task_group group = {{NULL}};
    cora_task *task = cora_create_task_arg(enter_and_exit, &group);
    int rc = rest(1);

    (void)arg;
    assert_int_equal(rc, 0);
    assert_not_ours(&group); /* in its body */
    rc = cora_sleep(0.75);
    assert_int_equal(rc, 0);
    assert_not_ours(&group); /* in its exit */
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    assert_true(cora_loop_time(cora_get_running_loop()) == 1);
    assert_not_ours(&group);
    return 0;
}

TEST(a_group_that_another_task_is_in_cannot_be_left)
{
    int rc = run_virtual(exit_anothers, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

static int exit_a_dead_ones(void *arg)
{
    cora_task_group group = {{NULL}};
    int rc = cora_await_unref(cora_create_task_arg(enter_and_end, &group));

    (void)arg;
    assert_int_equal(rc, 0);
    assert_not_ours(&group);
    return cora_sleep(1000);
}

TEST(a_group_whose_task_has_ended_cannot_be_left)
{
    int rc = run_virtual(exit_a_dead_ones, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 1); /* it was still open when its task ended */
}

static int group_a_yield(void *arg)
{
    cora_task_group group;
    int rc;

    cora_task_group_enter(&group);
    rc = cora_generator_yield(arg, NULL);
    rc = cora_task_group_exit(&group, rc);
    return rc;
}

static int next_of(void *generator)
{
    void *value;

    return cora_generator_next(generator, &value);
}

static int end_a_generator_of_another(void *arg)
{
    int value = 0;
    cora_generator *generator = cora_generator_create_arg(group_a_yield, &value);
    int rc = cora_await_unref(cora_create_task_arg(next_of, generator));

    (void)arg;
    assert_int_equal(rc, 0);
    return cora_generator_destroy(generator);
}

TEST(a_generator_in_a_group_of_a_task_that_has_ended_can_be_ended_by_another)
{
    int rc = run_virtual(end_a_generator_of_another, NULL);

    assert_int_equal(rc, -CORA_EFINISHED);
    assert_int_equal(reports.count, 1);
}

static int exit_what_is_zero(void *arg)
{
    cora_task_group group = {{NULL}};

    (void)arg;
    return cora_task_group_exit(&group, 0);
}

TEST(a_group_that_was_never_entered_cannot_be_left)
{
    int rc = run_virtual(exit_what_is_zero, NULL);

    assert_int_equal(rc, -CORA_ENOTENTERED);
    rc = exit_what_is_zero(NULL);
    assert_int_equal(rc, -CORA_ENOTENTERED);
}
