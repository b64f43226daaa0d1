#include "context/context.h"

#include <stdbool.h>
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

/* used: only assembly reads it, which optimizing at link time does not see. */
__attribute__((used)) _Thread_local uint32_t cora__context_mxcsr = 0x1f80;

/*
 * The long way of the switch, for who has changed the x87 control word, with the registers as
 * there: rax is where it goes on, and the two slots that were pushed become a frame with both
 * words. The next one begins with the words of a new process; one that has saved its own loads them
 * itself.
 */
__asm__(".text\n"
        ".p2align 4\n"
        ".globl cora__context_switch_rounded\n"
        ".hidden cora__context_switch_rounded\n"
        ".type cora__context_switch_rounded, @function\n"
        "cora__context_switch_rounded:\n"
        "    movq    %rax, 8(%rsp)\n" /* rbp is in its register still */
        "    stmxcsr (%rsp)\n"
        "    fnstcw  4(%rsp)\n"
        "    leaq    cora__context_resume_rounded(%rip), %rax\n"
        "    pushq   %rbp\n"
        "    pushq   %rax\n"
        "    movq    %rsp, (%rdi)\n"
        "    movq    %rsi, %rsp\n"
        "    pushq   $0x37f\n"
        "    fldcw   (%rsp)\n"
        "    addq    $8, %rsp\n"
        "    movq    cora__context_mxcsr@gottpoff(%rip), %rcx\n"
        "    ldmxcsr %fs:(%rcx)\n"
        "    popq    %rax\n"
        "    popq    %rbp\n"
        "    jmpq    *%rax\n"
        ".size cora__context_switch_rounded, .-cora__context_switch_rounded\n"
        ".globl cora__context_resume_rounded\n"
        ".hidden cora__context_resume_rounded\n"
        ".type cora__context_resume_rounded, @function\n"
        "cora__context_resume_rounded:\n"
        "    ldmxcsr (%rsp)\n"
        "    fldcw   4(%rsp)\n"
        "    addq    $8, %rsp\n"
        "    popq    %rax\n"
        "    jmpq    *%rax\n"
        ".size cora__context_resume_rounded, .-cora__context_resume_rounded\n");

/* What the first switch finds, with the words of the creator; it pops the frame and what lies above
 * it, and sp is then a multiple of 16, as the ABI wants it before a call. */
struct first_frame {
    struct cora__context_frame frame;
    struct cora__context_rounded rounded;
    void (*entry)(void *);
    void *arg;
};

void *cora__context_create(void *low, void *top, void (*entry)(void *), void *arg)
{
    struct first_frame *first = (struct first_frame *)top - 1;
    struct cora__context_rounding rounding;

    (void)low;
    cora__context_get_rounding(&rounding);
    first->frame.pc = cora__context_resume_rounded;
    first->frame.bp = NULL;
    first->rounded.mxcsr = rounding.mxcsr;
    first->rounded.x87cw = rounding.x87cw;
    first->rounded.pc = (void *)(uintptr_t)cora__context_start;
    first->entry = entry;
    first->arg = arg;
    return first;
}

struct cora__context_registers cora__context_registers(const void *sp)
{
    const struct cora__context_frame *frame = sp;
    const struct cora__context_rounded *rounded = (const void *)(frame + 1);
    bool is_rounded = frame->pc == cora__context_resume_rounded;

    return (struct cora__context_registers){
        .pc = (uintptr_t)(is_rounded ? rounded->pc : frame->pc),
        .sp = (uintptr_t)(is_rounded ? rounded + 1 : rounded),
        .fp = (uintptr_t)frame->bp,
    };
}

#else
typedef int cora__context_x86_64_unused; /* ISO C forbids an empty translation unit */
#endif
