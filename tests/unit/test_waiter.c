/* Waiters and wait queues: who is woken, when, and what a cancellation makes of it. */
#include "support/test.h"
#include "support/virtual.h"

static const int OBJECT = 0; /* whatever is waited for */

static int rest(int hops)
{
    int rc = 0;

    while (rc == 0 && hops-- > 0)
        rc = cora_sleep(0);
    return rc;
}

/* ---- one waiter ---------------------------------------------------------------------------- */

struct wait_once_args {
    cora_waiter *waiter;
};

static int wait_once(void *arg)
{
    struct wait_once_args *a = arg;

    return cora_waiter_wait(a->waiter);
}

static int wake_one(void *arg)
{
    cora_waiter waiter;
    cora_task *task;
    bool done;
    int rc;

    (void)arg;
    cora_waiter_init(&waiter, "test", &OBJECT);
    assert_true(cora_waiter_pending(&waiter));
    assert_false(cora_waiter_woken(&waiter));
    task = cora_create_task(wait_once, .waiter = &waiter);
    rc = rest(3);
    assert_int_equal(rc, 0);
    done = cora_task_done(task);
    assert_false(done);
    cora_waiter_wake(&waiter);
    assert_false(cora_waiter_pending(&waiter));
    assert_true(cora_waiter_woken(&waiter));
    done = cora_task_done(task);
    assert_false(done); /* in the next iteration */
    rc = rest(1);
    assert_int_equal(rc, 0);
    assert_true(cora_task_done(task));
    return cora_await_unref(task);
}

TEST(a_waiter_goes_on_in_the_iteration_after_it_was_woken)
{
    int rc = run_virtual(wake_one, NULL);

    assert_int_equal(rc, 0);
}

static int wake_before(void *arg)
{
    cora_waiter waiter;
    cora_task *other;
    bool started;
    int rc;

    (void)arg;
    cora_waiter_init(&waiter, "test", &OBJECT);
    cora_waiter_wake(&waiter);
    cora_waiter_wake(&waiter); /* no effect */
    other = cora_create_task(wait_once, .waiter = &waiter);
    rc = cora_waiter_wait(&waiter);
    started = cora_task_done(other);
    assert_int_equal(rc, 0);
    assert_false(started);
    return cora_await_unref(other);
}

TEST(a_waiter_that_was_woken_before_does_not_suspend)
{
    int rc = run_virtual(wake_before, NULL);

    assert_int_equal(rc, 0);
}

static int cancel_one(void *arg)
{
    cora_waiter waiter;
    cora_task *task;
    int rc;

    (void)arg;
    cora_waiter_init(&waiter, "test", &OBJECT);
    task = cora_create_task(wait_once, .waiter = &waiter);
    rc = rest(1);
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    assert_false(cora_waiter_pending(&waiter));
    assert_false(cora_waiter_woken(&waiter));
    cora_waiter_wake(&waiter); /* comes too late */
    assert_false(cora_waiter_woken(&waiter));
    return cora_await_unref(task);
}

TEST(a_cancelled_waiter_cannot_be_woken)
{
    int rc = run_virtual(cancel_one, NULL);

    assert_int_equal(rc, -ECANCELED);
}

static int cancel_a_woken_one(void *arg)
{
    cora_waiter waiter;
    cora_task *task;
    int rc;

    (void)arg;
    cora_waiter_init(&waiter, "test", &OBJECT);
    task = cora_create_task(wait_once, .waiter = &waiter);
    rc = rest(1);
    assert_int_equal(rc, 0);
    cora_waiter_wake(&waiter);
    cora_task_cancel(task);
    assert_true(cora_waiter_woken(&waiter));
    rc = cora_await_unref(task);
    assert_true(cora_waiter_woken(&waiter));
    return rc;
}

TEST(a_waiter_woken_and_then_cancelled_says_both)
{
    int rc = run_virtual(cancel_a_woken_one, NULL);

    assert_int_equal(rc, -ECANCELED);
}

static int cancel_before_waiting(void *arg)
{
    cora_waiter waiter;
    int rc;

    (void)arg;
    cora_task_cancel(cora_current_task());
    cora_waiter_init(&waiter, "test", &OBJECT);
    rc = cora_waiter_wait(&waiter);
    assert_int_equal(rc, -ECANCELED);
    assert_false(cora_waiter_woken(&waiter));
    assert_false(cora_waiter_pending(&waiter));
    return 0;
}

TEST(a_task_that_was_cancelled_before_is_cancelled_where_it_waits)
{
    int rc = run_virtual(cancel_before_waiting, NULL);

    assert_int_equal(rc, 0);
}

TEST(waiting_outside_a_task_is_refused)
{
    cora_waiter waiter;
    int rc;

    cora_waiter_init(&waiter, "test", &OBJECT);
    rc = cora_waiter_wait(&waiter);
    assert_int_equal(rc, -CORA_ENOTASK);
}

static int wait_for_ever(void *arg)
{
    cora_waiter waiter;

    cora_waiter_init(&waiter, "my own primitive", arg);
    return cora_waiter_wait(&waiter);
}

TEST(a_deadlock_report_names_what_the_waiter_waits_for)
{
    int rc = run_virtual(wait_for_ever, NULL);

    assert_int_equal(rc, -EDEADLK);
    assert_true(reports.count > 0);
}

static int name_what_is_waited_for(void *arg)
{
    cora_task *task = cora_create_task_arg(wait_for_ever, arg);
    char text[128], expected[128];
    int rc = rest(1);

    assert_int_equal(rc, 0);
    cora_task_waiting_for(task, text, sizeof text);
    snprintf(expected, sizeof expected, "my own primitive at %p", arg);
    assert_string_equal(text, expected);
    cora_task_cancel(task);
    return cora_await_unref(task);
}

TEST(a_task_tells_what_it_waits_for_and_where_that_is)
{
    int object = 0;
    int rc = run_virtual(name_what_is_waited_for, &object);

    assert_int_equal(rc, -ECANCELED);
}

/* ---- queues -------------------------------------------------------------------------------- */

enum { WAITERS = 4 };

struct line {
    cora_wait_queue queue;
    cora_task *tasks[WAITERS];
};

struct queue_up_args {
    cora_wait_queue *queue;
    int number;
};

static int queue_up(void *arg)
{
    struct queue_up_args *a = arg;
    cora_waiter waiter;
    int rc;

    cora_waiter_init(&waiter, "test", a->queue);
    cora_wait_queue_append(a->queue, &waiter);
    rc = cora_waiter_wait(&waiter);
    cora_wait_queue_remove(a->queue, &waiter);
    trace("%d%s", a->number, rc < 0 ? cora_waiter_woken(&waiter) ? "!" : "-" : "");
    return rc;
}

/* A queue that is all NULL, and tasks that wait in it. */
static void line_up(struct line *line)
{
    int rc;

    memset(line, 0, sizeof *line);
    assert_true(cora_wait_queue_empty(&line->queue));
    for (int i = 0; i < WAITERS; i++)
        line->tasks[i] = cora_create_task(queue_up, .queue = &line->queue, .number = i);
    rc = rest(1);
    assert_int_equal(rc, 0);
}

static void wake_first(struct line *line)
{
    bool woken = cora_wait_queue_wake_first(&line->queue);

    assert_true(woken);
    assert_false(cora_wait_queue_empty(&line->queue)); /* before it has run */
}

/* Everybody has gone, and the queue is empty. */
static void finish(struct line *line, const char *expected)
{
    for (int i = 0; i < WAITERS; i++) {
        int rc = cora_await_unref(line->tasks[i]);

        assert_true(rc == 0 || rc == -ECANCELED);
    }
    assert_string_equal(trace_text, expected);
    assert_null(cora_wait_queue_first(&line->queue));
    assert_true(cora_wait_queue_empty(&line->queue));
}

static int wake_in_order(void *arg)
{
    struct line line;

    (void)arg;
    line_up(&line);
    for (int i = 0; i < WAITERS; i++)
        wake_first(&line);
    assert_false(cora_wait_queue_wake_first(&line.queue));
    finish(&line, "0 1 2 3 ");
    return 0;
}

TEST(those_who_wait_are_woken_first_come_first_served)
{
    int rc = run_virtual(wake_in_order, NULL);

    assert_int_equal(rc, 0);
}

static int wake_one_at_a_time(void *arg)
{
    struct line line;

    (void)arg;
    line_up(&line);
    for (int i = 0; i < WAITERS; i++) {
        int rc;

        wake_first(&line);
        rc = rest(1);
        assert_int_equal(rc, 0);
        trace("|");
    }
    finish(&line, "0 | 1 | 2 | 3 | ");
    return 0;
}

TEST(waking_the_first_wakes_one)
{
    int rc = run_virtual(wake_one_at_a_time, NULL);

    assert_int_equal(rc, 0);
}

static int skip_the_cancelled(void *arg)
{
    struct line line;

    (void)arg;
    line_up(&line);
    cora_task_cancel(line.tasks[0]);
    cora_task_cancel(line.tasks[2]);
    wake_first(&line);
    wake_first(&line);
    assert_false(cora_wait_queue_wake_first(&line.queue));
    finish(&line, "0- 2- 1 3 ");
    return 0;
}

TEST(waking_the_first_skips_the_cancelled)
{
    int rc = run_virtual(skip_the_cancelled, NULL);

    assert_int_equal(rc, 0);
}

static int skip_the_woken(void *arg)
{
    struct line line;

    (void)arg;
    line_up(&line);
    cora_waiter_wake(cora_wait_queue_first(&line.queue));
    wake_first(&line);
    cora_task_cancel(line.tasks[0]);
    cora_task_cancel(line.tasks[3]);
    wake_first(&line);
    finish(&line, "0! 1 3- 2 ");
    return 0;
}

TEST(waking_the_first_skips_those_woken_before)
{
    int rc = run_virtual(skip_the_woken, NULL);

    assert_int_equal(rc, 0);
}

static int walk(void *arg)
{
    cora_waiter *waiter;
    struct line line;
    int count = 0;

    (void)arg;
    line_up(&line);
    for (waiter = cora_wait_queue_first(&line.queue); waiter != NULL;
         waiter = cora_wait_queue_next(&line.queue, waiter)) {
        assert_true(cora_waiter_pending(waiter));
        if (count++ % 2 == 1)
            cora_waiter_wake(waiter);
    }
    assert_int_equal(count, WAITERS);
    wake_first(&line);
    wake_first(&line);
    finish(&line, "1 3 0 2 ");
    return 0;
}

TEST(a_queue_can_be_walked_and_anyone_in_it_woken)
{
    int rc = run_virtual(walk, NULL);

    assert_int_equal(rc, 0);
}

TEST(a_queue_that_is_all_null_is_empty)
{
    cora_wait_queue queue = {{NULL, NULL}};

    assert_null(cora_wait_queue_first(&queue));
    assert_false(cora_wait_queue_wake_first(&queue));
    assert_null(cora_wait_queue_first(&queue));
}

static int leave_the_middle(void *arg)
{
    cora_wait_queue queue = {{NULL, NULL}};
    cora_waiter waiters[3];

    (void)arg;
    for (int i = 0; i < 3; i++) {
        cora_waiter_init(&waiters[i], "test", &OBJECT);
        cora_wait_queue_append(&queue, &waiters[i]);
    }
    cora_wait_queue_remove(&queue, &waiters[1]);
    cora_wait_queue_remove(&queue, &waiters[1]); /* no effect */
    assert_ptr_equal(cora_wait_queue_first(&queue), &waiters[0]);
    assert_ptr_equal(cora_wait_queue_next(&queue, &waiters[0]), &waiters[2]);
    assert_null(cora_wait_queue_next(&queue, &waiters[2]));
    cora_wait_queue_append(&queue, &waiters[1]);
    assert_ptr_equal(cora_wait_queue_next(&queue, &waiters[2]), &waiters[1]);
    return 0;
}

TEST(a_waiter_can_leave_its_queue_and_join_the_end_again)
{
    int rc = run_virtual(leave_the_middle, NULL);

    assert_int_equal(rc, 0);
}

static void wake_callback(void *waiter)
{
    cora_waiter_wake(waiter);
}

static int woken_by_a_callback(void *arg)
{
    cora_waiter waiter;
    int rc;

    (void)arg;
    cora_waiter_init(&waiter, "test", &OBJECT);
    rc = cora_loop_call_later(cora_get_running_loop(), 3, wake_callback, &waiter, NULL);
    assert_int_equal(rc, 0);
    rc = cora_waiter_wait(&waiter);
    assert_true(cora_loop_time(cora_get_running_loop()) == 3);
    return rc;
}

TEST(a_callback_of_the_loop_may_wake)
{
    int rc = run_virtual(woken_by_a_callback, NULL);

    assert_int_equal(rc, 0);
}

static cora_wait_queue lasting; /* outlives the loop */

static int wait_in_lasting(void *arg)
{
    cora_waiter waiter;
    int rc;

    (void)arg;
    cora_waiter_init(&waiter, "test", &OBJECT);
    cora_wait_queue_append(&lasting, &waiter);
    rc = cora_waiter_wait(&waiter);
    cora_wait_queue_remove(&lasting, &waiter);
    return rc;
}

static void stop_the_loop(void *loop)
{
    cora_loop_stop(loop);
}

TEST(a_waiter_whose_task_was_dropped_with_its_loop_is_in_no_queue)
{
    cora_loop *loop = virtual_loop();
    cora_task *tasks[2];
    int rc = cora_loop_call_later(loop, 1, stop_the_loop, loop, NULL);

    assert_int_equal(rc, 0);
    for (int i = 0; i < 2; i++)
        tasks[i] = cora_loop_create_task_arg(loop, NULL, wait_in_lasting, "wait_in_lasting", NULL);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
    assert_non_null(cora_wait_queue_first(&lasting));
    cora_loop_free(loop);
    for (int i = 0; i < 2; i++)
        cora_task_unref(tasks[i]);
    assert_null(cora_wait_queue_first(&lasting));
    assert_int_equal(reports.count, 2);
    rc = run_virtual(wake_one, NULL); /* and the queue is as good as new */
    assert_int_equal(rc, 0);
}
