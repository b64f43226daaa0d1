/*
 * floor.h: the plainest program that does each workload and nothing else. It has no guard pages, no
 * errors, no cancellation and no loop, so a runtime that comes near it wastes little.
 *
 * Its scheduler is a ring of tasks, walked round and round.
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include "../../measure.h"

#ifndef __x86_64__
#error "the switches are written for x86-64"
#endif

/*
 * Saves what the ABI asks a callee to keep, but for the floating-point control words, changes
 * stacks, and jumps to where the other side left off.
 */
void switch_context(void **save, void *load);

/* Lies at the top of its own stack, so that a parked task costs one page. */
struct task {
    void *sp;
    struct task *prev, *next; /* in the ring of ready tasks */
    struct task *joiner;
    void (*body)(long);
    long argument;
    bool done;
} __attribute__((aligned(64)));

extern struct task *current;
extern long bodies_run;

/* Last in the round, that is, just before the one that runs. */
static inline void make_ready(struct task *task)
{
    task->prev = current->prev;
    task->next = current;
    task->prev->next = task->next->prev = task;
}

static inline void yield(void)
{
    struct task *self = current;

    current = self->next;
    if (current != self)
        switch_context(&self->sp, current->sp);
}

/* Leaves the ring; there is always another in it. */
static inline void park(void)
{
    current->prev->next = current->next;
    current->next->prev = current->prev;
    yield();
}

struct task *spawn(void (*body)(long), long argument);
void join(struct task *task);

struct task **spawn_all(void (*body)(long), long count);
void join_all(struct task **tasks, long count);

/* The workloads. */
void run_switch(long nothing); /* switch.c */
void run_yield(long count);    /* tasks.c */
void run_yield_apart(long count);
void run_spawn(long nothing);       /* tasks.c */
void run_spawn_many(long count);    /* tasks.c */
void run_parked(long count);        /* tasks.c */
void run_gather(long count);        /* tasks.c */
void run_memory(long count);        /* tasks.c */
void run_queue(long nothing);       /* queue.c */
void run_sleep(long count);         /* sleep.c */
void run_echo_server(long nothing); /* echo.c */

#endif
