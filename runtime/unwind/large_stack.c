#include "unwind/symbols.h"

#include <cora/error.h>

#include "coroutine/coroutine.h"

enum { LARGE_STACK = 1 << 20 };

struct call {
    void (*fn)(void *arg);
    void *arg;
};

static int run_call(void *arg)
{
    struct call *call = arg;

    call->fn(call->arg);
    return 0;
}

int cora__symbols_call(void (*fn)(void *arg), void *arg)
{
    struct call call = {fn, arg};
    cora_coroutine *coroutine;
    int rc = cora_coroutine_create(&coroutine, run_call, &call, LARGE_STACK);

    if (rc < 0)
        return rc;
    rc = cora_coroutine_resume(coroutine, NULL, NULL);
    cora_coroutine_destroy(coroutine);
    return rc == -CORA_ESTOPITERATION ? 0 : rc;
}
