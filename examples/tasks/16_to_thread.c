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

struct read_probe_args {
    int probe;
    double *degrees;
};

static int read_probe(void *arg)
{
    struct read_probe_args *a = arg;
    struct measure_args args = {.probe = a->probe};
    int rc = cora_to_thread(measure, &args);

    if (rc == 0)
        *a->degrees = args.degrees;
    return rc;
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
    double degrees[3];
    int errors[3], ticks = 0;
    cora_task *ticking = cora_create_task_arg(tick, &ticks);
    cora_task *probes[] = {
        cora_create_task(read_probe, .probe = 1, .degrees = &degrees[0]),
        cora_create_task(read_probe, .probe = 2, .degrees = &degrees[1]),
        cora_create_task(read_probe, .probe = 3, .degrees = &degrees[2]),
    };
    int rc = cora_gather_unref(probes, 3, errors, CORA_RETURN_EXCEPTIONS);

    (void)arg;
    for (int i = 0; i < 3 && rc == 0; i++)
        if (errors[i] < 0)
            printf("probe %d: no reading\n", i + 1);
        else
            printf("probe %d: %.1f degrees\n", i + 1, degrees[i]);
    cora_task_cancel(ticking);
    if (rc == 0)
        rc = cora_wait(&ticking, 1, INFINITY, CORA_ALL_COMPLETED);
    printf("the loop went on meanwhile: %s\n", ticks > 0 ? "yes" : "no");
    cora_task_unref(ticking);
    return rc;
}

int main(void)
{
    int rc = cora_run(laboratory, NULL);

    if (rc < 0)
        fprintf(stderr, "16_to_thread: %s\n", cora_strerror(rc));
    return rc < 0;
}
