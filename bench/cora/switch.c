/*
 * The switch alone, as the context layer has it (context/context.h): from one stack to another and
 * back, no scheduler, no coroutine. And above it a coroutine that is resumed and yields.
 */
#include "bench.h"

#include "context/context.h"

enum { BATCH = 100000 };

static void *here, *there;

static void other_side(void *nothing)
{
    (void)nothing;
    for (;;)
        cora__context_switch(&there, here);
}

int switch_main(void *nothing)
{
    enum { SIZE = 64 * 1024 };
    char *stack = aligned_alloc(16, SIZE);
    long switches = 0;

    (void)nothing;
    check(stack != NULL, "there is memory for a stack");
    there = cora__context_create(stack, stack + SIZE, other_side, NULL);
    int64_t start = cpu_ns();
    do {
        for (int i = 0; i < BATCH; i++)
            cora__context_switch(&here, there);
        switches += 2L * BATCH;
    } while (!enough(start));
    report("ns", per(cpu_ns() - start, switches), NULL);
    free(stack);
    return 0;
}

static int yield_back(void *nothing)
{
    (void)nothing;
    while (cora_coroutine_yield(NULL, NULL) == 0)
        ;
    return 0;
}

int coroutine_main(void *nothing)
{
    cora_coroutine *coroutine;
    long resumes = 0, failed = 0;

    (void)nothing;
    check(cora_coroutine_create(&coroutine, yield_back, NULL, 0) == 0, "a coroutine is created");
    int64_t start = cpu_ns();
    do {
        for (int i = 0; i < BATCH; i++)
            failed += cora_coroutine_resume(coroutine, NULL, NULL) != 0;
        resumes += BATCH;
    } while (!enough(start));
    int64_t elapsed = cpu_ns() - start;

    check(failed == 0, "every resume ends in a yield");
    check(cora_coroutine_destroy(coroutine) == 0, "the coroutine ends when it is closed");
    report("ns", per(elapsed, resumes), NULL);
    return 0;
}
