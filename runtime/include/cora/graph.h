/*
 * graph.h: who waits for whom, and where (asyncio's call graphs, and Task.get_stack).
 *
 *     rc = cora_print_call_graph(NULL, CORA_ALL_FRAMES, stderr);
 *
 * prints where the current task is and which tasks wait for it, in the manner of asyncio:
 *
 *     * Task(name='fetch 3', id=0x55d0c8a012c0)
 *       + Call stack:
 *       |   File '/home/me/fetch.c', line 40, in parse()
 *       |   File '/home/me/fetch.c', line 71, in fetch()
 *       + Awaited by:
 *         * Task(name='Task-1', id=0x55d0c8a00f40)
 *           + Call stack:
 *           |   File '/home/me/fetch.c', line 90, in fetch_all()
 *
 * A future is awaited by the tasks that wait for it directly, by a gather, a wait, a shield or the
 * like, and by the task in whose group it is. That is read from what is there for the waiting
 * itself; while nobody asks it costs nothing.
 *
 * A call stack holds the functions of the program, and the library's down to the one that suspends;
 * of a generator that the task runs, too. They are read from the task's stack, by libdw: names of
 * static functions and lines need a library that was built with it and a program that was not
 * stripped (lines: compiled with -g). Otherwise a call stack is one frame, the task's function, and
 * so it is of a task that has not started. A function that
 * ends in `return f();` has left its place to f, as everywhere in C, unless it is compiled with
 * -fno-optimize-sibling-calls.
 *
 * Nothing here suspends. Only a task's own thread may ask.
 */
#ifndef CORA_GRAPH_H
#define CORA_GRAPH_H

#include <cora/base.h>
#include <cora/frame.h>
#include <cora/task.h>

#include <limits.h>
#include <stdio.h>

CORA_BEGIN_DECLS

/*
 * How many frames of each call stack are wanted: a positive limit takes the newest ones, a negative
 * one the oldest, 0 none (that is quicker: who waits for whom is known without a look at stacks).
 */
#define CORA_ALL_FRAMES INT_MAX

typedef struct cora_call_stack {
    cora_frame *frames;
    size_t count;
} cora_call_stack;

/* asyncio.FutureCallGraph. The same task is the same node, wherever it stands in the graph. */
typedef struct cora_call_graph {
    cora_future *future;
    cora_call_stack call_stack; /* newest call first; none where the future is no task, or done */
    struct cora_call_graph **awaited_by; /* in the order in which they began to wait */
    size_t awaited_by_count;
} cora_call_graph;

/*
 * asyncio.capture_call_graph(): of the future or task, NULL: of the current task. The caller owns
 * *ret until cora_call_graph_free; it holds references to its futures.
 * 0; -CORA_ENOTASK: `future` is NULL and no task is running; -ENOMEM.
 */
CORA_API CORA_MUST_CHECK int cora_capture_call_graph(cora_call_graph **ret, cora_future *future,
                                                     int limit);

/* Frees the graph that capture has returned, all of it. NULL is accepted. */
CORA_API void cora_call_graph_free(cora_call_graph *graph);

/*
 * asyncio.format_call_graph(): the graph as text, for the caller to free(). A task that is reached
 * a second time is named, and its stack not repeated; so rings end. Results as of capture.
 */
CORA_API CORA_MUST_CHECK int cora_format_call_graph(char **ret, cora_future *future, int limit);

/* asyncio.print_call_graph(): the same text to a file. -EIO where it cannot be written. */
CORA_API CORA_MUST_CHECK int cora_print_call_graph(cora_future *future, int limit, FILE *file);

/*
 * Task.get_stack(): the calls that the task is in, the oldest first; none where it is done. asyncio
 * knows one frame of a suspended task, here are all. The caller owns *ret until
 * cora_call_stack_free. 0; -EINVAL for a future that is no task; -ENOMEM, also for NULL.
 */
CORA_API CORA_MUST_CHECK int cora_task_get_stack(cora_call_stack **ret, cora_task *task, int limit);

/* Frees what get_stack has returned. NULL is accepted. */
CORA_API void cora_call_stack_free(cora_call_stack *stack);

/* Task.print_stack(): the same as text. -EIO where it cannot be written; else as get_stack. */
CORA_API CORA_MUST_CHECK int cora_task_print_stack(cora_task *task, int limit, FILE *file);

CORA_END_DECLS

#endif
