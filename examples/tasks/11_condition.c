/*
 * 11_condition.c: waiting until something is true of what several share.
 *
 * What to notice: a condition is a lock and a place to wait. Who waits lets go of the lock, and has
 * it again when the wait returns, also when it was cancelled: so there is always a release. A
 * wake-up says only "look again": wait_for does that, with the predicate. Each delivery notifies
 * everybody, for it does not know who can do with it: the third customer is served before the
 * second.
 */
#include <cora.h>

#include <stdio.h>

struct bakery {
    cora_condition delivered;
    int loaves;
};

struct buy_args {
    int customer, wanted;
    struct bakery *bakery;
};

static bool enough(void *arg)
{
    struct buy_args *a = arg;

    return a->bakery->loaves >= a->wanted;
}

static int buy(void *arg)
{
    struct buy_args *a = arg;
    struct bakery *bakery = a->bakery;
    int rc = cora_condition_acquire(&bakery->delivered);

    if (rc < 0)
        return rc;
    printf("customer %d wants %d\n", a->customer, a->wanted);
    rc = cora_condition_wait_for(&bakery->delivered, enough, a);
    if (rc == 0) {
        bakery->loaves -= a->wanted;
        printf("customer %d has %d, %d left\n", a->customer, a->wanted, bakery->loaves);
    }
    cora_condition_release(&bakery->delivered);
    return rc;
}

static CORA_SUSPENDS int deliver(struct bakery *bakery, int loaves)
{
    int rc = cora_sleep(0.01);

    if (rc == 0)
        rc = cora_condition_acquire(&bakery->delivered);
    if (rc < 0)
        return rc;
    bakery->loaves += loaves;
    printf("%d loaves are delivered\n", loaves);
    cora_condition_notify_all(&bakery->delivered);
    cora_condition_release(&bakery->delivered);
    return 0;
}

static int morning(void *arg)
{
    static const int wanted[] = {2, 4, 1};
    struct bakery bakery = {CORA_CONDITION_INIT, 0};
    cora_task_group group;
    int rc = 0;

    (void)arg;
    cora_task_group_enter(&group);
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = cora_task_group_create_task(&group, buy, .customer = i + 1, .wanted = wanted[i],
                                         .bakery = &bakery);
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = deliver(&bakery, 3);
    return cora_task_group_exit(&group, rc);
}

int main(void)
{
    int rc = cora_run(morning, NULL);

    if (rc < 0)
        fprintf(stderr, "11_condition: %s\n", cora_strerror(rc));
    return rc < 0;
}
