/* Tasks: yielding, creating, waiting for them, and what they take while they wait. */
#include "bench.h"

#include <limits.h>

static long bodies_run;

/* ---- yield --------------------------------------------------------------------------------- */

static bool yielding = true;
static long laps, unfair;

/*
 * All yield at this place, the main task as well, as many tasks that run one function do. A return
 * is predicted from the call before it: where tasks yield at two places it is the other task's, and
 * wrong, in every program of the suite but the floor. That is a row of its own, yield-apart.
 */
static __attribute__((noinline)) long yield_for(long most)
{
    long mine = 0;

    while (yielding && mine < most && cora_sleep(0) == 0)
        mine++;
    return mine;
}

static __attribute__((noinline)) long yield_apart_for(long most)
{
    long mine = 0;

    while (mine < most && cora_sleep(0) == 0)
        mine++;
    return mine;
}

static int yielder(void *nothing)
{
    (void)nothing;
    unfair += labs(yield_for(LONG_MAX) - laps) > 1;
    return 0;
}

/* The main task is one of the count and keeps the time: every lap of its own is one of all. */
static int yield_in_turn(long count, long (*main_yields)(long most))
{
    long batch = 1 + 100000 / count;
    cora_task **tasks = create_all(yielder, count - 1);
    int rc = cora_sleep(0); /* now every task has its stack */
    int64_t start = cpu_ns();

    do
        laps += main_yields(batch);
    while (!enough(start));
    int64_t elapsed = cpu_ns() - start;

    yielding = false;
    await_all(tasks, count - 1);
    check(unfair == 0, "every task has its turn in every lap");
    report("ns", per(elapsed, laps) / (double)count, NULL);
    return rc;
}

int yield_main(void *arg)
{
    return yield_in_turn(*(long *)arg, yield_for);
}

int yield_apart_main(void *arg)
{
    return yield_in_turn(*(long *)arg, yield_apart_for);
}

/* ---- creating and awaiting ----------------------------------------------------------------- */

static int count_body(void *nothing)
{
    (void)nothing;
    bodies_run++;
    return 0;
}

int spawn_main(void *nothing)
{
    enum { BATCH = 100000 };
    long spawned = 0, failed = 0;

    (void)nothing;
    int64_t start = cpu_ns();
    do {
        for (int i = 0; i < BATCH; i++)
            failed += cora_await_unref(cora_create_task_arg(count_body, NULL)) != 0;
        spawned += BATCH;
    } while (!enough(start));
    int64_t elapsed = cpu_ns() - start;

    check(failed == 0 && bodies_run == spawned, "every task runs once");
    report("ns", per(elapsed, spawned), NULL);
    return 0;
}

static double spawn_many_ns(long count, long rounds)
{
    int64_t start = cpu_ns();

    for (long i = 0; i < rounds; i++)
        await_all(create_all(count_body, count), count);
    return per(cpu_ns() - start, rounds * count);
}

int spawn_many_main(void *arg)
{
    long count = *(long *)arg;
    long rounds = rounds_of(count);
    double first = spawn_many_ns(count, 1);
    double again = spawn_many_ns(count, rounds);

    check(bodies_run == (1 + rounds) * count, "every task runs once");
    report("first_ns", first, "again_ns", again, NULL);
    return 0;
}

/* ---- waiting for one and the same future --------------------------------------------------- */

static cora_future *event;
static long waiting;

static int wait_for_event(void *nothing)
{
    (void)nothing;
    waiting++;
    int rc = cora_await(event);
    bodies_run++;
    return rc;
}

static cora_task **park_all(long count)
{
    cora_task **tasks = create_all(wait_for_event, count);

    waiting = bodies_run = 0;
    event = cora_loop_create_future(cora_get_running_loop());
    check(cora_sleep(0) == 0 && waiting == count && bodies_run == 0, "every task waits");
    return tasks;
}

static void wake_all(cora_task **tasks, long count)
{
    check(cora_future_set_result(event, 0, NULL) == 0, "the future is completed once");
    await_all(tasks, count);
    cora_future_unref(event);
    check(bodies_run == count, "every task is woken and ends");
}

static double parked_ns(long count)
{
    int64_t start = cpu_ns();

    wake_all(park_all(count), count);
    return per(cpu_ns() - start, count);
}

int parked_main(void *arg)
{
    long count = *(long *)arg;
    double first = parked_ns(count);
    double again = parked_ns(count);

    report("first_ns", first, "again_ns", again, NULL);
    return 0;
}

int memory_main(void *arg)
{
    long count = *(long *)arg;
    struct footprint before = footprint();
    cora_task **tasks = park_all(count);
    struct footprint parked = footprint();

    wake_all(tasks, count);
    report_memory(before, parked, count);
    return 0;
}

/* ---- gather -------------------------------------------------------------------------------- */

static int yield_once(void *nothing)
{
    (void)nothing;
    bodies_run++;
    return cora_sleep(0);
}

int gather_main(void *arg)
{
    long count = *(long *)arg, gathered = 0;
    cora_task **tasks = allocate(count, sizeof *tasks);
    int64_t start = cpu_ns();
    int rc;

    do {
        for (long i = 0; i < count; i++)
            tasks[i] = cora_create_task_arg(yield_once, NULL);
        rc = cora_gather(tasks, (size_t)count, NULL, 0);
        for (long i = 0; i < count; i++)
            cora_task_unref(tasks[i]);
        gathered += count;
    } while (rc == 0 && !enough(start));
    int64_t elapsed = cpu_ns() - start;

    check(bodies_run == gathered, "every task runs once");
    report("ns", per(elapsed, gathered), NULL);
    free(tasks);
    return rc;
}
