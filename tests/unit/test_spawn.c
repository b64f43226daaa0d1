/* Starting programs: what they get, and what is left where they cannot be started. */
#include "support/process.h"
#include "support/socket.h"
#include "support/test.h"

#include "spawn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the two ways that older kernels, and systems without /proc, lack ---------------------- */

static bool has_no_close_range, has_no_list;

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __real_close_range(unsigned first, unsigned last, int flags);
int __wrap_close_range(unsigned first, unsigned last, int flags);
ssize_t __real_getdents64(int fd, void *buffer, size_t size);
ssize_t __wrap_getdents64(int fd, void *buffer, size_t size);

int __wrap_close_range(unsigned first, unsigned last, int flags)
{
    return has_no_close_range ? -1 : __real_close_range(first, last, flags);
}

ssize_t __wrap_getdents64(int fd, void *buffer, size_t size)
{
    return has_no_list ? -1 : __real_getdents64(fd, buffer, size);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

/* ---- running programs ---------------------------------------------------------------------- */

static char output[16384];

/* Reads to the end and closes. */
static void read_output(int fd)
{
    size_t size = 0;
    ssize_t got;

    while ((got = read(fd, output + size, sizeof output - 1 - size)) > 0)
        size += (size_t)got;
    assert_int_equal(got, 0);
    output[size] = '\0';
    close(fd);
}

static void write_text(int fd, const char *text)
{
    ssize_t written = write(fd, text, strlen(text));

    assert_int_equal(written, strlen(text));
}

static int reap(pid_t pid)
{
    int status = 0;
    pid_t reaped = waitpid(pid, &status, 0);

    assert_int_equal(reaped, pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void reap_well(pid_t pid)
{
    int status = reap(pid);

    assert_int_equal(status, 0);
}

/* Runs the program to its end, with its stdout in `output`. Its exit status, or why it did not run.
 */
static int run(const char *const argv[], cora_subprocess_options options)
{
    struct cora__child child;
    int rc;

    options.out = CORA_SUBPROCESS_PIPE;
    rc = cora__spawn(&child, argv, &options);
    if (rc < 0)
        return rc;
    assert_int_equal(child.pipe[0], -1);
    assert_int_equal(child.pipe[2], -1);
    read_output(child.pipe[1]);
    return reap(child.pid);
}

#define RUN(options, ...) run((const char *const[]){__VA_ARGS__, NULL}, options)
#define SHELL(options, command) RUN(options, "/bin/sh", "-c", command)
#define OPTIONS(...) ((cora_subprocess_options){__VA_ARGS__})
#define NONE OPTIONS(.in = 0)

/* ---- arguments and environment ------------------------------------------------------------- */

TEST(a_program_gets_its_arguments_and_tells_how_it_ends)
{
    int rc = RUN(NONE, "/bin/sh", "-c", "echo \"$0:$1:$2\"; exit 7", "a b", "", "$c");

    assert_int_equal(rc, 7);
    assert_string_equal(output, "a b::$c\n");
    rc = SHELL(NONE, "kill -9 $$");
    assert_int_equal(rc, -SIGKILL);
}

TEST(a_program_gets_the_parents_environment_or_one_of_its_own)
{
    const char *const env[] = {"COLOUR=red", "PATH=/bin:/usr/bin", NULL};
    int rc;

    setenv("COLOUR", "blue", 1);
    setenv("SIZE", "large", 1);
    rc = SHELL(NONE, "echo $COLOUR $SIZE");
    assert_int_equal(rc, 0);
    assert_string_equal(output, "blue large\n");
    rc = SHELL(OPTIONS(.env = env), "echo $COLOUR $SIZE");
    assert_int_equal(rc, 0);
    assert_string_equal(output, "red\n");
}

TEST(a_program_starts_in_a_directory_and_with_a_umask)
{
    int rc = SHELL(OPTIONS(.cwd = "/proc", .umask = &(mode_t){0}), "pwd -P; umask");

    assert_int_equal(rc, 0);
    assert_string_equal(output, "/proc\n0000\n");
    rc = SHELL(OPTIONS(.umask = &(mode_t){027}), "umask");
    assert_int_equal(rc, 0);
    assert_string_equal(output, "0027\n");
}

/* ---- where it is found --------------------------------------------------------------------- */

static char directory[64], program[96];

static void make_program(mode_t mode, const char *text)
{
    int fd, rc;

    strcpy(directory, "/tmp/cora-spawn-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(program, sizeof program, "%s/program", directory);
    fd = open(program, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    write_text(fd, text);
    close(fd);
    rc = chmod(program, mode);
    assert_int_equal(rc, 0);
}

static void remove_program(void)
{
    int rc = unlink(program);

    assert_int_equal(rc, 0);
    rc = rmdir(directory);
    assert_int_equal(rc, 0);
}

TEST(a_program_is_searched_for_in_the_path_that_it_gets)
{
    char path[128];
    const char *const env[] = {"A=PATH=/", path, NULL}, *const no_path[] = {"A=b", NULL};
    int rc;

    make_program(0700, "#!/bin/sh\necho found\n");
    snprintf(path, sizeof path, "PATH=/none:%s:/bin", directory);
    rc = RUN(NONE, "program");
    assert_int_equal(rc, -ENOENT);
    rc = RUN(OPTIONS(.env = env), "program");
    assert_int_equal(rc, 0);
    assert_string_equal(output, "found\n");
    rc = RUN(OPTIONS(.env = no_path), "sh", "-c", "echo $A");
    assert_int_equal(rc, 0);
    assert_string_equal(output, "b\n");
    remove_program();
}

TEST(a_path_may_lead_from_the_directory_in_which_the_program_starts)
{
    static const char *const paths[] = {"PATH=", "PATH=/none:", "PATH=:/none", "PATH=/none:."};
    int rc;

    make_program(0700, "#!/bin/sh\necho found\n");
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const char *const env[] = {paths[i], NULL};

        rc = RUN(OPTIONS(.env = env, .cwd = directory), "program");
        assert_int_equal(rc, 0);
        assert_string_equal(output, "found\n");
    }
    rc = RUN(OPTIONS(.cwd = directory), "./program");
    assert_int_equal(rc, 0);
    assert_string_equal(output, "found\n");
    remove_program();
}

TEST(what_cannot_be_run_is_passed_over_and_told_where_nothing_else_is)
{
    char path[128];
    const char *const env[] = {path, NULL};
    int rc;

    make_program(0600, "");
    snprintf(path, sizeof path, "PATH=/none:%s:/etc/passwd:/none", directory);
    rc = RUN(OPTIONS(.env = env), "program");
    assert_int_equal(rc, -EACCES);
    snprintf(path, sizeof path, "PATH=%s:/bin", directory);
    rc = rename(program, strcat(strcpy(output, directory), "/true"));
    assert_int_equal(rc, 0);
    strcpy(program, output);
    rc = RUN(OPTIONS(.env = env), "true");
    assert_int_equal(rc, 0);
    remove_program();
}

TEST(each_reason_why_a_program_cannot_be_started_is_told)
{
    int before = count_descriptors(), rc;

    make_program(0700, "no program");
    rc = RUN(NONE, program);
    assert_int_equal(rc, -ENOEXEC);
    rc = RUN(NONE, "/none/program");
    assert_int_equal(rc, -ENOENT);
    rc = RUN(NONE, "/etc/passwd/program");
    assert_int_equal(rc, -ENOTDIR);
    rc = RUN(NONE, "no program");
    assert_int_equal(rc, -ENOENT);
    rc = RUN(NONE, "");
    assert_int_equal(rc, -ENOENT);
    rc = RUN(OPTIONS(.cwd = "/none"), "true");
    assert_int_equal(rc, -ENOENT);
    rc = RUN(OPTIONS(.process_group = &(pid_t){-1}), "true");
    assert_int_equal(rc, -EINVAL);
    rc = RUN(OPTIONS(.start_new_session = true, .process_group = &(pid_t){0}), "true");
    assert_int_equal(rc, -EPERM);
    remove_program();
    assert_int_equal(count_descriptors(), before);
    assert_false(has_children());
}

TEST(options_that_are_none_are_refused)
{
    struct cora__child child = {.pid = 7};
    int before = count_descriptors(), closed = dup(0), rc; /* the number of what is opened next */

    close(closed);
    rc = cora__spawn(&child, NULL, NULL);
    assert_int_equal(rc, -EINVAL);
    rc = cora__spawn(&child, (const char *const[]){NULL}, NULL);
    assert_int_equal(rc, -EINVAL);
    rc = RUN(OPTIONS(.in = CORA_SUBPROCESS_STDOUT), "true");
    assert_int_equal(rc, -EINVAL);
    rc = RUN(OPTIONS(.err = -4), "true");
    assert_int_equal(rc, -EINVAL);
    rc = RUN(OPTIONS(.err = closed), "true");
    assert_int_equal(rc, -EBADF);
    rc = RUN(OPTIONS(.pass_fds = (int[]){1, closed, -1}), "true");
    assert_int_equal(rc, -EBADF);
    assert_int_equal(child.pid, 7);
    assert_int_equal(count_descriptors(), before);
    assert_false(has_children());
}

/* ---- stdin, stdout and stderr -------------------------------------------------------------- */

TEST(pipes_lead_to_stdin_and_from_stdout_and_stderr)
{
    static const char *const argv[] = {"/bin/sh", "-c", "cat; echo error >&2", NULL};
    const cora_subprocess_options options = {
        .in = CORA_SUBPROCESS_PIPE, .out = CORA_SUBPROCESS_PIPE, .err = CORA_SUBPROCESS_PIPE};
    int before = count_descriptors();
    struct cora__child child;
    int rc = cora__spawn(&child, argv, &options);

    assert_int_equal(rc, 0);
    for (int i = 0; i < 3; i++)
        assert_true((fcntl(child.pipe[i], F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(count_descriptors(), before + 3);
    write_text(child.pipe[0], "input");
    close(child.pipe[0]);
    read_output(child.pipe[1]);
    assert_string_equal(output, "input");
    read_output(child.pipe[2]);
    assert_string_equal(output, "error\n");
    reap_well(child.pid);
}

TEST(nothing_is_read_from_devnull_and_nothing_kept_of_what_goes_there)
{
    static const char *const argv[] = {"/bin/sh", "-c", "cat; echo lost; echo lost >&2", NULL};
    const cora_subprocess_options options = {.in = CORA_SUBPROCESS_DEVNULL,
                                             .out = CORA_SUBPROCESS_DEVNULL,
                                             .err = CORA_SUBPROCESS_STDOUT};
    int before = count_descriptors();
    struct cora__child child;
    int rc = cora__spawn(&child, argv, &options);

    assert_int_equal(rc, 0);
    reap_well(child.pid);
    assert_int_equal(count_descriptors(), before);
    rc = SHELL(OPTIONS(.in = CORA_SUBPROCESS_DEVNULL, .err = CORA_SUBPROCESS_DEVNULL),
               "cat; echo kept; echo lost >&2");
    assert_int_equal(rc, 0);
    assert_string_equal(output, "kept\n");
}

TEST(stderr_goes_where_stdout_goes)
{
    int rc = SHELL(OPTIONS(.err = CORA_SUBPROCESS_STDOUT), "echo a; echo b >&2; echo c");

    assert_int_equal(rc, 0);
    assert_string_equal(output, "a\nb\nc\n");
}

/* Puts pipes, or nothing (-1), in the place of the three. */
static int saved[3];

static void replace(int in, int out, int err)
{
    const int by[] = {in, out, err};

    (void)fflush(stdout);
    for (int i = 0; i < 3; i++) {
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
        if (by[i] >= 0)
            dup2(by[i], i);
        else
            close(i);
    }
}

static void restore(void)
{
    for (int i = 0; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
}

/* Where they were exchanged one after the other one would be lost. */
TEST(descriptors_of_the_parents_may_change_places)
{
    static const char *const argv[] = {"/bin/sh", "-c", "cat; echo out; echo err >&2", NULL};
    int in[2], out[2], err[2], before = count_descriptors(), rc;
    struct cora__child child;

    make_pipe(in);
    make_pipe(out);
    make_pipe(err);
    write_text(in[1], "input\n");
    close(in[1]);
    replace(out[1], err[1], in[0]);
    rc = cora__spawn(&child, argv, &OPTIONS(.in = 2, .out = 1, .err = 1));
    restore();
    assert_int_equal(rc, 0);
    reap_well(child.pid);
    close(err[1]);
    read_output(err[0]);
    assert_string_equal(output, "input\nout\nerr\n");
    make_pipe(err);
    replace(in[0], err[1], out[1]);
    rc = cora__spawn(&child, argv, &OPTIONS(.out = 2, .err = 1));
    restore();
    assert_int_equal(rc, 0);
    reap_well(child.pid);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    read_output(out[0]);
    assert_string_equal(output, "out\n");
    read_output(err[0]);
    assert_string_equal(output, "err\n");
    assert_int_equal(count_descriptors(), before);
}

TEST(stderr_goes_to_the_parents_stdout_where_that_is_stdout)
{
    static const char *const argv[] = {"/bin/sh", "-c", "echo err >&2", NULL};
    int out[2], rc;
    struct cora__child child;

    make_pipe(out);
    replace(0, out[1], 2);
    rc = cora__spawn(&child, argv, &OPTIONS(.err = CORA_SUBPROCESS_STDOUT));
    restore();
    assert_int_equal(rc, 0);
    close(out[1]);
    read_output(out[0]);
    assert_string_equal(output, "err\n");
    reap_well(child.pid);
}

/* The pipes, and the one by which errors are told, then have the numbers 0 to 2 in the parent. */
TEST(a_parent_without_stdin_stdout_and_stderr_can_give_them_to_a_program)
{
    static const char *const argv[] = {"/bin/sh", "-c", "cat; echo out; echo err >&2", NULL};
    static const char *const none[] = {"/none/program", NULL};
    const cora_subprocess_options options = {
        .in = CORA_SUBPROCESS_PIPE, .out = CORA_SUBPROCESS_PIPE, .err = CORA_SUBPROCESS_PIPE};
    struct cora__child child;
    int rc[4], pipes[3];

    replace(-1, -1, -1);
    rc[0] = cora__spawn(&child, none, NULL);
    rc[1] = cora__spawn(&child, none, &OPTIONS(.out = saved[1]));
    rc[2] = cora__spawn(&child, none, &options);
    rc[3] = cora__spawn(&child, argv, &options);
    for (int i = 0; i < 3; i++)
        pipes[i] = fcntl(child.pipe[i], F_DUPFD_CLOEXEC, 200);
    cora__child_close_pipes(&child);
    restore();
    for (int i = 0; i < 3; i++)
        assert_int_equal(rc[i], -ENOENT);
    assert_int_equal(rc[3], 0);
    write_text(pipes[0], "input\n");
    close(pipes[0]);
    read_output(pipes[1]);
    assert_string_equal(output, "input\nout\n");
    read_output(pipes[2]);
    assert_string_equal(output, "err\n");
    reap_well(child.pid);
    assert_false(has_children());
}

/* ---- all other descriptors ----------------------------------------------------------------- */

/* What `ls` finds; those of the shell that calls it. */
static void assert_descriptors(const int *pass_fds, const char *expected)
{
    int rc = SHELL(OPTIONS(.pass_fds = pass_fds), "ls /proc/$$/fd; true");

    assert_int_equal(rc, 0);
    assert_string_equal(output, expected);
}

/* Some above, among and below those that the spawning opens, and none of them closed on exec. */
static void assert_none_leaks(void)
{
    for (int fd = 40; fd < 80; fd += 2)
        dup2(2, fd);
    dup2(2, 900);
    assert_descriptors(NULL, "0\n1\n2\n");
    fcntl(50, F_SETFD, FD_CLOEXEC);
    assert_descriptors((int[]){50, 900, 1, -1}, "0\n1\n2\n50\n900\n");
    assert_int_equal(fcntl(50, F_GETFD), FD_CLOEXEC); /* the parent's are as they were */
    assert_int_equal(fcntl(900, F_GETFD), 0);
}

TEST(a_program_gets_no_descriptor_but_those_passed_to_it)
{
    assert_none_leaks();
}

TEST(a_program_gets_none_either_where_they_cannot_be_closed_at_once)
{
    has_no_close_range = true;
    assert_none_leaks();
}

TEST(a_program_gets_none_either_where_they_cannot_be_listed)
{
    has_no_close_range = has_no_list = true;
    assert_none_leaks();
}

/* With no room for any descriptor, then for one more, and so on. */
TEST(where_descriptors_run_out_nothing_is_left)
{
    const cora_subprocess_options options = {
        .in = CORA_SUBPROCESS_PIPE, .out = CORA_SUBPROCESS_PIPE, .err = CORA_SUBPROCESS_DEVNULL};
    static const char *const argv[] = {"/bin/cat", NULL};
    int before = count_descriptors(), lowest = dup(0), failures = 0, rc;
    struct rlimit limit, usual;
    struct cora__child child;

    close(lowest);
    rc = getrlimit(RLIMIT_NOFILE, &usual);
    assert_int_equal(rc, 0);
    limit = usual;
    do {
        limit.rlim_cur = (rlim_t)lowest++;
        setrlimit(RLIMIT_NOFILE, &limit);
        rc = cora__spawn(&child, argv, &options);
        setrlimit(RLIMIT_NOFILE, &usual);
        if (rc < 0) {
            assert_int_equal(rc, -EMFILE);
            assert_int_equal(count_descriptors(), before);
            assert_false(has_children());
            failures++;
        }
    } while (rc < 0 && failures < 20);
    assert_int_equal(rc, 0);
    assert_true(failures >= 7); /* two pipes, /dev/null, and the pipe for errors */
    cora__child_close_pipes(&child);
    assert_int_equal(count_descriptors(), before);
    reap_well(child.pid);
}

/* ---- sessions, groups, signals ------------------------------------------------------------- */

struct identity {
    int pid, parent, group, session;
};

/* As a running `cat` is told by the kernel. */
static struct identity identity_of(cora_subprocess_options options)
{
    struct identity id = {0, 0, 0, 0};
    int rc = RUN(options, "cat", "/proc/self/stat");

    assert_int_equal(rc, 0);
    assert_int_equal(
        sscanf(output, "%d (cat) %*c %d %d %d", &id.pid, &id.parent, &id.group, &id.session), 4);
    assert_int_equal(id.parent, getpid());
    return id;
}

TEST(a_program_has_the_parents_session_and_group_or_its_own)
{
    struct identity id = identity_of(NONE);

    assert_int_equal(id.session, getsid(0));
    assert_int_equal(id.group, getpgrp());
    id = identity_of(OPTIONS(.start_new_session = true));
    assert_int_equal(id.session, id.pid);
    assert_int_equal(id.group, id.pid);
    id = identity_of(OPTIONS(.process_group = &(pid_t){0}));
    assert_int_equal(id.session, getsid(0));
    assert_int_equal(id.group, id.pid);
}

TEST(a_program_joins_another_ones_group)
{
    static const char *const argv[] = {"cat", NULL};
    const cora_subprocess_options options = {.in = CORA_SUBPROCESS_PIPE,
                                             .process_group = &(pid_t){0}};
    struct cora__child leader;
    struct identity id;
    int rc = cora__spawn(&leader, argv, &options);

    assert_int_equal(rc, 0);
    id = identity_of(OPTIONS(.process_group = &leader.pid));
    assert_int_equal(id.group, leader.pid);
    cora__child_close_pipes(&leader);
    reap_well(leader.pid);
}

/* Of /proc/self/status, whose lines are names and masks. */
static bool has_bit(const char *name, int signum)
{
    const char *line = strstr(output, name);

    assert_non_null(line);
    return (strtoull(line + strlen(name), NULL, 16) >> (signum - 1) & 1) != 0;
}

static void handle(int signum)
{
    (void)signum;
}

TEST(a_program_has_the_callers_mask_and_no_handlers_and_sigpipe_kills_it)
{
    struct sigaction ours;
    sigset_t mask, after;
    int rc;

    signal(SIGUSR1, handle);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    rc = RUN(NONE, "cat", "/proc/self/status");
    sigprocmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(rc, 0);
    assert_true(has_bit("SigBlk:", SIGUSR2));
    assert_false(has_bit("SigBlk:", SIGUSR1));
    assert_true(has_bit("SigIgn:", SIGHUP));
    assert_false(has_bit("SigIgn:", SIGPIPE));
    assert_false(has_bit("SigIgn:", SIGUSR1));
    assert_true(sigismember(&after, SIGUSR2) == 1);
    assert_true(sigismember(&after, SIGUSR1) == 0);
    sigaction(SIGUSR1, NULL, &ours);
    assert_true(ours.sa_handler == handle); /* as it was */
    sigaction(SIGPIPE, NULL, &ours);
    assert_true(ours.sa_handler == SIG_IGN);
}
