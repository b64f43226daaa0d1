/* The loop: the order inside an iteration, handles, stop and close, reports, threads, fork. */
#include "support/capture.h"
#include "support/test.h"
#include "support/virtual.h"

#include "coroutine/coroutine.h"
#include "coroutine/fiber.h"

#include <math.h>
#include <pthread.h>
#include <sys/mman.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void note(void *arg)
{
    trace("%s", (const char *)arg);
}

static void soon(cora_loop *loop, cora_callback *fn, void *arg)
{
    int rc = cora_loop_call_soon(loop, fn, arg, NULL);

    assert_int_equal(rc, 0);
}

static void later(cora_loop *loop, double delay, cora_callback *fn, void *arg)
{
    int rc = cora_loop_call_later(loop, delay, fn, arg, NULL);

    assert_int_equal(rc, 0);
}

static void stop(void *arg)
{
    cora_loop_stop(arg);
}

static void run(cora_loop *loop)
{
    int rc = cora_loop_run_forever(loop);

    assert_int_equal(rc, 0);
}

/* One iteration, and its end in the trace. */
static void iterate(cora_loop *loop)
{
    cora_loop_stop(loop);
    run(loop);
    trace("|");
}

/* A pipe with something to read in it. */
static int readable_pipe(int ends[2])
{
    int rc = pipe(ends);
    ssize_t written;

    assert_int_equal(rc, 0);
    written = write(ends[1], "x", 1);
    assert_int_equal(written, 1);
    return ends[0];
}

static void close_pipe(const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

/* ---- the order inside an iteration ---------------------------------------------------------- */

TEST(callbacks_run_in_the_order_of_call_soon)
{
    cora_loop *loop = virtual_loop();

    soon(loop, note, "a");
    soon(loop, note, "b");
    soon(loop, note, "c");
    iterate(loop);
    assert_string_equal(trace_text, "a b c | ");
    cora_loop_free(loop);
}

static cora_loop *the_loop;

static void note_and_queue_more(void *arg)
{
    note(arg);
    soon(the_loop, note, "more");
}

TEST(what_a_batch_queues_runs_in_the_next_iteration)
{
    cora_loop *loop = the_loop = virtual_loop();

    soon(loop, note_and_queue_more, "a");
    soon(loop, note, "b");
    iterate(loop);
    iterate(loop);
    assert_string_equal(trace_text, "a b | more | ");
    cora_loop_free(loop);
}

TEST(an_iteration_runs_what_is_ready_then_io_then_timers)
{
    cora_loop *loop = virtual_loop();
    int ends[2];
    int fd = readable_pipe(ends);
    int rc = cora_loop_add_reader(loop, fd, note, "io");

    assert_int_equal(rc, 0);
    later(loop, 0, note, "timer");
    soon(loop, note, "ready");
    iterate(loop);
    assert_string_equal(trace_text, "ready io timer | ");
    cora_loop_free(loop);
    close_pipe(ends);
}

TEST(a_timer_of_no_delay_runs_next_behind_what_is_ready)
{
    cora_loop *loop = virtual_loop();

    later(loop, 0, note, "none");
    later(loop, -1, note, "negative");
    soon(loop, note, "a");
    soon(loop, note, "b");
    iterate(loop);
    assert_string_equal(trace_text, "a b negative none | ");
    cora_loop_free(loop);
}

static void arm_none_and_queue(void *arg)
{
    later(arg, 0, note, "timer");
    soon(arg, note, "ready");
}

TEST(a_timer_of_no_delay_armed_in_a_callback_runs_in_the_next_iteration)
{
    cora_loop *loop = virtual_loop();

    soon(loop, arm_none_and_queue, loop);
    iterate(loop);
    iterate(loop);
    assert_string_equal(trace_text, "| ready timer | ");
    cora_loop_free(loop);
}

TEST(a_poll_waits_until_the_first_timer_unless_something_is_ready)
{
    cora_loop *loop = virtual_loop();
    cora_timer_handle *far = NULL;
    double none, month, second, ready, stopping;
    int rc;

    none = cora_loop_timeout(loop);
    rc = cora_loop_call_later(loop, 30 * 86400.0, note, "month", &far);
    month = cora_loop_timeout(loop);
    later(loop, 1, note, "second");
    second = cora_loop_timeout(loop);
    cora_loop_stop(loop);
    stopping = cora_loop_timeout(loop);
    soon(loop, note, "a");
    ready = cora_loop_timeout(loop);
    assert_int_equal(rc, 0);
    assert_true(none == -1);
    assert_true(month == 86400);
    assert_true(second == 1);
    assert_true(stopping == 0);
    assert_true(ready == 0);
    cora_handle_unref(far);
    cora_loop_free(loop);
}

TEST(a_timer_within_the_clocks_resolution_is_due_now)
{
    cora_loop *loop = virtual_loop();

    later(loop, 0.5e-9, note, "within");
    later(loop, 2e-9, note, "beyond");
    iterate(loop);
    assert_string_equal(trace_text, "within | ");
    cora_loop_free(loop);
}

TEST(a_timer_is_due_at_its_time_where_doubles_are_coarser_than_the_clock)
{
    cora_loop *loop = virtual_loop();
    int rc = cora_loop_use_virtual_clock(loop, 1e15);

    assert_int_equal(rc, 0);
    later(loop, 0, note, "now");
    later(loop, 0.25, note, "later");
    iterate(loop);
    assert_string_equal(trace_text, "now | ");
    cora_loop_free(loop);
}

/* ---- handles -------------------------------------------------------------------------------- */

TEST(a_cancelled_callback_does_not_run)
{
    cora_loop *loop = virtual_loop();
    cora_handle *handle = NULL;
    int rc = cora_loop_call_soon(loop, note, "a", &handle);

    assert_int_equal(rc, 0);
    cora_handle_cancel(handle);
    soon(loop, note, "b");
    iterate(loop);
    assert_string_equal(trace_text, "b | ");
    assert_true(cora_handle_cancelled(handle));
    cora_handle_unref(handle);
    cora_loop_free(loop);
}

struct pair {
    cora_handle *a, *b;
};

static void cancel_b(void *arg)
{
    trace("a");
    cora_handle_cancel(((struct pair *)arg)->b);
}

TEST(a_callback_cancelled_by_an_earlier_one_of_its_batch_does_not_run)
{
    cora_loop *loop = virtual_loop();
    struct pair pair;
    int rc = cora_loop_call_soon(loop, cancel_b, &pair, &pair.a);

    assert_int_equal(rc, 0);
    rc = cora_loop_call_soon(loop, note, "b", &pair.b);
    assert_int_equal(rc, 0);
    soon(loop, note, "c");
    iterate(loop);
    assert_string_equal(trace_text, "a c | ");
    assert_false(cora_handle_cancelled(pair.a));
    assert_true(cora_handle_cancelled(pair.b));
    cora_handle_unref(pair.a);
    cora_handle_unref(pair.b);
    cora_loop_free(loop);
}

TEST(a_timer_cancelled_by_one_that_is_due_with_it_does_not_run)
{
    cora_loop *loop = virtual_loop();
    struct pair pair;
    int rc = cora_loop_call_at(loop, 1, cancel_b, &pair, &pair.a);

    assert_int_equal(rc, 0);
    rc = cora_loop_call_at(loop, 1, note, "b", &pair.b);
    assert_int_equal(rc, 0);
    later(loop, 2, stop, loop);
    run(loop);
    assert_string_equal(trace_text, "a ");
    cora_handle_unref(pair.a);
    cora_handle_unref(pair.b);
    cora_loop_free(loop);
}

TEST(a_handle_may_be_given_back_before_its_callback_runs)
{
    cora_loop *loop = virtual_loop();
    cora_handle *handle = NULL;
    int rc = cora_loop_call_soon(loop, note, "a", &handle);

    assert_int_equal(rc, 0);
    cora_handle_unref(handle);
    iterate(loop);
    assert_string_equal(trace_text, "a | ");
    cora_loop_free(loop);
}

TEST(a_handle_outlives_its_callback_and_its_loop)
{
    cora_loop *loop = virtual_loop();
    cora_timer_handle *run_one = NULL, *dropped = NULL;
    int rc = cora_loop_call_later(loop, 0, note, "a", &run_one);

    assert_int_equal(rc, 0);
    rc = cora_loop_call_later(loop, 5, note, "never", &dropped);
    assert_int_equal(rc, 0);
    iterate(loop);
    cora_loop_free(loop);
    cora_handle_cancel(run_one);
    cora_handle_cancel(run_one);
    cora_handle_cancel(dropped);
    assert_string_equal(trace_text, "a | ");
    assert_true(cora_timer_handle_when(run_one) == 0);
    assert_true(cora_timer_handle_when(dropped) == 5);
    cora_handle_unref(run_one);
    cora_handle_unref(dropped);
}

static void cancel_self(void *arg)
{
    struct pair *pair = arg;

    cora_handle_cancel(pair->a);
    trace("self");
}

TEST(a_callback_may_cancel_its_own_handle)
{
    cora_loop *loop = virtual_loop();
    struct pair pair;
    int rc = cora_loop_call_soon(loop, cancel_self, &pair, &pair.a);

    assert_int_equal(rc, 0);
    iterate(loop);
    assert_string_equal(trace_text, "self | ");
    cora_handle_unref(pair.a);
    cora_loop_free(loop);
}

TEST(a_handle_that_is_no_timer_has_no_deadline_and_null_is_accepted)
{
    cora_loop *loop = virtual_loop();
    cora_handle *handle = NULL;
    int rc = cora_loop_call_soon(loop, note, "a", &handle);
    double when;

    assert_int_equal(rc, 0);
    when = cora_timer_handle_when(handle);
    assert_true(isnan(when));
    assert_false(cora_handle_cancelled(handle));
    cora_handle_unref(handle);
    cora_handle_cancel(NULL);
    cora_handle_unref(NULL);
    cora_loop_free(loop);
}

static cora_context_var colour = CORA_CONTEXT_VAR_INIT("colour", "none");

static void paint(const char *value)
{
    int rc = cora_context_var_set(&colour, (void *)(uintptr_t)value, NULL);

    assert_int_equal(rc, 0);
}

static void note_colour(void *arg)
{
    (void)arg;
    trace("%s", (const char *)cora_context_var_get(&colour));
    paint("spilt");
}

TEST(a_callback_runs_in_the_context_of_its_creation)
{
    cora_loop *loop = virtual_loop();

    paint("red");
    soon(loop, note_colour, NULL);
    later(loop, 0, note_colour, NULL);
    paint("blue");
    soon(loop, note_colour, NULL);
    iterate(loop);
    assert_string_equal(trace_text, "red blue red | ");
    assert_string_equal(cora_context_var_get(&colour), "blue");
    cora_loop_free(loop);
}

/* ---- run and stop --------------------------------------------------------------------------- */

static void stop_and_queue(void *arg)
{
    trace("stop");
    cora_loop_stop(arg);
    soon(arg, note, "queued");
}

TEST(stop_lets_the_batch_end_and_leaves_what_it_queued_to_the_next_run)
{
    cora_loop *loop = virtual_loop();

    soon(loop, stop_and_queue, loop);
    soon(loop, note, "rest");
    run(loop);
    trace("|");
    iterate(loop);
    assert_string_equal(trace_text, "stop rest | queued | ");
    cora_loop_free(loop);
}

TEST(stop_before_run_gives_one_iteration)
{
    cora_loop *loop = the_loop = virtual_loop();

    cora_loop_stop(loop);
    soon(loop, note_and_queue_more, "a");
    run(loop);
    assert_string_equal(trace_text, "a ");
    cora_loop_free(loop);
}

struct nested {
    cora_loop *loop;
    int rc;
};

static void run_inside(void *arg)
{
    struct nested *nested = arg;

    nested->rc = cora_loop_run_forever(nested->loop);
}

TEST(a_running_loop_cannot_be_run_again)
{
    cora_loop *loop = virtual_loop();
    struct nested nested = {loop, 0};

    soon(loop, run_inside, &nested);
    iterate(loop);
    assert_int_equal(nested.rc, -CORA_ERUNNING);
    cora_loop_free(loop);
}

TEST(no_loop_can_be_run_inside_another)
{
    cora_loop *loop = virtual_loop();
    struct nested nested = {virtual_loop(), 0};

    soon(loop, run_inside, &nested);
    iterate(loop);
    assert_int_equal(nested.rc, -CORA_ERUNNING);
    cora_loop_free(loop);
    cora_loop_free(nested.loop);
}

static void note_running(void *arg)
{
    trace("%d%d", cora_loop_is_running(arg), cora_get_running_loop() == arg);
}

TEST(the_running_loop_is_known_while_it_runs)
{
    cora_loop *loop = virtual_loop();

    note_running(loop);
    soon(loop, note_running, loop);
    iterate(loop);
    note_running(loop);
    assert_string_equal(trace_text, "00 11 | 00 ");
    assert_null(cora_get_running_loop());
    cora_loop_free(loop);
}

/* ---- close ---------------------------------------------------------------------------------- */

TEST(close_drops_everything_without_running_it)
{
    cora_loop *loop = virtual_loop();
    int ends[2];
    int fd = readable_pipe(ends);
    int rc = cora_loop_add_reader(loop, fd, note, "reader");

    assert_int_equal(rc, 0);
    rc = cora_loop_add_writer(loop, ends[1], note, "writer");
    assert_int_equal(rc, 0);
    soon(loop, note, "ready");
    later(loop, 0, note, "due");
    later(loop, 5, note, "timer");
    rc = cora_loop_call_soon_threadsafe(loop, note, "foreign", NULL);
    assert_int_equal(rc, 0);
    rc = cora_loop_close(loop);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "");
    assert_true(cora_loop_is_closed(loop));
    cora_loop_free(loop);
    close_pipe(ends);
}

TEST(a_closed_loop_takes_nothing)
{
    cora_loop *loop = virtual_loop();
    cora_handle *handle = NULL;
    cora_task *task;
    int ends[2];
    int fd = readable_pipe(ends);
    int rc[10], closed[2];

    closed[0] = cora_loop_close(loop);
    closed[1] = cora_loop_close(loop);
    rc[0] = cora_loop_run_forever(loop);
    rc[1] = cora_loop_call_soon(loop, note, "a", &handle);
    rc[2] = cora_loop_call_later(loop, 0, note, "a", &handle);
    rc[3] = cora_loop_call_at(loop, 0, note, "a", &handle);
    rc[4] = cora_loop_add_reader(loop, fd, note, "a");
    rc[5] = cora_loop_add_writer(loop, ends[1], note, "a");
    rc[6] = cora_loop_add_signal_handler(loop, 10, note, "a");
    rc[7] = cora_loop_poll(loop, 0);
    rc[8] = cora_loop_process_events(loop);
    rc[9] = cora_loop_run_ready(loop);
    task = cora_loop_create_task_arg(loop, NULL, NULL, "nothing", NULL);
    assert_int_equal(closed[0], 0);
    assert_int_equal(closed[1], 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(rc[i], -CORA_ECLOSED);
    assert_null(handle);
    assert_null(task);
    assert_false(cora_loop_remove_reader(loop, fd));
    assert_false(cora_loop_remove_signal_handler(loop, 10));
    cora_loop_free(loop);
    close_pipe(ends);
}

static void close_inside(void *arg)
{
    struct nested *nested = arg;

    nested->rc = cora_loop_close(nested->loop);
}

TEST(a_running_loop_cannot_be_closed)
{
    cora_loop *loop = virtual_loop();
    struct nested nested = {loop, 0};

    soon(loop, close_inside, &nested);
    iterate(loop);
    assert_int_equal(nested.rc, -CORA_ERUNNING);
    assert_false(cora_loop_is_closed(loop));
    cora_loop_free(loop);
    cora_loop_free(NULL);
}

static void note_close(void *object)
{
    trace("close %s", (const char *)object);
}

static const cora_attachment_kind first_kind = {.close = note_close};
static const cora_attachment_kind second_kind = {.close = note_close};

TEST(what_is_attached_is_found_by_its_kind_and_closed_once_the_last_first)
{
    cora_loop *loop = virtual_loop();
    int rc[3];

    assert_null(cora_loop_attached(loop, &first_kind));
    rc[0] = cora_loop_attach(loop, &first_kind, "first");
    rc[1] = cora_loop_attach(loop, &second_kind, "second");
    rc[2] = cora_loop_attach(loop, &first_kind, "another");
    assert_int_equal(rc[0] | rc[1], 0);
    assert_int_equal(rc[2], -EBUSY);
    assert_string_equal(cora_loop_attached(loop, &first_kind), "first");
    assert_string_equal(cora_loop_attached(loop, &second_kind), "second");
    rc[0] = cora_loop_close(loop);
    rc[1] = cora_loop_attach(loop, &first_kind, "late");
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[1], -CORA_ECLOSED);
    assert_null(cora_loop_attached(loop, &first_kind));
    cora_loop_free(loop);
    assert_string_equal(trace_text, "close second close first ");
}

/* ---- reports -------------------------------------------------------------------------------- */

static void complain(void *arg)
{
    cora_exception_context context = {.message = "oh", .error = -EIO, .task = "t"};

    cora_loop_call_exception_handler(arg, &context);
}

TEST(a_report_goes_to_the_exception_handler_and_the_batch_goes_on)
{
    cora_loop *loop = virtual_loop();

    soon(loop, complain, loop);
    soon(loop, note, "next");
    iterate(loop);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.error, -EIO);
    assert_string_equal(reports.message, "oh");
    assert_string_equal(reports.task, "t");
    assert_string_equal(trace_text, "next | ");
    cora_loop_free(loop);
}

TEST(the_default_handler_prints_one_line_to_stderr)
{
    cora_loop *loop = virtual_loop();
    const char *text;
    char expected[128];

    cora_loop_set_exception_handler(loop, NULL, NULL);
    text = capture_stderr(complain, loop);
    snprintf(expected, sizeof expected, "cora: task 't': oh: %s\n", cora_strerror(-EIO));
    assert_string_equal(text, expected);
    assert_int_equal(reports.count, 0);
    cora_loop_free(loop);
}

static void complain_barely(void *arg)
{
    cora_exception_context context = {.message = "oh"};

    cora_loop_default_exception_handler(arg, &context);
}

TEST(the_default_handler_leaves_out_what_is_not_known)
{
    cora_loop *loop = virtual_loop();
    const char *text = capture_stderr(complain_barely, loop);

    assert_string_equal(text, "cora: oh\n");
    cora_loop_free(loop);
}

/* ---- debug mode ----------------------------------------------------------------------------- */

struct foreign_call {
    cora_loop *loop;
    int rc[3];
};

static void *call_from_thread(void *arg)
{
    struct foreign_call *call = arg;

    call->rc[0] = cora_loop_call_soon(call->loop, note, "wrong", NULL);
    call->rc[1] = cora_loop_call_later(call->loop, 0, note, "wrong", NULL);
    call->rc[2] = cora_loop_call_soon_threadsafe(call->loop, note, "right", NULL);
    return NULL;
}

static void call_from_another_thread(void *arg)
{
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, call_from_thread, arg);

    assert_int_equal(rc, 0);
    pthread_join(thread, NULL);
}

TEST(debug_mode_refuses_calls_from_a_wrong_thread)
{
    cora_loop *loop = virtual_loop();
    struct foreign_call call = {.loop = loop};

    cora_loop_set_debug(loop, true);
    soon(loop, call_from_another_thread, &call);
    iterate(loop);
    iterate(loop);
    assert_true(cora_loop_get_debug(loop));
    assert_int_equal(call.rc[0], -CORA_EWRONGTHREAD);
    assert_int_equal(call.rc[1], -CORA_EWRONGTHREAD);
    assert_int_equal(call.rc[2], 0);
    assert_string_equal(trace_text, "| right | ");
    cora_loop_free(loop);
}

/* A loop on the real clock with the handler of the others. */
static cora_loop *real_loop(void)
{
    cora_loop *loop = NULL;
    int rc = cora_new_event_loop(&loop);

    assert_int_equal(rc, 0);
    return loop;
}

static double real_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static const double SLOW = 1e-3;

static void dawdle(void *arg)
{
    double end = real_time() + 2 * SLOW;

    (void)arg;
    while (real_time() < end) {
    }
}

static int dawdle_in_a_task(void *arg)
{
    dawdle(arg);
    return 0;
}

static void store_report(cora_loop *loop, const cora_exception_context *context, void *arg)
{
    (void)loop;
    reports.count++;
    snprintf(arg, sizeof reports.message, "%s", context->message);
}

TEST(debug_mode_reports_a_callback_that_holds_the_loop)
{
    cora_loop *loop = real_loop();

    cora_loop_set_exception_handler(loop, store_report, reports.message);
    cora_loop_set_slow_callback_duration(loop, SLOW);
    soon(loop, dawdle, NULL);
    iterate(loop);
    assert_int_equal(reports.count, 0);
    cora_loop_set_debug(loop, true);
    soon(loop, dawdle, NULL);
    iterate(loop);
    assert_int_equal(reports.count, 1);
    assert_non_null(strstr(reports.message, "callback"));
    assert_non_null(strstr(reports.message, "held the loop for 0."));
    cora_loop_free(loop);
}

TEST(debug_mode_reports_a_task_step_that_holds_the_loop)
{
    cora_loop *loop = real_loop();
    cora_task *task =
        cora_loop_create_task_arg(loop, NULL, dawdle_in_a_task, "dawdle_in_a_task", NULL);

    cora_loop_set_exception_handler(loop, store_report, reports.message);
    cora_loop_set_slow_callback_duration(loop, SLOW);
    cora_loop_set_debug(loop, true);
    iterate(loop);
    assert_int_equal(reports.count, 1);
    assert_non_null(strstr(reports.message, "task 'Task-1' (function dawdle_in_a_task)"));
    assert_true(cora_task_done(task));
    cora_task_unref(task);
    cora_loop_free(loop);
}

static void queue_from_handler(cora_loop *loop, const cora_exception_context *context, void *arg)
{
    (void)context;
    reports.count++;
    paint("handler's");
    trace("%s", (const char *)cora_context_var_get(&colour));
    soon(loop, note, arg);
}

TEST(the_handler_of_a_slow_callback_may_use_contexts_and_the_loop)
{
    cora_loop *loop = real_loop();

    cora_loop_set_exception_handler(loop, queue_from_handler, "queued");
    cora_loop_set_slow_callback_duration(loop, SLOW);
    cora_loop_set_debug(loop, true);
    paint("red");
    soon(loop, dawdle, NULL);
    paint("blue");
    iterate(loop);
    cora_loop_set_debug(loop, false);
    iterate(loop);
    assert_int_equal(reports.count, 1);
    assert_string_equal(trace_text, "handler's | queued | ");
    cora_loop_free(loop);
}

TEST(the_environment_turns_debug_mode_on)
{
    cora_loop *loops[3];

    unsetenv("CORADEBUG");
    loops[0] = real_loop();
    setenv("CORADEBUG", "", 1);
    loops[1] = real_loop();
    setenv("CORADEBUG", "1", 1);
    loops[2] = real_loop();
    assert_false(cora_loop_get_debug(loops[0]));
    assert_false(cora_loop_get_debug(loops[1]));
    assert_true(cora_loop_get_debug(loops[2]));
    for (int i = 0; i < 3; i++)
        cora_loop_free(loops[i]);
}

/* ---- the virtual clock ---------------------------------------------------------------------- */

static void start_virtual_clock(void *arg)
{
    struct nested *nested = arg;

    nested->rc = cora_loop_use_virtual_clock(nested->loop, 0);
}

TEST(the_virtual_clock_is_refused_to_a_loop_that_runs_or_has_timers)
{
    cora_loop *loop = virtual_loop();
    struct nested nested = {loop, 0};
    int rc;

    soon(loop, start_virtual_clock, &nested);
    iterate(loop);
    later(loop, 1, note, "timer");
    rc = cora_loop_use_virtual_clock(loop, 0);
    assert_int_equal(nested.rc, -CORA_ERUNNING);
    assert_int_equal(rc, -EBUSY);
    cora_loop_free(loop);
}

static void note_time(void *arg)
{
    trace("%.17g", cora_loop_time(arg));
}

TEST(the_virtual_clock_jumps_exactly_to_the_next_timer)
{
    cora_loop *loop = virtual_loop();

    later(loop, 0.1, note_time, loop);
    later(loop, 86400 * 365.0, note_time, loop);
    later(loop, 0.30000000000000004, note_time, loop);
    later(loop, 86400 * 366.0, stop, loop);
    run(loop);
    assert_string_equal(trace_text, "0.10000000000000001 0.30000000000000004 31536000 ");
    cora_loop_free(loop);
}

static void count_down(void *arg)
{
    int *left = arg;

    if (--*left > 0)
        soon(cora_get_running_loop(), count_down, left);
    else
        note_time(cora_get_running_loop());
}

TEST(the_virtual_clock_stands_still_while_anything_is_ready)
{
    cora_loop *loop = virtual_loop();
    int left = 10000;

    later(loop, 1e-6, note_time, loop);
    soon(loop, count_down, &left);
    later(loop, 1, stop, loop);
    run(loop);
    assert_string_equal(trace_text, "0 9.9999999999999995e-07 ");
    cora_loop_free(loop);
}

static void drain(void *arg)
{
    char byte;
    ssize_t length = read(*(int *)arg, &byte, 1);

    assert_int_equal(length, 1);
    note_time(cora_get_running_loop());
}

TEST(the_virtual_clock_stands_still_while_io_is_ready)
{
    cora_loop *loop = virtual_loop();
    int ends[2];
    int fd = readable_pipe(ends);
    int rc = cora_loop_add_reader(loop, fd, drain, &fd);

    assert_int_equal(rc, 0);
    later(loop, 1, stop, loop);
    run(loop);
    assert_string_equal(trace_text, "0 ");
    cora_loop_free(loop);
    close_pipe(ends);
}

static void release_hold(void *arg)
{
    note_time(arg);
    cora_loop_release(arg);
}

static void *call_into_loop(void *arg)
{
    int rc = cora_loop_call_soon_threadsafe(arg, release_hold, arg, NULL);

    return rc == 0 ? arg : NULL;
}

TEST(the_virtual_clock_stands_still_while_the_loop_is_held)
{
    cora_loop *loop = virtual_loop();
    pthread_t thread;
    void *result;
    int rc;

    later(loop, 1, note_time, loop);
    later(loop, 2, stop, loop);
    cora_loop_hold(loop);
    rc = pthread_create(&thread, NULL, call_into_loop, loop);
    assert_int_equal(rc, 0);
    run(loop);
    pthread_join(thread, &result);
    assert_ptr_equal(result, loop);
    assert_string_equal(trace_text, "0 1 ");
    cora_loop_free(loop);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

struct job_args {
    int unused;
};

static int await_a_thread(void *arg)
{
    struct job_args args = {0};
    int rc = cora_to_thread(nothing, &args);

    (void)arg;
    assert_int_equal(rc, 0);
    note_time(cora_get_running_loop());
    return 0;
}

static int sleep_while_a_thread_works(void *arg)
{
    cora_task *task = cora_create_task_arg(await_a_thread, NULL);
    int rc = cora_sleep(1);

    (void)arg;
    assert_int_equal(rc, 0);
    note_time(cora_get_running_loop());
    return cora_await_unref(task);
}

TEST(the_virtual_clock_stands_still_while_a_job_in_a_thread_is_awaited)
{
    int rc = run_virtual(sleep_while_a_thread_works, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "0 1 ");
}

/* ---- threads and processes ------------------------------------------------------------------ */

enum { THREADS = 4, ROUNDS = 200 };

struct relay_args {
    int in, out;
};

/* Sends a byte round through a pipe and the loop, so many times. */
static int relay(void *arg)
{
    struct relay_args *a = arg;
    char byte = 'x';

    for (int i = 0; i < ROUNDS; i++) {
        if (write(a->out, &byte, 1) != 1)
            return -EIO;

        int rc = cora_wait_readable(a->in);

        if (rc < 0)
            return rc;
        if (read(a->in, &byte, 1) != 1)
            return -EIO;
        rc = cora_sleep(0);
        if (rc < 0)
            return rc;
    }
    return ROUNDS;
}

static void *run_a_loop(void *arg)
{
    struct relay_args args;
    int ends[2];

    (void)arg;
    if (pipe(ends) < 0)
        return NULL;
    args = (struct relay_args){ends[0], ends[1]};

    int rc = cora_run(relay, &args);

    close_pipe(ends);
    return (void *)(intptr_t)rc;
}

TEST(several_threads_run_their_loops_at_once)
{
    pthread_t threads[THREADS];
    void *results[THREADS];
    int rc = 0;

    for (int i = 0; i < THREADS; i++)
        rc |= pthread_create(&threads[i], NULL, run_a_loop, NULL);
    assert_int_equal(rc, 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], &results[i]);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal((intptr_t)results[i], ROUNDS);
}

/* The child's exit status. */
static int reap(pid_t pid)
{
    int status = 0;
    pid_t rc = waitpid(pid, &status, 0);

    assert_int_equal(rc, pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void fork_and_run_a_loop(void *arg)
{
    pid_t pid = fork();

    if (pid == 0) {
        bool free_of_loops = cora_get_running_loop() == NULL;
        void *result = run_a_loop(NULL);

        _exit(free_of_loops && (intptr_t)result == ROUNDS ? 0 : 1);
    }
    *(int *)arg = reap(pid);
}

TEST(a_child_forked_inside_a_loop_runs_a_loop_of_its_own)
{
    cora_loop *loop = virtual_loop();
    int ends[2];
    int fd = readable_pipe(ends);
    int status = -1;
    int rc = cora_loop_add_reader(loop, fd, drain, &fd);

    assert_int_equal(rc, 0);
    soon(loop, fork_and_run_a_loop, &status);
    later(loop, 1, stop, loop);
    run(loop);
    assert_int_equal(status, 0);
    assert_string_equal(trace_text, "0 ");
    cora_loop_free(loop);
    close_pipe(ends);
}

TEST(a_child_may_run_and_close_the_loop_that_it_inherits)
{
    cora_loop *loop = virtual_loop();
    int ends[2];
    int fd = readable_pipe(ends);
    int rc = cora_loop_add_reader(loop, fd, note, "r");
    pid_t pid;

    assert_int_equal(rc, 0);
    iterate(loop); /* the poller knows of the descriptor */
    pid = fork();
    if (pid == 0) {
        cora_loop_stop(loop);
        rc = cora_loop_run_forever(loop);
        cora_loop_remove_reader(loop, fd);
        cora_loop_stop(loop);
        rc |= cora_loop_run_forever(loop);
        cora_loop_free(loop);
        _exit(rc == 0 && strcmp(trace_text, "r | r ") == 0 ? 0 : 1);
    }
    rc = reap(pid);
    assert_int_equal(rc, 0);
    iterate(loop);
    assert_string_equal(trace_text, "r | r | ");
    cora_loop_free(loop);
    close_pipe(ends);
}

/* ---- a loop of a thread that is gone -------------------------------------------------------- */

/* A task that ran in a thread, and the lowest byte of the stack that it ran on. */
struct stay {
    cora_loop *loop;
    double delay;
    char *stack;
};

static int stay_a_while(void *arg)
{
    struct stay *stay = arg;

    stay->stack = cora_coroutine_current()->stack.low;
    return cora_sleep(stay->delay);
}

static void *run_for_a_second(void *arg)
{
    struct stay *stay = arg;
    cora_task *task =
        cora_loop_create_task_arg(stay->loop, NULL, stay_a_while, "stay_a_while", stay);

    later(stay->loop, 1, stop, stay->loop);
    run(stay->loop);
    cora_task_unref(task);
    return NULL;
}

static bool is_mapped(char *page)
{
    unsigned char resident;

    return mincore(page, 1, &resident) == 0;
}

static void run_in_a_thread_and_free_here(double delay)
{
    struct stay stay = {.loop = virtual_loop(), .delay = delay};
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, run_for_a_second, &stay);

    assert_int_equal(rc, 0);
    pthread_join(thread, NULL);
    assert_non_null(stay.stack);
    cora_loop_free(stay.loop);
    assert_false(is_mapped(stay.stack));
}

TEST(a_loop_leaves_no_stack_behind_in_a_thread_that_has_ended)
{
    run_in_a_thread_and_free_here(0);
    assert_int_equal(reports.count, 0);
}

TEST(the_stack_of_a_task_that_is_dropped_after_its_thread_has_ended_is_freed)
{
    run_in_a_thread_and_free_here(3600);
    assert_int_equal(reports.count, 1);
}

/* ---- what is no time, no callback, and no handle -------------------------------------------- */

TEST(a_virtual_clock_does_not_start_at_nan)
{
    cora_loop *loop = NULL;
    int rc = cora_new_event_loop(&loop);

    assert_int_equal(rc, 0);
    rc = cora_loop_use_virtual_clock(loop, NAN);
    assert_int_equal(rc, -EINVAL);
    assert_false(isnan(cora_loop_time(loop)));
    cora_loop_free(loop);
}

TEST(a_callback_that_is_null_is_refused)
{
    cora_loop *loop = virtual_loop();
    cora_handle *handle = NULL;
    int rc[3];

    rc[0] = cora_loop_call_soon(loop, NULL, NULL, &handle);
    rc[1] = cora_loop_call_later(loop, 1, NULL, NULL, &handle);
    rc[2] = cora_loop_call_at(loop, 1, NULL, NULL, &handle);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rc[i], -EINVAL);
    assert_null(handle);
    assert_true(cora_loop_timeout(loop) == -1);
    cora_loop_free(loop);
}

TEST(no_handle_is_neither_cancelled_nor_due)
{
    assert_false(cora_handle_cancelled(NULL));
    assert_true(isnan(cora_timer_handle_when(NULL)));
}

/* ---- without descriptors and memory --------------------------------------------------------- */

/* The lowest number that is free now; those above it are free too. */
static int next_descriptor(void)
{
    int fd = dup(STDERR_FILENO);

    close(fd);
    return fd;
}

/* With more and more room until it is enough: how often it was refused, or -1 for another error. */
static int count_refusals(void)
{
    int lowest = next_descriptor(), refusals = 0;

    for (;; refusals++) {
        rlim_t room = (rlim_t)lowest + (rlim_t)refusals;
        cora_loop *loop = NULL;
        int rc;

        setrlimit(RLIMIT_NOFILE, &(struct rlimit){room, 1024});
        rc = cora_new_event_loop(&loop);
        cora_loop_free(loop);
        if (rc != -EMFILE)
            return rc == 0 && next_descriptor() == lowest ? refusals : -1;
    }
}

TEST(a_loop_for_which_there_are_no_descriptors_is_refused)
{
    pid_t pid;
    int refusals;

#ifdef CORA_VALGRIND
    if (RUNNING_ON_VALGRIND)
        skip(); /* it keeps that limit from the kernel */
#endif
    pid = fork();
    if (pid == 0)
        _exit(count_refusals());
    refusals = reap(pid);
    assert_in_range(refusals, 1, 4);
}

/* The last descriptor has gone to the loop. */
static int live_without_descriptors(void)
{
    cora_loop *loop = NULL;
    int rc = cora_new_event_loop(&loop);

    setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, 0});
    rc |= cora_loop_add_signal_handler(loop, SIGUSR1, stop, loop);
    rc |= cora_loop_call_soon_threadsafe(loop, note, "called", NULL);
    raise(SIGUSR1);
    rc |= cora_loop_run_forever(loop);
    cora_loop_free(loop);
    return rc == 0 && strcmp(trace_text, "called ") == 0 ? 0 : 1;
}

TEST(signals_and_calls_need_no_further_descriptors)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(live_without_descriptors());
    status = reap(pid);
    assert_int_equal(status, 0);
}

static int make_loops_without_memory(void)
{
    cora_loop *loop = NULL;
    void *volatile block;
    int rc;

    setrlimit(RLIMIT_AS, &(struct rlimit){1 << 20, 1 << 20});
    do
        block = malloc(16 * 1024);
    while (block != NULL);
    rc = cora_new_event_loop(&loop);
    return rc == -ENOMEM ? 0 : 1;
}

TEST(a_loop_for_which_there_is_no_memory_is_refused)
{
    pid_t pid;
    int status;

#if defined(CORA_ASAN) || defined(CORA_TSAN)
    skip(); /* their allocators end the process */
#endif
#ifdef CORA_VALGRIND
    if (RUNNING_ON_VALGRIND)
        skip(); /* its allocator does not heed the limit */
#endif
    if (getenv("CORA_EMULATED") != NULL)
        skip(); /* the emulator keeps that limit from the kernel */
    pid = fork();
    if (pid == 0)
        _exit(make_loops_without_memory());
    status = reap(pid);
    assert_int_equal(status, 0);
}
