/*
 * The switch for x86-64, System V ABI.
 *
 * Kept: rsp, rbp, where to go on, and the two control words that the ABI calls callee-saved, mxcsr
 * and the x87 control word (rounding, denormals, exception masks): a task that changes its rounding
 * mode keeps it across a suspension and nobody else sees it. All else is clobbered (see context.h).
 */
#ifndef CORA_CONTEXT_X86_64_H
#define CORA_CONTEXT_X86_64_H

#include <stdint.h>

struct cora__machine_context {
    void *sp;       /*  0 */
    void *pc;       /*  8: where to go on */
    void *bp;       /* 16: cannot be declared clobbered where the compiler keeps a frame pointer */
    uint32_t mxcsr; /* 24 */
    uint16_t x87cw; /* 28 */
};

static inline __attribute__((always_inline)) void cora__context_switch(
    struct cora__machine_context *from, struct cora__machine_context *to)
{
    __asm__ volatile("leaq    1f(%%rip), %%rax\n\t"
                     "stmxcsr 24(%%rdi)\n\t"
                     "fnstcw  28(%%rdi)\n\t"
                     "movq    %%rsp,  0(%%rdi)\n\t"
                     "movq    %%rax,  8(%%rdi)\n\t"
                     "movq    %%rbp, 16(%%rdi)\n\t"
                     "movq     0(%%rsi), %%rsp\n\t"
                     "movq    16(%%rsi), %%rbp\n\t"
                     "ldmxcsr 24(%%rsi)\n\t"
                     "fldcw   28(%%rsi)\n\t"
                     "jmpq    *8(%%rsi)\n"
                     "1:\n\t"
                     : "+D"(from), "+S"(to)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st",
                       "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "mm0", "mm1",
                       "mm2", "mm3", "mm4", "mm5", "mm6", "mm7", "cc", "memory");
}

#endif
