/*
 * source.h: where a future was created, for reports in debug mode (asyncio's source_traceback).
 */
#ifndef CORA_FUTURE_SOURCE_H
#define CORA_FUTURE_SOURCE_H

#include "future/future.h"

void cora__source_remember(struct cora_future *future, const void *caller);
void cora__source_forget(struct cora_future *future);

/*
 * To be called by the public function that creates the future: in debug mode its callers are
 * remembered until the last reference goes. Without memory they are not.
 */
static inline __attribute__((always_inline)) void cora__future_remember(struct cora_future *future)
{
    if (__builtin_expect(future->loop->debug, false))
        cora__source_remember(future, __builtin_return_address(0));
}

/* cora__loop_report of a future, with what is known of its creation. */
void cora__future_report(struct cora_future *future, const char *task, int error,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
