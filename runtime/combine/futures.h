/*
 * futures.h: what all that takes several futures does with them.
 */
#ifndef CORA_COMBINE_FUTURES_H
#define CORA_COMBINE_FUTURES_H

#include "future/future.h"

/*
 * They must all be of one loop, which is told in *ret; of none, the running one. 0; -ENOMEM where
 * one is NULL; -CORA_EWRONGLOOP; -CORA_ENOLOOP.
 */
int cora__futures_check(cora_future *const futures[], size_t count, struct cora_loop **ret);

/*
 * For each future the index at which the same one stands first, often its own: an array to be
 * freed. NULL without memory.
 */
size_t *cora__futures_first(cora_future *const futures[], size_t count);

#endif
