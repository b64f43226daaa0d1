#include "thread.h"

#include <cora/error.h>

#include "deadline.h"
#include "excepthook.h"
#include "thread_name.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- creation ------------------------------------------------------------------------------ */

static void set_name(cora_threading_thread *thread, const char *name)
{
    snprintf(thread->name, sizeof thread->name, "%s", name);
}

static void set_default_name(cora_threading_thread *thread, const char *function)
{
    static atomic_uint count;

    snprintf(thread->name, sizeof thread->name, "Thread-%u (%s)", atomic_fetch_add(&count, 1) + 1,
             function);
}

int cora__thread_call(cora_threading_thread *thread)
{
    if (thread->context == NULL)
        return thread->fn(thread->arg);
    return cora_context_run(thread->context, thread->fn, thread->arg);
}

cora_threading_thread *cora__thread_create(const cora_threading_thread_options *options,
                                           cora_threading_fn *fn, const char *function,
                                           const void *args, size_t size)
{
    static const cora_threading_thread_options none;
    cora_threading_thread *thread = calloc(1, sizeof *thread + size);

    if (thread == NULL)
        return NULL;
    if (options == NULL)
        options = &none;
    atomic_init(&thread->refs, 1);
    if (options->name != NULL && options->name[0] != '\0')
        set_name(thread, options->name);
    else
        set_default_name(thread, function);
    thread->daemon = options->daemon == 0 ? cora__threads_current_daemon() : options->daemon > 0;
    thread->context = cora_context_ref(options->context);
    thread->stack_size = options->stack_size;
    thread->run = cora__thread_call;
    thread->fn = fn;
    thread->arg = (void *)(uintptr_t)args;
    if (size > 0)
        thread->arg = memcpy(thread->args, args, size);
    return thread;
}

cora_threading_thread *cora_threading_thread_create_copy(
    const cora_threading_thread_options *options, cora_threading_fn *fn, const char *function,
    const void *args, size_t size)
{
    return cora__thread_create(options, fn, function, args, size);
}

cora_threading_thread *cora_threading_thread_ref(cora_threading_thread *thread)
{
    if (thread != NULL)
        atomic_fetch_add_explicit(&thread->refs, 1, memory_order_relaxed);
    return thread;
}

void cora_threading_thread_unref(cora_threading_thread *thread)
{
    if (thread == NULL || atomic_fetch_sub_explicit(&thread->refs, 1, memory_order_acq_rel) > 1)
        return;
    if (thread->kind == CORA__STARTED && thread->state == CORA__ENDED && !thread->joined)
        pthread_detach(thread->pthread);
    cora_context_unref(thread->context);
    free(thread);
}

/* ---- in the thread ------------------------------------------------------------------------- */

static void begin(cora_threading_thread *thread)
{
    cora__thread_set_name(thread->name);
    cora__threads_set_current(thread);
    cora__threads_lock();
    thread->native_id = cora_threading_get_native_id();
    cora__threads_set_state(thread, CORA__ALIVE);
    cora__threads_unlock();
}

/* Also where it is left by pthread_exit. */
static void end(void *arg)
{
    cora_threading_thread *thread = arg;

    cora__threads_lock();
    cora__threads_set_state(thread, CORA__ENDED);
    cora__threads_unlock();
    cora__threads_set_current(NULL);
    cora_threading_thread_unref(thread);
}

static void *work(void *arg)
{
    cora_threading_thread *thread = arg;

    begin(thread);
    pthread_cleanup_push(end, thread);
    thread->result = thread->run(thread);
    if (thread->result < 0)
        cora__threading_excepthook(thread, thread->result);
    pthread_cleanup_pop(true);
    return NULL;
}

/* ---- life ---------------------------------------------------------------------------------- */

static int create_pthread(cora_threading_thread *thread)
{
    pthread_attr_t attributes;
    int error = 0;

    pthread_attr_init(&attributes);
    if (thread->stack_size > 0)
        error = pthread_attr_setstacksize(&attributes, thread->stack_size);
    if (error == 0)
        error = pthread_create(&thread->pthread, &attributes, work, thread);
    pthread_attr_destroy(&attributes);
    return -error;
}

/* The lock is held. */
static int start(cora_threading_thread *thread)
{
    int rc;

    if (thread->state != CORA__INITIAL || thread->kind != CORA__STARTED)
        return -CORA_EINVALIDSTATE;
    rc = cora__threads_enter(thread);
    if (rc < 0)
        return rc;
    rc = create_pthread(thread);
    if (rc < 0) {
        cora__threads_set_state(thread, CORA__INITIAL);
        return rc;
    }
    cora_threading_thread_ref(thread);
    return 0;
}

int cora_threading_thread_start(cora_threading_thread *thread)
{
    int rc;

    if (thread == NULL)
        return -ENOMEM;
    cora__threads_lock();
    rc = start(thread);
    cora__threads_unlock();
    return rc;
}

static bool can_be_joined(const cora_threading_thread *thread)
{
    return thread->kind == CORA__MAIN ||
           (thread->kind == CORA__STARTED && thread->state != CORA__INITIAL);
}

/* The lock is held. */
static int wait_for_end(cora_threading_thread *thread, double deadline)
{
    int rc = 0;

    while (thread->state != CORA__ENDED && rc == 0)
        rc = cora__threads_wait(thread, deadline);
    return thread->state == CORA__ENDED ? 0 : rc;
}

/* pthread's thread ends a moment later, after its destructors: who joins first waits for that. */
int cora_threading_thread_join(cora_threading_thread *thread, double timeout)
{
    bool first = false;
    int rc;

    if (thread == NULL)
        return -ENOMEM;
    if (isnan(timeout))
        return -EINVAL;
    cora__threads_lock();
    if (!can_be_joined(thread))
        rc = -CORA_EINVALIDSTATE;
    else if (thread->state == CORA__ALIVE && pthread_equal(thread->pthread, pthread_self()))
        rc = -EDEADLK;
    else
        rc = wait_for_end(thread, cora__deadline(timeout));
    if (rc == 0 && thread->kind == CORA__STARTED) {
        first = !thread->joined;
        thread->joined = true;
    }
    cora__threads_unlock();
    if (first)
        pthread_join(thread->pthread, NULL);
    return rc;
}

int cora_threading_thread_result(cora_threading_thread *thread)
{
    int result;

    if (thread == NULL)
        return -ENOMEM;
    cora__threads_lock();
    result = thread->state == CORA__ENDED ? thread->result : -CORA_EINVALIDSTATE;
    cora__threads_unlock();
    return result;
}

bool cora_threading_thread_is_alive(cora_threading_thread *thread)
{
    bool alive;

    if (thread == NULL)
        return false;
    cora__threads_lock();
    alive = thread->state == CORA__STARTING || thread->state == CORA__ALIVE;
    cora__threads_unlock();
    return alive;
}

/* ---- what it is ---------------------------------------------------------------------------- */

const char *cora_threading_thread_get_name(cora_threading_thread *thread)
{
    return thread != NULL ? thread->name : NULL;
}

void cora_threading_thread_set_name(cora_threading_thread *thread, const char *name)
{
    if (thread == NULL)
        return;
    set_name(thread, name);
    cora__threads_lock();
    if (thread->state == CORA__ALIVE && pthread_equal(thread->pthread, pthread_self()))
        cora__thread_set_name(name);
    cora__threads_unlock();
}

bool cora_threading_thread_get_daemon(cora_threading_thread *thread)
{
    bool daemon;

    if (thread == NULL)
        return false;
    cora__threads_lock();
    daemon = thread->daemon;
    cora__threads_unlock();
    return daemon;
}

int cora_threading_thread_set_daemon(cora_threading_thread *thread, bool daemon)
{
    int rc = 0;

    if (thread == NULL)
        return -ENOMEM;
    cora__threads_lock();
    if (thread->state == CORA__INITIAL)
        thread->daemon = daemon;
    else
        rc = -CORA_EINVALIDSTATE;
    cora__threads_unlock();
    return rc;
}

uintptr_t cora_threading_thread_ident(cora_threading_thread *thread)
{
    uintptr_t ident;

    if (thread == NULL)
        return 0;
    cora__threads_lock();
    ident = thread->state != CORA__INITIAL ? (uintptr_t)thread->pthread : 0;
    cora__threads_unlock();
    return ident;
}

long cora_threading_thread_native_id(cora_threading_thread *thread)
{
    long native_id;

    if (thread == NULL)
        return 0;
    cora__threads_lock();
    while (thread->state == CORA__STARTING)
        (void)!cora__threads_wait(thread, INFINITY);
    native_id = thread->native_id;
    cora__threads_unlock();
    return native_id;
}
