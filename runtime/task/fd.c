/*
 * fd.c: a task waits for a descriptor. Readiness queues the handle of a waiter on the task's stack,
 * which completes its future, which wakes the task in the iteration after.
 */
#include <cora/waiter.h>

#include "task/task.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct fd_wait {
    struct cora__io_waiter io;
    int fd;
    enum cora__direction direction;
    struct cora_future future;
};

/* Its task has not run yet, but its place is free: the next may wait for the same. */
static bool cancel(struct cora_future *future, const char *message)
{
    struct fd_wait *wait = cora__container_of(future, struct fd_wait, future);

    if (!cora__future_done(future))
        cora__io_stop(future->loop, wait->fd, wait->direction, &wait->io);
    return cora__future_cancel_plain(future, message);
}

static const char *describe(struct cora_future *future, char *text, size_t size)
{
    const struct fd_wait *wait = cora__container_of(future, struct fd_wait, future);

    snprintf(text, size, "descriptor %d to be %s", wait->fd,
             wait->direction == CORA__READ ? "readable" : "writable");
    return text;
}

static const struct cora__future_kind fd_wait_kind = {.cancel = cancel, .describe = describe};

static void on_ready(void *arg)
{
    struct fd_wait *wait = arg;

    cora__future_wake(&wait->future);
}

static int wait_for(int fd, enum cora__direction direction)
{
    struct cora__task *task = cora__current_task();
    struct fd_wait wait;
    int rc;

    if (task == NULL)
        return -CORA_ENOTASK;
    cora__handle_init(&wait.io.handle, on_ready, &wait);
    wait.io.once = true;
    wait.io.owner = NULL;
    wait.fd = fd;
    wait.direction = direction;
    cora__future_init(&wait.future, task->future.loop, &fd_wait_kind, "descriptor");
    rc = cora__io_start(task->future.loop, fd, direction, &wait.io);
    if (rc < 0)
        return rc;
    rc = cora_await(&wait.future);
    cora__io_stop(task->future.loop, fd, direction, &wait.io);
    return rc < 0 ? rc : wait.io.result;
}

int cora_wait_readable(int fd)
{
    return wait_for(fd, CORA__READ);
}

int cora_wait_writable(int fd)
{
    return wait_for(fd, CORA__WRITE);
}

void cora_fd_opened(int fd)
{
    if (cora__loop_running != NULL)
        cora__io_opened(cora__loop_running, fd);
}

void cora_fd_set_drained(int fd)
{
    if (cora__loop_running != NULL)
        cora__io_set_drained(cora__loop_running, fd);
}

bool cora_fd_is_drained(int fd)
{
    return cora__loop_running != NULL && cora__io_is_drained(cora__loop_running, fd);
}

int cora_close_fd(int fd)
{
    if (cora__loop_running != NULL)
        cora__io_forget(cora__loop_running, fd);
    return close(fd) == 0 ? 0 : -errno;
}
