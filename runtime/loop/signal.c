/*
 * signal.c: which loop has which signal, and add_signal_handler.
 *
 * A signal is the whole process's: one loop at a time has it. It may be handled in any thread,
 * those of the pool included, which block none: so all that is done there is to set flags and to
 * wake the loop, and a loop gives a signal up only when no handler is left that has seen it own
 * one.
 */
#include "loop/signal.h"

#include "loop/poll.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

/* ---- who has which ------------------------------------------------------------------------- */

static struct {
    struct cora_loop *_Atomic loop; /* NULL: none */
    cora__signal_fn *_Atomic fn;
} owners[NSIG];

static atomic_int handling; /* handlers that run now, in all threads */

static void on_signal(int signum)
{
    int saved_errno = errno;
    struct cora_loop *loop;

    atomic_fetch_add(&handling, 1);
    loop = atomic_load(&owners[signum].loop);
    if (loop != NULL)
        atomic_load (&owners[signum].fn)(loop, signum);
    atomic_fetch_sub(&handling, 1);
    errno = saved_errno;
}

static void restore_default(int signum)
{
    struct sigaction action;

    if (sigaction(signum, NULL, &action) == 0 && action.sa_handler == on_signal)
        signal(signum, SIG_DFL);
}

int cora__signal_take(struct cora_loop *loop, int signum, cora__signal_fn *fn)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct cora_loop *owner = NULL;

    if (signum <= 0 || signum >= NSIG)
        return -EINVAL;
    if (!atomic_compare_exchange_strong(&owners[signum].loop, &owner, loop) && owner != loop)
        return -EBUSY;
    atomic_store(&owners[signum].fn, fn);
    sigfillset(&action.sa_mask);
    if (sigaction(signum, &action, NULL) == 0)
        return 0;

    int error = errno;

    atomic_store(&owners[signum].loop, NULL);
    return -error;
}

bool cora__signal_release(struct cora_loop *loop, int signum, cora__signal_fn *fn)
{
    if (signum <= 0 || signum >= NSIG || atomic_load(&owners[signum].loop) != loop ||
        atomic_load(&owners[signum].fn) != fn)
        return false;
    restore_default(signum);
    atomic_store(&owners[signum].loop, NULL);
    while (atomic_load(&handling) > 0)
        sched_yield();
    return true;
}

void cora__signals_after_fork(void)
{
    atomic_store(&handling, 0); /* in threads that are the parent's */
    for (int signum = 1; signum < NSIG; signum++)
        if (atomic_exchange(&owners[signum].loop, NULL) != NULL)
            restore_default(signum);
}

/* ---- add_signal_handler -------------------------------------------------------------------- */

/* It stays with the loop when it is removed, for it may be running, in its context. */
struct signal_handler {
    struct cora__handle handle;
    struct cora_context context;
    atomic_bool arrived;
    bool added;
};

struct cora__signals {
    atomic_bool arrived; /* some of them */
    struct signal_handler handler[NSIG];
};

static void note_arrival(struct cora_loop *loop, int signum)
{
    atomic_store(&loop->handlers->handler[signum].arrived, true);
    atomic_store(&loop->handlers->arrived, true);
    cora__poller_wake(loop);
}

void cora__signals_collect(struct cora_loop *loop)
{
    struct cora__signals *signals = loop->handlers;

    if (signals == NULL || !atomic_exchange(&signals->arrived, false))
        return;
    for (int signum = 1; signum < NSIG; signum++) {
        struct signal_handler *handler = &signals->handler[signum];

        if (atomic_exchange(&handler->arrived, false) && cora__list_empty(&handler->handle.link))
            cora__loop_push(loop, &handler->handle);
    }
}

static int create_handlers(struct cora_loop *loop)
{
    if (loop->handlers != NULL)
        return 0;
    loop->handlers = calloc(1, sizeof *loop->handlers);
    if (loop->handlers == NULL)
        return -ENOMEM;
    for (int signum = 0; signum < NSIG; signum++)
        cora__handle_init(&loop->handlers->handler[signum].handle, NULL, NULL);
    return 0;
}

/* It is replaced in place: a signal that has come already is the new one's. */
static void set_handler(struct signal_handler *handler, cora_callback *fn, void *arg)
{
    struct cora_context context;

    cora__context_copy_current(&context); /* it may be this handler's own */
    cora__context_clear(&handler->context);
    handler->context = context;
    handler->handle.context = &handler->context;
    handler->handle.fn = fn;
    handler->handle.arg = arg;
}

int cora_loop_add_signal_handler(cora_loop *loop, int signum, cora_callback *fn, void *arg)
{
    int rc = fn != NULL ? cora__loop_check(loop) : -EINVAL;

    if (rc == 0)
        rc = create_handlers(loop);
    if (rc == 0)
        rc = cora__signal_take(loop, signum, note_arrival);
    if (rc < 0)
        return rc;

    struct signal_handler *handler = &loop->handlers->handler[signum];

    set_handler(handler, fn, arg);
    loop->signals += !handler->added;
    handler->added = true;
    return 0;
}

bool cora_loop_remove_signal_handler(cora_loop *loop, int signum)
{
    if (!cora__signal_release(loop, signum, note_arrival))
        return false;

    struct signal_handler *handler = &loop->handlers->handler[signum];

    atomic_store(&handler->arrived, false);
    cora__list_remove(&handler->handle.link);
    handler->added = false;
    loop->signals--;
    return true;
}

void cora__signals_close(struct cora_loop *loop)
{
    for (int signum = 1; loop->handlers != NULL && signum < NSIG; signum++) {
        cora_loop_remove_signal_handler(loop, signum);
        cora__context_clear(&loop->handlers->handler[signum].context);
    }
    free(loop->handlers);
    loop->handlers = NULL;
}
