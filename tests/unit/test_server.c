#include "support/server.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

static void run(cora_task_fn *fn)
{
    assert_int_equal(run_virtual(fn, NULL), 0);
}

/* The server is closed and its connections are lost: the reference goes. */
static void end(cora_server *server)
{
    cora_server_close(server);
    assert_int_equal(cora_server_wait_closed(server), 0);
    cora_server_unref(server);
}

static int option_of(int fd, int level, int name)
{
    int value = -1;
    int rc = getsockopt(fd, level, name, &value, &(socklen_t){sizeof value});

    assert_int_equal(rc, 0);
    return value;
}

static const char *port_text(in_port_t port)
{
    static char text[8];

    snprintf(text, sizeof text, "%u", ntohs(port));
    return text;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* ---- connections ---------------------------------------------------------------------------- */

static int serves(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = serve_lobby(&lobby, NULL);
    char text[8] = "";
    int fd = connect_server(server);

    (void)arg;
    assert_ptr_equal(cora_server_get_loop(server), cora_get_running_loop());
    put(fd, "hello");
    wait_guests(&lobby, 1);
    assert_int_equal(wait_received(&lobby.guests[0], 5), 0);
    assert_int_equal(cora_transport_write(lobby.guests[0].transport, "bye", 3), 0);
    assert_int_equal(read(fd, text, sizeof text), 3);
    assert_string_equal(text, "bye");
    close_fd(fd);
    assert_int_equal(wait_lost(&lobby.guests[0]), 0);
    end(server);
    return 0;
}

TEST(a_connection_is_served)
{
    run(serves);
    assert_string_equal(trace_text, "made data hello eof lost ");
}

static int keeps_itself(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = serve_lobby(&lobby, NULL);
    cora_address address = server_address(server);
    int fd = connect_server(server);

    (void)arg;
    cora_server_unref(server);
    wait_guests(&lobby, 1);
    close_fd(fd);
    wait_guests_lost(&lobby, 1);
    fd = connect_tcp((struct sockaddr_in *)&address.storage);
    wait_guests(&lobby, 2);
    close_fd(fd);
    wait_guests_lost(&lobby, 2);
    return 0;
}

TEST(a_server_without_a_reference_serves_on)
{
    run(keeps_itself);
}

/* ---- addresses ------------------------------------------------------------------------------ */

static int serves_everywhere(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = NULL;
    int fds[4] = {0};
    size_t count;

    assert_int_equal(cora_create_server(record_next, &lobby, arg, "0", NULL, &server), 0);
    count = cora_server_sockets(server, fds, 4);
    assert_in_range(count, 1, 2); /* without IPv6 one */
    for (size_t i = 0; i < count; i++) {
        int family = option_of(fds[i], SOL_SOCKET, SO_DOMAIN);

        assert_true(family == AF_INET || family == AF_INET6);
        if (family == AF_INET6)
            assert_int_equal(option_of(fds[i], IPPROTO_IPV6, IPV6_V6ONLY), 1);
        assert_int_equal(option_of(fds[i], SOL_SOCKET, SO_ACCEPTCONN), 1);
        assert_int_equal(option_of(fds[i], SOL_SOCKET, SO_REUSEADDR), 1);
    }
    end(server);
    assert_false(is_open(fds[0]));
    return 0;
}

TEST(no_host_is_all_interfaces)
{
    assert_int_equal(run_virtual(serves_everywhere, NULL), 0);
}

TEST(an_empty_host_is_all_interfaces)
{
    assert_int_equal(run_virtual(serves_everywhere, ""), 0);
}

static int serves_several(void *arg)
{
    const char *const hosts[] = {"127.0.0.1", "127.0.0.2", "127.0.0.1", "192.0.2.1", NULL};
    cora_server_options options = {.hosts = hosts};
    struct lobby lobby = {0};
    cora_server *server = NULL;
    int fds[4];

    (void)arg;
    assert_int_equal(cora_create_server(record_next, &lobby, NULL, "0", &options, &server), 0);
    assert_int_equal(cora_server_sockets(server, fds, 4), 2);
    assert_int_equal(cora_server_sockets(server, fds, 1), 2);
    end(server);
    return 0;
}

TEST(several_hosts_have_each_address_once_and_what_is_not_ours_is_passed_over)
{
    run(serves_several);
}

static int binds_all_or_none(void *arg)
{
    const char *const hosts[] = {"127.0.0.1", "127.0.0.2", "192.0.2.1", NULL};
    cora_address failed = {0};
    cora_server_options options = {.hosts = hosts, .ret_address = &failed};
    const struct sockaddr_in *at = (struct sockaddr_in *)&failed.storage;
    struct sockaddr_in taken = {.sin_family = AF_INET,
                                .sin_addr = {.s_addr = inet_addr("127.0.0.2")}};
    socklen_t length = sizeof taken;
    cora_server *server = NULL;
    struct lobby lobby = {0};
    int fd = make_tcp(), again = make_tcp(), rc;

    (void)arg;
    rc = bind(fd, (struct sockaddr *)&taken, length);
    assert_int_equal(rc, 0);
    rc = getsockname(fd, (struct sockaddr *)&taken, &length);
    assert_int_equal(rc, 0);
    rc = listen(fd, 1);
    assert_int_equal(rc, 0);
    rc =
        cora_create_server(record_next, &lobby, NULL, port_text(taken.sin_port), &options, &server);
    assert_int_equal(rc, -EADDRINUSE);
    assert_null(server);
    assert_int_equal(failed.length, sizeof *at);
    assert_int_equal(at->sin_port, taken.sin_port);
    assert_int_equal(at->sin_addr.s_addr, taken.sin_addr.s_addr);
    taken.sin_addr.s_addr = inet_addr("127.0.0.1");
    rc = bind(again, (struct sockaddr *)&taken, length);
    assert_int_equal(rc, 0);
    close_fd(again);
    close_fd(fd);
    return 0;
}

TEST(all_addresses_are_bound_or_none_and_the_error_names_the_one)
{
    run(binds_all_or_none);
}

/* Both may bind, for neither listens; then the second cannot listen. */
static int cannot_listen(void *arg)
{
    cora_address failed = {0};
    cora_server_options options = {.ret_address = &failed, .start_serving = CORA_OFF};
    struct lobby lobby = {0};
    cora_server *server = serve_lobby(&lobby, &options), *other = NULL;
    cora_address address = server_address(server);
    in_port_t port = ((struct sockaddr_in *)&address.storage)->sin_port;
    int rc;

    (void)arg;
    options.start_serving = 0;
    rc = cora_create_server(record_next, &lobby, "127.0.0.1", port_text(port), &options, &other);
    assert_int_equal(rc, 0);
    rc = cora_server_start_serving(server);
    assert_int_equal(rc, -EADDRINUSE);
    assert_false(cora_server_is_serving(server));
    rc = cora_server_serve_forever(server);
    assert_int_equal(rc, -EADDRINUSE);
    cora_server_close(other);
    cora_server_unref(other);
    rc = cora_server_start_serving(server);
    assert_int_equal(rc, 0);
    end(server);
    return 0;
}

TEST(a_socket_that_cannot_listen_fails_the_start_and_may_start_later)
{
    run(cannot_listen);
}

static int is_not_here(void *arg)
{
    cora_address failed = {0};
    cora_server_options options = {.ret_address = &failed};
    struct lobby lobby = {0};
    cora_server *server = NULL;

    (void)arg;
    assert_int_equal(cora_create_server(record_next, &lobby, "192.0.2.1", "0", &options, &server),
                     -EADDRNOTAVAIL);
    assert_int_equal(((struct sockaddr_in *)&failed.storage)->sin_addr.s_addr,
                     inet_addr("192.0.2.1"));
    assert_int_equal(cora_create_server(record_next, &lobby, "127.0.0.1", "no such", NULL, &server),
                     -CORA_EAI_SERVICE);
    assert_null(server);
    return 0;
}

TEST(an_address_of_nobodys_and_a_name_of_nothing_are_errors)
{
    run(is_not_here);
}

static int asks_wrongly(void *arg)
{
    const char *const hosts[] = {"127.0.0.1", NULL}, *const none[] = {NULL};
    cora_server_options options = {.hosts = hosts};
    cora_server *server = NULL;

    (void)arg;
    assert_int_equal(cora_create_server(record_next, NULL, NULL, NULL, NULL, &server), -EINVAL);
    assert_int_equal(cora_create_server(record_next, NULL, "::1", "0", &options, &server), -EINVAL);
    options.hosts = none;
    assert_int_equal(cora_create_server(record_next, NULL, NULL, "0", &options, &server),
                     -EADDRNOTAVAIL);
    assert_int_equal(cora_create_unix_server(record_next, NULL, NULL, NULL, &server), -EINVAL);
    assert_int_equal(cora_create_unix_server(record_next, NULL, "", NULL, &server), -EINVAL);
    assert_null(server);
    return 0;
}

TEST(what_makes_no_sense_is_refused)
{
    run(asks_wrongly);
}

TEST(a_server_is_created_in_a_task)
{
    cora_server *server = NULL;

    assert_int_equal(cora_create_server(record_next, NULL, "::1", "0", NULL, &server),
                     -CORA_ENOTASK);
    assert_int_equal(cora_create_unix_server(record_next, NULL, "@cora", NULL, &server),
                     -CORA_ENOTASK);
    assert_null(server);
}

static int sets_options(void *arg)
{
    cora_server_options options = {
        .reuse_address = CORA_OFF, .reuse_port = true, .keep_alive = true};
    struct lobby lobby = {0};
    cora_server *server = serve_lobby(&lobby, &options);
    int fd = -1;

    (void)arg;
    assert_int_equal(cora_server_sockets(server, &fd, 1), 1);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_REUSEADDR), 0);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_REUSEPORT), 1);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    end(server);
    server = serve_lobby(&lobby, NULL);
    assert_int_equal(cora_server_sockets(server, &fd, 1), 1);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_REUSEADDR), 1);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_REUSEPORT), 0);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(cora_wait_readable(fd), -EBUSY);
    end(server);
    return 0;
}

TEST(the_sockets_have_the_options_that_were_given)
{
    run(sets_options);
}

static in_port_t bound_to(const cora_server *server)
{
    cora_address address = server_address(server);

    if (address.storage.ss_family == AF_INET6)
        return ((struct sockaddr_in6 *)&address.storage)->sin6_port;
    return ((struct sockaddr_in *)&address.storage)->sin_port;
}

static int has_a_port(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = serve_lobby(&lobby, NULL);
    int rc;

    (void)arg;
    assert_int_equal(cora_server_port(server), ntohs(bound_to(server)));
    assert_true(cora_server_port(server) > 0);
    cora_server_close(server);
    assert_int_equal(cora_server_port(server), -EBADF);
    end(server);
    rc = cora_create_server(record_next, &lobby, "::1", "0", NULL, &server);
    if (rc == 0) { /* without IPv6 there is none */
        assert_int_equal(cora_server_port(server), ntohs(bound_to(server)));
        end(server);
    }
    rc = cora_create_unix_server(record_next, &lobby, socket_path(), NULL, &server);
    assert_int_equal(rc, 0);
    assert_int_equal(cora_server_port(server), -EAFNOSUPPORT);
    end(server);
    return 0;
}

TEST(a_server_knows_its_port)
{
    run(has_a_port);
}

/* ---- serving, and the end ------------------------------------------------------------------- */

static int starts_later(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = serve_lobby(&lobby, &(cora_server_options){.start_serving = CORA_OFF});
    int fd = -1;

    (void)arg;
    assert_false(cora_server_is_serving(server));
    assert_int_equal(cora_server_sockets(server, &fd, 1), 1);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
    assert_int_equal(cora_server_start_serving(server), 0);
    assert_int_equal(cora_server_start_serving(server), 0);
    assert_true(cora_server_is_serving(server));
    fd = connect_server(server);
    wait_guests(&lobby, 1);
    cora_server_close(server);
    cora_server_close(server);
    assert_false(cora_server_is_serving(server));
    assert_int_equal(cora_server_sockets(server, NULL, 0), 0);
    assert_int_equal(cora_server_start_serving(server), -EBADF);
    assert_int_equal(cora_server_serve_forever(server), -EBADF);
    close_fd(fd);
    end(server);
    return 0;
}

TEST(a_server_serves_from_its_start_to_its_close)
{
    run(starts_later);
}

struct wait_until_closed_args {
    cora_server *server;
};

static int wait_until_closed(void *arg)
{
    const struct wait_until_closed_args *a = arg;
    int rc = cora_server_wait_closed(a->server);

    trace("closed");
    return rc;
}

static int waits(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = serve_lobby(&lobby, NULL);
    cora_task *tasks[3];
    int fd = connect_server(server);

    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = cora_create_task(wait_until_closed, .server = server);
    wait_guests(&lobby, 1);
    cora_server_close(server);
    trace("close");
    assert_int_equal(rest(5), 0);
    assert_true(cora_task_cancel(tasks[1]));
    assert_int_equal(cora_await_unref(tasks[1]), -ECANCELED);
    close_fd(fd);
    assert_int_equal(cora_await_unref(tasks[0]), 0);
    assert_int_equal(cora_await_unref(tasks[2]), 0);
    assert_int_equal(cora_server_wait_closed(server), 0);
    cora_server_unref(server);
    return 0;
}

TEST(wait_closed_waits_until_the_last_connection_is_lost)
{
    run(waits);
    assert_string_equal(trace_text, "made close closed eof lost closed closed ");
}

struct serve_args {
    cora_server *server;
};

static int serve(void *arg)
{
    return cora_server_serve_forever(((struct serve_args *)arg)->server);
}

static int serves_forever(void *arg)
{
    bool close = *(bool *)arg;
    struct lobby lobby = {0};
    cora_server *server = serve_lobby(&lobby, &(cora_server_options){.start_serving = CORA_OFF});
    cora_task *task = cora_create_task(serve, .server = server);
    int fd;

    assert_int_equal(rest(2), 0);
    assert_true(cora_server_is_serving(server));
    assert_int_equal(cora_server_serve_forever(server), -EBUSY);
    fd = connect_server(server);
    wait_guests(&lobby, 1);
    if (close)
        cora_server_close(server);
    else
        assert_true(cora_task_cancel(task));
    assert_int_equal(cora_await_unref(task), -ECANCELED);
    assert_int_equal(lobby.guests[0].lost, 1);
    assert_false(cora_server_is_serving(server));
    cora_server_unref(server);
    close_fd(fd);
    return 0;
}

TEST(serve_forever_ends_by_cancellation_and_closes_all)
{
    assert_int_equal(run_virtual(serves_forever, &(bool){false}), 0);
}

TEST(serve_forever_ends_by_close)
{
    assert_int_equal(run_virtual(serves_forever, &(bool){true}), 0);
}

/* The client reads nothing: what was written to it stays unsent, and close waits for it. */
static int ends_a_stalled_client(void *arg)
{
    struct lobby lobby = {.guests = {{.silent = true}, {.silent = true}}};
    cora_server *server = serve_lobby(&lobby, NULL);
    cora_task *task = cora_create_task(serve, .server = server);
    int fds[2] = {connect_server(server), connect_server(server)};
    unsigned char *big = make_big();

    (void)arg;
    wait_guests(&lobby, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(cora_transport_write(lobby.guests[i].transport, big, BIG), 0);
    free(big);
    assert_true(cora_task_cancel(task));
    assert_int_equal(rest(5), 0);
    assert_false(cora_task_done(task));
    assert_int_equal(lobby.guests[0].lost + lobby.guests[1].lost, 0);
    assert_true(cora_task_cancel(task)); /* so it does not wait for them any more */
    assert_int_equal(cora_await_unref(task), -ECANCELED);
    assert_int_equal(lobby.guests[0].lost + lobby.guests[1].lost, 0);
    cora_server_abort_clients(server);
    assert_int_equal(cora_server_wait_closed(server), 0);
    assert_int_equal(lobby.guests[0].lost + lobby.guests[1].lost, 2);
    cora_server_unref(server);
    close_fd(fds[0]);
    close_fd(fds[1]);
    return 0;
}

TEST(abort_clients_waits_for_nothing_that_is_unsent)
{
    run(ends_a_stalled_client);
}

static int closes_clients(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = serve_lobby(&lobby, NULL);
    int fds[3];

    (void)arg;
    for (int i = 0; i < 3; i++)
        fds[i] = connect_server(server);
    wait_guests(&lobby, 3);
    cora_transport_close(lobby.guests[1].transport);
    cora_server_close_clients(server);
    wait_guests_lost(&lobby, 3);
    assert_true(cora_server_is_serving(server));
    for (int i = 0; i < 3; i++)
        close_fd(fds[i]);
    fds[0] = connect_server(server);
    wait_guests(&lobby, 4);
    close_fd(fds[0]);
    end(server);
    return 0;
}

TEST(close_clients_leaves_the_server_open)
{
    run(closes_clients);
}

static struct left_open {
    struct lobby lobby;
    cora_server *server;
    int listener, client;
} left_open;

static int leaves_open(void *arg)
{
    (void)arg;
    left_open.server = serve_lobby(&left_open.lobby, NULL);
    assert_int_equal(cora_server_sockets(left_open.server, &left_open.listener, 1), 1);
    left_open.client = connect_server(left_open.server);
    wait_guests(&left_open.lobby, 1);
    return 0;
}

TEST(a_loop_that_is_closed_closes_its_servers)
{
    run(leaves_open);
    assert_string_equal(trace_text, "made lost CORA_ECLOSED ");
    assert_false(is_open(left_open.listener));
    assert_false(cora_server_is_serving(left_open.server));
    cora_server_close(left_open.server);
    cora_server_unref(left_open.server);
    close_fd(left_open.client);
}

static int is_cancelled(void *arg)
{
    cora_server *server = NULL;
    struct lobby lobby = {0};
    int fd = make_tcp();

    (void)arg;
    assert_true(cora_task_cancel(cora_current_task()));
    assert_int_equal(cora_create_server_sock(record_next, &lobby, fd, NULL, &server), -ECANCELED);
    assert_null(server);
    assert_false(is_open(fd));
    return 0;
}

TEST(a_creation_that_is_cancelled_leaves_nothing)
{
    run(is_cancelled);
}

/* ---- sockets that are there ----------------------------------------------------------------- */

static int takes_sockets(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = NULL;
    int fds[2], udp = socket(AF_INET, SOCK_DGRAM, 0), tcp = make_tcp(), rc;

    (void)arg;
    make_pair(fds);
    assert_int_equal(cora_create_server_sock(record_next, &lobby, udp, NULL, &server), -EPROTOTYPE);
    assert_int_equal(cora_create_server_sock(record_next, &lobby, -1, NULL, &server), -EBADF);
    assert_int_equal(cora_create_server_sock(record_next, &lobby, STDOUT_FILENO, NULL, &server),
                     -ENOTSOCK);
    assert_int_equal(cora_create_unix_server_sock(record_next, &lobby, tcp, NULL, &server),
                     -EPROTOTYPE);
    rc = cora_create_server_sock(record_next, &lobby, fds[0], NULL, &server);
    assert_int_equal(rc, -EINVAL); /* connected, it cannot listen */
    assert_null(server);
    put(fds[1], "still");
    assert_int_equal(cora_wait_readable(fds[0]), 0);
    close_pair(fds);
    close_fd(udp);
    assert_int_equal(cora_create_server_sock(record_next, &lobby, tcp, NULL, &server), 0);
    close_fd(connect_server(server));
    wait_guests_lost(&lobby, 1);
    end(server);
    assert_false(is_open(tcp));
    return 0;
}

TEST(a_socket_that_is_bound_can_be_given_and_a_refused_one_is_as_it_was)
{
    run(takes_sockets);
}

/* ---- Unix sockets --------------------------------------------------------------------------- */

static cora_server *serve_unix(struct lobby *lobby, const cora_server_options *options)
{
    cora_server *server = NULL;
    int rc = cora_create_unix_server(record_next, lobby, socket_path(), options, &server);

    assert_int_equal(rc, 0);
    return server;
}

static bool exists(void)
{
    return access(socket_path(), F_OK) == 0;
}

static int serves_a_path(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = serve_unix(&lobby, NULL);

    (void)arg;
    close_fd(connect_server(server));
    wait_guests_lost(&lobby, 1);
    end(server);
    assert_false(exists());

    server = serve_unix(&lobby, &(cora_server_options){.cleanup_socket = CORA_OFF});
    end(server);
    assert_true(exists());

    server = serve_unix(&lobby, NULL); /* in place of the stale one */
    close_fd(connect_server(server));
    wait_guests_lost(&lobby, 2);
    end(server);
    assert_false(exists());
    return 0;
}

TEST(a_path_is_taken_over_and_cleaned_up)
{
    run(serves_a_path);
}

static int leaves_others_files(void *arg)
{
    struct lobby lobby = {0};
    cora_server *first = serve_unix(&lobby, NULL), *second;

    (void)arg;
    second = serve_unix(&lobby, NULL);
    end(first);
    assert_true(exists());
    assert_int_equal(unlink(socket_path()), 0);
    end(second);
    return 0;
}

TEST(a_file_that_is_another_ones_by_now_stays)
{
    run(leaves_others_files);
}

static int meets_a_plain_file(void *arg)
{
    cora_server *server = NULL;
    int fd = open(socket_path(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    (void)arg;
    assert_true(fd >= 0);
    assert_int_equal(cora_create_unix_server(record_next, NULL, socket_path(), NULL, &server),
                     -EADDRINUSE);
    assert_null(server);
    assert_true(exists());
    close_fd(fd);
    return 0;
}

TEST(what_is_no_socket_is_not_removed)
{
    run(meets_a_plain_file);
}

/* The mode of the file when it is about to be changed. The name is the linker's. */
static mode_t mode_before;

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __real_chmod(const char *path, mode_t mode);
int __wrap_chmod(const char *path, mode_t mode);

int __wrap_chmod(const char *path, mode_t mode)
{
    struct stat status;
    int rc = stat(path, &status);

    assert_int_equal(rc, 0);
    mode_before = status.st_mode & 07777;
    return __real_chmod(path, mode);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static int sets_the_mode(void *arg)
{
    mode_t mask = umask(*(mode_t *)arg);
    struct lobby lobby = {0};
    struct stat status;
    cora_server *server = serve_unix(&lobby, &(cora_server_options){.mode = 0662});
    int rc = stat(socket_path(), &status);

    umask(mask);
    assert_int_equal(rc, 0);
    assert_int_equal(status.st_mode & 07777, 0662);
    assert_int_equal(mode_before & ~0662, 0);
    end(server);
    return 0;
}

TEST(the_file_has_the_mode_that_was_given)
{
    assert_int_equal(run_virtual(sets_the_mode, &(mode_t){077}), 0);
}

TEST(and_never_more_than_that)
{
    assert_int_equal(run_virtual(sets_the_mode, &(mode_t){0}), 0);
}

static int serves_an_abstract_name(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = NULL, *second = NULL;
    cora_address address;
    char name[32];

    (void)arg;
    snprintf(name, sizeof name, "@cora-test-%d", (int)getpid());
    assert_int_equal(cora_create_unix_server(record_next, &lobby, name, NULL, &server), 0);
    assert_int_equal(cora_create_unix_server(record_next, &lobby, name, NULL, &second),
                     -EADDRINUSE);
    assert_null(second);
    address = server_address(server);
    assert_int_equal(address.length, offsetof(struct sockaddr, sa_data) + strlen(name));
    assert_int_equal(((struct sockaddr *)&address.storage)->sa_data[0], '\0');
    close_fd(connect_server(server));
    wait_guests_lost(&lobby, 1);
    end(server);
    return 0;
}

TEST(an_abstract_name_has_no_file)
{
    run(serves_an_abstract_name);
}

static int is_too_long(void *arg)
{
    char path[200];
    cora_server *server = NULL;

    (void)arg;
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(cora_create_unix_server(record_next, NULL, path, NULL, &server),
                     -ENAMETOOLONG);
    path[0] = '/';
    path[20] = '\0';
    path[10] = '/';
    assert_int_equal(cora_create_unix_server(record_next, NULL, path, NULL, &server), -ENOENT);
    assert_null(server);
    return 0;
}

TEST(a_path_that_is_too_long_or_leads_nowhere_is_an_error)
{
    run(is_too_long);
}

/* ---- contexts, and what goes wrong ---------------------------------------------------------- */

static cora_context_var who = CORA_CONTEXT_VAR_INIT("who", "nobody");

static cora_protocol *name_and_record(void *arg)
{
    trace("%s", (char *)cora_context_var_get(&who));
    assert_int_equal(cora_context_var_set(&who, "guest", NULL), 0);
    return record_next(arg);
}

static void tell_who(cora_protocol *protocol, cora_transport *transport)
{
    (void)protocol, (void)transport;
    trace("%s", (char *)cora_context_var_get(&who));
}

static int has_contexts(void *arg)
{
    static const cora_protocol_methods methods = {.connection_made = tell_who};
    struct lobby lobby = {.guests = {{.silent = true}, {.silent = true}}};
    cora_server *server = NULL;
    int fds[2];

    (void)arg;
    assert_int_equal(cora_context_var_set(&who, "creator", NULL), 0);
    assert_int_equal(cora_create_server(name_and_record, &lobby, "127.0.0.1", "0", NULL, &server),
                     0);
    assert_int_equal(cora_context_var_set(&who, "other", NULL), 0);
    for (int i = 0; i < 2; i++) {
        fds[i] = connect_server(server);
        while (lobby.count == i)
            assert_int_equal(rest(1), 0);
        lobby.guests[i].protocol.methods = &methods;
        assert_int_equal(rest(2), 0);
    }
    cora_server_abort_clients(server);
    end(server);
    close_pair(fds);
    return 0;
}

TEST(each_connection_has_a_copy_of_the_context_of_the_creation)
{
    run(has_contexts);
    assert_string_equal(trace_text, "creator guest creator guest ");
}

static cora_protocol *refuse_the_second(void *arg)
{
    struct lobby *lobby = arg;

    return lobby->count++ == 1 ? NULL : record(&lobby->guests[lobby->count]);
}

static int has_a_failing_factory(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = NULL;
    char byte;
    int fds[3];

    (void)arg;
    assert_int_equal(cora_create_server(refuse_the_second, &lobby, "127.0.0.1", "0", NULL, &server),
                     0);
    for (int i = 0; i < 3; i++)
        fds[i] = connect_server(server);
    while (lobby.count < 3)
        assert_int_equal(rest(1), 0);
    assert_int_equal(read(fds[1], &byte, 1), 0);
    put(fds[2], "x");
    assert_int_equal(wait_received(&lobby.guests[3], 1), 0);
    cora_server_close_clients(server);
    end(server);
    for (int i = 0; i < 3; i++)
        close_fd(fds[i]);
    return 0;
}

TEST(a_factory_that_fails_closes_its_connection_and_is_reported)
{
    run(has_a_failing_factory);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -ENOMEM);
    assert_string_equal(reports.message, "Error on transport creation for incoming connection");
}

static cora_server *own_server;

static cora_protocol *close_server(void *arg)
{
    cora_server_close(own_server);
    cora_server_unref(own_server);
    return record_next(arg);
}

static int is_closed_by_its_factory(void *arg)
{
    struct lobby lobby = {0};
    int fds[2];

    (void)arg;
    assert_int_equal(cora_create_server(close_server, &lobby, "127.0.0.1", "0", NULL, &own_server),
                     0);
    fds[0] = connect_server(own_server);
    fds[1] = connect_server(own_server);
    wait_guests_lost(&lobby, 1);
    assert_int_equal(rest(3), 0);
    assert_int_equal(lobby.count, 1);
    close_pair(fds);
    return 0;
}

TEST(a_factory_may_close_the_server_under_itself)
{
    run(is_closed_by_its_factory);
    assert_string_equal(trace_text, "lost ECONNABORTED ");
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -ECONNABORTED);
}

static int is_shut_down(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = serve_lobby(&lobby, NULL);
    int fd;

    (void)arg;
    assert_int_equal(cora_server_sockets(server, &fd, 1), 1);
    assert_int_equal(shutdown(fd, SHUT_RDWR), 0);
    assert_int_equal(cora_sleep(2.5), 0);
    end(server);
    return 0;
}

TEST(a_socket_that_is_shut_down_is_reported_once_a_second)
{
    run(is_shut_down);
    assert_int_equal(reports.count, 3);
    assert_int_equal(reports.error, -EINVAL);
}

static int waits_for_own(void *arg)
{
    return ((int (*)(cora_server * server)) arg)(own_server);
}

/* A task waits, and nobody has a reference. */
static cora_task *start_to_wait(struct lobby *lobby, int (*wait)(cora_server *server))
{
    cora_task *task;

    own_server = serve_lobby(lobby, NULL);
    task = cora_create_task_arg(waits_for_own, (void *)wait);
    assert_int_equal(rest(2), 0);
    cora_server_unref(own_server);
    return task;
}

static int is_kept_by_who_waits(void *arg)
{
    struct lobby lobby = {0};
    cora_task *closed = start_to_wait(&lobby, cora_server_wait_closed);
    cora_task *served;

    (void)arg;
    cora_server_close(own_server);
    assert_int_equal(cora_await_unref(closed), 0);
    served = start_to_wait(&lobby, cora_server_serve_forever);
    cora_task_cancel(served);
    assert_int_equal(cora_await_unref(served), -ECANCELED);
    return 0;
}

TEST(who_waits_for_a_server_keeps_it)
{
    run(is_kept_by_who_waits);
}

static int starts_both(void *arg)
{
    cora_task_unref(start_to_wait(arg, cora_server_wait_closed));
    cora_task_unref(start_to_wait(arg, cora_server_serve_forever));
    cora_server_close(own_server); /* who waits for it has not gone on yet */
    return 0;
}

TEST(until_the_loop_is_closed)
{
    struct lobby lobby = {0};
    cora_loop *loop = virtual_loop();
    cora_task *task = cora_loop_create_task_arg(loop, NULL, starts_both, "starts both", &lobby);

    assert_int_equal(cora_loop_run_until_complete(loop, task), 0);
    cora_task_unref(task);
    cora_loop_free(loop);
}
