/*
 * trace.h: records of what happens, for the layers above.
 *
 * Whoever records writes a few words into a ring that is its thread's own; a thread of the trace's
 * takes them out, pairs beginnings with ends, and writes the file (writer.c, rows.c).
 *
 * A row is what the file has a line for: a task, a loop or a thread. It is known by a number; a
 * loop takes a group of them, its own is the group's first and a task's is that and the task's
 * number.
 */
#ifndef CORA_TRACE_INTERNAL_H
#define CORA_TRACE_INTERNAL_H

#include <cora/trace.h>

#include <stdatomic.h>

typedef uintptr_t cora__trace_row;

enum cora__trace_row_kind { CORA__TRACE_TASK, CORA__TRACE_LOOP, CORA__TRACE_THREAD };

/* What a slice of time is; and so what its object is. */
enum cora__trace_category {
    CORA__TRACE_RUN,       /* the task's function runs */
    CORA__TRACE_READY,     /* it could run, and others do */
    CORA__TRACE_WAIT,      /* for the object at this address; NULL: it has none to be known by */
    CORA__TRACE_WAIT_TASK, /* for the task of this row */
    CORA__TRACE_ITERATION, /* of a loop */
    CORA__TRACE_POLL,
    CORA__TRACE_CALLBACK, /* this function */
    CORA__TRACE_JOB,      /* of a thread: this function */
    CORA__TRACE_MARK,     /* of the program's */
};

/* Which trace is being written; 0: none. */
extern atomic_uint cora__trace_session __attribute__((visibility("hidden")));

static inline bool cora__trace_is_on(void)
{
    return atomic_load_explicit(&cora__trace_session, memory_order_relaxed) != 0;
}

/* Where the program was told to, by its environment, and in the child of one that is traced: begins
 * a trace. To be called where loops are made, and where they begin to run. */
void cora__trace_enter(void);

/* The first row of a group that nobody else has. Any thread. */
cora__trace_row cora__trace_new_group(void);

/* ---- records; each does nothing while no trace is written ----------------------------------- */

/* What a row is called, and the function that a task's slices are named after (NULL: it has none).
 */
void cora__trace_name(cora__trace_row row, enum cora__trace_row_kind kind, const char *name,
                      const char *function);

/* A slice begins, inside of that which is open. `text` is its name; NULL: it follows from what the
 * object is. */
void cora__trace_push(cora__trace_row row, enum cora__trace_category category, const char *text,
                      const void *object);

/* The innermost one ends. */
void cora__trace_pop(cora__trace_row row);

/* Both: one ends, if there is any, and the next begins. */
void cora__trace_next(cora__trace_row row, enum cora__trace_category category, const char *text,
                      const void *object);

/* The row ends, with all that is open in it. */
void cora__trace_close(cora__trace_row row);

/* Where the marks of this thread go; 0: into its own row. Returns where they went. */
cora__trace_row cora__trace_enter_row(cora__trace_row row);

#endif
