/*
 * A host with several addresses: in which order they are tried, who wins, and what is left of the
 * others. What the resolver answers and how long each attempt takes is said by the test.
 */
#include "support/hosts.h"
#include "support/protocol.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/virtual.h"

/* ---- who asks ------------------------------------------------------------------------------ */

static cora_connection_error errors[MOST_HOSTS];
static cora_connection_errors all_errors = {.errors = errors, .room = MOST_HOSTS};
static struct recorder recorder;

static int connect_to_host(void *arg)
{
    const cora_connection_options *options = arg;
    double now;
    int rc = cora_create_connection(record, &recorder, "host", "1", options, NULL);

    if (rc == 0) {
        cora_transport_close(recorder.transport);
        return wait_lost(&recorder);
    }
    now = cora_loop_time(cora_get_running_loop());
    trace("%s@%.2f", cora_strerrorname(rc), now);
    return rc;
}

/* As many descriptors as before are left. */
static int run(cora_task_fn *fn, const void *arg)
{
    int before = count_descriptors();
    int rc = run_virtual(fn, (void *)arg);

    close_hosts();
    assert_int_equal(count_descriptors(), before);
    assert_int_equal(reports.count, 0);
    return rc;
}

/* The outcome of a call with these options, and what happened meanwhile. */
static void assert_connects(cora_connection_options options, int expected, const char *trace)
{
    int rc;

    options.errors = &all_errors;
    rc = run(connect_to_host, &options);
    assert_int_equal(rc, expected);
    assert_string_equal(trace_text, trace);
    trace_text[0] = '\0';
}

static void assert_error(int i, const char *host, int error)
{
    assert_string_equal(host_name(&errors[i].address), host);
    assert_int_equal(errors[i].error, error);
}

/* ---- one after the other ------------------------------------------------------------------- */

TEST(without_a_delay_addresses_are_tried_one_after_the_other)
{
    HOSTS(FAILS("6a", 1, -ECONNREFUSED), FAILS("6b", 2, -ENETUNREACH), WORKS("4a", 3),
          WORKS("4b", 0));
    assert_connects((cora_connection_options){0}, 0, "6a@0.00 6b@1.00 4a@3.00 made lost ");
    assert_int_equal(all_errors.count, 2);
    assert_int_equal(attempts.count, 3);
}

TEST(where_all_fail_the_first_error_is_told_and_all_are_there)
{
    HOSTS(FAILS("6a", 1, -ENETUNREACH), FAILS("4a", 1, -ECONNREFUSED),
          FAILS("4b", 1, -EHOSTUNREACH));
    assert_connects((cora_connection_options){0}, -ENETUNREACH,
                    "6a@0.00 4a@1.00 4b@2.00 ENETUNREACH@3.00 ");
    assert_int_equal(all_errors.count, 3);
    assert_error(0, "6a", -ENETUNREACH);
    assert_error(1, "4a", -ECONNREFUSED);
    assert_error(2, "4b", -EHOSTUNREACH);
}

TEST(more_errors_than_there_is_room_for_are_counted)
{
    HOSTS(FAILS("4a", 0, -ENETUNREACH), FAILS("4b", 0, -ECONNREFUSED),
          FAILS("4c", 0, -EHOSTUNREACH));
    errors[1].error = 77;
    all_errors.room = 1;
    assert_connects((cora_connection_options){0}, -ENETUNREACH,
                    "4a@0.00 4b@0.00 4c@0.00 ENETUNREACH@0.00 ");
    assert_int_equal(all_errors.count, 3);
    assert_error(0, "4a", -ENETUNREACH);
    assert_int_equal(errors[1].error, 77);
}

TEST(an_address_without_a_socket_has_failed)
{
    HOSTS(NO_SOCKET("6a", -EMFILE), WORKS("4a", 1));
    assert_connects((cora_connection_options){0}, 0, "4a@0.00 made lost ");
    assert_int_equal(all_errors.count, 1);
    assert_error(0, "6a", -EMFILE);
    HOSTS(NO_SOCKET("6a", -EMFILE), WORKS("4a", 1));
    assert_connects((cora_connection_options){.happy_eyeballs_delay = 9}, 0, "4a@0.00 made lost ");
}

/* ---- side by side -------------------------------------------------------------------------- */

TEST(each_begins_a_delay_after_the_one_before_and_families_take_turns)
{
    HOSTS(HANGS("6a"), HANGS("6b"), HANGS("6c"), HANGS("4a"), WORKS("4b", 0.1));
    assert_connects((cora_connection_options){.happy_eyeballs_delay = 0.25}, 0,
                    "6a@0.00 4a@0.25 6b@0.50 4b@0.75 -6a -4a -6b made lost ");
    assert_int_equal(all_errors.count, 0);
    assert_int_equal(attempts.count, 4);
}

TEST(an_early_one_wins_if_it_is_first_after_all)
{
    HOSTS(WORKS("6a", 0.3), WORKS("4a", 0.1), WORKS("6b", 0));
    assert_connects((cora_connection_options){.happy_eyeballs_delay = 0.25}, 0,
                    "6a@0.00 4a@0.25 -4a made lost ");
}

TEST(after_a_failure_the_next_begins_at_once)
{
    HOSTS(FAILS("6a", 0.1, -ENETUNREACH), HANGS("4a"), FAILS("6b", 0.2, -ECONNREFUSED),
          WORKS("4b", 0.05));
    assert_connects((cora_connection_options){.happy_eyeballs_delay = 0.25}, 0,
                    "6a@0.00 4a@0.10 6b@0.35 4b@0.55 -4a made lost ");
    assert_int_equal(all_errors.count, 2);
    assert_error(0, "6a", -ENETUNREACH);
    assert_error(1, "6b", -ECONNREFUSED);
}

TEST(where_all_fail_side_by_side_the_error_is_that_which_came_first)
{
    HOSTS(FAILS("6a", 3, -ETIMEDOUT), FAILS("4a", 0.1, -ECONNREFUSED));
    assert_connects((cora_connection_options){.happy_eyeballs_delay = 0.25}, -ECONNREFUSED,
                    "6a@0.00 4a@0.25 ECONNREFUSED@3.00 ");
    assert_int_equal(all_errors.count, 2);
    assert_error(0, "4a", -ECONNREFUSED);
    assert_error(1, "6a", -ETIMEDOUT);
}

TEST(a_negative_delay_begins_all_at_once)
{
    HOSTS(HANGS("6a"), WORKS("6b", 2), WORKS("4a", 1));
    assert_connects((cora_connection_options){.happy_eyeballs_delay = -1}, 0,
                    "6a@0.00 4a@0.00 6b@0.00 -6a -6b made lost ");
}

TEST(an_infinite_delay_waits_for_failures)
{
    HOSTS(FAILS("6a", 5, -ECONNREFUSED), WORKS("4a", 1));
    assert_connects((cora_connection_options){.happy_eyeballs_delay = INFINITY}, 0,
                    "6a@0.00 4a@5.00 made lost ");
}

TEST(one_that_succeeds_too_late_is_closed)
{
    HOSTS(STUBBORN("6a"), WORKS("4a", 1));
    assert_connects((cora_connection_options){.happy_eyeballs_delay = 0.25}, 0,
                    "6a@0.00 4a@0.25 -6a made lost ");
    assert_int_equal(attempts.count, 2);
}

/* ---- their order --------------------------------------------------------------------------- */

static void fail_all(void)
{
    HOSTS(FAILS("6a", 0, -EIO), FAILS("6b", 0, -EIO), FAILS("6c", 0, -EIO), FAILS("4a", 0, -EIO),
          FAILS("4b", 0, -EIO));
}

TEST(families_take_turns_where_it_is_asked_for)
{
    fail_all();
    assert_connects((cora_connection_options){.interleave = 1}, -EIO,
                    "6a@0.00 4a@0.00 6b@0.00 4b@0.00 6c@0.00 EIO@0.00 ");
    assert_connects((cora_connection_options){.interleave = 2}, -EIO,
                    "6a@0.00 6b@0.00 4a@0.00 6c@0.00 4b@0.00 EIO@0.00 ");
    assert_connects((cora_connection_options){.interleave = 9}, -EIO,
                    "6a@0.00 6b@0.00 6c@0.00 4a@0.00 4b@0.00 EIO@0.00 ");
}

TEST(and_not_where_it_is_not_wanted)
{
    fail_all();
    assert_connects(
        (cora_connection_options){.happy_eyeballs_delay = 1, .interleave = CORA_NO_INTERLEAVE},
        -EIO, "6a@0.00 6b@0.00 6c@0.00 4a@0.00 4b@0.00 EIO@0.00 ");
}

TEST(the_first_addresses_family_comes_first)
{
    HOSTS(FAILS("4a", 0, -EIO), FAILS("6a", 0, -EIO), FAILS("4b", 0, -EIO));
    assert_connects((cora_connection_options){.interleave = 2}, -EIO,
                    "4a@0.00 4b@0.00 6a@0.00 EIO@0.00 ");
}

/* ---- from a local address ------------------------------------------------------------------ */

TEST(each_socket_is_bound_to_the_first_local_address_of_its_family_that_can_be_had)
{
    HOSTS(FAILS("6a", 1, -ENETUNREACH), WORKS("4a", 1));
    LOCALS(NO_BIND("4a", -EADDRINUSE), WORKS("6a", 0), WORKS("4b", 0), WORKS("4c", 0));
    assert_connects((cora_connection_options){.local_host = "local"}, 0,
                    "bind 6a 6a@0.00 bind 4a bind 4b 4a@1.00 made lost ");
    assert_int_equal(all_errors.count, 2);
    assert_error(0, "6a", -ENETUNREACH);
    assert_error(1, "4a", -EADDRINUSE);
}

TEST(an_attempt_that_cannot_be_bound_is_not_made)
{
    HOSTS(WORKS("6a", 1), WORKS("4a", 1));
    LOCALS(NO_BIND("6a", -EADDRINUSE), NO_BIND("6b", -EACCES));
    assert_connects((cora_connection_options){.local_host = "local", .happy_eyeballs_delay = 9},
                    -EADDRINUSE, "bind 6a bind 6b EADDRINUSE@0.00 ");
    assert_int_equal(all_errors.count, 3);
    assert_error(0, "6a", -EADDRINUSE);
    assert_error(1, "6b", -EACCES);
    assert_error(2, "4a", -EADDRNOTAVAIL);
}

/* ---- cancelled ----------------------------------------------------------------------------- */

static void cancel(void *task)
{
    cora_task_cancel(task);
}

/* After so many seconds. */
static int is_cancelled(void *arg)
{
    const double *seconds = arg;
    cora_connection_options options = {.happy_eyeballs_delay = 0.25, .errors = &all_errors};
    cora_task *task = cora_create_task_arg(connect_to_host, &options);
    int rc = cora_loop_call_later(cora_get_running_loop(), *seconds, cancel, task, NULL);

    assert_int_equal(rc, 0);
    return cora_await_unref(task);
}

TEST(a_cancellation_ends_all_attempts_and_closes_their_sockets)
{
    int rc;

    HOSTS(HANGS("6a"), HANGS("4a"), HANGS("6b"));
    rc = run(is_cancelled, &(double){0.3});
    assert_int_equal(rc, -ECANCELED);
    assert_string_equal(trace_text, "6a@0.00 4a@0.25 -6a -4a ECANCELED@0.30 ");
    assert_int_equal(attempts.count, 2);
    assert_int_equal(all_errors.count, 0);
}

TEST(one_that_comes_together_with_a_winner_closes_its_socket)
{
    int rc;

    HOSTS(STUBBORN("6a"), HANGS("4a"));
    rc = run(is_cancelled, &(double){0.3});
    assert_int_equal(rc, -ECANCELED);
    assert_string_equal(trace_text, "6a@0.00 4a@0.25 -6a -4a ECANCELED@0.30 ");
}

/* Cancels all tasks but this one and the one that waits for the connection. */
static int has_its_attempts_cancelled(void *arg)
{
    cora_connection_options options = {.happy_eyeballs_delay = 0.25};
    cora_task *task = cora_create_task_arg(connect_to_host, &options), *tasks[MOST_HOSTS];
    int rc = cora_sleep(0.6);
    size_t count = cora_all_tasks(NULL, tasks, MOST_HOSTS);

    (void)arg;
    assert_int_equal(rc, 0);
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++) {
        if (tasks[i] != task && tasks[i] != cora_current_task())
            cora_task_cancel(tasks[i]);
        cora_task_unref(tasks[i]);
    }
    return cora_await_unref(task);
}

TEST(where_others_have_cancelled_each_attempt_it_reads_as_a_timeout)
{
    int rc;

    HOSTS(HANGS("6a"), HANGS("4a"));
    rc = run(has_its_attempts_cancelled, NULL);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_string_equal(trace_text, "6a@0.00 4a@0.25 -6a -4a ETIMEDOUT@0.60 ");
}
