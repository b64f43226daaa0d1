/*
 * process.c: processes that run a function of this program.
 *
 * A process knows its family: itself, who has started it, and whom it has started and not joined
 * yet. Each fork makes another one, also one by others: the child has no children.
 */
#include <cora/multiprocessing/process.h>

#include "deadline.h"
#include "sentinel.h"

#include <cora/coroutine.h>
#include <cora/error.h>
#include <cora/waiter.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { UNKNOWN_EXITCODE = 255, PATH_SIZE = 64 };

struct cora_multiprocessing_process {
    cora_multiprocessing_target *target;
    void *arg;
    char *name;
    char path[PATH_SIZE]; /* "1:2": the second that the first has made; "": the main process */
    bool daemon;
    pid_t parent; /* the process that has made this object; 0: not made by _create */
    pid_t pid;    /* 0: not started */
    struct cora__sentinel sentinel;
    bool ended; /* and reaped */
    int exitcode;
    struct cora_multiprocessing_process *next, **link; /* in the family; link: NULL if not in it */
};

static cora_multiprocessing_process main_process = {.name = "MainProcess",
                                                    .sentinel = {.fd = -1, .writer = -1}};

/* The lock is for the list, and for what the processes in it have come to. */
static struct {
    pthread_mutex_t lock;
    cora_multiprocessing_process *first, **last;
    cora_multiprocessing_process *current, *parent;
    cora_multiprocessing_process *awaited; /* by the end of the program: not freed meanwhile */
    pthread_cond_t let_go;                 /* that one is no longer */
    int made;                              /* by this process: their numbers */
} family = {.lock = PTHREAD_MUTEX_INITIALIZER,
            .last = &family.first,
            .current = &main_process,
            .let_go = PTHREAD_COND_INITIALIZER};

/* ---- the family ---------------------------------------------------------------------------- */

static void enter(cora_multiprocessing_process *process)
{
    process->next = NULL;
    process->link = family.last;
    *family.last = process;
    family.last = &process->next;
}

static void leave(cora_multiprocessing_process *process)
{
    if (process->link == NULL)
        return;
    *process->link = process->next;
    if (process->next != NULL)
        process->next->link = process->link;
    else
        family.last = process->link;
    process->link = NULL;
}

static void before_fork(void)
{
    pthread_mutex_lock(&family.lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&family.lock);
}

/* Of its parent's children it needs no descriptors. */
static void after_fork_in_child(void)
{
    while (family.first != NULL) {
        cora_multiprocessing_process *process = family.first;

        leave(process);
        cora__sentinel_close(&process->sentinel);
    }
    family.awaited = NULL;
    pthread_cond_init(&family.let_go, NULL);
    pthread_mutex_unlock(&family.lock);
}

static void end_children(void);

static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static int preparation;

static void prepare(void)
{
    int error = pthread_atfork(before_fork, after_fork, after_fork_in_child);

    preparation = error != 0 ? -error : atexit(end_children) == 0 ? 0 : -ENOMEM;
}

/* ---- life ---------------------------------------------------------------------------------- */

static char *make_name(const cora_multiprocessing_process *process, const char *name)
{
    char *made = NULL;

    if (name != NULL)
        return strdup(name);
    return asprintf(&made, "Process-%s", process->path) < 0 ? NULL : made;
}

static void number(cora_multiprocessing_process *process)
{
    const char *path = family.current->path;
    int made;

    pthread_mutex_lock(&family.lock);
    made = ++family.made;
    pthread_mutex_unlock(&family.lock);
    snprintf(process->path, sizeof process->path, "%.48s%s%d", path, path[0] != '\0' ? ":" : "",
             made);
}

int cora_multiprocessing_process_create(cora_multiprocessing_target *target, void *arg,
                                        const cora_multiprocessing_process_options *options,
                                        cora_multiprocessing_process **ret)
{
    cora_multiprocessing_process *process = calloc(1, sizeof *process);

    if (process == NULL)
        return -ENOMEM;
    number(process);
    process->name = make_name(process, options != NULL ? options->name : NULL);
    if (process->name == NULL) {
        free(process);
        return -ENOMEM;
    }
    process->target = target;
    process->arg = arg;
    process->daemon = options != NULL && options->daemon;
    process->parent = getpid();
    process->sentinel = CORA__NO_SENTINEL;
    *ret = process;
    return 0;
}

/* Whether it is one that this process may ask of, and has begun. */
static int check_started(const cora_multiprocessing_process *process)
{
    if (process->parent != getpid())
        return -ECHILD;
    return process->pid == 0 ? -CORA_EINVALIDSTATE : 0;
}

/* ---- the child ----------------------------------------------------------------------------- */

/* What the parent has read ahead is the parent's, and so is what is typed. */
static void leave_stdin(void)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (null < 0)
        return;
    dup2(null, STDIN_FILENO);
    if (null != STDIN_FILENO)
        close(null);
}

static int run_target(void *arg)
{
    cora_multiprocessing_process *process = arg;

    return process->target(process->arg);
}

static size_t thread_stack_size(void)
{
    static const size_t usual = 8 << 20, most = 64 << 20;
    struct rlimit limit;

    if (getrlimit(RLIMIT_STACK, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return usual;
    return limit.rlim_cur < most ? (size_t)limit.rlim_cur : most;
}

/* A task's stack is too small for a program. */
static int run_on_large_stack(cora_multiprocessing_process *process)
{
    cora_coroutine *coroutine;
    int rc = cora_coroutine_create(&coroutine, run_target, process, thread_stack_size());

    while (rc == 0)
        rc = cora_coroutine_resume(coroutine, NULL, NULL);
    if (rc == -CORA_ESTOPITERATION) {
        rc = cora_coroutine_outcome(coroutine);
        cora_coroutine_destroy(coroutine);
    }
    return rc;
}

static _Noreturn void be_child(cora_multiprocessing_process *process, const sigset_t *mask)
{
    int rc;

    family.parent = family.current;
    family.parent->pid = process->parent;
    family.current = process;
    family.made = 0;
    process->pid = getpid();
    pthread_sigmask(SIG_SETMASK, mask, NULL);
    leave_stdin();
    rc = cora_coroutine_current() != NULL ? run_on_large_stack(process) : run_target(process);
    if (rc < 0 || rc > UNKNOWN_EXITCODE) {
        rc = rc < 0 ? rc : -ERANGE;
        fprintf(stderr, "%s has failed: %s (%s)\n", process->name, cora_strerror(rc),
                cora_strerrorname(rc));
        rc = EXIT_FAILURE;
    }
    end_children();
    fflush(stdout);
    fflush(stderr);
    _exit(rc);
}

/* No handler of the parent's may run in the child before the loops' are gone. */
static pid_t fork_child(cora_multiprocessing_process *process)
{
    sigset_t all, mask;
    pid_t pid;

    fflush(stdout);
    fflush(stderr);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    pid = fork();
    if (pid == 0)
        be_child(process, &mask);
    if (pid < 0)
        pid = -errno;
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return pid;
}

/* ---- start --------------------------------------------------------------------------------- */

static int check_startable(const cora_multiprocessing_process *process)
{
    if (process->parent != getpid())
        return -ECHILD;
    if (process->pid != 0)
        return -CORA_EINVALIDSTATE;
    return family.current->daemon ? -EPERM : 0;
}

static int watch(cora_multiprocessing_process *process, pid_t pid)
{
    int rc = cora__sentinel_open(&process->sentinel, pid);

    if (rc < 0) {
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
        return rc;
    }
    pthread_mutex_lock(&family.lock);
    process->pid = pid;
    enter(process);
    pthread_mutex_unlock(&family.lock);
    return 0;
}

int cora_multiprocessing_process_start(cora_multiprocessing_process *process)
{
    pid_t pid;
    int rc = check_startable(process);

    if (rc < 0)
        return rc;
    pthread_once(&prepared, prepare);
    if (preparation < 0)
        return preparation;
    pid = fork_child(process);
    return pid < 0 ? (int)pid : watch(process, pid);
}

/* ---- the end ------------------------------------------------------------------------------- */

/* The lock is held, and the sentinel says that it has ended. */
static void reap(cora_multiprocessing_process *process)
{
    siginfo_t info;
    int rc;

    do
        rc = waitid(P_PID, (id_t)process->pid, &info, WEXITED);
    while (rc < 0 && errno == EINTR);
    if (rc < 0)
        process->exitcode = UNKNOWN_EXITCODE;
    else
        process->exitcode = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    cora__sentinel_settle(&process->sentinel);
    process->ended = true;
    leave(process);
}

/* Waits for the sentinel, without the lock, and reaps. 0, -ETIMEDOUT. */
static int wait_for_end(cora_multiprocessing_process *process, double deadline)
{
    struct pollfd polled = {.fd = process->sentinel.fd, .events = POLLIN};
    int rc = cora__poll(&polled, 1, deadline);

    if (rc <= 0)
        return rc < 0 ? rc : -ETIMEDOUT;
    pthread_mutex_lock(&family.lock);
    if (!process->ended)
        reap(process);
    pthread_mutex_unlock(&family.lock);
    return 0;
}

static bool has_ended(cora_multiprocessing_process *process)
{
    return wait_for_end(process, -INFINITY) == 0;
}

int cora_multiprocessing_process_join(cora_multiprocessing_process *process, double timeout)
{
    int rc = check_started(process);

    if (rc < 0)
        return rc;
    return isnan(timeout) ? -EINVAL : wait_for_end(process, cora__deadline(timeout));
}

bool cora_multiprocessing_process_is_alive(cora_multiprocessing_process *process)
{
    if (process == family.current)
        return true;
    if (process == family.parent)
        return getppid() == process->pid;
    return check_started(process) == 0 && !has_ended(process);
}

int cora_multiprocessing_process_exitcode(cora_multiprocessing_process *process, int *ret)
{
    int rc = check_started(process);

    if (rc < 0)
        return rc;
    if (!has_ended(process))
        return -CORA_EINVALIDSTATE;
    *ret = process->exitcode;
    return 0;
}

/* As long as it is not reaped its id is its own. */
static int send_signal(cora_multiprocessing_process *process, int signum)
{
    int rc = check_started(process);

    if (rc < 0 || has_ended(process))
        return rc;
    pthread_mutex_lock(&family.lock);
    if (!process->ended && kill(process->pid, signum) < 0 && errno != ESRCH)
        rc = -errno;
    pthread_mutex_unlock(&family.lock);
    return rc;
}

int cora_multiprocessing_process_terminate(cora_multiprocessing_process *process)
{
    return send_signal(process, SIGTERM);
}

int cora_multiprocessing_process_kill(cora_multiprocessing_process *process)
{
    return send_signal(process, SIGKILL);
}

int cora_multiprocessing_process_interrupt(cora_multiprocessing_process *process)
{
    return send_signal(process, SIGINT);
}

static void await_let_go(const cora_multiprocessing_process *process)
{
    pthread_mutex_lock(&family.lock);
    while (family.awaited == process)
        pthread_cond_wait(&family.let_go, &family.lock);
    pthread_mutex_unlock(&family.lock);
}

int cora_multiprocessing_process_close(cora_multiprocessing_process *process)
{
    if (process == NULL)
        return 0;
    if (check_started(process) == 0 && !has_ended(process))
        return -EBUSY;
    await_let_go(process);
    cora__sentinel_close(&process->sentinel);
    free(process->name);
    free(process);
    return 0;
}

/* ---- what is known of it ------------------------------------------------------------------- */

int cora_multiprocessing_process_sentinel(const cora_multiprocessing_process *process)
{
    int rc = check_started(process);

    return rc < 0 ? rc : process->sentinel.fd;
}

const char *cora_multiprocessing_process_name(const cora_multiprocessing_process *process)
{
    return process->name;
}

pid_t cora_multiprocessing_process_pid(const cora_multiprocessing_process *process)
{
    return process == family.current ? getpid() : process->pid;
}

bool cora_multiprocessing_process_daemon(const cora_multiprocessing_process *process)
{
    return process->daemon;
}

/* ---- all of them --------------------------------------------------------------------------- */

cora_multiprocessing_process *cora_multiprocessing_current_process(void)
{
    return family.current;
}

cora_multiprocessing_process *cora_multiprocessing_parent_process(void)
{
    return family.parent;
}

size_t cora_multiprocessing_active_children(cora_multiprocessing_process *ret[], size_t most)
{
    cora_multiprocessing_process *process, *next;
    size_t count = 0;

    pthread_mutex_lock(&family.lock);
    for (process = family.first; process != NULL; process = next) {
        struct pollfd polled = {.fd = process->sentinel.fd, .events = POLLIN};

        next = process->next;
        if (cora__poll(&polled, 1, -INFINITY) > 0)
            reap(process);
        else if (count++ < most)
            ret[count - 1] = process;
    }
    pthread_mutex_unlock(&family.lock);
    return count;
}

int cora_multiprocessing_cpu_count(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);

    return count > 1 ? (int)count : 1;
}

/* One that another thread is starting meanwhile may be left out. */
static void end_children(void)
{
    cora_multiprocessing_process *first;

    pthread_mutex_lock(&family.lock);
    for (cora_multiprocessing_process *process = family.first; process != NULL;
         process = process->next)
        if (process->daemon)
            kill(process->pid, SIGTERM);
    while ((first = family.first) != NULL) {
        family.awaited = first;
        pthread_mutex_unlock(&family.lock);

        int rc = wait_for_end(first, INFINITY);

        pthread_mutex_lock(&family.lock);
        family.awaited = NULL;
        pthread_cond_broadcast(&family.let_go);
        if (rc < 0)
            leave(first);
    }
    pthread_mutex_unlock(&family.lock);
}
