/*
 * verdict.h: what the ways found out about each file, put together.
 */
#ifndef DEMO_VERDICT_H
#define DEMO_VERDICT_H

#include "run.h"

/* Whether the file has arrived in this way. */
bool arrived(const struct run *run, size_t index);

/* How many files have arrived in this way, and their bytes. */
size_t count_arrived(const struct run *run, size_t *ret_bytes);

/*
 * Says on stderr, in one line each, which files have failed in one of the ways or differ between
 * them, and why; and which ways did not come to their end. How many lines that were.
 */
size_t tell_failures(const struct run runs[], size_t run_count, const struct file files[]);

#endif
