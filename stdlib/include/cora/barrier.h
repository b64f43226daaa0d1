/*
 * barrier.h: tasks wait for one another until so many have come (asyncio.Barrier).
 */
#ifndef CORA_BARRIER_H
#define CORA_BARRIER_H

#include <cora/base.h>
#include <cora/condition.h>

CORA_BEGIN_DECLS

/* Storage of the caller's; must stay where it is while somebody waits. Its members are private. */
typedef struct cora_barrier {
    cora_condition condition_;
    int parties_;
    int count_;
    int state_;
} cora_barrier;

/* A barrier for `parties` tasks, at least 1. 0 or -EINVAL. Nothing is to be freed. */
CORA_API CORA_MUST_CHECK int cora_barrier_init(cora_barrier *barrier, int parties);

/*
 * Suspends until `parties` tasks are here; the last one does not wait. Returns the number of tasks
 * that came before, 0 to parties - 1: each gets another, save where one who had come was cancelled
 * and is replaced, as in asyncio. -CORA_EBROKENBARRIER when it is or gets broken, or is reset
 * meanwhile; -ECANCELED: the others wait on.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_barrier_wait(cora_barrier *barrier);

/* Sends all who wait away with -CORA_EBROKENBARRIER; the barrier is then as new. 0; -ECANCELED. */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_barrier_reset(cora_barrier *barrier);

/* The same, and breaks it for whoever comes later, until a reset. 0; -ECANCELED. */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_barrier_abort(cora_barrier *barrier);

CORA_API int cora_barrier_parties(const cora_barrier *barrier);
CORA_API int cora_barrier_n_waiting(const cora_barrier *barrier);
CORA_API bool cora_barrier_broken(const cora_barrier *barrier);

CORA_END_DECLS

#endif
