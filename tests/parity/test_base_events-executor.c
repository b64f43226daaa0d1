/* CPython's test_base_events.py: a loop's default executor. */
#include "support/test.h"
#include "support/virtual.h"

#include <pthread.h>
#include <semaphore.h>

static cora_executor *make_executor(const char *prefix)
{
    cora_thread_pool_options options = {.max_workers = 1, .thread_name_prefix = prefix};
    cora_executor *executor;
    int rc = cora_thread_pool_executor_create(&options, &executor);

    assert_int_equal(rc, 0);
    return executor;
}

static int tell_thread(void *arg)
{
    return -pthread_getname_np(pthread_self(), arg, 16);
}

static int use_another(void *arg)
{
    cora_loop *loop = cora_get_running_loop();
    char name[16] = "";
    int rc = cora_loop_set_default_executor(loop, make_executor("another"));

    (void)arg;
    assert_int_equal(rc, 0);
    rc = cora_await_unref(cora_loop_run_in_executor(loop, NULL, tell_thread, name));
    assert_int_equal(rc, 0);
    assert_string_equal(name, "another_0");
    return 0;
}

TEST(BaseEventLoopTests_test_set_default_executor)
{
    int rc = run_virtual(use_another, NULL);

    assert_int_equal(rc, 0);
}

static int wait_for_gate(void *arg)
{
    sem_wait(arg);
    return 0;
}

static void expect_timeout(cora_loop *loop, const cora_exception_context *context, void *arg)
{
    (void)loop;
    assert_int_equal(context->error, -ETIMEDOUT);
    assert_non_null(strstr(context->message, "have not ended"));
    ++*(int *)arg;
}

/* A job that does not end is not waited for longer than was said; it goes on all the same. */
static int shut_down_too_soon(void *arg)
{
    cora_loop *loop = cora_get_running_loop();
    cora_future *future = cora_loop_run_in_executor(loop, NULL, wait_for_gate, arg);
    int reported = 0, rc;

    cora_loop_set_exception_handler(loop, expect_timeout, &reported);
    rc = cora_loop_shutdown_default_executor(loop, 0.01);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_int_equal(reported, 1);
    assert_false(cora_future_done(future));
    sem_post(arg);
    rc = cora_await_unref(future);
    assert_int_equal(rc, 0);
    return 0;
}

TEST(BaseEventLoopTests_test_shutdown_default_executor_timeout)
{
    cora_loop *loop;
    cora_task *task;
    sem_t gate;
    int rc = sem_init(&gate, 0, 0);

    assert_int_equal(rc, 0);
    rc = cora_new_event_loop(&loop); /* of real time, which passes beside the thread */
    assert_int_equal(rc, 0);
    task = cora_loop_create_task_arg(loop, NULL, shut_down_too_soon, "main", &gate);
    rc = cora_loop_run_until_complete(loop, task);
    assert_int_equal(rc, 0);
    cora_task_unref(task);
    cora_loop_free(loop);
}
