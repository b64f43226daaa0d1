/*
 * way_cora.c: a task for each file, in one thread. What the toy loop lacks is here one line each: a
 * limit on how many run at a time (the semaphore), a limit on how long each takes (the timeout,
 * which cuts off whatever call it finds the task in), and an end that waits for all (the group).
 */
#include "ways.h"

#include <cora/run.h>
#include <cora/semaphore.h>
#include <cora/sock.h>
#include <cora/task_group.h>
#include <cora/thread.h>
#include <cora/timeout.h>

#include <math.h>
#include <signal.h>
#include <stdio.h>

/* ---- bytes, by calls that suspend the task -------------------------------------------------- */

/* A job of the loop's thread pool, which may run it in any of its threads. */
static atomic_int *threads;

static int look_up_in_thread(void *lookup)
{
    static _Thread_local bool counted;

    if (!counted)
        atomic_fetch_add(threads, 1);
    counted = true;
    return look_up(lookup);
}

/* getaddrinfo blocks, so it is done off the loop. */
static int task_resolve(struct lookup *lookup)
{
    return cora_to_thread(look_up_in_thread, lookup);
}

/* None of these needs the deadline: a timeout is around them all. */
static int task_connect(int fd, const struct address *address, double deadline)
{
    (void)deadline;
    return cora_sock_connect(fd, (const struct sockaddr *)&address->bytes, address->length);
}

static int task_send(int fd, const void *data, size_t size, double deadline)
{
    (void)deadline;
    return cora_sock_sendall(fd, data, size, NULL);
}

static ssize_t task_receive(int fd, void *buffer, size_t size, double deadline)
{
    (void)deadline;
    return cora_sock_recv(fd, buffer, size);
}

static const struct io task_io = {
    .resolve = task_resolve,
    .connect = task_connect,
    .send = task_send,
    .receive = task_receive,
    .close = cora_close_fd,
};

/* ---- the tasks ----------------------------------------------------------------------------- */

struct fetch_args {
    struct work *work;
    size_t index;
    cora_semaphore *limit;
};

/* A file that fails has its verdict and is no failure of the task: that would end the others. */
static int fetch(void *arg)
{
    struct fetch_args *a = arg;
    struct download download;
    cora_timeout timeout;
    int rc = cora_semaphore_acquire(a->limit);

    if (rc < 0)
        return rc;
    download_begin(&download, a->work, a->index);
    cora_timeout_enter(&timeout, a->work->timeout);
    rc = download_run(&download, &task_io, INFINITY);
    rc = cora_timeout_exit(&timeout, rc);
    download_end(&download, rc);
    cora_semaphore_release(a->limit);
    return rc == -ECANCELED ? rc : 0;
}

static int fetch_all(void *arg)
{
    struct work *work = arg;
    cora_semaphore limit = CORA_SEMAPHORE_INIT(work->limit);
    cora_task_group group;
    int rc = 0;

    cora_task_group_enter(&group);
    for (size_t i = 0; i < work->count && rc == 0; i++)
        rc = cora_task_group_create_task(&group, fetch, .work = work, .index = i, .limit = &limit);
    return cora_task_group_exit(&group, rc);
}

int way_cora(struct work *work)
{
    threads = work->threads;
    return cora_run(fetch_all, work);
}
