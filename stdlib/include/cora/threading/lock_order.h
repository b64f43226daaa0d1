/*
 * lock_order.h: which locks threads take while they hold others. Where two take two locks in
 * different orders, each may come to wait for what the other holds, for ever, though it seldom
 * does: a build of the library with CORA_DEBUG reports it the first time that both orders have been
 * seen, when nobody has been caught yet. Other builds do not look, and take no time for it.
 *
 * Looked at are the locks of <cora/threading/lock.h> and <cora/threading/rlock.h>, those of
 * conditions too, and of rings of any length. Who waits for a limited time goes on after it: an
 * acquire with a timeout counts for what is taken later, but is not itself held against what was
 * taken before. Likewise a recursive lock that is taken again. A lock that one thread takes and
 * another releases looks like one that is held all the while: for such a report there may be no
 * deadlock.
 *
 * Places are known where the program is compiled with CORA_DEBUG too, and as C.
 */
#ifndef CORA_THREADING_LOCK_ORDER_H
#define CORA_THREADING_LOCK_ORDER_H

#include <cora/base.h>
#include <cora/frame.h>

CORA_BEGIN_DECLS

/* A thread waited for one lock while it held another. file NULL: the place is not known. */
typedef struct cora_threading_lock_order_step {
    const void *held, *wanted; /* the locks */
    cora_frame held_at;        /* where it had taken the one */
    cora_frame wanted_at;      /* where it wanted the other */
} cora_threading_lock_order_step;

/* The steps of a ring: what is wanted in one is held in the next, and in the first again. The first
 * is the one that closes it, of the calling thread. */
typedef void cora_threading_lock_order_hook(const cora_threading_lock_order_step steps[],
                                            size_t count);

/* Called for each ring, once, in the thread that closes it, before it waits. NULL: prints the ring
 * to stderr. The hook takes no locks of cora's. */
CORA_API void cora_threading_set_lock_order_hook(cora_threading_lock_order_hook *hook);

CORA_END_DECLS

#endif
