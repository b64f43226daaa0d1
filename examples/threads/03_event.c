/*
 * 03_event.c: threads that tell each other that something has happened.
 *
 * What to notice: nobody looks again and again whether a flag is set, and nobody sleeps for a time
 * that may be enough: who waits is woken. With a timeout, wait is also a sleep that can be cut
 * short: a worker that does something now and then, until it is told to stop, waits for the event
 * that tells it. A thread cannot be cancelled from outside as a task can.
 */
#include <cora.h>

#include <stdio.h>

struct measure_args {
    cora_threading_event *measured; /* the first time */
    cora_threading_event *stop;
};

static int measure(void *arg)
{
    const struct measure_args *a = arg;
    int rc;

    printf("thermometer: 21 degrees\n");
    cora_threading_event_set(a->measured);
    while ((rc = cora_threading_event_wait(a->stop, 0.01)) == -ETIMEDOUT) {
        /* and once more */
    }
    printf("thermometer: told to stop\n");
    return rc;
}

static int measure_for_a_while(cora_threading_thread *thread, cora_threading_event *measured,
                               cora_threading_event *stop)
{
    int rc = cora_threading_event_wait(measured, 0);

    printf("main: %s\n", rc == 0 ? "something is measured" : "nothing is measured yet");
    rc = cora_threading_thread_start(thread);
    if (rc < 0)
        return rc;
    rc = cora_threading_event_wait(measured, INFINITY);
    printf("main: it works\n");
    cora_threading_event_set(stop);

    int joined = cora_threading_thread_join(thread, INFINITY);

    printf("main: it has ended\n");
    return rc < 0 ? rc : joined;
}

int main(void)
{
    cora_threading_event measured = CORA_THREADING_EVENT_INIT;
    cora_threading_event stop = CORA_THREADING_EVENT_INIT;
    cora_threading_thread *thread =
        cora_threading_thread_create(measure, .measured = &measured, .stop = &stop);
    int rc = measure_for_a_while(thread, &measured, &stop);

    cora_threading_thread_unref(thread);
    cora_threading_event_destroy(&stop);
    cora_threading_event_destroy(&measured);
    if (rc < 0)
        fprintf(stderr, "03_event: %s\n", cora_strerror(rc));
    return rc < 0;
}
