/*
 * allocation.h: counting what cora allocates or maps, and refusing it. A program that links
 * allocation_support has its calls, and those of the static library in it, wrapped by the linker;
 * what other libraries allocate for themselves is not seen.
 */
#ifndef CORA_TEST_ALLOCATION_H
#define CORA_TEST_ALLOCATION_H

#include <stdbool.h>

/* How often this process has allocated so far, in all its threads. */
int allocations(void);

/* The `nth` allocation from now on, 1 the very next, fails for want of memory. 0: none will. */
void refuse_allocation(int nth);

/* Whether that has happened. */
bool allocation_was_refused(void);

#endif
