/* cora: which workload is to run. */
#include "bench.h"

cora_task **create_all(cora_task_fn *body, long count)
{
    cora_task **tasks = allocate(count, sizeof *tasks);

    for (long i = 0; i < count; i++)
        tasks[i] = cora_create_task_arg(body, NULL);
    return tasks;
}

void await_all(cora_task **tasks, long count)
{
    long failed = 0;

    for (long i = 0; i < count; i++)
        failed += cora_await_unref(tasks[i]) != 0;
    check(failed == 0, "every task is created and ends as it should");
    free(tasks);
}

static void run(cora_task_fn *main_task, long count)
{
    int rc = cora_run(main_task, &count);

    if (rc < 0) {
        fprintf(stderr, "wrong: cora_run: %s\n", cora_strerror(rc));
        exit(1);
    }
}

#define RUN(name)                                                                                  \
    static void run_##name(long count)                                                             \
    {                                                                                              \
        run(name##_main, count);                                                                   \
    }

RUN(switch)
RUN(coroutine)
RUN(yield)
RUN(yield_apart)
RUN(spawn)
RUN(spawn_many)
RUN(parked)
RUN(gather)
RUN(memory)
RUN(queue)
RUN(lock)
RUN(sleep)
RUN(timeout)
RUN(fair_sleep)
RUN(fair_socket)
RUN(echo_server)
RUN(echo_streams)
RUN(echo_protocol)
RUN(to_thread)
RUN(handover)
#ifdef CORA_OPENSSL
RUN(sha256_loop)
RUN(sha256_threads)
RUN(sha256_processes)
#endif

int main(int argc, char **argv)
{
    static const struct workload workloads[] = {
        {"switch", run_switch, 1},
        {"coroutine", run_coroutine, 1},
        {"yield", run_yield, 2},
        {"yield_apart", run_yield_apart, 2},
        {"spawn", run_spawn, 1},
        {"spawn_many", run_spawn_many, 100000},
        {"parked", run_parked, 100000},
        {"gather", run_gather, 1000},
        {"memory", run_memory, 100000},
        {"queue", run_queue, 1},
        {"lock", run_lock, 1},
        {"sleep", run_sleep, 100000},
        {"timeout", run_timeout, 100000},
        {"fair_sleep", run_fair_sleep, 1},
        {"fair_socket", run_fair_socket, 1},
        {"echo_server", run_echo_server, 1},
        {"echo_streams", run_echo_streams, 1},
        {"echo_protocol", run_echo_protocol, 1},
        {"to_thread", run_to_thread, 1},
        {"handover", run_handover, 1},
#ifdef CORA_OPENSSL
        {"sha256_loop", run_sha256_loop, 1},
        {"sha256_threads", run_sha256_threads, 2},
        {"sha256_processes", run_sha256_processes, 2},
#endif
        {NULL, NULL, 0},
    };

    return run_workload(argc, argv, workloads);
}
