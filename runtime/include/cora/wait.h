/*
 * wait.h: waiting for some of several (asyncio.wait, wait_for, as_completed, shield).
 */
#ifndef CORA_WAIT_H
#define CORA_WAIT_H

#include <cora/base.h>
#include <cora/future.h>

#include <math.h>

CORA_BEGIN_DECLS

/* When cora_wait comes back. */
typedef enum cora_return_when {
    CORA_FIRST_COMPLETED, /* as soon as one is done */
    CORA_FIRST_EXCEPTION, /* as soon as one has failed; a cancelled one has not */
    CORA_ALL_COMPLETED,
} cora_return_when;

/*
 * asyncio.wait(): suspends until what `return_when` says is true, or for `timeout` seconds
 * (INFINITY: for any time). It never cancels anything and no timeout is an error: cora_future_done
 * tells afterwards which are done. Returns how many are; -ECANCELED; -EINVAL for no futures or NaN;
 * -ENOMEM, also where a future is NULL; -CORA_EWRONGLOOP; -CORA_ENOTASK.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_wait(cora_future *const futures[], size_t count,
                                                     double timeout, cora_return_when return_when);

/*
 * asyncio.wait_for(): the outcome of the future, or, after `timeout` seconds, -ETIMEDOUT: the
 * future is then cancelled, and its end waited for, however long that takes. A future that is
 * cancelled and ends with a value or an error all the same gives that. -EINVAL for NaN, and nothing
 * is waited for. Else as cora_await.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_wait_for(cora_future *future, double timeout);

/*
 * asyncio.shield(): a future that ends as `inner` does; cancelling it does not cancel `inner`,
 * whose error is then reported. A reference, for cora_await and cora_future_unref; `inner` itself
 * if that is done. NULL without memory.
 */
CORA_API CORA_MUST_CHECK cora_future *cora_shield(cora_future *inner);

/*
 * asyncio.as_completed(): futures in the order in which they are done.
 *
 *     cora_as_completed each;
 *
 *     rc = cora_as_completed_start(&each, tasks, count, INFINITY);
 *     while (rc == 0 && (rc = cora_as_completed_next(&each, &task)) == 0)
 *         ... cora_future_result(task) ...
 *     cora_as_completed_stop(&each);           // -CORA_ESTOPITERATION in rc: all were seen
 */
typedef struct cora_as_completed {
    void *private_[1];
} cora_as_completed;

/* 0; -ENOMEM, also where a future is NULL; -EINVAL for NaN; -CORA_EWRONGLOOP; -CORA_ENOLOOP. */
CORA_API CORA_MUST_CHECK int cora_as_completed_start(cora_as_completed *each,
                                                     cora_future *const futures[], size_t count,
                                                     double timeout);

/*
 * Suspends until the next one is done: 0 and *ret, borrowed. -CORA_ESTOPITERATION after as many
 * calls as there are futures; -ETIMEDOUT for each that was too late; -ECANCELED: the call counts
 * all the same, as in asyncio; -CORA_ENOTASK.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_as_completed_next(cora_as_completed *each,
                                                                  cora_future **ret);

/* Ends the iteration, early or not; the futures that are left go on. */
CORA_API void cora_as_completed_stop(cora_as_completed *each);

CORA_END_DECLS

#endif
