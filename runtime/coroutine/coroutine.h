/*
 * coroutine.h: what the layers above need of the coroutine layer beyond its public interface: the
 * symmetric transfer, by which one task goes straight to the next without its resumer in between.
 */
#ifndef CORA_COROUTINE_INTERNAL_H
#define CORA_COROUTINE_INTERNAL_H

#include <cora/coroutine.h>

#include "context/context.h"
#include "coroutine/fiber.h"
#include "stack/stack.h"

#if defined(CORA_ASAN) || defined(CORA_TSAN)
enum { CORA__DEFAULT_STACK_SIZE = 252 << 10 };
#else
enum {
    CORA__DEFAULT_STACK_SIZE = 60 << 10
}; /* 64 with what spreading the tops takes, and its page */
#endif

/* Whose a coroutine is, for the report of a stack overflow. */
struct cora__label {
    char *name; /* NULL: "Task-" and the number */
    unsigned long number;
    const char *function;
};

/* It lies at the top of its own stack, so that a coroutine is one allocation. */
struct cora_coroutine {
    void *sp;                      /* where it stopped, in a yield or a resume */
    struct cora_coroutine *caller; /* who resumed it and is handed its next yield */
    void *value;                   /* on its way in or out */
    cora_coroutine_fn *fn;
    void *arg;
    int outcome;
    enum cora_coroutine_state state;
    int thrown; /* what its yield returns instead of a value; 0: nothing */
    struct cora__stack stack;
    size_t stack_size;               /* as asked for */
    const struct cora__label *label; /* of the task that runs on it; NULL: of none */
    struct cora__fiber fiber;
};

struct cora_context;

/*
 * What runs: a coroutine, in a context. A thread has a strand of its own, a task has one in its
 * handle; so to go on with another task is to point to another strand, and nothing is saved.
 */
struct cora__strand {
    struct cora_coroutine *coroutine; /* a generator's, while one runs */
    struct cora_context *context;     /* NULL: the thread's own */
};

/* Hidden and local to the program's own TLS block: one instruction to reach. NULL: a thread that
 * has not run anything yet. */
extern _Thread_local struct cora__strand *cora__strand
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Makes the thread's own stack a coroutine like the others, once a thread. */
struct cora_coroutine *cora__coroutine_enter_thread(void);

/* The running coroutine; on a thread's own stack the one that stands for it. Never NULL. */
static inline struct cora_coroutine *cora__coroutine_self(void)
{
    struct cora__strand *strand = cora__strand;

    return strand != NULL ? strand->coroutine : cora__coroutine_enter_thread();
}

/*
 * Stops `self`, the running coroutine, leaving in *sp where, and goes on with `to` where it
 * stopped, at to_sp, which runs in the strand, as the caller has noted. Returns when somebody comes
 * back. Of `to` itself nothing is read (unless a
 * sanitizer must be told): whoever keeps the two pointers at hand saves a cache miss a switch.
 */
static inline __attribute__((always_inline)) void cora__coroutine_transfer(
    struct cora_coroutine *self, void **sp, struct cora_coroutine *to, void *to_sp)
{
    cora__fiber_before_switch(&self->fiber, &to->fiber);
    cora__context_switch(sp, to_sp);
    cora__fiber_after_switch(&self->fiber);
}

/* Frees `self`, the running coroutine, with its stack, and goes on with `to` for good. */
_Noreturn void cora__coroutine_exit(struct cora_coroutine *self, struct cora_coroutine *to,
                                    void *to_sp);

/* Frees a coroutine as it stands, without running it again. */
void cora__coroutine_drop(struct cora_coroutine *coroutine);

/* Makes an overflow of a stack of this thread end with a report. 0 or -ENOMEM. overflow.c */
int cora__overflow_watch_thread(void);

#endif
