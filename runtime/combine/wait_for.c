#include <cora/timeout.h>
#include <cora/wait.h>

#include "task/task.h"

#include <errno.h>

/* Cancels the future and waits for its end, without failing with it. */
static int cancel_and_wait(struct cora_future *future)
{
    struct cora_future ended;
    struct cora__handle handle;
    int rc;

    cora__future_init(&ended, future->loop, NULL, "the end of a cancelled future");
    cora__handle_init(&handle, cora__future_wake_callback, &ended);
    handle.kind = &cora__future_wake_kind;
    cora__future_watch(future, &handle);
    cora_future_cancel(future);
    rc = cora_await(&ended);
    cora__list_remove(&handle.link);
    return rc;
}

static int cut_off(struct cora_future *future)
{
    int rc = cancel_and_wait(future);

    if (rc < 0)
        return rc;
    rc = cora__future_retrieve(future);
    return rc == -ECANCELED ? -ETIMEDOUT : rc;
}

int cora_wait_for(cora_future *future, double timeout)
{
    cora_timeout limit;

    if (future == NULL)
        return -ENOMEM;
    if (cora__current_task() == NULL)
        return -CORA_ENOTASK;
    if (future->loop != cora__loop_running)
        return cora_await(future); /* which refuses it, or has its outcome already */
    if (isnan(timeout))
        return -EINVAL;
    if (timeout <= 0 && !cora__future_done(future))
        return cut_off(future);
    if (timeout <= 0)
        return cora__future_retrieve(future);
    cora_timeout_enter(&limit, timeout);
    return cora_timeout_exit(&limit, cora_await(future));
}
