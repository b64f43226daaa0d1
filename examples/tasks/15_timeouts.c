/*
 * 15_timeouts.c: no longer than that.
 *
 * What to notice: a timeout is a scope, not an argument of every call: it limits all that happens
 * between enter and exit, however deep. When the time is up the task is cancelled, and the exit
 * turns that -ECANCELED, and only that, into -ETIMEDOUT. Where timeouts nest, each answers for
 * itself: `patience` is not taken for what `answer` has cut off. cora_wait_for is the same for
 * one task: it cancels that task, and waits for its end.
 */
#include <cora.h>

#include <stdio.h>

struct call_args {
    const char *whom;
    double delay;
};

static int call(void *arg)
{
    struct call_args *a = arg;
    int rc = cora_sleep(a->delay);

    printf("  %s: %s\n", a->whom, rc == 0 ? "hello" : "(hung up)");
    return rc;
}

static CORA_SUSPENDS int call_in_turn(double limit)
{
    cora_timeout patience;
    int rc;

    cora_timeout_enter(&patience, limit);
    rc = call(&(struct call_args){"first", 0});
    if (rc == 0)
        rc = call(&(struct call_args){"second", 10});
    return cora_timeout_exit(&patience, rc);
}

static CORA_SUSPENDS int call_each(double limit)
{
    cora_timeout patience, answer;
    int rc;

    cora_timeout_enter(&patience, limit);
    cora_timeout_enter(&answer, 0.02);
    rc = call(&(struct call_args){"third", 10});
    rc = cora_timeout_exit(&answer, rc);
    if (rc == -ETIMEDOUT) {
        printf("  no answer, the next one\n");
        rc = call(&(struct call_args){"fourth", 0.01});
    }
    return cora_timeout_exit(&patience, rc);
}

static CORA_SUSPENDS int call_in_a_task(double limit)
{
    cora_task *task = cora_create_task(call, .whom = "fifth", .delay = 10);
    int rc = cora_wait_for(task, limit);

    cora_task_unref(task);
    return rc;
}

static int phone(void *arg)
{
    int rc = call_in_turn(0.05);

    (void)arg;
    if (rc == -ETIMEDOUT) {
        printf("out of time\n");
        rc = call_each(10);
    }
    if (rc == 0)
        rc = call_in_a_task(0.01);
    if (rc == -ETIMEDOUT) {
        printf("out of time\n");
        rc = 0;
    }
    return rc;
}

int main(void)
{
    int rc = cora_run(phone, NULL);

    if (rc < 0)
        fprintf(stderr, "15_timeouts: %s\n", cora_strerror(rc));
    return rc < 0;
}
