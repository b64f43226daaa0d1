/* A program to be traced: some of everything that a timeline shows. */
#include <cora.h>

#include <stdio.h>
#include <stdlib.h>

static cora_lock lock = CORA_LOCK_INIT;

static int work(void *arg)
{
    int rc = cora_lock_acquire(&lock);

    (void)arg;
    if (rc < 0)
        return rc;
    cora_trace_begin("with the lock");
    rc = cora_sleep(0.02);
    cora_trace_end();
    cora_lock_release(&lock);
    return rc;
}

static int in_a_thread(void *arg)
{
    cora_trace_event("here");
    (void)arg;
    return 0;
}

static int yields(void *arg)
{
    long count = *(long *)arg;
    int rc = 0;

    while (rc == 0 && count-- > 0)
        rc = cora_sleep(0);
    return rc;
}

static int run(void *arg)
{
    static const char *const names[] = {"worker one", "worker </script><b>two</b>",
                                        "worker \"3\" \xc3\xa9"};
    struct in_a_thread_args {
        int nothing;
    } args = {0};
    cora_task *tasks[3];
    int rc = 0;

    for (int i = 0; i < 3; i++)
        tasks[i] = cora_loop_create_task_arg(NULL, &(cora_task_options){.name = names[i]}, work,
                                             "work", NULL);
    rc = cora_to_thread(in_a_thread, &args);
    for (int i = 0; i < 3; i++) {
        int one = cora_await_unref(tasks[i]);

        rc = rc < 0 ? rc : one;
    }
    return rc < 0 ? rc : yields(arg);
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 10;
    int rc = cora_run(run, &count);

    if (rc < 0)
        fprintf(stderr, "%s\n", cora_strerror(rc));
    return rc < 0;
}
