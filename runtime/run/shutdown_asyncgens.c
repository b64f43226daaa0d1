#include <cora/run.h>

#include <cora/gather.h>

#include "task/async_generator.h"

#include <errno.h>
#include <stdlib.h>

/* Who closes it: a reference for each; NULL without memory. */
static void begin(struct cora_loop *loop, cora_task *closers[])
{
    struct cora__list *link = loop->async_generators.next;

    for (; link != &loop->async_generators; link = link->next) {
        struct cora_async_generator *generator =
            cora__container_of(link, struct cora_async_generator, link);

        *closers++ = cora_task_ref(cora__async_generator_close_soon(generator));
    }
}

static void report_error(struct cora_loop *loop, cora_task *closer)
{
    int error = cora_task_done(closer) ? cora_task_exception(closer) : 0;

    if (error < 0 && error != -ECANCELED)
        cora__async_generator_report(loop, cora__as_task(closer)->label.function, error);
}

int cora_loop_shutdown_asyncgens(cora_loop *loop)
{
    size_t count = 0;
    cora_task **closers;
    int rc;

    if (cora__current_task() == NULL)
        return -CORA_ENOTASK;
    if (loop != cora__loop_running)
        return -CORA_EWRONGLOOP;
    loop->async_generators_shut_down = true;
    for (struct cora__list *link = loop->async_generators.next; link != &loop->async_generators;
         link = link->next)
        count++;
    if (count == 0)
        return 0;
    closers = calloc(count, sizeof closers[0]);
    if (closers == NULL)
        return -ENOMEM;
    begin(loop, closers);
    rc = cora_gather(closers, count, NULL, CORA_RETURN_EXCEPTIONS);
    for (size_t i = 0; i < count; i++) {
        report_error(loop, closers[i]);
        cora_task_unref(closers[i]);
    }
    free(closers);
    return rc;
}
