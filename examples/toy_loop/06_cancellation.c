/*
 * 06_cancellation.c: a task can be cancelled where it waits.
 *
 * What to notice: a cancellation is an error that a wait returns, no more. So all who wait on the
 * way give back what they hold, here a place in a queue and one among the waits, and the task
 * itself ends as after any other error. A timeout is then a task that sleeps and cancels another.
 */
#include <cora/coroutine.h>

#include <errno.h>
#include <math.h>
#include <poll.h>
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
    struct future *waits_for;
    bool cancelled; /* its wait is to return -ECANCELED */
    struct task *next;
};

/* It lies on the stack of who waits. */
struct wait {
    struct future future;
    double deadline; /* INFINITY: none */
    int fd;          /* -1: none */
    struct wait *next;
};

static struct task *ready;
static struct wait *waits; /* the first to be due first */
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
    int rc = task->cancelled ? cora_coroutine_throw(task->coroutine, -ECANCELED, &future)
                             : cora_coroutine_resume(task->coroutine, NULL, &future);

    task->cancelled = false;
    task->waits_for = rc == 0 ? future : NULL;
    if (rc == 0) {
        append(&task->waits_for->waiting, task);
        return;
    }
    set_outcome(&task->future, cora_coroutine_outcome(task->coroutine));
    cora_coroutine_destroy(task->coroutine);
}

/* One that is ready meets it at its next step. */
static void cancel(struct task *task)
{
    struct task **place;

    task->cancelled = !task->future.done;
    if (task->waits_for == NULL || task->waits_for->done)
        return;
    for (place = &task->waits_for->waiting; *place != task;)
        place = &(*place)->next;
    *place = task->next;
    append(&ready, task);
}

/* Until so many seconds have gone by, INFINITY: never, or there is data at fd, -1: nowhere. */
static int wait_for(double seconds, int fd)
{
    struct wait wait = {.deadline = now + seconds, .fd = fd};
    struct wait **place = &waits;
    int rc;

    while (*place != NULL && (*place)->deadline <= wait.deadline)
        place = &(*place)->next;
    wait.next = *place;
    *place = &wait;
    rc = await(&wait.future);
    for (place = &waits; *place != &wait;)
        place = &(*place)->next;
    *place = wait.next;
    return rc;
}

static void wait_for_any(void)
{
    struct pollfd polls[64]; /* a toy's; poll passes over those without a descriptor */
    struct wait *wait = waits;
    double left = fmax(waits->deadline - now, 0);
    int count = 0;

    for (; wait != NULL && count < 64; wait = wait->next)
        polls[count++] = (struct pollfd){.fd = wait->fd, .events = POLLIN};
    poll(polls, (nfds_t)count, isinf(left) ? -1 : (int)ceil(left * 1e3));
    now = read_clock();
    wait = waits;
    for (int i = 0; i < count; i++, wait = wait->next)
        if (polls[i].revents != 0 || wait->deadline <= now)
            set_outcome(&wait->future, 0);
}

static void run(void)
{
    struct task *task;

    now = read_clock();
    for (;;) {
        while ((task = ready) != NULL) {
            ready = task->next;
            step(task);
        }
        if (waits == NULL)
            return;
        wait_for_any();
    }
}

/* ---- a program on it ----------------------------------------------------------------------- */

static int wait_for_ever(void *arg)
{
    int rc = wait_for(INFINITY, -1);

    (void)arg;
    puts(rc == -ECANCELED ? "waiter: cancelled, cleans up" : "waiter: that was long");
    return rc;
}

static int give_up(void *waiter)
{
    int rc = wait_for(0.02, -1);

    cancel(waiter);
    return rc < 0 ? rc : await(&((struct task *)waiter)->future);
}

int main(void)
{
    struct task waiter, timeout;

    if (create_task(&waiter, wait_for_ever, NULL) < 0 ||
        create_task(&timeout, give_up, &waiter) < 0)
        return 1;
    run();
    puts(timeout.future.outcome == -ECANCELED ? "timeout: it has ended" : "timeout: too late");
    return 0;
}
