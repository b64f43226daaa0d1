/* io.h: the end of the loop, for descriptors. */
#ifndef CORA_LOOP_IO_H
#define CORA_LOOP_IO_H

#include "loop/loop.h"

void cora__io_close(struct cora_loop *loop);

#endif
