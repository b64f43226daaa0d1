/* CPython's lock_tests.py, as test_threading.py runs it: barriers. */
#include "support/bunch.h"
#include "support/test.h"

enum { PARTIES = 5 };

/* A barrier that all threads of a test meet at, and what they have seen. */
struct meeting {
    cora_threading_barrier barrier, other;
    int passes;
    struct counter first, second, third;
};

static void init_meeting(struct meeting *meeting)
{
    int rc = cora_threading_barrier_init(&meeting->barrier, PARTIES, NULL);

    assert_int_equal(rc, 0);
    rc = cora_threading_barrier_init(&meeting->other, PARTIES, NULL);
    assert_int_equal(rc, 0);
    meeting->first = meeting->second = meeting->third = (struct counter)COUNTER_INIT;
}

static void destroy_meeting(struct meeting *meeting)
{
    cora_threading_barrier_destroy(&meeting->barrier);
    cora_threading_barrier_destroy(&meeting->other);
}

TEST(BarrierTests_test_constructor)
{
    cora_threading_barrier barrier;
    int rc = cora_threading_barrier_init(&barrier, 0, NULL);

    assert_int_equal(rc, -EINVAL);
    rc = cora_threading_barrier_init(&barrier, -1, NULL);
    assert_int_equal(rc, -EINVAL);
    rc =
        cora_threading_barrier_init(&barrier, 1, &(cora_threading_barrier_options){.timeout = NAN});
    assert_int_equal(rc, -EINVAL);
}

static int pass(cora_threading_barrier *barrier)
{
    return cora_threading_barrier_wait(barrier, INFINITY);
}

/* In lockstep: nobody is a pass ahead of another. */
static int pass_often(void *arg)
{
    struct meeting *meeting = arg;

    check(cora_threading_barrier_parties(&meeting->barrier) == PARTIES);
    for (int i = 0; i < meeting->passes; i++) {
        int rc;

        counter_add(&meeting->first, 1);
        check(counter_get(&meeting->second) == i * PARTIES);
        rc = pass(&meeting->barrier);
        check(rc >= 0);
        counter_add(&meeting->second, 1);
        check(counter_get(&meeting->first) == (i + 1) * PARTIES);
        rc = pass(&meeting->barrier);
        check(rc >= 0);
    }
    return 0;
}

static void run_passes(int passes)
{
    struct meeting meeting = {.passes = passes};

    init_meeting(&meeting);
    run_bunch(PARTIES, pass_often, &meeting);
    assert_int_equal(cora_threading_barrier_n_waiting(&meeting.barrier), 0);
    assert_false(cora_threading_barrier_broken(&meeting.barrier));
    assert_int_equal(counter_get(&meeting.second), passes * PARTIES);
    destroy_meeting(&meeting);
}

TEST(BarrierTests_test_barrier)
{
    run_passes(1);
}

TEST(BarrierTests_test_barrier_10)
{
    run_passes(10);
}

static int add_index(void *arg)
{
    struct meeting *meeting = arg;
    int index = pass(&meeting->barrier);

    check(index >= 0);
    counter_add(&meeting->first, 1 << (4 * index));
    return 0;
}

TEST(BarrierTests_test_wait_return)
{
    struct meeting meeting;

    init_meeting(&meeting);
    run_bunch(PARTIES, add_index, &meeting);
    assert_int_equal(counter_get(&meeting.first), 0x11111);
    destroy_meeting(&meeting);
}

/* ---- the action ---------------------------------------------------------------------------- */

static int count_action(void *arg)
{
    counter_add(arg, 1);
    return 0;
}

static int see_action(void *arg)
{
    struct meeting *meeting = arg;
    int rc = pass(&meeting->barrier);

    check(rc >= 0);
    check(counter_get(&meeting->first) == 1);
    return 0;
}

TEST(BarrierTests_test_action)
{
    struct meeting meeting;
    int rc;

    init_meeting(&meeting);
    cora_threading_barrier_destroy(&meeting.barrier);
    rc = cora_threading_barrier_init(
        &meeting.barrier, PARTIES,
        &(cora_threading_barrier_options){.action = count_action, .arg = &meeting.first});
    assert_int_equal(rc, 0);
    run_bunch(PARTIES, see_action, &meeting);
    destroy_meeting(&meeting);
}

/* ---- barriers that break ------------------------------------------------------------------- */

/* One of those who have passed breaks the barrier: before the others have noticed that they may go,
 * or when they have come again. */
static int pass_or_abort(struct meeting *meeting)
{
    int rc = pass(&meeting->barrier);

    if (rc == PARTIES / 2) {
        cora_threading_barrier_abort(&meeting->barrier);
        return 0;
    }
    if (rc >= 0)
        rc = pass(&meeting->barrier);
    check(rc == -CORA_EBROKENBARRIER);
    counter_add(&meeting->first, 1);
    return 0;
}

static int meet_abort(void *arg)
{
    return pass_or_abort(arg);
}

TEST(BarrierTests_test_abort)
{
    struct meeting meeting;

    init_meeting(&meeting);
    run_bunch(PARTIES, meet_abort, &meeting);
    assert_int_equal(counter_get(&meeting.first), PARTIES - 1);
    assert_true(cora_threading_barrier_broken(&meeting.barrier));
    destroy_meeting(&meeting);
}

static int meet_reset(void *arg)
{
    struct meeting *meeting = arg;
    int index = pass(&meeting->barrier), rc;

    check(index >= 0);
    if (index == PARTIES / 2) {
        while (cora_threading_barrier_n_waiting(&meeting->barrier) < PARTIES - 1)
            sched_yield();
        cora_threading_barrier_reset(&meeting->barrier);
    } else {
        rc = pass(&meeting->barrier);
        check(rc == -CORA_EBROKENBARRIER);
        counter_add(&meeting->first, 1);
    }
    rc = pass(&meeting->barrier);
    check(rc >= 0);
    counter_add(&meeting->second, 1);
    return 0;
}

TEST(BarrierTests_test_reset)
{
    struct meeting meeting;

    init_meeting(&meeting);
    run_bunch(PARTIES, meet_reset, &meeting);
    assert_int_equal(counter_get(&meeting.first), PARTIES - 1);
    assert_int_equal(counter_get(&meeting.second), PARTIES);
    destroy_meeting(&meeting);
}

/* They meet at another barrier before the first is reset, and again before they use it. */
static int meet_abort_and_reset(void *arg)
{
    struct meeting *meeting = arg;
    int rc = pass_or_abort(meeting);

    check(rc == 0);
    rc = pass(&meeting->other);
    check(rc >= 0);
    if (rc == PARTIES / 2)
        cora_threading_barrier_reset(&meeting->barrier);
    rc = pass(&meeting->other);
    check(rc >= 0);
    rc = pass(&meeting->barrier);
    check(rc >= 0);
    counter_add(&meeting->second, 1);
    return 0;
}

TEST(BarrierTests_test_abort_and_reset)
{
    struct meeting meeting;

    init_meeting(&meeting);
    run_bunch(PARTIES, meet_abort_and_reset, &meeting);
    assert_int_equal(counter_get(&meeting.first), PARTIES - 1);
    assert_int_equal(counter_get(&meeting.second), PARTIES);
    destroy_meeting(&meeting);
}

/* ---- barriers whose time is up ------------------------------------------------------------- */

/* One is late: he comes when the others have gone. */
static int meet_late(void *arg)
{
    struct meeting *meeting = arg;
    int index = pass(&meeting->barrier), rc;

    check(index >= 0);
    if (index == PARTIES / 2)
        counter_await(&meeting->first, PARTIES - 1);
    rc = cora_threading_barrier_wait(&meeting->barrier, 0.02);
    check(rc == -CORA_EBROKENBARRIER);
    counter_add(&meeting->first, 1);
    return 0;
}

TEST(BarrierTests_test_timeout)
{
    struct meeting meeting;

    init_meeting(&meeting);
    run_bunch(PARTIES, meet_late, &meeting);
    assert_true(cora_threading_barrier_broken(&meeting.barrier));
    destroy_meeting(&meeting);
}

TEST(BarrierTests_test_default_timeout)
{
    cora_threading_barrier barrier;
    int rc = cora_threading_barrier_init(&barrier, 2,
                                         &(cora_threading_barrier_options){.timeout = 0.01});

    assert_int_equal(rc, 0);
    rc = pass(&barrier);
    assert_int_equal(rc, -CORA_EBROKENBARRIER);
    cora_threading_barrier_destroy(&barrier);
}

TEST(BarrierTests_test_single_thread)
{
    cora_threading_barrier barrier;
    int rc = cora_threading_barrier_init(&barrier, 1, NULL);

    assert_int_equal(rc, 0);
    for (int i = 0; i < 2; i++) {
        rc = pass(&barrier);
        assert_int_equal(rc, 0);
    }
    cora_threading_barrier_destroy(&barrier);
}
