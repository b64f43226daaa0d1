#include <cora/wait.h>

#include "combine/futures.h"
#include "task/task.h"

#include <errno.h>
#include <stdlib.h>

/* One cora_wait: a handle in the callbacks of each different future, and what its task waits on. */
struct wait {
    struct cora_future enough;
    struct cora__timer timer;
    cora_return_when return_when;
    size_t left;
};

struct watch {
    struct cora__handle handle;
    struct cora_future *future; /* NULL: it was given before */
    struct wait *wait;
};

static void on_done(void *arg)
{
    struct watch *watch = arg;
    struct wait *wait = watch->wait;
    struct cora_future *future = watch->future;
    bool enough = --wait->left == 0 || wait->return_when == CORA_FIRST_COMPLETED;

    if (!enough && wait->return_when == CORA_FIRST_EXCEPTION && future->state != CORA__CANCELLED)
        enough = cora__future_retrieve(future) < 0;
    if (!enough)
        return;
    cora__timer_stop(future->loop, &wait->timer);
    cora__future_wake(&wait->enough);
}

static struct cora_future *waiter(const struct cora__handle *handle)
{
    const struct watch *watch = handle->arg;

    return &watch->wait->enough;
}

static const struct cora__handle_kind watch_kind = {.waiter = waiter};

static void on_timer(void *arg)
{
    struct wait *wait = arg;

    cora__future_wake(&wait->enough);
}

static bool is_watched(const struct wait *wait, const struct cora_future *future)
{
    const struct watch *watch = cora__future_last_watch(future, &watch_kind);

    return watch != NULL && watch->wait == wait;
}

static void watch_all(struct wait *wait, struct watch *watches, cora_future *const futures[],
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct watch *watch = &watches[i];

        cora__handle_init(&watch->handle, on_done, watch);
        watch->handle.kind = &watch_kind;
        watch->wait = wait;
        watch->future = is_watched(wait, futures[i]) ? NULL : futures[i];
        if (watch->future == NULL)
            continue;
        wait->left++;
        cora__list_append(&futures[i]->callbacks, &watch->handle.link);
    }
    for (size_t i = 0; i < count; i++)
        if (watches[i].future != NULL)
            cora__future_settle_watch(futures[i], &watches[i].handle);
}

static int suspend(struct wait *wait, double timeout)
{
    struct cora_loop *loop = wait->enough.loop;
    int rc = 0;

    if (timeout != INFINITY)
        rc = cora__timer_start(loop, &wait->timer, cora_loop_time(loop) + timeout);
    if (rc == 0)
        rc = cora_await(&wait->enough);
    cora__timer_stop(loop, &wait->timer);
    return rc;
}

static int count_done(const struct watch *watches, size_t count)
{
    int done = 0;

    for (size_t i = 0; i < count; i++)
        done += watches[i].future != NULL && cora__future_done(watches[i].future);
    return done;
}

int cora_wait(cora_future *const futures[], size_t count, double timeout,
              cora_return_when return_when)
{
    struct wait wait = {.return_when = return_when};
    struct cora_loop *loop;
    int rc = cora__futures_check(futures, count, &loop);

    if (rc == 0 && cora__current_task() == NULL)
        rc = -CORA_ENOTASK;
    if (rc == 0 && loop != cora__loop_running)
        rc = -CORA_EWRONGLOOP;
    if (rc == 0 && (count == 0 || isnan(timeout) || (unsigned)return_when > CORA_ALL_COMPLETED))
        rc = -EINVAL;
    if (rc < 0)
        return rc;

    struct watch *watches = malloc(count * sizeof watches[0]);

    if (watches == NULL)
        return -ENOMEM;
    cora__future_init(&wait.enough, loop, NULL, "several futures");
    cora__timer_init(&wait.timer, on_timer, &wait);
    watch_all(&wait, watches, futures, count);
    rc = suspend(&wait, timeout);
    for (size_t i = 0; i < count; i++)
        cora__list_remove(&watches[i].handle.link);
    if (rc == 0)
        rc = count_done(watches, count);
    free(watches);
    return rc;
}
