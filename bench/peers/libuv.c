/* libuv: an event loop with callbacks. Of the workloads it has the sleeps, as timers, and echo. */
#include "../measure.h"

#include <uv.h>

/* ---- sleeps ---- */

struct sleeper {
    uv_timer_t timer;
    int64_t due;
};

static long ended, early;

static void on_timer(uv_timer_t *timer)
{
    struct sleeper *sleeper = (struct sleeper *)timer;

    early += now_ns() < sleeper->due;
    ended++;
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
    check(ended == count, "every timer fires once");
    report_sleep(start, cpu, count, early);
}

/* ---- echo ---- */

static char buffer[65536]; /* for all: what is read is written before anyone else reads */

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

static void on_stdin(uv_poll_t *input, int status, int events)
{
    (void)status, (void)events;
    uv_stop(input->loop);
}

static void on_sigterm(uv_signal_t *signal, int number)
{
    (void)number;
    uv_stop(signal->loop);
}

static void run_echo_server(long nothing)
{
    uv_loop_t *loop = uv_default_loop();
    int fd = listen_on_loopback();
    uv_tcp_t listener;
    uv_poll_t input;
    uv_signal_t term;

    (void)nothing;
    uv_tcp_init(loop, &listener);
    uv_tcp_open(&listener, fd);
    check(uv_listen((uv_stream_t *)&listener, 1024, on_connection) == 0, "the socket listens");
    check(uv_poll_init(loop, &input, STDIN_FILENO) == 0, "stdin is a pipe or a terminal");
    uv_poll_start(&input, UV_READABLE | UV_DISCONNECT, on_stdin);
    uv_signal_init(loop, &term);
    uv_signal_start(&term, on_sigterm, SIGTERM);
    report_port(fd);

    int64_t cpu = cpu_ns();
    uv_run(loop, UV_RUN_DEFAULT);
    report("cpu_us", (double)(cpu_ns() - cpu) / 1e3, NULL);
}

int main(int argc, char **argv)
{
    static const struct workload workloads[] = {
        {"sleep", run_sleep, 100000},
        {"echo_server", run_echo_server, 1},
        {NULL, NULL, 0},
    };

    return run_workload(argc, argv, workloads);
}
