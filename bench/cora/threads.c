/* Jobs in the thread pool, and items to a thread and back, so many in flight. */
#include "bench.h"

static bool going_on = true;
static long jobs;

struct job_args {
    long done;
};

static int job(void *arg)
{
    ((struct job_args *)arg)->done++;
    return 0;
}

static int one_after_another(void *nothing)
{
    struct job_args args = {0};
    long asked = 0;
    int rc = 0;

    (void)nothing;
    for (; going_on && rc == 0; asked++)
        rc = cora_to_thread(job, &args);
    check(rc < 0 || args.done == asked, "every job is done once");
    jobs += asked;
    return rc;
}

int to_thread_main(void *arg)
{
    long in_flight = *(long *)arg;
    int64_t start = now_ns(), cpu = cpu_ns();
    cora_task **tasks = create_all(one_after_another, in_flight);
    int rc = cora_sleep(loop_seconds());

    going_on = false;
    await_all(tasks, in_flight);
    report("us", per(now_ns() - start, jobs) / 1e3, "cpu_us", per(cpu_ns() - cpu, jobs) / 1e3,
           NULL);
    return rc;
}

/* ---- through queues ---- */

static struct ways {
    cora_threading_queue there, back;
} ways;

/* Sends back what it gets, until the queue is shut down. */
static void *send_back(void *nothing)
{
    void *item;
    int rc = 0;

    (void)nothing;
    while (rc == 0) {
        rc = cora_threading_queue_get(&ways.there, &item, INFINITY);
        if (rc == 0)
            rc = cora_threading_queue_put(&ways.back, item, INFINITY);
    }
    check(rc == -CORA_EQUEUESHUTDOWN, "the thread goes on to the end");
    return NULL;
}

/* An item counts how often it was there. */
static int send_again_and_again(long counts[], long in_flight)
{
    int64_t end = now_ns() + (int64_t)(loop_seconds() * 1e9);
    void *item;
    int rc = 0;

    for (long i = 0; i < in_flight && rc == 0; i++)
        rc = cora_threading_queue_async_put(&ways.there, &counts[i]);
    while (in_flight > 0 && rc == 0) {
        rc = cora_threading_queue_async_get(&ways.back, &item);
        if (rc < 0)
            break;
        ++*(long *)item;
        if (now_ns() < end)
            rc = cora_threading_queue_async_put(&ways.there, item);
        else
            in_flight--;
    }
    return rc;
}

int handover_main(void *arg)
{
    long in_flight = *(long *)arg, trips = 0;
    long *counts = calloc((size_t)in_flight, sizeof *counts);
    int64_t start = now_ns(), cpu = cpu_ns();
    pthread_t thread;
    int rc;

    cora_threading_queue_init(&ways.there, 0);
    cora_threading_queue_init(&ways.back, 0);
    check(counts != NULL && pthread_create(&thread, NULL, send_back, NULL) == 0,
          "there is a thread");
    rc = send_again_and_again(counts, in_flight);
    cora_threading_queue_shutdown(&ways.there, false);
    pthread_join(thread, NULL);
    for (long i = 0; i < in_flight; i++) {
        check(counts[i] > 0, "every item comes back");
        trips += counts[i];
    }
    report("us", per(now_ns() - start, trips) / 1e3, "cpu_us", per(cpu_ns() - cpu, trips) / 1e3,
           NULL);
    free(counts);
    return rc;
}
