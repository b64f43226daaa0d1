/*
 * The order in which locks are taken: a ring is told before anybody is caught in it, and nothing
 * else is. The locks in this program are those of a debug build, whatever else is.
 */
#include "support/bunch.h"
#include "support/capture.h"
#include "support/test.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

static cora_threading_lock locks[3] = {CORA_THREADING_LOCK_INIT, CORA_THREADING_LOCK_INIT,
                                       CORA_THREADING_LOCK_INIT};

/* ---- what was told ------------------------------------------------------------------------- */

enum { MOST_STEPS = 4 };

static struct {
    int rings;
    size_t count;
    cora_threading_lock_order_step steps[MOST_STEPS]; /* of the last one */
} told;

static void tell(const cora_threading_lock_order_step steps[], size_t count)
{
    told.rings++;
    told.count = count;
    for (size_t i = 0; i < count && i < MOST_STEPS; i++)
        told.steps[i] = steps[i];
}

static void assert_step(size_t i, const void *held, const void *wanted)
{
    assert_ptr_equal(told.steps[i].held, held);
    assert_ptr_equal(told.steps[i].wanted, wanted);
}

static void assert_place(const cora_frame *place, const char *function, int line)
{
    assert_string_equal(place->function, function);
    assert_non_null(strstr(place->file, "test_lock_order.c"));
    assert_int_equal(place->line, line);
}

/* ---- who takes what ------------------------------------------------------------------------ */

static void take(cora_threading_lock *lock)
{
    int rc = cora_threading_lock_acquire(lock, INFINITY);

    assert_int_equal(rc, 0);
}

static void give(cora_threading_lock *lock)
{
    int rc = cora_threading_lock_release(lock);

    assert_int_equal(rc, 0);
}

static void take_both(cora_threading_lock *first, cora_threading_lock *second)
{
    take(first);
    take(second);
    give(second);
    give(first);
}

static int first_line, second_line;

static int take_0_then_1(void *arg)
{
    int rc;

    (void)arg;
    first_line = __LINE__ + 1;
    rc = cora_threading_lock_acquire(&locks[0], INFINITY);
    check(rc == 0);
    second_line = __LINE__ + 1;
    rc = cora_threading_lock_acquire(&locks[1], INFINITY);
    check(rc == 0);
    cora_threading_lock_release(&locks[1]);
    cora_threading_lock_release(&locks[0]);
    return 0;
}

/* ---- rings --------------------------------------------------------------------------------- */

TEST(two_locks_in_both_orders_are_told_once_with_all_places)
{
    int held_line, wanted_line, rc;

    cora_threading_set_lock_order_hook(tell);
    run_bunch(1, take_0_then_1, NULL);
    assert_int_equal(told.rings, 0);
    for (int i = 0; i < 2; i++) {
        held_line = __LINE__ + 1;
        rc = cora_threading_lock_acquire(&locks[1], INFINITY);
        assert_int_equal(rc, 0);
        wanted_line = __LINE__ + 1;
        rc = cora_threading_lock_acquire(&locks[0], INFINITY);
        assert_int_equal(rc, 0);
        give(&locks[0]);
        give(&locks[1]);
    }
    assert_int_equal(told.rings, 1);
    assert_int_equal(told.count, 2);
    assert_step(0, &locks[1], &locks[0]);
    assert_place(&told.steps[0].held_at, __func__, held_line);
    assert_place(&told.steps[0].wanted_at, __func__, wanted_line);
    assert_step(1, &locks[0], &locks[1]);
    assert_place(&told.steps[1].held_at, "take_0_then_1", first_line);
    assert_place(&told.steps[1].wanted_at, "take_0_then_1", second_line);
}

TEST(three_locks_in_a_ring_are_told)
{
    cora_threading_set_lock_order_hook(tell);
    take_both(&locks[0], &locks[1]);
    take_both(&locks[1], &locks[2]);
    take_both(&locks[0], &locks[2]);
    assert_int_equal(told.rings, 0);
    take_both(&locks[2], &locks[0]);
    assert_int_equal(told.rings, 1);
    assert_int_equal(told.count, 2); /* the shortest */
    assert_step(0, &locks[2], &locks[0]);
    assert_step(1, &locks[0], &locks[2]);
}

TEST(the_only_way_around_a_ring_is_told_step_by_step)
{
    cora_threading_set_lock_order_hook(tell);
    take_both(&locks[0], &locks[1]);
    take_both(&locks[1], &locks[2]);
    take_both(&locks[2], &locks[0]);
    assert_int_equal(told.rings, 1);
    assert_int_equal(told.count, 3);
    assert_step(0, &locks[2], &locks[0]);
    assert_step(1, &locks[0], &locks[1]);
    assert_step(2, &locks[1], &locks[2]);
}

TEST(of_several_locks_that_are_held_each_may_close_a_ring)
{
    cora_threading_set_lock_order_hook(tell);
    take_both(&locks[2], &locks[0]);
    take_both(&locks[2], &locks[1]);
    take(&locks[0]);
    take(&locks[1]);
    take(&locks[2]);
    assert_int_equal(told.rings, 2);
    for (int i = 0; i < 3; i++)
        give(&locks[i]);
}

TEST(a_ring_that_is_known_is_not_told_again)
{
    cora_threading_set_lock_order_hook(tell);
    take_both(&locks[0], &locks[1]);
    take_both(&locks[1], &locks[0]);
    assert_int_equal(told.rings, 1);
    take_both(&locks[2], &locks[0]);
    assert_int_equal(told.rings, 1);
}

/* The hook lets the test go on. */
static void tell_and_release(const cora_threading_lock_order_step steps[], size_t count)
{
    tell(steps, count);
    cora_threading_lock_release(&locks[0]);
}

TEST(who_waits_for_a_lock_that_he_holds_is_told)
{
    cora_threading_set_lock_order_hook(tell_and_release);
    take(&locks[0]);
    take(&locks[0]);
    assert_int_equal(told.rings, 1);
    assert_int_equal(told.count, 1);
    assert_step(0, &locks[0], &locks[0]);
    give(&locks[0]);
}

/* ---- no rings ------------------------------------------------------------------------------ */

TEST(locks_in_one_order_are_not_told)
{
    cora_threading_set_lock_order_hook(tell);
    for (int i = 0; i < 2; i++) {
        take_both(&locks[0], &locks[1]);
        take_both(&locks[1], &locks[2]);
        take_both(&locks[0], &locks[2]);
    }
    take(&locks[1]);
    give(&locks[1]);
    take(&locks[0]);
    give(&locks[0]);
    assert_int_equal(told.rings, 0);
}

TEST(who_waits_for_a_limited_time_is_not_told)
{
    static const double timeouts[] = {0, 60};

    cora_threading_set_lock_order_hook(tell);
    take_both(&locks[0], &locks[1]);
    take(&locks[1]);
    for (int i = 0; i < 2; i++) {
        int rc = cora_threading_lock_acquire(&locks[0], timeouts[i]);

        assert_int_equal(rc, 0);
        give(&locks[0]);
    }
    give(&locks[1]);
    assert_int_equal(told.rings, 0);
}

/* But he holds the lock then. */
TEST(a_lock_that_was_tried_counts_for_those_that_follow)
{
    int rc;

    cora_threading_set_lock_order_hook(tell);
    take_both(&locks[0], &locks[1]);
    rc = cora_threading_lock_acquire(&locks[1], 0);
    assert_int_equal(rc, 0);
    take(&locks[0]);
    assert_int_equal(told.rings, 1);
    give(&locks[0]);
    give(&locks[1]);
}

static int fail_to_take_0_then_1(void *arg)
{
    int rc = cora_threading_lock_acquire(&locks[0], 0.001);

    (void)arg;
    check(rc == -ETIMEDOUT);
    rc = cora_threading_lock_acquire(&locks[1], INFINITY);
    check(rc == 0);
    return cora_threading_lock_release(&locks[1]);
}

/* Who has not got it does not hold it. */
TEST(a_lock_that_was_tried_in_vain_does_not_count)
{
    cora_threading_set_lock_order_hook(tell);
    take(&locks[0]);
    run_bunch(1, fail_to_take_0_then_1, NULL);
    give(&locks[0]);
    take_both(&locks[1], &locks[0]);
    assert_int_equal(told.rings, 0);
}

TEST(a_lock_that_is_no_more_is_forgotten)
{
    cora_threading_set_lock_order_hook(tell);
    take_both(&locks[0], &locks[1]);
    cora_threading_lock_destroy(&locks[0]);
    cora_threading_lock_init(&locks[0]);
    take_both(&locks[1], &locks[0]);
    cora_threading_lock_init(&locks[1]);
    take_both(&locks[0], &locks[1]);
    assert_int_equal(told.rings, 0);
    take_both(&locks[1], &locks[0]);
    assert_int_equal(told.rings, 1);
}

static int release_0(void *arg)
{
    (void)arg;
    return cora_threading_lock_release(&locks[0]);
}

TEST(a_lock_that_another_thread_has_released_is_not_held)
{
    cora_threading_set_lock_order_hook(tell);
    take(&locks[0]);
    run_bunch(1, release_0, NULL);
    take(&locks[1]);
    give(&locks[1]);
    take_both(&locks[1], &locks[0]);
    assert_int_equal(told.rings, 0);
}

/* ---- recursive locks and conditions -------------------------------------------------------- */

static void take_rlock(cora_threading_rlock *lock)
{
    int rc = cora_threading_rlock_acquire(lock, INFINITY);

    assert_int_equal(rc, 0);
}

TEST(a_recursive_lock_that_is_taken_again_is_not_told)
{
    cora_threading_rlock lock = CORA_THREADING_RLOCK_INIT;

    cora_threading_set_lock_order_hook(tell);
    take_rlock(&lock);
    take(&locks[0]);
    take_rlock(&lock);
    take_rlock(&lock);
    assert_int_equal(told.rings, 0);
    for (int i = 0; i < 2; i++)
        cora_threading_rlock_release(&lock);
    give(&locks[0]);
    cora_threading_rlock_release(&lock);

    take(&locks[0]);
    take_rlock(&lock);
    assert_int_equal(told.rings, 1);
    cora_threading_rlock_release(&lock);
    give(&locks[0]);
    cora_threading_rlock_destroy(&lock);
}

/* It takes its lock again while the other is held. */
TEST(a_condition_that_waits_while_another_lock_is_held_is_told)
{
    cora_threading_condition condition = CORA_THREADING_CONDITION_INIT;
    int rc = cora_threading_condition_acquire(&condition, INFINITY);

    cora_threading_set_lock_order_hook(tell);
    assert_int_equal(rc, 0);
    take(&locks[0]);
    assert_int_equal(told.rings, 0);
    rc = cora_threading_condition_wait(&condition, 0);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_int_equal(told.rings, 1);
    assert_ptr_equal(told.steps[0].held, &locks[0]);
    assert_string_equal(told.steps[0].wanted_at.function, "cora_threading_condition_wait");
    assert_null(told.steps[0].wanted_at.file);
    assert_non_null(strstr(told.steps[1].held_at.file, "test_lock_order.c"));
    give(&locks[0]);
    cora_threading_condition_release(&condition);
    cora_threading_condition_destroy(&condition);
}

/* ---- the report ---------------------------------------------------------------------------- */

static void close_ring(void *arg)
{
    int rc;

    (void)arg;
    take_both(&locks[0], &locks[1]);
    take(&locks[1]);
    rc = (cora_threading_lock_acquire)(&locks[0], INFINITY);
    assert_int_equal(rc, 0);
    give(&locks[0]);
    give(&locks[1]);
}

TEST(without_a_hook_a_ring_is_printed)
{
    const char *text;
    char lock[32];

    cora_threading_set_lock_order_hook(tell);
    cora_threading_set_lock_order_hook(NULL);
    text = capture_stderr(close_ring, NULL);
    assert_ptr_equal(strstr(text, "cora: possible deadlock"), text);
    assert_non_null(strstr(text, "test_lock_order.c:"));
    assert_non_null(strstr(text, " in take()"));
    assert_non_null(strstr(text, "a place not known"));
    for (int i = 0; i < 2; i++) {
        snprintf(lock, sizeof lock, "lock %p, held since", (void *)&locks[i]);
        assert_non_null(strstr(text, lock));
    }
    assert_int_equal(told.rings, 0);
}

/* ---- many threads, and forks --------------------------------------------------------------- */

#ifdef CORA_SLOW_TESTS
enum { FORKS = 20 };
#else
enum { FORKS = 300 };
#endif

static int take_often(void *stop)
{
    while (counter_get(stop) == 0) {
        int rc = take_0_then_1(NULL);

        check(rc == 0);
        if (FORKS == 20)
            sched_yield(); /* where threads take turns, the other one forks */
    }
    return 0;
}

/* A child does not find what is watched over as a thread of its parent has left it. */
TEST(a_forked_child_takes_locks)
{
    struct counter stop = COUNTER_INIT;
    struct bunch bunch;

    if (getenv("CORA_EMULATED") != NULL)
        skip(); /* qemu-user cannot fork a process that has threads */
    start_bunch(&bunch, 1, take_often, &stop);
    for (int i = 0; i < FORKS; i++) {
        int status = -1;
        pid_t pid = fork();

        if (pid == 0) {
            take(&locks[2]);
            give(&locks[2]);
            _exit(0);
        }
        waitpid(pid, &status, 0);
        assert_int_equal(status, 0);
    }
    counter_add(&stop, 1);
    join_bunch(&bunch);
}
