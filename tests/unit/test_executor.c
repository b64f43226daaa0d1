#include "support/test.h"
#include "support/virtual.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

static cora_executor *make_executor(int workers)
{
    cora_thread_pool_options options = {.max_workers = workers, .thread_name_prefix = "test"};
    cora_executor *executor;

    assert_int_equal(cora_thread_pool_executor_create(&options, &executor), 0);
    return executor;
}

static cora_concurrent_future *submit(cora_executor *executor, cora_job *fn, void *arg)
{
    cora_concurrent_future *future;

    assert_int_equal(cora_executor_submit(executor, fn, arg, &future), 0);
    return future;
}

static void assert_result(cora_concurrent_future *future, int expected)
{
    assert_int_equal(cora_concurrent_future_result(future, INFINITY), expected);
    cora_concurrent_future_unref(future);
}

/* ---- submit --------------------------------------------------------------------------------- */

static int twice(void *arg)
{
    return *(int *)arg * 2;
}

TEST(a_job_is_run_and_its_future_has_what_it_returned)
{
    cora_executor *executor = make_executor(2);
    int numbers[] = {21, -EILSEQ / 2};

    assert_result(submit(executor, twice, &numbers[0]), 42);
    assert_result(submit(executor, twice, &numbers[1]), numbers[1] * 2);
    cora_executor_free(executor);
}

static int is_called(void *arg)
{
    char name[16] = "";

    assert_int_equal(pthread_getname_np(pthread_self(), name, sizeof name), 0);
    return strcmp(name, arg) == 0;
}

TEST(threads_have_names)
{
    cora_executor *executor = make_executor(1);

    assert_result(submit(executor, is_called, "test_0"), 1);
    cora_executor_free(executor);
}

/* A job that waits until it is let go, and says that it has begun. */
struct gate {
    sem_t begun, open;
    atomic_int passed;
};

static void init_gate(struct gate *gate)
{
    assert_int_equal(sem_init(&gate->begun, 0, 0), 0);
    assert_int_equal(sem_init(&gate->open, 0, 0), 0);
    atomic_init(&gate->passed, 0);
}

static int pass(void *arg)
{
    struct gate *gate = arg;

    sem_post(&gate->begun);
    sem_wait(&gate->open);
    return ++gate->passed;
}

static int count_pass(void *arg)
{
    return ++((struct gate *)arg)->passed;
}

TEST(a_job_that_has_not_begun_can_be_cancelled)
{
    cora_executor *executor = make_executor(1);
    cora_concurrent_future *first, *second;
    struct gate gate;

    init_gate(&gate);
    first = submit(executor, pass, &gate);
    second = submit(executor, count_pass, &gate);
    sem_wait(&gate.begun);
    assert_false(cora_concurrent_future_cancel(first));
    assert_true(cora_concurrent_future_cancel(second));
    sem_post(&gate.open);
    assert_result(first, 1);
    assert_result(second, -ECANCELED);
    cora_executor_free(executor);
    assert_int_equal(gate.passed, 1);
}

/* ---- shutdown ------------------------------------------------------------------------------- */

TEST(after_shutdown_no_job_is_taken_and_those_that_were_are_done)
{
    cora_executor *executor = make_executor(1);
    cora_concurrent_future *future = NULL;
    struct gate gate;

    init_gate(&gate);
    for (int i = 0; i < 5; i++)
        cora_concurrent_future_unref(submit(executor, count_pass, &gate));
    cora_executor_shutdown(executor, false, false);
    assert_int_equal(cora_executor_submit(executor, count_pass, &gate, &future),
                     -CORA_EEXECUTORSHUTDOWN);
    assert_null(future);
    cora_executor_shutdown(executor, true, false);
    assert_int_equal(gate.passed, 5);
    cora_executor_free(executor);
}

TEST(shutdown_can_cancel_what_has_not_begun)
{
    cora_executor *executor = make_executor(1);
    cora_concurrent_future *first, *second;
    struct gate gate;

    init_gate(&gate);
    first = submit(executor, pass, &gate);
    second = submit(executor, count_pass, &gate);
    sem_wait(&gate.begun);
    cora_executor_shutdown(executor, false, true);
    assert_result(second, -ECANCELED);
    sem_post(&gate.open);
    assert_result(first, 1);
    cora_executor_free(executor);
}

static int refuse(void *arg)
{
    struct gate *gate = arg;

    sem_post(&gate->begun);
    sem_wait(&gate->open);
    return -EILSEQ;
}

TEST(a_failing_initializer_breaks_the_executor)
{
    struct gate gate;
    cora_thread_pool_options options = {.max_workers = 1, .initializer = refuse, .initarg = &gate};
    cora_concurrent_future *future;
    cora_executor *executor;

    init_gate(&gate);
    assert_int_equal(cora_thread_pool_executor_create(&options, &executor), 0);
    future = submit(executor, count_pass, &gate);
    sem_wait(&gate.begun);
    sem_post(&gate.open);
    assert_result(future, -CORA_EBROKENEXECUTOR);
    assert_int_equal(cora_executor_submit(executor, count_pass, &gate, NULL),
                     -CORA_EBROKENEXECUTOR);
    assert_int_equal(gate.passed, 0);
    cora_executor_free(executor);
}

TEST(the_number_of_threads_is_not_negative)
{
    cora_executor *executor = NULL;

    assert_int_equal(
        cora_thread_pool_executor_create(&(cora_thread_pool_options){.max_workers = -1}, &executor),
        -EINVAL);
    assert_null(executor);
    cora_executor_free(NULL);
}

/* ---- map ------------------------------------------------------------------------------------ */

enum { ITEMS = 100 };

TEST(map_has_the_results_in_the_order_of_the_items)
{
    cora_executor *executor = make_executor(3);

    for (size_t chunk = 0; chunk <= ITEMS + 1; chunk += 7) {
        int items[ITEMS], results[ITEMS] = {0};

        for (int i = 0; i < ITEMS; i++)
            items[i] = i;
        assert_int_equal(cora_executor_map(executor, twice, items, sizeof items[0], ITEMS, chunk,
                                           INFINITY, results),
                         0);
        for (int i = 0; i < ITEMS; i++)
            assert_int_equal(results[i], i * 2);
    }
    assert_int_equal(cora_executor_map(executor, twice, NULL, 4, 0, 1, INFINITY, NULL), 0);
    cora_executor_free(executor);
}

TEST(map_tells_the_first_error_in_their_order)
{
    cora_executor *executor = make_executor(2);
    int items[] = {1, -2, -3, 4}, results[4] = {0};

    assert_int_equal(
        cora_executor_map(executor, twice, items, sizeof items[0], 4, 4, INFINITY, results), -4);
    assert_memory_equal(results, ((int[]){2, -4, -6, 8}), sizeof results);
    assert_int_equal(
        cora_executor_map(executor, twice, items, sizeof items[0], 4, 1, INFINITY, results), -4);
    cora_executor_free(executor);
}

/* The only thread has something else to do. */
TEST(map_does_not_begin_what_is_too_late)
{
    cora_executor *executor = make_executor(1);
    int items[2] = {1, 2}, results[2] = {0, 0};
    cora_concurrent_future *future;
    struct gate gate;

    init_gate(&gate);
    future = submit(executor, pass, &gate);
    assert_int_equal(cora_executor_map(executor, twice, items, sizeof items[0], 2, 1, 0.0, results),
                     -ETIMEDOUT);
    assert_memory_equal(results, ((int[]){-ECANCELED, -ECANCELED}), sizeof results);
    sem_post(&gate.open);
    assert_result(future, 1);
    cora_executor_free(executor);
}

/* ---- from a loop ---------------------------------------------------------------------------- */

static int run_in(void *arg)
{
    int number = 21;

    return cora_await_unref(
        cora_loop_run_in_executor(cora_get_running_loop(), arg, twice, &number));
}

TEST(a_task_awaits_a_job)
{
    cora_executor *executor = make_executor(1);

    assert_int_equal(run_virtual(run_in, NULL), 42);
    assert_int_equal(run_virtual(run_in, executor), 42);
    cora_executor_shutdown(executor, true, false);
    assert_int_equal(run_virtual(run_in, executor), -CORA_EEXECUTORSHUTDOWN);
    cora_executor_free(executor);
}

static int cancel_in(void *arg)
{
    cora_executor *executor = make_executor(1);
    cora_loop *loop = cora_get_running_loop();
    cora_future *first, *second;
    struct gate gate;

    (void)arg;
    init_gate(&gate);
    first = cora_loop_run_in_executor(loop, executor, pass, &gate);
    second = cora_loop_run_in_executor(loop, executor, count_pass, &gate);
    sem_wait(&gate.begun);
    assert_true(cora_future_cancel(second));
    assert_int_equal(cora_await_unref(second), -ECANCELED);
    assert_int_equal(cora_sleep(0), 0); /* the thread's side hears of it in the next iteration */
    sem_post(&gate.open);
    assert_int_equal(cora_await_unref(first), 1);
    cora_executor_free(executor);
    assert_int_equal(gate.passed, 1);
    return 0;
}

TEST(a_job_that_nobody_awaits_any_more_and_has_not_begun_never_does)
{
    assert_int_equal(run_virtual(cancel_in, NULL), 0);
}

static int say_name(void *arg)
{
    return pthread_getname_np(pthread_self(), arg, 16) == 0 ? 0 : -ERANGE;
}

struct named {
    char name[16];
};

static int name_thread(void *arg)
{
    return say_name(((struct named *)arg)->name);
}

static int replace_the_default(void *arg)
{
    cora_loop *loop = cora_get_running_loop();
    struct named named = {""};
    char name[16] = "";

    (void)arg;
    assert_int_equal(cora_to_thread(name_thread, &named), 0);
    assert_string_equal(named.name, "cora_0");
    assert_int_equal(cora_loop_set_default_executor(loop, make_executor(1)), 0);
    assert_int_equal(cora_to_thread(name_thread, &named), 0);
    assert_string_equal(named.name, "test_0");
    assert_int_equal(cora_await_unref(cora_loop_run_in_executor(loop, NULL, say_name, name)), 0);
    assert_string_equal(name, "test_0");
    return 0;
}

TEST(the_default_executor_serves_to_thread_too_and_can_be_another)
{
    assert_int_equal(run_virtual(replace_the_default, NULL), 0);
}

static int shut_down_the_default(void *arg)
{
    cora_loop *loop = cora_get_running_loop();
    int number = 1;

    (void)arg;
    assert_int_equal(cora_to_thread(twice, &number), 2);
    assert_int_equal(cora_loop_shutdown_default_executor(loop, INFINITY), 0);
    assert_int_equal(cora_to_thread(twice, &number), -CORA_EEXECUTORSHUTDOWN);
    assert_int_equal(cora_await_unref(cora_loop_run_in_executor(loop, NULL, twice, &number)),
                     -CORA_EEXECUTORSHUTDOWN);
    return cora_loop_shutdown_default_executor(loop, INFINITY);
}

TEST(once_it_is_shut_down_it_takes_no_jobs)
{
    assert_int_equal(run_virtual(shut_down_the_default, NULL), 0);
    assert_int_equal(reports.count, 0);
}
