/*
 * The portable switch: POSIX ucontext. Every swap saves the signal mask by a system call (165 ns
 * against 4), so it serves where there is no assembly, and as a second opinion in the tests.
 */
#ifndef CORA_CONTEXT_UCONTEXT_H
#define CORA_CONTEXT_UCONTEXT_H

#include <stdint.h>
#include <ucontext.h>

struct cora__machine_context {
    ucontext_t ucontext;
    void (*entry)(void *);
    void *arg;
};

static inline void cora__context_switch(struct cora__machine_context *from,
                                        struct cora__machine_context *to)
{
    swapcontext(&from->ucontext, &to->ucontext);
}

#endif
