/*
 * Processes that run functions. The file is two programs: in the second there are no process
 * descriptors, and threads wait.
 */
#include "support/children.h"
#include "support/process.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <cora/multiprocessing.h>

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef cora_multiprocessing_process process;

/* ---- what the system refuses --------------------------------------------------------------- */

#ifdef CORA_TEST_NO_PIDFD
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __wrap_pidfd_open(pid_t pid, unsigned flags);

int __wrap_pidfd_open(pid_t pid, unsigned flags)
{
    (void)pid, (void)flags;
    errno = ENOSYS;
    return -1;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
#endif

/* ---- processes ----------------------------------------------------------------------------- */

static process *create(cora_multiprocessing_target *target, void *arg)
{
    process *made = NULL;
    int rc = cora_multiprocessing_process_create(target, arg, NULL, &made);

    assert_int_equal(rc, 0);
    return made;
}

static void launch(process *started)
{
    int rc = cora_multiprocessing_process_start(started);

    assert_int_equal(rc, 0);
}

static process *start_daemon(cora_multiprocessing_target *target, void *arg)
{
    const cora_multiprocessing_process_options options = {.daemon = true};
    process *made = NULL;
    int rc = cora_multiprocessing_process_create(target, arg, &options, &made);

    assert_int_equal(rc, 0);
    launch(made);
    return made;
}

static int give(void *arg)
{
    return *(int *)arg;
}

/* Until the other end of the pair is closed. */
static int wait_for_close(void *arg)
{
    const int *pair = arg;
    char byte;

    close(pair[0]);
    return (int)read(pair[1], &byte, 1);
}

static int wait_for_signal(void *arg)
{
    (void)arg;
    while (pause() < 0)
        continue;
    return 0;
}

/* ---- exit codes ---------------------------------------------------------------------------- */

TEST(the_outcome_of_the_function_is_the_exit_code)
{
    static const int outcomes[] = {0, 7, 255};
    int before = count_descriptors();

    for (size_t i = 0; i < 3; i++) {
        int outcome = outcomes[i];
        int exitcode = run_child(give, &outcome);

        assert_int_equal(exitcode, outcome);
    }
    assert_false(has_children());
    assert_int_equal(count_descriptors(), before);
}

/* What is written to the descriptor meanwhile. */
struct redirected {
    int fd, saved, file;
};

static struct redirected redirect(int fd)
{
    FILE *file = tmpfile();
    struct redirected redirected = {fd, dup(fd), -1};

    assert_non_null(file);
    redirected.file = dup(fileno(file));
    fclose(file);
    dup2(redirected.file, fd);
    return redirected;
}

static void restore(struct redirected redirected, char *text, size_t size)
{
    ssize_t got = pread(redirected.file, text, size - 1, 0);

    dup2(redirected.saved, redirected.fd);
    close(redirected.saved);
    close(redirected.file);
    assert_true(got >= 0);
    text[got] = '\0';
}

static void assert_failure(int outcome, const char *expected)
{
    struct redirected redirected = redirect(STDERR_FILENO);
    process *failed = start_child(give, &outcome);
    char text[256], name[64];
    int exitcode;

    snprintf(name, sizeof name, "%s has failed: ", cora_multiprocessing_process_name(failed));
    exitcode = finish_child(failed);
    restore(redirected, text, sizeof text);
    assert_int_equal(exitcode, 1);
    assert_memory_equal(text, name, strlen(name));
    assert_non_null(strstr(text, expected));
}

TEST(an_error_is_told_on_stderr_and_is_exit_code_1)
{
    assert_failure(-ENOENT, "ENOENT");
    assert_failure(256, "ERANGE");
}

TEST(a_process_that_a_signal_kills_has_its_negative_number)
{
    process *killed = start_child(wait_for_signal, NULL),
            *terminated = start_child(wait_for_signal, NULL);
    process *interrupted = start_child(wait_for_signal, NULL);
    int exitcode;

    assert_int_equal(cora_multiprocessing_process_kill(killed), 0);
    exitcode = finish_child(killed);
    assert_int_equal(exitcode, -SIGKILL);
    assert_int_equal(cora_multiprocessing_process_terminate(terminated), 0);
    exitcode = finish_child(terminated);
    assert_int_equal(exitcode, -SIGTERM);
    assert_int_equal(cora_multiprocessing_process_interrupt(interrupted), 0);
    exitcode = finish_child(interrupted);
    assert_int_equal(exitcode, -SIGINT);
    assert_false(has_children());
}

TEST(one_that_has_ended_is_sent_nothing)
{
    int outcome = 3, exitcode = 0, rc;
    process *ended = start_child(give, &outcome);

    rc = cora_multiprocessing_process_join(ended, INFINITY);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_multiprocessing_process_kill(ended), 0);
    rc = cora_multiprocessing_process_exitcode(ended, &exitcode);
    assert_int_equal(rc, 0);
    assert_int_equal(exitcode, 3);
    cora_multiprocessing_process_close(ended);
}

TEST(one_that_others_have_reaped_has_an_exit_code_that_is_unknown)
{
    int outcome = 3, exitcode;
    process *taken = start_child(give, &outcome);
    pid_t reaped = waitpid(cora_multiprocessing_process_pid(taken), NULL, 0);

    assert_int_equal(reaped, cora_multiprocessing_process_pid(taken));
    exitcode = finish_child(taken);
    assert_int_equal(exitcode, 255);
    signal(SIGCHLD, SIG_IGN);
    exitcode = run_child(give, &outcome);
    signal(SIGCHLD, SIG_DFL);
    assert_int_equal(exitcode, 255);
}

/* ---- waiting ------------------------------------------------------------------------------- */

TEST(join_waits_no_longer_than_it_may)
{
    int pair[2], exitcode = 77, rc, sentinel;
    process *slow;
    bool ready = true;

    make_pair(pair);
    slow = start_child(wait_for_close, pair);
    rc = cora_multiprocessing_process_join(slow, 0);
    assert_int_equal(rc, -ETIMEDOUT);
    rc = cora_multiprocessing_process_join(slow, 0.001);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_true(cora_multiprocessing_process_is_alive(slow));
    rc = cora_multiprocessing_process_exitcode(slow, &exitcode);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    assert_int_equal(exitcode, 77);
    assert_int_equal(cora_multiprocessing_process_close(slow), -EBUSY);
    sentinel = cora_multiprocessing_process_sentinel(slow);
    rc = cora_multiprocessing_wait(&sentinel, 1, 0, &ready);
    assert_int_equal(rc, 0);
    assert_false(ready);
    close_pair(pair);
    rc = cora_multiprocessing_wait(&sentinel, 1, INFINITY, &ready);
    assert_int_equal(rc, 1);
    assert_true(ready);
    assert_false(cora_multiprocessing_process_is_alive(slow));
    rc = cora_multiprocessing_process_join(slow, 0);
    assert_int_equal(rc, 0);
    exitcode = finish_child(slow);
    assert_int_equal(exitcode, 0);
}

static volatile sig_atomic_t interruptions;

static void interrupt(int signum)
{
    (void)signum;
    interruptions++;
}

/* Each time that the parent has gone to sleep again. */
static int interrupt_parent(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        await_sleep(getppid());
        kill(getppid(), SIGUSR1);
    }
    return 0;
}

TEST(a_signal_does_not_end_a_join)
{
    struct sigaction action = {.sa_handler = interrupt};
    int exitcode;

    sigaction(SIGUSR1, &action, NULL);
    exitcode = run_child(interrupt_parent, NULL);
    assert_int_equal(exitcode, 0);
    assert_true(interruptions > 0);
}

/* ---- misuse -------------------------------------------------------------------------------- */

TEST(what_was_not_started_cannot_be_asked_for_its_end)
{
    int outcome = 0, exitcode = 77, rc;
    process *made = create(give, &outcome);

    rc = cora_multiprocessing_process_join(made, INFINITY);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    rc = cora_multiprocessing_process_exitcode(made, &exitcode);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    assert_int_equal(cora_multiprocessing_process_kill(made), -CORA_EINVALIDSTATE);
    rc = cora_multiprocessing_process_sentinel(made);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    assert_false(cora_multiprocessing_process_is_alive(made));
    assert_int_equal(cora_multiprocessing_process_pid(made), 0);
    launch(made);
    rc = cora_multiprocessing_process_start(made);
    assert_int_equal(rc, -CORA_EINVALIDSTATE);
    rc = cora_multiprocessing_process_join(made, NAN);
    assert_int_equal(rc, -EINVAL);
    rc = finish_child(made);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_multiprocessing_process_close(NULL), 0);
}

static int siblings_sentinel;

/* The parent's children are its siblings. */
static int ask_for_a_sibling(void *arg)
{
    int exitcode = 0;

    if (cora_multiprocessing_process_join(arg, 0) != -ECHILD ||
        cora_multiprocessing_process_start(arg) != -ECHILD ||
        cora_multiprocessing_process_kill(arg) != -ECHILD ||
        cora_multiprocessing_process_exitcode(arg, &exitcode) != -ECHILD ||
        cora_multiprocessing_process_is_alive(arg) ||
        cora_multiprocessing_active_children(NULL, 0) != 0 ||
        fcntl(siblings_sentinel, F_GETFD) >= 0)
        return 1;
    return cora_multiprocessing_process_close(arg) == 0 ? 0 : 2;
}

TEST(only_a_parent_asks_for_a_process)
{
    process *sibling = start_child(wait_for_signal, NULL);
    int exitcode;

    siblings_sentinel = cora_multiprocessing_process_sentinel(sibling);
    exitcode = run_child(ask_for_a_sibling, sibling);
    assert_int_equal(exitcode, 0);
    kill_child(sibling);
}

TEST(this_process_cannot_be_joined)
{
    process *self = cora_multiprocessing_current_process();
    int rc = cora_multiprocessing_process_join(self, INFINITY);

    assert_int_equal(rc, -ECHILD);
    assert_true(cora_multiprocessing_process_is_alive(self));
}

TEST(a_process_without_a_descriptor_for_its_sentinel_is_not_left_running)
{
    struct rlimit limit, none;
    int outcome = 0, rc;
    process *made = create(give, &outcome);

    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    rc = cora_multiprocessing_process_start(made);
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(rc, -EMFILE);
    assert_false(has_children());
    rc = run_child(give, &outcome);
    assert_int_equal(rc, 0);
    cora_multiprocessing_process_close(made);
}

/* ---- the family ---------------------------------------------------------------------------- */

/* Writes "name pid parent", and starts one more. */
static int tell_names(void *arg)
{
    process *self = cora_multiprocessing_current_process(), *child;
    process *parent = cora_multiprocessing_parent_process();
    int *depth = arg, rc;

    if (cora_multiprocessing_process_pid(self) != getpid() ||
        cora_multiprocessing_process_pid(parent) != getppid() ||
        !cora_multiprocessing_process_is_alive(parent) ||
        !cora_multiprocessing_process_is_alive(self))
        return 1;
    printf("%s of %s\n", cora_multiprocessing_process_name(self),
           cora_multiprocessing_process_name(parent));
    if (--*depth == 0)
        return 0;
    rc = cora_multiprocessing_process_create(tell_names, depth, NULL, &child);
    if (rc == 0)
        rc = cora_multiprocessing_process_start(child);
    if (rc == 0)
        rc = cora_multiprocessing_process_join(child, INFINITY);
    if (rc == 0)
        rc = cora_multiprocessing_process_close(child);
    return rc;
}

TEST(processes_know_their_names_and_their_parents)
{
    struct redirected redirected;
    process *self = cora_multiprocessing_current_process();
    int depth = 3, exitcode;
    char text[256];

    assert_string_equal(cora_multiprocessing_process_name(self), "MainProcess");
    assert_int_equal(cora_multiprocessing_process_pid(self), getpid());
    assert_false(cora_multiprocessing_process_daemon(self));
    assert_null(cora_multiprocessing_parent_process());
    redirected = redirect(STDOUT_FILENO);
    exitcode = run_child(tell_names, &depth);
    restore(redirected, text, sizeof text);
    assert_int_equal(exitcode, 0);
    assert_string_equal(text, "Process-1 of MainProcess\n"
                              "Process-1:1 of Process-1\n"
                              "Process-1:1:1 of Process-1:1\n");
}

TEST(a_name_is_the_users_if_he_has_one)
{
    const cora_multiprocessing_process_options options = {.name = "worker", .daemon = true};
    process *named = NULL;
    int rc = cora_multiprocessing_process_create(give, NULL, &options, &named);

    assert_int_equal(rc, 0);
    assert_string_equal(cora_multiprocessing_process_name(named), "worker");
    assert_true(cora_multiprocessing_process_daemon(named));
    assert_int_equal(cora_multiprocessing_process_close(named), 0);
}

TEST(active_children_are_those_that_run)
{
    int outcome = 0, exitcode, rc;
    process *first = start_child(wait_for_signal, NULL), *ended = start_child(give, &outcome);
    process *second = start_child(wait_for_signal, NULL), *active[3] = {NULL};
    int sentinels[2];
    bool ended_both[2];
    size_t count;

    rc = cora_multiprocessing_process_join(ended, INFINITY);
    assert_int_equal(rc, 0);
    count = cora_multiprocessing_active_children(active, 3);
    assert_int_equal(count, 2);
    assert_ptr_equal(active[0], first);
    assert_ptr_equal(active[1], second);
    count = cora_multiprocessing_active_children(active, 1);
    assert_int_equal(count, 2);
    assert_int_equal(cora_multiprocessing_process_kill(first), 0);
    assert_int_equal(cora_multiprocessing_process_kill(second), 0);
    sentinels[0] = cora_multiprocessing_process_sentinel(first);
    sentinels[1] = cora_multiprocessing_process_sentinel(second);
    do
        rc = cora_multiprocessing_wait(sentinels, 2, INFINITY, ended_both);
    while (rc == 1);
    assert_int_equal(rc, 2);
    count = cora_multiprocessing_active_children(NULL, 0);
    assert_int_equal(count, 0);
    assert_false(has_children());
    exitcode = finish_child(first);
    assert_int_equal(exitcode, -SIGKILL);
    finish_child(second);
    finish_child(ended);
    assert_true(cora_multiprocessing_cpu_count() >= 1);
}

static int start_another(void *arg)
{
    process *child = NULL;
    int rc = cora_multiprocessing_process_create(give, arg, NULL, &child);

    if (rc == 0)
        rc = cora_multiprocessing_process_start(child);
    cora_multiprocessing_process_close(child);
    return rc == -EPERM ? 0 : 1;
}

TEST(a_daemon_has_no_children)
{
    int exitcode = finish_child(start_daemon(start_another, NULL));

    assert_int_equal(exitcode, 0);
}

/* ---- the end of the program ---------------------------------------------------------------- */

static int end_pipe[2];

static void tell_end(void)
{
    (void)!write(end_pipe[1], "end", 3);
}

/* When the parent has nothing left to do but to wait. */
static int tell_child(void *arg)
{
    (void)arg;
    await_sleep(cora_multiprocessing_process_pid(cora_multiprocessing_parent_process()));
    return write(end_pipe[1], "child ", 6) == 6 ? 0 : 1;
}

/* A program with a child and a daemon, which ends. */
static _Noreturn void be_program(void)
{
    cora_multiprocessing_process_options daemon = {.daemon = true};
    process *child = NULL, *forever = NULL;

    close(end_pipe[0]);
    atexit(tell_end);
    if (cora_multiprocessing_process_create(tell_child, NULL, NULL, &child) < 0 ||
        cora_multiprocessing_process_start(child) < 0 ||
        cora_multiprocessing_process_create(wait_for_signal, NULL, &daemon, &forever) < 0 ||
        cora_multiprocessing_process_start(forever) < 0)
        _exit(1);
    exit(0);
}

static void read_to_end(int fd, char *text, size_t size)
{
    size_t length = 0;
    ssize_t got;

    while ((got = read(fd, text + length, size - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = '\0';
}

TEST(a_program_that_ends_waits_for_its_children_and_ends_its_daemons)
{
    char text[32];
    int status;
    pid_t pid;

    make_pipe(end_pipe);
    pid = fork();
    if (pid == 0)
        be_program();
    close_fd(end_pipe[1]);
    read_to_end(end_pipe[0], text, sizeof text);
    assert_string_equal(text, "child end");
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close_fd(end_pipe[0]);
}

/* Which does not outlive a parent that fails. */
static int wait_for_sleeping_parent(void *arg)
{
    (void)arg;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    await_sleep(cora_multiprocessing_process_pid(cora_multiprocessing_parent_process()));
    return 0;
}

static void *close_children(void *arg)
{
    process **children = arg;

    for (; *children != NULL; children++) {
        (void)!cora_multiprocessing_process_join(*children, INFINITY);
        cora_multiprocessing_process_close(*children);
    }
    return NULL;
}

/* A program that ends while one of its threads still joins and closes its children. */
static _Noreturn void be_program_with_thread(void)
{
    static process *children[9];
    pthread_t thread;

    for (int i = 0; i < 8; i++)
        if (cora_multiprocessing_process_create(wait_for_sleeping_parent, NULL, NULL,
                                                &children[i]) < 0 ||
            cora_multiprocessing_process_start(children[i]) < 0)
            _exit(1);
    if (pthread_create(&thread, NULL, close_children, children) != 0)
        _exit(1);
    pthread_detach(thread);
    exit(0);
}

TEST(what_a_program_that_ends_waits_for_a_thread_may_close)
{
    int status;
    pid_t pid;

    pid = fork();
    if (pid == 0)
        be_program_with_thread();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* Where it can be found: it is not lost. */
static process *left;

static int leave_children(void *arg)
{
    int rc = cora_multiprocessing_process_create(tell_child, arg, NULL, &left);

    return rc == 0 ? cora_multiprocessing_process_start(left) : rc;
}

TEST(a_process_waits_for_its_children_too)
{
    char text[32];
    int exitcode;

    make_pipe(end_pipe);
    exitcode = run_child(leave_children, NULL);
    assert_int_equal(exitcode, 0);
    tell_end();
    close_fd(end_pipe[1]);
    read_to_end(end_pipe[0], text, sizeof text);
    assert_string_equal(text, "child end");
    close_fd(end_pipe[0]);
}

/* ---- what it has of its parent ------------------------------------------------------------- */

static int say_b(void *arg)
{
    (void)arg;
    printf("b");
    return 0;
}

TEST(what_was_printed_is_printed_once)
{
    struct redirected redirected;
    char text[32];
    int exitcode;

    fflush(stdout);
    redirected = redirect(STDOUT_FILENO);
    printf("a");
    exitcode = run_child(say_b, NULL);
    printf("c");
    fflush(stdout);
    restore(redirected, text, sizeof text);
    assert_int_equal(exitcode, 0);
    assert_string_equal(text, "abc");
}

static int read_stdin(void *arg)
{
    char byte;

    (void)arg;
    return (int)read(STDIN_FILENO, &byte, 1);
}

TEST(it_has_nothing_to_read_from_stdin)
{
    int pair[2], saved = dup(STDIN_FILENO), exitcode;

    make_pair(pair);
    put(pair[0], "x");
    dup2(pair[1], STDIN_FILENO);
    exitcode = run_child(read_stdin, NULL);
    dup2(saved, STDIN_FILENO);
    assert_int_equal(exitcode, 0);
    close_fd(saved);
    close_pair(pair);
}

/* The mask, and no more. */
static int has_the_mask(void *arg)
{
    sigset_t mask;

    (void)arg;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    return sigismember(&mask, SIGUSR1) == 1 && sigismember(&mask, SIGTERM) == 0 ? 0 : 1;
}

TEST(it_has_the_signal_mask_of_the_thread_that_starts_it)
{
    sigset_t one, mask;
    int exitcode;

    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &one, &mask);
    exitcode = run_child(has_the_mask, NULL);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    assert_int_equal(exitcode, 0);
}

/* ---- beside a loop ------------------------------------------------------------------------- */

static int sleep_and_answer(void *arg)
{
    int rc = cora_sleep(0.001);

    return rc < 0 ? rc : *(int *)arg;
}

/* More stack than a task has; and a loop of its own. */
static int use_everything(void *arg)
{
    volatile char deep[1 << 20];

    for (size_t i = 0; i < sizeof deep; i += 4096)
        deep[i] = 1;
    if (cora_get_running_loop() != NULL || cora_current_task() != NULL)
        return 1;
    return cora_run(sleep_and_answer, arg) + (deep[4096] - 1);
}

struct ending {
    cora_future *future;
    int sentinel;
};

static void on_end(void *arg)
{
    struct ending *ending = arg;

    cora_loop_remove_reader(cora_get_running_loop(), ending->sentinel);
    assert_int_equal(cora_future_set_result(ending->future, 0, NULL), 0);
}

static void await_process(process *started)
{
    cora_loop *loop = cora_get_running_loop();
    struct ending ending = {cora_loop_create_future(loop),
                            cora_multiprocessing_process_sentinel(started)};
    int rc = cora_loop_add_reader(loop, ending.sentinel, on_end, &ending);

    assert_int_equal(rc, 0);
    rc = cora_await_unref(ending.future);
    assert_int_equal(rc, 0);
}

static int start_in_task(void *arg)
{
    int outcome = 42, exitcode;
    process *child = start_child(use_everything, &outcome);

    (void)arg;
    await_process(child);
    exitcode = finish_child(child);
    assert_int_equal(exitcode, 42);
    return 0;
}

TEST(a_task_starts_a_process_that_has_a_large_stack_and_no_loop_and_awaits_its_end)
{
    run_processes(start_in_task);
}

static void fail_signal(void *arg)
{
    (void)arg;
    fail_msg("the parent's loop got the child's signal");
}

static int terminate_beside_handler(void *arg)
{
    cora_loop *loop = cora_get_running_loop();
    int exitcode;
    int rc = cora_loop_add_signal_handler(loop, SIGTERM, fail_signal, NULL);
    process *child = start_child(wait_for_signal, arg);

    assert_int_equal(rc, 0);
    assert_int_equal(cora_multiprocessing_process_terminate(child), 0);
    await_process(child);
    exitcode = finish_child(child);
    assert_int_equal(exitcode, -SIGTERM);
    assert_true(cora_loop_remove_signal_handler(loop, SIGTERM));
    return 0;
}

TEST(the_loops_signal_handlers_are_not_the_childs)
{
    run_processes(terminate_beside_handler);
}

/* ---- threads ------------------------------------------------------------------------------- */

enum { THREADS = 4, EACH = 5 };

/* Made beforehand: what a thread is about to make would be lost in the children of others. */
static struct starter {
    process *children[EACH];
    int outcomes[EACH];
    bool right; /* all of them have ended as they should */
} starters[THREADS];

static void *start_some(void *arg)
{
    struct starter *self = arg;

    self->right = true;
    for (int i = 0; i < EACH; i++) {
        process *child = self->children[i];
        int exitcode = -1;

        if (cora_multiprocessing_process_start(child) < 0 ||
            cora_multiprocessing_process_join(child, INFINITY) < 0 ||
            cora_multiprocessing_process_exitcode(child, &exitcode) < 0 ||
            exitcode != self->outcomes[i] || cora_multiprocessing_process_close(child) < 0)
            self->right = false;
    }
    return NULL;
}

TEST(threads_start_processes_at_the_same_time)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS * EACH; i++) {
        struct starter *starter = &starters[i / EACH];

        starter->outcomes[i % EACH] = i;
        starter->children[i % EACH] = create(give, &starter->outcomes[i % EACH]);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, start_some, &starters[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(starters[i].right);
    }
    assert_false(has_children());
}

static void *join_it(void *child)
{
    return cora_multiprocessing_process_join(child, INFINITY) == 0 ? child : NULL;
}

TEST(several_threads_join_one_process)
{
    pthread_t threads[THREADS];
    int pair[2], exitcode;
    process *child;

    make_pair(pair);
    child = start_child(wait_for_close, pair);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, join_it, child), 0);
    close_pair(pair);
    for (int i = 0; i < THREADS; i++) {
        void *joined = NULL;

        pthread_join(threads[i], &joined);
        assert_ptr_equal(joined, child);
    }
    exitcode = finish_child(child);
    assert_int_equal(exitcode, 0);
}
