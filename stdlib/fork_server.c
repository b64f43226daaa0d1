/*
 * fork_server.c: the server is forked where the program may have threads, so until it has forked a
 * child of its own, which the child's work may then take further, it makes system calls and nothing
 * else. It reaps its children, and so it can send them signals that meet nobody else.
 *
 * It ends with the control socket, or where that is held open by other children of the program,
 * with the program. Its children get SIGTERM when it has ended, in whichever way.
 */
#include "fork_server.h"

#include "descriptors.h"

#include <cora/loop.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#if __has_include(<sys/pidfd.h>)
#include <sys/pidfd.h>
#else /* the system has none */
#define pidfd_open(pid, flags) (-1)
#endif

/* A child's number, with its descriptor beside it, or, negative, a signal for all. */
typedef int32_t command;

struct plan {
    cora__child_main *main;
    void *arg;
    int most;
    pid_t *pids;   /* of the children, by number; 0: there is none */
    int ends[2];   /* of the control socket: the program's, the server's */
    sigset_t mask; /* the program's */
};

/* In the server, and its children: what they have beside 0, 1 and 2. */
enum { CONTROL = 3, PROGRAM = 4 };

/* ---- the server ---------------------------------------------------------------------------- */

static void set_name(const char *name)
{
#ifdef __linux__
    prctl(PR_SET_NAME, name);
#else
    (void)name;
#endif
}

static void end_with_parent(void)
{
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
}

static void move_to(int fd, int number)
{
    if (fd != number) {
        dup2(fd, number);
        close(fd);
    }
    fcntl(number, F_SETFD, FD_CLOEXEC);
}

static bool is_fault(int signum)
{
    return signum == SIGSEGV || signum == SIGBUS || signum == SIGFPE || signum == SIGILL ||
           signum == SIGTRAP || signum == SIGABRT;
}

/* The program's handlers are for the program. But those of faults tell where a fault is. */
static void reset_signals(void)
{
    struct sigaction action, none = {.sa_handler = SIG_DFL};

    for (int signum = 1; signum < NSIG; signum++)
        if (!is_fault(signum) && sigaction(signum, NULL, &action) == 0 &&
            action.sa_handler != SIG_IGN && action.sa_handler != SIG_DFL)
            sigaction(signum, &none, NULL);
}

static void on_child(int signum)
{
    (void)signum;
}

/* All signals are blocked, but that one while it waits. */
static void catch_ends(void)
{
    struct sigaction action = {.sa_handler = on_child};

    sigaction(SIGCHLD, &action, NULL);
}

static _Noreturn void be_child(const struct plan *plan, int number, int fd)
{
    char name[32];
    int status;

    snprintf(name, sizeof name, "cora-worker-%d", number);
    set_name(name);
    end_with_parent();
    signal(SIGCHLD, SIG_DFL);
    move_to(fd, CONTROL);
    close(PROGRAM);
    pthread_sigmask(SIG_SETMASK, &plan->mask, NULL);
    status = plan->main(CONTROL, plan->arg);
    fflush(stdout);
    _exit(status);
}

static void terminate_all(const struct plan *plan, int signum)
{
    for (int i = 0; i < plan->most; i++)
        if (plan->pids[i] > 0)
            kill(plan->pids[i], signum);
}

/* The program is gone, or does not need it any more. */
static _Noreturn void leave(const struct plan *plan)
{
    terminate_all(plan, SIGTERM);
    _exit(0);
}

static void tell(const struct plan *plan, struct cora__fork_event event)
{
    struct cora__transfer transfer = {.count = 0};

    cora__transfer_add(&transfer, &event, sizeof event);
    if (cora__transfer_send(&transfer, CONTROL, 0) <= 0)
        leave(plan);
}

static void fork_one(const struct plan *plan, int number, int fd)
{
    pid_t pid = fork();

    if (pid == 0)
        be_child(plan, number, fd);
    close(fd);
    plan->pids[number] = pid > 0 ? pid : 0;
    tell(plan, (struct cora__fork_event){.child = number,
                                         .pid = plan->pids[number],
                                         .outcome = pid < 0 ? -errno : 0,
                                         .what = CORA__CHILD_FORKED});
}

static int returncode_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void reap(const struct plan *plan)
{
    int number = 0, status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (number = 0; number < plan->most && plan->pids[number] != pid;)
            number++;
        if (number == plan->most)
            continue; /* somebody's that was left to us */
        plan->pids[number] = 0;
        tell(plan, (struct cora__fork_event){.child = number,
                                             .pid = pid,
                                             .outcome = returncode_of(status),
                                             .what = CORA__CHILD_ENDED});
    }
}

/* Half a command is none: the program does not send such. */
static bool receive_command(command *ret, int *ret_fd)
{
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {.iov_base = ret, .iov_len = sizeof *ret};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *header;
    ssize_t got;

    do
        got = recvmsg(CONTROL, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got != sizeof *ret)
        return false;
    header = CMSG_FIRSTHDR(&message);
    *ret_fd = -1;
    if (header != NULL)
        memcpy(ret_fd, CMSG_DATA(header), sizeof *ret_fd);
    return *ret < 0 || *ret_fd >= 0;
}

static void serve_one(const struct plan *plan)
{
    command what;
    int fd;

    if (!receive_command(&what, &fd))
        leave(plan);
    if (what < 0)
        terminate_all(plan, -what);
    else
        fork_one(plan, what, fd);
}

/* With a plan of its own: that of a thread would lie on a stack that is no more in use. */
static _Noreturn void be_server(struct plan plan)
{
    sigset_t all_but_ends;
    int program;

    set_name("cora-forks");
    reset_signals();
    catch_ends();
    __fpurge(stdout); /* that is the program's to write */
    move_to(plan.ends[1], CONTROL);
    cora__close_from(PROGRAM);
    program = pidfd_open(getppid(), 0);
    if (program >= 0)
        move_to(program, PROGRAM);
    sigfillset(&all_but_ends);
    sigdelset(&all_but_ends, SIGCHLD);
    for (;;) {
        fd_set readable;
        int count;

        reap(&plan);
        FD_ZERO(&readable);
        FD_SET(CONTROL, &readable);
        if (program >= 0)
            FD_SET(PROGRAM, &readable);
        count = pselect(PROGRAM + 1, &readable, NULL, NULL, NULL, &all_but_ends);
        if (count > 0 && FD_ISSET(CONTROL, &readable))
            serve_one(&plan);
        else if (count > 0)
            leave(&plan);
    }
}

/* ---- the program --------------------------------------------------------------------------- */

static int fork_server(struct plan *plan)
{
    pid_t pid = fork();

    if (pid == 0)
        be_server(*plan);
    return pid < 0 ? -errno : pid;
}

struct forking {
    struct plan *plan;
    int result;
};

static void *fork_in_thread(void *arg)
{
    struct forking *forking = arg;

    forking->result = fork_server(forking->plan);
    return NULL;
}

/* In a loop the stack is perhaps a task's, and too small for what the children are to do. */
static int fork_with_whole_stack(struct plan *plan)
{
    struct forking forking = {.plan = plan};
    pthread_t thread;
    int error;

    if (cora_get_running_loop() == NULL)
        return fork_server(plan);
    error = pthread_create(&thread, NULL, fork_in_thread, &forking);
    if (error != 0)
        return -error;
    pthread_join(thread, NULL);
    return forking.result;
}

/* No handler of the program's runs in the server. */
static int fork_with_signals_blocked(struct plan *plan)
{
    sigset_t all;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &plan->mask);
    rc = fork_with_whole_stack(plan);
    pthread_sigmask(SIG_SETMASK, &plan->mask, NULL);
    return rc;
}

static void expect_event(struct cora__fork_server *server)
{
    server->incoming = (struct cora__transfer){.count = 0};
    cora__transfer_add(&server->incoming, &server->event, sizeof server->event);
}

int cora__fork_server_start(struct cora__fork_server *server, int most, cora__child_main *main,
                            void *arg)
{
    struct plan plan = {.main = main, .arg = arg, .most = most};
    int rc;

    plan.pids = calloc((size_t)most, sizeof plan.pids[0]);
    if (plan.pids == NULL)
        return -ENOMEM;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, plan.ends) < 0) {
        rc = -errno;
        free(plan.pids);
        return rc;
    }
    rc = fork_with_signals_blocked(&plan);
    free(plan.pids);
    close(plan.ends[1]);
    if (rc < 0) {
        close(plan.ends[0]);
        return rc;
    }
    server->pid = rc;
    server->control = plan.ends[0];
    expect_event(server);
    return 0;
}

/* With a descriptor beside it, or -1. */
static int send_command(struct cora__fork_server *server, command what, int fd)
{
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control = {.header = {.cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS,
                            .cmsg_len = CMSG_LEN(sizeof fd)}};
    struct iovec part = {.iov_base = &what, .iov_len = sizeof what};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t sent;

    if (fd >= 0) {
        memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
    }
    do
        sent = sendmsg(server->control, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EPIPE)
        return -errno;
    return sent == sizeof what ? 0 : -ECONNRESET;
}

int cora__fork_server_fork(struct cora__fork_server *server, int child, int fd)
{
    return send_command(server, child, fd);
}

int cora__fork_server_kill(struct cora__fork_server *server, int signum)
{
    return send_command(server, -signum, -1);
}

int cora__fork_server_next(struct cora__fork_server *server, struct cora__fork_event *ret)
{
    int rc = cora__transfer_receive(&server->incoming, server->control, MSG_DONTWAIT);

    if (rc > 0) {
        *ret = server->event;
        expect_event(server);
    }
    return rc;
}

/* By shutdown: other children of the program may have the socket, too. */
int cora__fork_server_stop(struct cora__fork_server *server)
{
    int status = 0;

    shutdown(server->control, SHUT_RDWR);
    close(server->control);
    server->control = -1;
    while (waitpid(server->pid, &status, 0) < 0 && errno == EINTR) {
    }
    return returncode_of(status);
}

void cora__fork_server_forget(struct cora__fork_server *server)
{
    if (server->control >= 0)
        close(server->control);
}
