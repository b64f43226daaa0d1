#include "coroutine/coroutine.h"

#include <cora/error.h>

#include <stdint.h>
#include <string.h>

_Thread_local struct cora__strand *cora__strand;

static _Thread_local struct cora_coroutine thread_coroutine;
static _Thread_local struct cora__strand thread_strand;

struct cora_coroutine *cora__coroutine_enter_thread(void)
{
    cora__context_enter_thread();
    cora__fiber_init_thread(&thread_coroutine.fiber);
    thread_coroutine.state = CORA_COROUTINE_RUNNING;
    thread_strand.coroutine = &thread_coroutine;
    cora__strand = &thread_strand;
    return &thread_coroutine;
}

size_t cora_default_stack_size(void)
{
    return CORA__DEFAULT_STACK_SIZE;
}

/* ---- life ---------------------------------------------------------------------------------- */

/* The first frame of every coroutine: runs the body and hands its end to the resumer. */
static void run_body(void *arg)
{
    struct cora_coroutine *self = arg;

    cora__fiber_after_switch(&self->fiber);
    self->outcome = self->fn(self->arg);
    self->state = CORA_COROUTINE_CLOSED;

    struct cora_coroutine *caller = self->caller;

    cora__strand->coroutine = caller;
    cora__fiber_before_exit(&self->fiber, &caller->fiber);
    cora__context_switch(&self->sp, caller->sp);
    __builtin_unreachable();
}

/* Places the coroutine, and below it a copy of the arguments, at the top of the stack. */
static struct cora_coroutine *lay_out(struct cora__stack stack, const void *args, size_t size)
{
    const uintptr_t align = 64;
    uintptr_t place = ((uintptr_t)stack.top - sizeof(struct cora_coroutine)) & ~(align - 1);
    struct cora_coroutine *coroutine = (struct cora_coroutine *)place;

    cora__fiber_clean(stack.low, stack.top);
    memset(coroutine, 0, sizeof *coroutine);
    coroutine->stack = stack;
    place = (place - size) & ~(align - 1);
    if (size > 0)
        coroutine->arg = memcpy((void *)place, args, size);
    cora__fiber_init(&coroutine->fiber, stack.low, (void *)place);
    coroutine->sp = cora__context_create(stack.low, (void *)place, run_body, coroutine);
    return coroutine;
}

int cora_coroutine_create_copy(cora_coroutine **ret, cora_coroutine_fn *fn, const void *args,
                               size_t size, size_t stack_size)
{
    struct cora__stack stack;
    int rc;

    if (stack_size == 0)
        stack_size = CORA__DEFAULT_STACK_SIZE;
    if (size > stack_size / 2)
        return -EINVAL;
    rc = cora__overflow_watch_thread();
    if (rc == 0)
        rc = cora__stack_alloc(stack_size, &stack);
    if (rc < 0)
        return rc;

    struct cora_coroutine *coroutine = lay_out(stack, args, size);

    coroutine->fn = fn;
    coroutine->stack_size = stack_size;
    coroutine->state = CORA_COROUTINE_CREATED;
    *ret = coroutine;
    return 0;
}

int cora_coroutine_create(cora_coroutine **ret, cora_coroutine_fn *fn, void *arg, size_t stack_size)
{
    int rc = cora_coroutine_create_copy(ret, fn, NULL, 0, stack_size);

    if (rc == 0)
        (*ret)->arg = arg;
    return rc;
}

void cora__coroutine_exit(struct cora_coroutine *self, struct cora_coroutine *to, void *to_sp)
{
    cora__stack_free(&self->stack); /* it stays mapped and nobody takes it before the jump */
    cora__fiber_before_exit(&self->fiber, &to->fiber);
    cora__fiber_destroy(&self->fiber);
    cora__context_switch(&self->sp, to_sp);
    __builtin_unreachable();
}

void cora__coroutine_drop(struct cora_coroutine *coroutine)
{
    cora__fiber_destroy(&coroutine->fiber);
    cora__stack_free(&coroutine->stack);
}

int cora_coroutine_destroy(cora_coroutine *coroutine)
{
    if (coroutine == NULL)
        return 0;

    int rc = cora_coroutine_close(coroutine);

    if (rc != -EBUSY)
        cora__coroutine_drop(coroutine);
    return rc;
}

/* ---- resume and yield ---------------------------------------------------------------------- */

int cora_coroutine_resume(cora_coroutine *coroutine, void *value, void **ret)
{
    struct cora_coroutine *self = cora__coroutine_self();

    if (coroutine == NULL)
        return -ENOMEM;
    if (coroutine->state == CORA_COROUTINE_CLOSED)
        return -CORA_ESTOPITERATION;
    if (coroutine->state == CORA_COROUTINE_RUNNING)
        return -EBUSY;
    coroutine->state = CORA_COROUTINE_RUNNING;
    coroutine->caller = self;
    coroutine->value = value;
    cora__strand->coroutine = coroutine;
    cora__coroutine_transfer(self, &self->sp, coroutine, coroutine->sp);
    if (coroutine->state == CORA_COROUTINE_CLOSED)
        return -CORA_ESTOPITERATION;
    if (ret != NULL)
        *ret = coroutine->value;
    return 0;
}

int cora_coroutine_yield(void *value, void **ret)
{
    struct cora_coroutine *self = cora__coroutine_self();
    struct cora_coroutine *caller = self->caller;

    if (caller == NULL)
        return -EPERM;
    self->state = CORA_COROUTINE_SUSPENDED;
    self->value = value;
    self->caller = NULL;
    cora__strand->coroutine = caller;
    cora__coroutine_transfer(self, &self->sp, caller, caller->sp);
    if (self->thrown < 0) {
        int thrown = self->thrown;

        self->thrown = 0;
        return thrown;
    }
    if (ret != NULL)
        *ret = self->value;
    return 0;
}

int cora_coroutine_throw(cora_coroutine *coroutine, int error, void **ret)
{
    if (coroutine == NULL)
        return -ENOMEM;
    if (error >= 0)
        return -EINVAL;
    if (coroutine->state == CORA_COROUTINE_CREATED) { /* no yield to throw it at */
        coroutine->state = CORA_COROUTINE_CLOSED;
        coroutine->outcome = error;
        return -CORA_ESTOPITERATION;
    }
    if (coroutine->state == CORA_COROUTINE_SUSPENDED)
        coroutine->thrown = error;
    return cora_coroutine_resume(coroutine, NULL, ret);
}

int cora_coroutine_close(cora_coroutine *coroutine)
{
    int rc;

    if (coroutine != NULL && coroutine->state == CORA_COROUTINE_CLOSED)
        return 0;
    rc = cora_coroutine_throw(coroutine, -CORA_EGENERATOREXIT, NULL);
    return rc == 0 ? -CORA_EIGNOREDEXIT : rc == -CORA_ESTOPITERATION ? 0 : rc;
}

/* ---- questions ----------------------------------------------------------------------------- */

enum cora_coroutine_state cora_coroutine_state(const cora_coroutine *coroutine)
{
    return coroutine != NULL ? coroutine->state : CORA_COROUTINE_CLOSED;
}

int cora_coroutine_outcome(const cora_coroutine *coroutine)
{
    if (coroutine == NULL)
        return -ENOMEM;
    return coroutine->state == CORA_COROUTINE_CLOSED ? coroutine->outcome : -CORA_EINVALIDSTATE;
}

cora_coroutine *cora_coroutine_current(void)
{
    struct cora_coroutine *self = cora__strand != NULL ? cora__strand->coroutine : NULL;

    return self == &thread_coroutine ? NULL : self;
}

size_t cora_coroutine_stack_used(const cora_coroutine *coroutine)
{
    cora__fiber_before_look();

    size_t used = cora__stack_high_water(&coroutine->stack);

    cora__fiber_after_look();
    return used;
}
