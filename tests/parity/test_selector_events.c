/* CPython's test_selector_events.py: descriptors that are watched, waking, and transports. */
#include "support/protocol.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

static cora_loop *loop;
static int ends[2];

/* A loop, and a socket that can be read and written. */
static void begin(void)
{
    loop = virtual_loop();
    make_pair(ends);
    put(ends[1], "x");
}

static void end(void)
{
    cora_loop_free(loop);
    close_pair(ends);
}

static void run_forever(void)
{
    int rc = cora_loop_run_forever(loop);

    assert_int_equal(rc, 0);
}

static void run_once(void)
{
    cora_loop_stop(loop);
    run_forever();
}

static void note(void *text)
{
    trace("%s", (const char *)text);
}

static void expect_trace(const char *text)
{
    assert_string_equal(trace_text, text);
    trace_text[0] = '\0';
}

/* ---- readers and writers -------------------------------------------------------------------- */

struct direction {
    int (*add)(cora_loop *, int, cora_callback *, void *);
    bool (*remove)(cora_loop *, int);
};

static const struct direction READ = {cora_loop_add_reader, cora_loop_remove_reader};
static const struct direction WRITE = {cora_loop_add_writer, cora_loop_remove_writer};

static void add(const struct direction *direction, const char *text)
{
    int rc = direction->add(loop, ends[0], note, (void *)(uintptr_t)text);

    assert_int_equal(rc, 0);
}

static void expect_removed(const struct direction *direction, bool expected)
{
    bool removed = direction->remove(loop, ends[0]);

    assert_int_equal(removed, expected);
}

/* Nothing is left that could wake a loop, and it says so: no descriptor is watched. */
static void expect_unwatched(void)
{
    cora_future *future = cora_loop_create_future(loop);
    int rc = cora_loop_run_until_complete(loop, future);

    assert_int_equal(rc, -EDEADLK);
    cora_future_unref(future);
}

static void adds(const struct direction *direction)
{
    begin();
    add(direction, "a");
    run_once();
    run_once();
    expect_trace("a a ");
    end();
}

TEST(BaseSelectorEventLoopTests_test_add_reader)
{
    adds(&READ);
}

TEST(BaseSelectorEventLoopTests_test_add_writer)
{
    adds(&WRITE);
}

/* The old one does not run any more, though it may be queued; the other direction's stays. */
static void replaces(const struct direction *direction, const struct direction *other)
{
    int rc;

    begin();
    add(direction, "old");
    add(other, "other");
    rc = cora_loop_poll(loop, 0);
    assert_int_equal(rc, 0);
    rc = cora_loop_process_events(loop);
    assert_int_equal(rc, 0);
    add(direction, "new");
    rc = cora_loop_run_ready(loop);
    assert_int_equal(rc, 1);
    expect_trace("other ");
    run_once();
    assert_non_null(strstr(trace_text, "new "));
    assert_non_null(strstr(trace_text, "other "));
    assert_null(strstr(trace_text, "old "));
    end();
}

TEST(BaseSelectorEventLoopTests_test_add_reader_existing)
{
    replaces(&READ, &WRITE);
}

TEST(BaseSelectorEventLoopTests_test_add_writer_existing)
{
    replaces(&WRITE, &READ);
}

TEST(BaseSelectorEventLoopTests_test_add_reader_existing_writer)
{
    begin();
    add(&WRITE, "w");
    run_once();
    expect_trace("w ");
    add(&READ, "r");
    run_once();
    assert_true(strcmp(trace_text, "r w ") == 0 || strcmp(trace_text, "w r ") == 0);
    end();
}

static void removes(const struct direction *direction)
{
    begin();
    add(direction, "a");
    expect_removed(direction, true);
    expect_removed(direction, false);
    expect_unwatched();
    expect_trace("");
    end();
}

TEST(BaseSelectorEventLoopTests_test_remove_reader)
{
    removes(&READ);
}

TEST(BaseSelectorEventLoopTests_test_remove_writer)
{
    removes(&WRITE);
}

static void removes_one_of_two(const struct direction *direction, const struct direction *other)
{
    begin();
    add(direction, "a");
    add(other, "b");
    expect_removed(direction, true);
    run_once();
    expect_trace("b ");
    expect_removed(other, true);
    expect_unwatched();
    end();
}

TEST(BaseSelectorEventLoopTests_test_remove_reader_read_write)
{
    removes_one_of_two(&READ, &WRITE);
}

TEST(BaseSelectorEventLoopTests_test_remove_writer_read_write)
{
    removes_one_of_two(&WRITE, &READ);
}

static void removes_nothing(const struct direction *direction, const struct direction *other)
{
    begin();
    expect_removed(direction, false);
    add(other, "b");
    expect_removed(direction, false);
    run_once();
    expect_trace("b ");
    end();
}

TEST(BaseSelectorEventLoopTests_test_remove_reader_unknown)
{
    removes_nothing(&READ, &WRITE);
}

TEST(BaseSelectorEventLoopTests_test_remove_writer_unknown)
{
    removes_nothing(&WRITE, &READ);
}

/* An event queues the callback; one that is removed by then does not run, and is not watched. */
static void queues(const struct direction *direction, bool cancelled)
{
    int rc;

    begin();
    add(direction, "a");
    rc = cora_loop_poll(loop, -1);
    assert_int_equal(rc, 0);
    rc = cora_loop_process_events(loop);
    assert_int_equal(rc, 0);
    expect_trace("");
    if (cancelled)
        expect_removed(direction, true);
    rc = cora_loop_run_ready(loop);
    assert_int_equal(rc, cancelled ? 0 : 1);
    expect_trace(cancelled ? "" : "a ");
    if (cancelled)
        expect_unwatched();
    end();
}

TEST(BaseSelectorEventLoopTests_test_process_events_read)
{
    queues(&READ, false);
}

TEST(BaseSelectorEventLoopTests_test_process_events_read_cancelled)
{
    queues(&READ, true);
}

TEST(BaseSelectorEventLoopTests_test_process_events_write)
{
    queues(&WRITE, false);
}

TEST(BaseSelectorEventLoopTests_test_process_events_write_cancelled)
{
    queues(&WRITE, true);
}

/* ---- close ---------------------------------------------------------------------------------- */

/* The number that the next descriptor gets. */
static int next_descriptor(void)
{
    int fd = dup(STDERR_FILENO), rc = close(fd);

    assert_int_equal(rc, 0);
    return fd;
}

TEST(BaseSelectorEventLoopTests_test_close)
{
    int before = next_descriptor(), after, rc;
    cora_future *future;
    bool closed;

    loop = virtual_loop();
    future = cora_loop_create_future(loop);
    after = next_descriptor();
    assert_true(after > before);
    closed = cora_loop_is_closed(loop);
    assert_false(closed);
    for (int i = 0; i < 3; i++) {
        rc = cora_loop_close(loop);
        assert_int_equal(rc, 0);
        closed = cora_loop_is_closed(loop);
        assert_true(closed);
    }
    after = next_descriptor();
    assert_int_equal(after, before);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, -CORA_ECLOSED);
    rc = cora_loop_run_until_complete(loop, future);
    assert_int_equal(rc, -CORA_ECLOSED);
    rc = cora_loop_add_reader(loop, 0, note, "never");
    assert_int_equal(rc, -CORA_ECLOSED);
    rc = cora_loop_add_writer(loop, 0, note, "never");
    assert_int_equal(rc, -CORA_ECLOSED);
    cora_future_unref(future);
    cora_loop_free(loop);
}

/* ---- waking --------------------------------------------------------------------------------- */

/* What the next read or write answers, once, and whether it is done all the same. */
static struct fault {
    atomic_int error, met;
    bool done_all_the_same;
} read_fault, write_fault;

static bool meets(struct fault *fault)
{
    int error = atomic_exchange(&fault->error, 0);

    if (error == 0)
        return false;
    errno = error;
    atomic_fetch_add(&fault->met, 1);
    return true;
}

/* The names are the linker's. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size);
ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);

ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
    return meets(&read_fault) ? -1 : __real_read(fd, buffer, size);
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    if (!meets(&write_fault))
        return __real_write(fd, data, size);

    int error = errno;
    ssize_t written = write_fault.done_all_the_same ? __real_write(fd, data, size) : 0;

    errno = error;
    return written < 0 ? written : -1;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static struct fault *expected_fault;
static atomic_int calls_made, calls_failed, calls_run;

static void count_call(void *arg)
{
    (void)arg;
    atomic_fetch_add(&calls_run, 1);
}

/* Until one of the calls has found the loop asleep, or woken it, and met the fault in that. */
static void *call_until_met(void *arg)
{
    do {
        int rc = cora_loop_call_soon_threadsafe(loop, count_call, NULL, NULL);

        atomic_fetch_add(rc == 0 ? &calls_made : &calls_failed, 1);
        while (atomic_load(&calls_run) < atomic_load(&calls_made)) /* it comes to rest again */
            sched_yield();
    } while (atomic_load(&expected_fault->met) == 0);
    return arg;
}

/* The loop sleeps between its ticks, and wakes by itself then. */
static void tick(void *thread)
{
    int rc;

    if (atomic_load(&expected_fault->met) > 0 && atomic_load(&calls_run) > 0) {
        rc = pthread_join(*(pthread_t *)thread, NULL);
        assert_int_equal(rc, 0);
        cora_loop_stop(loop);
        return;
    }
    rc = cora_loop_call_later(loop, 1e-3, tick, thread, NULL);
    assert_int_equal(rc, 0);
}

/* Whatever waking meets, no call fails, and each runs once. */
static void wake_with(struct fault *fault, int error, bool done_all_the_same)
{
    pthread_t thread;
    int rc = cora_new_event_loop(&loop);

    assert_int_equal(rc, 0);
    expected_fault = fault;
    fault->done_all_the_same = done_all_the_same;
    atomic_store(&fault->error, error);
    rc = pthread_create(&thread, NULL, call_until_met, NULL);
    assert_int_equal(rc, 0);
    tick(&thread);
    run_forever();
    run_once(); /* what was called last */
    assert_int_equal(atomic_load(&fault->met), 1);
    assert_int_equal(atomic_load(&calls_failed), 0);
    assert_int_equal(atomic_load(&calls_run), atomic_load(&calls_made));
    cora_loop_free(loop);
}

TEST(BaseSelectorEventLoopTests_test_read_from_self_tryagain)
{
    wake_with(&read_fault, EAGAIN, false);
}

TEST(BaseSelectorEventLoopTests_test_read_from_self_exception)
{
    wake_with(&read_fault, EIO, false);
}

/* There has been a wake-up that nobody has read yet. */
TEST(BaseSelectorEventLoopTests_test_write_to_self_tryagain)
{
    wake_with(&write_fault, EAGAIN, true);
}

TEST(BaseSelectorEventLoopTests_test_write_to_self_exception)
{
    wake_with(&write_fault, EIO, false);
}

/* ---- names ---------------------------------------------------------------------------------- */

static int ask(int fd, int option)
{
    int value = -1, rc = getsockopt(fd, SOL_SOCKET, option, &value, &(socklen_t){sizeof value});

    assert_int_equal(rc, 0);
    return value;
}

/* What is looked up for a socket is of its family, type and protocol: it can be connected there. */
static int look_up_and_connect(void *arg)
{
    struct sockaddr_in address;
    int listener = make_listener(&address, 1), fd = socket(AF_INET, *(int *)arg, 0), rc;
    const struct addrinfo hints = {.ai_family = ask(fd, SO_DOMAIN),
                                   .ai_socktype = ask(fd, SO_TYPE),
                                   .ai_protocol = ask(fd, SO_PROTOCOL)};
    struct addrinfo *list = NULL;
    char port[16];

    snprintf(port, sizeof port, "%d", ntohs(address.sin_port));
    rc = cora_getaddrinfo("127.0.0.1", port, &hints, &list);
    assert_int_equal(rc, 0);
    assert_null(list->ai_next);
    assert_int_equal(list->ai_family, AF_INET);
    assert_int_equal(list->ai_socktype, *(int *)arg);
    assert_int_equal(list->ai_protocol, hints.ai_protocol);
    rc = cora_sock_connect(fd, list->ai_addr, list->ai_addrlen);
    assert_int_equal(rc, 0);
    cora_freeaddrinfo(list);
    close_fd(fd);
    close_fd(listener);
    return 0;
}

TEST(BaseSelectorEventLoopTests_test_sock_connect_resolve_using_socket_params)
{
    int types[] = {SOCK_STREAM, SOCK_DGRAM};

    for (int i = 0; i < 2; i++) {
        int rc = run_virtual(look_up_and_connect, &types[i]);

        assert_int_equal(rc, 0);
    }
}

/* ---- making a transport --------------------------------------------------------------------- */

struct made {
    int pair[2];
    struct recorder recorder;
    cora_transport *transport;
};

/* Its socket is its own: a second transport of it is refused. */
static int make_transport(void *arg)
{
    struct made *made = arg;
    struct recorder second = {0};
    int rc;

    make_pair(made->pair);
    rc = cora_connect_accepted_socket(record, &made->recorder, made->pair[0], &made->transport);
    assert_int_equal(rc, 0);
    assert_ptr_equal(cora_transport_get_protocol(made->transport), &made->recorder.protocol);
    rc = cora_connect_accepted_socket(record, &second, made->pair[0], NULL);
    assert_int_equal(rc, -EBUSY);
    assert_int_equal(second.made, 0);
    assert_int_equal(second.error, -EBUSY);
    return 0;
}

/* What is left of it when its loop is closed can still be asked. */
TEST(BaseSelectorEventLoopTests_test_make_socket_transport)
{
    struct made made = {0};
    int rc = run_virtual(make_transport, &made);

    assert_int_equal(rc, 0);
    assert_int_equal(made.recorder.lost, 1);
    assert_true(cora_transport_is_closing(made.transport));
    assert_null(cora_transport_get_protocol(made.transport));
    cora_transport_close(made.transport);
    cora_transport_unref(made.transport);
    close_fd(made.pair[1]);
}
