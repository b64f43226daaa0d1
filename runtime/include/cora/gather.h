/*
 * gather.h: waiting for several futures or tasks at once (asyncio.gather).
 */
#ifndef CORA_GATHER_H
#define CORA_GATHER_H

#include <cora/base.h>
#include <cora/future.h>

CORA_BEGIN_DECLS

enum cora_gather_flags {
    /* An error is a result like others: gather waits for all and does not fail with the first. */
    CORA_RETURN_EXCEPTIONS = 1,
};

/*
 * await gather(...): suspends until all are done, or one has failed. `results` (NULL: not wanted)
 * has room for `count` outcomes and is filled, in the order of `futures`, when gather returns 0.
 *
 * Returns 0, or the first error; the others then go on. A future that was cancelled counts as the
 * error -ECANCELED. Cancelling the caller cancels all the futures; gather then returns -ECANCELED
 * as soon as the first of them has ended, or, with CORA_RETURN_EXCEPTIONS, when all have. The same
 * future may be given more than once. The caller keeps its references.
 * -ENOMEM, also where a future is NULL (none is waited for then); -CORA_ENOTASK; -CORA_EWRONGLOOP.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_gather(cora_future *const futures[], size_t count,
                                                       int results[], unsigned flags);

/*
 * cora_gather, then cora_future_unref of each that is not NULL, whatever it returns: for tasks that
 * were created only to be gathered. One that is given twice is given back twice.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_gather_unref(cora_future *const futures[],
                                                             size_t count, int results[],
                                                             unsigned flags);

/*
 * gather(...) without await: a future of the same, a reference, for cora_await and
 * cora_future_unref. Its value (cora_future_value) is an array of the `count` outcomes, valid as
 * long as it. NULL without memory, where a future is NULL, where they belong to different loops,
 * and where there are none and no loop is running.
 */
CORA_API CORA_MUST_CHECK cora_future *cora_gather_future(cora_future *const futures[], size_t count,
                                                         unsigned flags);

CORA_END_DECLS

#endif
