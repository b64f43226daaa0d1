/* CPython's test_sock_lowlevel.py: sockets, one call at a time. */
#include "support/protocol.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <fcntl.h>
#include <sys/un.h>
#include <unistd.h>

/* Runs the body of a test as the main task. It returns 0, and nothing is reported. */
static void run(cora_task_fn *fn, void *arg)
{
    int rc = run_virtual(fn, arg);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

/* ---- a server in the same loop -------------------------------------------------------------- */

struct address {
    struct sockaddr_storage storage;
    socklen_t length;
};

/* On the loopback, or a Unix socket that is in no file system: the kernel gives it a name. */
static int listen_on(int family, struct address *address)
{
    struct sockaddr_in any;
    int fd, rc;

    if (family == AF_INET) {
        fd = make_listener(&any, 5);
    } else {
        fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        rc = bind(fd, &(struct sockaddr){.sa_family = (sa_family_t)family}, sizeof(sa_family_t));
        assert_int_equal(rc, 0);
        rc = listen(fd, 5);
        assert_int_equal(rc, 0);
    }
    address->length = sizeof address->storage;
    rc = getsockname(fd, (struct sockaddr *)&address->storage, &address->length);
    assert_int_equal(rc, 0);
    return fd;
}

static int connect_to(int fd, const struct address *address)
{
    return cora_sock_connect(fd, (const struct sockaddr *)&address->storage, address->length);
}

static const char GET[] = "GET / HTTP/1.0\r\n\r\n";
static const char POST[] = "POST /loop HTTP/1.0\r\n\r\n";
static const char OK[] = "HTTP/1.0 200 OK\r\n\r\n";

static void send_text(int fd, const char *text)
{
    int rc = cora_sock_sendall(fd, text, strlen(text), NULL);

    assert_int_equal(rc, 0);
}

/* Exactly so many bytes. */
static void receive(int fd, char *buffer, size_t size)
{
    size_t got = 0;

    while (got < size) {
        ssize_t more = cora_sock_recv(fd, buffer + got, size - got);

        assert_true(more > 0);
        got += (size_t)more;
    }
}

static void expect_text(int fd, const char *text)
{
    char got[64];

    receive(fd, got, strlen(text));
    assert_memory_equal(got, text, strlen(text));
}

static void expect_end(int fd)
{
    char byte;
    ssize_t got = cora_sock_recv(fd, &byte, 1);

    assert_int_equal(got, 0);
}

struct server_args {
    int listener;
    bool loops; /* sends everything behind the request back */
};

/* One connection: a request, an answer, the end. */
static int server(void *arg)
{
    struct server_args *a = arg;
    char buffer[8192];
    int fd = cora_sock_accept(a->listener, NULL, NULL);
    ssize_t got;

    assert_true(fd >= 0);
    expect_text(fd, a->loops ? POST : GET);
    send_text(fd, OK);
    while (a->loops && (got = cora_sock_recv(fd, buffer, sizeof buffer)) > 0) {
        int rc = cora_sock_sendall(fd, buffer, (size_t)got, NULL);

        assert_int_equal(rc, 0);
    }
    close_fd(fd);
    return 0;
}

/* ---- a client ------------------------------------------------------------------------------- */

struct client {
    int family;
    int flags; /* of the socket: these calls take blocking ones, too */
};

static int ask(void *arg)
{
    const struct client *client = arg;
    struct address address;
    int listener = listen_on(client->family, &address);
    int fd = socket(client->family, SOCK_STREAM | client->flags, 0), rc;
    cora_task *task = cora_create_task(server, .listener = listener);

    rc = connect_to(fd, &address);
    assert_int_equal(rc, 0);
    send_text(fd, GET);
    expect_text(fd, OK);
    expect_end(fd);
    close_fd(fd);
    close_fd(listener);
    return cora_await_unref(task);
}

TEST(BaseSockTestsMixin_test_sock_client_ops)
{
    run(ask, &(struct client){AF_INET, 0});
    run(ask, &(struct client){AF_INET, SOCK_NONBLOCK});
}

TEST(BaseSockTestsMixin_test_unix_sock_client_ops)
{
    run(ask, &(struct client){AF_UNIX, 0});
    run(ask, &(struct client){AF_UNIX, SOCK_NONBLOCK});
}

static int connect_where_nobody_listens(void *arg)
{
    struct sockaddr_in address;
    int fd = make_tcp(), rc;

    (void)arg;
    close_fd(make_listener(&address, 1)); /* its port is free */
    rc = cora_sock_connect(fd, (struct sockaddr *)&address, sizeof address);
    assert_int_equal(rc, -ECONNREFUSED);
    close_fd(fd);
    return 0;
}

TEST(BaseSockTestsMixin_test_sock_client_fail)
{
    run(connect_where_nobody_listens, NULL);
}

/* ---- a call right after one that was cancelled ---------------------------------------------- */

struct receiver_args {
    int fd;
};

static int receiver(void *arg)
{
    struct receiver_args *a = arg;
    char byte;

    return (int)cora_sock_recv(a->fd, &byte, 1);
}

struct sender_args {
    int fd;
    const char *text;
};

static int sender(void *arg)
{
    struct sender_args *a = arg;

    return cora_sock_sendall(a->fd, a->text, strlen(a->text), NULL);
}

/* Cancels a task that waits, and leaves it no time to notice. */
static void cancel_blocked(cora_task *task)
{
    int rc = rest(1);
    bool done = cora_task_done(task);

    assert_int_equal(rc, 0);
    assert_false(done);
    cora_task_cancel(task);
}

static void await_cancelled(cora_task *task)
{
    int rc = cora_await_unref(task);

    assert_int_equal(rc, -ECANCELED);
}

static int receive_racing(void *arg)
{
    struct address address;
    int listener = listen_on(AF_INET, &address), fd = make_tcp(), rc;
    cora_task *task = cora_create_task(server, .listener = listener), *cancelled, *request;

    (void)arg;
    rc = connect_to(fd, &address);
    assert_int_equal(rc, 0);
    cancelled = cora_create_task(receiver, .fd = fd);
    cancel_blocked(cancelled);
    request = cora_create_task(sender, .fd = fd, .text = GET);
    expect_text(fd, OK);
    expect_end(fd);
    await_cancelled(cancelled);
    rc = cora_await_unref(request);
    assert_int_equal(rc, 0);
    close_fd(fd);
    close_fd(listener);
    return cora_await_unref(task);
}

/* Not even a few bytes go into the socket any more. */
static void fill(int fd)
{
    static const char blanks[8192] = {0};

    for (size_t size = sizeof blanks; size >= 4;)
        if (send(fd, blanks, size, MSG_DONTWAIT) < 0)
            size /= 2;
}

struct collector_args {
    int fd;
    char *text;
};

/* Everything but the blanks, up to the end. */
static int collector(void *arg)
{
    struct collector_args *a = arg;
    char buffer[8192];
    size_t length = 0;
    ssize_t got;

    while ((got = cora_sock_recv(a->fd, buffer, sizeof buffer)) > 0)
        for (ssize_t i = 0; i < got; i++)
            if (buffer[i] != 0)
                a->text[length++] = buffer[i];
    return (int)got;
}

static int send_racing(void *arg)
{
    char text[16] = "";
    cora_task *cancelled, *task;
    int fds[2], rc;

    (void)arg;
    make_pair(fds);
    fill(fds[0]);
    cancelled = cora_create_task(sender, .fd = fds[0], .text = "hello");
    cancel_blocked(cancelled);
    task = cora_create_task(collector, .fd = fds[1], .text = text);
    send_text(fds[0], "world");
    shutdown(fds[0], SHUT_WR);
    await_cancelled(cancelled);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    assert_string_equal(text, "world");
    close_pair(fds);
    return 0;
}

TEST(BaseSockTestsMixin_test_sock_client_racing)
{
    run(receive_racing, NULL);
    run(send_racing, NULL);
}

struct connecter_args {
    int fd;
    const struct sockaddr_in *address;
};

static int connecter(void *arg)
{
    struct connecter_args *a = arg;

    return cora_sock_connect(a->fd, (const struct sockaddr *)a->address, sizeof *a->address);
}

/* The first attempt is made, and cancelled, before anybody listens. Linux takes a second one. */
static int connect_racing(void *arg)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int listener = make_tcp(), fd = make_tcp(), rc;
    cora_task *task;

    (void)arg;
    rc = bind(listener, (struct sockaddr *)&address, length);
    assert_int_equal(rc, 0);
    rc = getsockname(listener, (struct sockaddr *)&address, &length);
    assert_int_equal(rc, 0);
    task = cora_create_task(connecter, .fd = fd, .address = &address);
    rc = rest(1);
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    rc = listen(listener, 1);
    assert_int_equal(rc, 0);
    for (int tries = 0; tries < 128; tries++) {
        rc = cora_sock_connect(fd, (struct sockaddr *)&address, sizeof address);
        if (rc != -ECONNREFUSED)
            break;
    }
    assert_int_equal(rc, 0);
    rc = cora_await_unref(task);
    assert_true(rc == -ECONNREFUSED || rc == -ECANCELED);
    close_fd(fd);
    close_fd(listener);
    return 0;
}

TEST(BaseSockTestsMixin_test_sock_client_connect_racing)
{
    run(connect_racing, NULL);
}

/* ---- much data ------------------------------------------------------------------------------ */

enum { HUGE = 1000000 };

struct flood_args {
    int fd;
};

static int flood(void *arg)
{
    struct flood_args *a = arg;
    unsigned char *data = make_big();
    int rc = cora_sock_sendall(a->fd, data, HUGE, NULL);

    free(data);
    shutdown(a->fd, SHUT_WR);
    return rc;
}

/* The data in pieces of up to so many bytes. */
static size_t receive_in_pieces(int fd, size_t size)
{
    unsigned char *piece = malloc(size);
    size_t total = 0;
    ssize_t got;

    while ((got = cora_sock_recv(fd, piece, size)) > 0) {
        for (size_t i = 0; i < (size_t)got; i++)
            if (piece[i] != byte_at(total + i))
                fail_msg("byte %zu is wrong", total + i);
        total += (size_t)got;
    }
    assert_int_equal(got, 0);
    free(piece);
    return total;
}

/* All of it into one buffer, each call behind the last. */
static size_t receive_into(int fd)
{
    unsigned char *data = make_big(), *buffer = malloc(HUGE + 1);
    size_t total = 0;
    ssize_t got;

    while ((got = cora_sock_recv(fd, buffer + total, HUGE + 1 - total)) > 0)
        total += (size_t)got;
    assert_int_equal(got, 0);
    assert_memory_equal(buffer, data, HUGE);
    free(data);
    free(buffer);
    return total;
}

/* One task sends it while another receives what comes back. */
static int exchange_huge_content(void *arg)
{
    bool into = *(bool *)arg;
    struct address address;
    int listener = listen_on(AF_INET, &address), fd = make_tcp(), rc;
    cora_task *task = cora_create_task(server, .listener = listener, .loops = true), *flooding;
    size_t got;

    rc = connect_to(fd, &address);
    assert_int_equal(rc, 0);
    send_text(fd, POST);
    flooding = cora_create_task(flood, .fd = fd);
    expect_text(fd, OK);
    got = into ? receive_into(fd) : receive_in_pieces(fd, 50000);
    assert_int_equal(got, HUGE);
    rc = cora_await_unref(flooding);
    assert_int_equal(rc, 0);
    close_fd(fd);
    close_fd(listener);
    return cora_await_unref(task);
}

TEST(BaseSockTestsMixin_test_huge_content)
{
    run(exchange_huge_content, &(bool){false});
}

TEST(BaseSockTestsMixin_test_huge_content_recvinto)
{
    run(exchange_huge_content, &(bool){true});
}

/* ---- datagrams ------------------------------------------------------------------------------ */

enum { DATAGRAM = 4096 };

/* How often the kernel is to say that it cannot send now, and how often it has. */
static int refusals, refused;

/* The names are the linker's: a call of sendto goes to __wrap_sendto. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
ssize_t __real_sendto(int fd, const void *data, size_t size, int flags,
                      const struct sockaddr *address, socklen_t length);
ssize_t __wrap_sendto(int fd, const void *data, size_t size, int flags,
                      const struct sockaddr *address, socklen_t length);

ssize_t __wrap_sendto(int fd, const void *data, size_t size, int flags,
                      const struct sockaddr *address, socklen_t length)
{
    if (refusals == 0)
        return __real_sendto(fd, data, size, flags, address, length);
    refusals--;
    refused++;
    errno = EAGAIN;
    return -1;
}

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

struct echo_args {
    int fd, count;
};

static int echo(void *arg)
{
    struct echo_args *a = arg;
    char data[2 * DATAGRAM];

    for (int i = 0; i < a->count; i++) {
        struct sockaddr_in from;
        socklen_t length = sizeof from;
        ssize_t got =
            cora_sock_recvfrom(a->fd, data, sizeof data, (struct sockaddr *)&from, &length);
        ssize_t sent;

        assert_true(got >= 0);
        sent = cora_sock_sendto(a->fd, data, (size_t)got, (struct sockaddr *)&from, length);
        assert_int_equal(sent, got);
    }
    return 0;
}

/* A datagram to the server and back, into a buffer with so much room. */
static void send_there_and_back(int fd, const struct sockaddr_in *server, size_t room)
{
    char data[DATAGRAM], buffer[2 * DATAGRAM];
    struct sockaddr_in from = {0};
    socklen_t length = sizeof from;
    ssize_t sent, got;

    memset(data, 1, sizeof data);
    memset(buffer, 0, sizeof buffer);
    sent = cora_sock_sendto(fd, data, sizeof data, (const struct sockaddr *)server, sizeof *server);
    assert_int_equal(sent, DATAGRAM);
    got = cora_sock_recvfrom(fd, buffer, room, (struct sockaddr *)&from, &length);
    assert_int_equal(got, DATAGRAM);
    assert_memory_equal(buffer, data, DATAGRAM);
    assert_int_equal(buffer[DATAGRAM], 0);
    assert_int_equal(length, sizeof from);
    assert_int_equal(from.sin_port, server->sin_port);
    assert_int_equal(from.sin_addr.s_addr, server->sin_addr.s_addr);
}

static int exchange_datagrams(void *arg)
{
    const size_t *rooms = arg;
    int count = rooms[1] == 0 ? 1 : 2, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;
    struct sockaddr_in address;
    int echoing = make_udp(&address);
    cora_task *task = cora_create_task(echo, .fd = echoing, .count = count);

    for (int i = 0; i < count; i++)
        send_there_and_back(fd, &address, rooms[i]);
    rc = cora_await_unref(task);
    close_fd(fd);
    close_fd(echoing);
    return rc;
}

TEST(BaseSockTestsMixin_test_recvfrom)
{
    run(exchange_datagrams, (size_t[]){DATAGRAM, 0});
}

TEST(BaseSockTestsMixin_test_recvfrom_into)
{
    run(exchange_datagrams, (size_t[]){DATAGRAM, 2 * DATAGRAM});
}

TEST(BaseSockTestsMixin_test_sendto_blocking)
{
    refusals = 1;
    run(exchange_datagrams, (size_t[]){DATAGRAM, 0});
    assert_int_equal(refused, 1);
}

/* ---- accept --------------------------------------------------------------------------------- */

static bool is_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    assert_true(flags >= 0);
    return (flags & O_NONBLOCK) != 0;
}

static int accept_one(void *arg)
{
    struct sockaddr_in address, from = {0}, client = {0};
    socklen_t length = sizeof from, client_length = sizeof client;
    int listener = make_listener(&address, 1), fd = make_tcp(), accepted, rc;
    bool nonblocking;

    (void)arg;
    rc = connect(fd, (struct sockaddr *)&address, sizeof address);
    assert_int_equal(rc, 0);
    accepted = cora_sock_accept(listener, (struct sockaddr *)&from, &length);
    assert_true(accepted >= 0);
    nonblocking = is_nonblocking(accepted);
    assert_true(nonblocking);
    rc = getsockname(fd, (struct sockaddr *)&client, &client_length);
    assert_int_equal(rc, 0);
    assert_int_equal(length, client_length);
    assert_memory_equal(&from, &client, sizeof from);
    close_fd(fd);
    close_fd(accepted);
    close_fd(listener);
    return 0;
}

TEST(BaseSockTestsMixin_test_sock_accept)
{
    run(accept_one, NULL);
}

struct accepter_args {
    int listener;
};

static int accepter(void *arg)
{
    struct accepter_args *a = arg;

    return cora_sock_accept(a->listener, NULL, NULL);
}

static int cancel_accept(void *arg)
{
    struct sockaddr_in address;
    int listener = make_listener(&address, 1), fd = make_tcp(), rc;
    cora_task *task = cora_create_task(accepter, .listener = listener);

    (void)arg;
    rc = cora_wait_for(task, 0.1);
    assert_int_equal(rc, -ETIMEDOUT);
    cora_task_unref(task);
    close_fd(listener);
    rc = cora_sock_connect(fd, (struct sockaddr *)&address, sizeof address);
    assert_int_equal(rc, -ECONNREFUSED);
    close_fd(fd);
    return 0;
}

TEST(BaseSockTestsMixin_test_cancel_sock_accept)
{
    run(cancel_accept, NULL);
}

/* ---- and into a transport ------------------------------------------------------------------- */

static int make_a_transport_of_it(void *arg)
{
    struct recorder recorder = {0};
    struct address address;
    int listener = listen_on(AF_INET, &address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;
    cora_task *task = cora_create_task(server, .listener = listener);

    (void)arg;
    rc = connect_to(fd, &address);
    assert_int_equal(rc, 0);
    rc = cora_create_connection_sock(record, &recorder, fd, NULL, NULL);
    assert_int_equal(rc, 0);
    rc = cora_transport_write(recorder.transport, GET, strlen(GET));
    assert_int_equal(rc, 0);
    rc = wait_lost(&recorder);
    assert_int_equal(rc, 0);
    assert_string_equal(recorder.text, OK);
    close_fd(listener);
    return cora_await_unref(task);
}

TEST(BaseSockTestsMixin_test_create_connection_sock)
{
    run(make_a_transport_of_it, NULL);
}
