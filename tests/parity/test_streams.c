/* CPython's test_streams.py: readers and writers. */
#include "support/protocol.h"
#include "support/server.h"
#include "support/socket.h"
#include "support/streams.h"
#include "support/test.h"
#include "support/virtual.h"

#include <netinet/in.h>
#include <unistd.h>

static const char DATA[] = "line1\nline2\nline3\n";

/* The body of a test, which is the main task; perhaps with a reader of that limit. */
struct body {
    void (*fn)(void);
    void (*with_reader)(cora_stream_reader *stream);
    ssize_t limit;
};

static int run_body(void *arg)
{
    struct body *body = arg;
    cora_stream_reader *stream;

    if (body->fn != NULL) {
        body->fn();
        return 0;
    }
    stream = make_reader(body->limit);
    body->with_reader(stream);
    cora_stream_reader_unref(stream);
    return 0;
}

static void run(void (*fn)(void))
{
    int rc = run_virtual(run_body, &(struct body){.fn = fn});

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

static void run_with_reader(ssize_t limit, void (*fn)(cora_stream_reader *stream))
{
    int rc = run_virtual(run_body, &(struct body){.with_reader = fn, .limit = limit});

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

/* ---- what calls give ------------------------------------------------------------------------ */

/* What a call gave as a text: the data, or the name of the error. */
static const char *given(const char *data, ssize_t size)
{
    static char text[4096];

    if (size < 0)
        return cora_strerrorname((int)size);
    snprintf(text, sizeof text, "%.*s", (int)size, size > 0 ? data : "");
    return text;
}

static const char *read_up_to(cora_stream_reader *reader, size_t size)
{
    static char buffer[4096];

    return given(buffer, cora_stream_reader_read(reader, buffer, size));
}

static const char *read_all_of(cora_stream_reader *reader)
{
    char *data = NULL;
    ssize_t size = cora_stream_reader_read_until_eof(reader, &data);

    return given(data, size);
}

static const char *readexactly(cora_stream_reader *reader, size_t size)
{
    char buffer[64];
    int rc;

    assert_true(size <= sizeof buffer);
    rc = cora_stream_reader_readexactly(reader, buffer, size);
    return given(buffer, rc < 0 ? rc : (ssize_t)size);
}

static const char *readline(cora_stream_reader *reader)
{
    char *line = NULL;
    ssize_t size = cora_stream_reader_readline(reader, &line);

    return given(line, size);
}

static const char *readuntil(cora_stream_reader *reader, const char *separator)
{
    char *data = NULL;
    ssize_t size = cora_stream_reader_readuntil(reader, separator, strlen(separator), &data);

    return given(data, size);
}

static const char *readuntil_any(cora_stream_reader *reader, const char *a, const char *b)
{
    cora_separator separators[] = {{a, strlen(a)}, {b, strlen(b)}};
    char *data = NULL;
    ssize_t size = cora_stream_reader_readuntil_any(reader, separators, 2, &data);

    return given(data, size);
}

/* The reader holds just that. */
static void assert_buffer(cora_stream_reader *reader, const char *text)
{
    cora_task *task;

    if (text[0] != '\0') {
        assert_string_equal(read_up_to(reader, 4000), text);
        return;
    }
    trace_text[0] = '\0';
    task = start_get(reader, "read 1");
    assert_string_equal(trace_text, "");
    cancel(task);
}

/* ---- something for a callback to feed ------------------------------------------------------- */

struct meal {
    cora_stream_reader *reader;
    const char *chunks[4];
    bool eof;
};

static void feed_meal(void *arg)
{
    struct meal *meal = arg;

    for (int i = 0; i < 4 && meal->chunks[i] != NULL; i++)
        feed(meal->reader, meal->chunks[i]);
    if (meal->eof)
        cora_stream_reader_feed_eof(meal->reader);
}

static void call_soon(cora_callback *fn, void *arg)
{
    int rc = cora_loop_call_soon(cora_get_running_loop(), fn, arg, NULL);

    assert_int_equal(rc, 0);
}

/* ---- a server that answers GET / ------------------------------------------------------------ */

static const char REQUEST[] = "GET / HTTP/1.0\r\n\r\n";
static const char ANSWER[] = "HTTP/1.0 200 OK\r\nServer: a test's\r\n\r\nTest message";

struct httpd {
    cora_server *server;
    char port[8];
};

static int answer(cora_protocol *self, const void *data, size_t size)
{
    cora_transport *transport = ((struct recorder *)self)->transport;
    int rc;

    assert_int_equal(size, strlen(REQUEST));
    assert_memory_equal(data, REQUEST, size);
    rc = cora_transport_write(transport, ANSWER, strlen(ANSWER));
    cora_transport_close(transport);
    return rc;
}

static void guest_made(cora_protocol *self, cora_transport *transport)
{
    ((struct recorder *)self)->transport = transport;
}

static void guest_lost(cora_protocol *self, int error)
{
    (void)error;
    free(self);
}

static cora_protocol *new_guest(void *arg)
{
    static const cora_protocol_methods methods = {
        .connection_made = guest_made,
        .data_received = answer,
        .connection_lost = guest_lost,
    };
    struct recorder *guest = calloc(1, sizeof *guest);

    (void)arg;
    guest->protocol.methods = &methods;
    return &guest->protocol;
}

static void set_port(const cora_server *server, char port[8])
{
    cora_address address = server_address(server);

    snprintf(port, 8, "%u", ntohs(((struct sockaddr_in *)&address.storage)->sin_port));
}

static struct httpd run_test_server(void)
{
    struct httpd httpd;
    int rc = cora_create_server(new_guest, NULL, "127.0.0.1", "0", NULL, &httpd.server);

    assert_int_equal(rc, 0);
    set_port(httpd.server, httpd.port);
    return httpd;
}

static struct httpd run_test_unix_server(void)
{
    struct httpd httpd;
    int rc = cora_create_unix_server(new_guest, NULL, socket_path(), NULL, &httpd.server);

    assert_int_equal(rc, 0);
    return httpd;
}

static void stop(struct httpd *httpd)
{
    int rc;

    cora_server_close(httpd->server);
    cora_server_close_clients(httpd->server);
    rc = cora_server_wait_closed(httpd->server);
    assert_int_equal(rc, 0);
    cora_server_unref(httpd->server);
}

static cora_stream_reader *rd;
static cora_stream_writer *wr;

static void open_connection(const struct httpd *httpd)
{
    int rc = cora_open_connection("127.0.0.1", httpd->port, NULL, &rd, &wr);

    assert_int_equal(rc, 0);
}

static void open_unix_connection(void)
{
    int rc = cora_open_unix_connection(socket_path(), NULL, &rd, &wr);

    assert_int_equal(rc, 0);
}

static void write_text(const char *text)
{
    int rc = cora_stream_writer_write(wr, text, strlen(text));

    assert_int_equal(rc, 0);
}

static int drain(void)
{
    return cora_stream_writer_drain(wr);
}

static void close_and_wait(void)
{
    int rc;

    cora_stream_writer_close(wr);
    rc = cora_stream_writer_wait_closed(wr);
    assert_int_equal(rc, 0);
}

static void assert_ends_with(const char *text, const char *end)
{
    assert_true(strlen(text) >= strlen(end));
    assert_string_equal(text + strlen(text) - strlen(end), end);
}

static void ask(void)
{
    write_text(REQUEST);
    assert_string_equal(readline(rd), "HTTP/1.0 200 OK\r\n");
    assert_ends_with(read_all_of(rd), "\r\n\r\nTest message");
}

/* ---- open_connection ------------------------------------------------------------------------ */

static void opens_connection(void)
{
    struct httpd httpd = run_test_server();

    open_connection(&httpd);
    ask();
    cora_stream_writer_close(wr);
    cora_stream_writer_unref(wr);
    stop(&httpd);
}

TEST(StreamTests_test_open_connection)
{
    run(opens_connection);
}

static void opens_unix_connection(void)
{
    struct httpd httpd = run_test_unix_server();

    open_unix_connection();
    ask();
    cora_stream_writer_close(wr);
    cora_stream_writer_unref(wr);
    stop(&httpd);
}

TEST(StreamTests_test_open_unix_connection)
{
    run(opens_unix_connection);
}

/* The stream hears of an error; its transport's real end goes to another protocol. */
static void loses_connection(void)
{
    cora_transport *transport = cora_stream_writer_get_transport(wr);
    cora_protocol *protocol = cora_transport_get_protocol(transport);
    struct recorder other = {.silent = true};

    cora_transport_set_protocol(transport, record(&other));
    protocol->methods->connection_lost(protocol, -EDOM);
    assert_string_equal(read_all_of(rd), "EDOM");
    cora_stream_writer_close(wr);
    assert_int_equal(wait_lost(&other), 0);
    cora_stream_writer_unref(wr);
}

static void opens_connection_with_error(void)
{
    struct httpd httpd = run_test_server();

    open_connection(&httpd);
    loses_connection();
    stop(&httpd);
}

TEST(StreamTests_test_open_connection_error)
{
    run(opens_connection_with_error);
}

static void opens_unix_connection_with_error(void)
{
    struct httpd httpd = run_test_unix_server();

    open_unix_connection();
    loses_connection();
    stop(&httpd);
}

TEST(StreamTests_test_open_unix_connection_error)
{
    run(opens_unix_connection_with_error);
}

/* ---- feed and read -------------------------------------------------------------------------- */

static void feeds_nothing(cora_stream_reader *stream)
{
    feed(stream, "");
    assert_buffer(stream, "");
}

TEST(StreamTests_test_feed_empty_data)
{
    run_with_reader(CORA_STREAM_LIMIT, feeds_nothing);
}

static void feeds_data(cora_stream_reader *stream)
{
    feed(stream, DATA);
    assert_buffer(stream, DATA);
}

TEST(StreamTests_test_feed_nonempty_data)
{
    run_with_reader(CORA_STREAM_LIMIT, feeds_data);
}

static void reads_zero(cora_stream_reader *stream)
{
    feed(stream, DATA);
    assert_string_equal(read_up_to(stream, 0), "");
    assert_buffer(stream, DATA);
}

TEST(StreamTests_test_read_zero)
{
    run_with_reader(CORA_STREAM_LIMIT, reads_zero);
}

static void reads(cora_stream_reader *stream)
{
    struct meal meal = {stream, {DATA}, false};

    call_soon(feed_meal, &meal);
    assert_string_equal(read_up_to(stream, 30), DATA);
    assert_buffer(stream, "");
}

TEST(StreamTests_test_read)
{
    run_with_reader(CORA_STREAM_LIMIT, reads);
}

static void reads_line_breaks(cora_stream_reader *stream)
{
    feed(stream, "line1");
    feed(stream, "line2");
    assert_string_equal(read_up_to(stream, 5), "line1");
    assert_buffer(stream, "line2");
}

TEST(StreamTests_test_read_line_breaks)
{
    run_with_reader(CORA_STREAM_LIMIT, reads_line_breaks);
}

static void reads_eof(cora_stream_reader *stream)
{
    struct meal meal = {stream, {NULL}, true};

    call_soon(feed_meal, &meal);
    assert_string_equal(read_up_to(stream, 1024), "");
    assert_true(cora_stream_reader_at_eof(stream));
}

TEST(StreamTests_test_read_eof)
{
    run_with_reader(CORA_STREAM_LIMIT, reads_eof);
}

static void reads_until_eof(cora_stream_reader *stream)
{
    struct meal meal = {stream, {"chunk1\n", "chunk2"}, true};

    call_soon(feed_meal, &meal);
    assert_string_equal(read_all_of(stream), "chunk1\nchunk2");
    assert_true(cora_stream_reader_at_eof(stream));
}

TEST(StreamTests_test_read_until_eof)
{
    run_with_reader(CORA_STREAM_LIMIT, reads_until_eof);
}

static void read_raises(cora_stream_reader *stream)
{
    feed(stream, "line\n");
    assert_string_equal(read_up_to(stream, 2), "li");
    cora_stream_reader_set_exception(stream, -EDOM);
    assert_string_equal(read_up_to(stream, 2), "EDOM");
}

TEST(StreamTests_test_read_exception)
{
    run_with_reader(CORA_STREAM_LIMIT, read_raises);
}

TEST(StreamTests_test_invalid_limit)
{
    cora_stream_reader *stream;

    assert_int_equal(cora_stream_reader_create(0, &stream), -EINVAL);
    assert_int_equal(cora_stream_reader_create(-1, &stream), -EINVAL);
}

static void reads_over_the_limit(cora_stream_reader *stream)
{
    feed(stream, "chunk");
    assert_string_equal(read_up_to(stream, 5), "chunk");
    assert_buffer(stream, "");
}

TEST(StreamTests_test_read_limit)
{
    run_with_reader(3, reads_over_the_limit);
}

static void reads_a_line(cora_stream_reader *stream)
{
    struct meal meal = {stream, {"chunk2 ", "chunk3 ", "\n chunk4"}, false};

    feed(stream, "chunk1 ");
    call_soon(feed_meal, &meal);
    assert_string_equal(readline(stream), "chunk1 chunk2 chunk3 \n");
    assert_buffer(stream, " chunk4");
}

TEST(StreamTests_test_readline)
{
    run_with_reader(CORA_STREAM_LIMIT, reads_a_line);
}

static void reads_a_long_line_that_is_there(cora_stream_reader *stream)
{
    feed(stream, "li");
    feed(stream, "ne1\nline2\n");
    assert_string_equal(readline(stream), "CORA_ELIMITOVERRUN");
    assert_buffer(stream, "line2\n");

    feed(stream, "li");
    feed(stream, "ne1");
    feed(stream, "li");
    assert_string_equal(readline(stream), "CORA_ELIMITOVERRUN");
    assert_buffer(stream, "");
}

TEST(StreamTests_test_readline_limit_with_existing_data)
{
    run_with_reader(3, reads_a_long_line_that_is_there);
}

static void is_at_eof(cora_stream_reader *stream)
{
    assert_false(cora_stream_reader_at_eof(stream));
    feed(stream, "some data\n");
    assert_false(cora_stream_reader_at_eof(stream));
    assert_string_equal(readline(stream), "some data\n");
    assert_false(cora_stream_reader_at_eof(stream));
    feed(stream, "some data\n");
    cora_stream_reader_feed_eof(stream);
    assert_string_equal(readline(stream), "some data\n");
    assert_true(cora_stream_reader_at_eof(stream));
}

TEST(StreamTests_test_at_eof)
{
    run_with_reader(CORA_STREAM_LIMIT, is_at_eof);
}

static void reads_lines_around_the_limit(cora_stream_reader *stream)
{
    struct meal first = {stream, {"chunk1", "chunk2", "chunk3\n"}, false};
    struct meal second = {stream, {"chunk1", "chunk2\n", "chunk3\n"}, false};

    call_soon(feed_meal, &first);
    assert_string_equal(readline(stream), "CORA_ELIMITOVERRUN");
    assert_buffer(stream, "");

    call_soon(feed_meal, &second);
    assert_string_equal(readline(stream), "CORA_ELIMITOVERRUN");
    assert_buffer(stream, "chunk3\n");

    feed(stream, "1234567\n");
    assert_string_equal(readline(stream), "1234567\n");
    assert_buffer(stream, "");
    feed(stream, "12345678\n");
    assert_string_equal(readline(stream), "CORA_ELIMITOVERRUN");
    assert_buffer(stream, "");
    feed(stream, "12345678");
    assert_string_equal(readline(stream), "CORA_ELIMITOVERRUN");
    assert_buffer(stream, "");
}

TEST(StreamTests_test_readline_limit)
{
    run_with_reader(7, reads_lines_around_the_limit);
}

static void reads_a_line_that_is_there(cora_stream_reader *stream)
{
    feed(stream, "line1\n");
    feed(stream, DATA + 6);
    assert_string_equal(readline(stream), "line1\n");
    assert_buffer(stream, "line2\nline3\n");
}

TEST(StreamTests_test_readline_nolimit_nowait)
{
    run_with_reader(CORA_STREAM_LIMIT, reads_a_line_that_is_there);
}

static void reads_a_last_line(cora_stream_reader *stream)
{
    feed(stream, "some data");
    cora_stream_reader_feed_eof(stream);
    assert_string_equal(readline(stream), "some data");
}

TEST(StreamTests_test_readline_eof)
{
    run_with_reader(CORA_STREAM_LIMIT, reads_a_last_line);
}

static void reads_no_line(cora_stream_reader *stream)
{
    cora_stream_reader_feed_eof(stream);
    assert_string_equal(readline(stream), "");
}

TEST(StreamTests_test_readline_empty_eof)
{
    run_with_reader(CORA_STREAM_LIMIT, reads_no_line);
}

static void reads_a_line_and_bytes(cora_stream_reader *stream)
{
    feed(stream, DATA);
    assert_string_equal(readline(stream), "line1\n");
    assert_string_equal(read_up_to(stream, 7), "line2\nl");
    assert_buffer(stream, "ine3\n");
}

TEST(StreamTests_test_readline_read_byte_count)
{
    run_with_reader(CORA_STREAM_LIMIT, reads_a_line_and_bytes);
}

static void readline_raises(cora_stream_reader *stream)
{
    feed(stream, "line\n");
    assert_string_equal(readline(stream), "line\n");
    assert_buffer(stream, "");
    cora_stream_reader_set_exception(stream, -EDOM);
    assert_string_equal(readline(stream), "EDOM");
}

TEST(StreamTests_test_readline_exception)
{
    run_with_reader(CORA_STREAM_LIMIT, readline_raises);
}

static void reads_until_no_separator(cora_stream_reader *stream)
{
    char *data;

    assert_string_equal(readuntil(stream, ""), "EINVAL");
    assert_string_equal(readuntil_any(stream, "", ""), "EINVAL");
    assert_int_equal(cora_stream_reader_readuntil_any(stream, NULL, 0, &data), -EINVAL);
}

TEST(StreamTests_test_readuntil_separator)
{
    run_with_reader(CORA_STREAM_LIMIT, reads_until_no_separator);
}

static void reads_until(cora_stream_reader *stream)
{
    feed(stream, "lineAAA");
    assert_string_equal(readuntil(stream, "AAA"), "lineAAA");
    assert_buffer(stream, "");
    feed(stream, "lineAAAxxx");
    assert_string_equal(readuntil(stream, "AAA"), "lineAAA");
    assert_buffer(stream, "xxx");
}

TEST(StreamTests_test_readuntil_multi_chunks)
{
    run_with_reader(CORA_STREAM_LIMIT, reads_until);
}

static void reads_until_what_comes_in_chunks(cora_stream_reader *stream)
{
    static const char *const chunks[][4] = {
        {"QWEaa", "XYaa", "a"}, {"QWEaa", "XYa", "aa"}, {"aaa"}, {"Xaaa"}, {"XXX", "a", "a", "a"}};
    static const char *const wholes[] = {"QWEaaXYaaa", "QWEaaXYaaa", "aaa", "Xaaa", "XXXaaa"};

    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < 4 && chunks[i][k] != NULL; k++)
            feed(stream, chunks[i][k]);
        assert_string_equal(readuntil(stream, "aaa"), wholes[i]);
        assert_buffer(stream, "");
    }
}

TEST(StreamTests_test_readuntil_multi_chunks_1)
{
    run_with_reader(CORA_STREAM_LIMIT, reads_until_what_comes_in_chunks);
}

static void reads_until_the_end_comes_first(cora_stream_reader *stream)
{
    feed(stream, "some dataAA");
    cora_stream_reader_feed_eof(stream);
    assert_string_equal(readuntil(stream, "AAA"), "CORA_EINCOMPLETEREAD");
    assert_string_equal(read_up_to(stream, 64), "some dataAA");
    assert_true(cora_stream_reader_at_eof(stream));
}

TEST(StreamTests_test_readuntil_eof)
{
    run_with_reader(CORA_STREAM_LIMIT, reads_until_the_end_comes_first);
}

static void reads_until_over_the_limit(cora_stream_reader *stream)
{
    feed(stream, "some dataAA");
    assert_string_equal(readuntil(stream, "AAA"), "CORA_ELIMITOVERRUN");
    feed(stream, "A");
    assert_string_equal(readuntil(stream, "AAA"), "CORA_ELIMITOVERRUN");
    assert_buffer(stream, "some dataAAA");
}

TEST(StreamTests_test_readuntil_limit_found_sep)
{
    run_with_reader(3, reads_until_over_the_limit);
}

static void reads_until_any(cora_stream_reader *stream)
{
    feed(stream, "line 1\nline 2\r");
    assert_string_equal(readuntil_any(stream, "\r", "\n"), "line 1\n");
    assert_string_equal(readuntil_any(stream, "\r", "\n"), "line 2\r");
    assert_buffer(stream, "");

    feed(stream, "ABCDEFG");
    assert_string_equal(readuntil_any(stream, "DEF", "BCDE"), "ABCDE");
    assert_buffer(stream, "FG");
}

TEST(StreamTests_test_readuntil_multi_separator)
{
    run_with_reader(CORA_STREAM_LIMIT, reads_until_any);
}

static void reads_until_any_over_the_limit(cora_stream_reader *stream)
{
    feed(stream, "some dataA");
    assert_string_equal(readuntil_any(stream, "A", "ome dataA"), "CORA_ELIMITOVERRUN");
    assert_buffer(stream, "some dataA");
}

TEST(StreamTests_test_readuntil_multi_separator_limit)
{
    run_with_reader(3, reads_until_any_over_the_limit);
}

static void reads_until_any_with_little_data(cora_stream_reader *stream)
{
    struct meal first = {stream, {"Z"}, false}, second = {stream, {"Aaaa"}, false};

    feed(stream, "data");
    call_soon(feed_meal, &first);
    call_soon(feed_meal, &second);
    assert_string_equal(readuntil_any(stream, "A", "long sep"), "dataZA");
    assert_buffer(stream, "aaa");
}

TEST(StreamTests_test_readuntil_multi_separator_negative_offset)
{
    run_with_reader(CORA_STREAM_LIMIT, reads_until_any_with_little_data);
}

static void reads_exactly_nothing(cora_stream_reader *stream)
{
    feed(stream, DATA);
    assert_string_equal(readexactly(stream, 0), "");
    assert_buffer(stream, DATA); /* less than nothing cannot be said */
}

TEST(StreamTests_test_readexactly_zero_or_less)
{
    run_with_reader(CORA_STREAM_LIMIT, reads_exactly_nothing);
}

static void reads_exactly(cora_stream_reader *stream)
{
    struct meal meal = {stream, {DATA, DATA, DATA}, false};
    char twice[2 * sizeof DATA];

    snprintf(twice, sizeof twice, "%s%s", DATA, DATA);
    call_soon(feed_meal, &meal);
    assert_string_equal(readexactly(stream, strlen(twice)), twice);
    assert_buffer(stream, DATA);
}

TEST(StreamTests_test_readexactly)
{
    run_with_reader(CORA_STREAM_LIMIT, reads_exactly);
}

static void reads_exactly_over_the_limit(cora_stream_reader *stream)
{
    feed(stream, "chunk");
    assert_string_equal(readexactly(stream, 5), "chunk");
    assert_buffer(stream, "");
}

TEST(StreamTests_test_readexactly_limit)
{
    run_with_reader(3, reads_exactly_over_the_limit);
}

static void reads_exactly_and_the_end_comes_first(cora_stream_reader *stream)
{
    struct meal meal = {stream, {DATA}, true};

    call_soon(feed_meal, &meal);
    assert_string_equal(readexactly(stream, 2 * strlen(DATA)), "CORA_EINCOMPLETEREAD");
    assert_string_equal(read_up_to(stream, 64), DATA); /* the error's `partial` */
    assert_true(cora_stream_reader_at_eof(stream));
}

TEST(StreamTests_test_readexactly_eof)
{
    run_with_reader(CORA_STREAM_LIMIT, reads_exactly_and_the_end_comes_first);
}

static void readexactly_raises(cora_stream_reader *stream)
{
    feed(stream, "line\n");
    assert_string_equal(readexactly(stream, 2), "li");
    cora_stream_reader_set_exception(stream, -EDOM);
    assert_string_equal(readexactly(stream, 2), "EDOM");
}

TEST(StreamTests_test_readexactly_exception)
{
    run_with_reader(CORA_STREAM_LIMIT, readexactly_raises);
}

static void has_an_exception(cora_stream_reader *stream)
{
    assert_int_equal(cora_stream_reader_exception(stream), 0);
    cora_stream_reader_set_exception(stream, -EDOM);
    assert_int_equal(cora_stream_reader_exception(stream), -EDOM);
}

TEST(StreamTests_test_exception)
{
    run_with_reader(CORA_STREAM_LIMIT, has_an_exception);
}

static void wakes_a_waiter_by_an_exception(cora_stream_reader *stream)
{
    cora_task *task = start_get(stream, "line");

    cora_stream_reader_set_exception(stream, -EDOM);
    finish(task);
    assert_string_equal(trace_text, "EDOM ");
}

TEST(StreamTests_test_exception_waiter)
{
    run_with_reader(CORA_STREAM_LIMIT, wakes_a_waiter_by_an_exception);
}

static void sets_an_exception_after_a_cancellation(cora_stream_reader *stream)
{
    cancel(start_get(stream, "line"));
    cora_stream_reader_set_exception(stream, -EDOM);
    assert_int_equal(rest(1), 0);
    assert_string_equal(trace_text, "ECANCELED ");
    assert_string_equal(readline(stream), "EDOM"); /* and not EBUSY */
}

TEST(StreamTests_test_exception_cancel)
{
    run_with_reader(CORA_STREAM_LIMIT, sets_an_exception_after_a_cancellation);
}

/* ---- servers -------------------------------------------------------------------------------- */

/* What a handler does, in the task that it is called in or in one of its own. */
static int handle_client(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    char *line;
    ssize_t size = cora_stream_reader_readline(reader, &line);
    int rc = size < 0 ? (int)size : cora_stream_writer_write(writer, line, (size_t)size);

    (void)arg;
    if (rc == 0)
        rc = cora_stream_writer_drain(writer);
    cora_stream_writer_close(writer);
    return rc < 0 ? rc : cora_stream_writer_wait_closed(writer);
}

struct handle_later_args {
    cora_stream_reader *reader;
    cora_stream_writer *writer;
};

static int handle_later(void *arg)
{
    struct handle_later_args *a = arg;
    int rc = handle_client(a->reader, a->writer, NULL);

    cora_stream_writer_unref(a->writer);
    return rc;
}

/* A plain function: it starts a task, which has a reference, and returns. */
static int handle_client_callback(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    cora_task *task =
        cora_create_task(handle_later, .reader = reader, .writer = cora_stream_writer_ref(writer));

    (void)arg;
    assert_non_null(task);
    cora_task_unref(task);
    return 0;
}

static void client(void)
{
    write_text("hello world!\n");
    assert_string_equal(readline(rd), "hello world!\n");
    close_and_wait();
    cora_stream_writer_unref(wr);
}

static void serves(void)
{
    cora_client_connected *const handlers[] = {handle_client, handle_client_callback};

    for (int i = 0; i < 2; i++) {
        struct sockaddr_in address;
        int listener = make_listener(&address, 5);
        struct httpd httpd;
        int rc = cora_start_server_sock(handlers[i], NULL, listener, NULL, &httpd.server);

        assert_int_equal(rc, 0);
        set_port(httpd.server, httpd.port);
        open_connection(&httpd);
        client();
        stop(&httpd);
    }
}

TEST(StreamTests_test_start_server)
{
    run(serves);
}

static void serves_unix(void)
{
    cora_client_connected *const handlers[] = {handle_client, handle_client_callback};

    for (int i = 0; i < 2; i++) {
        struct httpd httpd;
        int rc = cora_start_unix_server(handlers[i], NULL, socket_path(), NULL, &httpd.server);

        assert_int_equal(rc, 0);
        open_unix_connection();
        client();
        stop(&httpd);
    }
}

TEST(StreamTests_test_start_unix_server)
{
    run(serves_unix);
}

/* A client that says something to a server with such a handler. */
static int talk_to(void *handler)
{
    struct httpd httpd;
    int rc = cora_start_server(*(cora_client_connected **)handler, NULL, "127.0.0.1", "0", NULL,
                               &httpd.server);

    assert_int_equal(rc, 0);
    set_port(httpd.server, httpd.port);
    open_connection(&httpd);
    write_text("test msg");
    assert_int_equal(drain(), 0);
    close_and_wait();
    cora_stream_writer_unref(wr);
    rc = cora_sleep(1);
    assert_int_equal(rc, 0);
    stop(&httpd);
    return 0;
}

static int handler_that_fails(cora_stream_reader *reader, cora_stream_writer *writer, void *arg)
{
    (void)reader, (void)writer, (void)arg;
    return -EDOM;
}

TEST(StreamTests_test_unhandled_exception)
{
    cora_client_connected *handler = handler_that_fails;

    assert_int_equal(run_virtual(talk_to, &handler), 0);
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.message, "Unhandled exception in client_connected_cb");
    assert_int_equal(reports.error, -EDOM);
}

static int handler_that_is_cancelled(cora_stream_reader *reader, cora_stream_writer *writer,
                                     void *arg)
{
    (void)reader, (void)writer, (void)arg;
    cora_task_cancel(cora_current_task());
    return 0;
}

TEST(StreamTests_test_unhandled_cancel)
{
    cora_client_connected *handler = handler_that_is_cancelled;

    assert_int_equal(run_virtual(talk_to, &handler), 0);
    assert_int_equal(reports.count, 0);
}

/* ---- drain ---------------------------------------------------------------------------------- */

static int drained;

static int drainer(void *arg)
{
    int rc = cora_stream_writer_drain(arg);

    drained++;
    return rc;
}

static void resume_writing(void *arg)
{
    cora_protocol *protocol = arg;

    assert_int_equal(drained, 0);
    protocol->methods->resume_writing(protocol);
}

static void drains_multiple(void)
{
    cora_protocol *protocol;
    cora_task_group group;
    int fds[2], rc = 0;

    make_pair(fds);
    open_streams(fds[0], CORA_STREAM_LIMIT, &rd, &wr);
    protocol = cora_transport_get_protocol(cora_stream_writer_get_transport(wr));
    protocol->methods->pause_writing(protocol);
    assert_int_equal(
        cora_loop_call_later(cora_get_running_loop(), 0.1, resume_writing, protocol, NULL), 0);
    cora_task_group_enter(&group);
    for (int i = 0; i < 10 && rc == 0; i++)
        rc = cora_task_group_create_task_arg(&group, drainer, wr);
    rc = cora_task_group_exit(&group, rc);
    assert_int_equal(rc, 0);
    assert_int_equal(drained, 10);
    cora_stream_writer_unref(wr);
    close_fd(fds[1]);
}

TEST(StreamTests_test_multiple_drain)
{
    run(drains_multiple);
}

/* The peer closes at once: a loop that writes and drains must see it. */
static void drain_raises(void)
{
    struct sockaddr_in address;
    int listener = make_listener(&address, 5), rc = 0;
    struct httpd peer;

    snprintf(peer.port, sizeof peer.port, "%u", ntohs(address.sin_port));
    open_connection(&peer);
    close_fd(accept(listener, NULL, NULL));
    while (rc == 0) {
        write_text("foo\n");
        rc = drain();
    }
    assert_true(rc == -ECONNRESET || rc == -ECONNABORTED || rc == -EPIPE);
    cora_stream_writer_unref(wr);
    close_fd(listener);
}

TEST(StreamTests_test_drain_raises)
{
    run(drain_raises);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void waits_closed(void)
{
    struct httpd httpd = run_test_server();

    open_connection(&httpd);
    ask();
    assert_false(cora_stream_writer_is_closing(wr));
    cora_stream_writer_close(wr);
    assert_true(cora_stream_writer_is_closing(wr));
    close_and_wait();
    cora_stream_writer_unref(wr);
    stop(&httpd);
}

TEST(StreamTests_test_wait_closed_on_close)
{
    run(waits_closed);
}

static void waits_closed_with_unread_data(void)
{
    struct httpd httpd = run_test_server();

    open_connection(&httpd);
    write_text(REQUEST);
    assert_string_equal(readline(rd), "HTTP/1.0 200 OK\r\n");
    close_and_wait();
    cora_stream_writer_unref(wr);
    stop(&httpd);
}

TEST(StreamTests_test_wait_closed_on_close_with_unread_data)
{
    run(waits_closed_with_unread_data);
}

static void uses_writer(void)
{
    struct httpd httpd = run_test_server();

    open_connection(&httpd);
    ask();
    close_and_wait();
    cora_stream_writer_unref(wr);
    stop(&httpd);
}

TEST(StreamTests_test_async_writer_api)
{
    run(uses_writer);
}

static void uses_writer_after_close(void)
{
    struct httpd httpd = run_test_server();

    open_connection(&httpd);
    ask();
    cora_stream_writer_close(wr);
    write_text("data");
    assert_int_equal(drain(), -ECONNRESET);
    cora_stream_writer_unref(wr);
    stop(&httpd);
}

TEST(StreamTests_test_async_writer_api_exception_after_close)
{
    run(uses_writer_after_close);
}

static void closes_writer(void)
{
    struct httpd httpd = run_test_server();

    open_connection(&httpd);
    close_and_wait();
    assert_true(cora_stream_reader_at_eof(rd));
    assert_string_equal(read_all_of(rd), "");
    cora_stream_writer_unref(wr);
    stop(&httpd);
}

TEST(StreamTests_test_eof_feed_when_closing_writer)
{
    run(closes_writer);
}
