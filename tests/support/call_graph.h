/*
 * call_graph.h: call graphs as one line of text, for comparing them.
 *
 *     assert_call_graph(graph, "T<c1>[inner c1](T<anon>[main](), )")
 *
 * A task is T<name>, T<anon> where it has a default name, another future is F. In brackets the
 * functions of its call stack, the tests' own only; in parentheses who waits for it.
 */
#ifndef CORA_TEST_CALL_GRAPH_H
#define CORA_TEST_CALL_GRAPH_H

#include <cora.h>

/* Where the library cannot look at stacks, each is expected to be its last function alone. */
void assert_call_graph(const cora_call_graph *graph, const char *expected);

/* The same of one call stack: "inner c1". */
void assert_call_stack(const cora_call_stack *stack, const char *expected);

/*
 * Runs fn(arg) to its end in a task of a loop in virtual time. run_virtual's main task is known as
 * "main" where stacks cannot be looked at, this one by its function's name.
 */
#define run_as_task(fn, arg) run_as_task_((fn), #fn, (arg))
int run_as_task_(cora_task_fn *fn, const char *function, void *arg);

#endif
