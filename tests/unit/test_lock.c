/* The lock beyond one loop and its tasks: its schedules are searched by tests/model. */
#include "support/test.h"
#include "support/virtual.h"

#include <pthread.h>

TEST(outside_a_task_a_free_lock_can_be_taken_but_not_waited_for)
{
    cora_lock lock;
    int rc;

    cora_lock_init(&lock);
    assert_false(cora_lock_locked(&lock));
    rc = cora_lock_release(&lock);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    rc = cora_lock_acquire(&lock);
    assert_int_equal(rc, 0);
    rc = cora_lock_acquire(&lock);
    assert_int_equal(rc, -CORA_ENOTASK);
    assert_true(cora_lock_locked(&lock));
    rc = cora_lock_release(&lock);
    assert_int_equal(rc, 0);
    rc = cora_lock_acquire(&lock); /* nobody was left in its queue */
    assert_int_equal(rc, 0);
}

static int hold(void *arg)
{
    return cora_lock_acquire(arg);
}

static int release_anothers(void *arg)
{
    cora_lock lock = CORA_LOCK_INIT;
    int rc = cora_await_unref(cora_create_task_arg(hold, &lock));

    (void)arg;
    assert_int_equal(rc, 0);
    assert_true(cora_lock_locked(&lock));
    rc = cora_lock_release(&lock);
    assert_false(cora_lock_locked(&lock));
    return rc;
}

TEST(any_task_may_release_it)
{
    int rc = run_virtual(release_anothers, NULL);

    assert_int_equal(rc, 0);
}

static int take_and_release(void *arg)
{
    int rc = cora_lock_acquire(arg);

    if (rc < 0)
        return rc;
    rc = cora_lock_release(arg);
    return rc;
}

TEST(a_loop_closed_over_those_who_wait_leaves_the_lock_to_the_next_loop)
{
    cora_lock lock = CORA_LOCK_INIT;
    cora_loop *loop = virtual_loop();
    int rc = cora_lock_acquire(&lock);

    assert_int_equal(rc, 0);
    for (int i = 0; i < 3; i++)
        cora_task_unref(cora_loop_create_task_arg(loop, NULL, hold, "hold", &lock));
    rc = cora_loop_run_ready(loop);
    assert_int_equal(rc, 3);
    cora_loop_free(loop);
    assert_int_equal(reports.count, 3);
    rc = cora_lock_release(&lock); /* wakes nobody */
    assert_int_equal(rc, 0);
    rc = run_virtual(take_and_release, &lock);
    assert_int_equal(rc, 0);
}

/* ---- threads -------------------------------------------------------------------------------- */

enum { THREADS = 4, HOLDERS = 3, TIMES = 100 };

struct hold_often_args {
    cora_lock *lock;
    int *held;
};

static int hold_often(void *arg)
{
    struct hold_often_args *a = arg;
    int rc = 0;

    for (int i = 0; i < TIMES && rc == 0; i++) {
        rc = cora_lock_acquire(a->lock);
        if (rc < 0)
            break;
        ++*a->held;
        rc = cora_sleep(0);
        (void)cora_lock_release(a->lock);
    }
    return rc;
}

static int fight(void *arg)
{
    cora_lock lock = CORA_LOCK_INIT;
    cora_task *tasks[HOLDERS];
    int rc;

    for (int i = 0; i < HOLDERS; i++)
        tasks[i] = cora_create_task(hold_often, .lock = &lock, .held = arg);
    rc = cora_gather(tasks, HOLDERS, NULL, 0);
    for (int i = 0; i < HOLDERS; i++)
        cora_task_unref(tasks[i]);
    return rc;
}

static void *run_fight(void *arg)
{
    return cora_run(fight, arg) == 0 ? arg : NULL;
}

TEST(locks_of_loops_in_several_threads_do_not_disturb_one_another)
{
    pthread_t threads[THREADS];
    int held[THREADS] = {0};

    for (int i = 0; i < THREADS; i++) {
        int rc = pthread_create(&threads[i], NULL, run_fight, &held[i]);

        assert_int_equal(rc, 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *result;
        int rc = pthread_join(threads[i], &result);

        assert_int_equal(rc, 0);
        assert_ptr_equal(result, &held[i]);
        assert_int_equal(held[i], HOLDERS * TIMES);
    }
}
