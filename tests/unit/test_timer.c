/* Timers: their order, whatever is armed and cancelled in between. */
#include "support/test.h"
#include "support/virtual.h"

#include <math.h>

static void note(void *arg)
{
    trace("%s", (const char *)arg);
}

static void at(cora_loop *loop, double when, cora_callback *fn, void *arg)
{
    int rc = cora_loop_call_at(loop, when, fn, arg, NULL);

    assert_int_equal(rc, 0);
}

static void stop(void *arg)
{
    cora_loop_stop(arg);
}

/* Runs until the given time, with all that is due then. */
static void run_until(cora_loop *loop, double when)
{
    int rc;

    at(loop, when, stop, loop);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
}

TEST(timers_run_in_the_order_of_their_deadlines)
{
    cora_loop *loop = virtual_loop();

    at(loop, 3, note, "3");
    at(loop, 1, note, "1");
    at(loop, 2, note, "2");
    at(loop, -1, note, "past");
    run_until(loop, 10);
    assert_string_equal(trace_text, "past 1 2 3 ");
    cora_loop_free(loop);
}

TEST(of_equal_deadlines_the_first_armed_runs_first)
{
    static char names[100][4];
    static char expected[1024];
    cora_loop *loop = virtual_loop();

    for (int i = 0; i < 100; i++) {
        snprintf(names[i], sizeof names[i], "%d", i);
        strcat(strcat(expected, names[i]), " ");
        at(loop, 1, note, names[i]);
    }
    run_until(loop, 1);
    assert_string_equal(trace_text, expected);
    cora_loop_free(loop);
}

TEST(call_later_counts_from_now)
{
    cora_loop *loop = virtual_loop();
    cora_timer_handle *handle = NULL;
    int rc;

    run_until(loop, 5);
    rc = cora_loop_call_later(loop, 2, note, "a", &handle);
    assert_int_equal(rc, 0);
    assert_true(cora_timer_handle_when(handle) == 7);
    cora_handle_unref(handle);
    cora_loop_free(loop);
}

TEST(no_timer_is_armed_for_nan)
{
    cora_loop *loop = virtual_loop();
    cora_timer_handle *handle = NULL;
    int rc[2];

    rc[0] = cora_loop_call_later(loop, NAN, note, "a", &handle);
    rc[1] = cora_loop_call_at(loop, NAN, note, "a", &handle);
    assert_int_equal(rc[0], -EINVAL);
    assert_int_equal(rc[1], -EINVAL);
    assert_null(handle);
    cora_loop_free(loop);
}

TEST(a_timer_of_infinity_never_runs_and_one_of_minus_infinity_at_once)
{
    cora_loop *loop = virtual_loop();

    at(loop, INFINITY, note, "never");
    at(loop, -INFINITY, note, "at once");
    at(loop, 0, note, "zero");
    run_until(loop, 1e300);
    assert_string_equal(trace_text, "at once zero ");
    cora_loop_free(loop);
}

TEST(the_virtual_clock_does_not_jump_to_infinity)
{
    cora_loop *loop = virtual_loop();
    int rc;

    at(loop, INFINITY, note, "never");
    rc = cora_loop_poll(loop, 0);
    assert_int_equal(rc, 0);
    cora_loop_stop(loop);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
    assert_true(cora_loop_time(loop) == 0);
    cora_loop_free(loop);
}

static int sleep_for_ever(void *arg)
{
    (void)arg;
    return cora_sleep(INFINITY);
}

TEST(a_sleep_of_infinity_in_virtual_time_is_a_deadlock)
{
    int rc = run_virtual(sleep_for_ever, NULL);

    assert_int_equal(rc, -EDEADLK);
}

static void arm_next(void *arg)
{
    note("first");
    at(arg, 1, note, "second");
}

TEST(a_timer_armed_for_now_by_a_timer_runs_in_the_next_iteration)
{
    cora_loop *loop = virtual_loop();

    at(loop, 1, arm_next, loop);
    at(loop, 1, note, "with it");
    at(loop, 1.5, note, "later");
    run_until(loop, 2);
    assert_string_equal(trace_text, "first with it second later ");
    cora_loop_free(loop);
}

/* ---- against a sorted reference ------------------------------------------------------------- */

enum { COUNT = 10000, DEADLINES = 997 };

static struct timer {
    double when;
    cora_timer_handle *handle;
    bool cancelled, armed;
    int number;
} timers[COUNT];
static int fired[COUNT], fired_count;

static void fire(void *arg)
{
    fired[fired_count++] = ((struct timer *)arg)->number;
}

static uint32_t next_random(void)
{
    static uint64_t state = 42;

    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

/* The number of a timer stands for when it was armed. */
static int by_deadline(const void *a, const void *b)
{
    const struct timer *const *s = a, *const *t = b;

    if ((*s)->when != (*t)->when)
        return (*s)->when < (*t)->when ? -1 : 1;
    return (*s)->number - (*t)->number;
}

static void arm(cora_loop *loop, int number)
{
    struct timer *timer = &timers[number];
    int rc;

    timer->number = number;
    timer->when = (double)(next_random() % DEADLINES) / 8;
    rc = cora_loop_call_at(loop, timer->when, fire, timer, &timer->handle);
    timer->armed = true;
    assert_int_equal(rc, 0);
}

TEST(ten_thousand_timers_armed_and_cancelled_at_random_run_as_a_sort_would_have_them)
{
    static struct timer *expected[COUNT];
    cora_loop *loop = virtual_loop();
    int count = 0;

    for (int i = 0; i < COUNT; i++) {
        struct timer *victim = &timers[next_random() % COUNT];

        arm(loop, i);
        if (victim->armed && next_random() % 2 == 0) {
            victim->cancelled = true;
            cora_handle_cancel(victim->handle);
        }
    }
    run_until(loop, DEADLINES);
    for (int i = 0; i < COUNT; i++)
        if (!timers[i].cancelled)
            expected[count++] = &timers[i];
    qsort(expected, (size_t)count, sizeof expected[0], by_deadline);
    assert_in_range(count, COUNT / 2, COUNT - 1);
    assert_int_equal(fired_count, count);
    for (int i = 0; i < count; i++)
        assert_int_equal(fired[i], expected[i]->number);
    for (int i = 0; i < COUNT; i++)
        cora_handle_unref(timers[i].handle);
    cora_loop_free(loop);
}

/* The same while they run: each that fires arms one more and cancels another. */
static cora_loop *the_loop;
static int armed_count;
static double last_when;
static bool out_of_order;

static void churn(void *arg)
{
    struct timer *timer = arg;
    struct timer *victim = &timers[next_random() % COUNT];

    out_of_order |= timer->cancelled || timer->when < last_when;
    last_when = timer->when;
    fired_count++;
    timer->armed = false;
    if (victim->armed && victim != timer) {
        cora_handle_cancel(victim->handle);
        victim->cancelled = true;
        victim->armed = false;
    }
    if (armed_count < COUNT) {
        struct timer *next = &timers[armed_count++];

        next->when = last_when + (double)(next_random() % 100);
        next->armed = true;

        int rc = cora_loop_call_at(the_loop, next->when, churn, next, &next->handle);

        assert_int_equal(rc, 0);
    }
}

TEST(timers_that_arm_and_cancel_one_another_run_in_order)
{
    cora_loop *loop = the_loop = virtual_loop();

    while (armed_count < COUNT / 2) {
        struct timer *timer = &timers[armed_count++];
        int rc;

        timer->when = (double)(next_random() % 1000);
        timer->armed = true;
        rc = cora_loop_call_at(loop, timer->when, churn, timer, &timer->handle);
        assert_int_equal(rc, 0);
    }
    run_until(loop, 1e9);
    assert_false(out_of_order);
    assert_int_equal(armed_count, COUNT);
    for (int i = 0; i < COUNT; i++) {
        fired_count += timers[i].cancelled;
        assert_false(timers[i].armed);
        cora_handle_unref(timers[i].handle);
    }
    assert_int_equal(fired_count, COUNT);
    cora_loop_free(loop);
}
