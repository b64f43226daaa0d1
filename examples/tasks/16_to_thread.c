/*
 * 16_to_thread.c: what blocks or computes, off the loop.
 *
 * What to notice: `measure` holds its thread, as a C library would that knows nothing of the loop;
 * called directly it would hold the loop, and everybody in it. In threads three of them run at the
 * same time, and the loop goes on: `tick` counts meanwhile. A thread works on a copy of the
 * arguments, and gives it back at the end, so a task that is cancelled need not wait for it. C has
 * no global lock: threads compute in parallel, and what they share they have to protect.
 */
#include <cora.h>

#include <stdio.h>
#include <unistd.h>

struct measure_args {
    int probe;
    double degrees; /* the result */
};

/* In a thread: no call of cora's that suspends. */
static int measure(void *arg)
{
    struct measure_args *a = arg;

    usleep(50000);
    if (a->probe == 3)
        return -EIO;
    a->degrees = 20.5 + a->probe;
    return 0;
}

struct reading {
    double degrees;
    int error; /* negative: there is none */
};

struct read_probe_args {
    int probe;
    struct reading *reading;
};

static int read_probe(void *arg)
{
    struct read_probe_args *a = arg;
    struct measure_args args = {.probe = a->probe};
    int rc = cora_to_thread(measure, &args);

    *a->reading = (struct reading){args.degrees, rc};
    return rc == -ECANCELED ? rc : 0;
}

static CORA_SUSPENDS int read_probes(struct reading readings[], int count)
{
    cora_task_group group;
    int rc = 0;

    cora_task_group_enter(&group);
    for (int i = 0; i < count && rc == 0; i++)
        rc = cora_task_group_create_task(&group, read_probe, .probe = i + 1,
                                         .reading = &readings[i]);
    return cora_task_group_exit(&group, rc);
}

static int tick(void *arg)
{
    int *ticks = arg;
    int rc;

    while ((rc = cora_sleep(0.005)) == 0)
        ++*ticks;
    return rc;
}

static int laboratory(void *arg)
{
    struct reading readings[3] = {{0}};
    int ticks = 0, rc;
    cora_task_group group;
    cora_task *ticking;

    (void)arg;
    cora_task_group_enter(&group);
    rc = cora_task_group_create_task_arg_with(&group, NULL, &ticking, tick, &ticks);
    if (rc == 0)
        rc = read_probes(readings, 3);
    if (rc == 0)
        cora_task_cancel(ticking);
    rc = cora_task_group_exit(&group, rc);
    for (int i = 0; i < 3 && rc == 0; i++)
        if (readings[i].error < 0)
            printf("probe %d: no reading\n", i + 1);
        else
            printf("probe %d: %.1f degrees\n", i + 1, readings[i].degrees);
    printf("the loop went on meanwhile: %s\n", ticks > 0 ? "yes" : "no");
    return rc;
}

int main(void)
{
    int rc = cora_run(laboratory, NULL);

    if (rc < 0)
        fprintf(stderr, "16_to_thread: %s\n", cora_strerror(rc));
    return rc < 0;
}
