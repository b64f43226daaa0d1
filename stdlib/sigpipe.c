#include "sigpipe.h"

#include <pthread.h>
#include <time.h>

void cora__sigpipe_hold(struct cora__sigpipe *held)
{
    sigset_t pending;

    sigemptyset(&held->signal);
    sigaddset(&held->signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &held->signal, &held->before);
    /* One that is somebody else's can be pending only where it was blocked before. */
    held->pending = sigismember(&held->before, SIGPIPE) == 1 && sigpending(&pending) == 0 &&
                    sigismember(&pending, SIGPIPE) == 1;
}

void cora__sigpipe_release(struct cora__sigpipe *held, bool came)
{
    if (came && !held->pending)
        (void)sigtimedwait(&held->signal, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &held->before, NULL);
}
