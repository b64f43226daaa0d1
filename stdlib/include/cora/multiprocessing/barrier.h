/*
 * barrier.h: processes wait for one another until so many have come (multiprocessing.Barrier).
 */
#ifndef CORA_MULTIPROCESSING_BARRIER_H
#define CORA_MULTIPROCESSING_BARRIER_H

#include <cora/base.h>
#include <cora/multiprocessing/condition.h>

CORA_BEGIN_DECLS

/* Storage of the caller's, in shared memory. Its members are private. */
typedef struct cora_multiprocessing_barrier {
    cora_multiprocessing_condition condition_;
    int parties_;
    bool broken_;
    uint64_t position_; /* all who have come, or would have: a round is `parties_` of them */
    uint64_t failures_; /* of the last 64 rounds, a bit each */
} cora_multiprocessing_barrier;

/* For `parties`, at least 1. 0; -EINVAL; -ENOMEM. */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_barrier_init(
    cora_multiprocessing_barrier *barrier, int parties);

/*
 * Blocks until `parties` are here, for at most `timeout` seconds (INFINITY: for any time). How many
 * came before, 0 to parties - 1. -CORA_EBROKENBARRIER when it is or gets broken, or is reset
 * meanwhile; -ETIMEDOUT, and it is broken: for the others will never be enough. So is it for
 * whoever waits for one who was killed; one who was killed while he waited has come. -EINVAL for
 * NaN.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_barrier_wait(
    cora_multiprocessing_barrier *barrier, double timeout);

/* Sends all who wait away with -CORA_EBROKENBARRIER; the barrier is then as new. */
CORA_API void cora_multiprocessing_barrier_reset(cora_multiprocessing_barrier *barrier);

/* The same, and breaks it for whoever comes later, until a reset. */
CORA_API void cora_multiprocessing_barrier_abort(cora_multiprocessing_barrier *barrier);

CORA_API int cora_multiprocessing_barrier_parties(const cora_multiprocessing_barrier *barrier);
CORA_API int cora_multiprocessing_barrier_n_waiting(const cora_multiprocessing_barrier *barrier);
CORA_API bool cora_multiprocessing_barrier_broken(const cora_multiprocessing_barrier *barrier);

CORA_END_DECLS

#endif
