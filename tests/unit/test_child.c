/* Watching children for their end, by process descriptors and, in a second program, by threads. */
#include "support/process.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include "child.h"
#include "spawn.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what the system refuses --------------------------------------------------------------- */

static bool has_no_pidfd, has_no_thread, has_no_process, may_not_kill;
static atomic_int interruptions, delays; /* of waitid */

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __real_pidfd_open(pid_t pid, unsigned flags);
int __wrap_pidfd_open(pid_t pid, unsigned flags);
int __real_pidfd_send_signal(int pidfd, int signum, siginfo_t *info, unsigned flags);
int __wrap_pidfd_send_signal(int pidfd, int signum, siginfo_t *info, unsigned flags);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*fn)(void *arg), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*fn)(void *arg), void *arg);
int __real_kill(pid_t pid, int signum);
int __wrap_kill(pid_t pid, int signum);
int __real_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
pid_t __wrap_vfork(void);

int __wrap_pidfd_open(pid_t pid, unsigned flags)
{
    errno = ENOSYS;
    return has_no_pidfd ? -1 : __real_pidfd_open(pid, flags);
}

int __wrap_pidfd_send_signal(int pidfd, int signum, siginfo_t *info, unsigned flags)
{
    errno = EPERM;
    return may_not_kill ? -1 : __real_pidfd_send_signal(pidfd, signum, info, flags);
}

int __wrap_kill(pid_t pid, int signum)
{
    errno = EPERM;
    return may_not_kill ? -1 : __real_kill(pid, signum);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*fn)(void *arg), void *arg)
{
    return has_no_thread ? EAGAIN : __real_pthread_create(thread, attributes, fn, arg);
}

/* Interrupted, first, and then as when a debugger has yet to hear of the end. */
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    errno = EINTR;
    if (interruptions > 0 && interruptions-- > 0)
        return -1;
    if (delays > 0 && (options & WNOHANG) != 0) {
        delays--;
        return 0;
    }
    return __real_waitid(type, id, info, options);
}

/* (A child of vfork could not return from here.) */
pid_t __wrap_vfork(void)
{
    errno = EAGAIN;
    return has_no_process ? -1 : fork();
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

/* In one program by decree, in the other where the kernel, or valgrind, has none. */
__attribute__((constructor)) static void look_for_pidfds(void)
{
#ifdef CORA_TEST_NO_PIDFD
    has_no_pidfd = true;
#else
    int pidfd = pidfd_open(getpid(), 0);

    has_no_pidfd = pidfd < 0;
    close(pidfd);
#endif
}

/* ---- programs ------------------------------------------------------------------------------ */

static struct cora__child start(const char *command)
{
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};
    const cora_subprocess_options options = {.in = CORA_SUBPROCESS_PIPE};
    struct cora__child child;
    int rc = cora__spawn(&child, argv, &options);

    assert_int_equal(rc, 0);
    return child;
}

/* What the one that is watched has said. */
static struct cora__child_watch watch;
static cora_future *end_of_it;
static int calls, returncode;
static bool in_the_loop; /* and not while it was closed */

static void note(struct cora__child_watch *ended, int code)
{
    assert_ptr_equal(ended, &watch);
    calls++;
    returncode = code;
    in_the_loop = cora_get_running_loop() == ended->loop;
    if (end_of_it != NULL) {
        int rc = cora_future_set_result(end_of_it, 0, NULL);

        assert_int_equal(rc, 0);
    }
}

/* One that runs until its stdin is closed, or it is killed. */
static struct cora__child start_watched(cora_loop *loop, const char *command)
{
    struct cora__child child = start(command);
    int rc = cora__child_watch(&watch, loop, child.pid, note);

    assert_int_equal(rc, 0);
    assert_true((watch.pidfd >= 0) != has_no_pidfd);
    return child;
}

/* The loop knows that something will wake it. */
static void run_to_end(cora_loop *loop)
{
    int rc;

    end_of_it = cora_loop_create_future(loop);
    rc = cora_loop_run_until_complete(loop, end_of_it);
    cora_future_unref(end_of_it);
    assert_int_equal(rc, 0);
    assert_int_equal(calls, 1);
}

static void iterate(cora_loop *loop)
{
    int rc;

    cora_loop_stop(loop);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
}

/* The watching has left nothing behind; the loop goes. */
static void end(cora_loop *loop, int descriptors)
{
    assert_int_equal(count_descriptors(), descriptors);
    assert_false(has_children());
    cora_loop_free(loop);
    assert_int_equal(calls, 1);
}

/* ---- the end ------------------------------------------------------------------------------- */

static void assert_returncode(const char *command, int expected)
{
    cora_loop *loop = virtual_loop();
    int descriptors = count_descriptors();
    struct cora__child child = start_watched(loop, command);

    cora__child_close_pipes(&child);
    run_to_end(loop);
    assert_int_equal(returncode, expected);
    assert_int_equal(reports.count, 0);
    end(loop, descriptors);
}

TEST(the_exit_status_is_told)
{
    assert_returncode("cat; exit 7", 7);
}

TEST(an_exit_status_of_255_is_nothing_special)
{
    assert_returncode("exit 255", CORA__UNKNOWN_RETURNCODE);
}

TEST(a_signal_that_killed_it_is_told_as_a_negative_number)
{
    assert_returncode("kill -USR1 $$", -SIGUSR1);
}

TEST(one_that_ended_before_it_was_watched_is_told_of)
{
    cora_loop *loop = virtual_loop();
    int descriptors = count_descriptors();
    struct cora__child child = start("exit 7");
    int rc;

    cora__child_close_pipes(&child);
    await_end(child.pid);
    rc = cora__child_watch(&watch, loop, child.pid, note);
    assert_int_equal(rc, 0);
    run_to_end(loop);
    assert_int_equal(returncode, 7);
    end(loop, descriptors);
}

TEST(its_end_is_told_only_when_it_can_be_reaped)
{
    cora_loop *loop = virtual_loop();
    int descriptors = count_descriptors();
    struct cora__child child = start_watched(loop, "exit 7");

    cora__child_close_pipes(&child);
    await_end(child.pid);
    interruptions = 3;
    delays = has_no_pidfd ? 0 : 3; /* a thread has waited for the debugger already */
    run_to_end(loop);
    assert_int_equal(returncode, 7);
    assert_int_equal(interruptions + delays, 0);
    end(loop, descriptors);
}

TEST(other_children_are_left_alone)
{
    cora_loop *loop = virtual_loop();
    int descriptors = count_descriptors(), status;
    struct cora__child other = start("exit 3");
    struct cora__child child = start_watched(loop, "exit 7");

    cora__child_close_pipes(&other);
    cora__child_close_pipes(&child);
    await_end(other.pid);
    run_to_end(loop);
    assert_int_equal(returncode, 7);
    status = waitpid(other.pid, &status, 0) == other.pid ? WEXITSTATUS(status) : -1;
    assert_int_equal(status, 3);
    end(loop, descriptors);
}

TEST(one_that_somebody_else_has_reaped_has_255_and_that_is_reported)
{
    cora_loop *loop = virtual_loop();
    int descriptors = count_descriptors();
    struct cora__child child = start_watched(loop, "cat; exit 7");
    pid_t reaped;

    cora__child_close_pipes(&child);
    reaped = waitpid(child.pid, NULL, 0);
    assert_int_equal(reaped, child.pid);
    run_to_end(loop);
    assert_int_equal(returncode, CORA__UNKNOWN_RETURNCODE);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -ECHILD);
    end(loop, descriptors);
}

TEST(where_sigchld_is_ignored_it_is_255_too)
{
    cora_loop *loop = virtual_loop();
    int descriptors = count_descriptors();
    struct cora__child child;

    signal(SIGCHLD, SIG_IGN);
    child = start_watched(loop, "cat; exit 7");
    cora__child_close_pipes(&child);
    run_to_end(loop);
    assert_int_equal(returncode, CORA__UNKNOWN_RETURNCODE);
    assert_int_equal(reports.count, 1);
    end(loop, descriptors);
}

TEST(one_that_was_reaped_before_it_was_watched_has_255_too)
{
    cora_loop *loop = virtual_loop();
    int descriptors = count_descriptors();
    struct cora__child child = start("exit 7");
    pid_t reaped = waitpid(child.pid, NULL, 0);
    int rc;

    assert_int_equal(reaped, child.pid);
    rc = cora__child_watch(&watch, loop, child.pid, note);
    assert_int_equal(rc, 0);
    run_to_end(loop);
    assert_int_equal(returncode, CORA__UNKNOWN_RETURNCODE);
    assert_int_equal(reports.count, 1);
    cora__child_close_pipes(&child);
    end(loop, descriptors);
}

static struct cora__child_watch many[20];
static int told;

static void count(struct cora__child_watch *ended, int code)
{
    assert_int_equal(code, ended - many);
    if (++told == 20)
        cora_loop_stop(ended->loop);
}

TEST(many_are_watched_at_once)
{
    cora_loop *loop = virtual_loop();
    int descriptors = count_descriptors();
    struct cora__child children[20];
    char command[32];
    int rc;

    for (int i = 0; i < 20; i++) {
        snprintf(command, sizeof command, "cat; exit %d", i);
        children[i] = start(command);
        rc = cora__child_watch(&many[i], loop, children[i].pid, count);
        assert_int_equal(rc, 0);
    }
    for (int i = 0; i < 20; i++)
        cora__child_close_pipes(&children[(i * 7) % 20]);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
    calls = 1;
    end(loop, descriptors);
}

/* ---- signals ------------------------------------------------------------------------------- */

TEST(signals_reach_it_until_it_was_reaped)
{
    cora_loop *loop = virtual_loop();
    int descriptors = count_descriptors();
    struct cora__child child = start_watched(loop, "exec cat");
    int rc = cora__child_send_signal(&watch, 0);

    assert_int_equal(rc, 0);
    rc = cora__child_send_signal(&watch, 1000);
    assert_int_equal(rc, -EINVAL);
    rc = cora__child_send_signal(&watch, SIGTERM);
    assert_int_equal(rc, 0);
    await_end(child.pid);
    rc = cora__child_send_signal(&watch, SIGTERM); /* it does not know yet */
    assert_int_equal(rc, 0);
    run_to_end(loop);
    assert_int_equal(returncode, -SIGTERM);
    rc = cora__child_send_signal(&watch, SIGTERM);
    assert_int_equal(rc, -ESRCH);
    rc = cora__child_kill(&watch);
    assert_int_equal(rc, -ESRCH);
    cora__child_close_pipes(&child);
    end(loop, descriptors);
}

/* ---- the loop's end ------------------------------------------------------------------------ */

TEST(a_loop_that_is_closed_kills_it_and_says_so)
{
    cora_loop *loop = virtual_loop();
    struct cora__child child = start_watched(loop, "exec cat");
    int rc;

    cora_loop_close(loop);
    assert_int_equal(calls, 1);
    assert_int_equal(returncode, -SIGKILL);
    assert_false(has_children());
    rc = cora__child_send_signal(&watch, 0);
    assert_int_equal(rc, -ESRCH);
    cora_loop_free(loop);
    assert_int_equal(calls, 1);
    cora__child_close_pipes(&child);
}

TEST(a_loop_that_is_closed_waits_for_none_that_it_may_not_kill)
{
    cora_loop *loop = virtual_loop();
    struct cora__child child = start_watched(loop, "exec cat");
    pid_t reaped;

    may_not_kill = true;
    cora_loop_free(loop);
    assert_int_equal(calls, 1);
    assert_int_equal(returncode, CORA__UNKNOWN_RETURNCODE);
    cora__child_close_pipes(&child);
    reaped = waitpid(child.pid, NULL, 0);
    assert_int_equal(reaped, child.pid);
}

static cora_loop *factory_loop;

static int make_loop(cora_loop **ret)
{
    *ret = factory_loop;
    return 0;
}

static int kill_it(void *arg)
{
    (void)arg;
    return cora__child_kill(&watch);
}

TEST(a_runner_waits_for_the_end_of_one_that_was_killed)
{
    cora_loop *loop = factory_loop = virtual_loop();
    struct cora__child child = start_watched(loop, "exec cat");
    cora_runner_options options = {.loop_factory = make_loop};
    cora_runner *runner;
    int rc = cora_runner_create(&runner, &options);

    assert_int_equal(rc, 0);
    rc = cora_runner_run(runner, kill_it, NULL);
    assert_int_equal(rc, 0);
    rc = cora_runner_close(runner);
    assert_int_equal(rc, 0);
    assert_int_equal(calls, 1);
    assert_int_equal(returncode, -SIGKILL);
    assert_true(in_the_loop);
    assert_false(has_children());
    cora__child_close_pipes(&child);
}

/* ---- what fails ---------------------------------------------------------------------------- */

TEST(without_a_process_nothing_is_left)
{
    static const char *const argv[] = {"/bin/cat", NULL};
    const cora_subprocess_options options = {.in = CORA_SUBPROCESS_PIPE};
    int descriptors = count_descriptors();
    struct cora__child child;
    sigset_t mask;
    int rc;

    has_no_process = true;
    rc = cora__spawn(&child, argv, &options);
    assert_int_equal(rc, -EAGAIN);
    assert_int_equal(count_descriptors(), descriptors);
    sigprocmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGTERM));
}

TEST(one_that_cannot_be_watched_is_killed)
{
    cora_loop *loop = virtual_loop();
    struct cora__child child = start("exec cat");
    int descriptors = count_descriptors(), rc;

    has_no_pidfd = has_no_thread = true;
    rc = cora__child_watch(&watch, loop, child.pid, note);
    assert_int_equal(rc, -EAGAIN);
    calls++;
    end(loop, descriptors);
    cora__child_close_pipes(&child);
}

/* ---- forks --------------------------------------------------------------------------------- */

static int status_of(pid_t pid)
{
    int status = 0;
    pid_t reaped = waitpid(pid, &status, 0);

    assert_int_equal(reaped, pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(a_forked_child_watches_children_of_its_own)
{
    cora_loop *loop = virtual_loop();
    int descriptors = count_descriptors(), status;
    struct cora__child child;
    pid_t pid;

    if (!has_no_pidfd) /* neither TSan nor qemu-user has threads after a fork with threads */
        child = start_watched(loop, "cat; exit 7");
    pid = fork();
    if (pid == 0) {
        cora_loop *own = virtual_loop();
        struct cora__child grandchild = start_watched(own, "cat; exit 9");

        cora__child_close_pipes(&grandchild);
        run_to_end(own);
        cora_loop_free(own);
        _exit(returncode);
    }
    status = status_of(pid);
    assert_int_equal(status, 9);
    if (has_no_pidfd)
        child = start_watched(loop, "cat; exit 7");
    cora__child_close_pipes(&child);
    run_to_end(loop);
    assert_int_equal(returncode, 7);
    end(loop, descriptors);
}

TEST(a_forked_child_that_closes_the_loop_kills_none_of_its_parents)
{
    cora_loop *loop = virtual_loop();
    int descriptors = count_descriptors(), status;
    struct cora__child child = start_watched(loop, "cat; exit 7");
    pid_t pid = fork();

    if (pid == 0) {
        cora_loop_close(loop);
        _exit(calls == 1 ? returncode : 1);
    }
    status = status_of(pid);
    assert_int_equal(status, CORA__UNKNOWN_RETURNCODE);
    iterate(loop);
    assert_int_equal(calls, 0);
    cora__child_close_pipes(&child);
    run_to_end(loop);
    assert_int_equal(returncode, 7);
    end(loop, descriptors);
}
