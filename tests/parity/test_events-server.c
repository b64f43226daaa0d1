/* CPython's test_events.py: servers. */
#include "support/server.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <arpa/inet.h>
#include <unistd.h>

static void run(cora_task_fn *fn)
{
    int rc = run_virtual(fn, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

static cora_server *create(struct lobby *lobby, const char *host, const char *service,
                           const cora_server_options *options)
{
    cora_server *server = NULL;
    int rc = cora_create_server(record_next, lobby, host, service, options, &server);

    assert_int_equal(rc, 0);
    return server;
}

static void close_server(cora_server *server)
{
    cora_server_close(server);
    assert_int_equal(cora_server_wait_closed(server), 0);
    cora_server_unref(server);
}

static in_port_t port_of(const cora_server *server)
{
    cora_address address = server_address(server);

    return ((struct sockaddr_in *)&address.storage)->sin_port;
}

static const char *port_text(in_port_t port)
{
    static char text[8];

    snprintf(text, sizeof text, "%u", ntohs(port));
    return text;
}

/* A connection to the port, or a negative errno. */
static int connect_to(in_port_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = port, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = make_tcp(), rc = cora_sock_connect(fd, (struct sockaddr *)&address, sizeof address);

    if (rc == 0)
        return fd;
    close_fd(fd);
    return rc;
}

/* ---- hosts ---------------------------------------------------------------------------------- */

/* Each of the addresses that there are is a socket's, once. */
static void have_hosts(const char *const hosts[], const char *first, const char *second)
{
    struct lobby lobby = {0};
    cora_server *server = create(&lobby, NULL, "0", &(cora_server_options){.hosts = hosts});
    const char *expected[2] = {first, second};
    int fds[4];

    assert_int_equal(cora_server_sockets(server, fds, 4), 2);
    for (int i = 0; i < 2; i++) {
        struct sockaddr_storage address;
        char host[64] = "";
        socklen_t length = sizeof address;
        int rc = getsockname(fds[i], (struct sockaddr *)&address, &length);

        assert_int_equal(rc, 0);
        rc = cora_getnameinfo((struct sockaddr *)&address, length, host, sizeof host, NULL, 0,
                              NI_NUMERICHOST | NI_NUMERICSERV);
        assert_int_equal(rc, 0);
        assert_string_equal(host, expected[i]);
    }
    close_server(server);
}

static int multiple_hosts_ipv4(void *arg)
{
    const char *const hosts[] = {"127.0.0.1", "127.0.0.2", "127.0.0.1", NULL};

    (void)arg;
    have_hosts(hosts, "127.0.0.1", "127.0.0.2");
    return 0;
}

TEST(EventLoopTestsMixin_test_create_server_multiple_hosts_ipv4)
{
    run(multiple_hosts_ipv4);
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = fd >= 0 ? bind(fd, (struct sockaddr *)&address, sizeof address) : -1;

    if (fd >= 0)
        close_fd(fd);
    return rc == 0;
}

/* Where the system has no IPv6, one of each in its place. */
static int multiple_hosts_ipv6(void *arg)
{
    const char *const hosts[] = {"::1", "::", "::1", NULL};
    const char *const without[] = {"::1", "127.0.0.1", "::", "127.0.0.2", "::1", NULL};

    (void)arg;
    if (has_ipv6())
        have_hosts(hosts, "::1", "::");
    else
        have_hosts(without, "127.0.0.1", "127.0.0.2");
    return 0;
}

TEST(EventLoopTestsMixin_test_create_server_multiple_hosts_ipv6)
{
    run(multiple_hosts_ipv6);
}

/* ---- connections ---------------------------------------------------------------------------- */

static void sends_three(struct lobby *lobby, int fd)
{
    put(fd, "xxx");
    wait_guests(lobby, 1);
    assert_int_equal(wait_received(&lobby->guests[0], 3), 0);
    assert_int_equal(lobby->guests[0].received, 3);
}

static void is_closed(struct lobby *lobby, int fd)
{
    cora_transport_close(lobby->guests[0].transport);
    assert_int_equal(wait_lost(&lobby->guests[0]), 0);
    close_fd(fd);
}

static int create_server(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = create(&lobby, "0.0.0.0", "0", NULL);
    cora_address at = server_address(server);
    int fd = connect_to(port_of(server));
    const cora_address *peer;
    char text[CORA_ADDRESS_TEXT_SIZE];

    (void)arg;
    assert_int_equal(cora_server_sockets(server, NULL, 0), 1);
    assert_memory_equal(cora_address_format(&at, text, sizeof text), "0.0.0.0:", 8);
    sends_three(&lobby, fd);
    assert_non_null(cora_transport_get_extra_info(lobby.guests[0].transport, "sockname"));
    peer = cora_transport_get_extra_info(lobby.guests[0].transport, "peername");
    assert_non_null(peer);
    assert_memory_equal(cora_address_format(peer, text, sizeof text), "127.0.0.1:", 10);
    is_closed(&lobby, fd);
    close_server(server);
    return 0;
}

TEST(EventLoopTestsMixin_test_create_server)
{
    run(create_server);
}

static int reuses_port(const cora_server *server)
{
    int fd, value = -1;
    int rc;

    assert_int_equal(cora_server_sockets(server, &fd, 1), 1);
    rc = getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, &(socklen_t){sizeof value});
    assert_int_equal(rc, 0);
    return value;
}

static int reuse_port(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = create(&lobby, "0.0.0.0", "0", NULL), *second;
    cora_server_options options = {.reuse_port = true};

    (void)arg;
    assert_int_equal(reuses_port(server), 0);
    close_server(server);
    server = create(&lobby, "0.0.0.0", "0", &options);
    assert_int_equal(reuses_port(server), 1);
    second = create(&lobby, "0.0.0.0", port_text(port_of(server)), &options);
    close_server(second);
    close_server(server);
    return 0;
}

TEST(EventLoopTestsMixin_test_create_server_reuse_port)
{
    run(reuse_port);
}

static int create_unix_server(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = NULL;
    int rc = cora_create_unix_server(record_next, &lobby, socket_path(), NULL, &server);
    int fd;

    (void)arg;
    assert_int_equal(rc, 0);
    assert_int_equal(cora_server_sockets(server, NULL, 0), 1);
    fd = connect_server(server);
    sends_three(&lobby, fd);
    is_closed(&lobby, fd);
    close_server(server);
    return 0;
}

TEST(EventLoopTestsMixin_test_create_unix_server)
{
    run(create_unix_server);
}

static int create_server_sock(void *arg)
{
    struct sockaddr_in address;
    struct lobby lobby = {0};
    cora_server *server = NULL;
    int listener = make_listener(&address, 5), fd;
    int rc = cora_create_server_sock(record_next, &lobby, listener, NULL, &server);

    (void)arg;
    assert_int_equal(rc, 0);
    assert_int_equal(cora_server_sockets(server, &fd, 1), 1);
    assert_int_equal(fd, listener);
    fd = connect_to(address.sin_port);
    assert_true(fd >= 0);
    sends_three(&lobby, fd);
    close_fd(fd);
    close_server(server);
    return 0;
}

TEST(EventLoopTestsMixin_test_create_server_sock)
{
    run(create_server_sock);
}

static int addr_in_use(void *arg)
{
    struct sockaddr_in address;
    struct lobby lobby = {0};
    cora_server *server = NULL, *second = NULL;
    int rc =
        cora_create_server_sock(record_next, &lobby, make_listener(&address, 5), NULL, &server);

    (void)arg;
    assert_int_equal(rc, 0);
    rc = cora_create_server(record_next, &lobby, "127.0.0.1", port_text(address.sin_port), NULL,
                            &second);
    assert_int_equal(rc, -EADDRINUSE);
    close_server(server);
    return 0;
}

TEST(EventLoopTestsMixin_test_create_server_addr_in_use)
{
    run(addr_in_use);
}

/* One server, one port, both families; the port is looked for until it is free in both. */
static int dual_stack(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = NULL;
    int fds[2], rc, tries = 0;
    in_port_t port;

    (void)arg;
    do {
        server = create(&lobby, "0.0.0.0", "0", NULL);
        port = port_of(server);
        close_server(server);
        rc = cora_create_server(record_next, &lobby, NULL, port_text(port), NULL, &server);
    } while (rc == -EADDRINUSE && ++tries < 5);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_server_sockets(server, fds, 2), has_ipv6() ? 2 : 1);
    fds[0] = connect_to(port);
    assert_true(fds[0] >= 0);
    wait_guests(&lobby, 1);
    if (has_ipv6()) {
        struct sockaddr_in6 address = {
            .sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};

        fds[1] = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fds[1] >= 0);
        rc = cora_sock_connect(fds[1], (struct sockaddr *)&address, sizeof address);
        assert_int_equal(rc, 0);
        wait_guests(&lobby, 2);
        close_fd(fds[1]);
    }
    close_fd(fds[0]);
    close_server(server);
    return 0;
}

TEST(EventLoopTestsMixin_test_create_server_dual_stack)
{
    run(dual_stack);
}

static int server_close(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = create(&lobby, "0.0.0.0", "0", NULL);
    in_port_t port = port_of(server);
    int fd = connect_to(port);

    (void)arg;
    put(fd, "xxx");
    close_fd(fd);
    cora_server_close(server);
    assert_int_equal(connect_to(port), -ECONNREFUSED);
    close_server(server);
    return 0;
}

TEST(EventLoopTestsMixin_test_server_close)
{
    run(server_close);
}

static int get_loop(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = create(&lobby, "0.0.0.0", "0", NULL);

    (void)arg;
    assert_ptr_equal(cora_server_get_loop(server), cora_get_running_loop());
    close_server(server);
    return 0;
}

TEST(TestServer_test_get_loop)
{
    run(get_loop);
}
