/*
 * trace.h: what a program does, and when, as a file that can be looked at.
 *
 *     CORA_TRACE=trace.json ./program
 *     ./cora timeline trace.json
 *
 * makes any program write a trace, from its first event loop to its exit. The file is in the Trace
 * Event format: chrome://tracing and ui.perfetto.dev open it, and `./cora timeline` makes a page of
 * it. Each task is a row, which tells when it ran and what it waited for in between; beside these
 * there are rows for the loops, with their iterations, polls and callbacks, and for the threads of
 * executors, with their jobs. What the program itself marks, by the functions below, is there too.
 *
 * The times are the system's, also where a loop has a virtual clock. While no trace is written the
 * loop does nothing for it. While one is, an event takes less than 100 ns; a thread of its own
 * writes the file, every 100 ms, and a program that is far ahead of it waits for it. Memory: 1 MiB
 * a thread, and what the rows take whose tasks are not done.
 *
 * The file is whole when the trace is stopped, and when the program ends by exit or by returning
 * from main. Where it ends otherwise, by _exit, a signal or a crash, the last 100 ms may be
 * missing, the last line may be half of one, and the list has no end; such a file can be opened
 * like any other.
 *
 * A forked child does not write into the trace of its parent: when it runs a loop it begins its
 * own, in file.PID.json. So does a program whose file another process is writing: where one starts
 * another, say.
 */
#ifndef CORA_TRACE_H
#define CORA_TRACE_H

#include <cora/base.h>
#include <cora/error.h>

CORA_BEGIN_DECLS

/*
 * Begins a trace; what was in the file is lost. Loops that run are in it from the next time that
 * they look at their timers and descriptors, with all their tasks. From any thread. 0; -EBUSY while
 * a trace is being written; the error of opening the file; -ENOMEM; -EAGAIN where no thread can be
 * started.
 */
CORA_API CORA_MUST_CHECK int cora_trace_start(const char *path);

/*
 * Ends the trace: what is still open ends now, and the file is whole when this returns. It blocks
 * for as long as that takes to write. From any thread. 0, also where there is none; -ENOSPC or
 * another error of writing to the file, which then holds what came before.
 */
CORA_API int cora_trace_stop(void);

/* Whether one is being written. */
CORA_API bool cora_trace_is_on(void);

/*
 * Marks of the program's own, in the row of the current task, or, outside of tasks, in that of the
 * loop or the thread. They do nothing while no trace is written, and never fail. Names are copied,
 * up to 1,000 bytes.
 */

/* Something happens, now. */
CORA_API void cora_trace_event(const char *name);

/* Something begins, and ends by cora_trace_end. In between the task may suspend. */
CORA_API void cora_trace_begin(const char *name);

/* The same, named after a function by its address, `(const void *)fn`: its name is found later. */
CORA_API void cora_trace_begin_function(const void *function);

/* Ends what the same task (loop, thread) began last; nothing, where it began nothing. What has not
 * ended when the task ends does so with it. */
CORA_API void cora_trace_end(void);

CORA_END_DECLS

#endif
