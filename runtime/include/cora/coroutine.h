/*
 * coroutine.h: a function with a stack of its own, which can stop anywhere and go on later.
 *
 * The counterpart of Python's generator protocol (send, yield, StopIteration, close), with one
 * difference: it may yield from any depth of calls. This layer knows no loop and no tasks; it is
 * enough for generators (<cora/generator.h>) and for a toy scheduler.
 *
 *     static int count(void *arg)
 *     {
 *         for (int i = 0; i < 3; i++) {
 *             int rc = cora_coroutine_yield(&i, NULL);
 *             if (rc < 0)
 *                 return rc;                    // being closed: release what is held and end
 *         }
 *         return 0;
 *     }
 *
 * A coroutine belongs to the thread that created it. NULL, as from a creation without memory, is
 * answered by -ENOMEM.
 */
#ifndef CORA_COROUTINE_H
#define CORA_COROUTINE_H

#include <cora/base.h>

CORA_BEGIN_DECLS

typedef struct cora_coroutine cora_coroutine;

/* The body. Its result is the coroutine's outcome: negative an error, else a value. */
typedef int cora_coroutine_fn(void *arg);

/* As inspect.getgeneratorstate() tells them. */
enum cora_coroutine_state {
    CORA_COROUTINE_CREATED,   /* not started */
    CORA_COROUTINE_SUSPENDED, /* in a yield */
    CORA_COROUTINE_RUNNING,   /* it, or a coroutine that it has resumed, is running */
    CORA_COROUTINE_CLOSED,    /* its body has ended */
};

/*
 * Usable bytes of a coroutine's stack where the caller asks for none (stack_size 0): 60 KiB, and
 * 252 KiB under the sanitizers, whose frames are larger. printf needs about 2 KiB, a TLS handshake
 * about 20. Only pages that have been touched take memory.
 */
CORA_API size_t cora_default_stack_size(void);

/*
 * Makes a coroutine that will run fn(arg) on a stack of `stack_size` bytes (0: the default).
 * Returns 0, -ENOMEM, or -EINVAL for a size above 1 GiB. The caller owns *ret until
 * cora_coroutine_destroy; `arg` must stay valid as long as the body uses it.
 */
CORA_API CORA_MUST_CHECK int cora_coroutine_create(cora_coroutine **ret, cora_coroutine_fn *fn,
                                                   void *arg, size_t stack_size);

/*
 * The same, with a copy of the `size` bytes at `args` as the body's argument; the copy lies on the
 * coroutine's own stack. -EINVAL where it takes more than half of the stack.
 */
CORA_API CORA_MUST_CHECK int cora_coroutine_create_copy(cora_coroutine **ret, cora_coroutine_fn *fn,
                                                        const void *args, size_t size,
                                                        size_t stack_size);

/*
 * Runs the coroutine until it yields or ends (generator.send). `value` is what its yield returns
 * to it; the first resume starts the body and has no yield to give a value to, so it is dropped.
 * Returns 0 when it yielded; *ret is then the yielded value (ret may be NULL).
 *   -CORA_ESTOPITERATION  it has ended, now or before: see cora_coroutine_outcome
 *   -EBUSY                it is running already
 */
CORA_API CORA_MUST_CHECK int cora_coroutine_resume(cora_coroutine *coroutine, void *value,
                                                   void **ret);

/*
 * Stops the current coroutine and hands `value` to whoever resumed it. Returns 0 when resumed, with
 * the value that was sent in *ret (ret may be NULL); -CORA_EGENERATOREXIT when it is being closed:
 * the body is then to release what it holds and to return; the error that was thrown; -EPERM
 * outside a coroutine.
 */
CORA_API CORA_MUST_CHECK int cora_coroutine_yield(void *value, void **ret);

/*
 * Resumes the coroutine with an error, which its yield returns (generator.throw); one that has not
 * started ends with it. The same results as resume, and -EINVAL for an error that is not negative.
 */
CORA_API CORA_MUST_CHECK int cora_coroutine_throw(cora_coroutine *coroutine, int error, void **ret);

/*
 * Ends a coroutine early (generator.close): its yield returns -CORA_EGENERATOREXIT, and the body
 * cleans up and returns. A body that has not started never runs. Returns 0, or -CORA_EIGNOREDEXIT
 * when the body yielded once more instead (it is then suspended as before), or -EBUSY when it is
 * running.
 */
CORA_API CORA_MUST_CHECK int cora_coroutine_close(cora_coroutine *coroutine);

/*
 * Closes the coroutine and frees it; NULL is accepted. What a suspended body holds is released by
 * the body itself, as in close. A body that ignores the close is dropped where it stands: its stack
 * is freed, what it held is lost, and -CORA_EIGNOREDEXIT says so. -EBUSY when it is running:
 * nothing is freed. Else 0.
 */
CORA_API int cora_coroutine_destroy(cora_coroutine *coroutine);

CORA_API enum cora_coroutine_state cora_coroutine_state(const cora_coroutine *coroutine);

/*
 * What the body returned, once it has ended; -CORA_EGENERATOREXIT when it was closed before it
 * started. -CORA_EINVALIDSTATE before that.
 */
CORA_API int cora_coroutine_outcome(const cora_coroutine *coroutine);

/* The coroutine that runs in this thread now; NULL on the thread's own stack. */
CORA_API cora_coroutine *cora_coroutine_current(void);

/*
 * Debug builds: the most bytes of stack that this coroutine has used so far. Other builds: 0.
 */
CORA_API size_t cora_coroutine_stack_used(const cora_coroutine *coroutine);

CORA_END_DECLS

#endif
