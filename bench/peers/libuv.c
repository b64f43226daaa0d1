/* libuv: an event loop with callbacks. Of the workloads it has those of timers, echo and threads.
 */
#include "../measure.h"

#include <uv.h>

/* ---- sleeps ---- */

struct sleeper {
    uv_timer_t timer;
    int64_t due;
};

static void on_timer(uv_timer_t *timer)
{
    struct sleeper *sleeper = (struct sleeper *)timer;

    nap_ended(sleeper->due);
}

/* Its timers count whole milliseconds; a length is rounded up, so that none is meant to end early.
 */
static void run_sleep(long count)
{
    uv_loop_t *loop = uv_default_loop();
    struct sleeper *sleepers = allocate(count, sizeof *sleepers);
    int64_t start = now_ns(), cpu = cpu_ns();

    for (long k = 0; k < count; k++) {
        int64_t nap = nap_ns(k, count);
        sleepers[k].due = now_ns() + nap;
        uv_update_time(
            loop); /* a timer counts from the loop's time: an old one would make it end early */
        uv_timer_init(loop, &sleepers[k].timer);
        uv_timer_start(&sleepers[k].timer, on_timer, (uint64_t)(nap + 999999) / 1000000, 0);
    }
    uv_run(loop, UV_RUN_DEFAULT);
    report_naps(start, cpu, count);
}

/* ---- a timer armed and disarmed while others are armed ---- */

static void never(uv_timer_t *timer)
{
    (void)timer;
    check(false, "no timer expires");
}

static void run_timeout(long count)
{
    enum { BATCH = 10000 };
    uv_loop_t *loop = uv_default_loop();
    uv_timer_t passing, *others = allocate(count, sizeof *others);
    long armed = 0;

    for (long k = 0; k < count; k++) {
        uv_timer_init(loop, &others[k]);
        uv_timer_start(&others[k], never, (uint64_t)(armed_s(k, count) * 1e3), 0);
    }
    uv_timer_init(loop, &passing);
    int64_t start = cpu_ns();
    do {
        for (int i = 0; i < BATCH; i++) {
            uv_update_time(loop); /* as above */
            uv_timer_start(&passing, never, (uint64_t)(passing_s * 1e3), 0);
            uv_timer_stop(&passing);
        }
        armed += BATCH;
    } while (!enough(start));
    report("ns", per(cpu_ns() - start, armed), NULL);
}

/* ---- echo ---- */

static char buffer[ECHO_BUFFER]; /* for all: what is read is written before anyone else reads */

static void on_buffer_wanted(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle, (void)suggested;
    *buf = uv_buf_init(buffer, sizeof buffer);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    uv_buf_t answer = uv_buf_init(buf->base, size > 0 ? (unsigned)size : 0);

    /* The client never sends before it has its answer: the write cannot be short. */
    if (size < 0 || (size > 0 && uv_try_write(stream, &answer, 1) != size))
        uv_close((uv_handle_t *)stream, on_closed);
}

static void on_connection(uv_stream_t *listener, int status)
{
    uv_tcp_t *connection = allocate(1, sizeof *connection);

    check(status == 0, "connections arrive");
    uv_tcp_init(listener->loop, connection);
    check(uv_accept(listener, (uv_stream_t *)connection) == 0, "connections are accepted");
    uv_read_start((uv_stream_t *)connection, on_buffer_wanted, on_read);
}

static void run_echo_server(long nothing)
{
    uv_loop_t *loop = uv_default_loop();
    int fd = listen_on_loopback();
    uv_tcp_t listener;

    (void)nothing;
    uv_tcp_init(loop, &listener);
    uv_tcp_open(&listener, fd);
    check(uv_listen((uv_stream_t *)&listener, 4096, on_connection) == 0, "the socket listens");
    report_port(fd);
    uv_run(loop, UV_RUN_DEFAULT);
}

/* ---- jobs in the thread pool, so many in flight ---- */

static bool going_on = true;
static long jobs;

static void job(uv_work_t *work)
{
    ++*(long *)work->data;
}

static void after_job(uv_work_t *work, int status)
{
    check(status == 0, "no job is cancelled");
    jobs++;
    if (going_on)
        uv_queue_work(work->loop, work, job, after_job);
}

static void stop(uv_timer_t *timer)
{
    (void)timer;
    going_on = false;
}

static void run_to_thread(long in_flight)
{
    uv_loop_t *loop = uv_default_loop();
    uv_work_t *work = allocate(in_flight, sizeof *work);
    long *done = allocate(in_flight, sizeof *done), all = 0;
    uv_timer_t end;
    int64_t start = now_ns(), cpu = cpu_ns();

    uv_timer_init(loop, &end);
    uv_timer_start(&end, stop, (uint64_t)(loop_seconds() * 1e3), 0);
    for (long i = 0; i < in_flight; i++) {
        work[i].data = &done[i];
        uv_queue_work(loop, &work[i], job, after_job);
    }
    uv_run(loop, UV_RUN_DEFAULT);
    int64_t elapsed = now_ns() - start;

    for (long i = 0; i < in_flight; i++)
        all += done[i];
    check(all == jobs, "every job is done once");
    report("us", per(elapsed, jobs) / 1e3, "cpu_us", per(cpu_ns() - cpu, jobs) / 1e3, NULL);
}

int main(int argc, char **argv)
{
    static const struct workload workloads[] = {
        {"sleep", run_sleep, 100000},        {"timeout", run_timeout, 100000},
        {"echo_server", run_echo_server, 1}, {"echo_protocol", run_echo_server, 1},
        {"to_thread", run_to_thread, 1},     {NULL, NULL, 0},
    };

    return run_workload(argc, argv, workloads);
}
