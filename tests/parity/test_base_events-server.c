/* CPython's test_base_events.py: create_server, and accepting. */
#include "support/faults.h"
#include "support/server.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <unistd.h>

/* What the resolver is asked, and what it says to it: EAI_NONAME, for instance, or the truth. */
static struct {
    int calls;
    bool host; /* there was one */
    int answer;
} resolver;

/* The names are the linker's: a call of f goes to __wrap_f, and __real_f is the function itself. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list);

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list)
{
    resolver.calls++;
    resolver.host = host != NULL;
    return resolver.answer != 0 ? resolver.answer : __real_getaddrinfo(host, service, hints, list);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static void run(cora_task_fn *fn)
{
    int rc = run_virtual(fn, NULL);

    assert_int_equal(rc, 0);
}

static int create(const char *host, const char *service, cora_server **ret)
{
    return cora_create_server(record_next, NULL, host, service, NULL, ret);
}

static void close_server(cora_server *server)
{
    cora_server_close(server);
    assert_int_equal(cora_server_wait_closed(server), 0);
    cora_server_unref(server);
}

static int wrong_sock(void *arg)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cora_server *server = NULL;

    (void)arg;
    assert_true(fd >= 0);
    assert_int_equal(cora_create_server_sock(record_next, NULL, fd, NULL, &server), -EPROTOTYPE);
    close_fd(fd);
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_server_wrong_sock)
{
    run(wrong_sock);
}

static int stream_bittype(void *arg)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    cora_server *server = NULL;

    (void)arg;
    assert_true(fd >= 0);
    assert_int_equal(cora_create_server_sock(record_next, NULL, fd, NULL, &server), 0);
    close_server(server);
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_server_stream_bittype)
{
    run(stream_bittype);
}

/* Where the system has no IPv6 it says so. */
static int ipv6(void *arg)
{
    cora_server *server = NULL;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool known = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    int rc = create("::1", "0", &server);

    (void)arg;
    if (fd >= 0)
        close_fd(fd);
    if (!known) {
        assert_true(rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL);
        return 0;
    }
    assert_int_equal(rc, 0);
    assert_int_equal(server_address(server).storage.ss_family, AF_INET6);
    close_server(server);
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_server_ipv6)
{
    run(ipv6);
}

static int empty_host(void *arg)
{
    cora_server *server = NULL;

    (void)arg;
    resolver.host = true;
    resolver.answer = EAI_NODATA;
    assert_int_equal(create("", "0", &server), -CORA_EAI_NODATA);
    assert_int_equal(resolver.calls, 1);
    assert_false(resolver.host);
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_server_empty_host)
{
    run(empty_host);
}

static int no_host_port_sock(void *arg)
{
    cora_server *server = NULL;

    (void)arg;
    assert_int_equal(create(NULL, NULL, &server), -EINVAL);
    assert_int_equal(cora_create_server_sock(record_next, NULL, -1, NULL, &server), -EBADF);
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_server_no_host_port_sock)
{
    run(no_host_port_sock);
}

static int no_getaddrinfo(void *arg)
{
    cora_server *server = NULL;

    (void)arg;
    resolver.answer = EAI_NONAME;
    assert_int_equal(create("python.org", "0", &server), -CORA_EAI_NONAME);
    assert_null(server);
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_server_no_getaddrinfo)
{
    run(no_getaddrinfo);
}

static int cant_bind(void *arg)
{
    cora_address failed = {0};
    cora_server_options options = {.ret_address = &failed};
    int descriptors = count_descriptors(), rc;
    char text[CORA_ADDRESS_TEXT_SIZE];
    cora_server *server = NULL;

    (void)arg;
    rc = cora_create_server(record_next, NULL, "192.0.2.1", "10100", &options, &server);
    assert_int_equal(rc, -EADDRNOTAVAIL);
    assert_string_equal(cora_address_format(&failed, text, sizeof text), "192.0.2.1:10100");
    assert_int_equal(count_descriptors(), descriptors);
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_server_cant_bind)
{
    run(cant_bind);
}

/* ---- accepting ------------------------------------------------------------------------------ */

static int accept_after(struct lobby *lobby, int fault)
{
    cora_server *server = serve_lobby(lobby, NULL);
    int fd = connect_server(server), listener;

    set_faults(fault, 0, 0);
    assert_int_equal(cora_sleep(0.5), 0);
    assert_int_equal(faults_met(), 1);
    assert_int_equal(cora_server_sockets(server, &listener, 1), 1); /* it is still open */
    assert_int_equal(lobby->count, reports.count == 0);
    assert_int_equal(cora_sleep(1), 0);
    assert_int_equal(lobby->guests[0].made, 1);
    cora_server_close_clients(server);
    close_server(server);
    close_fd(fd);
    return 0;
}

static int accept_later(void *arg)
{
    (void)arg;
    return accept_after(&(struct lobby){0}, EAGAIN);
}

TEST(BaseEventLoopWithSelectorTests_test_accept_connection_retry)
{
    run(accept_later);
    assert_int_equal(reports.count, 0);
}

static int accept_without_descriptors(void *arg)
{
    (void)arg;
    return accept_after(&(struct lobby){0}, EMFILE);
}

TEST(BaseEventLoopWithSelectorTests_test_accept_connection_exception)
{
    run(accept_without_descriptors);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -EMFILE);
}
