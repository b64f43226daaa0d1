/*
 * thread.h: what a thread is made of, and the list of those that are alive.
 */
#ifndef CORA_STDLIB_THREADING_THREAD_H
#define CORA_STDLIB_THREADING_THREAD_H

#include <cora/threading/thread.h>

#include "link.h"
#include "parking.h"

#include <pthread.h>
#include <stdatomic.h>

enum cora__thread_kind {
    CORA__STARTED, /* by cora_threading_thread_start, or it will be */
    CORA__MAIN,
    CORA__DUMMY, /* by somebody else */
};

/*
 *     INITIAL --start--> STARTING --it runs--> ALIVE --its function returns--> ENDED
 *
 * STARTING and ALIVE it is in the list, and has a reference to itself. What only the thread itself
 * knows it has told by the time that it is ALIVE.
 */
enum cora__thread_state { CORA__INITIAL, CORA__STARTING, CORA__ALIVE, CORA__ENDED };

struct cora_threading_thread {
    atomic_uint refs;
    enum cora__thread_kind kind;
    char name[64];
    cora_context *context; /* NULL: an empty one */
    size_t stack_size;
    int (*run)(cora_threading_thread *thread); /* calls fn(arg), sooner or later */
    cora_threading_fn *fn;
    void *arg;

    /* Under the lock of the list. */
    enum cora__thread_state state;
    struct cora__link link;
    struct cora__line waiters; /* for a change of its state */
    bool daemon;
    bool joined; /* pthread's thread is, or is about to be */
    pthread_t pthread;
    long native_id;
    int result;
    double interval; /* a timer's */
    bool cancelled;

    char args[] __attribute__((aligned(16)));
};

/* ---- thread.c ------------------------------------------------------------------------------ */

/* A thread that is to be started; NULL without memory. */
cora_threading_thread *cora__thread_create(const cora_threading_thread_options *options,
                                           cora_threading_fn *fn, const char *function,
                                           const void *args, size_t size);

/* Its function's outcome, in its context. */
int cora__thread_call(cora_threading_thread *thread);

/* ---- threads.c: the list ------------------------------------------------------------------- */

void cora__threads_lock(void);
void cora__threads_unlock(void);

/* Waits, with the lock held, for a change of the thread's state. 0 or -ETIMEDOUT. */
int cora__threads_wait(cora_threading_thread *thread, double deadline);

/* With the lock held. To enter makes the end of the program wait: 0 or -ENOMEM. */
int cora__threads_enter(cora_threading_thread *thread);
void cora__threads_set_state(cora_threading_thread *thread, enum cora__thread_state state);

/* The calling thread from now on; NULL: it is about to end. */
void cora__threads_set_current(cora_threading_thread *thread);

/* Whether the calling thread is a daemon; it is not made known for that. */
bool cora__threads_current_daemon(void);

#endif
