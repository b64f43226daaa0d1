/*
 * async_generator.h: generators whose body may await (async def with yield, PEP 525).
 *
 *     struct pages_args { const char *url; };
 *
 *     static int pages(void *arg)                             // async def pages(url):
 *     {
 *         struct pages_args *a = arg;
 *         struct page page;
 *         int rc;
 *
 *         do {
 *             rc = fetch(a->url, &page);                      //     page = await fetch(url)
 *             if (rc == 0)
 *                 rc = cora_generator_yield(&page, NULL);     //     yield page
 *         } while (rc == 0 && !page.last);
 *         return rc;
 *     }
 *
 *     int rc;
 *
 *     cora_async_for (struct page *page, cora_async_generator_create(pages, .url = url), &rc)
 *         printf("%s\n", page->title);                        // async for page in pages(url):
 *     return rc;
 *
 * The body runs in the task that asks for the next value, and its awaits suspend that task: there
 * the current task, the context variables, timeouts and cancellation are the consumer's, and each
 * value may be asked for by another task. A yielded pointer may point into the body's own frame: it
 * is valid until the next value is asked for.
 *
 * What the body returns is how it ended: negative an error, which the consumer gets. It takes a
 * stack when it is first iterated and gives it back when it ends. A timeout or group that it enters
 * is the consuming task's, and is best left before a yield.
 *
 * Every call accepts NULL, as from a creation without memory, and answers -ENOMEM.
 */
#ifndef CORA_ASYNC_GENERATOR_H
#define CORA_ASYNC_GENERATOR_H

#include <cora/base.h>
#include <cora/error.h>
#include <cora/generator.h>

CORA_BEGIN_DECLS

/* Counted references of one loop, that in which it is first iterated, and its thread. */
typedef struct cora_async_generator cora_async_generator;

/* ---- life ---------------------------------------------------------------------------------- */

/*
 * cora_async_generator_create(fn, .name = value, ...): a generator that will run fn with a struct
 * fn_args, which is given like keyword arguments and copied. One reference, for
 * cora_async_generator_unref; NULL without memory.
 */
#define cora_async_generator_create(fn, ...)                                                       \
    cora_async_generator_create_((fn), #fn, &(struct fn##_args){__VA_ARGS__},                      \
                                 sizeof(struct fn##_args))

/* A generator whose body gets `arg` itself, which must outlive it. */
#define cora_async_generator_create_arg(fn, arg) cora_async_generator_create_((fn), #fn, (arg), 0)

/* What these macros call: `args` is copied, or, where size is 0, given itself. */
CORA_API CORA_MUST_CHECK cora_async_generator *cora_async_generator_create_(cora_coroutine_fn *fn,
                                                                            const char *function,
                                                                            void *args,
                                                                            size_t size);

CORA_API cora_async_generator *cora_async_generator_ref(cora_async_generator *generator);

/*
 * Gives a reference back. Never suspends: one that has been iterated and has not ended when the
 * last reference goes is closed by a task of its own, as asyncio's finalizer hook does; an error of
 * it is reported as any task's. NULL is accepted. A loop that is closed drops what it still has of
 * them where it stands, and says so (cora_run and cora_runner_close, which close them first, are
 * the usual way); references to them remain valid, save those of cora_async_for, which go with it.
 */
CORA_API void cora_async_generator_unref(cora_async_generator *generator);

/* ---- iterating it -------------------------------------------------------------------------- */

/*
 * await anext(generator): runs the body, in the current task, until it yields: 0 and the value in
 * *ret (ret may be NULL). Else
 *   -CORA_ESTOPITERATION  it has ended
 *   an error of the body  once; then the above. -ECANCELED, where the body ends with that because
 *                         the current task was cancelled in an await of it
 *   -EBUSY                it is running already: another task, or the body itself, iterates it
 *   -CORA_EWRONGLOOP      it was first iterated in another loop
 *   -CORA_ENOTASK, -ENOMEM
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_async_generator_anext(
    cora_async_generator *generator, void **ret);

/*
 * await generator.asend(value): as anext, and the yield in the body returns `value`. -EINVAL where
 * a value other than NULL is sent to a generator that has not started.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_async_generator_asend(
    cora_async_generator *generator, void *value, void **ret);

/*
 * await generator.athrow(error): as anext, and the yield in the body returns `error`, which is
 * negative (else -EINVAL). A generator that has not started ends with it.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_async_generator_athrow(
    cora_async_generator *generator, int error, void **ret);

/*
 * await generator.aclose(): the yield in the body returns -CORA_EGENERATOREXIT, and the body cleans
 * up, for which it may await, and returns. A body that has not started never runs. 0, also where it
 * has ended already; -CORA_EIGNOREDEXIT when the body yielded once more instead: it is then
 * suspended as before. Else as anext.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_async_generator_aclose(
    cora_async_generator *generator);

/* In the body, yield is cora_generator_yield. */

/* ---- async for ----------------------------------------------------------------------------- */

/*
 * async for item in generator:
 *
 *     cora_async_for (type *item, generator, &rc) statement
 *
 * declares the item and runs the statement for each value. The loop takes over the reference to the
 * generator, and whichever way it is left the generator is closed there and then: the cleanup of
 * its body has run, awaits and all, when control goes on behind a `break`, and before a `return` or
 * `goto` leaves. (Only longjmp and the end of the thread get past that.)
 *
 * `rc`, an int, is set to 0 at the start and to the error that ended the iteration, of the body or
 * of the call: see anext and aclose. Where the statement itself has put an error there, to break
 * with it, that one stays; an error of the close is then reported to the loop's exception handler,
 * as it is with `return` and `goto`. A cancellation that comes in the cleanup before a `return` is
 * not lost: the next call that suspends returns it.
 *
 * C only, for C++ converts no `void *`.
 */
#define cora_async_for(item, generator, rc)                                                        \
    CORA_ASYNC_FOR_(item, generator, rc, CORA_ASYNC_FOR_NAME_(__LINE__))
#define CORA_ASYNC_FOR_(item, generator, rc, self) CORA_ASYNC_FOR_IN_(item, generator, rc, self)
#define CORA_ASYNC_FOR_IN_(item, generator, rc, self)                                              \
    for (cora_async_for_ self __attribute__((cleanup(cora_async_for_leave_))) =                    \
             cora_async_for_enter_((generator), (rc));                                             \
         cora_async_for_next_(&self);)                                                             \
        for (item = self.value; self.in_statement; self.in_statement = false)
#define CORA_ASYNC_FOR_NAME_(line) CORA_ASYNC_FOR_NAMED_(line)
#define CORA_ASYNC_FOR_NAMED_(line) cora_async_for_##line##_ /* loops nest */

/*
 * What the macro calls. `in_statement` stays true where the statement was left by `break`; the
 * generator is NULL once the loop is over.
 */
typedef struct cora_async_for_ {
    cora_async_generator *generator;
    int *rc;
    void *value;
    bool in_statement;
} cora_async_for_;

CORA_API cora_async_for_ cora_async_for_enter_(cora_async_generator *generator, int *rc);
CORA_API CORA_SUSPENDS CORA_MUST_CHECK bool cora_async_for_next_(cora_async_for_ *self);
CORA_API CORA_SUSPENDS void cora_async_for_leave_(cora_async_for_ *self);

CORA_END_DECLS

#endif
