/*
 * 10_event.c: something has happened.
 *
 * What to notice: an event is a flag to wait for. Setting it wakes all who wait, in the order in
 * which they came, and they run only once the setter suspends or ends; who comes later does not
 * wait at all, until it is cleared. It carries no value and counts nothing: for that there are
 * futures and semaphores.
 */
#include <cora.h>

#include <stdio.h>

struct run_args {
    int number;
    cora_event *go;
};

static int run(void *arg)
{
    struct run_args *a = arg;

    printf("runner %d: %s\n", a->number, cora_event_is_set(a->go) ? "late" : "on the line");

    int rc = cora_event_wait(a->go);

    if (rc == 0)
        printf("runner %d: runs\n", a->number);
    return rc;
}

static CORA_SUSPENDS int start(cora_task_group *group, cora_event *go)
{
    int rc = 0;

    for (int i = 1; i <= 3 && rc == 0; i++)
        rc = cora_task_group_create_task(group, run, .number = i, .go = go);
    if (rc == 0)
        rc = cora_sleep(0.01);
    if (rc < 0)
        return rc;
    printf("starter: ready, steady ...\n");
    cora_event_set(go);
    printf("... go!\n");
    return cora_task_group_create_task(group, run, .number = 4, .go = go);
}

static int race(void *arg)
{
    cora_event go = CORA_EVENT_INIT;
    cora_task_group group;
    int rc;

    (void)arg;
    cora_task_group_enter(&group);
    rc = start(&group, &go);
    return cora_task_group_exit(&group, rc);
}

int main(void)
{
    int rc = cora_run(race, NULL);

    if (rc < 0)
        fprintf(stderr, "10_event: %s\n", cora_strerror(rc));
    return rc < 0;
}
