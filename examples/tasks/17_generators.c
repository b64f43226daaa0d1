/*
 * 17_generators.c: functions that hand out one value after the other.
 *
 * What to notice: a generator is a coroutine with a stack of its own and without any loop; here
 * there is none in the whole program. `countdown` runs from yield to yield, as far as it is asked
 * to. What is sent into it is what the yield returns with, in its second argument. Closing one that
 * is suspended lets its yield fail, so that it can clean up. Values are pointers, valid until the
 * generator runs on.
 */
#include <cora.h>

#include <stdio.h>

struct countdown_args {
    int from;
};

static int countdown(void *arg)
{
    struct countdown_args *a = arg;

    for (int i = a->from; i > 0; i--) {
        int rc = cora_generator_yield(&i, NULL);

        if (rc < 0) {
            printf("stopped at %d\n", i);
            return rc;
        }
    }
    return 0;
}

/* Yields the average of all that was sent. */
static int average(void *arg)
{
    double sum = 0, mean = 0;
    int rc = 0;

    (void)arg;
    for (int count = 1; rc == 0; count++) {
        void *sent;

        rc = cora_generator_yield(&mean, &sent);
        if (rc == 0) {
            sum += *(double *)sent;
            mean = sum / count;
        }
    }
    return rc;
}

static int launch(void)
{
    cora_generator *numbers = cora_generator_create(countdown, .from = 3);

    CORA_FOR_EACH (int *, number, numbers)
        printf("%d\n", *number);
    printf("lift-off\n");
    return cora_generator_destroy(numbers);
}

static int abort_launch(void)
{
    cora_generator *numbers = cora_generator_create(countdown, .from = 10);
    void *number;
    int rc = cora_generator_next(numbers, &number);

    if (rc == 0) {
        printf("%d\n", *(int *)number);
        rc = cora_generator_close(numbers);
    }
    cora_generator_destroy(numbers);
    return rc;
}

static int follow(void)
{
    double temperatures[] = {10, 20, 60};
    cora_generator *means = cora_generator_create_arg(average, NULL);
    void *mean;
    int rc = cora_generator_next(means, &mean); /* up to the first yield */

    for (int i = 0; i < 3 && rc == 0; i++) {
        rc = cora_generator_send(means, &temperatures[i], &mean);
        if (rc == 0)
            printf("%.1f, on average %.1f\n", temperatures[i], *(double *)mean);
    }
    cora_generator_destroy(means);
    return rc;
}

int main(void)
{
    int rc = launch();

    if (rc == 0)
        rc = abort_launch();
    if (rc == 0)
        rc = follow();
    if (rc < 0)
        fprintf(stderr, "17_generators: %s\n", cora_strerror(rc));
    return rc < 0;
}
