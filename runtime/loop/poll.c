#include "loop/poll.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>

/*
 * libev waits; the ready queue, the timers and the iteration are ours. Its own timer only bounds a
 * wait. Its pending events are kept back until dispatch, so that polling and running can be
 * separate steps (cora_loop_poll).
 */
struct cora__poller {
    struct ev_loop *ev;
    ev_timer bound;
    ev_async wake;
    unsigned fork_generation;
};

/* Counts forks: a poller made before the last one must be made anew in the child. */
static volatile unsigned fork_generation;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void after_fork_in_child(void)
{
    fork_generation++;
    cora__loop_running = NULL; /* it runs in the parent */
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, after_fork_in_child);
}

static void keep_pending(EV_P)
{
    (void)loop;
}

static void on_bound(EV_P_ ev_timer *timer, int events)
{
    (void)loop, (void)timer, (void)events;
}

static void on_wake(EV_P_ ev_async *async, int events)
{
    (void)async, (void)events;
    struct cora_loop *cora = ev_userdata(loop);

    cora__foreign_collect(cora);
    if (cora->notified) {
        cora->notified = 0;
        cora->on_notified(cora);
    }
}

int cora__poller_create(struct cora_loop *loop)
{
    struct cora__poller *poller = calloc(1, sizeof *poller);

    if (poller == NULL)
        return -ENOMEM;
    pthread_once(&fork_once, watch_forks);
    errno = 0;
    poller->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    if (poller->ev == NULL) {
        int error = errno;

        free(poller);
        return error != 0 ? -error : -ENOMEM;
    }
    ev_set_userdata(poller->ev, loop);
    ev_set_invoke_pending_cb(poller->ev, keep_pending);
    ev_timer_init(&poller->bound, on_bound, 0, 0);
    ev_async_init(&poller->wake, on_wake);
    ev_async_start(poller->ev, &poller->wake);
    poller->fork_generation = fork_generation;
    loop->poller = poller;
    return 0;
}

void cora__poller_destroy(struct cora_loop *loop)
{
    cora__poller_after_fork(loop);
    ev_async_stop(loop->poller->ev, &loop->poller->wake);
    ev_loop_destroy(loop->poller->ev);
    free(loop->poller);
    loop->poller = NULL;
}

int cora__poller_wait(struct cora_loop *loop, double timeout)
{
    struct cora__poller *poller = loop->poller;

    cora__poller_after_fork(loop);
    if (timeout == 0) {
        ev_run(poller->ev, EVRUN_NOWAIT);
        return 0;
    }
    if (timeout > 0) {
        ev_now_update(poller->ev); /* or the bound would count from the last wait */
        ev_timer_set(&poller->bound, timeout, 0);
        ev_timer_start(poller->ev, &poller->bound);
    }
    ev_run(poller->ev, EVRUN_ONCE);
    ev_timer_stop(poller->ev, &poller->bound);
    return 0;
}

bool cora__poller_has_events(const struct cora_loop *loop)
{
    return ev_pending_count(loop->poller->ev) > 0;
}

void cora__poller_dispatch(struct cora_loop *loop)
{
    ev_invoke_pending(loop->poller->ev);
}

void cora__poller_wake(struct cora_loop *loop)
{
    ev_async_send(loop->poller->ev, &loop->poller->wake);
}

void cora__poller_after_fork(struct cora_loop *loop)
{
    if (loop->poller->fork_generation != fork_generation) {
        loop->poller->fork_generation = fork_generation;
        ev_loop_fork(loop->poller->ev);
    }
}

struct ev_loop *cora__poller_ev(const struct cora_loop *loop)
{
    return loop->poller->ev;
}
