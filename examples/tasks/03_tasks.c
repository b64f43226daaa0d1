/*
 * 03_tasks.c: two things at a time.
 *
 * What to notice: cora_create_task takes the arguments by name, as a Python call would; they are
 * the members of `struct square_args`, named after the function, and are copied into the task. The
 * result comes back as the task's outcome. The two tasks sleep side by side, so the program takes
 * as long as one of them. Each reference that create_task gave is given back, also on an error:
 * cora_await_unref waits and does that.
 */
#include <cora.h>

#include <stdio.h>

struct square_args {
    int number;
    double delay;
};

static int square(void *arg)
{
    struct square_args *a = arg;

    printf("%d is to be squared\n", a->number);

    int rc = cora_sleep(a->delay);

    if (rc < 0)
        return rc;
    printf("%d has been squared\n", a->number);
    return a->number * a->number;
}

static int add_squares(void *arg)
{
    (void)arg;

    cora_task *first = cora_create_task(square, .number = 3, .delay = 0.05);
    cora_task *second = cora_create_task(square, .number = 4, .delay = 0.05);
    int nine = cora_await_unref(first);
    int sixteen = cora_await_unref(second);

    if (nine < 0 || sixteen < 0)
        return nine < 0 ? nine : sixteen;
    printf("the sum is %d\n", nine + sixteen);
    return 0;
}

int main(void)
{
    int rc = cora_run(add_squares, NULL);

    if (rc < 0)
        fprintf(stderr, "03_tasks: %s\n", cora_strerror(rc));
    return rc < 0;
}
