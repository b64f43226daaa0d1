/*
 * barrier.h: threads wait for one another until so many have come (threading.Barrier).
 *
 *     rc = cora_threading_barrier_init(&barrier, 3, NULL);
 *     ...
 *     rc = cora_threading_barrier_wait(&barrier, INFINITY);    // in each of three threads
 */
#ifndef CORA_THREADING_BARRIER_H
#define CORA_THREADING_BARRIER_H

#include <cora/base.h>
#include <cora/threading/condition.h>

CORA_BEGIN_DECLS

/* Storage of the caller's, which must stay where it is. Its members are private. */
typedef struct cora_threading_barrier {
    cora_threading_condition condition_;
    int parties_;
    int count_;
    int state_;
    int (*action_)(void *arg);
    void *arg_;
    double timeout_;
} cora_threading_barrier;

/* The optional arguments of Barrier; all may be 0. */
typedef struct cora_threading_barrier_options {
    /* Called with `arg` by one of the threads, when all have come and before any of them goes on.
     * Where it fails the barrier is broken. */
    int (*action)(void *arg);
    void *arg;
    double timeout; /* seconds, of every wait that has none of its own; 0: none */
} cora_threading_barrier_options;

/* A barrier for `parties` threads, at least 1. `options` may be NULL. 0; -EINVAL, also for a
 * timeout that is negative or NaN. */
CORA_API CORA_MUST_CHECK int cora_threading_barrier_init(
    cora_threading_barrier *barrier, int parties, const cora_threading_barrier_options *options);

/* Nobody uses it any more. */
CORA_API void cora_threading_barrier_destroy(cora_threading_barrier *barrier);

/*
 * Blocks until `parties` threads are here, for at most `timeout` seconds (INFINITY: as long as the
 * barrier's own timeout has it; 0 or less: not at all): who has waited so long breaks the barrier.
 * Returns the number of threads that came before, 0 to parties - 1. -CORA_EBROKENBARRIER when it is
 * or gets broken, by its own time too, or is reset meanwhile; the action's error, in its thread;
 * -EINVAL for NaN.
 */
CORA_API CORA_MUST_CHECK int cora_threading_barrier_wait(cora_threading_barrier *barrier,
                                                         double timeout);

/* Sends all who wait away with -CORA_EBROKENBARRIER; the barrier is then as new. */
CORA_API void cora_threading_barrier_reset(cora_threading_barrier *barrier);

/* The same, and breaks it for whoever comes later, until a reset. */
CORA_API void cora_threading_barrier_abort(cora_threading_barrier *barrier);

CORA_API int cora_threading_barrier_parties(const cora_threading_barrier *barrier);
CORA_API int cora_threading_barrier_n_waiting(cora_threading_barrier *barrier);
CORA_API bool cora_threading_barrier_broken(cora_threading_barrier *barrier);

CORA_END_DECLS

#endif
