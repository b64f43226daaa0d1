#include "support/protocol.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <sys/socket.h>
#include <unistd.h>

struct pair {
    struct recorder recorder;
    int fds[2]; /* the transport's, and its peer's */
};

static void open_pair(struct pair *pair)
{
    make_pair(pair->fds);
    assert_int_equal(cora_connect_accepted_socket(record, &pair->recorder, pair->fds[0], NULL), 0);
}

static void close_peer(struct pair *pair)
{
    assert_int_equal(wait_lost(&pair->recorder), 0);
    close_fd(pair->fds[1]);
}

static int talks(void *arg)
{
    struct pair pair = {0};
    char text[8] = "";

    (void)arg;
    open_pair(&pair);
    put(pair.fds[1], "hello");
    assert_int_equal(wait_received(&pair.recorder, 5), 0);
    assert_int_equal(cora_transport_write(pair.recorder.transport, "bye", 3), 0);
    assert_int_equal(cora_transport_get_write_buffer_size(pair.recorder.transport), 0);
    assert_int_equal(read(pair.fds[1], text, sizeof text), 3);
    assert_string_equal(text, "bye");
    cora_transport_close(pair.recorder.transport);
    trace("closed");
    close_peer(&pair);
    return 0;
}

TEST(data_comes_and_goes_and_the_end_comes_after_close)
{
    assert_int_equal(run_virtual(talks, NULL), 0);
    assert_string_equal(trace_text, "made data hello closed lost ");
}

static int is_told_of_the_end(void *arg)
{
    struct pair pair = {.recorder = {.eof_answer = *(int *)arg}};
    cora_transport *transport;

    open_pair(&pair);
    transport = cora_transport_ref(pair.recorder.transport);
    assert_int_equal(shutdown(pair.fds[1], SHUT_WR), 0);
    assert_int_equal(wait_ended(&pair.recorder), 0);
    if (pair.recorder.eof_answer > 0) {
        assert_false(cora_transport_is_closing(transport));
        assert_int_equal(cora_transport_write(transport, "still", 5), 0);
        cora_transport_close(transport);
    }
    close_peer(&pair);
    assert_null(cora_transport_get_protocol(transport));
    cora_transport_close(transport);
    cora_transport_abort(transport);
    assert_int_equal(cora_transport_write(transport, "late", 4), 0);
    cora_transport_unref(transport);
    return 0;
}

TEST(the_peers_end_closes_the_transport)
{
    assert_int_equal(run_virtual(is_told_of_the_end, &(int){0}), 0);
    assert_string_equal(trace_text, "made eof lost ");
}

TEST(or_leaves_it_open_to_write)
{
    assert_int_equal(run_virtual(is_told_of_the_end, &(int){1}), 0);
    assert_string_equal(trace_text, "made eof lost ");
}

TEST(a_failing_eof_received_is_reported_and_ends_the_connection)
{
    assert_int_equal(run_virtual(is_told_of_the_end, &(int){-EILSEQ}), 0);
    assert_string_equal(trace_text, "made eof lost EILSEQ ");
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.message, "Fatal error: protocol.eof_received() call failed.");
}

static int reads_on_after_the_end(void *arg)
{
    struct pair pair = {.recorder = {.eof_answer = 1}};
    int rc;

    (void)arg;
    open_pair(&pair);
    rc = shutdown(pair.fds[1], SHUT_WR);
    assert_int_equal(rc, 0);
    assert_int_equal(wait_ended(&pair.recorder), 0);
    cora_transport_pause_reading(pair.recorder.transport);
    cora_transport_resume_reading(pair.recorder.transport);
    rc = cora_sleep(1);
    assert_int_equal(rc, 0);
    cora_transport_set_protocol(pair.recorder.transport, &pair.recorder.protocol);
    cora_transport_pause_reading(pair.recorder.transport);
    cora_transport_resume_reading(pair.recorder.transport);
    rc = cora_sleep(1);
    assert_int_equal(rc, 0);
    cora_transport_close(pair.recorder.transport);
    close_peer(&pair);
    return 0;
}

TEST(a_protocol_is_told_of_the_end_once_and_one_that_takes_its_place_again)
{
    assert_int_equal(run_virtual(reads_on_after_the_end, NULL), 0);
    assert_string_equal(trace_text, "made eof eof lost ");
}

static void close_when_resumed(cora_protocol *protocol)
{
    cora_transport_close(((struct recorder *)protocol)->transport);
}

static int closes_when_resumed(void *arg)
{
    struct pair pair = {.recorder = {.silent = true}};
    cora_protocol_methods methods;
    unsigned char *big = make_big();
    int rc;

    (void)arg;
    open_pair(&pair);
    methods = *pair.recorder.protocol.methods;
    methods.resume_writing = close_when_resumed;
    pair.recorder.protocol.methods = &methods;
    rc = cora_transport_set_write_buffer_limits(pair.recorder.transport, 0, 0);
    assert_int_equal(rc, 0);
    rc = cora_transport_write(pair.recorder.transport, big, BIG);
    assert_int_equal(rc, 0);
    free(big);
    assert_int_equal(read_all(pair.fds[1]), BIG);
    close_peer(&pair);
    assert_int_equal(pair.recorder.lost, 1);
    return 0;
}

TEST(a_protocol_may_close_where_it_is_asked_to_resume_writing)
{
    assert_int_equal(run_virtual(closes_when_resumed, NULL), 0);
}

static int writes_much(void *arg)
{
    struct pair pair = {0};
    unsigned char *big = make_big();
    struct iovec parts[3] = {{big, 1}, {big + 1, BIG / 2 - 1}, {big + BIG / 2, BIG / 2}};

    (void)arg;
    open_pair(&pair);
    assert_int_equal(cora_transport_writelines(pair.recorder.transport, parts, 3), 0);
    free(big);
    assert_true(cora_transport_get_write_buffer_size(pair.recorder.transport) > 64 << 10);
    assert_int_equal(cora_transport_write_eof(pair.recorder.transport), 0);
    assert_int_equal(cora_transport_write(pair.recorder.transport, "more", 4), -EPIPE);
    assert_int_equal(read_all(pair.fds[1]), BIG);
    assert_int_equal(cora_transport_get_write_buffer_size(pair.recorder.transport), 0);
    cora_transport_close(pair.recorder.transport);
    close_peer(&pair);
    return 0;
}

TEST(what_the_socket_does_not_take_is_sent_later_and_the_protocol_is_paused)
{
    assert_int_equal(run_virtual(writes_much, NULL), 0);
    assert_string_equal(trace_text, "made pause resume lost ");
}

static int closes_with_data_left(void *arg)
{
    struct pair pair = {.recorder = {.silent = true}};
    bool abort = *(bool *)arg;
    unsigned char *big = make_big();

    open_pair(&pair);
    assert_int_equal(cora_transport_write(pair.recorder.transport, big, BIG), 0);
    free(big);
    if (abort)
        cora_transport_abort(pair.recorder.transport);
    else
        cora_transport_close(pair.recorder.transport);
    assert_true(cora_transport_is_closing(pair.recorder.transport));
    assert_int_equal(rest(5), 0);
    assert_int_equal(pair.recorder.lost, abort);
    if (!abort)
        assert_int_equal(read_all(pair.fds[1]), BIG);
    close_peer(&pair);
    return 0;
}

TEST(close_sends_what_is_left)
{
    assert_int_equal(run_virtual(closes_with_data_left, &(bool){false}), 0);
}

TEST(abort_drops_it)
{
    assert_int_equal(run_virtual(closes_with_data_left, &(bool){true}), 0);
}

static int stays_open(void *arg)
{
    open_pair(arg);
    return 0;
}

TEST(a_loop_that_is_closed_loses_its_connections)
{
    struct pair pair = {0};

    assert_int_equal(run_virtual(stays_open, &pair), 0);
    assert_string_equal(trace_text, "made lost CORA_ECLOSED ");
    close_fd(pair.fds[1]);
}

static void unwanted(void *arg)
{
    (void)arg;
    fail();
}

static int hands_its_socket_over(void *arg)
{
    struct pair pair = {0};

    (void)arg;
    open_pair(&pair);
    assert_int_equal(cora_wait_readable(pair.fds[0]), -EBUSY);
    assert_int_equal(cora_loop_add_writer(cora_get_running_loop(), pair.fds[0], unwanted, NULL),
                     -EBUSY);
    cora_transport_close(pair.recorder.transport);
    close_peer(&pair);
    return 0;
}

TEST(nobody_else_waits_for_its_socket)
{
    assert_int_equal(run_virtual(hands_its_socket_over, NULL), 0);
}

static int goes_on_after_the_end(void *arg)
{
    struct pair pair = {.recorder = {.eof_answer = 1}};
    struct recorder next = {.eof_answer = 1};

    (void)arg;
    open_pair(&pair);
    assert_int_equal(shutdown(pair.fds[1], SHUT_WR), 0);
    assert_int_equal(wait_ended(&pair.recorder), 0);
    cora_transport_set_protocol(pair.recorder.transport, record(&next));
    next.transport = pair.recorder.transport;
    assert_int_equal(wait_ended(&next), 0);
    cora_transport_close(next.transport);
    assert_int_equal(wait_lost(&next), 0);
    close_fd(pair.fds[1]);
    return 0;
}

TEST(who_takes_its_place_is_told_though_nobody_resumes_reading)
{
    assert_int_equal(run_virtual(goes_on_after_the_end, NULL), 0);
    assert_string_equal(trace_text, "made eof eof lost ");
}

static int is_given_limits(void *arg)
{
    struct pair pair = {.recorder = {.silent = true}};
    size_t high, low;
    int rc;

    (void)arg;
    open_pair(&pair);
    rc = cora_transport_set_write_buffer_limits(pair.recorder.transport, CORA_DEFAULT_LIMIT,
                                                SSIZE_MAX / 2);
    assert_int_equal(rc, -EINVAL);
    cora_transport_get_write_buffer_limits(pair.recorder.transport, &high, &low);
    assert_int_equal(high, 64 << 10);
    assert_int_equal(low, 16 << 10);
    cora_transport_close(pair.recorder.transport);
    close_peer(&pair);
    return 0;
}

TEST(a_low_mark_of_which_no_high_one_can_be_made_is_refused)
{
    assert_int_equal(run_virtual(is_given_limits, NULL), 0);
}
