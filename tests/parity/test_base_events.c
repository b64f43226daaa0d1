/* CPython's test_base_events.py: connections that are made. */
#include "support/hosts.h"
#include "support/protocol.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <netinet/tcp.h>

/* ---- create_connection ---------------------------------------------------------------------- */

/* Where a call of create_connection goes to, and what it is to return. */
struct call {
    const char *host, *service;
    cora_connection_options options;
    int expected;
};

static cora_connection_error errors[MOST_HOSTS];
static cora_connection_errors all_errors = {.errors = errors, .room = MOST_HOSTS};

static int call(void *arg)
{
    struct call *a = arg;
    struct recorder recorder = {0};
    int rc;

    a->options.errors = &all_errors;
    rc = cora_create_connection(record, &recorder, a->host, a->service, &a->options, NULL);
    assert_int_equal(rc, a->expected);
    assert_int_equal(recorder.made, rc == 0);
    if (rc < 0)
        return 0;
    cora_transport_close(recorder.transport);
    return wait_lost(&recorder);
}

/* No descriptor is left behind. */
static void assert_call(struct call a)
{
    int before = count_descriptors();
    int rc = run_virtual(call, &a);

    assert_int_equal(rc, 0);
    close_peers();
    assert_int_equal(count_descriptors(), before);
    assert_int_equal(reports.count, 0);
}

static void assert_error(int i, const char *host, int error)
{
    assert_string_equal(host_name(&errors[i].address), host);
    assert_int_equal(errors[i].error, error);
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_multiple_errors)
{
    HOSTS(NO_SOCKET("4a", -EMFILE), NO_SOCKET("4b", -ENFILE));
    assert_call((struct call){"host", "80", .expected = -EMFILE});
    assert_int_equal(all_errors.count, 2);
    assert_error(0, "4a", -EMFILE);
    assert_error(1, "4b", -ENFILE);
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_timeout)
{
    HOSTS(FAILS("4a", 5, -ETIMEDOUT));
    assert_call((struct call){"host", "80", .expected = -ETIMEDOUT});
    assert_int_equal(attempts.count, 1);
}

/* Cancels the attempts, and not who waits for the connection. */
static int cancel_attempts(void *arg)
{
    struct call a = {"host", "80", {.happy_eyeballs_delay = 0.25}, .expected = -ETIMEDOUT};
    cora_task *task = cora_create_task_arg(call, &a), *tasks[MOST_HOSTS];
    int rc = cora_sleep(0.6);
    size_t count = cora_all_tasks(NULL, tasks, MOST_HOSTS);

    (void)arg;
    assert_int_equal(rc, 0);
    for (size_t i = 0; i < count; i++) {
        if (tasks[i] != task && tasks[i] != cora_current_task())
            cora_task_cancel(tasks[i]);
        cora_task_unref(tasks[i]);
    }
    return cora_await_unref(task);
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_happy_eyeballs_empty_exceptions)
{
    int rc;

    HOSTS(HANGS("4a"), HANGS("6a"));
    rc = run_virtual(cancel_attempts, NULL);
    assert_int_equal(rc, 0);
    assert_int_equal(all_errors.count, 0);
    assert_string_equal(trace_text, "4a@0.00 6a@0.25 -4a -6a ");
}

static int offer_datagram_socket(void *arg)
{
    struct recorder recorder = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int rc = cora_create_connection_sock(record, &recorder, fd, NULL, NULL);

    (void)arg;
    assert_int_equal(rc, -EPROTOTYPE);
    close_fd(fd); /* it is still the caller's */
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_wrong_sock)
{
    int rc = run_virtual(offer_datagram_socket, NULL);

    assert_int_equal(rc, 0);
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_no_host_port_sock)
{
    assert_call((struct call){NULL, NULL, .expected = -EINVAL});
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_no_getaddrinfo)
{
    LOCALS(WORKS("4a", 0)); /* "host" has no address */
    assert_call((struct call){"host", "80", .expected = -CORA_EAI_NODATA});
    assert_int_equal(attempts.count, 0);
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_connect_err)
{
    HOSTS(FAILS("4a", 0, -ECONNREFUSED));
    assert_call((struct call){"host", "80", .expected = -ECONNREFUSED});
    assert_int_equal(all_errors.count, 1);
    assert_error(0, "4a", -ECONNREFUSED);
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_multiple)
{
    HOSTS(FAILS("4a", 0, -ENETUNREACH), FAILS("4b", 0, -ECONNREFUSED));
    assert_call((struct call){"host", "80", {.family = AF_INET}, -ENETUNREACH});
    assert_int_equal(all_errors.count, 2);
    assert_error(0, "4a", -ENETUNREACH);
    assert_error(1, "4b", -ECONNREFUSED);
}

/* The first local address cannot be had, the second can; then nobody answers. */
TEST(BaseEventLoopWithSelectorTests_test_create_connection_multiple_errors_local_addr)
{
    HOSTS(FAILS("4a", 0, -ECONNREFUSED), FAILS("4b", 0, -EHOSTUNREACH));
    LOCALS(NO_BIND("4c", -EADDRNOTAVAIL), WORKS("4d", 0));
    assert_call((struct call){"host",
                              "80",
                              {.family = AF_INET, .local_host = "local", .local_service = "8080"},
                              -EADDRNOTAVAIL});
    assert_int_equal(all_errors.count, 4);
    assert_error(0, "4c", -EADDRNOTAVAIL);
    assert_error(1, "4a", -ECONNREFUSED);
    assert_error(2, "4c", -EADDRNOTAVAIL);
    assert_error(3, "4b", -EHOSTUNREACH);
}

static void assert_attempt(int family, const char *expected)
{
    char text[CORA_ADDRESS_TEXT_SIZE];

    assert_int_equal(attempts.family, family);
    assert_int_equal(attempts.type, SOCK_STREAM);
    assert_string_equal(cora_address_format(&attempts.to, text, sizeof text), expected);
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_ipv6_scope)
{
    HOSTS(WORKS("4a", 0));
    assert_call((struct call){"fe80::1%1", "80", .expected = 0});
    assert_attempt(AF_INET6, "[fe80::1%1]:80");
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_ip_addr)
{
    HOSTS(WORKS("4a", 0));
    assert_call((struct call){"1.2.3.4", "80", .expected = 0});
    assert_attempt(AF_INET, "1.2.3.4:80");
    assert_call((struct call){"::1", "80", .expected = 0});
    assert_attempt(AF_INET6, "[::1]:80");
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_service_name)
{
    HOSTS(WORKS("4a", 0));
    assert_call((struct call){"127.0.0.1", "http", .expected = 0});
    assert_attempt(AF_INET, "127.0.0.1:80");
    assert_call((struct call){"127.0.0.1", "nonsense", .expected = -CORA_EAI_SERVICE});
    assert_int_equal(attempts.count, 1);
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_no_local_addr)
{
    HOSTS(WORKS("4a", 0), WORKS("4b", 0)); /* "local" has no address */
    assert_call((struct call){"host",
                              "80",
                              {.family = AF_INET, .local_host = "local", .local_service = "8080"},
                              -CORA_EAI_NODATA});
    assert_int_equal(attempts.count, 0);
}

/* ---- set_nodelay ---------------------------------------------------------------------------- */

static bool has_nodelay(int fd)
{
    int value = -1;
    int rc = getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &(socklen_t){sizeof value});

    assert_int_equal(rc, 0);
    return value != 0;
}

static int sets_nodelay(void *arg)
{
    const bool *blocking = arg;
    struct recorder recorder = {0};
    struct sockaddr_in address;
    int listener = make_listener(&address, 1), fd = make_tcp(), rc;

    rc = *blocking ? connect(fd, (struct sockaddr *)&address, sizeof address)
                   : cora_sock_connect(fd, (struct sockaddr *)&address, sizeof address);
    assert_int_equal(rc, 0);
    assert_false(has_nodelay(fd));
    rc = cora_create_connection_sock(record, &recorder, fd, NULL, NULL);
    assert_int_equal(rc, 0);
    assert_true(has_nodelay(fd));
    cora_transport_close(recorder.transport);
    close_fd(listener);
    return wait_lost(&recorder);
}

TEST(TestSelectorUtils_test_set_nodelay)
{
    for (int blocking = 0; blocking < 2; blocking++) {
        int rc = run_virtual(sets_nodelay, &(bool){blocking});

        assert_int_equal(rc, 0);
    }
}
