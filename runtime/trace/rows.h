/*
 * rows.h: what is open in each row; and the events that its ends make.
 */
#ifndef CORA_TRACE_ROWS_H
#define CORA_TRACE_ROWS_H

#include "base/table.h"
#include "trace/json.h"
#include "trace/record.h"
#include "unwind/symbols.h"

struct cora__trace_rows {
    struct cora__json *json;
    struct cora__table rows;
    struct cora__table functions;
    struct cora__symbols
        *symbols; /* NULL until a function is to be named, or where there are none */
    bool looked_for_symbols;
    unsigned pid, last_tid;
    bool comma; /* before the next event */
};

/* Begins the list of events. 0 or -ENOMEM. */
int cora__trace_rows_init(struct cora__trace_rows *rows, struct cora__json *json);

void cora__trace_rows_add(struct cora__trace_rows *rows, const struct cora__trace_record *record);

/* Ends what is open, at that time, and the list. */
void cora__trace_rows_finish(struct cora__trace_rows *rows, int64_t now);

/* Frees all; to be called also without finish. */
void cora__trace_rows_destroy(struct cora__trace_rows *rows);

#endif
