/* CPython's test_base_events.py: the iteration, reports, names, files, and connections. */
#include "support/capture.h"
#include "support/hosts.h"
#include "support/protocol.h"
#include "support/sendfile.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static cora_loop *loop;

static void begin(void)
{
    loop = virtual_loop();
}

static void end(void)
{
    cora_loop_free(loop);
    assert_int_equal(reports.count, 0);
}

static bool is_time(double seconds)
{
    double off = cora_loop_time(loop) - seconds;

    return off > -1e-6 && off < 1e-6;
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

static cora_task *spawn(cora_task_fn *fn, void *arg)
{
    cora_task *task = cora_loop_create_task_arg(loop, NULL, fn, "a task", arg);

    assert_non_null(task);
    return task;
}

static int run_task(cora_task_fn *fn, void *arg)
{
    cora_task *task = spawn(fn, arg);
    int rc = cora_loop_run_until_complete(loop, task);

    cora_task_unref(task);
    return rc;
}

static void soon(cora_callback *fn, void *arg)
{
    int rc = cora_loop_call_soon(loop, fn, arg, NULL);

    assert_int_equal(rc, 0);
}

static void later(double delay, cora_callback *fn, void *arg)
{
    int rc = cora_loop_call_later(loop, delay, fn, arg, NULL);

    assert_int_equal(rc, 0);
}

static void note(void *text)
{
    trace("%s", (const char *)text);
}

static void stop(void *arg)
{
    (void)arg;
    cora_loop_stop(loop);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int sleep_for(void *delay)
{
    return cora_sleep(*(double *)delay);
}

/* ---- addresses that are numbers ------------------------------------------------------------- */

static int look_up(const char *host, const char *service, int family, int type, int protocol,
                   struct addrinfo **ret)
{
    const struct addrinfo hints = {
        .ai_family = family, .ai_socktype = type, .ai_protocol = protocol};

    return cora_getaddrinfo(host, service, &hints, ret);
}

/* There is one answer, at once and without a task. */
static void assert_found(const char *host, const char *service, const int hints[3], int family,
                         int protocol, int port)
{
    struct addrinfo *list = NULL;
    const struct sockaddr_in *four;
    const struct sockaddr_in6 *six;
    char text[64] = "";
    int rc = look_up(host, service, hints[0], hints[1], hints[2], &list);

    assert_int_equal(rc, 0);
    assert_null(list->ai_next);
    assert_int_equal(list->ai_family, family);
    assert_int_equal(list->ai_socktype, hints[1]);
    assert_int_equal(list->ai_protocol, protocol);
    four = (struct sockaddr_in *)list->ai_addr;
    six = (struct sockaddr_in6 *)list->ai_addr;
    inet_ntop(family, family == AF_INET ? (const void *)&four->sin_addr : &six->sin6_addr, text,
              sizeof text);
    assert_string_equal(text, host);
    assert_int_equal(ntohs(family == AF_INET ? four->sin_port : six->sin6_port), port);
    cora_freeaddrinfo(list);
}

enum { TCP = IPPROTO_TCP, UDP = IPPROTO_UDP };

TEST(BaseEventTests_test_ipaddr_info)
{
    struct addrinfo *list = NULL;
    int types = 0, rc;

    assert_found("1.2.3.4", "1", (int[]){AF_INET, SOCK_STREAM, TCP}, AF_INET, TCP, 1);
    assert_found("1.2.3.4", "1", (int[]){AF_UNSPEC, SOCK_STREAM, TCP}, AF_INET, TCP, 1);
    assert_found("1.2.3.4", "1", (int[]){AF_UNSPEC, SOCK_DGRAM, UDP}, AF_INET, UDP, 1);
    assert_found("1.2.3.4", "1", (int[]){AF_UNSPEC, SOCK_STREAM, 0}, AF_INET, TCP, 1);
    assert_found("1.2.3.4", "1", (int[]){AF_UNSPEC, SOCK_DGRAM, 0}, AF_INET, UDP, 1);
    assert_found("::3", "1", (int[]){AF_INET6, SOCK_STREAM, TCP}, AF_INET6, TCP, 1);
    assert_found("::3", "1", (int[]){AF_UNSPEC, SOCK_STREAM, TCP}, AF_INET6, TCP, 1);
    rc = look_up("1.2.3.4", "1", AF_UNSPEC, 0, 0, &list); /* an answer for each type */
    assert_int_equal(rc, 0);
    for (const struct addrinfo *a = list; a != NULL; a = a->ai_next)
        types |= 1 << a->ai_socktype;
    cora_freeaddrinfo(list);
    assert_int_equal(types & (1 << SOCK_STREAM | 1 << SOCK_DGRAM),
                     1 << SOCK_STREAM | 1 << SOCK_DGRAM);
    rc = look_up("1.2.3.4", "1", AF_INET6, SOCK_STREAM, TCP, &list);
    assert_int_equal(rc, -CORA_EAI_ADDRFAMILY);
    rc = look_up("::3", "1", AF_INET, SOCK_STREAM, TCP, &list);
    assert_int_equal(rc, -CORA_EAI_ADDRFAMILY);
    rc = look_up("::3%lo0", "1", AF_INET6, SOCK_STREAM, TCP, &list);
    assert_int_equal(rc, -CORA_ENOTASK); /* a name: a task could wait for the answer */
}

TEST(BaseEventTests_test_port_parameter_types)
{
    const int hints[] = {AF_INET, SOCK_STREAM, TCP};

    assert_found("1.2.3.4", NULL, hints, AF_INET, TCP, 0);
    assert_found("1.2.3.4", "", hints, AF_INET, TCP, 0);
    assert_found("1.2.3.4", "1", hints, AF_INET, TCP, 1);
}

/* ---- names of addresses --------------------------------------------------------------------- */

static pthread_t resolver;

/* The names are the linker's. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __wrap_getnameinfo(const struct sockaddr *address, socklen_t length, char *host,
                       socklen_t host_size, char *service, socklen_t service_size, int flags);

int __wrap_getnameinfo(const struct sockaddr *address, socklen_t length, char *host,
                       socklen_t host_size, char *service, socklen_t service_size, int flags)
{
    (void)flags;
    assert_int_equal(length, sizeof(struct sockaddr_in));
    resolver = pthread_self();
    snprintf(host, host_size, "name-of-%x",
             ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr));
    snprintf(service, service_size, "service");
    return 0;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static int ask_for_names(void *arg)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_addr = {.s_addr = htonl(0x01020304)}};
    char host[64] = "", service[32] = "";
    int rc = cora_getnameinfo((const struct sockaddr *)&address, sizeof address, host, sizeof host,
                              service, sizeof service, 0);

    (void)arg;
    assert_int_equal(rc, 0);
    assert_string_equal(host, "name-of-1020304");
    assert_string_equal(service, "service");
    assert_false(pthread_equal(resolver, pthread_self()));
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_getnameinfo)
{
    int rc = run_virtual(ask_for_names, NULL);

    assert_int_equal(rc, 0);
}

/* ---- close ---------------------------------------------------------------------------------- */

TEST(BaseEventLoopTests_test_close)
{
    cora_future *future;
    bool closed;
    int rc;

    begin();
    future = cora_loop_create_future(loop);
    closed = cora_loop_is_closed(loop);
    assert_false(closed);
    for (int i = 0; i < 3; i++) {
        rc = cora_loop_close(loop);
        assert_int_equal(rc, 0);
        closed = cora_loop_is_closed(loop);
        assert_true(closed);
    }
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, -CORA_ECLOSED);
    rc = cora_loop_run_until_complete(loop, future);
    assert_int_equal(rc, -CORA_ECLOSED);
    cora_future_unref(future);
    end();
}

/* ---- what is ready, and what is scheduled --------------------------------------------------- */

/* How long the loop would wait: 0 where something is ready, -1 where nothing is even scheduled. */
static void assert_timeout(double seconds)
{
    double timeout = cora_loop_timeout(loop);

    assert_true(timeout > seconds - 1e-6 && timeout < seconds + 1e-6);
}

static void assert_run_ready(int count)
{
    int rc = cora_loop_run_ready(loop);

    assert_int_equal(rc, count);
}

TEST(BaseEventLoopTests_test__add_callback_handle)
{
    begin();
    assert_timeout(-1);
    soon(note, "a");
    assert_timeout(0);
    assert_run_ready(1);
    assert_timeout(-1);
    assert_string_equal(trace_text, "a ");
    end();
}

TEST(BaseEventLoopTests_test__add_callback_cancelled_handle)
{
    cora_handle *handle;
    int rc;

    begin();
    rc = cora_loop_call_soon(loop, note, "never", &handle);
    assert_int_equal(rc, 0);
    cora_handle_cancel(handle);
    assert_timeout(-1);
    assert_run_ready(0);
    assert_string_equal(trace_text, "");
    cora_handle_unref(handle);
    end();
}

TEST(BaseEventLoopTests_test_call_soon)
{
    cora_handle *handle;
    int rc;

    begin();
    rc = cora_loop_call_soon(loop, note, "a", &handle);
    assert_int_equal(rc, 0);
    assert_non_null(handle);
    assert_true(isnan(cora_timer_handle_when(handle)));
    assert_timeout(0);
    assert_string_equal(trace_text, ""); /* soon is not at once */
    assert_run_ready(1);
    assert_string_equal(trace_text, "a ");
    cora_handle_unref(handle);
    end();
}

TEST(BaseEventLoopTests_test_call_later)
{
    cora_timer_handle *handle;
    int rc;

    begin();
    rc = cora_loop_call_later(loop, 10, note, "never", &handle);
    assert_int_equal(rc, 0);
    assert_true(cora_timer_handle_when(handle) == 10);
    assert_timeout(10);
    assert_run_ready(0);
    rc = cora_loop_call_later(loop, NAN, note, "never", NULL);
    assert_int_equal(rc, -EINVAL);
    cora_handle_unref(handle);
    end();
}

TEST(BaseEventLoopTests_test_call_later_negative_delays)
{
    begin();
    later(-1, note, "a");
    later(-2, note, "b");
    run_once();
    assert_string_equal(trace_text, "b a ");
    end();
}

TEST(BaseEventLoopTests_test_time_and_call_at)
{
    int rc;

    begin();
    rc = cora_loop_call_at(loop, cora_loop_time(loop) + 0.1, stop, NULL, NULL);
    assert_int_equal(rc, 0);
    run_forever();
    assert_true(is_time(0.1));
    rc = cora_loop_call_at(loop, NAN, stop, NULL, NULL);
    assert_int_equal(rc, -EINVAL);
    end();
}

/* ---- calls from a wrong thread -------------------------------------------------------------- */

struct wrong_thread {
    bool has_a_loop;
    int rc[3];
};

static void *call_from_a_thread(void *arg)
{
    struct wrong_thread *wrong = arg;
    cora_loop *own = wrong->has_a_loop ? virtual_loop() : NULL;

    wrong->rc[0] = cora_loop_call_soon(loop, note, "soon", NULL);
    wrong->rc[1] = cora_loop_call_later(loop, 60, note, "later", NULL);
    wrong->rc[2] = cora_loop_call_at(loop, cora_loop_time(loop) + 60, note, "at", NULL);
    cora_loop_free(own);
    return NULL;
}

/* The loop stands still in here, so that even what is not refused does no harm. */
static void let_a_thread_call(void *arg)
{
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, call_from_a_thread, arg);

    assert_int_equal(rc, 0);
    rc = pthread_join(thread, NULL);
    assert_int_equal(rc, 0);
}

TEST(BaseEventLoopTests_test_check_thread)
{
    for (int i = 0; i < 4; i++) {
        bool debug = (i & 1) != 0;
        struct wrong_thread wrong = {.has_a_loop = (i & 2) != 0};

        begin();
        cora_loop_set_debug(loop, debug);
        soon(let_a_thread_call, &wrong);
        run_once();
        for (int j = 0; j < 3; j++)
            assert_int_equal(wrong.rc[j], debug ? -CORA_EWRONGTHREAD : 0);
        end();
    }
}

TEST(BaseEventLoopTests_test_set_debug)
{
    bool debug;

    begin();
    cora_loop_set_debug(loop, true);
    debug = cora_loop_get_debug(loop);
    assert_true(debug);
    cora_loop_set_debug(loop, false);
    debug = cora_loop_get_debug(loop);
    assert_false(debug);
    end();
}

/* ---- an iteration --------------------------------------------------------------------------- */

/* A timer that was cancelled does not wake the loop. */
TEST(BaseEventLoopTests_test__run_once)
{
    cora_timer_handle *cancelled;
    int rc;

    begin();
    rc = cora_loop_call_later(loop, 5, note, "never", &cancelled);
    assert_int_equal(rc, 0);
    later(10, note, "b");
    cora_handle_cancel(cancelled);
    assert_timeout(10);
    rc = cora_loop_poll(loop, -1);
    assert_int_equal(rc, 0);
    assert_true(is_time(10));
    rc = cora_loop_process_events(loop);
    assert_int_equal(rc, 0);
    assert_run_ready(1);
    assert_string_equal(trace_text, "b ");
    cora_handle_unref(cancelled);
    end();
}

static void note_and_call_soon(void *text)
{
    note(text);
    soon(note, "next");
}

TEST(BaseEventLoopTests_test__run_once_schedule_handle)
{
    int rc;

    begin();
    rc = cora_loop_call_at(loop, cora_loop_time(loop) - 1, note_and_call_soon, "due", NULL);
    assert_int_equal(rc, 0);
    run_once();
    assert_string_equal(trace_text, "due ");
    assert_timeout(0);
    run_once();
    assert_string_equal(trace_text, "due next ");
    end();
}

static void arm_and_cancel(double delay, int count)
{
    while (count-- > 0) {
        cora_timer_handle *handle;
        int rc = cora_loop_call_later(loop, delay, note, "never", &handle);

        assert_int_equal(rc, 0);
        cora_handle_cancel(handle);
        cora_handle_unref(handle);
    }
}

/* However many are cancelled, at the head or behind it, only the others count, and all of them. */
TEST(BaseEventLoopTests_test__run_once_cancelled_event_cleanup)
{
    enum { MANY = 60, OTHERS = 50 };

    begin();
    later(3000, note, "first");
    arm_and_cancel(3600, 2);
    arm_and_cancel(100, 2);
    run_once();
    assert_timeout(3000);
    for (int i = 0; i < OTHERS; i++)
        later(3600, note, "x");
    arm_and_cancel(3600, MANY);
    run_once();
    assert_timeout(3000);
    later(3601, stop, NULL);
    run_forever();
    assert_memory_equal(trace_text, "first x x", 9);
    assert_int_equal(strlen(trace_text), strlen("first ") + OTHERS * strlen("x "));
    assert_timeout(-1);
    end();
}

static int event_count;
static int ends[2];

/* Nothing more comes from the descriptor, and what may be queued of it already does not run. */
static void clear_event(void *arg)
{
    bool removed = cora_loop_remove_reader(loop, ends[0]);

    (void)arg;
    assert_true(removed);
}

static void on_event(void *arg)
{
    event_count++;
    soon(clear_event, arg);
}

TEST(BaseEventLoopTests_test_single_selecter_event_callback_after_stopping)
{
    int rc;

    begin();
    make_pair(ends);
    put(ends[1], "x");
    rc = cora_loop_add_reader(loop, ends[0], on_event, NULL);
    assert_int_equal(rc, 0);
    for (int i = 0; i < 2; i++) {
        soon(stop, NULL);
        run_forever();
        assert_int_equal(event_count, 1);
    }
    end();
    close_pair(ends);
}

TEST(BaseEventLoopTests_test_run_once)
{
    begin();
    soon(note, "a");
    soon(stop, NULL);
    run_forever();
    assert_string_equal(trace_text, "a ");
    end();
}

/* It does not wait for anything. */
TEST(BaseEventLoopTests_test_run_forever_pre_stopped)
{
    begin();
    later(1, note, "never");
    cora_loop_stop(loop);
    run_forever();
    assert_true(is_time(0));
    assert_string_equal(trace_text, "");
    end();
}

/* ---- run_until_complete --------------------------------------------------------------------- */

TEST(BaseEventLoopTests_test_run_until_complete_loop)
{
    cora_loop *other = virtual_loop();
    cora_future *future;
    int rc;

    begin();
    future = cora_loop_create_future(loop);
    rc = cora_loop_run_until_complete(other, future);
    assert_int_equal(rc, -CORA_EWRONGLOOP);
    cora_future_unref(future);
    cora_loop_free(other);
    end();
}

/* A run that was cut short leaves nothing behind by which its future would end the next one. */
TEST(BaseEventLoopTests_test_run_until_complete_loop_orphan_future_close_loop)
{
    double short_delay = 0.1, long_delay = 0.2;
    cora_task *orphan;
    bool done;
    int rc;

    begin();
    orphan = spawn(sleep_for, &short_delay);
    soon(stop, NULL);
    rc = cora_loop_run_until_complete(loop, orphan);
    assert_int_equal(rc, -CORA_ESTOPPED);
    rc = run_task(sleep_for, &long_delay);
    assert_int_equal(rc, 0);
    assert_true(is_time(0.2));
    done = cora_task_done(orphan);
    assert_true(done);
    cora_task_unref(orphan);
    end();
}

static cora_runner *interruptible_runner(void)
{
    cora_runner *runner = NULL;
    int rc =
        cora_runner_create(&runner, &(cora_runner_options){.loop_factory = virtual_loop_factory});

    assert_int_equal(rc, 0);
    signal(SIGINT, SIG_DFL);
    loop = cora_runner_get_loop(runner);
    return runner;
}

static void close_runner(cora_runner *runner)
{
    int rc = cora_runner_close(runner);

    assert_int_equal(rc, 0);
    assert_int_equal(reports.count, 0);
}

static int interrupt_oneself(void *arg)
{
    (void)arg;
    raise(SIGINT);
    return cora_sleep(1);
}

/* Who runs the loop is told, and so nobody else is. */
TEST(BaseEventLoopTests_test_run_forever_keyboard_interrupt)
{
    cora_runner *runner = interruptible_runner();
    int rc = cora_runner_run(runner, interrupt_oneself, NULL);

    assert_int_equal(rc, -EINTR);
    close_runner(runner);
}

/* The second time it is the loop that ends, and not the task. */
static int interrupt_twice(void *arg)
{
    int rc = interrupt_oneself(arg);

    assert_int_equal(rc, -ECANCELED);
    return interrupt_oneself(arg);
}

static void note_and_stop(void *text)
{
    note(text);
    stop(NULL);
}

static void call_soon_again(void *text)
{
    soon(note_and_stop, text);
}

/* No stop is left over from a run that was interrupted. */
TEST(BaseEventLoopTests_test_run_until_complete_baseexception)
{
    cora_runner *runner = interruptible_runner();
    int rc = cora_runner_run(runner, interrupt_twice, NULL);

    assert_int_equal(rc, -EINTR);
    soon(call_soon_again, "called");
    run_forever();
    assert_string_equal(trace_text, "called ");
    close_runner(runner);
}

/* ---- reports -------------------------------------------------------------------------------- */

static void begin_with_default_handler(void)
{
    begin();
    cora_loop_set_exception_handler(loop, NULL, NULL);
}

/* A callback has nobody to return an error to: it reports it. */
static void report_a_failure(void *arg)
{
    const cora_exception_context context = {.message = "the callback failed", .error = -EDOM};

    (void)arg;
    cora_loop_call_exception_handler(loop, &context);
}

static void complete_and_fail(void *future)
{
    int rc = cora_future_set_result(future, 1, NULL);

    assert_int_equal(rc, 0);
    report_a_failure(NULL);
}

static void stop_when_done(cora_future *future, void *arg)
{
    (void)future;
    stop(arg);
}

/* Runs a callback that fails, until the future that it has completed stops the loop. */
static void run_the_failing(void *delay)
{
    cora_future *future = cora_loop_create_future(loop);
    int rc = cora_future_add_done_callback(future, stop_when_done, NULL);

    assert_int_equal(rc, 0);
    later(*(double *)delay, complete_and_fail, future);
    run_forever();
    cora_future_unref(future);
}

TEST(BaseEventLoopTests_test_default_exc_handler_callback)
{
    double delays[] = {0, 0.01};
    char expected[128];

    snprintf(expected, sizeof expected, "cora: the callback failed: %s\n", cora_strerror(-EDOM));
    begin_with_default_handler();
    for (int i = 0; i < 2; i++) {
        const char *text = capture_stderr(run_the_failing, &delays[i]);

        assert_string_equal(text, expected);
    }
    end();
}

static int sleep_and_fail(void *arg)
{
    int rc = cora_sleep(0.01);

    (void)arg;
    return rc < 0 ? rc : -EDOM;
}

/* Nobody asks the task what came of it. */
static void forget_a_failed_task(void *arg)
{
    cora_task *task = spawn(sleep_and_fail, arg);
    int rc = cora_task_add_done_callback(task, stop_when_done, NULL);

    assert_int_equal(rc, 0);
    run_forever();
    cora_task_unref(task);
}

TEST(BaseEventLoopTests_test_default_exc_handler_coro)
{
    const char *text;

    begin_with_default_handler();
    text = capture_stderr(forget_a_failed_task, NULL);
    assert_non_null(strstr(text, "never retrieved"));
    assert_non_null(strstr(text, cora_strerror(-EDOM)));
    end();
}

static int handled;
static cora_future *expected_future;

static void handler(cora_loop *of, const cora_exception_context *context, void *arg)
{
    assert_ptr_equal(of, loop);
    assert_ptr_equal(arg, &handled);
    assert_int_equal(context->error, -EDOM);
    assert_non_null(strstr(context->message, "never retrieved"));
    assert_ptr_equal(context->future, expected_future);
    assert_non_null(context->source_traceback);
    handled++;
}

static void let_a_future_fail(void *arg)
{
    cora_future *future = expected_future = cora_loop_create_future(loop);
    int rc = cora_future_set_exception(future, -EDOM);

    (void)arg;
    assert_int_equal(rc, 0);
    cora_future_unref(future);
}

TEST(BaseEventLoopTests_test_set_exc_handler_custom)
{
    cora_exception_handler *got;
    const char *text;
    void *arg;

    begin_with_default_handler();
    cora_loop_set_debug(loop, true);
    got = cora_loop_get_exception_handler(loop, &arg);
    assert_null(got);
    cora_loop_set_exception_handler(loop, handler, &handled);
    got = cora_loop_get_exception_handler(loop, &arg);
    assert_true(got == handler);
    assert_ptr_equal(arg, &handled);
    let_a_future_fail(NULL);
    assert_int_equal(handled, 1);
    cora_loop_set_exception_handler(loop, NULL, NULL);
    got = cora_loop_get_exception_handler(loop, NULL);
    assert_null(got);
    text = capture_stderr(let_a_future_fail, NULL);
    assert_non_null(strstr(text, "never retrieved"));
    assert_int_equal(handled, 1);
    end();
}

/* What goes wrong in a handler it leaves to the default one, and the loop goes on. */
static void broken_handler(cora_loop *of, const cora_exception_context *context, void *arg)
{
    cora_exception_context own = *context;

    own.message = arg;
    cora_loop_default_exception_handler(of, &own);
}

static void fail_once(void *arg)
{
    (void)arg;
    soon(report_a_failure, NULL);
    soon(note, "goes on");
    run_once();
}

TEST(BaseEventLoopTests_test_set_exc_handler_broken)
{
    const char *text;

    begin();
    cora_loop_set_exception_handler(loop, broken_handler, "the handler is broken");
    text = capture_stderr(fail_once, NULL);
    assert_non_null(strstr(text, "the handler is broken"));
    assert_string_equal(trace_text, "goes on ");
    end();
}

static int stop_in_a_task(void *arg)
{
    stop(arg);
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_log_slow_callbacks)
{
    cora_task *task;

    begin();
    cora_loop_set_debug(loop, true);
    cora_loop_set_slow_callback_duration(loop, 0);
    soon(stop, NULL);
    run_forever();
    assert_int_equal(reports.count, 1);
    assert_non_null(strstr(reports.message, "callback"));
    assert_non_null(strstr(reports.message, "held the loop for 0.000 seconds"));
    task = cora_loop_create_task_arg(loop, NULL, stop_in_a_task, "stop_in_a_task", NULL);
    run_forever();
    assert_int_equal(reports.count, 2);
    assert_non_null(strstr(reports.message, "function stop_in_a_task"));
    assert_non_null(strstr(reports.message, "held the loop for 0.000 seconds"));
    cora_task_unref(task);
    cora_loop_free(loop);
}

/* ---- tasks ---------------------------------------------------------------------------------- */

/* Its tasks are named after it. */
static cora_task *factory(cora_loop *of, const cora_task_options *options, cora_task_fn *fn,
                          const char *function, const void *args, size_t size)
{
    cora_task_options named = options != NULL ? *options : (cora_task_options){0};

    named.name = "of the factory";
    return cora_task_create(of, &named, fn, function, args, size);
}

static void assert_made_by_factory(bool by_factory)
{
    cora_task *task = spawn(nothing, NULL);
    bool same = strcmp(cora_task_get_name(task), "of the factory") == 0;
    int rc = cora_loop_run_until_complete(loop, task);

    assert_int_equal(same, by_factory);
    assert_int_equal(rc, 0);
    cora_task_unref(task);
}

TEST(BaseEventLoopTests_test_set_task_factory)
{
    begin();
    assert_true(cora_loop_get_task_factory(loop) == NULL);
    cora_loop_set_task_factory(loop, factory);
    assert_true(cora_loop_get_task_factory(loop) == factory);
    assert_made_by_factory(true);
    cora_loop_set_task_factory(loop, NULL);
    assert_true(cora_loop_get_task_factory(loop) == NULL);
    assert_made_by_factory(false);
    end();
}

/* However a task is asked for, the loop's own way of making them is used. */
static int create_tasks(void *arg)
{
    cora_task *task = cora_create_task_arg(nothing, arg), *child = NULL;
    cora_task_group group;
    int rc;

    cora_task_group_enter(&group);
    rc = cora_task_group_create_task_arg_with(&group, NULL, &child, nothing, arg);
    assert_int_equal(rc, 0);
    assert_string_equal(cora_task_get_name(task), "of the factory");
    assert_string_equal(cora_task_get_name(child), "of the factory");
    rc = cora_task_group_exit(&group, 0);
    assert_int_equal(rc, 0);
    return cora_await_unref(task);
}

TEST(BaseEventLoopTests_test_create_task)
{
    int rc;

    begin();
    cora_loop_set_task_factory(loop, factory);
    rc = run_task(create_tasks, NULL);
    assert_int_equal(rc, 0);
    end();
}

TEST(BaseEventLoopTests_test_create_named_task_with_default_factory)
{
    const cora_task_options options = {.name = "test_task"};
    cora_task *task;
    int rc;

    begin();
    task = cora_loop_create_task_arg(loop, &options, nothing, "nothing", NULL);
    assert_string_equal(cora_task_get_name(task), "test_task");
    rc = cora_loop_run_until_complete(loop, task);
    assert_int_equal(rc, 0);
    cora_task_unref(task);
    end();
}

static bool new_loop_has_debug(void)
{
    bool debug;

    begin();
    debug = cora_loop_get_debug(loop);
    end();
    return debug;
}

TEST(BaseEventLoopTests_test_env_var_debug)
{
    bool debug;

    unsetenv("CORADEBUG");
    debug = new_loop_has_debug();
    assert_false(debug);
    setenv("CORADEBUG", "", 1);
    debug = new_loop_has_debug();
    assert_false(debug);
    setenv("CORADEBUG", "1", 1);
    debug = new_loop_has_debug();
    assert_true(debug);
}

/* ---- a loop inside a loop ------------------------------------------------------------------- */

static int run_inner(void *inner)
{
    return cora_loop_run_forever(inner);
}

TEST(RunningLoopTests_test_running_loop_within_a_loop)
{
    cora_loop *inner = virtual_loop();
    int rc;

    begin();
    rc = run_task(run_inner, inner);
    assert_int_equal(rc, -CORA_ERUNNING);
    cora_loop_free(inner);
    end();
}

/* ---- a file sent by copy -------------------------------------------------------------------- */

static int send_piece(void *arg)
{
    const size_t *piece = arg;
    off_t offset = (off_t)piece[0];
    int file = make_file(), fds[2], rc;
    size_t sent = 7, got;
    cora_task *task;

    make_pair(fds); /* blocking ones, which sendfile makes its own way */
    task = cora_create_task(file_sender, .fd = fds[0], .file = file, .offset = offset,
                            .count = piece[1], .sent = &sent);
    got = receive_from(fds[1], piece[0]);
    rc = cora_await_unref(task);
    assert_int_equal(rc, 0);
    assert_int_equal(got, piece[2]);
    assert_int_equal(sent, piece[2]);
    assert_position(file, offset + (off_t)piece[2]);
    close_pair(fds);
    close_fd(file);
    return 0;
}

TEST(BaseLoopSockSendfileTests_test_sock_sendfile_fallback)
{
    int rc;

    refuse_sendfile(ENOSYS, 0, ALWAYS);
    rc = run_virtual(send_piece, (size_t[]){0, SIZE_MAX, BIG});
    assert_int_equal(rc, 0);
    assert_int_equal(sendfile_refused(), 1);
}

TEST(BaseLoopSockSendfileTests_test_sock_sendfile_fallback_offset_and_count)
{
    int rc;

    refuse_sendfile(ENOSYS, 0, ALWAYS);
    rc = run_virtual(send_piece, (size_t[]){1000, 2000, 2000});
    assert_int_equal(rc, 0);
    assert_int_equal(sendfile_refused(), 1);
}

/* The sender waits for room; it does not hold up the receiver, which runs in the same thread. */
TEST(BaseLoopSockSendfileTests_test_blocking_socket)
{
    int rc = run_virtual(send_piece, (size_t[]){0, SIZE_MAX, BIG});

    assert_int_equal(rc, 0);
}

static void assert_refused(int fd, int file, off_t offset, int error)
{
    size_t sent = 7;
    int rc = cora_sock_sendfile(fd, file, offset, SIZE_MAX, &sent);

    assert_int_equal(rc, error);
    assert_int_equal(sent, 0);
}

/* Neither the kernel nor a copy can read it: nothing is sent. */
TEST(BaseLoopSockSendfileTests_test__sock_sendfile_native_failure)
{
    int file = make_file(), unreadable, fds[2];
    char path[32], byte;
    ssize_t got;

    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    unreadable = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(unreadable >= 0);
    make_pair(fds);
    assert_refused(fds[0], unreadable, 0, -EBADF);
    assert_position(unreadable, 0);
    got = recv(fds[1], &byte, 1, MSG_DONTWAIT);
    assert_int_equal(got, -1);
    close_pair(fds);
    close_fd(unreadable);
    close_fd(file);
}

TEST(BaseLoopSockSendfileTests_test_nonstream_socket)
{
    int file = make_file(), fd = socket(AF_INET, SOCK_DGRAM, 0);

    assert_refused(fd, file, 0, -EPROTOTYPE);
    assert_position(file, SOMEWHERE);
    close_fd(fd);
    close_fd(file);
}

TEST(BaseLoopSockSendfileTests_test_negative_offset)
{
    int file = make_file(), fds[2];

    make_pair(fds);
    assert_refused(fds[0], file, -1, -EINVAL);
    assert_position(file, SOMEWHERE);
    close_pair(fds);
    close_fd(file);
}

/* ---- create_connection ---------------------------------------------------------------------- */

/* Where a call of create_connection goes to, and what it is to return. */
struct call {
    const char *host, *service;
    cora_connection_options options;
    int expected;
};

static cora_connection_error errors[MOST_HOSTS];
static cora_connection_errors all_errors = {.errors = errors, .room = MOST_HOSTS};

static int call(void *arg)
{
    struct call *a = arg;
    struct recorder recorder = {0};
    int rc;

    a->options.errors = &all_errors;
    rc = cora_create_connection(record, &recorder, a->host, a->service, &a->options, NULL);
    assert_int_equal(rc, a->expected);
    assert_int_equal(recorder.made, rc == 0);
    if (rc < 0)
        return 0;
    cora_transport_close(recorder.transport);
    return wait_lost(&recorder);
}

/* No descriptor is left behind. */
static void assert_call(struct call a)
{
    int before = count_descriptors();
    int rc = run_virtual(call, &a);

    assert_int_equal(rc, 0);
    close_hosts();
    assert_int_equal(count_descriptors(), before);
    assert_int_equal(reports.count, 0);
}

static void assert_error(int i, const char *host, int error)
{
    assert_string_equal(host_name(&errors[i].address), host);
    assert_int_equal(errors[i].error, error);
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_multiple_errors)
{
    HOSTS(NO_SOCKET("4a", -EMFILE), NO_SOCKET("4b", -ENFILE));
    assert_call((struct call){"host", "80", .expected = -EMFILE});
    assert_int_equal(all_errors.count, 2);
    assert_error(0, "4a", -EMFILE);
    assert_error(1, "4b", -ENFILE);
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_timeout)
{
    HOSTS(FAILS("4a", 5, -ETIMEDOUT));
    assert_call((struct call){"host", "80", .expected = -ETIMEDOUT});
    assert_int_equal(attempts.count, 1);
}

/* Cancels the attempts, and not who waits for the connection. */
static int cancel_attempts(void *arg)
{
    struct call a = {"host", "80", {.happy_eyeballs_delay = 0.25}, .expected = -ETIMEDOUT};
    cora_task *task = cora_create_task_arg(call, &a), *tasks[MOST_HOSTS];
    int rc = cora_sleep(0.6);
    size_t count = cora_all_tasks(NULL, tasks, MOST_HOSTS);

    (void)arg;
    assert_int_equal(rc, 0);
    for (size_t i = 0; i < count; i++) {
        if (tasks[i] != task && tasks[i] != cora_current_task())
            cora_task_cancel(tasks[i]);
        cora_task_unref(tasks[i]);
    }
    return cora_await_unref(task);
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_happy_eyeballs_empty_exceptions)
{
    int rc;

    HOSTS(HANGS("4a"), HANGS("6a"));
    rc = run_virtual(cancel_attempts, NULL);
    assert_int_equal(rc, 0);
    assert_int_equal(all_errors.count, 0);
    assert_string_equal(trace_text, "4a@0.00 6a@0.25 -4a -6a ");
}

static int offer_datagram_socket(void *arg)
{
    struct recorder recorder = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int rc = cora_create_connection_sock(record, &recorder, fd, NULL, NULL);

    (void)arg;
    assert_int_equal(rc, -EPROTOTYPE);
    close_fd(fd); /* it is still the caller's */
    return 0;
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_wrong_sock)
{
    int rc = run_virtual(offer_datagram_socket, NULL);

    assert_int_equal(rc, 0);
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_no_host_port_sock)
{
    assert_call((struct call){NULL, NULL, .expected = -EINVAL});
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_no_getaddrinfo)
{
    LOCALS(WORKS("4a", 0)); /* "host" has no address */
    assert_call((struct call){"host", "80", .expected = -CORA_EAI_NODATA});
    assert_int_equal(attempts.count, 0);
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_connect_err)
{
    HOSTS(FAILS("4a", 0, -ECONNREFUSED));
    assert_call((struct call){"host", "80", .expected = -ECONNREFUSED});
    assert_int_equal(all_errors.count, 1);
    assert_error(0, "4a", -ECONNREFUSED);
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_multiple)
{
    HOSTS(FAILS("4a", 0, -ENETUNREACH), FAILS("4b", 0, -ECONNREFUSED));
    assert_call((struct call){"host", "80", {.family = AF_INET}, -ENETUNREACH});
    assert_int_equal(all_errors.count, 2);
    assert_error(0, "4a", -ENETUNREACH);
    assert_error(1, "4b", -ECONNREFUSED);
}

/* The first local address cannot be had, the second can; then nobody answers. */
TEST(BaseEventLoopWithSelectorTests_test_create_connection_multiple_errors_local_addr)
{
    HOSTS(FAILS("4a", 0, -ECONNREFUSED), FAILS("4b", 0, -EHOSTUNREACH));
    LOCALS(NO_BIND("4c", -EADDRNOTAVAIL), WORKS("4d", 0));
    assert_call((struct call){"host",
                              "80",
                              {.family = AF_INET, .local_host = "local", .local_service = "8080"},
                              -EADDRNOTAVAIL});
    assert_int_equal(all_errors.count, 4);
    assert_error(0, "4c", -EADDRNOTAVAIL);
    assert_error(1, "4a", -ECONNREFUSED);
    assert_error(2, "4c", -EADDRNOTAVAIL);
    assert_error(3, "4b", -EHOSTUNREACH);
}

static void assert_attempt(int family, const char *expected)
{
    char text[CORA_ADDRESS_TEXT_SIZE];

    assert_int_equal(attempts.family, family);
    assert_int_equal(attempts.type, SOCK_STREAM);
    assert_string_equal(cora_address_format(&attempts.to, text, sizeof text), expected);
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_ipv6_scope)
{
    HOSTS(WORKS("4a", 0));
    assert_call((struct call){"fe80::1%1", "80", .expected = 0});
    assert_attempt(AF_INET6, "[fe80::1%1]:80");
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_ip_addr)
{
    HOSTS(WORKS("4a", 0));
    assert_call((struct call){"1.2.3.4", "80", .expected = 0});
    assert_attempt(AF_INET, "1.2.3.4:80");
    assert_call((struct call){"::1", "80", .expected = 0});
    assert_attempt(AF_INET6, "[::1]:80");
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_service_name)
{
    HOSTS(WORKS("4a", 0));
    assert_call((struct call){"127.0.0.1", "http", .expected = 0});
    assert_attempt(AF_INET, "127.0.0.1:80");
    assert_call((struct call){"127.0.0.1", "nonsense", .expected = -CORA_EAI_SERVICE});
    assert_int_equal(attempts.count, 1);
}

TEST(BaseEventLoopWithSelectorTests_test_create_connection_no_local_addr)
{
    HOSTS(WORKS("4a", 0), WORKS("4b", 0)); /* "local" has no address */
    assert_call((struct call){"host",
                              "80",
                              {.family = AF_INET, .local_host = "local", .local_service = "8080"},
                              -CORA_EAI_NODATA});
    assert_int_equal(attempts.count, 0);
}

/* ---- set_nodelay ---------------------------------------------------------------------------- */

static bool has_nodelay(int fd)
{
    int value = -1;
    int rc = getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &(socklen_t){sizeof value});

    assert_int_equal(rc, 0);
    return value != 0;
}

static int sets_nodelay(void *arg)
{
    const bool *blocking = arg;
    struct recorder recorder = {0};
    struct sockaddr_in address;
    int listener = make_listener(&address, 1), fd = make_tcp(), rc;

    rc = *blocking ? connect(fd, (struct sockaddr *)&address, sizeof address)
                   : cora_sock_connect(fd, (struct sockaddr *)&address, sizeof address);
    assert_int_equal(rc, 0);
    assert_false(has_nodelay(fd));
    rc = cora_create_connection_sock(record, &recorder, fd, NULL, NULL);
    assert_int_equal(rc, 0);
    assert_true(has_nodelay(fd));
    cora_transport_close(recorder.transport);
    close_fd(listener);
    return wait_lost(&recorder);
}

TEST(TestSelectorUtils_test_set_nodelay)
{
    for (int blocking = 0; blocking < 2; blocking++) {
        int rc = run_virtual(sets_nodelay, &(bool){blocking});

        assert_int_equal(rc, 0);
    }
}
