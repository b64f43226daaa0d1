/*
 * 13_queue.c: items from those who have them to those who want them.
 *
 * What to notice: the queue holds at most three orders, so a producer that is too fast has to wait:
 * that is what keeps memory bounded. Items are pointers and stay the producer's. join waits until
 * task_done was said for every order, not only until all were taken; then nobody needs the waiters
 * any more, and they are cancelled, which a group does not take for a failure. A priority queue
 * hands out the least item first.
 */
#include <cora.h>

#include <stdio.h>

struct order {
    int number, urgency;
};

struct serve_args {
    const char *waiter;
    cora_queue *orders;
};

static int serve(void *arg)
{
    struct serve_args *a = arg;
    void *item;
    int rc;

    while ((rc = cora_queue_get(a->orders, &item)) == 0 && (rc = cora_sleep(0.01)) == 0) {
        struct order *order = item;

        printf("%s: order %d\n", a->waiter, order->number);
        rc = cora_queue_task_done(a->orders);
        if (rc < 0)
            break;
    }
    return rc;
}

static CORA_SUSPENDS int serve_all(struct order orders[], int count)
{
    static const char *const names[] = {"Tom", "Uma"};
    cora_task *waiters[2];
    cora_task_group group;
    cora_queue queue;
    int rc = 0;

    cora_queue_init(&queue, 3);
    cora_task_group_enter(&group);
    for (int i = 0; i < 2 && rc == 0; i++)
        rc = cora_task_group_create_task_with(&group, NULL, &waiters[i], serve, .waiter = names[i],
                                              .orders = &queue);
    for (int i = 0; i < count && rc == 0; i++)
        rc = cora_queue_put(&queue, &orders[i]);
    if (rc == 0)
        rc = cora_queue_join(&queue);
    for (int i = 0; i < 2 && rc == 0; i++)
        cora_task_cancel(waiters[i]);
    rc = cora_task_group_exit(&group, rc);
    cora_queue_destroy(&queue);
    return rc;
}

static int by_urgency(const void *a, const void *b)
{
    return ((const struct order *)a)->urgency - ((const struct order *)b)->urgency;
}

static CORA_SUSPENDS int serve_by_urgency(struct order orders[], int count)
{
    cora_queue queue;
    void *item;
    int rc = 0;

    cora_priority_queue_init(&queue, 0, by_urgency);
    for (int i = 0; i < count && rc == 0; i++)
        rc = cora_queue_put_nowait(&queue, &orders[i]);
    while (rc == 0 && !cora_queue_empty(&queue)) {
        rc = cora_queue_get(&queue, &item);
        if (rc == 0)
            printf("urgency %d: order %d\n", ((struct order *)item)->urgency,
                   ((struct order *)item)->number);
    }
    cora_queue_destroy(&queue);
    return rc;
}

static int restaurant(void *arg)
{
    struct order orders[] = {{1, 3}, {2, 6}, {3, 1}, {4, 5}, {5, 2}, {6, 4}};
    int rc;

    (void)arg;
    printf("first come, first served, by two waiters:\n");
    rc = serve_all(orders, 6);
    if (rc < 0)
        return rc;
    printf("the most urgent first:\n");
    return serve_by_urgency(orders, 6);
}

int main(void)
{
    int rc = cora_run(restaurant, NULL);

    if (rc < 0)
        fprintf(stderr, "13_queue: %s\n", cora_strerror(rc));
    return rc < 0;
}
