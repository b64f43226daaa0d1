/*
 * process.h: a test's child processes. What is asserted here fails the test.
 */
#ifndef CORA_TEST_PROCESS_H
#define CORA_TEST_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether this process has children, running or not reaped. */
bool has_children(void);

/* Waits until the child has ended, and leaves it to be reaped. */
void await_end(pid_t pid);

#endif
