/* Jobs in the thread pool, so many in flight. */
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
