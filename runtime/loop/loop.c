/*
 * loop.c: the iteration, and the life of a loop.
 *
 *     poll      wait for I/O; queue the handlers of what happened   (poll.c, io.c, threadsafe.c)
 *     timers    queue what is due                                   (timer.c)
 *     batch     run exactly what is queued by then
 *
 * While tasks do nothing but hand over to one another, whole iterations pass without the loop: a
 * suspending step goes straight to the next (cora__loop_suspend), round and round the ring. After
 * so many turns of it control comes back here, where the clock is read; 50 us after the last look
 * the poller and the timers have their turn. So no step pays for a system call or the clock, and
 * nothing starves.
 */
#include "loop/loop.h"

#include "loop/handle.h"
#include "loop/io.h"
#include "loop/poll.h"
#include "loop/signal.h"
#include "loop/timer.h"
#include "loop/trace.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    MOST_TURNS = 256, /* between readings of the clock */
};

static const double LOOK_INTERVAL = 50e-6; /* seconds between looks at I/O while work is ready */
static const double CLOCK_RESOLUTION = 1e-9;
static const double LONGEST_POLL = 24 * 3600.0;
static const double TRIM_INTERVAL = 1.0; /* seconds between looks at free stacks */

_Thread_local struct cora_loop *cora__loop_running;

/* ---- the clock ----------------------------------------------------------------------------- */

static double monotonic(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double cora_loop_time(const cora_loop *loop)
{
    return loop->virtual_clock ? loop->virtual_now : monotonic();
}

int cora_loop_use_virtual_clock(cora_loop *loop, double now)
{
    if (loop->is_running)
        return -CORA_ERUNNING;
    if (loop->timers.count > 0)
        return -EBUSY;
    if (!isfinite(now))
        return -EINVAL;
    loop->virtual_clock = true;
    loop->virtual_now = now;
    return 0;
}

/* Deadlines up to here are due: as asyncio has it, those within the clock's resolution too. */
static double due_limit(double now)
{
    if (fabs(now) * DBL_EPSILON <= CLOCK_RESOLUTION) /* for the first 50 days */
        return now + CLOCK_RESOLUTION;

    double ulp = nextafter(now, INFINITY) - now;

    return now + (ulp > CLOCK_RESOLUTION ? ulp : CLOCK_RESOLUTION);
}

bool cora__loop_is_due(const struct cora_loop *loop, double when)
{
    return when < due_limit(cora_loop_time(loop));
}

/* ---- running handles ----------------------------------------------------------------------- */

static void run_step(struct cora_loop *loop, struct cora__handle *step)
{
    cora__strand = &step->strand;
    cora__coroutine_transfer(loop->coroutine, &loop->coroutine->sp, step->coroutine, step->sp);
}

/* A callback may be gone when it returns, and so may the next: the loop keeps its place. */
static void run_callback(struct cora_loop *loop, struct cora__handle *handle)
{
    cora__list_prepend(&handle->link, &loop->place.link);
    cora__loop_leave_ring(loop, handle);
    cora__list_init(&handle->link);
    loop->callback = handle;
    loop->place.context = handle->context;
    cora__strand = &loop->place.strand;
    handle->fn(handle->arg);
    cora__strand = &loop->ready.strand;
    cora__loop_leave_ring(loop, &loop->place);
}

static void run_handle(struct cora_loop *loop, struct cora__handle *handle)
{
    if (cora__handle_is_step(handle))
        run_step(loop, handle);
    else
        run_callback(loop, handle);
}

/* What makes the loop's own handles differ from steps; it is never called. */
static void stand_in(void *arg)
{
    (void)arg;
}

/* Debug mode: the same, with a report of what held the loop for long. */
static void run_handle_timed(struct cora_loop *loop, struct cora__handle *handle)
{
    char who[128];
    double start = cora_loop_time(loop);

    /* Before it runs, for it may be gone afterwards. */
    if (cora__handle_is_step(handle))
        loop->hooks->describe(handle, who, sizeof who);
    else
        cora__describe_callback(handle, who, sizeof who);
    run_handle(loop, handle);

    double took = cora_loop_time(loop) - start;

    if (took >= loop->slow_callback_duration)
        cora__loop_report(loop, NULL, NULL, 0, "%s held the loop for %.3f seconds", who, took);
}

/*
 * What is run is timed, or traced, or both. What follows in the ring may go while somebody is told
 * of it: the loop keeps a place behind the handle, where a step comes back, too.
 */
static void run_handle_observed(struct cora_loop *loop, struct cora__handle *handle)
{
    struct cora__traced_run run;
    struct cora__handle behind;
    bool traced = loop->trace.on;

    cora__handle_init(&behind, stand_in, NULL);
    cora__list_prepend(&handle->link, &behind.link);
    if (traced)
        cora__loop_trace_begin(loop, handle, &run);
    if (loop->debug)
        run_handle_timed(loop, handle);
    else
        run_handle(loop, handle);
    if (traced)
        cora__loop_trace_end(loop, handle, &run);
    cora__loop_leave_ring(loop, &behind);
}

/* Whoever is at the cursor; a step that gets no stack is a callback by then. */
static struct cora__handle *next_handle(struct cora_loop *loop)
{
    struct cora__handle *next = cora__handle_of_link(loop->cursor);

    if (cora__handle_is_step(next) && next->sp == NULL)
        loop->hooks->start(next, NULL);
    return next;
}

static void run_batch(struct cora_loop *loop)
{
    loop->cursor = loop->ready.link.next;
    while (loop->cursor != &loop->ready.link && !loop->interrupted) {
        struct cora__handle *handle = next_handle(loop);

        if (loop->observed)
            run_handle_observed(loop, handle);
        else
            run_handle(loop, handle);
    }
    if (loop->cursor != &loop->ready.link) { /* interrupted: the ring begins here next time */
        cora__list_remove(&loop->ready.link);
        cora__list_append(loop->cursor, &loop->ready.link);
    }
    loop->cursor = &loop->ready.link;
}

/* Whether anything is queued besides what runs now. */
static bool has_ready(const struct cora_loop *loop)
{
    struct cora__list *link = loop->ready.link.next;

    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a ring has no end */
    for (; link != &loop->ready.link; link = link->next) {
        const struct cora__handle *handle = cora__handle_of_link(link);

        if (&handle->strand != cora__strand && handle->fn != stand_in)
            return true;
    }
    return false;
}

/* Whether the ring may go round once more without a look at the clock and the poller. */
static bool goes_round(struct cora_loop *loop)
{
    return --loop->turns > 0 && !loop->interrupted;
}

/*
 * Where tasks end one after another the whole of each is needed soon, not only where it goes on: of
 * 100,000 that are woken and end, each takes 60 ns instead of 160.
 */
static inline __attribute__((always_inline)) void prefetch_whole(const struct cora__handle *next)
{
    const struct cora__handle *later = cora__loop_prefetch(next);

    for (int line = 2; line < 6; line++)
        __builtin_prefetch((const char *)later->sp + (size_t)line * CORA__CACHE_LINE, 1);
    for (int line = 1; line < 4; line++)
        __builtin_prefetch((const char *)later + (size_t)line * CORA__CACHE_LINE, 1);
}

struct cora__handle *cora__loop_next_step(struct cora_loop *loop, struct cora_coroutine *spare)
{
    struct cora__handle *next = cora__handle_of_link(loop->cursor);

    if (next == &loop->ready) {
        if (!goes_round(loop))
            return NULL;
        loop->cursor = next->link.next; /* the head again, which is no step, if nobody is there */
        next = cora__handle_of_link(loop->cursor);
    }
    if (next->sp == NULL && (!cora__handle_is_step(next) || !loop->hooks->start(next, spare)))
        return NULL;
    if (__builtin_expect(loop->task_count >= CORA__MANY_TASKS, false))
        prefetch_whole(next);
    return next;
}

/* ---- the iteration ------------------------------------------------------------------------- */

/* INFINITY where no timer will ever be due. */
static double first_deadline(struct cora_loop *loop)
{
    cora__timers_clean(&loop->timers);
    return loop->timers.count > 0 ? loop->timers.heap[0].when : INFINITY;
}

double cora_loop_timeout(cora_loop *loop)
{
    double deadline = first_deadline(loop);

    if (has_ready(loop) || loop->stopping)
        return 0;
    if (deadline == INFINITY)
        return -1;

    double wait = deadline - cora_loop_time(loop);

    return wait <= 0 ? 0 : wait < LONGEST_POLL ? wait : LONGEST_POLL;
}

/* Virtual time: whoever could still wake us is given the chance, then the clock jumps. */
static int poll_virtual(struct cora_loop *loop, double timeout)
{
    double limit = timeout < 0 ? INFINITY : loop->virtual_now + timeout;
    double next = fmin(first_deadline(loop), limit);

    if (timeout == 0 || cora_loop_timeout(loop) == 0)
        return cora__poller_wait(loop, 0);
    if (next == INFINITY || loop->holds > 0)
        return cora__poller_wait(loop, timeout);

    int rc = cora__poller_wait(loop, 0);

    if (!cora__poller_has_events(loop))
        loop->virtual_now = next;
    return rc;
}

/*
 * While it rests the loop gives back the memory of a past peak, at most once a second. If there may
 * be more to give back, a longer rest is cut short for it.
 */
static void trim(struct cora_loop *loop)
{
    bool more = cora__stack_trim(false);

    more |= cora__pool_trim(&loop->pool);
    loop->last_trim = loop->last_look;
    if (more)
        cora__poller_alarm(loop, TRIM_INTERVAL);
}

int cora_loop_poll(cora_loop *loop, double timeout)
{
    if (loop->closed)
        return -CORA_ECLOSED;
    if (isnan(timeout))
        return -EINVAL;
    if (loop->virtual_clock)
        return poll_virtual(loop, timeout);

    double most = cora_loop_timeout(loop);

    if (timeout < 0 || (most >= 0 && most < timeout))
        timeout = most;
    if (timeout != 0 && loop->last_look - loop->last_trim >= TRIM_INTERVAL)
        trim(loop);
    return cora__poller_wait(loop, timeout);
}

static void process_events(struct cora_loop *loop)
{
    cora__poller_dispatch(loop);

    double now = monotonic();

    loop->last_look = now;
    loop->look = false;
    cora__loop_trace_look(loop);
    cora__timers_run(loop, due_limit(loop->virtual_clock ? loop->virtual_now : now));
}

/* The holds come before the calls: a thread makes its call first and releases the loop then. */
static bool can_be_woken(struct cora_loop *loop)
{
    return has_ready(loop) || first_deadline(loop) < INFINITY || loop->watched > 0 ||
           loop->signals > 0 || loop->holds > 0 || loop->stopping || loop->notified ||
           cora__foreign_waits(loop);
}

/*
 * Work is ready and so many turns have passed: is it time to look around? The number of turns
 * follows the time they took, so that slow steps are followed by a look each.
 */
static bool time_to_look(struct cora_loop *loop)
{
    double elapsed = monotonic() - loop->last_look;

    if (elapsed < LOOK_INTERVAL) {
        if (loop->turns_between_looks < MOST_TURNS)
            loop->turns_between_looks *= 2;
        return false;
    }
    if (elapsed > 2 * LOOK_INTERVAL)
        loop->turns_between_looks = 1;
    return true;
}

/*
 * The iteration after a look does not ask for the time: what it runs is, as a rule, what was woken
 * by the handlers of events, before there is nothing to do but to look again.
 */
static int iterate(struct cora_loop *loop)
{
    bool work = has_ready(loop), looked = loop->looked;

    cora__timers_clean(&loop->timers); /* as asyncio does in every iteration */

    if (!work && loop->ends_in_deadlock && !can_be_woken(loop))
        return -EDEADLK;
    loop->looked = !work || loop->look || loop->stopping || (!looked && time_to_look(loop));
    if (loop->looked) {
        int rc = cora_loop_poll(loop, -1);

        if (rc < 0)
            return rc;
        process_events(loop);
    }
    if (loop->looked || !looked)
        loop->turns = loop->turns_between_looks;
    if (loop->stopping)
        loop->turns = 0;
    run_batch(loop);
    return 0;
}

/* ---- run ----------------------------------------------------------------------------------- */

int cora__loop_check_closely(struct cora_loop *loop)
{
    if (loop->closed)
        return -CORA_ECLOSED;
    if (loop->debug && loop->is_running && !pthread_equal(loop->thread, pthread_self()))
        return -CORA_EWRONGTHREAD;
    if (!loop->is_running && !cora__poller_is_inherited(loop))
        cora__foreign_collect(loop);
    return 0;
}

static int enter(struct cora_loop *loop)
{
    if (loop->closed)
        return -CORA_ECLOSED;
    if (loop->is_running || cora__loop_running != NULL)
        return -CORA_ERUNNING;
    loop->is_running = true;
    cora__context_enter_thread();
    cora__context_get_rounding(&loop->rounding);
    loop->thread = pthread_self();
    loop->coroutine = cora__coroutine_self();
    loop->outer = cora__strand;
    loop->ready.strand = loop->place.strand = (struct cora__strand){.coroutine = loop->coroutine};
    cora__strand = &loop->ready.strand;
    cora__loop_running = loop;
    cora__trace_enter();
    cora__loop_trace_look(loop);
    return 0;
}

static void leave(struct cora_loop *loop)
{
    cora__strand = loop->outer;
    cora__loop_running = NULL;
    loop->is_running = false;
    if (loop->hooks != NULL)
        loop->hooks->stop(loop);
}

int cora__loop_run(struct cora_loop *loop, bool ends_in_deadlock)
{
    int rc = enter(loop);

    if (rc < 0)
        return rc;
    loop->ends_in_deadlock = ends_in_deadlock;
    loop->look = true;
    loop->turns_between_looks = 1;
    do {
        if (loop->trace.on)
            cora__trace_push(loop->trace.row, CORA__TRACE_ITERATION, "iteration", NULL);
        rc = iterate(loop);
        if (loop->trace.on)
            cora__trace_pop(loop->trace.row);
    } while (rc == 0 && !loop->stopping && !loop->interrupted);
    if (rc == 0 && loop->interrupted)
        rc = -EINTR;
    loop->stopping = false;
    loop->interrupted = 0;
    leave(loop);
    if (rc == -EDEADLK && loop->hooks != NULL)
        loop->hooks->report_deadlock(loop);
    return rc;
}

int cora_loop_run_forever(cora_loop *loop)
{
    return cora__loop_run(loop, false);
}

void cora_loop_stop(cora_loop *loop)
{
    loop->stopping = true;
    loop->turns = 0;
}

int cora_loop_process_events(cora_loop *loop)
{
    if (cora__loop_running != NULL)
        return -CORA_ERUNNING;
    if (loop->closed)
        return -CORA_ECLOSED;
    process_events(loop);
    return 0;
}

int cora_loop_run_ready(cora_loop *loop)
{
    int rc = enter(loop);

    if (rc < 0)
        return rc;
    loop->turns = 0; /* one batch, then back to the host */
    for (struct cora__list *link = loop->ready.link.next; link != &loop->ready.link;
         link = link->next)
        rc++;
    run_batch(loop);
    loop->stopping = false;
    leave(loop);
    return rc;
}

cora_loop *cora_get_running_loop(void)
{
    return cora__loop_running;
}

bool cora_loop_is_running(const cora_loop *loop)
{
    return loop->is_running;
}

bool cora_loop_is_closed(const cora_loop *loop)
{
    return loop->closed;
}

void cora__loop_interrupt(struct cora_loop *loop)
{
    loop->interrupted = true;
    cora__poller_wake(loop);
}

void cora__loop_notify(struct cora_loop *loop)
{
    loop->notified = 1;
    cora__poller_wake(loop);
}

/* ---- attachments --------------------------------------------------------------------------- */

struct cora__attachment {
    struct cora__attachment *next;
    const cora_attachment_kind *kind;
    void *object;
};

int cora_loop_attach(cora_loop *loop, const cora_attachment_kind *kind, void *object)
{
    struct cora__attachment *attachment;
    int rc = cora__loop_check(loop);

    if (rc < 0)
        return rc;
    if (cora_loop_attached(loop, kind) != NULL)
        return -EBUSY;
    attachment = malloc(sizeof *attachment);
    if (attachment == NULL)
        return -ENOMEM;
    *attachment = (struct cora__attachment){loop->attachments, kind, object};
    loop->attachments = attachment;
    return 0;
}

void *cora_loop_attached(const cora_loop *loop, const cora_attachment_kind *kind)
{
    for (struct cora__attachment *a = loop->attachments; a != NULL; a = a->next)
        if (a->kind == kind)
            return a->object;
    return NULL;
}

bool cora__loop_is_busy(const struct cora_loop *loop)
{
    for (struct cora__attachment *a = loop->attachments; a != NULL; a = a->next)
        if (a->kind->busy != NULL && a->kind->busy(a->object))
            return true;
    return false;
}

static void close_attachments(struct cora_loop *loop)
{
    struct cora__attachment *attachment;

    while ((attachment = loop->attachments) != NULL) {
        loop->attachments = attachment->next;
        attachment->kind->close(attachment->object);
        free(attachment);
    }
}

/* ---- life ---------------------------------------------------------------------------------- */

int cora_new_event_loop(cora_loop **ret)
{
    struct cora_loop *loop = calloc(1, sizeof *loop);
    const char *debug = getenv("CORADEBUG");

    if (loop == NULL)
        return -ENOMEM;
    cora__handle_init(&loop->ready, stand_in, NULL);
    cora__handle_init(&loop->place, stand_in, NULL);
    loop->cursor = &loop->ready.link;
    cora__pool_init(&loop->pool);
    cora__list_init(&loop->served);
    cora__list_init(&loop->foreign);
    cora__list_init(&loop->all_tasks);
    cora__list_init(&loop->async_generators);
    pthread_mutex_init(&loop->foreign_lock, NULL);
    loop->foreign_forks = cora__poller_forks();
    loop->refs = 1;
    loop->slow_callback_duration = 0.1;
    loop->debug = debug != NULL && debug[0] != '\0';
    cora__loop_set_observed(loop);
    cora__trace_enter();

    int rc = cora__poller_create(loop);

    if (rc < 0) {
        cora__loop_unref(loop);
        return rc;
    }
    *ret = loop;
    return 0;
}

static void drop_all(struct cora__list *list)
{
    while (!cora__list_empty(list)) {
        struct cora__handle *handle = cora__container_of(list->next, struct cora__handle, link);

        cora__list_remove(&handle->link);
        cora__handle_drop(handle);
    }
}

int cora_loop_close(cora_loop *loop)
{
    if (loop->is_running)
        return -CORA_ERUNNING;
    if (loop->closed)
        return 0;
    close_attachments(loop);
    loop->closed = true;
    cora__foreign_close(loop);
    drop_all(&loop->ready.link);
    cora__timers_close(loop); /* before the tasks, on whose stacks many of them lie */
    if (loop->hooks != NULL)
        loop->hooks->close(loop);
    cora__io_close(loop);
    cora__signals_close(loop);
    cora__poller_destroy(loop);
    cora__stack_trim(true);
    return 0;
}

void cora__loop_destroy(struct cora_loop *loop)
{
    cora__pool_destroy(&loop->pool);
    pthread_mutex_destroy(&loop->foreign_lock);
    free(loop);
}

void cora__loop_unref_last(struct cora_loop *loop)
{
    bool last;

    pthread_mutex_lock(&loop->foreign_lock);
    loop->abandoned = true;
    last = loop->holds == 0;
    pthread_mutex_unlock(&loop->foreign_lock);
    if (last)
        cora__loop_destroy(loop);
}

void cora_loop_free(cora_loop *loop)
{
    if (loop == NULL || cora_loop_close(loop) < 0)
        return;
    cora__loop_unref(loop);
}
