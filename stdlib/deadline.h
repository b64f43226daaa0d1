/*
 * deadline.h: threads that wait on a condition, at most until a moment of the monotonic clock.
 *
 *     double deadline = cora__deadline(timeout);
 *     int rc = 0;
 *
 *     pthread_mutex_lock(&lock);
 *     while (!ready && rc == 0)
 *         rc = cora__cond_wait(&condition, &lock, deadline);
 */
#ifndef CORA_STDLIB_DEADLINE_H
#define CORA_STDLIB_DEADLINE_H

#include <pthread.h>
#include <time.h>

/* Seconds of the clock that deadlines are told in. */
double cora__clock(void);

/* The deadline in so many seconds, no NaN. INFINITY: never; 0 or less: -INFINITY, it has passed. */
double cora__deadline(double timeout);

/* The same as the system's calls want it; it is neither never nor past. */
struct timespec cora__deadline_time(double deadline);

/* A condition for cora__cond_wait. */
void cora__cond_init(pthread_cond_t *condition);

/*
 * Waits, with the lock held, until the condition is signalled or the deadline has passed; the lock
 * is not even let go where it had passed before. 0, also for nothing, so look again; -ETIMEDOUT.
 */
int cora__cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock, double deadline);

#endif
