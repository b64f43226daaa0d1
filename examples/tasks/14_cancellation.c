/*
 * 14_cancellation.c: telling a task to end, and being told.
 *
 * What to notice: cora_task_cancel asks; the task hears of it where it waits, as -ECANCELED, once.
 * It cleans up, for which it may wait again, and passes the error on; what it returns decides. What
 * must not be cut short is done in a task of its own, behind cora_shield: the waiting is cancelled,
 * the task is not. Who is cancelled before his first step never runs: what he was to clean up is
 * still the creator's. cora_wait, unlike cora_await, fails only where the waiting itself is
 * cancelled, which is not the same as waiting for somebody who is.
 */
#include <cora.h>

#include <stdio.h>

static int copy_file(void *arg)
{
    const char *name = arg;

    printf("  %s: copying\n", name);

    int rc = cora_sleep(10);

    if (rc == -ECANCELED) {
        printf("  %s: cancelled, removing what is there\n", name);
        if (cora_sleep(0.01) == 0)
            printf("  %s: removed\n", name);
    }
    return rc;
}

struct disk {
    cora_event ready, saved;
};

static int save_index(void *arg)
{
    struct disk *disk = arg;
    int rc = cora_event_wait(&disk->ready);

    if (rc < 0)
        return rc;
    printf("  index: saved\n");
    cora_event_set(&disk->saved);
    return 0;
}

static int save_shielded(void *arg)
{
    cora_task *save = cora_create_task_arg(save_index, arg);
    int rc = cora_await_unref(cora_shield(save));

    if (rc == -ECANCELED)
        printf("  the waiting is over, the saving goes on\n");
    cora_task_unref(save);
    return rc;
}

static CORA_SUSPENDS int start_and_cancel(const char *what, cora_task_fn *fn, void *arg,
                                          bool let_it_run)
{
    cora_task *task = cora_create_task_arg(fn, arg);
    int rc = let_it_run ? cora_sleep(0) : 0;

    printf("%s: cancel\n", what);
    cora_task_cancel(task);
    if (rc == 0)
        rc = cora_wait(&task, 1, INFINITY, CORA_ALL_COMPLETED);
    if (rc >= 0 && cora_task_cancelled(task))
        printf("%s: is cancelled\n", what);
    cora_task_unref(task);
    return rc < 0 ? rc : 0;
}

static int change_of_mind(void *arg)
{
    struct disk *disk = arg;
    int rc = start_and_cancel("copy", copy_file, "film", true);

    if (rc == 0)
        rc = start_and_cancel("copy not started", copy_file, "song", false);
    if (rc == 0)
        rc = start_and_cancel("save", save_shielded, disk, true);
    cora_event_set(&disk->ready);
    if (rc == 0)
        rc = cora_event_wait(&disk->saved);
    return rc;
}

int main(void)
{
    struct disk disk = {CORA_EVENT_INIT, CORA_EVENT_INIT}; /* outlives what is not waited for */
    int rc = cora_run(change_of_mind, &disk);

    if (rc < 0)
        fprintf(stderr, "14_cancellation: %s\n", cora_strerror(rc));
    return rc < 0;
}
