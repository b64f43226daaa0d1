/*
 * unwind.h: the calls that a stopped coroutine is in.
 */
#ifndef CORA_UNWIND_H
#define CORA_UNWIND_H

#include "coroutine/coroutine.h"
#include "unwind/symbols.h"

/*
 * Calls fn(address, arg), from the newest call on, with an address in each of the functions on the
 * stack of a coroutine that has stopped at `sp`; none without symbols. It ends where the stack
 * does, where the unwind tables do, or where fn returns false.
 */
void cora__unwind(struct cora__symbols *symbols, const struct cora_coroutine *coroutine,
                  const void *sp, bool (*fn)(uintptr_t address, void *arg), void *arg);

/*
 * Where the calls that one is in will return to, newest first: up to `room` addresses, of which it
 * returns the number. It begins with `first`, which is one of them.
 */
size_t cora__backtrace(uintptr_t addresses[], size_t room, const void *first);

#endif
