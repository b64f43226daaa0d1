/*
 * queue.c: a ring of bytes in shared memory, in a monitor.
 *
 * An item is in, or out, by one store to a position. What else is counted can be found again from
 * what lies in the ring, where somebody was killed between two stores.
 */
#include "queue.h"

#include "condition.h"
#include "deadline.h"
#include "lock.h"

#include <cora/error.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { KEPT = 1 << 20, USUAL_MEMORY = 64 << 20 };

/* ---- the ring ------------------------------------------------------------------------------ */

/* What an item takes. Headers may be in two pieces, like all the rest. */
static uint64_t space_of(size_t size)
{
    return sizeof(struct cora__queue_header) + (uint64_t)size;
}

static void copy_in(cora_multiprocessing_queue *queue, uint64_t position, const void *data,
                    size_t size)
{
    size_t at = (size_t)(position % queue->capacity), room = queue->capacity - at;
    size_t first = size < room ? size : room;

    if (size == 0)
        return;
    memcpy(queue->ring + at, data, first);
    memcpy(queue->ring, (const char *)data + first, size - first);
}

static void copy_out(const cora_multiprocessing_queue *queue, uint64_t position, void *data,
                     size_t size)
{
    size_t at = (size_t)(position % queue->capacity), room = queue->capacity - at;
    size_t first = size < room ? size : room;

    if (size == 0)
        return;
    memcpy(data, queue->ring + at, first);
    memcpy((char *)data + first, queue->ring, size - first);
}

static struct cora__queue_header header_at(const cora_multiprocessing_queue *queue,
                                           uint64_t position)
{
    struct cora__queue_header header;

    copy_out(queue, position, &header, sizeof header);
    return header;
}

static bool is_empty(const cora_multiprocessing_queue *queue)
{
    return queue->tail <= queue->head;
}

/*
 * An empty ring begins anew where its memory begins, which is in the cache, and what it had at its
 * peak goes back.
 */
static void rewind_ring(cora_multiprocessing_queue *queue)
{
    size_t used = (size_t)(queue->head % queue->capacity);

    queue->head += used > 0 ? queue->capacity - used : 0;
    if (used > KEPT)
        madvise(queue->ring + KEPT, queue->capacity - KEPT, MADV_REMOVE);
}

/* ---- the monitor --------------------------------------------------------------------------- */

/* One was killed in here: the positions are right, the numbers may lag behind. */
static void mend(cora_multiprocessing_queue *queue)
{
    uint64_t count = 0;

    for (uint64_t at = queue->head; at < queue->tail; count++) {
        struct cora__queue_header header = header_at(queue, at);

        queue->put = header.number + 1;
        at += space_of((size_t)header.size);
    }
    queue->got = queue->put - count;
}

static void look(cora_multiprocessing_queue *queue, int rc)
{
    if (rc == -EOWNERDEAD)
        mend(queue);
}

static void enter(cora_multiprocessing_queue *queue)
{
    look(queue, cora__shared_lock_acquire(&queue->lock, INFINITY));
}

static void leave(cora_multiprocessing_queue *queue)
{
    cora_multiprocessing_lock_release(&queue->lock);
}

/* 0, also for nothing; -ETIMEDOUT. */
static int wait_for(cora_multiprocessing_queue *queue, cora_multiprocessing_waiting *waiting,
                    double deadline)
{
    int rc = cora__waiting_wait(waiting, &queue->lock, deadline);

    look(queue, rc);
    return rc == -ETIMEDOUT ? rc : 0;
}

/* ---- put ----------------------------------------------------------------------------------- */

static bool has_room(const cora_multiprocessing_queue *queue, uint64_t space)
{
    if (queue->put - queue->got >= queue->maxsize)
        return false;
    return is_empty(queue) || queue->capacity - (queue->tail - queue->head) >= space;
}

static void add(cora_multiprocessing_queue *queue, const void *data, size_t size)
{
    struct cora__queue_header header = {size, queue->put};
    uint64_t at;

    if (is_empty(queue))
        rewind_ring(queue);
    at = queue->tail > queue->head ? queue->tail : queue->head;
    copy_in(queue, at, &header, sizeof header);
    copy_in(queue, at + sizeof header, data, size);
    cora__waiting_notify(&queue->getters);
    __atomic_store_n(&queue->tail, at + space_of(size), __ATOMIC_RELEASE);
    __atomic_store_n(&queue->put, queue->put + 1, __ATOMIC_RELEASE);
}

int cora_multiprocessing_queue_put(cora_multiprocessing_queue *queue, const void *data, size_t size,
                                   double timeout)
{
    double deadline;
    int rc = 0;

    if (isnan(timeout))
        return -EINVAL;
    if (size > queue->capacity || space_of(size) > queue->capacity)
        return -EMSGSIZE;
    deadline = cora__deadline(timeout);
    enter(queue);
    while (rc == 0 && !has_room(queue, space_of(size)))
        rc = wait_for(queue, &queue->putters, deadline);
    if (has_room(queue, space_of(size))) {
        add(queue, data, size);
        rc = 0;
    }
    leave(queue);
    return rc < 0 ? -CORA_EQUEUEFULL : 0;
}

/* ---- get ----------------------------------------------------------------------------------- */

/* Waits for an item and has the first one's length. 0, and the monitor is entered; else not. */
static int enter_when_there_is_one(cora_multiprocessing_queue *queue, double timeout, size_t *size)
{
    double deadline;
    int rc = 0;

    if (isnan(timeout))
        return -EINVAL;
    deadline = cora__deadline(timeout);
    enter(queue);
    while (rc == 0 && is_empty(queue))
        rc = wait_for(queue, &queue->getters, deadline);
    if (!is_empty(queue)) {
        *size = (size_t)header_at(queue, queue->head).size;
        return 0;
    }
    leave(queue);
    return -CORA_EQUEUEEMPTY;
}

static ssize_t take(cora_multiprocessing_queue *queue, void *buffer, size_t size)
{
    copy_out(queue, queue->head + sizeof(struct cora__queue_header), buffer, size);
    cora__waiting_notify(&queue->putters);
    __atomic_store_n(&queue->head, queue->head + space_of(size), __ATOMIC_RELEASE);
    __atomic_store_n(&queue->got, queue->got + 1, __ATOMIC_RELEASE);
    return (ssize_t)size;
}

ssize_t cora_multiprocessing_queue_get_into(cora_multiprocessing_queue *queue, void *buffer,
                                            size_t size, double timeout)
{
    size_t length;
    ssize_t rc = enter_when_there_is_one(queue, timeout, &length);

    if (rc < 0)
        return rc;
    rc = length <= size ? take(queue, buffer, length) : -EMSGSIZE;
    leave(queue);
    return rc;
}

ssize_t cora_multiprocessing_queue_get(cora_multiprocessing_queue *queue, void **ret_data,
                                       double timeout)
{
    size_t length;
    ssize_t rc = enter_when_there_is_one(queue, timeout, &length);
    void *data;

    if (rc < 0)
        return rc;
    data = malloc(length > 0 ? length : 1);
    rc = data != NULL ? take(queue, data, length) : -ENOMEM;
    leave(queue);
    if (rc >= 0)
        *ret_data = data;
    return rc;
}

/* ---- JoinableQueue ------------------------------------------------------------------------- */

int cora_multiprocessing_queue_task_done(cora_multiprocessing_queue *queue)
{
    int rc = 0;

    enter(queue);
    if (queue->done < queue->put) {
        cora__waiting_notify(&queue->joiners);
        queue->done++;
    } else {
        rc = -CORA_EINVALIDSTATE;
    }
    leave(queue);
    return rc;
}

int cora_multiprocessing_queue_join(cora_multiprocessing_queue *queue, double timeout)
{
    double deadline;
    int rc = 0;

    if (isnan(timeout))
        return -EINVAL;
    deadline = cora__deadline(timeout);
    enter(queue);
    while (rc == 0 && queue->done < queue->put)
        rc = wait_for(queue, &queue->joiners, deadline);
    if (queue->done == queue->put)
        rc = 0;
    leave(queue);
    return rc;
}

/* ---- sizes --------------------------------------------------------------------------------- */

size_t cora_multiprocessing_queue_qsize(const cora_multiprocessing_queue *queue)
{
    uint64_t got = __atomic_load_n(&queue->got, __ATOMIC_ACQUIRE);

    return (size_t)(__atomic_load_n(&queue->put, __ATOMIC_ACQUIRE) - got);
}

bool cora_multiprocessing_queue_empty(const cora_multiprocessing_queue *queue)
{
    return cora_multiprocessing_queue_qsize(queue) == 0;
}

bool cora_multiprocessing_queue_full(const cora_multiprocessing_queue *queue)
{
    return cora_multiprocessing_queue_qsize(queue) >= queue->maxsize;
}

/* ---- life ---------------------------------------------------------------------------------- */

int cora_multiprocessing_queue_create(size_t maxsize, size_t memory,
                                      cora_multiprocessing_queue **ret)
{
    cora_multiprocessing_shared_memory shared;
    cora_multiprocessing_queue *queue;
    size_t capacity = memory > 0 ? memory : USUAL_MEMORY;
    int rc;

    if (capacity > SIZE_MAX / 2)
        return -ENOMEM;
    rc = cora_multiprocessing_shared_memory_anonymous(&shared, sizeof *queue + capacity);
    if (rc < 0)
        return rc;
    queue = shared.buf;
    queue->memory = shared;
    queue->maxsize = maxsize > 0 ? maxsize : SIZE_MAX;
    queue->capacity = capacity;
    rc = cora_multiprocessing_lock_init(&queue->lock);
    if (rc < 0)
        cora_multiprocessing_shared_memory_close(&shared);
    else
        *ret = queue;
    return rc;
}

void cora_multiprocessing_queue_free(cora_multiprocessing_queue *queue)
{
    cora_multiprocessing_shared_memory memory;

    if (queue == NULL)
        return;
    memory = queue->memory;
    cora_multiprocessing_shared_memory_close(&memory);
}
