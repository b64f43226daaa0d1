#include "support/trace_file.h"

#include "support/json.h"
#include "support/test.h"

#include <ftw.h>
#include <unistd.h>

static char folder[] = "/tmp/cora-trace-XXXXXX";
static char path[64];
static struct trace_file *files; /* that were loaded, and stay */
static pid_t owner;              /* of the folder: not one of its children */

static int remove_one(const char *name, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status, (void)type, (void)ftw;
    return remove(name);
}

static void remove_folder(void)
{
    if (getpid() == owner)
        nftw(folder, remove_one, 4, FTW_DEPTH | FTW_PHYS);
}

const char *trace_path(void)
{
    if (path[0] == '\0') {
        assert_non_null(mkdtemp(folder));
        owner = getpid();
        atexit(remove_folder);
        snprintf(path, sizeof path, "%s/trace.json", folder);
    }
    return path;
}

char *trace_read(const char *name)
{
    FILE *file = fopen(name, "r");
    size_t size = 0, room = 1 << 16;
    char *text = malloc(room);

    assert_non_null(file);
    assert_non_null(text);
    while ((size += fread(text + size, 1, room - size, file)) == room) {
        text = realloc(text, room *= 2);
        assert_non_null(text);
    }
    fclose(file);
    text[size] = '\0';
    return text;
}

/* ---- events --------------------------------------------------------------------------------- */

/* Each event is a line. The value of a key; "" where it has none. */
static void get(const char *line, const char *key, char *value, size_t size)
{
    const char *at = memmem(line, strcspn(line, "\n"), key, strlen(key));
    bool quoted;
    size_t length = 0;

    value[0] = '\0';
    if (at == NULL)
        return;
    at += strlen(key);
    quoted = *at == '"';
    at += quoted;
    while (quoted ? at[length] != '"' : strchr(",}", at[length]) == NULL)
        length += at[length] == '\\' ? 2 : 1;
    snprintf(value, size, "%.*s", (int)length, at);
}

static double get_number(const char *line, const char *key)
{
    char text[32];

    get(line, key, text, sizeof text);
    return strtod(text, NULL);
}

static void parse(const char *line, struct trace_event *event)
{
    char phase[4];

    get(line, "{\"ph\":", phase, sizeof phase);
    event->phase = phase[0];
    event->tid = (unsigned)get_number(line, "\"tid\":");
    event->begin = get_number(line, "\"ts\":");
    event->duration = get_number(line, "\"dur\":");
    get(line, "\"cat\":", event->category, sizeof event->category);
    get(line, "\"name\":", event->name, sizeof event->name);
    get(line, "\"object\":", event->object, sizeof event->object);
    get(line, "\"args\":{\"name\":", event->called, sizeof event->called);
}

static int by_begin(const void *a, const void *b)
{
    const struct trace_event *left = a, *right = b;

    if (left->tid != right->tid)
        return left->tid < right->tid ? -1 : 1;
    if (left->begin != right->begin)
        return left->begin < right->begin ? -1 : 1;
    return left->duration > right->duration ? -1 : left->duration < right->duration;
}

/* Their ends: each row's slices nest. `events` is sorted. */
static void check_nesting(const struct trace_event events[], size_t count)
{
    enum { DEEPEST = 16 };
    const double rounding = 0.0006;
    double ends[DEEPEST];
    size_t depth = 0;

    for (size_t i = 0; i < count; i++) {
        double end = events[i].begin + events[i].duration;

        if (i == 0 || events[i].tid != events[i - 1].tid)
            depth = 0;
        if (events[i].phase != 'X')
            continue;
        while (depth > 0 && ends[depth - 1] <= events[i].begin + rounding)
            depth--;
        assert_true(depth < DEEPEST);
        assert_true(depth == 0 || end <= ends[depth - 1] + rounding);
        ends[depth++] = end;
    }
}

/* What each is called in the end. Their numbers count from 1. */
static void name_rows(struct trace_file *file)
{
    file->rows = calloc(file->count + 1, sizeof file->rows[0]);
    assert_non_null(file->rows);
    for (size_t i = 0; i < file->count; i++) {
        assert_true(file->events[i].tid <= file->count);
        if (strcmp(file->events[i].name, "thread_name") == 0)
            file->rows[file->events[i].tid] = file->events[i].called;
    }
}

static void check_pairs(const struct trace_file *file)
{
    int open = 0;

    for (size_t i = 0; i < file->count; i++) {
        open += file->events[i].phase == 'b';
        open -= file->events[i].phase == 'e';
        assert_true(open >= 0);
    }
    assert_int_equal(open, 0);
}

const struct trace_file *trace_load(const char *name)
{
    struct trace_file *file = calloc(1, sizeof *file);
    struct trace_event *sorted;
    size_t room = 0;

    assert_non_null(file);
    file->next = files;
    files = file;
    file->text = trace_read(name);
    assert_true(is_json(file->text));
    for (const char *at = file->text; *at != '\0'; at++)
        room += *at == '\n';
    file->events = calloc(room + 1, sizeof file->events[0]);
    assert_non_null(file->events);
    for (const char *line = file->text; line[0] != '\0'; line = strchr(line, '\n') + 1)
        if (line[0] == '{')
            parse(line, &file->events[file->count++]);
    name_rows(file);
    check_pairs(file);
    sorted = calloc(file->count + 1, sizeof sorted[0]);
    assert_non_null(sorted);
    memcpy(sorted, file->events, file->count * sizeof sorted[0]);
    qsort(sorted, file->count, sizeof sorted[0], by_begin);
    check_nesting(sorted, file->count);
    free(sorted);
    return file;
}

static bool matches(const char *expected, const char *text)
{
    return expected == NULL || (text != NULL && strcmp(expected, text) == 0);
}

static const struct trace_event *next(const struct trace_file *file, size_t *from, char phase,
                                      const char *row, const char *category, const char *name)
{
    while (*from < file->count) {
        const struct trace_event *event = &file->events[(*from)++];

        if (event->phase == phase && matches(category, event->category) &&
            matches(name, event->name) && (row == NULL || matches(row, file->rows[event->tid])))
            return event;
    }
    return NULL;
}

size_t trace_count(const struct trace_file *file, char phase, const char *row, const char *category,
                   const char *name)
{
    size_t from = 0, count = 0;

    while (next(file, &from, phase, row, category, name) != NULL)
        count++;
    return count;
}

const struct trace_event *trace_find(const struct trace_file *file, char phase, const char *row,
                                     const char *category, const char *name)
{
    size_t from = 0;
    const struct trace_event *event = next(file, &from, phase, row, category, name);

    if (event == NULL)
        fail_msg("no %c %s '%s' in row '%s' of\n%s", phase, category != NULL ? category : "",
                 name != NULL ? name : "", row != NULL ? row : "", file->text);
    return event;
}
