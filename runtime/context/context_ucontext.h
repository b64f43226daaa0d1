/*
 * The portable switch: POSIX ucontext. Every swap saves the signal mask by a system call (165 ns
 * against 4), so it serves where there is no assembly, and as a second opinion in the tests.
 */
#ifndef CORA_CONTEXT_UCONTEXT_H
#define CORA_CONTEXT_UCONTEXT_H

#include <fenv.h>
#include <ucontext.h>

struct cora__context_rounding {
    fenv_t environment;
};

static inline void cora__context_get_rounding(struct cora__context_rounding *rounding)
{
    fegetenv(&rounding->environment);
}

static inline void cora__context_set_rounding(const struct cora__context_rounding *rounding)
{
    fesetenv(&rounding->environment);
}

/* The thread is about to switch. */
static inline void cora__context_enter_thread(void)
{
}

/* What is saved lies on the stack of the one who stopped, as with the other switches. */
static inline void cora__context_switch(void **from, void *to)
{
    ucontext_t here;

    *from = &here;
    swapcontext(&here, to);
}

#endif
