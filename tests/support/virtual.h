/*
 * virtual.h: running tasks in virtual time, and catching what the loop reports.
 */
#ifndef CORA_TEST_VIRTUAL_H
#define CORA_TEST_VIRTUAL_H

#include <cora.h>

#include <stdarg.h>

/* What the loops made here have reported since the process began: the last report, and how many. */
extern struct report {
    int count;
    int error;
    char message[512];
    char task[64];
} reports;

/* A loop with a virtual clock that starts at 0 and an exception handler that fills `reports`. */
cora_loop *virtual_loop(void);

/* The same as a loop factory, for cora_runner_options. */
int virtual_loop_factory(cora_loop **ret);

/* Runs fn(arg) as the main task of such a loop, to the end, as cora_run does. */
int run_virtual(cora_task_fn *fn, void *arg);

/* A trace of what happened, in order: trace("a %d", 1) adds "a 1 "; trace_text is all of it. */
extern char trace_text[4096];
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
