/* 100,000 sleeps. */
#include "floor.h"

static struct sleeper {
    int64_t due;
    struct task *task;
} * sleepers;
static long sleeping, sleepers_in_all;

static void sleep_body(long k)
{
    int64_t due = now_ns() + nap_ns(k, sleepers_in_all);

    sleepers[sleeping++] = (struct sleeper){due, current};
    park();
    nap_ended(due);
}

static int earlier_due(const void *a, const void *b)
{
    int64_t due_a = ((const struct sleeper *)a)->due, due_b = ((const struct sleeper *)b)->due;

    return (due_a > due_b) - (due_a < due_b);
}

/* The main task plays the timer queue: all sleeps are known before the first ends, so one sort is
 * enough. */
void run_sleep(long count)
{
    sleepers_in_all = count;
    sleepers = allocate(count, sizeof *sleepers);
    int64_t start = now_ns(), cpu = cpu_ns();
    struct task **tasks = spawn_all(sleep_body, count);

    yield();
    qsort(sleepers, (size_t)count, sizeof *sleepers, earlier_due);
    for (long next = 0; next < count;) {
        /* In whole milliseconds, as epoll_wait. */
        int64_t due = (sleepers[next].due / 1000000 + 1) * 1000000;
        struct timespec until = {due / 1000000000, due % 1000000000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        for (int64_t now = now_ns(); next < count && sleepers[next].due <= now; next++)
            make_ready(sleepers[next].task);
        yield();
    }
    join_all(tasks, count);
    report_naps(start, cpu, count);
}
