/*
 * rows.c: records become events of the Trace Event format.
 *
 * A slice is told when it ends, as one event with its duration ("X"): so beginnings and ends are
 * balanced in the file whatever happens. The marks of tasks and of loops may overlap with slices,
 * which slices must not; they are pairs of their own ("b", "e"), that the viewers draw apart.
 */
#include "trace/rows.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct slice {
    int64_t begin;
    uintptr_t object;
    enum cora__trace_category category;
    char text[76]; /* longer names are cut */
};

struct stack {
    struct slice *slices;
    size_t count, room;
};

struct row {
    struct cora__table_node node;
    unsigned tid; /* 0: it is not in the file so far */
    enum cora__trace_row_kind kind;
    char *name, *function; /* or NULL */
    struct stack slices, marks;
};

struct function {
    struct cora__table_node node;
    char name[];
};

/* ---- functions ------------------------------------------------------------------------------ */

struct search {
    struct cora__trace_rows *rows;
    const void *address;
    char name[76];
};

static void find_function(void *arg)
{
    struct search *search = arg;
    cora_frame frames[8];
    Dl_info info;
    size_t count;

    if (!search->rows->looked_for_symbols)
        search->rows->symbols = cora__symbols_open();
    search->rows->looked_for_symbols = true;
    count = cora__symbols_find(search->rows->symbols, (uintptr_t)search->address, frames, 8);
    if (count > 0)
        snprintf(search->name, sizeof search->name, "%s", frames[count - 1].function);
    else if (dladdr(search->address, &info) != 0 && info.dli_sname != NULL)
        snprintf(search->name, sizeof search->name, "%s", info.dli_sname);
    else
        snprintf(search->name, sizeof search->name, "%p", search->address);
}

static const char *name_of_function(struct cora__trace_rows *rows, const void *address)
{
    struct cora__table_node *node = cora__table_find(&rows->functions, address);
    struct search search = {rows, address, ""};
    struct function *function;

    if (node != NULL)
        return cora__container_of(node, struct function, node)->name;
    if (cora__symbols_call(find_function, &search) < 0)
        return "a function";
    function = malloc(sizeof *function + sizeof search.name);
    if (function == NULL)
        return "a function";
    memcpy(function->name, search.name, sizeof search.name);
    cora__table_add(&rows->functions, &function->node, address);
    return function->name;
}

/* ---- events --------------------------------------------------------------------------------- */

static const char *category_name(enum cora__trace_category category)
{
    static const char *const names[] = {
        [CORA__TRACE_RUN] = "run",
        [CORA__TRACE_READY] = "ready",
        [CORA__TRACE_WAIT] = "wait",
        [CORA__TRACE_WAIT_TASK] = "wait",
        [CORA__TRACE_ITERATION] = "iteration",
        [CORA__TRACE_POLL] = "poll",
        [CORA__TRACE_CALLBACK] = "callback",
        [CORA__TRACE_JOB] = "job",
        [CORA__TRACE_MARK] = "mark",
    };

    return names[category];
}

static void begin_event(struct cora__trace_rows *rows, const char *phase, unsigned tid)
{
    cora__json_add(rows->json, rows->comma ? ",\n{\"ph\":\"" : "{\"ph\":\"");
    rows->comma = true;
    cora__json_add(rows->json, phase);
    cora__json_add(rows->json, "\",\"pid\":");
    cora__json_add_number(rows->json, rows->pid);
    cora__json_add(rows->json, ",\"tid\":");
    cora__json_add_number(rows->json, tid);
}

static void add_time(struct cora__trace_rows *rows, int64_t time)
{
    cora__json_add(rows->json, ",\"ts\":");
    cora__json_add_time(rows->json, time);
}

static void add_name(struct cora__trace_rows *rows, const char *name)
{
    cora__json_add(rows->json, ",\"name\":");
    cora__json_add_string(rows->json, name);
}

static void add_category(struct cora__trace_rows *rows, enum cora__trace_category category)
{
    cora__json_add(rows->json, ",\"cat\":\"");
    cora__json_add(rows->json, category_name(category));
    cora__json_add(rows->json, "\"");
}

/* The row's name and kind, once it is in the file. */
static void describe_row(struct cora__trace_rows *rows, const struct row *row)
{
    static const char *const kinds[] = {
        [CORA__TRACE_TASK] = "task", [CORA__TRACE_LOOP] = "loop", [CORA__TRACE_THREAD] = "thread"};

    begin_event(rows, "M", row->tid);
    cora__json_add(rows->json, ",\"name\":\"thread_name\",\"args\":{\"name\":");
    cora__json_add_string(rows->json, row->name != NULL ? row->name : "");
    cora__json_add(rows->json, ",\"kind\":\"");
    cora__json_add(rows->json, kinds[row->kind]);
    cora__json_add(rows->json, "\"}}");
}

static void order_row(struct cora__trace_rows *rows, const struct row *row)
{
    begin_event(rows, "M", row->tid);
    cora__json_add(rows->json, ",\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":");
    cora__json_add_number(rows->json, row->tid);
    cora__json_add(rows->json, "}}");
}

static unsigned tid_of(struct cora__trace_rows *rows, struct row *row)
{
    if (row->tid == 0) {
        row->tid = ++rows->last_tid;
        describe_row(rows, row);
        order_row(rows, row);
    }
    return row->tid;
}

static void tell_slice(struct cora__trace_rows *rows, struct row *row, const struct slice *slice,
                       int64_t end)
{
    begin_event(rows, "X", tid_of(rows, row));
    add_time(rows, slice->begin);
    cora__json_add(rows->json, ",\"dur\":");
    cora__json_add_time(rows->json, end - slice->begin);
    add_category(rows, slice->category);
    add_name(rows, slice->text);
    if (slice->category == CORA__TRACE_WAIT && slice->object != 0) {
        cora__json_add(rows->json, ",\"args\":{\"object\":");
        cora__json_add_address(rows->json, slice->object);
        cora__json_add(rows->json, "}");
    }
    cora__json_add(rows->json, "}");
}

/* One end of a mark that is no slice. */
static void tell_mark(struct cora__trace_rows *rows, struct row *row, const char *phase,
                      const struct slice *mark, int64_t time)
{
    unsigned tid = tid_of(rows, row);

    begin_event(rows, phase, tid);
    cora__json_add(rows->json, ",\"id\":");
    cora__json_add_number(rows->json, tid);
    add_time(rows, time);
    add_category(rows, mark->category);
    add_name(rows, mark->text);
    cora__json_add(rows->json, "}");
}

static void tell_event(struct cora__trace_rows *rows, struct row *row, int64_t time,
                       const char *name)
{
    begin_event(rows, "i", tid_of(rows, row));
    add_time(rows, time);
    add_category(rows, CORA__TRACE_MARK);
    add_name(rows, name);
    cora__json_add(rows->json, ",\"s\":\"t\"}");
}

/* ---- what is open --------------------------------------------------------------------------- */

static struct row *find_row(const struct cora__trace_rows *rows, cora__trace_row number)
{
    struct cora__table_node *node = cora__table_find(&rows->rows, (const void *)number);

    return node != NULL ? cora__container_of(node, struct row, node) : NULL;
}

/* Without the comma of some names, which are meant for reports: "a job in a thread, at 0x...". */
static void set_name(struct slice *slice, const char *name)
{
    size_t length = strnlen(name, sizeof slice->text - 1);

    if (length > 0 && name[length - 1] == ',')
        length--;
    memcpy(slice->text, name, length);
    slice->text[length] = '\0';
}

static void name_slice(struct cora__trace_rows *rows, const struct row *row, struct slice *slice,
                       const struct cora__trace_record *record)
{
    const struct row *awaited = NULL;
    const char *name = record->has_text ? record->text : "";

    if (slice->category == CORA__TRACE_WAIT_TASK)
        awaited = find_row(rows, record->object);
    if (awaited != NULL && awaited->name != NULL) {
        snprintf(slice->text, sizeof slice->text, "task '%s'", awaited->name);
        return;
    }
    if (slice->category == CORA__TRACE_WAIT_TASK)
        name = "a task";
    else if (slice->category == CORA__TRACE_RUN && row->function != NULL)
        name = row->function;
    else if (slice->category == CORA__TRACE_CALLBACK || slice->category == CORA__TRACE_JOB)
        name = name_of_function(rows, (const void *)record->object);
    set_name(slice, name);
}

/* NULL without memory: the slice is then not told. */
static struct slice *push(struct cora__trace_rows *rows, struct row *row, struct stack *stack,
                          const struct cora__trace_record *record)
{
    struct slice *slice;

    if (stack->count == stack->room) {
        size_t room = stack->room > 0 ? 2 * stack->room : 1;
        struct slice *grown = realloc(stack->slices, room * sizeof *grown);

        if (grown == NULL) {
            rows->json->error = -ENOMEM;
            return NULL;
        }
        stack->slices = grown;
        stack->room = room;
    }
    slice = &stack->slices[stack->count++];
    slice->begin = record->time;
    slice->object = record->object;
    slice->category = (enum cora__trace_category)record->category;
    name_slice(rows, row, slice, record);
    return slice;
}

static void pop(struct cora__trace_rows *rows, struct row *row, int64_t time)
{
    if (row->slices.count > 0)
        tell_slice(rows, row, &row->slices.slices[--row->slices.count], time);
}

/* In a thread there is nothing else, and so its marks are its slices. */
static void begin_mark(struct cora__trace_rows *rows, struct row *row,
                       const struct cora__trace_record *record)
{
    const struct slice *mark;

    if (row->kind == CORA__TRACE_THREAD) {
        push(rows, row, &row->slices, record);
        return;
    }
    mark = push(rows, row, &row->marks, record);
    if (mark != NULL)
        tell_mark(rows, row, "b", mark, record->time);
}

static void end_mark(struct cora__trace_rows *rows, struct row *row, int64_t time)
{
    if (row->kind == CORA__TRACE_THREAD)
        pop(rows, row, time);
    else if (row->marks.count > 0)
        tell_mark(rows, row, "e", &row->marks.slices[--row->marks.count], time);
}

static void end_all(struct cora__trace_rows *rows, struct row *row, int64_t time)
{
    while (row->marks.count > 0)
        end_mark(rows, row, time);
    while (row->slices.count > 0)
        pop(rows, row, time);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static struct row *create_row(struct cora__trace_rows *rows, cora__trace_row number)
{
    struct row *row = calloc(1, sizeof *row);

    if (row == NULL)
        rows->json->error = -ENOMEM;
    else
        cora__table_add(&rows->rows, &row->node, (const void *)number);
    return row;
}

static void free_row(struct row *row)
{
    cora__table_remove(&row->node);
    free(row->slices.slices);
    free(row->marks.slices);
    free(row->name);
    free(row->function);
    free(row);
}

static void set_text(struct cora__trace_rows *rows, char **text, const char *value)
{
    free(*text);
    *text = strdup(value);
    if (*text == NULL)
        rows->json->error = -ENOMEM;
}

/* Tasks and loops are in the file from the first, in their order; threads once something happens.
 */
static void name_row(struct cora__trace_rows *rows, struct row *row,
                     const struct cora__trace_record *record)
{
    row->kind = (enum cora__trace_row_kind)record->category;
    set_text(rows, &row->name, record->text);
    if (row->tid != 0)
        describe_row(rows, row);
    else if (row->kind != CORA__TRACE_THREAD)
        tid_of(rows, row);
}

static void close_row(struct cora__trace_rows *rows, struct row *row, int64_t time)
{
    end_all(rows, row, time);
    free_row(row);
}

void cora__trace_rows_add(struct cora__trace_rows *rows, const struct cora__trace_record *record)
{
    struct row *row = find_row(rows, record->row);

    if (row == NULL && record->kind == CORA__TRACE_NAME)
        row = create_row(rows, record->row);
    if (row == NULL) /* of a trace that has been stopped meanwhile */
        return;
    switch ((enum cora__trace_record_kind)record->kind) {
    case CORA__TRACE_NAME:
        name_row(rows, row, record);
        break;
    case CORA__TRACE_FUNCTION:
        set_text(rows, &row->function, record->text);
        break;
    case CORA__TRACE_PUSH:
        push(rows, row, &row->slices, record);
        break;
    case CORA__TRACE_POP:
        pop(rows, row, record->time);
        break;
    case CORA__TRACE_NEXT:
        pop(rows, row, record->time);
        push(rows, row, &row->slices, record);
        break;
    case CORA__TRACE_CLOSE:
        close_row(rows, row, record->time);
        break;
    case CORA__TRACE_EVENT:
        tell_event(rows, row, record->time, record->text);
        break;
    case CORA__TRACE_BEGIN:
        begin_mark(rows, row, record);
        break;
    case CORA__TRACE_END:
        end_mark(rows, row, record->time);
        break;
    case CORA__TRACE_PAD:
        break;
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

static void describe_process(struct cora__trace_rows *rows)
{
    char path[1024];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    const char *slash;

    path[length > 0 ? length : 0] = '\0';
    slash = strrchr(path, '/');
    begin_event(rows, "M", 0);
    cora__json_add(rows->json, ",\"name\":\"process_name\",\"args\":{\"name\":");
    cora__json_add_string(rows->json, slash != NULL ? slash + 1 : "cora");
    cora__json_add(rows->json, "}}");
}

int cora__trace_rows_init(struct cora__trace_rows *rows, struct cora__json *json)
{
    *rows = (struct cora__trace_rows){.json = json, .pid = (unsigned)getpid()};
    if (cora__table_init(&rows->rows) < 0)
        return -ENOMEM;
    if (cora__table_init(&rows->functions) < 0) {
        cora__table_destroy(&rows->rows);
        return -ENOMEM;
    }
    cora__json_add(json, "[\n");
    describe_process(rows);
    return 0;
}

void cora__trace_rows_finish(struct cora__trace_rows *rows, int64_t now)
{
    for (size_t i = 0; i < rows->rows.room; i++)
        for (struct cora__table_node *node = rows->rows.buckets[i]; node != NULL; node = node->next)
            end_all(rows, cora__container_of(node, struct row, node), now);
    cora__json_add(rows->json, "\n]\n");
    cora__json_flush(rows->json);
}

static void free_function(struct cora__table_node *node)
{
    cora__table_remove(node);
    free(cora__container_of(node, struct function, node));
}

/* The analyzer does not see that a node leaves its table before it is freed. */
void cora__trace_rows_destroy(struct cora__trace_rows *rows)
{
    for (size_t i = 0; i < rows->rows.room; i++)
        while (rows->rows.buckets[i] != NULL) /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
            free_row(cora__container_of(rows->rows.buckets[i], struct row, node));
    for (size_t i = 0; i < rows->functions.room; i++)
        while (rows->functions.buckets[i] != NULL) /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
            free_function(rows->functions.buckets[i]);
    cora__table_destroy(&rows->rows);
    cora__table_destroy(&rows->functions);
    cora__symbols_close(rows->symbols);
}
