/*
 * The switch for x86-64, System V ABI.
 *
 * Saved on the stack, from sp up: where to go on, and rbp, which cannot be declared clobbered where
 * the compiler keeps a frame pointer in it. All else is clobbered (see context.h). Files that use
 * it are compiled with -mno-red-zone, for it pushes.
 *
 * The floating-point control words (rounding, exception masks) are callee-saved, too, and a task
 * that changes its rounding mode is to keep it while nobody else sees it. Saving both at every
 * switch takes 3 ns, three times the rest: storing mxcsr waits for the unit to drain. Storing the
 * x87 word and loading either takes next to nothing. So a switch only looks at the x87 word, which
 * whatever <fenv.h> sets changes together with mxcsr. While it is as the ABI has it at the start of
 * a process, no words are saved, and the next one begins with those. Where it is not, the switch
 * takes the long way (context_x86_64.c): a frame with both words, whose pc is a piece of code that
 * loads them and goes on at the pc that lies behind them.
 *
 * What somebody writes into mxcsr alone, by _mm_setcsr, lasts until the next switch, and so do its
 * status flags, which the ABI does not ask to be kept: nobody else sees them. Whether denormals are
 * flushed is the thread's choice, which the switch keeps.
 */
#ifndef CORA_CONTEXT_X86_64_H
#define CORA_CONTEXT_X86_64_H

#include <stdint.h>

struct cora__context_frame {
    void *pc;
    void *bp;
};

/* What lies above the frame if its pc is cora__context_resume_rounded. */
struct cora__context_rounded {
    uint32_t mxcsr;
    uint32_t x87cw;
    void *pc;
};

extern char cora__context_switch_rounded[] __attribute__((visibility("hidden")));
extern char cora__context_resume_rounded[] __attribute__((visibility("hidden")));

/* What every switch loads: mxcsr as at the start of a process, but for the thread's own choice. */
extern _Thread_local uint32_t cora__context_mxcsr
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

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

static inline void cora__context_set_rounding(const struct cora__context_rounding *rounding)
{
    uint16_t now;

    __asm__ volatile("ldmxcsr %0" : : "m"(rounding->mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(now));
    if (now != rounding->x87cw) /* loading it takes 1.2 ns */
        __asm__ volatile("fldcw %0" : : "m"(rounding->x87cw));
}

/* The thread is about to switch: whether it flushes denormals now is its choice. */
static inline void cora__context_enter_thread(void)
{
    enum { ORDINARY = 0x1f80, FLUSH = 0x8040 }; /* FTZ and DAZ */
    struct cora__context_rounding rounding;

    cora__context_get_rounding(&rounding);
    cora__context_mxcsr = ORDINARY | (rounding.mxcsr & FLUSH);
}

/* The slot of the pc is where the x87 word is looked at first. */
static inline __attribute__((always_inline)) void cora__context_switch(void **from, void *to)
{
    __asm__ volatile("leaq    1f(%%rip), %%rax\n\t"
                     "pushq   %%rbp\n\t"
                     "pushq   %%rax\n\t"
                     "fnstcw  (%%rsp)\n\t"
                     "cmpw    $0x37f, (%%rsp)\n\t"
                     "jne     cora__context_switch_rounded\n\t"
                     "movq    cora__context_mxcsr@gottpoff(%%rip), %%rcx\n\t"
                     "movq    %%rax, (%%rsp)\n\t"
                     "movq    %%rsp, (%%rdi)\n\t"
                     "movq    %%rsi, %%rsp\n\t"
                     "ldmxcsr %%fs:(%%rcx)\n\t"
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
