/*
 * lock_order.h: what locks tell of who takes them; in a build without CORA_DEBUG nothing.
 */
#ifndef CORA_STDLIB_LOCK_ORDER_H
#define CORA_STDLIB_LOCK_ORDER_H

#include <cora/threading/lock_order.h>

/* No place that is known. */
static inline cora_frame cora__nowhere(const char *function)
{
    return (cora_frame){function, NULL, 0};
}

#ifdef CORA_DEBUG

/* The thread is about to wait for the lock, for as long as it takes. No lock of ours is held. */
void cora__lock_order_wanted(const void *lock, cora_frame place);

/* It has it, and another or the same has released it; both before somebody else can take it. */
void cora__lock_order_taken(const void *lock, cora_frame place);
void cora__lock_order_released(const void *lock);

/* The lock is no more, or a new one. */
void cora__lock_order_forget(const void *lock);

/* Around a fork, in the parent and in the child. */
void cora__lock_order_prepare_fork(void);
void cora__lock_order_after_fork(void);

#else

static inline void cora__lock_order_wanted(const void *lock, cora_frame place)
{
    (void)lock;
    (void)place;
}

static inline void cora__lock_order_taken(const void *lock, cora_frame place)
{
    (void)lock;
    (void)place;
}

static inline void cora__lock_order_released(const void *lock)
{
    (void)lock;
}

static inline void cora__lock_order_forget(const void *lock)
{
    (void)lock;
}

static inline void cora__lock_order_prepare_fork(void)
{
}

static inline void cora__lock_order_after_fork(void)
{
}

#endif
#endif
