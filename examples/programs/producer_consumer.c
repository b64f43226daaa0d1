/*
 * producer_consumer.c: orders come in, workers handle them, and SIGTERM ends it in good order.
 *
 * What to notice: shutting down has an order. First nobody is let in any more: the producer is
 * cancelled, where it waits for room in the queue. Then what was accepted is done, for a limited
 * time. Then the workers, who would wait for ever, are cancelled. A signal only sets an event; the
 * rest happens in a task. An order belongs to whoever holds the pointer: to the producer until the
 * put has succeeded, then to the queue, then to the worker; what is left in the queue is freed.
 */
#include <cora.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORKERS = 2 };

struct order {
    int number;
};

struct shop {
    cora_queue orders;
    cora_event stopping;
    int accepted, done;
};

static void on_sigterm(void *arg)
{
    struct shop *shop = arg;

    printf("closing: no more orders\n");
    cora_event_set(&shop->stopping);
}

static int produce(void *arg)
{
    struct shop *shop = arg;

    for (;;) {
        struct order *order = malloc(sizeof *order);

        if (order == NULL)
            return -ENOMEM;
        order->number = shop->accepted + 1;

        int rc = cora_queue_put(&shop->orders, order);

        if (rc < 0) {
            free(order);
            return rc;
        }
        shop->accepted++;
        if (shop->accepted == 8)
            on_sigterm(shop); /* as if `kill` had sent it just now */
    }
}

struct work_args {
    const char *name;
    struct shop *shop;
};

static CORA_SUSPENDS int handle(const struct order *order, const char *name)
{
    int rc = cora_sleep(0.05);

    if (rc == 0)
        printf("%s: order %d is done\n", name, order->number);
    return rc;
}

static int work(void *arg)
{
    struct work_args *a = arg;
    void *order;
    int rc;

    while ((rc = cora_queue_get(&a->shop->orders, &order)) == 0) {
        rc = handle(order, a->name);
        free(order);
        if (rc == 0)
            rc = cora_queue_task_done(&a->shop->orders);
        if (rc < 0)
            break;
        a->shop->done++;
    }
    return rc;
}

static CORA_SUSPENDS int drain(struct shop *shop)
{
    cora_timeout timeout;
    int rc;

    cora_timeout_enter(&timeout, 5);
    rc = cora_queue_join(&shop->orders);
    rc = cora_timeout_exit(&timeout, rc);
    if (rc == -ETIMEDOUT) {
        printf("out of time, orders are lost\n");
        rc = 0;
    }
    return rc;
}

static CORA_SUSPENDS int keep_shop(struct shop *shop)
{
    static const char *const names[WORKERS] = {"Tom", "Uma"};
    cora_task *producer, *workers[WORKERS];
    cora_task_group group;
    int rc;

    cora_task_group_enter(&group);
    rc = cora_task_group_create_task_arg_with(&group, NULL, &producer, produce, shop);
    for (int i = 0; i < WORKERS && rc == 0; i++)
        rc = cora_task_group_create_task_with(&group, NULL, &workers[i], work, .name = names[i],
                                              .shop = shop);
    if (rc == 0)
        rc = cora_event_wait(&shop->stopping);
    if (rc == 0) {
        cora_task_cancel(producer);
        rc = drain(shop);
    }
    for (int i = 0; i < WORKERS && rc == 0; i++)
        cora_task_cancel(workers[i]);
    return cora_task_group_exit(&group, rc);
}

static int run_shop(void *arg)
{
    struct shop shop = {.stopping = CORA_EVENT_INIT};
    cora_loop *loop = cora_get_running_loop();
    void *order;
    int rc;

    (void)arg;
    rc = cora_loop_add_signal_handler(loop, SIGTERM, on_sigterm, &shop);
    if (rc < 0)
        return rc;
    cora_queue_init(&shop.orders, 2);
    rc = keep_shop(&shop);
    while (cora_queue_get_nowait(&shop.orders, &order) == 0)
        free(order);
    cora_queue_destroy(&shop.orders);
    cora_loop_remove_signal_handler(loop, SIGTERM);
    printf("%d orders accepted, %d done\n", shop.accepted, shop.done);
    return rc;
}

int main(void)
{
    int rc = cora_run(run_shop, NULL);

    if (rc < 0)
        fprintf(stderr, "producer_consumer: %s\n", cora_strerror(rc));
    return rc < 0;
}
