/*
 * 05_task_groups.c: tasks that belong together.
 *
 * What to notice: the exit of a group waits for all of its tasks, so none outlives the function
 * that started it, and they may use what lies in its frame (here `seen`). The first that fails
 * cancels the others, each of which gets -ECANCELED from the call it waits in, cleans up and passes
 * it on. A scope's exit always takes how the body ended (rc) and returns how it now stands: here
 * the error of the task that failed.
 */
#include <cora.h>

#include <stdio.h>

struct statistics {
    int bytes;
};

struct download_args {
    const char *name;
    double delay;
    int size; /* 0: there is no such file */
    struct statistics *seen;
};

static int download(void *arg)
{
    struct download_args *a = arg;
    int rc = cora_sleep(a->delay);

    if (rc < 0) {
        printf("  %s: cancelled\n", a->name);
        return rc;
    }
    if (a->size == 0) {
        printf("  %s: not found\n", a->name);
        return -ENOENT;
    }
    printf("  %s: %d bytes\n", a->name, a->size);
    a->seen->bytes += a->size;
    return 0;
}

static CORA_SUSPENDS int download_all(int size_of_second, double delay_of_third,
                                      struct statistics *seen)
{
    cora_task_group group;
    int rc;

    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, download, .name = "first", .delay = 0.01, .size = 100,
                                     .seen = seen);
    if (rc == 0)
        rc = cora_task_group_create_task(&group, download, .name = "second", .delay = 0.01,
                                         .size = size_of_second, .seen = seen);
    if (rc == 0)
        rc = cora_task_group_create_task(&group, download, .name = "third", .delay = delay_of_third,
                                         .size = 300, .seen = seen);
    return cora_task_group_exit(&group, rc);
}

static int download_twice(void *arg)
{
    struct statistics seen = {0};
    int rc;

    (void)arg;
    printf("all are there:\n");
    rc = download_all(200, 0.02, &seen);
    if (rc < 0)
        return rc;
    printf("one is missing:\n");
    rc = download_all(0, 10, &seen);
    if (rc == -ENOENT) {
        printf("the group has failed: a file was not found\n");
        rc = 0;
    }
    printf("%d bytes in all\n", seen.bytes);
    return rc;
}

int main(void)
{
    int rc = cora_run(download_twice, NULL);

    if (rc < 0)
        fprintf(stderr, "05_task_groups: %s\n", cora_strerror(rc));
    return rc < 0;
}
