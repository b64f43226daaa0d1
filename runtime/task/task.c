/*
 * task.c: a coroutine driven by the loop.
 *
 * A task is at any time in one of these places, and its step handle tells which:
 *
 *     queued        the step is in the ready queue, a ring
 *     running       its strand is the thread's, and it is in the ring still
 *     waiting       the step is in the callbacks of the future `waiting_on`
 *     done          nowhere
 *
 * When a future completes, its callbacks move to the ready queue: that alone wakes a task. It goes
 * on inside cora_await, where it looks at what happened: cancelled, or done.
 */
#include "task/task.h"

#include "future/source.h"
#include "task/async_generator.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cora__task *task_of_step(struct cora__handle *step)
{
    return cora__container_of(step, struct cora__task, step);
}

/* ---- running ------------------------------------------------------------------------------- */

static void set_outcome(struct cora__task *task, int outcome)
{
    enum cora__future_state state = CORA__FINISHED;

    /* A cancellation that nobody has seen beats a value, as in asyncio; an error beats both. */
    if (task->must_cancel && outcome >= 0)
        outcome = -ECANCELED;
    if (outcome == -ECANCELED) {
        state = CORA__CANCELLED;
        if (task->must_cancel)
            task->future.cancel_message = task->must_cancel_message;
    }
    task->must_cancel = false;
    cora__future_complete(&task->future, state, outcome);
}

/* A handler that is told of a lost error may do anything: not while the ring has lost its place. */
static inline void conclude(struct cora__task *task, int outcome)
{
    if (task->scopes != NULL)
        cora__scopes_close(task);
    cora__list_unlink(&task->link);
    task->future.loop->task_count--;
    set_outcome(task, outcome);
    if (task->future.refs == 1)
        cora__future_report_lost(&task->future);
}

static void finish(struct cora__task *task, int outcome)
{
    struct cora_loop *loop = task->future.loop;

    conclude(task, outcome);
    task->step.sp = NULL;
    task->step.coroutine = NULL;
    cora__loop_leave_ring(loop, &task->step);
    cora__future_release(&task->future); /* the loop's own reference */
}

/*
 * The coroutine has no task any more: it goes on with `to`. One a loop stays, idle, for the next
 * task that starts, so that tasks that come one at a time make no coroutine each. Inline, for a
 * call that does not return where it was made spoils the prediction of two returns, 8 ns each.
 */
static inline __attribute__((always_inline)) void leave(struct cora_loop *loop,
                                                        struct cora_coroutine *self,
                                                        struct cora_coroutine *to, void *to_sp)
{
    if (loop->idle != NULL)
        cora__coroutine_exit(self, to, to_sp);
    loop->idle = self;
    cora__coroutine_transfer(self, &self->sp, to, to_sp);
}

/*
 * What a coroutine runs: its first task, and then whichever it is given (see start): the next one,
 * if that has not started either, on the same stack at once, or one that finds it idle.
 */
static int run_tasks(void *arg)
{
    struct cora_coroutine *self = cora__coroutine_self();
    struct cora_loop *loop = arg;

    for (;;) {
        struct cora__task *task = task_of_step(cora__handle_running());
        int outcome = -ECANCELED;

        cora__context_set_rounding(&loop->rounding); /* not what another task has left behind */
        if (!task->must_cancel)
            outcome = task->fn(task->arg);
        finish(task, outcome);

        struct cora__handle *next = cora__loop_next_step(loop, self);

        if (next == NULL) {
            cora__strand = &loop->ready.strand;
            leave(loop, self, loop->coroutine, loop->coroutine->sp);
        } else {
            cora__strand = &next->strand;
            if (next->coroutine != self)
                leave(loop, self, next->coroutine, next->sp);
        }
    }
    return 0; /* never: a coroutine without a task is idle or gone */
}

/*
 * The coroutine on which the task's function runs; NULL before it starts. Where the task has
 * stopped inside a generator, that is the one who has resumed it.
 */
static struct cora_coroutine *coroutine_of(const struct cora__task *task)
{
    struct cora_coroutine *coroutine = task->step.coroutine;

    while (coroutine != NULL && coroutine->caller != NULL)
        coroutine = coroutine->caller;
    return coroutine;
}

/* It is in the ring no more, and its outcome, the error, is there already. */
static void end_unstarted(struct cora__task *task)
{
    cora__task_trace_close(task);
    conclude(task, task->future.outcome);
    cora__future_release(&task->future); /* the loop's own reference */
}

/* What the step becomes where the task gets no stack: whoever is told of it runs on the loop's. */
static void on_unstarted(void *arg)
{
    (void)arg;
    end_unstarted(task_of_step(cora__loop_running->callback));
}

static bool start(struct cora__handle *step, struct cora_coroutine *spare)
{
    struct cora__task *task = task_of_step(step);
    struct cora_loop *loop = task->future.loop;
    struct cora_coroutine *coroutine = spare != NULL ? spare : loop->idle;

    if (coroutine == NULL || coroutine->stack_size != task->stack_size) {
        int rc = cora_coroutine_create(&coroutine, run_tasks, loop, task->stack_size);

        if (rc < 0) {
            task->future.outcome = rc;
            step->fn = on_unstarted;
            return false;
        }
        coroutine->state = CORA_COROUTINE_RUNNING; /* nobody but the loop resumes it */
    } else if (coroutine == loop->idle) {
        loop->idle = NULL;
    }
    coroutine->label = &task->label;
    step->coroutine = coroutine;
    step->sp = coroutine->sp;
    return true;
}

/* ---- suspending ---------------------------------------------------------------------------- */

int cora__task_take_cancellation(struct cora__task *task)
{
    task->must_cancel = false;
    task->future.cancel_message = task->must_cancel_message;
    return -ECANCELED;
}

static void wait_in_list(struct cora_loop *loop, struct cora__task *task,
                         struct cora_future *future)
{
    cora__loop_leave_ring(loop, &task->step);
    cora__list_append(&future->callbacks, &task->step.link);
}

/* Cancelled before it had anything to wait for: the future takes it, if it can. */
static __attribute__((noinline)) void pass_cancellation_on(struct cora__task *task,
                                                           struct cora_future *future)
{
    task->must_cancel = false;
    if (!cora_future_cancel_message(future, task->must_cancel_message))
        task->must_cancel = true;
}

/* Woken to break a ring (see cancel), and then uncancelled: it waits on. */
static __attribute__((noinline)) void wait_on(struct cora__task *task, struct cora_future *future)
{
    while (!cora__future_done(future) && !task->must_cancel) {
        wait_in_list(task->future.loop, task, future);
        cora__loop_suspend(task->future.loop, &task->step);
    }
}

/* Of the functions that it calls, those for what is rare are not inline: each switch is long. */
static int await_pending(struct cora__task *task, struct cora_future *future)
{
    struct cora_loop *loop = task->future.loop;
    int rc;

    task->waiting_on = future;
    wait_in_list(loop, task, future);
    if (task->must_cancel)
        pass_cancellation_on(task, future);
    cora__loop_suspend(loop, &task->step);
    if (!cora__future_done(future))
        wait_on(task, future);
    task->waiting_on = NULL;
    rc = cora__future_retrieve(future);
    if (task->must_cancel)
        return cora__task_take_cancellation(task);
    if (rc == -ECANCELED)
        task->future.cancel_message = future->cancel_message;
    return rc;
}

/* Not before others have run: who tries again and again does not hold them up. */
static __attribute__((noinline)) int refuse(struct cora__task *task, struct cora_future *future)
{
    int rc = cora__task_yield(task);

    if (rc < 0)
        return rc;
    return future == &task->future ? -CORA_EAWAITSELF : -CORA_EWRONGLOOP;
}

int cora_await(cora_future *future)
{
    struct cora__task *task = cora__current_task();

    if (future == NULL)
        return -ENOMEM;
    if (task == NULL)
        return -CORA_ENOTASK;
    if (cora__future_done(future))
        return cora_future_result(future);
    if (future != &task->future && future->loop == task->future.loop)
        return await_pending(task, future);
    return refuse(task, future);
}

int cora_await_unref(cora_future *future)
{
    int rc = cora_await(future);

    if (future != NULL)
        cora__future_release(future);
    return rc;
}

/* ---- cancellation -------------------------------------------------------------------------- */

/*
 * The innermost of the tasks that wait for one another from `task` on; each is marked as cancelled
 * on the way. No recursion, for a long chain would run off a small stack. A chain that bites its
 * own tail ends too: `mark` stands still while twice as many links are followed (Brent).
 */
static struct cora__task *mark_chain(struct cora__task *task, bool *ring)
{
    struct cora__task *mark = task;
    unsigned followed = 0, limit = 1;

    for (;;) {
        struct cora__task *inner = cora__as_task(task->waiting_on);

        task->cancelling++;
        *ring = inner == mark;
        if (inner == NULL || cora__future_done(&inner->future) || *ring)
            return task;
        task = inner;
        if (++followed == limit) {
            mark = task;
            limit *= 2;
        }
    }
}

/* Queues a task before what it waits for is done; it may be queued already, and be the next. */
static void wake(struct cora__task *task)
{
    struct cora_loop *loop = task->future.loop;

    if (loop->cursor == &task->step.link)
        cora__loop_leave_ring(loop, &task->step);
    else
        cora__list_remove(&task->step.link);
    cora__loop_push(loop, &task->step);
}

static bool cancel(struct cora_future *future, const char *message)
{
    struct cora_future *target;
    struct cora__task *task;
    bool ring;

    if (cora__future_done(future))
        return false;
    task = mark_chain(cora__as_task(future), &ring);
    target = task->waiting_on;
    if (target != NULL && cora__as_task(target) == NULL &&
        cora_future_cancel_message(target, message))
        return true;
    task->must_cancel = true;
    task->must_cancel_message = message;
    if (ring) /* nobody else would ever wake it */
        wake(task);
    return true;
}

bool cora_task_cancel(cora_task *task)
{
    return cora_future_cancel(task);
}

int cora_task_cancelling(const cora_task *task)
{
    const struct cora__task *self = cora__as_task(task);

    return self != NULL ? self->cancelling : 0;
}

int cora_task_uncancel(cora_task *task)
{
    struct cora__task *self = cora__as_task(task);

    if (self == NULL || self->cancelling == 0)
        return 0;
    if (--self->cancelling == 0)
        self->must_cancel = false;
    return self->cancelling;
}

/* ---- life ---------------------------------------------------------------------------------- */

static void destroy(struct cora_future *future)
{
    struct cora__task *task = cora__container_of(future, struct cora__task, future);

    /* Few have any of these: no calls for nothing. */
    if (task->context.bindings != NULL)
        cora__bindings_unref(task->context.bindings);
    if (task->given_context != NULL)
        cora_context_unref(task->given_context);
    if (task->label.name != NULL)
        free(task->label.name);
    cora__pool_free(&future->loop->pool, task, task->size);
}

static const char *describe(struct cora_future *future, char *text, size_t size)
{
    struct cora__task *task = cora__as_task(future);

    snprintf(text, size, "task '%s' (function %s)", cora_task_get_name(future),
             task->label.function);
    return text;
}

static void report_lost(struct cora_future *future)
{
    cora__future_report(future, cora_task_get_name(future), future->outcome,
                        "the task's error was never retrieved");
}

const struct cora__future_kind cora__task_kind = {
    .cancel = cancel,
    .destroy = destroy,
    .describe = describe,
    .report_lost = report_lost,
};

static void describe_step(struct cora__handle *step, char *text, size_t size)
{
    describe(&task_of_step(step)->future, text, size);
}

static void told(struct cora__handle *step, const char *message)
{
    task_of_step(step)->future.cancel_message = message;
}

static void report_deadlock(struct cora_loop *loop)
{
    for (struct cora__list *link = loop->all_tasks.next; link != &loop->all_tasks;
         link = link->next) {
        struct cora__task *task = cora__container_of(link, struct cora__task, link);
        char target[128];

        cora_task_waiting_for(&task->future, target, sizeof target);
        cora__future_report(&task->future, cora_task_get_name(&task->future), -EDEADLK,
                            "(function %s) waits for %s, and nothing can wake it",
                            task->label.function, target);
    }
}

/*
 * The loop is closed over tasks that have not ended: their stacks go, what they held is lost. Who
 * waits for a task may lie on another's stack, and so is told while all the stacks are there.
 */
static void drop_tasks(struct cora_loop *loop)
{
    for (struct cora__list *link = loop->all_tasks.next; link != &loop->all_tasks;
         link = link->next) {
        struct cora__task *task = cora__container_of(link, struct cora__task, link);

        cora__future_report(&task->future, cora_task_get_name(&task->future), 0,
                            "the task was dropped while it was pending");
        cora__task_trace_close(task);
        cora__future_drop_callbacks(&task->future);
        if (task->waiting_on != NULL && task->waiting_on->kind != NULL &&
            task->waiting_on->kind->abandon != NULL)
            task->waiting_on->kind->abandon(task->waiting_on);
    }
    while (!cora__list_empty(&loop->all_tasks)) {
        struct cora__task *task = cora__container_of(loop->all_tasks.next, struct cora__task, link);
        struct cora_coroutine *coroutine = coroutine_of(task);

        cora__list_remove(&task->link);
        loop->task_count--;
        cora__list_remove(&task->step.link);
        cora__scopes_close(task);
        if (coroutine != NULL)
            cora__coroutine_drop(coroutine);
        task->step.coroutine = NULL;
        task->waiting_on = NULL;
        cora__future_release(&task->future);
    }
}

/* The generators last: their stacks hold what the tasks that are in them wait for. */
static void drop_all(struct cora_loop *loop)
{
    drop_tasks(loop);
    cora__async_generators_drop(loop);
}

/* The loop has stopped: the coroutine that it kept is this thread's, who knows which is next. */
static void drop_idle(struct cora_loop *loop)
{
    if (loop->idle != NULL)
        cora__coroutine_drop(loop->idle);
    loop->idle = NULL;
}

static const struct cora__loop_hooks hooks = {
    .start = start,
    .describe = describe_step,
    .told = told,
    .report_deadlock = report_deadlock,
    .trace_row = cora__task_trace_row,
    .trace_wait = cora__task_trace_wait,
    .trace_new = cora__task_trace_new,
    .stop = drop_idle,
    .close = drop_all,
};

static bool take_options(struct cora__task *task, const cora_task_options *options)
{
    if (options->stack_size > UINT32_MAX)
        return false;
    if (options->stack_size != 0)
        task->stack_size = (uint32_t)options->stack_size;
    if (options->name != NULL && (task->label.name = strdup(options->name)) == NULL)
        return false;
    task->given_context = cora_context_ref(options->context);
    return true;
}

/* Inline in its one caller, which GCC would else make a part of its own callers instead. */
static inline __attribute__((always_inline)) struct cora__task *create(
    struct cora_loop *loop, const cora_task_options *options, cora_task_fn *fn,
    const char *function, size_t size)
{
    struct cora__task *task;

    if (loop == NULL)
        loop = cora__loop_running;
    if (loop == NULL || cora__loop_check(loop) < 0)
        return NULL;
    size += sizeof *task;
    if (size > UINT32_MAX)
        return NULL;
    task = cora__pool_alloc(&loop->pool, size);
    if (task == NULL)
        return NULL;
    task->label.name = NULL;
    task->given_context = NULL;
    task->stack_size = CORA__DEFAULT_STACK_SIZE;
    if (options != NULL && !take_options(task, options)) {
        cora__pool_free(&loop->pool, task, size);
        return NULL;
    }
    task->size = (uint32_t)size;
    cora__future_init(&task->future, loop, &cora__task_kind, "task");
    task->future.refs = 2; /* the loop's and the caller's */
    cora__loop_ref(loop);
    task->step.sp = NULL;
    task->step.fn = NULL;
    task->step.coroutine = NULL;
    task->step.kind = NULL;
    cora__context_copy_current(&task->context);
    task->step.context = task->given_context != NULL ? task->given_context : &task->context;
    task->waiting_on = NULL;
    task->cancelling = 0;
    task->must_cancel = false;
    task->scopes = NULL;
    task->fn = fn;
    task->label.function = function;
    task->label.number = ++loop->task_number;
    cora__list_append(&loop->all_tasks, &task->link);
    loop->task_count++;
    loop->hooks = &hooks;
    return task;
}

/*
 * Runs a new task at once: it is the one before its creator in the ring, so that when it suspends
 * or ends control comes back here. A creator that is a callback has the loop's place there, and
 * control comes back as to the loop, whose stack is this one meanwhile: it may be a generator's.
 */
static __attribute__((noinline)) void run_eagerly(struct cora_loop *loop, struct cora__task *task)
{
    struct cora__traced_run run;
    bool traced = loop->trace.on;
    struct cora_coroutine *self = cora__coroutine_self();
    struct cora__handle *creator = cora__handle_running();
    struct cora__strand *strand = cora__strand;
    struct cora_coroutine *loops_own = loop->coroutine;
    bool is_step = cora__handle_is_step(creator);

    if (!is_step)
        loop->coroutine = self;
    cora__loop_push(loop, &task->step);
    loop->cursor = &task->step.link;
    if (traced)
        cora__task_trace_new(loop);
    if (start(&task->step, NULL)) {
        if (traced)
            cora__loop_trace_begin(loop, &task->step, &run);
        cora__strand = &task->step.strand;
        cora__coroutine_transfer(self, is_step ? &creator->sp : &self->sp, task->step.coroutine,
                                 task->step.sp);
        if (traced)
            cora__loop_trace_end(loop, &task->step, &run);
    } else {
        cora__loop_leave_ring(loop, &task->step);
        end_unstarted(task);
    }
    loop->coroutine = loops_own;
    cora__strand = strand;
}

cora_task *cora_task_create(cora_loop *loop, const cora_task_options *options, cora_task_fn *fn,
                            const char *function, const void *args, size_t size)
{
    struct cora__task *task = create(loop, options, fn, function, size);

    if (task == NULL)
        return NULL;
    if (size > 0)
        args = memcpy(task->args, args, size);
    task->arg = (void *)(uintptr_t)args;
    cora__future_remember(&task->future);
    loop = task->future.loop;
    if (options != NULL && options->eager_start > 0 && loop == cora__loop_running)
        run_eagerly(loop, task);
    else
        cora__loop_push(loop, &task->step);
    return &task->future;
}

cora_task *cora_eager_task_factory(cora_loop *loop, const cora_task_options *options,
                                   cora_task_fn *fn, const char *function, const void *args,
                                   size_t size)
{
    cora_task_options eager = {0};

    if (options != NULL)
        eager = *options;
    if (eager.eager_start == 0)
        eager.eager_start = true;
    return cora_task_create(loop, &eager, fn, function, args, size);
}

cora_task *cora_loop_create_task_copy(cora_loop *loop, const cora_task_options *options,
                                      cora_task_fn *fn, const char *function, const void *args,
                                      size_t size)
{
    if (loop == NULL)
        loop = cora__loop_running;
    if (__builtin_expect(loop != NULL && loop->task_factory != NULL, false))
        return cora_loop_get_task_factory(loop)(loop, options, fn, function, args, size);
    return cora_task_create(loop, options, fn, function, args, size);
}

cora_task *cora_loop_create_task_arg(cora_loop *loop, const cora_task_options *options,
                                     cora_task_fn *fn, const char *function, void *arg)
{
    return cora_loop_create_task_copy(loop, options, fn, function, arg, 0);
}

void cora_loop_set_task_factory(cora_loop *loop, cora_task_factory *factory)
{
    loop->task_factory = (void (*)(void))factory;
}

cora_task_factory *cora_loop_get_task_factory(const cora_loop *loop)
{
    return (cora_task_factory *)loop->task_factory;
}

/* ---- questions ----------------------------------------------------------------------------- */

cora_task *cora_current_task(void)
{
    struct cora__task *task = cora__current_task();

    return task != NULL ? &task->future : NULL;
}

size_t cora_all_tasks(cora_loop *loop, cora_task *tasks[], size_t room)
{
    size_t count = 0;

    if (loop == NULL)
        loop = cora__loop_running;
    if (loop == NULL)
        return 0;
    for (struct cora__list *link = loop->all_tasks.next; link != &loop->all_tasks;
         link = link->next, count++)
        if (count < room)
            tasks[count] =
                cora_future_ref(&cora__container_of(link, struct cora__task, link)->future);
    return count;
}

const char *cora_task_get_name(cora_task *task)
{
    struct cora__task *self = cora__as_task(task);
    char text[32];

    if (self == NULL)
        return NULL;
    if (self->label.name == NULL) {
        snprintf(text, sizeof text, "Task-%lu", self->label.number);
        self->label.name = strdup(text);
    }
    return self->label.name != NULL ? self->label.name : self->label.function; /* without memory */
}

int cora_task_set_name(cora_task *task, const char *name)
{
    struct cora__task *self = cora__as_task(task);
    char *copy;

    if (self == NULL || name == NULL)
        return -EINVAL;
    copy = strdup(name);
    if (copy == NULL)
        return -ENOMEM;
    free(self->label.name);
    self->label.name = copy;
    if (task->loop->trace.on)
        cora__task_trace_name(self);
    return 0;
}

cora_context *cora_task_get_context(cora_task *task)
{
    struct cora__task *self = cora__as_task(task);

    if (self == NULL)
        return NULL;
    if (self->given_context == NULL) { /* nobody has asked for it so far */
        self->given_context = cora__context_promote(&self->context);
        if (self->given_context != NULL && self->step.context == &self->context)
            self->step.context = self->given_context;
    }
    return self->given_context;
}

const char *cora_task_waiting_for(cora_task *task, char *text, size_t size)
{
    struct cora__task *self = cora__as_task(task);
    struct cora_future *target = self != NULL ? self->waiting_on : NULL;

    if (target == NULL)
        snprintf(text, size, "%s", "");
    else if (target->kind != NULL && target->kind->describe != NULL)
        target->kind->describe(target, text, size);
    else
        snprintf(text, size, "%s at %p", target->what,
                 target->value != NULL ? target->value : (void *)target);
    return text;
}

size_t cora_task_stack_used(const cora_task *task)
{
    const struct cora__task *self = cora__as_task(task);
    struct cora_coroutine *coroutine = self != NULL ? coroutine_of(self) : NULL;

    return coroutine != NULL ? cora_coroutine_stack_used(coroutine) : 0;
}
