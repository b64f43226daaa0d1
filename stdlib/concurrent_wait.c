#include "concurrent_waiter.h"
#include "deadline.h"

#include <errno.h>

static size_t wanted(size_t count, cora_return_when return_when)
{
    return return_when == CORA_FIRST_COMPLETED && count > 0 ? 1 : count;
}

int cora_concurrent_wait(cora_concurrent_future *const futures[], size_t count, double timeout,
                         cora_return_when return_when)
{
    struct cora__concurrent_waiter *waiter;
    size_t done;
    int rc;

    if (isnan(timeout) || (unsigned)return_when > CORA_ALL_COMPLETED)
        return -EINVAL;
    rc = cora__concurrent_waiter_create(futures, count, &waiter);
    if (rc < 0)
        return rc;
    done = cora__concurrent_waiter_wait(
        waiter, wanted(cora__concurrent_waiter_count(waiter), return_when),
        return_when == CORA_FIRST_EXCEPTION, cora__deadline(timeout));
    cora__concurrent_waiter_free(waiter);
    return (int)done;
}
