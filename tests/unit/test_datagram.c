/* Endpoints of datagrams. */
#include "support/faults.h"
#include "support/endpoint.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static const cora_datagram_options on_loopback = {.local_host = "127.0.0.1", .local_service = "0"};

static void open_sock(struct endpoint *endpoint)
{
    open_end(endpoint, cora_create_datagram_endpoint_sock, make_datagram_pair, 0);
}

static const cora_address *name_of(const struct endpoint *endpoint)
{
    return cora_transport_get_extra_info(endpoint->transport, "sockname");
}

/* The service of an endpoint's port, for others to connect to. */
static const char *port_of(const struct endpoint *endpoint, char *text)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&name_of(endpoint)->storage;

    sprintf(text, "%u", ntohs(in->sin_port));
    return text;
}

/* ---- to and fro ---------------------------------------------------------------------------- */

static int exchanges(void *arg)
{
    struct endpoint server = {.transport = NULL}, client = {.transport = NULL};
    char port[8];
    cora_datagram_options options = {.remote_host = "127.0.0.1"};
    int rc;

    (void)arg;
    open_datagram(&server, &on_loopback);
    assert_null(cora_transport_get_extra_info(server.transport, "peername"));
    options.remote_service = port_of(&server, port);
    open_datagram(&client, &options);
    assert_non_null(cora_transport_get_extra_info(client.transport, "peername"));
    send_text(&client, "hello", NULL);
    await_datagrams(&server, 1);
    send_text(&server, "", &server.recorder.sender);
    await_datagrams(&client, 1);
    assert_int_equal(client.recorder.received, 0);
    assert_int_equal(client.recorder.sender.length, sizeof(struct sockaddr_in));
    send_text(&client, "again", name_of(&server));
    await_datagrams(&server, 2);
    rc = cora_transport_write(client.transport, "x", 1);
    assert_int_equal(rc, -EOPNOTSUPP);
    assert_false(cora_transport_can_write_eof(client.transport));
    close_endpoint(&client);
    close_endpoint(&server);
    return 0;
}

TEST(datagrams_come_and_go_empty_ones_too)
{
    run_task(exchanges, NULL);
    assert_string_equal(trace_text, "made made data hello data  data again lost lost ");
}

static int is_particular(void *arg)
{
    struct endpoint server = {.transport = NULL}, client = {.transport = NULL};
    cora_address elsewhere, none = {0}, too_long = {.length = sizeof elsewhere.storage + 1};
    char port[8];
    cora_datagram_options options = {.remote_host = "127.0.0.1"};
    int rc;

    (void)arg;
    open_datagram(&server, &on_loopback);
    rc = cora_transport_sendto(server.transport, "x", 1, NULL);
    assert_int_equal(rc, -EINVAL);
    rc = cora_transport_sendto(server.transport, "x", 1, &none);
    assert_int_equal(rc, -EINVAL);
    rc = cora_transport_sendto(server.transport, "x", 1, &too_long);
    assert_int_equal(rc, -EINVAL);
    options.remote_service = port_of(&server, port);
    for (int broadcast = 0; broadcast < 2; broadcast++) {
        options.allow_broadcast = broadcast;
        open_datagram(&client, &options);
        elsewhere = *name_of(&client);
        rc = cora_transport_sendto(client.transport, "x", 1, &elsewhere);
        assert_int_equal(rc, -EINVAL);
        assert_int_equal(cora_transport_get_extra_info(client.transport, "peername") == NULL,
                         broadcast);
        send_text(&client, "a", NULL);
        send_text(&client, "b", name_of(&server));
        await_datagrams(&server, 2 * (broadcast + 1));
        close_endpoint(&client);
    }
    close_endpoint(&server);
    return 0;
}

TEST(one_that_has_a_remote_address_sends_nowhere_else)
{
    run_task(is_particular, NULL);
}

static int pauses(void *arg)
{
    struct endpoint endpoint = {.transport = NULL};

    (void)arg;
    open_sock(&endpoint);
    cora_transport_pause_reading(endpoint.transport);
    put(endpoint.peer, "hello");
    look(5);
    assert_int_equal(endpoint.recorder.datagrams, 0);
    cora_transport_resume_reading(endpoint.transport);
    await_datagrams(&endpoint, 1);
    assert_int_equal(endpoint.recorder.sender.length, 0); /* has no name */
    close_endpoint(&endpoint);
    return 0;
}

TEST(nothing_comes_while_reading_is_paused)
{
    run_task(pauses, NULL);
    assert_string_equal(trace_text, "made data hello lost ");
}

/* ---- errors -------------------------------------------------------------------------------- */

static int is_refused(void *arg)
{
    struct endpoint server = {.transport = NULL}, client = {.transport = NULL};
    char port[8];
    cora_datagram_options options = {.remote_host = "127.0.0.1"};
    int rc;

    (void)arg;
    open_datagram(&server, &on_loopback);
    options.remote_service = port_of(&server, port);
    open_datagram(&client, &options);
    close_endpoint(&server);
    send_text(&client, "anybody?", NULL);
    rc = wait_errors(&client.recorder, 1);
    assert_int_equal(rc, 0);
    assert_false(cora_transport_is_closing(client.transport));
    send_text(&client, "anybody?", NULL);
    look(1);
    send_text(&client, "now it is the call that hears of it", NULL);
    assert_true(client.recorder.errors >= 2);
    close_endpoint(&client);
    return 0;
}

TEST(a_refusal_is_told_and_the_endpoint_stays)
{
    run_task(is_refused, NULL);
    assert_string_equal(trace_text, "made made lost error ECONNREFUSED error ECONNREFUSED lost ");
}

static int fails(void *arg)
{
    struct endpoint endpoint = {.transport = NULL};

    (void)arg;
    open_sock(&endpoint);
    set_faults_of(endpoint.fd, EINTR, EAGAIN, ENOMEM);
    put(endpoint.peer, "hello");
    await_datagrams(&endpoint, 1);
    assert_int_equal(faults_met(), 3);
    assert_string_equal(trace_text, "made error ENOMEM data hello ");
    set_faults_of(endpoint.fd, EMSGSIZE, 0, 0);
    send_text(&endpoint, "too long, it says", NULL);
    assert_string_equal(trace_text, "made error ENOMEM data hello error EMSGSIZE ");
    close_endpoint(&endpoint);
    return 0;
}

TEST(what_the_system_says_is_told)
{
    run_task(fails, NULL);
}

/* Of what was kept, one fails; the others go all the same. */
static int fails_later(void *arg)
{
    struct endpoint endpoint = {.transport = NULL};
    char text[8] = "";
    ssize_t got;

    (void)arg;
    open_sock(&endpoint);
    set_faults_of(endpoint.fd, EAGAIN, EAGAIN, ENOBUFS);
    send_text(&endpoint, "one", NULL);
    send_text(&endpoint, "two", NULL);
    send_text(&endpoint, "", NULL);
    assert_int_equal(cora_transport_get_write_buffer_size(endpoint.transport), 3 + 3 + 3 * 8);
    cora_transport_close(endpoint.transport);
    assert_int_equal(endpoint.recorder.lost, 0);
    await_loss(&endpoint);
    assert_int_equal(faults_met(), 3);
    got = read(endpoint.peer, text, sizeof text);
    assert_int_equal(got, 3);
    assert_string_equal(text, "two");
    got = recv(endpoint.peer, text, sizeof text, MSG_DONTWAIT);
    assert_int_equal(got, 0);
    close_peer(&endpoint);
    return 0;
}

TEST(what_was_kept_is_sent_before_the_end)
{
    run_task(fails_later, NULL);
    assert_string_equal(trace_text, "made error ENOBUFS lost ");
}

/* ---- more than fits ------------------------------------------------------------------------ */

enum { PIECE = 1000, PIECES = 2000 };

static void send_many(struct endpoint *endpoint, const cora_address *address)
{
    char piece[PIECE] = "";

    for (int i = 0; i < PIECES; i++) {
        int rc;

        memcpy(piece, &i, sizeof i);
        rc = cora_transport_sendto(endpoint->transport, piece, sizeof piece, address);
        assert_int_equal(rc, 0);
    }
    assert_true(cora_transport_get_write_buffer_size(endpoint->transport) > 64 << 10);
}

/* In the order in which they were sent, and whole. */
static void take_many(int fd)
{
    char piece[PIECE + 1];

    for (int i = 0; i < PIECES; i++) {
        ssize_t got = cora_sock_recv(fd, piece, sizeof piece);
        int number;

        assert_int_equal(got, PIECE);
        memcpy(&number, piece, sizeof number);
        assert_int_equal(number, i);
    }
}

static int sends_many(void *arg)
{
    struct endpoint endpoint = {.transport = NULL};

    (void)arg;
    open_sock(&endpoint);
    send_many(&endpoint, NULL);
    take_many(endpoint.peer);
    look(1);
    assert_int_equal(cora_transport_get_write_buffer_size(endpoint.transport), 0);
    close_endpoint(&endpoint);
    return 0;
}

TEST(what_finds_no_room_is_sent_later_and_the_protocol_is_paused)
{
    run_task(sends_many, NULL);
    assert_string_equal(trace_text, "made pause resume lost ");
}

static int aborts(void *arg)
{
    struct endpoint endpoint = {.transport = NULL};

    (void)arg;
    open_sock(&endpoint);
    send_many(&endpoint, NULL);
    cora_transport_abort(endpoint.transport);
    assert_int_equal(cora_transport_get_write_buffer_size(endpoint.transport), 0);
    assert_int_equal(endpoint.recorder.lost, 0);
    for (int i = 0; i < 4; i++)
        send_text(&endpoint, "in vain", NULL);
    assert_int_equal(reports.count, 0);
    send_text(&endpoint, "in vain", NULL);
    assert_int_equal(reports.count, 1);
    await_loss(&endpoint);
    close_peer(&endpoint);
    return 0;
}

TEST(abort_drops_it)
{
    run_task(aborts, NULL);
    assert_string_equal(trace_text, "made pause lost ");
    assert_string_equal(reports.message, "socket.send() raised exception.");
}

/* ---- Unix sockets -------------------------------------------------------------------------- */

struct directory {
    char name[32], path[48];
};

static void make_directory(struct directory *directory)
{
    strcpy(directory->name, "/tmp/cora-datagram-XXXXXX");
    assert_non_null(mkdtemp(directory->name));
    sprintf(directory->path, "%s/socket", directory->name);
}

static void remove_directory(const struct directory *directory)
{
    int rc = unlink(directory->path);

    assert_int_equal(rc, 0);
    rc = rmdir(directory->name);
    assert_int_equal(rc, 0);
}

/* A name of this process alone. */
static const char *abstract_name(void)
{
    static char name[32];

    snprintf(name, sizeof name, "@cora-test-%d", (int)getpid());
    return name;
}

static int meets_at_a_path(void *arg)
{
    struct endpoint server = {.transport = NULL}, client = {.transport = NULL};
    struct directory directory;
    cora_datagram_options options = {.local_path = directory.path};

    (void)arg;
    make_directory(&directory);
    open_datagram(&server, &options);
    close_endpoint(&server); /* its socket stays, and is replaced */
    open_datagram(&server, &options);
    options = (cora_datagram_options){.remote_path = directory.path, .local_path = abstract_name()};
    open_datagram(&client, &options);
    send_text(&client, "hello", NULL);
    await_datagrams(&server, 1);
    send_text(&server, "bye", &server.recorder.sender);
    await_datagrams(&client, 1);
    close_endpoint(&client);
    close_endpoint(&server);
    remove_directory(&directory);
    return 0;
}

TEST(unix_sockets_meet_at_a_path)
{
    run_task(meets_at_a_path, NULL);
    assert_string_equal(trace_text, "made lost made made data hello data bye lost lost ");
}

/* The queue that is full is another's: the sender's socket is writable, and nothing tells of room.
 */
static int fills_a_strangers_queue(void *arg)
{
    struct endpoint endpoint = {.transport = NULL};
    cora_datagram_options options = {.family = AF_UNIX};
    cora_address address;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;
    double begun;

    (void)arg;
    rc = cora_address_from_path(abstract_name(), &address);
    assert_int_equal(rc, 0);
    rc = bind(fd, (struct sockaddr *)&address.storage, address.length);
    assert_int_equal(rc, 0);
    open_datagram(&endpoint, &options);
    send_many(&endpoint, &address);
    begun = cora_loop_time(cora_get_running_loop());
    set_faults_of(endpoint.fd, 0, 0, 0);
    rc = cora_sleep(1);
    assert_int_equal(rc, 0);
    assert_true(calls_made() > 10);
    assert_true(calls_made() < 1000);
    take_many(fd);
    assert_true(cora_loop_time(cora_get_running_loop()) > begun + 1);
    close_endpoint(&endpoint);
    close_fd(fd);
    return 0;
}

TEST(a_full_queue_that_nobody_tells_of_is_tried_from_time_to_time)
{
    run_task(fills_a_strangers_queue, NULL);
    assert_string_equal(trace_text, "made pause resume lost ");
}

static int ends_while_it_waits(void *arg)
{
    struct endpoint endpoint = {.transport = NULL};
    cora_datagram_options options = {.family = AF_UNIX};
    int fds[2];

    (void)arg;
    make_datagram_pair(fds);
    open_datagram(&endpoint, &options);
    set_faults_of(endpoint.fd, EAGAIN, EAGAIN, EAGAIN);
    send_text(&endpoint, "x", name_of(&endpoint));
    look(2);
    cora_transport_abort(endpoint.transport);
    await_loss(&endpoint);
    look(20);
    close_pair(fds);
    close_peer(&endpoint);
    return 0;
}

TEST(abort_ends_that_too)
{
    run_task(ends_while_it_waits, NULL);
    assert_string_equal(trace_text, "made lost ");
}

/* ---- options ------------------------------------------------------------------------------- */

static bool has_option(const struct endpoint *endpoint, int name)
{
    int value = 0;
    int rc = getsockopt(endpoint->fd, SOL_SOCKET, name, &value, &(socklen_t){sizeof value});

    assert_int_equal(rc, 0);
    return value != 0;
}

static int has_options(void *arg)
{
    cora_datagram_options options = on_loopback;

    (void)arg;
    for (int on = 0; on < 2; on++) {
        struct endpoint endpoint = {.transport = NULL};

        options.reuse_port = options.allow_broadcast = on;
        open_datagram(&endpoint, &options);
        assert_int_equal(has_option(&endpoint, SO_REUSEPORT), on);
        assert_int_equal(has_option(&endpoint, SO_BROADCAST), on);
        assert_false(has_option(&endpoint, SO_REUSEADDR));
        assert_int_equal(fcntl(endpoint.fd, F_GETFD), FD_CLOEXEC);
        close_endpoint(&endpoint);
    }
    return 0;
}

TEST(options_are_set_where_they_are_wanted)
{
    run_task(has_options, NULL);
}

static void refuse(const cora_datagram_options *options, int error)
{
    struct recorder recorder = {.made = -1};
    int before = count_descriptors();
    int rc = cora_create_datagram_endpoint(record, &recorder, options, NULL);

    assert_int_equal(rc, error);
    assert_int_equal(recorder.made, -1); /* the factory was not called */
    assert_int_equal(count_descriptors(), before);
}

static int is_refused_options(void *arg)
{
    static const cora_datagram_options senseless[] = {
        {.flags = 0},
        {.local_host = "127.0.0.1", .local_path = "/tmp/nowhere"},
        {.remote_host = "127.0.0.1", .family = AF_UNIX},
        {.remote_path = "/tmp/nowhere", .family = AF_INET},
        {.local_path = ""},
    };
    struct endpoint first = {.transport = NULL};
    char port[8];
    cora_datagram_options same = {.local_host = "127.0.0.1"};

    (void)arg;
    for (size_t i = 0; i < sizeof senseless / sizeof senseless[0]; i++)
        refuse(&senseless[i], -EINVAL);
    refuse(&(cora_datagram_options){.local_host = "127.0.0.1", .remote_host = "::1"},
           -EADDRNOTAVAIL);
    refuse(&(cora_datagram_options){.local_host = "127.0.0.1", .family = AF_INET6},
           -CORA_EAI_ADDRFAMILY);
    refuse(&(cora_datagram_options){.local_host = "no number", .flags = AI_NUMERICHOST},
           -CORA_EAI_NONAME);
    refuse(&(cora_datagram_options){.local_host = "192.0.2.1"}, -EADDRNOTAVAIL);
    refuse(&(cora_datagram_options){.remote_path = "/nowhere/at/all"}, -ENOENT);
    open_datagram(&first, &on_loopback);
    same.local_service = port_of(&first, port);
    refuse(&same, -EADDRINUSE);
    close_endpoint(&first);
    return 0;
}

TEST(what_makes_no_endpoint_leaves_nothing)
{
    run_task(is_refused_options, NULL);
}

static void refuse_sock(int fd, int error)
{
    struct recorder recorder = {0};
    int rc = cora_create_datagram_endpoint_sock(record, &recorder, fd, NULL);

    assert_int_equal(rc, error);
    assert_int_equal(recorder.error, error);
    assert_int_equal(recorder.lost, 1);
}

static int is_refused_sockets(void *arg)
{
    int fds[2], rc;

    (void)arg;
    refuse_sock(-1, -EBADF);
    make_pipe(fds);
    refuse_sock(fds[0], -ENOTSOCK);
    close_pair(fds);
    make_pair(fds);
    refuse_sock(fds[0], -EPROTOTYPE);
    close_pair(fds);
    rc = socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds);
    assert_int_equal(rc, 0);
    refuse_sock(fds[0], -EPROTOTYPE);
    close_pair(fds);
    return 0;
}

TEST(a_socket_of_connections_is_refused)
{
    run_task(is_refused_sockets, NULL);
}

TEST(it_takes_a_task)
{
    struct recorder recorder = {0};
    int rc = cora_create_datagram_endpoint(record, &recorder, &on_loopback, NULL);

    assert_int_equal(rc, -CORA_ENOTASK);
    rc = cora_create_datagram_endpoint_sock(record, &recorder, 0, NULL);
    assert_int_equal(rc, -CORA_ENOTASK);
}

static int is_cancelled(void *arg)
{
    struct recorder recorder = {0};
    int before = count_descriptors(), rc;

    (void)arg;
    cora_task_cancel(cora_current_task());
    rc = cora_create_datagram_endpoint(record, &recorder, &on_loopback, NULL);
    assert_int_equal(rc, -ECANCELED);
    cora_task_uncancel(cora_current_task());
    rc = wait_lost(&recorder);
    assert_int_equal(rc, 0);
    look(1);
    assert_int_equal(count_descriptors(), before);
    return 0;
}

TEST(one_that_is_cancelled_while_it_is_made_is_closed)
{
    run_task(is_cancelled, NULL);
    assert_string_equal(trace_text, "made lost ");
}

static int stays_open(void *arg)
{
    open_datagram(arg, &on_loopback);
    return 0;
}

TEST(a_loop_that_is_closed_loses_its_endpoints)
{
    static struct endpoint endpoint;

    run_task(stays_open, &endpoint);
    assert_string_equal(trace_text, "made lost CORA_ECLOSED ");
    cora_transport_unref(endpoint.transport);
}

/* ---- whatever fails ------------------------------------------------------------------------ */

static int scenario(void *arg)
{
    struct recorder recorder = {.silent = true};
    cora_datagram_options options = on_loopback;
    cora_transport *transport;
    const cora_address *name;
    int rc;

    (void)arg;
    options.reuse_port = true;
    rc = cora_create_datagram_endpoint(record, &recorder, &options, &transport);
    if (rc < 0)
        return rc;
    name = cora_transport_get_extra_info(transport, "sockname");
    if (name != NULL)
        rc = cora_transport_sendto(transport, "hello", 5, name);
    if (rc == 0)
        rc = cora_sleep(0.1);
    cora_transport_close(transport);
    cora_transport_unref(transport);
    return recorder.lost == 0 ? wait_lost(&recorder) : rc;
}

TEST(each_fault_comes_to_an_end)
{
    int count = run_with_each_fault(scenario, NULL);

    assert_true(count > 10);
}

TEST(each_allocation_that_fails_comes_to_an_end)
{
    int count = run_with_each_allocation_refused(scenario, NULL);

    assert_true(count > 3);
}

/* ---- other threads -------------------------------------------------------------------------- */

static void *send_from_a_thread(void *arg)
{
    const struct endpoint *endpoint = arg;

    return (void *)(intptr_t)cora_transport_sendto(endpoint->transport, "x", 1, NULL);
}

static int is_sent_from_a_thread(void *arg)
{
    struct endpoint endpoint = {.transport = NULL};
    pthread_t thread;
    void *rc;

    cora_loop_set_debug(cora_get_running_loop(), true);
    open_datagram(&endpoint, &on_loopback);
    assert_int_equal(pthread_create(&thread, NULL, send_from_a_thread, &endpoint), 0);
    pthread_join(thread, &rc);
    close_endpoint(&endpoint);
    (void)arg;
    return (int)(intptr_t)rc;
}

TEST(debug_mode_refuses_datagrams_from_a_wrong_thread)
{
    assert_int_equal(run_virtual(is_sent_from_a_thread, NULL), -CORA_EWRONGTHREAD);
}
