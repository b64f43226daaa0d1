/*
 * 03_futures.c: a coroutine yields a future, an outcome that is not there yet, and goes on when
 * somebody sets it.
 *
 * What to notice: the loop no longer knows what is waited for. A sleep is a future that a timer
 * sets, and whatever the next steps bring (tasks, descriptors) is a future that something else
 * sets. `await` returns at once where the outcome is there already.
 */
#include <cora/coroutine.h>

#include <stdio.h>
#include <time.h>

struct task {
    cora_coroutine *coroutine;
    struct task *next;
};

/* An outcome that is not there yet, and who waits for it, first come, first served. */
struct future {
    bool done;
    int outcome;
    struct task *waiting;
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

static int create_task(struct task *task, cora_coroutine_fn *fn, void *arg)
{
    task->coroutine = NULL;
    append(&ready, task);
    return cora_coroutine_create(&task->coroutine, fn, arg, 0);
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

static void step(struct task *task)
{
    void *future;

    if (cora_coroutine_resume(task->coroutine, NULL, &future) == 0)
        append(&((struct future *)future)->waiting, task);
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

static struct future bread;

static int bake(void *arg)
{
    int rc;

    (void)arg;
    puts("baker: in the oven");
    rc = sleep_for(0.02);
    if (rc < 0)
        return rc;
    puts("baker: 3 loaves are done");
    set_outcome(&bread, 3);
    return 0;
}

static int eat(void *arg)
{
    int loaves;

    printf("%s: waits for bread\n", (const char *)arg);
    loaves = await(&bread);
    if (loaves >= 0)
        printf("%s: sees %d loaves\n", (const char *)arg, loaves);
    return loaves;
}

int main(void)
{
    struct task baker, ann, ben;

    if (create_task(&ann, eat, "Ann") < 0 || create_task(&baker, bake, NULL) < 0 ||
        create_task(&ben, eat, "Ben") < 0)
        return 1;
    run();
    return 0;
}
