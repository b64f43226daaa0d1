/*
 * faults.h: what the kernel may answer at any time: interrupted, not now after all, only a part of
 * it, no more descriptors. A program that links fault_support has its system calls, and those of
 * the static library in it, wrapped by the linker; what other libraries call for themselves is not
 * seen.
 */
#ifndef CORA_TEST_FAULTS_H
#define CORA_TEST_FAULTS_H

#include <cora.h>

#include <sys/types.h>

/* In place of an errno: a part of what was asked for is done, one byte, or so many, -n; or nothing
 * is, and 0 answered. */
enum { SHORT = -1, NOTHING = -1000 };

/* What the next calls answer that transfer bytes, connect or accept, in order; 0: the truth. */
void set_faults(int first, int second, int third);

/* The same for all calls on this descriptor, and only for those: also what is no socket's. */
void set_faults_of(int fd, int first, int second, int third);

/* Since then: how many of these faults were met, and how many such calls there were. */
int faults_met(void);
int calls_made(void);

/*
 * Runs a scenario again and again, each time in a new loop in virtual time, with one fault: in its
 * first system call, then in its second, and so on, each with every error that this call is known
 * to answer, and last without any. The scenario must come to an end by itself and leave no
 * descriptor open; what it returns where it met a fault is its own affair, without one it is 0.
 * Returns how many faults there were.
 */
int run_with_each_fault(cora_task_fn *scenario, void *arg);

/* The same with each allocation that fails (see allocation.h), 1,000 of them at most. */
int run_with_each_allocation_refused(cora_task_fn *scenario, void *arg);

/* For wrappers of other calls: the error that this call is to answer, one of those, which end with
 * 0; or 0. */
int fault_in_turn(const char *name, const int *errors);

/* Inside of a scenario: whether its fault was met yet. */
bool fault_was_met(void);

#endif
