#include "support/process.h"

#include "support/test.h"

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
