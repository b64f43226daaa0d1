/*
 * future.h: a result that is not there yet (asyncio.Future).
 *
 * An outcome is an int, negative an error, else a value, and a `void *` beside it for whatever a
 * program likes to hand over. Futures are counted references of one loop and one thread. A task is
 * a future too (<cora/task.h>).
 *
 * Every call here that takes a future accepts NULL, as from a creation without memory, and answers
 * -ENOMEM, false or NULL, so that only the last call of a chain needs a check.
 */
#ifndef CORA_FUTURE_H
#define CORA_FUTURE_H

#include <cora/base.h>
#include <cora/error.h>
#include <cora/loop.h>

CORA_BEGIN_DECLS

typedef struct cora_future cora_future;

/* loop.create_future(): pending; one reference, for cora_future_unref. NULL without memory. */
CORA_API CORA_MUST_CHECK cora_future *cora_loop_create_future(cora_loop *loop);

CORA_API cora_future *cora_future_ref(cora_future *future);

/*
 * Gives a reference back. With the last one goes the future; an error in it that nobody has asked
 * for is then reported to the loop's exception handler.
 */
CORA_API void cora_future_unref(cora_future *future);

CORA_API bool cora_future_done(const cora_future *future);
CORA_API bool cora_future_cancelled(const cora_future *future);

/*
 * The outcome: the value, or the negative error; -ECANCELED when cancelled; -CORA_EINVALIDSTATE
 * while pending. Counts as having asked for the error.
 */
CORA_API CORA_MUST_CHECK int cora_future_result(cora_future *future);

/* The pointer that set_result was given; NULL otherwise. */
CORA_API void *cora_future_value(const cora_future *future);

/* The negative error or 0 for a value; else as cora_future_result. */
CORA_API CORA_MUST_CHECK int cora_future_exception(cora_future *future);

/*
 * Completes the future; who waits for it goes on in the next iteration. The result must not be
 * negative, the error must be. `value` is the caller's and lives as long as its users need it.
 * 0; -CORA_EINVALIDSTATE when it is done already, or is a task; -EINVAL.
 */
CORA_API CORA_MUST_CHECK int cora_future_set_result(cora_future *future, int result, void *value);
CORA_API CORA_MUST_CHECK int cora_future_set_exception(cora_future *future, int error);

/*
 * Cancels the future, or asks a task to end (see cora_task_cancel). False when it is done already.
 * The message is borrowed and must outlive the future: a literal, usually.
 */
CORA_API bool cora_future_cancel(cora_future *future);
CORA_API bool cora_future_cancel_message(cora_future *future, const char *message);

/* What the one who cancelled it said, or NULL. */
CORA_API const char *cora_future_get_cancel_message(const cora_future *future);

/* Called in the loop, in the iteration after the future was completed; must not suspend. */
typedef void cora_done_callback(cora_future *future, void *arg);

/*
 * Calls fn(future, arg) once the future is done, in the order of their adding and never before this
 * call has returned. It runs in a copy of the current context. 0, -ENOMEM, -CORA_ECLOSED.
 */
CORA_API CORA_MUST_CHECK int cora_future_add_done_callback(cora_future *future,
                                                           cora_done_callback *fn, void *arg);

/* Removes every callback with this fn and arg; how many. Of a future that is done: 0, they run. */
CORA_API int cora_future_remove_done_callback(cora_future *future, cora_done_callback *fn,
                                              void *arg);

CORA_API cora_loop *cora_future_get_loop(const cora_future *future);

/*
 * Where the future or task was created, if its loop was in debug mode: in `text`, a line for each
 * of the up to ten calls, newest first, "File 'fetch.c', line 71, in fetch()"; "" if that is not
 * known, and fewer lines where there is no room for all. Files and lines, and the names of static
 * functions, come from debugging information, by libdw: without it there are addresses. Returns
 * text.
 */
CORA_API const char *cora_future_source_traceback(const cora_future *future, char *text,
                                                  size_t size);

/*
 * Runs the loop until the future is done and returns its outcome. -CORA_ESTOPPED when the loop was
 * stopped before; -EDEADLK when nothing can ever wake it, after a report of who waits for what;
 * -CORA_EWRONGLOOP; else as cora_loop_run_forever.
 */
CORA_API CORA_MUST_CHECK int cora_loop_run_until_complete(cora_loop *loop, cora_future *future);

CORA_END_DECLS

#endif
