/*
 * process_faults.c: what the kernel may answer who forks and waits for descriptors, beside
 * faults.h.
 */
#include "support/faults.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __real_socketpair(int domain, int type, int protocol, int fds[2]);
int __wrap_socketpair(int domain, int type, int protocol, int fds[2]);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);
pid_t __real_fork(void);
pid_t __wrap_fork(void);

static bool fails(const char *name, const int *errors)
{
    int fault = fault_in_turn(name, errors);

    if (fault > 0)
        errno = fault;
    return fault > 0;
}

int __wrap_socketpair(int domain, int type, int protocol, int fds[2])
{
    static const int errors[] = {EMFILE, ENFILE, ENOMEM, 0};

    return fails("socketpair", errors) ? -1 : __real_socketpair(domain, type, protocol, fds);
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    static const int errors[] = {EINTR, ENOMEM, 0};

    return fails("poll", errors) ? -1 : __real_poll(fds, count, timeout);
}

pid_t __wrap_fork(void)
{
    static const int errors[] = {EAGAIN, ENOMEM, 0};

    return fails("fork", errors) ? -1 : __real_fork();
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
