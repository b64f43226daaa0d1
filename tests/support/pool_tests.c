#include "support/pool_tests.h"

#include "support/test.h"

#include <unistd.h>

enum { ITEMS = 10 };

/* ---- ExecutorTest --------------------------------------------------------------------------- */

void executor_submit(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, WORKERS);

    assert_result(submit(executor, power, &(struct pool_job){.x = 2, .y = 8}), 256);
    cora_executor_free(executor);
}

/* Arguments by name, and results in the same struct. */
void executor_submit_keyword(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, WORKERS);
    struct pool_job job = {.y = 2, .x = 17};

    assert_result(submit(executor, multiply, &(struct pool_job){2, .y = 8}), 16);
    assert_result(submit(executor, divide, &job), 0);
    assert_int_equal(job.quotient, 8);
    assert_int_equal(job.remainder, 1);
    cora_executor_free(executor);
}

void executor_map(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, WORKERS);
    struct pool_job jobs[ITEMS], each[ITEMS];
    int results[ITEMS], rc;

    for (int i = 0; i < ITEMS; i++)
        jobs[i] = (struct pool_job){.x = i, .y = i};
    for (size_t chunk = 1; chunk <= 3; chunk += 2) {
        memcpy(each, jobs, sizeof each);
        memset(results, -1, sizeof results);
        rc = cora_executor_map(executor, power, each, sizeof each[0], ITEMS, chunk, INFINITY,
                               results);
        assert_int_equal(rc, 0);
        for (int i = 0; i < ITEMS; i++)
            assert_int_equal(results[i], power(&jobs[i]));
    }
    cora_executor_free(executor);
}

/* The error is told in its place; what comes after is computed all the same. */
void executor_map_exception(const struct pool_kind *kind)
{
    static const struct pool_job asked[4] = {
        {.x = 5, .y = 2}, {.x = 5, .y = 3}, {.x = 5, .y = 0}, {.x = 5, .y = 5}};
    cora_executor *executor = make_pool(kind, WORKERS);

    for (size_t chunk = 1; chunk <= 3; chunk += 2) {
        struct pool_job jobs[4];
        int results[4], rc;

        memcpy(jobs, asked, sizeof jobs);
        rc = cora_executor_map(executor, divide, jobs, sizeof jobs[0], 4, chunk, INFINITY, results);
        assert_int_equal(rc, -EDOM);
        assert_int_equal(results[2], -EDOM);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(results[i], 0);
            assert_int_equal(jobs[i].quotient, 5 / asked[i].y);
            assert_int_equal(jobs[i].remainder, 5 % asked[i].y);
        }
    }
    cora_executor_free(executor);
}

/* What an iteration is over: the numbers from `next` to `end`, each as a job. */
struct numbers {
    int next, end;
};

static bool next_number(void *arg, void *item)
{
    struct numbers *numbers = arg;

    if (numbers->next == numbers->end)
        return false;
    *(struct pool_job *)item = (struct pool_job){.x = numbers->next, .y = numbers->next};
    numbers->next++;
    return true;
}

static void start_map(cora_executor_map_iterator *each, cora_executor *executor, cora_job *fn,
                      struct numbers *numbers, size_t buffersize, double timeout)
{
    int rc = cora_executor_map_iterator_start(each, executor, fn, next_number, numbers,
                                              sizeof(struct pool_job), buffersize, timeout);

    assert_int_equal(rc, 0);
}

static void assert_next(cora_executor_map_iterator *each, int x, int expected)
{
    void *item = NULL;
    int result = -1, rc = cora_executor_map_iterator_next(each, &item, &result);

    assert_int_equal(rc, 0);
    assert_int_equal(((struct pool_job *)item)->x, x);
    assert_int_equal(result, expected);
}

static void assert_end(cora_executor_map_iterator *each)
{
    for (int i = 0; i < 2; i++) {
        int rc = cora_executor_map_iterator_next(each, NULL, NULL);

        assert_int_equal(rc, -CORA_ESTOPITERATION);
    }
}

/* Two have a result, and the third stands at the gate. */
static bool next_with_gate(void *arg, void *item)
{
    int *next = arg;

    *(struct pool_job *)item = (struct pool_job){.gate = *next == 2 ? 1 : 0};
    return ++*next <= 3;
}

/* Of those that could have come in time some may not have, where the machine is slow. */
void executor_map_timeout(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, WORKERS);
    cora_executor_map_iterator each;
    int next = 0, seen = 0, result;
    int rc = cora_executor_map_iterator_start(&each, executor, pass_gate, next_with_gate, &next,
                                              sizeof(struct pool_job), 3, 0.05);

    open_gate(0);
    while (rc == 0 && (rc = cora_executor_map_iterator_next(&each, NULL, &result)) == 0) {
        assert_int_equal(result, 0);
        seen++;
    }
    assert_int_equal(rc, -ETIMEDOUT);
    assert_in_range(seen, 0, 2);
    assert_end(&each);
    open_gate(1);
    cora_executor_map_iterator_stop(&each);
    cora_executor_free(executor);
}

void executor_map_buffersize_value_validation(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, WORKERS);
    struct numbers numbers = {0, 4};
    cora_executor_map_iterator each;
    int rc[2];

    rc[0] = cora_executor_map_iterator_start(&each, executor, multiply, next_number, &numbers,
                                             sizeof(struct pool_job), 0, INFINITY);
    rc[1] = cora_executor_map_iterator_start(&each, executor, multiply, next_number, &numbers,
                                             sizeof(struct pool_job), (size_t)-1, INFINITY);
    assert_int_equal(rc[0], -EINVAL);
    assert_int_equal(rc[1], -ENOMEM);
    assert_int_equal(numbers.next, 0);
    cora_executor_map_iterator_stop(&each);
    cora_executor_free(executor);
}

static void map_four(const struct pool_kind *kind, cora_job *fn)
{
    static const size_t sizes[] = {1, 2, 4, 8};
    cora_executor *executor = make_pool(kind, WORKERS);

    for (int i = 0; i < 4; i++) {
        struct numbers numbers = {0, 4};
        cora_executor_map_iterator each;

        start_map(&each, executor, fn, &numbers, sizes[i], INFINITY);
        for (int n = 0; n < 4; n++)
            assert_next(&each, n, fn(&(struct pool_job){.x = n, .y = n}));
        assert_end(&each);
        cora_executor_map_iterator_stop(&each);
    }
    cora_executor_free(executor);
}

void executor_map_buffersize(const struct pool_kind *kind)
{
    map_four(kind, fail_with);
}

/* Several iterables are members of the item. */
void executor_map_buffersize_on_multiple_iterables(const struct pool_kind *kind)
{
    map_four(kind, multiply);
}

static void map_for_ever(const struct pool_kind *kind, cora_job *fn)
{
    cora_executor *executor = make_pool(kind, WORKERS);
    struct numbers numbers = {0, -1};
    cora_executor_map_iterator each;

    start_map(&each, executor, fn, &numbers, 2, INFINITY);
    for (int n = 0; n < 3; n++)
        assert_next(&each, n, fn(&(struct pool_job){.x = n, .y = n}));
    assert_int_equal(numbers.next, 5);
    cora_executor_map_iterator_stop(&each);
    cora_executor_free(executor);
}

void executor_map_buffersize_on_infinite_iterable(const struct pool_kind *kind)
{
    map_for_ever(kind, fail_with);
}

void executor_map_buffersize_on_multiple_infinite_iterables(const struct pool_kind *kind)
{
    map_for_ever(kind, multiply);
}

void executor_map_buffersize_on_empty_iterable(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, WORKERS);
    struct numbers none = {0, 0};
    cora_executor_map_iterator each;

    start_map(&each, executor, multiply, &none, 2, INFINITY);
    assert_end(&each);
    cora_executor_map_iterator_stop(&each);
    cora_executor_free(executor);
}

void executor_map_buffersize_when_buffer_is_full(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, WORKERS);
    struct numbers numbers = {0, 4};
    cora_executor_map_iterator each;

    start_map(&each, executor, multiply, &numbers, 2, INFINITY);
    cora_executor_shutdown(executor, true, false);
    assert_int_equal(numbers.next, 2);
    cora_executor_map_iterator_stop(&each);
    cora_executor_free(executor);
}

void executor_shutdown_race_issue12456(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, WORKERS);
    struct numbers numbers = {0, WORKERS + 1};
    cora_executor_map_iterator each;

    start_map(&each, executor, multiply, &numbers, WORKERS + 1, INFINITY);
    cora_executor_shutdown(executor, true, false);
    for (int n = 0; n <= WORKERS; n++)
        assert_next(&each, n, n * n);
    cora_executor_map_iterator_stop(&each);
    cora_executor_free(executor);
}

void executor_max_workers_negative(const struct pool_kind *kind)
{
    cora_executor *executor = NULL;
    int rc = kind->create(-1, NULL, NULL, &executor);

    assert_int_equal(rc, -EINVAL);
    assert_null(executor);
}

/* No error is taken for none: neither the one next to 0, nor the smallest int. */
void executor_swallows_falsey_exceptions(const struct pool_kind *kind)
{
    static const int errors[] = {-1, -CORA_EBROKENEXECUTOR, INT32_MIN};
    cora_executor *executor = make_pool(kind, WORKERS);

    for (int i = 0; i < 3; i++) {
        struct pool_job job = {.x = errors[i]};
        cora_concurrent_future *future = submit(executor, fail_with, &job);
        int rc = cora_concurrent_future_exception(future, INFINITY);

        assert_int_equal(rc, errors[i]);
        assert_result(future, errors[i]);
    }
    cora_executor_free(executor);
}

/* ---- WaitTests ------------------------------------------------------------------------------ */

static void assert_wait(cora_concurrent_future *const futures[], size_t count,
                        cora_return_when when, int expected)
{
    int done = cora_concurrent_wait(futures, count, INFINITY, when);

    assert_int_equal(done, expected);
}

/* Which of them are done, from the first to the last: "+-". */
static void assert_done(cora_concurrent_future *const futures[], const char *expected)
{
    for (size_t i = 0; expected[i] != '\0'; i++)
        assert_int_equal(cora_concurrent_future_done(futures[i]), expected[i] == '+');
}

void wait_20369(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, WORKERS);
    struct pool_job job = {.x = 1, .y = 2};
    cora_concurrent_future *future = submit(executor, multiply, &job);

    assert_wait((cora_concurrent_future *[]){future, future}, 2, CORA_ALL_COMPLETED, 1);
    assert_result(future, 2);
    cora_executor_free(executor);
}

/*
 * In CPython a cancelled future is among those that are waited for, and does not count as done
 * until a worker has come across it. Here it is done at once.
 */
void wait_first_completed(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, WORKERS);
    struct pool_job jobs[2] = {{.x = 21, .y = 2}, {.gate = 0}};
    cora_concurrent_future *futures[2];

    futures[0] = submit(executor, multiply, &jobs[0]);
    futures[1] = submit(executor, pass_gate, &jobs[1]);
    assert_wait(futures, 2, CORA_FIRST_COMPLETED, 1);
    assert_done(futures, "+-");
    open_gate(0);
    assert_result(futures[1], 0);
    cora_concurrent_future_unref(futures[0]);
    cora_executor_free(executor);
}

void wait_first_completed_some_already_completed(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, WORKERS);
    struct pool_job job = {.gate = 0};
    cora_concurrent_future *futures[] = {done_future(-ECANCELED), done_future(42),
                                         submit(executor, pass_gate, &job)};

    assert_wait(futures, 3, CORA_FIRST_COMPLETED, 2);
    assert_done(futures, "++-");
    open_gate(0);
    assert_result(futures[2], 0);
    unref_all(futures, 2);
    cora_executor_free(executor);
}

/* The second fails when the first is done. */
void wait_first_exception(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, WORKERS);
    struct pool_job jobs[3] = {{.x = 2, .y = 21}, {.gate = 0}, {.gate = 1}};
    cora_concurrent_future *futures[3];

    futures[0] = submit(executor, multiply, &jobs[0]);
    futures[1] = submit(executor, pass_and_fail, &jobs[1]);
    futures[2] = submit(executor, pass_gate, &jobs[2]);
    assert_wait(futures, 1, CORA_FIRST_EXCEPTION, 1);
    open_gate(0);
    assert_wait(futures, 3, CORA_FIRST_EXCEPTION, 2);
    assert_done(futures, "++-");
    open_gate(1);
    assert_result(futures[2], 0);
    unref_all(futures, 2);
    cora_executor_free(executor);
}

void wait_first_exception_some_already_complete(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, WORKERS);
    struct pool_job jobs[2] = {{.x = 21, .y = 0}, {.gate = 0}};
    cora_concurrent_future *futures[] = {done_future(42), done_future(-ECANCELED),
                                         submit(executor, divide, &jobs[0]),
                                         submit(executor, pass_gate, &jobs[1])};

    assert_wait(futures, 4, CORA_FIRST_EXCEPTION, 3);
    assert_done(futures, "+++-");
    open_gate(0);
    assert_result(futures[3], 0);
    unref_all(futures, 3);
    cora_executor_free(executor);
}

void wait_first_exception_one_already_failed(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, WORKERS);
    struct pool_job job = {.gate = 0};
    cora_concurrent_future *futures[] = {done_future(-EIO), submit(executor, pass_gate, &job)};

    assert_wait(futures, 2, CORA_FIRST_EXCEPTION, 1);
    assert_done(futures, "+-");
    open_gate(0);
    assert_result(futures[1], 0);
    cora_concurrent_future_unref(futures[0]);
    cora_executor_free(executor);
}

void wait_all_completed(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, WORKERS);
    struct pool_job jobs[2] = {{.x = 2, .y = 0}, {.x = 2, .y = 21}};
    cora_concurrent_future *futures[] = {done_future(42), done_future(-ECANCELED),
                                         done_future(-EIO), submit(executor, divide, &jobs[0]),
                                         submit(executor, multiply, &jobs[1])};

    assert_wait(futures, 5, CORA_ALL_COMPLETED, 5);
    assert_done(futures, "+++++");
    unref_all(futures, 5);
    cora_executor_free(executor);
}

void wait_timeout(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, WORKERS);
    struct pool_job job = {.gate = 0};
    cora_concurrent_future *futures[] = {done_future(-ECANCELED), done_future(-EIO),
                                         done_future(42), submit(executor, pass_gate, &job)};
    int done = cora_concurrent_wait(futures, 4, 0.05, CORA_ALL_COMPLETED);

    assert_int_equal(done, 3);
    assert_done(futures, "+++-");
    open_gate(0);
    assert_result(futures[3], 0);
    unref_all(futures, 3);
    cora_executor_free(executor);
}

/* ---- AsCompletedTests ----------------------------------------------------------------------- */

/* Iterates: each of `expected` comes once, in whatever order, and then there is `rc`. */
static void assert_completed(cora_concurrent_future *const futures[], size_t count, double timeout,
                             cora_concurrent_future *const expected[], size_t expected_count,
                             int expected_rc)
{
    cora_concurrent_as_completed each;
    cora_concurrent_future *future;
    size_t seen = 0, times[8] = {0};
    int rc = cora_concurrent_as_completed_start(&each, futures, count, timeout);

    assert_int_equal(rc, 0);
    while ((rc = cora_concurrent_as_completed_next(&each, &future)) == 0) {
        for (size_t i = 0; i < expected_count; i++)
            times[i] += future == expected[i];
        seen++;
    }
    cora_concurrent_as_completed_stop(&each);
    assert_int_equal(rc, expected_rc);
    assert_int_equal(seen, expected_count);
    for (size_t i = 0; i < expected_count; i++)
        assert_int_equal(times[i], 1);
}

void as_completed_no_timeout(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, WORKERS);
    struct pool_job jobs[2] = {{.x = 2, .y = 21}, {.x = 7, .y = 6}};
    cora_concurrent_future *futures[] = {done_future(-ECANCELED), done_future(-EIO),
                                         done_future(42), submit(executor, multiply, &jobs[0]),
                                         submit(executor, multiply, &jobs[1])};

    assert_completed(futures, 5, INFINITY, futures, 5, -CORA_ESTOPITERATION);
    unref_all(futures, 5);
    cora_executor_free(executor);
}

void as_completed_future_times_out(const struct pool_kind *kind)
{
    static const double timeouts[] = {0, 0.02};
    cora_executor *executor = make_pool(kind, WORKERS);
    struct pool_job job = {.gate = 0};
    cora_concurrent_future *futures[] = {done_future(-ECANCELED), done_future(-EIO),
                                         done_future(42), submit(executor, pass_gate, &job)};

    for (int i = 0; i < 2; i++)
        assert_completed(futures, 4, timeouts[i], futures, 3, -ETIMEDOUT);
    open_gate(0);
    assert_completed(futures, 4, INFINITY, futures, 4, -CORA_ESTOPITERATION);
    unref_all(futures, 4);
    cora_executor_free(executor);
}

void as_completed_duplicate_futures(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, WORKERS);
    struct pool_job job = {.x = 2, .y = 21};
    cora_concurrent_future *future = submit(executor, multiply, &job);

    assert_completed((cora_concurrent_future *[]){future, future, future}, 3, INFINITY, &future, 1,
                     -CORA_ESTOPITERATION);
    assert_result(future, 42);
    cora_executor_free(executor);
}

/* An error has no text of its own. What CPython's says can be counted: 2 (of 4) are unfinished. */
void as_completed_correct_timeout_exception_msg(const struct pool_kind *kind)
{
    cora_concurrent_future *futures[4] = {done_future(-ECANCELED), cora_concurrent_future_create(),
                                          cora_concurrent_future_create(), done_future(42)};
    int rc = cora_concurrent_future_set_running_or_notify_cancel(futures[2]);

    (void)kind;
    assert_int_equal(rc, 0);
    assert_completed(futures, 4, 0, (cora_concurrent_future *[]){futures[0], futures[3]}, 2,
                     -ETIMEDOUT);
    assert_done(futures, "+--+");
    unref_all(futures, 4);
}

/* ---- ExecutorShutdownTest ------------------------------------------------------------------- */

void shutdown_run_after_shutdown(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, WORKERS);
    struct pool_job job = {.x = 2, .y = 5};
    int rc;

    cora_executor_shutdown(executor, true, false);
    rc = cora_executor_submit(executor, power, &job, NULL);
    assert_int_equal(rc, -CORA_EEXECUTORSHUTDOWN);
    cora_executor_free(executor);
}

/* What a program leaves behind when it ends. */
static cora_executor *left_executor;
static struct pool_job left_job;

static void open_first_gate(void)
{
    open_gate(0);
}

/* The job goes on only when the program has begun to end. */
static void leave_job(const struct pool_kind *kind)
{
    left_executor = make_pool(kind, WORKERS);
    left_job = (struct pool_job){.gate = 0};
    cora_concurrent_future_unref(submit(left_executor, say_apple, &left_job));
    await_arrivals(0, 1);
    atexit(open_first_gate);
}

void shutdown_interpreter_shutdown(const struct pool_kind *kind)
{
    assert_program_says(leave_job, kind, "apple");
}

static void submit_at_exit(void)
{
    int rc = cora_executor_submit(left_executor, multiply, &left_job, NULL);
    const char *said = cora_strerrorname(rc);

    if (write(STDOUT_FILENO, said, strlen(said)) < 0)
        abort();
}

/* What was registered first is called last. */
static void submit_too_late(const struct pool_kind *kind)
{
    atexit(submit_at_exit);
    left_executor = make_pool(kind, WORKERS);
    left_job = (struct pool_job){.x = 42, .y = 1};
    assert_result(submit(left_executor, multiply, &left_job), 42);
}

void shutdown_submit_after_interpreter_shutdown(const struct pool_kind *kind)
{
    assert_program_says(submit_too_late, kind, "CORA_EEXECUTORSHUTDOWN");
}

enum { MANY = 50 };

void shutdown_hang_issue12364(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, WORKERS);
    cora_concurrent_future *futures[MANY];
    struct pool_job jobs[MANY];

    for (int i = 0; i < MANY; i++) {
        jobs[i] = (struct pool_job){.x = i, .y = 2};
        futures[i] = submit(executor, multiply, &jobs[i]);
    }
    cora_executor_shutdown(executor, true, false);
    assert_done(futures, "++++++++++++++++++++++++++++++++++++++++++++++++++");
    for (int i = 0; i < MANY; i++)
        assert_result(futures[i], 2 * i);
    cora_executor_free(executor);
}

/* All workers stand at the gate: the others have not begun, or, of processes, few of them have. */
void shutdown_cancel_futures(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, WORKERS);
    cora_concurrent_future *futures[MANY];
    struct pool_job jobs[MANY];
    int cancelled = 0;

    for (int i = 0; i < MANY; i++) {
        jobs[i] = (struct pool_job){.gate = 0};
        futures[i] = submit(executor, pass_gate, &jobs[i]);
    }
    await_arrivals(0, WORKERS);
    cora_executor_shutdown(executor, false, true);
    open_gate(0);
    cora_executor_shutdown(executor, true, false);
    for (int i = 0; i < MANY; i++) {
        bool was_cancelled = cora_concurrent_future_cancelled(futures[i]);

        assert_true(cora_concurrent_future_done(futures[i]));
        assert_result(futures[i], was_cancelled ? -ECANCELED : 0);
        cancelled += was_cancelled;
    }
    assert_in_range(cancelled, 21, MANY - WORKERS);
    cora_executor_free(executor);
}

static void leave_job_after_shutdown(const struct pool_kind *kind)
{
    leave_job(kind);
    cora_executor_shutdown(left_executor, false, false);
}

void shutdown_hang_gh83386(const struct pool_kind *kind)
{
    assert_program_says(leave_job_after_shutdown, kind, "apple");
}

void shutdown_hang_gh94440(const struct pool_kind *kind)
{
    cora_executor *executor = make_pool(kind, 1);
    struct pool_job jobs[2] = {{.x = 1, .y = 1}, {.x = 2, .y = 1}};
    cora_concurrent_future *second;
    bool cancelled;

    assert_result(submit(executor, multiply, &jobs[0]), 1);
    second = submit(executor, multiply, &jobs[1]);
    cancelled = cora_concurrent_future_cancel(second);
    cora_executor_shutdown(executor, true, false);
    assert_result(second, cancelled ? -ECANCELED : 2);
    cora_executor_free(executor);
}

/* ---- InitializerMixin, FailingInitializerMixin ---------------------------------------------- */

void initializer(const struct pool_kind *kind)
{
    cora_executor *executor = NULL;
    struct pool_job jobs[2] = {{0}};
    int value = 7, rc = kind->create(2, set_status, &value, &executor);

    assert_int_equal(rc, 0);
    for (int i = 0; i < 2; i++)
        assert_result(submit(executor, tell_status, &jobs[i]), 7);
    cora_executor_free(executor);
}

static int refuse(void *arg)
{
    (void)arg;
    return -EILSEQ;
}

/* It breaks at the first job's time at the latest, perhaps before. */
void failing_initializer(const struct pool_kind *kind)
{
    cora_executor *executor = NULL;
    cora_concurrent_future *future = NULL;
    struct pool_job job = {0};
    int rc = kind->create(2, refuse, NULL, &executor);

    assert_int_equal(rc, 0);
    rc = cora_executor_submit(executor, tell_status, &job, &future);
    if (rc == 0)
        assert_result(future, -CORA_EBROKENEXECUTOR);
    else
        assert_int_equal(rc, -CORA_EBROKENEXECUTOR);
    rc = cora_executor_submit(executor, tell_status, &job, NULL);
    assert_int_equal(rc, -CORA_EBROKENEXECUTOR);
    cora_executor_free(executor);
}
