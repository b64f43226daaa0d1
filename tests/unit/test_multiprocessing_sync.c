/* Locks and what is built on them, between processes of which some are killed. */
#include "support/children.h"
#include "support/test.h"

#include <cora/error.h>

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

/* What the children share with the test. */
static struct shared {
    cora_multiprocessing_lock lock;
    cora_multiprocessing_condition condition;
    cora_multiprocessing_semaphore semaphore;
    cora_multiprocessing_event event, go;
    cora_multiprocessing_barrier barrier;
    int count, most;
    int outcomes[16];
} * shared;

static void make_shared(void)
{
    int rc;

    shared = share(sizeof *shared);
    rc = cora_multiprocessing_lock_init(&shared->lock);
    assert_int_equal(rc, 0);
    rc = cora_multiprocessing_condition_init(&shared->condition);
    assert_int_equal(rc, 0);
    rc = cora_multiprocessing_event_init(&shared->event);
    assert_int_equal(rc, 0);
    rc = cora_multiprocessing_event_init(&shared->go);
    assert_int_equal(rc, 0);
}

static bool is_emulated(void)
{
    return getenv("CORA_EMULATED") != NULL; /* qemu-user has no robust mutexes */
}

static void await_event(cora_multiprocessing_event *event)
{
    int rc = cora_multiprocessing_event_wait(event, INFINITY);

    assert_int_equal(rc, 0);
}

static void stay(void)
{
    for (;;)
        pause();
}

/* ---- Lock ---------------------------------------------------------------------------------- */

enum { CHILDREN = 4, EACH = 200 };

/* Not an atomic addition: it takes the lock to be right. */
static int count_up(void *arg)
{
    int rc = 0;

    (void)arg;
    for (int i = 0; i < EACH && rc == 0; i++) {
        int before;

        rc = cora_multiprocessing_lock_acquire(&shared->lock, INFINITY);
        before = *(volatile int *)&shared->count;
        sched_yield();
        *(volatile int *)&shared->count = before + 1;
        cora_multiprocessing_lock_release(&shared->lock);
    }
    return rc;
}

static void run_children(cora_multiprocessing_target *target, int count)
{
    cora_multiprocessing_process *children[CHILDREN];

    for (int i = 0; i < count; i++)
        children[i] = start_child(target, NULL);
    for (int i = 0; i < count; i++) {
        int exitcode = finish_child(children[i]);

        assert_int_equal(exitcode, 0);
    }
}

TEST(a_lock_lets_one_process_in_at_a_time)
{
    make_shared();
    run_children(count_up, CHILDREN);
    assert_int_equal(shared->count, CHILDREN * EACH);
}

static int try_the_lock(void *arg)
{
    (void)arg;
    return cora_multiprocessing_lock_acquire(&shared->lock, 0) == -ETIMEDOUT &&
                   cora_multiprocessing_lock_acquire(&shared->lock, 0.001) == -ETIMEDOUT
               ? 0
               : 1;
}

/* The thread sanitizer takes misuse for a fault of the program, as it is. */
#ifdef __SANITIZE_THREAD__
static const bool may_misuse = false;
#else
static const bool may_misuse = true;
#endif

static int release_the_lock(void *arg)
{
    (void)arg;
    return cora_multiprocessing_lock_release(&shared->lock) == -EPERM ? 0 : 1;
}

TEST(a_lock_is_released_by_its_owner_and_nobody_else)
{
    int rc, exitcode;

    if (!may_misuse)
        return;
    make_shared();
    rc = cora_multiprocessing_lock_release(&shared->lock);
    assert_int_equal(rc, -EPERM);
    rc = cora_multiprocessing_condition_wait(&shared->condition, INFINITY);
    assert_int_equal(rc, -EPERM);
    rc = cora_multiprocessing_condition_wait(&shared->condition, 0);
    assert_int_equal(rc, -EPERM);
    rc = cora_multiprocessing_lock_acquire(&shared->lock, INFINITY);
    assert_int_equal(rc, 0);
    rc = cora_multiprocessing_lock_acquire(&shared->lock, INFINITY);
    assert_int_equal(rc, -EDEADLK);
    exitcode = run_child(release_the_lock, NULL);
    assert_int_equal(exitcode, 0);
    assert_int_equal(cora_multiprocessing_lock_release(&shared->lock), 0);
    assert_int_equal(cora_multiprocessing_lock_release(&shared->lock), -EPERM);
}

TEST(a_lock_that_another_has_is_waited_for_no_longer_than_allowed)
{
    int rc, exitcode;

    make_shared();
    rc = cora_multiprocessing_lock_acquire(&shared->lock, NAN);
    assert_int_equal(rc, -EINVAL);
    rc = cora_multiprocessing_lock_acquire(&shared->lock, INFINITY);
    assert_int_equal(rc, 0);
    exitcode = run_child(try_the_lock, NULL);
    assert_int_equal(exitcode, 0);
    assert_int_equal(cora_multiprocessing_lock_release(&shared->lock), 0);
    rc = cora_multiprocessing_lock_acquire(&shared->lock, 0);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_multiprocessing_lock_release(&shared->lock), 0);
}

TEST(an_rlock_is_its_owners_as_often_as_he_wants)
{
    int rc, exitcode;

    make_shared();
    rc = cora_multiprocessing_rlock_init(&shared->lock);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 2; i++) {
        rc = cora_multiprocessing_lock_acquire(&shared->lock, INFINITY);
        assert_int_equal(rc, 0);
    }
    assert_int_equal(cora_multiprocessing_lock_release(&shared->lock), 0);
    exitcode = run_child(try_the_lock, NULL);
    assert_int_equal(exitcode, 0);
    assert_int_equal(cora_multiprocessing_lock_release(&shared->lock), 0);
    exitcode = run_child(count_up, NULL);
    assert_int_equal(exitcode, 0);
}

static int take_and_stay(void *arg)
{
    int rc = cora_multiprocessing_lock_acquire(&shared->lock, INFINITY);

    (void)arg;
    cora_multiprocessing_event_set(&shared->event);
    if (rc == 0)
        stay();
    return 1;
}

/* The lock of one who was killed comes to who asks, and to who has been waiting; once. */
static void inherit_lock(double timeout)
{
    cora_multiprocessing_process *owner;
    int rc;

    make_shared();
    owner = start_child(take_and_stay, NULL);
    await_event(&shared->event);
    rc = cora_multiprocessing_lock_acquire(&shared->lock, 0);
    assert_int_equal(rc, -ETIMEDOUT);
    kill_child(owner);
    rc = cora_multiprocessing_lock_acquire(&shared->lock, timeout);
    assert_int_equal(rc, -EOWNERDEAD);
    assert_int_equal(cora_multiprocessing_lock_release(&shared->lock), 0);
    rc = cora_multiprocessing_lock_acquire(&shared->lock, timeout);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_multiprocessing_lock_release(&shared->lock), 0);
}

TEST(the_lock_of_one_who_was_killed_is_the_next_ones_who_is_told)
{
    if (is_emulated())
        return;
    inherit_lock(0);
    inherit_lock(100);
    inherit_lock(INFINITY);
}

static int wait_for_the_dead(void *arg)
{
    int rc = cora_multiprocessing_lock_acquire(&shared->lock, *(double *)arg);

    return rc == -EOWNERDEAD ? 0 : 1;
}

TEST(who_waits_for_the_lock_of_one_who_is_killed_gets_it)
{
    static double timeouts[] = {100, INFINITY};

    if (is_emulated())
        return;
    for (int i = 0; i < 2; i++) {
        cora_multiprocessing_process *owner, *waiter;
        int exitcode;

        make_shared();
        owner = start_child(take_and_stay, NULL);
        await_event(&shared->event);
        waiter = start_child(wait_for_the_dead, &timeouts[i]);
        await_sleep(cora_multiprocessing_process_pid(waiter));
        kill_child(owner);
        exitcode = finish_child(waiter);
        assert_int_equal(exitcode, 0);
    }
}

/* ---- Condition ----------------------------------------------------------------------------- */

/* Until there is something to count down. */
static int count_down(void *arg)
{
    int rc = cora_multiprocessing_condition_acquire(&shared->condition, INFINITY);

    (void)arg;
    while (rc == 0 && shared->count == 0)
        rc = cora_multiprocessing_condition_wait(&shared->condition, INFINITY);
    if (rc == 0)
        shared->count--;
    cora_multiprocessing_condition_release(&shared->condition);
    return rc;
}

static void enter(void)
{
    int rc = cora_multiprocessing_condition_acquire(&shared->condition, INFINITY);

    assert_int_equal(rc, 0);
}

static void leave(void)
{
    assert_int_equal(cora_multiprocessing_condition_release(&shared->condition), 0);
}

static void add(int count)
{
    enter();
    cora_multiprocessing_condition_notify_all(&shared->condition);
    shared->count += count;
    leave();
}

TEST(those_who_wait_for_a_condition_are_woken)
{
    cora_multiprocessing_process *waiting[CHILDREN];

    make_shared();
    for (int i = 0; i < CHILDREN; i++)
        waiting[i] = start_child(count_down, NULL);
    for (int i = 0; i < CHILDREN; i++)
        await_sleep(cora_multiprocessing_process_pid(waiting[i]));
    add(CHILDREN);
    for (int i = 0; i < CHILDREN; i++) {
        int exitcode = finish_child(waiting[i]);

        assert_int_equal(exitcode, 0);
    }
    assert_int_equal(shared->count, 0);
}

static bool is_late; /* what comes after the lock was released, and before it sleeps */

/* (Of its arguments, six at most, each is in a register, told of or not.) */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
long __real_syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);

long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    if (is_late) {
        is_late = false;
        add(1);
    }
    return __real_syscall(number, a, b, c, d, e, f);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

TEST(a_notify_that_comes_right_before_the_sleep_is_not_lost)
{
    int rc;

    make_shared();
    is_late = true;
    rc = count_down(NULL);
    assert_int_equal(rc, 0);
    assert_false(is_late);
    assert_int_equal(shared->count, 0);
}

/* As often as glibc's condition variables need to come round to the one who is no more. */
TEST(who_was_killed_while_he_waited_holds_up_nobody)
{
    make_shared();
    for (int i = 0; i < 4; i++) {
        cora_multiprocessing_process *killed = start_child(count_down, NULL);
        cora_multiprocessing_process *waiting = start_child(count_down, NULL);
        int exitcode;

        await_sleep(cora_multiprocessing_process_pid(killed));
        await_sleep(cora_multiprocessing_process_pid(waiting));
        kill_child(killed);
        add(1);
        exitcode = finish_child(waiting);
        assert_int_equal(exitcode, 0);
        add(0);
    }
}

TEST(a_condition_is_waited_for_no_longer_than_allowed_and_with_its_lock)
{
    int rc, exitcode;

    make_shared();
    enter();
    rc = cora_multiprocessing_condition_wait(&shared->condition, NAN);
    assert_int_equal(rc, -EINVAL);
    rc = cora_multiprocessing_condition_wait(&shared->condition, 0);
    assert_int_equal(rc, -ETIMEDOUT);
    rc = cora_multiprocessing_condition_wait(&shared->condition, 0.001);
    assert_int_equal(rc, -ETIMEDOUT);
    leave();
    add(1);
    exitcode = run_child(count_down, NULL);
    assert_int_equal(exitcode, 0);
}

/* ---- Semaphore ----------------------------------------------------------------------------- */

static int use_permit(void *arg)
{
    (void)arg;
    for (int i = 0; i < EACH; i++) {
        int inside;

        if (cora_multiprocessing_semaphore_acquire(&shared->semaphore, INFINITY) < 0)
            return 1;
        inside = __atomic_add_fetch(&shared->count, 1, __ATOMIC_SEQ_CST);
        sched_yield();
        if (inside > 2)
            return 2;
        __atomic_sub_fetch(&shared->count, 1, __ATOMIC_SEQ_CST);
        if (cora_multiprocessing_semaphore_release(&shared->semaphore) < 0)
            return 3;
    }
    return 0;
}

TEST(a_semaphore_lets_so_many_in)
{
    int rc;

    make_shared();
    rc = cora_multiprocessing_semaphore_init(&shared->semaphore, 2);
    assert_int_equal(rc, 0);
    run_children(use_permit, CHILDREN);
    assert_int_equal(cora_multiprocessing_semaphore_get_value(&shared->semaphore), 2);
}

TEST(a_semaphore_without_permits_is_waited_for_no_longer_than_allowed)
{
    int rc;

    make_shared();
    rc = cora_multiprocessing_semaphore_init(&shared->semaphore, 1);
    assert_int_equal(rc, 0);
    rc = cora_multiprocessing_semaphore_acquire(&shared->semaphore, NAN);
    assert_int_equal(rc, -EINVAL);
    rc = cora_multiprocessing_semaphore_acquire(&shared->semaphore, 0);
    assert_int_equal(rc, 0);
    rc = cora_multiprocessing_semaphore_acquire(&shared->semaphore, 0);
    assert_int_equal(rc, -ETIMEDOUT);
    rc = cora_multiprocessing_semaphore_acquire(&shared->semaphore, 0.001);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_int_equal(cora_multiprocessing_semaphore_release(&shared->semaphore), 0);
    assert_int_equal(cora_multiprocessing_semaphore_release(&shared->semaphore), 0);
    assert_int_equal(cora_multiprocessing_semaphore_get_value(&shared->semaphore), 2);
}

TEST(a_bounded_semaphore_takes_no_more_than_it_gave)
{
    int rc;

    make_shared();
    rc = cora_multiprocessing_bounded_semaphore_init(&shared->semaphore, 1);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_multiprocessing_semaphore_release(&shared->semaphore),
                     -CORA_EINVALIDSTATE);
    rc = cora_multiprocessing_semaphore_acquire(&shared->semaphore, INFINITY);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_multiprocessing_semaphore_release(&shared->semaphore), 0);
    assert_int_equal(cora_multiprocessing_semaphore_get_value(&shared->semaphore), 1);
}

/* Killed inside of the monitor: stopped where it has the lock. */
static int take_monitor_and_stay(void *arg)
{
    (void)arg;
    if (cora_multiprocessing_condition_acquire(&shared->semaphore.condition_, INFINITY) == 0) {
        cora_multiprocessing_event_set(&shared->event);
        stay();
    }
    return 1;
}

TEST(who_is_killed_inside_of_a_semaphore_holds_up_nobody)
{
    cora_multiprocessing_process *owner;
    int rc;

    if (is_emulated())
        return;
    make_shared();
    rc = cora_multiprocessing_semaphore_init(&shared->semaphore, 1);
    assert_int_equal(rc, 0);
    owner = start_child(take_monitor_and_stay, NULL);
    await_event(&shared->event);
    kill_child(owner);
    rc = cora_multiprocessing_semaphore_acquire(&shared->semaphore, INFINITY);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_multiprocessing_semaphore_release(&shared->semaphore), 0);
}

/* ---- Event --------------------------------------------------------------------------------- */

static int wait_for_go(void *arg)
{
    (void)arg;
    return cora_multiprocessing_event_wait(&shared->go, INFINITY);
}

TEST(an_event_lets_all_go_on)
{
    cora_multiprocessing_process *waiting[CHILDREN];
    int rc;

    make_shared();
    for (int i = 0; i < CHILDREN; i++)
        waiting[i] = start_child(wait_for_go, NULL);
    for (int i = 0; i < CHILDREN; i++)
        await_sleep(cora_multiprocessing_process_pid(waiting[i]));
    assert_false(cora_multiprocessing_event_is_set(&shared->go));
    rc = cora_multiprocessing_event_wait(&shared->go, 0.001);
    assert_int_equal(rc, -ETIMEDOUT);
    rc = cora_multiprocessing_event_wait(&shared->go, NAN);
    assert_int_equal(rc, -EINVAL);
    cora_multiprocessing_event_set(&shared->go);
    assert_true(cora_multiprocessing_event_is_set(&shared->go));
    for (int i = 0; i < CHILDREN; i++) {
        rc = finish_child(waiting[i]);
        assert_int_equal(rc, 0);
    }
    rc = cora_multiprocessing_event_wait(&shared->go, 0);
    assert_int_equal(rc, 0);
    cora_multiprocessing_event_clear(&shared->go);
    rc = cora_multiprocessing_event_wait(&shared->go, 0);
    assert_int_equal(rc, -ETIMEDOUT);
}

/* ---- Barrier ------------------------------------------------------------------------------- */

enum { ROUNDS = 100 };

/* None is a round ahead of another, and each index comes once a round. */
static int go_round(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        int index = cora_multiprocessing_barrier_wait(&shared->barrier, INFINITY);

        if (index < 0)
            return index;
        __atomic_add_fetch(&shared->outcomes[index], 1, __ATOMIC_SEQ_CST);
        index = cora_multiprocessing_barrier_wait(&shared->barrier, INFINITY);
        if (index < 0 || __atomic_load_n(&shared->outcomes[0], __ATOMIC_SEQ_CST) != i + 1)
            return index < 0 ? index : 1;
        index = cora_multiprocessing_barrier_wait(&shared->barrier, INFINITY);
        if (index < 0)
            return index;
    }
    return 0;
}

static void make_barrier(int parties)
{
    int rc;

    make_shared();
    rc = cora_multiprocessing_barrier_init(&shared->barrier, parties);
    assert_int_equal(rc, 0);
}

TEST(a_barrier_holds_all_until_all_are_there)
{
    make_barrier(CHILDREN);
    run_children(go_round, CHILDREN);
    for (int i = 0; i < CHILDREN; i++)
        assert_int_equal(shared->outcomes[i], ROUNDS);
    assert_int_equal(cora_multiprocessing_barrier_parties(&shared->barrier), CHILDREN);
    assert_int_equal(cora_multiprocessing_barrier_n_waiting(&shared->barrier), 0);
}

static int wait_at_barrier(void *arg)
{
    int rc = cora_multiprocessing_barrier_wait(&shared->barrier, *(double *)arg);

    return rc == -CORA_EBROKENBARRIER ? 100 : rc == -ETIMEDOUT ? 101 : rc;
}

static double for_ever = INFINITY;

/* One who waits; the test does something; how it ended for him. */
static int while_one_waits(void (*act)(void))
{
    cora_multiprocessing_process *waiting = start_child(wait_at_barrier, &for_ever);

    while (cora_multiprocessing_barrier_n_waiting(&shared->barrier) == 0)
        sched_yield();
    await_sleep(cora_multiprocessing_process_pid(waiting));
    act();
    return finish_child(waiting);
}

static void reset(void)
{
    cora_multiprocessing_barrier_reset(&shared->barrier);
}

static void abort_it(void)
{
    cora_multiprocessing_barrier_abort(&shared->barrier);
}

static void come_too(void)
{
    int rc = cora_multiprocessing_barrier_wait(&shared->barrier, INFINITY);

    assert_int_equal(rc, 1);
}

static void come_in_vain(void)
{
    int rc = cora_multiprocessing_barrier_wait(&shared->barrier, 0.001);

    assert_int_equal(rc, -ETIMEDOUT);
}

TEST(a_barrier_is_reset_aborted_and_filled)
{
    int outcome, rc;

    make_barrier(2);
    assert_int_equal(while_one_waits(come_too), 0);
    outcome = while_one_waits(reset);
    assert_int_equal(outcome, 100);
    assert_false(cora_multiprocessing_barrier_broken(&shared->barrier));
    assert_int_equal(while_one_waits(come_too), 0);
    outcome = while_one_waits(abort_it);
    assert_int_equal(outcome, 100);
    assert_true(cora_multiprocessing_barrier_broken(&shared->barrier));
    rc = cora_multiprocessing_barrier_wait(&shared->barrier, INFINITY);
    assert_int_equal(rc, -CORA_EBROKENBARRIER);
    reset();
    assert_false(cora_multiprocessing_barrier_broken(&shared->barrier));
    assert_int_equal(while_one_waits(come_too), 0);
    reset();
    abort_it();
    rc = cora_multiprocessing_barrier_wait(&shared->barrier, INFINITY);
    assert_int_equal(rc, -CORA_EBROKENBARRIER);
}

TEST(who_waits_too_long_breaks_the_barrier)
{
    int outcome, rc;

    make_barrier(3);
    outcome = while_one_waits(come_in_vain);
    assert_int_equal(outcome, 100);
    assert_true(cora_multiprocessing_barrier_broken(&shared->barrier));
    rc = cora_multiprocessing_barrier_wait(&shared->barrier, NAN);
    assert_int_equal(rc, -EINVAL);
    rc = cora_multiprocessing_barrier_init(&shared->barrier, 0);
    assert_int_equal(rc, -EINVAL);
    rc = cora_multiprocessing_barrier_init(&shared->barrier, 1);
    assert_int_equal(rc, 0);
    rc = cora_multiprocessing_barrier_wait(&shared->barrier, 0);
    assert_int_equal(rc, 0);
}

/* Rounds are told apart by a bit each, of 64. */
TEST(a_round_does_not_fail_because_an_earlier_one_did)
{
    int outcome;

    make_barrier(2);
    outcome = while_one_waits(reset);
    assert_int_equal(outcome, 100);
    for (int i = 0; i < 64; i++)
        assert_int_equal(while_one_waits(come_too), 0);
}

TEST(one_who_was_killed_while_he_waited_has_come)
{
    cora_multiprocessing_process *killed;
    int rc;

    make_barrier(2);
    killed = start_child(wait_at_barrier, &for_ever);
    while (cora_multiprocessing_barrier_n_waiting(&shared->barrier) == 0)
        sched_yield();
    kill_child(killed);
    rc = cora_multiprocessing_barrier_wait(&shared->barrier, INFINITY);
    assert_int_equal(rc, 1);
}

/* ---- threads ------------------------------------------------------------------------------- */

static void *count_in_thread(void *arg)
{
    return count_up(arg) == 0 ? shared : NULL;
}

TEST(threads_use_a_lock_as_processes_do)
{
    pthread_t threads[CHILDREN];

    make_shared();
    for (int i = 0; i < CHILDREN; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_in_thread, NULL), 0);
    for (int i = 0; i < CHILDREN; i++) {
        void *right = NULL;

        pthread_join(threads[i], &right);
        assert_non_null(right);
    }
    assert_int_equal(shared->count, CHILDREN * EACH);
}
