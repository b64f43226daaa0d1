#include <cora/generator.h>

#include <cora/error.h>

#include "coroutine/coroutine.h"

cora_generator *cora_generator_create_copy(cora_coroutine_fn *fn, const void *args, size_t size)
{
    cora_generator *generator;

    return cora_coroutine_create_copy(&generator, fn, args, size, 0) == 0 ? generator : NULL;
}

cora_generator *cora_generator_create_arg(cora_coroutine_fn *fn, void *arg)
{
    cora_generator *generator;

    return cora_coroutine_create(&generator, fn, arg, 0) == 0 ? generator : NULL;
}

int cora_generator_next(cora_generator *generator, void **ret)
{
    return cora_generator_send(generator, NULL, ret);
}

/* The error that the body ended with comes out once, from the call in which it ended. */
static int with_error(cora_generator *generator, enum cora_coroutine_state before, int rc)
{
    if (rc == -CORA_ESTOPITERATION && before != CORA_COROUTINE_CLOSED &&
        cora_coroutine_outcome(generator) < 0)
        return cora_coroutine_outcome(generator);
    return rc;
}

int cora_generator_send(cora_generator *generator, void *value, void **ret)
{
    enum cora_coroutine_state before = cora_coroutine_state(generator);

    if (before == CORA_COROUTINE_CREATED && value != NULL)
        return -EINVAL;
    return with_error(generator, before, cora_coroutine_resume(generator, value, ret));
}

int cora_generator_throw(cora_generator *generator, int error, void **ret)
{
    enum cora_coroutine_state before = cora_coroutine_state(generator);

    return with_error(generator, before, cora_coroutine_throw(generator, error, ret));
}

void *cora_generator_next_value(cora_generator *generator)
{
    void *value = NULL;

    return cora_generator_next(generator, &value) == 0 ? value : NULL;
}

int cora_generator_yield(void *value, void **ret_sent)
{
    return cora_coroutine_yield(value, ret_sent);
}

/* Ending by the exit that close itself has thrown is the normal end. */
static int without_exit(cora_generator *generator, enum cora_coroutine_state before, int rc)
{
    if (rc < 0 || before != CORA_COROUTINE_SUSPENDED)
        return rc;

    int outcome = cora_coroutine_outcome(generator);

    return outcome < 0 && outcome != -CORA_EGENERATOREXIT ? outcome : 0;
}

int cora_generator_close(cora_generator *generator)
{
    if (generator == NULL)
        return -ENOMEM;

    enum cora_coroutine_state before = cora_coroutine_state(generator);

    return without_exit(generator, before, cora_coroutine_close(generator));
}

int cora_generator_destroy(cora_generator *generator)
{
    int rc;

    if (generator == NULL)
        return 0;
    rc = cora_generator_close(generator);
    if (rc != -EBUSY)
        cora__coroutine_drop(generator);
    return rc;
}
