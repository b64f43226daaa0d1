/*
 * 03_task_group.c: tasks that belong together, with a limit on their number and on their time.
 *
 * What to notice: the tasks of the group may use `limit`, which lives in the frame of `work`,
 * because the exit of the group waits for all of them. The semaphore lets three at a time through.
 * The fourth round would end after 0.4 s, but the timeout cuts it off after 0.35 s: it cancels this
 * task, the group passes that on to its tasks, and the exit of the timeout turns the cancellation
 * into -ETIMEDOUT. A scope's exit always takes how the body ended (rc) and returns how it now
 * stands.
 */
#include <cora/run.h>
#include <cora/semaphore.h>
#include <cora/task_group.h>
#include <cora/timeout.h>

#include <stdio.h>

struct step_args {
    int number;
    cora_semaphore *limit;
};

static int step(void *arg)
{
    struct step_args *a = arg;
    int rc = cora_semaphore_acquire(a->limit);

    if (rc < 0)
        return rc;
    rc = cora_sleep(0.1);
    printf("step %2d: %s\n", a->number, rc == 0 ? "done" : cora_strerror(rc));
    cora_semaphore_release(a->limit);
    return rc;
}

static int work(void *arg)
{
    cora_semaphore limit = CORA_SEMAPHORE_INIT(3);
    cora_timeout timeout;
    cora_task_group group;
    int rc = 0;

    (void)arg;
    cora_timeout_enter(&timeout, 0.35);
    cora_task_group_enter(&group);
    for (int i = 1; i <= 12 && rc == 0; i++)
        rc = cora_task_group_create_task(&group, step, .number = i, .limit = &limit);
    rc = cora_task_group_exit(&group, rc);
    return cora_timeout_exit(&timeout, rc);
}

int main(void)
{
    printf("the work ended with: %s\n", cora_strerror(cora_run(work, NULL)));
    return 0;
}
