/*
 * bunch.h: many threads that do the same, and how a test learns where they are.
 *
 * What is asserted must be asserted in the test's own thread. In the others `check` makes the
 * function fail, and who joins the bunch asserts that none did.
 */
#ifndef CORA_TEST_BUNCH_H
#define CORA_TEST_BUNCH_H

#include <cora.h>

#include <stdio.h>

#define check(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            return -EBADMSG;                                                                       \
        }                                                                                          \
    } while (0)

enum { MOST_THREADS = 32 };

struct bunch {
    cora_threading_thread *threads[MOST_THREADS];
    int count;
};

/* So many threads that call fn(arg) each. */
void start_bunch(struct bunch *bunch, int count, cora_threading_fn *fn, void *arg);

/* All have ended, and returned 0. */
void join_bunch(struct bunch *bunch);

/* Both. */
void run_bunch(int count, cora_threading_fn *fn, void *arg);

/* A number that threads wait for. */
struct counter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int value;
};

#define COUNTER_INIT                                                                               \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                     \
    }

/* Its new value. */
int counter_add(struct counter *counter, int more);

int counter_get(struct counter *counter);

/* Blocks until it is so much or more. */
void counter_await(struct counter *counter, int value);

#endif
