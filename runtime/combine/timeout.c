#include <cora/timeout.h>

#include "task/task.h"

#include <errno.h>
#include <math.h>

/* As in asyncio: EXPIRING while the cancellation is on its way, EXPIRED once the scope is left. */
enum state { ENTERED = 1, EXPIRING, EXPIRED, EXITED, UNUSABLE };

struct timeout {
    struct cora__scope scope;
    struct cora__timer timer;
    struct cora__task *task;
    double when;
    int cancelling; /* the task's count at the entry: what is above it at the exit is ours */
    int error;      /* why it is UNUSABLE, or that it was entered twice; for the exit */
    enum state state;
};

_Static_assert(sizeof(struct timeout) <= sizeof(cora_timeout), "cora_timeout is too small");

static struct timeout *inside(cora_timeout *timeout)
{
    return (struct timeout *)timeout;
}

static void on_timeout(void *arg)
{
    struct timeout *timeout = arg;

    timeout->state = EXPIRING;
    cora_task_cancel(&timeout->task->future);
}

static void disarm(struct timeout *timeout)
{
    cora__timer_stop(timeout->task->future.loop, &timeout->timer);
}

/* A deadline that has passed fires in the next iteration, as by call_soon. */
static int arm(struct timeout *timeout, double when)
{
    struct cora_loop *loop = timeout->task->future.loop;
    int rc = 0;

    if (isnan(when))
        return -EINVAL;
    if (when <= cora_loop_time(loop))
        cora__loop_push(loop, &timeout->timer.handle);
    else if (!isinf(when))
        rc = cora__timer_start(loop, &timeout->timer, when);
    if (rc == 0)
        timeout->when = when;
    return rc;
}

static void abandon(struct cora__scope *scope)
{
    disarm(cora__container_of(scope, struct timeout, scope));
}

static void enter(struct timeout *timeout, struct cora__task *task, double when, const char *file,
                  int line)
{
    if (task != NULL && cora__scope_is_open(task, &timeout->scope)) {
        timeout->error = -CORA_EENTERED; /* the first entry stays in force */
        return;
    }
    timeout->state = UNUSABLE;
    timeout->when = when;
    timeout->error = -CORA_ENOTASK;
    if (task == NULL)
        return;
    timeout->task = task;
    timeout->cancelling = task->cancelling;
    cora__timer_init(&timeout->timer, on_timeout, timeout);
    timeout->error = arm(timeout, when);
    if (timeout->error < 0)
        return;
    timeout->state = ENTERED;
    timeout->scope =
        (struct cora__scope){.kind = "timeout", .file = file, .line = line, .abandon = abandon};
    cora__scope_enter(task, &timeout->scope);
}

void cora_timeout_enter_(cora_timeout *timeout, double delay, const char *file, int line)
{
    struct cora__task *task = cora__current_task();
    double now = task != NULL ? cora_loop_time(task->future.loop) : 0;

    enter(inside(timeout), task, now + delay, file, line);
}

void cora_timeout_at_enter_(cora_timeout *timeout, double when, const char *file, int line)
{
    enter(inside(timeout), cora__current_task(), when, file, line);
}

int cora_timeout_exit(cora_timeout *self, int rc)
{
    struct timeout *timeout = inside(self);

    if (timeout->state == UNUSABLE)
        return timeout->error;
    if (timeout->state != ENTERED && timeout->state != EXPIRING)
        return -CORA_EFINISHED;
    cora__scope_exit(timeout->task, &timeout->scope);
    disarm(timeout);
    if (timeout->state == ENTERED) {
        timeout->state = EXITED;
    } else {
        timeout->state = EXPIRED;
        if (cora_task_uncancel(&timeout->task->future) <= timeout->cancelling && rc == -ECANCELED)
            rc = -ETIMEDOUT;
    }
    return timeout->error < 0 ? timeout->error : rc;
}

int cora_timeout_reschedule(cora_timeout *self, double when)
{
    struct timeout *timeout = inside(self);

    switch (timeout->state) {
    case ENTERED:
        if (isnan(when))
            return -EINVAL;
        disarm(timeout);
        return arm(timeout, when);
    case EXPIRING:
    case EXPIRED:
    case EXITED:
        return -CORA_EFINISHED;
    case UNUSABLE:
    default:
        return -CORA_ENOTENTERED;
    }
}

double cora_timeout_when(const cora_timeout *timeout)
{
    return ((const struct timeout *)timeout)->when;
}

bool cora_timeout_expired(const cora_timeout *timeout)
{
    enum state state = ((const struct timeout *)timeout)->state;

    return state == EXPIRING || state == EXPIRED;
}
