#include "combine/futures.h"

#include <errno.h>

int cora__futures_check(cora_future *const futures[], size_t count, struct cora_loop **ret)
{
    struct cora_loop *loop =
        count > 0 && futures[0] != NULL ? futures[0]->loop : cora__loop_running;

    for (size_t i = 0; i < count; i++) {
        if (futures[i] == NULL)
            return -ENOMEM;
        if (futures[i]->loop != loop)
            return -CORA_EWRONGLOOP;
    }
    *ret = loop;
    return loop != NULL ? 0 : -CORA_ENOLOOP;
}
