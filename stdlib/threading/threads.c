/*
 * threads.c: the threads that are alive: in one list, under one lock, which also guards what of
 * each of them others wait for.
 */
#include "thread.h"

#include "deadline.h"
#include "lock_order.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#ifndef __APPLE__
#include <sys/syscall.h>
#endif

static struct {
    pthread_mutex_t lock;
    struct cora__link *first; /* the newest */
    bool waited_for;          /* the end of the program waits */
} threads = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The thread that the library was loaded in; in a forked child also one that nobody knew. */
static cora_threading_thread first_thread = {.kind = CORA__MAIN, .name = "MainThread"};
static cora_threading_thread *main_thread = &first_thread;

static _Thread_local cora_threading_thread *current;
static pthread_key_t dummy_end; /* of the threads that others have started */

uintptr_t cora_threading_get_ident(void)
{
    return (uintptr_t)pthread_self();
}

long cora_threading_get_native_id(void)
{
#ifdef __APPLE__
    uint64_t id;

    pthread_threadid_np(NULL, &id);
    return (long)id;
#else
    return syscall(SYS_gettid);
#endif
}

/* ---- the list ------------------------------------------------------------------------------ */

void cora__threads_lock(void)
{
    pthread_mutex_lock(&threads.lock);
}

void cora__threads_unlock(void)
{
    pthread_mutex_unlock(&threads.lock);
}

int cora__threads_wait(cora_threading_thread *thread, double deadline)
{
    struct cora__section section = {.lock = &threads.lock};
    struct cora__how how = {.deadline = deadline};

    return cora__park(&section, &thread->waiters, how, NULL, thread);
}

void cora__threads_set_state(cora_threading_thread *thread, enum cora__thread_state state)
{
    thread->state = state;
    if (state == CORA__INITIAL || state == CORA__ENDED)
        cora__link_remove(&thread->link);
    cora__call_all(NULL, &thread->waiters);
}

/* The calling thread, which runs already. */
static void enter_current(cora_threading_thread *thread)
{
    atomic_init(&thread->refs, 1);
    thread->pthread = pthread_self();
    thread->native_id = cora_threading_get_native_id();
    thread->state = CORA__ALIVE;
    cora__link_add(&threads.first, &thread->link, thread);
    current = thread;
}

static size_t count_alive(void)
{
    size_t count = 0;

    for (const struct cora__link *link = threads.first; link != NULL; link = link->next)
        count++;
    return count;
}

size_t cora_threading_active_count(void)
{
    size_t count;

    cora__threads_lock();
    count = count_alive();
    cora__threads_unlock();
    return count;
}

size_t cora_threading_enumerate(cora_threading_thread *list[], size_t room)
{
    size_t count, place;

    cora__threads_lock();
    place = count = count_alive();
    for (const struct cora__link *link = threads.first; link != NULL; link = link->next)
        if (--place < room)
            list[place] = cora_threading_thread_ref(link->object);
    cora__threads_unlock();
    return count;
}

/* ---- the calling thread -------------------------------------------------------------------- */

void cora__threads_set_current(cora_threading_thread *thread)
{
    current = thread;
}

bool cora__threads_current_daemon(void)
{
    return current == NULL || cora_threading_thread_get_daemon(current);
}

static cora_threading_thread *create_dummy(void)
{
    static atomic_uint count;
    cora_threading_thread *thread = calloc(1, sizeof *thread);

    if (thread == NULL)
        return NULL;
    if (pthread_setspecific(dummy_end, thread) != 0) {
        free(thread);
        return NULL;
    }
    thread->kind = CORA__DUMMY;
    thread->daemon = true;
    snprintf(thread->name, sizeof thread->name, "Dummy-%u", atomic_fetch_add(&count, 1) + 1);
    cora__threads_lock();
    enter_current(thread);
    cora__threads_unlock();
    return thread;
}

static void end_dummy(void *arg)
{
    cora_threading_thread *thread = arg;

    cora__threads_lock();
    cora__threads_set_state(thread, CORA__ENDED);
    cora__threads_unlock();
    current = NULL;
    cora_threading_thread_unref(thread);
}

cora_threading_thread *cora_threading_current_thread(void)
{
    return current != NULL ? current : create_dummy();
}

cora_threading_thread *cora_threading_main_thread(void)
{
    cora_threading_thread *thread;

    cora__threads_lock();
    thread = main_thread;
    cora__threads_unlock();
    return thread;
}

/* ---- the end of the program ---------------------------------------------------------------- */

/* NULL: none is left. Who starts another has it waited for again. */
static cora_threading_thread *next_to_wait_for(void)
{
    cora_threading_thread *thread = NULL;

    cora__threads_lock();
    for (const struct cora__link *link = threads.first; link != NULL; link = link->next) {
        cora_threading_thread *other = link->object;

        if (other->kind == CORA__STARTED && !other->daemon && other != current)
            thread = other;
    }
    cora_threading_thread_ref(thread);
    if (thread == NULL)
        threads.waited_for = false;
    cora__threads_unlock();
    return thread;
}

/* Whoever waits for the main thread need not wait until the process is gone. */
static void end_main_thread(void)
{
    cora__threads_lock();
    if (current == main_thread && main_thread->kind == CORA__MAIN)
        cora__threads_set_state(main_thread, CORA__ENDED);
    cora__threads_unlock();
}

static void wait_for_threads(void)
{
    cora_threading_thread *thread;

    end_main_thread();
    while ((thread = next_to_wait_for()) != NULL) {
        (void)!cora_threading_thread_join(thread, INFINITY);
        cora_threading_thread_unref(thread);
    }
}

int cora__threads_enter(cora_threading_thread *thread)
{
    if (!threads.waited_for && atexit(wait_for_threads) != 0)
        return -ENOMEM;
    threads.waited_for = true;
    thread->state = CORA__STARTING;
    cora__link_add(&threads.first, &thread->link, thread);
    return 0;
}

/* ---- forks --------------------------------------------------------------------------------- */

static void prepare_fork(void)
{
    cora__threads_lock();
    cora__lock_order_prepare_fork();
}

static void after_fork_in_parent(void)
{
    cora__lock_order_after_fork();
    cora__threads_unlock();
}

/* Nobody waits for it, nothing is left of it to be joined, and it gives nothing back by itself. */
static void end_lost(cora_threading_thread *thread)
{
    thread->waiters = (struct cora__line){NULL, NULL};
    thread->joined = true;
    cora__threads_set_state(thread, CORA__ENDED);
    if (thread->kind != CORA__MAIN)
        cora_threading_thread_unref(thread);
}

static void after_fork_in_child(void)
{
    struct cora__link *next;

    cora__lock_order_after_fork();
    for (struct cora__link *link = threads.first; link != NULL; link = next) {
        next = link->next;
        if (link->object != current)
            end_lost(link->object);
    }
    if (current == NULL)
        enter_current(&first_thread);
    current->waiters = (struct cora__line){NULL, NULL};
    current->native_id = cora_threading_get_native_id();
    threads.waited_for = false; /* its end may have begun, in a thread that is no more */
    if (main_thread != current)
        main_thread = cora_threading_thread_ref(current);
    cora__threads_unlock();
}

/* ---- the beginning ------------------------------------------------------------------------- */

__attribute__((constructor)) static void begin(void)
{
    pthread_key_create(&dummy_end, end_dummy);
    pthread_atfork(prepare_fork, after_fork_in_parent, after_fork_in_child);
    enter_current(&first_thread);
}
