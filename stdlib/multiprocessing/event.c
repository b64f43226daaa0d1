#include <cora/multiprocessing/event.h>

#include "condition.h"

int cora_multiprocessing_event_init(cora_multiprocessing_event *event)
{
    event->set_ = false;
    return cora_multiprocessing_condition_init(&event->condition_);
}

static void change(cora_multiprocessing_event *event, bool set)
{
    cora__monitor_enter(&event->condition_);
    if (set)
        cora_multiprocessing_condition_notify_all(&event->condition_);
    __atomic_store_n(&event->set_, set, __ATOMIC_RELEASE);
    cora__monitor_leave(&event->condition_);
}

void cora_multiprocessing_event_set(cora_multiprocessing_event *event)
{
    change(event, true);
}

void cora_multiprocessing_event_clear(cora_multiprocessing_event *event)
{
    change(event, false);
}

bool cora_multiprocessing_event_is_set(const cora_multiprocessing_event *event)
{
    return __atomic_load_n(&event->set_, __ATOMIC_ACQUIRE);
}

static bool is_set(const void *event)
{
    return cora_multiprocessing_event_is_set(event);
}

int cora_multiprocessing_event_wait(cora_multiprocessing_event *event, double timeout)
{
    int rc = cora__monitor_enter_when(&event->condition_, is_set, event, timeout);

    if (rc == 0)
        cora__monitor_leave(&event->condition_);
    return rc;
}
