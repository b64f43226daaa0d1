/*
 * handle.c: call_soon and its like, and the handles that they return.
 */
#include "loop/handle.h"

#include "loop/poll.h"

#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* asyncio.Handle, and TimerHandle. One reference is the loop's, until it has run or been dropped.
 */
struct cora_handle {
    struct cora__timer timer;
    struct cora_loop *loop;
    struct cora_context context; /* the creator's values, as they were then */
    cora_callback *fn;
    void *arg;
    atomic_uint refs; /* atomic for call_soon_threadsafe, whose two ends are in two threads */
    bool queued, cancelled, is_timer;
    bool is_foreign;   /* by call_soon_threadsafe: queued and cancelled say nothing of it */
    atomic_uint state; /* of such a one */
};

/*
 * A call from another thread may be cancelled by any thread, at any time. So it stays where it is
 * queued, and looks when its turn comes. Who comes while its callback runs waits for the end of
 * that, so that he knows afterwards that it does not run any more.
 */
enum { RUNNING = 1, CANCELLED = 2, AWAITED = 4 };

static pthread_mutex_t run_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_run = PTHREAD_COND_INITIALIZER; /* some callback that was awaited */

/* A thread of the parent's may have had the lock. */
void cora__handles_after_fork(void)
{
    pthread_mutex_init(&run_lock, NULL);
    pthread_cond_init(&has_run, NULL);
}

static void release(struct cora_handle *handle)
{
    if (atomic_fetch_sub_explicit(&handle->refs, 1, memory_order_acq_rel) == 1) {
        cora__context_clear(&handle->context);
        free(handle);
    }
}

static void run(void *arg)
{
    struct cora_handle *handle = arg;

    handle->queued = false;
    handle->fn(handle->arg);
    release(handle);
}

static void run_foreign(void *arg)
{
    struct cora_handle *handle = arg;

    if (!(atomic_fetch_or(&handle->state, RUNNING) & CANCELLED))
        handle->fn(handle->arg);
    if (atomic_fetch_and(&handle->state, ~(unsigned)RUNNING) & AWAITED) {
        pthread_mutex_lock(&run_lock);
        pthread_cond_broadcast(&has_run);
        pthread_mutex_unlock(&run_lock);
    }
    release(handle);
}

/* In the loop's own thread it is the callback, or what it calls, that asks. */
static void await_callback(struct cora_handle *handle)
{
    if (handle->loop == cora__loop_running || !(atomic_load(&handle->state) & RUNNING))
        return;
    pthread_mutex_lock(&run_lock);
    while (atomic_fetch_or(&handle->state, AWAITED) & RUNNING)
        pthread_cond_wait(&has_run, &run_lock);
    pthread_mutex_unlock(&run_lock);
}

static void drop(struct cora__handle *handle)
{
    struct cora_handle *mine = handle->arg;

    mine->queued = false;
    release(mine);
}

static const struct cora__handle_kind kind = {.drop = drop};

static struct cora_handle *create(struct cora_loop *loop, cora_callback *fn, void *arg,
                                  cora_handle **ret)
{
    struct cora_handle *handle = malloc(sizeof *handle);

    if (handle == NULL)
        return NULL;
    cora__timer_init(&handle->timer, run, handle);
    handle->timer.handle.kind = &kind;
    cora__context_copy_current(&handle->context);
    handle->timer.handle.context = &handle->context;
    handle->loop = loop;
    handle->fn = fn;
    handle->arg = arg;
    handle->queued = true;
    handle->cancelled = handle->is_timer = handle->is_foreign = false;
    atomic_init(&handle->state, 0);
    atomic_init(&handle->refs, ret != NULL ? 2 : 1);
    return handle;
}

int cora_loop_call_soon(cora_loop *loop, cora_callback *fn, void *arg, cora_handle **ret)
{
    int rc = fn != NULL ? cora__loop_check(loop) : -EINVAL;

    if (rc < 0)
        return rc;

    struct cora_handle *handle = create(loop, fn, arg, ret);

    if (handle == NULL)
        return -ENOMEM;
    cora__loop_push(loop, &handle->timer.handle);
    if (ret != NULL)
        *ret = handle;
    return 0;
}

int cora_loop_call_at(cora_loop *loop, double when, cora_callback *fn, void *arg,
                      cora_timer_handle **ret)
{
    int rc = fn != NULL ? cora__loop_check(loop) : -EINVAL;

    if (rc < 0)
        return rc;

    struct cora_handle *handle = create(loop, fn, arg, ret);

    if (handle == NULL)
        return -ENOMEM;
    handle->is_timer = true;
    rc = cora__timer_start(loop, &handle->timer, when);
    if (rc < 0) {
        cora__context_clear(&handle->context);
        free(handle);
        return rc;
    }
    if (cora__loop_is_due(loop, when))
        cora__loop_look(loop);
    if (ret != NULL)
        *ret = handle;
    return 0;
}

int cora_loop_call_later(cora_loop *loop, double delay, cora_callback *fn, void *arg,
                         cora_timer_handle **ret)
{
    return cora_loop_call_at(loop, cora_loop_time(loop) + delay, fn, arg, ret);
}

int cora_loop_call_soon_threadsafe(cora_loop *loop, cora_callback *fn, void *arg, cora_handle **ret)
{
    struct cora_handle *handle = create(loop, fn, arg, ret);

    if (ret != NULL)
        *ret = handle; /* before it can run */
    if (handle == NULL)
        return -ENOMEM;
    handle->is_foreign = true;
    handle->timer.handle.fn = run_foreign;

    int rc = cora__loop_push_threadsafe(loop, &handle->timer.handle);

    if (rc < 0) {
        cora__context_clear(&handle->context);
        free(handle);
        if (ret != NULL)
            *ret = NULL;
    }
    return rc;
}

void cora_handle_cancel(cora_handle *handle)
{
    if (handle == NULL || handle->cancelled)
        return;
    if (handle->is_foreign) {
        atomic_fetch_or(&handle->state, CANCELLED);
        await_callback(handle);
        return;
    }
    handle->cancelled = true;
    if (handle->queued) {
        handle->queued = false;
        cora__timer_stop(handle->loop, &handle->timer);
        release(handle);
    }
}

bool cora_handle_cancelled(const cora_handle *handle)
{
    if (handle == NULL || !handle->is_foreign)
        return handle != NULL && handle->cancelled;
    await_callback((struct cora_handle *)(uintptr_t)handle);
    return (atomic_load(&handle->state) & CANCELLED) != 0;
}

double cora_timer_handle_when(const cora_timer_handle *handle)
{
    return handle != NULL && handle->is_timer ? handle->timer.when : NAN;
}

void cora_handle_unref(cora_handle *handle)
{
    if (handle != NULL)
        release(handle);
}

const void *cora__callback_address(const struct cora__handle *handle)
{
    union {
        cora_callback *fn;
        const void *address;
    } place = {.fn = handle->fn};

    if (handle->fn == run || handle->fn == run_foreign)
        place.fn = ((const struct cora_handle *)handle->arg)->fn;
    return place.address;
}

void cora__describe_callback(const struct cora__handle *handle, char *text, size_t size)
{
    const void *address = cora__callback_address(handle);
    Dl_info info;

    if (dladdr(address, &info) != 0 && info.dli_sname != NULL)
        snprintf(text, size, "callback %s", info.dli_sname);
    else
        snprintf(text, size, "callback at %p", address);
}
