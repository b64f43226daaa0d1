#include "support/call_graph.h"

#include "support/test.h"
#include "support/virtual.h"

enum { SIZE = 8192 };

static void add(char *text, const char *part, const char *end)
{
    size_t length = strlen(text);

    assert_true(length + strlen(part) + strlen(end) < SIZE);
    snprintf(text + length, SIZE - length, "%s%s", part, end);
}

/* Those of the library depend on what the compiler has made of it. */
static bool is_the_tests(const cora_frame *frame)
{
    return frame->file == NULL || strstr(frame->file, "/tests/") != NULL;
}

static void add_stack(char *text, const cora_call_stack *stack)
{
    const char *space = "";

    for (size_t i = 0; i < stack->count; i++) {
        if (!is_the_tests(&stack->frames[i]))
            continue;
        add(text, space, stack->frames[i].function);
        space = " ";
    }
}

static void add_graph(char *text, const cora_call_graph *graph)
{
    const char *name = cora_task_get_name(graph->future);

    if (name == NULL) {
        add(text, "F", "");
    } else {
        add(text, "T<", strchr(name, '-') == NULL ? name : "anon");
        add(text, ">", "");
    }
    add(text, "[", "");
    add_stack(text, &graph->call_stack);
    add(text, "](", "");
    for (size_t i = 0; i < graph->awaited_by_count; i++) {
        add_graph(text, graph->awaited_by[i]);
        add(text, ", ", "");
    }
    add(text, ")", "");
}

/* "T<x>[a b c]()" or "a b c" becomes "T<x>[c]()", "c" where stacks cannot be looked at. */
static void add_expected(char *text, const char *expected)
{
#ifdef CORA_LIBDW
    add(text, expected, "");
#else
    size_t length = 0, word = strchr(expected, '[') == NULL ? 0 : SIZE;

    for (const char *c = expected; *c != '\0'; c++) {
        assert_true(length + 1 < SIZE);
        if (*c == ' ' && word < SIZE) {
            length = word;
            continue;
        }
        text[length++] = *c;
        if (*c == '[')
            word = length;
        else if (*c == ']')
            word = SIZE;
    }
    text[length] = '\0';
#endif
}

void assert_call_graph(const cora_call_graph *graph, const char *expected)
{
    static char text[SIZE], wanted[SIZE];

    text[0] = wanted[0] = '\0';
    add_graph(text, graph);
    add_expected(wanted, expected);
    assert_string_equal(text, wanted);
}

void assert_call_stack(const cora_call_stack *stack, const char *expected)
{
    static char text[SIZE], wanted[SIZE];

    text[0] = wanted[0] = '\0';
    add_stack(text, stack);
    add_expected(wanted, expected);
    assert_string_equal(text, wanted);
}

int run_as_task_(cora_task_fn *fn, const char *function, void *arg)
{
    cora_loop *loop = virtual_loop();
    cora_task *task = cora_loop_create_task_arg(loop, NULL, fn, function, arg);
    int rc = cora_loop_run_until_complete(loop, task);

    cora_task_unref(task);
    cora_loop_free(loop);
    return rc;
}
