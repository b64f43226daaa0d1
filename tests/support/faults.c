#include "support/faults.h"

#include "support/allocation.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- a few in order ------------------------------------------------------------------------ */

enum { MOST_FAULTS = 4 };

static int faults[MOST_FAULTS + 1];
static int met, calls;
static int only = -1; /* calls on this descriptor; -1: those on sockets */

void set_faults_of(int fd, int first, int second, int third)
{
    memcpy(faults, (int[]){first, second, third, 0, 0}, sizeof faults);
    met = calls = 0;
    only = fd;
}

void set_faults(int first, int second, int third)
{
    set_faults_of(-1, first, second, third);
}

/* Whether a call, on a socket or on whatever, takes part. */
static bool of_socket(int fd)
{
    return only < 0 || fd == only;
}

static bool of_any(int fd)
{
    return fd == only;
}

int faults_met(void)
{
    return met;
}

int calls_made(void)
{
    return calls;
}

static int next_in_order(void)
{
    int fault = faults[0];

    calls++;
    if (fault != 0) {
        memmove(faults, faults + 1, sizeof faults - sizeof faults[0]);
        met++;
    }
    return fault;
}

/* ---- each in turn -------------------------------------------------------------------------- */

/* Calls are made by threads, too, and by forked processes, which may be killed at any time. */
static struct turn {
    atomic_bool on;
    atomic_int count;           /* calls so far */
    int at, which;              /* the call that fails, and by which of its errors */
    atomic_bool met;            /* it has failed */
    atomic_bool known;          /* it was made, whether or not it has so many errors */
    _Atomic(const char *) name; /* of the call */
} * turn;

__attribute__((constructor)) static void share_turn(void)
{
    turn = mmap(NULL, sizeof *turn, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (turn == MAP_FAILED)
        abort();
}

bool fault_was_met(void)
{
    return turn->met;
}

int fault_in_turn(const char *name, const int *errors)
{
    int which = 0;

    if (turn == NULL || !turn->on || ++turn->count != turn->at)
        return 0;
    turn->known = true;
    turn->name = name;
    while (errors[which] != 0 && which < turn->which)
        which++;
    turn->met = errors[which] != 0;
    return errors[which];
}

/* What goes wrong in a scenario. */
struct ordeal {
    const char *what;
    void (*arm)(int nth, int which);
    void (*disarm)(void);
    bool (*met)(void);
};

static void arm_turn(int at, int which)
{
    turn->at = at;
    turn->which = which;
    turn->count = 0;
    turn->met = turn->known = false;
    turn->name = "";
    turn->on = true;
}

static void disarm_turn(void)
{
    turn->on = false;
}

static void arm_allocation(int nth, int which)
{
    (void)which;
    refuse_allocation(nth);
}

static void disarm_allocation(void)
{
    refuse_allocation(0);
}

static const struct ordeal call = {"call", arm_turn, disarm_turn, fault_was_met};
static const struct ordeal allocation = {"allocation", arm_allocation, disarm_allocation,
                                         allocation_was_refused};

/* The loop is made before. Whether what was to go wrong did. */
static bool run_once(cora_task_fn *scenario, void *arg, const struct ordeal *ordeal, int nth,
                     int which)
{
    cora_runner_options options = {.loop_factory = virtual_loop_factory};
    int before = count_descriptors(), after, rc;
    cora_runner *runner = NULL;
    bool went_wrong;

    turn->name = "";
    assert_return_code(cora_runner_create(&runner, &options), 0);
    ordeal->arm(nth, which);
    rc = cora_runner_run(runner, scenario, arg);
    (void)!cora_runner_close(runner);
    went_wrong = ordeal->met();
    ordeal->disarm();
    after = count_descriptors();
    if (after != before || (!went_wrong && rc != 0))
        fail_msg("%s %d, %s, %d: %s, %d descriptors before and %d after", ordeal->what, nth,
                 turn->name, which, cora_strerrorname(rc), before, after);
    return went_wrong;
}

int run_with_each_fault(cora_task_fn *scenario, void *arg)
{
    int count = 0, at = 0;

    run_once(scenario, arg, &call, 0, 0); /* what is made once and for all is made here */
    do {
        int which = 0;

        at++;
        while (run_once(scenario, arg, &call, at, which++))
            count++;
    } while (turn->known);
    return count;
}

int run_with_each_allocation_refused(cora_task_fn *scenario, void *arg)
{
    enum { MOST = 1000 };
    int nth = 0;

    run_once(scenario, arg, &call, 0, 0);
    while (nth < MOST && run_once(scenario, arg, &allocation, nth + 1, 0))
        nth++;
    return nth;
}

/* ---- the calls ----------------------------------------------------------------------------- */

static int next_fault(const char *name, bool in_order, const int *errors)
{
    int fault = in_order ? next_in_order() : 0;

    if (fault == 0)
        fault = fault_in_turn(name, errors);
    if (fault > 0)
        errno = fault;
    return fault;
}

#define ERRORS(...) ((const int[]){__VA_ARGS__, 0})

/* The names are the linker's: a call of f goes to __wrap_f, and __real_f is the function itself. */
/* NOLINTBEGIN(bugprone-reserved-identifier,bugprone-branch-clone,cert-dcl37-c,cert-dcl51-cpp) */
#define WRAP(type, name, in_order, errors, parameters, shortened, arguments)                       \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        int fault = next_fault(#name, in_order, errors);                                           \
                                                                                                   \
        if (fault == NOTHING)                                                                      \
            return 0;                                                                              \
        if (fault > 0)                                                                             \
            return -1;                                                                             \
        return fault < 0 ? __real_##name shortened : __real_##name arguments;                      \
    }

/* These know no half. */
#define WRAP_WHOLE(name, in_order, errors, parameters, arguments)                                  \
    WRAP(int, name, in_order, errors, parameters, arguments, arguments)

WRAP(ssize_t, recv, of_socket(fd), ERRORS(EINTR, EAGAIN, SHORT, ECONNRESET, ENOMEM),
     (int fd, void *buffer, size_t size, int flags), (fd, buffer, (size_t)-fault, flags),
     (fd, buffer, size, flags))
WRAP(ssize_t, recvfrom, of_socket(fd), ERRORS(EINTR, EAGAIN, ECONNREFUSED, ENOMEM),
     (int fd, void *buffer, size_t size, int flags, struct sockaddr *address, socklen_t *length),
     (fd, buffer, (size_t)-fault, flags, address, length),
     (fd, buffer, size, flags, address, length))
WRAP(ssize_t, send, of_socket(fd), ERRORS(EINTR, EAGAIN, SHORT, ECONNRESET, EPIPE, ENOBUFS),
     (int fd, const void *data, size_t size, int flags), (fd, data, (size_t)-fault, flags),
     (fd, data, size, flags))
WRAP(ssize_t, sendto, of_socket(fd), ERRORS(EINTR, EAGAIN, ECONNREFUSED, ENOBUFS),
     (int fd, const void *data, size_t size, int flags, const struct sockaddr *address,
      socklen_t length),
     (fd, data, (size_t)-fault, flags, address, length), (fd, data, size, flags, address, length))
WRAP(ssize_t, sendfile, of_socket(fd), ERRORS(EINTR, EAGAIN, SHORT, EINVAL, EPIPE, EIO),
     (int fd, int file, off_t *offset, size_t size), (fd, file, offset, (size_t)-fault),
     (fd, file, offset, size))
WRAP(ssize_t, splice, of_socket(in), ERRORS(EINTR, EAGAIN, SHORT, EINVAL, EPIPE),
     (int in, off_t *from, int out, off_t *to, size_t size, unsigned flags),
     (in, from, out, to, (size_t)-fault, flags), (in, from, out, to, size, flags))
WRAP(ssize_t, read, of_any(fd), ERRORS(EINTR, EAGAIN, SHORT, EIO),
     (int fd, void *buffer, size_t size), (fd, buffer, (size_t)-fault), (fd, buffer, size))
/* Of an eventfd, 8 bytes: it can be interrupted, or be full, and then it wakes all the same. */
WRAP(ssize_t, write, of_any(fd),
     size == sizeof(uint64_t) ? ERRORS(EINTR) : ERRORS(EINTR, EAGAIN, SHORT, EPIPE),
     (int fd, const void *data, size_t size), (fd, data, (size_t)-fault), (fd, data, size))
WRAP(ssize_t, pread, of_any(fd), ERRORS(EINTR, SHORT, EIO),
     (int fd, void *buffer, size_t size, off_t offset), (fd, buffer, (size_t)-fault, offset),
     (fd, buffer, size, offset))

WRAP_WHOLE(connect, of_socket(fd), ERRORS(EINTR, EAGAIN, ECONNREFUSED, ETIMEDOUT, ENETUNREACH),
           (int fd, const struct sockaddr *address, socklen_t length), (fd, address, length))
WRAP_WHOLE(accept4, of_socket(fd), ERRORS(EINTR, EAGAIN, ECONNABORTED, EMFILE, ENFILE, ENOMEM),
           (int fd, struct sockaddr *address, socklen_t *length, int flags),
           (fd, address, length, flags))
WRAP_WHOLE(socket, false, ERRORS(EMFILE, ENFILE, ENOBUFS, EAFNOSUPPORT),
           (int domain, int type, int protocol), (domain, type, protocol))
WRAP_WHOLE(bind, of_any(fd), ERRORS(EADDRINUSE, EADDRNOTAVAIL, EACCES),
           (int fd, const struct sockaddr *address, socklen_t length), (fd, address, length))
WRAP_WHOLE(listen, of_any(fd), ERRORS(EADDRINUSE), (int fd, int backlog), (fd, backlog))
WRAP_WHOLE(shutdown, of_any(fd), ERRORS(ENOTCONN), (int fd, int how), (fd, how))
WRAP_WHOLE(getsockname, of_any(fd), ERRORS(ENOBUFS),
           (int fd, struct sockaddr *address, socklen_t *length), (fd, address, length))
WRAP_WHOLE(getpeername, of_any(fd), ERRORS(ENOTCONN),
           (int fd, struct sockaddr *address, socklen_t *length), (fd, address, length))
WRAP_WHOLE(getsockopt, of_any(fd), ERRORS(ENOPROTOOPT),
           (int fd, int level, int option, void *value, socklen_t *length),
           (fd, level, option, value, length))
WRAP_WHOLE(setsockopt, of_any(fd), ERRORS(ENOPROTOOPT),
           (int fd, int level, int option, const void *value, socklen_t length),
           (fd, level, option, value, length))
WRAP_WHOLE(eventfd, false, ERRORS(EMFILE, ENOMEM), (unsigned value, int flags), (value, flags))
WRAP_WHOLE(pipe2, false, ERRORS(EMFILE, ENFILE), (int fds[2], int flags), (fds, flags))

/* Of several parts, something of the first that is not empty. */
static struct iovec shorten(const struct iovec *parts, int fault)
{
    while (parts->iov_len == 0)
        parts++;
    return (struct iovec){.iov_base = parts->iov_base,
                          .iov_len = fault == NOTHING ? 0 : (size_t)-fault};
}

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    int fault = next_fault("sendmsg", of_socket(fd),
                           ERRORS(EINTR, EAGAIN, SHORT, ECONNRESET, EPIPE, ENOBUFS));
    struct iovec part;

    if (fault >= 0)
        return fault > 0 ? -1 : __real_sendmsg(fd, message, flags);
    part = shorten(message->msg_iov, fault);
    return __real_send(fd, part.iov_base, part.iov_len, flags);
}

ssize_t __real_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
    int fault =
        next_fault("recvmsg", of_socket(fd), ERRORS(EINTR, EAGAIN, SHORT, ECONNRESET, ENOMEM));
    struct iovec part;

    if (fault >= 0)
        return fault > 0 ? -1 : __real_recvmsg(fd, message, flags);
    part = shorten(message->msg_iov, fault);
    return __real_recv(fd, part.iov_base, part.iov_len, flags);
}

ssize_t __real_writev(int fd, const struct iovec *parts, int count);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int count);

ssize_t __wrap_writev(int fd, const struct iovec *parts, int count)
{
    int fault = next_fault("writev", of_any(fd), ERRORS(EINTR, EAGAIN, SHORT, EPIPE));
    struct iovec part;

    if (fault >= 0)
        return fault > 0 ? -1 : __real_writev(fd, parts, count);
    part = shorten(parts, fault);
    return __real_writev(fd, &part, 1);
}

/* A descriptor is closed, whatever close says of it. */
int __real_close(int fd);
int __wrap_close(int fd);

int __wrap_close(int fd)
{
    int fault = next_fault("close", of_any(fd), ERRORS(EINTR, EIO));
    int rc = __real_close(fd);

    if (fault <= 0)
        return rc;
    errno = fault;
    return -1;
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*fn)(void *arg), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*fn)(void *arg), void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*fn)(void *arg), void *arg)
{
    int fault = next_fault("pthread_create", false, ERRORS(EAGAIN));

    return fault > 0 ? fault : __real_pthread_create(thread, attributes, fn, arg);
}

/* NOLINTEND(bugprone-reserved-identifier,bugprone-branch-clone,cert-dcl37-c,cert-dcl51-cpp) */
