/*
 * The switch alone, three times: as the function that the floor's scheduler uses; inline, without
 * the floating-point control words, which is what a program can do that never changes them; and
 * inline with all the saves that the ABI asks for.
 */
#include "floor.h"

/* The compiler saves what it needs of the registers that it is told are lost. */
#define LOST                                                                                       \
    "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0",      \
        "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",  \
        "xmm12", "xmm13", "xmm14", "xmm15", "st", "cc", "memory"

static inline void switch_inline(void **save, void *load)
{
    __asm__ volatile("pushq %%rbp\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "subq $8, %%rsp\n\t"
                     "stmxcsr (%%rsp)\n\t"
                     "fnstcw 4(%%rsp)\n\t"
                     "movq %%rsp, (%0)\n\t"
                     "movq %1, %%rsp\n\t"
                     "ldmxcsr (%%rsp)\n\t"
                     "fldcw 4(%%rsp)\n\t"
                     "addq $8, %%rsp\n\t"
                     "popq %%rax\n\t"
                     "popq %%rbp\n\t"
                     "jmpq *%%rax\n"
                     "1:"
                     : "+D"(save), "+S"(load)
                     :
                     : LOST);
}

static inline void switch_bare(void **save, void *load)
{
    __asm__ volatile("pushq %%rbp\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "movq %%rsp, (%0)\n\t"
                     "movq %1, %%rsp\n\t"
                     "popq %%rax\n\t"
                     "popq %%rbp\n\t"
                     "jmpq *%%rax\n"
                     "1:"
                     : "+D"(save), "+S"(load)
                     :
                     : LOST);
}

/*
 * A context as the switches save it: `before` words are popped before the address to go on at, the
 * control words first where there are any, and `after` words after it.
 */
static void *new_context(void (*entry)(void), int before, int after)
{
    static char stack[65536] __attribute__((aligned(16)));
    void **sp = (void **)(stack + sizeof stack) - 1 - after - 1 - before;

    sp[0] = (void *)(0x1f80 | 0x37fUL << 32); /* as a program starts with them */
    sp[before] = (void *)(uintptr_t)entry;
    return sp;
}

static void *here, *there;

#define MEASURE(name, before, after)                                                               \
    static void back_by_##name(void)                                                               \
    {                                                                                              \
        for (;;)                                                                                   \
            name(&there, here);                                                                    \
    }                                                                                              \
                                                                                                   \
    static double name##_ns(void)                                                                  \
    {                                                                                              \
        enum { BATCH = 100000 };                                                                   \
        long switches = 0;                                                                         \
                                                                                                   \
        there = new_context(back_by_##name, before, after);                                        \
        int64_t start = cpu_ns();                                                                  \
        do {                                                                                       \
            for (int i = 0; i < BATCH; i++)                                                        \
                name(&here, there);                                                                \
            switches += 2L * BATCH;                                                                \
        } while (!enough(start));                                                                  \
        return per(cpu_ns() - start, switches);                                                    \
    }

MEASURE(switch_inline, 1, 1)
MEASURE(switch_bare, 0, 1)
MEASURE(switch_context, 6, 0)

void run_switch(long nothing)
{
    (void)nothing;
    report("ns", switch_context_ns(), "bare_ns", switch_bare_ns(), "full_ns", switch_inline_ns(),
           NULL);
}
