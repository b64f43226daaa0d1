/*
 * The switch for AArch64, AAPCS64.
 *
 * Saved on the stack, from sp up: x29 (the frame pointer), where to go on, and fpcr, the
 * floating-point control register that a function must leave as it found it. All else is clobbered
 * (see context.h), x18 too: on Linux it is a register like any other.
 */
#ifndef CORA_CONTEXT_AARCH64_H
#define CORA_CONTEXT_AARCH64_H

#include <stdint.h>

struct cora__context_frame {
    void *fp;
    void *pc;
    uint64_t fpcr;
    uint64_t align;
};

/* Where the compiler may use predicates it keeps values in them, too. */
#ifdef __ARM_FEATURE_SVE
#define CORA__CLOBBERED_SVE                                                                        \
    , "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13",      \
        "p14", "p15", "ffr"
#else
#define CORA__CLOBBERED_SVE
#endif

struct cora__context_rounding {
    uint64_t fpcr;
};

static inline void cora__context_get_rounding(struct cora__context_rounding *rounding)
{
    __asm__ volatile("mrs %0, fpcr" : "=r"(rounding->fpcr));
}

static inline void cora__context_set_rounding(const struct cora__context_rounding *rounding)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(rounding->fpcr));
}

/* The thread is about to switch. */
static inline void cora__context_enter_thread(void)
{
}

static inline __attribute__((always_inline)) void cora__context_switch(void **from, void *to)
{
    register void **a __asm__("x0") = from;
    register void *b __asm__("x1") = to;

    __asm__ volatile("adr  x9, 1f\n\t"
                     "mrs  x11, fpcr\n\t"
                     "stp  x29, x9, [sp, #-32]!\n\t"
                     "str  x11, [sp, #16]\n\t"
                     "mov  x10, sp\n\t"
                     "str  x10, [x0]\n\t"
                     "mov  sp, x1\n\t"
                     "ldr  x12, [sp, #16]\n\t"
                     "ldp  x29, x9, [sp], #32\n\t"
                     "cmp  x11, x12\n\t" /* writing fpcr is slow: only where it differs */
                     "b.eq 2f\n\t"
                     "msr  fpcr, x12\n"
                     "2:\n\t"
                     "br   x9\n"
                     "1:\n\t"
                     "hint #36\n\t" /* bti j: the jump may land here; elsewhere it is a nop */
                     : "+r"(a), "+r"(b)
                     :
                     : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
                       "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24",
                       "x25", "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6",
                       "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17",
                       "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28",
                       "v29", "v30", "v31", "cc", "memory" CORA__CLOBBERED_SVE);
}

#endif
