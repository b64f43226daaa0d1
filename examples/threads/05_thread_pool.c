/*
 * 05_thread_pool.c: jobs for a few threads, and three ways to get at their results.
 *
 * What to notice: submit hands a job over and gives a future; map does the same job with each item
 * and keeps the results in the items' order; as_completed gives each future as soon as it is done,
 * in whatever order that is. What a job gets a pointer to must stay until it is done: with map,
 * which waits, that is no question. In C the jobs of a pool of threads compute at the same time.
 */
#include <cora.h>

#include <stdio.h>

/* Steps until a number is 1: it is halved when even, else times 3 plus 1. */
static int collatz(void *arg)
{
    const long *start = arg;
    int steps = 0;

    for (long number = *start; number != 1; steps++)
        number = number % 2 == 0 ? number / 2 : 3 * number + 1;
    return steps;
}

static int submit_one(cora_executor *pool)
{
    long number = 27;
    cora_concurrent_future *future;
    int rc = cora_executor_submit(pool, collatz, &number, &future);

    if (rc < 0)
        return rc;
    rc = cora_concurrent_future_result(future, INFINITY);
    cora_concurrent_future_unref(future);
    if (rc < 0)
        return rc;
    printf("submit: from 27 it takes %d steps\n", rc);
    return 0;
}

static int map_all(cora_executor *pool)
{
    long numbers[] = {6, 7, 9, 97};
    int steps[4];
    int rc = cora_executor_map(pool, collatz, numbers, sizeof numbers[0], 4, 0, INFINITY, steps);

    for (int i = 0; i < 4 && rc == 0; i++)
        printf("map: from %ld it takes %d steps\n", numbers[i], steps[i]);
    return rc;
}

static int print_progress(cora_concurrent_future *const futures[], size_t count)
{
    cora_concurrent_as_completed each;
    cora_concurrent_future *future;
    int rc = cora_concurrent_as_completed_start(&each, futures, count, INFINITY);
    int done = 0, total = 0;

    while (rc == 0 && (rc = cora_concurrent_as_completed_next(&each, &future)) == 0) {
        int steps = cora_concurrent_future_result(future, 0);

        if (steps < 0) {
            rc = steps;
        } else {
            total += steps;
            printf("as_completed: %d of %zu done\n", ++done, count);
        }
    }
    cora_concurrent_as_completed_stop(&each);
    if (rc != -CORA_ESTOPITERATION)
        return rc;
    printf("as_completed: %d steps in all\n", total);
    return 0;
}

static int take_as_completed(cora_executor *pool)
{
    static long numbers[] = {871, 6171, 77031};
    cora_concurrent_future *futures[3] = {NULL};
    int rc = 0;

    for (int i = 0; i < 3 && rc == 0; i++)
        rc = cora_executor_submit(pool, collatz, &numbers[i], &futures[i]);
    if (rc == 0)
        rc = print_progress(futures, 3);
    for (int i = 0; i < 3; i++)
        cora_concurrent_future_unref(futures[i]);
    return rc;
}

int main(void)
{
    cora_executor *pool = NULL;
    int rc = cora_thread_pool_executor_create(&(cora_thread_pool_options){.max_workers = 3}, &pool);

    if (rc == 0)
        rc = submit_one(pool);
    if (rc == 0)
        rc = map_all(pool);
    if (rc == 0)
        rc = take_as_completed(pool);
    cora_executor_free(pool);
    if (rc < 0)
        fprintf(stderr, "05_thread_pool: %s\n", cora_strerror(rc));
    return rc < 0;
}
