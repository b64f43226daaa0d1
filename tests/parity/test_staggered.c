/* CPython's test_staggered.py: the first of several to succeed. */
#include "support/test.h"
#include "support/virtual.h"

/* Runs the body of a test as the main task. It returns 0, and nothing is reported. */
static void run(cora_task_fn *fn)
{
    int rc = run_virtual(fn, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

/* What the racers do; each is given its index, and ends with 10 more or with an error. */
static int indices[] = {0, 1};

static int succeed(void *arg)
{
    return 10 + *(int *)arg;
}

static int break_down(void *arg)
{
    return -EDOM - *(int *)arg;
}

static int fail_first(void *arg)
{
    return arg == &indices[0] ? break_down(arg) : succeed(arg);
}

static int empty(void *arg)
{
    int rc = cora_staggered_race(NULL, 0, INFINITY);

    (void)arg;
    assert_int_equal(rc, -CORA_ENOWINNER);
    return 0;
}

TEST(StaggeredTests_test_empty)
{
    run(empty);
}

static int one_successful(void *arg)
{
    cora_racer racers[] = {{.fn = succeed, .arg = &indices[0]},
                           {.fn = succeed, .arg = &indices[1]}};
    int rc = cora_staggered_race(racers, 2, INFINITY);

    (void)arg;
    assert_int_equal(rc, 0);
    assert_int_equal(racers[0].outcome, 10);
    assert_true(racers[0].started);
    assert_false(racers[1].started);
    return 0;
}

TEST(StaggeredTests_test_one_successful)
{
    run(one_successful);
}

static int first_error_second_successful(void *arg)
{
    cora_racer racers[] = {{.fn = fail_first, .arg = &indices[0]},
                           {.fn = fail_first, .arg = &indices[1]}};
    int rc = cora_staggered_race(racers, 2, INFINITY);

    (void)arg;
    assert_int_equal(rc, 1);
    assert_int_equal(racers[0].outcome, -EDOM);
    assert_int_equal(racers[1].outcome, 11);
    return 0;
}

TEST(StaggeredTests_test_first_error_second_successful)
{
    run(first_error_second_successful);
}

static int sleep_first(void *arg)
{
    int rc = arg == &indices[0] ? cora_sleep(10) : 0;

    return rc < 0 ? rc : succeed(arg);
}

static int first_timeout_second_successful(void *arg)
{
    cora_racer racers[] = {{.fn = sleep_first, .arg = &indices[0]},
                           {.fn = sleep_first, .arg = &indices[1]}};
    int rc = cora_staggered_race(racers, 2, 0.1);
    double ended = cora_loop_time(cora_get_running_loop());

    (void)arg;
    assert_int_equal(rc, 1);
    assert_int_equal(racers[0].outcome, -ECANCELED);
    assert_int_equal(racers[1].outcome, 11);
    assert_true(ended == 0.1);
    return 0;
}

TEST(StaggeredTests_test_first_timeout_second_successful)
{
    run(first_timeout_second_successful);
}

static int none_successful(void *arg)
{
    cora_racer racers[] = {{.fn = break_down, .arg = &indices[0]},
                           {.fn = break_down, .arg = &indices[1]}};
    int rc = cora_staggered_race(racers, 2, INFINITY);

    (void)arg;
    assert_int_equal(rc, -CORA_ENOWINNER);
    assert_int_equal(racers[0].outcome, -EDOM);
    assert_int_equal(racers[1].outcome, -EDOM - 1);
    return 0;
}

TEST(StaggeredTests_test_none_successful)
{
    run(none_successful);
}

static cora_event event = CORA_EVENT_INIT;

static int wait_for_event(void *arg)
{
    int rc = cora_event_wait(&event);

    return rc < 0 ? rc : succeed(arg);
}

static int set_event(void *arg)
{
    cora_event never = CORA_EVENT_INIT;

    (void)arg;
    cora_event_set(&event);
    return cora_event_wait(&never);
}

/* Both are woken at once; the first of them wins, and cancels the other. */
static int multiple_winners(void *arg)
{
    cora_racer racers[] = {{.fn = wait_for_event, .arg = &indices[0]},
                           {.fn = wait_for_event, .arg = &indices[1]},
                           {.fn = set_event}};
    int rc = cora_staggered_race(racers, 3, 0.1);

    (void)arg;
    assert_int_equal(rc, 0);
    assert_int_equal(racers[0].outcome, 10);
    assert_int_equal(racers[1].outcome, -ECANCELED);
    assert_int_equal(racers[2].outcome, -ECANCELED);
    return 0;
}

TEST(StaggeredTests_test_multiple_winners)
{
    run(multiple_winners);
}

/* Brings a timeout of the racing task's about; what that does to the race comes in the next but one
 * iteration. */
static void expire(cora_timeout *timeout)
{
    int rc[3];

    rc[0] = cora_timeout_reschedule(timeout, -1);
    rc[1] = cora_sleep(0);
    rc[2] = cora_sleep(0);
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[1], 0);
    assert_int_equal(rc[2], -ECANCELED);
}

static int expire_both(void *arg)
{
    cora_timeout *timeouts = arg;

    expire(&timeouts[1]);
    trace("cancelled 1");
    expire(&timeouts[0]);
    trace("cancelled 2");
    return 0;
}

static int cancelled(void *arg)
{
    cora_timeout timeouts[2];
    cora_racer racers[] = {{.fn = expire_both, .arg = timeouts}};
    int rc;

    (void)arg;
    cora_timeout_enter(&timeouts[0], INFINITY);
    cora_timeout_enter(&timeouts[1], INFINITY);
    rc = cora_staggered_race(racers, 1, INFINITY);
    if (rc == -ECANCELED)
        trace("cancelled 3");
    rc = cora_timeout_exit(&timeouts[1], rc);
    rc = cora_timeout_exit(&timeouts[0], rc);
    assert_int_equal(rc, -ETIMEDOUT);
    return 0;
}

TEST(StaggeredTests_test_cancelled)
{
    run(cancelled);
    assert_string_equal(trace_text, "cancelled 1 cancelled 2 cancelled 3 ");
}
