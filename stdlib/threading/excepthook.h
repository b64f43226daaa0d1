/*
 * excepthook.h: the report of a thread's error.
 */
#ifndef CORA_STDLIB_EXCEPTHOOK_H
#define CORA_STDLIB_EXCEPTHOOK_H

#include <cora/threading/thread.h>

/* Tells whatever hook there is. */
void cora__threading_excepthook(cora_threading_thread *thread, int error);

#endif
