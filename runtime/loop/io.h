/* io.h: what the other parts of the loop ask of its descriptors. */
#ifndef CORA_LOOP_IO_H
#define CORA_LOOP_IO_H

#include "loop/loop.h"

/* Tells libev who has been served and does not wait any more. */
void cora__io_before_poll(struct cora_loop *loop);

/* The loop ends. */
void cora__io_close(struct cora_loop *loop);

/*
 * Keeps the descriptor for the waiters of one owner. 0; -EBADF, -EPERM; -EBUSY while somebody
 * watches it or waits for it; -ENOMEM. Its waiters are started without fail until it is given back.
 */
int cora__io_claim(struct cora_loop *loop, int fd, const void *owner);
void cora__io_disclaim(struct cora_loop *loop, int fd, const void *owner);

#endif
