/* The step interface: a loop that lives inside another. */
#include "support/test.h"
#include "support/virtual.h"

#include <math.h>
#include <pthread.h>
#include <unistd.h>

static void note(void *arg)
{
    trace("%s", (const char *)arg);
}

/* A host's way to run a loop: steps until the task is done. */
static int host(cora_loop *loop, cora_task *task, int (*poll)(cora_loop *loop))
{
    int rc = 0;

    while (rc >= 0 && !cora_task_done(task)) {
        rc = poll(loop);
        if (rc == 0)
            rc = cora_loop_process_events(loop);
        if (rc == 0)
            rc = cora_loop_run_ready(loop);
    }
    if (rc < 0)
        return rc;
    rc = cora_task_result(task);
    cora_task_unref(task);
    return rc;
}

static int poll_here(cora_loop *loop)
{
    return cora_loop_poll(loop, -1);
}

static void *poll_elsewhere(void *arg)
{
    return (void *)(intptr_t)cora_loop_poll(arg, -1);
}

static int poll_in_a_thread(cora_loop *loop)
{
    pthread_t thread;
    void *rc;

    if (pthread_create(&thread, NULL, poll_elsewhere, loop) != 0)
        return -EAGAIN;
    pthread_join(thread, &rc);
    return (int)(intptr_t)rc;
}

static int child(void *arg)
{
    int rc = cora_sleep(0);

    if (rc < 0)
        return rc;
    if (write(*(int *)arg, "x", 1) != 1)
        return -EIO;
    return cora_sleep(0.001);
}

/* Uses a bit of everything: other tasks, a timer, a descriptor. */
static int program(void *arg)
{
    int ends[2];
    char byte;

    (void)arg;
    if (pipe(ends) < 0)
        return -errno;

    cora_task *task = cora_create_task_arg(child, &ends[1]);
    int rc = cora_wait_readable(ends[0]);

    if (rc == 0 && read(ends[0], &byte, 1) != 1)
        rc = -EIO;
    if (rc == 0)
        rc = cora_await(task);
    cora_task_unref(task);
    close(ends[0]);
    close(ends[1]);
    return rc < 0 ? rc : 7;
}

static int run_hosted(bool is_virtual, int (*poll)(cora_loop *loop))
{
    cora_loop *loop = virtual_loop();
    cora_task *task;
    int rc;

    if (!is_virtual) {
        cora_loop_free(loop);
        rc = cora_new_event_loop(&loop);
        assert_int_equal(rc, 0);
    }
    task = cora_loop_create_task_arg(loop, NULL, program, "program", NULL);
    rc = host(loop, task, poll);
    cora_loop_free(loop);
    return rc;
}

TEST(a_host_completes_a_program_step_by_step)
{
    int rc = run_hosted(false, poll_here);

    assert_int_equal(rc, 7);
}

TEST(a_host_completes_a_program_in_virtual_time)
{
    int rc = run_hosted(true, poll_here);

    assert_int_equal(rc, 7);
}

TEST(a_host_may_poll_in_another_thread)
{
    int rc = run_hosted(false, poll_in_a_thread);

    assert_int_equal(rc, 7);
}

static void queue_another(void *arg)
{
    int rc = cora_loop_call_soon(arg, note, "next", NULL);

    assert_int_equal(rc, 0);
    note("first");
}

TEST(run_ready_runs_one_batch_and_tells_its_size)
{
    cora_loop *loop = virtual_loop();
    int rc[2], count[3];

    rc[0] = cora_loop_call_soon(loop, queue_another, loop, NULL);
    rc[1] = cora_loop_call_soon(loop, note, "second", NULL);
    count[0] = cora_loop_run_ready(loop);
    count[1] = cora_loop_run_ready(loop);
    count[2] = cora_loop_run_ready(loop);
    assert_int_equal(rc[0] | rc[1], 0);
    assert_int_equal(count[0], 2);
    assert_int_equal(count[1], 1);
    assert_int_equal(count[2], 0);
    assert_string_equal(trace_text, "first second next ");
    cora_loop_free(loop);
}

static int yield_often(void *arg)
{
    for (int i = 0; i < 3; i++) {
        int rc = cora_sleep(0);

        if (rc < 0)
            return rc;
        trace("%s%d", (const char *)arg, i);
    }
    return 0;
}

TEST(run_ready_runs_one_step_of_each_task)
{
    cora_loop *loop = virtual_loop();
    cora_task *a = cora_loop_create_task_arg(loop, NULL, yield_often, "yield_often", "a");
    cora_task *b = cora_loop_create_task_arg(loop, NULL, yield_often, "yield_often", "b");
    int count[5];

    for (int i = 0; i < 5; i++) {
        count[i] = cora_loop_run_ready(loop);
        trace("|");
    }
    assert_string_equal(trace_text, "| a0 b0 | a1 b1 | a2 b2 | | ");
    for (int i = 0; i < 4; i++)
        assert_int_equal(count[i], 2);
    assert_int_equal(count[4], 0);
    cora_task_unref(a);
    cora_task_unref(b);
    cora_loop_free(loop);
}

TEST(nothing_is_queued_before_process_events)
{
    cora_loop *loop = virtual_loop();
    int ends[2];
    int rc = pipe(ends), count[3];
    ssize_t written = write(ends[1], "x", 1);

    assert_int_equal(rc, 0);
    assert_int_equal(written, 1);
    rc = cora_loop_add_reader(loop, ends[0], note, "io");
    assert_int_equal(rc, 0);
    count[0] = cora_loop_poll(loop, 0);
    count[1] = cora_loop_run_ready(loop);
    rc = cora_loop_process_events(loop);
    count[2] = cora_loop_run_ready(loop);
    assert_int_equal(rc, 0);
    assert_int_equal(count[0], 0);
    assert_int_equal(count[1], 0);
    assert_int_equal(count[2], 1);
    assert_string_equal(trace_text, "io ");
    cora_loop_free(loop);
    close(ends[0]);
    close(ends[1]);
}

TEST(a_bounded_poll_in_virtual_time_passes_no_more_than_its_bound)
{
    cora_loop *loop = virtual_loop();
    double times[3];
    int rc[4];

    rc[0] = cora_loop_call_later(loop, 5, note, "timer", NULL);
    rc[1] = cora_loop_poll(loop, 0);
    times[0] = cora_loop_time(loop);
    rc[2] = cora_loop_poll(loop, 2);
    times[1] = cora_loop_time(loop);
    rc[3] = cora_loop_poll(loop, 10);
    times[2] = cora_loop_time(loop);
    assert_int_equal(rc[0] | rc[1] | rc[2] | rc[3], 0);
    assert_true(times[0] == 0);
    assert_true(times[1] == 2);
    assert_true(times[2] == 5);
    cora_loop_free(loop);
}

struct steps {
    cora_loop *loop;
    int events, ready;
};

static void step_inside(void *arg)
{
    struct steps *steps = arg;

    steps->events = cora_loop_process_events(steps->loop);
    steps->ready = cora_loop_run_ready(steps->loop);
}

TEST(no_steps_while_a_loop_runs_in_the_thread)
{
    cora_loop *loop = virtual_loop();
    struct steps steps = {virtual_loop(), 0, 0};
    int rc = cora_loop_call_soon(loop, step_inside, &steps, NULL);

    assert_int_equal(rc, 0);
    cora_loop_stop(loop);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
    assert_int_equal(steps.events, -CORA_ERUNNING);
    assert_int_equal(steps.ready, -CORA_ERUNNING);
    cora_loop_free(loop);
    cora_loop_free(steps.loop);
}

static void stop(void *loop)
{
    cora_loop_stop(loop);
}

static int sleep_one(void *arg)
{
    (void)arg;
    return cora_sleep(1);
}

TEST(a_stop_in_run_ready_is_over_with_it)
{
    cora_loop *loop = virtual_loop();
    cora_task *task;
    int rc = cora_loop_call_soon(loop, stop, loop, NULL);

    assert_int_equal(rc, 0);
    rc = cora_loop_run_ready(loop);
    assert_int_equal(rc, 1);
    assert_true(cora_loop_timeout(loop) == -1); /* not 0, as before an iteration that ends it */
    task = cora_loop_create_task_arg(loop, NULL, sleep_one, "sleep_one", NULL);
    rc = cora_loop_run_until_complete(loop, task);
    assert_int_equal(rc, 0);
    assert_true(cora_loop_time(loop) == 1);
    cora_task_unref(task);
    cora_loop_free(loop);
}

TEST(a_poll_does_not_wait_for_nan)
{
    cora_loop *loop = virtual_loop(), *real = NULL;
    int rc = cora_loop_poll(loop, NAN);

    assert_int_equal(rc, -EINVAL);
    assert_true(cora_loop_time(loop) == 0);
    cora_loop_free(loop);
    rc = cora_new_event_loop(&real);
    assert_int_equal(rc, 0);
    rc = cora_loop_poll(real, NAN);
    assert_int_equal(rc, -EINVAL);
    cora_loop_free(real);
}
