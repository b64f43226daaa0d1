/* Sockets and descriptors: data, ends, errors, and what a cancellation leaves. */
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- sockets ------------------------------------------------------------------------------- */

/* A task that reads once; the text is for whoever looks. */
struct reader_args {
    int fd;
    char *text;
};

static int reader(void *arg)
{
    struct reader_args *a = arg;
    ssize_t got = cora_sock_recv(a->fd, a->text, 15);

    if (got >= 0)
        a->text[got] = '\0';
    return (int)got;
}

struct waiter_args {
    int fd;
};

static int waits_readable(void *arg)
{
    return cora_wait_readable(((struct waiter_args *)arg)->fd);
}

static cora_task *wait_readable_task(int fd)
{
    struct waiter_args args = {fd};

    return cora_loop_create_task_copy(NULL, NULL, waits_readable, "waits_readable", &args,
                                      sizeof args);
}

/* ---- receiving ----------------------------------------------------------------------------- */

struct mark_args {
    bool *ran;
};

static int mark(void *arg)
{
    *((struct mark_args *)arg)->ran = true;
    return 0;
}

static int receive_what_is_there(void *arg)
{
    char text[16] = "";
    bool ran = false;
    cora_task *task = cora_create_task(mark, .ran = &ran);
    ssize_t got;
    int fds[2];

    (void)arg;
    make_pair(fds);
    put(fds[1], "hello");
    got = cora_sock_recv(fds[0], text, sizeof text);
    assert_int_equal(got, 5);
    assert_string_equal(text, "hello");
    assert_false(ran);
    close_pair(fds);
    return cora_await_unref(task);
}

TEST(to_receive_what_is_there_does_not_suspend)
{
    int rc = run_virtual(receive_what_is_there, NULL);

    assert_int_equal(rc, 0);
}

static int receive_later(void *arg)
{
    char text[16];
    cora_task *task;
    int fds[2], rc;

    (void)arg;
    make_pair(fds);
    task = cora_create_task(reader, .fd = fds[0], .text = text);
    rc = rest(3);
    assert_int_equal(rc, 0);
    put(fds[1], "hello");
    rc = cora_await_unref(task);
    assert_int_equal(rc, 5);
    assert_string_equal(text, "hello");
    close_pair(fds);
    return 0;
}

TEST(to_receive_what_comes_later_suspends)
{
    int rc = run_virtual(receive_later, NULL);

    assert_int_equal(rc, 0);
}

/* Short reads let the next one ask for readiness first: nothing may be missed by that. */
static int receive_in_pieces(void *arg)
{
    char text[16];
    cora_task *task;
    int fds[2], rc;

    (void)arg;
    make_pair(fds);
    for (int i = 0; i < 5; i++) {
        task = cora_create_task(reader, .fd = fds[0], .text = text);
        rc = rest(i);
        assert_int_equal(rc, 0);
        put(fds[1], "ab");
        rc = cora_await_unref(task);
        assert_int_equal(rc, 2);
    }
    put(fds[1], "0123456789abcdefghi");
    task = cora_create_task(reader, .fd = fds[0], .text = text);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 15);
    task = cora_create_task(reader, .fd = fds[0], .text = text);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 4);
    close_fd(fds[1]);
    rc = (int)cora_sock_recv(fds[0], text, sizeof text);
    assert_int_equal(rc, 0);
    close_fd(fds[0]);
    return 0;
}

TEST(data_in_pieces_comes_in_pieces_and_then_the_end)
{
    int rc = run_virtual(receive_in_pieces, NULL);

    assert_int_equal(rc, 0);
}

static int receive_the_end(void *arg)
{
    char text[16];
    cora_task *task;
    int fds[2], rc;

    (void)arg;
    make_pair(fds);
    task = cora_create_task(reader, .fd = fds[0], .text = text);
    rc = rest(2);
    assert_int_equal(rc, 0);
    rc = shutdown(fds[1], SHUT_WR);
    assert_int_equal(rc, 0);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    put(fds[0], "bye"); /* the other half is open */
    rc = (int)cora_sock_recv(fds[1], text, sizeof text);
    assert_int_equal(rc, 3);
    close_pair(fds);
    return 0;
}

TEST(the_end_of_the_stream_is_zero_and_closes_one_direction)
{
    int rc = run_virtual(receive_the_end, NULL);

    assert_int_equal(rc, 0);
}

static int receive_nothing(void *arg)
{
    char text[1];
    ssize_t got;
    int fds[2];

    (void)arg;
    make_pair(fds);
    got = cora_sock_recv(fds[0], text, 0);
    assert_int_equal(got, 0);
    close_pair(fds);
    return 0;
}

TEST(to_receive_no_bytes_does_not_suspend)
{
    int rc = run_virtual(receive_nothing, NULL);

    assert_int_equal(rc, 0);
}

static int reset(void *arg)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    struct sockaddr_in address;
    int listener = make_listener(&address, 5);
    int client = connect_tcp(&address), server = cora_sock_accept(listener, NULL, NULL), rc;
    char text[16];
    cora_task *task;

    (void)arg;
    assert_true(server >= 0);
    task = cora_create_task(reader, .fd = client, .text = text);
    rc = rest(2);
    assert_int_equal(rc, 0);
    rc = setsockopt(server, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    assert_int_equal(rc, 0);
    close_fd(server);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECONNRESET);
    close_fd(client);
    close_fd(listener);
    return 0;
}

TEST(a_reset_by_the_peer_is_econnreset)
{
    int rc = run_virtual(reset, NULL);

    assert_int_equal(rc, 0);
}

static int receive_twice(void *arg)
{
    char text[16], other[16];
    cora_task *task;
    size_t sent = 0;
    ssize_t got;
    int fds[2], rc;

    (void)arg;
    make_pair(fds);
    task = cora_create_task(reader, .fd = fds[0], .text = text);
    rc = rest(2);
    assert_int_equal(rc, 0);
    got = cora_sock_recv(fds[0], other, sizeof other);
    assert_int_equal(got, -EBUSY);
    rc = cora_wait_readable(fds[0]);
    assert_int_equal(rc, -EBUSY);
    rc = cora_sock_sendall(fds[0], "x", 1, &sent); /* the other direction is free */
    assert_int_equal(rc, 0);
    assert_int_equal(sent, 1);
    put(fds[1], "mine");
    rc = cora_await_unref(task);
    assert_int_equal(rc, 4);
    close_pair(fds);
    return 0;
}

TEST(a_second_reader_is_refused_and_the_first_undisturbed)
{
    int rc = run_virtual(receive_twice, NULL);

    assert_int_equal(rc, 0);
}

/* ---- sending ------------------------------------------------------------------------------- */

struct sender_args {
    int fd;
    const unsigned char *data;
    size_t *sent;
};

static int sender(void *arg)
{
    struct sender_args *a = arg;
    int rc = cora_sock_sendall(a->fd, a->data, BIG, a->sent);

    shutdown(a->fd, SHUT_WR);
    return rc;
}

static int send_big(void *arg)
{
    int *fds = arg;
    unsigned char *data = make_big();
    size_t sent = 0, got;
    cora_task *task = cora_create_task(sender, .fd = fds[0], .data = data, .sent = &sent);
    int rc;

    got = read_all(fds[1]);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    assert_int_equal(sent, BIG);
    assert_int_equal(got, BIG);
    free(data);
    return 0;
}

static int send_big_by_pair(void *arg)
{
    int fds[2];

    (void)arg;
    make_pair(fds);
    send_big(fds);
    close_pair(fds);
    return 0;
}

TEST(ten_megabytes_reach_a_slow_reader)
{
    int rc = run_virtual(send_big_by_pair, NULL);

    assert_int_equal(rc, 0);
}

static int send_big_by_tcp(void *arg)
{
    struct sockaddr_in address;
    int listener = make_listener(&address, 5), fds[2];

    (void)arg;
    fds[0] = connect_tcp(&address);
    fds[1] = cora_sock_accept(listener, NULL, NULL);
    send_big(fds);
    close_pair(fds);
    close_fd(listener);
    return 0;
}

TEST(ten_megabytes_reach_a_slow_reader_over_tcp)
{
    int rc = run_virtual(send_big_by_tcp, NULL);

    assert_int_equal(rc, 0);
}

static int send_nothing(void *arg)
{
    size_t sent = 7;
    int fds[2], rc;

    (void)arg;
    make_pair(fds);
    rc = cora_sock_sendall(fds[0], "", 0, &sent);
    assert_int_equal(rc, 0);
    assert_int_equal(sent, 0);
    rc = cora_sock_sendall(fds[0], "a", 1, NULL);
    assert_int_equal(rc, 0);
    close_pair(fds);
    return 0;
}

TEST(to_send_nothing_is_done_at_once_and_the_count_is_optional)
{
    int rc = run_virtual(send_nothing, NULL);

    assert_int_equal(rc, 0);
}

static int send_to_nobody(void *arg)
{
    size_t sent = 7;
    int fds[2], rc;

    (void)arg;
    make_pair(fds);
    close_fd(fds[1]);
    rc = cora_sock_sendall(fds[0], "hello", 5, &sent);
    assert_int_equal(rc, -EPIPE);
    assert_int_equal(sent, 0);
    close_fd(fds[0]);
    return 0;
}

TEST(to_send_to_a_closed_peer_is_epipe_and_no_signal)
{
    int rc = run_virtual(send_to_nobody, NULL);

    assert_int_equal(rc, 0);
}

static int close_under_the_sender(void *arg)
{
    unsigned char *data = make_big();
    cora_task *task;
    size_t sent = 0;
    int fds[2], rc;

    (void)arg;
    make_pair(fds);
    task = cora_create_task(sender, .fd = fds[0], .data = data, .sent = &sent);
    rc = rest(3);
    assert_int_equal(rc, 0);
    close_fd(fds[1]);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -EPIPE);
    assert_true(sent > 0 && sent < BIG);
    close_fd(fds[0]);
    free(data);
    return 0;
}

TEST(a_sender_that_waits_hears_when_its_peer_closes)
{
    int rc = run_virtual(close_under_the_sender, NULL);

    assert_int_equal(rc, 0);
}

/* ---- connecting and accepting -------------------------------------------------------------- */

struct server_args {
    int listener, connections;
};

struct echo_args {
    int fd;
};

static int echo(void *arg)
{
    struct echo_args *a = arg;
    char buffer[64];
    ssize_t got;
    int rc = 0;

    while (rc == 0 && (got = cora_sock_recv(a->fd, buffer, sizeof buffer)) != 0)
        rc = got < 0 ? (int)got : cora_sock_sendall(a->fd, buffer, (size_t)got, NULL);
    close_fd(a->fd);
    return rc;
}

static int server(void *arg)
{
    struct server_args *a = arg;
    cora_task_group group;
    int rc = 0;

    cora_task_group_enter(&group);
    for (int i = 0; i < a->connections && rc == 0; i++) {
        int fd = cora_sock_accept(a->listener, NULL, NULL);

        rc = fd < 0 ? fd : cora_task_group_create_task(&group, echo, .fd = fd);
    }
    return cora_task_group_exit(&group, rc);
}

struct client_args {
    const struct sockaddr_in *address;
    int number;
};

static int client(void *arg)
{
    struct client_args *a = arg;
    int fd = connect_tcp(a->address);

    for (int i = 0; i < 3; i++) {
        char text[32], answer[32] = "";
        ssize_t got;
        int rc;

        snprintf(text, sizeof text, "%d/%d", a->number, i);
        rc = cora_sock_sendall(fd, text, strlen(text), NULL);
        assert_int_equal(rc, 0);
        got = cora_sock_recv(fd, answer, sizeof answer);
        assert_int_equal(got, strlen(text));
        assert_string_equal(answer, text);
    }
    close_fd(fd);
    return 0;
}

static int talk(void *arg)
{
    int connections = *(int *)arg, rc;
    struct sockaddr_in address;
    int listener = make_listener(&address, 512);
    cora_task_group group;

    cora_task_group_enter(&group);
    rc = cora_task_group_create_task(&group, server, .listener = listener,
                                     .connections = connections);
    for (int i = 0; i < connections && rc == 0; i++)
        rc = cora_task_group_create_task(&group, client, .address = &address, .number = i);
    rc = cora_task_group_exit(&group, rc);
    close_fd(listener);
    return rc;
}

TEST(a_client_and_a_server_talk_over_loopback)
{
    int connections = 1;
    int rc = run_virtual(talk, &connections);

    assert_int_equal(rc, 0);
}

TEST(two_hundred_connections_talk_at_once)
{
    int connections = 200;
    int rc = run_virtual(talk, &connections);

    assert_int_equal(rc, 0);
}

static int be_refused(void *arg)
{
    struct sockaddr_in address;
    int listener = make_listener(&address, 5), fd = make_tcp(), rc;

    (void)arg;
    close_fd(listener);
    rc = cora_sock_connect(fd, (struct sockaddr *)&address, sizeof address);
    assert_int_equal(rc, -ECONNREFUSED);
    close_fd(fd);
    return 0;
}

TEST(to_connect_where_nobody_listens_is_econnrefused)
{
    int rc = run_virtual(be_refused, NULL);

    assert_int_equal(rc, 0);
}

static int accept_and_look(void *arg)
{
    struct sockaddr_in address, peer = {0}, own = {0};
    socklen_t length = sizeof peer, own_length = sizeof own;
    int listener = make_listener(&address, 5), fd = connect_tcp(&address);
    int accepted = cora_sock_accept(listener, (struct sockaddr *)&peer, &length), flags, rc;

    (void)arg;
    assert_true(accepted >= 0);
    rc = getsockname(fd, (struct sockaddr *)&own, &own_length);
    assert_int_equal(rc, 0);
    assert_int_equal(length, sizeof peer);
    assert_int_equal(peer.sin_port, own.sin_port);
    flags = fcntl(accepted, F_GETFL);
    assert_true(flags & O_NONBLOCK);
    flags = fcntl(accepted, F_GETFD);
    assert_true(flags & FD_CLOEXEC);
    close_fd(accepted);
    close_fd(fd);
    close_fd(listener);
    return 0;
}

TEST(accept_tells_the_peers_address_and_its_sockets_are_nonblocking_and_closed_on_exec)
{
    int rc = run_virtual(accept_and_look, NULL);

    assert_int_equal(rc, 0);
}

static int run_out_of_descriptors(void *arg)
{
    struct sockaddr_in address;
    int listener = make_listener(&address, 5), clients[2], accepted, rc;
    struct rlimit before, limit;

    (void)arg;
    clients[0] = connect_tcp(&address);
    rc = getrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(rc, 0);
    limit = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    rc = setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(rc, 0);
    accepted = cora_sock_accept(listener, NULL, NULL);
    rc = setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(rc, 0);
    assert_int_equal(accepted, -EMFILE);
    clients[1] = connect_tcp(&address); /* valgrind's own limit has dropped the first one */
    accepted = cora_sock_accept(listener, NULL, NULL);
    assert_true(accepted >= 0);
    close_fd(accepted);
    close_pair(clients);
    close_fd(listener);
    return 0;
}

TEST(without_descriptors_accept_says_so_and_can_be_tried_again)
{
    int rc = run_virtual(run_out_of_descriptors, NULL);

    assert_int_equal(rc, 0);
}

/* A Unix socket, in no file system, whose queue of connections is full. */
static int find_the_queue_full(void *arg)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof(sa_family_t); /* the kernel gives it a name */
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), fds[2], rc;

    (void)arg;
    rc = bind(listener, (struct sockaddr *)&address, length);
    assert_int_equal(rc, 0);
    length = sizeof address;
    rc = getsockname(listener, (struct sockaddr *)&address, &length);
    assert_int_equal(rc, 0);
    rc = listen(listener, 0);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 2; i++) {
        fds[i] = socket(AF_UNIX, SOCK_STREAM, 0);
        rc = cora_sock_connect(fds[i], (struct sockaddr *)&address, length);
        assert_int_equal(rc, i == 0 ? 0 : -EAGAIN);
    }
    close_pair(fds);
    close_fd(listener);
    return 0;
}

TEST(a_unix_socket_whose_queue_is_full_says_so)
{
    int rc = run_virtual(find_the_queue_full, NULL);

    assert_int_equal(rc, 0);
}

static int connect_twice(void *arg)
{
    struct sockaddr_in address;
    int listener = make_listener(&address, 5), fd = connect_tcp(&address), rc;

    (void)arg;
    rc = cora_sock_connect(fd, (struct sockaddr *)&address, sizeof address);
    assert_int_equal(rc, -EISCONN);
    rc = cora_sock_sendall(fd, "a", 1, NULL); /* and so it is */
    assert_int_equal(rc, 0);
    close_fd(fd);
    close_fd(listener);
    return 0;
}

TEST(to_connect_what_is_connected_is_eisconn)
{
    int rc = run_virtual(connect_twice, NULL);

    assert_int_equal(rc, 0);
}

/* ---- cancellation -------------------------------------------------------------------------- */

/* Data comes, and so many iterations later the cancellation: it is read now or stays to be read. */
static int cancel_a_reader(void *arg)
{
    int hops = *(int *)arg, fds[2], rc;
    char text[16] = "";
    cora_task *task;
    ssize_t got;

    make_pair(fds);
    task = cora_create_task(reader, .fd = fds[0], .text = text);
    rc = rest(2);
    assert_int_equal(rc, 0);
    if (hops >= 0)
        put(fds[1], "hello");
    rc = rest(hops);
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_true(rc == 5 || rc == -ECANCELED);
    if (hops < 0)
        put(fds[1], "hello");
    got = rc == 5 ? 5 : cora_sock_recv(fds[0], text, sizeof text);
    assert_int_equal(got, 5);
    assert_memory_equal(text, "hello", 5);
    close_pair(fds);
    return 0;
}

TEST(a_reader_that_is_cancelled_loses_nothing)
{
    for (int hops = -1; hops < 20; hops++) {
        int rc = run_virtual(cancel_a_reader, &hops);

        assert_int_equal(rc, 0);
    }
}

struct canceller {
    int fd;
    cora_task *reader;
};

/* Runs in the iteration in which its own descriptor, and so the reader's, is ready. */
static void on_readable(void *arg)
{
    struct canceller *canceller = arg;

    cora_task_cancel(canceller->reader);
    cora_loop_remove_reader(cora_get_running_loop(), canceller->fd);
}

static int cancel_a_ready_reader(void *arg)
{
    bool before = *(bool *)arg;
    struct canceller canceller;
    int ours[2], theirs[2], rc;
    cora_loop *loop = cora_get_running_loop();
    char text[16] = "";
    ssize_t got;

    make_pair(ours);
    make_pair(theirs);
    canceller.fd = theirs[0];
    canceller.reader = cora_create_task(reader, .fd = ours[0], .text = text);
    if (before) {
        rc = cora_loop_add_reader(loop, theirs[0], on_readable, &canceller);
        assert_int_equal(rc, 0);
    }
    rc = rest(2);
    assert_int_equal(rc, 0);
    if (!before) {
        rc = cora_loop_add_reader(loop, theirs[0], on_readable, &canceller);
        assert_int_equal(rc, 0);
    }
    put(ours[1], "hello");
    put(theirs[1], "now");
    rc = cora_await_unref(canceller.reader);
    assert_int_equal(rc, -ECANCELED);
    got = cora_sock_recv(ours[0], text, sizeof text);
    assert_int_equal(got, 5);
    close_pair(ours);
    close_pair(theirs);
    return 0;
}

TEST(a_reader_cancelled_in_the_iteration_in_which_data_comes_loses_nothing)
{
    for (int before = 0; before < 2; before++) {
        bool first = before;
        int rc = run_virtual(cancel_a_ready_reader, &first);

        assert_int_equal(rc, 0);
    }
}

static int cancel_a_sender(void *arg)
{
    unsigned char *data = make_big();
    size_t sent = 0, got;
    cora_task *task;
    int fds[2], rc;

    (void)arg;
    make_pair(fds);
    task = cora_create_task(sender, .fd = fds[0], .data = data, .sent = &sent);
    rc = rest(3);
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    assert_true(sent > 0 && sent < BIG);
    got = read_all(fds[1]);
    assert_int_equal(got, sent);
    close_pair(fds);
    free(data);
    return 0;
}

TEST(a_sender_that_is_cancelled_tells_how_much_it_has_sent)
{
    int rc = run_virtual(cancel_a_sender, NULL);

    assert_int_equal(rc, 0);
}

struct accepter_args {
    int listener;
};

static int accepter(void *arg)
{
    struct accepter_args *a = arg;

    return cora_sock_accept(a->listener, NULL, NULL);
}

static int cancel_an_accepter(void *arg)
{
    int hops = *(int *)arg, rc, accepted, fd = -1;
    struct sockaddr_in address;
    int listener = make_listener(&address, 5);
    cora_task *task = cora_create_task(accepter, .listener = listener);

    rc = rest(2);
    assert_int_equal(rc, 0);
    if (hops >= 0)
        fd = connect_tcp(&address);
    rc = rest(hops);
    assert_int_equal(rc, 0);
    cora_task_cancel(task);
    accepted = cora_await_unref(task);
    if (hops < 0)
        fd = connect_tcp(&address);
    if (accepted == -ECANCELED)
        accepted = cora_sock_accept(listener, NULL, NULL);
    assert_true(accepted >= 0);
    close_fd(accepted);
    close_fd(fd);
    close_fd(listener);
    return 0;
}

TEST(an_accept_that_is_cancelled_loses_no_connection)
{
    for (int hops = -1; hops < 10; hops++) {
        int rc = run_virtual(cancel_an_accepter, &hops);

        assert_int_equal(rc, 0);
    }
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

/* A listener whose queue is full does not answer: the attempt hangs. */
static int cancel_a_connecter(void *arg)
{
    struct sockaddr_in address;
    int listener = make_listener(&address, 0), first = connect_tcp(&address);
    int fd = make_tcp(), rc;
    cora_task *task = cora_create_task(connecter, .fd = fd, .address = &address);
    bool done;

    (void)arg;
    rc = rest(5);
    assert_int_equal(rc, 0);
    done = cora_task_done(task);
    assert_false(done);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    task = cora_create_task(connecter, .fd = fd, .address = &address); /* it still goes on */
    rc = rest(5);
    assert_int_equal(rc, 0);
    done = cora_task_done(task);
    assert_false(done);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    close_fd(fd);
    close_fd(first);
    close_fd(listener);
    return 0;
}

TEST(a_connect_that_is_cancelled_goes_on_and_can_be_waited_for_again)
{
    int rc = run_virtual(cancel_a_connecter, NULL);

    assert_int_equal(rc, 0);
}

/* ---- descriptors that go and come ---------------------------------------------------------- */

static int close_under_the_reader(void *arg)
{
    char text[16];
    cora_task *task;
    int fds[2], rc;

    (void)arg;
    make_pair(fds);
    task = cora_create_task(reader, .fd = fds[0], .text = text);
    rc = rest(2);
    assert_int_equal(rc, 0);
    close_fd(fds[0]);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -EBADF);
    close_fd(fds[1]);
    return 0;
}

TEST(a_reader_whose_descriptor_is_closed_gets_ebadf)
{
    int rc = run_virtual(close_under_the_reader, NULL);

    assert_int_equal(rc, 0);
}

static int reuse_the_number(void *arg)
{
    int hops = *(int *)arg, old[2], new[2], rc;
    char old_text[16], new_text[16] = "";
    cora_task *old_reader, *new_reader;

    make_pair(old);
    old_reader = cora_create_task(reader, .fd = old[0], .text = old_text);
    rc = rest(hops);
    assert_int_equal(rc, 0);
    close_fd(old[0]);
    make_pair(new);
    assert_int_equal(new[0], old[0]);
    new_reader = cora_create_task(reader, .fd = new[0], .text = new_text);
    rc = rest(hops);
    assert_int_equal(rc, 0);
    put(new[1], "new");
    rc = cora_await_unref(old_reader);
    assert_int_equal(rc, -EBADF);
    rc = cora_await_unref(new_reader);
    assert_int_equal(rc, 3);
    assert_string_equal(new_text, "new");
    close_fd(old[1]);
    close_pair(new);
    return 0;
}

TEST(a_number_that_is_used_again_at_once_belongs_to_the_new_descriptor)
{
    for (int hops = 1; hops < 4; hops++) {
        int rc = run_virtual(reuse_the_number, &hops);

        assert_int_equal(rc, 0);
    }
}

/* The poller may still believe that it watches the number: that descriptor is gone. */
static int reuse_a_number_known_to_the_poller(void *arg)
{
    bool by_hand = *(bool *)arg;
    char text[16] = "";
    int fds[2];

    for (int i = 0; i < 5; i++) {
        cora_task *task;
        int rc;

        make_pair(fds);
        if (by_hand) {
            cora_fd_opened(fds[0]);
            cora_fd_opened(fds[1]);
        }
        task = cora_create_task(reader, .fd = fds[0], .text = text);
        rc = rest(3);
        assert_int_equal(rc, 0);
        put(fds[1], "ab");
        rc = cora_await_unref(task);
        assert_int_equal(rc, 2);
        if (by_hand) {
            close(fds[0]);
            close(fds[1]);
        } else {
            close_pair(fds);
        }
    }
    return 0;
}

TEST(a_number_is_watched_anew_with_every_descriptor)
{
    bool by_hand = false;
    int rc = run_virtual(reuse_a_number_known_to_the_poller, &by_hand);

    assert_int_equal(rc, 0);
}

TEST(a_number_closed_by_other_means_is_watched_anew_once_it_is_announced)
{
    bool by_hand = true;
    int rc = run_virtual(reuse_a_number_known_to_the_poller, &by_hand);

    assert_int_equal(rc, 0);
}

static int use_bad_descriptors(void *arg)
{
    char text[16];
    int fds[2], rc;
    ssize_t got;

    (void)arg;
    make_pair(fds);
    close_pair(fds);
    got = cora_sock_recv(-1, text, sizeof text);
    assert_int_equal(got, -EBADF);
    got = cora_sock_recv(fds[0], text, sizeof text);
    assert_int_equal(got, -EBADF);
    rc = cora_sock_sendall(fds[0], "a", 1, NULL);
    assert_int_equal(rc, -EBADF);
    rc = cora_sock_accept(fds[0], NULL, NULL);
    assert_int_equal(rc, -EBADF);
    rc = cora_sock_connect(fds[0], (struct sockaddr *)text, sizeof text);
    assert_int_equal(rc, -EBADF);
    rc = cora_wait_readable(-1);
    assert_int_equal(rc, -EBADF);
    rc = cora_wait_writable(fds[0]);
    assert_int_equal(rc, -EBADF);
    rc = cora_close_fd(fds[0]);
    assert_int_equal(rc, -EBADF);
    rc = cora_close_fd(-1);
    assert_int_equal(rc, -EBADF);
    got = cora_sock_recv(STDIN_FILENO, text, sizeof text);
    assert_int_equal(got, -ENOTSOCK);
    return 0;
}

TEST(what_is_not_open_or_not_a_socket_is_an_error)
{
    int null = open("/dev/null", O_RDONLY);
    int rc = dup2(null, STDIN_FILENO);

    assert_int_equal(rc, STDIN_FILENO);
    rc = run_virtual(use_bad_descriptors, NULL);
    assert_int_equal(rc, 0);
}

static int wait_for_a_file(void *arg)
{
    int rc = cora_wait_readable(*(int *)arg);

    assert_int_equal(rc, -EPERM);
    rc = cora_wait_writable(*(int *)arg);
    assert_int_equal(rc, -EPERM);
    return 0;
}

TEST(what_cannot_be_polled_is_refused)
{
    FILE *file = tmpfile();
    int fd = fileno(file);
    int rc = run_virtual(wait_for_a_file, &fd);

    assert_int_equal(rc, 0);
    fclose(file);
}

static int use_a_pipe(void *arg)
{
    char byte = 'x';
    int fds[2], rc;
    cora_task *task;
    ssize_t done;

    (void)arg;
    rc = pipe(fds);
    assert_int_equal(rc, 0);
    rc = cora_wait_writable(fds[1]);
    assert_int_equal(rc, 0);
    task = wait_readable_task(fds[0]);
    rc = rest(3);
    assert_int_equal(rc, 0);
    done = write(fds[1], &byte, 1);
    assert_int_equal(done, 1);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    done = read(fds[0], &byte, 1);
    assert_int_equal(done, 1);
    close_fd(fds[1]);
    rc = cora_wait_readable(fds[0]); /* its end */
    assert_int_equal(rc, 0);
    close_fd(fds[0]);
    return 0;
}

TEST(pipes_can_be_waited_for)
{
    int rc = run_virtual(use_a_pipe, NULL);

    assert_int_equal(rc, 0);
}

static int read_and_write_one(void *arg)
{
    unsigned char *data = make_big();
    char text[16] = "";
    size_t sent = 0, got;
    cora_task *writing, *reading;
    int fds[2], rc;

    (void)arg;
    make_pair(fds);
    writing = cora_create_task(sender, .fd = fds[0], .data = data, .sent = &sent);
    reading = cora_create_task(reader, .fd = fds[0], .text = text);
    rc = rest(3);
    assert_int_equal(rc, 0);
    put(fds[1], "hello");
    rc = cora_await_unref(reading);
    assert_int_equal(rc, 5);
    got = read_all(fds[1]);
    assert_int_equal(got, BIG);
    rc = cora_await_unref(writing);
    assert_int_equal(rc, 0);
    close_pair(fds);
    free(data);
    return 0;
}

TEST(one_task_reads_a_descriptor_while_another_writes_it)
{
    int rc = run_virtual(read_and_write_one, NULL);

    assert_int_equal(rc, 0);
}

TEST(outside_a_task_what_is_there_can_be_received_but_not_waited_for)
{
    char text[16];
    ssize_t got;
    int fds[2], rc;

    make_pair(fds);
    put(fds[1], "ab");
    got = cora_sock_recv(fds[0], text, sizeof text);
    assert_int_equal(got, 2);
    got = cora_sock_recv(fds[0], text, sizeof text);
    assert_int_equal(got, -CORA_ENOTASK);
    rc = cora_wait_readable(fds[0]);
    assert_int_equal(rc, -CORA_ENOTASK);
    rc = cora_sock_accept(fds[0], NULL, NULL);
    assert_true(rc < 0);
    close_pair(fds);
}

/* ---- closed by other means ------------------------------------------------------------------ */

static int put_later(void *fd)
{
    int rc = cora_sleep(1);

    put(*(int *)fd, "new");
    return rc;
}

/* To the end of the stream, so that the descriptor is known to be empty, and watched. */
static int receive_all(int fds[2])
{
    cora_task *task = cora_create_task_arg(put_later, &fds[1]);
    char text[16];
    ssize_t got = cora_sock_recv(fds[0], text, sizeof text);
    int rc = cora_await_unref(task);

    assert_int_equal(got, 3);
    close(fds[1]);
    got = cora_sock_recv(fds[0], text, sizeof text);
    assert_int_equal(got, 0);
    return rc;
}

static int receive_on_a_number_of_old(void *arg)
{
    int fds[2], number, rc;
    cora_timeout timeout;
    cora_task *task;
    char text[16];

    (void)arg;
    make_pair(fds);
    number = fds[0];
    rc = receive_all(fds);
    assert_int_equal(rc, 0);
    close(fds[0]); /* behind the loop's back */
    make_pair(fds);
    assert_int_equal(fds[0], number);
    task = cora_create_task_arg(put_later, &fds[1]);
    cora_timeout_enter(&timeout, 5);
    rc = (int)cora_sock_recv(fds[0], text, sizeof text);
    rc = cora_timeout_exit(&timeout, rc);
    assert_int_equal(rc, 3);
    rc = cora_await_unref(task);
    close_pair(fds);
    return rc;
}

TEST(after_the_end_of_a_stream_and_a_plain_close_the_number_is_as_good_as_new)
{
    int rc = run_virtual(receive_on_a_number_of_old, NULL);

    assert_int_equal(rc, 0);
}
