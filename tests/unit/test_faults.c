/* Every system call fails in turn, in every way that it knows: all comes to an end, and is closed.
 */
#include "support/allocation.h"
#include "support/faults.h"
#include "support/protocol.h"
#include "support/server.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* How many faults and allocations a scenario is known to have, at least: that none is left out. */
static void run(cora_task_fn *scenario, void *arg, int least_faults, int least_allocations)
{
    int faults = run_with_each_fault(scenario, arg);
    int allocations = run_with_each_allocation_refused(scenario, arg);

    assert_in_range(faults, least_faults, 100000);
    assert_in_range(allocations, least_allocations, 100000);
}

/* ---- protocols ------------------------------------------------------------------------------ */

struct line {
    struct recorder near, far;
    cora_transport *transports[2];
};

static int open_line(struct line *line)
{
    int fds[2], rc;

    *line = (struct line){.near.silent = true, .far.silent = true};
    make_pair(fds);
    rc = cora_connect_accepted_socket(record, &line->near, fds[0], &line->transports[0]);
    if (rc < 0) {
        close_pair(fds);
        return rc;
    }
    rc = cora_connect_accepted_socket(record, &line->far, fds[1], &line->transports[1]);
    if (rc < 0)
        cora_close_fd(fds[1]);
    return rc;
}

static void close_line(struct line *line)
{
    struct recorder *ends[2] = {&line->near, &line->far};

    for (int i = 0; i < 2; i++) {
        if (line->transports[i] == NULL)
            continue;
        cora_transport_close(line->transports[i]);
        wait_lost(ends[i]);
        cora_transport_unref(line->transports[i]);
    }
}

/* The far end has all of it, or one of the two has been lost. */
static int wait_for_all(struct line *line, size_t size)
{
    while (line->far.received < size && line->far.lost == 0 && line->near.lost == 0) {
        int rc = cora_sleep(0.1);

        if (rc < 0)
            return rc;
    }
    return line->far.received == size ? 0 : -ECONNRESET;
}

static int talk(void *arg)
{
    struct line line;
    int rc = open_line(&line);

    (void)arg;
    if (rc == 0)
        rc = cora_transport_write(line.transports[0], "hello", 5);
    if (rc == 0)
        rc = cora_transport_writelines(line.transports[0],
                                       (struct iovec[]){{", ", 2}, {"world", 5}}, 2);
    if (rc == 0)
        rc = wait_for_all(&line, 12);
    if (rc == 0)
        assert_string_equal(line.far.text, "hello, world");
    close_line(&line);
    return rc;
}

TEST(a_talk_between_two_transports)
{
    run(talk, NULL, 30, 8);
}

/* ---- servers -------------------------------------------------------------------------------- */

struct visit {
    struct lobby lobby;
    struct recorder client;
    cora_server *server;
    cora_transport *transport;
};

static int connect_to_port(struct visit *visit)
{
    struct sockaddr_in address = {0};
    char port[8];
    int fd = -1;

    assert_int_equal(cora_server_sockets(visit->server, &fd, 1), 1);
    if (getsockname(fd, (struct sockaddr *)&address, &(socklen_t){sizeof address}) < 0)
        return -errno;
    snprintf(port, sizeof port, "%u", ntohs(address.sin_port));
    return cora_create_connection(record, &visit->client, "127.0.0.1", port, NULL,
                                  &visit->transport);
}

/* The guest has heard of its client, or one of the two has been lost: at the latest in 5 s. */
static int wait_for_guest(const struct visit *visit)
{
    const struct recorder *guest = &visit->lobby.guests[0];
    int rc = 0;

    for (int i = 0; i < 50 && rc == 0 && guest->received < 5; i++)
        rc = guest->lost + visit->client.lost > 0 ? -ECONNRESET : cora_sleep(0.1);
    return rc;
}

static int visit_server(struct visit *visit, const char *path)
{
    int rc = path == NULL ? connect_to_port(visit)
                          : cora_create_unix_connection(record, &visit->client, path, NULL,
                                                        &visit->transport);

    if (rc == 0)
        rc = cora_transport_write(visit->transport, "hello", 5);
    if (rc == 0)
        rc = wait_for_guest(visit);
    if (rc == 0)
        assert_string_equal(visit->lobby.guests[0].text, "hello");
    if (visit->transport != NULL) {
        cora_transport_abort(visit->transport);
        wait_lost(&visit->client);
        cora_transport_unref(visit->transport);
    }
    return rc;
}

static int serve_a_client(void *path)
{
    struct visit visit = {.client.silent = true};
    int rc;

    for (int i = 0; i < MOST_GUESTS; i++)
        visit.lobby.guests[i].silent = true;
    rc = path == NULL
             ? cora_create_server(record_next, &visit.lobby, "127.0.0.1", "0", NULL, &visit.server)
             : cora_create_unix_server(record_next, &visit.lobby, path,
                                       &(cora_server_options){.mode = 0600}, &visit.server);
    if (rc < 0)
        return rc;
    rc = visit_server(&visit, path);
    cora_server_close(visit.server);
    cora_server_close_clients(visit.server);
    assert_int_equal(cora_server_wait_closed(visit.server), 0);
    cora_server_unref(visit.server);
    return rc;
}

TEST(a_server_and_its_client)
{
    run(serve_a_client, NULL, 60, 20);
}

TEST(a_server_at_a_path_and_its_client)
{
    char path[64];

    snprintf(path, sizeof path, "%s", socket_path());
    run(serve_a_client, path, 50, 20);
    assert_int_equal(access(path, F_OK), -1);
}

/* ---- connections ---------------------------------------------------------------------------- */

/* Nobody accepts: what was connected, and is closed again, stays in the listener's queue. */
enum { QUEUE = 1000 };

/* Whoever was made was told of the end, which came by itself or does now. */
static int end_connection(struct recorder *recorder, int rc)
{
    if (rc == 0 && recorder->lost == 0) {
        cora_transport_close(recorder->transport);
        wait_lost(recorder);
    }
    assert_in_range(recorder->made, 0, recorder->lost);
    return rc;
}

static int connect_to_host(void *port)
{
    const cora_connection_options options = {.happy_eyeballs_delay = 0.25,
                                             .local_host = "127.0.0.1"};
    struct recorder recorder = {.silent = true};
    int rc = cora_create_connection(record, &recorder, "127.0.0.1", port, &options, NULL);

    return end_connection(&recorder, rc);
}

TEST(a_connection_to_a_host)
{
    struct sockaddr_in address;
    int listener = make_listener(&address, QUEUE);
    char port[8];

    snprintf(port, sizeof port, "%u", ntohs(address.sin_port));
    run(connect_to_host, port, 20, 8);
    close_fd(listener);
}

static int connect_to_path(void *path)
{
    struct recorder recorder = {.silent = true};
    int rc = cora_create_unix_connection(record, &recorder, path, NULL, NULL);

    return end_connection(&recorder, rc);
}

TEST(a_connection_to_a_path)
{
    char name[CORA_ADDRESS_TEXT_SIZE];
    int listener = make_unix_listener(name, sizeof name, QUEUE);

    run(connect_to_path, name, 12, 4);
    close_fd(listener);
}

/* ---- streams -------------------------------------------------------------------------------- */

static int echo_lines(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    ssize_t size;
    char *line;
    int rc = 0;

    (void)arg;
    while (rc == 0 && (size = cora_stream_reader_readline(reader, &line)) > 0) {
        rc = cora_stream_writer_write(writer, line, (size_t)size);
        if (rc == 0)
            rc = cora_stream_writer_drain(writer);
    }
    return rc;
}

static int exchange(cora_stream_reader *reader, cora_stream_writer *writer)
{
    char *line = NULL;
    ssize_t size;
    int rc = cora_stream_writer_writelines(writer, (struct iovec[]){{"hel", 3}, {"lo\n", 3}}, 2);

    if (rc == 0)
        rc = cora_stream_writer_drain(writer);
    if (rc < 0)
        return rc;
    size = cora_stream_reader_readline(reader, &line);
    if (size <= 0)
        return size < 0 ? (int)size : -ECONNRESET;
    assert_int_equal(size, 6);
    assert_memory_equal(line, "hello\n", 6);
    return 0;
}

static int converse_with(const cora_server *server)
{
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    struct sockaddr_in address = {0};
    cora_timeout timeout;
    char port[8];
    int fd = -1, rc;

    assert_int_equal(cora_server_sockets(server, &fd, 1), 1);
    if (getsockname(fd, (struct sockaddr *)&address, &(socklen_t){sizeof address}) < 0)
        return -errno;
    snprintf(port, sizeof port, "%u", ntohs(address.sin_port));
    rc = cora_open_connection("127.0.0.1", port, NULL, &reader, &writer);
    if (rc < 0)
        return rc;
    cora_timeout_enter(&timeout, 100);
    rc = cora_timeout_exit(&timeout, exchange(reader, writer));
    assert_int_not_equal(rc, -ETIMEDOUT); /* of those who wait none is forgotten */
    cora_stream_writer_unref(writer);
    return rc;
}

static void count_reports(cora_loop *loop, const cora_exception_context *context, void *arg)
{
    (void)loop, (void)context;
    ++*(int *)arg;
}

static int converse(void *arg)
{
    int reported = 0, rc;
    cora_server *server = NULL;

    (void)arg;
    cora_loop_set_exception_handler(cora_get_running_loop(), count_reports, &reported);
    rc = cora_start_server(echo_lines, NULL, "127.0.0.1", "0", NULL, &server);
    if (rc < 0)
        return rc;
    rc = converse_with(server);
    cora_server_close(server);
    cora_server_close_clients(server);
    assert_int_equal(cora_server_wait_closed(server), 0);
    cora_server_unref(server);
    assert_true(fault_was_met() || allocation_was_refused() || reported == 0);
    cora_loop_set_exception_handler(cora_get_running_loop(), NULL, NULL);
    return rc;
}

TEST(a_talk_between_streams)
{
    run(converse, NULL, 60, 25);
}

/* ---- processes ------------------------------------------------------------------------------ */

static int ask_cat(void *arg)
{
    static const char *const argv[] = {"/bin/cat", NULL};
    const cora_subprocess_options options = {.in = CORA_SUBPROCESS_PIPE,
                                             .out = CORA_SUBPROCESS_PIPE};
    cora_process_output output = {0};
    cora_process *process;
    int rc = cora_create_subprocess_exec(argv, &options, &process);

    (void)arg;
    if (rc < 0)
        return rc;
    rc = cora_process_communicate(process, "hello", 5, &output);
    if (rc == 0 && !fault_was_met()) {
        assert_int_equal(output.out_size, 5);
        assert_memory_equal(output.out, "hello", 5);
    }
    cora_process_output_clear(&output);
    cora_process_unref(process);
    return rc;
}

TEST(a_process_that_is_asked)
{
    run(ask_cat, NULL, 20, 15);
}

/* ---- threads -------------------------------------------------------------------------------- */

static int read_own_program(void *arg)
{
    cora_file *file;
    char start[4];
    size_t size;
    int rc = cora_file_open(&file, "/proc/self/exe", O_RDONLY, 0), closed;

    (void)arg;
    if (rc < 0)
        return rc;
    rc = cora_file_read_all(file, start, sizeof start, &size);
    if (rc == 0 && size == sizeof start)
        assert_memory_equal(start, "\177ELF", 4);
    closed = cora_file_close(file);
    return rc < 0 ? rc : closed;
}

TEST(a_file_that_is_read)
{
    run(read_own_program, NULL, 4, 8);
}
