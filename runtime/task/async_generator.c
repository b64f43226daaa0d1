/*
 * async_generator.c: a generator whose body may await.
 *
 * Coroutines have stacks, and so a plain generator's body can suspend the task that has resumed it.
 * What is added here is a life that outlasts its consumers: the loop knows every generator that was
 * iterated, and closes it in a task when nobody else will.
 */
#include "task/async_generator.h"

#include <stdlib.h>
#include <string.h>

/* ---- life ---------------------------------------------------------------------------------- */

cora_async_generator *cora_async_generator_create_(cora_coroutine_fn *fn, const char *function,
                                                   void *args, size_t size)
{
    struct cora_async_generator *generator = malloc(sizeof *generator + size);

    if (generator == NULL)
        return NULL;
    *generator = (struct cora_async_generator){.refs = 1, .fn = fn, .function = function};
    cora__list_init(&generator->link);
    generator->arg = size > 0 ? memcpy(generator->args, args, size) : args;
    return generator;
}

cora_async_generator *cora_async_generator_ref(cora_async_generator *generator)
{
    if (generator != NULL)
        generator->refs++;
    return generator;
}

static int start(struct cora_async_generator *generator, struct cora_loop *loop)
{
    int rc = cora_coroutine_create(&generator->body, generator->fn, generator->arg, 0);

    if (rc < 0)
        return rc;
    generator->loop = loop;
    cora__loop_ref(loop);
    cora__list_append(&loop->async_generators, &generator->link);
    if (loop->async_generators_shut_down)
        cora__loop_report(loop, NULL, NULL, 0,
                          "the asynchronous generator '%s' was started after the loop's were shut "
                          "down",
                          generator->function);
    return 0;
}

/* The body has ended, or is given up where it stands. */
static void end(struct cora_async_generator *generator)
{
    cora__coroutine_drop(generator->body);
    generator->body = NULL;
    generator->ended = true;
    cora__list_remove(&generator->link);
}

static bool is_running(const struct cora_async_generator *generator)
{
    return generator->body != NULL && generator->body->state == CORA_COROUTINE_RUNNING;
}

static void free_generator(struct cora_async_generator *generator)
{
    cora_task_unref(generator->closer);
    if (generator->loop != NULL)
        cora__loop_unref(generator->loop);
    free(generator);
}

/* Nobody refers to it. Who is iterating or closing it comes here when he is done with it. */
static void release(struct cora_async_generator *generator)
{
    bool closing = generator->closer != NULL && !cora_task_done(generator->closer);

    if (closing || is_running(generator))
        return;
    if (generator->body == NULL) {
        free_generator(generator);
    } else if (cora__async_generator_close_soon(generator) == NULL) {
        cora__loop_report(generator->loop, NULL, NULL, -ENOMEM,
                          "the asynchronous generator '%s' could not be closed",
                          generator->function);
        end(generator);
        free_generator(generator);
    }
}

void cora_async_generator_unref(cora_async_generator *generator)
{
    if (generator != NULL && --generator->refs == 0)
        release(generator);
}

/* ---- iterating it -------------------------------------------------------------------------- */

/* 0: it has a body, for the current task to go on with. */
static int enter(struct cora_async_generator *generator)
{
    if (generator == NULL)
        return -ENOMEM;
    if (cora__current_task() == NULL)
        return -CORA_ENOTASK;
    if (generator->loop != NULL && generator->loop != cora__loop_running)
        return -CORA_EWRONGLOOP;
    if (generator->ended)
        return -CORA_ESTOPITERATION;
    return generator->body == NULL ? start(generator, cora__loop_running) : 0;
}

static int leave(struct cora_async_generator *generator, int rc)
{
    if (generator->body->state == CORA_COROUTINE_CLOSED)
        end(generator);
    return rc;
}

static int send(struct cora_async_generator *generator, void *value, void **ret)
{
    int rc = enter(generator);

    return rc < 0 ? rc : leave(generator, cora_generator_send(generator->body, value, ret));
}

static int throw(struct cora_async_generator * generator, int error, void **ret)
{
    int rc = enter(generator);

    return rc < 0 ? rc : leave(generator, cora_generator_throw(generator->body, error, ret));
}

static int close_body(struct cora_async_generator *generator)
{
    if (generator != NULL && generator->body == NULL) {
        generator->ended = true;
        return 0;
    }

    int rc = enter(generator);

    return rc < 0 ? rc : leave(generator, cora_generator_close(generator->body));
}

/* The last reference may have gone while the body ran. */
static int done_with(struct cora_async_generator *generator, int rc)
{
    if (generator != NULL && generator->refs == 0)
        release(generator);
    return rc;
}

int cora_async_generator_anext(cora_async_generator *generator, void **ret)
{
    return done_with(generator, send(generator, NULL, ret));
}

int cora_async_generator_asend(cora_async_generator *generator, void *value, void **ret)
{
    return done_with(generator, send(generator, value, ret));
}

int cora_async_generator_athrow(cora_async_generator *generator, int error, void **ret)
{
    return done_with(generator, throw(generator, error, ret));
}

int cora_async_generator_aclose(cora_async_generator *generator)
{
    return done_with(generator, close_body(generator));
}

/* ---- closing what was left ----------------------------------------------------------------- */

void cora__async_generator_report(struct cora_loop *loop, const char *function, int error)
{
    cora__loop_report(loop, NULL, NULL, error,
                      "an error occurred during closing of the asynchronous generator '%s'",
                      function);
}

/* Once nobody refers to it, a body that ignores the close is dropped where it stands. */
static int close_generator(void *arg)
{
    struct cora_async_generator *generator = arg;
    cora_task *self = generator->closer;
    int rc = close_body(generator);

    generator->closer = NULL;
    if (generator->refs == 0 && rc == -CORA_EIGNOREDEXIT)
        end(generator);
    if (generator->refs == 0)
        release(generator);
    cora_task_unref(self);
    return rc;
}

cora_task *cora__async_generator_close_soon(struct cora_async_generator *generator)
{
    if (generator->closer != NULL && cora_task_done(generator->closer)) { /* it never ran */
        cora_task_unref(generator->closer);
        generator->closer = NULL;
    }
    if (generator->closer == NULL)
        generator->closer = cora_task_create(generator->loop, NULL, close_generator,
                                             generator->function, generator, 0);
    return generator->closer;
}

static void drop(struct cora_async_generator *generator)
{
    if (!is_running(generator)) /* else that has been reported of its task */
        cora__loop_report(generator->loop, NULL, NULL, 0,
                          "the asynchronous generator '%s' was dropped before its end",
                          generator->function);
    end(generator);
    cora_task_unref(generator->closer);
    generator->closer = NULL;
    generator->refs -= generator->loops;
    generator->loops = 0;
    if (generator->refs == 0)
        free_generator(generator);
}

void cora__async_generators_drop(struct cora_loop *loop)
{
    struct cora__list *next;

    for (struct cora__list *link = loop->async_generators.next; link != &loop->async_generators;
         link = next) {
        next = link->next;
        drop(cora__container_of(link, struct cora_async_generator, link));
    }
}

/* ---- async for ----------------------------------------------------------------------------- */

cora_async_for_ cora_async_for_enter_(cora_async_generator *generator, int *rc)
{
    *rc = 0;
    if (generator == NULL)
        *rc = -ENOMEM;
    else
        generator->loops++;
    return (cora_async_for_){.generator = generator, .rc = rc};
}

static void give_back(cora_async_for_ *self)
{
    struct cora_async_generator *generator = self->generator;

    self->generator = NULL;
    generator->loops--;
    cora_async_generator_unref(generator);
}

/* What no result can tell any more: a cancellation comes back, other errors are reported. */
static void tell_otherwise(const struct cora_async_generator *generator, int error)
{
    struct cora__task *task = cora__current_task();

    if (error == -ECANCELED) {
        task->must_cancel = true;
        task->must_cancel_message = task->future.cancel_message;
    } else if (error < 0) {
        cora__async_generator_report(task->future.loop, generator->function, error);
    }
}

bool cora_async_for_next_(cora_async_for_ *self)
{
    int error;

    if (self->generator == NULL)
        return false;
    if (!self->in_statement) {
        error = send(self->generator, NULL, &self->value);
        if (error == 0)
            return self->in_statement = true;
        if (error == -CORA_ESTOPITERATION)
            error = 0;
    } else {
        error = close_body(self->generator);
    }
    if (*self->rc < 0)
        tell_otherwise(self->generator, error);
    else if (error < 0)
        *self->rc = error;
    give_back(self);
    return false;
}

void cora_async_for_leave_(cora_async_for_ *self)
{
    if (self->generator == NULL)
        return;
    tell_otherwise(self->generator, close_body(self->generator));
    give_back(self);
}
