/* CPython's test_selector_events.py: accepting. */
#include "support/server.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <unistd.h>

/* Of what accept4 is asked: there is always one more connection. */
static struct {
    bool endless;
    bool aborts; /* every second one */
    int calls;
} kernel;

/* The names are the linker's: a call of f goes to __wrap_f, and __real_f is the function itself. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __real_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    int fds[2];

    if (!kernel.endless)
        return __real_accept4(fd, address, length, flags);
    if (++kernel.calls % 2 == 0 && kernel.aborts) {
        errno = ECONNABORTED;
        return -1;
    }
    make_pair(fds);
    close_fd(fds[1]);
    return fds[0];
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static const cora_protocol_methods methods;
static cora_protocol protocol = {&methods};

static cora_protocol *any_protocol(void *arg)
{
    (void)arg;
    return &protocol;
}

/* How many connections are accepted at a time, of more than there could be. */
static int accept_once(void *arg)
{
    cora_server_options options = {.backlog = *(int *)arg};
    int expected = (*(int *)arg == CORA_OFF ? 0 : *(int *)arg) + 1;
    cora_server *server = NULL;
    int rc = cora_create_server(any_protocol, NULL, "127.0.0.1", "0", &options, &server);
    int fd;

    assert_int_equal(rc, 0);
    fd = connect_server(server);
    kernel.calls = 0;
    kernel.endless = true;
    while (kernel.calls == 0)
        assert_int_equal(rest(1), 0);
    kernel.endless = false;
    assert_int_equal(kernel.calls, expected);
    cora_server_close(server);
    cora_server_close_clients(server);
    assert_int_equal(cora_server_wait_closed(server), 0);
    cora_server_unref(server);
    close_fd(fd);
    return 0;
}

static void accept_with(int backlog)
{
    int rc = run_virtual(accept_once, &backlog);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

TEST(BaseSelectorEventLoopTests_test_accept_connection_zero_one)
{
    accept_with(CORA_OFF);
    accept_with(1);
}

TEST(BaseSelectorEventLoopTests_test_accept_connection_multiple)
{
    accept_with(100);
}

TEST(BaseSelectorEventLoopTests_test_accept_connection_skip_connectionabortederror)
{
    kernel.aborts = true;
    accept_with(100);
}
