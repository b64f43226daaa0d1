/*
 * Semaphores of threads and tasks: who gets the permit, and that none is lost or made, whoever is
 * called and leaves: by a timeout, by a cancellation, with his loop.
 */
#include "support/test.h"
#include "support/threads.h"
#include "support/virtual.h"

#include "deadline.h"
#include "threading/parking.h"

#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static void await_waiters(cora_threading_semaphore *semaphore, size_t count)
{
    await_parked(&semaphore->lock_, semaphore->waiters_, count);
}

static void release(cora_threading_semaphore *semaphore, int n)
{
    int rc = cora_threading_semaphore_release(semaphore, n);

    assert_int_equal(rc, 0);
}

/* So many permits are free, and not one more. */
static void assert_free(cora_threading_semaphore *semaphore, int count)
{
    for (int i = 0; i <= count; i++) {
        int rc = cora_threading_semaphore_acquire(semaphore, 0);

        assert_int_equal(rc, i < count ? 0 : -ETIMEDOUT);
    }
}

static void *acquire_in_thread(void *semaphore)
{
    return outcome(cora_threading_semaphore_acquire(semaphore, INFINITY));
}

static int acquire_in_task(void *semaphore)
{
    return cora_threading_semaphore_async_acquire(semaphore);
}

static void let_others_run(void)
{
    int rc = cora_sleep(0);

    assert_int_equal(rc, 0);
}

static void assert_runs(cora_task_fn *fn)
{
    int rc = run_virtual(fn, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

/* ---- permits -------------------------------------------------------------------------------- */

TEST(so_many_permits_are_there_and_come_back)
{
    cora_threading_semaphore semaphore;
    int rc = cora_threading_semaphore_init(&semaphore, 2);

    assert_int_equal(rc, 0);
    assert_free(&semaphore, 2);
    release(&semaphore, 1);
    release(&semaphore, 2);
    assert_free(&semaphore, 3);
    cora_threading_semaphore_destroy(&semaphore);
}

TEST(what_makes_no_sense_is_refused_and_changes_nothing)
{
    cora_threading_semaphore semaphore = CORA_THREADING_SEMAPHORE_INIT(1);
    cora_threading_bounded_semaphore bounded = CORA_THREADING_BOUNDED_SEMAPHORE_INIT(1);
    int rc[7];

    rc[0] = cora_threading_semaphore_init(&semaphore, -1);
    rc[1] = cora_threading_semaphore_acquire(&semaphore, NAN);
    rc[2] = cora_threading_semaphore_release(&semaphore, 0);
    rc[3] = cora_threading_semaphore_release(&semaphore, -1);
    rc[4] = cora_threading_semaphore_release(&semaphore, INT_MAX);
    rc[5] = cora_threading_bounded_semaphore_init(&bounded, -1);
    rc[6] = cora_threading_bounded_semaphore_release(&bounded, 0);
    for (int i = 0; i < 7; i++)
        assert_int_equal(rc[i], i == 4 ? -EOVERFLOW : -EINVAL);
    assert_free(&semaphore, 1);
    release(&semaphore, INT_MAX);
    cora_threading_semaphore_destroy(&semaphore);
    cora_threading_bounded_semaphore_destroy(&bounded);
}

TEST(a_bounded_semaphore_never_has_more_permits_than_at_first)
{
    cora_threading_bounded_semaphore semaphore;
    int rc = cora_threading_bounded_semaphore_init(&semaphore, 2);

    assert_int_equal(rc, 0);
    rc = cora_threading_bounded_semaphore_release(&semaphore, 1);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    rc = cora_threading_bounded_semaphore_acquire(&semaphore, INFINITY);
    assert_int_equal(rc, 0);
    rc = cora_threading_bounded_semaphore_release(&semaphore, 2);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    rc = cora_threading_bounded_semaphore_release(&semaphore, 1);
    assert_int_equal(rc, 0);
    assert_free(&semaphore.semaphore_, 2);
    cora_threading_bounded_semaphore_destroy(&semaphore);
}

TEST(a_task_is_needed_only_where_there_is_no_permit)
{
    cora_threading_bounded_semaphore semaphore = CORA_THREADING_BOUNDED_SEMAPHORE_INIT(1);
    int rc = cora_threading_bounded_semaphore_async_acquire(&semaphore);

    assert_int_equal(rc, 0);
    rc = cora_threading_bounded_semaphore_async_acquire(&semaphore);
    assert_int_equal(rc, -CORA_ENOTASK);
    release(&semaphore.semaphore_, 1);
    assert_free(&semaphore.semaphore_, 1);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static int be_served_by_a_thread(void *arg)
{
    cora_threading_semaphore *semaphore = arg;
    int rc = cora_threading_semaphore_async_acquire(semaphore);

    assert_int_equal(rc, 0);
    assert_free(semaphore, 0);
    return 0;
}

static void *serve_a_task(void *arg)
{
    cora_threading_semaphore *semaphore = arg;

    await_waiters(semaphore, 1);
    return outcome(cora_threading_semaphore_release(semaphore, 1));
}

TEST(a_task_waits_until_a_thread_releases_and_its_loop_with_it)
{
    cora_threading_semaphore semaphore = CORA_THREADING_SEMAPHORE_INIT(0);
    pthread_t thread = start_thread(serve_a_task, &semaphore);
    int rc = run_virtual(be_served_by_a_thread, &semaphore);
    int served = join_thread(thread);

    assert_int_equal(rc, 0);
    assert_int_equal(served, 0);
}

static int serve_a_thread(void *arg)
{
    cora_threading_semaphore semaphore = CORA_THREADING_SEMAPHORE_INIT(0);
    pthread_t thread = start_thread(acquire_in_thread, &semaphore);
    int rc;

    (void)arg;
    await_waiters(&semaphore, 1);
    release(&semaphore, 1);
    rc = join_thread(thread);
    assert_int_equal(rc, 0);
    assert_free(&semaphore, 0);
    return 0;
}

TEST(a_thread_waits_until_a_task_releases)
{
    assert_runs(serve_a_thread);
}

static int wait_with_patience(void *arg)
{
    cora_threading_semaphore semaphore = CORA_THREADING_SEMAPHORE_INIT(0);
    cora_timeout timeout;
    int rc = cora_threading_semaphore_acquire(&semaphore, 0.001);

    (void)arg;
    assert_int_equal(rc, -ETIMEDOUT);
    cora_timeout_enter(&timeout, 0.001);
    rc = cora_threading_semaphore_async_acquire(&semaphore);
    rc = cora_timeout_exit(&timeout, rc);
    assert_int_equal(rc, -ETIMEDOUT);
    await_waiters(&semaphore, 0);
    release(&semaphore, 1);
    assert_free(&semaphore, 1);
    return 0;
}

TEST(who_waited_in_vain_is_in_the_line_no_longer)
{
    int rc = cora_run(wait_with_patience, NULL);

    assert_int_equal(rc, 0);
}

/* Each notes when it has come to have a permit. */
struct customer_args {
    cora_threading_semaphore *semaphore;
    atomic_int *served;
    int place;
};

static void *customer_thread(void *arg)
{
    struct customer_args *a = arg;
    int rc = cora_threading_semaphore_acquire(a->semaphore, INFINITY);

    a->place = atomic_fetch_add(a->served, 1);
    return outcome(rc);
}

static int customer_task(void *arg)
{
    struct customer_args *a = arg;
    int rc = cora_threading_semaphore_async_acquire(a->semaphore);

    a->place = atomic_fetch_add(a->served, 1);
    return rc;
}

enum { CUSTOMERS = 6 };

/* Threads and tasks by turns. */
static int serve_customers(void *arg)
{
    cora_threading_semaphore semaphore = CORA_THREADING_SEMAPHORE_INIT(0);
    struct customer_args customers[CUSTOMERS];
    pthread_t threads[CUSTOMERS];
    cora_task *tasks[CUSTOMERS];
    atomic_int served = 0;

    (void)arg;
    for (size_t i = 0; i < CUSTOMERS; i++) {
        customers[i] = (struct customer_args){&semaphore, &served, -1};
        if (i % 2 == 0)
            threads[i] = start_thread(customer_thread, &customers[i]);
        else
            tasks[i] = cora_create_task_arg(customer_task, &customers[i]);
        let_others_run();
        await_waiters(&semaphore, i + 1);
    }
    for (int i = 0; i < CUSTOMERS; i++) {
        int rc;

        release(&semaphore, 1);
        rc = i % 2 == 0 ? join_thread(threads[i]) : cora_await_unref(tasks[i]);
        assert_int_equal(rc, 0);
        assert_int_equal(customers[i].place, i);
    }
    return 0;
}

TEST(threads_and_tasks_are_served_in_the_order_of_their_coming)
{
    assert_runs(serve_customers);
}

static int wait_for_nobody(void *arg)
{
    cora_threading_semaphore semaphore = CORA_THREADING_SEMAPHORE_INIT(0);
    cora_event never = CORA_EVENT_INIT;
    cora_task *task = cora_create_task_arg(acquire_in_task, &semaphore);
    int rc;

    (void)arg;
    let_others_run();
    release(&semaphore, 1);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    return cora_event_wait(&never);
}

TEST(a_loop_whose_task_has_its_permit_is_held_no_longer)
{
    int rc = run_virtual(wait_for_nobody, NULL);

    assert_int_equal(rc, -EDEADLK);
}

/* ---- called, and gone ----------------------------------------------------------------------- */

/* It is cancelled after it was called, or before, when it is in the line still. */
static int cancel_the_called(void *arg)
{
    for (int first = 0; first < 2; first++) {
        cora_threading_semaphore semaphore = CORA_THREADING_SEMAPHORE_INIT(0);
        cora_task *task = cora_create_task_arg(acquire_in_task, &semaphore);
        pthread_t thread;
        int rc;

        (void)arg;
        let_others_run();
        await_waiters(&semaphore, 1);
        thread = start_thread(acquire_in_thread, &semaphore);
        await_waiters(&semaphore, 2);
        if (first)
            cora_task_cancel(task);
        release(&semaphore, 1);
        if (!first)
            cora_task_cancel(task);
        rc = cora_await_unref(task);
        assert_int_equal(rc, -ECANCELED);
        rc = join_thread(thread);
        assert_int_equal(rc, 0);
        assert_free(&semaphore, 0);
    }
    return 0;
}

TEST(a_task_that_is_called_and_cancelled_passes_its_permit_on)
{
    assert_runs(cancel_the_called);
}

/* A thread with a little patience, which is at its end when the thread is called. */
static atomic_bool gave_up;
static const double LITTLE = 0.01;

static void *acquire_with_little_patience(void *semaphore)
{
    int rc = cora_threading_semaphore_acquire(semaphore, LITTLE);

    atomic_store(&gave_up, true);
    return outcome(rc);
}

/* Inside the section, of which the thread has come to wait. False: it has given up before. */
static bool catch_waiting(struct cora__section *section, cora_threading_semaphore *semaphore)
{
    while (!atomic_load(&gave_up)) {
        cora__enter(section, &semaphore->lock_);
        if (cora__line_length((struct cora__line *)semaphore->waiters_) == 1)
            return true;
        cora__leave(section);
        sched_yield();
    }
    return false;
}

TEST(a_thread_whose_time_is_up_when_it_is_called_has_its_permit)
{
    cora_threading_semaphore semaphore = CORA_THREADING_SEMAPHORE_INIT(0);
    struct cora__section section;
    pthread_t thread = start_thread(acquire_with_little_patience, &semaphore);
    double now;
    int rc;

    while (!catch_waiting(&section, &semaphore)) {
        join_thread(thread);
        atomic_store(&gave_up, false);
        thread = start_thread(acquire_with_little_patience, &semaphore);
    }
    for (now = cora__clock(); cora__clock() < now + 2 * LITTLE;)
        continue;
    cora__call_first(&section, (struct cora__line *)semaphore.waiters_);
    cora__leave(&section);
    rc = join_thread(thread);
    assert_int_equal(rc, 0);
}

static int cancel_the_woken(void *arg)
{
    cora_threading_semaphore semaphore = CORA_THREADING_SEMAPHORE_INIT(0);
    cora_task *task = cora_create_task_arg(acquire_in_task, &semaphore);
    int rc;

    (void)arg;
    let_others_run();
    release(&semaphore, 1);
    let_others_run(); /* it has heard, and has not run yet */
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    assert_free(&semaphore, 1);
    return 0;
}

TEST(a_task_that_is_woken_and_cancelled_gives_its_permit_back)
{
    assert_runs(cancel_the_woken);
}

static int cancel_one_who_waits(void *arg)
{
    cora_threading_semaphore semaphore = CORA_THREADING_SEMAPHORE_INIT(0);
    cora_task *tasks[3];
    int rc;

    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = cora_create_task_arg(acquire_in_task, &semaphore);
    let_others_run();
    cora_task_cancel(tasks[1]);
    let_others_run();
    await_waiters(&semaphore, 2);
    release(&semaphore, 3);
    for (int i = 0; i < 3; i++) {
        rc = cora_await_unref(tasks[i]);
        assert_int_equal(rc, i == 1 ? -ECANCELED : 0);
    }
    assert_free(&semaphore, 1);
    return 0;
}

TEST(a_task_that_is_cancelled_while_it_waits_gets_no_permit)
{
    assert_runs(cancel_one_who_waits);
}

/* ---- loops that are closed ------------------------------------------------------------------ */

/* A loop in which a task waits for the semaphore. */
static cora_loop *loop_that_waits(cora_threading_semaphore *semaphore, cora_task **ret_task)
{
    cora_loop *loop = virtual_loop();
    int rc;

    *ret_task = cora_loop_create_task_arg(loop, NULL, acquire_in_task, "acquire", semaphore);
    rc = cora_loop_run_ready(loop);
    assert_int_equal(rc, 1);
    return loop;
}

TEST(a_loop_that_is_closed_takes_its_tasks_out_of_the_line)
{
    cora_threading_semaphore semaphore = CORA_THREADING_SEMAPHORE_INIT(0);
    cora_task *task;
    cora_loop *loop = loop_that_waits(&semaphore, &task);
    pthread_t thread = start_thread(acquire_in_thread, &semaphore);
    int rc;

    await_waiters(&semaphore, 2);
    cora_loop_free(loop);
    cora_task_unref(task);
    await_waiters(&semaphore, 1);
    release(&semaphore, 1);
    rc = join_thread(thread);
    assert_int_equal(rc, 0);
    assert_free(&semaphore, 0);
}

TEST(a_loop_that_is_closed_passes_on_what_its_tasks_were_called_for)
{
    cora_threading_semaphore semaphore = CORA_THREADING_SEMAPHORE_INIT(0);
    cora_task *tasks[2];
    cora_loop *loop = loop_that_waits(&semaphore, &tasks[0]);
    cora_loop *other = loop_that_waits(&semaphore, &tasks[1]);
    int rc;

    release(&semaphore, 1);
    cora_loop_free(loop);
    rc = cora_loop_run_ready(other); /* what calls its task */
    assert_int_equal(rc, 0);
    rc = cora_loop_poll(other, 0);
    assert_int_equal(rc, 0);
    rc = cora_loop_process_events(other);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 2; i++) {
        rc = cora_loop_run_ready(other);
        assert_int_equal(rc, 1);
    }
    rc = cora_task_result(tasks[1]);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 2; i++)
        cora_task_unref(tasks[i]);
    cora_loop_free(other);
    assert_free(&semaphore, 0);
}

TEST(a_loop_that_is_closed_with_all_who_wait_gives_the_permit_back)
{
    cora_threading_semaphore semaphore = CORA_THREADING_SEMAPHORE_INIT(0);
    cora_task *tasks[2];
    cora_loop *loop = loop_that_waits(&semaphore, &tasks[0]);
    int rc;

    tasks[1] = cora_loop_create_task_arg(loop, NULL, acquire_in_task, "acquire", &semaphore);
    rc = cora_loop_run_ready(loop);
    assert_int_equal(rc, 1);
    release(&semaphore, 1);
    cora_loop_free(loop);
    for (int i = 0; i < 2; i++)
        cora_task_unref(tasks[i]);
    assert_free(&semaphore, 1);
}

TEST(a_forked_child_closes_its_loop_though_a_thread_of_its_parents_held_the_lock)
{
    cora_threading_semaphore semaphore = CORA_THREADING_SEMAPHORE_INIT(0);
    cora_task *task;
    cora_loop *loop = loop_that_waits(&semaphore, &task);
    int status = -1;
    pid_t pid;

    pthread_mutex_lock(&semaphore.lock_);
    pid = fork();
    if (pid == 0)
        _exit(cora_loop_close(loop) == 0 ? 0 : 1);
    pthread_mutex_unlock(&semaphore.lock_);
    waitpid(pid, &status, 0);
    cora_loop_free(loop);
    cora_task_unref(task);
    assert_int_equal(status, 0);
    release(&semaphore, 1);
    assert_free(&semaphore, 1);
}

/* ---- everybody at once ---------------------------------------------------------------------- */

/*
 * Threads and tasks of several loops hold permits for a moment, all with so little patience that
 * many are called just when they leave. Then all permits must be there, and nobody in the line.
 */
enum { PERMITS = 2, LOOPS = 2, TASKS = 4, THREADS = 2 };
#ifdef CORA_SLOW_TESTS
enum { ROUNDS = 200 };
#else
enum { ROUNDS = 5000 };
#endif

static struct crowd {
    cora_threading_semaphore semaphore;
    atomic_int holders, most;
} crowd = {.semaphore = CORA_THREADING_SEMAPHORE_INIT(PERMITS)};

/* Threads that wait on a condition come round rarely in a millisecond; tasks several times. */
static const double PATIENCE = 20e-6;

static int hold_a_moment(int rc)
{
    int holders;

    if (rc < 0)
        return rc == -ETIMEDOUT ? 0 : rc;
    holders = atomic_fetch_add(&crowd.holders, 1) + 1;
    if (holders > atomic_load(&crowd.most))
        atomic_store(&crowd.most, holders);
    return 1;
}

static int let_go(void)
{
    atomic_fetch_sub(&crowd.holders, 1);
    return cora_threading_semaphore_release(&crowd.semaphore, 1);
}

static void *impatient_thread(void *arg)
{
    int rc = 0;

    (void)arg;
    for (int i = 0; i < ROUNDS && rc == 0; i++) {
        rc = hold_a_moment(
            cora_threading_semaphore_acquire(&crowd.semaphore, i % 3 == 0 ? INFINITY : PATIENCE));
        if (rc > 0)
            rc = let_go();
    }
    return outcome(rc);
}

static int impatient_task(void *arg)
{
    int rc = 0;

    (void)arg;
    for (int i = 0; i < ROUNDS && rc == 0; i++) {
        cora_timeout timeout;

        cora_timeout_enter(&timeout, i % 3 == 0 ? INFINITY : PATIENCE);
        rc = cora_threading_semaphore_async_acquire(&crowd.semaphore);
        rc = hold_a_moment(cora_timeout_exit(&timeout, rc));
        if (rc > 0) {
            rc = cora_sleep(0);
            rc = rc == 0 ? let_go() : rc;
        }
    }
    return rc;
}

static int impatient_tasks(void *arg)
{
    cora_task *tasks[TASKS];
    int rc;

    (void)arg;
    for (int i = 0; i < TASKS; i++)
        tasks[i] = cora_create_task_arg(impatient_task, NULL);
    rc = cora_gather(tasks, TASKS, NULL, 0);
    for (int i = 0; i < TASKS; i++)
        cora_task_unref(tasks[i]);
    return rc;
}

static void *run_impatient_tasks(void *arg)
{
    return outcome(cora_run(impatient_tasks, arg));
}

TEST(no_permit_is_lost_or_made_by_an_impatient_crowd)
{
    pthread_t threads[THREADS], loops[LOOPS];
    int rc[THREADS + LOOPS];

    for (int i = 0; i < THREADS; i++)
        threads[i] = start_thread(impatient_thread, NULL);
    for (int i = 0; i < LOOPS; i++)
        loops[i] = start_thread(run_impatient_tasks, NULL);
    for (int i = 0; i < THREADS; i++)
        rc[i] = join_thread(threads[i]);
    for (int i = 0; i < LOOPS; i++)
        rc[THREADS + i] = join_thread(loops[i]);
    for (int i = 0; i < THREADS + LOOPS; i++)
        assert_int_equal(rc[i], 0);
    assert_true(crowd.most <= PERMITS);
    await_waiters(&crowd.semaphore, 0);
    assert_free(&crowd.semaphore, PERMITS);
}
