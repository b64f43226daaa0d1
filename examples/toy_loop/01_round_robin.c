/*
 * 01_round_robin.c: two coroutines take turns until both are exhausted.
 *
 * What to notice: this is the whole loop of many tutorials, and it has the one thing that makes all
 * others possible: a function can stop in its middle and go on there. Who yields says no more than
 * "let others run". So a coroutine that waited for something would have to ask again at each turn,
 * and the loop would never rest.
 */
#include <cora/coroutine.h>

#include <stdio.h>

struct count {
    const char *name;
    int to;
};

static int count(void *arg)
{
    struct count *self = arg;
    int rc = 0;

    for (int i = 1; i <= self->to && rc == 0; i++) {
        printf("%s: %d\n", self->name, i);
        rc = cora_coroutine_yield(NULL, NULL);
    }
    return rc;
}

static void run(cora_coroutine *coroutines[], int size)
{
    int left = size;

    for (int turn = 0; left > 0; turn = (turn + 1) % size) {
        if (coroutines[turn] == NULL || cora_coroutine_resume(coroutines[turn], NULL, NULL) == 0)
            continue;
        cora_coroutine_destroy(coroutines[turn]);
        coroutines[turn] = NULL;
        left--;
    }
}

int main(void)
{
    struct count counts[] = {{"a", 2}, {"b", 4}};
    cora_coroutine *coroutines[] = {NULL, NULL};

    for (int i = 0; i < 2; i++)
        if (cora_coroutine_create(&coroutines[i], count, &counts[i], 0) < 0)
            return 1;
    run(coroutines, 2);
    return 0;
}
