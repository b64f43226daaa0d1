/*
 * signal.c: add_signal_handler. libev's handler notes the signal and wakes the loop, which then
 * queues the callback. A signal is the whole process's: one loop at a time handles it.
 */
#include "loop/signal.h"

#include "loop/poll.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>

struct signal_handler {
    ev_signal watcher;
    struct cora__handle handle;
    struct cora_context context;
};

/* By number: which loop handles it, and how. */
static struct cora_loop *_Atomic owners[NSIG];
static struct signal_handler *handlers[NSIG];

static void on_signal(EV_P_ ev_signal *watcher, int events)
{
    struct signal_handler *handler = cora__container_of(watcher, struct signal_handler, watcher);

    (void)events;
    if (cora__list_empty(&handler->handle.link))
        cora__loop_push(ev_userdata(loop), &handler->handle);
}

static bool can_be_caught(int signum)
{
    return signum > 0 && signum < NSIG && signum != SIGKILL && signum != SIGSTOP;
}

static int watch(struct cora_loop *loop, int signum)
{
    struct cora_loop *nobody = NULL;
    struct signal_handler *handler = calloc(1, sizeof *handler);

    if (handler == NULL)
        return -ENOMEM;
    if (!atomic_compare_exchange_strong(&owners[signum], &nobody, loop)) {
        free(handler);
        return -EBUSY;
    }
    handlers[signum] = handler;
    cora__handle_init(&handler->handle, NULL, NULL);
    ev_signal_init(&handler->watcher, on_signal, signum);
    ev_signal_start(cora__poller_ev(loop), &handler->watcher);
    loop->signals++;
    return 0;
}

/* A handler is replaced in place: a signal that has come already is the new one's. */
int cora_loop_add_signal_handler(cora_loop *loop, int signum, cora_callback *fn, void *arg)
{
    struct cora_context context;
    int rc = cora__loop_check(loop);

    if (rc < 0)
        return rc;
    if (!can_be_caught(signum))
        return -EINVAL;
    if (atomic_load(&owners[signum]) != loop)
        rc = watch(loop, signum);
    if (rc < 0)
        return rc;

    struct signal_handler *handler = handlers[signum];

    cora__context_copy_current(&context); /* it may be this handler's own */
    cora__context_clear(&handler->context);
    handler->context = context;
    handler->handle.context = &handler->context;
    handler->handle.fn = fn;
    handler->handle.arg = arg;
    return 0;
}

static void free_handler(void *arg)
{
    struct signal_handler *handler = arg;

    cora__context_clear(&handler->context);
    free(handler);
}

static void drop_handler(struct cora__handle *handle)
{
    free_handler(handle->arg);
}

bool cora_loop_remove_signal_handler(cora_loop *loop, int signum)
{
    if (!can_be_caught(signum) || atomic_load(&owners[signum]) != loop)
        return false;

    struct signal_handler *handler = handlers[signum];

    ev_signal_stop(cora__poller_ev(loop), &handler->watcher);
    cora__list_remove(&handler->handle.link);
    handlers[signum] = NULL;
    loop->signals--;
    atomic_store(&owners[signum], NULL);
    if (loop->running == &handler->handle) { /* it runs in its context, which must last so long */
        cora__handle_init(&handler->handle, free_handler, handler);
        handler->handle.drop = drop_handler;
        cora__loop_push(loop, &handler->handle);
    } else {
        free_handler(handler);
    }
    return true;
}

void cora__signals_close(struct cora_loop *loop)
{
    for (int signum = 1; signum < NSIG; signum++)
        cora_loop_remove_signal_handler(loop, signum);
}
