/*
 * cora: the workloads of peers/floor.c, written as a user would, against the public headers alone.
 */
#include "measure.h"

#include <cora.h>

#include <signal.h>

/* ---- what the workloads share -------------------------------------------------------------- */

static long bodies_run;

/* Runs body(&count) as the main task. */
static void run_main(cora_task_fn *body, long count)
{
    int rc = cora_run(body, &count);

    if (rc < 0) {
        fprintf(stderr, "wrong: cora_run: %s\n", cora_strerror(rc));
        exit(1);
    }
}

static cora_task **create_all(cora_task_fn *body, long count)
{
    cora_task **tasks = allocate(count, sizeof *tasks);

    for (long i = 0; i < count; i++)
        tasks[i] = cora_create_task_arg(body, NULL);
    return tasks;
}

/* Every task is to end with `outcome`; NULL in the place of a task would end with -ENOMEM. */
static void await_all(cora_task **tasks, long count, int outcome)
{
    long others = 0;

    for (long i = 0; i < count; i++)
        others += cora_await_unref(tasks[i]) != outcome;
    check(others == 0, "every task is created and ends as it should");
    free(tasks);
}

/* ---- switch -------------------------------------------------------------------------------- */

static int switch_back(void *nothing)
{
    (void)nothing;
    while (cora_coroutine_yield(NULL, NULL) == 0)
        ;
    return 0;
}

static int switch_main(void *nothing)
{
    enum { BATCH = 100000 };
    cora_coroutine *coroutine;
    long switches = 0, failed = 0;

    (void)nothing;
    check(cora_coroutine_create(&coroutine, switch_back, NULL, 0) == 0, "a coroutine is created");
    int64_t start = now_ns();
    do {
        for (int i = 0; i < BATCH; i++)
            failed += cora_coroutine_resume(coroutine, NULL, NULL) != 0;
        switches += 2 * BATCH;
    } while (!enough(start));
    int64_t elapsed = now_ns() - start;

    check(failed == 0, "every resume ends in a yield");
    check(cora_coroutine_destroy(coroutine) == 0, "the coroutine ends when it is closed");
    report("ns", (double)elapsed / (double)switches, NULL);
    return 0;
}

static void run_switch(long nothing)
{
    run_main(switch_main, nothing);
}

/* ---- yield --------------------------------------------------------------------------------- */

static bool yielding = true;
static long laps, unfair;

static int yielder(void *nothing)
{
    long mine = 0;
    int rc = 0;

    (void)nothing;
    for (; yielding && rc == 0; mine++)
        rc = cora_sleep(0);
    unfair += labs(mine - laps) > 1;
    return rc;
}

/* The main task is one of the count and keeps the time: every lap of its own is one of all. */
static int yield_main(void *arg)
{
    long count = *(long *)arg, batch = 1 + 10000 / count;
    cora_task **tasks = create_all(yielder, count - 1);
    int rc = cora_sleep(0); /* now every task has its stack */
    int64_t start = now_ns();

    do {
        for (long i = 0; i < batch && rc == 0; i++)
            rc = cora_sleep(0);
        laps += batch;
    } while (!enough(start));
    int64_t elapsed = now_ns() - start;

    yielding = false;
    await_all(tasks, count - 1, 0);
    check(unfair == 0, "every task has its turn in every lap");
    report("ns", (double)elapsed / (double)laps / (double)count, NULL);
    return rc;
}

static void run_yield(long count)
{
    run_main(yield_main, count);
}

/* ---- spawn --------------------------------------------------------------------------------- */

static int count_body(void *nothing)
{
    (void)nothing;
    bodies_run++;
    return 0;
}

static int spawn_main(void *nothing)
{
    enum { BATCH = 10000 };
    long spawned = 0, failed = 0;

    (void)nothing;
    int64_t start = now_ns();
    do {
        for (int i = 0; i < BATCH; i++)
            failed += cora_await_unref(cora_create_task_arg(count_body, NULL)) != 0;
        spawned += BATCH;
    } while (!enough(start));
    int64_t elapsed = now_ns() - start;

    check(failed == 0 && bodies_run == spawned, "every task runs once");
    report("ns", (double)elapsed / (double)spawned, NULL);
    return 0;
}

static void run_spawn(long nothing)
{
    run_main(spawn_main, nothing);
}

static double spawn_many_ns(long count)
{
    int64_t start = now_ns();

    await_all(create_all(count_body, count), count, 0);
    return (double)(now_ns() - start) / (double)count;
}

static int spawn_many_main(void *arg)
{
    long count = *(long *)arg;
    double first = spawn_many_ns(count);
    double again = spawn_many_ns(count);

    check(bodies_run == 2 * count, "every task runs once");
    report("first_ns", first, "again_ns", again, NULL);
    return 0;
}

static void run_spawn_many(long count)
{
    run_main(spawn_many_main, count);
}

/* ---- sleep --------------------------------------------------------------------------------- */

static long early;

struct nap_args {
    int64_t length;
};

static int nap(void *arg)
{
    struct nap_args *a = arg;
    int64_t due = now_ns() + a->length;
    int rc = cora_sleep((double)a->length / 1e9);

    early += now_ns() < due;
    bodies_run++;
    return rc;
}

static int sleep_main(void *arg)
{
    long count = *(long *)arg;
    int64_t start = now_ns(), cpu = cpu_ns();
    cora_task **tasks = allocate(count, sizeof *tasks);

    for (long i = 0; i < count; i++)
        tasks[i] = cora_create_task(nap, .length = nap_ns(i, count));
    await_all(tasks, count, 0);
    check(bodies_run == count, "every task runs once");
    report_sleep(start, cpu, count, early);
    return 0;
}

static void run_sleep(long count)
{
    run_main(sleep_main, count);
}

/* ---- memory -------------------------------------------------------------------------------- */

static cora_wait_queue waiters;
static long parked_tasks;

static int wait_for_event(void *nothing)
{
    cora_waiter waiter;

    (void)nothing;
    cora_waiter_init(&waiter, "event", NULL);
    cora_wait_queue_append(&waiters, &waiter);
    parked_tasks++;
    int rc = cora_waiter_wait(&waiter);
    cora_wait_queue_remove(&waiters, &waiter);
    bodies_run++;
    return rc;
}

/* Woken they are by being cancelled: it is more than an event would do to them. */
static int memory_main(void *arg)
{
    long count = *(long *)arg, cancelled = 0;
    struct footprint before = footprint();
    cora_task **tasks = create_all(wait_for_event, count);
    int rc = cora_sleep(0);
    struct footprint parked = footprint();

    check(parked_tasks == count && bodies_run == 0, "every task waits");
    for (long i = 0; i < count; i++)
        cancelled += cora_task_cancel(tasks[i]);
    await_all(tasks, count, -ECANCELED);
    check(cancelled == count && bodies_run == count, "every task is cancelled and ends");
    report_memory(before, parked, count);
    return rc;
}

static void run_memory(long count)
{
    run_main(memory_main, count);
}

/* ---- echo ---------------------------------------------------------------------------------- */

struct echo_args {
    int fd;
};

static int echo(void *arg)
{
    struct echo_args *a = arg;
    char buffer[16384];
    ssize_t size;
    int rc = 0;

    while (rc == 0 && (size = cora_sock_recv(a->fd, buffer, sizeof buffer)) > 0)
        rc = cora_sock_sendall(a->fd, buffer, (size_t)size, NULL);
    cora_close_fd(a->fd);
    return 0; /* how a connection ends is the client's affair */
}

struct accept_all_args {
    int listener;
};

static int accept_all(void *arg)
{
    struct accept_all_args *a = arg;
    int fd;

    while ((fd = cora_sock_accept(a->listener, NULL, NULL)) >= 0)
        cora_task_unref(cora_create_task(echo, .fd = fd));
    return fd;
}

static void stop(void *future)
{
    if (!cora_future_done(future))
        check(cora_future_set_result(future, 0, NULL) == 0, "the server can be told to end");
}

/* The tasks that are left are cancelled by cora_run. */
static int echo_main(void *nothing)
{
    cora_loop *loop = cora_get_running_loop();
    cora_future *end = cora_loop_create_future(loop);
    int listener = listen_on_loopback(), rc;

    (void)nothing;
    rc = cora_loop_add_signal_handler(loop, SIGTERM, stop, end);
    if (rc == 0) /* nobody writes there: it is readable when it is closed */
        rc = cora_loop_add_reader(loop, STDIN_FILENO, stop, end);
    if (rc < 0)
        return rc;
    cora_task_unref(cora_create_task(accept_all, .listener = listener));
    report_port(listener);

    int64_t cpu = cpu_ns();
    rc = cora_await(end);
    report("cpu_us", (double)(cpu_ns() - cpu) / 1e3, NULL);
    cora_loop_remove_reader(loop, STDIN_FILENO);
    cora_loop_remove_signal_handler(loop, SIGTERM);
    cora_future_unref(end);
    cora_close_fd(listener);
    return rc;
}

static void run_echo_server(long nothing)
{
    run_main(echo_main, nothing);
}

int main(int argc, char **argv)
{
    static const struct workload workloads[] = {
        {"switch", run_switch, 1},
        {"yield", run_yield, 2},
        {"spawn", run_spawn, 1},
        {"spawn_many", run_spawn_many, 100000},
        {"sleep", run_sleep, 100000},
        {"memory", run_memory, 100000},
        {"echo_server", run_echo_server, 1},
        {NULL, NULL, 0},
    };

    return run_workload(argc, argv, workloads);
}
