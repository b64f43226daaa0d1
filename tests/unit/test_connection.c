/* Connections that are made: to hosts, to paths, and of sockets that the caller has connected. */
#include "support/protocol.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <unistd.h>

/* Runs the body of a test, which returns 0, and leaves as many descriptors as there were. */
static void run(cora_task_fn *fn, void *arg)
{
    int before = count_descriptors();
    int rc = run_virtual(fn, arg);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
    assert_int_equal(count_descriptors(), before);
}

struct server {
    int listener;
    struct sockaddr_in address;
    char port[8];
};

static void start(struct server *server)
{
    server->listener = make_listener(&server->address, 5);
    snprintf(server->port, sizeof server->port, "%u", ntohs(server->address.sin_port));
}

/* At a port that is nobody's. */
static void start_and_stop(struct server *server)
{
    start(server);
    close_fd(server->listener);
}

static void assert_address(const cora_address *address, const char *expected)
{
    char text[CORA_ADDRESS_TEXT_SIZE];

    assert_non_null(address);
    assert_string_equal(cora_address_format(address, text, sizeof text), expected);
}

static int accept_one(int listener)
{
    int fd = cora_sock_accept(listener, NULL, NULL);

    assert_true(fd >= 0);
    return fd;
}

/* The end of a test: the connection, which the recorder has, is closed and lost. */
static void close_connection(struct recorder *recorder)
{
    int rc;

    cora_transport_close(recorder->transport);
    rc = wait_lost(recorder);
    assert_int_equal(rc, 0);
}

static cora_protocol *no_memory(void *arg)
{
    (void)arg;
    return NULL;
}

/* ---- to a host ----------------------------------------------------------------------------- */

static int talk(void *arg)
{
    const char *host = arg;
    const cora_connection_options options = {.family = AF_INET};
    struct recorder recorder = {0};
    cora_transport *transport = NULL;
    struct server server;
    char text[32];
    int peer, rc, nodelay = 0;

    start(&server);
    rc = cora_create_connection(record, &recorder, host, server.port, &options, &transport);
    assert_int_equal(rc, 0);
    assert_ptr_equal(transport, recorder.transport);
    snprintf(text, sizeof text, "127.0.0.1:%s", server.port);
    assert_address(cora_transport_get_extra_info(transport, "peername"), text);
    rc = getsockopt(*(const int *)cora_transport_get_extra_info(transport, "socket"), IPPROTO_TCP,
                    TCP_NODELAY, &nodelay, &(socklen_t){sizeof nodelay});
    assert_int_equal(rc, 0);
    assert_true(nodelay);
    peer = accept_one(server.listener);
    put(peer, "hello");
    rc = wait_received(&recorder, 5);
    assert_int_equal(rc, 0);
    close_connection(&recorder);
    cora_transport_unref(transport);
    close_fd(peer);
    close_fd(server.listener);
    return 0;
}

TEST(a_numeric_address_is_connected_to)
{
    run(talk, "127.0.0.1");
    assert_string_equal(trace_text, "made data hello lost ");
}

TEST(and_a_name)
{
    run(talk, "localhost");
    assert_string_equal(trace_text, "made data hello lost ");
}

static int is_refused(void *arg)
{
    cora_connection_error errors[2];
    cora_connection_errors all = {.errors = errors, .room = 2, .count = 77};
    const cora_connection_options options = {.errors = &all};
    cora_transport *transport = NULL;
    struct recorder recorder = {0};
    struct server server;
    char text[32];
    int rc;

    (void)arg;
    start_and_stop(&server);
    rc = cora_create_connection(record, &recorder, "127.0.0.1", server.port, &options, &transport);
    assert_int_equal(rc, -ECONNREFUSED);
    assert_null(transport);
    assert_int_equal(all.count, 1);
    assert_int_equal(errors[0].error, -ECONNREFUSED);
    snprintf(text, sizeof text, "127.0.0.1:%s", server.port);
    assert_address(&errors[0].address, text);
    rc = cora_create_connection(record, &recorder, "127.0.0.1", server.port, NULL, NULL);
    assert_int_equal(rc, -ECONNREFUSED);
    return 0;
}

TEST(a_refusal_is_told_and_no_protocol_is_made)
{
    run(is_refused, NULL);
    assert_string_equal(trace_text, "");
}

static int asks_for_nothing(void *arg)
{
    const cora_connection_options nan_delay = {.happy_eyeballs_delay = NAN};
    struct recorder recorder = {0};
    int rc;

    (void)arg;
    rc = cora_create_connection(record, &recorder, NULL, NULL, NULL, NULL);
    assert_int_equal(rc, -EINVAL);
    rc = cora_create_connection(record, &recorder, "127.0.0.1", "1", &nan_delay, NULL);
    assert_int_equal(rc, -EINVAL);
    rc = cora_create_connection(record, &recorder, "127.0.0.1", "no-such-service", NULL, NULL);
    assert_int_equal(rc, -CORA_EAI_SERVICE);
    return 0;
}

TEST(there_must_be_a_host_or_a_service)
{
    run(asks_for_nothing, NULL);
}

TEST(connections_are_made_by_tasks)
{
    struct recorder recorder = {0};
    int rc = cora_create_connection(record, &recorder, "127.0.0.1", "1", NULL, NULL);

    assert_int_equal(rc, -CORA_ENOTASK);
    rc = cora_create_unix_connection(record, &recorder, "/", NULL, NULL);
    assert_int_equal(rc, -CORA_ENOTASK);
    rc = cora_create_connection_sock(record, &recorder, 0, NULL, NULL);
    assert_int_equal(rc, -CORA_ENOTASK);
    rc = cora_connect_accepted_socket(record, &recorder, 0, NULL);
    assert_int_equal(rc, -CORA_ENOTASK);
}

static int gets_no_protocol(void *arg)
{
    struct server server;
    int pair[2], rc;

    (void)arg;
    start(&server);
    rc = cora_create_connection(no_memory, NULL, "127.0.0.1", server.port, NULL, NULL);
    assert_int_equal(rc, -ENOMEM);
    close_fd(server.listener);
    make_pair(pair);
    rc = cora_create_connection_sock(no_memory, NULL, pair[0], NULL, NULL);
    assert_int_equal(rc, -ENOMEM);
    close_pair(pair);
    return 0;
}

TEST(a_factory_without_memory_leaves_no_socket)
{
    run(gets_no_protocol, NULL);
}

/* ---- from a local address ------------------------------------------------------------------ */

static int binds(void *arg)
{
    const cora_connection_options options = {.local_host = "127.0.0.2"};
    struct recorder recorder = {0};
    struct server server;
    const cora_address *sockname;
    char text[CORA_ADDRESS_TEXT_SIZE];
    int rc;

    (void)arg;
    start(&server);
    rc = cora_create_connection(record, &recorder, "127.0.0.1", server.port, &options, NULL);
    assert_int_equal(rc, 0);
    sockname = cora_transport_get_extra_info(recorder.transport, "sockname");
    assert_non_null(sockname);
    cora_address_format(sockname, text, sizeof text);
    assert_memory_equal(text, "127.0.0.2:", 10);
    close_connection(&recorder);
    close_fd(server.listener);
    return 0;
}

TEST(the_socket_is_bound_before)
{
    run(binds, NULL);
}

struct local {
    const char *host, *told; /* where it was that it failed; NULL: the peer's address */
};

static int cannot_bind(void *arg)
{
    const struct local *local = arg;
    cora_connection_error error;
    cora_connection_errors all = {.errors = &error, .room = 1};
    cora_connection_options options = {.local_host = local->host, .errors = &all};
    struct recorder recorder = {0};
    struct server server;
    char text[32];
    int rc;

    start(&server);
    rc = cora_create_connection(record, &recorder, "127.0.0.1", server.port, &options, NULL);
    assert_int_equal(rc, -EADDRNOTAVAIL);
    assert_int_equal(all.count, 1);
    assert_int_equal(error.error, -EADDRNOTAVAIL);
    snprintf(text, sizeof text, "127.0.0.1:%s", server.port);
    assert_address(&error.address, local->told != NULL ? local->told : text);
    close_fd(server.listener);
    return 0;
}

TEST(a_local_address_that_cannot_be_had_is_told)
{
    run(cannot_bind, &(struct local){"192.0.2.1", "192.0.2.1:0"});
}

TEST(local_addresses_of_another_family_do_not_count)
{
    run(cannot_bind, &(struct local){"::1", NULL});
}

static int has_no_local_name(void *arg)
{
    const cora_connection_options options = {.local_host = "127.0.0.1",
                                             .local_service = "no-such-service"};
    struct recorder recorder = {0};
    int rc = cora_create_connection(record, &recorder, "127.0.0.1", "1", &options, NULL);

    (void)arg;
    assert_int_equal(rc, -CORA_EAI_SERVICE);
    return 0;
}

TEST(a_local_name_that_is_unknown_is_told)
{
    run(has_no_local_name, NULL);
}

/* ---- cancelled ----------------------------------------------------------------------------- */

struct connects_args {
    struct recorder *recorder;
    const char *port, *path;
    int *other; /* the next descriptor, once the call has returned */
};

static int connects(void *arg)
{
    struct connects_args *a = arg;
    int rc;

    if (a->path != NULL)
        rc = cora_create_unix_connection(record, a->recorder, a->path, NULL, NULL);
    else
        rc = cora_create_connection(record, a->recorder, "127.0.0.1", a->port, NULL, NULL);
    *a->other = dup(STDERR_FILENO);
    return rc;
}

/* A listener whose queue is full lets a connection wait. */
static int is_cancelled_while_it_connects(void *arg)
{
    struct recorder recorder = {0};
    struct server server;
    cora_task *task;
    int filler, other, rc;

    (void)arg;
    server.listener = make_listener(&server.address, 0);
    snprintf(server.port, sizeof server.port, "%u", ntohs(server.address.sin_port));
    filler = connect_tcp(&server.address);
    task = cora_create_task(connects, .recorder = &recorder, .port = server.port, .other = &other);
    rc = rest(5);
    assert_int_equal(rc, 0);
    assert_false(cora_task_done(task));
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    close_fd(other);
    close_fd(filler);
    close_fd(server.listener);
    return 0;
}

TEST(a_cancelled_attempt_closes_its_socket_and_makes_no_protocol)
{
    run(is_cancelled_while_it_connects, NULL);
    assert_string_equal(trace_text, "");
}

static int is_cancelled_once_it_is_connected(void *arg)
{
    struct recorder recorder = {0};
    char name[CORA_ADDRESS_TEXT_SIZE];
    int listener = make_unix_listener(name, sizeof name, 0), rc;
    int other;
    cora_task *task =
        cora_create_task(connects, .recorder = &recorder, .path = name, .other = &other);

    (void)arg;
    rc = rest(1);
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    rc = wait_lost(&recorder);
    assert_int_equal(rc, 0);
    close_fd(other); /* which would have the socket's number, had that been free too early */
    close_fd(listener);
    return 0;
}

TEST(a_call_cancelled_before_its_connection_is_made_loses_it)
{
    run(is_cancelled_once_it_is_connected, NULL);
    assert_string_equal(trace_text, "made lost ");
}

/* ---- to a Unix socket ---------------------------------------------------------------------- */

static int talks_to_a_name(void *arg)
{
    struct recorder recorder = {0}, second = {0};
    cora_transport *transport = NULL;
    char name[CORA_ADDRESS_TEXT_SIZE];
    int listener = make_unix_listener(name, sizeof name, 0), peer, rc;

    (void)arg;
    assert_int_equal(name[0], '@');
    rc = cora_create_unix_connection(record, &recorder, name, NULL, &transport);
    assert_int_equal(rc, 0);
    assert_address(cora_transport_get_extra_info(transport, "peername"), name);
    rc = cora_create_unix_connection(record, &second, name, NULL, NULL);
    assert_int_equal(rc, -EAGAIN); /* the queue is full */
    peer = accept_one(listener);
    put(peer, "hello");
    rc = wait_received(&recorder, 5);
    assert_int_equal(rc, 0);
    close_connection(&recorder);
    cora_transport_unref(transport);
    close_fd(peer);
    close_fd(listener);
    return 0;
}

TEST(an_abstract_name_is_connected_to)
{
    run(talks_to_a_name, NULL);
    assert_string_equal(trace_text, "made data hello lost ");
}

static int talks_to_a_path(void *arg)
{
    struct recorder recorder = {0};
    char folder[] = "/tmp/cora-XXXXXX", path[64];
    cora_address address;
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

    (void)arg;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    rc = cora_create_unix_connection(record, &recorder, path, NULL, NULL);
    assert_int_equal(rc, -ENOENT);
    rc = cora_address_from_path(path, &address);
    assert_int_equal(rc, 0);
    rc = bind(listener, (struct sockaddr *)&address.storage, address.length);
    assert_int_equal(rc, 0);
    rc = cora_create_unix_connection(record, &recorder, path, NULL, NULL);
    assert_int_equal(rc, -ECONNREFUSED);
    rc = listen(listener, 1);
    assert_int_equal(rc, 0);
    rc = cora_create_unix_connection(record, &recorder, path, NULL, NULL);
    assert_int_equal(rc, 0);
    assert_address(cora_transport_get_extra_info(recorder.transport, "peername"), path);
    close_connection(&recorder);
    rc = cora_create_unix_connection(no_memory, NULL, path, NULL, NULL);
    assert_int_equal(rc, -ENOMEM);
    close_fd(listener);
    unlink(path);
    rmdir(folder);
    return 0;
}

TEST(a_path_is_connected_to)
{
    run(talks_to_a_path, NULL);
    assert_string_equal(trace_text, "made lost ");
}

static int has_no_path(void *arg)
{
    struct recorder recorder = {0};
    char path[200];
    int rc;

    (void)arg;
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = '\0';
    rc = cora_create_unix_connection(record, &recorder, path, NULL, NULL);
    assert_int_equal(rc, -ENAMETOOLONG);
    rc = cora_create_unix_connection(record, &recorder, "", NULL, NULL);
    assert_int_equal(rc, -EINVAL);
    rc = cora_create_unix_connection(record, &recorder, NULL, NULL, NULL);
    assert_int_equal(rc, -EINVAL);
    return 0;
}

TEST(a_path_must_fit)
{
    run(has_no_path, NULL);
}

/* ---- of a socket --------------------------------------------------------------------------- */

typedef int of_socket(cora_protocol_factory *factory, void *arg, int fd,
                      const cora_connection_options *options, cora_transport **ret);

static int talks_by_its_own_socket(void *arg)
{
    of_socket *const *create = arg;
    struct recorder recorder = {0};
    int pair[2], rc;

    make_pair(pair);
    rc = (*create)(record, &recorder, pair[0], &(cora_connection_options){0}, NULL);
    assert_int_equal(rc, 0);
    put(pair[1], "hello");
    rc = wait_received(&recorder, 5);
    assert_int_equal(rc, 0);
    close_connection(&recorder);
    close_fd(pair[1]);
    return 0;
}

TEST(a_connected_socket_is_taken)
{
    run(talks_by_its_own_socket, &(of_socket *){cora_create_connection_sock});
    run(talks_by_its_own_socket, &(of_socket *){cora_create_unix_connection_sock});
    assert_string_equal(trace_text, "made data hello lost made data hello lost ");
}

static void assert_refused(int fd, int expected, of_socket *create)
{
    struct recorder recorder = {0};
    int rc = create(record, &recorder, fd, NULL, NULL);

    assert_int_equal(rc, expected);
    assert_null(recorder.transport);
}

static int offers_wrong_sockets(void *arg)
{
    int datagram = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), tcp = make_tcp(), pipes[2];
    int rc = pipe(pipes);

    (void)arg;
    assert_int_equal(rc, 0);
    assert_refused(datagram, -EPROTOTYPE, cora_create_connection_sock);
    assert_refused(datagram, -EPROTOTYPE, cora_create_unix_connection_sock);
    assert_refused(tcp, -EPROTOTYPE, cora_create_unix_connection_sock);
    assert_refused(pipes[0], -ENOTSOCK, cora_create_connection_sock);
    assert_refused(pipes[0], -ENOTSOCK, cora_create_unix_connection_sock);
    assert_refused(-1, -EBADF, cora_create_connection_sock);
    close_fd(datagram); /* they are still the caller's */
    close_fd(tcp);
    close_pair(pipes);
    return 0;
}

TEST(a_socket_of_another_kind_is_left_alone)
{
    run(offers_wrong_sockets, NULL);
}

static int says_how_to_connect(void *arg)
{
    cora_connection_errors errors = {0};
    const cora_connection_options options[] = {
        {.family = AF_INET},   {.proto = IPPROTO_TCP},  {.flags = AI_PASSIVE},
        {.local_host = "::1"}, {.local_service = "80"}, {.happy_eyeballs_delay = 0.25},
        {.interleave = 1},     {.errors = &errors},
    };
    struct recorder recorder = {0};
    int pair[2];

    (void)arg;
    make_pair(pair);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        int rc = cora_create_connection_sock(record, &recorder, pair[0], &options[i], NULL);

        assert_int_equal(rc, -EINVAL);
        rc = cora_create_unix_connection_sock(record, &recorder, pair[0], &options[i], NULL);
        assert_int_equal(rc, -EINVAL);
        rc = cora_create_unix_connection(record, &recorder, "@a", &options[i], NULL);
        assert_int_equal(rc, -EINVAL);
    }
    close_pair(pair);
    return 0;
}

TEST(where_there_is_a_socket_or_a_path_nothing_is_said_of_addresses)
{
    run(says_how_to_connect, NULL);
    assert_string_equal(trace_text, "");
}
