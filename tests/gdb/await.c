/* The program of DESIGN.md's walk through one await; await.sh watches it. */
#include <cora.h>

#include <stdio.h>

static int answer(void *arg)
{
    int rc = cora_sleep(0.1);

    (void)arg;
    return rc < 0 ? rc : 42;
}

static int ask(void *arg)
{
    return cora_await_unref(cora_create_task_arg(answer, arg));
}

int main(void)
{
    return cora_run(ask, NULL) != 42;
}
