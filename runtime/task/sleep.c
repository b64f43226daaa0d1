#include "task/task.h"

#include <errno.h>
#include <math.h>

/* A sleep is a future that a timer completes; both lie on the sleeper's stack. */
struct sleep {
    struct cora__timer timer;
    struct cora_future future;
};

static void on_timer(void *arg)
{
    struct sleep *sleep = arg;

    cora__future_wake(&sleep->future);
}

/* Its frame is large; a sleep of 0 need not make it. */
static __attribute__((noinline)) int sleep_for(struct cora__task *task, double delay)
{
    struct cora_loop *loop = task->future.loop;
    struct sleep sleep;
    int rc;

    cora__future_init(&sleep.future, loop, NULL, "sleep");
    cora__timer_init(&sleep.timer, on_timer, &sleep);
    rc = cora__timer_start(loop, &sleep.timer, cora_loop_time(loop) + delay);
    if (rc < 0)
        return rc;
    rc = cora_await(&sleep.future);
    cora__timer_stop(loop, &sleep.timer);
    return rc;
}

int cora_sleep(double delay)
{
    struct cora__task *task = cora__current_task();

    if (task == NULL)
        return -CORA_ENOTASK;
    if (delay <= 0)
        return cora__task_yield(task);
    return isnan(delay) ? -EINVAL : sleep_for(task, delay);
}
