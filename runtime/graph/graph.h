/*
 * graph.h: the inside of a captured graph.
 */
#ifndef CORA_GRAPH_INTERNAL_H
#define CORA_GRAPH_INTERNAL_H

#include <cora/graph.h>

struct cora__node {
    cora_call_graph graph;
    struct cora__node *next;       /* in the list of all, from the first, which was asked for, on */
    size_t room;                   /* in graph.awaited_by */
    struct cora__node *told;       /* the last one that it was found to wait for */
    struct cora__symbols *symbols; /* of the first: what all frames' strings belong to */

    /* For the walk through a graph that is printed. */
    bool shown;
    size_t walked;            /* of graph.awaited_by */
    struct cora__node *below; /* the one that it is shown as waiting for */
};

#endif
