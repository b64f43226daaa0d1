/*
 * loop.h: the loop's inner structures, for the layers above.
 *
 * Everything that the loop can run is a handle: a callback, or a step of a task. A handle is a node
 * of one list at a time, the ready queue or the callbacks of the future it waits for; so nothing is
 * allocated to queue it and nothing is queued twice.
 *
 * The ready queue is a ring, of which the loop is a node like the others: its head. A step stays in
 * its place while it runs, and what is queued meanwhile goes before it. So who yields has nothing
 * to do but to go on with the next in the ring, and is the last in it by then; and when the next is
 * the head, what was queued at the beginning of the iteration has run, and what follows is the next
 * iteration's.
 */
#ifndef CORA_LOOP_INTERNAL_H
#define CORA_LOOP_INTERNAL_H

#include <cora/loop.h>

#include "base/list.h"
#include "base/pool.h"
#include "contextvars/contextvars.h"
#include "coroutine/coroutine.h"
#include "trace/trace.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

struct cora__handle;

/* What else there is to a callback than its being called; NULL: nothing. */
struct cora__handle_kind {
    void (*drop)(struct cora__handle *handle); /* it will never run: frees what is its own */
    /* Who waits through it: the task, or the future that it completes. For the call graph. */
    struct cora_future *(*waiter)(const struct cora__handle *handle);
};

struct cora__handle {
    struct cora__list link; /* the list it waits in */
    void *sp;               /* where a step goes on; NULL: a callback, or it has not started */
    cora_callback *fn;      /* NULL: a step of a task */
    union {
        struct cora__strand strand; /* of a step */
        struct {
            union {
                struct cora_coroutine *coroutine; /* where the step goes on; NULL: not started */
                void *arg;                        /* of the callback */
            };
            struct cora_context *context; /* in which it runs */
        };
    };
    const struct cora__handle_kind *kind; /* of the callback; NULL: a plain one, or a step */
};

static inline void cora__handle_init(struct cora__handle *handle, cora_callback *fn, void *arg)
{
    cora__list_init(&handle->link);
    handle->sp = NULL;
    handle->context = NULL;
    handle->fn = fn;
    handle->arg = arg;
    handle->kind = NULL;
}

static inline bool cora__handle_is_step(const struct cora__handle *handle)
{
    return handle->fn == NULL;
}

/* The handle, which is in no list, will never run: frees what was allocated for it. */
static inline void cora__handle_drop(struct cora__handle *handle)
{
    if (handle->kind != NULL && handle->kind->drop != NULL)
        handle->kind->drop(handle);
}

static inline struct cora_future *cora__handle_waiter(const struct cora__handle *handle)
{
    if (handle->kind == NULL || handle->kind->waiter == NULL)
        return NULL;
    return handle->kind->waiter(handle);
}

/* A handle that is queued at a time. See timer.c. */
struct cora__timer {
    struct cora__handle handle;
    double when;
    size_t cell; /* that points here; SIZE_MAX when not armed */
};

struct cora__timers {
    struct cora__timer_slot {
        double when;
        size_t cell;
    } * heap;
    struct cora__timer_cell {
        union {
            struct cora__timer *timer; /* NULL: it was disarmed */
            size_t next_free;
        };
        uint64_t sequence; /* of equal deadlines the first armed comes first */
    } * cells;             /* one for each slot, wherever that moves in the heap */
    size_t free_cell;      /* of those that have been used; SIZE_MAX: none */
    size_t used_cells;
    size_t count, room;
    size_t empty; /* slots whose timer was disarmed */
    uint64_t sequence;
    bool heapq_order; /* of equal deadlines whichever Python's heapq has first */
};

/* Someone who waits for a descriptor. See io.c. */
struct cora__io_waiter {
    struct cora__handle handle;
    int result;        /* 0: ready; -EBADF: closed meanwhile */
    bool once;         /* is queued once, and then leaves by cora__io_stop */
    const void *owner; /* whose descriptor it is; NULL: nobody's in particular */
};

enum cora__direction { CORA__READ, CORA__WRITE };

/* What the layers above do for the loop. */
struct cora__loop_hooks {
    /*
     * Gives a step that has not started its coroutine: `spare`, whose task has just ended, if it
     * fits (it may be NULL), or a new one. False: it could not; the step is a callback from now on,
     * in the same place, which ends its task.
     */
    bool (*start)(struct cora__handle *step, struct cora_coroutine *spare);
    /* Writes who a step is, "task 'x' (function f)", for reports. */
    void (*describe)(struct cora__handle *step, char *text, size_t size);
    /* The step that runs has asked for an outcome, and was told of a cancellation. */
    void (*told)(struct cora__handle *step, const char *message);
    /* Reports who waits for what. */
    void (*report_deadlock)(struct cora_loop *loop);
    /* For the trace: the row of a step; what its task waits for from now on; the tasks that are
     * new. See task/trace.c */
    cora__trace_row (*trace_row)(const struct cora__handle *step);
    void (*trace_wait)(const struct cora__handle *step);
    void (*trace_new)(struct cora_loop *loop);
    /* The loop has stopped running. */
    void (*stop)(struct cora_loop *loop);
    /* The loop closes: drops the tasks that are left. */
    void (*close)(struct cora_loop *loop);
};

/* What a loop knows of the trace that it is in. See trace.c */
struct cora__loop_trace {
    bool on;
    unsigned session;          /* which; 0: none */
    unsigned number;           /* of loops that were traced, from 1; 0: it was not so far */
    cora__trace_row row;       /* the loop's; a task's is that and its number. 0: none so far */
    unsigned long last_task;   /* of those whose names it has told */
    unsigned long closed_rows; /* of tasks, that have ended since */
};

struct cora_loop {
    /* The hot part: what a suspending task touches. */
    struct cora__handle ready;        /* the head of the ring, which stands for the loop itself */
    struct cora__list *cursor;        /* in the ring: who runs, or else who is next */
    struct cora_coroutine *coroutine; /* the stack that the loop runs on */
    struct cora__strand *outer;       /* of the thread, outside of the run */
    unsigned task_count;              /* of the task layer: the tasks that are not done */
    int turns; /* times the ring may go round until the loop itself looks around */
    const struct cora__loop_hooks *hooks;

    /* Iterations. See loop.c. */
    bool is_running, closed, stopping, look;
    bool ends_in_deadlock; /* where nothing can wake it: report, and end */
    bool debug;
    bool observed; /* each handle is run by the loop: in debug mode, or because it is traced */
    struct cora__loop_trace trace;
    struct cora__handle place;     /* in the ring for a callback that runs */
    struct cora__handle *callback; /* which that is, or the last that was */
    atomic_bool interrupted;       /* end at once, with -EINTR */
    atomic_bool notified;          /* call on_notified at the next look */
    void (*on_notified)(struct cora_loop *loop);
    void *notified_arg;
    int turns_between_looks;
    bool looked;                            /* in the last iteration */
    double last_look;                       /* when it last looked at I/O and timers */
    double last_trim;                       /* when it last gave memory back */
    pthread_t thread;                       /* that runs it */
    struct cora__context_rounding rounding; /* of the thread that runs it; every task's first */
    unsigned refs;                          /* its owner and every future */
    atomic_int holds;                       /* others that will wake it; under foreign_lock */

    bool virtual_clock;
    double virtual_now;

    struct cora__timers timers;
    struct cora__poller *poller;    /* libev's side. See poll.c */
    struct cora__fds *fds;          /* See io.c */
    int watched;                    /* directions of descriptors that somebody waits for */
    struct cora__list served;       /* watchers whose waiter has its event */
    int signals;                    /* signals with a handler */
    struct cora__signals *handlers; /* See signal.c */

    pthread_mutex_t foreign_lock; /* Calls from other threads. See threadsafe.c */
    unsigned foreign_forks;       /* as of which it is this process's */
    struct cora__list foreign;
    atomic_int wakers; /* threads that have appended to it, and have still to wake the loop */
    bool foreign_closed;
    bool abandoned; /* no references are left: the last hold frees it */

    cora_exception_handler *exception_handler;
    void *exception_arg;
    double slow_callback_duration;

    struct cora__pool pool; /* tasks, and what they enter */

    struct cora__list all_tasks; /* of the task layer: every task that is not done */
    unsigned long task_number;   /* the last one given, for default names */
    void (*task_factory)(void);  /* in truth a cora_task_factory; or NULL */
    struct cora_coroutine *idle; /* whose task has ended; for the next that starts, or NULL */

    /* Of the task layer, too: the asynchronous generators that were iterated and have not ended. */
    struct cora__list async_generators;
    bool async_generators_shut_down; /* none should be started any more */

    struct cora__attachment *attachments; /* what libraries keep with it, the last one first */
};

extern _Thread_local struct cora_loop *cora__loop_running
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* ---- what the layers above use ------------------------------------------------------------- */

/* Queues a handle for the next iteration. It must be in no list. */
static inline void cora__loop_push(struct cora_loop *loop, struct cora__handle *handle)
{
    cora__list_append(loop->cursor, &handle->link);
}

/* Queues all the handles of a list, in order. */
static inline void cora__loop_push_all(struct cora_loop *loop, struct cora__list *handles)
{
    cora__list_splice(loop->cursor, handles);
}

/* Takes the one at the cursor out of the ring; what is queued from now on goes where it was. Its
 * link is left as it is. */
static inline void cora__loop_leave_ring(struct cora_loop *loop, struct cora__handle *handle)
{
    loop->cursor = handle->link.next;
    cora__list_unlink(&handle->link);
}

/* Makes the loop go through a full iteration next, with timers and I/O. */
static inline void cora__loop_look(struct cora_loop *loop)
{
    loop->look = true;
    loop->turns = 0;
}

/* Arms a timer that is not armed. 0; -ENOMEM; -EINVAL for NaN. */
int cora__timer_start(struct cora_loop *loop, struct cora__timer *timer, double when);

/* Disarms it; it may be idle, armed, or queued already. */
void cora__timer_stop(struct cora_loop *loop, struct cora__timer *timer);

static inline void cora__timer_init(struct cora__timer *timer, cora_callback *fn, void *arg)
{
    cora__handle_init(&timer->handle, fn, arg);
    timer->cell = SIZE_MAX;
}

/*
 * Queues the waiter when fd is ready, once or at every iteration. 0; -EBADF, -EPERM; -EBUSY;
 * -ENOMEM.
 */
int cora__io_start(struct cora_loop *loop, int fd, enum cora__direction direction,
                   struct cora__io_waiter *waiter);

/* The waiter no longer waits; it may have been queued. */
void cora__io_stop(struct cora_loop *loop, int fd, enum cora__direction direction,
                   struct cora__io_waiter *waiter);

/* The descriptor is about to be closed: who waits for it is queued with -EBADF. */
void cora__io_forget(struct cora_loop *loop, int fd);

/* The number may stand for another descriptor than the poller knows. */
void cora__io_opened(struct cora_loop *loop, int fd);

/* Whether the last read from fd took all there was, and no event has come since. */
bool cora__io_is_drained(struct cora_loop *loop, int fd);
void cora__io_set_drained(struct cora_loop *loop, int fd);

/* Whether a deadline has come. */
bool cora__loop_is_due(const struct cora_loop *loop, double when);

/*
 * Before anything is queued: 0, or why the loop takes no calls from here: -CORA_ECLOSED,
 * -CORA_EWRONGTHREAD. What other threads have handed to a loop that does not run was there first.
 */
int cora__loop_check_closely(struct cora_loop *loop);
static inline int cora__loop_check(struct cora_loop *loop)
{
    return loop->closed || loop->debug || !loop->is_running ? cora__loop_check_closely(loop) : 0;
}

/* The loop is in debug mode, or in a trace, from now on, or no longer. */
static inline void cora__loop_set_observed(struct cora_loop *loop)
{
    loop->observed = loop->debug || loop->trace.on;
}

/* A row's slice of a step that is about to run, or of a callback. */
struct cora__traced_run {
    cora__trace_row row, outer;      /* a step's; where the marks went before */
    unsigned long dead, closed_rows; /* tasks that have ended until then, and rows of such */
};

/* Around a run, where the loop is traced. `handle` may be gone by the end if it is a callback, or
 * its task has ended. See trace.c */
void cora__loop_trace_begin(struct cora_loop *loop, const struct cora__handle *handle,
                            struct cora__traced_run *run);
void cora__loop_trace_end(struct cora_loop *loop, const struct cora__handle *handle,
                          const struct cora__traced_run *run);

/* Like cora_loop_call_exception_handler, with a message in printf's manner. */
void cora__loop_report(struct cora_loop *loop, const char *task, struct cora_future *future,
                       int error, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Futures keep the loop's memory, not the loop itself. */
static inline void cora__loop_ref(struct cora_loop *loop)
{
    loop->refs++;
}
void cora__loop_unref_last(struct cora_loop *loop);
static inline void cora__loop_unref(struct cora_loop *loop)
{
    if (--loop->refs == 0)
        cora__loop_unref_last(loop);
}
void cora__loop_destroy(struct cora_loop *loop); /* neither references nor holds are left */

/*
 * Queues `handle` from any thread and wakes the loop. 0, or -CORA_ECLOSED: it is then not queued.
 */
int cora__loop_push_threadsafe(struct cora_loop *loop, struct cora__handle *handle);

/* Whether something that is attached still needs the loop. */
bool cora__loop_is_busy(const struct cora_loop *loop);

/* run_forever, but -EDEADLK where nothing can ever wake the loop. */
int cora__loop_run(struct cora_loop *loop, bool ends_in_deadlock);

/* Async-signal-safe: the loop ends at once with -EINTR. */
void cora__loop_interrupt(struct cora_loop *loop);

/* Async-signal-safe: the loop calls its on_notified. */
void cora__loop_notify(struct cora_loop *loop);

/*
 * The next step, at the cursor, with its coroutine; NULL if it is the loop that has to act. `spare`
 * is the coroutine of a task that has just ended, for a step that has none yet; it may be NULL.
 */
struct cora__handle *cora__loop_next_step(struct cora_loop *loop, struct cora_coroutine *spare);

static inline struct cora__handle *cora__handle_of_link(struct cora__list *link)
{
    return cora__container_of(link, struct cora__handle, link);
}

/* What runs in this thread, where a loop does: it is the handle whose strand is the thread's. */
static inline struct cora__handle *cora__handle_running(void)
{
    return cora__container_of(cora__strand, struct cora__handle, strand);
}

enum { CORA__CACHE_LINE = 64 };

/* From so many on tasks are no longer in the cache when their turn comes, and are fetched ahead of
 * it; below, that would take 1 ns of the 5 of a yield and bring nothing. */
enum { CORA__MANY_TASKS = 4096 };

/*
 * While `next` is run, fetches the stack of one of the steps behind it, which is returned, and the
 * handle behind that one. Four ahead: with 100,000 tasks one ahead is too late, 35 ns a yield
 * against
 * 28. (always_inline, here and elsewhere: to GCC a function that only fetches has no effect, and a
 * call of it is left out.)
 */
static inline __attribute__((always_inline)) const struct cora__handle *cora__loop_prefetch(
    const struct cora__handle *next)
{
    enum { AHEAD = 4 };

    for (int i = 0; i < AHEAD; i++)
        next = cora__handle_of_link(next->link.next);
    __builtin_prefetch(next->link.next, 1);
    __builtin_prefetch(next->sp);
    __builtin_prefetch((const char *)next->sp + CORA__CACHE_LINE);
    return next;
}

/*
 * Stops the running step, `self`, until it is run again: straight to the next step where that comes
 * next, else to the loop. The cursor is past it: it has left the ring, and is in the list of
 * something that will queue it, or it yields. Inline, for every suspension goes through it.
 */
static inline __attribute__((always_inline)) void cora__loop_suspend(struct cora_loop *loop,
                                                                     struct cora__handle *self)
{
    struct cora__handle *next = cora__handle_of_link(loop->cursor);

    if (next->sp != NULL) {
        if (__builtin_expect(loop->task_count >= CORA__MANY_TASKS, false))
            cora__loop_prefetch(next);
    } else {
        next = cora__loop_next_step(loop, NULL);
        if (next == self) /* it was the only one */
            return;
    }
    if (next == NULL) {
        cora__strand = &loop->ready.strand;
        cora__coroutine_transfer(self->coroutine, &self->sp, loop->coroutine, loop->coroutine->sp);
    } else {
        cora__strand = &next->strand;
        cora__coroutine_transfer(self->coroutine, &self->sp, next->coroutine, next->sp);
    }
}

/* Lets everyone else who is ready run: who yields is the last in the ring. */
static inline __attribute__((always_inline)) void cora__loop_yield(struct cora_loop *loop,
                                                                   struct cora__handle *self)
{
    loop->cursor = self->link.next;
    cora__loop_suspend(loop, self);
}

#endif
