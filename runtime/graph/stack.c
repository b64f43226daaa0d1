/* stack.c: Task.get_stack, Task.print_stack. */
#include "graph/frames.h"

#include <errno.h>
#include <stdlib.h>

/* What the caller gets, and what its strings belong to. */
struct stack {
    cora_call_stack stack;
    struct cora__symbols *symbols;
    cora_future *task;
    int limit;
    int rc;
};

/* Oldest first is what get_stack tells, as a traceback is read. */
static void reverse(cora_call_stack *stack)
{
    for (size_t i = 0, j = stack->count; i + 1 < j; i++) {
        cora_frame frame = stack->frames[--j];

        stack->frames[j] = stack->frames[i];
        stack->frames[i] = frame;
    }
}

static void capture(void *arg)
{
    struct stack *stack = arg;

    if (stack->limit != 0)
        stack->symbols = cora__symbols_open();
    stack->rc = cora__frames_capture(stack->symbols, cora__as_task(stack->task), stack->limit,
                                     &stack->stack);
    reverse(&stack->stack);
}

int cora_task_get_stack(cora_call_stack **ret, cora_task *task, int limit)
{
    struct stack *stack;
    int rc;

    if (task == NULL)
        return -ENOMEM;
    if (cora__as_task(task) == NULL)
        return -EINVAL;
    stack = calloc(1, sizeof *stack);
    if (stack == NULL)
        return -ENOMEM;
    stack->task = cora_future_ref(task);
    stack->limit = limit;
    rc = cora__symbols_call(capture, stack);
    if (rc == 0)
        rc = stack->rc;
    if (rc < 0) {
        cora_call_stack_free(&stack->stack);
        return rc;
    }
    *ret = &stack->stack;
    return 0;
}

void cora_call_stack_free(cora_call_stack *self)
{
    struct stack *stack = (struct stack *)self;

    if (stack == NULL)
        return;
    free(stack->stack.frames);
    cora__symbols_close(stack->symbols);
    cora_future_unref(stack->task);
    free(stack);
}

int cora_task_print_stack(cora_task *task, int limit, FILE *file)
{
    cora_call_stack *stack;
    char text[256];
    int rc = cora_task_get_stack(&stack, task, limit);

    if (rc < 0)
        return rc;
    task->kind->describe(task, text, sizeof text);
    if (stack->count > 0)
        fprintf(file, "Stack for %s (most recent call last):\n", text);
    else
        fprintf(file, "No stack for %s\n", text);
    for (size_t i = 0; i < stack->count; i++) {
        fputs("  ", file);
        cora__frame_print(&stack->frames[i], file);
    }
    cora_call_stack_free(stack);
    return ferror(file) ? -EIO : 0;
}
