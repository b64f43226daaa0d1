/*
 * 12_barrier.c: waiting for one another.
 *
 * What to notice: nobody passes the barrier before all three have come; then it is as new, for the
 * next stage. Each gets another number, so that one of them can be picked for what is to be done
 * once. The last to come does not wait, and runs first.
 */
#include <cora.h>

#include <stdio.h>

struct hike_args {
    const char *hiker;
    cora_barrier *hut;
};

static int hike(void *arg)
{
    struct hike_args *a = arg;

    for (int stage = 1; stage <= 2; stage++) {
        int rc = cora_sleep(0.01);

        if (rc < 0)
            return rc;
        printf("%s: at hut %d\n", a->hiker, stage);

        int number = cora_barrier_wait(a->hut);

        if (number < 0)
            return number;
        if (number == 0)
            printf("%s: was here first and locks the door\n", a->hiker);
        printf("%s: goes on\n", a->hiker);
    }
    return 0;
}

static int tour(void *arg)
{
    static const char *const hikers[] = {"Anna", "Ben", "Cleo"};
    cora_task_group group;
    cora_barrier hut;
    int rc = cora_barrier_init(&hut, 3);

    (void)arg;
    if (rc < 0)
        return rc;
    cora_task_group_enter(&group);
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = cora_task_group_create_task(&group, hike, .hiker = hikers[i], .hut = &hut);
    return cora_task_group_exit(&group, rc);
}

int main(void)
{
    int rc = cora_run(tour, NULL);

    if (rc < 0)
        fprintf(stderr, "12_barrier: %s\n", cora_strerror(rc));
    return rc < 0;
}
