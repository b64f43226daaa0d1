/* fork.h: processes that a test forks. What is asserted here fails the test. */
#ifndef CORA_TEST_FORK_H
#define CORA_TEST_FORK_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether a process that has threads can fork here, and its child go on. */
bool can_fork_with_threads(void);

/* Waits for a child: its exit status, or the number, negative, of the signal that killed it. */
int reap(pid_t pid);

#endif
