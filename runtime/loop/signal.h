/*
 * signal.h: the process's signals, and which loop has them.
 */
#ifndef CORA_LOOP_SIGNAL_H
#define CORA_LOOP_SIGNAL_H

#include "loop/loop.h"

/* Called where the signal is handled, in any thread: it must be async-signal-safe. */
typedef void cora__signal_fn(struct cora_loop *loop, int signum);

/*
 * From now on the signal is the loop's, and calls fn. A second call of the same loop's replaces fn.
 * 0; -EBUSY while another loop has it; -EINVAL for what cannot be caught.
 */
int cora__signal_take(struct cora_loop *loop, int signum, cora__signal_fn *fn);

/*
 * The signal has its default effect again, unless somebody has given it another; and no handler
 * that knows the loop runs any more, in whichever thread. False: the loop did not have it with fn.
 */
bool cora__signal_release(struct cora_loop *loop, int signum, cora__signal_fn *fn);

/* Queues the callbacks of the signals that have come. */
void cora__signals_collect(struct cora_loop *loop);

/* In a forked child: what the parent's loops had has its default effect. */
void cora__signals_after_fork(void);

void cora__signals_close(struct cora_loop *loop);

#endif
