/* CPython's test_threads.py: functions that run in a thread. */
#include "support/test.h"
#include "support/virtual.h"

#include <pthread.h>
#include <stdatomic.h>

/* Runs the body of a test as the main task. It returns 0, and nothing is reported. */
static void run(cora_task_fn *fn)
{
    int rc = run_virtual(fn, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

struct sum_args {
    int numbers[2];
    pthread_t thread;
};

static int sum(void *arg)
{
    struct sum_args *a = arg;

    a->thread = pthread_self();
    return a->numbers[0] + a->numbers[1];
}

static int to_thread(void *arg)
{
    struct sum_args args = {.numbers = {40, 2}};
    int rc = cora_to_thread(sum, &args);

    (void)arg;
    assert_int_equal(rc, 42);
    assert_false(pthread_equal(args.thread, pthread_self()));
    return 0;
}

TEST(ToThreadTests_test_to_thread)
{
    run(to_thread);
}

static int break_down(void *arg)
{
    (void)arg;
    return -EDOM;
}

static int to_thread_exception(void *arg)
{
    char nothing = 0;
    int rc = cora_to_thread(break_down, &nothing);

    (void)arg;
    assert_int_equal(rc, -EDOM);
    return 0;
}

TEST(ToThreadTests_test_to_thread_exception)
{
    run(to_thread_exception);
}

static atomic_int calls;

static int call(void *arg)
{
    (void)arg;
    atomic_fetch_add(&calls, 1);
    return 0;
}

static int to_thread_once(void *arg)
{
    char nothing = 0;
    int rc = cora_to_thread(call, &nothing);

    (void)arg;
    assert_int_equal(rc, 0);
    return 0;
}

TEST(ToThreadTests_test_to_thread_once)
{
    run(to_thread_once);
    assert_int_equal(atomic_load(&calls), 1);
}

enum { MANY = 10 };

static int to_thread_concurrent(void *arg)
{
    cora_task *tasks[MANY];
    int rc;

    for (int i = 0; i < MANY; i++)
        tasks[i] = cora_create_task_arg(to_thread_once, arg);
    rc = cora_gather(tasks, MANY, NULL, 0);
    assert_int_equal(rc, 0);
    for (int i = 0; i < MANY; i++)
        cora_task_unref(tasks[i]);
    return 0;
}

TEST(ToThreadTests_test_to_thread_concurrent)
{
    run(to_thread_concurrent);
    assert_int_equal(atomic_load(&calls), MANY);
}

struct see_args {
    const char *what;
    bool something;
    char seen[32];
};

static int see(void *arg)
{
    struct see_args *a = arg;

    atomic_fetch_add(&calls, 1);
    snprintf(a->seen, sizeof a->seen, "%s %d", a->what, a->something);
    return 0;
}

/* Arguments are members of a struct, which comes back. */
static int to_thread_args_kwargs(void *arg)
{
    struct see_args args = {.what = "test", .something = true};
    int rc = cora_to_thread(see, &args);

    (void)arg;
    assert_int_equal(rc, 0);
    assert_string_equal(args.seen, "test 1");
    return 0;
}

TEST(ToThreadTests_test_to_thread_args_kwargs)
{
    run(to_thread_args_kwargs);
    assert_int_equal(atomic_load(&calls), 1);
}

static cora_context_var variable = CORA_CONTEXT_VAR_INIT("variable", NULL);

static int get_variable(void *arg)
{
    *(const char **)arg = cora_context_var_get(&variable);
    return 0;
}

static int to_thread_contextvars(void *arg)
{
    const char *seen = NULL;
    int rc = cora_context_var_set(&variable, "parrot", NULL);

    (void)arg;
    assert_int_equal(rc, 0);
    rc = cora_to_thread(get_variable, &seen);
    assert_int_equal(rc, 0);
    assert_non_null(seen);
    assert_string_equal(seen, "parrot");
    return 0;
}

TEST(ToThreadTests_test_to_thread_contextvars)
{
    run(to_thread_contextvars);
}
