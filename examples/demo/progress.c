#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH = 40 };

void progress_init(struct progress *progress)
{
    memset(progress, 0, sizeof *progress);
    progress->shown = isatty(STDOUT_FILENO) == 1;
}

static void draw(const struct progress *progress)
{
    static const char full[] = "########################################";
    static const char empty[] = "........................................";
    int filled = (int)(WIDTH * progress->done / progress->total);

    if (!progress->shown)
        return;
    printf("\r%-28s [%.*s%.*s] %zu/%zu", progress->title, filled, full, WIDTH - filled, empty,
           progress->done, progress->total);
    fflush(stdout);
}

void progress_start(struct progress *progress, const char *title, size_t total)
{
    progress->title = title;
    progress->done = 0;
    progress->total = total;
    draw(progress);
}

void progress_advance(struct progress *progress, size_t count)
{
    progress->done += count;
    draw(progress);
}

void progress_clear(struct progress *progress)
{
    if (!progress->shown)
        return;
    printf("\r\033[K"); /* to the start of the line, and erase it */
    fflush(stdout);
}
