/* CPython's test_unix_events.py: other programs of a forked child's loop. */
#include "support/process.h"
#include "support/test.h"

#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER = 42 };

static int await_program(void *arg)
{
    cora_process *process = NULL;
    int returncode = 0;
    int rc = cora_create_subprocess_shell("exit 42", NULL, &process);

    (void)arg;
    if (rc == 0)
        rc = cora_process_wait(process, &returncode);
    cora_process_unref(process);
    return rc < 0 ? rc : returncode;
}

TEST(TestFork_test_fork_asyncio_subprocess)
{
    int status = 0;
    pid_t pid = fork(), reaped;

    if (pid == 0)
        _exit(cora_run(await_program, NULL));
    reaped = waitpid(pid, &status, 0);
    assert_int_equal(reaped, pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), ANSWER);
}
