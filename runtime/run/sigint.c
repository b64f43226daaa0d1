#include "run/sigint.h"

#include "loop/signal.h"

#include <sys/types.h>
#include <unistd.h>

/* One runner at a time watches: it has the signal. */
static struct cora__sigint *watching;
static atomic_int presses;
static atomic_int seen; /* presses that the loop has come round to notice */

static void on_press(struct cora_loop *loop, int signum)
{
    if (atomic_fetch_add(&presses, 1) == 0) {
        cora__loop_notify(loop);
    } else if (atomic_load(&seen) > 0) {
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
    atomic_store(&seen, atomic_load(&presses));
    watching->cancelled_main = cora_task_cancel(&watching->main->future);
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

static bool has_default_effect(void)
{
    struct sigaction action;

    return sigaction(SIGINT, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
}

void cora__sigint_watch(struct cora__sigint *sigint, struct cora__task *task)
{
    struct cora_loop *loop = task->future.loop;

    *sigint = (struct cora__sigint){.main = task};
    if (!in_main_thread() || !has_default_effect())
        return;
    watching = sigint;
    atomic_store(&presses, 0);
    atomic_store(&seen, 0);
    loop->on_notified = on_notified;
    sigint->watches = cora__signal_take(loop, SIGINT, on_press) == 0;
}

/* What was pressed as the run ended came too late for it, and is not meant for the next one. */
void cora__sigint_unwatch(struct cora__sigint *sigint)
{
    struct cora_loop *loop = sigint->main->future.loop;

    if (!sigint->watches)
        return;
    cora__signal_release(loop, SIGINT, on_press);
    loop->notified = loop->interrupted = false;
    sigint->watches = false;
}
