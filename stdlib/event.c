#include <cora/event.h>

void cora_event_init(cora_event *event)
{
    *event = (cora_event)CORA_EVENT_INIT;
}

int cora_event_wait(cora_event *event)
{
    cora_waiter waiter;

    if (event->set_)
        return 0;
    return cora_wait_queue_wait(&event->waiters_, &waiter, "event", event);
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
