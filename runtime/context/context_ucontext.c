#include "context/context.h"

#ifdef CORA_CONTEXT_UCONTEXT

#include <stddef.h>
#include <stdint.h>

/* At the top of a new stack, above what makecontext uses. */
struct first_frame {
    ucontext_t ucontext;
    void (*entry)(void *);
    void *arg;
};

/* makecontext passes ints: the pointer goes in two halves. */
static void start(unsigned high, unsigned low)
{
    struct first_frame *first = (struct first_frame *)(uintptr_t)((uint64_t)high << 32 | low);

    first->entry(first->arg);
}

void *cora__context_create(void *low, void *top, void (*entry)(void *), void *arg)
{
    uintptr_t place = ((uintptr_t)top - sizeof(struct first_frame)) & ~(uintptr_t)63;
    struct first_frame *first = (struct first_frame *)place;
    uint64_t bits = place;

    getcontext(&first->ucontext);
    first->entry = entry;
    first->arg = arg;
    first->ucontext.uc_stack.ss_sp = low;
    first->ucontext.uc_stack.ss_size = place - (uintptr_t)low;
    first->ucontext.uc_link = NULL;
    makecontext(&first->ucontext, (void (*)(void))start, 2, (unsigned)(bits >> 32), (unsigned)bits);
    return first;
}

struct cora__context_registers cora__context_registers(const void *sp)
{
    const ucontext_t *context = sp;
    struct cora__context_registers registers = {0};

#if defined(__linux__) && defined(__x86_64__)
    registers.pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
    registers.sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
    registers.fp = (uintptr_t)context->uc_mcontext.gregs[REG_RBP];
#elif defined(__linux__) && defined(__aarch64__)
    registers.pc = (uintptr_t)context->uc_mcontext.pc;
    registers.sp = (uintptr_t)context->uc_mcontext.sp;
    registers.fp = (uintptr_t)context->uc_mcontext.regs[29];
#else
    (void)context;
#endif
    return registers;
}

#else
typedef int cora__context_ucontext_unused; /* ISO C forbids an empty translation unit */
#endif
