/* What a reader makes of the bytes that it is fed. */
#include "support/protocol.h"
#include "support/socket.h"
#include "support/streams.h"
#include "support/test.h"
#include "support/virtual.h"

#include <sys/socket.h>

/* Time passes: what is in a socket is read. */
static void settle(void)
{
    int rc = cora_sleep(1);

    assert_int_equal(rc, 0);
}

/* ---- what each call gives ------------------------------------------------------------------- */

/* Calls that find all in the reader. */
static int takes_what_is_there(void *arg)
{
    cora_stream_reader *reader = make_reader(CORA_STREAM_LIMIT);

    (void)arg;
    feed(reader, "0123456789ab\ncd\r\nef\nrest");
    get(reader, "read 0");
    get(reader, "read 2");
    get(reader, "exactly 0");
    get(reader, "exactly 2");
    get(reader, "until 89");
    get(reader, "line");
    get(reader, "until \r");
    get(reader, "line");
    get(reader, "line");
    assert_false(cora_stream_reader_at_eof(reader));
    cora_stream_reader_feed_eof(reader);
    assert_false(cora_stream_reader_at_eof(reader));
    get(reader, "line");
    assert_true(cora_stream_reader_at_eof(reader));
    get(reader, "line");
    get(reader, "read 1");
    get(reader, "all");
    get(reader, "exactly 1");
    get(reader, "until x");
    cora_stream_reader_unref(reader);
    return 0;
}

TEST(each_call_takes_its_part_and_the_end_comes_last)
{
    assert_int_equal(run_virtual(takes_what_is_there, NULL), 0);
    assert_string_equal(trace_text, "'' '01' '' '23' '456789' 'ab\n' 'cd\r' '\n' 'ef\n' 'rest' "
                                    "'' '' '' CORA_EINCOMPLETEREAD CORA_EINCOMPLETEREAD ");
}

/* Calls that wait, and what they are fed meanwhile. */
static int waits(void *arg)
{
    static const char *const scenes[][5] = {
        {"read 30", "ab"},
        {"read 3", "abcd"},
        {"exactly 4", "ab", "cde"},
        {"line", "chu", "nk\nx"},
        {"until AAA", "QWEAA", "XYA", "AA"},
        {"until AAA", "XA", "A", "AA"},
    };

    (void)arg;
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
        cora_stream_reader *reader = make_reader(CORA_STREAM_LIMIT);
        cora_task *task = start_get(reader, scenes[i][0]);

        for (int k = 1; scenes[i][k] != NULL; k++)
            feed(reader, scenes[i][k]);
        finish(task);
        cora_stream_reader_feed_eof(reader);
        get(reader, "all");
        cora_stream_reader_unref(reader);
    }
    return 0;
}

TEST(a_call_waits_for_its_part_and_leaves_the_rest)
{
    assert_int_equal(run_virtual(waits, NULL), 0);
    assert_string_equal(trace_text, "'ab' '' 'abc' 'd' 'abcd' 'e' 'chunk\n' 'x' "
                                    "'QWEAAXYAAA' '' 'XAAA' 'A' ");
}

/* One that is fed in several iterations, and goes on searching where it has to. */
static int is_fed_slowly(void *arg)
{
    cora_stream_reader *reader = make_reader(CORA_STREAM_LIMIT);
    cora_task *task = start_get(reader, "until ABC");

    (void)arg;
    for (const char *c = "xABABABCy"; *c != '\0'; c++) {
        feed(reader, (char[]){*c, '\0'});
        assert_int_equal(rest(2), 0);
    }
    finish(task);
    get(reader, "read 9");
    cora_stream_reader_unref(reader);
    return 0;
}

TEST(a_separator_may_come_byte_by_byte)
{
    assert_int_equal(run_virtual(is_fed_slowly, NULL), 0);
    assert_string_equal(trace_text, "'xABABABC' 'y' ");
}

static int reads_until_the_end(void *arg)
{
    cora_stream_reader *reader = make_reader(1);
    cora_task *task = start_get(reader, "all");

    (void)arg;
    feed(reader, "chunk1 ");
    assert_int_equal(rest(2), 0);
    feed(reader, "chunk2");
    cora_stream_reader_feed_eof(reader);
    assert_int_equal(cora_stream_reader_feed_data(reader, "late", 4), -EPIPE);
    finish(task);
    assert_true(cora_stream_reader_at_eof(reader));
    cora_stream_reader_unref(reader);
    return 0;
}

TEST(all_there_is_may_be_more_than_the_limit)
{
    assert_int_equal(run_virtual(reads_until_the_end, NULL), 0);
    assert_string_equal(trace_text, "'chunk1 chunk2' ");
}

static int ends_early(void *arg)
{
    static const char *const calls[] = {"read 5", "exactly 5", "line", "until xx", "all"};

    (void)arg;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        cora_stream_reader *reader = make_reader(CORA_STREAM_LIMIT);
        cora_task *task = start_get(reader, calls[i]);

        if (i > 0)
            feed(reader, "abc");
        cora_stream_reader_feed_eof(reader);
        finish(task);
        get(reader, "all");
        cora_stream_reader_unref(reader);
    }
    return 0;
}

TEST(what_comes_before_an_early_end_can_still_be_read)
{
    assert_int_equal(run_virtual(ends_early, NULL), 0);
    assert_string_equal(
        trace_text,
        "'' '' CORA_EINCOMPLETEREAD 'abc' 'abc' '' CORA_EINCOMPLETEREAD 'abc' 'abc' '' ");
}

/* ---- several separators --------------------------------------------------------------------- */

static void get_any(cora_stream_reader *reader, const char *first, const char *second)
{
    cora_separator separators[] = {{first, strlen(first)}, {second, strlen(second)}};
    char *data;
    ssize_t size = cora_stream_reader_readuntil_any(reader, separators, 2, &data);

    if (size < 0)
        trace("%s", cora_strerrorname((int)size));
    else
        trace("'%.*s'", (int)size, data);
}

static int looks_for_several(void *arg)
{
    cora_stream_reader *reader = make_reader(8);
    char *data;

    (void)arg;
    feed(reader, "1\r2\nABCDEFG");
    get_any(reader, "\r", "\n");
    get_any(reader, "\r", "\n");
    get_any(reader, "DEF", "BCDE");
    get(reader, "exactly 2");
    feed(reader, "0123456789END");
    get_any(reader, "END", "3456789END");
    get_any(reader, "3456789END", "END");
    assert_int_equal(cora_stream_reader_readuntil(reader, "", 0, &data), -EINVAL);
    assert_int_equal(cora_stream_reader_readuntil_any(reader, NULL, 0, &data), -EINVAL);
    cora_stream_reader_unref(reader);
    return 0;
}

TEST(of_several_separators_the_one_that_ends_first_counts_and_then_the_shortest)
{
    assert_int_equal(run_virtual(looks_for_several, NULL), 0);
    assert_string_equal(trace_text,
                        "'1\r' '2\n' 'ABCDE' 'FG' CORA_ELIMITOVERRUN CORA_ELIMITOVERRUN ");
}

/* ---- the limit ------------------------------------------------------------------------------ */

static int overruns(void *arg)
{
    cora_stream_reader *reader = make_reader(7);

    (void)arg;
    feed(reader, "1234567\n12345678\nnext\n");
    get(reader, "line");
    get(reader, "line");
    get(reader, "line");
    feed(reader, "12345678");
    get(reader, "line");
    feed(reader, "12345678AA");
    get(reader, "until AAA");
    feed(reader, "A");
    get(reader, "until AAA");
    get(reader, "read 20");
    cora_stream_reader_unref(reader);
    return 0;
}

TEST(a_line_over_the_limit_is_dropped_and_anything_else_stays)
{
    assert_int_equal(run_virtual(overruns, NULL), 0);
    assert_string_equal(trace_text, "'1234567\n' CORA_ELIMITOVERRUN 'next\n' CORA_ELIMITOVERRUN "
                                    "CORA_ELIMITOVERRUN CORA_ELIMITOVERRUN '12345678AAA' ");
}

TEST(a_limit_is_more_than_nothing)
{
    cora_stream_reader *reader;

    assert_int_equal(cora_stream_reader_create(0, &reader), -EINVAL);
    assert_int_equal(cora_stream_reader_create(-1, &reader), -EINVAL);
}

/* ---- errors, and others who read ------------------------------------------------------------ */

static int fails(void *arg)
{
    static const char *const calls[] = {"read 9", "exactly 9", "line", "until xx", "all"};

    (void)arg;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        cora_stream_reader *reader = make_reader(CORA_STREAM_LIMIT);
        cora_task *task = start_get(reader, calls[i]);

        if (i > 0)
            feed(reader, "abc");
        assert_int_equal(rest(2), 0);
        get(reader, "read 1");
        cora_stream_reader_set_exception(reader, -EILSEQ);
        assert_int_equal(cora_stream_reader_exception(reader), -EILSEQ);
        finish(task);
        get(reader, "read 1");
        cora_stream_reader_unref(reader);
    }
    return 0;
}

TEST(one_task_reads_at_a_time_and_an_exception_ends_it)
{
    assert_int_equal(run_virtual(fails, NULL), 0);
    assert_string_equal(trace_text, "EBUSY EILSEQ EILSEQ EBUSY EILSEQ EILSEQ EBUSY EILSEQ EILSEQ "
                                    "EBUSY EILSEQ EILSEQ EBUSY EILSEQ EILSEQ ");
}

/* What had come before the exception is still the task's that waited for it. */
static int has_got_it_before(void *arg)
{
    cora_stream_reader *reader = make_reader(CORA_STREAM_LIMIT);
    cora_task *task = start_get(reader, "read 9");

    (void)arg;
    feed(reader, "abc");
    feed(reader, "def");
    cora_stream_reader_set_exception(reader, -EILSEQ);
    finish(task);
    cora_stream_reader_unref(reader);
    return 0;
}

TEST(data_comes_before_the_exception)
{
    assert_int_equal(run_virtual(has_got_it_before, NULL), 0);
    assert_string_equal(trace_text, "'abcdef' ");
}

TEST(a_call_that_would_wait_needs_a_task)
{
    cora_stream_reader *reader = make_reader(CORA_STREAM_LIMIT);
    char c;

    assert_int_equal(cora_stream_reader_read(reader, &c, 1), -CORA_ENOTASK);
    feed(reader, "xy");
    assert_int_equal(cora_stream_reader_read(reader, &c, 1), 1);
    cora_stream_reader_unref(reader);
}

/* ---- cancellation --------------------------------------------------------------------------- */

/* Cancelled before anything came, with some of it, and when it had enough but has not run yet. */
static int is_cancelled(void *arg)
{
    static const char *const calls[] = {"read 9", "exactly 9", "line", "until xx", "all"};

    (void)arg;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        cora_stream_reader *reader = make_reader(CORA_STREAM_LIMIT);
        cora_task *task;

        cancel(start_get(reader, calls[i]));
        feed(reader, "a");
        task = start_get(reader, "exactly 9");
        feed(reader, "b");
        assert_int_equal(rest(2), 0);
        cancel(task);
        get(reader, "exactly 2");
        task = start_get(reader, calls[i]);
        feed(reader, "c");
        cora_task_cancel(task);
        feed(reader, "d");
        finish(task);
        feed(reader, "e");
        get(reader, "exactly 3");
        cora_stream_reader_unref(reader);
    }
    return 0;
}

TEST(a_call_that_is_cancelled_takes_nothing)
{
    assert_int_equal(run_virtual(is_cancelled, NULL), 0);
    for (const char *text = trace_text; *text != '\0'; text++) {
        static const char each[] = "ECANCELED ECANCELED 'ab' ECANCELED 'cde' ";

        assert_int_equal(strncmp(text, each, sizeof each - 1), 0);
        text += sizeof each - 2;
    }
}

/* ---- memory that was handed out ------------------------------------------------------------- */

static int keeps_what_it_got(void *arg)
{
    cora_stream_reader *reader = make_reader(CORA_STREAM_LIMIT);
    static char many[10001];
    char *line, *rest_of_it;
    ssize_t size;

    (void)arg;
    memset(many, 'x', sizeof many - 1);
    feed(reader, "first\nsecond\nthi");
    size = cora_stream_reader_readline(reader, &line);
    assert_int_equal(size, 6);
    feed(reader, "rd");
    feed(reader, many);
    feed(reader, many);
    assert_memory_equal(line, "first\n", 6);
    memset(line, '-', 6);
    get(reader, "line");
    get(reader, "exactly 5");
    cora_stream_reader_feed_eof(reader);
    size = cora_stream_reader_read_until_eof(reader, &rest_of_it);
    assert_int_equal(size, 20000);
    assert_memory_equal(rest_of_it, many, 10000);
    assert_memory_equal(rest_of_it + 10000, many, 10000);
    get(reader, "all");
    cora_stream_reader_unref(reader);
    return 0;
}

TEST(what_was_handed_out_stays_until_the_next_call)
{
    assert_int_equal(run_virtual(keeps_what_it_got, NULL), 0);
    assert_string_equal(trace_text, "'second\n' 'third' '' ");
}

/* ---- a connection --------------------------------------------------------------------------- */

static int pauses(void *arg)
{
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    cora_transport *transport;
    cora_task *task;
    int fds[2];

    (void)arg;
    make_pair(fds);
    open_streams(fds[0], 8, &reader, &writer);
    transport = cora_stream_writer_get_transport(writer);
    put(fds[1], "0123456789abcdef");
    settle();
    assert_true(cora_transport_is_reading(transport));
    put(fds[1], "g");
    settle();
    assert_false(cora_transport_is_reading(transport));
    get(reader, "read 8");
    assert_false(cora_transport_is_reading(transport));
    get(reader, "read 1");
    assert_true(cora_transport_is_reading(transport));
    put(fds[1], "hijklmnop");
    settle();
    assert_false(cora_transport_is_reading(transport));
    task = start_get(reader, "exactly 20");
    assert_true(cora_transport_is_reading(transport));
    put(fds[1], "qrs");
    finish(task);
    cora_stream_reader_unref(reader);
    settle();
    close_fd(fds[1]);
    return 0;
}

TEST(the_transport_is_paused_above_twice_the_limit_and_resumed_at_the_limit)
{
    assert_int_equal(run_virtual(pauses, NULL), 0);
    assert_string_equal(trace_text, "'01234567' '8' '9abcdefghijklmnopqrs' ");
}

/* A hundred thousand bytes at a time go straight to the task. */
static int reads_much(void *arg)
{
    bool exactly = *(bool *)arg;
    cora_stream_reader *reader;
    cora_stream_writer *writers[2];
    unsigned char *big = make_big(), *got = malloc(BIG);
    size_t done = 0;
    int fds[2], rc = 0;

    make_pair(fds);
    open_streams(fds[0], CORA_STREAM_LIMIT, &reader, &writers[0]);
    open_streams(fds[1], CORA_STREAM_LIMIT, &(cora_stream_reader *){NULL}, &writers[1]);
    assert_int_equal(cora_stream_writer_write(writers[1], big, BIG), 0);
    if (exactly) {
        rc = cora_stream_reader_readexactly(reader, got, BIG);
        done = BIG;
    }
    while (done < BIG && rc >= 0) {
        size_t room = BIG - done < 100000 ? BIG - done : 100000;

        rc = (int)cora_stream_reader_read(reader, got + done, room);
        done += rc > 0 ? (size_t)rc : 0;
    }
    assert_true(rc >= 0);
    assert_int_equal(done, BIG);
    assert_int_equal(memcmp(big, got, BIG), 0);
    free(big);
    free(got);
    cora_stream_writer_unref(writers[0]);
    cora_stream_writer_unref(writers[1]);
    return 0;
}

TEST(much_comes_by_read)
{
    assert_int_equal(run_virtual(reads_much, &(bool){false}), 0);
}

TEST(and_by_readexactly)
{
    assert_int_equal(run_virtual(reads_much, &(bool){true}), 0);
}

struct big_read_args {
    cora_stream_reader *reader;
    char *buffer;
};

static int big_read(void *arg)
{
    struct big_read_args *a = arg;

    return cora_stream_reader_readexactly(a->reader, a->buffer, 10000);
}

/* What has gone straight to a task that is cancelled comes back. */
static int is_cancelled_with_much(void *arg)
{
    static char buffer[10000];
    cora_stream_reader *reader;
    cora_stream_writer *writer;
    cora_task *task;
    int fds[2];

    (void)arg;
    make_pair(fds);
    open_streams(fds[0], CORA_STREAM_LIMIT, &reader, &writer);
    task = cora_create_task(big_read, .reader = reader, .buffer = buffer);
    put(fds[1], "hello");
    settle();
    assert_memory_equal(buffer, "hello", 5);
    cora_task_cancel(task);
    put(fds[1], " world");
    assert_int_equal(cora_await_unref(task), -ECANCELED);
    get(reader, "exactly 11");
    cora_stream_reader_unref(reader);
    close_fd(fds[1]);
    return 0;
}

TEST(what_a_cancelled_task_had_got_is_read_by_the_next)
{
    assert_int_equal(run_virtual(is_cancelled_with_much, NULL), 0);
    assert_string_equal(trace_text, "'hello world' ");
}
