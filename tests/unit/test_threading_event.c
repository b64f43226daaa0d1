/* Events of threads and tasks: who goes on, when, and in which loop. */
#include "support/test.h"
#include "support/threads.h"
#include "support/virtual.h"

static void await_waiters(cora_threading_event *event, size_t count)
{
    await_parked(&event->lock_, event->waiters_, count);
}

static void *wait_in_thread(void *event)
{
    return outcome(cora_threading_event_wait(event, INFINITY));
}

static int wait_in_task(void *event)
{
    return cora_threading_event_async_wait(event);
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

TEST(an_event_is_set_until_it_is_cleared)
{
    cora_threading_event event;
    int rc;

    cora_threading_event_init(&event);
    for (int i = 0; i < 2; i++) {
        assert_false(cora_threading_event_is_set(&event));
        rc = cora_threading_event_wait(&event, 0);
        assert_int_equal(rc, -ETIMEDOUT);
        rc = cora_threading_event_async_wait(&event);
        assert_int_equal(rc, -CORA_ENOTASK);
        cora_threading_event_set(&event);
        assert_true(cora_threading_event_is_set(&event));
        rc = cora_threading_event_wait(&event, 0);
        assert_int_equal(rc, 0);
        rc = cora_threading_event_async_wait(&event);
        assert_int_equal(rc, 0);
        cora_threading_event_clear(&event);
    }
    rc = cora_threading_event_wait(&event, NAN);
    assert_int_equal(rc, -EINVAL);
    cora_threading_event_destroy(&event);
}

enum { WAITERS = 12 };

/* So many of each kind, who all go on though the event is cleared at once. */
static int wake_all(void *arg)
{
    cora_threading_event event = CORA_THREADING_EVENT_INIT;
    pthread_t threads[WAITERS];
    cora_task *tasks[WAITERS];
    int rc;

    (void)arg;
    for (int i = 0; i < WAITERS; i++) {
        threads[i] = start_thread(wait_in_thread, &event);
        tasks[i] = cora_create_task_arg(wait_in_task, &event);
    }
    let_others_run();
    await_waiters(&event, 2 * WAITERS);
    cora_threading_event_set(&event);
    cora_threading_event_clear(&event);
    await_waiters(&event, 0);
    for (int i = 0; i < WAITERS; i++) {
        rc = join_thread(threads[i]);
        assert_int_equal(rc, 0);
        rc = cora_await_unref(tasks[i]);
        assert_int_equal(rc, 0);
    }
    return 0;
}

TEST(all_who_wait_go_on_even_if_it_is_cleared_at_once)
{
    assert_runs(wake_all);
}

static void *set_for_a_task(void *event)
{
    await_waiters(event, 1);
    cora_threading_event_set(event);
    return NULL;
}

TEST(a_loop_waits_with_its_task_for_a_thread_that_sets_the_event)
{
    cora_threading_event event = CORA_THREADING_EVENT_INIT;
    pthread_t thread = start_thread(set_for_a_task, &event);
    int rc = run_virtual(wait_in_task, &event);

    join_thread(thread);
    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

static int wait_with_patience(void *arg)
{
    cora_threading_event event = CORA_THREADING_EVENT_INIT;
    cora_timeout timeout;
    int rc = cora_threading_event_wait(&event, 0.001);

    (void)arg;
    assert_int_equal(rc, -ETIMEDOUT);
    cora_timeout_enter(&timeout, 0.001);
    rc = cora_threading_event_async_wait(&event);
    rc = cora_timeout_exit(&timeout, rc);
    assert_int_equal(rc, -ETIMEDOUT);
    await_waiters(&event, 0);
    return 0;
}

TEST(who_waited_in_vain_is_in_the_line_no_longer)
{
    int rc = cora_run(wait_with_patience, NULL);

    assert_int_equal(rc, 0);
}

/* It is cancelled before it is called, or after: the call comes when it has gone, or before. */
static int cancel_the_called(void *arg)
{
    for (int first = 0; first < 2; first++) {
        cora_threading_event event = CORA_THREADING_EVENT_INIT;
        cora_task *task = cora_create_task_arg(wait_in_task, &event);
        int rc;

        (void)arg;
        let_others_run();
        if (first)
            cora_task_cancel(task);
        cora_threading_event_set(&event);
        if (!first)
            cora_task_cancel(task);
        rc = cora_await_unref(task);
        assert_int_equal(rc, -ECANCELED);
        let_others_run();
    }
    return 0;
}

TEST(a_task_that_is_called_and_cancelled_is_not_called_afterwards)
{
    assert_runs(cancel_the_called);
}

/* ---- two loops that take turns --------------------------------------------------------------- */

enum { TURNS = 200 };

struct player_args {
    cora_threading_event *mine, *yours;
};

static int play(void *arg)
{
    struct player_args *a = arg;
    int rc = 0;

    for (int i = 0; i < TURNS && rc == 0; i++) {
        rc = cora_threading_event_async_wait(a->mine);
        cora_threading_event_clear(a->mine);
        cora_threading_event_set(a->yours);
    }
    return rc;
}

static void *run_player(void *arg)
{
    return outcome(cora_run(play, arg));
}

TEST(two_loops_take_turns)
{
    cora_threading_event ping = CORA_THREADING_EVENT_INIT, pong = CORA_THREADING_EVENT_INIT;
    struct player_args players[2] = {{&ping, &pong}, {&pong, &ping}};
    pthread_t threads[2];
    int rc[2];

    for (int i = 0; i < 2; i++)
        threads[i] = start_thread(run_player, &players[i]);
    cora_threading_event_set(&ping);
    for (int i = 0; i < 2; i++)
        rc[i] = join_thread(threads[i]);
    for (int i = 0; i < 2; i++)
        assert_int_equal(rc[i], 0);
    assert_true(cora_threading_event_is_set(&ping));
    assert_false(cora_threading_event_is_set(&pong));
}

TEST(a_loop_may_be_closed_while_a_task_waits_for_an_event)
{
    cora_threading_event event = CORA_THREADING_EVENT_INIT;

    for (int set = 0; set < 2; set++) {
        cora_loop *loop = virtual_loop();
        cora_task *task = cora_loop_create_task_arg(loop, NULL, wait_in_task, "wait", &event);
        int rc = cora_loop_run_ready(loop);

        assert_int_equal(rc, 1);
        await_waiters(&event, 1);
        if (set)
            cora_threading_event_set(&event);
        cora_loop_free(loop);
        cora_task_unref(task);
        await_waiters(&event, 0);
    }
}
