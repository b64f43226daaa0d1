/*
 * Task groups: who is cancelled, which errors are collected, and what the exit returns. Each test
 * runs twice: with tasks that start in the next iteration, and with tasks that start at once.
 *
 * -EDOM, -EIO, -EINVAL and -EPROTO are errors of different kinds and mean nothing else.
 */
#include "support/test.h"
#include "support/virtual.h"

#include <signal.h>

/* ---- running -------------------------------------------------------------------------------- */

/* The options of all tasks. */
static cora_task_options how;

static int cancelling(void)
{
    return cora_task_cancelling(cora_current_task());
}

struct body {
    cora_task_fn *fn;
};

/* Runs the test; afterwards nothing of its groups is left: no count, no cancellation to come. */
static int main_task(void *arg)
{
    struct body *body = arg;
    int rc, left;

    rc = body->fn(NULL);
    for (int i = 0; i < 3; i++) {
        int slept = cora_sleep(0);

        assert_int_equal(slept, 0);
    }
    left = cancelling();
    assert_int_equal(left, 0);
    return rc;
}

static void assert_runs(cora_task_fn *fn)
{
    struct body body = {fn};

    for (int i = 0; i < 2; i++) {
        int rc;

        how.eager_start = i == 1;
        rc = run_virtual(main_task, &body);
        assert_int_equal(rc, 0);
        assert_int_equal(reports.count, 0);
    }
}

/* ---- tasks ---------------------------------------------------------------------------------- */

/* start(&group, &task or NULL, fn, .name = value, ...) */
#define start(group, ret, fn, ...)                                                                 \
    do {                                                                                           \
        int rc_ = cora_task_group_create_task_with((group), &how, (ret), fn, __VA_ARGS__);         \
        assert_int_equal(rc_, 0);                                                                  \
    } while (0)

/* A task outside any group. */
static cora_task *begin(cora_task_fn *fn, void *arg)
{
    return cora_loop_create_task_arg(NULL, &how, fn, "begin", arg);
}

/* Ends so after this time. */
struct after_args {
    double delay;
    int result;
};

static int after(void *arg)
{
    struct after_args *a = arg;
    int rc = cora_sleep(a->delay);

    return rc < 0 ? rc : a->result;
}

/* The same; when it is cut short it counts that and ends with this error, 0: -ECANCELED. */
struct until_cut_args {
    double delay;
    int when_cut;
    int *cut;
};

static int until_cut(void *arg)
{
    struct until_cut_args *a = arg;
    int rc = cora_sleep(a->delay);

    if (rc < 0 && a->cut != NULL)
        (*a->cut)++;
    return rc < 0 && a->when_cut != 0 ? a->when_cut : rc;
}

static void rest(double delay)
{
    int rc = cora_sleep(delay);

    assert_int_equal(rc, 0);
}

/* ---- leaving -------------------------------------------------------------------------------- */

enum { MOST_ERRORS = 8 };

static int leave_(cora_task_group *group, int rc, const int expected[])
{
    int errors[MOST_ERRORS] = {0};
    size_t count, checked = 0;
    int joined, left;

    joined = cora_task_group_join(group, rc);
    count = cora_task_group_errors(group, errors, MOST_ERRORS);
    for (; expected[checked] != 0; checked++)
        assert_int_equal(errors[checked], expected[checked]);
    assert_int_equal(count, checked);
    left = cora_task_group_exit(group, joined);
    assert_int_equal(left, joined);
    return left;
}

/* Leaves the group, whose errors are to be these (NONE: no error); what the exit returns. */
#define NONE 0
#define leave(group, rc, ...) leave_((group), (rc), (const int[]){__VA_ARGS__, 0})

/* The outcome of a task that runs fn and is cancelled after `delay`. */
static int cancel_after(double delay, cora_task_fn *fn, void *arg)
{
    cora_task *task = begin(fn, arg);
    bool done;

    rest(delay);
    done = cora_task_done(task);
    assert_false(done);
    cora_task_cancel(task);
    return cora_await_unref(task);
}

/* ---- results -------------------------------------------------------------------------------- */

/* Leaves a group without errors; then the two tasks, which it was lent, have ended so. */
static void assert_results(cora_task_group *group, cora_task *first, int result_of_first,
                           cora_task *second, int result_of_second)
{
    int rc = cora_task_group_join(group, 0);

    assert_int_equal(rc, 0);
    rc = cora_task_result(first);
    assert_int_equal(rc, result_of_first);
    rc = cora_task_result(second);
    assert_int_equal(rc, result_of_second);
    rc = cora_task_group_exit(group, 0);
    assert_int_equal(rc, 0);
}

static int wait_for_two(void *arg)
{
    cora_task_group group;
    cora_task *first, *second;

    (void)arg;
    cora_task_group_enter(&group);
    start(&group, &first, after, .delay = 0.1, .result = 42);
    start(&group, &second, after, .delay = 0.2, .result = 11);
    assert_results(&group, first, 42, second, 11);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_01)
{
    assert_runs(wait_for_two);
}

/* The first is done before the second begins; its result is still there. */
static int start_the_second_later(void *arg)
{
    cora_task_group group;
    cora_task *first, *second;

    (void)arg;
    cora_task_group_enter(&group);
    start(&group, &first, after, .delay = 0.1, .result = 42);
    rest(0.15);
    start(&group, &second, after, .delay = 0.2, .result = 11);
    assert_results(&group, first, 42, second, 11);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_02)
{
    assert_runs(start_the_second_later);
}

/* A task that is cancelled by itself is no failure: all goes on. */
static int cancel_one(void *arg)
{
    cora_task_group group;
    cora_task *first, *second;

    (void)arg;
    cora_task_group_enter(&group);
    start(&group, &first, after, .delay = 1, .result = 42);
    rest(0.15);
    cora_task_cancel(first);
    start(&group, &second, after, .delay = 0.2, .result = 11);
    assert_results(&group, first, -ECANCELED, second, 11);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_03)
{
    assert_runs(cancel_one);
}

/* ---- a task fails --------------------------------------------------------------------------- */

static int fail_beside_another(void *arg)
{
    cora_task_group group;
    cora_task *second;
    int cut = 0;
    int rc, result;

    (void)arg;
    cora_task_group_enter(&group);
    start(&group, NULL, after, .delay = 0.1, .result = -EDOM);
    start(&group, &second, until_cut, .delay = 1, .cut = &cut);
    rc = cora_task_group_join(&group, 0);
    result = cora_task_result(second);
    assert_int_equal(result, -ECANCELED);
    assert_int_equal(cut, 1);
    return leave(&group, rc, -EDOM);
}

static int await_the_failure(void *arg)
{
    int rc = cora_await_unref(begin(fail_beside_another, arg));

    assert_int_equal(rc, -EDOM);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_04)
{
    assert_runs(await_the_failure);
}

/* Three fail in the same iteration: the group has all three errors. */
static int fail_three_times(void *arg)
{
    cora_task_group group;
    int cut = 0;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    for (int i = 0; i < 3; i++)
        start(&group, NULL, after, .delay = 0.1, .result = -EDOM);
    start(&group, NULL, until_cut, .delay = 5, .cut = &cut);
    rc = cora_sleep(10);
    assert_int_equal(rc, -ECANCELED);
    rc = leave(&group, rc, -EDOM, -EDOM, -EDOM);
    assert_int_equal(cut, 1);
    return rc;
}

static int await_three_failures(void *arg)
{
    int rc = cora_await_unref(begin(fail_three_times, arg));

    assert_int_equal(rc, -EDOM);
    return 0;
}

TEST(BaseTestTaskGroup_test_cancel_children_on_child_error)
{
    assert_runs(await_three_failures);
}

/* ---- the parent is cancelled ---------------------------------------------------------------- */

static int wait_for_five(void *arg)
{
    cora_task_group group;

    cora_task_group_enter(&group);
    for (int i = 0; i < 5; i++)
        start(&group, NULL, until_cut, .delay = 5, .cut = arg);
    return leave(&group, 0, NONE);
}

static int cancel_in_the_exit(void *arg)
{
    int cut = 0;
    int rc;

    (void)arg;
    rc = cancel_after(0.1, wait_for_five, &cut);
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(cut, 5);
    return 0;
}

TEST(BaseTestTaskGroup_test_cancellation)
{
    assert_runs(cancel_in_the_exit);
}

static int sleep_beside_five(void *arg)
{
    cora_task_group group;
    int *cut = arg;
    int rc;

    cora_task_group_enter(&group);
    for (int i = 0; i < 5; i++)
        start(&group, NULL, until_cut, .delay = 5, .cut = cut);
    rc = cora_sleep(10);
    assert_int_equal(rc, -ECANCELED);
    *cut += 10;
    return leave(&group, rc, NONE);
}

static int cancel_in_the_body(void *arg)
{
    int cut = 0;
    int rc;

    (void)arg;
    rc = cancel_after(0.1, sleep_beside_five, &cut);
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(cut, 15);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_07)
{
    assert_runs(cancel_in_the_body);
}

/* The tasks fail when they are cancelled: their errors win over the cancellation. */
static int sleep_beside_five_that_fail(void *arg)
{
    cora_task_group group;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    for (int i = 0; i < 5; i++)
        start(&group, NULL, until_cut, .delay = 10, .when_cut = -EDOM);
    rc = cora_sleep(10);
    return leave(&group, rc, -EDOM, -EDOM, -EDOM, -EDOM, -EDOM);
}

static int cancel_those_that_fail(void *arg)
{
    int rc = cancel_after(0.1, sleep_beside_five_that_fail, arg);

    assert_int_equal(rc, -EDOM);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_08)
{
    assert_runs(cancel_those_that_fail);
}

/* ---- the body fails ------------------------------------------------------------------------- */

/* The body fails after `delay`, 0: at once. Two tasks are cancelled, even before they start. */
static void fail_in_the_body(double delay)
{
    cora_task_group group;
    cora_task *tasks[2];
    int rc;

    cora_task_group_enter(&group);
    start(&group, &tasks[0], after, .delay = 1, .result = 42);
    start(&group, &tasks[1], after, .delay = 2, .result = 11);
    if (delay > 0)
        rest(delay);
    rc = cora_task_group_join(&group, -EDOM);
    assert_int_equal(rc, -EDOM);
    for (int i = 0; i < 2; i++) {
        bool cancelled = cora_task_cancelled(tasks[i]);

        assert_true(cancelled);
    }
    rc = leave(&group, rc, -EDOM);
    assert_int_equal(rc, -EDOM);
}

static int fail_in_the_body_later(void *arg)
{
    (void)arg;
    fail_in_the_body(0.1);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_09)
{
    assert_runs(fail_in_the_body_later);
}

static int fail_in_the_body_at_once(void *arg)
{
    (void)arg;
    fail_in_the_body(0);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_10)
{
    assert_runs(fail_in_the_body_at_once);
}

/* ---- a group in a group --------------------------------------------------------------------- */

/* For the outer group the inner one is part of the body, and fails once. */
static int nest(void *arg)
{
    cora_task_group outer;
    int rc;

    cora_task_group_enter(&outer);
    rc = sleep_beside_five_that_fail(arg);
    return leave(&outer, rc, -EDOM);
}

static int cancel_the_nest(void *arg)
{
    int rc = cancel_after(0.1, nest, arg);

    assert_int_equal(rc, -EDOM);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_11)
{
    assert_runs(cancel_the_nest);
}

static int nest_beside_a_task(void *arg)
{
    cora_task_group outer;
    int cut = 0;
    int rc;

    cora_task_group_enter(&outer);
    start(&outer, NULL, until_cut, .delay = 10, .cut = &cut);
    rc = sleep_beside_five_that_fail(arg);
    rc = leave(&outer, rc, -EDOM);
    assert_int_equal(cut, 1);
    return rc;
}

static int cancel_the_nest_and_the_task(void *arg)
{
    int rc = cancel_after(0.1, nest_beside_a_task, arg);

    assert_int_equal(rc, -EDOM);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_12)
{
    assert_runs(cancel_the_nest_and_the_task);
}

/* The outer group's failure cancels the parent, and so the inner group, which has no error. */
static int fail_in_the_outer(void *arg)
{
    cora_task_group outer, inner;
    int rc;

    (void)arg;
    cora_task_group_enter(&outer);
    start(&outer, NULL, after, .delay = 0.1, .result = -EINVAL);
    cora_task_group_enter(&inner);
    start(&inner, NULL, after, .delay = 10, .result = -EINVAL);
    rc = leave(&inner, 0, NONE);
    assert_int_equal(rc, -ECANCELED);
    return leave(&outer, rc, -EINVAL);
}

static int await_the_outer(void *arg)
{
    int rc = cora_await_unref(begin(fail_in_the_outer, arg));

    assert_int_equal(rc, -EINVAL);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_13)
{
    assert_runs(await_the_outer);
}

/* The inner group's failure is the outer body's. */
static int fail_in_the_inner(void *arg)
{
    cora_task_group outer, inner;
    int cut = 0;
    int rc;

    (void)arg;
    cora_task_group_enter(&outer);
    start(&outer, NULL, until_cut, .delay = 10, .cut = &cut);
    cora_task_group_enter(&inner);
    start(&inner, NULL, after, .delay = 0.1, .result = -EINVAL);
    rc = leave(&inner, 0, -EINVAL);
    assert_int_equal(rc, -EINVAL);
    assert_int_equal(cut, 0);
    rc = leave(&outer, rc, -EINVAL);
    assert_int_equal(cut, 1);
    return rc;
}

static int await_the_inner(void *arg)
{
    int rc = cora_await_unref(begin(fail_in_the_inner, arg));

    assert_int_equal(rc, -EINVAL);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_14)
{
    assert_runs(await_the_inner);
}

/* ---- cancelled, and then a task fails ------------------------------------------------------- */

/* The body is still cleaning up when a task fails: that cancels it once more. */
static int clean_up_beside_a_failure(void *arg)
{
    cora_task_group group;
    double when;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    start(&group, NULL, after, .delay = 0.3, .result = -EDOM);
    rc = cora_sleep(10);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_sleep(0.5);
    assert_int_equal(rc, -ECANCELED);
    when = cora_loop_time(cora_get_running_loop());
    assert_float_equal(when, 0.3, 1e-9);
    return leave(&group, rc, -EDOM);
}

static int cancel_before_the_failure(void *arg)
{
    int rc = cancel_after(0.1, clean_up_beside_a_failure, arg);

    assert_int_equal(rc, -EDOM);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_15)
{
    assert_runs(cancel_before_the_failure);
}

static int await_the_cleaner(void *arg)
{
    return cora_await_unref(begin(clean_up_beside_a_failure, arg));
}

static int cancel_the_one_that_awaits(void *arg)
{
    int rc = cancel_after(0.1, await_the_cleaner, arg);

    assert_int_equal(rc, -EDOM);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_16)
{
    assert_runs(cancel_the_one_that_awaits);
}

/* ---- a group without tasks ------------------------------------------------------------------ */

static int sleep_alone(void *arg)
{
    cora_task_group group;
    int *cut = arg;
    int rc;

    cora_task_group_enter(&group);
    rc = cora_sleep(10);
    if (rc < 0)
        *cut += 10;
    return leave(&group, rc, NONE);
}

static int cancel_the_lonely(void *arg)
{
    int cut = 0;
    int rc;

    (void)arg;
    rc = cancel_after(0.1, sleep_alone, &cut);
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(cut, 10);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_17)
{
    assert_runs(cancel_the_lonely);
}

/* The body answers the cancellation with an error of its own. */
static int fail_alone(void *arg)
{
    cora_task_group group;
    int *cut = arg;
    int rc;

    cora_task_group_enter(&group);
    rc = cora_sleep(10);
    assert_int_equal(rc, -ECANCELED);
    *cut += 10;
    return leave(&group, -EIO, -EIO);
}

static int cancel_one_that_then_fails(void *arg)
{
    int cut = 0;
    int rc;

    (void)arg;
    rc = cancel_after(0.1, fail_alone, &cut);
    assert_int_equal(rc, -EIO);
    assert_int_equal(cut, 10);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_18)
{
    assert_runs(cancel_one_that_then_fails);
}

/* ---- a task fails, and then the body -------------------------------------------------------- */

static int cut_into_error(int error)
{
    int rc = cora_sleep(10);

    return rc < 0 ? error : rc;
}

/* A task fails, and the body when it is cancelled for that: both errors count, the task's first. */
static int fail_after_a_task(int error_of_task, int error_of_body)
{
    cora_task_group group;
    int rc;

    cora_task_group_enter(&group);
    start(&group, NULL, after, .delay = 0.1, .result = error_of_task);
    rc = cut_into_error(error_of_body);
    assert_int_equal(rc, error_of_body);
    return leave(&group, rc, error_of_task, error_of_body);
}

static int fail_twice(void *arg)
{
    (void)arg;
    return fail_after_a_task(-EDOM, -EIO);
}

static int await_both(void *arg)
{
    int rc = cora_await_unref(begin(fail_twice, arg));

    assert_int_equal(rc, -EDOM);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_19)
{
    assert_runs(await_both);
}

/* While the body cleans up after a task's failure, Ctrl-C is pressed, and once more. */
static int interrupt_after_a_task(void *arg)
{
    cora_task_group group;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    start(&group, NULL, after, .delay = 0.1, .result = -EDOM);
    rc = cora_sleep(10);
    assert_int_equal(rc, -ECANCELED);
    raise(SIGINT);
    rc = cora_sleep(10);
    assert_int_equal(rc, -ECANCELED);
    raise(SIGINT);
    return leave(&group, rc, -EDOM);
}

/* The interruption is what comes out of the run; the group's error does not hide it. That one,
 * which nobody gets any more, is reported. */
TEST(BaseTestTaskGroup_test_taskgroup_20)
{
    signal(SIGINT, SIG_DFL);
    for (int i = 0; i < 2; i++) {
        int rc;

        how.eager_start = i == 1;
        rc = run_virtual(interrupt_after_a_task, NULL);
        assert_int_equal(rc, -EINTR);
        assert_int_equal(reports.count, i + 1);
        assert_int_equal(reports.error, -EDOM);
    }
}

/* Any other error is collected, of whatever kind: here the body's, ... */
static int fail_in_the_body_too(void *arg)
{
    int rc;

    (void)arg;
    rc = fail_after_a_task(-EDOM, -EPROTO);
    assert_int_equal(rc, -EDOM);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_20a)
{
    assert_runs(fail_in_the_body_too);
}

/* ... and here the task's. */
static int fail_in_a_task_first(void *arg)
{
    int rc;

    (void)arg;
    rc = fail_after_a_task(-EPROTO, -EINVAL);
    assert_int_equal(rc, -EPROTO);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_21a)
{
    assert_runs(fail_in_a_task_first);
}

static int wait_for_two_that_end(void *arg)
{
    cora_task_group group;

    (void)arg;
    cora_task_group_enter(&group);
    start(&group, NULL, after, .delay = 1, .result = 42);
    start(&group, NULL, after, .delay = 2, .result = 11);
    return leave(&group, 0, NONE);
}

static int cancel_the_wait(void *arg)
{
    double when;
    int rc;

    rc = cancel_after(0.05, wait_for_two_that_end, arg);
    assert_int_equal(rc, -ECANCELED);
    when = cora_loop_time(cora_get_running_loop());
    assert_float_equal(when, 0.05, 1e-9);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_22)
{
    assert_runs(cancel_the_wait);
}

/* ---- tasks that come and go ----------------------------------------------------------------- */

/* How many tasks are not done, the current one aside. */
static size_t others(void)
{
    return cora_all_tasks(NULL, NULL, 0) - 1;
}

static void set_true(void *arg)
{
    *(bool *)arg = true;
}

/* The group has only those that are not done; with none left the exit does not suspend. */
static int come_and_go(void *arg)
{
    cora_task_group group;
    static bool suspended; /* the callback runs when this has returned */
    size_t left;
    int rc;

    (void)arg;
    suspended = false;
    cora_task_group_enter(&group);
    for (int i = 0; i < 10; i++) {
        rest(0.1);
        start(&group, NULL, after, .delay = 0.3, .result = 0);
        left = others();
        assert_in_range(left, 1, 4);
    }
    rest(1.35);
    left = others();
    assert_int_equal(left, 0);
    rc = cora_loop_call_soon(cora_get_running_loop(), set_true, &suspended, NULL);
    assert_int_equal(rc, 0);
    rc = leave(&group, 0, NONE);
    assert_false(suspended);
    return rc;
}

TEST(BaseTestTaskGroup_test_taskgroup_23)
{
    assert_runs(come_and_go);
}

struct root_args {
    cora_task_group *group;
};

static int root(void *arg)
{
    struct root_args *a = arg;

    rest(0.1);
    start(a->group, NULL, after, .delay = 0.1, .result = 0);
    start(a->group, NULL, after, .delay = 0.2, .result = 0);
    return 0;
}

/* A task may start others while the group is being left, which then waits for them too. */
static int grow_in_the_exit(void *arg)
{
    cora_task_group group;
    double before, passed;
    size_t left;
    int rc;

    (void)arg;
    before = cora_loop_time(cora_get_running_loop());
    cora_task_group_enter(&group);
    start(&group, NULL, root, .group = &group);
    rc = leave(&group, 0, NONE);
    passed = cora_loop_time(cora_get_running_loop()) - before;
    assert_float_equal(passed, 0.3, 1e-9);
    left = others();
    assert_int_equal(left, 0);
    return rc;
}

TEST(BaseTestTaskGroup_test_taskgroup_24)
{
    assert_runs(grow_in_the_exit);
}

/* Two heads grow for each that is cut off, until hercules puts an end to it. */
struct hydra_args {
    cora_task_group *group;
    int *heads;
};

static int hydra(void *arg)
{
    struct hydra_args *a = arg;
    int rc;

    (*a->heads)++;
    rc = cora_sleep(0.01);
    for (int i = 0; i < 2 && rc == 0; i++)
        rc = cora_task_group_create_task_with(a->group, &how, NULL, hydra, .group = a->group,
                                              .heads = a->heads);
    return rc;
}

struct hercules_args {
    const int *heads;
};

static int hercules(void *arg)
{
    struct hercules_args *a = arg;

    while (*a->heads < 10)
        rest(0.015);
    return -EDOM;
}

static int fight(void *arg)
{
    cora_task_group group;
    int heads = 0;
    size_t left;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    start(&group, NULL, hydra, .group = &group, .heads = &heads);
    start(&group, NULL, hercules, .heads = &heads);
    rc = leave(&group, 0, -EDOM);
    assert_int_equal(rc, -EDOM);
    assert_true(heads >= 10);
    left = others();
    assert_int_equal(left, 0);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_25)
{
    assert_runs(fight);
}

/* ---- options of a task ---------------------------------------------------------------------- */

static int name_a_task(void *arg)
{
    cora_task_options options = how;
    cora_task_group group;
    cora_task *task;
    const char *name;
    int rc;

    (void)arg;
    options.name = "yolo";
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task_with(&group, &options, &task, after, .delay = 0);
    assert_int_equal(rc, 0);
    name = cora_task_get_name(task);
    assert_string_equal(name, "yolo");
    return leave(&group, 0, NONE);
}

TEST(BaseTestTaskGroup_test_taskgroup_task_name)
{
    assert_runs(name_a_task);
}

static cora_context_var var = CORA_CONTEXT_VAR_INIT("var", NULL);

struct set_var_args {
    intptr_t value;
};

static int set_var(void *arg)
{
    struct set_var_args *a = arg;

    rest(0);
    return cora_context_var_set(&var, (void *)a->value, NULL);
}

static int get_var(void *arg)
{
    (void)arg;
    return (int)(intptr_t)cora_context_var_get(&var);
}

static void assert_var_in(cora_context *context, int expected)
{
    int rc = cora_context_run(context, get_var, NULL);

    assert_int_equal(rc, expected);
}

/* The tasks run in the context they are given, one after the other, and change it. */
static int share_a_context(void *arg)
{
    cora_task_options options = how;
    cora_task_group group;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    options.context = cora_copy_context();
    assert_non_null(options.context);
    assert_var_in(options.context, 0);
    for (int i = 1; i <= 2; i++) {
        cora_task *task;

        rc = cora_task_group_create_task_with(&group, &options, &task, set_var, .value = i);
        assert_int_equal(rc, 0);
        rc = cora_await(task);
        assert_int_equal(rc, 0);
        assert_var_in(options.context, i);
    }
    rc = get_var(NULL);
    assert_int_equal(rc, 0);
    cora_context_unref(options.context);
    return leave(&group, 0, NONE);
}

TEST(BaseTestTaskGroup_test_taskgroup_task_context)
{
    assert_runs(share_a_context);
}

/* ---- a group that takes no tasks ------------------------------------------------------------ */

static int never(void *arg)
{
    (void)arg;
    fail();
    return 0;
}

static void assert_refuses(cora_task_group *group, int error)
{
    cora_task *task = NULL;
    int rc = cora_task_group_create_task_arg_with(group, &how, &task, never, NULL);

    assert_int_equal(rc, error);
    assert_null(task);
}

struct start_when_cut_args {
    cora_task_group *group;
    int *cut;
};

static int start_when_cut(void *arg)
{
    struct start_when_cut_args *a = arg;
    int rc = cora_sleep(1);

    assert_int_equal(rc, -ECANCELED);
    (*a->cut)++;
    assert_refuses(a->group, -CORA_ESHUTDOWN);
    return 0;
}

static int start_after_a_failure(void *arg)
{
    cora_task_group group;
    int cut = 0;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    start(&group, NULL, after, .delay = 0.001, .result = -EDOM);
    start(&group, NULL, start_when_cut, .group = &group, .cut = &cut);
    rc = leave(&group, 0, -EDOM);
    assert_int_equal(rc, -EDOM);
    assert_int_equal(cut, 1);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_no_create_task_after_failure)
{
    assert_runs(start_after_a_failure);
}

/* What the body has opened fails to close, with the same error as the task that cut it short. */
static int fail_to_close(void *arg)
{
    cora_task_group group;
    int rc, left;

    (void)arg;
    cora_task_group_enter(&group);
    start(&group, NULL, after, .delay = 0, .result = -EIO);
    rc = cora_sleep(1);
    assert_int_equal(rc, -ECANCELED);
    rc = leave(&group, -EIO, -EIO, -EIO);
    assert_int_equal(rc, -EIO);
    left = cancelling();
    assert_int_equal(left, 0);
    return 0;
}

static int await_the_close(void *arg)
{
    return cora_await_unref(begin(fail_to_close, arg));
}

TEST(BaseTestTaskGroup_test_taskgroup_context_manager_exit_raises)
{
    assert_runs(await_the_close);
}

/* The second entry is an error, told at the exit; the first one stays in force until then. */
static int enter_twice(void *arg)
{
    cora_task_group group;
    cora_task *task;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    start(&group, &task, after, .delay = 0.1, .result = 42);
    cora_task_group_enter(&group);
    rc = cora_task_group_join(&group, 0);
    assert_int_equal(rc, -CORA_EENTERED);
    rc = cora_task_result(task);
    assert_int_equal(rc, 42);
    rc = leave(&group, rc, -CORA_EENTERED);
    assert_int_equal(rc, -CORA_EENTERED);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_already_entered)
{
    assert_runs(enter_twice);
}

static int start_after_the_exit(void *arg)
{
    cora_task_group group;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    rc = cora_task_group_exit(&group, 0);
    assert_int_equal(rc, 0);
    assert_refuses(&group, -CORA_EFINISHED);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_finished)
{
    assert_runs(start_after_the_exit);
}

static int start_before_the_entry(void *arg)
{
    cora_task_group group = {{NULL, NULL}};

    (void)arg;
    assert_refuses(&group, -CORA_ENOTENTERED);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_not_entered)
{
    assert_runs(start_before_the_entry);
}

/* Callbacks run in no task. */
static void enter_in_a_callback(void *arg)
{
    cora_task_group group;
    int rc;

    cora_task_group_enter(&group);
    assert_refuses(&group, -CORA_ENOTASK);
    rc = cora_task_group_exit(&group, 0);
    assert_int_equal(rc, -CORA_ENOTASK);
    *(bool *)arg = true;
}

static int call_back(void *arg)
{
    bool called = false;
    int rc;

    (void)arg;
    rc = cora_loop_call_soon(cora_get_running_loop(), enter_in_a_callback, &called, NULL);
    assert_int_equal(rc, 0);
    rest(0);
    assert_true(called);
    return 0;
}

TEST(BaseTestTaskGroup_test_taskgroup_without_parent_task)
{
    assert_runs(call_back);
}

/* ---- the count of cancellations ------------------------------------------------------------- */

/* The group cancels its parent for the failure, and takes that back. */
static int fail_at_once(void *arg)
{
    cora_task_group group;
    int rc, left;

    (void)arg;
    cora_task_group_enter(&group);
    start(&group, NULL, after, .delay = 0, .result = -EIO);
    rc = leave(&group, 0, -EIO);
    assert_int_equal(rc, -EIO);
    left = cancelling();
    assert_int_equal(left, 0);
    return 0;
}

TEST(BaseTestTaskGroup_test_cancelling_level_preserved)
{
    assert_runs(fail_at_once);
}

/* A task of each group fails in the same iteration: each takes back its own cancellation. */
static int fail_in_both(void *arg)
{
    cora_task_group outer, inner;
    int rc, left;

    (void)arg;
    cora_task_group_enter(&outer);
    cora_task_group_enter(&inner);
    start(&inner, NULL, after, .delay = 0, .result = -EIO);
    start(&outer, NULL, after, .delay = 0, .result = -EINVAL);
    rc = leave(&inner, 0, -EIO);
    assert_int_equal(rc, -EIO);
    left = cancelling();
    assert_int_equal(left, 1);
    rc = leave(&outer, 0, -EINVAL);
    assert_int_equal(rc, -EINVAL);
    left = cancelling();
    assert_int_equal(left, 0);
    return 0;
}

TEST(BaseTestTaskGroup_test_nested_groups_both_cancelled)
{
    assert_runs(fail_in_both);
}

struct set_and_fail_args {
    cora_event *event;
};

static int set_and_fail(void *arg)
{
    struct set_and_fail_args *a = arg;

    cora_event_set(a->event);
    rest(0);
    return -EIO;
}

static int fail_while_cancelled(void *arg)
{
    cora_task_group group;
    int rc, left;

    cora_task_group_enter(&group);
    start(&group, NULL, set_and_fail, .event = arg);
    rc = cora_sleep(1);
    assert_int_equal(rc, -ECANCELED);
    rc = leave(&group, rc, -EIO);
    assert_int_equal(rc, -EIO);
    left = cancelling();
    assert_int_equal(left, 1);
    return cora_sleep(1);
}

/*
 * A task fails and the parent is cancelled from outside at the same time. The error goes first; the
 * cancellation is not lost, and comes with the next call that suspends.
 */
static int cancel_while_failing(void *arg)
{
    cora_event event = CORA_EVENT_INIT;
    cora_task *task;
    bool cancelled;
    int rc, count;

    (void)arg;
    task = begin(fail_while_cancelled, &event);
    rc = cora_event_wait(&event);
    assert_int_equal(rc, 0);
    count = cora_task_cancelling(task);
    assert_int_equal(count, 0);
    cora_task_cancel(task);
    count = cora_task_cancelling(task);
    assert_int_equal(count, 1);
    rc = cora_await(task);
    assert_int_equal(rc, -ECANCELED);
    cancelled = cora_task_cancelled(task);
    assert_true(cancelled);
    cora_task_unref(task);
    return 0;
}

TEST(BaseTestTaskGroup_test_error_and_cancel)
{
    assert_runs(cancel_while_failing);
}

/* ---- the rest ------------------------------------------------------------------------------- */

struct say_name_args {
    char *name;
    size_t size;
};

static int say_name(void *arg)
{
    struct say_name_args *a = arg;

    snprintf(a->name, a->size, "%s", cora_task_get_name(cora_current_task()));
    return 0;
}

/* The name is the task's from its first instruction on. */
static int ask_for_the_name(void *arg)
{
    cora_task_options options = how;
    cora_task_group group;
    char name[32] = "";
    int rc;

    (void)arg;
    options.name = "example name";
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task_with(&group, &options, NULL, say_name, .name = name,
                                          .size = sizeof name);
    assert_int_equal(rc, 0);
    rc = leave(&group, 0, NONE);
    assert_string_equal(name, "example name");
    return rc;
}

TEST(BaseTestTaskGroup_test_name)
{
    assert_runs(ask_for_the_name);
}

struct fail_now_args {
    int error;
};

static int fail_now(void *arg)
{
    struct fail_now_args *a = arg;

    return a->error;
}

struct second_args {
    cora_task_group *group;
    bool *ran;
};

static int second(void *arg)
{
    struct second_args *a = arg;
    int rc;

    start(a->group, NULL, fail_now, .error = -EIO);
    rc = cora_sleep(0);
    if (rc == 0)
        rc = cora_sleep(0);
    assert_int_equal(rc, -ECANCELED);
    *a->ran = true;
    return 0;
}

/*
 * Started at once, a task may start one that fails before the group knows of the first itself; that
 * is cancelled all the same.
 */
static int fail_during_a_creation(void *arg)
{
    cora_task_group group;
    bool ran = false;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    start(&group, NULL, second, .group = &group, .ran = &ran);
    rc = leave(&group, 0, -EIO);
    assert_int_equal(rc, -EIO);
    assert_true(ran);
    return 0;
}

TEST(BaseTestTaskGroup_test_cancels_task_if_created_during_creation)
{
    assert_runs(fail_during_a_creation);
}

/* The task has failed before the parent waits; the cancellation that this asks for ends here. */
static int fail_without_a_step(void *arg)
{
    cora_task_group group;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    start(&group, NULL, fail_now, .error = -EIO);
    rc = leave(&group, 0, -EIO);
    assert_int_equal(rc, -EIO);
    rest(0);
    return 0;
}

TEST(BaseTestTaskGroup_test_cancellation_does_not_leak_out_of_tg)
{
    assert_runs(fail_without_a_step);
}
