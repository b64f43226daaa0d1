/*
 * checker.h: a model checker for what tasks share, by brute force.
 *
 * A model is a primitive and a reference beside it that is too simple to be wrong. The checker runs
 * every program of so many operations, in every order in which the loop can come to run them, with
 * a cancellation at every place where one can come, and asks the model after each step whether the
 * two still agree, and whenever nothing is ready whether all who sleep have a reason to.
 */
#ifndef CORA_TEST_MODEL_CHECKER_H
#define CORA_TEST_MODEL_CHECKER_H

#include "support/test.h"

#include <cora.h>

/* One call of the primitive, made by a task of its own. */
struct operation {
    int kind;
    int number; /* 1, 2, ... in the order of their start */
    bool cancelled;
    bool slept; /* it has suspended at least once */
    bool over;
    int rc;          /* once it is over */
    bool marks[3];   /* the model's own; all false at first */
    cora_task *task; /* NULL while it is being started */
};

struct model {
    const char *name;
    const char *const *kinds; /* the names of the operations */
    int count;

    /* A new primitive and a new reference; it may choose among several. */
    void (*begin)(void);

    /* Whether such an operation makes sense now. NULL: always. */
    bool (*allowed)(int kind);

    /* Makes the call, expects the result that the reference has, and returns it. */
    int (*call)(struct operation *operation);

    /* After each step: what the primitive tells of itself is what the reference holds. */
    void (*check)(void);

    /* Nothing is ready: those who sleep do so rightly. */
    void (*idle)(void);

    /* At the end, everybody is cancelled: lets those go on who have to get something first. NULL:
     * there are none. */
    void (*let_go)(void);

    /* Frees the primitive. NULL: there is nothing to free. */
    void (*end)(void);
};

struct bounds {
    int tasks;         /* that are in a call at the same time */
    int operations;    /* in all */
    int cancellations; /* in all */
};

/*
 * Checks the model within these bounds; fails the test with the shortest history that goes wrong.
 * Where everything is slower (valgrind, the sanitizers, an emulator) the programs are shorter.
 */
void check_model(const struct model *model, struct bounds bounds);

/* ---- for models ----------------------------------------------------------------------------- */

/* 0 to count - 1: the search tries them all. */
int choose(int count);

/* Fails the test, with the history so far, where `condition` is false. */
void expect(bool condition, const char *what);

/* Walks through the operations of this kind that are not over, first come first:
 * for (op = first_asleep(kind); op != NULL; op = next_asleep(op)). */
struct operation *first_asleep(int kind);
struct operation *next_asleep(const struct operation *operation);

/* How many operations of this kind are not over. */
int count_asleep(int kind);

/* Whether no other of its kind came before and still waits without having been cancelled. */
bool is_first(const struct operation *operation);

#endif
