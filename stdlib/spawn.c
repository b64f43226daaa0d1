/*
 * spawn.c: vfork and exec.
 *
 * All that can be made before the fork is made there. The child shares our memory and our stack,
 * and runs while this thread stands still, so it makes system calls and nothing else. No handler of
 * a signal may run in it either: all signals are blocked from before the fork until their handlers
 * are gone. What fails in the child it writes into a pipe that exec closes: end of file is success.
 * (Memory would do for that, but not where vfork is a fork: under valgrind and emulators.)
 */
#include "spawn.h"

#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STDIO = 3 }; /* stdin, stdout, stderr: the descriptors below it */

struct spawn {
    const char *const *argv, *const *env;
    const cora_subprocess_options *options;
    char **paths;      /* where the program may be, in order; one block, ends with NULL */
    int stdio[STDIO];  /* what becomes the child's 0, 1 and 2; -1: what it is here */
    int opened[STDIO]; /* of these, what was opened for it; -1: nothing */
    int report[2];     /* the pipe */
    sigset_t mask;     /* this thread's */
};

/* ---- before: where the program may be ------------------------------------------------------ */

static const char *path_in(const char *const *env)
{
    for (; *env != NULL; env++)
        if (strncmp(*env, "PATH=", 5) == 0)
            return *env + 5;
    return "/bin:/usr/bin";
}

/* The program in each of the directories of `path`; an empty one is the current. */
static char **join(const char *path, const char *program)
{
    size_t count = 1, most = strlen(path) + strlen(program) + 2, room;
    char **paths, *next;

    for (const char *c = path; *c != '\0'; c++)
        count += *c == ':';
    room = strlen(path) + count * (strlen(program) + 2);
    paths = malloc((count + 1) * sizeof *paths + room);
    if (paths == NULL)
        return NULL;
    next = (char *)(paths + count + 1);
    for (size_t i = 0; i < count; i++) {
        int length = (int)strcspn(path, ":");

        paths[i] = next;
        next += snprintf(next, most, "%.*s%s%s", length, path, length > 0 ? "/" : "", program) + 1;
        path += length + 1;
    }
    paths[count] = NULL;
    return paths;
}

static int find_paths(struct spawn *spawn)
{
    const char *program = spawn->argv[0];
    bool searched = program[0] != '\0' && strchr(program, '/') == NULL;

    spawn->paths = join(searched ? path_in(spawn->env) : "", program);
    return spawn->paths != NULL ? 0 : -ENOMEM;
}

/* ---- before: descriptors ------------------------------------------------------------------- */

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* Checked first: what is opened here must not take the number of one that was thought to be open.
 */
static int check(const char *const argv[], const cora_subprocess_options *options)
{
    const int how[STDIO] = {options->in, options->out, options->err};

    if (argv == NULL || argv[0] == NULL)
        return -EINVAL;
    for (int i = 0; i < STDIO; i++) {
        if (how[i] < CORA_SUBPROCESS_DEVNULL || (how[i] == CORA_SUBPROCESS_STDOUT && i != 2))
            return -EINVAL;
        if (how[i] > 0 && !is_open(how[i]))
            return -EBADF;
    }
    for (const int *fd = options->pass_fds; fd != NULL && *fd >= 0; fd++)
        if (!is_open(*fd))
            return -EBADF;
    return 0;
}

/* The child reads from stdin and writes to the others; *ours is the other end. */
static int open_pipe(struct spawn *spawn, int i, int *ours)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    spawn->opened[i] = ends[i == 0 ? 0 : 1];
    *ours = ends[i == 0 ? 1 : 0];
    return 0;
}

static int open_stdio(struct spawn *spawn, int i, int how, int *ours)
{
    int rc = 0;

    if (how == CORA_SUBPROCESS_PIPE) {
        rc = open_pipe(spawn, i, ours);
    } else if (how == CORA_SUBPROCESS_DEVNULL) {
        spawn->opened[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
        rc = spawn->opened[i] < 0 ? -errno : 0;
    }
    if (how == CORA_SUBPROCESS_STDOUT)
        spawn->stdio[i] = spawn->stdio[1] >= 0 ? spawn->stdio[1] : 1;
    else
        spawn->stdio[i] = how > 0 ? how : spawn->opened[i];
    return rc;
}

static int open_all(struct spawn *spawn, struct cora__child *child)
{
    const cora_subprocess_options *options = spawn->options;
    const int how[STDIO] = {options->in, options->out, options->err};
    int rc = 0;

    for (int i = 0; i < STDIO && rc == 0; i++)
        rc = open_stdio(spawn, i, how[i], &child->pipe[i]);
    if (rc == 0 && pipe2(spawn->report, O_CLOEXEC) < 0)
        rc = -errno;
    return rc;
}

static void close_all(const int fds[], int count)
{
    for (int i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

/* ---- the child ----------------------------------------------------------------------------- */

/* Its own, that dup2 is not to overwrite it. */
static int move_up(int *fd)
{
    if (*fd >= STDIO)
        return 0;
    *fd = fcntl(*fd, F_DUPFD_CLOEXEC, STDIO);
    return *fd < 0 ? -1 : 0;
}

static int stay_open(int fd)
{
    return fcntl(fd, F_SETFD, 0);
}

static int set_stdio(const struct spawn *spawn)
{
    int stdio[STDIO];

    memcpy(stdio, spawn->stdio, sizeof stdio);
    for (int i = 0; i < STDIO; i++)
        if (stdio[i] >= 0 && stdio[i] != i && move_up(&stdio[i]) < 0)
            return -1;
    for (int i = 0; i < STDIO; i++)
        if (stdio[i] >= 0 && (stdio[i] == i ? stay_open(i) : dup2(stdio[i], i)) < 0)
            return -1;
    return 0;
}

static int close_others(const int *pass_fds)
{
    cora__close_on_exec_from(STDIO);
    for (const int *fd = pass_fds; fd != NULL && *fd >= 0; fd++)
        if (stay_open(*fd) < 0)
            return -1;
    return 0;
}

/* Signals that have come meanwhile have their effect now. */
static void reset_signals(const sigset_t *mask)
{
    struct sigaction action, none = {.sa_handler = SIG_DFL};

    for (int signum = 1; signum < NSIG; signum++)
        if (signum == SIGPIPE || (sigaction(signum, NULL, &action) == 0 &&
                                  action.sa_handler != SIG_IGN && action.sa_handler != SIG_DFL))
            sigaction(signum, &none, NULL);
    pthread_sigmask(SIG_SETMASK, mask, NULL);
}

static int set_up(const struct spawn *spawn)
{
    const cora_subprocess_options *options = spawn->options;

    if (options->start_new_session && setsid() < 0)
        return -1;
    if (options->process_group != NULL && setpgid(0, *options->process_group) < 0)
        return -1;
    if (options->cwd != NULL && chdir(options->cwd) < 0)
        return -1;
    if (options->umask != NULL)
        umask(*options->umask);
    if (set_stdio(spawn) < 0 || close_others(options->pass_fds) < 0)
        return -1;
    reset_signals(&spawn->mask);
    return 0;
}

static bool says_more(int error)
{
    return error != ENOENT && error != ENOTDIR;
}

/* Returns why none of the paths would do: the first error that says more than that nothing is
 * there. */
static int exec(const struct spawn *spawn)
{
    int error = ENOENT;

    for (char **path = spawn->paths; *path != NULL; path++) {
        execve(*path, (char *const *)spawn->argv, (char *const *)spawn->env);
        if (!says_more(error))
            error = errno;
    }
    return error;
}

static _Noreturn void be_child(const struct spawn *spawn)
{
    int report = spawn->report[1];
    int error = move_up(&report) == 0 && set_up(spawn) == 0 ? exec(spawn) : errno;

    /* Where even that fails it ends as it does in a shell. */
    _exit(write(report, &error, sizeof error) == sizeof error ? 126 : 127);
}

/* ---- the parent ---------------------------------------------------------------------------- */

/* On Linux: elsewhere vfork is no better. The child returns to nowhere. */
static __attribute__((noinline)) pid_t fork_child(const struct spawn *spawn)
{
#ifdef __linux__
    pid_t pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork) */
#else
    pid_t pid = fork();
#endif

    if (pid == 0)
        be_child(spawn); /* NOLINT(clang-analyzer-unix.Vfork) */
    return pid < 0 ? -errno : pid;
}

/* What the child says: 0, its program runs. */
static int read_report(int fd)
{
    int error = 0;
    ssize_t got;

    do
        got = read(fd, &error, sizeof error);
    while (got < 0 && errno == EINTR);
    return got == sizeof error ? -error : 0;
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

static pid_t start(struct spawn *spawn)
{
    sigset_t all;
    pid_t pid;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &spawn->mask);
    pid = fork_child(spawn);
    pthread_sigmask(SIG_SETMASK, &spawn->mask, NULL);
    close(spawn->report[1]);
    spawn->report[1] = -1;
    if (pid < 0)
        return pid;
    rc = read_report(spawn->report[0]);
    if (rc < 0)
        reap(pid);
    return rc < 0 ? rc : pid;
}

void cora__child_close_pipes(struct cora__child *child)
{
    close_all(child->pipe, STDIO);
    for (int i = 0; i < STDIO; i++)
        child->pipe[i] = -1;
}

int cora__spawn(struct cora__child *ret, const char *const argv[],
                const cora_subprocess_options *options)
{
    static const cora_subprocess_options none;
    struct cora__child child = {.pid = -1, .pipe = {-1, -1, -1}};
    struct spawn spawn = {.argv = argv,
                          .options = options != NULL ? options : &none,
                          .stdio = {-1, -1, -1},
                          .opened = {-1, -1, -1},
                          .report = {-1, -1}};
    int rc = check(argv, spawn.options);

    spawn.env = spawn.options->env != NULL ? spawn.options->env : (const char *const *)environ;
    if (rc == 0)
        rc = find_paths(&spawn);
    if (rc == 0)
        rc = open_all(&spawn, &child);
    if (rc == 0)
        rc = child.pid = start(&spawn);
    close_all(spawn.opened, STDIO);
    close_all(spawn.report, 2);
    free(spawn.paths);
    if (rc < 0) {
        cora__child_close_pipes(&child);
        return rc;
    }
    *ret = child;
    return 0;
}
