/* CPython's test_events.py: what is run in the threads of an executor. */
#include "support/test.h"
#include "support/virtual.h"

#include <pthread.h>
#include <semaphore.h>

struct call {
    int number;
    pthread_t thread;
};

static int remember_thread(void *arg)
{
    struct call *call = arg;

    call->thread = pthread_self();
    return call->number;
}

static int call_in_thread(void *arg)
{
    struct call call = {.number = 73};
    int rc = cora_await_unref(
        cora_loop_run_in_executor(cora_get_running_loop(), NULL, remember_thread, &call));

    (void)arg;
    assert_int_equal(rc, 73);
    assert_false(pthread_equal(call.thread, pthread_self()));
    return 0;
}

TEST(EventLoopTestsMixin_test_run_in_executor)
{
    int rc = run_virtual(call_in_thread, NULL);

    assert_int_equal(rc, 0);
}

static void never(cora_future *future, void *arg)
{
    (void)future, (void)arg;
    fail();
}

static int wait_for_gate(void *arg)
{
    sem_wait(arg);
    return 0;
}

struct scene {
    cora_loop *loop;
    sem_t gate;
    cora_future *future;
};

/* The future is cancelled while its job runs; the executor ends, and then the loop. */
static int cancel_and_shut_down(void *arg)
{
    struct scene *scene = arg;
    int rc;

    scene->future = cora_loop_run_in_executor(scene->loop, NULL, wait_for_gate, &scene->gate);
    assert_true(cora_future_cancel(scene->future));
    sem_post(&scene->gate);
    rc = cora_loop_shutdown_default_executor(scene->loop, INFINITY);
    assert_int_equal(rc, 0);
    return 0;
}

TEST(EventLoopTestsMixin_test_run_in_executor_cancel)
{
    struct scene scene = {.loop = virtual_loop()};
    cora_task *task;
    int rc = sem_init(&scene.gate, 0, 0);

    assert_int_equal(rc, 0);
    task = cora_loop_create_task_arg(scene.loop, NULL, cancel_and_shut_down, "main", &scene);
    rc = cora_loop_run_until_complete(scene.loop, task);
    assert_int_equal(rc, 0);
    rc = cora_loop_close(scene.loop);
    assert_int_equal(rc, 0);
    rc = cora_future_add_done_callback(scene.future, never, NULL);
    assert_int_equal(rc, -CORA_ECLOSED);
    assert_true(cora_future_cancelled(scene.future));
    cora_future_unref(scene.future);
    cora_task_unref(task);
    cora_loop_free(scene.loop);
    assert_int_equal(reports.count, 0);
}
