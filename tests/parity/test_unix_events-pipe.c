/* CPython's test_unix_events.py: the transports of pipes, and descriptors that belong to one. */
#include "support/endpoint.h"
#include "support/faults.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"
#include "support/writing.h"

static void run(cora_task_fn *fn)
{
    run_task(fn, NULL);
    assert_int_equal(reports.count, 0);
}

/* ---- to read from --------------------------------------------------------------------------- */

static void open_reading(struct endpoint *endpoint)
{
    open_end(endpoint, cora_connect_read_pipe, make_pipe, 0);
}

static int read_data(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_reading(&endpoint);
    put(endpoint.peer, "data");
    await_bytes(&endpoint, 4);
    assert_string_equal(endpoint.recorder.text, "data");
    close_endpoint(&endpoint);
    return 0;
}

TEST(UnixReadPipeTransportTests_test__read_ready)
{
    run(read_data);
}

static int read_the_end(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_reading(&endpoint);
    close_peer(&endpoint);
    await_loss(&endpoint);
    assert_true(endpoint.recorder.ended);
    assert_int_equal(endpoint.recorder.error, 0);
    return 0;
}

TEST(UnixReadPipeTransportTests_test__read_ready_eof)
{
    run(read_the_end);
    assert_string_equal(trace_text, "made eof lost ");
}

static int read_later(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_reading(&endpoint);
    set_faults_of(endpoint.fd, EAGAIN, EINTR, 0);
    put(endpoint.peer, "data");
    await_bytes(&endpoint, 4);
    assert_int_equal(calls_made(), 3);
    close_endpoint(&endpoint);
    return 0;
}

TEST(UnixReadPipeTransportTests_test__read_ready_blocked)
{
    run(read_later);
    assert_string_equal(trace_text, "made data data lost ");
}

static int fail_to_read(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_reading(&endpoint);
    set_faults_of(endpoint.fd, ENXIO, 0, 0);
    put(endpoint.peer, "data");
    await_loss(&endpoint);
    assert_int_equal(endpoint.recorder.error, -ENXIO);
    close_peer(&endpoint);
    return 0;
}

TEST(UnixReadPipeTransportTests_test__read_ready_error)
{
    run_task(fail_to_read, NULL);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -ENXIO);
    assert_string_equal(reports.message, "Fatal read error on pipe transport");
}

static int pause_reading(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_reading(&endpoint);
    cora_transport_pause_reading(endpoint.transport);
    put(endpoint.peer, "data");
    look(3);
    assert_int_equal(endpoint.recorder.received, 0);
    close_endpoint(&endpoint);
    return 0;
}

TEST(UnixReadPipeTransportTests_test_pause_reading)
{
    run(pause_reading);
    assert_string_equal(trace_text, "made lost ");
}

static int resume_reading(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_reading(&endpoint);
    cora_transport_pause_reading(endpoint.transport);
    cora_transport_resume_reading(endpoint.transport);
    assert_true(cora_transport_is_reading(endpoint.transport));
    put(endpoint.peer, "data");
    await_bytes(&endpoint, 4);
    close_endpoint(&endpoint);
    return 0;
}

TEST(UnixReadPipeTransportTests_test_resume_reading)
{
    run(resume_reading);
}

/* Its reference outlives it. */
static void expect_close(struct endpoint *endpoint)
{
    cora_transport *transport = cora_transport_ref(endpoint->transport);

    cora_transport_close(transport);
    assert_true(cora_transport_is_closing(transport));
    assert_int_equal(endpoint->recorder.lost, 0);
    cora_transport_close(transport);
    await_loss(endpoint);
    assert_int_equal(endpoint->recorder.error, 0);
    cora_transport_close(transport);
    cora_transport_pause_reading(transport);
    cora_transport_resume_reading(transport);
    look(1);
    assert_int_equal(endpoint->recorder.lost, 1);
    assert_null(cora_transport_get_protocol(transport));
    cora_transport_unref(transport);
    close_peer(endpoint);
}

static int close_reading(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_reading(&endpoint);
    expect_close(&endpoint);
    return 0;
}

TEST(UnixReadPipeTransportTests_test_close)
{
    run(close_reading);
    assert_string_equal(trace_text, "made lost ");
}

TEST(UnixReadPipeTransportTests_test_close_already_closing)
{
    run(close_reading);
    assert_string_equal(trace_text, "made lost ");
}

TEST(UnixReadPipeTransportTests_test_pause_reading_on_closed_pipe)
{
    run(close_reading);
}

TEST(UnixReadPipeTransportTests_test_resume_reading_on_closed_pipe)
{
    run(close_reading);
}

static int repeat(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_reading(&endpoint);
    cora_transport_resume_reading(endpoint.transport); /* is not paused */
    assert_true(cora_transport_is_reading(endpoint.transport));
    cora_transport_pause_reading(endpoint.transport);
    cora_transport_pause_reading(endpoint.transport);
    assert_false(cora_transport_is_reading(endpoint.transport));
    cora_transport_resume_reading(endpoint.transport); /* once will do */
    put(endpoint.peer, "data");
    await_bytes(&endpoint, 4);
    close_endpoint(&endpoint);
    return 0;
}

TEST(UnixReadPipeTransportTests_test_pause_reading_on_paused_pipe)
{
    run(repeat);
}

TEST(UnixReadPipeTransportTests_test_resume_reading_on_paused_pipe)
{
    run(repeat);
}

/* ---- to write to ---------------------------------------------------------------------------- */

static void open_writing(struct endpoint *endpoint)
{
    open_end(endpoint, cora_connect_write_pipe, make_pipe, 1);
}

static int may_write_eof(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_writing(&endpoint);
    assert_true(cora_transport_can_write_eof(endpoint.transport));
    close_endpoint(&endpoint);
    return 0;
}

TEST(UnixWritePipeTransportTests_test_can_write_eof)
{
    run(may_write_eof);
}

static int write_to_pipe(void *arg)
{
    struct endpoint endpoint = {0};

    open_writing(&endpoint);
    write_with_faults(&endpoint, arg);
    if (endpoint.transport != NULL)
        cora_transport_close(endpoint.transport);
    if (endpoint.transport != NULL)
        await_loss(&endpoint);
    close_peer(&endpoint);
    return 0;
}

static void expect_write(struct writing writing)
{
    run_task(write_to_pipe, &writing);
    assert_int_equal(reports.count, 0);
}

TEST(UnixWritePipeTransportTests_test_write)
{
    expect_write((struct writing){.pieces = {"data"}, .calls = 1, .arrives = "data"});
}

TEST(UnixWritePipeTransportTests_test_write_no_data)
{
    expect_write((struct writing){.pieces = {"", "data"}, .calls = 1, .arrives = "data"});
}

TEST(UnixWritePipeTransportTests_test_write_partial)
{
    expect_write((struct writing){
        .pieces = {"data"}, .faults = {-2}, .kept = 2, .calls = 2, .arrives = "data"});
}

TEST(UnixWritePipeTransportTests_test_write_buffer)
{
    expect_write((struct writing){.pieces = {"previous", "data"},
                                  .faults = {EAGAIN},
                                  .kept = 12,
                                  .calls = 2,
                                  .arrives = "previousdata"});
}

TEST(UnixWritePipeTransportTests_test_write_again)
{
    expect_write((struct writing){
        .pieces = {"data"}, .faults = {EAGAIN}, .kept = 4, .calls = 2, .arrives = "data"});
}

static int write_in_vain(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_writing(&endpoint);
    set_faults_of(endpoint.fd, EIO, 0, 0);
    write_text(&endpoint, "data");
    assert_int_equal(cora_transport_get_write_buffer_size(endpoint.transport), 0);
    assert_true(cora_transport_is_closing(endpoint.transport));
    for (int i = 0; i < 4; i++)
        write_text(&endpoint, "data");
    assert_int_equal(reports.count, 0);
    write_text(&endpoint, "data");
    assert_int_equal(calls_made(), 1);
    await_loss(&endpoint);
    assert_int_equal(endpoint.recorder.error, -EIO);
    close_peer(&endpoint);
    return 0;
}

TEST(UnixWritePipeTransportTests_test_write_err)
{
    run_task(write_in_vain, NULL);
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.message,
                        "pipe closed by peer or os.write(pipe, data) raised exception.");
}

static int write_when_closed_by_peer(void *arg)
{
    struct endpoint endpoint = {0};
    cora_transport *transport;

    (void)arg;
    open_writing(&endpoint);
    transport = cora_transport_ref(endpoint.transport);
    set_faults_of(endpoint.fd, 0, 0, 0);
    close_peer(&endpoint);
    while (!cora_transport_is_closing(transport))
        look(1);
    assert_int_equal(cora_transport_write(transport, "data", 4), 0);
    assert_int_equal(cora_transport_write(transport, "data", 4), 0);
    await_loss(&endpoint);
    assert_int_equal(endpoint.recorder.error, 0);
    assert_int_equal(calls_made(), 1); /* of close */
    cora_transport_unref(transport);
    return 0;
}

TEST(UnixWritePipeTransportTests_test_write_close)
{
    run(write_when_closed_by_peer);
}

static int notice_the_peers_close(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_end(&endpoint, cora_connect_write_pipe, make_pair, 1);
    close_peer(&endpoint);
    await_loss(&endpoint);
    assert_int_equal(endpoint.recorder.error, 0);
    return 0;
}

TEST(UnixWritePipeTransportTests_test__read_ready)
{
    run(notice_the_peers_close);
    assert_string_equal(trace_text, "made lost ");
}

TEST(UnixWritePipeTransportTests_test__write_ready)
{
    expect_write((struct writing){
        .pieces = {"da", "ta"}, .faults = {EAGAIN}, .kept = 4, .calls = 2, .arrives = "data"});
}

TEST(UnixWritePipeTransportTests_test__write_ready_partial)
{
    expect_write((struct writing){
        .pieces = {"data"}, .faults = {EAGAIN, -3}, .kept = 4, .calls = 3, .arrives = "data"});
}

TEST(UnixWritePipeTransportTests_test__write_ready_again)
{
    expect_write((struct writing){.pieces = {"data"},
                                  .faults = {EAGAIN, EAGAIN, EINTR},
                                  .kept = 4,
                                  .calls = 4,
                                  .arrives = "data"});
}

TEST(UnixWritePipeTransportTests_test__write_ready_empty)
{
    expect_write((struct writing){
        .pieces = {"data"}, .faults = {EAGAIN, NOTHING}, .kept = 4, .calls = 3, .arrives = "data"});
}

TEST(UnixWritePipeTransportTests_test__write_ready_err)
{
    expect_write((struct writing){.pieces = {"data"},
                                  .faults = {EAGAIN, -2, EIO},
                                  .kept = 4,
                                  .error = -EIO,
                                  .arrives = "da"});
}

TEST(UnixWritePipeTransportTests_test__write_ready_closing)
{
    expect_write((struct writing){
        .pieces = {"data"}, .faults = {EAGAIN}, .kept = 4, .closes = true, .arrives = "data"});
    assert_string_equal(trace_text, "made lost ");
}

static int abort_writing(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_writing(&endpoint);
    set_faults_of(endpoint.fd, EAGAIN, 0, 0);
    write_text(&endpoint, "data");
    cora_transport_abort(endpoint.transport);
    assert_true(cora_transport_is_closing(endpoint.transport));
    assert_int_equal(cora_transport_get_write_buffer_size(endpoint.transport), 0);
    assert_int_equal(endpoint.recorder.lost, 0);
    await_loss(&endpoint);
    assert_int_equal(endpoint.recorder.error, 0);
    expect_text(endpoint.peer, "");
    close_peer(&endpoint);
    return 0;
}

TEST(UnixWritePipeTransportTests_test_abort)
{
    run(abort_writing);
    assert_string_equal(trace_text, "made lost ");
}

static int close_writing(void *arg)
{
    struct endpoint endpoint = {0};

    (void)arg;
    open_writing(&endpoint);
    expect_close(&endpoint);
    return 0;
}

TEST(UnixWritePipeTransportTests_test_close)
{
    run(close_writing);
    assert_string_equal(trace_text, "made lost ");
}

TEST(UnixWritePipeTransportTests_test_close_closing)
{
    run(close_writing);
    assert_string_equal(trace_text, "made lost ");
}

/* With something to write, or with nothing: `*arg` says. */
static int write_the_end(void *arg)
{
    struct endpoint endpoint = {0};
    bool *pending = arg;
    int rc;

    open_writing(&endpoint);
    if (*pending) {
        set_faults_of(endpoint.fd, EAGAIN, 0, 0);
        write_text(&endpoint, "data");
    }
    rc = cora_transport_write_eof(endpoint.transport);
    assert_int_equal(rc, 0);
    assert_true(cora_transport_is_closing(endpoint.transport));
    rc = rest(1);
    assert_int_equal(rc, 0);
    assert_int_equal(endpoint.recorder.lost, !*pending);
    await_loss(&endpoint);
    assert_int_equal(endpoint.recorder.error, 0);
    expect_text(endpoint.peer, *pending ? "data" : "");
    close_peer(&endpoint);
    return 0;
}

TEST(UnixWritePipeTransportTests_test_write_eof)
{
    bool pending = false;

    run_task(write_the_end, &pending);
    assert_string_equal(trace_text, "made lost ");
}

TEST(UnixWritePipeTransportTests_test_write_eof_pending)
{
    bool pending = true;

    run_task(write_the_end, &pending);
    assert_string_equal(trace_text, "made lost ");
}

/* ---- whose descriptors are taken ------------------------------------------------------------ */

static void unwanted(void *arg)
{
    (void)arg;
    fail();
}

static int connect_sock(cora_protocol_factory *factory, void *arg, int fd, cora_transport **ret)
{
    return cora_create_connection_sock(factory, arg, fd, NULL, ret);
}

static int watch_a_transports_socket(void *arg)
{
    cora_loop *loop = cora_get_running_loop();
    struct endpoint endpoint = {0};
    int rc;

    (void)arg;
    open_end(&endpoint, connect_sock, make_pair, 0);
    rc = cora_loop_add_reader(loop, endpoint.fd, unwanted, NULL);
    assert_int_equal(rc, -EBUSY);
    assert_false(cora_loop_remove_reader(loop, endpoint.fd));
    rc = cora_loop_add_writer(loop, endpoint.fd, unwanted, NULL);
    assert_int_equal(rc, -EBUSY);
    assert_false(cora_loop_remove_writer(loop, endpoint.fd));
    put(endpoint.peer, "data"); /* and the transport does not notice */
    await_bytes(&endpoint, 4);
    close_endpoint(&endpoint);
    return 0;
}

TEST(TestFunctional_test_add_reader_or_writer_transport_fd)
{
    run(watch_a_transports_socket);
}
