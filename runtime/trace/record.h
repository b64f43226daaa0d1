/*
 * record.h: what goes from the threads to the writer, and the rings that it goes through.
 *
 * A ring has one thread that writes to it and one that reads: each has an index of its own, which
 * only grows, and so neither ever locks. A record lies in one piece; where the ring ends before
 * the record would, what is left there is filled by a pad.
 */
#ifndef CORA_TRACE_RECORD_H
#define CORA_TRACE_RECORD_H

#include "base/list.h"
#include "trace/trace.h"

enum cora__trace_record_kind {
    CORA__TRACE_PAD,
    CORA__TRACE_NAME,     /* of a row, whose kind is the category */
    CORA__TRACE_FUNCTION, /* of a row */
    CORA__TRACE_PUSH,
    CORA__TRACE_POP,
    CORA__TRACE_NEXT,
    CORA__TRACE_CLOSE,
    CORA__TRACE_EVENT,
    CORA__TRACE_BEGIN, /* a mark */
    CORA__TRACE_END,
};

struct cora__trace_record {
    uint32_t size; /* with the text: a multiple of CORA__TRACE_ALIGN */
    uint8_t kind;
    uint8_t category;
    bool has_text;
    cora__trace_row row;
    int64_t time; /* nanoseconds of the monotonic clock */
    uintptr_t object;
    char text[];
};

enum {
    CORA__TRACE_ALIGN = 8,
    CORA__TRACE_RING_SIZE = 1 << 20,
    CORA__TRACE_LONGEST_TEXT = 1000,
};

struct cora__trace_thread {
    struct cora__list link; /* of all threads that have recorded something; under the lock */
    unsigned session;       /* that its row is named in */
    cora__trace_row own;    /* its row */
    cora__trace_row row;    /* where its marks go */
    bool gone;              /* the thread has ended; under the lock */

    /* Of the writer's round. */
    struct cora__list source;
    size_t end; /* of what was there when it began */
    const struct cora__trace_record *next;

    size_t taken_seen;   /* `taken`, as its thread has last seen it */
    atomic_size_t put;   /* bytes, by its thread */
    atomic_size_t taken; /* by the writer */
    char ring[CORA__TRACE_RING_SIZE] __attribute__((aligned(8)));
};

/* The record that is next, where there is one before the round's end; NULL: none. Pads are skipped.
 */
const struct cora__trace_record *cora__trace_peek(struct cora__trace_thread *thread);

/* That one has been dealt with. */
void cora__trace_take(struct cora__trace_thread *thread, const struct cora__trace_record *record);

int64_t cora__trace_now(void);

/* ---- the threads; trace.c ------------------------------------------------------------------- */

/* All that have a ring. Locked: none comes or goes. */
struct cora__list *cora__trace_lock_threads(void);
void cora__trace_unlock_threads(void);

/* Frees the rings of threads that are gone. */
void cora__trace_drop_gone(void);

/* Whether the writer wants to know of threads that end: it frees their rings then. */
void cora__trace_keep_gone(bool keep);

/* Forgets what is in the rings. */
void cora__trace_empty_rings(void);

/* In a forked child: of the parent's threads only this one is there. The lock is held. */
void cora__trace_forget_threads(void);

/* There is room again for those who wait for it; or no trace any more. */
void cora__trace_tell_room(void);

/* Waits until a ring is half full, somebody calls cora__trace_wake_writer, or for so many seconds.
 */
void cora__trace_await_work(double seconds);
void cora__trace_wake_writer(void);

#endif
