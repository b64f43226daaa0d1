/* CPython's test_server.py: servers, their connections and their end. */
#include "support/server.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <sys/un.h>
#include <unistd.h>

static void run(cora_task_fn *fn)
{
    int rc = run_virtual(fn, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

struct wait_closed_args {
    cora_server *server;
};

static int wait_closed(void *arg)
{
    return cora_server_wait_closed(((struct wait_closed_args *)arg)->server);
}

static cora_task *wait_in_task(cora_server *server)
{
    cora_task *task = cora_create_task(wait_closed, .server = server);
    int rc = rest(1);

    assert_int_equal(rc, 0);
    return task;
}

/* ---- the start, and serving for ever -------------------------------------------------------- */

enum { HELLO_SIZE = 1024 * 5 + 1 };

/* Takes one line, cancels the task that serves, answers and closes. */
static int greet(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    cora_task **main = arg;
    char *line;
    ssize_t size = cora_stream_reader_readline(reader, &line);
    int rc;

    assert_int_equal(size, HELLO_SIZE);
    assert_true(cora_task_cancel(*main));
    rc = cora_stream_writer_write(writer, "1", 1);
    assert_int_equal(rc, 0);
    cora_stream_writer_close(writer);
    return cora_stream_writer_wait_closed(writer);
}

struct talk_args {
    cora_server *server;
};

static int talk(void *arg)
{
    static char hello[HELLO_SIZE];
    const cora_server *server = ((struct talk_args *)arg)->server;
    char answer[2];
    int fd, rc;

    while (!cora_server_is_serving(server))
        assert_int_equal(rest(1), 0);
    fd = connect_server(server);
    memset(hello, '1', sizeof hello - 1);
    hello[sizeof hello - 1] = '\n';
    rc = cora_sock_sendall(fd, hello, sizeof hello, NULL);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_sock_recv(fd, answer, sizeof answer), 1);
    assert_int_equal(answer[0], '1');
    assert_int_equal(cora_sock_recv(fd, answer, sizeof answer), 0);
    close_fd(fd);
    return 0;
}

struct serve_args {
    cora_server *server;
    bool start;
};

static int serve(void *arg)
{
    const struct serve_args *a = arg;

    assert_false(cora_server_is_serving(a->server));
    if (a->start) {
        assert_int_equal(cora_server_start_serving(a->server), 0);
        assert_true(cora_server_is_serving(a->server));
    }
    return cora_server_serve_forever(a->server);
}

static int start(cora_server *server, cora_task **main, bool start_first)
{
    cora_task *client = cora_create_task(talk, .server = server);

    assert_false(cora_server_is_serving(server));
    *main = cora_create_task(serve, .server = server, .start = start_first);
    assert_int_equal(cora_await_unref(*main), -ECANCELED);
    assert_int_equal(cora_await_unref(client), 0);
    assert_int_equal(cora_server_sockets(server, NULL, 0), 0);
    assert_int_equal(cora_server_wait_closed(server), 0);
    assert_false(cora_server_is_serving(server));
    assert_int_equal(cora_server_serve_forever(server), -EBADF);
    cora_server_unref(server);
    return 0;
}

static const cora_server_options start_later = {.start_serving = CORA_OFF};

static int start_server(void *arg)
{
    cora_task *main = NULL;
    cora_server *server = NULL;
    int rc = cora_start_server(greet, &main, "127.0.0.1", "0", &start_later, &server);

    (void)arg;
    assert_int_equal(rc, 0);
    return start(server, &main, false);
}

TEST(BaseStartServer_test_start_server_1)
{
    run(start_server);
}

static int start_unix_server(void *arg)
{
    cora_task *main = NULL;
    cora_server *server = NULL;
    int rc = cora_start_unix_server(greet, &main, socket_path(), &start_later, &server);

    (void)arg;
    assert_int_equal(rc, 0);
    return start(server, &main, true);
}

TEST(SelectorStartServerTests_test_start_unix_server_1)
{
    run(start_unix_server);
}

/* ---- the end -------------------------------------------------------------------------------- */

static int wait_closed_basic(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = serve_lobby(&lobby, NULL);
    cora_task *tasks[3] = {wait_in_task(server)};
    int fd;

    (void)arg;
    assert_false(cora_task_done(tasks[0])); /* not closed, no connection */
    fd = connect_server(server);
    wait_guests(&lobby, 1);
    tasks[1] = wait_in_task(server);
    assert_false(cora_task_done(tasks[0]) || cora_task_done(tasks[1])); /* not closed, and one */
    cora_server_close(server);
    assert_int_equal(rest(1), 0);
    tasks[2] = wait_in_task(server);
    for (int i = 0; i < 3; i++)
        assert_false(cora_task_done(tasks[i])); /* closed, and one */
    close_fd(fd);
    for (int i = 0; i < 3; i++)
        assert_int_equal(cora_await_unref(tasks[i]), 0);
    assert_int_equal(cora_server_wait_closed(server), 0);
    cora_server_unref(server);
    return 0;
}

TEST(TestServer2_test_wait_closed_basic)
{
    run(wait_closed_basic);
}

static void close_server(void *server)
{
    cora_server_close(server);
}

static void close_transport(void *transport)
{
    cora_transport_close(transport);
}

static cora_transport *open_connection(const cora_server *server, struct recorder *client)
{
    cora_transport *transport = NULL;
    int rc = cora_connect_accepted_socket(record, client, connect_server(server), &transport);

    assert_int_equal(rc, 0);
    return transport;
}

static int wait_closed_race(void *arg)
{
    struct lobby lobby = {0};
    struct recorder client = {0};
    cora_server *server = serve_lobby(&lobby, NULL);
    cora_task *task = wait_in_task(server);
    cora_loop *loop = cora_get_running_loop();
    cora_transport *transport;

    (void)arg;
    assert_false(cora_task_done(task));
    transport = open_connection(server, &client);
    wait_guests(&lobby, 1);
    assert_int_equal(cora_loop_call_soon(loop, close_server, server, NULL), 0);
    assert_int_equal(cora_loop_call_soon(loop, close_transport, transport, NULL), 0);
    assert_int_equal(cora_server_wait_closed(server), 0);
    assert_int_equal(cora_await_unref(task), 0);
    assert_int_equal(wait_lost(&client), 0);
    cora_transport_unref(transport);
    cora_server_unref(server);
    return 0;
}

TEST(TestServer2_test_wait_closed_race)
{
    run(wait_closed_race);
}

static int close_clients(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = serve_lobby(&lobby, NULL);
    int fd = connect_server(server);
    cora_task *task;

    (void)arg;
    wait_guests(&lobby, 1);
    task = wait_in_task(server);
    assert_false(cora_task_done(task));
    cora_server_close(server);
    cora_server_close_clients(server);
    assert_int_equal(rest(2), 0);
    assert_true(cora_task_done(task));
    assert_int_equal(cora_await_unref(task), 0);
    close_fd(fd);
    cora_server_unref(server);
    return 0;
}

TEST(TestServer2_test_close_clients)
{
    run(close_clients);
}

static int abort_clients(void *arg)
{
    struct lobby lobby = {.guests = {{.silent = true}}};
    struct recorder client = {.silent = true};
    cora_server *server = serve_lobby(&lobby, NULL);
    cora_transport *transport = open_connection(server, &client), *guest;
    unsigned char *big = make_big();
    cora_task *task;

    (void)arg;
    wait_guests(&lobby, 1);
    guest = lobby.guests[0].transport;
    cora_transport_pause_reading(transport);
    assert_int_equal(cora_transport_write(guest, big, BIG), 0);
    free(big);
    assert_true(cora_transport_get_write_buffer_size(guest) > 0);
    task = wait_in_task(server);
    assert_false(cora_task_done(task));
    cora_server_close(server);
    cora_server_abort_clients(server);
    assert_int_equal(rest(2), 0);
    assert_true(cora_task_done(task));
    assert_int_equal(cora_await_unref(task), 0);
    cora_transport_abort(transport);
    assert_int_equal(wait_lost(&client), 0);
    cora_transport_unref(transport);
    cora_server_unref(server);
    return 0;
}

TEST(TestServer2_test_abort_clients)
{
    run(abort_clients);
}

/* ---- the file of a Unix socket -------------------------------------------------------------- */

static bool exists(void)
{
    return access(socket_path(), F_OK) == 0;
}

/* A Unix socket that is bound to the path. */
static int bind_path(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc;

    assert_true(fd >= 0);
    strcpy(address.sun_path, socket_path());
    rc = bind(fd, (struct sockaddr *)&address, sizeof address);
    assert_int_equal(rc, 0);
    return fd;
}

static void close_and_unref(cora_server *server)
{
    cora_server_close(server);
    cora_server_unref(server);
}

static cora_server *serve_path(const cora_server_options *options)
{
    cora_server *server = NULL;
    int rc = cora_create_unix_server(record_next, NULL, socket_path(), options, &server);

    assert_int_equal(rc, 0);
    return server;
}

static cora_server *serve_bound(void)
{
    cora_server *server = NULL;
    int rc = cora_create_unix_server_sock(record_next, NULL, bind_path(), NULL, &server);

    assert_int_equal(rc, 0);
    return server;
}

static int addr_cleanup(void *arg)
{
    cora_server *server = serve_path(NULL);

    (void)arg;
    assert_true(exists());
    close_and_unref(server);
    assert_false(exists());
    return 0;
}

TEST(UnixServerCleanupTests_test_unix_server_addr_cleanup)
{
    run(addr_cleanup);
}

static int sock_cleanup(void *arg)
{
    cora_server *server = serve_bound();

    (void)arg;
    close_and_unref(server);
    assert_false(exists());
    return 0;
}

TEST(UnixServerCleanupTests_test_unix_server_sock_cleanup)
{
    run(sock_cleanup);
}

static int cleanup_gone(void *arg)
{
    cora_server *server = serve_bound();
    int rc = unlink(socket_path());

    (void)arg;
    assert_int_equal(rc, 0);
    close_and_unref(server);
    assert_false(exists());
    return 0;
}

TEST(UnixServerCleanupTests_test_unix_server_cleanup_gone)
{
    run(cleanup_gone);
}

static int cleanup_replaced(void *arg)
{
    cora_server *server = serve_path(NULL);
    int rc = unlink(socket_path());
    int fd = bind_path();

    (void)arg;
    assert_int_equal(rc, 0);
    close_and_unref(server);
    assert_true(exists());
    close_fd(fd);
    return 0;
}

TEST(UnixServerCleanupTests_test_unix_server_cleanup_replaced)
{
    run(cleanup_replaced);
}

static int cleanup_prevented(void *arg)
{
    cora_server *server = serve_path(&(cora_server_options){.cleanup_socket = CORA_OFF});

    (void)arg;
    close_and_unref(server);
    assert_true(exists());
    return 0;
}

TEST(UnixServerCleanupTests_test_unix_server_cleanup_prevented)
{
    run(cleanup_prevented);
}
