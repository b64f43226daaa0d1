/* staggered_race: when each starts, and what becomes of all. */
#include "support/test.h"
#include "support/virtual.h"

/* A racer that says when it begins and ends, on a clock that counts tenths of seconds. */
struct runner {
    char name;
    double takes;
    int outcome;
};

static int now(void)
{
    return (int)(cora_loop_time(cora_get_running_loop()) * 10 + 0.5);
}

static int run_one(void *arg)
{
    struct runner *runner = arg;
    int rc;

    trace("%c%d", runner->name, now());
    rc = cora_sleep(runner->takes);
    if (rc == 0)
        rc = runner->outcome;
    trace("%c%d=%s", runner->name, now(), rc < 0 ? cora_strerrorname(rc) : "won");
    return rc;
}

enum { MOST = 4 };

static cora_racer racers[MOST];

struct race {
    struct runner runners[MOST];
    size_t count;
    double delay;
};

static int hold_race(void *arg)
{
    struct race *race = arg;

    for (size_t i = 0; i < race->count; i++)
        racers[i] = (cora_racer){.fn = run_one, .arg = &race->runners[i]};
    return cora_staggered_race(racers, race->count, race->delay);
}

/* ---- when they start ------------------------------------------------------------------------ */

TEST(each_starts_when_the_delay_is_over_or_the_one_before_has_failed)
{
    struct race race = {{{'a', 9, 0}, {'b', 0.1, -EIO}, {'c', 1, 7}, {'d', 0.9, -EIO}}, 4, 0.3};
    int rc = run_virtual(hold_race, &race);

    assert_int_equal(rc, 2);
    assert_string_equal(trace_text, "a0 b3 b4=EIO c4 d7 c14=won a14=ECANCELED d14=ECANCELED ");
    assert_int_equal(racers[0].outcome, -ECANCELED);
    assert_int_equal(racers[1].outcome, -EIO);
    assert_int_equal(racers[2].outcome, 7);
    assert_int_equal(racers[3].outcome, -ECANCELED);
}

TEST(a_failure_of_one_further_ahead_starts_nobody)
{
    struct race race = {{{'a', 0.4, -EIO}, {'b', 0.5, -EIO}, {'c', 0, 1}}, 3, 0.3};
    int rc = run_virtual(hold_race, &race);

    assert_int_equal(rc, 2);
    assert_string_equal(trace_text, "a0 b3 a4=EIO c6 c6=won b6=ECANCELED ");
}

TEST(without_delay_all_start_in_order)
{
    struct race race = {{{'a', 0.3, 1}, {'b', 0.2, 2}, {'c', 0.1, 3}}, 3, 0};
    int rc = run_virtual(hold_race, &race);

    assert_int_equal(rc, 2);
    assert_string_equal(trace_text, "a0 b0 c0 c1=won a1=ECANCELED b1=ECANCELED ");
}

TEST(who_waits_for_its_turn_when_somebody_wins_does_not_start)
{
    struct race race = {{{'a', 0.2, 1}, {'b', 0, 2}}, 2, 0.3};
    int rc = run_virtual(hold_race, &race);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "a0 a2=won ");
    assert_false(racers[1].started);
    assert_int_equal(racers[1].outcome, -CORA_EINVALIDSTATE);
}

TEST(racers_may_race_again)
{
    struct race race = {{{'a', 0, -EIO}, {'b', 0, 2}}, 2, INFINITY};
    int rc = run_virtual(hold_race, &race);

    assert_int_equal(rc, 1);
    race.runners[0].outcome = 1;
    rc = run_virtual(hold_race, &race);
    assert_int_equal(rc, 0);
    assert_false(racers[1].started);
}

/* ---- what becomes of them ------------------------------------------------------------------- */

static int win_late(void *arg)
{
    int rc = run_one(arg);

    return rc == -ECANCELED ? 99 : rc;
}

static int second_wins_though_cancelled(void *arg)
{
    struct race *race = arg;

    racers[0] = (cora_racer){.fn = win_late, .arg = &race->runners[0]};
    racers[1] = (cora_racer){.fn = run_one, .arg = &race->runners[1]};
    return cora_staggered_race(racers, 2, 0.1);
}

TEST(the_first_to_win_stays_the_winner)
{
    struct race race = {{{'a', 9, 0}, {'b', 0, 5}}, 2, 0.1};
    int rc = run_virtual(second_wins_though_cancelled, &race);

    assert_int_equal(rc, 1);
    assert_int_equal(racers[0].outcome, 99);
    assert_int_equal(racers[1].outcome, 5);
}

static int cancel_race(void *arg)
{
    cora_task *task = cora_create_task_arg(hold_race, arg);
    int rc = cora_sleep(0.4);

    assert_int_equal(rc, 0);
    cora_future_cancel_message(task, "enough");
    rc = cora_await(task);
    assert_int_equal(rc, -ECANCELED);
    assert_string_equal(cora_future_get_cancel_message(task), "enough");
    cora_task_unref(task);
    return (int)cora_all_tasks(NULL, NULL, 0);
}

TEST(a_race_that_is_cancelled_leaves_nobody_running)
{
    struct race race = {{{'a', 9, 0}, {'b', 9, 0}, {'c', 9, 0}}, 3, 0.3};
    int left = run_virtual(cancel_race, &race);

    assert_int_equal(left, 1); /* main */
    assert_string_equal(trace_text, "a0 b3 a4=ECANCELED b4=ECANCELED ");
    assert_false(racers[2].started);
    assert_int_equal(reports.count, 0);
}

static cora_task *makes_none(cora_loop *loop, const cora_task_options *options, cora_task_fn *fn,
                             const char *function, const void *args, size_t size)
{
    static int made;

    return made++ < 1 ? cora_task_create(loop, options, fn, function, args, size) : NULL;
}

static int short_of_memory(void *arg)
{
    cora_loop_set_task_factory(cora_get_running_loop(), makes_none);
    return hold_race(arg);
}

TEST(a_racer_that_cannot_be_started_is_an_error_where_no_other_wins)
{
    struct race race = {{{'a', 0.1, -EIO}, {'b', 0, 1}}, 2, INFINITY};
    int rc = run_virtual(short_of_memory, &race);

    assert_int_equal(rc, -ENOMEM);
    assert_string_equal(trace_text, "a0 a1=EIO ");
    assert_false(racers[1].started);
}

TEST(a_racer_that_cannot_be_started_does_not_matter_where_another_wins)
{
    struct race race = {{{'a', 0.1, 1}, {'b', 0, 1}}, 2, INFINITY};
    int rc = run_virtual(short_of_memory, &race);

    assert_int_equal(rc, 0);
}

/* A factory that starts what was to wait. */
static cora_task *make_all_eager(cora_loop *loop, const cora_task_options *options,
                                 cora_task_fn *fn, const char *function, const void *args,
                                 size_t size)
{
    (void)options;
    return cora_task_create(loop, &(cora_task_options){.eager_start = true}, fn, function, args,
                            size);
}

static int race_eagerly(void *arg)
{
    cora_loop_set_task_factory(cora_get_running_loop(), make_all_eager);
    return hold_race(arg);
}

TEST(a_race_bears_a_factory_that_starts_all_tasks_at_once)
{
    struct race race = {{{'a', 0, -EIO}, {'b', 0.2, 2}, {'c', 9, 3}}, 3, 0.1};
    int rc = run_virtual(race_eagerly, &race);

    assert_int_equal(rc, 1);
    assert_string_equal(trace_text, "a0 a0=EIO b0 c1 b2=won c2=ECANCELED ");
}

static int misuse(void *arg)
{
    return cora_staggered_race(arg, 1, NAN);
}

TEST(a_delay_is_a_number)
{
    cora_racer racer = {.fn = run_one};
    int rc = run_virtual(misuse, &racer);

    assert_int_equal(rc, -EINVAL);
}

TEST(only_a_task_races)
{
    cora_racer racer = {.fn = run_one};
    int rc = cora_staggered_race(&racer, 1, 0);

    assert_int_equal(rc, -CORA_ENOTASK);
}

static int race_for_ever(void *arg)
{
    struct race *race = arg;

    return hold_race(race);
}

TEST(a_loop_that_is_closed_over_a_race_frees_it)
{
    struct race race = {{{'a', 9, 0}, {'b', 9, 0}}, 2, 1};
    cora_loop *loop = virtual_loop();
    cora_task *task = cora_loop_create_task_arg(loop, NULL, race_for_ever, "race", &race);
    int rc;

    for (int i = 0; i < 4; i++) {
        cora_loop_stop(loop);
        rc = cora_loop_run_forever(loop);
        assert_int_equal(rc, 0);
    }
    assert_string_equal(trace_text, "a0 ");
    cora_task_unref(task);
    cora_loop_free(loop);
    assert_int_equal(reports.count, 3); /* tasks that were dropped: the race's, and two racers' */
}
