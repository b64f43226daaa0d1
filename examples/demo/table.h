/*
 * table.h: the ways side by side, on stdout.
 */
#ifndef DEMO_TABLE_H
#define DEMO_TABLE_H

#include "run.h"

/* The first of the runs is what the others are compared with. */
void print_table(const struct run runs[], size_t run_count);

#endif
