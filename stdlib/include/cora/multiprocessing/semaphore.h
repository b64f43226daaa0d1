/*
 * semaphore.h: so many processes at a time (multiprocessing.Semaphore, BoundedSemaphore).
 *
 * A permit is nobody's: what a process has that is killed does not come back, as in Python.
 */
#ifndef CORA_MULTIPROCESSING_SEMAPHORE_H
#define CORA_MULTIPROCESSING_SEMAPHORE_H

#include <cora/base.h>
#include <cora/multiprocessing/condition.h>

CORA_BEGIN_DECLS

/* Storage of the caller's, in shared memory. Its members are private. */
typedef struct cora_multiprocessing_semaphore {
    cora_multiprocessing_condition condition_;
    unsigned value_, bound_;
} cora_multiprocessing_semaphore;

/* With `value` permits. 0; -ENOMEM. */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_semaphore_init(
    cora_multiprocessing_semaphore *semaphore, unsigned value);

/* BoundedSemaphore(): there are never more. */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_bounded_semaphore_init(
    cora_multiprocessing_semaphore *semaphore, unsigned value);

/*
 * Takes a permit; blocks until there is one, for at most `timeout` seconds (INFINITY: for any time;
 * 0 or less: not at all). 0; -ETIMEDOUT; -EINVAL for NaN.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_semaphore_acquire(
    cora_multiprocessing_semaphore *semaphore, double timeout);

/* Gives one back, in any process. 0; -CORA_EINVALIDSTATE where there would be too many. */
CORA_API int cora_multiprocessing_semaphore_release(cora_multiprocessing_semaphore *semaphore);

/* How many permits there are just now. */
CORA_API unsigned cora_multiprocessing_semaphore_get_value(
    const cora_multiprocessing_semaphore *semaphore);

CORA_END_DECLS

#endif
