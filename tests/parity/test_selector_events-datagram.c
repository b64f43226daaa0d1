/* CPython's test_selector_events.py: the transport of datagrams. */
#include "support/allocation.h"
#include "support/endpoint.h"
#include "support/faults.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <unistd.h>

enum { HEADER = 8 }; /* so much does each datagram count that waits */

/* Not connected, with a peer that can be sent to, which is on the loopback as well. */
struct meeting {
    struct endpoint endpoint;
    cora_address address; /* the peer's; of length 0: the endpoint is connected */
};

static void make_loopback(int fds[2])
{
    struct sockaddr_in address;

    fds[0] = make_udp(&address);
    fds[1] = make_udp(&address);
}

static void meet(struct meeting *meeting, bool connected)
{
    int rc;

    *meeting = (struct meeting){.address.length = 0};
    open_end(&meeting->endpoint, cora_create_datagram_endpoint_sock,
             connected ? make_datagram_pair : make_loopback, 0);
    if (connected)
        return;
    meeting->address.length = sizeof meeting->address.storage;
    rc = getsockname(meeting->endpoint.peer, (struct sockaddr *)&meeting->address.storage,
                     &meeting->address.length);
    assert_int_equal(rc, 0);
}

static void send_one(struct meeting *meeting, const char *text)
{
    send_text(&meeting->endpoint, text, meeting->address.length > 0 ? &meeting->address : NULL);
}

static size_t waiting(const struct meeting *meeting)
{
    return cora_transport_get_write_buffer_size(meeting->endpoint.transport);
}

static void run(cora_task_fn *fn)
{
    run_task(fn, NULL);
    assert_int_equal(reports.count, 0);
}

/* ---- receiving ------------------------------------------------------------------------------ */

/* The peer sends, and what the system says first is in the trace. */
static int receive(void *arg)
{
    const int *faults = arg;
    struct meeting meeting;

    meet(&meeting, true);
    set_faults_of(meeting.endpoint.fd, faults[0], faults[1], faults[2]);
    put(meeting.endpoint.peer, "data");
    await_datagrams(&meeting.endpoint, 1);
    assert_false(cora_transport_is_closing(meeting.endpoint.transport));
    close_endpoint(&meeting.endpoint);
    return 0;
}

TEST(SelectorDatagramTransportTests_test_read_ready)
{
    run_task(receive, (int[]){0, 0, 0});
    assert_string_equal(trace_text, "made data data lost ");
}

TEST(SelectorDatagramTransportTests_test_read_ready_tryagain)
{
    run_task(receive, (int[]){EAGAIN, EINTR, EAGAIN});
    assert_string_equal(trace_text, "made data data lost ");
    assert_int_equal(faults_met(), 3);
}

TEST(SelectorDatagramTransportTests_test_read_ready_oserr)
{
    run_task(receive, (int[]){ECONNREFUSED, 0, 0});
    assert_string_equal(trace_text, "made error ECONNREFUSED data data lost ");
    assert_int_equal(reports.count, 0);
}

/* ---- sending -------------------------------------------------------------------------------- */

/* Datagrams are sent while the system answers with its faults, each of which is met. */
struct sending {
    const char *texts[3];
    int faults[3];
    bool connected;
    int kept;  /* datagrams that wait when the last has been sent */
    int calls; /* so many it takes */
    bool closes;
    const char *arrive[3];
};

static int send_with_faults(void *arg)
{
    const struct sending *a = arg;
    struct meeting meeting;
    size_t size = 0;

    meet(&meeting, a->connected);
    set_faults_of(meeting.endpoint.fd, a->faults[0], a->faults[1], a->faults[2]);
    for (int i = 0; i < 3 && a->texts[i] != NULL; i++) {
        send_one(&meeting, a->texts[i]);
        size += strlen(a->texts[i]) + HEADER;
    }
    assert_int_equal(waiting(&meeting), a->kept > 0 ? size : 0);
    if (a->closes)
        cora_transport_close(meeting.endpoint.transport);
    assert_int_equal(meeting.endpoint.recorder.lost, 0);
    look(1);
    if (a->calls > 0)
        assert_int_equal(calls_made(), a->calls);
    for (int i = 0; i < 3 && a->arrive[i] != NULL; i++)
        expect_text(meeting.endpoint.peer, a->arrive[i]);
    if (!a->closes) {
        assert_int_equal(waiting(&meeting), 0);
        assert_false(cora_transport_is_closing(meeting.endpoint.transport));
    }
    close_endpoint(&meeting.endpoint);
    return 0;
}

static void expect_sending(struct sending sending)
{
    run_task(send_with_faults, &sending);
    assert_int_equal(reports.count, 0);
}

TEST(SelectorDatagramTransportTests_test_sendto)
{
    expect_sending((struct sending){.texts = {"data"}, .calls = 1, .arrive = {"data"}});
}

TEST(SelectorDatagramTransportTests_test_sendto_no_data)
{
    expect_sending((struct sending){.texts = {""}, .calls = 1, .arrive = {""}});
}

TEST(SelectorDatagramTransportTests_test_sendto_buffer)
{
    expect_sending((struct sending){.texts = {"data1", "data2"},
                                    .faults = {EAGAIN},
                                    .kept = 2,
                                    .calls = 3,
                                    .arrive = {"data1", "data2"}});
}

TEST(SelectorDatagramTransportTests_test_sendto_buffer_nodata)
{
    expect_sending((struct sending){.texts = {"data1", ""},
                                    .faults = {EAGAIN},
                                    .kept = 2,
                                    .calls = 3,
                                    .arrive = {"data1", ""}});
}

TEST(SelectorDatagramTransportTests_test_sendto_tryagain)
{
    expect_sending((struct sending){
        .texts = {"data"}, .faults = {EAGAIN}, .kept = 1, .calls = 2, .arrive = {"data"}});
}

/* Five to an endpoint that is gone, and the fifth is reported. */
static int send_in_vain(void *arg)
{
    struct meeting meeting;

    (void)arg;
    meet(&meeting, true);
    set_faults_of(meeting.endpoint.fd, 0, 0, 0);
    cora_transport_abort(meeting.endpoint.transport);
    for (int i = 0; i < 4; i++)
        send_one(&meeting, "data");
    assert_int_equal(reports.count, 0);
    send_one(&meeting, "data");
    assert_int_equal(reports.count, 1);
    assert_int_equal(calls_made(), 0);
    await_loss(&meeting.endpoint);
    close_peer(&meeting.endpoint);
    return 0;
}

TEST(SelectorDatagramTransportTests_test_sendto_exception)
{
    run_task(send_in_vain, NULL);
    assert_string_equal(reports.message, "socket.send() raised exception.");
}

TEST(SelectorDatagramTransportTests_test_sendto_error_received)
{
    expect_sending((struct sending){.texts = {"data"}, .faults = {ECONNREFUSED}, .calls = 1});
    assert_string_equal(trace_text, "made error ECONNREFUSED lost ");
}

TEST(SelectorDatagramTransportTests_test_sendto_error_received_connected)
{
    expect_sending((struct sending){
        .texts = {"data"}, .faults = {ECONNREFUSED}, .connected = true, .calls = 1});
    assert_string_equal(trace_text, "made error ECONNREFUSED lost ");
}

static int send_elsewhere(void *arg)
{
    struct meeting meeting;
    cora_address elsewhere;
    int rc;

    (void)arg;
    meet(&meeting, true);
    rc = cora_address_from_path("/elsewhere", &elsewhere);
    assert_int_equal(rc, 0);
    rc = cora_transport_sendto(meeting.endpoint.transport, "str", 3, &elsewhere);
    assert_int_equal(rc, -EINVAL);
    close_endpoint(&meeting.endpoint);
    return 0;
}

TEST(SelectorDatagramTransportTests_test_sendto_connected_addr)
{
    run(send_elsewhere);
}

static int send_when_closed(void *arg)
{
    struct meeting meeting;

    (void)arg;
    meet(&meeting, true);
    cora_transport_close(meeting.endpoint.transport);
    set_faults_of(meeting.endpoint.fd, 0, 0, 0);
    send_one(&meeting, "data");
    assert_int_equal(calls_made(), 0);
    await_loss(&meeting.endpoint);
    close_peer(&meeting.endpoint);
    return 0;
}

TEST(SelectorDatagramTransportTests_test_sendto_closing)
{
    run(send_when_closed);
}

TEST(SelectorDatagramTransportTests_test_sendto_sendto_ready)
{
    expect_sending((struct sending){
        .texts = {"data"}, .faults = {EAGAIN}, .kept = 1, .calls = 2, .arrive = {"data"}});
    assert_string_equal(trace_text, "made lost ");
}

TEST(SelectorDatagramTransportTests_test_sendto_sendto_ready_blocked)
{
    expect_sending((struct sending){
        .texts = {"data"}, .faults = {EAGAIN, EAGAIN}, .kept = 1, .calls = 3, .arrive = {"data"}});
}

TEST(SelectorDatagramTransportTests_test_sendto_ready)
{
    expect_sending((struct sending){.texts = {"data"},
                                    .faults = {EINTR},
                                    .connected = true,
                                    .kept = 1,
                                    .calls = 2,
                                    .arrive = {"data"}});
}

TEST(SelectorDatagramTransportTests_test_sendto_ready_closing)
{
    expect_sending((struct sending){
        .texts = {"data"}, .faults = {EAGAIN}, .kept = 1, .closes = true, .arrive = {"data"}});
    assert_string_equal(trace_text, "made lost ");
}

/* What should have waited could not be kept: the socket is ready for nothing. */
static int be_ready_for_nothing(void *arg)
{
    struct meeting meeting;
    int rc;

    (void)arg;
    meet(&meeting, true);
    set_faults_of(meeting.endpoint.fd, EAGAIN, 0, 0);
    refuse_allocation(1);
    rc = cora_transport_sendto(meeting.endpoint.transport, "data", 4, NULL);
    refuse_allocation(0);
    assert_int_equal(rc, -ENOMEM);
    look(2);
    assert_int_equal(calls_made(), 1);
    close_endpoint(&meeting.endpoint);
    return 0;
}

TEST(SelectorDatagramTransportTests_test_sendto_ready_no_data)
{
    run(be_ready_for_nothing);
}

TEST(SelectorDatagramTransportTests_test_sendto_ready_tryagain)
{
    expect_sending((struct sending){.texts = {"data1", "data2"},
                                    .faults = {EAGAIN, EAGAIN, EINTR},
                                    .connected = true,
                                    .kept = 2,
                                    .calls = 5,
                                    .arrive = {"data1", "data2"}});
}

TEST(SelectorDatagramTransportTests_test_sendto_ready_error_received)
{
    expect_sending((struct sending){
        .texts = {"data"}, .faults = {EAGAIN, ECONNREFUSED}, .kept = 1, .calls = 2});
    assert_string_equal(trace_text, "made error ECONNREFUSED lost ");
}

TEST(SelectorDatagramTransportTests_test_sendto_ready_error_received_connection)
{
    expect_sending((struct sending){.texts = {"data"},
                                    .faults = {EAGAIN, ECONNREFUSED},
                                    .connected = true,
                                    .kept = 1,
                                    .calls = 2});
    assert_string_equal(trace_text, "made error ECONNREFUSED lost ");
}

/* ---- the end -------------------------------------------------------------------------------- */

static int leave_open(void *arg)
{
    meet(arg, true);
    return 0;
}

/* Of what ends an endpoint, its loop's end here, connection_lost is told, and nobody else. */
TEST(SelectorDatagramTransportTests_test_fatal_error_connected)
{
    struct meeting meeting;

    run_task(leave_open, &meeting);
    assert_string_equal(trace_text, "made lost CORA_ECLOSED ");
    assert_int_equal(meeting.endpoint.recorder.errors, 0);
    assert_int_equal(reports.count, 0);
    cora_transport_unref(meeting.endpoint.transport);
    close_peer(&meeting.endpoint);
}
