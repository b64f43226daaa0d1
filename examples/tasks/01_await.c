/*
 * 01_await.c: a function that waits, and one that waits for it.
 *
 * What to notice: cora_run makes an event loop, runs `breakfast` in it as a task, and returns what
 * `breakfast` returned. There is no `await` in C: a call that may suspend looks like any other, and
 * its declaration says CORA_SUSPENDS. cora_sleep suspends the task, not the thread: the loop could
 * run other tasks meanwhile. What suspends can fail, if only by cancellation (Ctrl-C, say), and the
 * compiler insists that its result is looked at: negative is an error, anything else a value.
 */
#include <cora.h>

#include <stdio.h>

static CORA_SUSPENDS int boil(const char *what, int minutes)
{
    printf("%s: on the stove\n", what);

    int rc = cora_sleep(minutes / 100.0);

    if (rc < 0)
        return rc;
    printf("%s: done\n", what);
    return minutes;
}

static int breakfast(void *arg)
{
    const char *guest = arg;
    int minutes = boil("egg", 5);

    if (minutes < 0)
        return minutes;
    printf("%s has waited %d minutes\n", guest, minutes);
    return 0;
}

int main(void)
{
    int rc = cora_run(breakfast, "Ada");

    if (rc < 0)
        fprintf(stderr, "01_await: %s\n", cora_strerror(rc));
    return rc < 0;
}
