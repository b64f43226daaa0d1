/*
 * No await allocates: the count of allocations stands still in ten thousand rounds of everything
 * that suspends, after a few to warm up.
 */
#include "support/allocation.h"
#include "support/socket.h"
#include "support/streams.h"
#include "support/test.h"
#include "support/virtual.h"

#include <sys/socket.h>

enum { WARM_UP = 100, ROUNDS = 10000 };

/* What once(arg) does in so many rounds, in a task, and how often it allocates in them. */
static int count(int (*once)(void *arg), void *arg)
{
    int before = 0;

    for (int i = -WARM_UP; i < ROUNDS; i++) {
        int rc;

        if (i == 0)
            before = allocations();
        rc = once(arg);
        assert_int_equal(rc, 0);
    }
    return allocations() - before;
}

/* The same with another task that runs partner(arg), once for each round or until cancelled. */
static int count_with(int (*once)(void *arg), cora_task_fn *partner, void *arg)
{
    cora_task *task = cora_create_task_arg(partner, arg);
    int allocated, rc;

    allocated = count(once, arg);
    cora_task_cancel(task);
    rc = cora_await_unref(task);
    assert_int_equal(rc, -ECANCELED);
    return allocated;
}

static void assert_none(cora_task_fn *main)
{
    int allocated = run_virtual(main, NULL);

    assert_int_equal(allocated, 0);
}

TEST(the_count_sees_what_cora_allocates)
{
    int before = allocations();
    cora_loop *loop = virtual_loop();
    int with_loop = allocations();
    cora_future *future = cora_loop_create_future(loop);

    assert_true(with_loop > before);
    assert_int_equal(allocations(), with_loop + 1);
    cora_future_unref(future);
    cora_loop_free(loop);
}

/* ---- sleep ---------------------------------------------------------------------------------- */

static int yield(void *arg)
{
    (void)arg;
    return cora_sleep(0);
}

static int yields(void *arg)
{
    return count(yield, arg);
}

TEST(a_sleep_of_no_time_allocates_nothing)
{
    assert_none(yields);
}

static int doze(void *arg)
{
    (void)arg;
    return cora_sleep(0.25);
}

static int doze_on(void *arg)
{
    int rc = 0;

    while (rc == 0)
        rc = cora_sleep(0.3);
    (void)arg;
    return rc;
}

static int dozes(void *arg)
{
    return count_with(doze, doze_on, arg);
}

TEST(a_sleep_allocates_nothing)
{
    assert_none(dozes);
}

/* ---- futures and tasks ---------------------------------------------------------------------- */

struct line {
    cora_future *futures[WARM_UP + ROUNDS];
    int awaited, completed;
};

static int await_next(void *arg)
{
    struct line *line = arg;

    return cora_await_unref(line->futures[line->awaited++]);
}

static int complete_all(void *arg)
{
    struct line *line = arg;
    int rc = 0;

    while (rc == 0 && line->completed < WARM_UP + ROUNDS) {
        rc = cora_future_set_result(line->futures[line->completed++], 0, NULL);
        if (rc == 0)
            rc = cora_sleep(0);
    }
    return rc < 0 ? rc : cora_sleep(INFINITY);
}

static int awaits(void *arg)
{
    static struct line line;

    (void)arg;
    for (int i = 0; i < WARM_UP + ROUNDS; i++)
        line.futures[i] = cora_loop_create_future(cora_get_running_loop());
    return count_with(await_next, complete_all, &line);
}

TEST(to_wait_for_a_future_allocates_nothing)
{
    assert_none(awaits);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int make_and_await_a_task(void *arg)
{
    return cora_await_unref(cora_create_task_arg(nothing, arg));
}

static int tasks(void *arg)
{
    return count(make_and_await_a_task, arg);
}

TEST(a_task_in_the_place_of_another_allocates_nothing)
{
#ifdef CORA_DEBUG
    skip(); /* the loop's pool is malloc then */
#endif
    assert_none(tasks);
}

/* ---- timeouts ------------------------------------------------------------------------------- */

static int sleep_in_time(void *arg)
{
    cora_timeout outer, inner;
    int rc;

    (void)arg;
    cora_timeout_enter(&outer, 20);
    cora_timeout_enter(&inner, 10);
    rc = cora_sleep(0.5);
    rc = cora_timeout_exit(&inner, rc);
    return cora_timeout_exit(&outer, rc);
}

static int sleep_too_long(void *arg)
{
    cora_timeout timeout;
    int rc;

    (void)arg;
    cora_timeout_enter(&timeout, 1);
    rc = cora_sleep(2);
    rc = cora_timeout_exit(&timeout, rc);
    return rc == -ETIMEDOUT ? 0 : -1;
}

static int timeouts(void *arg)
{
    return count(sleep_in_time, arg) + count(sleep_too_long, arg);
}

TEST(a_timeout_allocates_nothing)
{
#ifdef CORA_DEBUG
    skip(); /* the loop's pool is malloc then */
#endif
    assert_none(timeouts);
}

/* ---- locks and their like ------------------------------------------------------------------- */

static int lock_and_unlock(void *arg)
{
    int rc = cora_lock_acquire(arg);

    if (rc < 0)
        return rc;
    rc = cora_lock_release(arg);
    return rc;
}

static int take_a_free_lock(void *arg)
{
    cora_lock lock = CORA_LOCK_INIT;

    (void)arg;
    return count(lock_and_unlock, &lock);
}

static int hold_the_lock_a_while(void *arg)
{
    int rc = cora_lock_acquire(arg);

    if (rc < 0)
        return rc;
    rc = cora_sleep(0);
    (void)cora_lock_release(arg);
    return rc;
}

static int hold_the_lock_again_and_again(void *arg)
{
    int rc = 0;

    while (rc == 0)
        rc = hold_the_lock_a_while(arg);
    return rc;
}

static int fight_for_a_lock(void *arg)
{
    cora_lock lock = CORA_LOCK_INIT;

    (void)arg;
    return count_with(hold_the_lock_a_while, hold_the_lock_again_and_again, &lock);
}

TEST(a_lock_allocates_nothing)
{
    assert_none(take_a_free_lock);
    assert_none(fight_for_a_lock);
}

static int hold_a_permit_a_while(void *arg)
{
    int rc = cora_semaphore_acquire(arg);

    if (rc < 0)
        return rc;
    rc = cora_sleep(0);
    cora_semaphore_release(arg);
    return rc;
}

static int hold_a_permit_again_and_again(void *arg)
{
    int rc = 0;

    while (rc == 0)
        rc = hold_a_permit_a_while(arg);
    return rc;
}

static int fight_for_a_permit(void *arg)
{
    cora_semaphore semaphore = CORA_SEMAPHORE_INIT(1);

    (void)arg;
    return count_with(hold_a_permit_a_while, hold_a_permit_again_and_again, &semaphore);
}

TEST(a_semaphore_allocates_nothing)
{
    assert_none(fight_for_a_permit);
}

static int set_event(void *arg)
{
    cora_event_set(arg);
    return cora_sleep(0);
}

static int await_events(void *arg)
{
    int rc = 0;

    while (rc == 0) {
        cora_event_clear(arg);
        rc = cora_event_wait(arg);
    }
    return rc;
}

static int events(void *arg)
{
    cora_event event = CORA_EVENT_INIT;

    (void)arg;
    return count_with(set_event, await_events, &event);
}

TEST(an_event_allocates_nothing)
{
    assert_none(events);
}

static int notify(void *arg)
{
    int rc = cora_condition_acquire(arg);

    if (rc < 0)
        return rc;
    rc = cora_condition_notify(arg, 1);
    (void)cora_condition_release(arg);
    return rc < 0 ? rc : cora_sleep(0);
}

static int await_notifications(void *arg)
{
    int rc = cora_condition_acquire(arg);

    if (rc < 0)
        return rc;
    while (rc == 0)
        rc = cora_condition_wait(arg);
    (void)cora_condition_release(arg);
    return rc;
}

static int notifications(void *arg)
{
    cora_condition condition = CORA_CONDITION_INIT;

    (void)arg;
    return count_with(notify, await_notifications, &condition);
}

TEST(a_condition_allocates_nothing)
{
    assert_none(notifications);
}

static int meet(void *arg)
{
    int rc = cora_barrier_wait(arg);

    return rc < 0 ? rc : 0;
}

static int meet_again_and_again(void *arg)
{
    int rc = 0;

    while (rc == 0)
        rc = meet(arg);
    return rc;
}

static int meetings(void *arg)
{
    cora_barrier barrier;
    int rc = cora_barrier_init(&barrier, 2);

    (void)arg;
    assert_int_equal(rc, 0);
    return count_with(meet, meet_again_and_again, &barrier);
}

TEST(a_barrier_allocates_nothing)
{
    assert_none(meetings);
}

/* ---- queues --------------------------------------------------------------------------------- */

struct ways {
    cora_queue there, back;
};

static int send_and_await_answer(void *arg)
{
    struct ways *ways = arg;
    void *item;
    int rc = cora_queue_put(&ways->there, arg);

    return rc < 0 ? rc : cora_queue_get(&ways->back, &item);
}

static int answer(void *arg)
{
    struct ways *ways = arg;
    void *item;
    int rc = 0;

    while (rc == 0) {
        rc = cora_queue_get(&ways->there, &item);
        if (rc == 0)
            rc = cora_queue_task_done(&ways->there);
        if (rc == 0)
            rc = cora_queue_put(&ways->back, item);
    }
    return rc;
}

static int round_trips(void *arg)
{
    struct ways ways;
    int allocated;

    (void)arg;
    cora_queue_init(&ways.there, 0);
    cora_queue_init(&ways.back, 1);
    allocated = count_with(send_and_await_answer, answer, &ways);
    cora_queue_destroy(&ways.there);
    cora_queue_destroy(&ways.back);
    return allocated;
}

TEST(a_queue_allocates_nothing)
{
    assert_none(round_trips);
}

/* The same through queues that threads may use as well. */
struct threading_ways {
    cora_threading_queue there, back;
};

static int send_and_await_answer_as_threads_may(void *arg)
{
    struct threading_ways *ways = arg;
    void *item;
    int rc = cora_threading_queue_async_put(&ways->there, arg);

    return rc < 0 ? rc : cora_threading_queue_async_get(&ways->back, &item);
}

static int answer_as_threads_may(void *arg)
{
    struct threading_ways *ways = arg;
    void *item;
    int rc = 0;

    while (rc == 0) {
        rc = cora_threading_queue_async_get(&ways->there, &item);
        if (rc == 0)
            rc = cora_threading_queue_async_put(&ways->back, item);
    }
    return rc;
}

static int threading_round_trips(void *arg)
{
    struct threading_ways ways;
    int allocated;

    (void)arg;
    cora_threading_queue_init(&ways.there, 0);
    cora_threading_queue_init(&ways.back, 1);
    allocated = count_with(send_and_await_answer_as_threads_may, answer_as_threads_may, &ways);
    cora_threading_queue_destroy(&ways.there);
    cora_threading_queue_destroy(&ways.back);
    return allocated;
}

TEST(a_queue_of_threads_and_tasks_allocates_nothing)
{
    assert_none(threading_round_trips);
}

/* ---- the world outside ---------------------------------------------------------------------- */

static int ping(void *arg)
{
    int *ends = arg;
    char byte = 1;
    int rc = cora_sock_sendall(ends[0], &byte, 1, NULL);

    if (rc == 0)
        rc = cora_sock_recv(ends[0], &byte, 1) == 1 ? 0 : -1;
    return rc;
}

static int pong(void *arg)
{
    int *ends = arg;
    int rc = 0;

    while (rc == 0) {
        char byte;

        rc = (int)cora_sock_recv(ends[1], &byte, 1);
        if (rc == 1)
            rc = cora_sock_sendall(ends[1], &byte, 1, NULL);
    }
    return rc;
}

static int pings(void *arg)
{
    int ends[2];
    int allocated, rc = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends);

    (void)arg;
    assert_return_code(rc, 0);
    allocated = count_with(ping, pong, ends);
    (void)cora_close_fd(ends[0]);
    (void)cora_close_fd(ends[1]);
    return allocated;
}

TEST(a_socket_allocates_nothing)
{
    int allocated = cora_run(pings, NULL);

    assert_int_equal(allocated, 0);
}

/* One end reads what there is, the other line by line. */
struct stream_ends {
    cora_stream_reader *readers[2];
    cora_stream_writer *writers[2];
};

static int stream_ping(void *arg)
{
    struct stream_ends *ends = arg;
    char answer[8];
    int rc = cora_stream_writer_write(ends->writers[0], "ping\n", 5);

    if (rc == 0)
        rc = cora_stream_reader_read(ends->readers[0], answer, sizeof answer) == 5 ? 0 : -1;
    return rc;
}

static int stream_pong(void *arg)
{
    struct stream_ends *ends = arg;
    char *line;
    ssize_t size;
    int rc = 0;

    while (rc == 0 && (size = cora_stream_reader_readline(ends->readers[1], &line)) > 0) {
        rc = cora_stream_writer_write(ends->writers[1], line, (size_t)size);
        if (rc == 0)
            rc = cora_stream_writer_drain(ends->writers[1]);
    }
    return rc < 0 ? rc : (int)size;
}

static int stream_pings(void *arg)
{
    struct stream_ends ends;
    int fds[2], allocated;

    (void)arg;
    make_pair(fds);
    for (int i = 0; i < 2; i++)
        open_streams(fds[i], CORA_STREAM_LIMIT, &ends.readers[i], &ends.writers[i]);
    allocated = count_with(stream_ping, stream_pong, &ends);
    for (int i = 0; i < 2; i++)
        cora_stream_writer_unref(ends.writers[i]);
    return allocated;
}

TEST(a_stream_allocates_nothing)
{
    int allocated = cora_run(stream_pings, NULL);

    assert_int_equal(allocated, 0);
}

struct job_args {
    int number;
};

static int job(void *arg)
{
    struct job_args *a = arg;

    a->number++;
    return 0;
}

static int run_a_job(void *arg)
{
    return cora_to_thread(job, (struct job_args *)arg);
}

static int jobs(void *arg)
{
    struct job_args args = {0};
    int allocated = count(run_a_job, &args);

    (void)arg;
    assert_int_equal(args.number, WARM_UP + ROUNDS);
    return allocated;
}

/* The job, which must outlive a wait that is cancelled, and its context. */
TEST(a_job_in_a_thread_is_two_allocations)
{
    int allocated = cora_run(jobs, NULL);

    assert_int_equal(allocated, 2 * ROUNDS);
}
