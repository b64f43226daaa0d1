/*
 * at_exit.h: a program that comes to its end, by exit(3), waits for the jobs that its executors
 * have taken in, as Python's does.
 */
#ifndef CORA_STDLIB_AT_EXIT_H
#define CORA_STDLIB_AT_EXIT_H

#include "link.h"

/* All 0 at first. */
struct cora__at_exit {
    struct cora__link link;
    void (*finish)(void *arg);
    void *arg;
};

/* finish(arg) is called, once, at the end of the program. */
void cora__at_exit_add(struct cora__at_exit *self, void (*finish)(void *arg), void *arg);

/* It is not called any more, and has returned where it was. */
void cora__at_exit_remove(struct cora__at_exit *self);

/* Others wait for this thread: where it ends the program nobody is waited for. */
void cora__at_exit_is_not_for_this_thread(void);

#endif
