/*
 * generator.h: Python's generators.
 *
 *     struct squares_args { int from, to; };
 *
 *     static int squares(void *arg)
 *     {
 *         struct squares_args *a = arg;
 *         for (int i = a->from; i < a->to; i++) {
 *             int square = i * i;
 *             int rc = cora_generator_yield(&square, NULL);
 *             if (rc < 0)
 *                 return rc;
 *         }
 *         return 0;
 *     }
 *
 *     cora_generator *g = cora_generator_create(squares, .from = 1, .to = 5);
 *     CORA_FOR_EACH (int *, square, g)
 *         printf("%d\n", *square);
 *     rc = cora_generator_destroy(g);
 *
 * A yielded pointer may point into the generator's own frame: it is valid until the next resume.
 */
#ifndef CORA_GENERATOR_H
#define CORA_GENERATOR_H

#include <cora/base.h>
#include <cora/coroutine.h>

CORA_BEGIN_DECLS

/* A generator is a coroutine used by this protocol, as in Python. */
typedef cora_coroutine cora_generator;

/*
 * cora_generator_create(fn, .name = value, ...): a generator that runs fn with a struct fn_args,
 * which is given like keyword arguments and copied onto the generator's own stack. NULL when there
 * is no memory; every call below accepts NULL and answers -ENOMEM.
 */
#define cora_generator_create(fn, ...)                                                             \
    cora_generator_create_copy((fn), &(struct fn##_args){__VA_ARGS__}, sizeof(struct fn##_args))

CORA_API CORA_MUST_CHECK cora_generator *cora_generator_create_copy(cora_coroutine_fn *fn,
                                                                    const void *args, size_t size);

/* A generator whose body gets `arg` itself, which must outlive it. */
CORA_API CORA_MUST_CHECK cora_generator *cora_generator_create_arg(cora_coroutine_fn *fn,
                                                                   void *arg);

/*
 * next(generator): 0 and the next value in *ret, or -CORA_ESTOPITERATION at the end, or the
 * negative error that the body ended with (once; then -CORA_ESTOPITERATION). -EBUSY while it runs.
 */
CORA_API CORA_MUST_CHECK int cora_generator_next(cora_generator *generator, void **ret);

/*
 * generator.send(value): as next, and the yield in the body returns `value`. -EINVAL where a value
 * other than NULL is sent to a generator that has not started.
 */
CORA_API CORA_MUST_CHECK int cora_generator_send(cora_generator *generator, void *value,
                                                 void **ret);

/*
 * generator.throw(): as next, and the yield in the body returns `error`, which is negative (else
 * -EINVAL). A generator that has not started ends with it.
 */
CORA_API CORA_MUST_CHECK int cora_generator_throw(cora_generator *generator, int error, void **ret);

/* yield, in the body of a generator: see cora_coroutine_yield. */
CORA_API CORA_MUST_CHECK int cora_generator_yield(void *value, void **ret_sent);

/* generator.close(): see cora_coroutine_close. An error that the body ends with is returned. */
CORA_API CORA_MUST_CHECK int cora_generator_close(cora_generator *generator);

/* Closes and frees; NULL is accepted. The same results as close; it is always freed, save -EBUSY.
 */
CORA_API int cora_generator_destroy(cora_generator *generator);

/* next, for loops: the value, or NULL at the end and on an error. */
CORA_API void *cora_generator_next_value(cora_generator *generator);

/*
 * for item in generator: CORA_FOR_EACH (type, item, generator) statement. `type` is a pointer type;
 * a yielded NULL ends the loop too. Afterwards cora_coroutine_outcome(generator) tells how the body
 * ended, if it did.
 */
#define CORA_FOR_EACH(type, item, generator)                                                       \
    for (type item; (item = (type)cora_generator_next_value(generator)) != NULL;)

CORA_END_DECLS

#endif
