#include <cora/threading/event.h>

#include "deadline.h"
#include "parking.h"

static struct cora__line *waiters(cora_threading_event *event)
{
    return (struct cora__line *)event->waiters_;
}

void cora_threading_event_init(cora_threading_event *event)
{
    pthread_mutex_init(&event->lock_, NULL);
    *waiters(event) = (struct cora__line){NULL, NULL};
    event->set_ = false;
}

void cora_threading_event_destroy(cora_threading_event *event)
{
    pthread_mutex_destroy(&event->lock_);
}

void cora_threading_event_set(cora_threading_event *event)
{
    struct cora__section section;

    cora__enter(&section, &event->lock_);
    event->set_ = true;
    cora__call_all(&section, waiters(event));
    cora__leave(&section);
}

void cora_threading_event_clear(cora_threading_event *event)
{
    pthread_mutex_lock(&event->lock_);
    event->set_ = false;
    pthread_mutex_unlock(&event->lock_);
}

bool cora_threading_event_is_set(cora_threading_event *event)
{
    bool set;

    pthread_mutex_lock(&event->lock_);
    set = event->set_;
    pthread_mutex_unlock(&event->lock_);
    return set;
}

static int wait_set(cora_threading_event *event, struct cora__how how)
{
    static const struct cora__wanted setting = {"event", NULL};
    struct cora__section section;
    int rc = 0;

    cora__enter(&section, &event->lock_);
    if (!event->set_)
        rc = cora__park(&section, waiters(event), how, &setting, event);
    cora__leave(&section);
    return rc;
}

int cora_threading_event_wait(cora_threading_event *event, double timeout)
{
    if (isnan(timeout))
        return -EINVAL;
    return wait_set(event, (struct cora__how){.deadline = cora__deadline(timeout)});
}

int cora_threading_event_async_wait(cora_threading_event *event)
{
    return wait_set(event, (struct cora__how){.suspends = true});
}
