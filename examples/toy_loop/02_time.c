/*
 * 02_time.c: a coroutine yields until when it sleeps, and while all do the loop sleeps as well.
 *
 * What to notice: what is yielded is for the loop, not for the caller: "do not come back before".
 * Three dishes are ready in the time of the longest, not in the sum, and nobody asks meanwhile.
 */
#include <cora/coroutine.h>

#include <stdio.h>
#include <time.h>

struct task {
    cora_coroutine *coroutine;
    double deadline;
    struct task *next;
};

static struct task *ready;
static struct task *timers; /* the first to be due first */
static double now;

static double read_clock(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void append(struct task **queue, struct task *task)
{
    while (*queue != NULL)
        queue = &(*queue)->next;
    task->next = NULL;
    *queue = task;
}

static int create_task(struct task *task, cora_coroutine_fn *fn, void *arg)
{
    task->coroutine = NULL;
    append(&ready, task);
    return cora_coroutine_create(&task->coroutine, fn, arg, 0);
}

/* ---- time ---------------------------------------------------------------------------------- */

static int sleep_for(double seconds)
{
    double deadline = now + seconds;

    return cora_coroutine_yield(&deadline, NULL);
}

static void start_timer(struct task *task, double deadline)
{
    struct task **place = &timers;

    while (*place != NULL && (*place)->deadline <= deadline)
        place = &(*place)->next;
    task->deadline = deadline;
    task->next = *place;
    *place = task;
}

static void wait_for_timers(void)
{
    double seconds = timers->deadline - now;
    struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    struct task *task;

    if (ready == NULL && seconds > 0)
        nanosleep(&time, NULL);
    now = read_clock();
    while ((task = timers) != NULL && task->deadline <= now) {
        timers = task->next;
        append(&ready, task);
    }
}

/* ---- the loop ------------------------------------------------------------------------------ */

static void step(struct task *task)
{
    void *deadline;

    if (cora_coroutine_resume(task->coroutine, NULL, &deadline) == 0)
        start_timer(task, *(double *)deadline);
    else
        cora_coroutine_destroy(task->coroutine);
}

static void run(void)
{
    struct task *task;

    now = read_clock();
    while (ready != NULL || timers != NULL) {
        while ((task = ready) != NULL) {
            ready = task->next;
            step(task);
        }
        if (timers != NULL)
            wait_for_timers();
    }
}

/* ---- a program on it ----------------------------------------------------------------------- */

struct dish {
    const char *name;
    double seconds;
};

static int prepare(void *arg)
{
    struct dish *dish = arg;
    int rc;

    printf("%s: begun\n", dish->name);
    rc = sleep_for(dish->seconds);
    if (rc == 0)
        printf("%s: done\n", dish->name);
    return rc;
}

int main(void)
{
    struct dish dishes[] = {{"tea", 0.06}, {"toast", 0.04}, {"egg", 0.02}};
    struct task tasks[3];

    for (int i = 0; i < 3; i++)
        if (create_task(&tasks[i], prepare, &dishes[i]) < 0)
            return 1;
    run();
    return 0;
}
