/* Descriptors: callbacks and tasks that wait for them. */
#include "support/test.h"
#include "support/virtual.h"

#include <sys/socket.h>
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

static void iterate(cora_loop *loop)
{
    int rc;

    cora_loop_stop(loop);
    rc = cora_loop_run_forever(loop);
    assert_int_equal(rc, 0);
    trace("|");
}

static void make_pair(int ends[2])
{
    int rc = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends);

    assert_int_equal(rc, 0);
}

static void close_pair(const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

static void put(int fd)
{
    ssize_t written = write(fd, "x", 1);

    assert_int_equal(written, 1);
}

static void take(int fd)
{
    char byte;
    ssize_t length = read(fd, &byte, 1);

    assert_int_equal(length, 1);
}

static void add_reader(cora_loop *loop, int fd, cora_callback *fn, void *arg)
{
    int rc = cora_loop_add_reader(loop, fd, fn, arg);

    assert_int_equal(rc, 0);
}

/* A number that stands for no descriptor. */
static int closed_fd(void)
{
    int fd = dup(STDOUT_FILENO);

    close(fd);
    return fd;
}

static int regular_file(void)
{
    char name[] = "/tmp/cora-test-XXXXXX";
    int fd = mkstemp(name);

    assert_return_code(fd, 0);
    unlink(name);
    return fd;
}

/* ---- callbacks ------------------------------------------------------------------------------ */

TEST(a_reader_is_called_in_every_iteration_until_it_is_removed)
{
    cora_loop *loop = virtual_loop();
    int ends[2];
    bool removed[2];

    make_pair(ends);
    add_reader(loop, ends[0], note, "r");
    iterate(loop);
    put(ends[1]);
    iterate(loop);
    iterate(loop);
    removed[0] = cora_loop_remove_reader(loop, ends[0]);
    removed[1] = cora_loop_remove_reader(loop, ends[0]);
    iterate(loop);
    assert_string_equal(trace_text, "| r | r | | ");
    assert_true(removed[0]);
    assert_false(removed[1]);
    cora_loop_free(loop);
    close_pair(ends);
}

TEST(a_writer_is_called_in_every_iteration_until_it_is_removed)
{
    cora_loop *loop = virtual_loop();
    int ends[2], rc;
    bool removed[2];

    make_pair(ends);
    rc = cora_loop_add_writer(loop, ends[0], note, "w");
    iterate(loop);
    iterate(loop);
    removed[0] = cora_loop_remove_writer(loop, ends[0]);
    removed[1] = cora_loop_remove_writer(loop, ends[0]);
    iterate(loop);
    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "w | w | | ");
    assert_true(removed[0]);
    assert_false(removed[1]);
    cora_loop_free(loop);
    close_pair(ends);
}

TEST(reader_and_writer_of_one_descriptor_do_not_touch_one_another)
{
    cora_loop *loop = virtual_loop();
    int ends[2], rc;

    make_pair(ends);
    add_reader(loop, ends[0], note, "r");
    rc = cora_loop_add_writer(loop, ends[0], note, "w");
    assert_int_equal(rc, 0);
    iterate(loop);
    put(ends[1]);
    cora_loop_remove_writer(loop, ends[0]);
    iterate(loop);
    rc = cora_loop_add_writer(loop, ends[0], note, "w");
    assert_int_equal(rc, 0);
    cora_loop_remove_reader(loop, ends[0]);
    iterate(loop);
    assert_string_equal(trace_text, "w | r | w | ");
    cora_loop_free(loop);
    close_pair(ends);
}

TEST(a_second_add_replaces_the_callback)
{
    cora_loop *loop = virtual_loop();
    int ends[2];

    make_pair(ends);
    put(ends[1]);
    add_reader(loop, ends[0], note, "old");
    add_reader(loop, ends[0], note, "new");
    iterate(loop);
    assert_string_equal(trace_text, "new | ");
    cora_loop_free(loop);
    close_pair(ends);
}

static cora_loop *the_loop;
static int the_fds[2][2];

static void replace(void *arg)
{
    trace("replace");
    add_reader(the_loop, *(int *)arg, note, "new");
}

TEST(a_callback_that_is_queued_already_does_not_run_once_it_is_replaced)
{
    cora_loop *loop = the_loop = virtual_loop();
    int ends[2];

    make_pair(ends);
    put(ends[1]);
    add_reader(loop, ends[0], note, "old");
    soon(loop, replace, &ends[0]);
    iterate(loop);
    iterate(loop);
    assert_string_equal(trace_text, "replace | new | ");
    cora_loop_free(loop);
    close_pair(ends);
}

/* Removes the readers of both descriptors; the other one must not run. */
static void remove_both(void *arg)
{
    (void)arg;
    trace("one");
    for (int i = 0; i < 2; i++)
        cora_loop_remove_reader(the_loop, the_fds[i][0]);
}

TEST(a_callback_removed_by_another_of_the_same_iteration_does_not_run)
{
    cora_loop *loop = the_loop = virtual_loop();

    for (int i = 0; i < 2; i++) {
        make_pair(the_fds[i]);
        put(the_fds[i][1]);
        add_reader(loop, the_fds[i][0], remove_both, NULL);
    }
    iterate(loop);
    iterate(loop);
    assert_string_equal(trace_text, "one | | ");
    cora_loop_free(loop);
    close_pair(the_fds[0]);
    close_pair(the_fds[1]);
}

static cora_context_var colour = CORA_CONTEXT_VAR_INIT("colour", "none");

static void paint(const char *value)
{
    int rc = cora_context_var_set(&colour, (void *)(uintptr_t)value, NULL);

    assert_int_equal(rc, 0);
}

static void note_colour(void *arg)
{
    trace("%s", (const char *)cora_context_var_get(&colour));
    add_reader(the_loop, *(int *)arg, note_colour, arg);
}

TEST(a_callback_keeps_its_context_even_if_it_adds_itself_again)
{
    cora_loop *loop = the_loop = virtual_loop();
    int ends[2];

    make_pair(ends);
    put(ends[1]);
    paint("red");
    add_reader(loop, ends[0], note_colour, &ends[0]);
    paint("blue");
    iterate(loop);
    iterate(loop);
    iterate(loop);
    assert_string_equal(trace_text, "red | red | red | ");
    cora_loop_free(loop);
    close_pair(ends);
}

TEST(what_is_not_open_or_cannot_be_polled_is_refused)
{
    cora_loop *loop = virtual_loop();
    int file = regular_file();
    int closed = closed_fd();
    int rc[6];

    rc[0] = cora_loop_add_reader(loop, -1, note, "");
    rc[1] = cora_loop_add_writer(loop, -1, note, "");
    rc[2] = cora_loop_add_reader(loop, closed, note, "");
    rc[3] = cora_loop_add_writer(loop, 1 << 20, note, "");
    rc[4] = cora_loop_add_reader(loop, file, note, "");
    rc[5] = cora_loop_add_writer(loop, file, note, "");
    for (int i = 0; i < 4; i++)
        assert_int_equal(rc[i], -EBADF);
    assert_int_equal(rc[4], -EPERM);
    assert_int_equal(rc[5], -EPERM);
    assert_false(cora_loop_remove_reader(loop, -1));
    assert_false(cora_loop_remove_reader(loop, 1 << 20));
    cora_loop_free(loop);
    close(file);
}

TEST(a_large_number_is_as_good_as_a_small_one)
{
    cora_loop *loop = virtual_loop();
    int ends[2], high;

    make_pair(ends);
    put(ends[1]);
    high = dup2(ends[0], 900);
    assert_int_equal(high, 900);
    add_reader(loop, ends[0], note, "low");
    iterate(loop);
    cora_loop_remove_reader(loop, ends[0]);
    add_reader(loop, high, note, "high");
    iterate(loop);
    assert_string_equal(trace_text, "low | high | ");
    cora_loop_free(loop);
    close_pair(ends);
    close(high);
}

/* Another socket under the number of a closed one. */
static void reuse(int ends[2], int fd)
{
    make_pair(ends);
    if (ends[0] != fd) {
        int rc = dup2(ends[0], fd);

        assert_int_equal(rc, fd);
        close(ends[0]);
        ends[0] = fd;
    }
}

TEST(a_number_that_is_used_again_is_watched_afresh)
{
    cora_loop *loop = virtual_loop();
    int ends[2];

    make_pair(ends);
    add_reader(loop, ends[0], note, "old");
    iterate(loop);
    cora_loop_remove_reader(loop, ends[0]);
    close_pair(ends);
    reuse(ends, ends[0]);
    put(ends[1]);
    add_reader(loop, ends[0], note, "new");
    iterate(loop);
    assert_string_equal(trace_text, "| new | ");
    cora_loop_free(loop);
    close_pair(ends);
}

TEST(a_number_that_is_used_again_is_watched_afresh_though_its_reader_was_not_removed)
{
    cora_loop *loop = virtual_loop();
    int ends[2];

    make_pair(ends);
    add_reader(loop, ends[0], note, "old");
    iterate(loop);
    close_pair(ends);
    iterate(loop);
    reuse(ends, ends[0]);
    put(ends[1]);
    add_reader(loop, ends[0], note, "new");
    iterate(loop);
    assert_string_equal(trace_text, "| | new | ");
    cora_loop_free(loop);
    close_pair(ends);
}

/* ---- tasks ---------------------------------------------------------------------------------- */

static int wait_and_note(void *arg)
{
    int rc = cora_wait_readable(*(int *)arg);

    trace("%s", rc == 0 ? "readable" : cora_strerrorname(rc));
    return rc;
}

static int write_and_note(void *arg)
{
    int rc = cora_wait_writable(*(int *)arg);

    trace("%s", rc == 0 ? "writable" : cora_strerrorname(rc));
    return rc;
}

static int sleep_now(void)
{
    return cora_sleep(0);
}

static int one_reads_one_writes(void *arg)
{
    int ends[2], rc[3];
    cora_task *reader, *writer;

    (void)arg;
    make_pair(ends);
    reader = cora_create_task_arg(wait_and_note, &ends[0]);
    writer = cora_create_task_arg(write_and_note, &ends[0]);
    rc[0] = cora_await_unref(writer);
    put(ends[1]);
    rc[1] = cora_await_unref(reader);
    /* It is still readable: waiting for it twice is no different. */
    rc[2] = wait_and_note(&ends[0]);
    close_pair(ends);
    return rc[0] | rc[1] | rc[2];
}

TEST(one_task_waits_to_read_and_another_to_write_the_same_descriptor)
{
    int rc = run_virtual(one_reads_one_writes, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "writable readable readable ");
}

static int compete(void *arg)
{
    int ends[2], rc[4];
    cora_task *first;
    bool removed;

    (void)arg;
    make_pair(ends);
    first = cora_create_task_arg(wait_and_note, &ends[0]);
    rc[0] = sleep_now();
    rc[1] = cora_wait_readable(ends[0]);
    rc[2] = cora_loop_add_reader(cora_get_running_loop(), ends[0], note, "reader");
    removed = cora_loop_remove_reader(cora_get_running_loop(), ends[0]);
    put(ends[1]);
    rc[3] = cora_await_unref(first);
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[1], -EBUSY);
    assert_int_equal(rc[2], -EBUSY);
    assert_false(removed);
    assert_string_equal(trace_text, "readable ");
    close_pair(ends);
    return rc[3];
}

TEST(a_second_waiter_of_a_descriptor_is_refused)
{
    int rc = run_virtual(compete, NULL);

    assert_int_equal(rc, 0);
}

static int wait_where_a_callback_is(void *arg)
{
    int ends[2], rc;

    (void)arg;
    make_pair(ends);
    add_reader(cora_get_running_loop(), ends[0], note, "reader");
    rc = cora_wait_readable(ends[0]);
    cora_loop_remove_reader(cora_get_running_loop(), ends[0]);
    close_pair(ends);
    return rc;
}

TEST(a_task_is_refused_where_a_callback_is)
{
    int rc = run_virtual(wait_where_a_callback_is, NULL);

    assert_int_equal(rc, -EBUSY);
}

static int close_under_waiters(void *arg)
{
    int ends[2], rc[4];
    cora_task *reader, *writer;

    (void)arg;
    make_pair(ends);
    while (write(ends[0], "fill the buffer", 15) > 0) {
    }
    reader = cora_create_task_arg(wait_and_note, &ends[0]);
    writer = cora_create_task_arg(write_and_note, &ends[0]);
    rc[0] = sleep_now();
    rc[1] = cora_close_fd(ends[0]);
    rc[2] = cora_await_unref(reader);
    rc[3] = cora_await_unref(writer);
    close(ends[1]);
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[1], 0);
    assert_int_equal(rc[2], -EBADF);
    return rc[3];
}

TEST(close_fd_wakes_who_waits_with_ebadf)
{
    int rc = run_virtual(close_under_waiters, NULL);

    assert_int_equal(rc, -EBADF);
    assert_string_equal(trace_text, "EBADF EBADF ");
}

static int close_and_reuse(void *arg)
{
    int ends[2], rc[6];
    cora_task *old, *new;

    (void)arg;
    make_pair(ends);
    old = cora_create_task_arg(wait_and_note, &ends[0]);
    rc[0] = cora_sleep(1); /* the poller has seen it */
    rc[1] = cora_close_fd(ends[0]);
    close(ends[1]);
    reuse(ends, ends[0]);
    new = cora_create_task_arg(wait_and_note, &ends[0]);
    rc[2] = cora_await_unref(old);
    rc[3] = cora_sleep(1);
    put(ends[1]);
    rc[4] = cora_await_unref(new);
    rc[5] = cora_close_fd(ends[0]);
    close(ends[1]);
    assert_int_equal(rc[2], -EBADF);
    return rc[0] | rc[1] | rc[3] | rc[4] | rc[5];
}

TEST(a_task_waits_for_a_number_that_was_another_ones_before)
{
    int rc = run_virtual(close_and_reuse, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "EBADF readable ");
}

static int close_elsewhere_and_reuse(void *arg)
{
    int ends[2], rc[2];

    (void)arg;
    make_pair(ends);
    put(ends[1]);
    rc[0] = cora_wait_readable(ends[0]);
    close_pair(ends);
    reuse(ends, ends[0]);
    cora_fd_opened(ends[0]);
    put(ends[1]);
    rc[1] = cora_wait_readable(ends[0]);
    close_pair(ends);
    return rc[0] | rc[1];
}

TEST(fd_opened_tells_of_a_number_that_was_closed_by_other_means)
{
    int rc = run_virtual(close_elsewhere_and_reuse, NULL);

    assert_int_equal(rc, 0);
}

static int cancel_a_waiter(void *arg)
{
    int ends[2], rc[5];
    cora_task *waiter;

    (void)arg;
    make_pair(ends);
    waiter = cora_create_task_arg(wait_and_note, &ends[0]);
    rc[0] = cora_sleep(1);
    cora_task_cancel(waiter);
    put(ends[1]); /* ready in the very iteration in which it is cancelled */
    rc[1] = cora_await_unref(waiter);
    rc[2] = cora_wait_readable(ends[0]);
    take(ends[0]);
    rc[3] = cora_loop_add_reader(cora_get_running_loop(), ends[0], note, "reader");
    cora_loop_remove_reader(cora_get_running_loop(), ends[0]);
    rc[4] = cora_sleep(1);
    close_pair(ends);
    assert_int_equal(rc[1], -ECANCELED);
    return rc[0] | rc[2] | rc[3] | rc[4];
}

TEST(a_cancelled_waiter_leaves_nothing_behind)
{
    int rc = run_virtual(cancel_a_waiter, NULL);

    assert_int_equal(rc, 0);
    assert_string_equal(trace_text, "ECANCELED ");
}

static int cancel_the_only_waiter(void *arg)
{
    int ends[2];
    cora_task *waiter;
    cora_future *never = cora_loop_create_future(cora_get_running_loop());
    int rc;

    (void)arg;
    make_pair(ends);
    waiter = cora_create_task_arg(wait_and_note, &ends[0]);
    rc = cora_sleep(1);
    cora_task_cancel(waiter);
    cora_task_unref(waiter);
    if (rc == 0)
        rc = cora_await(never); /* nothing is watched any more: a deadlock */
    cora_future_unref(never);
    close_pair(ends);
    return rc;
}

TEST(a_cancelled_waiter_is_nothing_to_wait_for)
{
    int rc = run_virtual(cancel_the_only_waiter, NULL);

    assert_int_equal(rc, -EDEADLK);
}

static int wait_for_bad_ones(void *arg)
{
    int file = regular_file();
    int closed = closed_fd();
    int rc[6];

    (void)arg;
    rc[0] = cora_wait_readable(-1);
    rc[1] = cora_wait_writable(-1);
    rc[2] = cora_wait_readable(closed);
    rc[3] = cora_wait_readable(file);
    rc[4] = cora_wait_writable(file);
    close(file);
    rc[5] = cora_close_fd(closed);
    assert_int_equal(rc[0], -EBADF);
    assert_int_equal(rc[1], -EBADF);
    assert_int_equal(rc[2], -EBADF);
    assert_int_equal(rc[3], -EPERM);
    assert_int_equal(rc[4], -EPERM);
    assert_int_equal(rc[5], -EBADF);
    return 0;
}

TEST(waiting_for_what_is_not_open_or_cannot_be_polled_fails)
{
    int rc = run_virtual(wait_for_bad_ones, NULL);

    assert_int_equal(rc, 0);
}

TEST(only_tasks_wait_for_descriptors)
{
    int ends[2], rc[2];

    make_pair(ends);
    rc[0] = cora_wait_readable(ends[0]);
    rc[1] = cora_close_fd(ends[0]);
    close(ends[1]);
    assert_int_equal(rc[0], -CORA_ENOTASK);
    assert_int_equal(rc[1], 0);
}

static void count_iteration(void *arg)
{
    trace("|");
    soon(the_loop, count_iteration, arg);
}

static int wait_counted(void *arg)
{
    int ends[2], rc;

    (void)arg;
    make_pair(ends);
    put(ends[1]);
    the_loop = cora_get_running_loop();
    soon(the_loop, count_iteration, NULL);
    rc = cora_sleep(0);
    trace("wait");
    if (rc == 0)
        rc = cora_wait_readable(ends[0]);
    trace("%d", rc);
    close_pair(ends);
    return rc;
}

TEST(a_task_goes_on_in_the_iteration_after_its_descriptor_is_ready)
{
    cora_loop *loop = virtual_loop();
    cora_task *task = cora_loop_create_task_arg(loop, NULL, wait_counted, "wait_counted", NULL);

    for (int i = 0; i < 4; i++)
        iterate(loop);
    assert_string_equal(trace_text, "| | wait | | | | 0 | ");
    cora_task_unref(task);
    cora_loop_free(loop);
}

static int drain_and_refill(void *arg)
{
    int ends[2], rc[2];
    bool drained[4];

    (void)arg;
    make_pair(ends);
    put(ends[1]);
    rc[0] = cora_wait_readable(ends[0]);
    take(ends[0]);
    drained[0] = cora_fd_is_drained(ends[0]);
    cora_fd_set_drained(ends[0]);
    drained[1] = cora_fd_is_drained(ends[0]);
    put(ends[1]);
    rc[1] = cora_wait_readable(ends[0]);
    drained[2] = cora_fd_is_drained(ends[0]);
    cora_fd_set_drained(ends[0]);
    rc[0] |= cora_close_fd(ends[0]);
    drained[3] = cora_fd_is_drained(ends[0]);
    close(ends[1]);
    assert_false(drained[0]);
    assert_true(drained[1]);
    assert_false(drained[2]);
    assert_false(drained[3]);
    return rc[0] | rc[1];
}

TEST(a_descriptor_is_drained_until_its_next_event)
{
    int rc = run_virtual(drain_and_refill, NULL);

    assert_int_equal(rc, 0);
}

/* ---- nothing starves ------------------------------------------------------------------------ */

enum { BUSY_TASKS = 3, MOST_YIELDS = 20000000 };

static int io_seen, timers_seen, yields;

static int stay_busy(void *arg)
{
    int rc = 0;

    (void)arg;
    while (rc == 0 && !(io_seen > 0 && timers_seen > 0) && ++yields < MOST_YIELDS)
        rc = cora_sleep(0);
    return rc;
}

static void see(void *arg)
{
    ++*(int *)arg;
}

static int busy(void *arg)
{
    cora_loop *loop = cora_get_running_loop();
    cora_task *tasks[BUSY_TASKS];
    int ends[2], rc;

    (void)arg;
    for (int i = 0; i < BUSY_TASKS; i++)
        tasks[i] = cora_create_task_arg(stay_busy, NULL);
    rc = cora_sleep(0);
    make_pair(ends);
    put(ends[1]);
    add_reader(loop, ends[0], see, &io_seen);
    rc |= cora_loop_call_later(loop, 1e-3, see, &timers_seen, NULL);
    for (int i = 0; i < BUSY_TASKS; i++)
        rc |= cora_await_unref(tasks[i]);
    cora_loop_remove_reader(loop, ends[0]);
    close_pair(ends);
    return rc;
}

TEST(tasks_that_never_rest_starve_neither_io_nor_timers)
{
    int rc = cora_run(busy, NULL);

    assert_int_equal(rc, 0);
    assert_in_range(yields, 1, MOST_YIELDS - 1);
    assert_int_equal(timers_seen, 1);
    assert_true(io_seen > 0);
}

/* ---- closed between readiness and waking ---------------------------------------------------- */

static void close_now(void *fd)
{
    int rc = cora_close_fd(*(int *)fd);

    assert_int_equal(rc, 0);
}

static void step(cora_loop *loop)
{
    int rc = cora_loop_run_ready(loop);

    assert_true(rc > 0);
}

/* The descriptor is ready, and is closed in the iteration that tells its waiter so. */
static void close_when_ready(bool close_first)
{
    cora_loop *loop = virtual_loop();
    cora_task *task;
    int ends[2], rc;

    make_pair(ends);
    task = cora_loop_create_task_arg(loop, NULL, wait_and_note, "wait_and_note", &ends[0]);
    step(loop);
    put(ends[1]);
    if (close_first)
        soon(loop, close_now, &ends[0]);
    rc = cora_loop_poll(loop, 0);
    assert_int_equal(rc, 0);
    rc = cora_loop_process_events(loop);
    assert_int_equal(rc, 0);
    if (!close_first)
        soon(loop, close_now, &ends[0]);
    rc = cora_loop_run_until_complete(loop, task);
    assert_int_equal(rc, -EBADF);
    cora_task_unref(task);
    cora_loop_free(loop);
    close(ends[1]);
}

TEST(a_descriptor_closed_right_before_its_ready_waiter_is_told_is_bad)
{
    close_when_ready(true);
}

TEST(a_descriptor_closed_right_after_its_ready_waiter_was_told_is_bad)
{
    close_when_ready(false);
}

TEST(a_reader_that_is_null_is_refused)
{
    cora_loop *loop = virtual_loop();
    int ends[2], rc;

    make_pair(ends);
    rc = cora_loop_add_reader(loop, ends[0], NULL, NULL);
    assert_int_equal(rc, -EINVAL);
    rc = cora_loop_add_writer(loop, ends[0], NULL, NULL);
    assert_int_equal(rc, -EINVAL);
    assert_false(cora_loop_remove_reader(loop, ends[0]));
    assert_false(cora_loop_remove_writer(loop, ends[0]));
    cora_loop_free(loop);
    close_pair(ends);
}
