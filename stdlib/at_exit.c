#include "at_exit.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

/* What finishes just now is not freed meanwhile. */
static struct {
    pthread_mutex_t lock; /* a pool's own is taken before */
    pthread_cond_t finished;
    struct cora__link *all;
    struct cora__at_exit *finishing;
} at_exit = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, NULL};

static _Thread_local bool is_waited_for;

void cora__at_exit_is_not_for_this_thread(void)
{
    is_waited_for = true;
}

static void finish_all(void)
{
    if (is_waited_for) /* it would wait for itself */
        return;
    pthread_mutex_lock(&at_exit.lock);
    while (at_exit.all != NULL) {
        struct cora__at_exit *first = at_exit.all->object;

        cora__link_remove(&first->link);
        at_exit.finishing = first;
        pthread_mutex_unlock(&at_exit.lock);
        first->finish(first->arg);
        pthread_mutex_lock(&at_exit.lock);
        at_exit.finishing = NULL;
        pthread_cond_broadcast(&at_exit.finished);
    }
    pthread_mutex_unlock(&at_exit.lock);
}

/* In a forked child, which has none of the threads; the lock may have been held. */
static void forget_all(void)
{
    pthread_mutex_init(&at_exit.lock, NULL);
    pthread_cond_init(&at_exit.finished, NULL);
    at_exit.all = NULL;
    at_exit.finishing = NULL;
    is_waited_for = false;
}

/* Or there is no memory for it, and nobody is waited for. */
static void begin(void)
{
    atexit(finish_all);
    pthread_atfork(NULL, NULL, forget_all);
}

void cora__at_exit_add(struct cora__at_exit *self, void (*finish)(void *arg), void *arg)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, begin);
    self->finish = finish;
    self->arg = arg;
    pthread_mutex_lock(&at_exit.lock);
    cora__link_add(&at_exit.all, &self->link, self);
    pthread_mutex_unlock(&at_exit.lock);
}

void cora__at_exit_remove(struct cora__at_exit *self)
{
    pthread_mutex_lock(&at_exit.lock);
    cora__link_remove(&self->link);
    while (at_exit.finishing == self)
        pthread_cond_wait(&at_exit.finished, &at_exit.lock);
    pthread_mutex_unlock(&at_exit.lock);
}
