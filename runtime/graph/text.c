/* text.c: format_call_graph, print_call_graph. */
#include "graph/frames.h"
#include "graph/graph.h"

#include <errno.h>
#include <stdlib.h>

static void indent(int level, FILE *file)
{
    for (int i = 0; i < level; i++)
        fputs("    ", file);
}

/* In full the first time, afterwards its name. */
static void print_node(struct cora__node *node, int level, FILE *file)
{
    const cora_call_graph *graph = &node->graph;
    const char *name = cora_task_get_name(graph->future);

    indent(level, file);
    if (name != NULL)
        fprintf(file, "* Task(name='%s', id=%p)", name, (void *)graph->future);
    else
        fprintf(file, "* Future(id=%p)", (void *)graph->future);
    fputs(node->shown ? ", see above\n" : "\n", file);
    if (node->shown)
        return;
    node->shown = true;
    for (size_t i = 0; i < graph->call_stack.count; i++) {
        if (i == 0) {
            indent(level, file);
            fputs("  + Call stack:\n", file);
        }
        indent(level, file);
        fputs("  |   ", file);
        cora__frame_print(&graph->call_stack.frames[i], file);
    }
    if (graph->awaited_by_count > 0) {
        indent(level, file);
        fputs("  + Awaited by:\n", file);
    }
}

/* Depth first, and without recursion: each node remembers the one it was reached from. */
static void print_graph(struct cora__node *node, FILE *file)
{
    int level = 0;

    print_node(node, level, file);
    while (node != NULL) {
        if (node->walked < node->graph.awaited_by_count) {
            struct cora__node *waiter = (struct cora__node *)node->graph.awaited_by[node->walked++];
            bool again = waiter->shown;

            print_node(waiter, level + 1, file);
            if (!again) {
                waiter->below = node;
                node = waiter;
                level++;
            }
        } else {
            node = node->below;
            level--;
        }
    }
}

int cora_print_call_graph(cora_future *future, int limit, FILE *file)
{
    cora_call_graph *graph;
    int rc = cora_capture_call_graph(&graph, future, limit);

    if (rc < 0)
        return rc;
    print_graph((struct cora__node *)graph, file);
    cora_call_graph_free(graph);
    return ferror(file) ? -EIO : 0;
}

int cora_format_call_graph(char **ret, cora_future *future, int limit)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    int rc;

    if (file == NULL)
        return -ENOMEM;
    rc = cora_print_call_graph(future, limit, file);
    if (fclose(file) != 0 || rc == -EIO)
        rc = -ENOMEM;
    if (rc == 0)
        *ret = text;
    else
        free(text);
    return rc;
}
