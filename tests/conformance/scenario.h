/*
 * scenario.h: a scenario while it runs.
 */
#ifndef CORA_CONFORMANCE_SCENARIO_H
#define CORA_CONFORMANCE_SCENARIO_H

#include <cora.h>

#include "program.h"

/* A timeout that a task is in; on its stack. */
struct limit {
    cora_timeout timeout;
    struct limit *outer;
};

/* A task of the scenario: its serial number, and what it is doing. */
struct actor {
    int serial;
    char label[16]; /* "T3" */
    cora_task *task;
    const struct coro *coro;
    int value;                     /* of its `return` */
    struct cora_task_group *group; /* the innermost that it has entered, or NULL */
    struct limit *limit;           /* likewise */
    struct token *tokens;          /* of its setvars */
};

/* A gather() that is not awaited at once. */
struct bundle {
    cora_future *future;
    int count;  /* of its results */
    int oldest; /* the least serial among its tasks */
};

/* What call_soon or call_later gave. */
struct timer {
    cora_handle *handle;
    struct timer *next; /* of all, to be given back */
};

/* A named thing: a lock, an event, a slot that a task is bound to, ... */
struct thing {
    const char *name, *kind;
    union {
        cora_lock lock;
        cora_event event;
        cora_condition condition;
        cora_semaphore semaphore;
        cora_bounded_semaphore bounded;
        cora_queue queue;
        cora_barrier barrier;
        cora_future *future;
        cora_context_var var;
        struct actor *actor;
        struct bundle *bundle;
        struct timer *timer;
    };
    struct thing *next;
};

/* A longer trace is cut; every task that is spawned is a line at least. */
enum { MOST_LINES = 5000 };

extern struct scenario {
    struct program *program;
    cora_loop *loop;
    struct thing *things, *slots, *bundles, *handles;
    struct timer *timers;
    struct callback *callbacks;
    struct actor *actors[MOST_LINES + 2];
    int spawned;
    int lines;
    bool too_long;
} scenario;

/* What a block or a statement ends with beside 0 and errors: `return` was met. */
enum { RETURNED = 1 };

/* E1, E2, ... as error codes: beyond cora's own. */
enum { FIRST_SCENARIO_ERROR = 6000 };

/* One word for an outcome: "ok", "cancelled", "E1", ... in `text`, which is returned. */
const char *kind_of(int rc, char *text, size_t size);

/* "pending", "cancelled", an error, "ok 7". */
const char *state_of(cora_future *future, char *text, size_t size);

/* A line of the trace. */
void trace(int serial, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The resource of that name; NULL where there is none. */
struct thing *find_thing(const char *name);

/* The thing of that name in one of the scenario's other lists, where it is made if it is not there.
 */
struct thing *find_or_make(struct thing **list, const char *name);

/* What a statement says beside its error: text after "ok ", or why it was skipped. */
struct answer {
    bool has_value;
    const char *skip; /* or NULL */
    char text[1024];
};

/* Runs a simple statement. */
int run_statement(struct actor *actor, const struct statement *statement, struct answer *answer);

/* Runs statements until one does not end with 0. */
int run_block(struct actor *actor, const struct statement *statement);

/* The body of a scenario's task. */
int run_actor(void *actor);

#endif
