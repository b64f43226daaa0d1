/*
 * capture.h: what goes to stderr.
 */
#ifndef CORA_TEST_CAPTURE_H
#define CORA_TEST_CAPTURE_H

/* What fn(arg) writes there, up to 1,023 bytes; valid until the next call. */
const char *capture_stderr(void (*fn)(void *arg), void *arg);

#endif
