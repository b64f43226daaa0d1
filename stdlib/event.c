#include <cora/event.h>

void cora_event_init(cora_event *event)
{
    *event = (cora_event)CORA_EVENT_INIT;
}

int cora_event_wait(cora_event *event)
{
    cora_waiter waiter;
    int rc;

    if (event->set_)
        return 0;
    cora_waiter_init(&waiter, "event", event);
    cora_wait_queue_append(&event->waiters_, &waiter);
    rc = cora_waiter_wait(&waiter);
    cora_wait_queue_remove(&event->waiters_, &waiter);
    return rc;
}

void cora_event_set(cora_event *event)
{
    event->set_ = true;
    while (cora_wait_queue_wake_first(&event->waiters_))
        continue;
}

void cora_event_clear(cora_event *event)
{
    event->set_ = false;
}

bool cora_event_is_set(const cora_event *event)
{
    return event->set_;
}
