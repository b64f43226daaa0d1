/* timer.h: the timers' side of the iteration. */
#ifndef CORA_LOOP_TIMER_H
#define CORA_LOOP_TIMER_H

#include "loop/loop.h"

/* Queues the timers whose deadline lies before `limit`, in their order. */
void cora__timers_run(struct cora_loop *loop, double limit);

/* Takes away the disarmed ones that stand in the way. */
void cora__timers_clean(struct cora__timers *timers);

/* Drops them all. */
void cora__timers_close(struct cora_loop *loop);

#endif
