#include "run_demo.h"

#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { ARGUMENTS_MAX = 64 };

static pid_t spawn(const char *const arguments[], int output, int errors)
{
    char *argv[ARGUMENTS_MAX] = {(char *)"demo"};
    posix_spawn_file_actions_t actions;
    pid_t pid;

    for (size_t i = 0; arguments[i] != NULL; i++) {
        assert_true(i + 2 < ARGUMENTS_MAX);
        argv[i + 1] = (char *)arguments[i];
    }
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO), 0);
    assert_int_equal(posix_spawn(&pid, DEMO_PROGRAM, &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

/* What it writes to `theirs`, which is closed here, is to be read from `ours`. */
static void start(struct demo_result *result, const char *const arguments[], int ours, int theirs)
{
    int errors[2];

    assert_int_equal(pipe2(errors, O_CLOEXEC), 0);
    result->pid = spawn(arguments, theirs, errors[1]);
    result->output_fd = ours;
    result->errors_fd = errors[0];
    close(theirs);
    close(errors[1]);
}

/* All that comes, up to the end; a terminal's other end says EIO there. */
static void read_all(int fd, char *text, size_t size)
{
    size_t length = 0;
    ssize_t got;

    while ((got = read(fd, text + length, size - 1 - length)) > 0)
        length += (size_t)got;
    assert_true(got == 0 || errno == EIO);
    assert_true(length + 1 < size);
    text[length] = '\0';
}

void start_demo(struct demo_result *result, const char *const arguments[])
{
    int output[2];

    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    start(result, arguments, output[0], output[1]);
}

void await_demo(struct demo_result *result)
{
    pid_t ended;
    int status;

    read_all(result->output_fd, result->output, sizeof result->output);
    read_all(result->errors_fd, result->errors, sizeof result->errors);
    close(result->output_fd);
    close(result->errors_fd);
    ended = waitpid(result->pid, &status, 0);
    assert_int_equal(ended, result->pid);
    result->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void run_demo(struct demo_result *result, const char *const arguments[])
{
    start_demo(result, arguments);
    await_demo(result);
}

void run_demo_on_terminal(struct demo_result *result, const char *const arguments[])
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    int theirs, rc;

    if (terminal < 0) { /* no /dev/pts, as in a bare chroot */
        print_message("there are no pseudo-terminals here\n");
        skip();
    }
    rc = grantpt(terminal);
    assert_int_equal(rc, 0);
    rc = unlockpt(terminal);
    assert_int_equal(rc, 0);
    theirs = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(theirs >= 0);
    start(result, arguments, terminal, theirs);
    await_demo(result);
}

size_t count_of(const char *text, const char *part)
{
    size_t count = 0;

    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
        count++;
    return count;
}
