/* Writing to a stream, and its end. */
#include "support/socket.h"
#include "support/streams.h"
#include "support/test.h"
#include "support/virtual.h"

#include <sys/socket.h>
#include <unistd.h>
#include <wchar.h>

struct pair {
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    int fds[2]; /* the stream's, and its peer's */
};

static void open_pair(struct pair *pair)
{
    make_pair(pair->fds);
    open_streams(pair->fds[0], CORA_STREAM_LIMIT, &pair->reader, &pair->writer);
}

static void assert_peer_reads(const struct pair *pair, const char *text)
{
    char buffer[64];
    ssize_t size = recv(pair->fds[1], buffer, sizeof buffer, MSG_DONTWAIT);

    assert_int_equal(size, strlen(text));
    assert_memory_equal(buffer, text, (size_t)size);
}

static void write_much(const struct pair *pair)
{
    unsigned char *big = make_big();
    int rc = cora_stream_writer_write(pair->writer, big, BIG);

    free(big);
    assert_int_equal(rc, 0);
}

/* Takes the stream down; the peer's socket is closed already. */
static void give_back(struct pair *pair)
{
    cora_stream_writer_close(pair->writer);
    cora_stream_writer_unref(pair->writer);
}

static int drain(void *arg)
{
    int rc = cora_stream_writer_drain(arg);

    trace("%s", rc < 0 ? cora_strerrorname(rc) : "drained");
    return rc;
}

static int wait_closed(void *arg)
{
    int rc = cora_stream_writer_wait_closed(arg);

    trace("%s", rc < 0 ? cora_strerrorname(rc) : "closed");
    return rc;
}

static int count_hop(void *arg)
{
    ++*(int *)arg;
    return 0;
}

/* ---- write and drain ------------------------------------------------------------------------ */

static int writes(void *arg)
{
    struct iovec parts[] = {{"a", 1}, {"bc", 2}};
    struct pair pair;
    int hops = 0;
    cora_task *other;

    (void)arg;
    open_pair(&pair);
    other = cora_create_task_arg(count_hop, &hops);
    assert_int_equal(cora_stream_writer_write(pair.writer, "hello ", 6), 0);
    assert_int_equal(cora_stream_writer_writelines(pair.writer, parts, 2), 0);
    assert_int_equal(cora_stream_writer_drain(pair.writer), 0);
    assert_int_equal(hops, 0);
    assert_peer_reads(&pair, "hello abc");
    assert_true(cora_stream_writer_can_write_eof(pair.writer));
    assert_int_equal(cora_stream_writer_write_eof(pair.writer), 0);
    assert_peer_reads(&pair, "");
    assert_int_equal(*(const int *)cora_stream_writer_get_extra_info(pair.writer, "socket"),
                     pair.fds[0]);
    assert_null(cora_stream_writer_get_extra_info(pair.writer, "sslcontext"));
    finish(other);
    close_fd(pair.fds[1]);
    give_back(&pair);
    return 0;
}

TEST(what_is_written_is_sent_and_drain_does_not_suspend)
{
    assert_int_equal(run_virtual(writes, NULL), 0);
}

static int prints(void *arg)
{
    char long_text[2000], text[2001];
    struct pair pair;
    int rc;

    (void)arg;
    open_pair(&pair);
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    assert_int_equal(cora_stream_writer_printf(pair.writer, "%d is %s\n", 4, "four"), 0);
    assert_peer_reads(&pair, "4 is four\n");
    for (size_t size = 511; size < 514; size++) { /* about the size from which on it allocates */
        rc = cora_stream_writer_printf(pair.writer, "%.*s", (int)size, long_text);
        assert_int_equal(rc, 0);
        assert_int_equal(recv(pair.fds[1], text, sizeof text, MSG_DONTWAIT), size);
        assert_memory_equal(text, long_text, size);
    }
    assert_int_equal(cora_stream_writer_printf(pair.writer, "%s.", long_text), 0);
    assert_int_equal(recv(pair.fds[1], text, sizeof text, MSG_DONTWAIT), sizeof long_text);
    assert_memory_equal(text, long_text, sizeof long_text - 1);
    assert_int_equal(text[sizeof long_text - 1], '.');
    rc = cora_stream_writer_printf(pair.writer, "lost%lc", (wint_t)0x110000);
    assert_int_equal(rc, -EILSEQ);
    assert_int_equal(recv(pair.fds[1], text, sizeof text, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    close_fd(pair.fds[1]);
    give_back(&pair);
    return 0;
}

TEST(printf_sends_text_of_any_length_and_nothing_where_it_fails)
{
    assert_int_equal(run_virtual(prints, NULL), 0);
}

static int drains(void *arg)
{
    cora_task *tasks[3];
    struct pair pair;

    (void)arg;
    open_pair(&pair);
    write_much(&pair);
    for (int i = 0; i < 3; i++)
        tasks[i] = cora_create_task_arg(drain, pair.writer);
    assert_int_equal(rest(5), 0);
    cora_task_cancel(tasks[1]);
    assert_int_equal(rest(2), 0);
    trace("reads");
    assert_int_equal(shutdown(pair.fds[0], SHUT_RD), 0);
    cora_stream_writer_close(pair.writer);
    assert_int_equal(read_all(pair.fds[1]), BIG);
    for (int i = 0; i < 3; i++)
        assert_int_equal(cora_await_unref(tasks[i]), i == 1 ? -ECANCELED : 0);
    cora_stream_writer_unref(pair.writer);
    close_fd(pair.fds[1]);
    return 0;
}

TEST(any_number_of_tasks_wait_until_the_peer_reads)
{
    assert_int_equal(run_virtual(drains, NULL), 0);
    assert_string_equal(trace_text, "ECANCELED reads drained drained ");
}

static int drains_with_an_exception(void *arg)
{
    struct pair pair;

    (void)arg;
    open_pair(&pair);
    cora_stream_reader_set_exception(pair.reader, -EILSEQ);
    assert_int_equal(cora_stream_writer_drain(pair.writer), -EILSEQ);
    close_fd(pair.fds[1]);
    give_back(&pair);
    return 0;
}

TEST(drain_tells_the_readers_exception)
{
    assert_int_equal(run_virtual(drains_with_an_exception, NULL), 0);
}

/* In a loop of writes nobody else runs: drain lets the end come. */
static int drains_when_closing(void *arg)
{
    struct pair pair;
    int hops = 0;
    cora_task *other;

    (void)arg;
    open_pair(&pair);
    cora_stream_writer_close(pair.writer);
    assert_true(cora_stream_writer_is_closing(pair.writer));
    other = cora_create_task_arg(count_hop, &hops);
    assert_int_equal(cora_stream_writer_write(pair.writer, "late", 4), 0);
    assert_int_equal(cora_stream_writer_drain(pair.writer), -ECONNRESET);
    assert_int_equal(hops, 1);
    assert_true(cora_stream_reader_at_eof(pair.reader));
    finish(other);
    close_fd(pair.fds[1]);
    cora_stream_writer_unref(pair.writer);
    return 0;
}

TEST(drain_lets_others_run_when_the_connection_is_closing)
{
    assert_int_equal(run_virtual(drains_when_closing, NULL), 0);
}

/* ---- the end -------------------------------------------------------------------------------- */

/* Tasks that drain, wait for the end, and read, when the connection is lost with an error. */
static int is_reset(void *arg)
{
    struct pair pair;
    cora_task *tasks[3];

    (void)arg;
    open_pair(&pair);
    write_much(&pair);
    tasks[0] = cora_create_task_arg(drain, pair.writer);
    tasks[1] = cora_create_task_arg(wait_closed, pair.writer);
    tasks[2] = start_get(pair.reader, "read 1");
    close_fd(pair.fds[1]); /* with data that it has not read */
    finish(tasks[2]);
    for (int i = 0; i < 2; i++)
        assert_int_equal(cora_await_unref(tasks[i]), cora_stream_reader_exception(pair.reader));
    get(pair.reader, "read 1");
    assert_int_equal(drain(pair.writer), cora_stream_reader_exception(pair.reader));
    assert_int_equal(wait_closed(pair.writer), cora_stream_reader_exception(pair.reader));
    give_back(&pair);
    return 0;
}

TEST(a_connection_that_breaks_tells_all_who_wait_and_all_who_ask_later)
{
    assert_int_equal(run_virtual(is_reset, NULL), 0);
    assert_string_equal(trace_text,
                        "ECONNRESET ECONNRESET ECONNRESET ECONNRESET ECONNRESET ECONNRESET ");
}

/* Two wait for the end, one of whom is cancelled: the other still waits. */
static int closes(void *arg)
{
    struct pair pair;
    cora_task *tasks[2];

    (void)arg;
    open_pair(&pair);
    for (int i = 0; i < 2; i++)
        tasks[i] = cora_create_task_arg(wait_closed, pair.writer);
    assert_int_equal(rest(1), 0);
    cora_task_cancel(tasks[0]);
    assert_int_equal(cora_await_unref(tasks[0]), -ECANCELED);
    cora_stream_writer_close(pair.writer);
    trace("closing");
    finish(tasks[1]);
    assert_int_equal(wait_closed(pair.writer), 0);
    get(pair.reader, "read 1");
    cora_stream_writer_unref(pair.writer);
    close_fd(pair.fds[1]);
    return 0;
}

TEST(the_end_is_waited_for_and_known_afterwards)
{
    assert_int_equal(run_virtual(closes, NULL), 0);
    assert_string_equal(trace_text, "ECANCELED closing closed closed '' ");
}

/* ---- references ----------------------------------------------------------------------------- */

static int forgets(void *arg)
{
    struct pair pair;
    cora_transport *transport;

    (void)arg;
    open_pair(&pair);
    transport = cora_transport_ref(cora_stream_writer_get_transport(pair.writer));
    write_much(&pair);
    assert_ptr_equal(cora_stream_reader_ref(pair.reader), pair.reader);
    assert_ptr_equal(cora_stream_writer_ref(pair.writer), pair.writer);
    cora_stream_reader_unref(pair.reader);
    cora_stream_writer_unref(pair.writer);
    assert_false(cora_transport_is_closing(transport));
    cora_stream_writer_unref(pair.writer);
    assert_true(cora_transport_is_closing(transport));
    cora_transport_unref(transport);
    assert_int_equal(read_all(pair.fds[1]), BIG);
    close_fd(pair.fds[1]);
    cora_stream_writer_unref(NULL);
    cora_stream_reader_unref(NULL);
    return 0;
}

TEST(the_last_reference_closes_and_what_was_written_is_sent)
{
    assert_int_equal(run_virtual(forgets, NULL), 0);
}

/* The one who wanted it is cancelled, and gone before the connection is made. */
static int gives_up(void *arg)
{
    cora_stream_reader *reader = make_reader(CORA_STREAM_LIMIT);
    char byte;
    int fds[2], rc;

    (void)arg;
    make_pair(fds);
    cora_task_cancel(cora_current_task());
    rc = cora_connect_accepted_socket(cora_stream_reader_protocol, reader, fds[0], NULL);
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(cora_task_uncancel(cora_current_task()), 0);
    cora_stream_reader_unref(reader);
    assert_int_equal(cora_sock_recv(fds[1], &byte, 1), 0);
    close_fd(fds[1]);
    return 0;
}

TEST(a_connection_that_nobody_wants_is_closed)
{
    assert_int_equal(run_virtual(gives_up, NULL), 0);
}

static int is_no_stream(void *arg)
{
    cora_stream_reader *reader = make_reader(CORA_STREAM_LIMIT);
    int fds[2];

    (void)arg;
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
    assert_null(cora_stream_reader_get_writer(reader));
    assert_int_equal(
        cora_connect_accepted_socket(cora_stream_reader_protocol, reader, fds[0], NULL),
        -EPROTOTYPE);
    assert_null(cora_stream_reader_get_writer(reader));
    assert_int_equal(cora_stream_reader_exception(reader), -EPROTOTYPE);
    cora_stream_reader_unref(reader);
    close_pair(fds);
    return 0;
}

TEST(one_that_cannot_be_made_leaves_a_reader_that_fails)
{
    assert_int_equal(run_virtual(is_no_stream, NULL), 0);
}

/* ---- a loop that is closed over them -------------------------------------------------------- */

static int stop(void *arg)
{
    struct pair *pair = arg;

    open_pair(pair);
    write_much(pair);
    cora_task_unref(cora_create_task_arg(drain, pair->writer));
    cora_task_unref(cora_create_task_arg(wait_closed, pair->writer));
    cora_task_unref(start_get(pair->reader, "exactly 9"));
    put(pair->fds[1], "some");
    cora_loop_stop(cora_get_running_loop());
    return rest(1);
}

TEST(a_loop_that_is_closed_loses_them_and_the_tasks)
{
    cora_loop *loop = virtual_loop();
    struct pair pair;

    cora_task_unref(cora_loop_create_task_arg(loop, NULL, stop, "stop", &pair));
    assert_int_equal(cora_loop_run_forever(loop), 0);
    cora_loop_free(loop);
    assert_int_equal(cora_stream_reader_exception(pair.reader), -CORA_ECLOSED);
    assert_true(cora_stream_writer_is_closing(pair.writer));
    cora_stream_writer_unref(pair.writer);
    close(pair.fds[1]);
}
