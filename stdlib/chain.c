/*
 * chain.c: run_coroutine_threadsafe and wrap_future. A chain ties a concurrent future and a future
 * of a loop, of which one follows the other.
 *
 * It has two ends. The loop's end is the loop's thread's alone; it is taken down when the loop's
 * future is done, or the loop is closed. The other end is a callback of the concurrent future's, in
 * any thread: it may call the loop as long as the loop's end is up, which the lock decides.
 */
#include "attached.h"
#include "concurrent.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#undef cora_wrap_future

/* ---- chains -------------------------------------------------------------------------------- */

struct chain {
    struct cora__concurrent_callback callback; /* the other end */
    atomic_uint refs;                          /* of the two ends, and of a trigger on its way */
    const struct chain_kind *kind;
    pthread_mutex_t lock;
    bool up; /* the loop's end; written under the lock, in the loop's thread */
    cora_trigger trigger;

    /* The loop's end. */
    cora_loop *loop;
    cora_future *future;
    cora_concurrent_future *concurrent;
    struct chain *next, **link; /* in the loop's list */
};

/* Which of the two follows the other. All are called in the loop's thread. */
struct chain_kind {
    /* The loop's future is done; the chain is gone already. */
    void (*future_done)(cora_future *future, cora_concurrent_future *concurrent);
    /* The concurrent future is done. */
    void (*concurrent_done)(struct chain *chain);
    /* The loop is being closed. */
    void (*closed)(cora_concurrent_future *concurrent);
    bool holds;   /* the loop waits for the other thread */
    bool at_once; /* concurrent_done need not wait for the next iteration */
};

static void release(struct chain *chain)
{
    if (atomic_fetch_sub_explicit(&chain->refs, 1, memory_order_acq_rel) > 1)
        return;
    pthread_mutex_destroy(&chain->lock);
    free(chain);
}

static void on_future_done(cora_future *future, void *arg);

/* Takes the loop's end down. Returns the concurrent future, a reference. */
static cora_concurrent_future *take_down(struct chain *chain)
{
    cora_concurrent_future *concurrent = chain->concurrent;

    pthread_mutex_lock(&chain->lock);
    chain->up = false;
    pthread_mutex_unlock(&chain->lock);
    *chain->link = chain->next;
    if (chain->next != NULL)
        chain->next->link = chain->link;
    cora_future_remove_done_callback(chain->future, on_future_done, chain);
    cora_future_unref(chain->future);
    if (chain->kind->holds)
        cora_loop_release(chain->loop);
    release(chain);
    return concurrent;
}

static void on_future_done(cora_future *future, void *arg)
{
    struct chain *chain = arg;
    const struct chain_kind *kind = chain->kind;
    cora_concurrent_future *concurrent = take_down(chain);

    kind->future_done(future, concurrent);
    cora_concurrent_future_unref(concurrent);
}

static void deliver(void *arg)
{
    struct chain *chain = arg;

    if (chain->up)
        chain->kind->concurrent_done(chain);
    release(chain);
}

static void drop_delivery(void *arg)
{
    release(arg);
}

/* In any thread. */
static void on_concurrent_done(struct cora__concurrent_callback *callback,
                               cora_concurrent_future *concurrent)
{
    struct chain *chain = (struct chain *)callback;
    bool here, fired;

    (void)concurrent;
    /* Inside the lock: with the loop's end the loop may go. */
    pthread_mutex_lock(&chain->lock);
    here = chain->up && chain->kind->at_once && chain->loop == cora_get_running_loop();
    fired = chain->up && !here && cora_trigger_fire(&chain->trigger) == 0;
    pthread_mutex_unlock(&chain->lock);
    if (here)
        deliver(chain);
    else if (!fired)
        release(chain);
}

static void drop_concurrent_end(struct cora__concurrent_callback *callback)
{
    release((struct chain *)callback);
}

/* The chains that have an end at the loop. */
struct chains {
    struct chain *first;
};

static void close_chains(void *arg)
{
    struct chains *chains = arg;
    struct chain *chain, *next;

    for (chain = chains->first; chain != NULL; chain = next) {
        const struct chain_kind *kind = chain->kind;
        cora_concurrent_future *concurrent;

        next = chain->next;
        concurrent = take_down(chain);
        if (kind->closed != NULL)
            kind->closed(concurrent);
        cora_concurrent_future_unref(concurrent);
    }
    free(chains);
}

static const cora_attachment_kind chains_kind = {NULL, close_chains};

static struct chains *chains_of(cora_loop *loop)
{
    return cora__attached(loop, &chains_kind, sizeof(struct chains));
}

/* In the loop's thread. 0; -ENOMEM. */
static int put_up(const struct chain_kind *kind, cora_loop *loop, cora_future *future,
                  cora_concurrent_future *concurrent)
{
    struct chains *chains = chains_of(loop);
    struct chain *chain = chains != NULL ? malloc(sizeof *chain) : NULL;

    if (chain == NULL)
        return -ENOMEM;
    if (cora_future_add_done_callback(future, on_future_done, chain) < 0) {
        free(chain);
        return -ENOMEM;
    }
    chain->callback.run = on_concurrent_done;
    chain->callback.drop = drop_concurrent_end;
    atomic_init(&chain->refs, 2);
    pthread_mutex_init(&chain->lock, NULL);
    chain->kind = kind;
    chain->concurrent = cora_concurrent_future_ref(concurrent);
    chain->up = true;
    cora_trigger_init(&chain->trigger, loop, deliver, drop_delivery, chain);
    chain->loop = loop;
    chain->future = cora_future_ref(future);
    chain->next = chains->first;
    chain->link = &chains->first;
    if (chain->next != NULL)
        chain->next->link = &chain->next;
    chains->first = chain;
    if (kind->holds)
        cora_loop_hold(loop);
    cora__concurrent_future_add_callback(concurrent, &chain->callback); /* which may run at once */
    return 0;
}

/* ---- run_coroutine_threadsafe -------------------------------------------------------------- */

/* Ends it in any case, even if somebody has said that it was running. */
static void fail(cora_concurrent_future *concurrent, int error)
{
    int rc = cora_concurrent_future_set_exception(concurrent, error);

    (void)rc; /* or it was done before */
}

static void cancel_concurrent(cora_concurrent_future *concurrent)
{
    if (!cora_concurrent_future_cancel(concurrent))
        fail(concurrent, -ECANCELED);
}

static void follow_task(cora_future *task, cora_concurrent_future *concurrent)
{
    int outcome, rc;

    if (cora_concurrent_future_done(concurrent)) /* cancelled: nobody asks for the task's error */
        return;
    outcome = cora_future_result(task);
    if (outcome == -ECANCELED) {
        cancel_concurrent(concurrent);
    } else if (outcome < 0) {
        fail(concurrent, outcome);
    } else {
        rc = cora_concurrent_future_set_result(concurrent, outcome, cora_future_value(task));
        (void)rc; /* or it was cancelled meanwhile */
    }
}

static void cancel_task(struct chain *chain)
{
    if (cora_concurrent_future_cancelled(chain->concurrent))
        cora_future_cancel(chain->future);
}

static const struct chain_kind task_kind = {
    .future_done = follow_task,
    .concurrent_done = cancel_task,
    .closed = cancel_concurrent,
    .at_once = true,
};

/* A task to be created, on its way to the loop. */
struct submission {
    cora_trigger trigger;
    cora_loop *loop;
    cora_concurrent_future *future;
    cora_context *context;
    cora_task_fn *fn;
    const char *function;
    const void *arg; /* `size` bytes, in args; or, if that is 0, for fn as it is */
    size_t size;
    char args[] __attribute__((aligned(16)));
};

static void free_submission(struct submission *submission)
{
    cora_context_unref(submission->context);
    cora_concurrent_future_unref(submission->future);
    free(submission);
}

static int start(const struct submission *submission)
{
    cora_task_options options = {.context = submission->context};
    cora_task *task =
        cora_loop_create_task_copy(submission->loop, &options, submission->fn, submission->function,
                                   submission->arg, submission->size);
    int rc;

    if (task == NULL)
        return -ENOMEM;
    rc = put_up(&task_kind, submission->loop, task, submission->future);
    if (rc < 0)
        cora_task_cancel(task);
    cora_task_unref(task);
    return rc;
}

static void on_submission(void *arg)
{
    struct submission *submission = arg;
    int rc = 0;

    if (!cora_concurrent_future_cancelled(submission->future))
        rc = start(submission);
    if (rc < 0)
        fail(submission->future, rc);
    free_submission(submission);
}

/* The loop was closed before. */
static void drop_submission(void *arg)
{
    struct submission *submission = arg;

    cancel_concurrent(submission->future);
    free_submission(submission);
}

static struct submission *create_submission(cora_loop *loop, cora_task_fn *fn, const char *function,
                                            const void *args, size_t size)
{
    struct submission *submission = malloc(sizeof *submission + size);

    if (submission == NULL)
        return NULL;
    cora_trigger_init(&submission->trigger, loop, on_submission, drop_submission, submission);
    submission->loop = loop;
    submission->future = cora_concurrent_future_create();
    submission->context = cora_copy_context();
    submission->fn = fn;
    submission->function = function;
    submission->size = size;
    submission->arg = size > 0 ? memcpy(submission->args, args, size) : args;
    if (submission->future == NULL || submission->context == NULL) {
        free_submission(submission);
        return NULL;
    }
    return submission;
}

cora_concurrent_future *cora_run_coroutine_threadsafe_copy(cora_loop *loop, cora_task_fn *fn,
                                                           const char *function, const void *args,
                                                           size_t size)
{
    struct submission *submission = create_submission(loop, fn, function, args, size);
    cora_concurrent_future *future;

    if (submission == NULL)
        return NULL;
    future = cora_concurrent_future_ref(submission->future);
    if (cora_trigger_fire(&submission->trigger) < 0)
        drop_submission(submission);
    return future;
}

/* ---- wrap_future --------------------------------------------------------------------------- */

static void cancel_wrapped(cora_future *wrapper, cora_concurrent_future *concurrent)
{
    if (cora_future_cancelled(wrapper))
        cora_concurrent_future_cancel(concurrent);
}

/* One that is done, cancelled, has a callback on its way, which takes the chain down. */
static void complete_wrapper(struct chain *chain)
{
    cora_future *wrapper = chain->future;
    cora_concurrent_future *concurrent;
    int outcome, rc = 0;

    if (cora_future_done(wrapper))
        return;
    cora_future_ref(wrapper);
    concurrent = take_down(chain);
    outcome = cora_concurrent_future_result(concurrent, 0);
    if (cora_concurrent_future_cancelled(concurrent))
        cora_future_cancel(wrapper);
    else if (outcome < 0)
        rc = cora_future_set_exception(wrapper, outcome);
    else
        rc = cora_future_set_result(wrapper, outcome, cora_concurrent_future_value(concurrent));
    (void)rc; /* 0: it was pending */
    cora_concurrent_future_unref(concurrent);
    cora_future_unref(wrapper);
}

static const struct chain_kind wrapper_kind = {
    .future_done = cancel_wrapped,
    .concurrent_done = complete_wrapper,
    .holds = true,
};

cora_future *cora_wrap_future(cora_concurrent_future *future)
{
    cora_loop *loop = cora_get_running_loop();
    cora_future *wrapper = future != NULL && loop != NULL ? cora_loop_create_future(loop) : NULL;

    if (wrapper == NULL)
        return NULL;
    if (put_up(&wrapper_kind, loop, wrapper, future) < 0) {
        cora_future_unref(wrapper);
        return NULL;
    }
    return wrapper;
}
