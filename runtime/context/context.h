/*
 * context.h: the machine context, the lowest layer. A thread of execution that has stopped is one
 * pointer, into its own stack, where what it needs to go on is saved. Nothing here knows who runs.
 *
 *   sp = cora__context_create(low, top, entry, arg)   the first switch to sp calls entry(arg)
 *   cora__context_switch(&sp, to)                     stop here, leave our own in sp, go on with to
 *   cora__context_get_rounding, _set_rounding         the floating-point control words
 *   cora__context_registers(sp)                       where it stopped, for a look at its stack
 *   cora__context_enter_thread()                      before a thread's first switch
 *
 * The switch is inline assembly that declares every register as clobbered. The compiler then saves
 * exactly the callee-saved registers that are live, its unwind tables describe where, and no call
 * and no return surround the jump. That is worth more than it seems. A switch in a function of its
 * own that leaves by `ret` is mispredicted whenever the two sides stopped at different places
 * (8 ns against 2.6 for a jump); one that leaves by a jump keeps the return address of its own call
 * on the processor's return stack, so that every `ret` after it is mispredicted (18 ns against 4.5
 * for a yield three calls deep). Inlined, calls and returns stay paired and the jump is a jump.
 */
#ifndef CORA_CONTEXT_H
#define CORA_CONTEXT_H

#include <stdint.h>

#if defined(CORA_CONTEXT_UCONTEXT)
#include "context/context_ucontext.h"
#elif defined(__x86_64__)
#include "context/context_x86_64.h"
#elif defined(__aarch64__)
#include "context/context_aarch64.h"
#else
#define CORA_CONTEXT_UCONTEXT 1
#include "context/context_ucontext.h"
#endif

/*
 * A context that starts entry(arg) at the first switch to it, on the stack from `low` up to `top`
 * (aligned to 16 bytes). `entry` must never return.
 */
void *cora__context_create(void *low, void *top, void (*entry)(void *), void *arg);

/* What unwinding a stack begins with. */
struct cora__context_registers {
    uintptr_t pc, sp, fp;
};

/* Those of a context that has stopped, as they will be when it goes on; pc 0: not known. */
struct cora__context_registers cora__context_registers(const void *sp);

#endif
