/*
 * timeline.h: a picture of who waited and who ran when.
 */
#ifndef DEMO_TIMELINE_H
#define DEMO_TIMELINE_H

#include "run.h"

#include <stdio.h>

/* Writes the picture of the runs as SVG. 0 or a negative errno. */
int timeline_write(FILE *file, const struct run runs[], size_t run_count,
                   const struct file files[]);

#endif
