/*
 * 04_gather.c: several tasks at once, and their results in order.
 *
 * What to notice: whichever task ends first, the results are in the order of the tasks. The first
 * that fails is what cora_gather returns, and the others go on: nobody cancels them (a task group
 * would, 05_task_groups.c), so they must not use what lies in the frame of who has gone on without
 * them. With CORA_RETURN_EXCEPTIONS an error is a result like others, and gather waits for all.
 * cora_gather_unref is cora_gather for tasks that were made only for it: afterwards it gives the
 * references back.
 */
#include <cora.h>

#include <stdio.h>

struct weigh_args {
    const char *parcel;
    double delay;
    int grams; /* 0: it is lost */
};

static int weigh(void *arg)
{
    struct weigh_args *a = arg;
    int rc = cora_sleep(a->delay);

    if (rc < 0)
        return rc;
    printf("  %s: %s\n", a->parcel, a->grams == 0 ? "lost" : "weighed");
    return a->grams == 0 ? -ENOENT : a->grams;
}

static CORA_SUSPENDS int weigh_all(int grams_of_second, int grams[3], unsigned flags)
{
    cora_task *tasks[] = {
        cora_create_task(weigh, .parcel = "first", .delay = 0.05, .grams = 500),
        cora_create_task(weigh, .parcel = "second", .delay = 0, .grams = grams_of_second),
        cora_create_task(weigh, .parcel = "third", .delay = 0.05, .grams = 200),
    };

    return cora_gather_unref(tasks, 3, grams, flags);
}

static int post_office(void *arg)
{
    int grams[3];
    int rc;

    (void)arg;
    printf("gather:\n");
    rc = weigh_all(900, grams, 0);
    if (rc < 0)
        return rc;
    printf("  %d, %d and %d g\n", grams[0], grams[1], grams[2]);

    printf("gather, and one is lost:\n");
    rc = weigh_all(0, grams, 0);
    if (rc != -ENOENT)
        return rc;
    rc = cora_sleep(0.05);
    if (rc < 0)
        return rc;
    printf("  gather failed, the others went on\n");

    printf("gather, errors are results:\n");
    rc = weigh_all(0, grams, CORA_RETURN_EXCEPTIONS);
    if (rc < 0)
        return rc;
    for (int i = 0; i < 3; i++)
        if (grams[i] == -ENOENT)
            printf("  result %d: not found\n", i);
        else
            printf("  result %d: %d g\n", i, grams[i]);
    return 0;
}

int main(void)
{
    int rc = cora_run(post_office, NULL);

    if (rc < 0)
        fprintf(stderr, "04_gather: %s\n", cora_strerror(rc));
    return rc < 0;
}
