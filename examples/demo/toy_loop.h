/*
 * toy_loop.h: the loop of the tutorials, in which coroutines yield what they wait for. It is built
 * on <cora/coroutine.h> and poll(2) and nothing else: what it lacks against the real loop
 * (cancellation, tasks that wait for one another, timers, threads) is what the layers above add.
 */
#ifndef DEMO_TOY_LOOP_H
#define DEMO_TOY_LOOP_H

#include <cora/coroutine.h>

#include <stddef.h>

/* What a coroutine yields: wake me when this happens. */
struct toy_wait {
    int fd;
    short events;    /* POLLIN or POLLOUT */
    double deadline; /* on the clock of now() */
    bool timed_out;  /* the loop's answer */
};

struct toy_loop {
    struct toy_task *tasks;
    struct pollfd *polls; /* what tasks[i] waits for is polls[i] */
    size_t count, room;
};

/* All zero is a loop without coroutines. */
#define TOY_LOOP_INIT                                                                              \
    {                                                                                              \
        NULL, NULL, 0, 0                                                                           \
    }

/* Adds a coroutine that will run fn(arg). 0 or -ENOMEM. */
int toy_loop_add(struct toy_loop *loop, cora_coroutine_fn *fn, void *arg);

/* Runs until every coroutine has ended, and frees them. 0 or a negative error of poll's. */
int toy_loop_run(struct toy_loop *loop);

/* In a coroutine: suspends until `fd` is ready. 0; -ETIMEDOUT; -ECANCELED: it is being closed. */
int toy_wait(int fd, short events, double deadline);

#endif
