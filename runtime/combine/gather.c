#include <cora/gather.h>

#include "combine/futures.h"
#include "future/source.h"
#include "task/task.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * The outer future, with a handle in the callbacks of each child that is not done yet. The handles
 * live here. Those in tasks keep the gathering alive until they have run, even if its outcome was
 * settled, and its users gone, long before: a late error counts as asked for, and a task always
 * ends, unless its loop is closed. That one, and a plain future, may never be completed, so its
 * handle keeps nothing and goes with us.
 */
struct gathering {
    struct cora_future future;
    size_t count, finished, different;
    bool return_exceptions, cancel_requested, cancelling;
    int *results;
    struct child {
        struct cora__handle handle;
        struct cora_future *future;
        struct gathering *gathering;
        bool again;       /* the same future was given before */
        bool keeps_alive; /* its handle does, the gathering */
    } children[];
};

static const struct cora__future_kind gathering_kind;

static void settle(struct gathering *gathering, int outcome)
{
    for (size_t i = 0; i < gathering->count; i++)
        gathering->results[i] = gathering->children[i].future->outcome;
    gathering->future.value = outcome < 0 ? NULL : gathering->results;
    cora__future_complete(&gathering->future, CORA__FINISHED, outcome);
}

static void child_done(struct child *child)
{
    struct gathering *gathering = child->gathering;
    int outcome = cora__future_retrieve(child->future);

    gathering->finished++;
    if (cora__future_done(&gathering->future))
        return;
    gathering->future.cancel_message = child->future->cancel_message;
    if (outcome < 0 && !gathering->return_exceptions)
        settle(gathering, outcome);
    else if (gathering->finished == gathering->different)
        settle(gathering, gathering->cancel_requested ? -ECANCELED : 0);
}

static void on_child_done(void *arg)
{
    struct child *child = arg;
    struct gathering *gathering = child->gathering;

    child_done(child);
    if (child->keeps_alive)
        cora_future_unref(&gathering->future);
}

static void drop_handle(struct cora__handle *handle)
{
    struct child *child = handle->arg;

    if (child->keeps_alive)
        cora_future_unref(&child->gathering->future);
}

static struct cora_future *waiter(const struct cora__handle *handle)
{
    const struct child *child = handle->arg;

    return &child->gathering->future;
}

static const struct cora__handle_kind child_kind = {.drop = drop_handle, .waiter = waiter};

static bool cancel(struct cora_future *future, const char *message)
{
    struct gathering *gathering = cora__container_of(future, struct gathering, future);
    bool any = false;

    if (cora__future_done(future))
        return false;
    if (gathering->cancelling) { /* a child waits for this gathering: a ring, broken here */
        settle(gathering, -ECANCELED);
        return true;
    }
    gathering->cancelling = true;
    for (size_t i = 0; i < gathering->count; i++)
        any |= cora_future_cancel_message(gathering->children[i].future, message);
    gathering->cancelling = false;
    gathering->cancel_requested |= any;
    return any;
}

static void destroy(struct cora_future *future)
{
    struct gathering *gathering = cora__container_of(future, struct gathering, future);

    for (size_t i = 0; i < gathering->count; i++) {
        cora__list_remove(&gathering->children[i].handle.link);
        cora_future_unref(gathering->children[i].future);
    }
    free(gathering->results);
    free(gathering);
}

static const struct cora__future_kind gathering_kind = {.cancel = cancel, .destroy = destroy};

/* ---- creation ------------------------------------------------------------------------------ */

static struct gathering *create(struct cora_loop *loop, size_t count, unsigned flags)
{
    struct gathering *gathering = malloc(sizeof *gathering + count * sizeof(struct child));
    int *results = malloc((count > 0 ? count : 1) * sizeof results[0]);

    if (gathering == NULL || results == NULL) {
        free(gathering);
        free(results);
        return NULL;
    }
    *gathering = (struct gathering){
        .results = results,
        .return_exceptions = flags & CORA_RETURN_EXCEPTIONS,
    };
    cora__future_init(&gathering->future, loop, &gathering_kind, "gather");
    cora__loop_ref(loop);
    return gathering;
}

static bool is_child(const struct gathering *gathering, const struct cora_future *future)
{
    const struct child *child = cora__future_last_watch(future, &child_kind);

    return child != NULL && child->gathering == gathering;
}

static void add_child(struct gathering *gathering, struct cora_future *future)
{
    struct child *child = &gathering->children[gathering->count++];

    cora__handle_init(&child->handle, on_child_done, child);
    child->handle.kind = &child_kind;
    child->future = cora_future_ref(future);
    child->gathering = gathering;
    child->again = is_child(gathering, future);
    child->keeps_alive = false;
    if (child->again)
        return;
    gathering->different++;
    child->keeps_alive =
        cora__as_task(future) != NULL && !cora__future_done(future) && !future->loop->closed;
    if (child->keeps_alive)
        gathering->future.refs++;
    cora__list_append(&future->callbacks, &child->handle.link);
}

/* Children that are done already count at once, now that all are known. */
static void count_done(struct gathering *gathering)
{
    for (size_t i = 0; i < gathering->count; i++) {
        struct child *child = &gathering->children[i];

        if (child->again || !cora__future_done(child->future))
            continue;
        cora__list_remove(&child->handle.link);
        child_done(child);
    }
    if (gathering->count == 0)
        settle(gathering, 0);
}

static int gather(struct cora_loop *loop, cora_future *const futures[], size_t count,
                  unsigned flags, cora_future **ret)
{
    struct gathering *gathering = create(loop, count, flags);

    if (gathering == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        add_child(gathering, futures[i]);
    count_done(gathering);
    *ret = &gathering->future;
    return 0;
}

cora_future *cora_gather_future(cora_future *const futures[], size_t count, unsigned flags)
{
    struct cora_loop *loop;
    cora_future *future;

    if (cora__futures_check(futures, count, &loop) < 0 ||
        gather(loop, futures, count, flags, &future) < 0)
        return NULL;
    cora__future_remember(future);
    return future;
}

int cora_gather(cora_future *const futures[], size_t count, int results[], unsigned flags)
{
    struct cora_loop *loop;
    cora_future *future = NULL;
    int rc;

    if (cora__current_task() == NULL)
        return -CORA_ENOTASK;
    rc = cora__futures_check(futures, count, &loop);
    if (rc == 0 && loop != cora__loop_running) /* which may run in another thread just now */
        rc = -CORA_EWRONGLOOP;
    if (rc == 0)
        rc = gather(loop, futures, count, flags, &future);
    if (rc < 0)
        return rc;
    rc = cora_await(future);
    if (rc == 0 && results != NULL && count > 0) /* NOLINTNEXTLINE: there is a future */
        memcpy(results, future->value, count * sizeof results[0]);
    cora_future_unref(future);
    return rc;
}

int cora_gather_unref(cora_future *const futures[], size_t count, int results[], unsigned flags)
{
    int rc = cora_gather(futures, count, results, flags);

    for (size_t i = 0; i < count; i++)
        cora_future_unref(futures[i]);
    return rc;
}
