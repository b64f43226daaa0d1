/*
 * poll.h: waiting for the outside world. libev does it, by epoll or kqueue; poll.c and io.c are the
 * only sources that include <ev.h>.
 */
#ifndef CORA_LOOP_POLL_H
#define CORA_LOOP_POLL_H

#include "loop/loop.h"

int cora__poller_create(struct cora_loop *loop);
void cora__poller_destroy(struct cora_loop *loop);

/*
 * Waits for events at most `timeout` seconds (negative: for ever). 0, or why in a forked child,
 * where the poller is made anew, it cannot be.
 */
int cora__poller_wait(struct cora_loop *loop, double timeout);

/* Ends the wait that is under way so many seconds from now, if any is. */
void cora__poller_alarm(struct cora_loop *loop, double delay);

/* Events that a wait has found and that are not dispatched yet. */
bool cora__poller_has_events(const struct cora_loop *loop);

/* Queues the handlers of those events. */
void cora__poller_dispatch(struct cora_loop *loop);

/* Ends a wait, or the next one; from any thread and from a signal handler. */
void cora__poller_wake(struct cora_loop *loop);

/* Whether it was made before a fork, and has not waited in this child. */
bool cora__poller_is_inherited(const struct cora_loop *loop);

/* Changes in a forked child. */
unsigned cora__poller_forks(void);

/* libev's own loop, for io.c. */
struct ev_loop *cora__poller_ev(const struct cora_loop *loop);

/* threadsafe.c: what other threads have handed over. Whether there is anything; queues it. */
bool cora__foreign_waits(struct cora_loop *loop);
void cora__foreign_collect(struct cora_loop *loop);

/* The same, and nothing more is taken in. */
void cora__foreign_close(struct cora_loop *loop);

#endif
