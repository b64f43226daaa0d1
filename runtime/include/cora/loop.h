/*
 * loop.h: the event loop (asyncio.BaseEventLoop): ready queue, timers, file descriptors, signals,
 * calls from other threads. It runs callbacks; tasks are one layer up.
 *
 * One iteration: wait for I/O (not at all while something is ready), queue the handlers of what
 * happened, queue the timers that are due, then run exactly the callbacks that are queued by then.
 * What they queue runs in the next iteration.
 *
 * A thread has at most one running loop; a process may have many. All calls belong to the thread
 * that runs the loop, save those that end in _threadsafe. Nothing in this header suspends.
 */
#ifndef CORA_LOOP_H
#define CORA_LOOP_H

#include <cora/base.h>
#include <cora/contextvars.h>
#include <cora/error.h>

CORA_BEGIN_DECLS

typedef struct cora_loop cora_loop;

/* What call_soon and its like return, after asyncio.Handle; a reference, to be given back. */
typedef struct cora_handle cora_handle;

/* asyncio.TimerHandle: a handle made by call_later or call_at. */
typedef struct cora_handle cora_timer_handle;

/* A callback. It runs on the loop's own stack, not in a task, and must not suspend or block. */
typedef void cora_callback(void *arg);

/* ---- life ---------------------------------------------------------------------------------- */

/*
 * asyncio.new_event_loop(). 0, -ENOMEM, or what the system said of its poller (-EMFILE, say). The
 * caller owns *ret until cora_loop_free.
 */
CORA_API CORA_MUST_CHECK int cora_new_event_loop(cora_loop **ret);

/* asyncio.get_running_loop(): the loop that runs in this thread, or NULL. */
CORA_API cora_loop *cora_get_running_loop(void);

/*
 * Runs until cora_loop_stop. 0; -CORA_ERUNNING while a loop runs in this thread; -CORA_ECLOSED;
 * -EINTR when cut short by a second Ctrl-C (see <cora/run.h>).
 */
CORA_API CORA_MUST_CHECK int cora_loop_run_forever(cora_loop *loop);

/* Ends run_forever after this iteration; called before, the next run ends after one iteration. */
CORA_API void cora_loop_stop(cora_loop *loop);

CORA_API bool cora_loop_is_running(const cora_loop *loop);
CORA_API bool cora_loop_is_closed(const cora_loop *loop);

/*
 * Drops all callbacks, timers and watchers without running them. Idempotent. 0, or -CORA_ERUNNING.
 * Tasks that are still suspended are dropped where they stand; cora_run and cora_runner_close,
 * which end them properly first, are the usual way.
 */
CORA_API int cora_loop_close(cora_loop *loop);

/* Closes the loop if need be and gives it back; NULL is accepted. It must not be running. */
CORA_API void cora_loop_free(cora_loop *loop);

/* ---- scheduling ---------------------------------------------------------------------------- */

/* Seconds on the loop's clock: monotonic, or virtual. */
CORA_API double cora_loop_time(const cora_loop *loop);

/*
 * Calls fn(arg) in the next iteration, first come, first served. `ret` (NULL: not wanted) receives
 * a reference to the handle, for cora_handle_unref. The callback runs in a copy of the current
 * context (<cora/contextvars.h>).
 * 0, -ENOMEM, -CORA_ECLOSED; in debug mode -CORA_EWRONGTHREAD from another thread.
 */
CORA_API CORA_MUST_CHECK int cora_loop_call_soon(cora_loop *loop, cora_callback *fn, void *arg,
                                                 cora_handle **ret);

/*
 * The same `delay` seconds from now (none or negative: in the next iteration, behind what is ready
 * by then), or at `when` on the loop's clock. Of equal deadlines the first armed comes first.
 * -EINVAL for NaN; else as call_soon.
 */
CORA_API CORA_MUST_CHECK int cora_loop_call_later(cora_loop *loop, double delay, cora_callback *fn,
                                                  void *arg, cora_timer_handle **ret);
CORA_API CORA_MUST_CHECK int cora_loop_call_at(cora_loop *loop, double when, cora_callback *fn,
                                               void *arg, cora_timer_handle **ret);

/*
 * call_soon from any thread; it wakes the loop. The caller sees to it that the loop is not freed
 * meanwhile. *ret is set before the callback can run, and to NULL where the call fails. Any thread
 * may cancel this handle, and ask whether it was cancelled; where the callback is running in
 * another one, these two wait until it has returned.
 */
CORA_API CORA_MUST_CHECK int cora_loop_call_soon_threadsafe(cora_loop *loop, cora_callback *fn,
                                                            void *arg, cora_handle **ret);

/*
 * A callback that other threads trigger, in storage of the caller's: it allocates nothing and so
 * never fails for want of memory. Once triggered it must not be triggered again, nor its storage
 * go, until it has run. Its members are private.
 */
typedef struct cora_trigger {
    void *private_[12];
} cora_trigger;

/* `drop` (may be NULL) is called in place of fn where the loop is closed before fn could run. */
CORA_API void cora_trigger_init(cora_trigger *trigger, cora_loop *loop, cora_callback *fn,
                                cora_callback *drop, void *arg);

/* fn will run in this context, which must last until then; by default it runs in none. */
CORA_API void cora_trigger_set_context(cora_trigger *trigger, cora_context *context);

/* From any thread: fn(arg) runs in the loop. 0, or -CORA_ECLOSED: neither fn nor drop will. */
CORA_API CORA_MUST_CHECK int cora_trigger_fire(cora_trigger *trigger);

/*
 * The same in two steps, for who fires with a lock held that the loop is going to want: queues it,
 * and where the loop may be asleep sets *ret_asleep to it, else to NULL. To that loop
 * cora_loop_wake is owed, soon, with the lock let go, and whatever has become of the trigger; until
 * then the loop does not end.
 */
CORA_API CORA_MUST_CHECK int cora_trigger_queue(cora_trigger *trigger, cora_loop **ret_asleep);
CORA_API void cora_loop_wake(cora_loop *loop);

/*
 * In the loop's thread: keeps a trigger that was fired from running; its storage may go then, as
 * long as nobody fires it meanwhile. Whether it was on its way.
 */
CORA_API bool cora_trigger_cancel(cora_trigger *trigger);

/* Keeps the callback from running, at any time before it starts. NULL is accepted. */
CORA_API void cora_handle_cancel(cora_handle *handle);
CORA_API bool cora_handle_cancelled(const cora_handle *handle);

/* When a timer is or was due, on the loop's clock; NaN for a handle that is not a timer. */
CORA_API double cora_timer_handle_when(const cora_timer_handle *handle);

/* Gives the reference back; the callback still runs. NULL is accepted. */
CORA_API void cora_handle_unref(cora_handle *handle);

/* ---- file descriptors ---------------------------------------------------------------------- */

/*
 * Calls fn(arg) whenever the loop looks at I/O and `fd` is readable (writable), until removed. It
 * looks in every iteration that has to wait for something, and every 50 us while tasks keep it
 * busy. A second add replaces the callback. 0; -EBADF for what is not open, -EPERM for what cannot
 * be polled (a regular file), -EBUSY while a task waits for the same, -ENOMEM, -CORA_ECLOSED.
 * Remove it before closing the descriptor.
 */
CORA_API CORA_MUST_CHECK int cora_loop_add_reader(cora_loop *loop, int fd, cora_callback *fn,
                                                  void *arg);
CORA_API CORA_MUST_CHECK int cora_loop_add_writer(cora_loop *loop, int fd, cora_callback *fn,
                                                  void *arg);

/* True if there was one; its callback then does not run any more, even if queued. */
CORA_API bool cora_loop_remove_reader(cora_loop *loop, int fd);
CORA_API bool cora_loop_remove_writer(cora_loop *loop, int fd);

/* ---- signals ------------------------------------------------------------------------------- */

/*
 * Calls fn(arg) in the loop after the process got the signal. A second add replaces the callback.
 * 0; -EINVAL for a signal that cannot be caught; -EBUSY while another loop handles it; -ENOMEM;
 * -CORA_ECLOSED.
 */
CORA_API CORA_MUST_CHECK int cora_loop_add_signal_handler(cora_loop *loop, int signum,
                                                          cora_callback *fn, void *arg);

/*
 * True if there was one; the signal then has its default effect again, unless somebody else has
 * installed a handler meanwhile. A forked child has none of its parent's handlers.
 */
CORA_API bool cora_loop_remove_signal_handler(cora_loop *loop, int signum);

/* ---- reports ------------------------------------------------------------------------------- */

/* What went wrong where nobody could be told by a result. */
typedef struct cora_exception_context {
    const char *message;        /* never NULL; valid during the call */
    int error;                  /* negative, or 0 */
    const char *task;           /* the task's name, or NULL */
    struct cora_future *future; /* the future or task concerned, or NULL */
    /* Where that was created, as by cora_future_source_traceback; or NULL. Valid during the call.
     */
    const char *source_traceback;
} cora_exception_context;

typedef void cora_exception_handler(cora_loop *loop, const cora_exception_context *context,
                                    void *arg);

/* Who gets the loop's reports; NULL: the default, a line on stderr. */
CORA_API void cora_loop_set_exception_handler(cora_loop *loop, cora_exception_handler *handler,
                                              void *arg);

/* That handler, and *ret_arg (NULL: not wanted) its argument; NULL where it is the default. */
CORA_API cora_exception_handler *cora_loop_get_exception_handler(const cora_loop *loop,
                                                                 void **ret_arg);
CORA_API void cora_loop_call_exception_handler(cora_loop *loop,
                                               const cora_exception_context *context);
CORA_API void cora_loop_default_exception_handler(cora_loop *loop,
                                                  const cora_exception_context *context);

/*
 * Debug mode: calls from a wrong thread are refused, and callbacks and task steps that hold the
 * loop longer than slow_callback_duration (0.1 s) are reported. Reports of a future or a task say
 * where it was created. On from the start where the environment has CORADEBUG set and not empty.
 */
CORA_API void cora_loop_set_debug(cora_loop *loop, bool debug);
CORA_API bool cora_loop_get_debug(const cora_loop *loop);
CORA_API void cora_loop_set_slow_callback_duration(cora_loop *loop, double seconds);

/* ---- for libraries -------------------------------------------------------------------------- */

/*
 * Something that a library keeps with each loop, as <cora/thread.h> does its threads. Declare it
 * static: its address is its identity, so that nobody takes another's object for his own.
 */
typedef struct cora_attachment_kind {
    bool (*busy)(void *object);  /* it still needs the loop: cora_runner_close waits; may be NULL */
    void (*close)(void *object); /* the loop is being closed, and still takes calls */
} cora_attachment_kind;

/*
 * Attaches one object of a kind; what was attached last is closed first. 0; -EBUSY where there is
 * one; -ENOMEM, -CORA_ECLOSED.
 */
CORA_API CORA_MUST_CHECK int cora_loop_attach(cora_loop *loop, const cora_attachment_kind *kind,
                                              void *object);

/* The object of this kind; NULL: none. */
CORA_API void *cora_loop_attached(const cora_loop *loop, const cora_attachment_kind *kind);

/*
 * A descriptor that belongs to an object of a library's, as a transport's socket does: the object's
 * callbacks are called while it is readable or writable, as by add_reader and add_writer, but
 * nothing is allocated for them, and nobody else may watch it or wait for it meanwhile: they get
 * -EBUSY. In storage of the object's. Its members are private.
 */
typedef struct cora_fd_watch {
    void *private_[20];
} cora_fd_watch;

/*
 * Takes the descriptor, and watches for nothing yet. `on_writable` may be NULL, as may `context`,
 * in which the callbacks run; it must last as long as the watch. 0; -EBADF, -EPERM as add_reader;
 * -EBUSY while it is watched or waited for; -ENOMEM.
 */
CORA_API CORA_MUST_CHECK int cora_fd_watch_open(cora_fd_watch *watch, cora_loop *loop, int fd,
                                                cora_callback *on_readable,
                                                cora_callback *on_writable, void *arg,
                                                cora_context *context);

/* From now on, or no longer; a callback that is queued then does not run. Idempotent. */
CORA_API void cora_fd_watch_start_reading(cora_fd_watch *watch);
CORA_API void cora_fd_watch_stop_reading(cora_fd_watch *watch);
CORA_API void cora_fd_watch_start_writing(cora_fd_watch *watch);
CORA_API void cora_fd_watch_stop_writing(cora_fd_watch *watch);

/* Stops both and leaves the descriptor to others; before it is closed. Idempotent. */
CORA_API void cora_fd_watch_close(cora_fd_watch *watch);

/* ---- what asyncio lacks -------------------------------------------------------------------- */

/*
 * Virtual time, for tests: the clock stands still while anything is ready and jumps to the next
 * timer when nothing is, unless a job in a thread (or whoever else holds the loop) is awaited.
 * 0; -CORA_ERUNNING; -EBUSY when a timer is armed already.
 */
CORA_API CORA_MUST_CHECK int cora_loop_use_virtual_clock(cora_loop *loop, double now);

/*
 * Timers of the same instant fire in the order in which CPython's heap has them, an accident,
 * instead of first armed, first fired: for programs that are compared with CPython's line by line.
 * 0, or -EBUSY when a timer is armed already.
 */
CORA_API CORA_MUST_CHECK int cora_loop_set_heapq_order(cora_loop *loop, bool heapq_order);

/*
 * A loop that runs until a future is complete ends with -EDEADLK, and a report of who waits for
 * what, when nothing can ever wake it: nothing ready, no timer, no descriptor or signal watched, no
 * job in a thread. A thread of your own that will make a _threadsafe call is to be announced, by a
 * hold before it may be needed and a release (from any thread) once it no longer is.
 */
CORA_API void cora_loop_hold(cora_loop *loop);
CORA_API void cora_loop_release(cora_loop *loop);

/*
 * One iteration in three steps, to live inside another loop. cora_loop_poll waits for I/O, as long
 * as the loop itself would but at most `timeout` seconds (0: not at all; negative: as long as the
 * loop would), on the loop's clock. It may run in another thread than the two others, while neither
 * of them runs. It returns 0 or -CORA_ECLOSED.
 * cora_loop_process_events queues the callbacks of what happened and of due timers.
 * cora_loop_run_ready runs what is queued; it returns how many callbacks that were.
 * Both return -CORA_ERUNNING while a loop runs in this thread.
 */
CORA_API CORA_MUST_CHECK int cora_loop_poll(cora_loop *loop, double timeout);
CORA_API CORA_MUST_CHECK int cora_loop_process_events(cora_loop *loop);
CORA_API CORA_MUST_CHECK int cora_loop_run_ready(cora_loop *loop);

/* For the same: how long the next poll may wait: 0; seconds; -1: for ever. */
CORA_API double cora_loop_timeout(cora_loop *loop);

CORA_END_DECLS

#endif
