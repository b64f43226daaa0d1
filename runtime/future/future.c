#include "future/future.h"

#include "future/source.h"

#include <errno.h>
#include <stdlib.h>

/* ---- life ---------------------------------------------------------------------------------- */

cora_future *cora_loop_create_future(cora_loop *loop)
{
    struct cora_future *future = loop != NULL ? malloc(sizeof *future) : NULL;

    if (future == NULL)
        return NULL;
    cora__future_init(future, loop, NULL, "future");
    cora__loop_ref(loop);
    cora__future_remember(future);
    return future;
}

cora_future *cora_future_ref(cora_future *future)
{
    if (future != NULL)
        future->refs++;
    return future;
}

void cora__future_drop_callbacks(struct cora_future *future)
{
    while (!cora__list_empty(&future->callbacks)) {
        struct cora__handle *handle =
            cora__container_of(future->callbacks.next, struct cora__handle, link);

        cora__list_remove(&handle->link);
        cora__handle_drop(handle);
    }
}

void cora__future_report_unasked(struct cora_future *future)
{
    future->error_unasked = false;
    if (future->kind != NULL && future->kind->report_lost != NULL)
        future->kind->report_lost(future);
    else
        cora__future_report(future, NULL, future->outcome, "a future's error was never retrieved");
}

void cora__future_release_last(struct cora_future *future)
{
    struct cora_loop *loop = future->loop;

    cora__future_report_lost(future);
    if (--future->refs > 0)
        return;
    if (!cora__list_empty(&future->callbacks))
        cora__future_drop_callbacks(future);
    if (future->has_source)
        cora__source_forget(future);
    if (future->kind != NULL && future->kind->destroy != NULL)
        future->kind->destroy(future);
    else
        free(future);
    cora__loop_unref(loop);
}

void cora_future_unref(cora_future *future)
{
    if (future != NULL)
        cora__future_release(future);
}

/* ---- outcome ------------------------------------------------------------------------------- */

bool cora_future_done(const cora_future *future)
{
    return future != NULL && cora__future_done(future);
}

bool cora_future_cancelled(const cora_future *future)
{
    return future != NULL && future->state == CORA__CANCELLED;
}

/* A task that asks learns of a cancellation: what was said of it goes on with it. */
static void tell(const struct cora_future *future)
{
    if (future->loop == cora__loop_running && cora__handle_is_step(cora__handle_running()))
        future->loop->hooks->told(cora__handle_running(), future->cancel_message);
}

int cora_future_result(cora_future *future)
{
    if (future == NULL)
        return -ENOMEM;
    if (!cora__future_done(future))
        return -CORA_EINVALIDSTATE;
    if (future->outcome == -ECANCELED)
        tell(future);
    return cora__future_retrieve(future);
}

int cora_future_exception(cora_future *future)
{
    int outcome = cora_future_result(future);

    return outcome < 0 ? outcome : 0;
}

void *cora_future_value(const cora_future *future)
{
    return future != NULL ? future->value : NULL;
}

cora_loop *cora_future_get_loop(const cora_future *future)
{
    return future != NULL ? future->loop : NULL;
}

void cora__future_wake_callback(void *future)
{
    cora__future_wake(future);
}

static struct cora_future *woken_future(const struct cora__handle *handle)
{
    return handle->arg;
}

const struct cora__handle_kind cora__future_wake_kind = {.waiter = woken_future};

/* Only a plain future can be completed from outside: a task's outcome is its function's. */
static int check_settable(const struct cora_future *future)
{
    if (future == NULL)
        return -ENOMEM;
    return cora__future_done(future) || future->kind != NULL ? -CORA_EINVALIDSTATE : 0;
}

int cora_future_set_result(cora_future *future, int result, void *value)
{
    int rc = check_settable(future);

    if (rc < 0)
        return rc;
    if (result < 0)
        return -EINVAL;
    future->value = value;
    cora__future_complete(future, CORA__FINISHED, result);
    return 0;
}

int cora_future_set_exception(cora_future *future, int error)
{
    int rc = check_settable(future);

    if (rc < 0)
        return rc;
    if (error >= 0)
        return -EINVAL;
    cora__future_complete(future, CORA__FINISHED, error);
    return 0;
}

bool cora__future_cancel_plain(struct cora_future *future, const char *message)
{
    if (cora__future_done(future))
        return false;
    future->cancel_message = message;
    cora__future_complete(future, CORA__CANCELLED, -ECANCELED);
    return true;
}

bool cora_future_cancel_message(cora_future *future, const char *message)
{
    if (future == NULL)
        return false;
    future->error_unasked = false; /* who cancels it does not care for its error */
    if (future->kind != NULL && future->kind->cancel != NULL)
        return future->kind->cancel(future, message);
    return cora__future_cancel_plain(future, message);
}

bool cora_future_cancel(cora_future *future)
{
    return cora_future_cancel_message(future, NULL);
}

const char *cora_future_get_cancel_message(const cora_future *future)
{
    return future != NULL ? future->cancel_message : NULL;
}

/* ---- callbacks ----------------------------------------------------------------------------- */

/*
 * A callback of the user's. While it waits it does not keep the future alive, for then neither
 * would ever go if the future were never completed; once queued it does.
 */
struct user_callback {
    struct cora__handle handle;
    struct cora_context context;
    cora_done_callback *fn;
    void *arg;
    struct cora_future *future;
};

static void free_user_callback(struct user_callback *callback)
{
    cora__context_clear(&callback->context);
    free(callback);
}

static void run_user_callback(void *arg)
{
    struct user_callback *callback = arg;
    struct cora_future *future = callback->future;

    callback->fn(future, callback->arg);
    cora_future_unref(future); /* may report, in this callback's context */
    free_user_callback(callback);
}

static void drop_user_callback(struct cora__handle *handle)
{
    struct user_callback *callback = handle->arg;
    struct cora_future *future = callback->future;
    bool was_queued = cora__future_done(future);

    free_user_callback(callback);
    if (was_queued)
        cora_future_unref(future);
}

static const struct cora__handle_kind user_callback_kind = {.drop = drop_user_callback};

/* Callbacks of users' have a reference each once they are queued. */
static void keep_for_user_callbacks(struct cora_future *future)
{
    for (struct cora__list *link = future->callbacks.next; link != &future->callbacks;
         link = link->next)
        if (cora__container_of(link, struct cora__handle, link)->fn == run_user_callback)
            future->refs++;
}

void cora__future_settle_with_care(struct cora_future *future, enum cora__future_state state,
                                   int outcome)
{
    if (future->loop->closed)
        cora__future_drop_callbacks(future);
    else
        keep_for_user_callbacks(future);
    cora__future_settle(future, state, outcome);
}

int cora_future_add_done_callback(cora_future *future, cora_done_callback *fn, void *arg)
{
    struct user_callback *callback;

    if (future == NULL)
        return -ENOMEM;
    if (future->loop->closed)
        return -CORA_ECLOSED;
    callback = malloc(sizeof *callback);
    if (callback == NULL)
        return -ENOMEM;
    cora__handle_init(&callback->handle, run_user_callback, callback);
    cora__context_copy_current(&callback->context);
    callback->handle.context = &callback->context;
    callback->handle.kind = &user_callback_kind;
    callback->fn = fn;
    callback->arg = arg;
    callback->future = future;
    if (cora__future_done(future)) {
        future->refs++;
        cora__loop_push(future->loop, &callback->handle);
    } else {
        future->has_user_callbacks = true;
        cora__list_append(&future->callbacks, &callback->handle.link);
    }
    return 0;
}

static bool is_callback(const struct cora__handle *handle, cora_done_callback *fn, const void *arg)
{
    const struct user_callback *callback = handle->arg;

    return handle->fn == run_user_callback && callback->fn == fn && callback->arg == arg;
}

static void remove_callback(struct cora__handle *handle)
{
    cora__list_remove(&handle->link);
    free_user_callback(handle->arg);
}

int cora_future_remove_done_callback(cora_future *future, cora_done_callback *fn, void *arg)
{
    struct cora__list *next;
    int count = 0;

    if (future == NULL)
        return 0;
    for (struct cora__list *link = future->callbacks.next; link != &future->callbacks;
         link = next) {
        struct cora__handle *handle = cora__container_of(link, struct cora__handle, link);

        next = link->next;
        if (!is_callback(handle, fn, arg))
            continue;
        remove_callback(handle);
        count++;
    }
    return count;
}

bool cora__future_remove_last(struct cora_future *future, cora_done_callback *fn, void *arg)
{
    struct cora__handle *last =
        cora__container_of(future->callbacks.prev, struct cora__handle, link);

    if (cora__list_empty(&future->callbacks) || !is_callback(last, fn, arg))
        return false;
    remove_callback(last);
    return true;
}

/* ---- running until it is done -------------------------------------------------------------- */

static void stop_loop(void *loop)
{
    cora_loop_stop(loop);
}

int cora_loop_run_until_complete(cora_loop *loop, cora_future *future)
{
    struct cora__handle stop;
    int rc;

    if (future == NULL)
        return -ENOMEM;
    if (future->loop != loop)
        return -CORA_EWRONGLOOP;
    cora__handle_init(&stop, stop_loop, loop);
    if (cora__future_done(future))
        cora__loop_push(loop, &stop);
    else
        cora__list_append(&future->callbacks, &stop.link);
    rc = cora__loop_run(loop, true);
    cora__list_remove(&stop.link);
    if (rc < 0)
        return rc;
    return cora__future_done(future) ? cora__future_retrieve(future) : -CORA_ESTOPPED;
}
