/*
 * 04_daemons.c: which threads the end of the program waits for.
 *
 * What to notice: when main returns, the program waits for its threads, except daemons: these are
 * cut off where they are, without any cleanup, so they should have nothing to lose. What threads
 * use must outlive main's frame then, and is static here. In Python a daemon is stopped when it
 * next wants the interpreter; in C it runs on until the process is gone.
 */
#include <cora.h>

#include <stdio.h>

static cora_threading_event beating = CORA_THREADING_EVENT_INIT;
static cora_threading_event leaving = CORA_THREADING_EVENT_INIT;
static cora_threading_event never = CORA_THREADING_EVENT_INIT;

static int beat(void *arg)
{
    int rc;

    (void)arg;
    printf("heart: beats\n");
    cora_threading_event_set(&beating);
    rc = cora_threading_event_wait(&never, INFINITY);
    printf("heart: this is never printed\n");
    return rc;
}

static int save(void *arg)
{
    int rc = cora_threading_event_wait(&leaving, INFINITY);

    (void)arg;
    printf("saver: all is saved\n");
    return rc;
}

static int start(cora_threading_fn *fn, bool daemon)
{
    cora_threading_thread *thread = cora_threading_thread_create_arg(
        &(cora_threading_thread_options){.daemon = daemon}, fn, NULL);
    int rc = cora_threading_thread_start(thread);

    cora_threading_thread_unref(thread); /* it goes on */
    return rc;
}

int main(void)
{
    int rc = start(beat, true);

    if (rc == 0)
        rc = start(save, false);
    if (rc == 0)
        rc = cora_threading_event_wait(&beating, INFINITY);
    if (rc < 0)
        fprintf(stderr, "04_daemons: %s\n", cora_strerror(rc));
    printf("main: returns\n");
    cora_threading_event_set(&leaving);
    return rc < 0;
}
