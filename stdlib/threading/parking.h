/*
 * parking.h: threads and tasks that wait for the same thing, in one line, first come, first served.
 *
 * Whoever waits lies in the line as a struct on his own stack: a thread with a condition of its
 * own, a task with a trigger of its loop's. Nothing is allocated, and who calls the first of the
 * line need not know which of the two he is.
 *
 * All of this is done in a section, in which the lock of the object that is waited for is held; it
 * guards the object's lines as well.
 *
 *     struct cora__section section;
 *
 *     cora__enter(&section, &semaphore->lock);
 *     ...
 *     cora__leave(&section);
 */
#ifndef CORA_STDLIB_PARKING_H
#define CORA_STDLIB_PARKING_H

#include <cora/loop.h>

#include <pthread.h>
#include <stdatomic.h>

/*
 * Who is called in a section is woken at its end, with the lock let go: he is going to want it, and
 * on the same processor would only go back to sleep.
 */
struct cora__section {
    pthread_mutex_t *lock;
    size_t count;
    struct cora__wake {
        cora_loop *loop;         /* that runs a task; or NULL, and */
        const atomic_uint *word; /* that a thread waits for */
    } wakes[8];
};

void cora__enter(struct cora__section *section, pthread_mutex_t *lock);
void cora__leave(struct cora__section *section);

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
    void (*pass_on)(struct cora__section *section, void *object);
};

/*
 * Waits in the line until called; the lock is let go meanwhile. 0; -ETIMEDOUT; -ECANCELED; -ENOMEM,
 * only for the first task of a loop; -CORA_ENOTASK. Who has been called when his time is up has
 * been called, and gets 0.
 */
CORA_SUSPENDS CORA_MUST_CHECK int cora__park(struct cora__section *section, struct cora__line *line,
                                             struct cora__how how,
                                             const struct cora__wanted *wanted, void *object);

/*
 * Calls the first of the line, who is in it no longer. Whether there was one. Without a section
 * (NULL), where the lock is held in another way, he is woken at once.
 */
bool cora__call_first(struct cora__section *section, struct cora__line *line);

void cora__call_all(struct cora__section *section, struct cora__line *line);

/* How many wait in the line. */
size_t cora__line_length(const struct cora__line *line);

#endif
