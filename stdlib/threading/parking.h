/*
 * parking.h: threads and tasks that wait for the same thing, in one line, first come, first served.
 *
 * Whoever waits lies in the line as a struct on his own stack: a thread with a condition of its
 * own, a task with a trigger of its loop's. Nothing is allocated, and who calls the first of the
 * line need not know which of the two he is.
 *
 * The lock of the object that is waited for guards its lines as well. All of this is called with
 * that lock held; to park lets it go meanwhile.
 */
#ifndef CORA_STDLIB_PARKING_H
#define CORA_STDLIB_PARKING_H

#include <cora/base.h>

#include <pthread.h>

struct cora__parked;

/* All NULL is empty. Public headers have room for it as `void *[2]`. */
struct cora__line {
    struct cora__parked *first, *last;
};

/* How a call waits: as a task that suspends, or as a thread that blocks until a deadline. */
struct cora__how {
    bool suspends;
    double deadline; /* of cora__deadline */
};

/* What is waited for. */
struct cora__wanted {
    const char *what; /* for deadlock reports */
    /*
     * Somebody was called and leaves without having used it: his task was cancelled, or its loop
     * is being closed. The next in line is to have it. NULL: there is nothing to pass on.
     */
    void (*pass_on)(void *object);
};

/*
 * Waits in the line until called. 0; -ETIMEDOUT; -ECANCELED; -ENOMEM, only for the first task of a
 * loop; -CORA_ENOTASK. Who has been called when his time is up has been called, and gets 0.
 */
CORA_SUSPENDS CORA_MUST_CHECK int cora__park(struct cora__line *line, pthread_mutex_t *lock,
                                             struct cora__how how,
                                             const struct cora__wanted *wanted, void *object);

/* Calls the first of the line, who is in it no longer. Whether there was one. */
bool cora__call_first(struct cora__line *line);

void cora__call_all(struct cora__line *line);

/* How many wait in the line. */
size_t cora__line_length(const struct cora__line *line);

#endif
