/*
 * process.h: a test's child processes. What is asserted here fails the test.
 */
#ifndef CORA_TEST_PROCESS_H
#define CORA_TEST_PROCESS_H

#include <cora.h>

#include <stdbool.h>
#include <sys/types.h>

/* Whether this process has children, running or not reaped. */
bool has_children(void);

/* Runs fn(NULL) as run_virtual does: it returns 0, and leaves no child, descriptor or report
 * behind.
 */
void run_processes(cora_task_fn *fn);

/* Starts a command of the shell; its stdin, stdout and stderr as the options have it. */
cora_process *start_shell(const char *command, int in, int out, int err);

/* The process ends, with this return code, and is given back. */
void finish_process(cora_process *process, int expected);

/* Communicates: the output is the text, and the return code 0. Gives the process back. */
void assert_output(cora_process *process, const char *input, const char *expected);

/* Waits until the child has ended, and leaves it to be reaped. */
void await_end(pid_t pid);

/*
 * What a forked child writes to its stdout that calls fn(), and exit(0) after that; up to 255
 * bytes, valid until the next call. Its exit status is 0.
 */
const char *output_of_child(void (*fn)(void));

#endif
