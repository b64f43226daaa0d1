#include <cora/wait.h>

#include "combine/futures.h"
#include "task/task.h"

#include <errno.h>
#include <stdlib.h>

/* One iteration: a handle in the callbacks of each different future, and a queue of those done. */
struct iteration {
    struct cora_loop *loop;
    struct cora__timer timer;
    struct cora__list waiting; /* of the tasks in next, on their stacks */
    size_t different, asked;   /* futures; calls of next */
    size_t done, taken;        /* ends and begins the queue */
    size_t completed;
    struct cora_future **queue; /* NULL: one that the timeout has cut off */
    struct watch {
        struct cora__handle handle;
        struct cora_future *future;
        struct iteration *iteration;
    } watches[];
};

_Static_assert(sizeof(struct iteration *) == sizeof(cora_as_completed), "it holds one pointer");

static struct iteration **inside(cora_as_completed *each)
{
    return (struct iteration **)each;
}

struct waiting {
    struct cora__list link;
    struct cora_future future;
};

static void wake_first(struct iteration *iteration)
{
    struct waiting *first;

    if (cora__list_empty(&iteration->waiting))
        return;
    first = cora__container_of(iteration->waiting.next, struct waiting, link);
    cora__list_remove(&first->link);
    cora__future_wake(&first->future);
}

static void add(struct iteration *iteration, struct cora_future *future)
{
    iteration->queue[iteration->done++] = future;
    wake_first(iteration);
}

static void on_done(void *arg)
{
    struct watch *watch = arg;
    struct iteration *iteration = watch->iteration;

    add(iteration, watch->future);
    if (++iteration->completed == iteration->different)
        cora__timer_stop(iteration->loop, &iteration->timer);
}

/* The one that it would wake; NULL: none waits just now. */
static struct cora_future *waiter(const struct cora__handle *handle)
{
    const struct watch *watch = handle->arg;
    struct cora__list *waiting = &watch->iteration->waiting;

    if (cora__list_empty(waiting))
        return NULL;
    return &cora__container_of(waiting->next, struct waiting, link)->future;
}

static const struct cora__handle_kind watch_kind = {.waiter = waiter};

/* Those that are not done count as cut off, and are no longer watched. */
static void on_timeout(void *arg)
{
    struct iteration *iteration = arg;

    for (size_t i = 0; i < iteration->different; i++)
        cora__list_remove(&iteration->watches[i].handle.link);
    while (iteration->done < iteration->different)
        add(iteration, NULL);
}

static struct iteration *create(struct cora_loop *loop, size_t count)
{
    struct iteration *iteration =
        calloc(1, sizeof *iteration + count * sizeof iteration->watches[0]);
    struct cora_future **queue = calloc(count + 1, sizeof queue[0]);

    if (iteration == NULL || queue == NULL) {
        free(iteration);
        free(queue);
        return NULL;
    }
    iteration->loop = loop;
    iteration->queue = queue;
    cora__list_init(&iteration->waiting);
    cora__timer_init(&iteration->timer, on_timeout, iteration);
    return iteration;
}

static bool is_watched(const struct iteration *iteration, const struct cora_future *future)
{
    const struct watch *watch = cora__future_last_watch(future, &watch_kind);

    return watch != NULL && watch->iteration == iteration;
}

static void watch_all(struct iteration *iteration, cora_future *const futures[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (is_watched(iteration, futures[i]))
            continue;

        struct watch *watch = &iteration->watches[iteration->different++];

        cora__handle_init(&watch->handle, on_done, watch);
        watch->handle.kind = &watch_kind;
        watch->future = cora_future_ref(futures[i]);
        watch->iteration = iteration;
        cora__list_append(&futures[i]->callbacks, &watch->handle.link);
    }
    for (size_t i = 0; i < iteration->different; i++)
        cora__future_settle_watch(iteration->watches[i].future, &iteration->watches[i].handle);
}

int cora_as_completed_start(cora_as_completed *each, cora_future *const futures[], size_t count,
                            double timeout)
{
    struct iteration *iteration;
    struct cora_loop *loop;
    int rc = cora__futures_check(futures, count, &loop);

    *inside(each) = NULL;
    if (rc == 0 && loop != cora__loop_running)
        rc = cora__loop_running != NULL ? -CORA_EWRONGLOOP : -CORA_ENOLOOP;
    if (rc == 0 && isnan(timeout))
        rc = -EINVAL;
    if (rc < 0)
        return rc;
    iteration = create(loop, count);
    if (iteration == NULL)
        return -ENOMEM;
    if (timeout != INFINITY && count > 0)
        rc = cora__timer_start(loop, &iteration->timer, cora_loop_time(loop) + timeout);
    if (rc == 0) {
        watch_all(iteration, futures, count);
        *inside(each) = iteration;
    } else {
        free(iteration->queue);
        free(iteration);
    }
    return rc;
}

static int wait_for_one(struct iteration *iteration)
{
    struct waiting waiting;
    int rc = 0;

    while (rc == 0 && iteration->taken == iteration->done) {
        cora__future_init(&waiting.future, iteration->loop, NULL, "the next of several futures");
        cora__list_append(&iteration->waiting, &waiting.link);
        rc = cora_await(&waiting.future);
        cora__list_remove(&waiting.link);
    }
    if (rc < 0 && iteration->taken < iteration->done)
        wake_first(iteration);
    return rc;
}

int cora_as_completed_next(cora_as_completed *each, cora_future **ret)
{
    struct iteration *iteration = *inside(each);
    struct cora_future *future;
    int rc;

    if (iteration == NULL || iteration->asked == iteration->different)
        return -CORA_ESTOPITERATION;
    iteration->asked++;
    rc = wait_for_one(iteration);
    if (rc < 0)
        return rc;
    future = iteration->queue[iteration->taken++];
    if (future == NULL)
        return -ETIMEDOUT;
    *ret = future;
    return 0;
}

void cora_as_completed_stop(cora_as_completed *each)
{
    struct iteration *iteration = *inside(each);

    if (iteration == NULL)
        return;
    *inside(each) = NULL;
    cora__timer_stop(iteration->loop, &iteration->timer);
    for (size_t i = 0; i < iteration->different; i++) {
        cora__list_remove(&iteration->watches[i].handle.link);
        cora_future_unref(iteration->watches[i].future);
    }
    free(iteration->queue);
    free(iteration);
}
