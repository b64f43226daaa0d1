/*
 * 04_tasks.c: a task is a coroutine that the loop drives, and a future: others wait for its
 * outcome.
 *
 * What to notice: the one new thing is that a task begins with a future, and that its end sets it.
 * So tasks wait for tasks by what is there already, and `gather` is a loop over `await`: all have
 * been created before, so they run side by side, whoever is waited for first.
 */
#include <cora/coroutine.h>

#include <stdio.h>
#include <time.h>

/* An outcome that is not there yet, and who waits for it, first come, first served. */
struct future {
    bool done;
    int outcome;
    struct task *waiting;
};

/* A future too: its outcome is what its function returns. */
struct task {
    struct future future;
    cora_coroutine *coroutine;
    struct task *next;
};

/* It lies on the stack of who sleeps. */
struct timer {
    struct future future;
    double deadline;
    struct timer *next;
};

static struct task *ready;
static struct timer *timers; /* the first to be due first */
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

/* ---- futures ------------------------------------------------------------------------------- */

/* Yields the future, for `step` to put the task into its queue. */
static int await(struct future *future)
{
    int rc = future->done ? 0 : cora_coroutine_yield(future, NULL);

    return rc < 0 ? rc : future->outcome;
}

static void set_outcome(struct future *future, int outcome)
{
    struct task *task;

    future->done = true;
    future->outcome = outcome;
    while ((task = future->waiting) != NULL) {
        future->waiting = task->next;
        append(&ready, task);
    }
}

/* ---- tasks --------------------------------------------------------------------------------- */

/* Where there is no memory, it will end at once with -ENOMEM. */
static int create_task(struct task *task, cora_coroutine_fn *fn, void *arg)
{
    *task = (struct task){.next = NULL};
    append(&ready, task);
    return cora_coroutine_create(&task->coroutine, fn, arg, 0);
}

static void step(struct task *task)
{
    void *future;

    if (cora_coroutine_resume(task->coroutine, NULL, &future) == 0) {
        append(&((struct future *)future)->waiting, task);
        return;
    }
    set_outcome(&task->future, cora_coroutine_outcome(task->coroutine));
    cora_coroutine_destroy(task->coroutine);
}

static int gather(struct task tasks[], int count, int outcomes[])
{
    int rc = 0;

    for (int i = 0; i < count; i++) {
        outcomes[i] = await(&tasks[i].future);
        if (outcomes[i] < 0 && rc == 0)
            rc = outcomes[i];
    }
    return rc;
}

/* ---- time ---------------------------------------------------------------------------------- */

static int sleep_for(double seconds)
{
    struct timer timer = {.deadline = now + seconds};
    struct timer **place = &timers;

    while (*place != NULL && (*place)->deadline <= timer.deadline)
        place = &(*place)->next;
    timer.next = *place;
    *place = &timer;
    return await(&timer.future);
}

static void wait_for_timers(void)
{
    double seconds = timers->deadline - now;
    struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    struct timer *timer;

    if (ready == NULL && seconds > 0)
        nanosleep(&time, NULL);
    now = read_clock();
    while ((timer = timers) != NULL && timer->deadline <= now) {
        timers = timer->next;
        set_outcome(&timer->future, 0);
    }
}

/* ---- the loop ------------------------------------------------------------------------------ */

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

static int count_sheep(void *arg)
{
    int sheep = *(int *)arg;
    int rc = 0;

    for (int i = 0; i < sheep && rc == 0; i++)
        rc = sleep_for(0.01);
    printf("%d sheep counted\n", sheep);
    return rc < 0 ? rc : sheep;
}

static int main_task(void *arg)
{
    static struct task tasks[3];
    static int sheep[3] = {5, 1, 3};
    int outcomes[3], rc = 0;

    (void)arg;
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = create_task(&tasks[i], count_sheep, &sheep[i]);
    if (rc == 0)
        rc = gather(tasks, 3, outcomes);
    if (rc == 0)
        printf("outcomes: %d %d %d\n", outcomes[0], outcomes[1], outcomes[2]);
    return rc;
}

int main(void)
{
    struct task task;

    if (create_task(&task, main_task, NULL) < 0)
        return 1;
    run();
    return task.future.outcome < 0;
}
