/*
 * statements.h: each simple statement of the language.
 */
#ifndef CORA_CONFORMANCE_STATEMENTS_H
#define CORA_CONFORMANCE_STATEMENTS_H

#include "scenario.h"

#define TASKS "slot|future+"
#define LOCKS "lock|cond|sem|bsem"
#define QUEUES "queue|lifo|prio"

/* Its name, and what it takes: see statement_takes. */
/* clang-format off */
#define STATEMENTS(X) \
    X(spawn, "slot coro") \
    X(eager, "slot coro") \
    X(shared, "slot coro") \
    X(gspawn, "slot coro") \
    X(geager, "slot coro") \
    X(await, "slot") \
    X(shield, "slot") \
    X(wait_for, "slot ms|none") \
    X(cancel, "slot") \
    X(cancel_self, "") \
    X(uncancel, "slot") \
    X(uncancel_self, "") \
    X(cancelling, "slot") \
    X(state, "slot") \
    X(tasks, "") \
    X(gather, TASKS) \
    X(settle, TASKS) \
    X(each, TASKS) \
    X(each_for, "ms|none " TASKS) \
    X(wait_first, "ms|none " TASKS) \
    X(wait_error, "ms|none " TASKS) \
    X(wait_all, "ms|none " TASKS) \
    X(bundle, "name " TASKS) \
    X(bundle_settle, "name " TASKS) \
    X(await_bundle, "name") \
    X(shield_bundle, "name") \
    X(cancel_bundle, "name") \
    X(peek_bundle, "name") \
    X(on_done, "slot word") \
    X(off_done, "slot word") \
    X(on_done_var, "slot var word") \
    X(soon, "word") \
    X(soon_var, "var word") \
    X(later, "ms word") \
    X(call, "name word") \
    X(timer, "name ms word") \
    X(timer_at, "name ms word") \
    X(drop, "name") \
    X(dropped, "name") \
    X(due, "name") \
    X(reschedule, "number ms|none") \
    X(reschedule_of, "slot ms|none") \
    X(deadline, "number") \
    X(say, "word") \
    X(yield, "") \
    X(sleep, "ms") \
    X(setvar, "var number") \
    X(getvar, "var") \
    X(resetvar, "var") \
    X(resolve, "future number") \
    X(fail, "future error") \
    X(cancel_future, "future") \
    X(await_future, "future") \
    X(shield_future, "future") \
    X(wait_for_future, "future ms|none") \
    X(on_future, "future word") \
    X(off_future, "future word") \
    X(peek_future, "future") \
    X(acquire, LOCKS) \
    X(release, LOCKS) \
    X(locked, LOCKS) \
    X(set, "event") \
    X(clear, "event") \
    X(is_set, "event") \
    X(wait, "event|cond") \
    X(wait_set, "cond event") \
    X(notify, "cond number") \
    X(notify_all, "cond") \
    X(meet, "barrier") \
    X(reset, "barrier") \
    X(abort, "barrier") \
    X(barrier, "barrier") \
    X(put, QUEUES " number") \
    X(put_nowait, QUEUES " number") \
    X(get, QUEUES) \
    X(get_nowait, QUEUES) \
    X(task_done, QUEUES) \
    X(join, QUEUES) \
    X(queue, QUEUES) \
    X(shutdown, QUEUES) \
    X(shutdown_now, QUEUES)
/* clang-format on */

typedef int operation(struct actor *actor, const struct statement *s, struct answer *answer);

#define DECLARE(name, takes) operation op_##name;
STATEMENTS(DECLARE)
#undef DECLARE

/* Makes the answer; 0. */
int say(struct answer *answer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends to it. */
void append(struct answer *answer, const char *word);

/* The value of an await, or its error, which is returned. */
int say_result(struct answer *answer, int rc);

/* The statement cannot run here; 0. */
int skip(struct answer *answer, const char *why);

/* INFINITY for "none". */
double seconds(const char *ms);

/* The task in a slot; NULL, and the statement is skipped, where there is none, or, with `younger`,
 * where it is not younger than the actor. */
struct actor *actor_in(const char *slot, const struct actor *younger, struct answer *answer);

#endif
