/*
 * way_sequential.c: one file after the other. The baseline: nearly all of its time is waiting.
 */
#include "ways.h"

int way_sequential(struct work *work)
{
    for (size_t i = 0; i < work->count; i++)
        download_file(work, i, &blocking_io);
    return 0;
}
