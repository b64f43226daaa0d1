/*
 * local.h: data of which each thread has its own (threading.local).
 *
 *     static cora_threading_local buffers;
 *
 *     rc = cora_threading_local_init(&buffers, sizeof(struct buffer), NULL, free_text);
 *     ...
 *     struct buffer *mine = cora_threading_local_get(&buffers);    // in any thread
 *
 * It is a key of pthread's with memory behind it. What needs no end, and is known when the program
 * is compiled, is C11's _Thread_local: that is a load from memory. Data of a task is a context
 * variable (<cora/contextvars.h>): tasks share their thread.
 */
#ifndef CORA_THREADING_LOCAL_H
#define CORA_THREADING_LOCAL_H

#include <cora/base.h>

#include <pthread.h>

CORA_BEGIN_DECLS

/* Storage of the caller's, which must stay where it is. Its members are private. */
typedef struct cora_threading_local {
    pthread_key_t key_;
    size_t size_;
    int (*init_)(void *data);
    void (*destructor_)(void *data);
    pthread_mutex_t mutex_;
    struct cora__link *first_; /* of all threads */
} cora_threading_local;

/*
 * Each thread that asks for it will have `size` bytes, 0 at first. init(data) (NULL: nothing more
 * is to be done) makes something of them, in that thread, and may fail; destructor(data) (NULL:
 * nothing is to be done) is called before they are freed, in that thread too, when it ends. 0;
 * -EAGAIN where the system has no more keys.
 */
CORA_API CORA_MUST_CHECK int cora_threading_local_init(cora_threading_local *local, size_t size,
                                                       int (*init)(void *data),
                                                       void (*destructor)(void *data));

/* Calls the destructor for the data of those threads that have not ended, and frees it. No other
 * thread may use it, or be about to end, meanwhile. */
CORA_API void cora_threading_local_destroy(cora_threading_local *local);

/* The calling thread's. NULL where there is no memory or its init failed; the next call tries
 * again.
 */
CORA_API void *cora_threading_local_get(cora_threading_local *local);

CORA_END_DECLS

#endif
