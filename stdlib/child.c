/*
 * child.c: child processes that are watched for their end.
 *
 * A process descriptor is readable when its process has ended; where none can be had a thread waits
 * for the process. Neither reaps it: the loop does that, so that no signal that is sent in the loop
 * can meet another process of the same number. All children are waited for one by one, by
 * descriptor or number: others are not ours.
 */
#include "child.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#if __has_include(<sys/pidfd.h>)
#include <sys/pidfd.h>
#else /* the system has none */
#define P_PIDFD P_PID
#define pidfd_open(pid, flags) (-1)
#define pidfd_send_signal(pidfd, signum, info, flags) (-1)
#endif

/* Those of a loop that have not been reaped. */
struct children {
    struct cora__child_watch *first;
};

/* In a forked child those of its parent are nobody's. */
static bool is_ours(const struct cora__child_watch *watch)
{
    return watch->parent == getpid();
}

/* ---- the end ------------------------------------------------------------------------------- */

static void report_unknown(const struct cora__child_watch *watch)
{
    cora_exception_context context = {
        .message = "somebody else has reaped a child process: its return code is unknown",
        .error = -ECHILD,
    };

    cora_loop_call_exception_handler(watch->loop, &context);
}

/* Reaps the process. Whether it had ended; with WNOHANG it may not. */
static bool reap(const struct cora__child_watch *watch, int flags, int *ret_returncode)
{
    siginfo_t info = {.si_pid = 0};
    bool by_pidfd = watch->pidfd >= 0;
    int rc;

    do
        rc = waitid(by_pidfd ? P_PIDFD : P_PID, (id_t)(by_pidfd ? watch->pidfd : watch->pid), &info,
                    WEXITED | flags);
    while (rc < 0 && errno == EINTR);
    if (rc < 0) {
        report_unknown(watch);
        *ret_returncode = CORA__UNKNOWN_RETURNCODE;
    } else {
        *ret_returncode = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    }
    return rc < 0 || info.si_pid != 0;
}

/* ---- a thread that waits ------------------------------------------------------------------- */

/* It goes from the loop to the thread and back by the trigger. */
struct waiting {
    cora_trigger ended;
    cora_loop *loop; /* held */
    pid_t pid;
    struct cora__child_watch *watch; /* NULL once that has been stopped; the loop's side only */
};

static void drop_waiting(void *arg)
{
    struct waiting *waiting = arg;

    cora_loop_release(waiting->loop);
    free(waiting);
}

/* All signals are blocked in it. */
static void *wait_for_end(void *arg)
{
    struct waiting *waiting = arg;
    siginfo_t info;

    while (waitid(P_PID, (id_t)waiting->pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
    }
    if (cora_trigger_fire(&waiting->ended) < 0)
        drop_waiting(waiting);
    return NULL;
}

static int start_thread(struct waiting *waiting)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, mask;
    int error;

    error = pthread_attr_init(&attributes);
    if (error != 0)
        return -error;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    error = pthread_create(&thread, &attributes, wait_for_end, waiting);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    pthread_attr_destroy(&attributes);
    return -error;
}

static void on_waited(void *arg);

static int wait_in_thread(struct cora__child_watch *watch)
{
    struct waiting *waiting = malloc(sizeof *waiting);
    int rc;

    if (waiting == NULL)
        return -ENOMEM;
    waiting->loop = watch->loop;
    waiting->pid = watch->pid;
    waiting->watch = watch;
    cora_trigger_init(&waiting->ended, watch->loop, on_waited, drop_waiting, waiting);
    cora_loop_hold(watch->loop);
    rc = start_thread(waiting);
    if (rc < 0)
        drop_waiting(waiting);
    else
        watch->waiting = waiting;
    return rc;
}

/* In a forked child there is no thread that would come back. */
static void stop_waiting(struct cora__child_watch *watch)
{
    watch->waiting->watch = NULL;
    if (!is_ours(watch))
        drop_waiting(watch->waiting);
}

/* ---- watching ------------------------------------------------------------------------------ */

static void stop(struct cora__child_watch *watch)
{
    if (watch->pidfd >= 0) {
        cora_loop_remove_reader(watch->loop, watch->pidfd);
        close(watch->pidfd);
    }
    if (watch->waiting != NULL)
        stop_waiting(watch);
    *watch->link = watch->next;
    if (watch->next != NULL)
        watch->next->link = watch->link;
    watch->link = NULL;
}

static void on_ended(void *arg)
{
    struct cora__child_watch *watch = arg;
    int returncode;

    if (!reap(watch, WNOHANG, &returncode))
        return;
    stop(watch);
    watch->fn(watch, returncode);
}

static void on_waited(void *arg)
{
    struct waiting *waiting = arg;

    if (waiting->watch != NULL)
        on_ended(waiting->watch);
    drop_waiting(waiting);
}

static int wait_by_pidfd(struct cora__child_watch *watch)
{
    int pidfd = pidfd_open(watch->pid, 0);
    int rc;

    if (pidfd < 0)
        return -ENOSYS; /* or another reason to do without */
    rc = cora_loop_add_reader(watch->loop, pidfd, on_ended, watch);
    if (rc < 0)
        close(pidfd);
    else
        watch->pidfd = pidfd;
    return rc;
}

/* ---- the loop's list ----------------------------------------------------------------------- */

static bool is_busy(void *arg)
{
    const struct children *children = arg;

    for (const struct cora__child_watch *w = children->first; w != NULL; w = w->next)
        if (w->killed && is_ours(w))
            return true;
    return false;
}

/* Where it may not be killed nobody will ever know. */
static int end_now(struct cora__child_watch *watch)
{
    int returncode = CORA__UNKNOWN_RETURNCODE;

    if (is_ours(watch) && cora__child_kill(watch) != -EPERM)
        reap(watch, 0, &returncode);
    return returncode;
}

static void close_children(void *arg)
{
    struct children *children = arg;

    while (children->first != NULL) {
        struct cora__child_watch *watch = children->first;
        int returncode = end_now(watch);

        stop(watch);
        watch->fn(watch, returncode);
    }
    free(children);
}

static const cora_attachment_kind children_kind = {is_busy, close_children};

static struct children *children_of(cora_loop *loop)
{
    struct children *children = cora_loop_attached(loop, &children_kind);

    if (children != NULL)
        return children;
    children = calloc(1, sizeof *children);
    if (children != NULL && cora_loop_attach(loop, &children_kind, children) < 0) {
        free(children);
        return NULL;
    }
    return children;
}

static void list(struct children *children, struct cora__child_watch *watch)
{
    watch->next = children->first;
    watch->link = &children->first;
    if (watch->next != NULL)
        watch->next->link = &watch->next;
    children->first = watch;
}

/* ---- for users ----------------------------------------------------------------------------- */

static int start_watching(struct cora__child_watch *watch)
{
    struct children *children = children_of(watch->loop);
    int rc = children != NULL ? wait_by_pidfd(watch) : -ENOMEM;

    if (rc < 0 && rc != -ENOMEM)
        rc = wait_in_thread(watch);
    if (rc == 0)
        list(children, watch);
    return rc;
}

int cora__child_watch(struct cora__child_watch *watch, cora_loop *loop, pid_t pid,
                      void (*fn)(struct cora__child_watch *watch, int returncode))
{
    int rc, returncode;

    *watch = (struct cora__child_watch){.loop = loop, .fn = fn};
    watch->pid = pid;
    watch->parent = getpid();
    watch->pidfd = -1;
    rc = start_watching(watch);
    if (rc < 0) {
        kill(pid, SIGKILL);
        reap(watch, 0, &returncode);
    }
    return rc;
}

int cora__child_send_signal(struct cora__child_watch *watch, int signum)
{
    int rc;

    if (watch->link == NULL || !is_ours(watch))
        return -ESRCH;
    if (watch->pidfd >= 0)
        rc = pidfd_send_signal(watch->pidfd, signum, NULL, 0);
    else
        rc = kill(watch->pid, signum);
    return rc < 0 ? -errno : 0;
}

int cora__child_kill(struct cora__child_watch *watch)
{
    int rc = cora__child_send_signal(watch, SIGKILL);

    if (rc == 0)
        watch->killed = true;
    return rc;
}
