/*
 * event.h: something that processes wait for (multiprocessing.Event).
 */
#ifndef CORA_MULTIPROCESSING_EVENT_H
#define CORA_MULTIPROCESSING_EVENT_H

#include <cora/base.h>
#include <cora/multiprocessing/condition.h>

CORA_BEGIN_DECLS

/* Storage of the caller's, in shared memory. Its members are private. */
typedef struct cora_multiprocessing_event {
    cora_multiprocessing_condition condition_;
    bool set_;
} cora_multiprocessing_event;

/* Not set. 0; -ENOMEM. */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_event_init(cora_multiprocessing_event *event);

/* Lets all go on who wait, and who come, until it is cleared. */
CORA_API void cora_multiprocessing_event_set(cora_multiprocessing_event *event);
CORA_API void cora_multiprocessing_event_clear(cora_multiprocessing_event *event);
CORA_API bool cora_multiprocessing_event_is_set(const cora_multiprocessing_event *event);

/*
 * Blocks until it is set, for at most `timeout` seconds (INFINITY: for any time; 0 or less: not at
 * all). 0; -ETIMEDOUT; -EINVAL for NaN.
 */
CORA_API CORA_MUST_CHECK int cora_multiprocessing_event_wait(cora_multiprocessing_event *event,
                                                             double timeout);

CORA_END_DECLS

#endif
