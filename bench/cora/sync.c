/* Queues and locks. */
#include "bench.h"

enum { BATCH = 100000 };

/* ---- queue: to and fro through two of size 1 ----------------------------------------------- */

static cora_queue there, back;

static int send_back(void *nothing)
{
    void *item;
    int rc = 0;

    (void)nothing;
    while (rc == 0 && (rc = cora_queue_get(&there, &item)) == 0)
        rc = cora_queue_put(&back, item);
    return rc == -CORA_EQUEUESHUTDOWN ? 0 : rc;
}

int queue_main(void *nothing)
{
    long sent = 0, received = 0;
    int rc = 0;

    (void)nothing;
    cora_queue_init(&there, 1);
    cora_queue_init(&back, 1);
    cora_task *other_side = cora_create_task_arg(send_back, NULL);
    int64_t start = cpu_ns();
    do {
        for (int i = 0; i < BATCH && rc == 0; i++) {
            void *item = NULL;
            rc = cora_queue_put(&there, &sent);
            if (rc == 0)
                rc = cora_queue_get(&back, &item);
            received += item == &sent;
        }
        sent += BATCH;
    } while (rc == 0 && !enough(start));
    int64_t elapsed = cpu_ns() - start;

    cora_queue_shutdown(&there, false);
    check(cora_await_unref(other_side) == 0, "the other side ends with the queue");
    cora_queue_destroy(&there);
    cora_queue_destroy(&back);
    check(rc < 0 || received == sent, "every item comes back");
    report("ns", per(elapsed, sent), NULL);
    return rc;
}

/* ---- lock ---------------------------------------------------------------------------------- */

int lock_main(void *nothing)
{
    cora_lock lock = CORA_LOCK_INIT;
    double empty_ns = empty_call_ns();
    long locked = 0, failed = 0;

    (void)nothing;
    int64_t start = cpu_ns();
    do {
        for (int i = 0; i < BATCH; i++) {
            failed += cora_lock_acquire(&lock) != 0;
            failed += cora_lock_release(&lock) != 0;
        }
        locked += BATCH;
    } while (!enough(start));
    double ns = per(cpu_ns() - start, locked);

    check(failed == 0 && !cora_lock_locked(&lock), "the lock is free each time");
    report("ns", ns, "over_ns", ns - empty_ns, NULL);
    return 0;
}
