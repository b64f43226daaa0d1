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

int cora_loop_add_signal_handler(cora_loop *loop, int signum, cora_callback *fn, void *arg)
{
    struct cora_loop *nobody = NULL;
    int rc = cora__loop_check(loop);

    if (rc < 0)
        return rc;
    if (!can_be_caught(signum))
        return -EINVAL;
    cora_loop_remove_signal_handler(loop, signum);

    struct signal_handler *handler = calloc(1, sizeof *handler);

    if (handler == NULL)
        return -ENOMEM;
    if (!atomic_compare_exchange_strong(&owners[signum], &nobody, loop)) {
        free(handler);
        return -EBUSY;
    }
    handlers[signum] = handler;
    cora__handle_init(&handler->handle, fn, arg);
    cora__context_copy_current(&handler->context);
    handler->handle.context = &handler->context;
    ev_signal_init(&handler->watcher, on_signal, signum);
    ev_signal_start(cora__poller_ev(loop), &handler->watcher);
    loop->signals++;
    return 0;
}

bool cora_loop_remove_signal_handler(cora_loop *loop, int signum)
{
    if (!can_be_caught(signum) || atomic_load(&owners[signum]) != loop)
        return false;

    struct signal_handler *handler = handlers[signum];

    ev_signal_stop(cora__poller_ev(loop), &handler->watcher);
    cora__list_remove(&handler->handle.link);
    cora__context_clear(&handler->context);
    free(handler);
    handlers[signum] = NULL;
    loop->signals--;
    atomic_store(&owners[signum], NULL);
    return true;
}

void cora__signals_close(struct cora_loop *loop)
{
    for (int signum = 1; signum < NSIG; signum++)
        cora_loop_remove_signal_handler(loop, signum);
}
