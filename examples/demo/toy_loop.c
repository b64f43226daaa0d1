#include "toy_loop.h"

#include "trace.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>

struct toy_task {
    cora_coroutine *coroutine;
    struct toy_wait *wait; /* what it has yielded, on its own stack; NULL: it is ready */
};

int toy_wait(int fd, short events, double deadline)
{
    struct toy_wait wait = {.fd = fd, .events = events, .deadline = deadline};
    int rc = cora_coroutine_yield(&wait, NULL);

    if (rc < 0)
        return rc;
    return wait.timed_out ? -ETIMEDOUT : 0;
}

static int make_room(struct toy_loop *loop)
{
    size_t room = loop->room != 0 ? 2 * loop->room : 64;
    struct toy_task *tasks;
    struct pollfd *polls;

    if (loop->count < loop->room)
        return 0;
    tasks = realloc(loop->tasks, room * sizeof tasks[0]);
    if (tasks == NULL)
        return -ENOMEM;
    loop->tasks = tasks;
    polls = realloc(loop->polls, room * sizeof polls[0]);
    if (polls == NULL)
        return -ENOMEM;
    loop->polls = polls;
    loop->room = room;
    return 0;
}

int toy_loop_add(struct toy_loop *loop, cora_coroutine_fn *fn, void *arg)
{
    struct toy_task task = {.wait = NULL};
    int rc = make_room(loop);

    if (rc == 0)
        rc = cora_coroutine_create(&task.coroutine, fn, arg, 0);
    if (rc == 0)
        loop->tasks[loop->count++] = task;
    return rc;
}

/* Lets a task run up to its next yield. False when it has ended instead. */
static bool step(struct toy_task *task)
{
    void *yielded;

    if (cora_coroutine_resume(task->coroutine, NULL, &yielded) < 0) {
        cora_coroutine_destroy(task->coroutine);
        return false;
    }
    task->wait = yielded;
    return true;
}

/* Each task that is ready takes a step; the last one fills the place of one that has ended. */
static void step_all(struct toy_loop *loop)
{
    for (size_t i = 0; i < loop->count;) {
        if (loop->tasks[i].wait != NULL || step(&loop->tasks[i]))
            i++;
        else
            loop->tasks[i] = loop->tasks[--loop->count];
    }
}

/* Milliseconds until the first deadline, rounded up; -1 where there is none. */
static int time_left(const struct toy_loop *loop)
{
    double first = INFINITY;

    for (size_t i = 0; i < loop->count; i++)
        first = fmin(first, loop->tasks[i].wait->deadline);
    if (isinf(first))
        return -1;
    return (int)fmin(fmax(ceil((first - now()) * 1e3), 0), 1e6);
}

/* Blocks until something that a task waits for has happened, and makes such tasks ready. */
static int wait_for_any(struct toy_loop *loop)
{
    for (size_t i = 0; i < loop->count; i++) {
        loop->polls[i].fd = loop->tasks[i].wait->fd;
        loop->polls[i].events = loop->tasks[i].wait->events;
        loop->polls[i].revents = 0;
    }
    if (poll(loop->polls, loop->count, time_left(loop)) < 0 && errno != EINTR)
        return -errno;

    double time = now();

    for (size_t i = 0; i < loop->count; i++) {
        struct toy_wait *wait = loop->tasks[i].wait;

        wait->timed_out = loop->polls[i].revents == 0 && wait->deadline <= time;
        if (loop->polls[i].revents != 0 || wait->timed_out)
            loop->tasks[i].wait = NULL;
    }
    return 0;
}

int toy_loop_run(struct toy_loop *loop)
{
    int rc = 0;

    step_all(loop);
    while (loop->count > 0 && rc == 0) {
        rc = wait_for_any(loop);
        if (rc == 0)
            step_all(loop);
    }
    while (loop->count > 0)
        cora_coroutine_destroy(loop->tasks[--loop->count].coroutine);
    free(loop->tasks);
    free(loop->polls);
    return rc;
}
