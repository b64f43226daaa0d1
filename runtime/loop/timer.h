/* timer.h: the timers' side of the iteration. */
#ifndef CORA_LOOP_TIMER_H
#define CORA_LOOP_TIMER_H

#include "loop/loop.h"

/* Queues the timers whose deadline lies before `limit`, in their order. */
void cora__timers_run(struct cora_loop *loop, double limit);

/* Drops them all. */
void cora__timers_close(struct cora_loop *loop);

#endif
