/*
 * periodic_jobs.c: jobs in the background, each with a period of its own, until the program ends.
 *
 * What to notice: a job is due at start + n * period, however long its runs take, so it does not
 * drift; where a run has taken longer than the period, what was missed is skipped rather than made
 * up for. A run that fails is counted, and the next one is made all the same. When the program has
 * seen what it waits for it cancels the scheduler of the heartbeat, which ends in its sleep; a run
 * that is going on would be cancelled with it, and could clean up.
 */
#include <cora.h>

#include <math.h>
#include <stdio.h>

struct job {
    const char *name;
    double period;
    cora_task_fn *run;
    int max_runs; /* 0: as many as there is time for */
    int runs, failed, skipped;
};

/* ---- the jobs ------------------------------------------------------------------------------ */

static int heartbeat(void *arg)
{
    (void)arg;
    return 0;
}

static int upload(void *arg)
{
    struct job *job = arg;
    int rc = cora_sleep(0.005);

    if (rc < 0)
        return rc;
    return job->runs % 2 == 0 ? -ECONNREFUSED : 0; /* every other time */
}

static int report(void *arg)
{
    struct job *job = arg;

    return cora_sleep(job->period * 1.5); /* never in time for the next one */
}

/* ---- the scheduler ------------------------------------------------------------------------- */

static int schedule(void *arg)
{
    struct job *job = arg;
    cora_loop *loop = cora_get_running_loop();
    double start = cora_loop_time(loop);
    int rc;

    for (int tick = 1; job->max_runs == 0 || job->runs < job->max_runs; tick++) {
        double now = cora_loop_time(loop);
        int missed = (int)floor((now - start) / job->period) - (tick - 1);

        if (missed > 0) {
            job->skipped += missed;
            tick += missed;
        }
        rc = cora_sleep(start + tick * job->period - now);
        if (rc < 0)
            return rc;
        rc = job->run(job);
        if (rc == -ECANCELED)
            return rc;
        job->runs++;
        job->failed += rc < 0;
    }
    return 0;
}

static CORA_SUSPENDS int run_all(struct job *for_ever, struct job *first, struct job *second)
{
    cora_task *endless, *tasks[2];
    cora_task_group group;
    int rc;

    cora_task_group_enter(&group);
    rc = cora_task_group_create_task_arg_with(&group, NULL, &endless, schedule, for_ever);
    if (rc == 0)
        rc = cora_task_group_create_task_arg_with(&group, NULL, &tasks[0], schedule, first);
    if (rc == 0)
        rc = cora_task_group_create_task_arg_with(&group, NULL, &tasks[1], schedule, second);
    if (rc == 0)
        rc = cora_gather(tasks, 2, NULL, 0);
    if (rc == 0)
        cora_task_cancel(endless);
    return cora_task_group_exit(&group, rc);
}

static int background(void *arg)
{
    struct job beats = {.name = "heartbeat", .period = 0.02, .run = heartbeat};
    struct job uploads = {.name = "upload", .period = 0.03, .run = upload, .max_runs = 4};
    struct job reports = {.name = "report", .period = 0.04, .run = report, .max_runs = 2};
    int rc = run_all(&beats, &uploads, &reports);

    (void)arg;
    printf("%s: %d runs, %d failed\n", uploads.name, uploads.runs, uploads.failed);
    printf("%s: %d runs, %d failed\n", reports.name, reports.runs, reports.failed);
    printf("%s: %s\n", reports.name, reports.skipped > 0 ? "skipped some" : "skipped none");
    printf("%s: %s\n", beats.name, beats.runs > 0 ? "has run all the while" : "has never run");
    return rc;
}

int main(void)
{
    int rc = cora_run(background, NULL);

    if (rc < 0)
        fprintf(stderr, "periodic_jobs: %s\n", cora_strerror(rc));
    return rc < 0;
}
