/*
 * condition.h: monitors in shared memory, of which anybody may be killed at any moment.
 *
 * Inside of one, each change is a single store, and those who wait for it are woken before it. So
 * who is killed leaves what was before or what is after, has woken those whom it concerns, and they
 * get the lock from the kernel.
 */
#ifndef CORA_STDLIB_MULTIPROCESSING_CONDITION_H
#define CORA_STDLIB_MULTIPROCESSING_CONDITION_H

#include <cora/multiprocessing/condition.h>

/*
 * Waits, with the lock held, for a notify until a deadline. 0, also for nothing, -ETIMEDOUT,
 * -EOWNERDEAD: the lock is held; -EPERM.
 */
int cora__waiting_wait(cora_multiprocessing_waiting *waiting, cora_multiprocessing_lock *lock,
                       double deadline);

/* Wakes all who wait. */
void cora__waiting_notify(cora_multiprocessing_waiting *waiting);

/*
 * Enters the condition's monitor and waits until `is_true`, by the timeout in seconds. 0, and the
 * lock is held; -ETIMEDOUT, -EINVAL: it is not.
 */
int cora__monitor_enter_when(cora_multiprocessing_condition *condition,
                             bool (*is_true)(const void *arg), const void *arg, double timeout);

/* Enters it. */
void cora__monitor_enter(cora_multiprocessing_condition *condition);
void cora__monitor_leave(cora_multiprocessing_condition *condition);

#endif
