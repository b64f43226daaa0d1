/* Yielding, creating, waiting for tasks, and what they take while they wait. */
#include "floor.h"

#include <limits.h>

/* ---- yield ---- */

static bool running = true;
static long laps, unfair;

/* All yield at this place; see the same in cora/tasks.c. */
static __attribute__((noinline)) long yield_for(long most)
{
    long mine = 0;

    for (; running && mine < most; mine++)
        yield();
    return mine;
}

static __attribute__((noinline)) long yield_apart_for(long most)
{
    for (long i = 0; i < most; i++)
        yield();
    return most;
}

static void yielder(long nothing)
{
    (void)nothing;
    unfair += labs(yield_for(LONG_MAX) - laps) > 1;
}

/* The main task is one of the count and keeps the time: every lap of its own is one of all. */
static void yield_in_turn(long count, long (*main_yields)(long most))
{
    long batch = 1 + 100000 / count;
    struct task **tasks = spawn_all(yielder, count - 1);

    yield(); /* now every stack has been touched */
    int64_t start = cpu_ns();
    do
        laps += main_yields(batch);
    while (!enough(start));
    int64_t elapsed = cpu_ns() - start;

    running = false;
    join_all(tasks, count - 1);
    check(unfair == 0, "every task has its turn in every lap");
    report("ns", per(elapsed, laps) / (double)count, NULL);
}

void run_yield(long count)
{
    yield_in_turn(count, yield_for);
}

void run_yield_apart(long count)
{
    yield_in_turn(count, yield_apart_for);
}

/* ---- creating and joining ---- */

static void count_body(long nothing)
{
    (void)nothing;
    bodies_run++;
}

void run_spawn(long nothing)
{
    enum { BATCH = 100000 };

    (void)nothing;
    long spawned = 0;
    int64_t start = cpu_ns();
    do {
        for (int i = 0; i < BATCH; i++)
            join(spawn(count_body, 0));
        spawned += BATCH;
    } while (!enough(start));
    int64_t elapsed = cpu_ns() - start;

    check(bodies_run == spawned, "every task runs once");
    report("ns", per(elapsed, spawned), NULL);
}

static double spawn_many_ns(long count, long rounds)
{
    int64_t start = cpu_ns();

    for (long i = 0; i < rounds; i++)
        join_all(spawn_all(count_body, count), count);
    return per(cpu_ns() - start, rounds * count);
}

void run_spawn_many(long count)
{
    long rounds = rounds_of(count);
    double first = spawn_many_ns(count, 1);
    double again = spawn_many_ns(count, rounds);

    check(bodies_run == (1 + rounds) * count, "every task runs once");
    report("first_ns", first, "again_ns", again, NULL);
}

/* ---- waiting for an event ---- */

static struct task *waiters; /* for the event, linked by joiner */

static void wait_for_event(long nothing)
{
    (void)nothing;
    current->joiner = waiters;
    waiters = current;
    park();
    bodies_run++;
}

static struct task **park_all(long count)
{
    struct task **tasks = spawn_all(wait_for_event, count);

    bodies_run = 0;
    yield();
    check(bodies_run == 0, "every task waits");
    return tasks;
}

static void wake_all(struct task **tasks, long count)
{
    for (struct task *next; waiters; waiters = next) {
        next = waiters->joiner;
        waiters->joiner = NULL;
        make_ready(waiters);
    }
    join_all(tasks, count);
    check(bodies_run == count, "every task is woken and ends");
}

static double parked_ns(long count)
{
    int64_t start = cpu_ns();

    wake_all(park_all(count), count);
    return per(cpu_ns() - start, count);
}

void run_parked(long count)
{
    double first = parked_ns(count);
    double again = parked_ns(count);

    report("first_ns", first, "again_ns", again, NULL);
}

void run_memory(long count)
{
    struct footprint before = footprint();
    struct task **tasks = park_all(count);
    struct footprint parked = footprint();

    wake_all(tasks, count);
    report_memory(before, parked, count);
}

/* ---- gather ---- */

static void yield_once(long nothing)
{
    (void)nothing;
    bodies_run++;
    yield();
}

void run_gather(long count)
{
    long gathered = 0;
    int64_t start = cpu_ns();

    do {
        join_all(spawn_all(yield_once, count), count);
        gathered += count;
    } while (!enough(start));
    int64_t elapsed = cpu_ns() - start;

    check(bodies_run == gathered, "every task runs once");
    report("ns", per(elapsed, gathered), NULL);
}
