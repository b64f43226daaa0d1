/*
 * contextvars.h: what the loop and the tasks need of contexts: to copy the current one into their
 * own storage, and to switch between them.
 */
#ifndef CORA_CONTEXTVARS_INTERNAL_H
#define CORA_CONTEXTVARS_INTERNAL_H

#include <cora/contextvars.h>

#include "coroutine/coroutine.h"

#include <stdatomic.h>

/*
 * A context is a pointer to immutable, shared bindings, so that a copy costs a reference count and
 * an empty context nothing at all. Setting a variable makes new bindings where others share them.
 */
struct cora_context {
    struct cora__bindings *bindings; /* NULL: every variable has its default */
    atomic_uint refs;                /* 0: storage of another object's, which nobody refers to */
    atomic_bool entered;             /* by cora_context_run */
    struct cora_context *twin;       /* of the two that cora__context_promote ties: the other */
};

/* NULL: the thread's own context, which is made when a variable is first set in it. */
static inline struct cora_context *cora__context_current(void)
{
    return cora__strand != NULL ? cora__strand->context : NULL;
}

void cora__bindings_ref(struct cora__bindings *bindings);
void cora__bindings_unref(struct cora__bindings *bindings);

/* Makes *context, storage of the caller's, a copy of the current context. Never fails. */
static inline void cora__context_copy_current(struct cora_context *context)
{
    const struct cora_context *current = cora__context_current();

    context->bindings = current != NULL ? current->bindings : NULL;
    atomic_init(&context->refs, 0);
    atomic_init(&context->entered, false);
    context->twin = NULL;
    if (context->bindings != NULL)
        cora__bindings_ref(context->bindings);
}

/*
 * Makes of such a copy an object that can be referred to, in which goes on what ran in the copy;
 * the copy must last as long as that runs. NULL without memory.
 */
struct cora_context *cora__context_promote(struct cora_context *copy);

/* Releases what such a copy holds. */
static inline void cora__context_clear(struct cora_context *context)
{
    if (context->bindings != NULL)
        cora__bindings_unref(context->bindings);
    context->bindings = NULL;
}

#endif
