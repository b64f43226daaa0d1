/* thread_name.h: what a debugger calls a thread. */
#ifndef CORA_STDLIB_THREAD_NAME_H
#define CORA_STDLIB_THREAD_NAME_H

/* With a number of up to three digits a thread's name has up to 15 bytes. */
enum { CORA__THREAD_PREFIX_SIZE = 12 };

/* Names the calling thread prefix_number; what does not fit is left out. */
void cora__thread_name(const char *prefix, int number);

#endif
