/*
 * run_demo.h: the demo as a test sees it: arguments in, text and an exit status out.
 */
#ifndef RUN_DEMO_H
#define RUN_DEMO_H

#include <stddef.h>
#include <sys/types.h>

struct demo_result {
    int status;         /* as exit gave it; 128 + the signal that ended it */
    char output[65536]; /* stdout */
    char errors[65536]; /* stderr */
    pid_t pid;          /* while it runs, with our ends of its stdout and stderr */
    int output_fd, errors_fd;
};

/* Runs `demo ARGUMENT...` (up to a NULL) to its end. */
void run_demo(struct demo_result *result, const char *const arguments[]);

/* The same in two steps, to do something to it meanwhile. */
void start_demo(struct demo_result *result, const char *const arguments[]);
void await_demo(struct demo_result *result);

/* run_demo with a terminal as its stdout. */
void run_demo_on_terminal(struct demo_result *result, const char *const arguments[]);

/* How often `part` is in `text`. */
size_t count_of(const char *text, const char *part);

#endif
