#include "support/process.h"

#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <sys/wait.h>

bool has_children(void)
{
    siginfo_t info;

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

void await_end(pid_t pid)
{
    siginfo_t info;
    int rc = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);

    assert_int_equal(rc, 0);
}

void run_processes(cora_task_fn *fn)
{
    int before = count_descriptors();
    int rc = run_virtual(fn, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
    assert_int_equal(count_descriptors(), before);
    assert_false(has_children());
}

cora_process *start_shell(const char *command, int in, int out, int err)
{
    cora_process *process = NULL;
    int rc = cora_create_subprocess_shell(
        command, &(cora_subprocess_options){.in = in, .out = out, .err = err}, &process);

    assert_int_equal(rc, 0);
    return process;
}

void finish_process(cora_process *process, int expected)
{
    int returncode = 1000;
    int rc = cora_process_wait(process, &returncode);

    assert_int_equal(rc, 0);
    assert_int_equal(returncode, expected);
    cora_process_unref(process);
}

void assert_output(cora_process *process, const char *input, const char *expected)
{
    cora_process_output output = {.out = NULL};
    int rc = cora_process_communicate(process, input, input != NULL ? strlen(input) : 0, &output);

    assert_int_equal(rc, 0);
    assert_string_equal(output.out, expected);
    assert_int_equal(output.out_size, strlen(expected));
    cora_process_output_clear(&output);
    finish_process(process, 0);
}

const char *output_of_child(void (*fn)(void))
{
    static char text[256];
    size_t length = 0;
    ssize_t count;
    int ends[2], status = -1, rc = pipe(ends);
    pid_t pid;

    assert_int_equal(rc, 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        fn();
        exit(0);
    }
    close(ends[1]);
    while ((count = read(ends[0], text + length, sizeof text - 1 - length)) > 0)
        length += (size_t)count;
    close(ends[0]);
    text[length] = '\0';
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    return text;
}
