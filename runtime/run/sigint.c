#include "run/sigint.h"

/* A signal is the whole process's, so one runner at a time watches it. */
static struct cora_loop *_Atomic watched;
static struct cora__task *main_task;
static struct cora__sigint *watching;
static volatile sig_atomic_t presses;
static volatile sig_atomic_t seen; /* presses that the loop has come round to notice */

static void on_press(int signum)
{
    struct cora_loop *loop = atomic_load(&watched);

    if (loop == NULL)
        return;
    presses++;
    if (presses == 1) {
        cora__loop_notify(loop);
    } else if (seen > 0) {
        cora__loop_interrupt(loop);
    } else {
        signal(signum, SIG_DFL);
        raise(signum);
    }
}

/* In the loop, after the first press. */
static void on_notified(struct cora_loop *loop)
{
    (void)loop;
    seen = presses;
    watching->cancelled_main = cora_task_cancel(&main_task->future);
}

void cora__sigint_watch(struct cora__sigint *sigint, struct cora__task *task)
{
    struct sigaction action = {.sa_handler = on_press, .sa_flags = SA_RESTART};
    struct cora_loop *nobody = NULL;

    sigint->installed = sigint->cancelled_main = false;
    if (sigaction(SIGINT, NULL, &sigint->before) < 0 || sigint->before.sa_handler != SIG_DFL)
        return;
    if (!atomic_compare_exchange_strong(&watched, &nobody, task->future.loop))
        return;
    main_task = task;
    watching = sigint;
    presses = seen = 0;
    task->future.loop->on_notified = on_notified;
    sigemptyset(&action.sa_mask);
    sigint->installed = sigaction(SIGINT, &action, NULL) == 0;
}

void cora__sigint_unwatch(struct cora__sigint *sigint)
{
    if (!sigint->installed)
        return;
    sigaction(SIGINT, &sigint->before, NULL);
    atomic_store(&watched, NULL);
    sigint->installed = false;
}
