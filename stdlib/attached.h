/*
 * attached.h: what is kept with a loop from its first use on.
 */
#ifndef CORA_STDLIB_ATTACHED_H
#define CORA_STDLIB_ATTACHED_H

#include <cora/loop.h>
#include <cora/waiter.h>

/*
 * The loop's object of this kind; where there is none, a new one of so many bytes, all 0, which
 * kind->close is to free. NULL: there is no memory, or the loop is closed.
 */
void *cora__attached(cora_loop *loop, const cora_attachment_kind *kind, size_t size);

/* Whoever waits in the queue waits for ever: the loop is being closed, and will drop their tasks.
 */
void cora__forsake(cora_wait_queue *queue);

#endif
