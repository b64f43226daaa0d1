#include "concurrent_waiter.h"
#include "deadline.h"

#include <errno.h>

int cora_concurrent_as_completed_start(cora_concurrent_as_completed *each,
                                       cora_concurrent_future *const futures[], size_t count,
                                       double timeout)
{
    struct cora__concurrent_waiter *waiter = NULL;
    int rc = isnan(timeout) ? -EINVAL : cora__concurrent_waiter_create(futures, count, &waiter);

    each->waiter_ = waiter;
    each->taken_ = 0;
    each->deadline_ = rc == 0 ? cora__deadline(timeout) : 0;
    return rc;
}

int cora_concurrent_as_completed_next(cora_concurrent_as_completed *each,
                                      cora_concurrent_future **ret)
{
    struct cora__concurrent_waiter *waiter = each->waiter_;

    if (waiter == NULL || each->taken_ == cora__concurrent_waiter_count(waiter))
        return -CORA_ESTOPITERATION;
    if (cora__concurrent_waiter_wait(waiter, each->taken_ + 1, false, each->deadline_) ==
        each->taken_)
        return -ETIMEDOUT;
    *ret = cora__concurrent_waiter_take(waiter);
    each->taken_++;
    return 0;
}

void cora_concurrent_as_completed_stop(cora_concurrent_as_completed *each)
{
    cora__concurrent_waiter_free(each->waiter_);
    each->waiter_ = NULL;
}
