/* Semaphores: who gets the permit, in which order, and that none is ever lost. */
#include "support/test.h"
#include "support/virtual.h"

static int rest(int hops)
{
    int rc = 0;

    while (rc == 0 && hops-- > 0)
        rc = cora_sleep(0);
    return rc;
}

/* ---- one task ------------------------------------------------------------------------------ */

struct mark_args {
    bool *ran;
};

static int mark(void *arg)
{
    struct mark_args *a = arg;

    *a->ran = true;
    return 0;
}

static int acquire_at_once(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(2);
    bool ran = false;
    cora_task *task = cora_create_task(mark, .ran = &ran);
    int rc;

    (void)arg;
    assert_false(cora_semaphore_locked(&semaphore));
    rc = cora_semaphore_acquire(&semaphore);
    assert_int_equal(rc, 0);
    rc = cora_semaphore_acquire(&semaphore);
    assert_int_equal(rc, 0);
    assert_true(cora_semaphore_locked(&semaphore));
    cora_semaphore_release(&semaphore);
    assert_false(cora_semaphore_locked(&semaphore));
    rc = cora_semaphore_acquire(&semaphore);
    assert_int_equal(rc, 0);
    assert_false(ran);
    return cora_await_unref(task);
}

TEST(to_take_a_free_permit_does_not_suspend)
{
    int rc = run_virtual(acquire_at_once, NULL);

    assert_int_equal(rc, 0);
}

TEST(outside_a_task_a_free_permit_can_be_taken_but_not_waited_for)
{
    cora_semaphore semaphore;
    int rc;

    cora_semaphore_init(&semaphore, 1);
    rc = cora_semaphore_acquire(&semaphore);
    assert_int_equal(rc, 0);
    rc = cora_semaphore_acquire(&semaphore);
    assert_int_equal(rc, -CORA_ENOTASK);
    assert_true(cora_semaphore_locked(&semaphore));
    cora_semaphore_release(&semaphore);
    assert_false(cora_semaphore_locked(&semaphore));
    rc = cora_semaphore_acquire(&semaphore);
    assert_int_equal(rc, 0);
}

static int owe_two_permits(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(-1);
    cora_timeout timeout;
    int rc;

    (void)arg;
    assert_true(cora_semaphore_locked(&semaphore));
    for (int i = 0; i < 2; i++) {
        cora_timeout_enter(&timeout, 1);
        rc = cora_semaphore_acquire(&semaphore);
        rc = cora_timeout_exit(&timeout, rc);
        assert_int_equal(rc, -ETIMEDOUT);
        cora_semaphore_release(&semaphore);
    }
    rc = cora_semaphore_acquire(&semaphore);
    assert_int_equal(rc, 0);
    assert_true(cora_semaphore_locked(&semaphore));
    return 0;
}

TEST(a_semaphore_that_begins_below_zero_lacks_so_many_permits)
{
    int rc = run_virtual(owe_two_permits, NULL);

    assert_int_equal(rc, 0);
}

static int release_more(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(0);
    int rc;

    (void)arg;
    assert_true(cora_semaphore_locked(&semaphore));
    for (int i = 0; i < 3; i++)
        cora_semaphore_release(&semaphore);
    for (int i = 0; i < 3; i++) {
        rc = cora_semaphore_acquire(&semaphore);
        assert_int_equal(rc, 0);
    }
    assert_true(cora_semaphore_locked(&semaphore));
    return 0;
}

TEST(a_semaphore_may_start_with_none_and_get_any_number_of_permits)
{
    int rc = run_virtual(release_more, NULL);

    assert_int_equal(rc, 0);
}

/* ---- a queue of tasks ---------------------------------------------------------------------- */

struct take_args {
    cora_semaphore *semaphore;
    int number;
    bool keep;
};

static int take(void *arg)
{
    struct take_args *a = arg;
    int rc = cora_semaphore_acquire(a->semaphore);

    trace(rc < 0 ? "%d-" : "%d", a->number);
    if (rc == 0 && !a->keep)
        cora_semaphore_release(a->semaphore);
    return rc;
}

static int queue_up(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(0);
    cora_task *tasks[4];
    int rc;

    (void)arg;
    for (int i = 0; i < 4; i++)
        tasks[i] = cora_create_task(take, .semaphore = &semaphore, .number = i);
    rc = rest(1);
    assert_int_equal(rc, 0);
    cora_semaphore_release(&semaphore);
    rc = cora_gather(tasks, 4, NULL, 0);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "0 1 2 3 ");
    assert_false(cora_semaphore_locked(&semaphore));
    for (int i = 0; i < 4; i++)
        cora_task_unref(tasks[i]);
    return 0;
}

TEST(those_who_wait_are_served_in_their_order)
{
    int rc = run_virtual(queue_up, NULL);

    assert_int_equal(rc, 0);
}

static int hand_over(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(1);
    cora_task *task;
    int rc = cora_semaphore_acquire(&semaphore);

    (void)arg;
    assert_int_equal(rc, 0);
    task = cora_create_task(take, .semaphore = &semaphore, .number = 1);
    rc = rest(1);
    assert_int_equal(rc, 0);
    cora_semaphore_release(&semaphore);
    assert_true(cora_semaphore_locked(&semaphore)); /* his at once, though he has not run */
    rc = cora_semaphore_acquire(&semaphore);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "1 ");
    return cora_await_unref(task);
}

TEST(a_released_permit_belongs_to_the_first_who_waits_and_the_releaser_queues_behind_him)
{
    int rc = run_virtual(hand_over, NULL);

    assert_int_equal(rc, 0);
}

static int release_several(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(0);
    cora_task *tasks[4];
    int rc;

    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = cora_create_task(take, .semaphore = &semaphore, .number = i, .keep = true);
    rc = rest(1);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 4; i++)
        cora_semaphore_release(&semaphore);
    /* A permit is free, but those woken have not run: a newcomer comes last. */
    assert_true(cora_semaphore_locked(&semaphore));
    tasks[3] = cora_create_task(take, .semaphore = &semaphore, .number = 3, .keep = true);
    rc = rest(1);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "0 1 2 3 ");
    assert_true(cora_semaphore_locked(&semaphore));
    rc = cora_gather(tasks, 4, NULL, 0);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 4; i++)
        cora_task_unref(tasks[i]);
    return 0;
}

TEST(so_many_releases_wake_so_many_in_one_iteration)
{
    int rc = run_virtual(release_several, NULL);

    assert_int_equal(rc, 0);
}

static int newcomer_with_a_free_permit(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(0);
    cora_task *task = cora_create_task(take, .semaphore = &semaphore, .number = 0, .keep = true);
    int rc = rest(1);

    (void)arg;
    assert_int_equal(rc, 0);
    cora_semaphore_release(&semaphore);
    cora_semaphore_release(&semaphore);
    rc = cora_semaphore_acquire(&semaphore); /* one is free: but not before the one who was woken */
    assert_int_equal(rc, 0);
    trace("newcomer");
    assert_string_equal(trace_text, "0 newcomer ");
    assert_true(cora_semaphore_locked(&semaphore));
    return cora_await_unref(task);
}

TEST(a_newcomer_queues_behind_the_woken_even_if_a_permit_is_free)
{
    int rc = run_virtual(newcomer_with_a_free_permit, NULL);

    assert_int_equal(rc, 0);
}

/* ---- cancellation -------------------------------------------------------------------------- */

static int cancel_the_woken(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(0);
    cora_task *tasks[2];
    int rc;

    (void)arg;
    for (int i = 0; i < 2; i++)
        tasks[i] = cora_create_task(take, .semaphore = &semaphore, .number = i, .keep = true);
    rc = rest(1);
    assert_int_equal(rc, 0);
    cora_semaphore_release(&semaphore);
    cora_task_cancel(tasks[0]);
    rc = cora_await_unref(tasks[0]);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_await_unref(tasks[1]);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "0- 1 ");
    return 0;
}

TEST(one_woken_and_then_cancelled_passes_the_permit_on)
{
    int rc = run_virtual(cancel_the_woken, NULL);

    assert_int_equal(rc, 0);
}

static int cancel_the_last_woken(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(0);
    cora_task *task = cora_create_task(take, .semaphore = &semaphore);
    int rc = rest(1);

    (void)arg;
    assert_int_equal(rc, 0);
    cora_semaphore_release(&semaphore);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    assert_false(cora_semaphore_locked(&semaphore));
    rc = cora_semaphore_acquire(&semaphore);
    assert_int_equal(rc, 0);
    return 0;
}

TEST(one_woken_and_then_cancelled_gives_the_permit_back)
{
    int rc = run_virtual(cancel_the_last_woken, NULL);

    assert_int_equal(rc, 0);
}

static int cancel_those_who_wait(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(0);
    cora_task *tasks[3];
    int rc;

    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = cora_create_task(take, .semaphore = &semaphore, .number = i);
    rc = rest(1);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 3; i++)
        cora_task_cancel(tasks[i]);
    cora_semaphore_release(&semaphore);
    assert_false(cora_semaphore_locked(&semaphore)); /* they are still in the queue, but out */
    rc = cora_semaphore_acquire(&semaphore);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "");
    for (int i = 0; i < 3; i++) {
        rc = cora_await_unref(tasks[i]);
        assert_int_equal(rc, -ECANCELED);
    }
    assert_true(cora_semaphore_locked(&semaphore));
    return 0;
}

TEST(when_all_who_wait_are_cancelled_the_next_permit_is_free)
{
    int rc = run_virtual(cancel_those_who_wait, NULL);

    assert_int_equal(rc, 0);
}

/* ---- every interleaving -------------------------------------------------------------------- */

/*
 * Three tasks, each a script: wait so many iterations, acquire, hold the permit for so many,
 * release. One of them is cancelled in a certain iteration. Every combination of all this is run,
 * and after every iteration the count of the permits is checked.
 */
enum { TASKS = 3, MOST_HOPS = 2, CANCEL_ITERATIONS = 8 };

struct scene {
    cora_semaphore semaphore;
    int permits, holders, waiting;
    int taken; /* permits since the last check */
    int before[TASKS], during[TASKS];
    int victim, cancel_at; /* victim -1: nobody */
};

struct actor_args {
    struct scene *scene;
    int number;
};

static int actor(void *arg)
{
    struct actor_args *a = arg;
    struct scene *s = a->scene;
    int rc = rest(s->before[a->number]);

    for (int round = 0; round < 2 && rc == 0; round++) {
        s->waiting++;
        rc = cora_semaphore_acquire(&s->semaphore);
        s->waiting--;
        if (rc < 0)
            break;
        s->holders++;
        s->taken++;
        assert_true(s->holders <= s->permits);
        rc = rest(s->during[a->number]);
        s->holders--;
        cora_semaphore_release(&s->semaphore);
    }
    return rc;
}

/*
 * A permit that is not held may be on its way to one who was woken and has not run, or to the next
 * after one who was woken and cancelled: two iterations. Longer than that nobody waits for it.
 */
static void check(struct scene *s, int *starving)
{
    bool idle = s->waiting > 0 && s->holders < s->permits && s->taken == 0;

    *starving = idle ? *starving + 1 : 0;
    s->taken = 0;
    assert_true(*starving <= 2);
}

static int play(void *arg)
{
    struct scene *s = arg;
    cora_task *tasks[TASKS];
    int starving = 0, rc;

    s->holders = s->waiting = s->taken = 0;
    cora_semaphore_init(&s->semaphore, s->permits);
    for (int i = 0; i < TASKS; i++)
        tasks[i] = cora_create_task(actor, .scene = s, .number = i);
    for (int i = 0; i < 2 * TASKS * (MOST_HOPS + 2) + MOST_HOPS; i++) {
        if (i == s->cancel_at && s->victim >= 0)
            cora_task_cancel(tasks[s->victim]);
        rc = rest(1);
        assert_int_equal(rc, 0);
        check(s, &starving);
    }
    for (int i = 0; i < TASKS; i++) {
        assert_true(cora_task_done(tasks[i]));
        rc = cora_await_unref(tasks[i]);
        assert_true(rc == 0 || (rc == -ECANCELED && i == s->victim));
    }
    for (int i = 0; i < s->permits; i++) {
        assert_false(cora_semaphore_locked(&s->semaphore));
        rc = cora_semaphore_acquire(&s->semaphore);
        assert_int_equal(rc, 0);
    }
    assert_true(cora_semaphore_locked(&s->semaphore));
    return 0;
}

/* The scenes are numbered: the digits of the number are its parameters. */
static int digit(int *number, int base)
{
    int value = *number % base;

    *number /= base;
    return value;
}

static int play_all(void *arg)
{
    struct scene s = {.permits = *(int *)arg};
    int combinations = TASKS * CANCEL_ITERATIONS + 1;

    for (int i = 0; i < 2 * TASKS; i++)
        combinations *= MOST_HOPS + 1;
    for (int i = 0; i < combinations; i++) {
        int number = i, rc;

        for (int j = 0; j < TASKS; j++) {
            s.before[j] = digit(&number, MOST_HOPS + 1);
            s.during[j] = digit(&number, MOST_HOPS + 1);
        }
        s.victim = number == 0 ? -1 : (number - 1) % TASKS;
        s.cancel_at = number == 0 ? -1 : (number - 1) / TASKS;
        rc = play(&s);
        assert_int_equal(rc, 0);
    }
    return combinations;
}

TEST(no_interleaving_loses_the_permit_of_one)
{
    int permits = 1;
    int rc = run_virtual(play_all, &permits);

    assert_int_equal(rc, 729 * 25);
}

TEST(no_interleaving_loses_a_permit_of_two)
{
    int permits = 2;
    int rc = run_virtual(play_all, &permits);

    assert_int_equal(rc, 729 * 25);
}

/* Two cancelled at once, in every pair of iterations. */
static int play_two_victims(void *arg)
{
    int count = 0;

    for (int first = 0; first < CANCEL_ITERATIONS; first++) {
        for (int second = 0; second < CANCEL_ITERATIONS; second++) {
            cora_semaphore semaphore = CORA_SEMAPHORE_INIT(*(int *)arg);
            cora_task *tasks[4];
            int rc;

            for (int i = 0; i < 4; i++)
                tasks[i] = cora_create_task(take, .semaphore = &semaphore);
            for (int i = 0; i < 2 * CANCEL_ITERATIONS; i++) {
                if (i == first)
                    cora_task_cancel(tasks[1]);
                if (i == second)
                    cora_task_cancel(tasks[2]);
                rc = rest(1);
                assert_int_equal(rc, 0);
                if (i == 2 && *(int *)arg == 0)
                    cora_semaphore_release(&semaphore);
            }
            for (int i = 0; i < 4; i++) {
                rc = cora_await_unref(tasks[i]);
                assert_true(rc == 0 || rc == -ECANCELED);
            }
            assert_false(cora_semaphore_locked(&semaphore));
            trace_text[0] = '\0';
            count++;
        }
    }
    return count;
}

TEST(two_cancellations_lose_no_permit)
{
    int permits = 0;
    int rc = run_virtual(play_two_victims, &permits);

    assert_int_equal(rc, CANCEL_ITERATIONS * CANCEL_ITERATIONS);
}
