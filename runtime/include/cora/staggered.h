/*
 * staggered.h: several ways to the same end, one after the other, and the first to get there
 * (asyncio.staggered). Happy Eyeballs connects to a host's addresses like that.
 *
 *     cora_racer racers[] = {{.fn = connect_to, .arg = &ipv6}, {.fn = connect_to, .arg = &ipv4}};
 *
 *     rc = cora_staggered_race(racers, 2, 0.25);
 *     if (rc >= 0)
 *         ... racers[rc].outcome ...
 */
#ifndef CORA_STAGGERED_H
#define CORA_STAGGERED_H

#include <cora/base.h>
#include <cora/task.h>

#include <math.h>

CORA_BEGIN_DECLS

/* One that takes part. */
typedef struct cora_racer {
    cora_task_fn *fn; /* negative: it has failed */
    void *arg;        /* of fn; valid until the race is over */

    /* Written by the race. */
    bool started;
    int outcome; /* what fn returned; where it was not started, -CORA_EINVALIDSTATE */
    void *private_[11];
} cora_racer;

/*
 * asyncio.staggered.staggered_race(): suspends until one of the racers has succeeded, or all have
 * failed. Each runs as a task. The first one starts at once, each of the others when the one before
 * has failed or `delay` seconds after its start (INFINITY: only when it has failed). The first that
 * succeeds wins; the others are cancelled, and have ended when this returns.
 *
 * Returns the winner's index; -CORA_ENOWINNER where all have failed, or there were none. Else:
 * -ECANCELED, even if somebody has won meanwhile: all were cancelled, and have ended;
 * -EINVAL for NaN, and for more racers than an int counts; -ENOMEM where not all could be started
 * that should have been, and none of the others has won; -CORA_ENOTASK.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_staggered_race(cora_racer racers[], size_t count,
                                                               double delay);

CORA_END_DECLS

#endif
