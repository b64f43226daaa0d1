/*
 * 06_futures.c: a result that somebody else will bring.
 *
 * What to notice: a future is an outcome that is not there yet. Whoever has it may wait; whoever is
 * to bring the outcome sets it, once, and need not be a task: here it is a timer's callback. This
 * is how code with callbacks becomes something to wait for. A task is a future that its own
 * function completes. cora_future_set_result takes a number, and a pointer to whatever else there
 * is to say. Without memory the future is NULL, which all calls here accept; cora_await answers
 * -ENOMEM.
 */
#include <cora.h>

#include <stdio.h>

static void answer(void *arg)
{
    printf("the answer arrives\n");
    if (cora_future_set_result(arg, 42, "forty-two") < 0)
        printf("nobody wants it any more\n");
}

static void hang_up(void *arg)
{
    printf("the line is dead\n");
    if (cora_future_set_exception(arg, -ECONNRESET) < 0)
        printf("nobody wants to know\n");
}

static CORA_SUSPENDS int ask(cora_callback *reply)
{
    cora_loop *loop = cora_get_running_loop();
    cora_future *future = cora_loop_create_future(loop);
    cora_timer_handle *timer = NULL;
    int rc = cora_loop_call_later(loop, 0.01, reply, future, &timer);

    printf("asked; done: %s\n", cora_future_done(future) ? "yes" : "no");
    if (rc == 0)
        rc = cora_await(future);
    if (rc >= 0)
        printf("it is %d, in words %s\n", rc, (const char *)cora_future_value(future));
    printf("at the end; done: %s\n", cora_future_done(future) ? "yes" : "no");
    cora_handle_cancel(timer); /* if it has not called yet, it must not: the future goes */
    cora_handle_unref(timer);
    cora_future_unref(future);
    return rc;
}

static int ask_twice(void *arg)
{
    int rc = ask(answer);

    (void)arg;
    if (rc < 0)
        return rc;
    rc = ask(hang_up);
    if (rc == -ECONNRESET) {
        printf("no answer: connection reset\n");
        rc = 0;
    }
    return rc;
}

int main(void)
{
    int rc = cora_run(ask_twice, NULL);

    if (rc < 0)
        fprintf(stderr, "06_futures: %s\n", cora_strerror(rc));
    return rc < 0;
}
