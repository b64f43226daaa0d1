/* CPython's test_events.py: what an event loop does, and its handles. */
#include "support/hosts.h"
#include "support/protocol.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <unistd.h>

static cora_loop *loop;

static void begin(void)
{
    loop = virtual_loop();
}

/* The same, where time passes. */
static void begin_in_real_time(void)
{
    int rc = cora_new_event_loop(&loop);

    assert_int_equal(rc, 0);
}

static void end(void)
{
    cora_loop_free(loop);
    assert_int_equal(reports.count, 0);
}

static void run_forever(void)
{
    int rc = cora_loop_run_forever(loop);

    assert_int_equal(rc, 0);
}

/* One iteration. */
static void run_once(void)
{
    cora_loop_stop(loop);
    run_forever();
}

static int run_task(cora_task_fn *fn, void *arg)
{
    cora_task *task = cora_loop_create_task_arg(loop, NULL, fn, "a task", arg);
    int rc = cora_loop_run_until_complete(loop, task);

    cora_task_unref(task);
    return rc;
}

static void soon(cora_callback *fn, void *arg)
{
    int rc = cora_loop_call_soon(loop, fn, arg, NULL);

    assert_int_equal(rc, 0);
}

static void stop(void *arg)
{
    (void)arg;
    cora_loop_stop(loop);
}

/* ---- run_until_complete --------------------------------------------------------------------- */

static int sleep_a_tenth(void *arg)
{
    (void)arg;
    return cora_sleep(0.1);
}

static int run_inside(void *future)
{
    bool running = cora_loop_is_running(loop);

    assert_true(running);
    return cora_loop_run_until_complete(loop, future);
}

TEST(EventLoopTestsMixin_test_run_until_complete_nesting)
{
    cora_future *future;
    int rc;

    begin();
    future = cora_loop_create_future(loop);
    rc = run_task(run_inside, future);
    assert_int_equal(rc, -CORA_ERUNNING);
    cora_future_unref(future);
    end();
}

TEST(EventLoopTestsMixin_test_run_until_complete)
{
    int rc;

    begin();
    rc = run_task(sleep_a_tenth, NULL);
    assert_int_equal(rc, 0);
    assert_true(cora_loop_time(loop) >= 0.1 && cora_loop_time(loop) < 0.1001);
    end();
}

static int stop_and_sleep(void *arg)
{
    stop(arg);
    return sleep_a_tenth(arg);
}

TEST(EventLoopTestsMixin_test_run_until_complete_stopped)
{
    cora_task *task;
    int rc;

    begin();
    task = cora_loop_create_task_arg(loop, NULL, stop_and_sleep, "a task", NULL);
    rc = cora_loop_run_until_complete(loop, task);
    assert_int_equal(rc, -CORA_ESTOPPED);
    rc = cora_loop_run_until_complete(loop, task); /* it is still there */
    assert_int_equal(rc, 0);
    cora_task_unref(task);
    end();
}

/* ---- callbacks ------------------------------------------------------------------------------ */

static void note_and_stop(void *text)
{
    trace("%s", (const char *)text);
    stop(NULL);
}

TEST(EventLoopTestsMixin_test_call_later)
{
    int rc;

    begin();
    rc = cora_loop_call_later(loop, 0.1, note_and_stop, "hello", NULL);
    assert_int_equal(rc, 0);
    run_forever();
    assert_string_equal(trace_text, "hello ");
    assert_true(cora_loop_time(loop) >= 0.1 && cora_loop_time(loop) < 0.1001);
    end();
}

TEST(EventLoopTestsMixin_test_call_soon)
{
    begin();
    soon(note_and_stop, "hello");
    run_forever();
    assert_string_equal(trace_text, "hello ");
    assert_true(cora_loop_time(loop) == 0);
    end();
}

static int noted;

/* Stops the loop at the second. */
static void note(void *text)
{
    trace("%s", (const char *)text);
    if (++noted == 2)
        stop(NULL);
}

static void *call_hello(void *arg)
{
    int rc = cora_loop_call_soon_threadsafe(loop, note, "hello", NULL);

    (void)arg;
    return (void *)(intptr_t)rc;
}

static pthread_t start(void *(*fn)(void *))
{
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, fn, NULL);

    assert_int_equal(rc, 0);
    return thread;
}

/* What the thread has found wrong. */
static void join(pthread_t thread)
{
    void *result = &result;
    int rc = pthread_join(thread, &result);

    assert_int_equal(rc, 0);
    assert_null(result);
}

/* What another thread has called before this one does runs before it. */
TEST(EventLoopTestsMixin_test_call_soon_threadsafe)
{
    begin();
    join(start(call_hello));
    soon(note, "world");
    run_forever();
    assert_string_equal(trace_text, "hello world ");
    end();
}

TEST(EventLoopTestsMixin_test_call_soon_threadsafe_same_thread)
{
    void *rc;

    begin();
    rc = call_hello(NULL);
    assert_null(rc);
    soon(note, "world");
    run_forever();
    assert_string_equal(trace_text, "hello world ");
    end();
}

/* ---- cancelling what another thread has called ---------------------------------------------- */

static cora_handle *handle;
static atomic_bool callback_started, callback_finished, caller_came, caller_is_back;

/* Ends some time after the other thread has come to wait for it; at once where that does not. */
static void linger(void *arg)
{
    (void)arg;
    atomic_store(&callback_started, true);
    while (!atomic_load(&caller_came))
        sched_yield();
    for (int i = 0; i < 10000 && !atomic_load(&caller_is_back); i++)
        sched_yield();
    trace("hello");
    atomic_store(&callback_finished, true);
}

static void begin_lingering(void)
{
    int rc = cora_loop_call_soon_threadsafe(loop, linger, NULL, &handle);

    while (rc == 0 && !atomic_load(&callback_started))
        sched_yield();
    atomic_store(&caller_came, true);
}

/* NULL if the callback was over by now; the loop is let go in either case. */
static void *end_lingering(void)
{
    bool finished = atomic_load(&callback_finished);
    int rc;

    atomic_store(&caller_is_back, true);
    rc = cora_loop_call_soon_threadsafe(loop, stop, NULL, NULL);
    return finished && rc == 0 ? NULL : loop;
}

static void *ask_meanwhile(void *arg)
{
    bool cancelled;
    void *wrong;

    begin_lingering();
    cancelled = cora_handle_cancelled(handle);
    wrong = end_lingering();
    return cancelled ? loop : wrong != NULL ? wrong : arg;
}

static void *cancel_meanwhile(void *arg)
{
    bool cancelled;
    void *wrong;

    begin_lingering();
    cora_handle_cancel(handle);
    wrong = end_lingering();
    cancelled = cora_handle_cancelled(handle);
    return !cancelled ? loop : wrong != NULL ? wrong : arg;
}

static void run_beside(void *(*fn)(void *))
{
    pthread_t thread;

    begin_in_real_time(); /* the thread is nobody whom virtual time would wait for */
    thread = start(fn);
    run_forever();
    join(thread);
    cora_handle_unref(handle);
    end();
}

TEST(EventLoopTestsMixin_test_call_soon_threadsafe_handle_block_check_cancelled)
{
    run_beside(ask_meanwhile);
    assert_string_equal(trace_text, "hello ");
}

TEST(EventLoopTestsMixin_test_call_soon_threadsafe_handle_block_cancellation)
{
    run_beside(cancel_meanwhile);
    assert_string_equal(trace_text, "hello ");
}

/* It has begun, and so it runs to its end. */
static void cancel_itself(void *arg)
{
    (void)arg;
    cora_handle_cancel(handle);
    trace("hello");
    stop(NULL);
}

static void *call_the_self_canceller(void *arg)
{
    int rc = cora_loop_call_soon_threadsafe(loop, cancel_itself, NULL, &handle);
    bool cancelled;

    while (rc == 0 && !cora_handle_cancelled(handle))
        sched_yield();
    cancelled = rc == 0 && cora_handle_cancelled(handle);
    return cancelled ? arg : loop;
}

TEST(EventLoopTestsMixin_test_call_soon_threadsafe_handle_cancel_same_thread)
{
    run_beside(call_the_self_canceller);
    assert_string_equal(trace_text, "hello ");
}

static void *call_and_cancel(void *arg)
{
    int rc = cora_loop_call_soon_threadsafe(loop, note_and_stop, "hello", &handle);
    bool cancelled;

    if (rc == 0)
        cora_handle_cancel(handle);
    cancelled = rc == 0 && cora_handle_cancelled(handle);
    return cancelled && cora_loop_call_soon_threadsafe(loop, stop, NULL, NULL) == 0 ? arg : loop;
}

/* The loop is held up until it is all over. */
static void let_a_thread_call_and_cancel(void *arg)
{
    (void)arg;
    join(start(call_and_cancel));
}

TEST(EventLoopTestsMixin_test_call_soon_threadsafe_handle_cancel_other_thread)
{
    begin();
    soon(let_a_thread_call_and_cancel, NULL);
    run_forever();
    run_once();
    assert_string_equal(trace_text, "");
    cora_handle_unref(handle);
    end();
}

/* ---- descriptors ---------------------------------------------------------------------------- */

static int ends[2];
static char received[16];

static void read_some(void *arg)
{
    size_t length = strlen(received);
    ssize_t got = recv(ends[0], received + length, sizeof received - length - 1, MSG_DONTWAIT);

    (void)arg;
    assert_true(got >= 0);
    if (got == 0) {
        bool removed = cora_loop_remove_reader(loop, ends[0]);

        assert_true(removed);
        close_fd(ends[0]);
        stop(NULL);
    }
}

static void send_text(void *text)
{
    put(ends[1], text);
}

static void close_the_sender(void *arg)
{
    (void)arg;
    close_fd(ends[1]);
}

TEST(EventLoopTestsMixin_test_reader_callback)
{
    int rc;

    begin();
    make_pair(ends);
    rc = cora_loop_add_reader(loop, ends[0], read_some, NULL);
    assert_int_equal(rc, 0);
    soon(send_text, "abc");
    while (strlen(received) < 3)
        run_once();
    soon(send_text, "def");
    while (strlen(received) < 6)
        run_once();
    soon(close_the_sender, NULL);
    run_forever();
    assert_string_equal(received, "abcdef");
    end();
}

enum { MUCH = 1024 };

static void write_much(void *data)
{
    ssize_t sent = send(ends[1], data, MUCH, MSG_DONTWAIT);

    assert_int_equal(sent, MUCH);
    stop(NULL);
}

TEST(EventLoopTestsMixin_test_writer_callback)
{
    char data[MUCH], got[2 * MUCH];
    bool removed;
    ssize_t size;
    int rc;

    begin();
    make_pair(ends);
    memset(data, 'x', sizeof data);
    rc = cora_loop_add_writer(loop, ends[1], write_much, data);
    assert_int_equal(rc, 0);
    run_forever();
    removed = cora_loop_remove_writer(loop, ends[1]);
    assert_true(removed);
    removed = cora_loop_remove_writer(loop, ends[1]);
    assert_false(removed);
    size = recv(ends[0], got, sizeof got, MSG_DONTWAIT);
    assert_int_equal(size, MUCH);
    assert_memory_equal(got, data, MUCH);
    close_pair(ends);
    end();
}

static void never(void *arg)
{
    fail_msg("this must not run: %p", arg);
}

TEST(EventLoopTestsMixin_test_remove_fds_after_closing)
{
    bool removed;
    int rc;

    begin();
    make_pair(ends);
    rc = cora_loop_add_reader(loop, ends[0], never, NULL);
    assert_int_equal(rc, 0);
    rc = cora_loop_add_writer(loop, ends[1], never, NULL);
    assert_int_equal(rc, 0);
    rc = cora_loop_close(loop);
    assert_int_equal(rc, 0);
    removed = cora_loop_remove_reader(loop, ends[0]);
    assert_false(removed);
    removed = cora_loop_remove_writer(loop, ends[1]);
    assert_false(removed);
    close_pair(ends);
    end();
}

TEST(EventLoopTestsMixin_test_add_fds_after_closing)
{
    int rc;

    begin();
    make_pair(ends);
    rc = cora_loop_close(loop);
    assert_int_equal(rc, 0);
    rc = cora_loop_add_reader(loop, ends[0], never, NULL);
    assert_int_equal(rc, -CORA_ECLOSED);
    rc = cora_loop_add_writer(loop, ends[1], never, NULL);
    assert_int_equal(rc, -CORA_ECLOSED);
    close_pair(ends);
    end();
}

/* ---- signals -------------------------------------------------------------------------------- */

static void (*handler_of(int signum))(int)
{
    struct sigaction action;
    int rc = sigaction(signum, NULL, &action);

    assert_int_equal(rc, 0);
    return action.sa_handler;
}

static void count(void *arg)
{
    ++*(int *)arg;
}

TEST(EventLoopTestsMixin_test_add_signal_handler)
{
    static const int invalid[] = {NSIG + 1, 0, -1, SIGKILL};
    int caught = 0, rc;
    bool removed;

    begin();
    for (int i = 0; i < 4; i++) {
        rc = cora_loop_add_signal_handler(loop, invalid[i], count, &caught);
        assert_int_equal(rc, -EINVAL);
        removed = cora_loop_remove_signal_handler(loop, invalid[i]);
        assert_false(removed);
    }
    rc = cora_loop_add_signal_handler(loop, SIGINT, count, &caught);
    assert_int_equal(rc, 0);
    kill(getpid(), SIGINT);
    while (caught == 0)
        run_once();
    assert_int_equal(caught, 1);
    removed = cora_loop_remove_signal_handler(loop, SIGINT);
    assert_true(removed);
    assert_ptr_equal(handler_of(SIGINT), SIG_DFL);
    removed = cora_loop_remove_signal_handler(loop, SIGINT);
    assert_false(removed);
    end();
}

static void count_and_stop(void *arg)
{
    count(arg);
    stop(NULL);
}

/* An alarm goes off while the loop waits, and its handler gets the argument. */
static void alarm_while_waiting(int *arg, suseconds_t microseconds)
{
    const struct itimerval once = {.it_value = {.tv_usec = microseconds}};
    int rc;

    begin_in_real_time();
    rc = cora_loop_add_signal_handler(loop, SIGALRM, count_and_stop, arg);
    assert_int_equal(rc, 0);
    rc = setitimer(ITIMER_REAL, &once, NULL);
    assert_int_equal(rc, 0);
    rc = cora_loop_call_later(loop, 60, stop, NULL, NULL);
    assert_int_equal(rc, 0);
    run_forever();
    end();
}

TEST(EventLoopTestsMixin_test_signal_handling_while_selecting)
{
    int caught = 0;

    alarm_while_waiting(&caught, 10000);
    assert_int_equal(caught, 1);
}

TEST(EventLoopTestsMixin_test_signal_handling_args)
{
    int some_arg = 41;

    alarm_while_waiting(&some_arg, 1000);
    assert_int_equal(some_arg, 42);
}

/* ---- time and cancellation ------------------------------------------------------------------ */

static int receive(void *arg)
{
    char byte;

    (void)arg;
    return (int)cora_sock_recv(ends[0], &byte, 1);
}

static void cancel(void *task)
{
    cora_task_cancel(task);
}

static int await_the_cancelled(void *task)
{
    int rc;

    soon(cancel, task);
    rc = cora_await(task);
    stop(NULL);
    return rc;
}

TEST(EventLoopTestsMixin_test_prompt_cancellation)
{
    cora_task *receiving, *waiting;
    int rc;

    begin();
    make_pair(ends);
    receiving = cora_loop_create_task_arg(loop, NULL, receive, "receive", NULL);
    waiting = cora_loop_create_task_arg(loop, NULL, await_the_cancelled, "main", receiving);
    run_forever();
    rc = cora_task_result(waiting);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_task_result(receiving);
    assert_int_equal(rc, -ECANCELED);
    rc = cora_loop_add_reader(loop, ends[0], never, NULL); /* it is no longer watched */
    assert_int_equal(rc, 0);
    cora_task_unref(receiving);
    cora_task_unref(waiting);
    end();
    close_pair(ends);
}

/* A wait is rounded up to what the poller can do: one that came back early would be in vain. */
static int sleep_less_and_less(void *arg)
{
    static const double delays[] = {1e-2, 1e-4, 1e-6, 1e-8, 1e-10};
    int rc = 0;

    (void)arg;
    for (int i = 0; i < 5 && rc == 0; i++)
        rc = cora_sleep(delays[i]);
    return rc;
}

static int iterate(void)
{
    int rc = cora_loop_poll(loop, -1);

    if (rc == 0)
        rc = cora_loop_process_events(loop);
    return rc < 0 ? rc : cora_loop_run_ready(loop);
}

TEST(EventLoopTestsMixin_test_timeout_rounding)
{
    int iterations = 0, rc = 0;
    cora_task *task;

    begin_in_real_time();
    task = cora_loop_create_task_arg(loop, NULL, sleep_less_and_less, "sleeper", NULL);
    while (rc >= 0 && !cora_task_done(task)) {
        rc = iterate();
        iterations++;
    }
    rc = cora_task_result(task);
    assert_int_equal(rc, 0);
    assert_in_range(iterations, 6, 20);
    cora_task_unref(task);
    end();
}

/* ---- close ---------------------------------------------------------------------------------- */

static int close_loop(void *arg)
{
    (void)arg;
    return cora_loop_close(loop);
}

TEST(EventLoopTestsMixin_test_close_running_event_loop)
{
    bool closed;
    int rc;

    begin();
    rc = run_task(close_loop, NULL);
    assert_int_equal(rc, -CORA_ERUNNING);
    closed = cora_loop_is_closed(loop);
    assert_false(closed);
    end();
}

TEST(EventLoopTestsMixin_test_close)
{
    cora_future *future;
    cora_task *task;
    int rc;

    begin();
    rc = cora_loop_close(loop);
    assert_int_equal(rc, 0);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, -CORA_ECLOSED);
    future = cora_loop_create_future(loop);
    rc = cora_loop_run_until_complete(loop, future);
    assert_int_equal(rc, -CORA_ECLOSED);
    rc = cora_loop_call_soon(loop, never, NULL, NULL);
    assert_int_equal(rc, -CORA_ECLOSED);
    rc = cora_loop_call_soon_threadsafe(loop, never, NULL, NULL);
    assert_int_equal(rc, -CORA_ECLOSED);
    rc = cora_loop_call_later(loop, 1, never, NULL, NULL);
    assert_int_equal(rc, -CORA_ECLOSED);
    rc = cora_loop_call_at(loop, cora_loop_time(loop), never, NULL, NULL);
    assert_int_equal(rc, -CORA_ECLOSED);
    task = cora_loop_create_task_arg(loop, NULL, sleep_a_tenth, "a task", NULL);
    assert_null(task);
    rc = cora_loop_add_signal_handler(loop, SIGTERM, never, NULL);
    assert_int_equal(rc, -CORA_ECLOSED);
    cora_future_unref(future);
    end();
}

/* ---- handles -------------------------------------------------------------------------------- */

TEST(HandleTests_test_handle)
{
    bool cancelled;
    int rc;

    begin();
    rc = cora_loop_call_soon(loop, never, NULL, &handle);
    assert_int_equal(rc, 0);
    cancelled = cora_handle_cancelled(handle);
    assert_false(cancelled);
    cora_handle_cancel(handle);
    cancelled = cora_handle_cancelled(handle);
    assert_true(cancelled);
    run_once();
    cora_handle_unref(handle);
    end();
}

/* A callback has nobody to return an error to: it reports it. */
static void report_a_failure(void *arg)
{
    const cora_exception_context context = {.message = "the callback failed", .error = -EDOM};

    (void)arg;
    cora_loop_call_exception_handler(loop, &context);
}

TEST(HandleTests_test_callback_with_exception)
{
    begin();
    soon(report_a_failure, NULL);
    soon(note, "the next one");
    run_once();
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -EDOM);
    assert_string_equal(reports.message, "the callback failed");
    assert_string_equal(trace_text, "the next one ");
    cora_loop_free(loop);
}

TEST(TimerTests_test_when)
{
    cora_timer_handle *timer;
    double when;
    int rc;

    begin_in_real_time();
    when = cora_loop_time(loop);
    rc = cora_loop_call_at(loop, when, never, NULL, &timer);
    assert_int_equal(rc, 0);
    assert_true(cora_timer_handle_when(timer) == when);
    cora_handle_unref(timer);
    end();
}

TEST(TimerTests_test_timer)
{
    cora_timer_handle *timer;
    bool cancelled;
    int rc;

    begin();
    rc = cora_loop_call_at(loop, 1, never, NULL, &timer);
    assert_int_equal(rc, 0);
    cancelled = cora_handle_cancelled(timer);
    assert_false(cancelled);
    cora_handle_cancel(timer);
    cancelled = cora_handle_cancelled(timer);
    assert_true(cancelled);
    assert_true(cora_loop_timeout(loop) < 0); /* nothing is left to wait for */
    run_once();
    cora_handle_unref(timer);
    end();
}

/* ---- connections ---------------------------------------------------------------------------- */

/* Runs the body of a test as the main task. It returns 0, and no descriptor is left behind. */
static void run_connection(cora_task_fn *fn)
{
    int before = count_descriptors();
    int rc = run_virtual(fn, NULL);

    assert_int_equal(rc, 0);
    assert_int_equal(count_descriptors(), before);
    assert_int_equal(reports.count, 0);
}

static void port_text(const struct sockaddr_in *address, char text[8])
{
    snprintf(text, 8, "%u", ntohs(address->sin_port));
}

/* Which is nobody's. */
static void find_unused_port(char text[8])
{
    struct sockaddr_in address;

    close_fd(make_listener(&address, 1));
    port_text(&address, text);
}

struct serve_once_args {
    int listener;
};

/* A request, an answer, the end. */
static int serve_once(void *arg)
{
    struct serve_once_args *a = arg;
    int fd = cora_sock_accept(a->listener, NULL, NULL), rc;
    char request[64];
    ssize_t got = cora_sock_recv(fd, request, sizeof request);

    assert_true(got > 0);
    assert_memory_equal(request, "GET / ", 6);
    rc = cora_sock_sendall(fd, "HTTP/1.0 200 OK\r\n\r\n", 19, NULL);
    assert_int_equal(rc, 0);
    close_fd(fd);
    return 0;
}

/* A client that is connected asks, and gets an answer. */
static int ask_and_lose(struct recorder *recorder, cora_transport *transport, int listener)
{
    cora_task *server = cora_create_task(serve_once, .listener = listener);
    int rc;

    assert_ptr_equal(recorder->transport, transport);
    assert_non_null(cora_transport_get_extra_info(transport, "sockname"));
    rc = cora_transport_write(transport, "GET / HTTP/1.0\r\n\r\n", 18);
    assert_int_equal(rc, 0);
    rc = wait_lost(recorder);
    assert_int_equal(rc, 0);
    assert_true(recorder->received > 0);
    assert_int_equal(recorder->error, 0);
    cora_transport_unref(transport);
    close_fd(listener);
    return cora_await_unref(server);
}

static int connect_to_host(void *arg)
{
    struct recorder recorder = {0};
    cora_transport *transport = NULL;
    struct sockaddr_in address;
    int listener = make_listener(&address, 1), rc;
    char port[8];

    (void)arg;
    port_text(&address, port);
    rc = cora_create_connection(record, &recorder, "127.0.0.1", port, NULL, &transport);
    assert_int_equal(rc, 0);
    return ask_and_lose(&recorder, transport, listener);
}

TEST(EventLoopTestsMixin_test_create_connection)
{
    run_connection(connect_to_host);
}

static int connect_to_path(void *arg)
{
    struct recorder recorder = {0};
    cora_transport *transport = NULL;
    char name[CORA_ADDRESS_TEXT_SIZE];
    int listener = make_unix_listener(name, sizeof name, 1), rc;

    (void)arg;
    rc = cora_create_unix_connection(record, &recorder, name, NULL, &transport);
    assert_int_equal(rc, 0);
    return ask_and_lose(&recorder, transport, listener);
}

TEST(EventLoopTestsMixin_test_create_unix_connection)
{
    run_connection(connect_to_path);
}

static int connect_from_port(void *arg)
{
    struct recorder recorder = {0};
    struct sockaddr_in address;
    int listener = make_listener(&address, 1), rc;
    char port[8], own[8], expected[32], text[CORA_ADDRESS_TEXT_SIZE];
    cora_connection_options options = {.local_host = "127.0.0.1", .local_service = own};

    (void)arg;
    port_text(&address, port);
    find_unused_port(own);
    rc = cora_create_connection(record, &recorder, "127.0.0.1", port, &options, NULL);
    assert_int_equal(rc, 0);
    snprintf(expected, sizeof expected, "127.0.0.1:%s", own);
    cora_address_format(cora_transport_get_extra_info(recorder.transport, "sockname"), text,
                        sizeof text);
    assert_string_equal(text, expected);
    cora_transport_close(recorder.transport);
    close_fd(listener);
    return wait_lost(&recorder);
}

TEST(EventLoopTestsMixin_test_create_connection_local_addr)
{
    run_connection(connect_from_port);
}

/* What the call from a "local" address says, with every attempt's error. */
struct from_local {
    int rc;
    cora_connection_error errors[MOST_HOSTS];
    cora_connection_errors all;
};
static struct from_local from_local;

static int connect_from_local(void *arg)
{
    struct recorder recorder = {0};
    cora_connection_options options = {.local_host = "local", .errors = &from_local.all};

    (void)arg;
    from_local.all = (cora_connection_errors){.errors = from_local.errors, .room = MOST_HOSTS};
    from_local.rc = cora_create_connection(record, &recorder, "host", "1", &options, NULL);
    assert_int_equal(recorder.made, 0);
    return 0;
}

TEST(EventLoopTestsMixin_test_create_connection_local_addr_skip_different_family)
{
    HOSTS(FAILS("4a", 0, -ECONNREFUSED));
    LOCALS(WORKS("6b", 0), WORKS("4b", 0));
    run_connection(connect_from_local);
    assert_int_equal(from_local.rc, -ECONNREFUSED);
    assert_string_equal(trace_text, "bind 4b 4a@0.00 ");
}

TEST(EventLoopTestsMixin_test_create_connection_local_addr_nomatch_family)
{
    HOSTS(WORKS("4a", 0));
    LOCALS(WORKS("6b", 0));
    run_connection(connect_from_local);
    assert_int_equal(from_local.rc, -EADDRNOTAVAIL);
    assert_int_equal(from_local.all.count, 1);
    assert_string_equal(host_name(&from_local.errors[0].address), "4a");
    assert_string_equal(trace_text, "");
}

static int connect_from_a_port_in_use(void *arg)
{
    struct recorder recorder = {0};
    struct sockaddr_in address;
    int listener = make_listener(&address, 1), rc;
    char port[8], expected[32], text[CORA_ADDRESS_TEXT_SIZE];
    cora_connection_error error;
    cora_connection_errors all = {.errors = &error, .room = 1};
    cora_connection_options options = {
        .local_host = "127.0.0.1", .local_service = port, .errors = &all};

    (void)arg;
    port_text(&address, port);
    rc = cora_create_connection(record, &recorder, "127.0.0.1", port, &options, NULL);
    assert_int_equal(rc, -EADDRINUSE);
    assert_int_equal(all.count, 1);
    assert_int_equal(error.error, -EADDRINUSE);
    snprintf(expected, sizeof expected, "127.0.0.1:%s", port);
    assert_string_equal(cora_address_format(&error.address, text, sizeof text), expected);
    close_fd(listener);
    return 0;
}

TEST(EventLoopTestsMixin_test_create_connection_local_addr_in_use)
{
    run_connection(connect_from_a_port_in_use);
}

struct client_args {
    const struct sockaddr_in *address;
};

static int client(void *arg)
{
    struct client_args *a = arg;
    int fd = connect_tcp(a->address), rc;
    char answer[99] = "";
    ssize_t got;

    rc = cora_sock_sendall(fd, "test data", 9, NULL);
    assert_int_equal(rc, 0);
    got = cora_sock_recv(fd, answer, sizeof answer - 1);
    assert_int_equal(got, 5);
    assert_string_equal(answer, "roger");
    close_fd(fd);
    return 0;
}

static int take_accepted_socket(void *arg)
{
    struct recorder recorder = {0};
    struct sockaddr_in address;
    int listener = make_listener(&address, 1), fd, rc;
    cora_task *task = cora_create_task(client, .address = &address);

    (void)arg;
    fd = cora_sock_accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    rc = cora_connect_accepted_socket(record, &recorder, fd, NULL);
    assert_int_equal(rc, 0);
    rc = wait_received(&recorder, 9);
    assert_int_equal(rc, 0);
    assert_string_equal(recorder.text, "test data");
    rc = cora_transport_write(recorder.transport, "roger", 5);
    assert_int_equal(rc, 0);
    rc = wait_lost(&recorder);
    assert_int_equal(rc, 0);
    assert_int_equal(recorder.made, 1);
    assert_int_equal(recorder.lost, 1);
    close_fd(listener);
    return cora_await_unref(task);
}

TEST(EventLoopTestsMixin_test_connect_accepted_socket)
{
    run_connection(take_accepted_socket);
}

/* ---- the running loop ----------------------------------------------------------------------- */

/* An attempt to run another one leaves the one that runs as it is. */
static int run_another(void *arg)
{
    cora_loop *another = virtual_loop();
    int rc = cora_loop_run_forever(another);

    (void)arg;
    cora_loop_free(another);
    assert_ptr_equal(cora_get_running_loop(), loop);
    return rc;
}

TEST(GetEventLoopTestsMixin_test_get_running_loop_already_running)
{
    int rc;

    begin();
    rc = run_task(run_another, NULL);
    assert_int_equal(rc, -CORA_ERUNNING);
    assert_null(cora_get_running_loop());
    end();
}
