/*
 * sentinel.c: a process descriptor; where there is none, a pipe that a thread writes to when the
 * process has ended.
 *
 * (A pipe whose other end the child holds until its end would do without the thread. But it would
 * close when the child runs another program, and stay open as long as anybody else whom the child
 * has forked. And it would tell of the end before the process can be reaped.)
 */
#include "sentinel.h"

#include "deadline.h"

#include <cora/waiter.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#if __has_include(<sys/pidfd.h>)
#include <sys/pidfd.h>
#else /* the system has none */
#define pidfd_open(pid, flags) (-1)
#endif

/*
 * What is written, and not the pipe's end, is what is seen: forked children may have that too.
 * After that the sentinel may be gone.
 */
static void *wait_for_end(void *arg)
{
    struct cora__sentinel *sentinel = arg;
    siginfo_t info;

    while (waitid(P_PID, (id_t)sentinel->pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
    }
    (void)!write(sentinel->writer, "", 1);
    return NULL;
}

/* All signals are blocked in it. */
static int start_thread(struct cora__sentinel *sentinel)
{
    sigset_t all, mask;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    error = pthread_create(&sentinel->thread, NULL, wait_for_end, sentinel);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return -error;
}

static int wait_in_thread(struct cora__sentinel *sentinel)
{
    int ends[2], rc;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    sentinel->fd = ends[0];
    sentinel->writer = ends[1];
    rc = start_thread(sentinel);
    if (rc < 0)
        cora__sentinel_close(sentinel);
    return rc;
}

int cora__sentinel_open(struct cora__sentinel *sentinel, pid_t pid)
{
    int rc = 0;

    *sentinel = CORA__NO_SENTINEL;
    sentinel->pid = pid;
    sentinel->fd = pidfd_open(pid, 0);
    if (sentinel->fd < 0)
        rc = wait_in_thread(sentinel);
    if (rc == 0)
        cora_fd_opened(sentinel->fd);
    return rc;
}

void cora__sentinel_settle(struct cora__sentinel *sentinel)
{
    if (sentinel->writer < 0)
        return;
    pthread_join(sentinel->thread, NULL);
    close(sentinel->writer);
    sentinel->writer = -1;
}

void cora__sentinel_close(struct cora__sentinel *sentinel)
{
    if (sentinel->fd >= 0)
        cora_close_fd(sentinel->fd);
    if (sentinel->writer >= 0)
        close(sentinel->writer);
    *sentinel = CORA__NO_SENTINEL;
}

/* In the unit of poll(2), and not too early; -1: for ever. */
static int milliseconds_until(double deadline)
{
    double left = ceil((deadline - cora__clock()) * 1e3);

    if (isinf(deadline) && deadline > 0)
        return -1;
    return left >= INT_MAX ? INT_MAX : left > 0 ? (int)left : 0;
}

int cora__poll(struct pollfd *polled, size_t count, double deadline)
{
    int milliseconds, ready;

    do {
        milliseconds = milliseconds_until(deadline);
        ready = poll(polled, (nfds_t)count, milliseconds);
    } while (ready < 0 ? errno == EINTR : ready == 0 && milliseconds == INT_MAX);
    return ready < 0 ? -errno : ready;
}
