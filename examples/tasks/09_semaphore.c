/*
 * 09_semaphore.c: at most so many at a time.
 *
 * What to notice: six tasks exist from the start, but the semaphore lets only two at a time into
 * the kitchen; the others wait, first come, first served. Tasks are cheap: to limit how many work,
 * start as many as there is work and let them wait, rather than counting workers.
 */
#include <cora.h>

#include <stdio.h>

struct kitchen {
    cora_semaphore stoves;
    int cooking, most;
};

struct cook_args {
    int number;
    struct kitchen *kitchen;
};

static int cook(void *arg)
{
    struct cook_args *a = arg;
    struct kitchen *kitchen = a->kitchen;
    int rc = cora_semaphore_acquire(&kitchen->stoves);

    if (rc < 0)
        return rc;
    kitchen->cooking++;
    if (kitchen->cooking > kitchen->most)
        kitchen->most = kitchen->cooking;
    rc = cora_sleep(0.02);
    kitchen->cooking--;
    cora_semaphore_release(&kitchen->stoves);
    if (rc == 0)
        printf("cook %d: dinner is ready\n", a->number);
    return rc;
}

static int dinner(void *arg)
{
    struct kitchen kitchen = {.stoves = CORA_SEMAPHORE_INIT(2)};
    cora_task_group group;
    int rc = 0;

    (void)arg;
    cora_task_group_enter(&group);
    for (int i = 1; i <= 6 && rc == 0; i++)
        rc = cora_task_group_create_task(&group, cook, .number = i, .kitchen = &kitchen);
    rc = cora_task_group_exit(&group, rc);
    if (rc == 0)
        printf("never more than %d at a time\n", kitchen.most);
    return rc;
}

int main(void)
{
    int rc = cora_run(dinner, NULL);

    if (rc < 0)
        fprintf(stderr, "09_semaphore: %s\n", cora_strerror(rc));
    return rc < 0;
}
