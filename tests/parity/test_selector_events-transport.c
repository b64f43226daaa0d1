/* CPython's test_selector_events.py: the transport of stream sockets. */
#include "support/endpoint.h"
#include "support/faults.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"
#include "support/writing.h"

#include <fcntl.h>
#include <unistd.h>

static void open_socket(struct endpoint *endpoint)
{
    open_end(endpoint, cora_connect_accepted_socket, make_pair, 0);
}

static size_t waiting(const struct endpoint *endpoint)
{
    return cora_transport_get_write_buffer_size(endpoint->transport);
}

static void run(cora_task_fn *fn)
{
    run_task(fn, NULL);
    assert_int_equal(reports.count, 0);
}

static void expect_trace(cora_task_fn *fn, const char *text)
{
    run(fn);
    assert_string_equal(trace_text, text);
}

/* More than the socket takes is written, and nobody reads it. */
static void fill(struct endpoint *endpoint)
{
    unsigned char *big = make_big();
    int rc = cora_transport_write(endpoint->transport, big, BIG);

    assert_int_equal(rc, 0);
    free(big);
    assert_true(waiting(endpoint) > 0);
}

/* ---- the end -------------------------------------------------------------------------------- */

/* `*arg`: something waits to be written. */
static int abort_it(void *arg)
{
    struct endpoint endpoint = {.recorder.silent = true};
    const bool *full = arg;

    open_socket(&endpoint);
    if (*full)
        fill(&endpoint);
    cora_transport_abort(endpoint.transport);
    assert_true(cora_transport_is_closing(endpoint.transport));
    assert_int_equal(waiting(&endpoint), 0);
    assert_int_equal(endpoint.recorder.lost, 0);
    cora_transport_abort(endpoint.transport);
    put(endpoint.peer, "not read any more");
    await_loss(&endpoint);
    assert_int_equal(endpoint.recorder.error, 0);
    assert_int_equal(endpoint.recorder.received, 0);
    close_peer(&endpoint);
    return 0;
}

TEST(SelectorTransportTests_test_abort)
{
    bool full = false;

    run_task(abort_it, &full);
}

TEST(SelectorTransportTests_test_force_close)
{
    bool full = true;

    run_task(abort_it, &full);
}

static int close_it(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_socket(&endpoint);
    cora_transport_close(endpoint.transport);
    assert_true(cora_transport_is_closing(endpoint.transport));
    assert_false(cora_transport_is_reading(endpoint.transport));
    put(endpoint.peer, "not read any more");
    cora_transport_close(endpoint.transport);
    await_loss(&endpoint);
    assert_int_equal(endpoint.recorder.error, 0);
    close_peer(&endpoint);
    return 0;
}

TEST(SelectorTransportTests_test_close)
{
    expect_trace(close_it, "made lost ");
}

static int close_with_data(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_socket(&endpoint);
    fill(&endpoint);
    cora_transport_close(endpoint.transport);
    put(endpoint.peer, "not read any more");
    look(3);
    assert_int_equal(endpoint.recorder.lost, 0);
    assert_int_equal(endpoint.recorder.received, 0);
    assert_true(waiting(&endpoint) > 0);
    cora_transport_abort(endpoint.transport);
    await_loss(&endpoint);
    close_peer(&endpoint);
    return 0;
}

TEST(SelectorTransportTests_test_close_write_buffer)
{
    expect_trace(close_with_data, "made pause lost ");
}

static int lose_it(void *arg)
{
    struct endpoint endpoint = {0};
    cora_transport *transport;

    (void)arg;
    open_socket(&endpoint);
    transport = cora_transport_ref(endpoint.transport);
    set_faults_of(endpoint.fd, ETIMEDOUT, 0, 0);
    put(endpoint.peer, "data");
    await_loss(&endpoint);
    assert_int_equal(endpoint.recorder.error, -ETIMEDOUT);
    assert_int_equal(fcntl(endpoint.fd, F_GETFD), -1); /* it is closed */
    assert_null(cora_transport_get_protocol(transport));
    cora_transport_unref(transport);
    close_peer(&endpoint);
    return 0;
}

TEST(SelectorTransportTests_test_fatal_error)
{
    expect_trace(lose_it, "made lost ETIMEDOUT ");
}

TEST(SelectorTransportTests_test_connection_lost)
{
    expect_trace(lose_it, "made lost ETIMEDOUT ");
}

static int fail_in_protocol(void *arg)
{
    struct endpoint endpoint = {.recorder.data_answer = -EILSEQ};

    (void)arg;
    open_socket(&endpoint);
    put(endpoint.peer, "data");
    await_loss(&endpoint);
    close_peer(&endpoint);
    return 0;
}

static void expect_report(const char *message, const char *text)
{
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -EILSEQ);
    assert_string_equal(reports.message, message);
    assert_string_equal(trace_text, text);
}

TEST(SelectorTransportTests_test_fatal_error_custom_exception)
{
    run_task(fail_in_protocol, NULL);
    expect_report("Fatal error: protocol.data_received() call failed.",
                  "made data data lost EILSEQ ");
}

static int resume_when_closed(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_socket(&endpoint);
    fill(&endpoint);
    cora_transport_pause_reading(endpoint.transport);
    cora_transport_close(endpoint.transport);
    put(endpoint.peer, "not read any more");
    cora_transport_resume_reading(endpoint.transport);
    assert_false(cora_transport_is_reading(endpoint.transport));
    look(3);
    assert_int_equal(endpoint.recorder.received, 0);
    cora_transport_abort(endpoint.transport);
    cora_transport_resume_reading(endpoint.transport);
    await_loss(&endpoint);
    close_peer(&endpoint);
    return 0;
}

TEST(SelectorTransportTests_test__add_reader)
{
    expect_trace(resume_when_closed, "made pause lost ");
}

/* ---- reading -------------------------------------------------------------------------------- */

static void expect_silence(struct endpoint *endpoint)
{
    assert_false(cora_transport_is_reading(endpoint->transport));
    put(endpoint->peer, "data");
    look(3);
    assert_int_equal(endpoint->recorder.received, 0);
}

static int pause_and_resume(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_socket(&endpoint);
    assert_true(cora_transport_is_reading(endpoint.transport));
    cora_transport_pause_reading(endpoint.transport);
    cora_transport_pause_reading(endpoint.transport);
    expect_silence(&endpoint);
    cora_transport_resume_reading(endpoint.transport);
    cora_transport_resume_reading(endpoint.transport);
    assert_true(cora_transport_is_reading(endpoint.transport));
    await_bytes(&endpoint, 4);
    cora_transport_close(endpoint.transport);
    assert_false(cora_transport_is_reading(endpoint.transport));
    await_loss(&endpoint);
    close_peer(&endpoint);
    return 0;
}

TEST(SelectorSocketTransportTests_test_pause_resume_reading)
{
    expect_trace(pause_and_resume, "made data data lost ");
}

static void pause_at_once(cora_protocol *protocol, cora_transport *transport)
{
    ((struct recorder *)protocol)->made++;
    cora_transport_pause_reading(transport);
}

/* A recorder that pauses reading where it is told of its connection. */
static cora_protocol *record_paused(void *arg)
{
    static cora_protocol_methods methods;
    cora_protocol *protocol = record(arg);

    methods = *protocol->methods;
    methods.connection_made = pause_at_once;
    protocol->methods = &methods;
    return protocol;
}

static int connect_paused(cora_protocol_factory *factory, void *arg, int fd, cora_transport **ret)
{
    (void)factory;
    return cora_connect_accepted_socket(record_paused, arg, fd, ret);
}

static int pause_when_made(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_end(&endpoint, connect_paused, make_pair, 0);
    expect_silence(&endpoint);
    cora_transport_resume_reading(endpoint.transport);
    await_bytes(&endpoint, 4);
    close_endpoint(&endpoint);
    return 0;
}

TEST(SelectorSocketTransportTests_test_pause_reading_connection_made)
{
    expect_trace(pause_when_made, "data data lost ");
}

/* What comes in, and from which kind of protocol it goes away. */
struct reading {
    bool buffered;
    ssize_t room; /* of its buffer */
    int faults[3];
    bool ends; /* the peer sends no more */
    int eof_answer, data_answer;
};

static int connect_buffered(cora_protocol_factory *factory, void *arg, int fd, cora_transport **ret)
{
    (void)factory;
    return cora_connect_accepted_socket(record_buffered, arg, fd, ret);
}

static int read_with_faults(void *arg)
{
    const struct reading *a = arg;
    struct endpoint endpoint = {
        .recorder = {.eof_answer = a->eof_answer, .data_answer = a->data_answer, .room = a->room}};
    int rc;

    open_end(&endpoint, a->buffered ? connect_buffered : cora_connect_accepted_socket, make_pair,
             0);
    set_faults_of(endpoint.fd, a->faults[0], a->faults[1], a->faults[2]);
    if (a->ends) {
        rc = shutdown(endpoint.peer, SHUT_WR);
        assert_int_equal(rc, 0);
    } else {
        put(endpoint.peer, "data");
    }
    look(1);
    assert_int_equal(faults_met(), (a->faults[0] != 0) + (a->faults[1] != 0) + (a->faults[2] != 0));
    if (endpoint.recorder.lost == 0) {
        trace("open");
        cora_transport_close(endpoint.transport);
    }
    await_loss(&endpoint);
    close_peer(&endpoint);
    return 0;
}

static void expect_reading(struct reading reading, const char *text)
{
    run_task(read_with_faults, &reading);
    assert_string_equal(trace_text, text);
    assert_int_equal(reports.count, 0);
}

static void expect_failure(struct reading reading, const char *method, const char *text)
{
    char message[80];

    snprintf(message, sizeof message, "Fatal error: protocol.%s() call failed.", method);
    run_task(read_with_faults, &reading);
    assert_string_equal(trace_text, text);
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.message, message);
}

TEST(SelectorSocketTransportTests_test_read_eof_received_error)
{
    expect_failure((struct reading){.ends = true, .eof_answer = -EILSEQ}, "eof_received",
                   "made eof lost EILSEQ ");
}

TEST(SelectorSocketTransportTests_test_data_received_error)
{
    expect_failure((struct reading){.data_answer = -EILSEQ}, "data_received",
                   "made data data lost EILSEQ ");
}

TEST(SelectorSocketTransportTests_test_read_ready)
{
    expect_reading((struct reading){.ends = false}, "made data data open lost ");
}

TEST(SelectorSocketTransportTests_test_read_ready_eof)
{
    expect_reading((struct reading){.ends = true}, "made eof lost ");
}

TEST(SelectorSocketTransportTests_test_read_ready_eof_keep_open)
{
    expect_reading((struct reading){.ends = true, .eof_answer = 1}, "made eof open lost ");
}

TEST(SelectorSocketTransportTests_test_read_ready_tryagain)
{
    expect_reading((struct reading){.faults = {EAGAIN, EAGAIN}}, "made data data open lost ");
}

TEST(SelectorSocketTransportTests_test_read_ready_tryagain_interrupted)
{
    expect_reading((struct reading){.faults = {EINTR, EINTR}}, "made data data open lost ");
}

TEST(SelectorSocketTransportTests_test_read_ready_conn_reset)
{
    expect_reading((struct reading){.faults = {ECONNRESET}}, "made lost ECONNRESET ");
}

TEST(SelectorSocketTransportTests_test_read_ready_err)
{
    expect_reading((struct reading){.faults = {EIO}}, "made lost EIO ");
}

/* ---- reading into a protocol's buffer ------------------------------------------------------- */

TEST(SelectorSocketTransportBufferedProtocolTests_test_get_buffer_zerosized)
{
    expect_failure((struct reading){.buffered = true, .room = 0}, "get_buffer",
                   "made lost ENOBUFS ");
}

static int switch_protocols(void *arg)
{
    struct endpoint endpoint = {0};
    struct recorder buffered = {.room = 3};
    int rc;

    (void)arg;
    open_socket(&endpoint);
    put(endpoint.peer, "data");
    await_bytes(&endpoint, 4);
    cora_transport_set_protocol(endpoint.transport, record_buffered(&buffered));
    put(endpoint.peer, "data");
    rc = wait_received(&buffered, 4);
    assert_int_equal(rc, 0);
    assert_int_equal(endpoint.recorder.received, 4);
    cora_transport_close(endpoint.transport);
    rc = wait_lost(&buffered);
    assert_int_equal(rc, 0);
    cora_transport_unref(endpoint.transport);
    close_peer(&endpoint);
    return 0;
}

TEST(SelectorSocketTransportBufferedProtocolTests_test_proto_type_switch)
{
    expect_trace(switch_protocols, "made data data data dat data a lost ");
}

TEST(SelectorSocketTransportBufferedProtocolTests_test_read_eof_received_error)
{
    expect_failure((struct reading){.buffered = true, .room = 1, .ends = true, .eof_answer = -EIO},
                   "eof_received", "made eof lost EIO ");
}

TEST(SelectorSocketTransportBufferedProtocolTests_test_read_ready)
{
    expect_reading((struct reading){.buffered = true, .room = 10}, "made data data open lost ");
}

TEST(SelectorSocketTransportBufferedProtocolTests_test_read_ready_eof)
{
    expect_reading((struct reading){.buffered = true, .room = 1, .ends = true}, "made eof lost ");
}

TEST(SelectorSocketTransportBufferedProtocolTests_test_read_ready_eof_keep_open)
{
    expect_reading((struct reading){.buffered = true, .room = 1, .ends = true, .eof_answer = 1},
                   "made eof open lost ");
}

TEST(SelectorSocketTransportBufferedProtocolTests_test_read_ready_tryagain)
{
    expect_reading((struct reading){.buffered = true, .room = 10, .faults = {EAGAIN, EAGAIN}},
                   "made data data open lost ");
}

TEST(SelectorSocketTransportBufferedProtocolTests_test_read_ready_tryagain_interrupted)
{
    expect_reading((struct reading){.buffered = true, .room = 10, .faults = {EINTR, EINTR}},
                   "made data data open lost ");
}

TEST(SelectorSocketTransportBufferedProtocolTests_test_read_ready_conn_reset)
{
    expect_reading((struct reading){.buffered = true, .room = 10, .faults = {ECONNRESET}},
                   "made lost ECONNRESET ");
}

TEST(SelectorSocketTransportBufferedProtocolTests_test_read_ready_err)
{
    expect_reading((struct reading){.buffered = true, .room = 10, .faults = {EIO}},
                   "made lost EIO ");
}

/* ---- writing -------------------------------------------------------------------------------- */

static int write_to_socket(void *arg)
{
    struct endpoint endpoint = {0};

    open_socket(&endpoint);
    write_with_faults(&endpoint, arg);
    if (endpoint.transport != NULL) {
        assert_int_equal(waiting(&endpoint), 0);
        cora_transport_close(endpoint.transport);
        await_loss(&endpoint);
    }
    close_peer(&endpoint);
    return 0;
}

static void expect_write(struct writing writing)
{
    run_task(write_to_socket, &writing);
    assert_int_equal(reports.count, 0);
}

TEST(SelectorSocketTransportTests_test_write)
{
    expect_write((struct writing){.pieces = {"data"}, .calls = 1, .arrives = "data"});
}

TEST(SelectorSocketTransportTests_test_write_no_data)
{
    expect_write((struct writing){
        .pieces = {"", "data", ""}, .faults = {EAGAIN}, .kept = 4, .calls = 2, .arrives = "data"});
}

TEST(SelectorSocketTransportTests_test_write_buffer)
{
    expect_write((struct writing){.pieces = {"data1", "data2"},
                                  .faults = {EAGAIN},
                                  .kept = 10,
                                  .calls = 2,
                                  .arrives = "data1data2"});
}

TEST(SelectorSocketTransportTests_test_write_partial)
{
    expect_write((struct writing){
        .pieces = {"data"}, .faults = {-2}, .kept = 2, .calls = 2, .arrives = "data"});
}

TEST(SelectorSocketTransportTests_test_write_partial_none)
{
    expect_write((struct writing){
        .pieces = {"data"}, .faults = {NOTHING}, .kept = 4, .calls = 2, .arrives = "data"});
}

TEST(SelectorSocketTransportTests_test_write_tryagain)
{
    expect_write((struct writing){
        .pieces = {"data"}, .faults = {EAGAIN}, .kept = 4, .calls = 2, .arrives = "data"});
}

/* Of several parts at once, as sendmsg(2) takes them. */
TEST(SelectorSocketTransportTests_test_write_sendmsg_no_data)
{
    expect_write((struct writing){.pieces = {"da", "ta", ""},
                                  .together = true,
                                  .faults = {EAGAIN},
                                  .kept = 4,
                                  .calls = 2,
                                  .arrives = "data"});
}

TEST(SelectorSocketTransportTests_test_writelines_sendmsg_full)
{
    expect_write(
        (struct writing){.pieces = {"da", "ta"}, .together = true, .calls = 1, .arrives = "data"});
}

TEST(SelectorSocketTransportTests_test_writelines_sendmsg_partial)
{
    expect_write((struct writing){.pieces = {"", "data", "more"},
                                  .together = true,
                                  .faults = {-2},
                                  .kept = 6,
                                  .calls = 2,
                                  .arrives = "datamore"});
}

/* One part, as send(2) takes it. */
TEST(SelectorSocketTransportTests_test_writelines_send_full)
{
    expect_write(
        (struct writing){.pieces = {"data"}, .together = true, .calls = 1, .arrives = "data"});
}

TEST(SelectorSocketTransportTests_test_writelines_send_partial)
{
    expect_write((struct writing){.pieces = {"data"},
                                  .together = true,
                                  .faults = {-2},
                                  .kept = 2,
                                  .calls = 2,
                                  .arrives = "data"});
}

static int pause_the_protocol(void *arg)
{
    struct writing writing = {.pieces = {"data"},
                              .together = true,
                              .faults = {-2},
                              .kept = 2,
                              .calls = 2,
                              .arrives = "data"};
    struct endpoint endpoint = {0};
    int rc;

    (void)arg;
    open_socket(&endpoint);
    rc = cora_transport_set_write_buffer_limits(endpoint.transport, 1, 0);
    assert_int_equal(rc, 0);
    write_with_faults(&endpoint, &writing);
    close_endpoint(&endpoint);
    return 0;
}

TEST(SelectorSocketTransportTests_test_writelines_pauses_protocol)
{
    expect_trace(pause_the_protocol, "made pause resume lost ");
}

static int write_when_lost(void *arg)
{
    struct iovec part = {.iov_base = "data2", .iov_len = 5};
    struct endpoint endpoint = {0};
    cora_transport *transport;
    int rc;

    (void)arg;
    open_socket(&endpoint);
    transport = cora_transport_ref(endpoint.transport);
    set_faults_of(endpoint.fd, ECONNRESET, 0, 0);
    write_text(&endpoint, "data1");
    rc = cora_transport_writelines(transport, &part, 1);
    assert_int_equal(rc, 0);
    assert_int_equal(waiting(&endpoint), 0);
    assert_int_equal(calls_made(), 1);
    await_loss(&endpoint);
    assert_int_equal(endpoint.recorder.error, -ECONNRESET);
    rc = cora_transport_writelines(transport, &part, 1);
    assert_int_equal(rc, 0);
    cora_transport_unref(transport);
    expect_text(endpoint.peer, "");
    close_peer(&endpoint);
    return 0;
}

TEST(SelectorSocketTransportTests_test_writelines_after_connection_lost)
{
    expect_trace(write_when_lost, "made lost ECONNRESET ");
}

TEST(SelectorSocketTransportTests_test_write_sendmsg_full)
{
    expect_write((struct writing){.pieces = {"da", "ta"},
                                  .together = true,
                                  .faults = {EAGAIN},
                                  .kept = 4,
                                  .calls = 2,
                                  .arrives = "data"});
}

TEST(SelectorSocketTransportTests_test_write_sendmsg_partial)
{
    expect_write((struct writing){.pieces = {"da", "ta"},
                                  .together = true,
                                  .faults = {EAGAIN, -2},
                                  .kept = 4,
                                  .calls = 3,
                                  .arrives = "data"});
}

TEST(SelectorSocketTransportTests_test_write_sendmsg_half_buffer)
{
    expect_write((struct writing){.pieces = {"data1", "data2"},
                                  .together = true,
                                  .faults = {-2, EAGAIN, -5},
                                  .kept = 8,
                                  .calls = 4,
                                  .arrives = "data1data2"});
}

TEST(SelectorSocketTransportTests_test_write_sendmsg_OSError)
{
    expect_write(
        (struct writing){.pieces = {"da", "ta"}, .together = true, .faults = {EIO}, .error = -EIO});
    assert_string_equal(trace_text, "made lost EIO ");
}

/* Five after the one that fails, and the fifth is reported. */
static int write_in_vain(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_socket(&endpoint);
    set_faults_of(endpoint.fd, EIO, 0, 0);
    for (int i = 0; i < 5; i++)
        write_text(&endpoint, "data");
    write_text(&endpoint, "");
    assert_int_equal(reports.count, 0);
    write_text(&endpoint, "data");
    assert_int_equal(reports.count, 1);
    assert_int_equal(calls_made(), 1);
    await_loss(&endpoint);
    close_peer(&endpoint);
    return 0;
}

TEST(SelectorSocketTransportTests_test_write_exception)
{
    run_task(write_in_vain, NULL);
    assert_string_equal(trace_text, "made lost EIO ");
    assert_string_equal(reports.message, "socket.send() raised exception.");
}

static int write_when_closed(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_socket(&endpoint);
    cora_transport_close(endpoint.transport);
    set_faults_of(endpoint.fd, 0, 0, 0);
    write_text(&endpoint, "data");
    assert_int_equal(calls_made(), 0);
    await_loss(&endpoint);
    expect_text(endpoint.peer, "");
    close_peer(&endpoint);
    return 0;
}

TEST(SelectorSocketTransportTests_test_write_closing)
{
    expect_trace(write_when_closed, "made lost ");
}

TEST(SelectorSocketTransportTests_test_write_ready)
{
    expect_write((struct writing){
        .pieces = {"da", "ta"}, .faults = {EINTR}, .kept = 4, .calls = 2, .arrives = "data"});
}

TEST(SelectorSocketTransportTests_test_write_ready_closing)
{
    expect_write((struct writing){
        .pieces = {"data"}, .faults = {EAGAIN}, .kept = 4, .closes = true, .arrives = "data"});
    assert_string_equal(trace_text, "made lost ");
}

static int write_nothing(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_socket(&endpoint);
    set_faults_of(endpoint.fd, EAGAIN, 0, 0);
    write_text(&endpoint, "data");
    look(3);
    assert_int_equal(calls_made(), 2); /* all is written: it stays at that */
    close_endpoint(&endpoint);
    return 0;
}

TEST(SelectorSocketTransportTests_test_write_ready_no_data)
{
    expect_trace(write_nothing, "made lost ");
}

TEST(SelectorSocketTransportTests_test_write_ready_partial)
{
    expect_write((struct writing){
        .pieces = {"data"}, .faults = {EAGAIN, -2}, .kept = 4, .calls = 3, .arrives = "data"});
}

TEST(SelectorSocketTransportTests_test_write_ready_partial_none)
{
    expect_write((struct writing){
        .pieces = {"data"}, .faults = {EAGAIN, NOTHING}, .kept = 4, .calls = 3, .arrives = "data"});
}

TEST(SelectorSocketTransportTests_test_write_ready_tryagain)
{
    expect_write((struct writing){.pieces = {"data1", "data2"},
                                  .faults = {EAGAIN, EAGAIN, EINTR},
                                  .kept = 10,
                                  .calls = 4,
                                  .arrives = "data1data2"});
}

TEST(SelectorSocketTransportTests_test_write_ready_exception)
{
    expect_write(
        (struct writing){.pieces = {"data"}, .faults = {EAGAIN, EIO}, .kept = 4, .error = -EIO});
    assert_string_equal(trace_text, "made lost EIO ");
}

/* ---- the end of what is written ------------------------------------------------------------- */

static void write_the_end(struct endpoint *endpoint)
{
    int rc;

    assert_true(cora_transport_can_write_eof(endpoint->transport));
    for (int i = 0; i < 2; i++) {
        rc = cora_transport_write_eof(endpoint->transport);
        assert_int_equal(rc, 0);
    }
}

static int end_at_once(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_socket(&endpoint);
    set_faults_of(endpoint.fd, 0, 0, 0);
    write_the_end(&endpoint);
    assert_int_equal(calls_made(), 1); /* of shutdown */
    expect_text(endpoint.peer, "");
    put(endpoint.peer, "data"); /* the other half is open */
    await_bytes(&endpoint, 4);
    close_endpoint(&endpoint);
    return 0;
}

TEST(SelectorSocketTransportTests_test_write_eof)
{
    expect_trace(end_at_once, "made data data lost ");
}

static int end_when_written(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_socket(&endpoint);
    set_faults_of(endpoint.fd, EAGAIN, 0, 0);
    write_text(&endpoint, "data");
    write_the_end(&endpoint);
    assert_int_equal(waiting(&endpoint), 4);
    assert_int_equal(calls_made(), 1);
    look(1);
    assert_int_equal(calls_made(), 3); /* of send, and of shutdown */
    expect_text(endpoint.peer, "data");
    expect_text(endpoint.peer, "");
    close_endpoint(&endpoint);
    return 0;
}

TEST(SelectorSocketTransportTests_test_write_eof_buffer)
{
    expect_trace(end_when_written, "made lost ");
}

static int end_when_closed(void *arg)
{
    struct endpoint endpoint = {0};
    cora_transport *transport;

    (void)arg;
    open_socket(&endpoint);
    transport = cora_transport_ref(endpoint.transport);
    cora_transport_close(transport);
    set_faults_of(endpoint.fd, 0, 0, 0);
    write_the_end(&endpoint);
    assert_int_equal(calls_made(), 0);
    close_endpoint(&endpoint);
    write_the_end(&(struct endpoint){.transport = transport});
    cora_transport_unref(transport);
    return 0;
}

TEST(SelectorSocketTransportTests_test_write_eof_after_close)
{
    expect_trace(end_when_closed, "made lost ");
}

/* Nobody watches its socket any more: whoever has the number next may. */
static int leave_the_descriptor(void *arg)
{
    struct endpoint endpoint = {0};
    int fds[2], rc;

    (void)arg;
    open_socket(&endpoint);
    fill(&endpoint);
    cora_transport_abort(endpoint.transport);
    await_loss(&endpoint);
    make_pair(fds);
    assert_int_equal(fds[0], endpoint.fd);
    rc = cora_wait_writable(fds[0]);
    assert_int_equal(rc, 0);
    close_pair(fds);
    close_peer(&endpoint);
    return 0;
}

TEST(SelectorSocketTransportTests_test_transport_close_remove_writer)
{
    expect_trace(leave_the_descriptor, "made pause lost ");
}

/* What it had no room for before. */
static void write_more(cora_protocol *protocol)
{
    struct recorder *self = (struct recorder *)protocol;
    int rc = cora_transport_write(self->transport, "more", 4);

    assert_int_equal(rc, 0);
    trace("more");
}

static cora_protocol *record_with_more(void *arg)
{
    static cora_protocol_methods methods;
    cora_protocol *protocol = record(arg);

    methods = *protocol->methods;
    methods.resume_writing = write_more;
    protocol->methods = &methods;
    return protocol;
}

static int connect_with_more(cora_protocol_factory *factory, void *arg, int fd,
                             cora_transport **ret)
{
    (void)factory;
    return cora_connect_accepted_socket(record_with_more, arg, fd, ret);
}

static int close_with_more(void *arg)
{
    struct endpoint endpoint = {0};
    int rc;

    (void)arg;
    open_end(&endpoint, connect_with_more, make_pair, 0);
    rc = cora_transport_set_write_buffer_limits(endpoint.transport, 0, 0);
    assert_int_equal(rc, 0);
    set_faults_of(endpoint.fd, -2, EAGAIN, 0);
    write_text(&endpoint, "data");
    cora_transport_close(endpoint.transport);
    await_loss(&endpoint);
    assert_int_equal(endpoint.recorder.error, 0);
    expect_text(endpoint.peer, "datamore");
    close_peer(&endpoint);
    return 0;
}

TEST(SelectorSocketTransportTests_test_write_buffer_after_close)
{
    expect_trace(close_with_more, "made pause more lost ");
}
