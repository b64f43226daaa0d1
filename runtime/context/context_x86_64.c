#include "context/context.h"

#include <stddef.h>

#if defined(__x86_64__) && !defined(CORA_CONTEXT_UCONTEXT)

/*
 * The first thing a new context runs. entry and arg lie on its stack, put there by
 * cora__context_create. There is no caller: rip is marked undefined, which is how a debugger knows
 * that a backtrace ends here.
 */
__asm__(".text\n"
        ".p2align 4\n"
        ".globl cora__context_start\n"
        ".hidden cora__context_start\n"
        ".type cora__context_start, @function\n"
        "cora__context_start:\n"
        ".cfi_startproc\n"
        ".cfi_undefined rip\n"
        "    movq 0(%rsp), %rax\n" /* entry */
        "    movq 8(%rsp), %rdi\n" /* arg */
        "    callq *%rax\n"
        "    ud2\n"
        ".cfi_endproc\n"
        ".size cora__context_start, .-cora__context_start\n");

extern void cora__context_start(void);

/* What the first switch finds; it pops the frame, and sp is then a multiple of 16, as the ABI wants
 * it before a call. */
struct first_frame {
    struct cora__context_frame frame;
    void (*entry)(void *);
    void *arg;
};

void *cora__context_create(void *low, void *top, void (*entry)(void *), void *arg)
{
    struct first_frame *first = (struct first_frame *)((char *)top - 16 - sizeof first->frame);

    (void)low;
    first->frame.pc = (void *)(uintptr_t)cora__context_start;
    first->frame.bp = NULL;
    first->entry = entry;
    first->arg = arg;
    __asm__ volatile("stmxcsr %0" : "=m"(first->frame.mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(first->frame.x87cw));
    return first;
}

struct cora__context_registers cora__context_registers(const void *sp)
{
    const struct cora__context_frame *frame = sp;

    return (struct cora__context_registers){
        .pc = (uintptr_t)frame->pc,
        .sp = (uintptr_t)(frame + 1),
        .fp = (uintptr_t)frame->bp,
    };
}

#else
typedef int cora__context_x86_64_unused; /* ISO C forbids an empty translation unit */
#endif
