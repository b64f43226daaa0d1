/* handle.h: the handles that the loop allocates, for callbacks of the user. */
#ifndef CORA_LOOP_HANDLE_H
#define CORA_LOOP_HANDLE_H

#include "loop/loop.h"

/* Where its function is. */
const void *cora__callback_address(const struct cora__handle *handle);

/* Writes what a callback is, "callback f", for reports. */
void cora__describe_callback(const struct cora__handle *handle, char *text, size_t size);

/* In a forked child. */
void cora__handles_after_fork(void);

#endif
