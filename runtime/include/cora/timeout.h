/*
 * timeout.h: a limit on how long a part of a task may take (asyncio.timeout).
 *
 *     cora_timeout timeout;
 *
 *     cora_timeout_enter(&timeout, 2.0);
 *     int rc = fetch(url);
 *     rc = cora_timeout_exit(&timeout, rc);     // -ETIMEDOUT if this timeout has cut it off
 *
 * When the time is up the task is cancelled; the exit turns that -ECANCELED, and only that, into
 * -ETIMEDOUT. Timeouts nest: each takes back its own cancellation and lets others' pass.
 */
#ifndef CORA_TIMEOUT_H
#define CORA_TIMEOUT_H

#include <cora/base.h>
#include <cora/error.h>

CORA_BEGIN_DECLS

/* asyncio.Timeout: storage of the caller's, in a frame of the task that enters it. */
typedef struct cora_timeout {
    void *private_[4];
} cora_timeout;

/*
 * Starts the limit: `delay` seconds from now. 0 or less cuts off the first call that suspends.
 * There is no limit where it is INFINITY. It never suspends and has no result: what is wrong (no
 * current task, no memory, NaN) is the result of the exit, and the scope then has no effect, save
 * that without memory for a limit the first call that suspends is cut off. Of a timeout that was
 * entered and not left yet the first entry stays in force, and the exit returns -CORA_EENTERED.
 */
#define cora_timeout_enter(timeout, delay)                                                         \
    cora_timeout_enter_((timeout), (delay), __FILE__, __LINE__)
CORA_API void cora_timeout_enter_(cora_timeout *timeout, double delay, const char *file, int line);

/* timeout_at(): the same until `when` on the loop's clock. */
#define cora_timeout_at_enter(timeout, when)                                                       \
    cora_timeout_at_enter_((timeout), (when), __FILE__, __LINE__)
CORA_API void cora_timeout_at_enter_(cora_timeout *timeout, double when, const char *file,
                                     int line);

/*
 * Ends the scope. `rc` is how its body ended. Returns -ETIMEDOUT where the body ended with
 * -ECANCELED because of this timeout and of nothing else; else rc. Never suspends.
 */
CORA_API CORA_MUST_CHECK int cora_timeout_exit(cora_timeout *timeout, int rc);

/*
 * Moves the deadline; INFINITY: none. 0; -CORA_ENOTENTERED; -CORA_EFINISHED once it has expired or
 * been left; -EINVAL for NaN; -ENOMEM.
 */
CORA_API CORA_MUST_CHECK int cora_timeout_reschedule(cora_timeout *timeout, double when);

/* The deadline on the loop's clock; INFINITY: none. */
CORA_API double cora_timeout_when(const cora_timeout *timeout);

/* Whether its time was up before it was left. */
CORA_API bool cora_timeout_expired(const cora_timeout *timeout);

CORA_END_DECLS

#endif
