/*
 * 07_lock.c: one at a time.
 *
 * What to notice: the lock is held over suspensions; that is what it is for. Code that does not
 * suspend needs none: nobody else can run in between. Whoever waits for it gets it in the order of
 * coming. Without the lock the lines of the three poems mix; with it each is said to its end. What
 * happens between acquire and release must get to the release, so its error is kept in `rc`.
 */
#include <cora.h>

#include <stdio.h>

struct recite_args {
    const char *poet;
    cora_lock *stage; /* NULL: everybody talks at once */
};

static CORA_SUSPENDS int say_lines(const char *poet)
{
    int rc = 0;

    for (int line = 1; line <= 2 && rc == 0; line++) {
        printf("  %s: line %d\n", poet, line);
        rc = cora_sleep(0);
    }
    return rc;
}

static int recite(void *arg)
{
    struct recite_args *a = arg;

    if (a->stage == NULL)
        return say_lines(a->poet);

    int rc = cora_lock_acquire(a->stage);

    if (rc < 0)
        return rc;
    rc = say_lines(a->poet);
    cora_lock_release(a->stage);
    return rc;
}

static CORA_SUSPENDS int recite_all(cora_lock *stage)
{
    static const char *const poets[] = {"Goethe", "Keats", "Villon"};
    cora_task_group group;
    int rc = 0;

    cora_task_group_enter(&group);
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = cora_task_group_create_task(&group, recite, .poet = poets[i], .stage = stage);
    return cora_task_group_exit(&group, rc);
}

static int evening(void *arg)
{
    cora_lock stage = CORA_LOCK_INIT;
    int rc;

    (void)arg;
    printf("without a lock:\n");
    rc = recite_all(NULL);
    if (rc < 0)
        return rc;
    printf("with a lock:\n");
    return recite_all(&stage);
}

int main(void)
{
    int rc = cora_run(evening, NULL);

    if (rc < 0)
        fprintf(stderr, "07_lock: %s\n", cora_strerror(rc));
    return rc < 0;
}
