/*
 * frames.h: the call stack of a task, without the runtime's own part of it.
 */
#ifndef CORA_GRAPH_FRAMES_H
#define CORA_GRAPH_FRAMES_H

#include <cora/graph.h>

#include "task/task.h"
#include "unwind/symbols.h"

/*
 * The task's calls, newest first, within the limit: an array to be freed, whose strings go with the
 * symbols and with the task. To be called by cora__symbols_call. 0 or -ENOMEM.
 */
int cora__frames_capture(struct cora__symbols *symbols, const struct cora__task *task, int limit,
                         cora_call_stack *ret);

void cora__frame_print(const cora_frame *frame, FILE *file);

/* Makes room for more behind the first `count` items; NULL without memory, the items stay. */
void *cora__grow(void *items, size_t count, size_t more, size_t *room, size_t size);

#endif
