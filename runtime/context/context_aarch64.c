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
        "    hint #38\n"         /* bti jc */
        "    ldp x9, x0, [sp]\n" /* entry, arg */
        "    blr x9\n"
        "    brk #0\n"
        ".cfi_endproc\n"
        ".size cora__context_start, .-cora__context_start\n");

extern void cora__context_start(void);

/* What the first switch finds; it pops the frame. */
struct first_frame {
    struct cora__context_frame frame;
    void (*entry)(void *);
    void *arg;
};

void *cora__context_create(void *low, void *top, void (*entry)(void *), void *arg)
{
    struct first_frame *first = (struct first_frame *)top - 1;

    (void)low;
    first->frame.fp = NULL;
    first->frame.pc = (void *)(uintptr_t)cora__context_start;
    first->entry = entry;
    first->arg = arg;
    __asm__ volatile("mrs %0, fpcr" : "=r"(first->frame.fpcr));
    return first;
}

struct cora__context_registers cora__context_registers(const void *sp)
{
    const struct cora__context_frame *frame = sp;

    return (struct cora__context_registers){
        .pc = (uintptr_t)frame->pc,
        .sp = (uintptr_t)(frame + 1),
        .fp = (uintptr_t)frame->fp,
    };
}

#else
typedef int cora__context_aarch64_unused; /* ISO C forbids an empty translation unit */
#endif
