/* Sleeps and timeouts. */
#include "bench.h"

/* ---- sleep --------------------------------------------------------------------------------- */

struct nap_args {
    int64_t length;
};

static int nap(void *arg)
{
    struct nap_args *a = arg;
    int64_t due = now_ns() + a->length;
    int rc = cora_sleep((double)a->length / 1e9);

    nap_ended(due);
    return rc;
}

int sleep_main(void *arg)
{
    long count = *(long *)arg;
    int64_t start = now_ns(), cpu = cpu_ns();
    cora_task **tasks = allocate(count, sizeof *tasks);

    for (long i = 0; i < count; i++)
        tasks[i] = cora_create_task(nap, .length = nap_ns(i, count));
    await_all(tasks, count);
    report_naps(start, cpu, count);
    return 0;
}

/* ---- timeout: entered and left while others are armed -------------------------------------- */

static void never(void *nothing)
{
    (void)nothing;
    check(false, "no timer expires");
}

int timeout_main(void *arg)
{
    enum { BATCH = 10000 };
    long count = *(long *)arg, entered = 0, failed = 0;
    cora_loop *loop = cora_get_running_loop();
    cora_timer_handle **others = allocate(count, sizeof *others);

    for (long i = 0; i < count; i++)
        failed += cora_loop_call_later(loop, armed_s(i, count), never, NULL, &others[i]) != 0;
    int64_t start = cpu_ns();
    do {
        for (int i = 0; i < BATCH; i++) {
            cora_timeout timeout;
            cora_timeout_enter(&timeout, passing_s);
            failed += cora_timeout_exit(&timeout, 0) != 0;
        }
        entered += BATCH;
    } while (!enough(start));
    int64_t elapsed = cpu_ns() - start;

    check(failed == 0, "every timeout is left in time");
    for (long i = 0; i < count; i++) {
        cora_handle_cancel(others[i]);
        cora_handle_unref(others[i]);
    }
    free(others);
    report("ns", per(elapsed, entered), NULL);
    return 0;
}
