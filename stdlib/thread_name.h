/* thread_name.h: what a debugger calls a thread. */
#ifndef CORA_STDLIB_THREAD_NAME_H
#define CORA_STDLIB_THREAD_NAME_H

/* With a number of up to three digits a thread's name has up to 15 bytes. */
enum { CORA__THREAD_PREFIX_SIZE = 12 };

/* Names the calling thread; what does not fit into 15 bytes is left out. */
void cora__thread_set_name(const char *name);

/* The same: prefix_number. */
void cora__thread_name(const char *prefix, int number);

#endif
