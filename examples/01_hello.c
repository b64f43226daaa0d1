/*
 * 01_hello.c: from main() into a first task, and back.
 *
 * What to notice: cora_run makes an event loop, runs `hello` in it as a task, and returns what
 * `hello` returned. cora_sleep suspends the task, not the thread: the loop could run others
 * meanwhile. A call that can suspend can fail, if only by cancellation (Ctrl-C, say), and the
 * compiler insists that its result is looked at.
 */
#include <cora/run.h>

#include <stdio.h>

static int hello(void *arg)
{
    const char *name = arg;

    printf("Hello ...\n");

    int rc = cora_sleep(0.5);

    if (rc < 0)
        return rc;
    printf("... %s!\n", name);
    return 0;
}

int main(void)
{
    int rc = cora_run(hello, "world");

    if (rc < 0)
        fprintf(stderr, "01_hello: %s\n", cora_strerror(rc));
    return rc < 0 ? 1 : 0;
}
