/* A pool of processes whose system calls fail, one after the other, on all sides. */
#include "support/allocation.h"
#include "support/faults.h"
#include "support/process.h"
#include "support/test.h"
#include "support/virtual.h"

#include "coroutine/fiber.h"

static int twice(void *arg)
{
    return *(int *)arg *= 2;
}

static int repeat(const void *in, size_t size, cora_bytes *out)
{
    out->data = malloc(size);
    if (out->data == NULL)
        return -ENOMEM;
    memcpy(out->data, in, size);
    out->size = size;
    return 0;
}

static const cora_process_pool_job jobs[] = {
    {.fn = twice, .size = sizeof(int)}, {.bytes_fn = repeat}, {0}};

/* More than is thrown away at once where there is no memory for it. */
static const char text[10000] = "bytes";

/* An error that says what has gone wrong. */
static bool is_clear(int rc)
{
    switch (rc) {
    case -CORA_EBROKENEXECUTOR:
    case -EMFILE:
    case -ENFILE:
    case -EAGAIN:
    case -ENOMEM:
    case -ENOBUFS:
        return true;
    default:
        return false;
    }
}

static int use(cora_executor *executor)
{
    cora_concurrent_future *first = NULL, *second = NULL;
    cora_bytes out = {NULL, 0};
    int number = 21;
    int rc = cora_executor_submit(executor, twice, &number, &first);
    int outcome[2] = {rc, rc};

    if (rc == 0) {
        outcome[1] = cora_executor_submit_bytes(executor, repeat, text, sizeof text, &out, &second);
        outcome[0] = cora_concurrent_future_result(first, INFINITY);
    }
    if (rc == 0 && outcome[1] == 0)
        outcome[1] = cora_concurrent_future_result(second, INFINITY);
    assert_true(outcome[0] == 42 || is_clear(outcome[0]));
    assert_true(outcome[1] == 0 || is_clear(outcome[1]));
    if (outcome[1] == 0)
        assert_string_equal(out.data, "bytes");
    free(out.data);
    cora_concurrent_future_unref(first);
    cora_concurrent_future_unref(second);
    return outcome[0] < 0 ? outcome[0] : outcome[1];
}

/* Whatever goes wrong, it comes to an end, and nothing is left. */
static int use_pool(void *arg)
{
    cora_process_pool_options options = {.jobs = jobs, .max_workers = 2, .max_tasks_per_child = 1};
    cora_executor *executor = NULL;
    int rc = cora_process_pool_executor_create(&options, &executor);

    (void)arg;
    if (rc < 0) {
        assert_true(is_clear(rc));
        assert_null(executor);
    } else {
        rc = use(executor);
        cora_executor_free(executor);
    }
    assert_false(has_children());
    return rc;
}

TEST(each_system_call_of_the_program_the_server_and_the_workers_may_fail)
{
    int faults;

    if (getenv("CORA_EMULATED") != NULL)
        skip(); /* qemu-user cannot fork a process that has threads */
#ifdef CORA_VALGRIND
    if (RUNNING_ON_VALGRIND)
        skip(); /* it would look for the leaks of each of a thousand children */
#endif
    faults = run_with_each_fault(use_pool, NULL);
    assert_true(faults > 40);
}

static int refuse_the_first(void *arg)
{
    (void)arg;
    refuse_allocation(1);
    return 0;
}

TEST(a_worker_without_memory_for_a_job_says_so_and_does_the_next)
{
    cora_process_pool_options options = {
        .jobs = jobs, .max_workers = 1, .initializer = refuse_the_first};
    cora_executor *executor = NULL;
    int rc = cora_process_pool_executor_create(&options, &executor);

    assert_int_equal(rc, 0);
    for (int i = 0; i < 2; i++) {
        cora_concurrent_future *future = NULL;
        cora_bytes out = {NULL, 0};

        rc = cora_executor_submit_bytes(executor, repeat, text, sizeof text, &out, &future);
        assert_int_equal(rc, 0);
        rc = cora_concurrent_future_result(future, INFINITY);
        assert_int_equal(rc, i == 0 ? -ENOMEM : 0);
        assert_int_equal(out.size, i == 0 ? 0 : sizeof text);
        free(out.data);
        cora_concurrent_future_unref(future);
    }
    cora_executor_free(executor);
}

TEST(each_allocation_may_be_refused)
{
    int faults;

    if (getenv("CORA_EMULATED") != NULL)
        skip(); /* qemu-user cannot fork a process that has threads */
    faults = run_with_each_allocation_refused(use_pool, NULL);
    assert_true(faults > 5);
}
