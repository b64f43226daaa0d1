/*
 * task.h: a function that runs as a coroutine on the loop (asyncio.Task), and waiting.
 *
 *     struct fetch_args { const char *url; struct page *page; };
 *
 *     static int fetch(void *arg)
 *     {
 *         struct fetch_args *a = arg;
 *         ...
 *     }
 *
 *     cora_task *task = cora_create_task(fetch, .url = "http://...", .page = &page);
 *     int rc = cora_await(task);
 *     cora_task_unref(task);
 *
 * The arguments are a struct named after the function, given like keyword arguments and copied into
 * the task: they are valid as long as the function runs. What the function returns is the task's
 * outcome, negative an error, else a value; larger results go through pointers in the arguments.
 *
 * A task takes a stack when it first runs and gives it back when its function returns.
 *
 * Cancellation is asyncio's: cancelling a task makes the call in which it is suspended, or the next
 * one that suspends, return -ECANCELED, once. The task is to clean up and pass that on; what it
 * returns decides. A task that must not be cut short there may go on and wait again.
 */
#ifndef CORA_TASK_H
#define CORA_TASK_H

#include <cora/base.h>
#include <cora/contextvars.h>
#include <cora/future.h>

CORA_BEGIN_DECLS

/* A task is a future, and the same C type, so that it goes wherever a future goes. */
typedef cora_future cora_task;

/* The body of a task. */
typedef int cora_task_fn(void *arg);

/* The optional arguments of create_task; all may be 0. */
typedef struct cora_task_options {
    const char *name;      /* copied; NULL: "Task-1", "Task-2", ... */
    cora_context *context; /* runs in this one instead of in a copy of the current one */
    size_t stack_size;     /* usable bytes; 0: cora_default_stack_size() */
    /*
     * true: where its loop is running, it runs at once, up to its first suspension, before
     * create_task returns. CORA_NOT_EAGER: it does not, whatever the loop's task factory would
     * have. 0: as the factory has it, and without one it does not.
     */
    int eager_start;
} cora_task_options;

/* eager_start=False: 0 is an argument that was not given. */
enum { CORA_NOT_EAGER = -1 };

/* ---- creation ------------------------------------------------------------------------------ */

/*
 * cora_create_task(fn, .name = value, ...): a task on the running loop that will run fn with a
 * struct fn_args of these members. It starts in the next iteration.
 *
 * Returns a reference, for cora_task_unref; the loop has one of its own until the task is done, so
 * giving back yours never ends it. NULL without memory or without a running loop: every call that
 * takes a task accepts that (cora_await answers -ENOMEM).
 */
#define cora_create_task(fn, ...) cora_create_task_with(NULL, fn, __VA_ARGS__)

/* The same, with options: cora_create_task_with(&(cora_task_options){.name = "a"}, fn, ...). */
#define cora_create_task_with(options, fn, ...)                                                    \
    cora_loop_create_task_copy(NULL, (options), (fn), #fn, &(struct fn##_args){__VA_ARGS__},       \
                               sizeof(struct fn##_args))

/* A task that runs fn(arg); `arg`, which may be NULL, must stay valid as long as fn uses it. */
#define cora_create_task_arg(fn, arg) cora_loop_create_task_arg(NULL, NULL, (fn), #fn, (arg))

/*
 * What these macros call. `loop` NULL: the running one; `function` is the name for reports;
 * `args` is copied.
 */
CORA_API CORA_MUST_CHECK cora_task *cora_loop_create_task_copy(cora_loop *loop,
                                                               const cora_task_options *options,
                                                               cora_task_fn *fn,
                                                               const char *function,
                                                               const void *args, size_t size);
CORA_API CORA_MUST_CHECK cora_task *cora_loop_create_task_arg(cora_loop *loop,
                                                              const cora_task_options *options,
                                                              cora_task_fn *fn,
                                                              const char *function, void *arg);

/*
 * A task factory: all of the above ask the loop's, if it has one, for the task. It may make another
 * one of it, by cora_task_create: with other options, or of a function of its own that calls fn.
 * `options` may be NULL, `loop` is not. What it returns is what create_task returns.
 */
typedef cora_task *cora_task_factory(cora_loop *loop, const cora_task_options *options,
                                     cora_task_fn *fn, const char *function, const void *args,
                                     size_t size);

/* Who makes the tasks of this loop, groups' too; NULL: cora_task_create. */
CORA_API void cora_loop_set_task_factory(cora_loop *loop, cora_task_factory *factory);
CORA_API cora_task_factory *cora_loop_get_task_factory(const cora_loop *loop);

/* asyncio.eager_task_factory: every task starts eagerly, unless its options say CORA_NOT_EAGER. */
CORA_API CORA_MUST_CHECK cora_task *cora_eager_task_factory(cora_loop *loop,
                                                            const cora_task_options *options,
                                                            cora_task_fn *fn, const char *function,
                                                            const void *args, size_t size);

/*
 * asyncio.Task(): a task, without asking the factory. It runs fn with a copy of the `size` bytes at
 * `args`, or, where size is 0, with `args` itself. NULL as create_task.
 */
CORA_API CORA_MUST_CHECK cora_task *cora_task_create(cora_loop *loop,
                                                     const cora_task_options *options,
                                                     cora_task_fn *fn, const char *function,
                                                     const void *args, size_t size);

/* ---- waiting ------------------------------------------------------------------------------- */

/*
 * await: suspends until the future or task is done and returns its outcome; at once if it is done.
 * The caller holds a reference meanwhile.
 *   -ECANCELED        it was cancelled, or the waiting task was: then what it waited for is, too
 *   -ENOMEM           future is NULL
 *   -CORA_EAWAITSELF, -CORA_EWRONGLOOP (both in the next iteration), -CORA_ENOTASK
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_await(cora_future *future);

/* cora_await, then cora_future_unref: for what was created only to be awaited. */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_await_unref(cora_future *future);

/*
 * asyncio.sleep(): suspends for `delay` seconds, never less; 0 or less lets everyone else who is
 * ready run once. 0; -ECANCELED; -EINVAL for NaN; -ENOMEM; -CORA_ENOTASK.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_sleep(double delay);

/* ---- cancellation -------------------------------------------------------------------------- */

/*
 * Asks the task to end: see above. What it waits for is cancelled with it, so that a chain of tasks
 * that wait for one another ends from its inner end. True, unless it is done already.
 */
CORA_API bool cora_task_cancel(cora_task *task);

/* How many times it has been cancelled and not uncancelled. */
CORA_API int cora_task_cancelling(const cora_task *task);

/*
 * Takes one cancellation back: the one who asked for it has dealt with it. Returns what is left; at
 * 0 a cancellation that is not delivered yet is dropped.
 */
CORA_API int cora_task_uncancel(cora_task *task);

/* ---- questions ----------------------------------------------------------------------------- */

/* asyncio.current_task(): borrowed; NULL where no task is running. */
CORA_API cora_task *cora_current_task(void);

/*
 * asyncio.all_tasks(): writes up to `room` tasks of the loop (NULL: the running one) that are not
 * done, in the order of their creation, each a reference. Returns how many there are.
 */
CORA_API size_t cora_all_tasks(cora_loop *loop, cora_task *tasks[], size_t room);

/* Borrowed, valid until set_name or the last reference goes. NULL for a future that is no task. */
CORA_API const char *cora_task_get_name(cora_task *task);

/* The name is copied. 0; -ENOMEM; -EINVAL for a future that is no task. */
CORA_API CORA_MUST_CHECK int cora_task_set_name(cora_task *task, const char *name);

/*
 * The task's context, borrowed: valid as long as a reference to the task; cora_context_ref keeps it
 * longer. NULL without memory, and for a future that is no task.
 */
CORA_API cora_context *cora_task_get_context(cora_task *task);

/* What the suspended task waits for, "task 'x'" or "sleep", in `text`; "" when it is running or
 * done. Returns text. */
CORA_API const char *cora_task_waiting_for(cora_task *task, char *text, size_t size);

/* Debug builds: the most bytes of stack that the running or suspended task has used. Others: 0. */
CORA_API size_t cora_task_stack_used(const cora_task *task);

/* ---- what a task is as a future ------------------------------------------------------------ */

static inline cora_task *cora_task_ref(cora_task *task)
{
    return cora_future_ref(task);
}
static inline void cora_task_unref(cora_task *task)
{
    cora_future_unref(task);
}
static inline bool cora_task_done(const cora_task *task)
{
    return cora_future_done(task);
}
static inline bool cora_task_cancelled(const cora_task *task)
{
    return cora_future_cancelled(task);
}
static inline CORA_MUST_CHECK int cora_task_result(cora_task *task)
{
    return cora_future_result(task);
}
static inline CORA_MUST_CHECK int cora_task_exception(cora_task *task)
{
    return cora_future_exception(task);
}
static inline CORA_MUST_CHECK int cora_task_add_done_callback(cora_task *task,
                                                              cora_done_callback *fn, void *arg)
{
    return cora_future_add_done_callback(task, fn, arg);
}
static inline int cora_task_remove_done_callback(cora_task *task, cora_done_callback *fn, void *arg)
{
    return cora_future_remove_done_callback(task, fn, arg);
}

CORA_END_DECLS

#endif
