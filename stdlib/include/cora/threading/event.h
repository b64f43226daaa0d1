/*
 * threading/event.h: threads and tasks that wait until something has happened (threading.Event).
 *
 *     cora_threading_event ready = CORA_THREADING_EVENT_INIT;
 *
 *     rc = cora_threading_event_wait(&ready, 5.0);         // blocks this thread
 *     rc = cora_threading_event_async_wait(&ready);        // suspends this task
 *
 *     cora_threading_event_set(&ready);                    // in any thread: all of them go on
 *
 * Any number of threads, and of tasks of any loops, may wait for one event. While a task waits its
 * loop is held (cora_loop_hold): there is somebody, it is assumed, to set the event. After a fork
 * the child must not use an event that others used at that moment.
 */
#ifndef CORA_THREADING_EVENT_H
#define CORA_THREADING_EVENT_H

#include <cora/base.h>
#include <cora/error.h>

#include <math.h>
#include <pthread.h>

CORA_BEGIN_DECLS

/* Storage of the caller's; must stay where it is while somebody uses it. Its members are private.
 */
typedef struct cora_threading_event {
    pthread_mutex_t lock_;
    void *waiters_[2];
    bool set_;
} cora_threading_event;

/* Not set. */
#define CORA_THREADING_EVENT_INIT                                                                  \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, {NULL, NULL}, false                                             \
    }
CORA_API void cora_threading_event_init(cora_threading_event *event);

/* Before its storage goes. Nobody may be using it. */
CORA_API void cora_threading_event_destroy(cora_threading_event *event);

/* All who wait go on, also if it is cleared before they run. Never blocks for long. */
CORA_API void cora_threading_event_set(cora_threading_event *event);
CORA_API void cora_threading_event_clear(cora_threading_event *event);
CORA_API bool cora_threading_event_is_set(cora_threading_event *event);

/*
 * Blocks the thread until it is set, for at most `timeout` seconds (INFINITY: for any time; 0 or
 * less: not at all). 0; -ETIMEDOUT; -EINVAL for NaN.
 */
CORA_API CORA_MUST_CHECK int cora_threading_event_wait(cora_threading_event *event, double timeout);

/*
 * Suspends the task until it is set. 0; -ECANCELED; -ENOMEM, only where the loop has had no task
 * that waited so; -CORA_ENOTASK where it would have to suspend outside a task.
 */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_threading_event_async_wait(
    cora_threading_event *event);

CORA_END_DECLS

#endif
