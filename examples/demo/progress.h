/*
 * progress.h: a bar on the terminal. Where stdout is not a terminal it shows nothing.
 */
#ifndef DEMO_PROGRESS_H
#define DEMO_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

struct progress {
    bool shown;
    const char *title;
    size_t done, total;
};

void progress_init(struct progress *progress);

void progress_start(struct progress *progress, const char *title, size_t total);
void progress_advance(struct progress *progress, size_t count);

/* Takes the bar away. */
void progress_clear(struct progress *progress);

#endif
