/* How late a sleep ends and a socket is served while one task yields and never rests. */
#include "bench.h"

static int yield_for_ever(void *nothing)
{
    int rc;

    (void)nothing;
    while ((rc = cora_sleep(0)) == 0)
        ;
    return rc;
}

static int stop_yielding(cora_task *yielder)
{
    cora_task_cancel(yielder);
    return cora_await_unref(yielder) == -ECANCELED ? 0 : -EINVAL;
}

int fair_sleep_main(void *nothing)
{
    int64_t times[FAIR_NAPS];
    cora_task *yielder = cora_create_task_arg(yield_for_ever, NULL);
    int rc = 0;

    (void)nothing;
    for (int i = 0; i < FAIR_NAPS && rc == 0; i++) {
        int64_t start = now_ns();
        rc = cora_sleep(FAIR_NAP_MS / 1e3);
        times[i] = now_ns() - start;
    }
    if (rc < 0)
        return rc;
    report_times(times, FAIR_NAPS, 1e6);
    return stop_yielding(yielder);
}

int fair_socket_main(void *nothing)
{
    static int64_t times[MOST_MESSAGES];
    cora_task *yielder = cora_create_task_arg(yield_for_ever, NULL);
    int64_t sent;
    long count = 0;

    (void)nothing;
    report_ready();
    while (count < MOST_MESSAGES && cora_sock_recv(STDIN_FILENO, &sent, sizeof sent) == sizeof sent)
        times[count++] = since_sent(sent);
    report_times(times, count, 1e3);
    return stop_yielding(yielder);
}
