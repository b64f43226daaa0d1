/* signal.h: the end of the loop, for signals. */
#ifndef CORA_LOOP_SIGNAL_H
#define CORA_LOOP_SIGNAL_H

#include "loop/loop.h"

void cora__signals_close(struct cora_loop *loop);

#endif
