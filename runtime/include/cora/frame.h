/*
 * frame.h: a place in the program, as in Python's traceback.FrameSummary.
 */
#ifndef CORA_FRAME_H
#define CORA_FRAME_H

#include <cora/base.h>

CORA_BEGIN_DECLS

/* One function of a call stack. The strings belong to what the frame was got from. */
typedef struct cora_frame {
    const char *function;
    const char *file; /* NULL: not known; so is the line */
    int line;         /* that it goes on at, or that it is in a call at; from 1 */
} cora_frame;

CORA_END_DECLS

#endif
