#include "run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static size_t report_size(size_t count)
{
    return sizeof(struct report) + count * sizeof(struct outcome);
}

/* ---- the child ----------------------------------------------------------------------------- */

/* The most memory that has been resident in this process, in KiB. */
static long peak_memory(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_maxrss : 0;
}

static void measure(struct run *run, struct work *work)
{
    struct report *report = run->report;

    atomic_init(&report->threads, 1);
    report->memory_start = peak_memory();
    for (size_t i = 0; i < work->count; i++)
        trace_enter(&report->outcomes[i].trace, TRACE_QUEUED);
    report->start = now();
    report->error = run->way(work);
    report->end = now();
    report->memory_peak = peak_memory();
    report->ended = true;
}

/* The life of the child: it waits for the word to go, or for the parent to go away. */
static void live(struct run *run, const struct work *given, int fd)
{
    struct work work = *given;
    char go;

    work.outcomes = run->report->outcomes;
    work.threads = &run->report->threads;
    work.progress_fd = fd;
    if (recv(fd, &go, 1, 0) == 1)
        measure(run, &work);
    close(fd);
}

/* ---- the parent ---------------------------------------------------------------------------- */

int run_prepare(struct run *run, const struct work *work, void (*in_child)(void *arg), void *arg)
{
    int ends[2];

    run->fd = -1;
    run->pid = 0;
    run->count = work->count;
    run->report = mmap(NULL, report_size(work->count), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (run->report == MAP_FAILED) {
        run->report = NULL;
        return -ENOMEM;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    run->pid = fork();
    if (run->pid == 0) {
        close(ends[0]);
        if (in_child != NULL)
            in_child(arg);
        live(run, work, ends[1]);
        exit(0);
    }
    int error = errno;

    close(ends[1]);
    run->fd = ends[0];
    return run->pid > 0 ? 0 : -error;
}

/* Signals that the program has blocked are let in here and nowhere else, so that none is missed. */
static int await_bytes(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    sigset_t none;

    sigemptyset(&none);
    return ppoll(&wait, 1, NULL, &none) < 0 ? -errno : 0;
}

/* A byte comes for each file that has ended, and the end of the stream with the process. */
static int watch(const struct run *run, struct progress *progress)
{
    char bytes[256];
    ssize_t got = 1;
    int rc = 0;

    progress_start(progress, run->name, run->count);
    while (rc == 0 && got > 0) {
        rc = await_bytes(run->fd);
        if (rc == 0)
            got = recv(run->fd, bytes, sizeof bytes, 0);
        if (got < 0)
            rc = -errno;
        if (rc == 0)
            progress_advance(progress, (size_t)got);
    }
    progress_clear(progress);
    return rc;
}

/* Waits for the process, which is about to end or has been told to. */
static void reap(struct run *run)
{
    int status;

    while (waitpid(run->pid, &status, 0) < 0)
        if (errno != EINTR)
            return;
    run->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    run->killed_by = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

int run_go(struct run *run, struct progress *progress)
{
    int rc;

    if (send(run->fd, "", 1, MSG_NOSIGNAL) < 0)
        return -errno;
    rc = watch(run, progress);
    if (rc < 0)
        kill(run->pid, SIGTERM);
    reap(run);
    run->pid = 0;
    return rc;
}

void run_free(struct run *run)
{
    if (run->report == NULL)
        return;
    if (run->fd >= 0) {
        /* Processes forked later have a copy of this end: closing ours would not end the stream. */
        shutdown(run->fd, SHUT_WR);
        close(run->fd);
    }
    if (run->pid > 0)
        reap(run);
    munmap(run->report, report_size(run->count));
    run->report = NULL;
}
