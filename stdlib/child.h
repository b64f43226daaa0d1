/*
 * child.h: watching a child process for its end (asyncio's child watchers).
 */
#ifndef CORA_STDLIB_CHILD_H
#define CORA_STDLIB_CHILD_H

#include <cora/loop.h>

#include <sys/types.h>

/* Of a process whose status somebody else has taken. */
enum { CORA__UNKNOWN_RETURNCODE = 255 };

/*
 * In storage of the user's. The process is reaped here and by nobody else, and only when fn is
 * called: until then its id is its own.
 */
struct cora__child_watch {
    cora_loop *loop;
    pid_t pid, parent;
    void (*fn)(struct cora__child_watch *watch, int returncode);
    int pidfd;               /* readable when it has ended; -1: there is none */
    struct waiting *waiting; /* the thread that waits for its end instead; else NULL */
    struct cora__child_watch *next, **link; /* in the loop's list; link: NULL once it was reaped */
    bool killed;                            /* by cora__child_kill, with success */
};

/*
 * Calls fn in the loop once, after the process has ended and was reaped: with its exit status, or
 * the negative number of the signal that killed it. Where its status was taken by others, or
 * SIGCHLD is ignored, it is 255, and the loop's exception handler hears of it. Where the loop is
 * closed before, the process is killed, and fn is called then.
 * 0; -ENOMEM, -EAGAIN: it was killed and reaped, and fn is not called.
 */
int cora__child_watch(struct cora__child_watch *watch, cora_loop *loop, pid_t pid,
                      void (*fn)(struct cora__child_watch *watch, int returncode));

/*
 * kill(2), but never of another process that has its id now. 0, also where it has ended and fn was
 * not called yet; -ESRCH afterwards, and in a forked child; -EPERM; -EINVAL for what is no signal.
 */
int cora__child_send_signal(struct cora__child_watch *watch, int signum);

/* SIGKILL: its end is near enough for cora_runner_close to wait for it. */
int cora__child_kill(struct cora__child_watch *watch);

#endif
