/*
 * parked.c: parks tasks in known places and aborts, to be looked at in gdb. A `volatile` result
 * keeps the calls from becoming jumps.
 */
#include <cora/async_generator.h>
#include <cora/error.h>
#include <cora/generator.h>
#include <cora/run.h>
#include <cora/task.h>

#include <stdlib.h>

#define FRAME __attribute__((noinline)) static int

/* ---- three calls deep, in a sleep ---------------------------------------------------------- */

FRAME sleep_inner(double delay)
{
    volatile int rc = cora_sleep(delay);

    return rc;
}

FRAME sleep_middle(double delay)
{
    volatile int rc = sleep_inner(delay);

    return rc;
}

FRAME sleeper(void *arg)
{
    volatile int rc = sleep_middle(*(double *)arg);

    return rc;
}

/* ---- a task in a generator in a task ------------------------------------------------------- */

FRAME generate_inner(cora_task *task)
{
    volatile int rc = cora_await(task);

    return rc;
}

FRAME generate(void *arg)
{
    volatile int rc = cora_generator_yield(arg, NULL);

    if (rc == 0)
        rc = generate_inner(arg);
    return rc;
}

FRAME consume_inner(cora_generator *generator)
{
    volatile int count = 0;

    CORA_FOR_EACH (cora_task *, item, generator)
        count++;
    return count;
}

FRAME consumer(void *arg)
{
    cora_generator *generator = cora_generator_create_arg(generate, arg);
    volatile int rc = consume_inner(generator);

    cora_generator_destroy(generator);
    return rc;
}

/* ---- in an asynchronous generator ---------------------------------------------------------- */

FRAME page_inner(void)
{
    volatile int rc = cora_sleep(3600);

    return rc;
}

FRAME pages(void *arg)
{
    volatile int rc = cora_generator_yield(arg, NULL);

    if (rc == 0)
        rc = page_inner();
    return rc;
}

FRAME reader(void *arg)
{
    int rc;
    volatile int count = 0;

    cora_async_for (void *page, cora_async_generator_create_arg(pages, arg), &rc)
        count += page == arg;
    return rc < 0 ? rc : count;
}

/* ---- queued, and not started --------------------------------------------------------------- */

FRAME yielder(void *arg)
{
    volatile int rc = 0;

    (void)arg;
    while (rc == 0)
        rc = cora_sleep(0);
    return rc;
}

/* ---- the end ------------------------------------------------------------------------------- */

FRAME abort_inside(void)
{
    abort();
}

FRAME fail(void *arg)
{
    (void)arg;
    return abort_inside();
}

FRAME run(void *arg)
{
    static double delay = 3600;
    cora_task_options named = {.name = "named sleeper"};
    cora_task *task = cora_loop_create_task_arg(NULL, &named, sleeper, "sleeper", &delay);
    cora_task *others[] = {cora_create_task_arg(consumer, task),
                           cora_create_task_arg(yielder, NULL), cora_create_task_arg(reader, task)};
    cora_generator *generator = cora_generator_create_arg(fail, arg);
    volatile int rc = cora_sleep(0);
    cora_task *late = cora_create_task_arg(yielder, NULL);

    if (rc == 0 && late != NULL && others[0] != NULL && others[1] != NULL && others[2] != NULL)
        rc = cora_generator_next(generator, NULL);
    return rc;
}

int main(void)
{
    return cora_run(run, NULL) < 0;
}
