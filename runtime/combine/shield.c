#include <cora/wait.h>

#include "future/future.h"

#include <errno.h>
#include <stdlib.h>

/*
 * The outer future. Its handle waits in the callbacks of the inner one; a second one, in those of
 * the outer, notices that the outer was cancelled first. Both futures live as long as a handle of
 * theirs is out.
 */
struct shield {
    struct cora_future future;
    struct cora_future *inner;
    struct cora__handle inner_done, outer_done;
};

static void report_error(struct cora_future *inner)
{
    if (inner->state == CORA__FINISHED && cora__future_retrieve(inner) < 0)
        cora__loop_report(inner->loop, NULL, inner, inner->outcome,
                          "error in a shielded future after its waiter was cancelled");
}

static void on_inner_done(void *arg)
{
    struct shield *shield = arg;
    struct cora_future *inner = shield->inner;

    if (shield->future.state == CORA__CANCELLED)
        report_error(inner);
    else if (inner->state == CORA__CANCELLED)
        cora__future_cancel_plain(&shield->future, inner->cancel_message);
    else if (!cora__future_done(&shield->future)) {
        shield->future.value = inner->value;
        cora__future_complete(&shield->future, CORA__FINISHED, cora__future_retrieve(inner));
    }
    cora_future_unref(&shield->future);
}

/* The waiter has been cancelled: from now on the inner future is only watched for an error. */
static void on_outer_done(void *arg)
{
    struct shield *shield = arg;
    struct cora_future *inner = shield->inner;

    if (!cora__future_done(inner)) {
        cora__list_remove(&shield->inner_done.link);
        cora__list_append(&inner->callbacks, &shield->inner_done.link);
    }
    cora_future_unref(&shield->future);
}

static void drop(struct cora__handle *handle)
{
    struct shield *shield = handle->arg;

    cora_future_unref(&shield->future);
}

static void destroy(struct cora_future *future)
{
    struct shield *shield = cora__container_of(future, struct shield, future);

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
    shield->future.refs = 3; /* the caller's and one for each handle */
    shield->inner = cora_future_ref(inner);
    cora__handle_init(&shield->inner_done, on_inner_done, shield);
    cora__handle_init(&shield->outer_done, on_outer_done, shield);
    shield->inner_done.drop = shield->outer_done.drop = drop;
    cora__list_append(&inner->callbacks, &shield->inner_done.link);
    cora__list_append(&shield->future.callbacks, &shield->outer_done.link);
    return &shield->future;
}
