#include "context/context.h"

#ifdef CORA_CONTEXT_UCONTEXT

/* makecontext passes ints: the pointer goes in two halves. */
static void start(unsigned high, unsigned low)
{
    uintptr_t bits = (uintptr_t)((uint64_t)high << 32 | low);
    struct cora__machine_context *context = (struct cora__machine_context *)bits;

    context->entry(context->arg);
}

void cora__context_init(struct cora__machine_context *context, void *low, void *top,
                        void (*entry)(void *), void *arg)
{
    uint64_t bits = (uintptr_t)context;

    getcontext(&context->ucontext);
    context->entry = entry;
    context->arg = arg;
    context->ucontext.uc_stack.ss_sp = low;
    context->ucontext.uc_stack.ss_size = (size_t)((char *)top - (char *)low);
    context->ucontext.uc_link = NULL;
    makecontext(&context->ucontext, (void (*)(void))start, 2, (unsigned)(bits >> 32),
                (unsigned)bits);
}

#else
typedef int cora__context_ucontext_unused; /* ISO C forbids an empty translation unit */
#endif
