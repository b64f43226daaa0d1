/*
 * executor_map.c: Executor.map() as Python has it: results one by one, in the items' order, with no
 * more items under way than there is room for.
 *
 * The room is a ring. An item is made in it, is worked on there, and is lent to the caller, until
 * he asks for the next one. So nothing is allocated for an item but what its job takes.
 */
#include "deadline.h"

#include <cora/executor.h>

#include <errno.h>
#include <stdlib.h>

struct iteration {
    cora_executor *executor;
    cora_job *fn;
    cora_executor_map_source *source;
    void *arg;
    double deadline;
    size_t size, room;
    size_t first, count; /* of those under way, in the ring */
    bool lent;           /* the first is the caller's just now */
    bool exhausted;      /* there are no more items */
    bool ended;          /* by an error */
    cora_concurrent_future **futures;
    char *items;
};

static size_t place_of(const struct iteration *iteration, size_t index)
{
    return (iteration->first + index) % iteration->room;
}

static char *item_at(const struct iteration *iteration, size_t place)
{
    return iteration->items + place * iteration->size;
}

static int submit_next(struct iteration *iteration)
{
    size_t place = place_of(iteration, iteration->count);
    char *item = item_at(iteration, place);
    int rc;

    iteration->exhausted = !iteration->source(iteration->arg, item);
    if (iteration->exhausted)
        return 0;
    rc = cora_executor_submit(iteration->executor, iteration->fn, item, &iteration->futures[place]);
    if (rc == 0)
        iteration->count++;
    return rc;
}

static int fill(struct iteration *iteration, size_t count)
{
    int rc = 0;

    while (iteration->count < count && !iteration->exhausted && rc == 0)
        rc = submit_next(iteration);
    return rc;
}

static void drop_first(struct iteration *iteration)
{
    cora_concurrent_future_unref(iteration->futures[iteration->first]);
    iteration->first = place_of(iteration, 1);
    iteration->count--;
}

static void cancel_all(const struct iteration *iteration)
{
    for (size_t i = iteration->count; i-- > 0;)
        cora_concurrent_future_cancel(iteration->futures[place_of(iteration, i)]);
}

/* Those that have begun are waited for: they work on items in the ring. */
static void destroy(struct iteration *iteration)
{
    if (iteration == NULL)
        return;
    cancel_all(iteration);
    while (iteration->count > 0) {
        (void)!cora_concurrent_future_result(iteration->futures[iteration->first], INFINITY);
        drop_first(iteration);
    }
    free(iteration->futures);
    free(iteration->items);
    free(iteration);
}

static struct iteration *create(size_t size, size_t room)
{
    struct iteration *iteration = calloc(1, sizeof *iteration);

    if (iteration == NULL)
        return NULL;
    iteration->size = size;
    iteration->room = room;
    iteration->futures = calloc(room, sizeof iteration->futures[0]);
    iteration->items = calloc(room, size > 0 ? size : 1);
    if (iteration->futures == NULL || iteration->items == NULL) {
        destroy(iteration);
        return NULL;
    }
    return iteration;
}

int cora_executor_map_iterator_start(cora_executor_map_iterator *each, cora_executor *executor,
                                     cora_job *fn, cora_executor_map_source *source, void *arg,
                                     size_t size, size_t buffersize, double timeout)
{
    struct iteration *iteration;
    int rc;

    each->iteration_ = NULL;
    if (buffersize == 0 || isnan(timeout))
        return -EINVAL;
    /* One more than may be under way: that which is lent. */
    iteration = buffersize < SIZE_MAX ? create(size, buffersize + 1) : NULL;
    if (iteration == NULL)
        return -ENOMEM;
    iteration->executor = executor;
    iteration->fn = fn;
    iteration->source = source;
    iteration->arg = arg;
    iteration->deadline = cora__deadline(timeout);
    rc = fill(iteration, buffersize);
    if (rc == 0)
        each->iteration_ = iteration;
    else
        destroy(iteration);
    return rc;
}

/* Waits for the first. 0; -ETIMEDOUT, which may be a result, too. */
static int await_first(const struct iteration *iteration, int *ret)
{
    cora_concurrent_future *future = iteration->futures[iteration->first];
    double left = iteration->deadline - cora__clock();

    if (cora_concurrent_future_result(future, left) == -ETIMEDOUT &&
        !cora_concurrent_future_done(future))
        return -ETIMEDOUT;
    *ret = cora_concurrent_future_result(future, 0);
    return 0;
}

int cora_executor_map_iterator_next(cora_executor_map_iterator *each, void **item, int *result)
{
    struct iteration *iteration = each->iteration_;
    int outcome = 0, rc;

    if (iteration == NULL || iteration->ended)
        return -CORA_ESTOPITERATION;
    if (iteration->lent)
        drop_first(iteration);
    iteration->lent = false;
    rc = fill(iteration, iteration->room);
    if (rc == 0 && iteration->count == 0)
        return -CORA_ESTOPITERATION;
    if (rc == 0)
        rc = await_first(iteration, &outcome);
    iteration->lent = rc == 0;
    if (rc < 0) {
        cancel_all(iteration);
        iteration->ended = true;
        return rc;
    }
    if (item != NULL)
        *item = item_at(iteration, iteration->first);
    if (result != NULL)
        *result = outcome;
    return 0;
}

void cora_executor_map_iterator_stop(cora_executor_map_iterator *each)
{
    destroy(each->iteration_);
    each->iteration_ = NULL;
}
