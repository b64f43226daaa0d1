/*
 * capture.c: capture_call_graph.
 *
 * Who waits for a future is read from its callbacks. A task's step there is that task. A callback
 * of a gather, a wait, a group or the like tells the task that waits through it, or the future that
 * it will complete, which is then looked at in the same way and is itself not shown. So there are
 * no edges to be kept up while tasks wait, and none that could be left over.
 *
 * Chains of waiting tasks may be long, and stacks are small: nothing here recurses.
 */
#include "graph/frames.h"
#include "graph/graph.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

struct capture {
    cora_future *future;
    int limit;
    struct cora__node *first, *last;
    void *tree; /* of all nodes, by their futures */
    int rc;
};

static int by_future(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const struct cora__node *)a)->graph.future;
    uintptr_t y = (uintptr_t)((const struct cora__node *)b)->graph.future;

    return (x > y) - (x < y);
}

/* The node of the future, a new one if it has none yet; NULL without memory. */
static struct cora__node *node_of(struct capture *capture, struct cora_future *future)
{
    struct cora__node key = {.graph = {.future = future}};
    struct cora__node **found = tfind(&key, &capture->tree, by_future);
    struct cora__node *node;

    if (found != NULL)
        return *found;
    node = calloc(1, sizeof *node);
    if (node == NULL)
        return NULL;
    node->graph.future = future;
    if (tsearch(node, &capture->tree, by_future) == NULL) {
        free(node);
        return NULL;
    }
    cora_future_ref(future);
    if (capture->first == NULL)
        capture->first = node;
    else
        capture->last->next = node;
    capture->last = node;
    return node;
}

/* Adds the task to those that wait for the node's future, once. */
static int add_waiter(struct capture *capture, struct cora__node *node, struct cora_future *task)
{
    struct cora__node *waiter = node_of(capture, task);
    cora_call_graph *graph = &node->graph;
    cora_call_graph **items;

    if (waiter == NULL)
        return -ENOMEM;
    if (waiter->told == node)
        return 0;
    items = cora__grow(graph->awaited_by, graph->awaited_by_count, 1, &node->room, sizeof items[0]);
    if (items == NULL)
        return -ENOMEM;
    waiter->told = node;
    graph->awaited_by = items;
    graph->awaited_by[graph->awaited_by_count++] = &waiter->graph;
    return 0;
}

/* Futures by which tasks wait for a node's future, and that one itself. */
struct futures {
    struct cora_future **items;
    size_t count, room;
};

static int add_future(struct futures *futures, struct cora_future *future)
{
    struct cora_future **items;

    for (size_t i = 0; i < futures->count; i++)
        if (futures->items[i] == future) /* by two ways, each of which may fork again */
            return 0;
    items = cora__grow(futures->items, futures->count, 1, &futures->room, sizeof items[0]);
    if (items == NULL)
        return -ENOMEM;
    futures->items = items;
    futures->items[futures->count++] = future;
    return 0;
}

static struct cora_future *waiter_of(struct cora__handle *handle)
{
    if (cora__handle_is_step(handle))
        return &cora__container_of(handle, struct cora__task, step)->future;
    return cora__handle_waiter(handle);
}

static int add_waiters(struct capture *capture, struct cora__node *node, struct futures *futures)
{
    int rc = add_future(futures, node->graph.future);

    for (size_t i = 0; i < futures->count; i++) {
        struct cora__list *callbacks = &futures->items[i]->callbacks;

        for (struct cora__list *link = callbacks->next; link != callbacks && rc == 0;
             link = link->next) {
            struct cora_future *waiter =
                waiter_of(cora__container_of(link, struct cora__handle, link));

            if (cora__as_task(waiter) != NULL)
                rc = add_waiter(capture, node, waiter);
            else if (waiter != NULL)
                rc = add_future(futures, waiter);
        }
    }
    return rc;
}

static int look_at(struct capture *capture, struct cora__node *node)
{
    const struct cora__task *task = cora__as_task(node->graph.future);
    struct futures futures = {0};
    int rc = add_waiters(capture, node, &futures);

    free(futures.items);
    if (rc == 0 && task != NULL)
        rc = cora__frames_capture(capture->first->symbols, task, capture->limit,
                                  &node->graph.call_stack);
    return rc;
}

/* What is found to wait is put at the end of the list, and looked at in its turn. */
static void run(void *arg)
{
    struct capture *capture = arg;

    capture->rc = -ENOMEM;
    if (node_of(capture, capture->future) != NULL) {
        capture->rc = 0;
        if (capture->limit != 0)
            capture->first->symbols = cora__symbols_open();
    }
    for (struct cora__node *node = capture->first; node != NULL && capture->rc == 0;
         node = node->next)
        capture->rc = look_at(capture, node);
    for (struct cora__node *node = capture->first; node != NULL; node = node->next)
        tdelete(node, &capture->tree, by_future);
}

int cora_capture_call_graph(cora_call_graph **ret, cora_future *future, int limit)
{
    struct capture capture = {.future = future != NULL ? future : cora_current_task(),
                              .limit = limit};
    int rc;

    if (capture.future == NULL)
        return -CORA_ENOTASK;
    rc = cora__symbols_call(run, &capture);
    if (rc == 0)
        rc = capture.rc;
    if (rc == 0)
        *ret = &capture.first->graph;
    else if (capture.first != NULL)
        cora_call_graph_free(&capture.first->graph);
    return rc;
}

void cora_call_graph_free(cora_call_graph *graph)
{
    struct cora__node *node = (struct cora__node *)graph;

    if (node != NULL)
        cora__symbols_close(node->symbols);
    while (node != NULL) {
        struct cora__node *next = node->next;

        cora_future_unref(node->graph.future);
        free(node->graph.call_stack.frames);
        free(node->graph.awaited_by);
        free(node);
        node = next;
    }
}
