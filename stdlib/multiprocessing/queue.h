/* queue.h: what a queue is, in shared memory; for queue.c, and for tests of who is killed in it. */
#ifndef CORA_STDLIB_MULTIPROCESSING_QUEUE_H
#define CORA_STDLIB_MULTIPROCESSING_QUEUE_H

#include <cora/multiprocessing/condition.h>
#include <cora/multiprocessing/queue.h>
#include <cora/multiprocessing/shared_memory.h>

#include <stdalign.h>

enum { CORA__QUEUE_PAGE = 4096 };

/* Before each item. */
struct cora__queue_header {
    uint64_t size, number; /* of its bytes; how many were put before it */
};

struct cora_multiprocessing_queue {
    cora_multiprocessing_lock lock;
    cora_multiprocessing_waiting getters, putters, joiners;
    cora_multiprocessing_shared_memory memory; /* that all of this is in */
    size_t maxsize, capacity;                  /* of items, or SIZE_MAX; of bytes */
    /* In bytes since the beginning: where the first item is, and where the last one ends. */
    uint64_t head, tail;     /* tail <= head: there is none */
    uint64_t put, got, done; /* items since then */
    alignas(CORA__QUEUE_PAGE) char ring[];
};

#endif
