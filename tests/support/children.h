/*
 * children.h: processes that run functions of a test. What is asserted in them would end in their
 * copy of the test: they tell by their exit code.
 */
#ifndef CORA_TEST_CHILDREN_H
#define CORA_TEST_CHILDREN_H

#include <cora/multiprocessing.h>

#include <sys/types.h>

/* Starts target(arg). */
cora_multiprocessing_process *start_child(cora_multiprocessing_target *target, void *arg);

/* Joins it and closes it. Its exit code. */
int finish_child(cora_multiprocessing_process *child);

/* Both. */
int run_child(cora_multiprocessing_target *target, void *arg);

/* Kills it, and has it finished. */
void kill_child(cora_multiprocessing_process *child);

/* Waits until a process sleeps in the kernel. */
void await_sleep(pid_t pid);

/* Memory that children share with the test; for the process's life. */
void *share(size_t size);

#endif
