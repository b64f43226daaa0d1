/* What accept may answer. */
#include "support/allocation.h"
#include "support/faults.h"
#include "support/server.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

static void end(cora_server *server, int fd)
{
    cora_server_close(server);
    cora_server_abort_clients(server);
    assert_int_equal(cora_server_wait_closed(server), 0);
    cora_server_unref(server);
    close_fd(fd);
}

static int recovers(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = serve_lobby(&lobby, NULL);
    int fd = connect_server(server);

    set_faults(*(int *)arg, *(int *)arg, 0);
    for (int i = 1; i <= 2; i++) {
        assert_int_equal(cora_sleep(i == 1 ? 0.5 : 1), 0);
        assert_int_equal(reports.count, i);
        assert_int_equal(calls_made(), i);
        assert_int_equal(lobby.count, 0);
    }
    assert_int_equal(cora_sleep(1), 0);
    assert_int_equal(lobby.guests[0].made, 1);
    assert_int_equal(reports.count, 2);
    assert_int_equal(reports.error, -*(int *)arg);
    assert_string_equal(reports.message, "socket.accept() out of system resource");
    assert_true(cora_server_is_serving(server));
    end(server, fd);
    return 0;
}

TEST(without_descriptors_accepting_pauses_for_a_second)
{
    assert_int_equal(run_virtual(recovers, &(int){EMFILE}), 0);
}

TEST(without_descriptors_in_the_system_accepting_pauses)
{
    assert_int_equal(run_virtual(recovers, &(int){ENFILE}), 0);
}

TEST(without_buffers_accepting_pauses)
{
    assert_int_equal(run_virtual(recovers, &(int){ENOBUFS}), 0);
}

TEST(without_memory_accepting_pauses)
{
    assert_int_equal(run_virtual(recovers, &(int){ENOMEM}), 0);
}

static int is_closed_in_a_pause(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = serve_lobby(&lobby, NULL);
    int fd = connect_server(server);

    (void)arg;
    set_faults(EMFILE, 0, 0);
    assert_int_equal(cora_sleep(0.5), 0);
    end(server, fd);
    assert_int_equal(cora_sleep(1), 0);
    assert_int_equal(calls_made(), 1);
    return 0;
}

TEST(a_server_that_is_closed_in_its_pause_tries_no_more)
{
    assert_int_equal(run_virtual(is_closed_in_a_pause, NULL), 0);
}

static void close_server(cora_loop *loop, const cora_exception_context *context, void *arg)
{
    (void)loop;
    assert_int_equal(context->error, -EMFILE);
    cora_server_close(arg);
    cora_server_unref(arg);
}

static int is_closed_by_the_report(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = serve_lobby(&lobby, NULL);
    int fd = connect_server(server);

    (void)arg;
    cora_loop_set_exception_handler(cora_get_running_loop(), close_server, server);
    set_faults(EMFILE, 0, 0);
    assert_int_equal(cora_sleep(2), 0);
    assert_int_equal(calls_made(), 1);
    close_fd(fd);
    return 0;
}

TEST(a_server_that_is_closed_by_who_hears_of_that_tries_no_more)
{
    assert_int_equal(run_virtual(is_closed_by_the_report, NULL), 0);
}

/* There is not even memory for the timer. */
static int cannot_pause(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = serve_lobby(&lobby, NULL);
    int fd = connect_server(server);

    (void)arg;
    set_faults(EMFILE, 0, 0);
    refuse_allocation(1);
    wait_guests(&lobby, 1);
    assert_true(allocation_was_refused());
    assert_true(cora_loop_time(cora_get_running_loop()) == 0);
    assert_int_equal(reports.count, 1);
    end(server, fd);
    return 0;
}

TEST(without_memory_for_a_pause_accepting_goes_on)
{
    setenv("CORAMALLOC", "1", 1);
    assert_int_equal(run_virtual(cannot_pause, NULL), 0);
}

static int passes_over(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = serve_lobby(&lobby, NULL);
    int fd = connect_server(server);

    (void)arg;
    set_faults(ECONNABORTED, EINTR, 0);
    wait_guests(&lobby, 1);
    assert_int_equal(calls_made(), 4); /* the last finds nothing */
    assert_int_equal(reports.count, 0);
    set_faults(EAGAIN, 0, 0);
    assert_int_equal(rest(3), 0);
    end(server, fd);
    return 0;
}

TEST(a_connection_that_was_aborted_is_passed_over)
{
    assert_int_equal(run_virtual(passes_over, NULL), 0);
}

static int goes_on(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = serve_lobby(&lobby, NULL);
    int fd = connect_server(server);

    (void)arg;
    set_faults(EPROTO, 0, 0);
    assert_int_equal(cora_sleep(0.5), 0);
    assert_int_equal(lobby.count, 0);
    assert_int_equal(cora_sleep(1), 0);
    assert_int_equal(lobby.guests[0].made, 1);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -EPROTO);
    assert_string_equal(reports.message, "socket.accept() failed");
    end(server, fd);
    return 0;
}

TEST(another_error_is_reported_and_the_connection_accepted_a_second_later)
{
    assert_int_equal(run_virtual(goes_on, NULL), 0);
}

/* Three connections wait, and so many as the backlog and one are accepted at a time. */
static int takes_turns(void *arg)
{
    struct lobby lobby = {0};
    cora_server *server = serve_lobby(&lobby, &(cora_server_options){.backlog = 1});
    int fds[2] = {connect_server(server), connect_server(server)};

    (void)arg;
    set_faults(ECONNABORTED, 0, 0);
    while (calls_made() == 0)
        assert_int_equal(rest(1), 0);
    assert_int_equal(calls_made(), 2);
    assert_int_equal(lobby.count, 1);
    wait_guests(&lobby, 2);
    close_fd(fds[1]);
    end(server, fds[0]);
    return 0;
}

TEST(no_more_than_the_backlog_and_one_are_accepted_at_a_time)
{
    assert_int_equal(run_virtual(takes_turns, NULL), 0);
}
