/* CPython's lock_tests.py, as test_threading.py runs it: conditions. */
#include "support/bunch.h"
#include "support/test.h"

static void acquire(cora_threading_condition *condition)
{
    int rc = cora_threading_condition_acquire(condition, INFINITY);

    assert_int_equal(rc, 0);
}

static void release(cora_threading_condition *condition)
{
    int rc = cora_threading_condition_release(condition);

    assert_int_equal(rc, 0);
}

TEST(ConditionTests_test_acquire)
{
    cora_threading_condition condition = CORA_THREADING_CONDITION_INIT;
    cora_threading_lock lock = CORA_THREADING_LOCK_INIT;
    int rc;

    acquire(&condition);
    acquire(&condition);
    release(&condition);
    release(&condition);
    cora_threading_condition_destroy(&condition);

    cora_threading_condition_init_lock(&condition, &lock);
    acquire(&condition);
    rc = cora_threading_lock_acquire(&lock, 0);
    assert_int_equal(rc, -ETIMEDOUT);
    release(&condition);
    rc = cora_threading_lock_acquire(&lock, 0);
    assert_int_equal(rc, 0);
    rc = cora_threading_condition_acquire(&condition, 0);
    assert_int_equal(rc, -ETIMEDOUT);
    rc = cora_threading_lock_release(&lock);
    assert_int_equal(rc, 0);
    cora_threading_condition_destroy(&condition);
    cora_threading_lock_destroy(&lock);
}

TEST(ConditionTests_test_unacquired_wait)
{
    cora_threading_condition condition = CORA_THREADING_CONDITION_INIT;
    int rc = cora_threading_condition_wait(&condition, INFINITY);

    assert_int_equal(rc, -EPERM);
    cora_threading_condition_destroy(&condition);
}

TEST(ConditionTests_test_unacquired_notify)
{
    cora_threading_condition condition = CORA_THREADING_CONDITION_INIT;
    int rc = cora_threading_condition_notify(&condition, 1);

    assert_int_equal(rc, -EPERM);
    rc = cora_threading_condition_notify_all(&condition);
    assert_int_equal(rc, -EPERM);
    cora_threading_condition_destroy(&condition);
}

/* ---- those who wait ------------------------------------------------------------------------ */

/* Everything is read and written under the condition's lock, but for `awake`. */
struct waits {
    cora_threading_condition condition;
    int waiting, phase;
    int woken[4]; /* in the phase */
    struct counter awake;
};

static int wait_twice(void *arg)
{
    struct waits *waits = arg;

    for (int i = 0; i < 2; i++) {
        int rc = cora_threading_condition_acquire(&waits->condition, INFINITY);

        check(rc == 0);
        waits->waiting++;
        rc = cora_threading_condition_wait(&waits->condition, INFINITY);
        check(rc == 0);
        waits->woken[waits->phase]++;
        counter_add(&waits->awake, 1);
        cora_threading_condition_release(&waits->condition);
    }
    return 0;
}

/* So many have begun to wait, and go on to: the lock is free. */
static void await_waiting(struct waits *waits, int count)
{
    bool there = false;

    while (!there) {
        acquire(&waits->condition);
        there = waits->waiting >= count;
        release(&waits->condition);
        sched_yield();
    }
}

/* In the next phase so many are notified, and no more wake. */
static void wake(struct waits *waits, size_t count, int awake)
{
    acquire(&waits->condition);
    waits->phase++;
    if (count > 0)
        cora_threading_condition_notify(&waits->condition, count);
    else
        cora_threading_condition_notify_all(&waits->condition);
    release(&waits->condition);
    counter_await(&waits->awake, awake);
}

static void check_notify(struct waits *waits)
{
    struct bunch bunch;

    start_bunch(&bunch, 5, wait_twice, waits);
    await_waiting(waits, 5);
    wake(waits, 3, 3);
    await_waiting(waits, 8); /* two wait for the first time, and three for the second */
    wake(waits, 4, 7);
    await_waiting(waits, 10);
    wake(waits, 0, 10);
    join_bunch(&bunch);
    assert_int_equal(waits->woken[1], 3);
    assert_int_equal(waits->woken[2], 4);
    assert_int_equal(waits->woken[3], 3);
}

TEST(ConditionTests_test_notify)
{
    struct waits waits = {.condition = CORA_THREADING_CONDITION_INIT, .awake = COUNTER_INIT};

    check_notify(&waits);
    waits.phase = waits.waiting = waits.awake.value = 0;
    memset(waits.woken, 0, sizeof waits.woken);
    check_notify(&waits);
    cora_threading_condition_destroy(&waits.condition);
}

static int wait_in_vain(void *arg)
{
    struct waits *waits = arg;
    int rc = cora_threading_condition_acquire(&waits->condition, INFINITY);

    check(rc == 0);
    rc = cora_threading_condition_wait(&waits->condition, 0.02);
    check(rc == -ETIMEDOUT);
    rc = cora_threading_condition_release(&waits->condition);
    check(rc == 0);
    return 0;
}

TEST(ConditionTests_test_timeout)
{
    struct waits waits = {.condition = CORA_THREADING_CONDITION_INIT};

    run_bunch(5, wait_in_vain, &waits);
    cora_threading_condition_destroy(&waits.condition);
}

static bool is_four(void *arg)
{
    return ((struct waits *)arg)->phase == 4;
}

static int wait_for_four(void *arg)
{
    struct waits *waits = arg;
    int rc = cora_threading_condition_acquire(&waits->condition, INFINITY);

    check(rc == 0);
    waits->waiting++;
    rc = cora_threading_condition_wait_for(&waits->condition, is_four, waits, INFINITY);
    check(rc == 0);
    check(waits->phase == 4);
    cora_threading_condition_release(&waits->condition);
    return 0;
}

TEST(ConditionTests_test_waitfor)
{
    struct waits waits = {.condition = CORA_THREADING_CONDITION_INIT, .awake = COUNTER_INIT};
    struct bunch bunch;

    start_bunch(&bunch, 1, wait_for_four, &waits);
    await_waiting(&waits, 1);
    for (int i = 0; i < 4; i++)
        wake(&waits, 1, 0);
    join_bunch(&bunch);
    cora_threading_condition_destroy(&waits.condition);
}

static int wait_for_four_in_vain(void *arg)
{
    struct waits *waits = arg;
    int rc = cora_threading_condition_acquire(&waits->condition, INFINITY);

    check(rc == 0);
    waits->waiting++;
    rc = cora_threading_condition_wait_for(&waits->condition, is_four, waits, 0.02);
    check(rc == -ETIMEDOUT);
    cora_threading_condition_release(&waits->condition);
    return 0;
}

TEST(ConditionTests_test_waitfor_timeout)
{
    struct waits waits = {.condition = CORA_THREADING_CONDITION_INIT, .awake = COUNTER_INIT};
    struct bunch bunch;

    start_bunch(&bunch, 1, wait_for_four_in_vain, &waits);
    await_waiting(&waits, 1);
    for (int i = 0; i < 3; i++)
        wake(&waits, 1, 0);
    join_bunch(&bunch);
    cora_threading_condition_destroy(&waits.condition);
}
