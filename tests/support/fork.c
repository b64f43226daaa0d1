#include "support/fork.h"

#include "support/test.h"

#include "coroutine/fiber.h"

#include <sys/wait.h>

bool can_fork_with_threads(void)
{
#ifdef CORA_TSAN
    return false; /* it takes the parent's threads for leaks of the child's */
#endif
#ifdef CORA_VALGRIND
    if (RUNNING_ON_VALGRIND)
        return false; /* what those threads have in hand is lost in the child */
#endif
    return getenv("CORA_EMULATED") == NULL; /* qemu-user cannot */
}

int reap(pid_t pid)
{
    int status = 0;
    pid_t rc = waitpid(pid, &status, 0);

    assert_int_equal(rc, pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
