#include "coroutine/fiber.h"

#include <pthread.h>
#include <string.h>

void cora__fiber_init_thread(struct cora__fiber *fiber)
{
    memset(fiber, 0, sizeof *fiber);
#ifdef CORA_ASAN
    pthread_attr_t attributes;
    void *low = NULL;
    size_t size = 0;

    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstack(&attributes, &low, &size);
        pthread_attr_destroy(&attributes);
    }
    fiber->low = low;
    fiber->size = size;
#endif
#ifdef CORA_TSAN
    fiber->tsan = __tsan_get_current_fiber();
#endif
}
