/*
 * 07_local.c: data of which each thread has its own.
 *
 * What to notice: `next_number` counts without a lock, and each thread begins at 1: the counter is
 * a thread's own, of zeros when it first asks, and is freed when it ends. Where it is known to the
 * compiler and needs no end, C11's _Thread_local does the same. Tasks of one loop share a thread,
 * and with it this; theirs are context variables (tasks/20_context_variables.c).
 */
#include <cora.h>

#include <stdio.h>

struct counter {
    int number;
};

static cora_threading_local counters;

static int next_number(void)
{
    struct counter *mine = cora_threading_local_get(&counters);

    return mine == NULL ? -ENOMEM : ++mine->number;
}

struct count_args {
    int calls;
};

static int count(void *arg)
{
    const struct count_args *a = arg;
    int rc = 0;

    for (int i = 0; i < a->calls && rc >= 0; i++)
        rc = next_number();
    return rc;
}

static int count_in_thread(int calls)
{
    cora_threading_thread *thread = cora_threading_thread_create(count, .calls = calls);
    int rc = cora_threading_thread_start(thread);

    if (rc == 0)
        rc = cora_threading_thread_join(thread, INFINITY);
    if (rc == 0)
        rc = cora_threading_thread_result(thread);
    if (rc >= 0)
        printf("%s: %d\n", cora_threading_thread_get_name(thread), rc);
    cora_threading_thread_unref(thread);
    return rc < 0 ? rc : 0;
}

int main(void)
{
    int rc = cora_threading_local_init(&counters, sizeof(struct counter), NULL, NULL);

    if (rc < 0) {
        fprintf(stderr, "07_local: %s\n", cora_strerror(rc));
        return 1;
    }
    rc = count_in_thread(3);
    if (rc == 0)
        rc = count_in_thread(5);
    if (rc == 0) {
        rc = next_number();
        printf("main: %d\n", rc);
    }
    cora_threading_local_destroy(&counters);
    if (rc < 0)
        fprintf(stderr, "07_local: %s\n", cora_strerror(rc));
    return rc < 0;
}
