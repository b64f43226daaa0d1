/*
 * CPython's test_locks.py: locks, events, conditions, semaphores and barriers, iteration by
 * iteration. Where CPython looks into a private member, the same is asked of what a newcomer sees.
 */
#include "support/test.h"
#include "support/virtual.h"

#include <math.h>

/* ---- shared -------------------------------------------------------------------------------- */

/* Runs a main task to its end, after which nothing may have been reported. */
static void run(cora_task_fn *fn)
{
    int rc;

    trace_text[0] = '\0';
    reports.count = 0;
    rc = run_virtual(fn, NULL);
    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

/* One iteration of the loop. */
static void step(void)
{
    int rc = cora_sleep(0);

    assert_int_equal(rc, 0);
}

static void call_soon(cora_callback *fn, void *arg)
{
    int rc = cora_loop_call_soon(cora_get_running_loop(), fn, arg, NULL);

    assert_int_equal(rc, 0);
}

static void cancel(void *arg)
{
    cora_task_cancel(arg);
}

static const cora_task_options eagerly = {.eager_start = true};

/* What fn(arg) returns if it never suspends; else -CORA_EINVALIDSTATE, and it is cancelled. */
static int at_once(cora_task_fn *fn, void *arg)
{
    cora_task *task = cora_loop_create_task_arg(NULL, &eagerly, fn, "at_once", arg);
    int rc = cora_task_result(task);

    cora_task_cancel(task);
    cora_task_unref(task);
    return rc;
}

/* The task is done with this outcome already; gives the reference back. */
static void ended(cora_task *task, int outcome)
{
    int rc;

    assert_true(cora_task_done(task));
    rc = cora_task_result(task);
    assert_int_equal(rc, outcome);
    cora_task_unref(task);
}

/* Waits for the task, which gives this outcome, and gives the reference back. */
static void ends(cora_task *task, int outcome)
{
    int rc = cora_await_unref(task);

    assert_int_equal(rc, outcome);
}

static bool waits_for(cora_task *task, const char *what)
{
    char text[64];

    cora_task_waiting_for(task, text, sizeof text);
    return strncmp(text, what, strlen(what)) == 0;
}

/* ---- locks --------------------------------------------------------------------------------- */

static int acquire_lock(void *lock)
{
    return cora_lock_acquire(lock);
}

static void take_lock(cora_lock *lock)
{
    int rc = cora_lock_acquire(lock);

    assert_int_equal(rc, 0);
}

static void give_lock(cora_lock *lock)
{
    int rc = cora_lock_release(lock);

    assert_int_equal(rc, 0);
}

struct lock_and_tell_args {
    cora_lock *lock;
    int number;
};

static int lock_and_tell(void *arg)
{
    struct lock_and_tell_args *a = arg;
    int rc = cora_lock_acquire(a->lock);

    if (rc < 0)
        return rc;
    trace("%d", a->number);
    return 1;
}

/* CPython: a lock cannot be awaited. Here the compiler sees to that; a lock that was only made is
 * not held. */
static int lock_is_made(void *arg)
{
    cora_lock lock = CORA_LOCK_INIT, other;

    (void)arg;
    cora_lock_init(&other);
    assert_false(cora_lock_locked(&lock));
    assert_false(cora_lock_locked(&other));
    return 0;
}

TEST(LockTests_test_lock)
{
    run(lock_is_made);
}

static int lock_acquire(void *arg)
{
    cora_lock lock = CORA_LOCK_INIT;
    cora_task *t1, *t2, *t3;

    (void)arg;
    take_lock(&lock);
    t1 = cora_create_task(lock_and_tell, .lock = &lock, .number = 1);
    t2 = cora_create_task(lock_and_tell, .lock = &lock, .number = 2);
    step();
    assert_string_equal(trace_text, "");
    give_lock(&lock);
    step();
    assert_string_equal(trace_text, "1 ");
    step();
    assert_string_equal(trace_text, "1 ");
    t3 = cora_create_task(lock_and_tell, .lock = &lock, .number = 3);
    give_lock(&lock);
    step();
    assert_string_equal(trace_text, "1 2 ");
    give_lock(&lock);
    step();
    assert_string_equal(trace_text, "1 2 3 ");
    ended(t1, 1);
    ended(t2, 1);
    ended(t3, 1);
    return 0;
}

TEST(LockTests_test_acquire)
{
    run(lock_acquire);
}

static int lock_acquire_cancel(void *arg)
{
    cora_lock lock = CORA_LOCK_INIT;
    cora_task *task;
    int rc;

    (void)arg;
    take_lock(&lock);
    task = cora_create_task_arg(acquire_lock, &lock);
    call_soon(cancel, task);
    ends(task, -ECANCELED);
    give_lock(&lock);
    rc = at_once(acquire_lock, &lock); /* nobody is left in the queue */
    assert_int_equal(rc, 0);
    return 0;
}

TEST(LockTests_test_acquire_cancel)
{
    run(lock_acquire_cancel);
}

struct lock_for_args {
    cora_lock *lock;
    cora_future *blocker;
};

static int lock_for(void *arg)
{
    struct lock_for_args *a = arg;
    int rc = cora_lock_acquire(a->lock);

    if (rc < 0)
        return rc;
    if (a->blocker != NULL)
        rc = cora_await(a->blocker);
    give_lock(a->lock);
    return rc;
}

/* A holds the lock, B and C wait. B is cancelled in the iteration in which A releases it: the
 * release finds B still in the queue, and the lock must go to C. */
static int lock_cancel_race(void *arg)
{
    cora_lock lock = CORA_LOCK_INIT;
    cora_future *blocker = cora_loop_create_future(cora_get_running_loop());
    cora_task *a, *b, *c;
    int rc;

    (void)arg;
    a = cora_create_task(lock_for, .lock = &lock, .blocker = blocker);
    step();
    assert_true(cora_lock_locked(&lock));
    b = cora_create_task(lock_for, .lock = &lock);
    step();
    assert_true(waits_for(b, "lock"));
    c = cora_create_task(lock_for, .lock = &lock);
    step();
    assert_true(waits_for(c, "lock"));

    rc = cora_future_set_result(blocker, 0, NULL);
    assert_int_equal(rc, 0);
    cora_task_cancel(b);
    step();
    assert_false(cora_lock_locked(&lock));
    ended(a, 0);
    assert_true(cora_task_cancelled(b));
    ended(b, -ECANCELED);
    ends(c, 0);
    cora_future_unref(blocker);
    return 0;
}

TEST(LockTests_test_cancel_race)
{
    run(lock_cancel_race);
}

struct cancel_release {
    cora_lock lock;
    cora_task *victim;
    int locks, calls;
};

static int count_locks(void *arg)
{
    struct cancel_release *s = arg;
    int rc;

    s->calls++;
    rc = cora_lock_acquire(&s->lock);
    if (rc == 0)
        s->locks++;
    return rc;
}

static void cancel_and_release(void *arg)
{
    struct cancel_release *s = arg;

    cora_task_cancel(s->victim);
    give_lock(&s->lock);
}

/* The first who waits is cancelled and the lock released at once: one of the others gets it, not
 * both. */
static int lock_cancel_release_race(void *arg)
{
    struct cancel_release s = {.lock = CORA_LOCK_INIT};
    cora_task *t2, *t3;
    int rc;

    (void)arg;
    take_lock(&s.lock);
    s.victim = cora_create_task_arg(count_locks, &s);
    t2 = cora_create_task_arg(count_locks, &s);
    t3 = cora_create_task_arg(count_locks, &s);
    step();
    call_soon(cancel_and_release, &s);
    rc = cora_await(s.victim);
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(s.locks, 1);
    assert_int_equal(s.calls, 3);
    assert_true(cora_task_cancelled(s.victim));
    cora_task_unref(s.victim);
    ended(t2, 0);

    cora_task_cancel(t3);
    step();
    assert_true(cora_task_cancelled(t3));
    ended(t3, -ECANCELED);
    return 0;
}

TEST(LockTests_test_cancel_release_race)
{
    run(lock_cancel_release_race);
}

/* The only one who waits is cancelled before the release: the lock is free for a newcomer, who does
 * not queue behind him. */
static int lock_finished_waiter_cancelled(void *arg)
{
    cora_lock lock = CORA_LOCK_INIT;
    cora_task *b, *c;

    (void)arg;
    take_lock(&lock);
    assert_true(cora_lock_locked(&lock));
    b = cora_create_task_arg(acquire_lock, &lock);
    step();
    assert_true(waits_for(b, "lock"));
    c = cora_create_task_arg(acquire_lock, &lock);
    cora_task_cancel(b);
    give_lock(&lock);
    step();
    assert_true(cora_lock_locked(&lock));
    assert_true(cora_task_cancelled(b));
    ended(b, -ECANCELED);
    ends(c, 0);
    return 0;
}

TEST(LockTests_test_finished_waiter_cancelled)
{
    run(lock_finished_waiter_cancelled);
}

static int lock_release_not_acquired(void *arg)
{
    cora_lock lock = CORA_LOCK_INIT;
    int rc = cora_lock_release(&lock);

    (void)arg;
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    return 0;
}

TEST(LockTests_test_release_not_acquired)
{
    run(lock_release_not_acquired);
}

static int lock_release_no_waiters(void *arg)
{
    cora_lock lock = CORA_LOCK_INIT;

    (void)arg;
    take_lock(&lock);
    assert_true(cora_lock_locked(&lock));
    give_lock(&lock);
    assert_false(cora_lock_locked(&lock));
    return 0;
}

TEST(LockTests_test_release_no_waiters)
{
    run(lock_release_no_waiters);
}

/* async with lock: what the body fails with passes, and the lock is released on every path. */
static int with_lock(cora_lock *lock, int outcome)
{
    int rc = cora_lock_acquire(lock);

    if (rc < 0)
        return rc;
    assert_true(cora_lock_locked(lock));
    give_lock(lock);
    return outcome;
}

static int lock_context_manager(void *arg)
{
    cora_lock lock = CORA_LOCK_INIT;
    int rc;

    (void)arg;
    assert_false(cora_lock_locked(&lock));
    rc = with_lock(&lock, 0);
    assert_int_equal(rc, 0);
    assert_false(cora_lock_locked(&lock));
    rc = with_lock(&lock, -EIO);
    assert_int_equal(rc, -EIO);
    assert_false(cora_lock_locked(&lock));
    return 0;
}

TEST(LockTests_test_context_manager)
{
    run(lock_context_manager);
}

/* ---- events -------------------------------------------------------------------------------- */

static int wait_for_event(void *event)
{
    return cora_event_wait(event);
}

struct wait_and_tell_args {
    cora_event *event;
    int number;
};

static int wait_and_tell(void *arg)
{
    struct wait_and_tell_args *a = arg;
    int rc = cora_event_wait(a->event);

    if (rc < 0)
        return rc;
    trace("%d", a->number);
    return 1;
}

/* The third comes when the event is set already, and so before those who are woken by it. */
static int event_wait(void *arg)
{
    cora_event event = CORA_EVENT_INIT;
    cora_task *t1, *t2, *t3;

    (void)arg;
    assert_false(cora_event_is_set(&event));
    t1 = cora_create_task(wait_and_tell, .event = &event, .number = 1);
    t2 = cora_create_task(wait_and_tell, .event = &event, .number = 2);
    step();
    assert_string_equal(trace_text, "");
    t3 = cora_create_task(wait_and_tell, .event = &event, .number = 3);
    cora_event_set(&event);
    step();
    assert_string_equal(trace_text, "3 1 2 ");
    ended(t1, 1);
    ended(t2, 1);
    ended(t3, 1);
    return 0;
}

TEST(EventTests_test_wait)
{
    run(event_wait);
}

static int event_wait_on_set(void *arg)
{
    cora_event event = CORA_EVENT_INIT;
    int rc;

    (void)arg;
    cora_event_set(&event);
    rc = cora_event_wait(&event);
    assert_int_equal(rc, 0);
    rc = at_once(wait_for_event, &event);
    assert_int_equal(rc, 0);
    return 0;
}

TEST(EventTests_test_wait_on_set)
{
    run(event_wait_on_set);
}

static int event_wait_cancel(void *arg)
{
    cora_event event = CORA_EVENT_INIT;
    cora_task *task = cora_create_task_arg(wait_for_event, &event);

    (void)arg;
    call_soon(cancel, task);
    ends(task, -ECANCELED);
    assert_false(cora_event_is_set(&event));
    task = cora_create_task(wait_and_tell, .event = &event, .number = 1); /* alone in the queue */
    step();
    cora_event_set(&event);
    step();
    assert_string_equal(trace_text, "1 ");
    ended(task, 1);
    return 0;
}

TEST(EventTests_test_wait_cancel)
{
    run(event_wait_cancel);
}

static int event_clear(void *arg)
{
    cora_event event = CORA_EVENT_INIT;

    (void)arg;
    assert_false(cora_event_is_set(&event));
    cora_event_set(&event);
    assert_true(cora_event_is_set(&event));
    cora_event_clear(&event);
    assert_false(cora_event_is_set(&event));
    return 0;
}

TEST(EventTests_test_clear)
{
    run(event_clear);
}

/* Set, cleared, and set twice before the one who waits gets to run: he is woken once. */
static int event_clear_with_waiters(void *arg)
{
    cora_event event = CORA_EVENT_INIT;
    cora_task *task = cora_create_task(wait_and_tell, .event = &event, .number = 1);

    (void)arg;
    step();
    assert_string_equal(trace_text, "");
    assert_true(waits_for(task, "event"));
    cora_event_set(&event);
    cora_event_clear(&event);
    assert_false(cora_event_is_set(&event));
    cora_event_set(&event);
    cora_event_set(&event);
    assert_false(cora_task_done(task));
    step();
    assert_string_equal(trace_text, "1 ");
    ended(task, 1);
    return 0;
}

TEST(EventTests_test_clear_with_waiters)
{
    run(event_clear_with_waiters);
}

/* ---- conditions ---------------------------------------------------------------------------- */

static void take(cora_condition *condition)
{
    int rc = cora_condition_acquire(condition);

    assert_int_equal(rc, 0);
}

static void give(cora_condition *condition)
{
    int rc = cora_condition_release(condition);

    assert_int_equal(rc, 0);
}

static void notify(cora_condition *condition, int count)
{
    int rc = cora_condition_notify(condition, count);

    assert_int_equal(rc, 0);
}

static void notify_all(cora_condition *condition)
{
    int rc = cora_condition_notify_all(condition);

    assert_int_equal(rc, 0);
}

static void release_condition(void *arg)
{
    give(arg);
}

static int wait_for_condition(void *condition)
{
    return cora_condition_wait(condition);
}

static bool is_true(void *arg)
{
    return *(bool *)arg;
}

struct notified_args {
    cora_condition *condition;
    int number;
    bool keep;
};

static int notified(void *arg)
{
    struct notified_args *a = arg;
    int rc;

    take(a->condition);
    rc = cora_condition_wait(a->condition);
    if (rc < 0) {
        give(a->condition);
        return rc;
    }
    trace("%d", a->number);
    if (!a->keep)
        give(a->condition);
    return 1;
}

/* Those who are notified go on one by one, each as the lock is released for him. */
static int condition_wait(void *arg)
{
    cora_condition condition = CORA_CONDITION_INIT;
    cora_task *tasks[3];

    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = cora_create_task(notified, .condition = &condition, .number = i + 1, true);
    step();
    assert_string_equal(trace_text, "");
    assert_false(cora_condition_locked(&condition));

    take(&condition);
    notify(&condition, 1);
    step();
    assert_string_equal(trace_text, "");
    assert_true(cora_condition_locked(&condition));

    give(&condition);
    step();
    assert_string_equal(trace_text, "1 ");
    assert_true(cora_condition_locked(&condition));

    notify(&condition, 2);
    step();
    assert_string_equal(trace_text, "1 ");
    assert_true(cora_condition_locked(&condition));

    give(&condition);
    step();
    assert_string_equal(trace_text, "1 2 ");
    assert_true(cora_condition_locked(&condition));

    give(&condition);
    step();
    assert_string_equal(trace_text, "1 2 3 ");
    assert_true(cora_condition_locked(&condition));
    for (int i = 0; i < 3; i++)
        ended(tasks[i], 1);
    return 0;
}

TEST(ConditionTests_test_wait)
{
    run(condition_wait);
}

/* A wait that is cancelled ends with the lock held. */
static int condition_wait_cancel(void *arg)
{
    cora_condition condition = CORA_CONDITION_INIT;
    cora_task *task;

    (void)arg;
    take(&condition);
    task = cora_create_task_arg(wait_for_condition, &condition);
    call_soon(cancel, task);
    ends(task, -ECANCELED);
    assert_true(cora_condition_locked(&condition));
    notify(&condition, 1); /* nobody is left in the queue */
    give(&condition);
    step();
    assert_false(cora_condition_locked(&condition));
    return 0;
}

TEST(ConditionTests_test_wait_cancel)
{
    run(condition_wait_cancel);
}

/* Notified, and cancelled while it queues for the lock, which is released meanwhile: it ends with
 * the lock held all the same. */
static int condition_wait_cancel_contested(void *arg)
{
    cora_condition condition = CORA_CONDITION_INIT;
    cora_task *task;

    (void)arg;
    take(&condition);
    assert_true(cora_condition_locked(&condition));
    task = cora_create_task_arg(wait_for_condition, &condition);
    step();
    assert_false(cora_condition_locked(&condition));

    take(&condition);
    assert_true(cora_condition_locked(&condition));
    notify(&condition, 1);
    call_soon(cancel, task);
    call_soon(release_condition, &condition);
    ends(task, -ECANCELED);
    assert_true(cora_condition_locked(&condition));
    return 0;
}

TEST(ConditionTests_test_wait_cancel_contested)
{
    run(condition_wait_cancel_contested);
}

struct wait_within_args {
    cora_condition *condition;
    bool *waited;
};

static int wait_within(void *arg)
{
    struct wait_within_args *a = arg;
    int rc;

    take(a->condition);
    *a->waited = true;
    rc = cora_condition_wait(a->condition);
    give(a->condition);
    return rc;
}

/* Cancelled while it takes the lock again: it still waits for the lock, and then ends cancelled. */
static int condition_wait_cancel_after_notify(void *arg)
{
    cora_condition condition = CORA_CONDITION_INIT;
    bool waited = false;
    cora_task *task = cora_create_task(wait_within, .condition = &condition, .waited = &waited);

    (void)arg;
    step();
    take(&condition);
    notify(&condition, 1);
    step();
    assert_true(waits_for(task, "lock"));
    cora_task_cancel(task);
    step();
    assert_false(cora_task_done(task));
    give(&condition);
    step();
    assert_true(cora_task_cancelled(task));
    assert_true(waited);
    ended(task, -ECANCELED);
    assert_false(cora_condition_locked(&condition));
    return 0;
}

TEST(ConditionTests_test_wait_cancel_after_notify)
{
    run(condition_wait_cancel_after_notify);
}

static int condition_wait_unacquired(void *arg)
{
    cora_condition condition = CORA_CONDITION_INIT;
    int rc = cora_condition_wait(&condition);

    (void)arg;
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    return 0;
}

TEST(ConditionTests_test_wait_unacquired)
{
    run(condition_wait_unacquired);
}

struct wait_for_flag_args {
    cora_condition *condition;
    bool *flag;
};

static int wait_for_flag(void *arg)
{
    struct wait_for_flag_args *a = arg;
    int rc;

    take(a->condition);
    rc = cora_condition_wait_for(a->condition, is_true, a->flag);
    if (rc == 0)
        trace("1");
    give(a->condition);
    return rc < 0 ? rc : 1;
}

static int condition_wait_for(void *arg)
{
    cora_condition condition = CORA_CONDITION_INIT;
    bool flag = false;
    cora_task *task = cora_create_task(wait_for_flag, .condition = &condition, .flag = &flag);

    (void)arg;
    step();
    assert_string_equal(trace_text, "");

    take(&condition);
    notify(&condition, 1);
    give(&condition);
    step();
    assert_string_equal(trace_text, "");

    flag = true;
    take(&condition);
    notify(&condition, 1);
    give(&condition);
    step();
    assert_string_equal(trace_text, "1 ");
    ended(task, 1);
    return 0;
}

TEST(ConditionTests_test_wait_for)
{
    run(condition_wait_for);
}

/* The lock is needed only where there is something to wait for. */
static int condition_wait_for_unacquired(void *arg)
{
    cora_condition condition = CORA_CONDITION_INIT;
    bool flag = true;
    int rc = cora_condition_wait_for(&condition, is_true, &flag);

    (void)arg;
    assert_int_equal(rc, 0);
    flag = false;
    rc = cora_condition_wait_for(&condition, is_true, &flag);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    return 0;
}

TEST(ConditionTests_test_wait_for_unacquired)
{
    run(condition_wait_for_unacquired);
}

/* To notify more than wait is to notify all of them, in one iteration where each releases. */
static int condition_notify(void *arg)
{
    cora_condition condition = CORA_CONDITION_INIT;
    cora_task *tasks[3];

    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = cora_create_task(notified, .condition = &condition, .number = i + 1);
    step();
    assert_string_equal(trace_text, "");

    take(&condition);
    notify(&condition, 1);
    give(&condition);
    step();
    assert_string_equal(trace_text, "1 ");

    take(&condition);
    notify(&condition, 1);
    notify(&condition, 2048);
    give(&condition);
    step();
    assert_string_equal(trace_text, "1 2 3 ");
    for (int i = 0; i < 3; i++)
        ended(tasks[i], 1);
    return 0;
}

TEST(ConditionTests_test_notify)
{
    run(condition_notify);
}

static int condition_notify_all(void *arg)
{
    cora_condition condition = CORA_CONDITION_INIT;
    cora_task *t1 = cora_create_task(notified, .condition = &condition, .number = 1);
    cora_task *t2 = cora_create_task(notified, .condition = &condition, .number = 2);

    (void)arg;
    step();
    assert_string_equal(trace_text, "");
    take(&condition);
    notify_all(&condition);
    give(&condition);
    step();
    assert_string_equal(trace_text, "1 2 ");
    ended(t1, 1);
    ended(t2, 1);
    return 0;
}

TEST(ConditionTests_test_notify_all)
{
    run(condition_notify_all);
}

TEST(ConditionTests_test_notify_unacquired)
{
    cora_condition condition = CORA_CONDITION_INIT;
    int rc = cora_condition_notify(&condition, 1);

    assert_int_equal(rc, -CORA_EINVALIDSTATE);
}

TEST(ConditionTests_test_notify_all_unacquired)
{
    cora_condition condition = CORA_CONDITION_INIT;
    int rc = cora_condition_notify_all(&condition);

    assert_int_equal(rc, -CORA_EINVALIDSTATE);
}

static int with_condition(cora_condition *condition, int outcome)
{
    int rc = cora_condition_acquire(condition);

    if (rc < 0)
        return rc;
    assert_true(cora_condition_locked(condition));
    give(condition);
    return outcome;
}

static int condition_context_manager(void *arg)
{
    cora_condition condition = CORA_CONDITION_INIT;
    int rc;

    (void)arg;
    assert_false(cora_condition_locked(&condition));
    rc = with_condition(&condition, 0);
    assert_int_equal(rc, 0);
    assert_false(cora_condition_locked(&condition));
    rc = with_condition(&condition, -EIO);
    assert_int_equal(rc, -EIO);
    assert_false(cora_condition_locked(&condition));
    return 0;
}

TEST(ConditionTests_test_context_manager)
{
    run(condition_context_manager);
}

/* The condition's lock and the lock it was given are one. */
static void check_explicit_lock(cora_lock *lock, cora_condition *condition)
{
    assert_false(cora_lock_locked(lock));
    assert_false(cora_condition_locked(condition));
    take(condition);
    assert_true(cora_lock_locked(lock));
    assert_true(cora_condition_locked(condition));
    give(condition);
    assert_false(cora_lock_locked(lock));
    assert_false(cora_condition_locked(condition));
    take_lock(lock);
    assert_true(cora_lock_locked(lock));
    assert_true(cora_condition_locked(condition));
    give_lock(lock);
    assert_false(cora_lock_locked(lock));
    assert_false(cora_condition_locked(condition));
}

static int condition_explicit_lock(void *arg)
{
    cora_lock lock = CORA_LOCK_INIT, other = CORA_LOCK_INIT;
    cora_condition condition, second;

    (void)arg;
    cora_condition_init(&condition, &lock);
    check_explicit_lock(&lock, &condition);
    cora_condition_init(&condition, &other); /* the same storage, another lock */
    check_explicit_lock(&other, &condition);
    cora_condition_init(&second, &lock);
    cora_condition_init(&condition, &lock); /* two conditions on one lock */
    check_explicit_lock(&lock, &condition);
    check_explicit_lock(&lock, &second);
    return 0;
}

TEST(ConditionTests_test_explicit_lock)
{
    run(condition_explicit_lock);
}

/* A timeout cuts the wait off, and the lock is held again afterwards, to be released. */
static int condition_timeout_in_block(void *arg)
{
    cora_condition condition = CORA_CONDITION_INIT;
    cora_loop *loop = cora_get_running_loop();
    cora_task *task;
    cora_timeout timeout;
    int rc;

    (void)arg;
    take(&condition);
    cora_timeout_enter(&timeout, 0.5);
    rc = cora_condition_wait(&condition);
    rc = cora_timeout_exit(&timeout, rc);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_true(cora_loop_time(loop) == 0.5);
    give(&condition);

    take(&condition);
    task = cora_create_task_arg(wait_for_condition, &condition);
    rc = cora_wait_for(task, 0.5);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_true(cora_loop_time(loop) == 1.0);
    give(&condition);
    cora_task_unref(task);
    return 0;
}

TEST(ConditionTests_test_timeout_in_block)
{
    run(condition_timeout_in_block);
}

static int cancelled_within(void *arg)
{
    struct wait_for_flag_args *a = arg;
    int rc;

    take(a->condition);
    rc = cora_condition_wait_for(a->condition, is_true, a->flag);
    trace("%s", cora_strerrorname(rc));
    assert_true(cora_condition_locked(a->condition));
    give(a->condition);
    return rc;
}

/* The task ends with the cancellation that it was given, and with its message. */
static void ends_with_foo(cora_task *task)
{
    int rc = cora_await(task);

    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_task_cancelled(task));
    assert_string_equal(cora_future_get_cancel_message(task), "foo");
    assert_string_equal(trace_text, "ECANCELED ");
    cora_task_unref(task);
}

static int condition_cancelled_error_wakeup(void *arg)
{
    cora_condition condition = CORA_CONDITION_INIT;
    bool flag = false;
    struct wait_for_flag_args args = {&condition, &flag};
    cora_task *task = cora_create_task_arg(cancelled_within, &args);

    (void)arg;
    step();
    assert_true(waits_for(task, "condition"));
    cora_future_cancel_message(task, "foo");
    ends_with_foo(task);
    return 0;
}

TEST(ConditionTests_test_cancelled_error_wakeup)
{
    run(condition_cancelled_error_wakeup);
}

/* The same while it takes the lock again: that the predicate is true by then does not matter. */
static int condition_cancelled_error_re_acquire(void *arg)
{
    cora_condition condition = CORA_CONDITION_INIT;
    bool flag = false;
    struct wait_for_flag_args args = {&condition, &flag};
    cora_task *task = cora_create_task_arg(cancelled_within, &args);

    (void)arg;
    step();
    take(&condition);
    flag = true;
    notify(&condition, 1);
    step();
    assert_true(waits_for(task, "lock"));
    cora_future_cancel_message(task, "foo");
    give(&condition);
    ends_with_foo(task);
    return 0;
}

TEST(ConditionTests_test_cancelled_error_re_aquire)
{
    run(condition_cancelled_error_re_acquire);
}

/* Items to consume; a negative number ends the consumers. */
struct store {
    cora_condition condition;
    int items;
};

static bool has_news(void *arg)
{
    return ((struct store *)arg)->items != 0;
}

static bool is_empty(void *arg)
{
    return ((struct store *)arg)->items == 0;
}

static int consume(void *arg)
{
    struct store *store = arg;
    int rc;

    take(&store->condition);
    while ((rc = cora_condition_wait_for(&store->condition, has_news, store)) == 0 &&
           store->items > 0)
        store->items--;
    give(&store->condition);
    return rc;
}

/*
 * One item, one of two consumers notified, and that one cancelled: the notification is not lost,
 * the other consumes the item. `relock`: cancelled when it has run and waits for the lock.
 */
static int cancel_the_notified(bool relock)
{
    struct store store = {.condition = CORA_CONDITION_INIT};
    cora_task *c[2] = {cora_create_task_arg(consume, &store),
                       cora_create_task_arg(consume, &store)};
    cora_timeout timeout;
    int rc;

    step();
    take(&store.condition);
    store.items++;
    notify(&store.condition, 1);
    if (relock) {
        step();
        assert_true(waits_for(c[0], "lock"));
    }
    cora_task_cancel(c[0]);
    cora_timeout_enter(&timeout, 0.01);
    rc = cora_condition_wait_for(&store.condition, is_empty, &store);
    rc = cora_timeout_exit(&timeout, rc);
    assert_int_equal(rc, -ETIMEDOUT); /* the consumer does not notify us */
    assert_int_equal(store.items, 0);

    store.items = -1;
    notify_all(&store.condition);
    give(&store.condition);
    ends(c[1], 0);
    ended(c[0], -ECANCELED);
    return 0;
}

static int condition_cancelled_wakeup(void *arg)
{
    (void)arg;
    return cancel_the_notified(false);
}

TEST(ConditionTests_test_cancelled_wakeup)
{
    run(condition_cancelled_wakeup);
}

static int condition_cancelled_wakeup_relock(void *arg)
{
    (void)arg;
    return cancel_the_notified(true);
}

TEST(ConditionTests_test_cancelled_wakeup_relock)
{
    run(condition_cancelled_wakeup_relock);
}

/* ---- semaphores ---------------------------------------------------------------------------- */

static int acquire_permit(void *semaphore)
{
    return cora_semaphore_acquire(semaphore);
}

static void take_permit(cora_semaphore *semaphore)
{
    int rc = cora_semaphore_acquire(semaphore);

    assert_int_equal(rc, 0);
}

struct permit_and_tell_args {
    cora_semaphore *semaphore;
    int number;
};

static int permit_and_tell(void *arg)
{
    struct permit_and_tell_args *a = arg;
    int rc = cora_semaphore_acquire(a->semaphore);

    if (rc < 0)
        return rc;
    trace("%d", a->number);
    return 1;
}

TEST(SemaphoreTests_test_initial_value_zero)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(0);

    assert_true(cora_semaphore_locked(&semaphore));
}

/* CPython: a semaphore cannot be awaited. Here the compiler sees to that; what was only made has
 * its one permit. */
static int semaphore_is_made(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(1);

    (void)arg;
    assert_false(cora_semaphore_locked(&semaphore));
    take_permit(&semaphore);
    assert_true(cora_semaphore_locked(&semaphore));
    return 0;
}

TEST(SemaphoreTests_test_semaphore)
{
    run(semaphore_is_made);
}

/* Fewer than no permits cannot be: nobody gets one from such a semaphore. */
TEST(SemaphoreTests_test_semaphore_value)
{
    cora_semaphore semaphore;
    int rc;

    cora_semaphore_init(&semaphore, -1);
    assert_true(cora_semaphore_locked(&semaphore));
    rc = cora_semaphore_acquire(&semaphore);
    assert_int_equal(rc, -CORA_ENOTASK); /* it would have to wait */
}

static int semaphore_acquire(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(3);
    cora_task *tasks[4];
    int rc;

    (void)arg;
    take_permit(&semaphore);
    take_permit(&semaphore);
    assert_false(cora_semaphore_locked(&semaphore));
    for (int i = 0; i < 3; i++)
        tasks[i] = cora_create_task(permit_and_tell, .semaphore = &semaphore, .number = i + 1);
    step();
    assert_string_equal(trace_text, "1 ");
    assert_true(cora_semaphore_locked(&semaphore));
    assert_true(waits_for(tasks[1], "semaphore"));
    assert_true(waits_for(tasks[2], "semaphore"));

    tasks[3] = cora_create_task(permit_and_tell, .semaphore = &semaphore, .number = 4);
    cora_semaphore_release(&semaphore);
    cora_semaphore_release(&semaphore);
    assert_true(cora_semaphore_locked(&semaphore)); /* both permits have their owners */
    step();
    assert_string_equal(trace_text, "1 2 3 ");
    assert_true(cora_semaphore_locked(&semaphore));
    assert_true(cora_task_done(tasks[0]));
    assert_true(cora_task_done(tasks[1]));
    assert_true(cora_task_done(tasks[2]));
    assert_true(waits_for(tasks[3], "semaphore"));

    cora_semaphore_release(&semaphore);
    rc = cora_gather(tasks, 4, NULL, 0);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 4; i++)
        ended(tasks[i], 1);
    return 0;
}

TEST(SemaphoreTests_test_acquire)
{
    run(semaphore_acquire);
}

static int semaphore_acquire_cancel(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(1);
    cora_task *task;
    int rc;

    (void)arg;
    take_permit(&semaphore);
    task = cora_create_task_arg(acquire_permit, &semaphore);
    call_soon(cancel, task);
    ends(task, -ECANCELED);
    assert_true(cora_semaphore_locked(&semaphore));
    cora_semaphore_release(&semaphore);
    rc = at_once(acquire_permit, &semaphore); /* nobody is left in the queue */
    assert_int_equal(rc, 0);
    task = cora_create_task(permit_and_tell, .semaphore = &semaphore, .number = 1);
    step();
    cora_semaphore_release(&semaphore);
    step();
    assert_string_equal(trace_text, "1 ");
    ended(task, 1);
    return 0;
}

TEST(SemaphoreTests_test_acquire_cancel)
{
    run(semaphore_acquire_cancel);
}

/* The permit goes past those who are cancelled to the first who still waits, and to him alone. */
static int semaphore_acquire_cancel_before_awoken(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(0);
    cora_task *tasks[4];

    (void)arg;
    for (int i = 0; i < 4; i++)
        tasks[i] = cora_create_task_arg(acquire_permit, &semaphore);
    step();
    cora_task_cancel(tasks[0]);
    cora_task_cancel(tasks[1]);
    cora_semaphore_release(&semaphore);
    step();
    step();
    assert_true(cora_task_done(tasks[2]));
    assert_false(cora_task_done(tasks[3]));

    cora_task_cancel(tasks[2]);
    cora_task_cancel(tasks[3]);
    step();
    ended(tasks[0], -ECANCELED);
    ended(tasks[1], -ECANCELED);
    ended(tasks[2], 0);
    ended(tasks[3], -ECANCELED);
    return 0;
}

TEST(SemaphoreTests_test_acquire_cancel_before_awoken)
{
    run(semaphore_acquire_cancel_before_awoken);
}

static int semaphore_acquire_hang(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(0);
    cora_task *t1 = cora_create_task_arg(acquire_permit, &semaphore);
    cora_task *t2 = cora_create_task_arg(acquire_permit, &semaphore);

    (void)arg;
    step();
    cora_task_cancel(t1);
    cora_semaphore_release(&semaphore);
    step();
    step();
    assert_true(cora_semaphore_locked(&semaphore));
    ended(t1, -ECANCELED);
    ended(t2, 0);
    return 0;
}

TEST(SemaphoreTests_test_acquire_hang)
{
    run(semaphore_acquire_hang);
}

struct no_hang {
    cora_semaphore semaphore;
    cora_task *victim;
};

static int hold_then_cancel(void *arg)
{
    struct no_hang *s = arg;

    take_permit(&s->semaphore);
    step();
    cora_semaphore_release(&s->semaphore);
    cora_task_cancel(s->victim);
    return 0;
}

static int never_get_it(void *arg)
{
    struct no_hang *s = arg;
    int rc = cora_semaphore_acquire(&s->semaphore);

    assert_int_not_equal(rc, 0);
    return rc;
}

/* Given the permit and cancelled in the same iteration: it is cancelled, and the permit is back. */
static int semaphore_acquire_no_hang(void *arg)
{
    struct no_hang s = {.semaphore = CORA_SEMAPHORE_INIT(1)};
    cora_task *tasks[2], *task;
    int results[2], rc;

    (void)arg;
    tasks[0] = cora_create_task_arg(hold_then_cancel, &s);
    s.victim = tasks[1] = cora_create_task_arg(never_get_it, &s);
    rc = cora_gather(tasks, 2, results, CORA_RETURN_EXCEPTIONS);
    assert_int_equal(rc, 0);
    assert_int_equal(results[0], 0);
    assert_int_equal(results[1], -ECANCELED);
    cora_task_unref(tasks[0]);
    cora_task_unref(tasks[1]);

    task = cora_create_task_arg(acquire_permit, &s.semaphore);
    rc = cora_wait_for(task, 1.0);
    assert_int_equal(rc, 0);
    assert_true(cora_semaphore_locked(&s.semaphore)); /* that was the only one */
    cora_task_unref(task);
    return 0;
}

TEST(SemaphoreTests_test_acquire_no_hang)
{
    run(semaphore_acquire_no_hang);
}

TEST(SemaphoreTests_test_release_not_acquired)
{
    cora_bounded_semaphore semaphore = CORA_BOUNDED_SEMAPHORE_INIT(1);
    int rc = cora_bounded_semaphore_release(&semaphore);

    assert_int_equal(rc, -CORA_EINVALIDSTATE);
}

static int semaphore_release_no_waiters(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(1);

    (void)arg;
    take_permit(&semaphore);
    assert_true(cora_semaphore_locked(&semaphore));
    cora_semaphore_release(&semaphore);
    assert_false(cora_semaphore_locked(&semaphore));
    return 0;
}

TEST(SemaphoreTests_test_release_no_waiters)
{
    run(semaphore_release_no_waiters);
}

struct hold_twice_args {
    cora_semaphore *semaphore;
    int number;
};

static int hold_twice(void *arg)
{
    struct hold_twice_args *a = arg;

    for (int round = 1; round <= 2; round++) {
        int rc;

        take_permit(a->semaphore);
        trace("c%d_%d", a->number, round);
        rc = cora_sleep(0.01);
        assert_int_equal(rc, 0);
        cora_semaphore_release(a->semaphore);
    }
    return 0;
}

/* Who has just released queues behind those who wait. */
static int semaphore_fifo_order(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(1);
    cora_task_group group;
    int rc = 0;

    (void)arg;
    cora_task_group_enter(&group);
    for (int i = 1; i <= 3 && rc == 0; i++)
        rc = cora_task_group_create_task(&group, hold_twice, .semaphore = &semaphore, .number = i);
    rc = cora_task_group_exit(&group, rc);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "c1_1 c2_1 c3_1 c1_2 c2_2 c3_2 ");
    return 0;
}

TEST(SemaphoreTests_test_acquire_fifo_order)
{
    run(semaphore_fifo_order);
}

static int release_and_take_again(void *arg)
{
    cora_semaphore *semaphore = arg;

    take_permit(semaphore);
    trace("2");
    cora_semaphore_release(semaphore);
    take_permit(semaphore);
    trace("4");
    return 1;
}

static int semaphore_fifo_order_2(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(1);
    cora_task *tasks[3];
    int rc;

    (void)arg;
    tasks[0] = cora_create_task(permit_and_tell, .semaphore = &semaphore, .number = 1);
    tasks[1] = cora_create_task_arg(release_and_take_again, &semaphore);
    tasks[2] = cora_create_task(permit_and_tell, .semaphore = &semaphore, .number = 3);
    step();
    cora_semaphore_release(&semaphore);
    cora_semaphore_release(&semaphore);
    rc = cora_gather(tasks, 3, NULL, 0);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "1 2 3 4 ");
    for (int i = 0; i < 3; i++)
        ended(tasks[i], 1);
    return 0;
}

TEST(SemaphoreTests_test_acquire_fifo_order_2)
{
    run(semaphore_fifo_order_2);
}

static int semaphore_fifo_order_3(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(0);
    cora_task *tasks[3];
    int results[3], rc;

    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = cora_create_task(permit_and_tell, .semaphore = &semaphore, .number = i + 1);
    step();
    cora_task_cancel(tasks[0]);
    step();
    cora_semaphore_release(&semaphore);
    cora_semaphore_release(&semaphore);
    rc = cora_gather(tasks, 3, results, CORA_RETURN_EXCEPTIONS);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "2 3 ");
    assert_int_equal(results[0], -ECANCELED);
    for (int i = 0; i < 3; i++)
        cora_task_unref(tasks[i]);
    return 0;
}

TEST(SemaphoreTests_test_acquire_fifo_order_3)
{
    run(semaphore_fifo_order_3);
}

struct fifo {
    cora_semaphore semaphore;
    cora_task *tasks[4];
};

static int fourth(void *arg)
{
    (void)arg;
    trace("4");
    return 1;
}

static int first(void *arg)
{
    struct fifo *s = arg;

    assert_true(cora_semaphore_locked(&s->semaphore));
    take_permit(&s->semaphore);
    assert_true(cora_semaphore_locked(&s->semaphore)); /* the others have theirs already */
    s->tasks[3] = cora_create_task_arg(fourth, NULL);
    trace("1");
    return 1;
}

static int second(void *arg)
{
    struct fifo *s = arg;

    for (int i = 0; i < 3; i++)
        cora_semaphore_release(&s->semaphore);
    assert_true(cora_semaphore_locked(&s->semaphore)); /* the first is woken but has not run */
    take_permit(&s->semaphore);
    trace("2");
    return 1;
}

static int third(void *arg)
{
    struct fifo *s = arg;

    take_permit(&s->semaphore);
    assert_true(cora_semaphore_locked(&s->semaphore));
    trace("3");
    return 1;
}

/* Two permits are free but two queue behind the one who is woken: as he runs he wakes both, before
 * a task that he creates. */
static int semaphore_fifo_order_4(void *arg)
{
    struct fifo s = {.semaphore = CORA_SEMAPHORE_INIT(0)};
    int rc;

    (void)arg;
    s.tasks[0] = cora_create_task_arg(first, &s);
    s.tasks[1] = cora_create_task_arg(second, &s);
    s.tasks[2] = cora_create_task_arg(third, &s);
    step();
    for (int i = 0; i < 3; i++)
        assert_true(waits_for(s.tasks[i], "semaphore"));
    assert_string_equal(trace_text, "");
    step();
    assert_string_equal(trace_text, "1 ");
    rc = cora_gather(s.tasks, 4, NULL, 0);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "1 2 3 4 ");
    for (int i = 0; i < 4; i++)
        ended(s.tasks[i], 1);
    return 0;
}

TEST(SemaphoreTests_test_acquire_fifo_order_4)
{
    run(semaphore_fifo_order_4);
}

/* ---- barriers ------------------------------------------------------------------------------ */

enum { N = 5 };

/* A barrier or two, and what the tasks of a test count. */
struct scene {
    cora_barrier barrier, other;
    int count, rewaiting;
};

static void make_barrier(cora_barrier *barrier, int parties)
{
    int rc = cora_barrier_init(barrier, parties);

    assert_int_equal(rc, 0);
}

static int wait_barrier(void *barrier)
{
    return cora_barrier_wait(barrier);
}

static int reset_barrier(void *barrier)
{
    return cora_barrier_reset(barrier);
}

static int abort_barrier(void *barrier)
{
    return cora_barrier_abort(barrier);
}

/* Waits at the barrier, which lets us through. */
static int pass(cora_barrier *barrier)
{
    int rc = cora_barrier_wait(barrier);

    assert_in_range(rc, 0, cora_barrier_parties(barrier) - 1);
    return rc;
}

/*
 * Whether the barrier is filling: a newcomer (who is sent away at once) is counted. While it drains
 * or is being reset he has to stay outside.
 */
static bool is_filling(cora_barrier *barrier)
{
    int before = cora_barrier_n_waiting(barrier);
    cora_task *task = cora_loop_create_task_arg(NULL, &eagerly, wait_barrier, "newcomer", barrier);
    bool counted = cora_barrier_n_waiting(barrier) == before + 1;

    cora_task_cancel(task);
    cora_task_unref(task);
    return counted;
}

static void create(cora_task *tasks[], int count, cora_task_fn *fn, void *arg)
{
    for (int i = 0; i < count; i++)
        tasks[i] = cora_create_task_arg(fn, arg);
}

/* Waits for the tasks, all of which succeed, and gives them back. */
static void gather(cora_task *tasks[], int count, int results[])
{
    int rc = cora_gather(tasks, (size_t)count, results, 0);

    assert_int_equal(rc, 0);
    for (int i = 0; i < count; i++)
        cora_task_unref(tasks[i]);
}

static void gather_tasks(int count, cora_task_fn *fn, void *arg)
{
    cora_task *tasks[N];

    create(tasks, count, fn, arg);
    gather(tasks, count, NULL);
}

/* Nobody waits any more, and it is as new. */
static void is_as_new(cora_barrier *barrier)
{
    assert_int_equal(cora_barrier_n_waiting(barrier), 0);
    assert_false(cora_barrier_broken(barrier));
    assert_true(is_filling(barrier));
    step();
    assert_int_equal(cora_barrier_n_waiting(barrier), 0);
}

/* CPython: a barrier cannot be awaited. Here the compiler sees to that; what was only made is
 * filling. */
static int barrier_is_made(void *arg)
{
    cora_barrier barrier;

    (void)arg;
    make_barrier(&barrier, N);
    is_as_new(&barrier);
    return 0;
}

TEST(BarrierTests_test_barrier)
{
    run(barrier_is_made);
}

static int barrier_parties(void *arg)
{
    cora_barrier barrier;
    int rc = cora_barrier_init(&barrier, 0);

    (void)arg;
    assert_int_equal(rc, -EINVAL);
    rc = cora_barrier_init(&barrier, -4);
    assert_int_equal(rc, -EINVAL);
    rc = cora_barrier_init(&barrier, N);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_barrier_parties(&barrier), N);
    return 0;
}

TEST(BarrierTests_test_barrier_parties)
{
    run(barrier_parties);
}

static int pass_and_tell(void *arg)
{
    int rc = pass(arg);

    trace("%d", rc);
    return 0;
}

/* The last to come goes on at once, the others in the order in which they came. */
static int barrier_context_manager(void *arg)
{
    cora_barrier barrier;

    (void)arg;
    make_barrier(&barrier, 3);
    gather_tasks(3, pass_and_tell, &barrier);
    assert_string_equal(trace_text, "2 0 1 ");
    is_as_new(&barrier);
    return 0;
}

TEST(BarrierTests_test_context_manager)
{
    run(barrier_context_manager);
}

static int barrier_filling_one_task(void *arg)
{
    cora_barrier barrier;
    int rc;

    (void)arg;
    make_barrier(&barrier, 1);
    rc = cora_barrier_wait(&barrier);
    assert_int_equal(rc, 0);
    rc = at_once(wait_barrier, &barrier);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_barrier_n_waiting(&barrier), 0);
    assert_false(cora_barrier_broken(&barrier));
    return 0;
}

TEST(BarrierTests_test_filling_one_task)
{
    run(barrier_filling_one_task);
}

static int barrier_filling_one_task_twice(void *arg)
{
    cora_barrier barrier;
    cora_task *t1, *t2;

    (void)arg;
    make_barrier(&barrier, 1);
    t1 = cora_create_task_arg(wait_barrier, &barrier);
    step();
    assert_int_equal(cora_barrier_n_waiting(&barrier), 0);
    t2 = cora_create_task_arg(wait_barrier, &barrier);
    step();
    ended(t1, 0);
    ended(t2, 0);
    assert_int_equal(cora_barrier_n_waiting(&barrier), 0);
    assert_false(cora_barrier_broken(&barrier));
    return 0;
}

TEST(BarrierTests_test_filling_one_task_twice)
{
    run(barrier_filling_one_task_twice);
}

static int barrier_filling_task_by_task(void *arg)
{
    cora_barrier barrier;
    cora_task *tasks[3];
    int rc;

    (void)arg;
    make_barrier(&barrier, 3);
    for (int i = 0; i < 3; i++) {
        tasks[i] = cora_create_task_arg(wait_barrier, &barrier);
        step();
        assert_int_equal(cora_barrier_n_waiting(&barrier), i < 2 ? i + 1 : 0);
    }
    rc = cora_wait(tasks, 3, INFINITY, CORA_ALL_COMPLETED);
    assert_int_equal(rc, 3);
    for (int i = 0; i < 3; i++)
        ended(tasks[i], i);
    is_as_new(&barrier);
    return 0;
}

TEST(BarrierTests_test_filling_task_by_task)
{
    run(barrier_filling_task_by_task);
}

static int pass_twice(void *arg)
{
    pass(arg);
    trace("a");
    pass(arg);
    trace("b");
    return 0;
}

static int barrier_filling_tasks_wait_twice(void *arg)
{
    cora_barrier barrier;

    (void)arg;
    make_barrier(&barrier, N);
    gather_tasks(N, pass_twice, &barrier);
    assert_string_equal(trace_text, "a a a a a b b b b b ");
    is_as_new(&barrier);
    return 0;
}

TEST(BarrierTests_test_filling_tasks_wait_twice)
{
    run(barrier_filling_tasks_wait_twice);
}

static int second_index(void *arg)
{
    int rc;

    pass(arg);
    trace("a");
    rc = pass(arg);
    trace("b");
    return rc;
}

/* Who comes back while it drains is blocked outside; the last to leave finds it filling, and so is
 * the first of the second round. */
static int barrier_filling_tasks_check_return_value(void *arg)
{
    static const int expected[N] = {2, 3, 4, 0, 1};
    cora_barrier barrier;
    cora_task *tasks[N];
    int results[N];

    (void)arg;
    make_barrier(&barrier, N);
    create(tasks, N, second_index, &barrier);
    gather(tasks, N, results);
    assert_string_equal(trace_text, "a a a a a b b b b b ");
    for (int i = 0; i < N; i++)
        assert_int_equal(results[i], expected[i]);
    is_as_new(&barrier);
    return 0;
}

TEST(BarrierTests_test_filling_tasks_check_return_value)
{
    run(barrier_filling_tasks_check_return_value);
}

static int pass_and_look(void *arg)
{
    pass(arg);
    trace(is_filling(arg) ? "filling" : "draining");
    return 0;
}

/* The last to leave is the one who opens it again. */
static int barrier_draining_state(void *arg)
{
    cora_barrier barrier;

    (void)arg;
    make_barrier(&barrier, N);
    gather_tasks(N, pass_and_look, &barrier);
    assert_string_equal(trace_text, "draining draining draining draining filling ");
    is_as_new(&barrier);
    return 0;
}

TEST(BarrierTests_test_draining_state)
{
    run(barrier_draining_state);
}

static int rewait(void *arg)
{
    struct scene *s = arg;

    pass(&s->barrier);
    if (s->rewaiting > 0) {
        s->rewaiting--;
        trace("again");
    } else {
        pass(&s->other);
        trace("other");
    }
    pass(&s->barrier);
    return 0;
}

/* Two come back while the barrier drains, and wait outside for the three others, who meet at
 * another barrier of just three first. */
static int barrier_blocking_tasks_while_draining(void *arg)
{
    struct scene s = {.rewaiting = 2};

    (void)arg;
    make_barrier(&s.barrier, N);
    make_barrier(&s.other, N - s.rewaiting);
    gather_tasks(N, rewait, &s);
    assert_string_equal(trace_text, "again again other other other ");
    is_as_new(&s.barrier);
    is_as_new(&s.other);
    return 0;
}

TEST(BarrierTests_test_blocking_tasks_while_draining)
{
    run(barrier_blocking_tasks_while_draining);
}

static int wait_and_count(void *arg)
{
    struct scene *s = arg;
    int rc = cora_barrier_wait(&s->barrier);

    if (rc < 0)
        return rc;
    s->count++;
    return 0;
}

/* Who is cancelled is not counted any more; the others wait on. */
static int barrier_filling_tasks_cancel_one(void *arg)
{
    struct scene s = {0};
    cora_task *t1, *tasks[3];
    int rc;

    (void)arg;
    make_barrier(&s.barrier, 3);
    t1 = cora_create_task_arg(wait_and_count, &s);
    step();
    assert_int_equal(cora_barrier_n_waiting(&s.barrier), 1);
    tasks[0] = cora_create_task_arg(wait_and_count, &s);
    step();
    assert_int_equal(cora_barrier_n_waiting(&s.barrier), 2);

    cora_task_cancel(t1);
    step();
    assert_int_equal(cora_barrier_n_waiting(&s.barrier), 1);
    rc = cora_await(t1);
    assert_int_equal(rc, -ECANCELED);
    assert_true(cora_task_cancelled(t1));
    cora_task_unref(t1);

    tasks[1] = cora_create_task_arg(wait_and_count, &s);
    step();
    assert_int_equal(cora_barrier_n_waiting(&s.barrier), 2);
    tasks[2] = cora_create_task_arg(wait_and_count, &s);
    gather(tasks, 3, NULL);
    assert_int_equal(s.count, 3);
    is_as_new(&s.barrier);
    return 0;
}

TEST(BarrierTests_test_filling_tasks_cancel_one)
{
    run(barrier_filling_tasks_cancel_one);
}

static int barrier_reset(void *arg)
{
    cora_barrier barrier;
    cora_task *task;
    int rc;

    (void)arg;
    make_barrier(&barrier, 1);
    task = cora_create_task_arg(reset_barrier, &barrier);
    step();
    ended(task, 0);
    assert_int_equal(cora_barrier_n_waiting(&barrier), 0);
    assert_false(cora_barrier_broken(&barrier));
    rc = at_once(wait_barrier, &barrier);
    assert_int_equal(rc, 0);
    return 0;
}

TEST(BarrierTests_test_reset_barrier)
{
    run(barrier_reset);
}

static int expect_broken(void *arg)
{
    int rc = cora_barrier_wait(arg);

    assert_int_equal(rc, -CORA_EBROKENBARRIER);
    trace("broken");
    return 0;
}

static int barrier_reset_while_waiting(void *arg)
{
    cora_barrier barrier;
    cora_task *tasks[N - 1], *resetter;

    (void)arg;
    make_barrier(&barrier, N);
    create(tasks, N - 1, expect_broken, &barrier);
    step();
    assert_int_equal(cora_barrier_n_waiting(&barrier), N - 1);
    resetter = cora_create_task_arg(reset_barrier, &barrier);
    gather(tasks, N - 1, NULL);
    assert_string_equal(trace_text, "broken broken broken broken ");
    ended(resetter, 0);
    is_as_new(&barrier);
    return 0;
}

TEST(BarrierTests_test_reset_barrier_while_tasks_waiting)
{
    run(barrier_reset_while_waiting);
}

static int reset_half_way(void *arg)
{
    struct scene *s = arg;
    int rc = cora_barrier_wait(&s->barrier);

    s->count++;
    if (rc == -CORA_EBROKENBARRIER) {
        trace("broken");
        return 0;
    }
    assert_true(rc >= 0);
    trace("passed");
    return N - s->count == N / 2 ? cora_barrier_reset(&s->barrier) : 0;
}

/* A reset while two have yet to leave: these find it broken. */
static int barrier_reset_half_draining(void *arg)
{
    struct scene s = {0};

    (void)arg;
    make_barrier(&s.barrier, N);
    gather_tasks(N, reset_half_way, &s);
    assert_string_equal(trace_text, "passed passed passed broken broken ");
    is_as_new(&s.barrier);
    return 0;
}

TEST(BarrierTests_test_reset_barrier_when_tasks_half_draining)
{
    run(barrier_reset_half_draining);
}

static int reset_with_some_blocked(void *arg)
{
    struct scene *s = arg;
    int rc = cora_barrier_wait(&s->barrier);

    if (rc == -CORA_EBROKENBARRIER) {
        trace("broken");
    } else {
        assert_true(rc >= 0);
        s->count++;
        if (s->count > N / 2) {
            trace("reset");
            rc = cora_barrier_reset(&s->barrier);
            assert_int_equal(rc, 0);
        } else {
            trace("back");
        }
    }
    pass(&s->barrier); /* also for those who were blocked outside when it was reset */
    trace("end");
    return 0;
}

/* Two are through and back, blocked outside; the third resets; two have yet to leave. Only these
 * find it broken, and then all five meet. */
static int barrier_reset_half_draining_half_blocking(void *arg)
{
    struct scene s = {0};

    (void)arg;
    make_barrier(&s.barrier, N);
    gather_tasks(N, reset_with_some_blocked, &s);
    assert_string_equal(trace_text, "back back reset broken broken end end end end end ");
    is_as_new(&s.barrier);
    return 0;
}

TEST(BarrierTests_test_reset_barrier_when_tasks_half_draining_half_blocking)
{
    run(barrier_reset_half_draining_half_blocking);
}

static int broken_then_pass(void *arg)
{
    int rc = cora_barrier_wait(arg);

    assert_int_equal(rc, -CORA_EBROKENBARRIER);
    trace("broken");
    pass(arg);
    trace("end");
    return 0;
}

static int pass_and_end(void *arg)
{
    pass(arg);
    trace("end");
    return 0;
}

/* Those whom a reset sends away may wait again at once: one more fills the barrier. */
static int barrier_reset_while_waiting_and_waiting_again(void *arg)
{
    cora_barrier barrier;
    cora_task *tasks[N - 1], *resetter, *last;

    (void)arg;
    make_barrier(&barrier, N);
    create(tasks, N - 1, broken_then_pass, &barrier);
    resetter = cora_create_task_arg(reset_barrier, &barrier);
    step();
    last = cora_create_task_arg(pass_and_end, &barrier);
    gather(tasks, N - 1, NULL);
    assert_string_equal(trace_text, "broken broken broken broken end end end end end ");
    ended(resetter, 0);
    ended(last, 0);
    is_as_new(&barrier);
    return 0;
}

TEST(BarrierTests_test_reset_barrier_while_tasks_waiting_and_waiting_again)
{
    run(barrier_reset_while_waiting_and_waiting_again);
}

static int last_resets(void *arg)
{
    struct scene *s = arg;

    pass(&s->barrier);
    s->count++;
    if (s->count == N) {
        int rc = cora_barrier_reset(&s->barrier);

        assert_int_equal(rc, 0);
        trace("reset");
        pass(&s->barrier);
    } else {
        pass(&s->barrier); /* blocked outside, and not sent away */
        trace("again");
    }
    pass(&s->barrier);
    trace("end");
    return 0;
}

/* The last to leave resets it: nobody is inside, so nobody finds it broken. */
static int barrier_reset_while_draining(void *arg)
{
    struct scene s = {0};

    (void)arg;
    make_barrier(&s.barrier, N);
    gather_tasks(N, last_resets, &s);
    assert_string_equal(trace_text, "reset again again again again end end end end end ");
    is_as_new(&s.barrier);
    return 0;
}

TEST(BarrierTests_test_reset_barrier_while_tasks_draining)
{
    run(barrier_reset_while_draining);
}

static int barrier_abort(void *arg)
{
    cora_barrier barrier;
    cora_task *task;
    int rc;

    (void)arg;
    make_barrier(&barrier, 1);
    task = cora_create_task_arg(abort_barrier, &barrier);
    step();
    ended(task, 0);
    assert_int_equal(cora_barrier_n_waiting(&barrier), 0);
    assert_true(cora_barrier_broken(&barrier));
    rc = at_once(wait_barrier, &barrier); /* though he would be enough to fill it */
    assert_int_equal(rc, -CORA_EBROKENBARRIER);
    assert_true(cora_barrier_broken(&barrier));
    return 0;
}

TEST(BarrierTests_test_abort_barrier)
{
    run(barrier_abort);
}

static int abort_with_some_blocked(void *arg)
{
    struct scene *s = arg;
    int rc = cora_barrier_wait(&s->barrier);

    if (rc == -CORA_EBROKENBARRIER) {
        trace("broken");
        return 0;
    }
    assert_true(rc >= 0);
    s->count++;
    if (s->count > N / 2) {
        trace("abort");
        return cora_barrier_abort(&s->barrier);
    }
    trace("back");
    rc = cora_barrier_wait(&s->barrier);
    assert_int_equal(rc, -CORA_EBROKENBARRIER);
    trace("blocked");
    return 0;
}

/* As with the reset, but those who are blocked outside find it broken, too. */
static int barrier_abort_half_draining_half_blocking(void *arg)
{
    struct scene s = {0};
    int rc;

    (void)arg;
    make_barrier(&s.barrier, N);
    gather_tasks(N, abort_with_some_blocked, &s);
    assert_string_equal(trace_text, "back back abort broken broken blocked blocked ");
    assert_true(cora_barrier_broken(&s.barrier));
    assert_int_equal(cora_barrier_n_waiting(&s.barrier), 0);
    rc = at_once(wait_barrier, &s.barrier); /* broken for good, not being reset */
    assert_int_equal(rc, -CORA_EBROKENBARRIER);
    return 0;
}

TEST(BarrierTests_test_abort_barrier_when_tasks_half_draining_half_blocking)
{
    run(barrier_abort_half_draining_half_blocking);
}

/* Passes the barrier; the one in the middle then fails and aborts it, the others come back. */
static void one_aborts(cora_barrier *barrier)
{
    int rc = cora_barrier_wait(barrier);

    if (rc == N / 2) {
        rc = cora_barrier_abort(barrier);
        assert_int_equal(rc, 0);
        trace("abort");
        return;
    }
    if (rc >= 0) {
        trace("back");
        rc = cora_barrier_wait(barrier);
    }
    assert_int_equal(rc, -CORA_EBROKENBARRIER);
    trace("broken");
}

static int abort_in_the_middle(void *arg)
{
    one_aborts(arg);
    return 0;
}

static int barrier_abort_when_exception(void *arg)
{
    cora_barrier barrier;

    (void)arg;
    make_barrier(&barrier, N);
    gather_tasks(N, abort_in_the_middle, &barrier);
    assert_string_equal(trace_text, "back back back abort broken broken broken broken ");
    assert_true(cora_barrier_broken(&barrier));
    assert_int_equal(cora_barrier_n_waiting(&barrier), 0);
    return 0;
}

TEST(BarrierTests_test_abort_barrier_when_exception)
{
    run(barrier_abort_when_exception);
}

static int abort_then_reset(void *arg)
{
    struct scene *s = arg;
    int rc;

    one_aborts(&s->barrier);
    rc = pass(&s->other); /* everyone has left before it is reset ... */
    if (rc == N / 2) {
        rc = cora_barrier_reset(&s->barrier);
        assert_int_equal(rc, 0);
        trace("reset");
    }
    pass(&s->other); /* ... and nobody comes back before it was */
    pass(&s->barrier);
    trace("end");
    return 0;
}

static int barrier_abort_when_exception_then_resetting(void *arg)
{
    struct scene s = {0};

    (void)arg;
    make_barrier(&s.barrier, N);
    make_barrier(&s.other, N);
    gather_tasks(N, abort_then_reset, &s);
    assert_string_equal(trace_text, "back back back abort broken broken broken broken reset "
                                    "end end end end end ");
    is_as_new(&s.barrier);
    return 0;
}

TEST(BarrierTests_test_abort_barrier_when_exception_then_resetting)
{
    run(barrier_abort_when_exception_then_resetting);
}
