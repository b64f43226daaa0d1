/*
 * loops.c: several loops, each run by a thread of its own.
 *
 * A thread makes its loop, says so, and waits for the order: fn runs in all loops or in none. What
 * is done to a loop from outside is done by calls that it takes from any thread, and it is held
 * until all of them are freed, so that a call which comes too late is refused and not lost.
 */
#include <cora/loops.h>

#include "thread_name.h"
#include "thread_pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef __linux__
#include <sched.h>
#endif

enum order { WAIT, RUN, END };

struct worker {
    cora_loops *loops;
    int index;
    pthread_t thread;
    cora_loop *loop; /* NULL until it is made */
    cora_trigger stop;
    cora_task *task; /* the main one, while fn runs; the loop's thread's alone */
};

struct cora_loops {
    cora_loops_fn *fn;
    void *arg;
    const cora_runner_options *runner;
    char prefix[CORA__THREAD_PREFIX_SIZE];
    bool keep_going;
    unsigned forks; /* when its threads were started */
    atomic_bool stopped;
    cora_concurrent_future *end;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum order order;
    int started; /* threads */
    int ready;   /* those that have made their loop, or could not */
    int running; /* those that have not ended */
    int error;   /* the first one */
    int count;
    struct worker workers[];
};

/* ---- processors ---------------------------------------------------------------------------- */

#ifdef __linux__

/* To the n-th of the processors that this thread may use, round and round. */
static int pin(pthread_t thread, int n)
{
    cpu_set_t ours, one;
    int cpu = -1;

    if (sched_getaffinity(0, sizeof ours, &ours) < 0)
        return -errno;
    n %= CPU_COUNT(&ours);
    do
        cpu++;
    while (!CPU_ISSET(cpu, &ours) || n-- > 0);
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    return -pthread_setaffinity_np(thread, sizeof one, &one);
}

#else

static int pin(pthread_t thread, int n)
{
    (void)thread, (void)n;
    return -ENOTSUP;
}

#endif

/* ---- in its thread ------------------------------------------------------------------------- */

/* The first error is the one that all of them end with. */
static void note_error(cora_loops *loops, int rc)
{
    if (rc >= 0 || (rc == -ECANCELED && atomic_load(&loops->stopped)))
        return;
    pthread_mutex_lock(&loops->lock);
    if (loops->error == 0)
        loops->error = rc;
    pthread_mutex_unlock(&loops->lock);
    if (!loops->keep_going)
        cora_loops_stop(loops);
}

/* Says that the loop is made, or why not. Whether to run fn. */
static bool await_order(cora_loops *loops, int rc)
{
    bool runs;

    pthread_mutex_lock(&loops->lock);
    if (rc < 0 && loops->error == 0)
        loops->error = rc;
    loops->ready++;
    pthread_cond_broadcast(&loops->changed);
    while (loops->order == WAIT)
        pthread_cond_wait(&loops->changed, &loops->lock);
    runs = loops->order == RUN;
    pthread_mutex_unlock(&loops->lock);
    return runs;
}

static void on_stop(void *arg)
{
    struct worker *worker = arg;

    if (worker->task != NULL)
        cora_task_cancel(worker->task);
}

static int run_main(void *arg)
{
    struct worker *worker = arg;
    cora_loops *loops = worker->loops;
    int rc = 0;

    worker->loop = cora_get_running_loop();
    cora_loop_hold(worker->loop);
    cora_trigger_init(&worker->stop, worker->loop, on_stop, NULL, worker);
    worker->task = cora_current_task();
    if (await_order(loops, 0))
        rc = loops->fn(loops, worker->index, loops->arg);
    worker->task = NULL;
    return rc;
}

static void end_thread(cora_loops *loops)
{
    int error;
    bool last;

    pthread_mutex_lock(&loops->lock);
    last = --loops->running == 0;
    error = loops->error;
    pthread_mutex_unlock(&loops->lock);
    if (last)
        (void)!(error < 0 ? cora_concurrent_future_set_exception(loops->end, error)
                          : cora_concurrent_future_set_result(loops->end, 0, NULL));
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    cora_loops *loops = worker->loops;
    cora_runner *runner = NULL;
    int rc;

    cora__thread_name(loops->prefix, worker->index);
    rc = cora_runner_create(&runner, loops->runner);
    if (rc == 0)
        rc = cora_runner_run(runner, run_main, worker);
    if (worker->loop == NULL)
        (void)await_order(loops, rc);
    else
        note_error(loops, rc);
    note_error(loops, cora_runner_close(runner));
    end_thread(loops);
    return NULL;
}

/* ---- life ---------------------------------------------------------------------------------- */

static cora_loops *create(cora_loops_fn *fn, void *arg, const cora_loops_options *options)
{
    int count = options->count > 0 ? options->count : cora__processors();
    cora_loops *loops = calloc(1, sizeof *loops + (size_t)count * sizeof loops->workers[0]);

    if (loops == NULL)
        return NULL;
    loops->end = cora_concurrent_future_create();
    if (cora_concurrent_future_set_running_or_notify_cancel(loops->end) < 0) {
        free(loops);
        return NULL;
    }
    loops->fn = fn;
    loops->arg = arg;
    loops->runner = options->runner;
    loops->keep_going = options->keep_going;
    loops->forks = cora__forks();
    snprintf(loops->prefix, sizeof loops->prefix, "%s",
             options->thread_name_prefix != NULL ? options->thread_name_prefix : "loop");
    pthread_mutex_init(&loops->lock, NULL);
    pthread_cond_init(&loops->changed, NULL);
    loops->count = loops->running = count;
    for (int i = 0; i < count; i++) {
        loops->workers[i].loops = loops;
        loops->workers[i].index = i;
    }
    return loops;
}

static int start_threads(cora_loops *loops, bool affinity)
{
    int rc = 0;

    while (loops->started < loops->count && rc == 0) {
        struct worker *worker = &loops->workers[loops->started];

        rc = -pthread_create(&worker->thread, NULL, work, worker);
        if (rc == 0) {
            loops->started++;
            if (affinity)
                rc = pin(worker->thread, worker->index);
        }
    }
    return rc;
}

/* When each of them is ready: all run fn, or all end, where one is not there or has no loop. */
static int give_order(cora_loops *loops, int rc)
{
    pthread_mutex_lock(&loops->lock);
    while (loops->ready < loops->started)
        pthread_cond_wait(&loops->changed, &loops->lock);
    if (rc == 0)
        rc = loops->error;
    loops->order = rc == 0 ? RUN : END;
    pthread_cond_broadcast(&loops->changed);
    pthread_mutex_unlock(&loops->lock);
    return rc;
}

static void join_all(cora_loops *loops)
{
    for (int i = 0; i < loops->started; i++) {
        pthread_join(loops->workers[i].thread, NULL);
        if (loops->workers[i].loop != NULL)
            cora_loop_release(loops->workers[i].loop);
    }
    pthread_cond_destroy(&loops->changed);
    pthread_mutex_destroy(&loops->lock);
}

static bool is_ours(const cora_loops *loops)
{
    return loops->forks == cora__forks();
}

void cora_loops_free(cora_loops *loops)
{
    if (loops == NULL)
        return;
    if (is_ours(loops)) {
        cora_loops_stop(loops);
        join_all(loops);
    }
    cora_concurrent_future_unref(loops->end);
    free(loops);
}

int cora_loops_start(cora_loops_fn *fn, void *arg, const cora_loops_options *options,
                     cora_loops **ret)
{
    static const cora_loops_options none;
    cora_loops *loops;
    int rc;

    if (options == NULL)
        options = &none;
    if (options->count < 0)
        return -EINVAL;
    loops = create(fn, arg, options);
    if (loops == NULL)
        return -ENOMEM;
    rc = give_order(loops, start_threads(loops, options->affinity));
    if (rc == 0)
        *ret = loops;
    else
        cora_loops_free(loops);
    return rc;
}

/* ---- from any thread ----------------------------------------------------------------------- */

/* One that has ended takes no calls any more, and needs none. */
void cora_loops_stop(cora_loops *loops)
{
    if (!is_ours(loops) || atomic_exchange(&loops->stopped, true))
        return;
    for (int i = 0; i < loops->count; i++)
        if (loops->workers[i].loop != NULL)
            (void)!cora_trigger_fire(&loops->workers[i].stop);
}

cora_concurrent_future *cora_loops_future(cora_loops *loops)
{
    return loops->end;
}

int cora_loops_count(const cora_loops *loops)
{
    return loops->count;
}

cora_loop *cora_loops_get_loop(cora_loops *loops, int index)
{
    return loops->workers[index].loop;
}

/* A call on its way to all loops; the last that is done with it frees it. */
struct call {
    cora_callback *fn;
    void *arg;
    atomic_int left;
    cora_trigger triggers[];
};

static void leave(void *arg)
{
    struct call *call = arg;

    if (atomic_fetch_sub(&call->left, 1) == 1)
        free(call);
}

static void deliver(void *arg)
{
    struct call *call = arg;

    call->fn(call->arg);
    leave(call);
}

int cora_loops_call_soon(cora_loops *loops, cora_callback *fn, void *arg)
{
    struct call *call = malloc(sizeof *call + (size_t)loops->count * sizeof call->triggers[0]);

    if (call == NULL)
        return -ENOMEM;
    call->fn = fn;
    call->arg = arg;
    atomic_init(&call->left, loops->count);
    /* NOLINTBEGIN(clang-analyzer-unix.Malloc): it does not count references */
    for (int i = 0, count = loops->count; i < count; i++) {
        cora_trigger_init(&call->triggers[i], loops->workers[i].loop, deliver, leave, call);
        if (cora_trigger_fire(&call->triggers[i]) < 0)
            leave(call);
    }
    /* NOLINTEND(clang-analyzer-unix.Malloc) */
    return 0;
}

/* ---- run ----------------------------------------------------------------------------------- */

static void cancel_task(void *task)
{
    cora_task_cancel(task);
}

static bool has_default_effect(int signum)
{
    struct sigaction action;

    return sigaction(signum, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
}

/* In a loop of its own, for the signals' sake: either cancels it. */
static int await_end(void *arg)
{
    cora_loops *loops = arg;
    int rc = 0;

    if (has_default_effect(SIGTERM))
        rc = cora_loop_add_signal_handler(cora_get_running_loop(), SIGTERM, cancel_task,
                                          cora_current_task());
    return rc < 0 ? rc : cora_await_unref(cora_wrap_future(loops->end));
}

int cora_run_loops(cora_loops_fn *fn, void *arg, const cora_loops_options *options)
{
    cora_loops *loops = NULL;
    int rc, waited;

    if (cora_get_running_loop() != NULL)
        return -CORA_ERUNNING;
    rc = cora_loops_start(fn, arg, options, &loops);
    if (rc != 0)
        return rc;
    waited = cora_run(await_end, loops);
    cora_loops_stop(loops);
    rc = cora_concurrent_future_result(loops->end, INFINITY);
    cora_loops_free(loops);
    if (rc == 0 && waited < 0)
        rc = waited == -ECANCELED ? -EINTR : waited;
    return rc;
}
