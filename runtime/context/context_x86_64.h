/*
 * The switch for x86-64, System V ABI.
 *
 * Saved on the stack, from sp up: the two control words that the ABI calls callee-saved, mxcsr and
 * the x87 control word (rounding, denormals, exception masks), so that a task which changes its
 * rounding mode keeps it across a suspension and nobody else sees it; where to go on; and rbp,
 * which cannot be declared clobbered where the compiler keeps a frame pointer in it. All else is
 * clobbered (see context.h). Files that use it are compiled with -mno-red-zone, for it pushes.
 */
#ifndef CORA_CONTEXT_X86_64_H
#define CORA_CONTEXT_X86_64_H

#include <stdint.h>

struct cora__context_frame {
    uint32_t mxcsr;
    uint32_t x87cw;
    void *pc;
    void *bp;
};

/* Where the compiler may use more registers it keeps values in them, too. */
#ifdef __AVX512F__
#define CORA__CLOBBERED_AVX512                                                                     \
    , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",    \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5",  \
        "k6", "k7"
#else
#define CORA__CLOBBERED_AVX512
#endif

struct cora__context_rounding {
    uint32_t mxcsr;
    uint16_t x87cw;
};

static inline void cora__context_get_rounding(struct cora__context_rounding *rounding)
{
    __asm__ volatile("stmxcsr %0" : "=m"(rounding->mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(rounding->x87cw));
}

static inline void cora__context_set_rounding(struct cora__context_rounding rounding)
{
    __asm__ volatile("ldmxcsr %0" : : "m"(rounding.mxcsr));
    __asm__ volatile("fldcw %0" : : "m"(rounding.x87cw));
}

static inline __attribute__((always_inline)) void cora__context_switch(void **from, void *to)
{
    __asm__ volatile("leaq    1f(%%rip), %%rax\n\t"
                     "pushq   %%rbp\n\t"
                     "pushq   %%rax\n\t"
                     "subq    $8, %%rsp\n\t"
                     "stmxcsr (%%rsp)\n\t"
                     "fnstcw  4(%%rsp)\n\t"
                     "movq    %%rsp, (%%rdi)\n\t"
                     "movq    %%rsi, %%rsp\n\t"
                     "ldmxcsr (%%rsp)\n\t"
                     "fldcw   4(%%rsp)\n\t"
                     "addq    $8, %%rsp\n\t"
                     "popq    %%rax\n\t"
                     "popq    %%rbp\n\t"
                     "jmpq    *%%rax\n"
                     "1:\n\t"
                     : "+D"(from), "+S"(to)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st",
                       "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "mm0", "mm1",
                       "mm2", "mm3", "mm4", "mm5", "mm6", "mm7", "cc",
                       "memory" CORA__CLOBBERED_AVX512);
}

#endif
