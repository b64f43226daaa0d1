/*
 * event.h: something has happened (asyncio.Event): a flag that tasks can wait for.
 */
#ifndef CORA_EVENT_H
#define CORA_EVENT_H

#include <cora/base.h>
#include <cora/waiter.h>

CORA_BEGIN_DECLS

/* Storage of the caller's; must stay where it is while somebody waits. Its members are private. */
typedef struct cora_event {
    cora_wait_queue waiters_;
    bool set_;
} cora_event;

/* An event that is not set. Nothing is to be freed. */
#define CORA_EVENT_INIT                                                                            \
    {                                                                                              \
        {{NULL, NULL, NULL, NULL}}, false                                                          \
    }
CORA_API void cora_event_init(cora_event *event);

/* Suspends until the event is set; at once if it is. 0; -ECANCELED; -CORA_ENOTASK. */
CORA_API CORA_SUSPENDS CORA_MUST_CHECK int cora_event_wait(cora_event *event);

/* Sets the event and wakes all who wait, even if it is cleared before they run. */
CORA_API void cora_event_set(cora_event *event);

CORA_API void cora_event_clear(cora_event *event);
CORA_API bool cora_event_is_set(const cora_event *event);

CORA_END_DECLS

#endif
