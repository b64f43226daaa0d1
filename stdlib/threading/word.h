/*
 * word.h: a number that threads wait for, after futex(2).
 *
 * Whoever changes it wakes the one thread that waits for that, by the address alone: the number may
 * be gone by then, with the thread that it belonged to.
 */
#ifndef CORA_STDLIB_WORD_H
#define CORA_STDLIB_WORD_H

#include <stdatomic.h>

/*
 * Blocks while the word has this value, until a deadline of cora__deadline. 0, also for nothing, so
 * look again; -ETIMEDOUT.
 */
int cora__word_wait(atomic_uint *word, unsigned value, double deadline);

void cora__word_wake(const atomic_uint *word);

#endif
