/*
 * Many who wait for one thing. What is done for each of them must not cost more, the more they are:
 * with so many, each of these tests would else take minutes, and is given one.
 */
#include "support/test.h"
#include "support/virtual.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>

#ifdef CORA_SLOW_TESTS
enum { MANY = 1000 };
#else
enum { MANY = 100000 };
#endif

/* ---- tasks that end in the order in which they began to wait ------------------------------- */

static long ended, failed;

struct wait_args {
    int (*wait)(void *object);
    void *object;
    long number;
};

static int wait(void *arg)
{
    struct wait_args *a = arg;
    int rc = a->wait(a->object);

    assert_int_equal(a->number, ended);
    ended++;
    failed += rc < 0;
    return 0;
}

/* So many tasks that wait; by then each has come to where it does. */
static cora_task **park(int (*wait_for)(void *object), void *object)
{
    cora_task **tasks = malloc(MANY * sizeof tasks[0]);
    int rc;

    ended = failed = 0;
    for (long i = 0; i < MANY; i++)
        tasks[i] = cora_create_task(wait, .wait = wait_for, .object = object, .number = i);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    assert_int_equal(ended, 0);
    return tasks;
}

static void cancel_all(cora_task *tasks[])
{
    for (long i = 0; i < MANY; i++)
        cora_task_cancel(tasks[i]);
}

/* Waits for them all. */
static void expect(cora_task *tasks[], long failures)
{
    for (long i = 0; i < MANY; i++) {
        int rc = cora_await_unref(tasks[i]);

        assert_int_equal(rc, 0);
    }
    assert_int_equal(ended, MANY);
    assert_int_equal(failed, failures);
    free(tasks);
}

/* ---- waiters ------------------------------------------------------------------------------- */

static int wake_one_by_one(void *arg)
{
    cora_waiter *waiters = malloc(MANY * sizeof waiters[0]);
    cora_wait_queue queue = {{NULL}};
    cora_waiter *each;
    bool more;

    (void)arg;
    for (long i = 0; i < MANY; i++) {
        cora_waiter_init(&waiters[i], "test", &queue);
        cora_wait_queue_append(&queue, &waiters[i]);
    }
    for (long i = 0; i < MANY; i++) {
        each = cora_wait_queue_first_pending(&queue);
        assert_ptr_equal(each, &waiters[i]);
        more = cora_wait_queue_wake_first(&queue);
        assert_true(more);
        assert_true(cora_waiter_woken(&waiters[i]));
    }
    more = cora_wait_queue_wake_first(&queue);
    assert_false(more);
    each = cora_wait_queue_first(&queue);
    for (long i = 0; i < MANY; i++, each = cora_wait_queue_next(&queue, each))
        assert_ptr_equal(each, &waiters[i]);
    assert_null(each);
    free(waiters);
    return 0;
}

TEST(waiters_are_woken_one_by_one_before_the_first_of_them_runs)
{
    int rc = run_virtual(wake_one_by_one, NULL);

    assert_int_equal(rc, 0);
}

/* ---- events -------------------------------------------------------------------------------- */

static int wait_for_event(void *object)
{
    return cora_event_wait(object);
}

static int set_an_event(void *arg)
{
    cora_event event = CORA_EVENT_INIT;
    cora_task **tasks = park(wait_for_event, &event);

    (void)arg;
    cora_event_set(&event);
    expect(tasks, 0);
    return 0;
}

TEST(an_event_is_set)
{
    int rc = run_virtual(set_an_event, NULL);

    assert_int_equal(rc, 0);
}

/* ---- locks --------------------------------------------------------------------------------- */

static int hold_lock(void *object)
{
    int rc = cora_lock_acquire(object);

    return rc < 0 ? rc : cora_lock_release(object);
}

static int pass_a_lock_on(void *arg)
{
    cora_lock lock = CORA_LOCK_INIT;
    int rc = cora_lock_acquire(&lock);
    cora_task **tasks = park(hold_lock, &lock);

    (void)arg;
    assert_int_equal(rc, 0);
    rc = cora_lock_release(&lock);
    assert_int_equal(rc, 0);
    expect(tasks, 0);
    return 0;
}

TEST(a_lock_goes_from_hand_to_hand)
{
    int rc = run_virtual(pass_a_lock_on, NULL);

    assert_int_equal(rc, 0);
}

/* Between their cancellation and their end the lock is free for whoever comes. */
static int lock_past_the_cancelled(void *arg)
{
    cora_lock lock = CORA_LOCK_INIT;
    int rc = cora_lock_acquire(&lock);
    cora_task **tasks = park(hold_lock, &lock);

    (void)arg;
    assert_int_equal(rc, 0);
    cancel_all(tasks);
    rc = cora_lock_release(&lock);
    for (long i = 0; i < MANY && rc == 0; i++)
        rc = hold_lock(&lock);
    assert_int_equal(rc, 0);
    expect(tasks, MANY);
    return 0;
}

TEST(a_lock_is_taken_past_those_cancelled)
{
    int rc = run_virtual(lock_past_the_cancelled, NULL);

    assert_int_equal(rc, 0);
}

/* ---- semaphores ---------------------------------------------------------------------------- */

static int take_permit(void *object)
{
    return cora_semaphore_acquire(object);
}

static int release_all_permits(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(0);
    cora_task **tasks = park(take_permit, &semaphore);

    (void)arg;
    for (long i = 0; i < MANY; i++)
        cora_semaphore_release(&semaphore);
    expect(tasks, 0);
    assert_true(cora_semaphore_locked(&semaphore));
    return 0;
}

TEST(a_semaphore_is_released_as_often_as_somebody_waits)
{
    int rc = run_virtual(release_all_permits, NULL);

    assert_int_equal(rc, 0);
}

/* And each of those cancelled sees when he goes whether the permit can be somebody's. */
static int acquire_past_the_cancelled(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(0);
    cora_task **tasks = park(take_permit, &semaphore);
    int rc = 0;

    (void)arg;
    cancel_all(tasks);
    cora_semaphore_release(&semaphore);
    for (long i = 0; i < MANY && rc == 0; i++) {
        rc = cora_semaphore_acquire(&semaphore);
        cora_semaphore_release(&semaphore);
    }
    assert_int_equal(rc, 0);
    expect(tasks, MANY);
    assert_false(cora_semaphore_locked(&semaphore));
    return 0;
}

TEST(a_semaphore_is_acquired_past_those_cancelled)
{
    int rc = run_virtual(acquire_past_the_cancelled, NULL);

    assert_int_equal(rc, 0);
}

/* ---- conditions and barriers --------------------------------------------------------------- */

static int wait_for_condition(void *object)
{
    int rc = cora_condition_acquire(object);

    if (rc < 0)
        return rc;
    rc = cora_condition_wait(object);
    cora_condition_release(object);
    return rc;
}

static int notify_one_by_one(void *arg)
{
    cora_condition condition = CORA_CONDITION_INIT;
    cora_task **tasks = park(wait_for_condition, &condition);
    int rc = cora_condition_acquire(&condition);

    (void)arg;
    for (long i = 0; i < MANY && rc == 0; i++)
        rc = cora_condition_notify(&condition, 1);
    assert_int_equal(rc, 0);
    cora_condition_release(&condition);
    expect(tasks, 0);
    return 0;
}

TEST(a_condition_is_notified_as_often_as_somebody_waits)
{
    int rc = run_virtual(notify_one_by_one, NULL);

    assert_int_equal(rc, 0);
}

static int cancel_waits_for_a_condition(void *arg)
{
    cora_condition condition = CORA_CONDITION_INIT;
    cora_task **tasks = park(wait_for_condition, &condition);

    (void)arg;
    cancel_all(tasks);
    expect(tasks, MANY);
    return 0;
}

TEST(those_who_wait_for_a_condition_are_cancelled)
{
    int rc = run_virtual(cancel_waits_for_a_condition, NULL);

    assert_int_equal(rc, 0);
}

static int wait_at_barrier(void *object)
{
    return cora_barrier_wait(object);
}

static int meet_at_a_barrier(void *arg)
{
    cora_barrier barrier;
    cora_task **tasks;
    int rc = cora_barrier_init(&barrier, MANY + 1);

    (void)arg;
    assert_int_equal(rc, 0);
    tasks = park(wait_at_barrier, &barrier);
    rc = cora_barrier_wait(&barrier);
    assert_int_equal(rc, MANY);
    expect(tasks, 0);
    return 0;
}

TEST(a_barrier_is_passed)
{
    int rc = run_virtual(meet_at_a_barrier, NULL);

    assert_int_equal(rc, 0);
}

/* ---- queues -------------------------------------------------------------------------------- */

static int get(void *object)
{
    void *item;

    return cora_queue_get(object, &item);
}

static int put(void *object)
{
    return cora_queue_put(object, object);
}

static int feed_getters(void *arg)
{
    cora_queue queue;
    cora_task **tasks;
    int rc = 0;

    (void)arg;
    cora_queue_init(&queue, 0);
    tasks = park(get, &queue);
    for (long i = 0; i < MANY && rc == 0; i++)
        rc = cora_queue_put_nowait(&queue, &queue);
    assert_int_equal(rc, 0);
    expect(tasks, 0);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(a_queue_is_fed_as_often_as_somebody_waits)
{
    int rc = run_virtual(feed_getters, NULL);

    assert_int_equal(rc, 0);
}

static int drain_putters(void *arg)
{
    cora_queue queue;
    cora_task **tasks;
    void *item;
    int rc;

    (void)arg;
    cora_queue_init(&queue, 1);
    rc = cora_queue_put(&queue, NULL);
    tasks = park(put, &queue);
    for (long i = 0; i <= MANY && rc == 0; i++)
        rc = cora_queue_get(&queue, &item);
    assert_int_equal(rc, 0);
    expect(tasks, 0);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(a_queue_is_drained_while_others_wait_for_room)
{
    int rc = run_virtual(drain_putters, NULL);

    assert_int_equal(rc, 0);
}

static int shut_a_queue_down(void *arg)
{
    cora_queue queue;
    cora_task **tasks;

    (void)arg;
    cora_queue_init(&queue, 0);
    tasks = park(get, &queue);
    cora_queue_shutdown(&queue, false);
    expect(tasks, MANY);
    cora_queue_destroy(&queue);
    return 0;
}

TEST(a_queue_is_shut_down)
{
    int rc = run_virtual(shut_a_queue_down, NULL);

    assert_int_equal(rc, 0);
}

/* ---- futures ------------------------------------------------------------------------------- */

static int await_shield(void *object)
{
    cora_future *shield = cora_shield(object);

    return cora_await_unref(shield);
}

static int cancel_shields(void *arg)
{
    cora_future *inner = cora_loop_create_future(cora_get_running_loop());
    cora_task **tasks = park(await_shield, inner);

    (void)arg;
    cancel_all(tasks);
    expect(tasks, MANY);
    cora_future_cancel(inner);
    cora_future_unref(inner);
    return 0;
}

TEST(those_who_wait_for_one_shielded_future_are_cancelled)
{
    int rc = run_virtual(cancel_shields, NULL);

    assert_int_equal(rc, 0);
}

static int await_future(void *object)
{
    return cora_await(object);
}

/* Each is given twice. */
static cora_future **twice(cora_task *const tasks[])
{
    cora_future **futures = malloc(2 * MANY * sizeof futures[0]);

    for (long i = 0; i < MANY; i++)
        futures[i] = futures[2 * MANY - 1 - i] = tasks[i];
    return futures;
}

static int combine(void *arg)
{
    cora_future *inner = cora_loop_create_future(cora_get_running_loop()), *next;
    cora_task **tasks = park(await_future, inner);
    cora_future **futures = twice(tasks);
    cora_as_completed each;
    int *results = malloc(2 * MANY * sizeof results[0]);
    int rc = cora_as_completed_start(&each, futures, (size_t)2 * MANY, INFINITY);

    (void)arg;
    assert_int_equal(rc, 0);
    rc = cora_future_set_result(inner, 0, NULL);
    assert_int_equal(rc, 0);
    rc = cora_wait(futures, (size_t)2 * MANY, INFINITY, CORA_ALL_COMPLETED);
    assert_int_equal(rc, MANY);
    rc = cora_gather(futures, (size_t)2 * MANY, results, 0);
    assert_int_equal(rc, 0);
    for (long i = 0; i < MANY; i++) {
        rc = cora_as_completed_next(&each, &next);
        assert_int_equal(rc, 0);
        assert_ptr_equal(next, tasks[i]);
    }
    rc = cora_as_completed_next(&each, &next);
    assert_int_equal(rc, -CORA_ESTOPITERATION);
    cora_as_completed_stop(&each);
    expect(tasks, 0);
    cora_future_unref(inner);
    free(results);
    free(futures);
    return 0;
}

TEST(tasks_are_waited_for_all_at_once_and_one_by_one)
{
    int rc = run_virtual(combine, NULL);

    assert_int_equal(rc, 0);
}

static int fail_late(void *arg)
{
    int rc = cora_sleep(1);

    (void)arg;
    return rc < 0 ? rc : -EIO;
}

static int sleep_long(void *arg)
{
    int rc = cora_sleep(1000);

    (void)arg;
    ended += rc == -ECANCELED;
    return rc;
}

static int cancel_a_group(void *arg)
{
    cora_task_group group;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task_arg(&group, fail_late, NULL);
    for (long i = 0; i < MANY && rc == 0; i++)
        rc = cora_task_group_create_task_arg(&group, sleep_long, NULL);
    assert_int_equal(rc, 0);
    rc = cora_task_group_exit(&group, rc);
    assert_int_equal(rc, -EIO);
    assert_int_equal(ended, MANY);
    return 0;
}

TEST(a_group_cancels_its_children)
{
    int rc = run_virtual(cancel_a_group, NULL);

    assert_int_equal(rc, 0);
}

/* ---- timeouts ------------------------------------------------------------------------------ */

static cora_timeout limits[MANY];

struct sleep_in_a_timeout_args {
    long number;
};

static int sleep_in_a_timeout(void *arg)
{
    cora_timeout *limit = &limits[((struct sleep_in_a_timeout_args *)arg)->number];

    cora_timeout_enter(limit, 1000);
    return cora_timeout_exit(limit, cora_sleep(100));
}

static int move_deadlines(void *arg)
{
    cora_task **tasks = malloc(MANY * sizeof tasks[0]);
    int rc;

    (void)arg;
    for (long i = 0; i < MANY; i++)
        tasks[i] = cora_create_task(sleep_in_a_timeout, .number = i);
    rc = cora_sleep(0);
    for (long i = 0; i < MANY && rc == 0; i++)
        rc = cora_timeout_reschedule(&limits[i], 50);
    assert_int_equal(rc, 0);
    for (long i = 0; i < MANY; i++) {
        rc = cora_await_unref(tasks[i]);
        assert_int_equal(rc, -ETIMEDOUT);
        assert_true(cora_timeout_expired(&limits[i]));
    }
    free(tasks);
    return 0;
}

TEST(a_task_moves_the_deadlines_of_others)
{
    int rc = run_virtual(move_deadlines, NULL);

    assert_int_equal(rc, 0);
}

/* ---- threads ------------------------------------------------------------------------------- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static int pass_gate(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return 0;
}

static int run_in_thread(void *arg)
{
    int rc = cora_to_thread_copy(pass_gate, NULL, 0);

    (void)arg;
    ended += rc == -ECANCELED;
    return rc;
}

/* The last first: each stands at the end of the queue. */
static int cancel_jobs(void *arg)
{
    cora_task **tasks = malloc(MANY * sizeof tasks[0]);
    int rc;

    (void)arg;
    pthread_mutex_lock(&gate);
    for (long i = 0; i < MANY; i++)
        tasks[i] = cora_create_task_arg(run_in_thread, NULL);
    rc = cora_sleep(0);
    assert_int_equal(rc, 0);
    for (long i = MANY; i-- > 0;)
        cora_task_cancel(tasks[i]);
    for (long i = 0; i < MANY; i++) {
        rc = cora_await_unref(tasks[i]);
        assert_int_equal(rc, -ECANCELED);
    }
    assert_int_equal(ended, MANY);
    pthread_mutex_unlock(&gate);
    free(tasks);
    return 0;
}

TEST(jobs_that_no_thread_has_taken_are_cancelled)
{
    int rc = run_virtual(cancel_jobs, NULL);

    assert_int_equal(rc, 0);
}

/* ---- the end ------------------------------------------------------------------------------- */

static int leave_them_waiting(void *arg)
{
    (void)arg;
    for (long i = 0; i < MANY; i++)
        cora_task_unref(cora_create_task_arg(sleep_long, NULL));
    return cora_sleep(0);
}

TEST(the_end_of_main_cancels_those_who_sleep)
{
    int rc = run_virtual(leave_them_waiting, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(ended, MANY);
}

static int wait_for_ever(void *arg)
{
    return cora_event_wait(arg);
}

TEST(a_loop_is_closed_over_those_who_wait)
{
    cora_loop *loop = virtual_loop();
    cora_event event = CORA_EVENT_INIT;
    int rc;

    for (long i = 0; i < MANY; i++)
        cora_task_unref(cora_loop_create_task_arg(loop, NULL, wait_for_ever, "wait", &event));
    rc = cora_loop_run_ready(loop);
    assert_int_equal(rc, MANY);
    cora_loop_free(loop);
    assert_int_equal(reports.count, MANY);
    cora_event_set(&event);
}
