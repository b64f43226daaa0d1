/*
 * timer.h: a thread that does something after a while, unless it is cancelled (threading.Timer).
 *
 *     cora_threading_thread *timer = cora_threading_timer_create(30.0, warn, .text = "too slow");
 *     int rc = cora_threading_thread_start(timer);
 *     ...
 *     cora_threading_timer_cancel(timer);
 *     cora_threading_thread_unref(timer);
 *
 * For the rest it is a thread like others (<cora/threading/thread.h>). A task has cora_timeout and
 * cora_loop_call_later, which need none.
 */
#ifndef CORA_THREADING_TIMER_H
#define CORA_THREADING_TIMER_H

#include <cora/base.h>
#include <cora/threading/thread.h>

CORA_BEGIN_DECLS

/*
 * Timer(): a thread that will run fn with a struct fn_args of these members `interval` seconds
 * after its start. NULL without memory, or where the interval is NaN.
 */
#define cora_threading_timer_create(interval, fn, ...)                                             \
    cora_threading_timer_create_copy((interval), NULL, (fn), #fn,                                  \
                                     &(struct fn##_args){__VA_ARGS__}, sizeof(struct fn##_args))

/* The same of fn(arg); `arg`, which may be NULL, must stay valid as long as fn uses it. */
#define cora_threading_timer_create_arg(interval, fn, arg)                                         \
    cora_threading_timer_create_copy((interval), NULL, (fn), #fn, (arg), 0)

/* What these macros call, see cora_threading_thread_create_copy. */
CORA_API CORA_MUST_CHECK cora_threading_thread *cora_threading_timer_create_copy(
    double interval, const cora_threading_thread_options *options, cora_threading_fn *fn,
    const char *function, const void *args, size_t size);

/* The function is not called any more, and the thread ends; too late where it was. NULL, and a
 * thread that is no timer, is accepted. */
CORA_API void cora_threading_timer_cancel(cora_threading_thread *timer);

CORA_END_DECLS

#endif
