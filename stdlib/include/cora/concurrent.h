/*
 * concurrent.h: results that threads wait for (concurrent.futures.Future), and the two ways between
 * them and an event loop.
 *
 * From a thread into a loop (asyncio.run_coroutine_threadsafe):
 *
 *     cora_concurrent_future *future = cora_run_coroutine_threadsafe(loop, fetch, .url = url);
 *     int rc = cora_concurrent_future_result(future, 5.0);     // blocks the thread
 *
 *     if (rc == -ETIMEDOUT)
 *         cora_concurrent_future_cancel(future);
 *     cora_concurrent_future_unref(future);
 *
 * From a loop to a thread (asyncio.wrap_future): a thread completes a future that it shares with a
 * task, which awaits cora_wrap_future(future).
 *
 * Every call here may be made from any thread, and takes NULL as from a creation without memory: it
 * answers -ENOMEM, false or NULL. Only cora_wrap_future belongs to a loop's thread. An error that
 * nobody asks for is not reported.
 */
#ifndef CORA_CONCURRENT_H
#define CORA_CONCURRENT_H

#include <cora/base.h>
#include <cora/task.h>
#include <cora/wait.h>

#include <math.h>

CORA_BEGIN_DECLS

typedef struct cora_concurrent_future cora_concurrent_future;

/* Pending; one reference, for cora_concurrent_future_unref. NULL without memory. */
CORA_API CORA_MUST_CHECK cora_concurrent_future *cora_concurrent_future_create(void);

CORA_API cora_concurrent_future *cora_concurrent_future_ref(cora_concurrent_future *future);

/* With the last reference goes the future; callbacks of one that is still pending never run. */
CORA_API void cora_concurrent_future_unref(cora_concurrent_future *future);

/* ---- for who wants the result -------------------------------------------------------------- */

/*
 * The outcome: blocks the calling thread until there is one, for at most `timeout` seconds
 * (INFINITY: for any time; 0 or less: not at all). Not to be called in the thread of the loop that
 * is to complete it: that would wait for itself.
 * -ETIMEDOUT; -ECANCELED when cancelled; -EINVAL for NaN; else the value or the negative error.
 */
CORA_API CORA_MUST_CHECK int cora_concurrent_future_result(cora_concurrent_future *future,
                                                           double timeout);

/* The same, with 0 for a value. */
CORA_API CORA_MUST_CHECK int cora_concurrent_future_exception(cora_concurrent_future *future,
                                                              double timeout);

/* The pointer that set_result was given, or that the task's future holds; NULL while pending. */
CORA_API void *cora_concurrent_future_value(cora_concurrent_future *future);

/*
 * Cancels the future, and what it stands for: the task on its loop is cancelled as by
 * cora_task_cancel. True, also where it was cancelled before; false when it is running or done.
 */
CORA_API bool cora_concurrent_future_cancel(cora_concurrent_future *future);

CORA_API bool cora_concurrent_future_cancelled(cora_concurrent_future *future);
CORA_API bool cora_concurrent_future_running(cora_concurrent_future *future);
CORA_API bool cora_concurrent_future_done(cora_concurrent_future *future);

/* Called in the thread that completes or cancels the future. */
typedef void cora_concurrent_callback(cora_concurrent_future *future, void *arg);

/* Calls fn(future, arg) once it is done, in the order of their adding; at once if it is. 0, or
 * -ENOMEM. */
CORA_API CORA_MUST_CHECK int cora_concurrent_future_add_done_callback(
    cora_concurrent_future *future, cora_concurrent_callback *fn, void *arg);

/* ---- several of them ----------------------------------------------------------------------- */

/*
 * concurrent.futures.wait(): blocks the calling thread until what `return_when` says is true, or
 * for `timeout` seconds (INFINITY: for any time; 0 or less: not at all). It never cancels anything
 * and no timeout is an error: cora_concurrent_future_done tells afterwards which are done. A future
 * that is there more than once counts once, and a cancelled one is done. Returns how many are; 0
 * for no futures; -EINVAL for NaN; -ENOMEM, also where a future is NULL.
 */
CORA_API CORA_MUST_CHECK int cora_concurrent_wait(cora_concurrent_future *const futures[],
                                                  size_t count, double timeout,
                                                  cora_return_when return_when);

/*
 * concurrent.futures.as_completed(): futures in the order in which they are done, for one thread.
 *
 *     cora_concurrent_as_completed each;
 *
 *     rc = cora_concurrent_as_completed_start(&each, futures, count, INFINITY);
 *     while (rc == 0 && (rc = cora_concurrent_as_completed_next(&each, &future)) == 0)
 *         ... cora_concurrent_future_result(future, 0) ...
 *     cora_concurrent_as_completed_stop(&each);    // -CORA_ESTOPITERATION in rc: all were seen
 *
 * Storage of the caller's. Its members are private.
 */
typedef struct cora_concurrent_as_completed {
    void *waiter_;
    size_t taken_;
    double deadline_;
} cora_concurrent_as_completed;

/* From now on for `timeout` seconds. It holds a reference to each future. 0; else as
 * cora_concurrent_wait. */
CORA_API CORA_MUST_CHECK int cora_concurrent_as_completed_start(
    cora_concurrent_as_completed *each, cora_concurrent_future *const futures[], size_t count,
    double timeout);

/*
 * Blocks until the next one is done: 0 and *ret, borrowed until the end of the iteration. Those
 * that are done before it starts come first, in the order given. -CORA_ESTOPITERATION when all have
 * come; -ETIMEDOUT when the time is over and none has come meanwhile.
 */
CORA_API CORA_MUST_CHECK int cora_concurrent_as_completed_next(cora_concurrent_as_completed *each,
                                                               cora_concurrent_future **ret);

/* Ends the iteration, early or not; the futures that are left go on. */
CORA_API void cora_concurrent_as_completed_stop(cora_concurrent_as_completed *each);

/* ---- for who makes the result -------------------------------------------------------------- */

/*
 * Before the work begins: 0, and the future is running and can no longer be cancelled; -ECANCELED:
 * it was, and the work is not wanted; -CORA_EINVALIDSTATE when it is running or finished.
 */
CORA_API CORA_MUST_CHECK int cora_concurrent_future_set_running_or_notify_cancel(
    cora_concurrent_future *future);

/*
 * Completes the future. The result must not be negative, the error must be. `value` is the caller's
 * and lives as long as its users need it. 0; -CORA_EINVALIDSTATE when it is done; -EINVAL.
 */
CORA_API CORA_MUST_CHECK int cora_concurrent_future_set_result(cora_concurrent_future *future,
                                                               int result, void *value);
CORA_API CORA_MUST_CHECK int cora_concurrent_future_set_exception(cora_concurrent_future *future,
                                                                  int error);

/* ---- to and from a loop -------------------------------------------------------------------- */

/*
 * cora_run_coroutine_threadsafe(loop, fn, .name = value, ...): a task on `loop`, as by
 * cora_create_task, from any thread. It sees the calling thread's context variables. What becomes
 * of it becomes of the future that is returned, a reference; cancelling that cancels the task.
 *
 * Where the loop is closed, or is being closed before the task has ended, the future is cancelled,
 * so that nobody waits for ever; where the task cannot be created it fails with -ENOMEM. The caller
 * sees to it that the loop is not freed during the call. NULL without memory.
 */
#define cora_run_coroutine_threadsafe(loop, fn, ...)                                               \
    cora_run_coroutine_threadsafe_copy((loop), (fn), #fn, &(struct fn##_args){__VA_ARGS__},        \
                                       sizeof(struct fn##_args))

/* The same for fn(arg); `arg`, which may be NULL, must stay valid as long as fn uses it. */
#define cora_run_coroutine_threadsafe_arg(loop, fn, arg)                                           \
    cora_run_coroutine_threadsafe_copy((loop), (fn), #fn, (arg), 0)

/* What these macros call: `size` bytes are copied, or, where it is 0, fn is given `args` itself. */
CORA_API CORA_MUST_CHECK cora_concurrent_future *cora_run_coroutine_threadsafe_copy(
    cora_loop *loop, cora_task_fn *fn, const char *function, const void *args, size_t size);

/*
 * asyncio.wrap_future(): a future of the running loop that ends as `future` does, in the iteration
 * after the loop has heard of it; cancelling it cancels `future`. A reference, for cora_await and
 * cora_future_unref. While it is pending the loop waits for other threads (see cora_loop_hold).
 * NULL without memory or without a running loop.
 */
CORA_API CORA_MUST_CHECK cora_future *cora_wrap_future(cora_concurrent_future *future);

/* A loop's own future is wrapped by another reference to it. */
#ifndef __cplusplus
#define cora_wrap_future(future)                                                                   \
    _Generic((future), cora_future * : cora_future_ref, default : cora_wrap_future)(future)
#endif

CORA_END_DECLS

#endif
