#include "graph/frames.h"

#include "unwind/unwind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_INLINED = 32 }; /* functions at one address */

void *cora__grow(void *items, size_t count, size_t more, size_t *room, size_t size)
{
    size_t wanted = count + more;

    if (wanted <= *room)
        return items;
    wanted += count;
    items = realloc(items, wanted * size);
    if (items != NULL)
        *room = wanted;
    return items;
}

/* ---- what is there ------------------------------------------------------------------------- */

struct frames {
    struct cora__symbols *symbols;
    cora_frame *items;
    size_t count, room;
    int error;
};

/* Room for all that one address can add. */
static bool make_room(struct frames *frames)
{
    cora_frame *items =
        cora__grow(frames->items, frames->count, MOST_INLINED, &frames->room, sizeof items[0]);

    if (items == NULL)
        frames->error = -ENOMEM;
    else
        frames->items = items;
    return items != NULL;
}

static bool add_frames(uintptr_t address, void *arg)
{
    struct frames *frames = arg;
    size_t count;

    if (!make_room(frames))
        return false;
    count =
        cora__symbols_find(frames->symbols, address, frames->items + frames->count, MOST_INLINED);
    if (count == 0)
        frames->items[frames->count] = (cora_frame){.function = "?"};
    frames->count += count > 0 ? count : 1;
    return true;
}

/* ---- what of it is the program's ----------------------------------------------------------- */

static bool is(const cora_frame *frame, const char *function)
{
    return strcmp(frame->function, function) == 0;
}

/*
 * From `newest` on stands what suspends a task or runs a generator; then what has called that. Of
 * how a generator is run, and of the call that looks at the stack, nothing is of interest.
 */
static size_t skip_newest(const struct frames *frames, size_t newest)
{
    for (size_t i = newest; i < frames->count; i++) {
        const cora_frame *frame = &frames->items[i];

        if (is(frame, "cora_await") || is(frame, "cora__task_yield"))
            return i + 1;
        if (!is(frame, "cora_coroutine_resume"))
            continue;
        while (i < frames->count && strncmp(frames->items[i].function, "cora_", 5) == 0)
            i++;
        return i;
    }
    return newest;
}

/* The oldest are what begins a coroutine, and what runs tasks on it. */
static size_t skip_oldest(const struct frames *frames, size_t newest)
{
    size_t end = frames->count;

    for (size_t i = end; i > newest; i--)
        if (is(&frames->items[i - 1], "run_body")) {
            end = i - 1;
            break;
        }
    if (end > newest && is(&frames->items[end - 1], "run_tasks"))
        end--;
    while (end > newest && is(&frames->items[end - 1], "?"))
        end--;
    return end;
}

static void leave_runtime_out(struct frames *frames, size_t newest)
{
    size_t first = skip_newest(frames, newest), end = skip_oldest(frames, first);

    if (frames->count == newest)
        return;
    memmove(frames->items + newest, frames->items + first, (end - first) * sizeof(cora_frame));
    frames->count = newest + end - first;
}

/* ---- where to look ------------------------------------------------------------------------- */

/*
 * The coroutine on which the task's newest call has stopped, and where; NULL: it has not started.
 * The running task has stopped as well, for this runs on a stack of its own.
 */
static struct cora_coroutine *find_newest(const struct cora__task *task, const void **sp)
{
    if (cora__strand == &task->step.strand) {
        *sp = cora__strand->coroutine->caller->sp;
        return cora__strand->coroutine->caller;
    }
    *sp = task->step.sp;
    return task->step.coroutine;
}

/* Where nothing is known of the stack: the function, and where it begins if it has yet to. */
static void add_function(struct frames *frames, const struct cora__task *task)
{
    cora_frame frame = {0};

    if (!make_room(frames))
        return;
    if (task->step.coroutine == NULL && add_frames((uintptr_t)task->fn, frames))
        frame = frames->items[frames->count - 1];
    frame.function = task->label.function;
    frames->items[0] = frame;
    frames->count = 1;
}

static void apply_limit(int limit, cora_call_stack *stack)
{
    size_t wanted = limit < 0 ? 0 - (size_t)limit : (size_t)limit;

    if (wanted >= stack->count)
        return;
    if (limit < 0)
        memmove(stack->frames, stack->frames + stack->count - wanted,
                wanted * sizeof stack->frames[0]);
    stack->count = wanted;
}

int cora__frames_capture(struct cora__symbols *symbols, const struct cora__task *task, int limit,
                         cora_call_stack *ret)
{
    struct frames frames = {.symbols = symbols};
    struct cora_coroutine *coroutine;
    const void *sp;

    *ret = (cora_call_stack){0};
    if (limit == 0 || cora__future_done(&task->future))
        return 0;
    coroutine = find_newest(task, &sp);
    while (coroutine != NULL && frames.error == 0) {
        size_t newest = frames.count;

        cora__unwind(symbols, coroutine, sp, add_frames, &frames);
        leave_runtime_out(&frames, newest);
        coroutine = coroutine->caller;
        sp = coroutine != NULL ? coroutine->sp : NULL;
    }
    if (frames.error == 0 && frames.count == 0)
        add_function(&frames, task);
    if (frames.error < 0) {
        free(frames.items);
        return frames.error;
    }
    *ret = (cora_call_stack){frames.items, frames.count};
    apply_limit(limit, ret);
    return 0;
}

void cora__frame_print(const cora_frame *frame, FILE *file)
{
    if (frame->file != NULL)
        fprintf(file, "File '%s', line %d, in %s()\n", frame->file, frame->line, frame->function);
    else
        fprintf(file, "in %s()\n", frame->function);
}
