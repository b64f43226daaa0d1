/* CPython's test_base_events.py: endpoints of datagrams. */
#include "support/endpoint.h"
#include "support/faults.h"
#include "support/server.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- the resolver --------------------------------------------------------------------------- */

static int names_asked_for; /* and not numbers, which takes no time */
static bool knows_no_name;

/* The names are the linker's: a call of f goes to __wrap_f, and __real_f is the function itself. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list);

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list)
{
    if (!(hints->ai_flags & AI_NUMERICHOST))
        names_asked_for++;
    return knows_no_name ? EAI_NONAME : __real_getaddrinfo(host, service, hints, list);
}

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

/* ---- what fails ----------------------------------------------------------------------------- */

static const cora_datagram_options on_loopback = {.local_host = "127.0.0.1", .local_service = "0"};

/* No protocol is made for it, and no descriptor is left open. */
static void expect_failure(const cora_datagram_options *options, int error)
{
    struct recorder recorder = {.made = -1};
    int before = count_descriptors();
    int rc = cora_create_datagram_endpoint(record, &recorder, options, NULL);

    assert_int_equal(rc, error);
    assert_int_equal(recorder.made, -1);
    assert_int_equal(count_descriptors(), before);
}

static int refuse_a_stream(void *arg)
{
    struct recorder recorder = {.made = -1};
    int fd = make_tcp();
    int rc = cora_create_datagram_endpoint_sock(record, &recorder, fd, NULL);

    (void)arg;
    assert_int_equal(rc, -EPROTOTYPE);
    assert_int_equal(recorder.made, 0);
    close_fd(fd);
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_datagram_endpoint_wrong_sock)
{
    run_task(refuse_a_stream, NULL);
}

static int know_no_address(void *arg)
{
    (void)arg;
    knows_no_name = true;
    expect_failure(&(cora_datagram_options){.local_host = "localhost", .local_service = "0"},
                   -CORA_EAI_NONAME);
    assert_int_equal(names_asked_for, 1);
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_datagram_endpoint_no_addrinfo)
{
    run_task(know_no_address, NULL);
}

static int fail_to_connect(void *arg)
{
    cora_datagram_options options = {.remote_host = "127.0.0.1", .remote_service = "0"};

    (void)arg;
    set_faults(EACCES, 0, 0);
    expect_failure(&options, -EACCES);
    assert_int_equal(faults_met(), 1);
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_datagram_endpoint_connect_err)
{
    run_task(fail_to_connect, NULL);
}

/* No more descriptors than there are. */
static int get_no_socket(void *arg)
{
    struct rlimit limit, none;
    int next = dup(0), rc = getrlimit(RLIMIT_NOFILE, &limit);

    (void)arg;
    assert_int_equal(rc, 0);
    close(next);
    none = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = limit.rlim_max};
    for (int i = 0; i < 2; i++) {
        struct recorder recorder;
        cora_datagram_options options = {.family = AF_INET};

        rc = setrlimit(RLIMIT_NOFILE, &none);
        assert_int_equal(rc, 0);
        rc = cora_create_datagram_endpoint(record, &recorder, i == 0 ? &options : &on_loopback,
                                           NULL);
        assert_int_equal(rc, -EMFILE);
        rc = setrlimit(RLIMIT_NOFILE, &limit);
        assert_int_equal(rc, 0);
    }
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_datagram_endpoint_socket_err)
{
    run_task(get_no_socket, NULL);
}

static int match_no_family(void *arg)
{
    (void)arg;
    expect_failure(&(cora_datagram_options){.remote_host = "127.0.0.1",
                                            .remote_service = "0",
                                            .local_host = "::1",
                                            .local_service = "0"},
                   -EADDRNOTAVAIL);
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_datagram_endpoint_no_matching_family)
{
    run_task(match_no_family, NULL);
}

static int say_nothing(void *arg)
{
    (void)arg;
    expect_failure(&(cora_datagram_options){.family = 0}, -EINVAL);
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_datagram_endpoint_noaddr_nofamily)
{
    run_task(say_nothing, NULL);
}

static int fail_to_bind(void *arg)
{
    (void)arg;
    expect_failure(&(cora_datagram_options){.local_host = "192.0.2.1", .family = AF_INET},
                   -EADDRNOTAVAIL);
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_datagram_endpoint_cant_bind)
{
    run_task(fail_to_bind, NULL);
}

/* ---- what works ----------------------------------------------------------------------------- */

static void expect_made_and_lost(cora_task_fn *fn)
{
    run_task(fn, NULL);
    assert_string_equal(trace_text, "made lost ");
    assert_int_equal(reports.count, 0);
}

static int broadcast(void *arg)
{
    cora_datagram_options options = {
        .remote_host = "127.0.0.1", .remote_service = "0", .allow_broadcast = true};
    struct endpoint endpoint = {0};

    (void)arg;
    set_faults(EACCES, 0, 0);
    open_datagram(&endpoint, &options);
    assert_int_equal(faults_met(), 0); /* nothing was connected */
    assert_null(cora_transport_get_extra_info(endpoint.transport, "peername"));
    close_endpoint(&endpoint);
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_datagram_endpoint_allow_broadcast)
{
    expect_made_and_lost(broadcast);
}

static int have_sock(void *arg)
{
    struct sockaddr_in address;
    struct endpoint endpoint = {.fd = make_udp(&address), .peer = -1};
    int rc = cora_create_datagram_endpoint_sock(record, &endpoint.recorder, endpoint.fd,
                                                &endpoint.transport);

    (void)arg;
    assert_int_equal(rc, 0);
    close_endpoint(&endpoint);
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_datagram_endpoint_sock)
{
    expect_made_and_lost(have_sock);
}

static int have_unix(void *arg)
{
    cora_datagram_options options = {.family = AF_UNIX};
    struct endpoint endpoint = {0};
    const cora_address *name;

    (void)arg;
    open_datagram(&endpoint, &options);
    name = cora_transport_get_extra_info(endpoint.transport, "sockname");
    assert_int_equal(name->storage.ss_family, AF_UNIX);
    close_endpoint(&endpoint);
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_datagram_endpoint_sock_unix)
{
    expect_made_and_lost(have_unix);
}

static int replace_unix(void *arg)
{
    const char *path = socket_path();
    cora_datagram_options options = {.local_path = path};
    struct endpoint endpoint = {0};
    cora_address address;
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0), rc = cora_address_from_path(path, &address);

    (void)arg;
    assert_int_equal(rc, 0);
    rc = bind(fd, (struct sockaddr *)&address.storage, address.length);
    assert_int_equal(rc, 0);
    close_fd(fd);
    open_datagram(&endpoint, &options);
    close_endpoint(&endpoint);
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_datagram_endpoint_existing_sock_unix)
{
    expect_made_and_lost(replace_unix);
}

static int option_of(const struct endpoint *endpoint, int name)
{
    int value = 0;
    int rc = getsockopt(endpoint->fd, SOL_SOCKET, name, &value, &(socklen_t){sizeof value});

    assert_int_equal(rc, 0);
    return value;
}

static int have_options(void *arg)
{
    cora_datagram_options options = on_loopback;

    (void)arg;
    for (int on = 0; on < 2; on++) {
        struct endpoint endpoint = {0};

        options.reuse_port = options.allow_broadcast = on;
        open_datagram(&endpoint, &options);
        assert_int_equal(option_of(&endpoint, SO_REUSEADDR), 0);
        assert_int_equal(option_of(&endpoint, SO_REUSEPORT), on);
        assert_int_equal(option_of(&endpoint, SO_BROADCAST), on);
        close_endpoint(&endpoint);
    }
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_datagram_endpoint_sockopts)
{
    run_task(have_options, NULL);
    assert_string_equal(trace_text, "made lost made lost ");
}

static int take_a_number(void *arg)
{
    cora_datagram_options options = on_loopback;
    struct endpoint endpoint = {0};

    (void)arg;
    options.reuse_port = true;
    open_datagram(&endpoint, &options);
    assert_int_equal(names_asked_for, 0);
    assert_int_equal(option_of(&endpoint, SO_DOMAIN), AF_INET);
    assert_int_equal(option_of(&endpoint, SO_TYPE), SOCK_DGRAM);
    assert_int_equal(option_of(&endpoint, SO_PROTOCOL), IPPROTO_UDP);
    close_endpoint(&endpoint);
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_datagram_endpoint_ip_addr)
{
    expect_made_and_lost(take_a_number);
}
