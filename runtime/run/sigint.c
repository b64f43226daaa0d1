#include "run/sigint.h"

#include <sys/types.h>
#include <unistd.h>

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

/* As in Python, Ctrl-C is the business of the main thread: a loop in another one leaves it alone.
 */
static bool in_main_thread(void)
{
#ifdef __linux__
    return gettid() == getpid();
#else
    return pthread_main_np() != 0;
#endif
}

void cora__sigint_watch(struct cora__sigint *sigint, struct cora__task *task)
{
    struct sigaction action = {.sa_handler = on_press, .sa_flags = SA_RESTART};
    struct cora_loop *nobody = NULL;

    sigint->installed = sigint->cancelled_main = false;
    if (!in_main_thread())
        return;
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
    main_task->future.loop->notified = 0; /* pressed as main ended: too late to cancel it */
    atomic_store(&watched, NULL);
    sigint->installed = false;
}
