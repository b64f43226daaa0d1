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
    struct cora_future *future;
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

static void watch_all(struct wait *wait, struct watch *watches, cora_future *const futures[],
                      const size_t *first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct watch *watch = &watches[i];

        cora__handle_init(&watch->handle, on_done, watch);
        watch->handle.kind = &watch_kind;
        if (first[i] != i)
            continue;
        watch->future = futures[i];
        watch->wait = wait;
        wait->left++;
        cora__future_watch(futures[i], &watch->handle);
    }
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

static int count_done(cora_future *const futures[], const size_t *first, size_t count)
{
    int done = 0;

    for (size_t i = 0; i < count; i++)
        done += first[i] == i && cora__future_done(futures[i]);
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

    size_t *first = cora__futures_first(futures, count);
    struct watch *watches = malloc(count * sizeof watches[0]);

    if (first != NULL && watches != NULL) {
        cora__future_init(&wait.enough, loop, NULL, "several futures");
        cora__timer_init(&wait.timer, on_timer, &wait);
        watch_all(&wait, watches, futures, first, count);
        rc = suspend(&wait, timeout);
        for (size_t i = 0; i < count; i++)
            cora__list_remove(&watches[i].handle.link);
        if (rc == 0)
            rc = count_done(futures, first, count);
    } else {
        rc = -ENOMEM;
    }
    free(watches);
    free(first);
    return rc;
}
