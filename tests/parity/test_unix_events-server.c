/* CPython's test_unix_events.py: servers at paths. */
#include "support/faults.h"
#include "support/server.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <fcntl.h>
#include <sys/un.h>
#include <unistd.h>

static void run(cora_task_fn *fn)
{
    int rc = run_virtual(fn, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

static int create(const char *path, cora_server **ret)
{
    return cora_create_unix_server(record_next, NULL, path, NULL, ret);
}

static int create_sock(int fd, cora_server **ret)
{
    return cora_create_unix_server_sock(record_next, NULL, fd, NULL, ret);
}

static void close_server(cora_server *server)
{
    cora_server_close(server);
    assert_int_equal(cora_server_wait_closed(server), 0);
    cora_server_unref(server);
}

static int open_socket(int family, int type)
{
    int fd = socket(family, type | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    return fd;
}

static int bind_path(int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = open_socket(AF_UNIX, type);
    int rc;

    strcpy(address.sun_path, socket_path());
    rc = bind(fd, (struct sockaddr *)&address, sizeof address);
    assert_int_equal(rc, 0);
    return fd;
}

static int existing_path_sock(void *arg)
{
    int fd = bind_path(SOCK_STREAM);
    int rc = listen(fd, 1);
    cora_server *server = NULL;

    (void)arg;
    assert_int_equal(rc, 0);
    close_fd(fd);
    assert_int_equal(create(socket_path(), &server), 0);
    close_server(server);
    return 0;
}

TEST(SelectorEventLoopUnixSocketTests_test_create_unix_server_existing_path_sock)
{
    run(existing_path_sock);
}

static int existing_path_nonsock(void *arg)
{
    int fd = open(socket_path(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    cora_server *server = NULL;

    (void)arg;
    assert_true(fd >= 0);
    close_fd(fd);
    assert_int_equal(create(socket_path(), &server), -EADDRINUSE);
    return 0;
}

TEST(SelectorEventLoopUnixSocketTests_test_create_unix_server_existing_path_nonsock)
{
    run(existing_path_nonsock);
}

static int nopath_nosock(void *arg)
{
    cora_server *server = NULL;

    (void)arg;
    assert_int_equal(create(NULL, &server), -EINVAL);
    assert_int_equal(create_sock(-1, &server), -EBADF);
    return 0;
}

TEST(SelectorEventLoopUnixSocketTests_test_create_unix_server_nopath_nosock)
{
    run(nopath_nosock);
}

static int wrong_socket(int family, int type)
{
    int fd = open_socket(family, type);
    cora_server *server = NULL;

    assert_int_equal(create_sock(fd, &server), -EPROTOTYPE);
    close_fd(fd);
    return 0;
}

static int path_inetsock(void *arg)
{
    (void)arg;
    return wrong_socket(AF_INET, SOCK_STREAM);
}

TEST(SelectorEventLoopUnixSocketTests_test_create_unix_server_path_inetsock)
{
    run(path_inetsock);
}

static int path_dgram(void *arg)
{
    (void)arg;
    return wrong_socket(AF_UNIX, SOCK_DGRAM);
}

TEST(SelectorEventLoopUnixSocketTests_test_create_unix_server_path_dgram)
{
    run(path_dgram);
}

static int path_stream_bittype(void *arg)
{
    cora_server *server = NULL;

    (void)arg;
    assert_int_equal(create_sock(bind_path(SOCK_STREAM | SOCK_NONBLOCK), &server), 0);
    close_server(server);
    return 0;
}

TEST(SelectorEventLoopUnixSocketTests_test_create_unix_server_path_stream_bittype)
{
    run(path_stream_bittype);
}

/* The socket is closed whatever goes wrong: its calls, and allocations, fail in turn. */
static int create_and_close(void *arg)
{
    cora_server *server = NULL;
    int rc = create(socket_path(), &server);

    (void)arg;
    if (rc == 0)
        close_server(server);
    return rc;
}

TEST(SelectorEventLoopUnixSocketTests_test_create_unix_server_bind_error)
{
    assert_int_equal(run_virtual(existing_path_nonsock, NULL), 0);
    unlink(socket_path());
    assert_in_range(run_with_each_fault(create_and_close, NULL), 8, 1000);
    assert_in_range(run_with_each_allocation_refused(create_and_close, NULL), 2, 1000);
}
