/* Connections whose streams are a task's, ours and a server's. */
#include "support/server.h"
#include "support/socket.h"
#include "support/streams.h"
#include "support/test.h"
#include "support/virtual.h"

#include <netinet/in.h>
#include <pthread.h>
#include <unistd.h>

static void run(cora_task_fn *fn)
{
    assert_int_equal(run_virtual(fn, NULL), 0);
}

/* Time passes: all that can happen has happened. */
static void settle(void)
{
    int rc = cora_sleep(1);

    assert_int_equal(rc, 0);
}

/* ---- handlers ------------------------------------------------------------------------------- */

/* Echoes lines. "fail" fails, and so does a line that is too long. */
static int echo(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    char *line;
    ssize_t size;
    int rc = 0;

    (void)arg;
    while (rc == 0 && (size = cora_stream_reader_readline(reader, &line)) > 0) {
        if (strncmp(line, "fail\n", (size_t)size) == 0)
            return -EILSEQ;
        rc = cora_stream_writer_write(writer, line, (size_t)size);
        if (rc == 0)
            rc = cora_stream_writer_drain(writer);
    }
    trace("over");
    return rc < 0 ? rc : (int)size;
}

static cora_server *serve(cora_client_connected *handler, void *arg,
                          const cora_server_options *options)
{
    cora_server *server = NULL;
    int rc = cora_start_server(handler, arg, "127.0.0.1", "0", options, &server);

    assert_int_equal(rc, 0);
    return server;
}

static void end(cora_server *server)
{
    int rc;

    cora_server_close(server);
    rc = cora_server_wait_closed(server);
    assert_int_equal(rc, 0);
    cora_server_unref(server);
}

struct client {
    cora_stream_reader *reader;
    cora_stream_writer *writer;
};

static int open_client(const cora_server *server, struct client *client)
{
    cora_address address = server_address(server);
    char port[8];

    snprintf(port, sizeof port, "%u", ntohs(((struct sockaddr_in *)&address.storage)->sin_port));
    return cora_open_connection("127.0.0.1", port, NULL, &client->reader, &client->writer);
}

static struct client connect_client(const cora_server *server)
{
    struct client client = {NULL, NULL};
    int rc = open_client(server, &client);

    assert_int_equal(rc, 0);
    return client;
}

static void say(const struct client *client, const char *text)
{
    int rc = cora_stream_writer_write(client->writer, text, strlen(text));

    assert_int_equal(rc, 0);
}

/* ---- to and fro ----------------------------------------------------------------------------- */

static int talks(void *arg)
{
    cora_server *server = serve(echo, NULL, NULL);
    struct client client = connect_client(server);

    (void)arg;
    say(&client, "hello\nwor");
    get(client.reader, "line");
    say(&client, "ld\n");
    get(client.reader, "line");
    assert_int_equal(cora_stream_writer_write_eof(client.writer), 0);
    get(client.reader, "line");
    cora_stream_writer_close(client.writer);
    assert_int_equal(cora_stream_writer_wait_closed(client.writer), 0);
    cora_stream_writer_unref(client.writer);
    end(server);
    return 0;
}

TEST(a_client_talks_to_a_server)
{
    run(talks);
    assert_string_equal(trace_text, "'hello\n' 'world\n' over '' ");
    assert_int_equal(reports.count, 0);
}

static int talks_by_path(void *arg)
{
    cora_server *server = NULL;
    struct client client;

    (void)arg;
    assert_int_equal(cora_start_unix_server(echo, NULL, socket_path(), NULL, &server), 0);
    assert_int_equal(cora_open_unix_connection(socket_path(), NULL, &client.reader, &client.writer),
                     0);
    say(&client, "hello\n");
    get(client.reader, "line");
    cora_stream_writer_unref(client.writer);
    end(server);
    return 0;
}

TEST(and_so_by_a_path)
{
    run(talks_by_path);
    assert_string_equal(trace_text, "'hello\n' over ");
}

/* Sockets of one's own: a listener, a Unix listener, and a connection to each. */
static int talks_by_socket(void *arg)
{
    struct sockaddr_in address;
    int listener = make_listener(&address, 5), connection = connect_tcp(&address);
    cora_server *server = NULL;
    struct client client;

    (void)arg;
    assert_int_equal(cora_start_server_sock(echo, NULL, listener, NULL, &server), 0);
    assert_int_equal(cora_open_connection_sock(connection, NULL, &client.reader, &client.writer),
                     0);
    say(&client, "hello\n");
    get(client.reader, "line");
    cora_stream_writer_unref(client.writer);
    assert_int_equal(cora_start_unix_server_sock(echo, NULL, connection, NULL, &server),
                     -EPROTOTYPE);
    end(server);
    return 0;
}

TEST(and_so_by_sockets_of_ones_own)
{
    run(talks_by_socket);
    assert_string_equal(trace_text, "'hello\n' over ");
}

static int limits(void *arg)
{
    cora_server *server = serve(echo, NULL, &(cora_server_options){.limit = 4});
    struct client client = connect_client(server);
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    int fds[2];

    (void)arg;
    say(&client, "1234\n");
    get(client.reader, "line");
    say(&client, "12345\n");
    get(client.reader, "line");
    cora_stream_writer_unref(client.writer);
    make_pair(fds);
    assert_int_equal(
        cora_open_connection_sock(fds[0], &(cora_connection_options){.limit = 4}, &reader, &writer),
        0);
    put(fds[1], "12345\n");
    get(reader, "line");
    cora_stream_writer_unref(writer);
    end(server);
    close_fd(fds[1]);
    return 0;
}

TEST(limits_are_options)
{
    run(limits);
    assert_string_equal(trace_text, "'1234\n' over '' CORA_ELIMITOVERRUN ");
    assert_int_equal(reports.error, -CORA_ELIMITOVERRUN);
}

/* ---- handlers that end badly ---------------------------------------------------------------- */

static int fails(void *arg)
{
    cora_server *server = serve(echo, NULL, NULL);
    struct client clients[2] = {connect_client(server), connect_client(server)};

    (void)arg;
    say(&clients[0], "fail\n");
    get(clients[0].reader, "line");
    assert_int_equal(reports.count, 1);
    say(&clients[1], "hello\n");
    get(clients[1].reader, "line");
    for (int i = 0; i < 2; i++)
        cora_stream_writer_unref(clients[i].writer);
    end(server);
    return 0;
}

TEST(a_handler_that_fails_is_reported_and_harms_nobody_else)
{
    run(fails);
    assert_string_equal(trace_text, "'' 'hello\n' over ");
    assert_string_equal(reports.message, "Unhandled exception in client_connected_cb");
    assert_int_equal(reports.error, -EILSEQ);
    assert_int_equal(reports.count, 1);
}

/* What the handler waits in when it is cancelled; it has a reference more. */
static int waits(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    char byte;
    int rc;

    *(cora_stream_writer **)arg = cora_stream_writer_ref(writer);
    trace("waits");
    rc = (int)cora_stream_reader_read(reader, &byte, 1);
    trace("%s", rc < 0 ? cora_strerrorname(rc) : "read");
    return rc;
}

/* Cancels the one task that is not the current one. */
static void cancel_the_other(void)
{
    cora_task *tasks[2];
    size_t count = cora_all_tasks(NULL, tasks, 2);

    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++) {
        if (tasks[i] != cora_current_task())
            cora_task_cancel(tasks[i]);
        cora_task_unref(tasks[i]);
    }
}

static int is_cancelled(void *arg)
{
    bool before_it_begins = arg != NULL;
    cora_stream_writer *writer = NULL;
    cora_server *server = serve(waits, &writer, NULL);
    int fd = connect_server(server);
    char byte;

    while (before_it_begins && cora_all_tasks(NULL, NULL, 0) < 2)
        assert_int_equal(rest(1), 0);
    if (!before_it_begins)
        settle();
    cancel_the_other();
    settle();
    assert_true(before_it_begins || cora_stream_writer_is_closing(writer));
    cora_stream_writer_unref(writer);
    assert_int_equal(cora_sock_recv(fd, &byte, 1), 0);
    close_fd(fd);
    end(server);
    return 0;
}

TEST(a_handler_that_is_cancelled_is_not_reported)
{
    run(is_cancelled);
    assert_string_equal(trace_text, "waits ECANCELED ");
    assert_int_equal(reports.count, 0);
}

TEST(nor_one_that_is_cancelled_before_it_begins)
{
    assert_int_equal(run_virtual(is_cancelled, ""), 0);
    assert_string_equal(trace_text, "");
    assert_int_equal(reports.count, 0);
}

/* ---- handlers that return early ------------------------------------------------------------- */

static int keep(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    (void)reader;
    *(cora_stream_writer **)arg = cora_stream_writer_ref(writer);
    return 0;
}

static int is_kept(void *arg)
{
    cora_stream_writer *writer = NULL;
    cora_server *server = serve(keep, &writer, NULL);
    struct client client = connect_client(server);

    (void)arg;
    settle();
    assert_false(cora_stream_writer_is_closing(writer));
    assert_int_equal(cora_stream_writer_write(writer, "later\n", 6), 0);
    get(client.reader, "line");
    cora_stream_writer_unref(writer);
    get(client.reader, "line");
    cora_stream_writer_unref(client.writer);
    end(server);
    return 0;
}

TEST(a_connection_outlives_its_handler_where_somebody_has_a_reference)
{
    run(is_kept);
    assert_string_equal(trace_text, "'later\n' '' ");
}

static int say_bye(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    (void)reader, (void)arg;
    return cora_stream_writer_write(writer, "bye\n", 4);
}

static int hears_bye(void *arg)
{
    cora_server *server = serve(say_bye, NULL, NULL);
    struct client client = connect_client(server);

    (void)arg;
    get(client.reader, "all");
    cora_stream_writer_close(client.writer);
    assert_int_equal(cora_stream_writer_wait_closed(client.writer), 0);
    cora_stream_writer_unref(client.writer);
    end(server);
    return 0;
}

TEST(the_end_of_a_handler_closes_its_connection)
{
    run(hears_bye);
    assert_string_equal(trace_text, "'bye\n' ");
}

/* ---- open_connection ------------------------------------------------------------------------ */

static int is_refused(void *arg)
{
    struct client client = {NULL, NULL};
    cora_server *server = serve(echo, NULL, NULL);
    cora_server *closed = cora_server_ref(server);
    cora_address address = server_address(server);
    char port[8];

    (void)arg;
    snprintf(port, sizeof port, "%u", ntohs(((struct sockaddr_in *)&address.storage)->sin_port));
    end(server);
    cora_server_unref(closed);
    assert_int_equal(cora_open_connection("127.0.0.1", port, NULL, &client.reader, &client.writer),
                     -ECONNREFUSED);
    assert_int_equal(
        cora_open_unix_connection("/nowhere/at/all", NULL, &client.reader, &client.writer),
        -ENOENT);
    assert_null(client.reader);
    assert_null(client.writer);
    return 0;
}

TEST(a_connection_that_is_refused_leaves_nothing)
{
    run(is_refused);
}

static int open_in_task(void *arg)
{
    struct client client;
    int rc = open_client(arg, &client);

    if (rc == 0)
        cora_stream_writer_unref(client.writer);
    return rc;
}

/* After more and more iterations, up to so many that it is done: the loop looks at I/O in few. */
static int gives_up(void *arg)
{
    cora_server *server = serve(echo, NULL, NULL);
    int rc = -ECANCELED;

    (void)arg;
    for (int hops = 0; rc == -ECANCELED && hops < 1 << 24; hops += hops < 16 ? 1 : hops) {
        cora_task *task = cora_create_task_arg(open_in_task, server);

        assert_int_equal(rest(hops), 0);
        cora_task_cancel(task);
        rc = cora_await_unref(task);
        settle();
    }
    assert_int_equal(rc, 0);
    end(server);
    return 0;
}

TEST(open_connection_is_cancelled_at_each_await)
{
    run(gives_up);
    assert_int_equal(reports.count, 0);
}

/* ---- a loop that is closed over handlers ---------------------------------------------------- */

static int sleeps(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    char byte;

    (void)arg;
    if (cora_stream_reader_read(reader, &byte, 1) == 1)
        return cora_stream_writer_wait_closed(writer);
    return cora_sleep(1000);
}

/* One waits for data, one for the end, and one has seen its end and sleeps. */
static int leave_handlers(void *arg)
{
    cora_server *server = serve(sleeps, NULL, NULL);
    int *fds = arg;

    for (int i = 0; i < 3; i++)
        fds[i] = connect_server(server);
    put(fds[1], "x");
    close_fd(fds[2]);
    settle();
    cora_server_unref(server);
    cora_loop_stop(cora_get_running_loop());
    return 0;
}

TEST(a_loop_that_is_closed_over_handlers_leaves_nothing)
{
    cora_loop *loop = virtual_loop();
    int fds[3];
    char byte;

    cora_task_unref(cora_loop_create_task_arg(loop, NULL, leave_handlers, "leave", fds));
    assert_int_equal(cora_loop_run_forever(loop), 0);
    cora_loop_free(loop);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(read(fds[i], &byte, 1), 0);
        close(fds[i]);
    }
}

/* ---- other threads -------------------------------------------------------------------------- */

enum { STREAM_CALLS = 6 };

struct trespass {
    struct client client;
    ssize_t rc[STREAM_CALLS];
};

static void *use_client(void *arg)
{
    struct trespass *trespass = arg;
    struct client client = trespass->client;
    char byte, *line;

    trespass->rc[0] = cora_stream_writer_write(client.writer, "no\n", 3);
    trespass->rc[1] = cora_stream_writer_drain(client.writer);
    trespass->rc[2] = cora_stream_writer_write_eof(client.writer);
    trespass->rc[3] = cora_stream_reader_read(client.reader, &byte, 1);
    trespass->rc[4] = cora_stream_reader_readexactly(client.reader, &byte, 1);
    trespass->rc[5] = cora_stream_reader_readline(client.reader, &line);
    return NULL;
}

static int is_used_by_a_thread(void *arg)
{
    cora_server *server = serve(echo, NULL, NULL);
    struct trespass trespass = {.client = connect_client(server)};
    pthread_t thread;

    (void)arg;
    cora_loop_set_debug(cora_get_running_loop(), true);
    say(&trespass.client, "yes\n");
    settle();
    assert_int_equal(pthread_create(&thread, NULL, use_client, &trespass), 0);
    pthread_join(thread, NULL);
    for (int i = 0; i < STREAM_CALLS; i++)
        assert_int_equal(trespass.rc[i], -CORA_EWRONGTHREAD);
    get(trespass.client.reader, "line");
    cora_stream_writer_close(trespass.client.writer);
    cora_stream_writer_unref(trespass.client.writer);
    end(server);
    return 0;
}

TEST(debug_mode_refuses_a_wrong_thread_and_nothing_is_lost)
{
    run(is_used_by_a_thread);
    assert_string_equal(trace_text, "'yes\n' over ");
}
