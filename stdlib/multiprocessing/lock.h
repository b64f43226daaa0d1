/* lock.h: what else is built on locks in shared memory. */
#ifndef CORA_STDLIB_MULTIPROCESSING_LOCK_H
#define CORA_STDLIB_MULTIPROCESSING_LOCK_H

#include <cora/multiprocessing/lock.h>

/* As _acquire, until a deadline (see "deadline.h"). */
int cora__shared_lock_acquire(cora_multiprocessing_lock *lock, double deadline);

#endif
