#include <cora/threading/timer.h>

#include "deadline.h"
#include "thread.h"

/* In its thread. */
static int run_timer(cora_threading_thread *timer)
{
    double deadline = cora__deadline(timer->interval);
    bool cancelled;
    int rc = 0;

    cora__threads_lock();
    while (!timer->cancelled && rc == 0)
        rc = cora__threads_wait(timer, deadline);
    cancelled = timer->cancelled;
    cora__threads_unlock();
    return cancelled ? 0 : cora__thread_call(timer);
}

cora_threading_thread *cora_threading_timer_create_copy(
    double interval, const cora_threading_thread_options *options, cora_threading_fn *fn,
    const char *function, const void *args, size_t size)
{
    cora_threading_thread *timer = NULL;

    if (!isnan(interval))
        timer = cora__thread_create(options, fn, function, args, size);
    if (timer != NULL) {
        timer->interval = interval;
        timer->run = run_timer;
    }
    return timer;
}

void cora_threading_timer_cancel(cora_threading_thread *timer)
{
    if (timer == NULL)
        return;
    cora__threads_lock();
    timer->cancelled = true;
    cora__call_all(NULL, &timer->waiters);
    cora__threads_unlock();
}
