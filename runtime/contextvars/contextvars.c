#include "contextvars/contextvars.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct binding {
    const cora_context_var *var;
    void *value;
};

struct cora__bindings {
    atomic_uint refs;
    size_t count;
    struct binding items[];
};

static _Thread_local struct cora_context thread_context;
static pthread_key_t thread_end;
static pthread_once_t thread_end_once = PTHREAD_ONCE_INIT;

/* ---- bindings ------------------------------------------------------------------------------ */

void cora__bindings_ref(struct cora__bindings *bindings)
{
    atomic_fetch_add_explicit(&bindings->refs, 1, memory_order_relaxed);
}

void cora__bindings_unref(struct cora__bindings *bindings)
{
    if (atomic_fetch_sub_explicit(&bindings->refs, 1, memory_order_acq_rel) == 1)
        free(bindings);
}

static struct binding *find(struct cora__bindings *bindings, const cora_context_var *var)
{
    for (size_t i = 0; bindings != NULL && i < bindings->count; i++)
        if (bindings->items[i].var == var)
            return &bindings->items[i];
    return NULL;
}

/* A copy for one owner, with room for `extra` more; `bindings` may be NULL. */
static struct cora__bindings *duplicate(const struct cora__bindings *bindings, size_t extra)
{
    size_t count = bindings != NULL ? bindings->count : 0;
    struct cora__bindings *copy = malloc(sizeof *copy + (count + extra) * sizeof copy->items[0]);

    if (copy == NULL)
        return NULL;
    atomic_init(&copy->refs, 1);
    copy->count = count;
    if (count > 0)
        memcpy(copy->items, bindings->items, count * sizeof copy->items[0]);
    return copy;
}

static void replace(struct cora_context *context, struct cora__bindings *bindings)
{
    cora__context_clear(context);
    context->bindings = bindings;
}

/* ---- the current context ------------------------------------------------------------------- */

static void clear_thread_context(void *context)
{
    cora__context_clear(context);
}

static void create_thread_end(void)
{
    pthread_key_create(&thread_end, clear_thread_context);
}

static struct cora_context *current_for_writing(void)
{
    cora__coroutine_self(); /* the thread has its strand now */
    if (cora__strand->context == NULL) {
        pthread_once(&thread_end_once, create_thread_end);
        pthread_setspecific(thread_end, &thread_context);
        cora__strand->context = &thread_context;
    }
    return cora__strand->context;
}

void *cora_context_var_get(const cora_context_var *var)
{
    struct cora_context *context = cora__context_current();
    struct binding *binding = context != NULL ? find(context->bindings, var) : NULL;

    return binding != NULL ? binding->value : var->default_value;
}

int cora_context_var_set(const cora_context_var *var, void *value, cora_context_token *ret_token)
{
    struct cora_context *context = current_for_writing();
    struct cora__bindings *bindings = context->bindings;
    struct binding *binding = find(bindings, var);
    cora_context_token token = {var, context, binding != NULL ? binding->value : NULL,
                                binding != NULL};

    if (binding == NULL || atomic_load(&bindings->refs) > 1) {
        bindings = duplicate(bindings, binding == NULL);
        if (bindings == NULL)
            return -ENOMEM;
        if (binding == NULL)
            bindings->items[bindings->count++].var = var;
        binding = find(bindings, var);
        replace(context, bindings);
    }
    binding->value = value;
    if (ret_token != NULL)
        *ret_token = token;
    return 0;
}

/* Takes the variable out of the current context. */
static int forget(struct cora_context *context, const cora_context_var *var)
{
    struct cora__bindings *bindings = duplicate(context->bindings, 0);

    if (bindings == NULL)
        return -ENOMEM;

    struct binding *binding = find(bindings, var);

    if (binding != NULL)
        *binding = bindings->items[--bindings->count];
    replace(context, bindings);
    return 0;
}

int cora_context_var_reset(const cora_context_var *var, cora_context_token *token)
{
    struct cora_context *context = current_for_writing();
    int rc;

    if (token->var != var || (token->context != context && token->context != context->twin))
        return -EINVAL;
    if (token->was_set)
        rc = cora_context_var_set(var, token->old_value, NULL);
    else
        rc = forget(context, var);
    if (rc == 0)
        token->var = NULL;
    return rc;
}

/* ---- contexts as objects ------------------------------------------------------------------- */

cora_context *cora_copy_context(void)
{
    struct cora_context *context = malloc(sizeof *context);

    if (context == NULL)
        return NULL;
    cora__context_copy_current(context);
    atomic_store(&context->refs, 1);
    return context;
}

cora_context *cora_context_ref(cora_context *context)
{
    if (context != NULL)
        atomic_fetch_add(&context->refs, 1);
    return context;
}

void cora_context_unref(cora_context *context)
{
    if (context == NULL)
        return;
    if (atomic_fetch_sub(&context->refs, 1) == 1) {
        cora__context_clear(context);
        free(context);
    }
}

struct cora_context *cora__context_promote(struct cora_context *copy)
{
    struct cora_context *context = malloc(sizeof *context);

    if (context == NULL)
        return NULL;
    context->bindings = copy->bindings;
    atomic_init(&context->refs, 1);
    atomic_init(&context->entered, false);
    context->twin = copy; /* whose tokens stay good; compared only, for it may be gone */
    copy->bindings = NULL;
    copy->twin = context;
    if (cora__context_current() == copy)
        cora__strand->context = context;
    return context;
}

/* Back to the one before, which may have become an object meanwhile. */
static void leave(struct cora_context *before)
{
    bool promoted = before != NULL && atomic_load(&before->refs) == 0 && before->twin != NULL;

    cora__strand->context = promoted ? before->twin : before;
}

int cora_context_run(cora_context *context, int (*fn)(void *arg), void *arg)
{
    struct cora_context *before = cora__context_current();
    int rc;

    if (context == NULL)
        return -ENOMEM;
    if (atomic_exchange(&context->entered, true))
        return -EBUSY;
    cora__coroutine_self(); /* the thread has its strand now */
    cora__strand->context = context;
    rc = fn(arg);
    leave(before);
    atomic_store(&context->entered, false);
    return rc;
}
