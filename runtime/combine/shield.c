#include <cora/wait.h>

#include "future/source.h"

#include <errno.h>
#include <stdlib.h>

/*
 * The outer future, with a handle in the callbacks of the inner one and one in its own. Neither
 * handle keeps it alive: when its last user goes, both are taken out.
 */
struct shield {
    struct cora_future future;
    struct cora_future *inner;
    struct cora__handle inner_done, outer_done;
};

/* Nobody is left whom the error could be told by a result. */
static void report_error(struct cora_future *inner, void *arg)
{
    (void)arg;
    if (inner->state == CORA__FINISHED && cora__future_retrieve(inner) < 0)
        cora__loop_report(inner->loop, NULL, inner, inner->outcome,
                          "error in a shielded future after its waiter was cancelled");
}

static void on_inner_done(void *arg)
{
    struct shield *shield = arg;
    struct cora_future *inner = shield->inner;

    if (cora__future_done(&shield->future))
        return;
    if (inner->state == CORA__CANCELLED) {
        cora__future_cancel_plain(&shield->future, inner->cancel_message);
    } else {
        shield->future.value = inner->value;
        cora__future_complete(&shield->future, CORA__FINISHED, cora__future_retrieve(inner));
    }
}

static struct cora_future *waiter(const struct cora__handle *inner_done)
{
    struct shield *shield = inner_done->arg;

    return &shield->future;
}

static const struct cora__handle_kind inner_done_kind = {.waiter = waiter};

/* The waiter was cancelled: the inner future goes on alone, and is reported once if it fails. Where
 * many are cancelled at once the one before has just put the report there. */
static void on_outer_done(void *arg)
{
    struct shield *shield = arg;
    struct cora_future *inner = shield->inner;

    if (cora__future_done(inner))
        return;
    cora__list_remove(&shield->inner_done.link);
    if (!cora__future_remove_last(inner, report_error, NULL))
        cora_future_remove_done_callback(inner, report_error, NULL);
    if (cora_future_add_done_callback(inner, report_error, NULL) < 0)
        return; /* without memory for it the error is reported as one never asked for */
}

static void destroy(struct cora_future *future)
{
    struct shield *shield = cora__container_of(future, struct shield, future);

    cora__list_remove(&shield->inner_done.link);
    cora__list_remove(&shield->outer_done.link);
    cora_future_unref(shield->inner);
    free(shield);
}

static const struct cora__future_kind shield_kind = {.destroy = destroy};

cora_future *cora_shield(cora_future *inner)
{
    struct shield *shield;

    if (inner == NULL || cora__future_done(inner))
        return cora_future_ref(inner);
    shield = malloc(sizeof *shield);
    if (shield == NULL)
        return NULL;
    cora__future_init(&shield->future, inner->loop, &shield_kind, "shielded future");
    cora__loop_ref(inner->loop);
    cora__future_remember(&shield->future);
    shield->inner = cora_future_ref(inner);
    cora__handle_init(&shield->inner_done, on_inner_done, shield);
    shield->inner_done.kind = &inner_done_kind;
    cora__handle_init(&shield->outer_done, on_outer_done, shield);
    cora__list_append(&inner->callbacks, &shield->inner_done.link);
    cora__list_append(&shield->future.callbacks, &shield->outer_done.link);
    return &shield->future;
}
