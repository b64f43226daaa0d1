#include "context/context.h"

#include <stddef.h>

#if defined(__aarch64__) && !defined(CORA_CONTEXT_UCONTEXT)

/* The first thing a new context runs; see context_x86_64.c. x30 undefined ends a backtrace. */
__asm__(".text\n"
        ".p2align 4\n"
        ".globl cora__context_start\n"
        ".hidden cora__context_start\n"
        ".type cora__context_start, %function\n"
        "cora__context_start:\n"
        ".cfi_startproc\n"
        ".cfi_undefined x30\n"
        "    ldp x9, x0, [sp]\n" /* entry, arg */
        "    blr x9\n"
        "    brk #0\n"
        ".cfi_endproc\n"
        ".size cora__context_start, .-cora__context_start\n");

extern void cora__context_start(void);

void cora__context_init(struct cora__machine_context *context, void *low, void *top,
                        void (*entry)(void *), void *arg)
{
    (void)low;
    void **sp = (void **)top - 2;
    sp[0] = (void *)(uintptr_t)entry;
    sp[1] = arg;
    context->sp = sp;
    context->pc = (void *)(uintptr_t)cora__context_start;
    context->fp = NULL;
    __asm__ volatile("mrs %0, fpcr" : "=r"(context->fpcr));
}

#else
typedef int cora__context_aarch64_unused; /* ISO C forbids an empty translation unit */
#endif
